package io.homeostat.simulator;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Lane;
import io.homeostat.core.Stable;
import io.homeostat.core.Transport;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A Kubernetes API server inside the JVM, with what a cluster needs around it: garbage collection, namespaces,
 * CustomResourceDefinitions, and stand-ins that make Deployments ready.
 *
 * <p>It answers as kube-apiserver 1.37 does, or 501 with a sentence; {@code simulator/README.md} lists both. It is reached in
 * memory ({@link #transport}) or over HTTP ({@link #serve}).
 *
 * <pre>{@code
 * try (Simulator simulator = Simulator.on(runtime).build()) {
 *     Transport transport = simulator.transport(runtime);
 *     …
 * }
 * }</pre>
 *
 * <p><b>Order.</b> Requests are served one at a time, in the order they arrive. <b>Threads.</b> Every method may be called from any
 * thread; the server itself runs on one lane of its runtime, and takes time, identifiers and chance from that runtime alone: the
 * same seed gives the same objects. <b>Memory.</b> Objects, the last {@link Builder#history} changes, the log of the last 65,536
 * requests. <b>Failure.</b> When the runtime ends (a crashed virtual process) the server falls silent, as a machine does that lost
 * power; {@link #close} and {@link #restart} break what is open.
 */
@Stable
public final class Simulator implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Simulator.class);
    private final EngineRuntime runtime;
    private final ApiServer server;
    private final SimulatorFaults faults;
    private final RequestLog log;
    private final ReentrantLock lock = new ReentrantLock();

    @GuardedBy("lock")
    private final List<SimulatorServer> edges = new ArrayList<>();

    private Simulator(Builder builder) {
        this.runtime = builder.runtime;
        Lane lane = runtime.lane("simulator");
        this.log = new RequestLog();
        this.faults = new SimulatorFaults(runtime, lane, log);
        this.server = new ApiServer(runtime, lane, builder.history, builder.bookmarkEvery, faults, log);
        LOG.atDebug()
                .addKeyValue("history", builder.history)
                .addKeyValue("workloads", builder.workloads ? builder.readyAfter : "none")
                .log("A simulator starts");
        lane.execute(() -> {
            Collector.start(server);
            server.bootstrap();
            if (builder.workloads) {
                Workloads.start(server, builder.readyAfter);
            }
        });
    }

    /** A simulator that runs on {@code runtime}. */
    public static Builder on(EngineRuntime runtime) {
        return new Builder(runtime);
    }

    /** How a simulator is made. */
    @Stable
    public static final class Builder {
        private final EngineRuntime runtime;
        private int history = 10_000;
        private Duration readyAfter = Duration.ofMillis(50);
        private boolean workloads = true;
        private Duration bookmarkEvery = Duration.ofSeconds(60);

        private Builder(EngineRuntime runtime) {
            this.runtime = runtime;
        }

        /** How many changes are kept for watches to resume from and lists to be exact at; older ones answer 410. Default 10,000. */
        public Builder history(int events) {
            if (events < 1) {
                throw new IllegalArgumentException("a history of " + events + " events: at least 1 is needed");
            }
            this.history = events;
            return this;
        }

        /** Deployments get ReplicaSets, these Pods, and Pods are ready after {@code readyAfter}. Default 50 ms. */
        public Builder workloads(Duration readyAfter) {
            this.workloads = true;
            this.readyAfter = readyAfter;
            return this;
        }

        /** Nothing acts on Deployments, as on an API server without controllers. */
        public Builder withoutWorkloads() {
            this.workloads = false;
            return this;
        }

        /** How often an open watch that allows it gets a bookmark. Default 60 s. */
        public Builder bookmarkEvery(Duration every) {
            if (every.isNegative() || every.isZero()) {
                throw new IllegalArgumentException("bookmarks every " + every + ": a positive duration is needed");
            }
            this.bookmarkEvery = every;
            return this;
        }

        /** Starts the simulator. */
        public Simulator build() {
            return new Simulator(this);
        }
    }

    /**
     * The way to this server for a client that runs on {@code client}, without sockets. A listener is called on a lane of
     * {@code client}.
     *
     * <p>A client that crashes tells nobody: as behind a dead network, the server ends its watches when they fill up or their time
     * is over. Closing the transport when the process crashes ({@code process.onCrash(transport::close)} in a virtual world) makes
     * the server see closed connections at once, as those of a process that the kernel cleans up after.
     */
    public Transport transport(EngineRuntime client) {
        return new MemoryTransport(server, client);
    }

    /**
     * Listens on the loopback interface, until the result or this simulator is closed.
     *
     * @param port 0 for a free one
     * @throws java.io.UncheckedIOException when the port cannot be had
     */
    public SimulatorServer serve(int port) {
        SimulatorServer edge = new SimulatorServer(server, port);
        lock.lock();
        try {
            edges.add(edge);
        } finally {
            lock.unlock();
        }
        return edge;
    }

    /** Forgets the history: watches and exact lists from an older version are answered 410 Expired. Open watches go on. */
    public void compact() {
        server.lane().execute(server::compact);
    }

    /**
     * As a restart of the API server: every open stream and every delayed request breaks, objects stay, and watches from a version
     * before this moment are answered 410 Expired, because the new watch cache begins here.
     */
    public void restart() {
        server.lane().execute(server::restart);
    }

    ApiServer server() {
        return server;
    }

    /** Faults on order. */
    public SimulatorFaults faults() {
        return faults;
    }

    /** The requests received so far, oldest first, at most the last 65,536; watches count once, when they are opened. */
    public List<RequestRecord> requests() {
        return log.since(0);
    }

    /** How many requests have been received so far: a mark for {@link #requestsSince}. */
    public long requestCount() {
        return log.count();
    }

    /** The requests received after a {@link #requestCount}. */
    public List<RequestRecord> requestsSince(long mark) {
        return log.since(mark);
    }

    /** Ends the server: open streams break, new requests are refused. Does not close the runtime. */
    @Override
    public void close() {
        List<SimulatorServer> rest;
        lock.lock();
        try {
            rest = List.copyOf(edges);
            edges.clear();
        } finally {
            lock.unlock();
        }
        rest.forEach(SimulatorServer::close);
        server.lane().execute(server::shutDown);
    }
}
