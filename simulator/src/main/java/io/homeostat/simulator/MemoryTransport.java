package io.homeostat.simulator;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Headers;
import io.homeostat.core.HttpCall;
import io.homeostat.core.Lane;
import io.homeostat.core.Transport;
import io.homeostat.core.TransportException;
import io.homeostat.core.TransportException.Sent;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The simulator behind {@link Transport}, without sockets: a call crosses to the server's lane, the answer to a lane of the client.
 *
 * <p><b>Order.</b> As {@link Transport} says; answers of different exchanges are not ordered among each other, as on a network.
 * <b>Threads.</b> A listener is called on a lane of the client's runtime, one a call. <b>Failure.</b> After {@link #close} and after
 * the simulator closed, calls fail as a refused connection does.
 */
final class MemoryTransport implements Transport {
    private final ApiServer server;
    private final EngineRuntime client;
    private final ReentrantLock lock = new ReentrantLock();

    @GuardedBy("lock")
    private final List<MemoryExchange> open = new ArrayList<>();

    @GuardedBy("lock")
    private boolean closed;

    MemoryTransport(ApiServer server, EngineRuntime client) {
        this.server = server;
        this.client = client;
    }

    @Override
    public Exchange open(HttpCall call, AnswerListener listener) {
        MemoryExchange exchange = new MemoryExchange(call, listener);
        boolean refused;
        lock.lock();
        try {
            refused = closed;
            if (!refused) {
                open.add(exchange);
            }
        } finally {
            lock.unlock();
        }
        if (refused) {
            exchange.fail(Sent.NO, "the transport is closed");
        } else {
            server.accept(call, exchange);
        }
        return exchange;
    }

    private void forget(MemoryExchange exchange) {
        lock.lock();
        try {
            open.remove(exchange);
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void close() {
        List<MemoryExchange> rest;
        lock.lock();
        try {
            closed = true;
            rest = List.copyOf(open);
            open.clear();
        } finally {
            lock.unlock();
        }
        for (MemoryExchange exchange : rest) {
            exchange.fail(Sent.MAYBE, "the transport was closed");
            exchange.window.readerGone();
        }
    }

    /** One call: the server's end is its {@link AnswerSink}, the client's end its {@link Exchange}. */
    private final class MemoryExchange implements Exchange, AnswerSink {
        // Invariants
        // - the client's end is confined to `lane`: after `over` the listener hears nothing more
        // - the server's end is confined to the server's lane
        private final HttpCall call;
        private final AnswerListener listener;
        private final Lane lane;
        private final ArrayDeque<byte[]> chunks = new ArrayDeque<>(); // confined to lane
        private long demanded; // confined to lane
        private boolean complete; // confined to lane
        private boolean over; // confined to lane
        private final Window window = new Window(server.lane());

        MemoryExchange(HttpCall call, AnswerListener listener) {
            this.call = call;
            this.listener = listener;
            this.lane = client.lane("simulator-answer");
        }

        // ---- the client's end

        @Override
        public void demand(int more) {
            lane.execute(() -> {
                demanded = Math.min(demanded + more, Long.MAX_VALUE / 2);
                deliver();
            });
        }

        @Override
        public void cancel() {
            lane.execute(() -> {
                if (!over) {
                    finish();
                    window.readerGone();
                }
            });
        }

        private void deliver() {
            int before = chunks.size();
            while (!over && demanded > 0 && !chunks.isEmpty()) {
                demanded--;
                listener.chunk(chunks.remove());
            }
            window.taken(before - chunks.size());
            if (!over && complete && chunks.isEmpty()) {
                finish();
                listener.end();
            }
        }

        private void finish() {
            over = true;
            chunks.clear();
            forget(this);
            lane.close();
        }

        private void fail(Sent sent, String why) {
            lane.execute(() -> {
                if (!over) {
                    finish();
                    listener.failed(new TransportException(
                            sent, call.method() + " " + call.target() + " to the simulator: " + why, null));
                }
            });
        }

        // ---- the server's end

        @Override
        public void head(int status, Headers headers) {
            lane.execute(() -> {
                if (!over) {
                    listener.head(status, headers);
                }
            });
        }

        @Override
        public void chunk(byte[] bytes) {
            window.sent();
            lane.execute(() -> {
                if (!over) {
                    chunks.add(bytes);
                    deliver();
                }
            });
        }

        @Override
        public void end() {
            window.leave();
            lane.execute(() -> {
                complete = true;
                deliver();
            });
        }

        @Override
        public void breakOff(String why) {
            window.leave();
            fail(Sent.MAYBE, why);
        }

        @Override
        public void refuse(String why) {
            window.leave();
            fail(Sent.NO, why);
        }

        @Override
        public boolean writable() {
            return window.writable();
        }

        @Override
        public void whenWritable(Runnable work) {
            window.whenWritable(work);
        }

        @Override
        public void whenGone(Runnable work) {
            window.whenGone(work);
        }
    }
}
