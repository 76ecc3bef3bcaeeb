package io.homeostat.testkit;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.homeostat.client.ClusterConnection;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Experimental;
import io.homeostat.core.SystemRuntime;
import io.homeostat.core.Transport;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import org.jspecify.annotations.Nullable;

/**
 * A TLS proxy between a client and an API server, real or simulated, that does to what passes what a {@link FaultPlan} says.
 *
 * <p>It ends TLS with a certificate of its own authority, reads each HTTP/1.1 request, asks the server in its own name (the user of the
 * configuration it was given; an {@code Authorization} header of the client passes), and hands the answer back. It asks the server
 * for plain bytes, so that rules can see frames; what the client gets is compressed if the plan says {@link FaultPlan#gzip}. Point
 * any client at {@link #kubeconfig()}.
 *
 * <pre>
 *            network(SILENT): nothing passes, nothing is lost
 *   OPEN ◄──────────────────────────────────────────────► SILENT
 *     │  network(DOWN): every connection reset, new ones refused; OPEN listens again on the same port
 *     └──────────────────────────────────────────────────► DOWN
 * </pre>
 *
 * <p><b>Order.</b> As the server's, unless a rule says otherwise. <b>Threads.</b> Any; two of its own an open connection. <b>Memory.</b>
 * One chunk a connection; what a rule holds back. <b>Failure.</b> A server that cannot be reached, or breaks off, is to the client a
 * connection that is reset. Requests that switch protocols (exec, attach, port-forward) are answered 501.
 */
@Experimental
public final class FaultProxy implements AutoCloseable {
    /** What the path to this proxy is like. */
    @Experimental
    public enum Network {
        /** Everything passes, as the plan says. */
        OPEN,
        /**
         * Nothing passes in either direction, connections stay, and new ones hang before TLS; what was held back passes when it is
         * {@link #OPEN} again, as packets do that are sent again.
         */
        SILENT,
        /** Open connections are reset, and new ones refused. */
        DOWN
    }

    /*
     * Invariants
     * - connections holds every accepted connection whose socket may be open.
     * - listening is open exactly while the network is not DOWN and the proxy is not closed.
     */
    private final Transport upstream;
    private final @Nullable EngineRuntime runtime; // ours, when the transport is
    private final FaultScript script;
    private final Certificates certificates = new Certificates();
    private final SSLContext tls = serverTls(certificates);
    private final int port = RealControlPlane.freePort();
    private final AtomicInteger threadCount = new AtomicInteger();
    private final ExecutorService threads = Executors.newCachedThreadPool(work -> {
        Thread thread = new Thread(work, "homeostat-testkit-fault-proxy-" + threadCount.incrementAndGet());
        thread.setDaemon(true);
        return thread;
    });
    private static final byte[] LOCALHOST = {127, 0, 0, 1}; // as url() says; "loopback" may be ::1

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();

    @GuardedBy("lock")
    private final Set<FaultProxyConnection> connections = new LinkedHashSet<>();

    @GuardedBy("lock")
    private @Nullable ServerSocket listening;

    @GuardedBy("lock")
    private Network network = Network.OPEN;

    @GuardedBy("lock")
    private int accepted;

    @GuardedBy("lock")
    private boolean closed;

    private FaultProxy(Transport upstream, @Nullable EngineRuntime runtime, FaultPlan plan) {
        this.script = new FaultScript(plan);
        this.runtime = runtime;
        this.upstream = upstream;
        lock.lock();
        try {
            listen();
        } finally {
            lock.unlock();
        }
    }

    /** In front of a real control plane, as its user {@code admin}. */
    public static FaultProxy before(RealControlPlane server, FaultPlan plan) {
        return beforeKubeconfig(server.kubeconfig(), plan);
    }

    /** In front of the cluster of a test, as the operator under test. */
    public static FaultProxy before(Cluster cluster, FaultPlan plan) {
        return beforeKubeconfig(cluster.kubeconfig(), plan);
    }

