package io.homeostat.informer;

import io.homeostat.core.Headers;
import io.homeostat.core.HttpCall;
import io.homeostat.core.Transport;
import io.homeostat.core.TransportException;
import io.homeostat.virtualruntime.VirtualWorld;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;

/**
 * Between a process and the network: sees what the process asks for, and what of it is against the rules of a good client. Called by
 * whoever holds the baton.
 */
final class Tap implements Transport {
    /** More requests than this within a second are a loop that does not wait. */
    private static final int MOST_A_SECOND = 60;
    /** The client's own deadline for a write: until then its answer is waited for, whoever gave up. */
    private static final Duration PATIENCE = Duration.ofSeconds(29);
    /** What leaves so soon after an answer has arrived was sent before that was read. */
    private static final Duration READING = Duration.ofMillis(10);

    private final VirtualWorld world;
    private final Transport network;
    private final Consumer<String> broken;
    private final boolean several;
    private final ArrayDeque<Duration> recent = new ArrayDeque<>();
    private final Map<String, Pause> notBefore = new HashMap<>();
    private final Set<Exchanged> open = new LinkedHashSet<>();
    /** Selectors of informers that are closed: nothing may be asked for them any more. */
    private final Map<String, Duration> closed = new HashMap<>();

    /** @param several whether two informers may ask for one object, each by what it was told itself */
    Tap(VirtualWorld world, Transport network, Consumer<String> broken, boolean several) {
        this.several = several;
        this.world = world;
        this.network = network;
        this.broken = broken;
    }

    /** Streams and requests that have not ended. */
    Set<Exchanged> open() {
        return open;
    }

    /** What a server said of when to ask again. */
    private record Pause(Duration read, Duration end) {
        static Pause from(Duration now, long seconds) {
            return new Pause(now.plus(READING), now.plusSeconds(seconds));
        }

        boolean holds(Duration now) {
            return now.compareTo(read) >= 0 && now.compareTo(end) < 0;
        }
    }

    /** What a request is about, for what is asked again later. */
    private static String subject(HttpCall call) {
        int question = call.target().indexOf('?');
        return question < 0 ? call.target() : call.target().substring(0, question) + "|" + selector(call);
    }

    /** One small question for all streams: its answer is none to them, and it waits for nothing. */
    private static boolean heartbeat(HttpCall call) {
        return call.target().equals("/livez");
    }

    private static String selector(HttpCall call) {
        int at = call.target().indexOf("labelSelector=");
        if (at < 0) {
            return "";
        }
        int end = call.target().indexOf('&', at);
        return call.target().substring(at, end < 0 ? call.target().length() : end);
    }

    private static String parameter(String selector) {
        return selector.isEmpty() ? "" : "labelSelector=" + selector.replace("=", "%3D");
    }

    /** The informer with that selector is closed. */
    void closed(String selector) {
        closed.put(parameter(selector), world.now().plusSeconds(1)); // what begins just then is cancelled
    }

    /** There is another one, which knows nothing of what the server said to the first. */
    void reopened(String selector) {
        closed.remove(parameter(selector));
        notBefore.clear();
    }

    @Override
    public Exchange open(HttpCall call, AnswerListener listener) {
        Duration now = world.now();
        recent.addLast(now);
        while (!recent.isEmpty() && recent.getFirst().plusSeconds(1).compareTo(now) < 0) {
            recent.removeFirst();
        }
        if (recent.size() > MOST_A_SECOND) {
            broken.accept(recent.size() + " requests within a second, the last " + call);
        }
        boolean read = call.method().equals("GET");
        Pause wait = notBefore.get(subject(call));
        boolean collection = call.target().contains("?");
        if (read && (collection || !several) && wait != null && wait.holds(now)) {
            broken.accept(call + " is asked at " + now + ", where the server had said not before " + wait.end);
        }
        Duration end = closed.get(selector(call));
        if (read && call.target().contains("/gadgets?") && end != null && now.compareTo(end) > 0) {
            broken.accept(call + " is asked for an informer that is closed");
        }
        Exchanged exchanged = new Exchanged(call, listener, now);
        open.add(exchanged);
        exchanged.under = network.open(call, exchanged);
        return exchanged;
    }

    @Override
    public void close() {
        network.close();
    }

    /** One call, seen from both sides. */
    final class Exchanged implements Exchange, AnswerListener {
        private final HttpCall call;
        private final AnswerListener listener;
        private final Duration since;
        private boolean over;
        private Exchange under = new Exchange() {
            @Override
            public void demand(int chunks) {}

            @Override
            public void cancel() {}

            @Override
            public TransportException.Sent giveUp() {
                return TransportException.Sent.NO; // nothing has left that is not open yet
            }
        };

        Exchanged(HttpCall call, AnswerListener listener, Duration since) {
            this.call = call;
            this.listener = listener;
            this.since = since;
        }

        @Override
        public void demand(int chunks) {
            under.demand(chunks);
        }

        @Override
        public void cancel() {
            giveUp();
        }

        @Override
        public TransportException.Sent giveUp() {
            boolean wasOver = over;
            over();
            TransportException.Sent sent = under.giveUp();
            if (!wasOver
                    && sent != TransportException.Sent.NO
                    && !call.method().equals("GET")
                    && world.now().compareTo(since.plus(PATIENCE)) < 0) {
                broken.accept(call + " of " + since + " is given up at " + world.now()
                        + ", before its answer: who wrote would never see it");
            }
            return sent;
        }

        @Override
        public Optional<String> refusal() {
            return listener.refusal();
        }

        private void over() {
            over = true;
            open.remove(this);
        }

        @Override
        public void head(int status, Headers headers) {
            if (!over && call.method().equals("GET") && !heartbeat(call)) {
                headers.first("Retry-After")
                        .ifPresent(seconds ->
                                notBefore.put(subject(call), Pause.from(world.now(), Long.parseLong(seconds))));
            }
            listener.head(status, headers);
        }

        @Override
        public void chunk(byte[] bytes) {
            listener.chunk(bytes);
        }

        @Override
        public void end() {
            over();
            listener.end();
        }

        @Override
        public void failed(TransportException cause) {
            over();
            listener.failed(cause);
        }

        @Override
        public String toString() {
            return call + " since " + since;
        }
    }
}
