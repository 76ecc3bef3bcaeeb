package io.homeostat.testkit;

import io.homeostat.core.Experimental;
import io.homeostat.simulator.Simulator;
import io.homeostat.testkit.ApiObserver.Answer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.MappingIterator;
import tools.jackson.dataformat.yaml.YAMLMapper;

/**
 * The cluster of one test: a namespace of its own on a simulator or a real server, a kubeconfig for the operator under test, and
 * an independent pair of eyes and hands.
 *
 * <p>What the test does through this class goes over the JDK's HTTP client, not through the code under test, and does not appear
 * in {@link #requests}: that is what came through {@link #kubeconfig()}.
 *
 * <p>Objects are named by apiVersion, kind and name, as in their YAML; the kind is looked up at the server, so any kind it serves
 * will do. Names are taken in {@link #namespace()} where the kind is namespaced; {@link #in} changes that.
 *
 * <p><b>Order.</b> Calls happen when made; an answer is there when they return. <b>Threads.</b> Any. <b>Memory.</b> Whole answers.
 * <b>Failure.</b> An answer that is no success throws {@link IllegalStateException} with the request, the status and the
 * server's message. At the end of the test the namespace is deleted, and what {@link #applyYaml} made outside of it, except
 * CustomResourceDefinitions: tests of one server share those.
 */
@Experimental
public final class Cluster {
    private static final YAMLMapper YAML = new YAMLMapper();
    private static final Duration SERVED_LIMIT = Duration.ofSeconds(30);
    private static final String FIELD_MANAGER = "homeostat-testkit";

    /** Where a kind lives at the server. */
    private record Kind(String apiVersion, String plural, boolean namespaced) {
        String collection(String namespace) {
            return (apiVersion.contains("/") ? "/apis/" : "/api/") + apiVersion
                    + (namespaced ? "/namespaces/" + segment(namespace) : "") + "/" + plural;
        }
    }

    private final TestServer server;
    private final String user;
    private final String home;
    private final String namespace;
    private final Map<String, Kind> kinds;
    private final Deque<String> outside; // targets of what was made outside the namespace, newest first
    private final String canary;
    private final AtomicBoolean canaryUsed;

    private Cluster(
            TestServer server,
            String home,
            String namespace,
            Map<String, Kind> kinds,
            Deque<String> outside,
            AtomicBoolean canaryUsed) {
        this.server = server;
        this.user = "operator-" + home;
        this.home = home;
        this.namespace = namespace;
        this.kinds = kinds;
        this.outside = outside;
        this.canary = "canary-of-" + home;
        this.canaryUsed = canaryUsed;
    }

    /** A cluster with a new namespace of that name. */
    static Cluster create(TestServer server, String namespace) {
        Cluster cluster = new Cluster(
                server,
                namespace,
                namespace,
                new ConcurrentHashMap<>(),
                new ConcurrentLinkedDeque<>(),
                new AtomicBoolean());
        cluster.expect(
                "POST",
                "/api/v1/namespaces",
                "application/json",
                "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"" + namespace + "\"}}");
        if (server.makesServiceAccounts()) {
            String account = "/api/v1/namespaces/" + namespace + "/serviceaccounts/default";
            Polling.eventually(Duration.ofSeconds(30), () -> cluster.expect("GET", account, null, ""));
        }
        return cluster;
    }

    /** Deletes what the test made. Does not wait for the end of the namespace: a real server takes 5 s for it. */
    void cleanUp() {
        deleteFile();
        if (server.backend() == Backend.SIMULATOR) {
            return; // it ends with the test
        }
        outside.forEach(this::deleteIfThere);
        deleteIfThere("/api/v1/namespaces/" + home);
    }

    private void deleteIfThere(String target) {
        Answer answer = send("DELETE", target, null, "");
        boolean gone = answer.status() == 404 || answer.status() == 409; // 409: a namespace that is ending already
        if (!answer.isSuccess() && !gone) {
            throw unexpected("DELETE", target, answer);
        }
    }

