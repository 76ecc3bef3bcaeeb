package io.homeostat.testkit;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.io.ByteArrayOutputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Keeps what is printed on standard output and standard error, where loggers write in tests, while it passes it on.
 *
 * <p><b>Threads.</b> Any may print; one test at a time may watch. <b>Memory.</b> The last 16 MiB.
 */
final class OutputWatch implements AutoCloseable {
    private static final int LIMIT = 16 << 20;

    private final PrintStream out = System.out;
    private final PrintStream err = System.err;
    private final ReentrantLock lock = new ReentrantLock();

    @GuardedBy("lock")
    private ByteArrayOutputStream kept = new ByteArrayOutputStream();

    private OutputWatch() {}

    /** Watches until closed. */
    static OutputWatch start() {
        OutputWatch watch = new OutputWatch();
        System.setOut(new PrintStream(watch.tee(watch.out), true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(watch.tee(watch.err), true, StandardCharsets.UTF_8));
        return watch;
    }

    private OutputStream tee(PrintStream original) {
        return new OutputStream() {
            @Override
            public void write(int b) {
                write(new byte[] {(byte) b}, 0, 1);
            }

            @Override
            public void write(byte[] bytes, int offset, int length) {
                original.write(bytes, offset, length);
                lock.lock();
                try {
                    if (kept.size() > LIMIT) {
                        kept = new ByteArrayOutputStream();
                    }
                    kept.write(bytes, offset, length);
                } finally {
                    lock.unlock();
                }
            }

            @Override
            public void flush() {
                original.flush();
            }
        };
    }

    /** The first line with {@code secret} in it, with the secret itself blotted out. */
    Optional<String> lineWith(String secret) {
        String text;
        lock.lock();
        try {
            text = kept.toString(StandardCharsets.UTF_8);
        } finally {
            lock.unlock();
        }
        return text.lines()
                .filter(line -> line.contains(secret))
                .map(line -> line.replace(secret, "<the canary>"))
                .findFirst();
    }

    @Override
    public void close() {
        System.setOut(out);
        System.setErr(err);
    }
}
