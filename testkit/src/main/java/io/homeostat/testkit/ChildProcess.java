package io.homeostat.testkit;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * A process that we started, that only we signal, and that does not outlive this JVM.
 *
 * <p>On Linux the child asks the kernel to be killed when its parent dies ({@code setpriv --pdeathsig KILL} of util-linux 2.33 or
 * later), so that even {@code kill -9} of this JVM leaves nothing behind. The parent in that sense is the <em>thread</em> that made
 * the child, so all children are made by one thread that ends with the JVM only. Without such a {@code setpriv} the children of a
 * JVM that was killed hard stay; one that exits ends them in its shutdown hook (see {@link RealControlPlane}).
 *
 * <p><b>Threads.</b> Any.
 */
final class ChildProcess {
    /** What can be sent to a process, by the names of {@code kill(1)}. */
    enum Signal {
        STOP,
        CONT,
        TERM,
        KILL
    }

    /** Makes the children; holder idiom, so that a JVM that starts none has no such thread. */
    private static final class Starter {
        private static final LinkedBlockingQueue<Runnable> ORDERS = new LinkedBlockingQueue<>();
        private static final List<String> DIES_WITH_PARENT = diesWithParent();

        static {
            Thread thread = new Thread(Starter::run, THREAD_NAME);
            thread.setDaemon(true);
            thread.start();
        }

        private static void run() {
            while (true) {
                try {
                    ORDERS.take().run();
                } catch (InterruptedException e) {
                    // Nobody owns this thread, and its end would kill the children: an interrupt means nothing to it.
                }
            }
        }

        private static List<String> diesWithParent() {
            try {
                Process help = new ProcessBuilder("setpriv", "--pdeathsig", "KILL", "--", "true")
                        .redirectErrorStream(true)
                        .redirectOutput(Redirect.DISCARD)
                        .start();
                if (help.waitFor(5, TimeUnit.SECONDS) && help.exitValue() == 0) {
                    return List.of("setpriv", "--pdeathsig", "KILL", "--");
                }
            } catch (IOException e) {
                // not installed
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            return List.of();
        }
    }

    /** The thread that makes children: it lives as long as the JVM. */
    static final String THREAD_NAME = "homeostat-testkit-process-starter";

    private final String name;
    private final Path log;
    private final Process process;

    private ChildProcess(String name, Path log, Process process) {
        this.name = name;
        this.log = log;
        this.process = process;
    }

    /**
     * Starts {@code command} with output appended to {@code log}.
     *
     * @throws UncheckedIOException when the program cannot be executed
     */
    static ChildProcess start(String name, List<String> command, Map<String, String> environment, Path log) {
        CompletableFuture<Process> started = new CompletableFuture<>();
        Starter.ORDERS.add(() -> {
            try {
                List<String> full = new ArrayList<>(Starter.DIES_WITH_PARENT);
                full.addAll(command);
                ProcessBuilder builder = new ProcessBuilder(full)
                        .redirectErrorStream(true)
                        .redirectInput(Redirect.from(new File("/dev/null")))
                        .redirectOutput(Redirect.appendTo(log.toFile()));
                builder.environment().putAll(environment);
                started.complete(builder.start());
            } catch (IOException e) {
                started.completeExceptionally(
                        new UncheckedIOException("Cannot start " + name + ": " + e.getMessage(), e));
            } catch (RuntimeException e) {
                started.completeExceptionally(e);
            }
        });
        try {
            return new ChildProcess(name, log, started.join());
        } catch (CompletionException e) {
            throw e.getCause() instanceof RuntimeException cause ? cause : e;
        }
    }

    long pid() {
        return process.pid();
    }

    boolean isAlive() {
        return process.isAlive();
    }

    /** Sends a signal; does nothing when the process has ended. */
    void signal(Signal signal) {
        if (!process.isAlive()) {
            return;
        }
        if (signal == Signal.KILL) {
            process.destroyForcibly();
            return;
        }
        try {
            // The shell's own kill: minimal images have no kill program.
            Process kill = new ProcessBuilder("sh", "-c", "kill -" + signal + " " + process.pid())
                    .redirectErrorStream(true)
                    .redirectOutput(Redirect.DISCARD)
                    .start();
            if (kill.waitFor() != 0 && process.isAlive()) {
                throw new IllegalStateException(
                        "Cannot send SIG" + signal + " to " + name + " (pid " + process.pid() + ")");
            }
            if (signal == Signal.STOP) {
                awaitStopped();
            }
        } catch (IOException e) {
            throw new UncheckedIOException("Cannot send SIG" + signal + " to " + name + ": no shell to run kill", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("Interrupted while sending SIG" + signal + " to " + name, e);
        }
    }

    /** SIGSTOP reaches one thread after the other, and one of a busy process may answer a request meanwhile: waits for all. */
    private void awaitStopped() throws IOException {
        Path tasks = Path.of("/proc", Long.toString(process.pid()), "task");
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
        while (Files.isDirectory(tasks) && !stopped(tasks)) {
            if (System.nanoTime() - end > 0) {
                throw new IllegalStateException(name + " (pid " + process.pid() + ") still runs 10 s after SIGSTOP");
            }
            Polling.pause();
        }
    }

    private static boolean stopped(Path tasks) throws IOException {
        try (DirectoryStream<Path> threads = Files.newDirectoryStream(tasks)) {
            for (Path thread : threads) {
                String stat = Files.readString(thread.resolve("stat"), StandardCharsets.ISO_8859_1);
                char state = stat.charAt(stat.lastIndexOf(')') + 2); // the name before it may hold anything
                if (state != 'T' && state != 'Z' && state != 'X') {
                    return false;
                }
            }
            return true;
        } catch (NoSuchFileException | DirectoryIteratorException e) {
            return false; // a thread ended while we looked
        }
    }

    /** Waits until the process has ended. */
    boolean awaitEnd(long millis) {
        try {
            return process.waitFor(millis, TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("Interrupted while waiting for the end of " + name, e);
        }
    }

    /** The last lines it wrote, for messages. */
    String lastLines() {
        try {
            List<String> lines = Files.readAllLines(log);
            return String.join("\n", lines.subList(Math.max(0, lines.size() - 8), lines.size()));
        } catch (IOException e) {
            return "(no log at " + log + ")";
        }
    }

    @Override
    public String toString() {
        return name + " (pid " + process.pid() + (process.isAlive() ? ", running)" : ", ended)");
    }
}