    /**
     * A text to put where secrets are: in a Secret, a token, an object's body. The test fails when it appears afterwards on standard
     * output, on standard error, where loggers write, or in an Event of the namespace (P-R10).
     */
    public String canary() {
        canaryUsed.set(true);
        return canary;
    }

    /** Where the canary appeared although it must not, as a sentence. */
    Optional<String> canaryFoundIn(OutputWatch output) {
        if (!canaryUsed.get()) {
            return Optional.empty();
        }
        Optional<String> line = output.lineWith(canary);
        if (line.isPresent()) {
            return Optional.of("The canary secret was printed or logged: " + line.get());
        }
        Answer events = send("GET", "/api/v1/namespaces/" + home + "/events", null, "");
        return events.isSuccess() && events.body().contains(canary)
                ? Optional.of("The canary secret is in an Event of namespace " + home)
                : Optional.empty();
    }

    /** What stands behind the API. */
    public Backend backend() {
        return server.backend();
    }

    /** The test's own namespace, or the one given to {@link #in}. */
    public String namespace() {
        return namespace;
    }

    /** The same cluster, with names taken in {@code namespace}, which need not exist. */
    public Cluster in(String namespace) {
        return new Cluster(server, home, namespace, kinds, outside, canaryUsed);
    }

    /** The URL of the API server. */
    public String server() {
        return server.observer().server();
    }

    /** The text of a kubeconfig for the operator under test, with full access. */
    public String kubeconfig() {
        return server.kubeconfig(user, List.of("system:masters"));
    }

    /**
     * A file with {@link #kubeconfig()}, readable by its owner only, that is removed after the test: for command lines and
     * {@code ClusterConnection.fromKubeconfig}.
     */
    public Path kubeconfigFile() {
        Path file = Path.of(System.getProperty("java.io.tmpdir"), "homeostat-" + home + ".kubeconfig");
        if (!Files.exists(file)) {
            try {
                Path made = Files.createTempFile("homeostat-", ".kubeconfig"); // with the owner's rights only
                Files.writeString(made, kubeconfig());
                Files.move(made, file);
            } catch (IOException e) {
                throw new UncheckedIOException("Cannot write " + file, e);
            }
        }
        return file;
    }

    private void deleteFile() {
        Path file = Path.of(System.getProperty("java.io.tmpdir"), "homeostat-" + home + ".kubeconfig");
        try {
            Files.deleteIfExists(file);
        } catch (IOException e) {
            throw new UncheckedIOException("Cannot remove " + file, e);
        }
    }

    /**
     * The text of a kubeconfig for a user of that name.
     *
     * @param groups the user's groups; without {@code system:masters} it may do what RBAC says. The simulator asks nobody who they
     *     are
     */
    public String kubeconfigFor(String user, String... groups) {
        return server.kubeconfig(user, List.of(groups));
    }

    /**
     * The requests that came through {@link #kubeconfig()} so far, counted at the server: the simulator's own log (its last 65,536),
     * or the audit log of kube-apiserver. There a request may appear a moment after its answer, and one under way that is no watch
     * does not appear.
     */
    public List<ServedRequest> requests() {
        return server.requests(user);
    }

    /**
     * As {@link #requests()}, of the user given to {@link #kubeconfigFor}. The simulator cannot tell users apart: there it is every
     * request but the test's own.
     */
    public List<ServedRequest> requestsOf(String user) {
        return server.requests(user);
    }

    /**
     * The control plane behind it, to kill and pause its parts.
     *
     * @throws IllegalStateException on the simulator
     */
    public RealControlPlane controlPlane() {
        if (server instanceof RealTestServer real) {
            return real.plane();
        }
        throw new IllegalStateException("This test runs on the " + backend().title()
                + ": only a real server has processes; use @OperatorTest(on = Backend.REAL)");
    }

