package io.homeostat.virtualruntime;

import io.homeostat.core.Headers;
import io.homeostat.core.HttpCall;
import io.homeostat.core.Transport;
import io.homeostat.core.TransportException;
import io.homeostat.core.TransportException.Sent;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.zip.GZIPOutputStream;
import org.jspecify.annotations.Nullable;

/**
 * One exchange over a {@link VirtualNetwork}. Confined to the holder of the baton.
 *
 * <pre>{@code
 * client process                     in between                      server process
 * open  ------------------------- latency, refused, lost ---------> target.open, demand(window)
 * inbox <--- latency, split, gzip, truncated, stalled, lost ------- head, chunk*, end | failed
 * demand, then one event a turn of the lane to the listener
 * a chunk wholly delivered ------- latency -----------------------> demand(1)
 * cancel, crash ------------------ latency -----------------------> cancel
 * crash: failed <----------------- latency, or silence ------------ crash
 *
 * Invariants
 * - Nothing reaches the listener after over is set, but the one callback that a cancel may have come too late for.
 * - Chunks leave the inbox only against credit; head, end and failed need none.
 * - Arrivals in one direction have strictly increasing times, so their order is that of sending.
 * }</pre>
 */
final class Connection implements Transport.Exchange, Transport.AnswerListener {
    private static final int MOST_PIECES = 8;
    private static final int MOST_WINDOW = 8;
    private static final int BYTE_BY_BYTE = 64;
    private static final long RESET_WITHIN_NANOS = 60_000_000_000L;

    /** What waits on the client's side for its listener. */
    private sealed interface Event {
        record Head(int status, Headers headers) implements Event {}

        /** {@code last}: with it a chunk of the server is wholly delivered. */
        record Piece(byte[] bytes, boolean last) implements Event {}

        record End() implements Event {}

        record Failed(TransportException cause) implements Event {}
    }

    private final VirtualNetwork network;
    private final VirtualWorld world;
    private final VirtualProcess client;
    private final String label;
    private final HttpCall call;
    private final Transport.AnswerListener listener;
    private final VirtualLane clientLane;
    private final ArrayDeque<Event> inbox = new ArrayDeque<>();
    private @Nullable VirtualProcess server;
    private @Nullable VirtualLane serverLane;
    private Transport.@Nullable Exchange atServer;
    private boolean gzip;
    private boolean sentBody;
    private boolean hasBody = true;

    /** Whether the request has left, of which the client's listener may not have been told. */
    private Sent sent = Sent.MAYBE;

    /** Nothing more comes from the server: the end was sent, or the connection broke, or went silent. */
    private boolean cut;

    /** The listener has had its last callback, or the exchange was given up. */
    private boolean over;

    private boolean oneMayStillArrive;
    private long credit;
    private long lastToServer;
    private long lastToClient;

    Connection(
            VirtualNetwork network,
            VirtualProcess client,
            String label,
            HttpCall call,
            Transport.AnswerListener listener) {
        this.network = network;
        this.world = network.world();
        this.client = client;
        this.label = label;
        this.call = call;
        this.listener = listener;
        this.clientLane = new VirtualLane(client, label, false);
    }

    boolean isOver() {
        return over;
    }

    void open(String address) {
        Faults faults = network.faults();
        VirtualNetwork.Endpoint endpoint = network.endpoint(address);
        if (endpoint == null || network.happens(faults.refused())) {
            breakOff(Sent.NO, "connection refused");
            return;
        }
        if (network.happens(faults.lostRequests())) {
            breakOff(Sent.MAYBE, "connection reset while the request was sent");
            return;
        }
        gzip = network.happens(faults.gzipped()) && acceptsGzip(call.headers());
        HttpCall asSent = gzip ? withoutGzip(call) : call;
        VirtualProcess server = endpoint.server();
        this.server = server;
        this.serverLane = new VirtualLane(server, label, false);
        toServer(() -> {
            Transport.Exchange exchange = endpoint.target().open(asSent, this);
            atServer = exchange;
            exchange.demand(1 + network.chance().nextInt(MOST_WINDOW));
        });
        if (call.kind() == HttpCall.Kind.STREAM && network.happens(faults.idleResets())) {
            world.afterNanos(network.chance().nextLong(RESET_WITHIN_NANOS), () -> {
                if (network.faults().idleResets() > 0) {
                    breakOff(Sent.MAYBE, "connection reset by peer");
                    cancelAtServer();
                }
            });
        }
    }

