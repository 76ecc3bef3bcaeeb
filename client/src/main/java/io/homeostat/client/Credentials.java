package io.homeostat.client;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Headers;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Who asks: fixed headers, a bearer token from a file that is replaced now and then, as the kubelet does with those of service
 * accounts, or what an {@link ExecPlugin} gives.
 *
 * <p>A token file is looked at when a request is made and the last look is a second old, and read when it has changed (its real file
 * behind links, its time or its size), when the last reading is a minute old, and after a 401 at once. A request that was refused is
 * sent once more when there is another token by then.
 *
 * <p><b>Threads.</b> Any that may block. <b>Failure.</b> While the file cannot be read, or is empty, the last token stays; without
 * one, requests fail before they are sent.
 */
final class Credentials {
    /*
     * Invariants
     * - `token` is what the file last held that could be a token; null only before the first good reading.
     */

    private static final Logger log = LoggerFactory.getLogger(Credentials.class);

    private static final long LOOK_NANOS = Duration.ofSeconds(1).toNanos();
    private static final long READ_NANOS = Duration.ofMinutes(1).toNanos();

    private final List<Headers.Header> fixed;
    private final @Nullable Path tokenFile;
    private final @Nullable ExecPlugin plugin;
    private final boolean authorized; // by a fixed header, which goes before what a plugin gives
    private final ReentrantLock lock = new ReentrantLock();

    @GuardedBy("lock")
    private @Nullable String token;

    @GuardedBy("lock")
    private boolean looked;

    @GuardedBy("lock")
    private long lookedAt;

    @GuardedBy("lock")
    private long readAt;

    @GuardedBy("lock")
    private String stamp = "";

    @GuardedBy("lock")
    private long changes;

    @GuardedBy("lock")
    private @Nullable String problem;

    /**
     * What one request is made with.
     *
     * @param headers who asks
     * @param token the token among them that came from the file; null for none
     * @param given what came from the plugin; null for none
     */
    record Held(List<Headers.Header> headers, @Nullable String token, ExecPlugin.@Nullable Given given) {
        /** The certificate to present, when it is the plugin's. */
        @Nullable
        KeyPairPem pair() {
            return given == null ? null : given.pair();
        }

        /** Names only. */
        @Override
        public String toString() {
            return "Held" + headers.stream().map(Headers.Header::name).toList();
        }
    }

    /** Whether a refused request may be sent again at the cost of running a plugin. */
    enum Again {
        /** It may, since it only reads. */
        AT_ANY_COST,
        /** Only when other credentials are there already: a write that waits outlives what it was decided on. */
        AT_ONCE
    }

    /**
     * Credentials of these headers and that file.
     *
     * @param tokenFile null when the token, if any, is among the fixed headers
     */
    Credentials(List<Headers.Header> fixed, @Nullable Path tokenFile) {
        this(fixed, tokenFile, null, null);
    }

    /**
     * Credentials of these headers, that file and that plugin.
     *
     * @param tokenFile null when there is none
     * @param firstToken used until the file can be read; null for none
     * @param plugin null when there is none
     */
    Credentials(
            List<Headers.Header> fixed,
            @Nullable Path tokenFile,
            @Nullable String firstToken,
            @Nullable ExecPlugin plugin) {
        this.fixed = List.copyOf(fixed);
        this.tokenFile = tokenFile;
        this.plugin = plugin;
        this.token = firstToken;
        this.authorized = fixed.stream().anyMatch(header -> header.name().equalsIgnoreCase("Authorization"));
    }

    /**
     * What to ask with now. Reads the file when that is due, and waits for the plugin when it must run.
     *
     * @throws IOException when there is nothing to ask with; nothing has been sent then
     */
    Held current(EngineRuntime runtime) throws IOException {
        if (tokenFile == null && plugin == null) {
            return new Held(fixed, null, null);
        }
        String fromFile = tokenFile == null ? null : token(tokenFile, runtime.nanos());
        ExecPlugin.Given given = plugin == null ? null : plugin.current(runtime);
        String bearer = fromFile != null ? fromFile : given == null || authorized ? null : given.token();
        List<Headers.Header> all = new ArrayList<>(fixed);
        if (bearer != null) {
            all.add(new Headers.Header("Authorization", "Bearer " + bearer));
        }
        return new Held(all, fromFile, given);
    }

