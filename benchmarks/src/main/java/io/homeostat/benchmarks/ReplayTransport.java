package io.homeostat.benchmarks;

import io.homeostat.core.Headers;
import io.homeostat.core.HttpCall;
import io.homeostat.core.Transport;
import io.homeostat.core.TransportException;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * An API server of one resource without sockets: it answers a watch with initial events, then with as many changes as it is asked
 * for. For what is measured about the client alone, and for numbers of objects that a server on the same machine could not hold.
 *
 * <p><b>Order.</b> That of a server. <b>Threads.</b> One of its own makes and delivers all bytes, so that what that costs can be told from
 * what the client costs: see {@link #thread}. <b>Memory.</b> One chunk. <b>Failure.</b> What it is not made for it answers with 404.
 */
final class ReplayTransport implements Transport {
    /*
     * Invariants
     * - All state but thread is confined to the one thread.
     * - Of several watches under way the last is the one that gets changes: the others were given up.
     */

    /** What TLS gives at most at a time. */
    private static final int CHUNK = 16_384;

    private static final String ENDS_INITIAL_EVENTS =
            "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"%s\",\"apiVersion\":\"%s\",\"metadata\":{\"resourceVersion\":\"%d\","
                    + "\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}}}}%n";
    private static final String EXPIRED =
            "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\","
                    + "\"message\":\"too old resource version\",\"reason\":\"Expired\",\"code\":410}}\n";

    private final Template template;
    private final int objects;
    private final String apiVersion;
    private final String kind;
    private final ExecutorService executor;
    private volatile Thread thread = Thread.currentThread(); // set once, before anything is delivered
    private long version; // confined to the thread
    private @org.jspecify.annotations.Nullable Watch watching; // confined to the thread

    ReplayTransport(Template template, int objects, String apiVersion, String kind) {
        this.template = template;
        this.objects = objects;
        this.apiVersion = apiVersion;
        this.kind = kind;
        this.version = 1_000_000_000L; // as long as all later ones
        this.executor = Executors.newSingleThreadExecutor(work -> {
            Thread made = new Thread(work, "replay");
            made.setDaemon(true);
            thread = made;
            return made;
        });
        executor.execute(() -> {}); // makes the thread
    }

    /** The thread that does all the server's work. */
    Thread thread() {
        return thread;
    }

    /** Changes that many objects, one after the other from the first on. */
    void change(int events) {
        executor.execute(() -> {
            if (watching != null) {
                watching.changes += events;
                watching.pump();
            }
        });
    }

    /** Ends the watch as a server does that was restarted: whoever watches has to list anew, and finds what it knows. */
    void expire() {
        executor.execute(() -> {
            if (watching != null) {
                watching.expired = true;
                watching.pump();
            }
        });
    }

    @Override
    public Exchange open(HttpCall call, AnswerListener listener) {
        Watch watch = new Watch(listener, call.target().contains("sendInitialEvents=true"));
        executor.execute(() -> {
            if (call.target().contains("watch=")) {
                listener.head(200, Headers.of("Content-Type", "application/json"));
                watching = watch;
            } else {
                listener.head(call.target().startsWith("/livez") ? 200 : 404, Headers.of("Content-Type", "text/plain"));
                watch.only("ok");
            }
        });
        return watch;
    }

    @Override
    public void close() {
        executor.execute(() -> {
            if (watching != null) {
                watching.listener.failed(
                        new TransportException(TransportException.Sent.MAYBE, "the replay is closed", null));
                watching = null;
            }
        });
        executor.shutdown();
    }

    private final class Watch implements Exchange {
        private final AnswerListener listener;
        // All confined to the thread.
        private final ByteArrayOutputStream out = new ByteArrayOutputStream(2 * CHUNK);
        private byte[] ready = new byte[0];
        private int from;
        private int initial;
        private boolean bookmarked;
        private boolean expired;
        private boolean last;
        private boolean over;
        private int changes;
        private int next;
        private long demand;

        Watch(AnswerListener listener, boolean sendsInitialEvents) {
            this.listener = listener;
            this.initial = sendsInitialEvents ? 0 : objects;
            this.bookmarked = !sendsInitialEvents;
        }

        void only(String text) {
            initial = objects;
            bookmarked = true;
            last = true;
            out.writeBytes(text.getBytes(StandardCharsets.US_ASCII));
            pump();
        }

        @Override
        public void demand(int chunks) {
            executor.execute(() -> {
                demand += chunks;
                pump();
            });
        }

        @Override
        public void cancel() {
            executor.execute(() -> over = true);
        }

        private void pump() {
            while (!over && demand > 0) {
                if (from == ready.length && !fill()) {
                    break;
                }
                int to = Math.min(ready.length, from + CHUNK);
                byte[] chunk = java.util.Arrays.copyOfRange(ready, from, to);
                from = to;
                demand--;
                listener.chunk(chunk);
            }
            if (!over && last && from == ready.length && out.size() == 0) {
                over = true;
                listener.end();
            }
        }

        /** The next bytes; false when there are none now. */
        private boolean fill() {
            while (out.size() < CHUNK && initial < objects) {
                template.frame(out, "ADDED", initial, 1_000_000_000L);
                initial++;
            }
            if (initial == objects && !bookmarked) {
                bookmarked = true;
                out.writeBytes(
                        ENDS_INITIAL_EVENTS.formatted(kind, apiVersion, version).getBytes(StandardCharsets.US_ASCII));
            }
            while (bookmarked && out.size() < CHUNK && changes > 0) {
                changes--;
                version++;
                template.frame(out, "MODIFIED", next, version);
                next = (next + 1) % objects;
            }
            if (expired && bookmarked && changes == 0 && !last) {
                last = true;
                out.writeBytes(EXPIRED.getBytes(StandardCharsets.US_ASCII));
            }
            ready = out.toByteArray();
            from = 0;
            out.reset();
            return ready.length > 0;
        }
    }
}