    // ---------------------------------------------------------------- the client's side

    @Override
    public void demand(int chunks) {
        client.enter("demand");
        if (chunks < 0) {
            throw new IllegalArgumentException(
                    "demand of " + chunks + " chunks on " + label + ": must not be negative");
        }
        credit = Math.min(Long.MAX_VALUE / 2, credit + chunks);
        clientLane.enqueue(this::deliver);
    }

    @Override
    public void cancel() {
        giveUp();
    }

    /** What was let into the network may arrive; what was refused cannot. */
    @Override
    public Sent giveUp() {
        client.enter("cancel");
        if (over) {
            return sent;
        }
        // What another thread cancels may be about to be delivered.
        oneMayStillArrive = !clientLane.isCurrent() && network.chance().nextInt(4) == 0;
        finish();
        if (oneMayStillArrive) {
            clientLane.enqueue(this::deliver);
        }
        cancelAtServer();
        return sent;
    }

    /** Fails the exchange on the client's side without waiting for the network. */
    void failNow(Sent sent, String why) {
        if (over) {
            return;
        }
        cut = true;
        this.sent = sent;
        inbox.clear();
        arrived(new Event.Failed(failure(sent, why)));
        cancelAtServer();
    }

    /** Half open from now on, when it is that process's. */
    void silence(VirtualProcess process) {
        if (process == client) {
            cut = true;
        }
    }

    void processDied(VirtualProcess process) {
        if (process == client) {
            finish();
            cancelAtServer();
        } else if (process == server && !cut) {
            if (network.happens(network.faults().silentDeaths())) {
                cut = true;
            } else {
                breakOff(Sent.MAYBE, "connection reset by peer");
            }
        }
    }

    /** On the client's lane: at most one callback. */
    private void deliver() {
        if (over && !oneMayStillArrive) {
            return;
        }
        Event next = inbox.peek();
        if (next == null || (next instanceof Event.Piece && credit == 0)) {
            return;
        }
        inbox.remove();
        oneMayStillArrive = false;
        if (next instanceof Event.Head head) {
            listener.head(head.status(), head.headers());
        } else if (next instanceof Event.Piece piece) {
            credit--;
            if (piece.last()) {
                askServerForOneMore();
            }
            listener.chunk(piece.bytes());
        } else if (next instanceof Event.End) {
            finish();
            listener.end();
        } else if (next instanceof Event.Failed failed) {
            finish();
            listener.failed(failed.cause());
        }
        if (!inbox.isEmpty()) {
            clientLane.enqueue(this::deliver);
        }
    }

    private void arrived(Event event) {
        Event last = inbox.peekLast();
        if (event instanceof Event.Piece more
                && last instanceof Event.Piece waiting
                && !waiting.last()
                && network.chance().nextInt(4) == 0) {
            inbox.removeLast(); // TCP knows no pieces: what was split may come together again
            byte[] both = Arrays.copyOf(waiting.bytes(), waiting.bytes().length + more.bytes().length);
            System.arraycopy(more.bytes(), 0, both, waiting.bytes().length, more.bytes().length);
            inbox.add(new Event.Piece(both, more.last()));
        } else {
            inbox.add(event);
        }
        clientLane.enqueue(this::deliver);
    }

    private void finish() {
        over = true;
        cut = true;
        network.ended(this);
    }

    private void toClient(Event event) {
        lastToClient = Math.max(world.nowNanos() + network.latency(), lastToClient + 1);
        world.timer(
                clientLane,
                lastToClient - world.nowNanos(),
                () -> network.carry(client, server, clientLane, () -> {
                    if (!over) {
                        arrived(event);
                    }
                }));
    }

    /** The connection breaks: the client learns of it after what is on its way already. */
    private void breakOff(Sent sent, String why) {
        if (!cut) {
            cut = true;
            this.sent = sent;
            toClient(new Event.Failed(failure(sent, why)));
        }
    }

    private TransportException failure(Sent sent, String why) {
        return new TransportException(sent, label + ": " + why, null);
    }

    // ---------------------------------------------------------------- the server's side

    @Override
    public void head(int status, Headers headers) {
        if (cut) {
            return;
        }
        if (network.happens(network.faults().lostAnswers())) {
            breakOff(Sent.MAYBE, "connection reset before the answer came");
            cancelAtServer();
            return;
        }
        hasBody = status != 204 && status != 304;
        gzip &= hasBody && headers.first("Content-Encoding").isEmpty();
        toClient(new Event.Head(status, gzip ? compressed(headers) : headers));
    }

