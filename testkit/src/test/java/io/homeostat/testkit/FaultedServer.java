package io.homeostat.testkit;

import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Headers;
import io.homeostat.core.HttpCall;
import io.homeostat.core.Lane;
import io.homeostat.core.Transport;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;

/** A server behind a fault rule: lists are one body, watches are frames that never end, writes are counted. */
final class FaultedServer implements Transport {
    static final String LIST =
            "{\"kind\":\"ConfigMapList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"9\"},"
                    + "\"items\":[{\"metadata\":{\"name\":\"\u00e4\u00f6\u00fc\"}}]}";

    final List<HttpCall> calls = new CopyOnWriteArrayList<>();
    private final List<Served> watches = new CopyOnWriteArrayList<>();
    private final AtomicInteger open = new AtomicInteger();
    private final EngineRuntime runtime;

    FaultedServer(EngineRuntime runtime) {
        this.runtime = runtime;
    }

    /** One more chunk for every watch that is open. */
    void say(String text) {
        for (Served watch : watches) {
            watch.lane.execute(() -> {
                watch.left.add(text.getBytes(StandardCharsets.UTF_8));
                watch.more();
            });
        }
    }

    int openExchanges() {
        return open.get();
    }

    static String frame(int number) {
        return frame("c-" + number, number);
    }

    static String frame(String name, int version) {
        return "{\"type\":\"ADDED\",\"object\":{\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"" + name
                + "\",\"resourceVersion\":\"" + version + "\"}}}\n";
    }

    static String frames(int... numbers) {
        StringBuilder text = new StringBuilder();
        for (int number : numbers) {
            text.append(frame(number));
        }
        return text.toString();
    }

    @Override
    public Exchange open(HttpCall call, AnswerListener listener) {
        calls.add(call);
        List<byte[]> chunks = new ArrayList<>();
        boolean watch = call.target().contains("watch=true");
        if (watch) {
            // Chunks that are no frames: a frame and a half, half a frame and one more, and so on.
            String text = call.target().contains("fieldSelector")
                    ? frame("c-1", 1) + frame("c-1", 2) + frame("c-1", 3)
                    : frames(1, 2, 3, 4, 5);
            byte[] all = text.getBytes(StandardCharsets.UTF_8);
            int piece = frame(1).length() * 3 / 2;
            for (int at = 0; at < all.length; at += piece) {
                chunks.add(java.util.Arrays.copyOfRange(all, at, Math.min(all.length, at + piece)));
            }
        } else {
            chunks.add(LIST.getBytes(StandardCharsets.UTF_8));
        }
        Lane lane = runtime.lane("faulted-server");
        Served served = new Served(lane, chunks, watch, listener);
        open.incrementAndGet();
        if (watch) {
            watches.add(served);
        }
        lane.execute(() -> {
            listener.head(200, Headers.of("Content-Type", "application/json").with("Content-Length", "1"));
            served.more();
        });
        return served;
    }

    private final class Served implements Exchange {
        private final Lane lane;
        private final List<byte[]> left;
        private final boolean endless;
        private final AnswerListener listener;
        private long demanded;
        private boolean over;

        Served(Lane lane, List<byte[]> left, boolean endless, AnswerListener listener) {
            this.lane = lane;
            this.left = left;
            this.endless = endless;
            this.listener = listener;
        }

        void more() {
            while (!over && demanded > 0 && !left.isEmpty()) {
                demanded--;
                listener.chunk(left.remove(0));
            }
            if (!over && left.isEmpty() && !endless) {
                finish();
                listener.end();
            }
        }

        @Override
        public void demand(int chunks) {
            lane.execute(() -> {
                demanded += chunks;
                more();
            });
        }

        @Override
        public void cancel() {
            lane.execute(this::finish);
        }

        private void finish() {
            if (!over) {
                over = true;
                open.decrementAndGet();
            }
        }
    }

    @Override
    public void close() {}
}