    /** In front of the server of a configuration, as its user. */
    public static FaultProxy before(ClusterConnection connection, FaultPlan plan) {
        SystemRuntime runtime =
                SystemRuntime.builder().named("homeostat-testkit-fault-proxy").build();
        return new FaultProxy(connection.open(runtime), runtime, plan);
    }

    /** In front of a transport, a simulator's for example, which stays the caller's to close. */
    public static FaultProxy before(Transport upstream, FaultPlan plan) {
        return new FaultProxy(upstream, null, plan);
    }

    private static FaultProxy beforeKubeconfig(String kubeconfig, FaultPlan plan) {
        Path file = null;
        try {
            file = Files.createTempFile("homeostat-fault-proxy", ".kubeconfig"); // only its owner may read it
            Files.writeString(file, kubeconfig);
            return before(ClusterConnection.fromKubeconfig(file), plan);
        } catch (IOException e) {
            throw new UncheckedIOException("Cannot write a kubeconfig for the fault proxy", e);
        } finally {
            if (file != null) {
                file.toFile().delete();
            }
        }
    }

    /** Where it listens: {@code https://127.0.0.1:PORT}. It stays the same while the network is down. */
    public String url() {
        return "https://127.0.0.1:" + port;
    }

    /** The certificate of its authority, as PEM text. */
    public String authority() {
        return certificates.authority();
    }

    /** The text of a kubeconfig that leads here, without credentials: the proxy has its own. */
    public String kubeconfig() {
        String authority = Base64.getEncoder().encodeToString(authority().getBytes(StandardCharsets.US_ASCII));
        return String.join(
                "\n",
                "apiVersion: v1",
                "kind: Config",
                "clusters:",
                "- name: fault-proxy",
                "  cluster:",
                "    server: " + url(),
                "    certificate-authority-data: " + authority,
                "users:",
                "- name: nobody",
                "  user: {}",
                "contexts:",
                "- name: fault-proxy",
                "  context: {cluster: fault-proxy, user: nobody}",
                "current-context: fault-proxy",
                "");
    }

    /** Follows another plan from now on, for connections and exchanges that begin from now on; its counts begin anew. */
    public void follow(FaultPlan plan) {
        script.follow(plan);
    }

    /** The plan that is followed now; its text replays it. */
    public FaultPlan plan() {
        return script.plan();
    }

    /** The plans, and what their rules have done, oldest first: exchange, point, action. The newest 10,000 lines. */
    public List<String> log() {
        return script.log();
    }

    /**
     * How many requests have come so far, whatever became of them.
     *
     * @param verb as in RBAC
     * @param resource plural, with its subresource if any; a path that is no resource as it is
     */
    public int requests(String verb, String resource) {
        return script.requests(verb, resource);
    }

    /** How often a rule has acted. */
    public int faults() {
        return script.faults();
    }

    /** How many connections have been accepted so far. */
    public int acceptedConnections() {
        lock.lock();
        try {
            return accepted;
        } finally {
            lock.unlock();
        }
    }

    /** How many connections are open now. */
    public int openConnections() {
        lock.lock();
        try {
            return connections.size();
        } finally {
            lock.unlock();
        }
    }

    /** Changes what the path is like. */
    public void network(Network next) {
        List<FaultProxyConnection> reset = List.of();
        lock.lock();
        try {
            if (closed) {
                throw new IllegalStateException("This fault proxy is closed");
            }
            network = next;
            if (next == Network.DOWN) {
                stopListening();
                reset = List.copyOf(connections);
            } else if (listening == null) {
                listen();
            }
            changed.signalAll();
        } finally {
            lock.unlock();
        }
        script.say("network " + next);
        reset.forEach(FaultProxyConnection::reset);
    }

    /** Resets every connection that is open now. */
    public void resetConnections() {
        toEveryOpen("reset", FaultProxyConnection::reset);
    }

    /**
     * Makes every connection that is open now half open: nothing passes on it any more, in either direction, and nothing says so, as
     * when a device on the path forgets it. New connections are not concerned.
     */
    public void silenceConnections() {
        toEveryOpen("silence", FaultProxyConnection::silence);
    }