    @Override
    public void chunk(byte[] bytes) {
        if (cut) {
            return;
        }
        sentBody = true;
        byte[] wire = gzip ? members(bytes) : bytes;
        Faults faults = network.faults();
        if (network.happens(faults.truncated())) {
            send(Arrays.copyOf(wire, network.chance().nextInt(wire.length + 1)));
            breakOff(Sent.MAYBE, "connection reset in the middle of the answer");
            cancelAtServer();
        } else if (network.happens(faults.stalled())) {
            send(Arrays.copyOf(wire, network.chance().nextInt(wire.length + 1)));
            world.note(label + " stalls");
            cut = true;
        } else {
            send(wire);
        }
    }

    @Override
    public void end() {
        if (cut) {
            return;
        }
        if (gzip && !sentBody) {
            send(members(new byte[0]));
        }
        cut = true;
        toClient(new Event.End());
    }

    @Override
    public void failed(TransportException cause) {
        breakOff(cause.sent(), String.valueOf(cause.getMessage()));
    }

    private void send(byte[] wire) {
        if (wire.length == 0) {
            return;
        }
        List<byte[]> pieces = pieces(wire);
        for (int i = 0; i < pieces.size(); i++) {
            toClient(new Event.Piece(pieces.get(i), i == pieces.size() - 1));
        }
    }

    /** One to many pieces, none empty. */
    private List<byte[]> pieces(byte[] wire) {
        if (wire.length < 2 || !network.happens(network.faults().split())) {
            return List.of(wire);
        }
        List<byte[]> pieces = new ArrayList<>();
        boolean byteByByte = wire.length <= BYTE_BY_BYTE && network.chance().nextInt(4) == 0;
        int at = 0;
        while (at < wire.length) {
            int rest = wire.length - at;
            int length = byteByByte
                    ? 1
                    : pieces.size() == MOST_PIECES - 1
                            ? rest
                            : 1 + network.chance().nextInt(rest);
            pieces.add(Arrays.copyOfRange(wire, at, at + length));
            at += length;
        }
        return pieces;
    }

    private byte[] members(byte[] bytes) {
        ByteArrayOutputStream wire = new ByteArrayOutputStream();
        int members = 1 + network.chance().nextInt(3);
        int at = 0;
        for (int i = 0; i < members; i++) {
            int length = i == members - 1 ? bytes.length - at : network.chance().nextInt(bytes.length - at + 1);
            try (GZIPOutputStream member = new GZIPOutputStream(wire)) {
                member.write(bytes, at, length);
            } catch (IOException e) {
                throw new UncheckedIOException("compressing into memory cannot fail", e);
            }
            at += length;
        }
        return wire.toByteArray();
    }

    private void toServer(Runnable work) {
        VirtualLane lane = serverLane;
        if (lane != null) {
            lastToServer = Math.max(world.nowNanos() + network.latency(), lastToServer + 1);
            world.timer(lane, lastToServer - world.nowNanos(), () -> network.carry(client, server, lane, work));
        }
    }

    private void askServerForOneMore() {
        if (!cut) {
            toServer(() -> {
                if (atServer != null && !cut) {
                    atServer.demand(1);
                }
            });
        }
    }

    private void cancelAtServer() {
        toServer(() -> {
            if (atServer != null) {
                atServer.cancel();
            }
        });
    }

    // ---------------------------------------------------------------- headers

    private static boolean acceptsGzip(Headers headers) {
        for (Headers.Header header : headers.all()) {
            if (header.name().equalsIgnoreCase("Accept-Encoding")
                    && header.value().toLowerCase(Locale.ROOT).contains("gzip")) {
                return true;
            }
        }
        return false;
    }

    private static HttpCall withoutGzip(HttpCall call) {
        return new HttpCall(
                call.method(), call.target(), without(call.headers(), "Accept-Encoding"), call.body(), call.kind());
    }

    private static Headers compressed(Headers headers) {
        return without(headers, "Content-Length").with("Content-Encoding", "gzip");
    }

    private static Headers without(Headers headers, String name) {
        return Headers.of(headers.all().stream()
                .filter(header -> !header.name().equalsIgnoreCase(name))
                .toList());
    }
}
