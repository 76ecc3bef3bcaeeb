package io.homeostat.client;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.homeostat.core.Backoff;
import io.homeostat.core.DeadlineExceededException;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.InterruptedWaitException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.ReentrantLock;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * A program that gives credentials: the {@code exec} of a kubeconfig user, {@code client.authentication.k8s.io/v1} and
 * {@code v1beta1} (KEP-541).
 *
 * <pre>
 *   nothing ── asked ──► running ── a credential ──► held ── 10 s before its end, or refused (401) ──► running
 *                           └────── none ──► failed: said to whoever asks; run again after 1 s, 2 s, 4 s … 60 s
 * </pre>
 *
 * <p><b>Order.</b> One run at a time; whoever asks meanwhile waits for it. <b>Threads.</b> It runs on a task of its own; asking
 * waits, so it is for tasks and user lanes. <b>Memory.</b> At most 1 MiB of its output, 16 KiB of its errors. <b>Failure.</b> An exit
 * code, garbage, silence for {@link Command#limit} or a missing program is an {@link IOException} that names the plugin and says
 * what to do; while what it gave last still holds, that is used. A hung plugin is killed with its children. What it writes to its
 * standard error is logged, without its own arguments and variables, the token it gave, and whatever looks like one; its output is
 * never shown.
 */
final class ExecPlugin {
    /*
     * Invariants
     * - At most one run is under way: `running` is set from before its task starts until its outcome is taken.
     * - `held` is what the last good run gave; it is `refused` from a 401 to it until the next good run.
     */

    private static final Logger log = LoggerFactory.getLogger(ExecPlugin.class);

    /** How long who asks waits for a run; the run itself may go on for longer. */
    static final Duration PATIENCE = Duration.ofSeconds(15);

    /** A credential is replaced this long before its end, or in its last fifth when it is short-lived. */
    private static final Duration LEEWAY = Duration.ofSeconds(10);

    private static final Duration SHORTEST = Duration.ofSeconds(1);

    /** "Never" is written as a year like 9999, which no count of nanoseconds reaches: it is asked for again once a year. */
    private static final Duration LONGEST = Duration.ofDays(365);

    private static final Backoff FAILED = new Backoff(Duration.ofSeconds(1), 2, Duration.ofSeconds(60), 0.1);
    private static final int MAX_OUTPUT = 1 << 20;
    private static final int MAX_ERRORS = 16 << 10;
    private static final int MAX_SHOWN = 300;
    private static final int QUIET = 3;
    private static final int QUIET_MILLIS = 5;

    /** Long runs of characters that tokens are made of; with those of base64, so that a long path falls too. */
    private static final Pattern TOKEN_LIKE = Pattern.compile("[A-Za-z0-9_.~+/=-]{32,}");

    /** Shorter values are found in words that mean something else. */
    private static final int SHORTEST_HIDDEN = 6;

    private static final JsonMapper TREES = JsonMapper.shared();

    /**
     * How to run it.
     *
     * @param where the kubeconfig and user, for texts
     * @param program its name on the PATH, or a path
     * @param arguments what follows
     * @param environment added to this process's own; not shown
     * @param apiVersion what it must speak
     * @param info the {@code KUBERNETES_EXEC_INFO} it gets
     * @param installHint the kubeconfig's words for when it is missing; {@code ""} for none
     * @param limit a run that takes longer is killed
     */
    record Command(
            String where,
            String program,
            List<String> arguments,
            Map<String, String> environment,
            String apiVersion,
            String info,
            String installHint,
            Duration limit) {
        /** What it was told that may be a secret: variables, and arguments but for the names of flags. Longest first. */
        List<String> hidden() {
            return Stream.concat(
                            environment.values().stream(),
                            arguments.stream()
                                    .map(each -> each.startsWith("-") ? each.substring(each.indexOf('=') + 1) : each)
                                    .filter(each -> !each.startsWith("-")))
                    .filter(each -> each.length() >= SHORTEST_HIDDEN)
                    .sorted(Comparator.comparingInt(String::length).reversed())
                    .toList();
        }

        /** The program only: arguments may hold secrets. */
        @Override
        public String toString() {
            return "exec plugin \"" + program + "\" of " + where;
        }
    }

    /**
     * What a run gave.
     *
     * @param token null when it gave a certificate only
     * @param pair null when it gave a token only
     * @param expires null for never
     */
    record Given(@Nullable String token, @Nullable KeyPairPem pair, @Nullable Instant expires) {
        /** No contents. */
        @Override
        public String toString() {
            return "Given[" + (token == null ? "" : "token ") + (pair == null ? "" : "certificate ") + expires + "]";
        }
    }

    /** One run's end: what it gave, or why it gave nothing. */
    private record Outcome(@Nullable Given given, String problem) {}

    /** A run that gave nothing; the text is for people. */
    private static final class Failed extends Exception {
        private static final long serialVersionUID = 1L;

        Failed(String message, @Nullable Throwable cause) {
            super(message, cause);
        }
    }

    private final Command command;
    private final ReentrantLock lock = new ReentrantLock();

    @GuardedBy("lock")
    private @Nullable Given held;

    @GuardedBy("lock")
    private long renewAt; // nanos; when held has an end

    @GuardedBy("lock")
    private long endsAt; // nanos; when held has an end

    @GuardedBy("lock")
    private boolean refused;

    @GuardedBy("lock")
    private int refusals; // in a row, with nothing accepted in between

    @GuardedBy("lock")
    private int failures; // runs in a row

    @GuardedBy("lock")
    private long notBefore; // nanos; when failures or refusals is more than nothing

    @GuardedBy("lock")
    private boolean pausing; // whether notBefore counts

    @GuardedBy("lock")
    private @Nullable String problem;

    @GuardedBy("lock")
    private long changes;

    @GuardedBy("lock")
    private @Nullable CompletableFuture<Outcome> running;

    ExecPlugin(Command command) {
        this.command = command;
    }

    /**
     * A credential that should be accepted now; runs the plugin, or waits for a run, when there is none.
     *
     * @throws IOException when there is none
     */
    Given current(EngineRuntime runtime) throws IOException {
        CompletableFuture<Outcome> run;
        lock.lock();
        try {
            long now = runtime.nanos();
            Given last = held;
            boolean valid = last != null && (last.expires() == null || now - endsAt < 0);
            if (last != null && valid && !refused && (last.expires() == null || now - renewAt < 0)) {
                return last;
            }
            run = running;
            if (run == null && pausing && now - notBefore < 0) {
                if (last != null && valid) {
                    return last; // refused, perhaps; then the server says so, as long as it thinks so
                }
                if (problem != null) {
                    throw new IOException(problem + "; it is run again in "
                            + Math.max(1, Duration.ofNanos(notBefore - now).toSeconds()) + " s");
                }
            }
            if (run == null) {
                run = new CompletableFuture<>();
                running = run;
                start(runtime, run);
            }
            if (last != null && valid && !refused) {
                return last; // it holds a little longer, and nobody need wait for the next
            }
        } finally {
            lock.unlock();
        }
        Outcome outcome;
        try {
            outcome = runtime.await(run, PATIENCE);
        } catch (DeadlineExceededException e) {
            throw new IOException(
                    command + " has not answered within " + PATIENCE.toSeconds() + " s, and is waited for", e);
        }
        Given given = outcome.given();
        if (given == null) {
            throw new IOException(outcome.problem());
        }
        return given;
    }

    private void start(EngineRuntime runtime, CompletableFuture<Outcome> run) {
        try {
            runtime.start("exec plugin " + command.program(), () -> {
                Outcome outcome = new Outcome(null, command + " ended with an unexpected error");
                try {
                    outcome = outcome(runtime);
                } finally {
                    try {
                        over(runtime, outcome);
                    } finally {
                        run.complete(outcome); // whatever happened: somebody waits for it
                    }
                }
            });
        } catch (IllegalStateException e) {
            Outcome outcome = new Outcome(null, command + " is not run: the runtime is closed");
            over(runtime, outcome);
            run.complete(outcome);
        }
    }

    private void over(EngineRuntime runtime, Outcome outcome) {
        lock.lock();
        try {
            running = null;
            long now = runtime.nanos();
            Given given = outcome.given();
            if (given == null) {
                failures++;
                problem = outcome.problem();
                pauseFrom(runtime, now, failures);
                log.atWarn()
                        .addKeyValue("problem", outcome.problem())
                        .log("An exec plugin gave no credential [HS-104]");
                return;
            }
            if (problem != null) {
                log.atInfo().addKeyValue("plugin", command).log("An exec plugin gives credentials again");
            }
            changes += held == null ? 0 : 1;
            held = given;
            failures = 0;
            problem = null;
            refused = false;
            pausing = false;
            Instant expires = given.expires();
            if (expires != null) {
                // Once, so that what follows does not depend on a clock that may be set.
                Duration left = Duration.between(runtime.wallClock(), expires);
                if (left.compareTo(SHORTEST) < 0) {
                    log.atWarn()
                            .addKeyValue("plugin", command)
                            .addKeyValue("expires", expires)
                            .log(
                                    "An exec plugin gave a credential that has ended, or is about to; is the clock right? [HS-104]");
                    left = SHORTEST; // it is tried, and not asked for by each request anew
                }
                if (left.compareTo(LONGEST) > 0) {
                    left = LONGEST;
                }
                Duration leeway = LEEWAY.compareTo(left.dividedBy(5)) < 0 ? LEEWAY : left.dividedBy(5);
                endsAt = now + left.toNanos();
                renewAt = endsAt - leeway.toNanos();
            }
        } finally {
            lock.unlock();
        }
    }

    @GuardedBy("lock")
    private void pauseFrom(EngineRuntime runtime, long now, int times) {
        pausing = true;
        notBefore = now + FAILED.delay(times, runtime.random("exec plugin")).toNanos();
    }

    /**
     * The server answered 401 to this credential. The first time the plugin may run at once; when what it gives is refused each time, with
     * pauses that grow.
     */
    void refused(EngineRuntime runtime, Given used) {
        lock.lock();
        try {
            if (!used.equals(held) || refused) {
                return;
            }
            refused = true;
            refusals++;
            if (refusals > 1) {
                pauseFrom(runtime, runtime.nanos(), refusals - 1);
            }
        } finally {
            lock.unlock();
        }
    }

    /** The server accepted this credential. */
    void accepted(Given used) {
        lock.lock();
        try {
            if (used.equals(held)) {
                refused = false; // another part of the server may have refused it by mistake
                refusals = 0;
            }
        } finally {
            lock.unlock();
        }
    }

    /** Whether a credential other than this one is there, without a run. */
    boolean hasOtherThan(EngineRuntime runtime, Given used) {
        lock.lock();
        try {
            Given last = held;
            return last != null
                    && !last.equals(used)
                    && !refused
                    && (last.expires() == null || runtime.nanos() - endsAt < 0);
        } finally {
            lock.unlock();
        }
    }

    /** The certificate of the last good run; null for none. */
    @Nullable
    KeyPairPem lastPair() {
        lock.lock();
        try {
            return held == null ? null : held.pair();
        } finally {
            lock.unlock();
        }
    }

    /** What it is, for people. */
    CredentialState state() {
        lock.lock();
        try {
            Given last = held;
            return new CredentialState(
                    "exec plugin", command.program(), changes, last == null ? null : last.expires(), problem);
        } finally {
            lock.unlock();
        }
    }

    private Outcome outcome(EngineRuntime runtime) {
        try {
            return new Outcome(run(runtime), "");
        } catch (Failed e) {
            return new Outcome(null, String.valueOf(e.getMessage()));
        } catch (InterruptedWaitException e) {
            return new Outcome(null, command + " was ended: the runtime is closing");
        }
    }

    private Given run(EngineRuntime runtime) throws Failed {
        Process process = begin();
        try {
            process.getOutputStream().close(); // it has nobody to talk to
            ByteArrayOutputStream output = new ByteArrayOutputStream();
            ByteArrayOutputStream errors = new ByteArrayOutputStream();
            long began = runtime.nanos();
            long pause = 2;
            int quiet = 0;
            // Polled: a blocking read would stay for ever behind a child of the plugin that keeps the pipe open. The
            // JDK hands
            // over what is left in the pipes a moment after it says that a process has ended, so the end is the silence
            // after it.
            while (true) {
                boolean over = !process.isAlive();
                boolean spoke = drain(process.getInputStream(), output, MAX_OUTPUT);
                boolean read = drain(process.getErrorStream(), errors, MAX_ERRORS) || spoke;
                if (output.size() >= MAX_OUTPUT) {
                    throw new Failed(
                            command + " wrote more than " + MAX_OUTPUT + " bytes; is it the right program?", null);
                }
                quiet = over && !read ? quiet + 1 : 0;
                if (quiet >= (whole(output) ? QUIET : QUIET * 10)) {
                    break;
                }
                if (runtime.nanos() - began > command.limit().toNanos()) {
                    show(errors, null);
                    throw new Failed(
                            command + " has not ended within " + command.limit().toSeconds()
                                    + " s and was killed; it must not wait for input"
                                    + quote(errors, null),
                            null);
                }
                if (!read) {
                    runtime.sleep(Duration.ofMillis(over ? QUIET_MILLIS : pause));
                    pause = Math.min(50, pause * 2);
                }
            }
            Given given = null;
            Failed failure = null;
            if (process.exitValue() != 0) {
                failure = new Failed(
                        command + " ended with exit code " + process.exitValue() + quote(errors, null), null);
            } else {
                try {
                    given = parse(output.toByteArray());
                } catch (Failed e) {
                    failure = e;
                }
            }
            show(errors, given);
            if (given == null) {
                throw failure == null ? new Failed(command + " gave nothing", null) : failure;
            }
            return given;
        } catch (IOException e) {
            throw new Failed(command + " could not be read (" + e.getClass().getSimpleName() + ")", e);
        } finally {
            if (process.isAlive()) {
                process.descendants().forEach(ProcessHandle::destroyForcibly);
                process.destroyForcibly();
            }
        }
    }

    private static boolean whole(ByteArrayOutputStream output) {
        return output.toString(StandardCharsets.UTF_8).stripTrailing().endsWith("}");
    }

    private Process begin() throws Failed {
        ProcessBuilder builder = new ProcessBuilder();
        builder.command().add(command.program());
        builder.command().addAll(command.arguments());
        builder.environment().putAll(command.environment());
        builder.environment().put("KUBERNETES_EXEC_INFO", command.info());
        try {
            return builder.start();
        } catch (IOException e) {
            throw new Failed(
                    command + " could not be started: is it installed, on the PATH, and executable?"
                            + (command.installHint().isEmpty()
                                    ? ""
                                    : " " + ResourcePath.printable(command.installHint())),
                    e);
        }
    }

    /** Takes what is there without waiting; whether there was anything. */
    private static boolean drain(InputStream from, ByteArrayOutputStream to, int most) throws IOException {
        int there = from.available();
        if (there <= 0) {
            return false;
        }
        byte[] bytes = from.readNBytes(there);
        to.write(bytes, 0, Math.min(bytes.length, most - to.size()));
        return bytes.length > 0;
    }

    private Given parse(byte[] output) throws Failed {
        JsonNode document;
        try {
            document = TREES.readTree(output);
        } catch (JacksonException e) {
            document = null; // the parser's words quote what it read
        }
        if (document == null || !document.isObject()) {
            throw new Failed(
                    command + " wrote " + output.length + " bytes that are no JSON object; it must write an"
                            + " ExecCredential and nothing else to its standard output",
                    null);
        }
        String kind = document.path("kind").asString("");
        String apiVersion = document.path("apiVersion").asString("");
        if (!kind.equals("ExecCredential") || !apiVersion.equals(command.apiVersion())) {
            throw new Failed(
                    command + " must write an ExecCredential of " + command.apiVersion() + ", found " + shown(kind)
                            + " of " + shown(apiVersion),
                    null);
        }
        JsonNode status = document.path("status");
        String token = status.path("token").asString("");
        String certificate = status.path("clientCertificateData").asString("");
        String key = status.path("clientKeyData").asString("");
        if (certificate.isEmpty() != key.isEmpty()) {
            throw new Failed(
                    command + " gave a client "
                            + (key.isEmpty() ? "certificate without its key" : "key without a certificate"),
                    null);
        }
        if (token.isEmpty() && certificate.isEmpty()) {
            throw new Failed(command + " gave neither a token nor a client certificate in its status", null);
        }
        if (token.chars().anyMatch(c -> c <= ' ' || c >= 0x7f)) {
            throw new Failed(command + " gave a token with characters that cannot stand in a header", null);
        }
        KeyPairPem pair = null;
        if (!certificate.isEmpty()) {
            try {
                pair = KeyPairPem.read(
                        certificate.getBytes(StandardCharsets.US_ASCII),
                        "from the plugin",
                        key.getBytes(StandardCharsets.US_ASCII),
                        "from the plugin");
            } catch (GeneralSecurityException e) {
                throw new Failed(command + ": " + e.getMessage(), e);
            }
        }
        Instant expires = pair == null ? null : pair.expires();
        String said = status.path("expirationTimestamp").asString("");
        if (!said.isEmpty()) {
            Instant end;
            try {
                end = OffsetDateTime.parse(said).toInstant();
            } catch (DateTimeException e) {
                throw new Failed(command + " gave an expirationTimestamp that is no RFC 3339 time", e);
            }
            expires = expires == null || end.isBefore(expires) ? end : expires;
        }
        return new Given(token.isEmpty() ? null : token, pair, expires);
    }

    private static String shown(String word) {
        return word.isEmpty() ? "none" : word.matches("[A-Za-z0-9./-]{1,60}") ? "\"" + word + "\"" : "something else";
    }

    private void show(ByteArrayOutputStream errors, @Nullable Given given) {
        if (errors.size() > 0) {
            log.atInfo()
                    .addKeyValue("plugin", command.program())
                    .addKeyValue("stderr", redacted(errors, given, MAX_ERRORS))
                    .log("An exec plugin wrote to its standard error");
        }
    }

    private String quote(ByteArrayOutputStream errors, @Nullable Given given) {
        return errors.size() == 0 ? "" : "; it said: " + redacted(errors, given, MAX_SHOWN);
    }

    /** What it said without what may be a secret: what it was told, the token it gave, and everything as long as one. */
    private String redacted(ByteArrayOutputStream errors, @Nullable Given given, int most) {
        String text = errors.toString(StandardCharsets.UTF_8).trim();
        if (given != null && given.token() != null) {
            text = text.replace(given.token(), "[hidden]");
        }
        for (String told : command.hidden()) {
            text = text.replace(told, "[hidden]");
        }
        text = TOKEN_LIKE.matcher(text).replaceAll("[hidden]").replaceAll("\\s*\\R\\s*", " | ");
        return ResourcePath.printable(text.length() > most ? text.substring(0, most) : text);
    }
}