    /**
     * The simulator behind it, for its faults.
     *
     * @throws IllegalStateException on a real server
     */
    public Simulator simulator() {
        if (server instanceof SimulatorTestServer simulated) {
            return simulated.simulator();
        }
        throw new IllegalStateException("This test runs on a " + backend().title()
                + ": only the simulator takes orders; use @OperatorTest(on = Backend.SIMULATOR)");
    }

    /**
     * Applies each document of a YAML text by server-side apply, taking fields over. A CustomResourceDefinition is waited for until
     * the server serves its kinds.
     *
     * @return the objects as answered, in order
     * @throws IllegalArgumentException when the text is no YAML, or a document lacks apiVersion, kind or metadata.name
     */
    public List<Tree> applyYaml(String yaml) {
        List<Tree> applied = new ArrayList<>();
        for (Tree document : documents(yaml)) {
            applied.add(apply(document));
        }
        return applied;
    }

    private Tree apply(Tree object) {
        String apiVersion = object.text("apiVersion");
        String kindName = object.text("kind");
        String name = object.name();
        if (apiVersion.isEmpty() || kindName.isEmpty() || name.isEmpty()) {
            throw new IllegalArgumentException("A document to apply needs apiVersion, kind and metadata.name; it has \""
                    + apiVersion + "\", \"" + kindName + "\", \"" + name + "\"");
        }
        Kind kind = kind(apiVersion, kindName);
        String in = object.text("metadata.namespace");
        String target = kind.collection(in.isEmpty() ? namespace : in) + "/" + segment(name);
        Tree answer = Tree.parse(expect(
                        "PATCH",
                        target + "?fieldManager=" + FIELD_MANAGER + "&force=true",
                        "application/apply-patch+yaml",
                        object.json())
                .body());
        if (kindName.equals("CustomResourceDefinition")) {
            awaitServed(answer);
        } else if (!kind.namespaced || !(in.isEmpty() || in.equals(home))) {
            outside.addFirst(target);
        }
        return answer;
    }

    private void awaitServed(Tree definition) {
        String group = definition.text("spec.group");
        String kindName = definition.text("spec.names.kind");
        for (Tree version : definition.list("spec.versions")) {
            String apiVersion = group + "/" + version.text("name");
            if (version.at("served").equals(Optional.of(true))) {
                Polling.eventually(
                        SERVED_LIMIT,
                        () -> expect("GET", kind(apiVersion, kindName).collection(namespace) + "?limit=1", null, ""));
            }
        }
    }

    /** The object, or empty when there is none. */
    public Optional<Tree> find(String apiVersion, String kind, String name) {
        String target = target(apiVersion, kind, name);
        Answer answer = send("GET", target, null, "");
        if (answer.status() == 404) {
            return Optional.empty();
        }
        if (!answer.isSuccess()) {
            throw unexpected("GET", target, answer);
        }
        return Optional.of(Tree.parse(answer.body()));
    }

    /** The object. */
    public Tree get(String apiVersion, String kind, String name) {
        return Tree.parse(
                expect("GET", target(apiVersion, kind, name), null, "").body());
    }

    /** All objects of a kind in {@link #namespace()}, or of a cluster-wide kind, sorted by name as the server does. */
    public List<Tree> list(String apiVersion, String kind) {
        String target = kind(apiVersion, kind).collection(namespace);
        return Tree.parse(expect("GET", target, null, "").body()).list("items");
    }

    /** What a GET of {@code target}, path and query, answers. */
    public Tree read(String target) {
        return Tree.parse(expect("GET", target, null, "").body());
    }

    /**
     * Changes an object by a merge patch (RFC 7386).
     *
     * @param patch JSON or YAML text
     */
    public Tree patch(String apiVersion, String kind, String name, String patch) {
        return mergePatch(target(apiVersion, kind, name), patch);
    }

