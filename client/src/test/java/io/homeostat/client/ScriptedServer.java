package io.homeostat.client;

import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Headers;
import io.homeostat.core.HttpCall;
import io.homeostat.core.Lane;
import io.homeostat.core.Transport;
import io.homeostat.core.TransportException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A transport whose other end the test plays: it keeps strictly to demand, on a lane of its own. */
final class ScriptedServer implements Transport {
    /** What to do with one request. */
    @FunctionalInterface
    interface Script {
        void serve(Peer peer);
    }

    private final Lane lane;
    private final Script script;
    final List<HttpCall> calls = new ArrayList<>();
    final List<Peer> peers = new ArrayList<>();

    ScriptedServer(EngineRuntime runtime, Script script) {
        this.lane = runtime.lane("scripted-server");
        this.script = script;
    }

    @Override
    public Exchange open(HttpCall call, AnswerListener listener) {
        Peer peer = new Peer(call, listener);
        calls.add(call);
        peers.add(peer);
        lane.execute(() -> script.serve(peer));
        return peer;
    }

    @Override
    public void close() {}

    /** The server's end of one exchange. */
    final class Peer implements Exchange {
        final HttpCall call;
        private final AnswerListener listener;
        private final ArrayDeque<byte[]> waiting = new ArrayDeque<>();
        private @Nullable Runnable last;
        private long demanded;
        boolean cancelled;
        boolean queued; // set by the test: nothing has left yet

        Peer(HttpCall call, AnswerListener listener) {
            this.call = call;
            this.listener = listener;
        }

        long demanded() {
            return demanded;
        }

        int unread() {
            return waiting.size();
        }

        @Override
        public void demand(int chunks) {
            lane.execute(() -> {
                demanded += chunks;
                flow();
            });
        }

        @Override
        public void cancel() {
            cancelled = true;
        }

        @Override
        public TransportException.Sent giveUp() {
            cancel();
            return queued ? TransportException.Sent.NO : TransportException.Sent.MAYBE;
        }

        Peer head(int status, String... headers) {
            Headers all = Headers.NONE;
            for (int i = 0; i < headers.length; i += 2) {
                all = all.with(headers[i], headers[i + 1]);
            }
            listener.head(status, all);
            return this;
        }

        Peer chunk(byte[] bytes) {
            waiting.add(bytes);
            lane.execute(this::flow);
            return this;
        }

        Peer chunk(String text) {
            return chunk(text.getBytes(StandardCharsets.UTF_8));
        }

        void end() {
            last = listener::end;
            lane.execute(this::flow);
        }

        void fail(TransportException.Sent sent) {
            last = () -> listener.failed(new TransportException(sent, "the wire was cut", null));
            lane.execute(this::flow);
        }

        /** A whole answer. */
        void answer(int status, String body, String... headers) {
            head(status, headers);
            if (!body.isEmpty()) {
                chunk(body);
            }
            end();
        }

        private void flow() {
            while (!cancelled && demanded > 0 && !waiting.isEmpty()) {
                demanded--;
                listener.chunk(waiting.remove());
            }
            if (!cancelled && waiting.isEmpty() && last != null) {
                Runnable now = last;
                last = null;
                now.run();
            }
        }
    }
}
