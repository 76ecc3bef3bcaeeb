package io.homeostat.simulator;

import io.homeostat.core.Lane;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * How much of an answer may be on its way before the server holds back, and what the server does when its reader goes on or goes away.
 *
 * <p><b>Threads.</b> Confined to the server's lane, but {@link #taken} and {@link #readerGone}, which the reader calls. <b>Failure.</b>
 * After {@link #leave} no callback is kept or run.
 */
final class Window {
    private static final int CHUNKS = 64;

    private final Lane server;
    private final AtomicInteger underway = new AtomicInteger(); // chunks that were sent and the reader has not taken
    private boolean left; // confined to the server's lane, as the two below
    private @Nullable Runnable whenWritable;
    private @Nullable Runnable whenGone;

    Window(Lane server) {
        this.server = server;
    }

    // ---- the reader

    void taken(int chunks) {
        if (chunks > 0 && underway.getAndAdd(-chunks) >= CHUNKS && underway.get() < CHUNKS) {
            server.execute(this::roomAgain);
        }
    }

    /** Tells the server that nobody reads any more. */
    void readerGone() {
        server.execute(() -> {
            Runnable work = whenGone;
            leave();
            if (work != null) {
                work.run();
            }
        });
    }

    // ---- the server

    void sent() {
        underway.incrementAndGet();
    }

    void leave() {
        left = true;
        whenWritable = null;
        whenGone = null;
    }

    boolean writable() {
        return underway.get() < CHUNKS;
    }

    void whenWritable(Runnable work) {
        if (left) {
            return;
        }
        whenWritable = work;
        if (writable()) {
            server.execute(this::roomAgain); // room came between the question and this call
        }
    }

    void whenGone(Runnable work) {
        if (left) {
            work.run();
        } else {
            whenGone = work;
        }
    }

    private void roomAgain() {
        Runnable work = whenWritable;
        whenWritable = null;
        if (work != null) {
            work.run();
        }
    }
}