    /** As {@link #patch}, on the {@code status} subresource. */
    public Tree patchStatus(String apiVersion, String kind, String name, String patch) {
        return mergePatch(target(apiVersion, kind, name) + "/status", patch);
    }

    private Tree mergePatch(String target, String patch) {
        String json = documents(patch).get(0).json();
        return Tree.parse(
                expect("PATCH", target, "application/merge-patch+json", json).body());
    }

    /** Deletes an object, in the background: what it owns is collected afterwards. */
    public void delete(String apiVersion, String kind, String name) {
        expect("DELETE", target(apiVersion, kind, name), null, "");
    }

    /** Repeats {@code assertion} until it passes; see {@link Polling#eventually}. */
    public void eventually(Duration limit, Polling.Assertion assertion) {
        Polling.eventually(limit, assertion);
    }

    private String target(String apiVersion, String kind, String name) {
        return kind(apiVersion, kind).collection(namespace) + "/" + segment(name);
    }

    private Kind kind(String apiVersion, String kindName) {
        String key = apiVersion + " " + kindName;
        Kind known = kinds.get(key);
        if (known != null) {
            return known;
        }
        String target = (apiVersion.contains("/") ? "/apis/" : "/api/") + apiVersion;
        Map<String, Kind> found = new HashMap<>();
        for (Tree resource : Tree.parse(expect("GET", target, null, "").body()).list("resources")) {
            if (!resource.text("name").contains("/")) {
                found.put(
                        resource.text("kind"),
                        new Kind(
                                apiVersion,
                                resource.text("name"),
                                resource.at("namespaced").equals(Optional.of(true))));
            }
        }
        Kind kind = found.get(kindName);
        if (kind == null) {
            throw new IllegalStateException("The server serves no kind " + kindName + " in " + apiVersion
                    + "; apply its CustomResourceDefinition first. There: "
                    + found.keySet().stream().sorted().toList());
        }
        kinds.put(key, kind);
        return kind;
    }

    private Answer expect(String method, String target, @Nullable String contentType, String body) {
        Answer answer = send(method, target, contentType, body);
        if (!answer.isSuccess()) {
            throw unexpected(method, target, answer);
        }
        return answer;
    }

    private Answer send(String method, String target, @Nullable String contentType, String body) {
        try {
            return server.observer().send(method, target, contentType, body, Duration.ofSeconds(30));
        } catch (IOException e) {
            throw new UncheckedIOException(
                    method + " " + server() + target + " was not answered: " + e.getMessage(), e);
        }
    }

    private static IllegalStateException unexpected(String method, String target, Answer answer) {
        String message;
        try {
            message = Tree.parse(answer.body()).text("message");
        } catch (IllegalArgumentException e) {
            message = "(no Status object)";
        }
        return new IllegalStateException(method + " " + target + " was answered " + answer.status() + ": " + message);
    }

    private static List<Tree> documents(String yaml) {
        List<Tree> documents = new ArrayList<>();
        try (MappingIterator<@Nullable Object> values =
                YAML.readerFor(Object.class).readValues(yaml)) {
            while (values.hasNext()) {
                Object value = values.next();
                if (value instanceof Map<?, ?> map) {
                    Map<String, @Nullable Object> fields = new LinkedHashMap<>();
                    map.forEach((key, field) -> fields.put(String.valueOf(key), field));
                    documents.add(Tree.of(fields));
                } else if (value != null) {
                    throw new IllegalArgumentException("A YAML document is no object but a "
                            + value.getClass().getSimpleName().toLowerCase(Locale.ROOT));
                }
            }
        }
        if (documents.isEmpty()) {
            throw new IllegalArgumentException("The YAML text holds no document");
        }
        return documents;
    }

    private static String segment(String name) {
        return URLEncoder.encode(name, StandardCharsets.UTF_8);
    }

    @Override
    public String toString() {
        return "namespace " + namespace + " on the " + backend().title() + " at " + server();
    }
}
