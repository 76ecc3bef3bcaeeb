package io.homeostat.reconciler;

import io.homeostat.client.ApiClient;
import io.homeostat.client.ApiException;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.InterruptedWaitException;
import io.homeostat.core.SystemRuntime;
import io.homeostat.core.Task;
import io.homeostat.core.Transport;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The thin shell between {@link Operator#run} and a process: arguments, signals, the wait on the calling thread. The one class of
 * this room that touches threads, signals and standard output.
 *
 * <p>SIGTERM and SIGINT reach a JVM as the start of its shutdown: the hook asks the operator to stop and holds the JVM until
 * {@code run} has returned, which is when everything is drained, closed and cleaned up. The JVM then exits with 143 or 130.
 *
 * <p><b>Order.</b> Parse, connect, wait for the server, own flags, start; stop, close transport, runtime, cluster.
 */
final class ProcessShell {
    private static final Logger log = LoggerFactory.getLogger(ProcessShell.class);

    /** How long a start waits for a server that does not answer: longer than a restart of one takes. */
    private static final Duration START = Duration.ofSeconds(30);

    private static final Duration FOREVER = Duration.ofDays(36_500);

    /** What a stop may take beyond the drain timeout: the grace of interrupts, and closing. */
    private static final Duration CLOSING = Dispatcher.GRACE.plusSeconds(5);

    private final Operator operator;
    private final Duration patience;
    private final CompletableFuture<Void> asked = new CompletableFuture<>(); // completes when a stop is asked for
    private final CompletableFuture<Throwable> fatal = new CompletableFuture<>(); // an error of the JVM in engine code
    private final CountDownLatch over = new CountDownLatch(1);

    private ProcessShell(Operator operator, Duration patience) {
        this.operator = operator;
        this.patience = patience;
    }

    static void run(Operator operator, String... args) {
        run(operator, START, args);
    }

    /**
     * The same.
     *
     * @param patience how long the start waits for a server
     */
    static void run(Operator operator, Duration patience, String... args) {
        Settings.Parsed settings = Settings.parse(operator, System.getenv(), args);
        if (settings.help()) {
            print(Settings.help(operator));
            return;
        }
        operator.instance(System.getenv().getOrDefault("HOSTNAME", "")); // the pod's name, in a pod
        new ProcessShell(operator, patience).run(cluster(operator, settings), settings);
    }

    private static ClusterSource cluster(Operator operator, Settings.Parsed settings) {
        ClusterSource otherwise = operator.defaultCluster();
        if (otherwise != null && !settings.kubeconfigIsFlag()) {
            return otherwise;
        }
        // Without the flag, auto() reads KUBECONFIG itself: it may name several files.
        return new KubeconfigCluster(settings.kubeconfigIsFlag() ? settings.kubeconfig() : null);
    }

    private void run(ClusterSource cluster, Settings.Parsed settings) {
        Thread hook = new Thread(this::stopAndWait, operator.name() + "/shutdown");
        try {
            Runtime.getRuntime().addShutdownHook(hook);
        } catch (IllegalStateException already) {
            log.info("operator {} does not start: the JVM is shutting down", operator.name());
            return;
        }
        try {
            runOn(cluster, settings);
        } finally {
            over.countDown();
            try {
                Runtime.getRuntime().removeShutdownHook(hook);
            } catch (IllegalStateException running) {
                log.debug("operator {}: the JVM is shutting down", operator.name());
            }
        }
    }

    /** In the shutdown hook: the JVM halts when this returns. */
    private void stopAndWait() {
        asked.complete(null);
        try {
            Duration longest = operator.drainTimeout().plus(CLOSING).plus(CLOSING);
            if (!over.await(longest.toMillis(), TimeUnit.MILLISECONDS)) {
                log.error(
                        "operator {} has not stopped within {}; the JVM exits anyway [HS-405]",
                        operator.name(),
                        Texts.of(longest));
            }
        } catch (InterruptedException nobodyDoes) {
            Thread.currentThread().interrupt();
        }
    }

    private void runOn(ClusterSource cluster, Settings.Parsed settings) {
        SystemRuntime runtime = SystemRuntime.builder()
                .named(operator.name())
                .onFatal(fatal::complete)
                .build();
        try {
            try (Transport transport = cluster.connect(runtime)) {
                log.info("operator {} works on {}", operator.name(), cluster.describe());
                if (prepare(runtime, transport, cluster, settings)) {
                    work(runtime, transport);
                }
            } catch (OperatorException said) {
                throw said;
            } catch (Exception failed) {
                throw new OperatorException(
                        1,
                        operator.name() + " could not start on " + cluster.describe() + ": " + Texts.sentence(failed),
                        failed);
            }
        } finally {
            cluster.close();
            runtime.close();
        }
    }

    /** Waits for the server and takes the operator's own steps; false when a stop was asked for meanwhile. */
    private boolean prepare(EngineRuntime runtime, Transport transport, ClusterSource cluster, Settings.Parsed settings)
            throws Exception {
        ApiClient client = ApiClient.over(runtime, transport, ApiClient.Settings.of(operator.name()));
        long begun = runtime.nanos();
        boolean said = false;
        boolean busy = false;
        while (!busy) {
            if (asked.isDone()) {
                return false;
            }
            try {
                CompletableFuture<byte[]> version = client.raw("/version").toCompletableFuture();
                runtime.await(CompletableFuture.anyOf(version, asked), FOREVER); // the client has its own deadline
                if (version.isDone()) {
                    break;
                }
            } catch (ApiException problem) {
                if (answered(problem)) {
                    break;
                }
                boolean tooLong = runtime.nanos() - begun > patience.toNanos();
                if (tooLong && problem.answer().code() != 0 && !(problem instanceof ApiException.Unauthorized)) {
                    busy = true; // it is there; what it serves by then is waited for by whatever needs it
                    log.warn(
                            "operator {} starts though {} answers nothing better after {}: {} [HS-103]",
                            operator.name(),
                            cluster.describe(),
                            Texts.of(patience),
                            Texts.sentence(problem));
                    continue;
                }
                if (tooLong || problem instanceof ApiException.Unauthorized) {
                    throw new OperatorException(
                            1,
                            operator.name() + " could not start: " + cluster.describe() + " "
                                    + (problem instanceof ApiException.Unauthorized
                                            ? "does not accept these credentials"
                                            : "did not answer within " + Texts.of(patience))
                                    + " (" + Texts.sentence(problem)
                                    + "). Check that the server runs and the kubeconfig is right.",
                            problem);
                }
                if (!said) {
                    said = true;
                    log.warn(
                            "operator {} waits up to {} for {}: {} [HS-103]",
                            operator.name(),
                            Texts.of(patience),
                            cluster.describe(),
                            Texts.sentence(problem));
                }
                runtime.sleep(Duration.ofMillis(500));
            }
        }
        for (Operator.Flag flag : settings.steps()) {
            if (asked.isDone()) {
                return false;
            }
            log.info("operator {}: --{}", operator.name(), flag.name());
            take(runtime, client, flag.step());
        }
        return !asked.isDone();
    }

    /** Takes a step on a task of its own: a stop that is asked for meanwhile does not wait for it. */
    private void take(EngineRuntime runtime, ApiClient client, Operator.StartStep step) throws Exception {
        AtomicReference<@Nullable Exception> thrown = new AtomicReference<>();
        Task task = runtime.start(operator.name() + "/start", () -> {
            try {
                step.run(client.blocking());
            } catch (Exception failed) {
                thrown.set(failed);
            }
        });
        runtime.await(CompletableFuture.anyOf(task.done().toCompletableFuture(), asked), FOREVER);
        if (asked.isDone()) {
            task.interrupt();
            return;
        }
        Exception failed = thrown.get();
        if (failed != null) {
            throw failed;
        }
    }

    /** Whether a server is there and at work, whatever it thinks of the request. One that is too busy may be so for a moment only. */
    private static boolean answered(ApiException problem) {
        int code = problem.answer().code();
        return code != 0 && code != 401 && code != 429 && code < 500;
    }

    private void work(SystemRuntime runtime, Transport transport) {
        Operator.Running running = operator.start(runtime, transport);
        CompletableFuture<Void> end = new CompletableFuture<>();
        asked.thenRun(() -> end.complete(null));
        fatal.thenAccept(end::completeExceptionally);
        running.ended().whenComplete((clean, error) -> {
            if (error == null) {
                end.complete(null);
            } else {
                end.completeExceptionally(error);
            }
        });
        Throwable broken = null;
        try {
            runtime.await(end, FOREVER);
        } catch (InterruptedWaitException interrupted) {
            // The caller's thread is asked to stop: the same as a signal. The flag must not cut the drain short.
            Thread.interrupted();
            stop(runtime, running);
            Thread.currentThread().interrupt();
            return;
        } catch (Throwable error) {
            broken = error;
        }
        if (!running.ended().toCompletableFuture().isDone()) {
            stop(runtime, running);
        }
        if (broken != null) {
            throw new OperatorException(
                    1,
                    operator.name() + " ended because the JVM is not sound any more: " + Texts.of(unwrapped(broken))
                            + ". Start it again, with more memory if that is what was missing.",
                    unwrapped(broken));
        }
    }

    private void stop(EngineRuntime runtime, Operator.Running running) {
        try {
            runtime.await(running.stop(), operator.drainTimeout().plus(CLOSING));
        } catch (Throwable late) {
            log.error("operator {} did not stop as it should: {} [HS-405]", operator.name(), Texts.of(unwrapped(late)));
        }
    }

    private static Throwable unwrapped(Throwable error) {
        Throwable cause = error.getCause();
        return error instanceof java.util.concurrent.CompletionException && cause != null ? cause : error;
    }

    private static void print(String text) {
        try (FileOutputStream out = new FileOutputStream(FileDescriptor.out)) {
            out.write(text.getBytes(StandardCharsets.UTF_8));
        } catch (IOException closed) {
            throw new OperatorException(1, "The help text could not be written to standard output.", closed);
        }
    }
}
