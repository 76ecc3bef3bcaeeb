package io.homeostat.testkit;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.homeostat.core.Experimental;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * A real etcd and kube-apiserver on this machine, with controller manager, scheduler and kwok's fake nodes where those programs
 * are there, that end with this JVM.
 *
 * <p>The programs come from the folder named by the environment variable {@code KUBEBUILDER_ASSETS}, flat, as
 * {@code setup-envtest} and this project's {@code control-plane/build} lay it out. {@link #shared()} is started once per JVM;
 * {@link #builder()} starts one of your own, for tests that kill processes or need flags. Everything else (certificates,
 * kubeconfig, ports, nodes, the default StorageClass) is made here, with the JDK alone.
 *
 * <pre>
 *   builder().start() ---> ready ---- pause(c) / kill(c) ----> a part is paused or ended
 *        |                   ^                                          |
 *        | a part ends, or   +------ resume(c) / start(c) + awaitReady -+
 *        | not ready in 60 s |
 *        v                   v close(), or the JVM exits
 *   everything ended, the logs kept, their folder named in the exception
 * </pre>
 *
 * <p><b>Order.</b> etcd, kube-apiserver, then the others; ended in reverse. <b>Threads.</b> Any. <b>Memory.</b> About 330 MB
 * outside this JVM for the API alone, 580 MB with controllers. <b>Failure.</b> Only processes that this object started are ever
 * signalled, by process id. They end when it is closed, when a start fails, and when the JVM exits; when the JVM is killed hard
 * they end with it where {@code setpriv --pdeathsig} exists (util-linux on Linux), elsewhere they stay. The folder is removed at
 * the end unless {@link #keepLogs()} was called or the start failed; then its {@code logs} stay.
 */
@Experimental
public final class RealControlPlane implements AutoCloseable {
    /** The processes a control plane is made of. */
    @Experimental
    public enum Component {
        /** The store. */
        ETCD("etcd"),
        /** The API server. */
        KUBE_APISERVER("kube-apiserver"),
        /** Deployments, ReplicaSets, garbage collection, namespaces and so on. */
        KUBE_CONTROLLER_MANAGER("kube-controller-manager"),
        /** Puts pods on nodes. */
        KUBE_SCHEDULER("kube-scheduler"),
        /** Pretends that the pods on fake nodes run. */
        KWOK("kwok");

        private final String program;

        Component(String program) {
            this.program = program;
        }

        /** The program's file name, also that of its log. */
        public String program() {
            return program;
        }
    }

    /** The environment variable that names the folder with the programs. */
    public static final String ASSETS_VARIABLE = "KUBEBUILDER_ASSETS";

    private static final Duration START_LIMIT = Duration.ofSeconds(60);
    private static final int PORT_ATTEMPTS = 3;
    private static final String FULL_ACCESS = "system:masters";
    /** The user of our own requests and of the controllers; the audit log leaves it out. */
    static final String INFRASTRUCTURE_USER = "control-plane";

    private static final AtomicInteger COUNT = new AtomicInteger();
    private static final ReentrantLock SHARED_LOCK = new ReentrantLock();

    @GuardedBy("SHARED_LOCK")
    private static @Nullable RealControlPlane shared;

    /*
     * Invariants:
     *   I1  processes holds every process we started and have not seen end; nothing else is ever signalled.
     *   I2  closed is set once; after it nothing is started.
     *   I3  the shutdown hook is registered exactly while closed is false.
     */
    private final Path assets;
    private final Path folder;
    private final Certificates certificates = new Certificates();
    private final Builder settings;
    private final Thread shutdownHook;
    private final ReentrantLock lock = new ReentrantLock();

    @GuardedBy("lock")
    private final Map<Component, ChildProcess> processes = new EnumMap<>(Component.class);

    @GuardedBy("lock")
    private boolean closed;

    @GuardedBy("lock")
    private boolean logsKept;

    private volatile int port; // set anew by each attempt to start, before anyone else sees this object
    private volatile int etcdPort; // as port
    private volatile @Nullable ApiObserver observer; // made once the port is known

    private RealControlPlane(Path assets, Builder settings) {
        this.assets = assets;
        this.settings = settings;
        this.folder = newFolder();
        this.shutdownHook = new Thread(this::end, "homeostat-testkit-shutdown");
    }

    /** The folder named by {@value #ASSETS_VARIABLE}, when it holds at least etcd and kube-apiserver. */
    public static Optional<Path> assets() {
        String named = System.getenv(ASSETS_VARIABLE);
        return named == null || named.isBlank()
                ? Optional.empty()
                : Optional.of(Path.of(named))
                        .filter(folder -> missingFrom(folder).isEmpty());
    }

    /** Why there is no real control plane here: a sentence with what to do, or empty when there is one. */
    public static Optional<String> whyUnavailable() {
        String named = System.getenv(ASSETS_VARIABLE);
        if (named == null || named.isBlank()) {
            return Optional.of(ASSETS_VARIABLE + " is not set; point it at a folder with etcd and kube-apiserver"
                    + " (control-plane/build prints one)");
        }
        return missingFrom(Path.of(named))
                .map(program -> ASSETS_VARIABLE + "=" + named + " holds no executable " + program
                        + "; point it at a folder with etcd and kube-apiserver (control-plane/build prints one)");
    }

    private static Optional<String> missingFrom(Path folder) {
        return List.of(Component.ETCD, Component.KUBE_APISERVER).stream()
                .map(Component::program)
                .filter(program -> !Files.isExecutable(folder.resolve(program)))
                .findFirst();
    }

    /**
     * The control plane all tests of this JVM share, started by the first call, with controllers and two nodes where the programs
     * are there. It ends with the JVM; closing it earlier makes the next call start another.
     *
     * @throws IllegalStateException when there are no programs, or they do not start; the message says what to do
     */
    public static RealControlPlane shared() {
        SHARED_LOCK.lock();
        try {
            RealControlPlane present = shared;
            if (present == null || present.isClosed()) {
                present = builder().start();
                shared = present;
            }
            return present;
        } finally {
            SHARED_LOCK.unlock();
        }
    }

    /** Settings for a control plane of one's own: two nodes and controllers, where their programs are there. */
    public static Builder builder() {
        return new Builder();
    }

    /** What a control plane is started with. */
    @Experimental
    public static final class Builder {
        // confined to the caller until start()
        private final List<String> apiServerFlags = new ArrayList<>();
        private int nodes = 2;

        private Builder() {}

        /** Adds flags of kube-apiserver, for example {@code --min-request-timeout=5}; a later flag wins. */
        public Builder flags(String... flags) {
            apiServerFlags.addAll(List.of(flags));
            return this;
        }

        /**
         * Sets the number of fake nodes, 2 by default.
         *
         * @param nodes 0 starts the API alone: no controllers, no scheduler, no kwok
         */
        public Builder nodes(int nodes) {
            if (nodes < 0) {
                throw new IllegalArgumentException("nodes must not be negative, was " + nodes);
            }
            this.nodes = nodes;
            return this;
        }

        /**
         * Starts it and waits until it is ready.
         *
         * @throws IllegalStateException when there are no programs, or one ends, or it is not ready within 60 s; nothing is left
         *     running then, and the message names the folder of the logs
         */
        public RealControlPlane start() {
            Optional<String> why = whyUnavailable();
            if (why.isPresent()) {
                throw new IllegalStateException("Cannot start a control plane: " + why.get());
            }
            RealControlPlane plane = new RealControlPlane(assets().orElseThrow(), this);
            plane.begin();
            return plane;
        }
    }

    private void begin() {
        Runtime.getRuntime().addShutdownHook(shutdownHook);
        try {
            writeCredentials();
            startApi();
            if (hasControllers()) {
                for (Component component :
                        List.of(Component.KUBE_CONTROLLER_MANAGER, Component.KUBE_SCHEDULER, Component.KWOK)) {
                    start(component);
                }
                makeNodes();
            }
        } catch (IOException | RuntimeException | Error e) {
            keepLogs();
            close();
            throw new IllegalStateException(
                    "Cannot start a control plane from " + assets + ": " + e.getMessage() + "; its logs are kept in "
                            + logs(),
                    e);
        }
    }

    /** etcd and kube-apiserver; another process may take a port between our look and their start, so not only once. */
    private void startApi() {
        for (int attempt = 1; ; attempt++) {
            port = freePort();
            etcdPort = freePort();
            observer = ApiObserver.withCertificate(
                    server(), certificates.authority(), certificates.client(INFRASTRUCTURE_USER, List.of(FULL_ACCESS)));
            try {
                write("kubeconfig", kubeconfigFor(INFRASTRUCTURE_USER, FULL_ACCESS));
                start(Component.ETCD);
                start(Component.KUBE_APISERVER, settings.apiServerFlags.toArray(String[]::new));
                awaitReady();
                return;
            } catch (IllegalStateException e) {
                boolean taken = String.valueOf(e.getMessage()).contains("address already in use");
                if (!taken || attempt == PORT_ATTEMPTS) {
                    throw e;
                }
                kill(Component.KUBE_APISERVER);
                kill(Component.ETCD);
            }
        }
    }

    /** Whether controller manager, scheduler and kwok are part of it. */
    public boolean hasControllers() {
        return settings.nodes > 0
                && List.of(Component.KUBE_CONTROLLER_MANAGER, Component.KUBE_SCHEDULER, Component.KWOK).stream()
                        .allMatch(component -> Files.isExecutable(assets.resolve(component.program())))
                && Files.exists(assets.resolve("kwok-stages.yaml"));
    }

    /** The URL of the API server: {@code https://127.0.0.1:PORT}. It stays the same over restarts. */
    public String server() {
        return "https://127.0.0.1:" + port;
    }

    /** The folder with data, certificates and {@code logs/}; it is removed at the end. */
    public Path folder() {
        return folder;
    }

    /** The text of a kubeconfig with full access, as user {@code admin}. */
    public String kubeconfig() {
        return kubeconfigFor("admin", FULL_ACCESS);
    }

    /**
     * The text of a kubeconfig for a user, with a client certificate of its own (an EC key in PKCS#8) that is good for a year.
     *
     * @param user who sends the requests; RBAC says what it may do
     * @param groups the user's groups, beside {@code system:authenticated}; {@code system:masters} may do everything
     */
    public String kubeconfigFor(String user, String... groups) {
        Certificates.Pem client = certificates.client(user, List.of(groups));
        return String.join(
                "\n",
                "apiVersion: v1",
                "kind: Config",
                "clusters:",
                "- name: control-plane",
                "  cluster:",
                "    server: " + server(),
                "    certificate-authority-data: " + base64(certificates.authority()),
                "users:",
                "- name: client",
                "  user:",
                "    client-certificate-data: " + base64(client.certificate()),
                "    client-key-data: " + base64(client.key()),
                "contexts:",
                "- name: control-plane",
                "  context: {cluster: control-plane, user: client}",
                "current-context: control-plane",
                "");
    }

    /** The process id of a running part, or empty. */
    public Optional<Long> pid(Component component) {
        return find(component).filter(ChildProcess::isAlive).map(ChildProcess::pid);
    }

    /** SIGSTOP: its connections stay open and silent. Does nothing when it does not run. */
    public void pause(Component component) {
        find(component).ifPresent(process -> process.signal(ChildProcess.Signal.STOP));
    }

    /** SIGCONT: takes a {@link #pause} back. */
    public void resume(Component component) {
        find(component).ifPresent(process -> process.signal(ChildProcess.Signal.CONT));
    }

    /** SIGKILL, and waits for the end. Data stays: {@link #start} brings the part back. */
    public void kill(Component component) {
        find(component).ifPresent(process -> {
            process.signal(ChildProcess.Signal.KILL);
            if (!process.awaitEnd(10_000)) {
                throw new IllegalStateException(process + " has not ended 10 s after SIGKILL");
            }
        });
    }

    /**
     * SIGTERM. Does not wait: kube-apiserver keeps open watches for up to 60 s before it ends; see {@link #awaitEnd}.
     */
    public void terminate(Component component) {
        find(component).ifPresent(process -> {
            process.signal(ChildProcess.Signal.TERM);
            process.signal(ChildProcess.Signal.CONT); // a paused process would not see the TERM
        });
    }

    /**
     * Waits until a part has ended.
     *
     * @throws IllegalStateException when it still runs after {@code limit}
     */
    public void awaitEnd(Component component, Duration limit) {
        find(component).ifPresent(process -> {
            if (!process.awaitEnd(limit.toMillis())) {
                throw new IllegalStateException(process + " still runs after " + limit);
            }
        });
    }

    /**
     * Starts a part that has ended, on the same port with the same data. Does not wait until it is ready.
     *
     * @param moreFlags flags for this start only, after the usual ones; a later flag wins
     * @throws IllegalStateException when it runs, or this control plane is closed
     */
    public void start(Component component, String... moreFlags) {
        lock.lock();
        try {
            if (closed) {
                throw new IllegalStateException(
                        "Cannot start " + component.program() + ": this control plane is closed, start another");
            }
            ChildProcess present = processes.get(component);
            if (present != null && present.isAlive()) {
                throw new IllegalStateException(
                        "Cannot start " + component.program() + ": " + present + "; kill or terminate it first");
            }
            List<String> command = new ArrayList<>();
            command.add(assets.resolve(component.program()).toString());
            command.addAll(flags(component));
            command.addAll(List.of(moreFlags));
            processes.put(
                    component,
                    ChildProcess.start(
                            component.program(),
                            command,
                            Map.of("HOME", folder.toString(), "KUBECONFIG", kubeconfigFile()),
                            logs().resolve(component.program() + ".log")));
        } finally {
            lock.unlock();
        }
    }

    /** Kills a part hard, starts it again and waits until the API is ready. */
    public void restart(Component component, String... moreFlags) {
        kill(component);
        start(component, moreFlags);
        awaitReady();
    }

    /**
     * Waits until {@code /readyz} answers 200.
     *
     * @throws IllegalStateException when etcd or kube-apiserver has ended, or it is not so within 60 s; the message has the last
     *     lines of the log
     */
    public void awaitReady() {
        long end = System.nanoTime() + START_LIMIT.toNanos();
        String seen = "no answer";
        while (System.nanoTime() < end) {
            for (Component component : List.of(Component.ETCD, Component.KUBE_APISERVER)) {
                ChildProcess process = find(component)
                        .orElseThrow(() -> new IllegalStateException(component.program() + " was never started"));
                if (!process.isAlive()) {
                    throw new IllegalStateException(
                            component.program() + " ended; its last lines:\n" + process.lastLines());
                }
            }
            try {
                ApiObserver.Answer answer = observer().send("GET", "/readyz", null, "", Duration.ofSeconds(5));
                if (answer.status() == 200) {
                    return;
                }
                seen = "status " + answer.status() + ": " + answer.body();
            } catch (IOException e) {
                seen = e.toString();
            }
            Polling.pause();
        }
        throw new IllegalStateException(server() + "/readyz does not answer 200 after " + START_LIMIT + ", last seen: "
                + seen + "; kube-apiserver's last lines:\n"
                + find(Component.KUBE_APISERVER).map(ChildProcess::lastLines).orElse(""));
    }

    /**
     * Compacts etcd's history up to now. Watches from before are still served, from kube-apiserver's cache, until that is restarted;
     * then they are answered 410.
     *
     * @throws IllegalStateException when etcd does not answer as it should
     */
    public void compact() {
        ApiObserver etcd = ApiObserver.plain("http://127.0.0.1:" + etcdPort);
        try {
            Duration limit = Duration.ofSeconds(10);
            ApiObserver.Answer range =
                    etcd.send("POST", "/v3/kv/range", "application/json", "{\"key\":\"AA==\",\"limit\":1}", limit);
            String revision = Tree.parse(range.body()).text("header.revision");
            ApiObserver.Answer done = etcd.send(
                    "POST", "/v3/kv/compaction", "application/json", "{\"revision\":\"" + revision + "\"}", limit);
            if (!done.isSuccess()) {
                throw new IllegalStateException("etcd answered " + done.status() + " to a compaction at " + revision);
            }
        } catch (IOException e) {
            throw new IllegalStateException("etcd does not answer: " + e.getMessage(), e);
        }
    }

    /** Keeps the logs when it ends, and tells where they are on standard error then: for tests that failed. */
    public void keepLogs() {
        lock.lock();
        try {
            logsKept = true;
        } finally {
            lock.unlock();
        }
    }

    /** The folder of the logs, a file per process, and {@code audit.log}, a line per request. */
    public Path logs() {
        return folder.resolve("logs");
    }

    /** Ends every process, hard (there is nothing to save), and removes the folder but kept logs. Idempotent. */
    @Override
    public void close() {
        end();
        try {
            Runtime.getRuntime().removeShutdownHook(shutdownHook);
        } catch (IllegalStateException e) {
            // The JVM is exiting: the hook runs, or has run, and finds nothing more to do.
        }
    }

    /** The authority of this control plane's certificates. */
    Certificates certificates() {
        return certificates;
    }

    ApiObserver observer() {
        ApiObserver present = observer;
        if (present == null) {
            throw new IllegalStateException("The control plane has not been started");
        }
        return present;
    }

    private boolean isClosed() {
        lock.lock();
        try {
            return closed;
        } finally {
            lock.unlock();
        }
    }

    private void end() {
        lock.lock();
        try {
            if (closed) {
                return;
            }
            closed = true;
            List<ChildProcess> running = new ArrayList<>(processes.values());
            for (int i = running.size() - 1; i >= 0; i--) {
                running.get(i).signal(ChildProcess.Signal.KILL);
            }
            for (ChildProcess process : running) {
                process.awaitEnd(5_000);
            }
            if (logsKept) {
                System.err.println("The control plane's logs are kept in " + logs());
            }
            remove(folder, logsKept ? logs() : null);
        } catch (IOException e) {
            System.err.println("Cannot remove " + folder + ": " + e);
        } finally {
            lock.unlock();
        }
    }

    private Optional<ChildProcess> find(Component component) {
        lock.lock();
        try {
            return Optional.ofNullable(processes.get(component));
        } finally {
            lock.unlock();
        }
    }

    private List<String> flags(Component component) {
        String etcd = "http://127.0.0.1:" + etcdPort;
        String certs = folder.resolve("certs").toString();
        List<String> flags = new ArrayList<>();
        switch (component) {
            case ETCD -> flags.addAll(List.of(
                    "--data-dir=" + folder.resolve("etcd"),
                    "--unsafe-no-fsync",
                    "--log-level=warn",
                    "--listen-peer-urls=http://127.0.0.1:0",
                    "--listen-client-urls=" + etcd,
                    "--advertise-client-urls=" + etcd));
            case KUBE_APISERVER -> {
                flags.addAll(List.of(
                        "--etcd-servers=" + etcd,
                        "--bind-address=127.0.0.1",
                        "--secure-port=" + port,
                        "--tls-cert-file=" + certs + "/server.crt",
                        "--tls-private-key-file=" + certs + "/server.key",
                        "--client-ca-file=" + certs + "/ca.crt",
                        "--anonymous-auth=false",
                        "--authorization-mode=RBAC",
                        "--allow-privileged",
                        "--service-account-issuer=https://kubernetes.default.svc",
                        "--service-account-key-file=" + certs + "/sa.pub",
                        "--service-account-signing-key-file=" + certs + "/sa.key",
                        "--service-cluster-ip-range=10.0.0.0/16",
                        "--endpoint-reconciler-type=none",
                        "--audit-policy-file=" + folder.resolve("audit-policy.yaml"),
                        "--audit-log-path=" + auditLog(),
                        "--audit-log-mode=blocking",
                        "--audit-log-maxsize=10000")); // MB: one file, never rotated away from its readers
                if (!hasControllers()) {
                    // nothing makes the default service accounts that this plugin waits for
                    flags.add("--disable-admission-plugins=ServiceAccount");
                }
            }
            case KUBE_CONTROLLER_MANAGER -> flags.addAll(List.of(
                    "--kubeconfig=" + kubeconfigFile(),
                    "--secure-port=0",
                    "--leader-elect=false",
                    "--root-ca-file=" + certs + "/ca.crt",
                    "--service-account-private-key-file=" + certs + "/sa.key",
                    "--cluster-signing-cert-file=" + certs + "/ca.crt",
                    "--cluster-signing-key-file=" + certs + "/ca.key",
                    "--enable-hostpath-provisioner",
                    "--kube-api-qps=500",
                    "--kube-api-burst=1000"));
            case KUBE_SCHEDULER -> flags.addAll(List.of(
                    "--kubeconfig=" + kubeconfigFile(),
                    "--secure-port=0",
                    "--leader-elect=false",
                    "--kube-api-qps=500",
                    "--kube-api-burst=1000"));
            case KWOK -> flags.addAll(List.of(
                    "--kubeconfig=" + kubeconfigFile(),
                    "--config=" + assets.resolve("kwok-stages.yaml"),
                    "--manage-all-nodes",
                    "--node-lease-duration-seconds=40",
                    "--cidr=10.244.0.0/16",
                    "--node-ip=127.0.0.1"));
        }
        return flags;
    }

    private String kubeconfigFile() {
        return folder.resolve("kubeconfig").toString();
    }

    /** One JSON line per request and stage, but those of {@link #INFRASTRUCTURE_USER}. */
    Path auditLog() {
        return logs().resolve("audit.log");
    }

    private void writeCredentials() throws IOException {
        Certificates.Pem server = certificates.server();
        write("certs/ca.crt", certificates.authority());
        write("certs/ca.key", certificates.authorityKey());
        write("certs/server.crt", server.certificate());
        write("certs/server.key", server.key());
        Certificates.KeyPem tokens = Certificates.newKey();
        write("certs/sa.pub", tokens.publicKey());
        write("certs/sa.key", tokens.privateKey());
        write(
                "audit-policy.yaml",
                """
                apiVersion: audit.k8s.io/v1
                kind: Policy
                omitStages: [RequestReceived]
                omitManagedFields: true
                rules:
                - level: None
                  users: [%s, "system:apiserver", "system:anonymous"]
                - level: Metadata
                """
                        .formatted(INFRASTRUCTURE_USER));
    }

    private void write(String file, String text) {
        Path path = folder.resolve(file);
        try {
            Files.createDirectories(path.getParent());
            Files.writeString(path, text);
        } catch (IOException e) {
            throw new UncheckedIOException("Cannot write " + path, e);
        }
    }

    /** Fake nodes, and a default StorageClass served by the controller manager's own provisioner. */
    private void makeNodes() throws IOException {
        for (int i = 0; i < settings.nodes; i++) {
            String name = "node-" + i;
            create(
                    "/api/v1/nodes",
                    """
                    {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "%s",
                     "labels": {"kubernetes.io/hostname": "%s", "kubernetes.io/os": "linux"}}}"""
                            .formatted(name, name));
        }
        create(
                "/apis/storage.k8s.io/v1/storageclasses",
                """
                {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "provisioner": "kubernetes.io/host-path",
                 "metadata": {"name": "standard", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}}""");
        await("the default service account", () -> observer()
                .get("/api/v1/namespaces/default/serviceaccounts/default")
                .isSuccess());
        for (int i = 0; i < settings.nodes; i++) {
            String target = "/api/v1/nodes/node-" + i;
            await(
                    "ready node " + i,
                    () -> isReady(Tree.parse(observer().get(target).body())));
        }
    }

    private static boolean isReady(Tree node) {
        return node.list("status.conditions").stream()
                .anyMatch(condition -> condition.text("type").equals("Ready")
                        && condition.text("status").equals("True"));
    }

    private void create(String target, String json) throws IOException {
        ApiObserver.Answer answer = observer().send("POST", target, "application/json", json, Duration.ofSeconds(30));
        if (!answer.isSuccess()) {
            throw new IOException("POST " + target + " was answered " + answer.status() + ": " + answer.body());
        }
    }

    /** Something that is asked again until it is so. */
    private interface Question {
        boolean isSo() throws IOException;
    }

    private void await(String what, Question question) throws IOException {
        long end = System.nanoTime() + START_LIMIT.toNanos();
        while (!question.isSo()) {
            for (Component component : Component.values()) {
                Optional<ChildProcess> ended = find(component).filter(process -> !process.isAlive());
                if (ended.isPresent()) {
                    throw new IOException(component.program() + " ended; its last lines:\n"
                            + ended.get().lastLines());
                }
            }
            if (System.nanoTime() > end) {
                throw new IOException("No " + what + " after " + START_LIMIT);
            }
            Polling.pause();
        }
    }

    /** A port nobody listens on, below the range the kernel hands out for outgoing connections. */
    static int freePort() {
        for (int i = 0; i < 200; i++) {
            int candidate = ThreadLocalRandom.current().nextInt(20_000, 32_000);
            try (ServerSocket socket =
                    new ServerSocket(candidate, 1, InetAddress.getByAddress(new byte[] {127, 0, 0, 1}))) {
                return socket.getLocalPort();
            } catch (IOException e) {
                // taken: try another
            }
        }
        throw new IllegalStateException("Cannot find a free port on 127.0.0.1 in 20000-31999 after 200 tries");
    }

    private static Path newFolder() {
        try {
            Path target = Path.of("target");
            String name = "control-plane-" + ProcessHandle.current().pid() + "-" + COUNT.incrementAndGet();
            Path folder = Files.isDirectory(target)
                    ? Files.createDirectories(target.resolve(name)).toAbsolutePath()
                    : Files.createTempDirectory("homeostat-control-plane-");
            if (folder.getFileSystem().supportedFileAttributeViews().contains("posix")) {
                Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwx------")); // it holds keys
            }
            Files.createDirectories(folder.resolve("logs"));
            return folder;
        } catch (IOException e) {
            throw new UncheckedIOException("Cannot make a folder for a control plane", e);
        }
    }

    private static void remove(Path folder, @Nullable Path kept) throws IOException {
        Files.walkFileTree(folder, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult preVisitDirectory(Path directory, BasicFileAttributes attributes) {
                return directory.equals(kept) ? FileVisitResult.SKIP_SUBTREE : FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                Files.deleteIfExists(file);
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path directory, @Nullable IOException e) throws IOException {
                if (kept == null || !directory.equals(folder)) {
                    Files.deleteIfExists(directory);
                }
                return FileVisitResult.CONTINUE;
            }
        });
    }

    private static String base64(String text) {
        return Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.US_ASCII));
    }

    @Override
    public String toString() {
        return "control plane at " + server() + " of "
                + assets.getFileName().toString().toLowerCase(Locale.ROOT);
    }
}
