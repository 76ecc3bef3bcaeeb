package io.homeostat.virtualruntime;

import io.homeostat.core.Experimental;
import io.homeostat.core.HttpCall;
import io.homeostat.core.Transport;
import io.homeostat.core.TransportException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/**
 * The network of a {@link VirtualWorld}: {@link Transport}s through which the processes of the world call each other, with faults
 * chosen by the seed.
 *
 * <p>A server process {@link #listen listens} at an address with any {@code Transport}; client processes get a {@code Transport} to
 * that address from {@link #connect}.
 *
 * <p><b>Order.</b> Of one exchange everything arrives in the order it was sent, as over TCP; between exchanges the seed chooses.
 * <b>Threads.</b> Listeners are called on engine lanes of the client process, the server's transport on engine lanes of the server
 * process: a crash stops either, a pause delays it. <b>Memory.</b> Demand is honoured exactly; the server's side is asked for a window
 * of at most eight chunks ahead. <b>Failure.</b> As {@link Faults} says. When the server process crashes, its clients see the
 * connection break after the latency, or nothing at all; when a client crashes, the server's exchange is cancelled. An address nobody
 * listens at refuses.
 */
@Experimental
public final class VirtualNetwork {
    private final VirtualWorld world;
    private final SplittableRandom chance;
    private final Map<String, Endpoint> endpoints = new HashMap<>();
    private final Set<VirtualProcess> watched = new LinkedHashSet<>();
    private final Set<Connection> connections = new LinkedHashSet<>();
    private final Set<VirtualProcess> isolated = new LinkedHashSet<>();
    private final List<Parked> parked = new ArrayList<>();
    private Faults faults = Faults.none();
    private long exchanges;

    /** Who listens at an address. */
    record Endpoint(VirtualProcess server, Transport target) {}

    /** A message that waits for the end of an isolation. */
    private record Parked(VirtualProcess client, @Nullable VirtualProcess server, VirtualLane lane, Runnable work) {}

    private VirtualNetwork(VirtualWorld world) {
        this.world = world;
        this.chance = new SplittableRandom(world.seedFor("network"));
    }

    /** A network without faults. One world may have several. */
    public static VirtualNetwork in(VirtualWorld world) {
        return new VirtualNetwork(Objects.requireNonNull(world, "world"));
    }

    /** From now on {@code server} answers at {@code address} with {@code target}; replaces who listened there before. */
    public void listen(String address, VirtualProcess server, Transport target) {
        world.requireBaton();
        watch(server);
        endpoints.put(address, new Endpoint(server, Objects.requireNonNull(target, "target")));
    }

    /** A transport of {@code client} to whoever listens at {@code address} when a call is made. Closing it fails its exchanges. */
    public Transport connect(VirtualProcess client, String address) {
        world.requireBaton();
        watch(client);
        return new Link(client, Objects.requireNonNull(address, "address"));
    }

    /** From now on these faults; for what is under way already, too. */
    public void faults(Faults faults) {
        world.requireBaton();
        this.faults = Objects.requireNonNull(faults, "faults");
        world.note("network: " + faults);
    }

    /** The faults at present. */
    public Faults faults() {
        return faults;
    }

    /** From now on no faults but the latency. What is stalled already stays silent, as a half-open connection does. */
    public void heal() {
        faults(Faults.none().withLatencyOf(faults));
    }

    /**
     * Cuts {@code process} off: nothing reaches it and nothing leaves it, and nobody is told. What is sent meanwhile arrives after
     * {@link #rejoin}, as TCP sends again.
     */
    public void isolate(VirtualProcess process) {
        world.requireBaton();
        world.note("network: " + process.label() + " is cut off");
        isolated.add(process);
    }

    /** Ends {@link #isolate}. */
    public void rejoin(VirtualProcess process) {
        world.requireBaton();
        world.note("network: " + process.label() + " is back");
        isolated.remove(process);
        List<Parked> waiting = List.copyOf(parked);
        parked.clear();
        // Before what has arrived on the lane since, but was not looked at because its process is paused: it was sent
        // later.
        for (int i = waiting.size() - 1; i >= 0; i--) {
            Parked message = waiting.get(i);
            if (isCutOff(message.client(), message.server())) {
                parked.add(0, message);
            } else {
                message.lane().enqueueFirst(message.work());
            }
        }
    }

    /**
     * Makes every exchange that {@code process} has open half open: no answer to it comes any more, and nobody is told, as when a
     * load balancer between forgets its connections. New ones work.
     */
    public void silence(VirtualProcess process) {
        world.requireBaton();
        world.note("network: the open connections of " + process.label() + " are half open");
        connections.forEach(connection -> connection.silence(process));
    }

    /** Exchanges opened so far. */
    public long exchanges() {
        return exchanges;
    }

    VirtualWorld world() {
        return world;
    }

    SplittableRandom chance() {
        return chance;
    }

    boolean happens(double rate) {
        return rate > 0 && chance.nextDouble() < rate;
    }

    long latency() {
        return chance.nextLong(faults.shortestNanos(), faults.longestNanos() + 1);
    }

    /** On the receiver's lane when a message arrives: hands it over, or keeps it while one of the two is cut off. */
    void carry(VirtualProcess client, @Nullable VirtualProcess server, VirtualLane lane, Runnable work) {
        if (isCutOff(client, server)) {
            parked.add(new Parked(client, server, lane, work));
        } else {
            work.run();
        }
    }

    private boolean isCutOff(VirtualProcess client, @Nullable VirtualProcess server) {
        return isolated.contains(client) || (server != null && isolated.contains(server));
    }

    /** Who listens there and lives. */
    @Nullable
    Endpoint endpoint(String address) {
        Endpoint endpoint = endpoints.get(address);
        return endpoint == null || endpoint.server().isOver() ? null : endpoint;
    }

    void ended(Connection connection) {
        connections.remove(connection);
    }

    private void watch(VirtualProcess process) {
        if (watched.add(process)) {
            process.onCrash(() -> {
                watched.remove(process);
                for (Connection connection : List.copyOf(connections)) {
                    connection.processDied(process);
                }
            });
        }
    }

    /** The transport of one client process to one address. */
    private final class Link implements Transport {
        private final VirtualProcess client;
        private final String address;
        private final Set<Connection> mine = new LinkedHashSet<>();
        private boolean closed;

        Link(VirtualProcess client, String address) {
            this.client = client;
            this.address = address;
        }

        @Override
        public Exchange open(HttpCall call, AnswerListener listener) {
            client.enter("open " + call);
            Connection connection = new Connection(
                    VirtualNetwork.this, client, address + " #" + ++exchanges + " " + call, call, listener);
            connections.add(connection);
            mine.removeIf(Connection::isOver);
            mine.add(connection);
            if (closed) {
                connection.failNow(TransportException.Sent.NO, "the transport is closed");
            } else {
                connection.open(address);
            }
            return connection;
        }

        @Override
        public void close() {
            client.enter("close transport");
            closed = true;
            for (Connection connection : new ArrayList<>(mine)) {
                connection.failNow(TransportException.Sent.MAYBE, "the transport was closed");
            }
            mine.clear();
        }
    }
}