    private void toEveryOpen(String what, Consumer<FaultProxyConnection> act) {
        List<FaultProxyConnection> open;
        lock.lock();
        try {
            open = List.copyOf(connections);
        } finally {
            lock.unlock();
        }
        script.say(what + " of " + open.size() + " connections");
        open.forEach(act);
    }

    /** Resets what is open, and ends its threads. Idempotent. */
    @Override
    public void close() {
        List<FaultProxyConnection> open;
        lock.lock();
        try {
            if (closed) {
                return;
            }
            closed = true;
            stopListening();
            open = List.copyOf(connections);
            changed.signalAll();
        } finally {
            lock.unlock();
        }
        open.forEach(FaultProxyConnection::reset);
        threads.shutdownNow();
        if (runtime != null) {
            upstream.close();
            runtime.close();
        }
    }

    // ---- for connections

    FaultScript script() {
        return script;
    }

    Transport upstream() {
        return upstream;
    }

    SSLContext tls() {
        return tls;
    }

    ExecutorService threads() {
        return threads;
    }

    /** Waits while the network is silent. */
    void awaitPassage() throws InterruptedException {
        lock.lock();
        try {
            while (network == Network.SILENT && !closed) {
                changed.await();
            }
        } finally {
            lock.unlock();
        }
    }

    void gone(FaultProxyConnection connection) {
        lock.lock();
        try {
            connections.remove(connection);
        } finally {
            lock.unlock();
        }
    }

    // ---- listening

    @GuardedBy("lock")
    private void listen() {
        try {
            ServerSocket socket = new ServerSocket();
            socket.setReuseAddress(true); // its old connections are still known to the system
            socket.bind(new InetSocketAddress(InetAddress.getByAddress(LOCALHOST), port), 128);
            listening = socket;
            threads.execute(() -> accept(socket));
        } catch (IOException e) {
            throw new UncheckedIOException("The fault proxy cannot listen on port " + port, e);
        }
    }

    @GuardedBy("lock")
    private void stopListening() {
        ServerSocket socket = listening;
        listening = null;
        if (socket != null) {
            try {
                socket.close();
            } catch (IOException e) {
                throw new UncheckedIOException("The fault proxy cannot stop listening on port " + port, e);
            }
        }
    }

    private void accept(ServerSocket socket) {
        while (true) {
            Socket plain;
            try {
                plain = socket.accept();
            } catch (IOException e) {
                return; // closed: the network is down, or the proxy
            }
            FaultProxyConnection connection;
            boolean wanted;
            lock.lock();
            try {
                connection = new FaultProxyConnection(this, plain, ++accepted);
                wanted = listening == socket;
                if (wanted) {
                    connections.add(connection);
                    threads.execute(connection);
                }
            } finally {
                lock.unlock();
            }
            if (!wanted) {
                connection.reset();
            }
        }
    }

    private static SSLContext serverTls(Certificates certificates) {
        try {
            Certificates.Pem server = certificates.server();
            char[] none = {};
            KeyStore keys = KeyStore.getInstance("PKCS12");
            keys.load(null, none);
            byte[] key = Base64.getDecoder().decode(server.key().replaceAll("-----[A-Z ]+-----|\\s", ""));
            keys.setKeyEntry(
                    "server",
                    KeyFactory.getInstance("EC").generatePrivate(new PKCS8EncodedKeySpec(key)),
                    none,
                    new Certificate[] {Certificates.parse(server.certificate())});
            KeyManagerFactory managers = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
            managers.init(keys, none);
            SSLContext context = SSLContext.getInstance("TLS");
            context.init(managers.getKeyManagers(), null, null);
            return context;
        } catch (GeneralSecurityException | IOException e) {
            throw new IllegalStateException("Cannot set up TLS with a certificate this kit made", e);
        }
    }

    /** Where it listens, then {@link #log}: for messages of failed tests. */
    @Override
    public String toString() {
        List<String> lines = new ArrayList<>(List.of("fault proxy at " + url()));
        lines.addAll(log());
        return String.join("\n  ", lines);
    }
}