    /**
     * The server answered 401 to these: what can be read anew is. Whether there are others now.
     */
    boolean refused(EngineRuntime runtime, Held used, Again again) {
        boolean other = false;
        if (tokenFile != null) {
            lock.lock();
            try {
                if (used.token() != null && used.token().equals(token)) {
                    read(tokenFile, runtime.nanos());
                }
                other = token != null && !token.equals(used.token());
            } finally {
                lock.unlock();
            }
        }
        if (plugin != null && used.given() != null) {
            plugin.refused(runtime, used.given());
            other |= again == Again.AT_ANY_COST
                    ? runsFor(plugin, runtime, used.given())
                    : plugin.hasOtherThan(runtime, used.given());
        }
        return other;
    }

    private static boolean runsFor(ExecPlugin plugin, EngineRuntime runtime, ExecPlugin.Given used) {
        try {
            return !plugin.current(runtime).equals(used);
        } catch (IOException e) {
            return false; // the plugin has said so in the log, and says so to the next request
        }
    }

    /** The certificate the plugin gave last; null for none. Runs nothing. */
    @Nullable
    KeyPairPem lastPair() {
        return plugin == null ? null : plugin.lastPair();
    }

    /** The server accepted these. */
    void accepted(Held used) {
        if (plugin != null && used.given() != null) {
            plugin.accepted(used.given());
        }
    }

    private String token(Path file, long nanos) throws IOException {
        lock.lock();
        try {
            if (!looked || nanos - lookedAt >= LOOK_NANOS) {
                boolean first = !looked;
                looked = true;
                lookedAt = nanos;
                if (first || nanos - readAt >= READ_NANOS || !stamp(file).equals(stamp)) {
                    read(file, nanos);
                }
            }
            if (token == null) {
                looked = false; // each request looks until there is one
                throw new IOException("the token file " + file + " " + problem);
            }
            return token;
        } finally {
            lock.unlock();
        }
    }

    @GuardedBy("lock")
    private void read(Path file, long nanos) {
        readAt = nanos;
        String found = null;
        String trouble = null;
        try {
            stamp = stamp(file); // before the contents: a change in between is seen by the next look
            String text = Files.readString(file, StandardCharsets.UTF_8).trim();
            if (text.isEmpty()) {
                trouble = "is empty";
            } else if (text.chars().anyMatch(c -> c <= ' ' || c >= 0x7f)) {
                trouble = "holds characters that no token has";
            } else {
                found = text;
            }
        } catch (IOException e) {
            trouble = "cannot be read (" + e.getClass().getSimpleName() + ")";
        }
        if (trouble != null && token != null && !trouble.equals(problem)) {
            log.atWarn()
                    .addKeyValue("file", file)
                    .addKeyValue("problem", trouble)
                    .log("A token file cannot be used; the last token stays in use [HS-104]");
        }
        problem = trouble;
        if (found != null && !found.equals(token)) {
            if (token != null) {
                changes++;
                log.atInfo()
                        .addKeyValue("file", file)
                        .log("A token file has changed: its new token is used from now on");
            }
            token = found;
        }
    }

    /** What tells one state of the file from another; the real one, behind links. */
    private static String stamp(Path file) {
        try {
            BasicFileAttributes attributes = Files.readAttributes(file, BasicFileAttributes.class);
            return attributes.fileKey() + "/" + attributes.lastModifiedTime() + "/" + attributes.size();
        } catch (IOException e) {
            return "absent";
        }
    }

    /** What there is, for people. */
    List<CredentialState> states() {
        List<CredentialState> states = new ArrayList<>();
        if (tokenFile != null) {
            lock.lock();
            try {
                states.add(new CredentialState("token", tokenFile.toString(), changes, null, problem));
            } finally {
                lock.unlock();
            }
        }
        if (plugin != null) {
            states.add(plugin.state());
        }
        return states;
    }

    /** Names only. */
    @Override
    public String toString() {
        return "Credentials" + fixed.stream().map(Headers.Header::name).toList()
                + (tokenFile == null ? "" : " with a token from " + tokenFile)
                + (plugin == null ? "" : " with " + plugin.state().source());
    }
}
