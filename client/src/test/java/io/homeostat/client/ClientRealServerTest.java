package io.homeostat.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.ConfigMapBuilder;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.Namespace;
import io.fabric8.kubernetes.api.model.apps.Deployment;
import io.fabric8.kubernetes.api.model.apps.DeploymentBuilder;
import io.homeostat.core.SystemRuntime;
import io.homeostat.core.Transport;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfEnvironmentVariable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The client against a real kube-apiserver that now and then says GOAWAY, over both transports. */
@EnabledIfEnvironmentVariable(
        named = "KUBEBUILDER_ASSETS",
        matches = ".+",
        disabledReason = "needs a real kube-apiserver")
class ClientRealServerTest {
    enum Over {
        SOCKETS,
        FABRIC8
    }

    private static final ResourceType<ConfigMap> CONFIG_MAPS = ResourceType.of(ConfigMap.class);
    private static @Nullable RealServer server;

    private final SystemRuntime runtime = SystemRuntime.create();
    private final List<Transport> transports = new ArrayList<>();

    @BeforeAll
    static void start() throws Exception {
        server = RealServer.start("--goaway-chance=0.02");
    }

    @AfterAll
    static void stop() {
        if (server != null) {
            server.close();
        }
    }

    @AfterEach
    void end() {
        transports.forEach(Transport::close);
        runtime.close();
    }

    private static RealServer server() {
        if (server == null) {
            throw new IllegalStateException("not started");
        }
        return server;
    }

    private ApiClient client(Over over) throws Exception {
        return client(over, server().kubeconfig());
    }

    private ApiClient client(Over over, Path kubeconfig) throws Exception {
        Transport transport = over == Over.SOCKETS
                ? ClusterConnection.fromKubeconfig(kubeconfig).open(runtime)
                : ClusterConnection.fromKubeconfig(kubeconfig).openOverFabric8(runtime);
        transports.add(transport);
        return ApiClient.over(runtime, transport, ApiClient.Settings.of("client-test/1"));
    }

    private static ConfigMap configMap(String name, String value) {
        return new ConfigMapBuilder()
                .withNewMetadata()
                .withName(name)
                .withNamespace("default")
                .addToLabels("test", "client")
                .endMetadata()
                .addToData("k", value)
                .build();
    }

    private static ObjectKey key(String name) {
        return new ObjectKey("default", name);
    }

    @ParameterizedTest
    @EnumSource
    void nameThatTheServerMadeOfALongPrefixIsOurs(Over over) throws Exception {
        ApiClient client = client(over);
        List<ObjectKey> told = new ArrayList<>();
        client.observeWrites(done -> told.add(
                java.util.Objects.requireNonNull(done.object(), "the object").key()));
        String prefix = "a-prefix-of-more-characters-than-the-server-leaves-of-it-in-the-end-";

        ConfigMap created = client.blocking()
                .create(new ConfigMapBuilder()
                        .withNewMetadata()
                        .withGenerateName(prefix)
                        .withNamespace("default")
                        .endMetadata()
                        .build());

        assertThat(created.getMetadata().getName())
                .startsWith(prefix.substring(0, 58))
                .hasSize(63);
        assertThat(told).containsExactly(key(created.getMetadata().getName()));
    }

    @ParameterizedTest
    @EnumSource
    void valuesThatTheServerQuotesAreNotShown(Over over) throws Exception {
        BlockingApiClient client = client(over).blocking();

        assertThatThrownBy(() -> client.create(new ConfigMapBuilder(configMap("quoted", "v"))
                        .editMetadata()
                        .addToLabels("team", "canary 5ecret")
                        .endMetadata()
                        .build()))
                .isInstanceOf(ApiException.Invalid.class)
                .hasMessageContaining(
                        "ConfigMap \"quoted\" is invalid: metadata.labels: Invalid value: (not shown): a valid"
                                + " label must be")
                .hasMessageNotContaining("5ecret");
    }

    @ParameterizedTest
    @EnumSource
    void objectLivesItsWholeLife(Over over) throws Exception {
        BlockingApiClient client = client(over).blocking();
        String name = "life-" + over.name().toLowerCase(java.util.Locale.ROOT);
        ApiClient.Apply mine = new ApiClient.Apply("mine", ApiClient.Apply.Force.NO);

        ConfigMap created = client.create(configMap(name, "1 世界"));
        assertThat(created.getMetadata().getUid()).isNotEmpty();
        assertThat(client.get(CONFIG_MAPS, key(name)).orElseThrow().getData()).containsEntry("k", "1 世界");
        assertThatThrownBy(() -> client.create(configMap(name, "2"))).isInstanceOf(ApiException.AlreadyExists.class);

        ConfigMap stale = client.get(CONFIG_MAPS, key(name)).orElseThrow();
        ConfigMap updated =
                client.update(new ConfigMapBuilder(stale).addToData("k", "3").build());
        assertThat(updated.getMetadata().getResourceVersion())
                .isNotEqualTo(created.getMetadata().getResourceVersion());
        assertThatThrownBy(() -> client.update(
                        new ConfigMapBuilder(stale).addToData("k", "4").build()))
                .isInstanceOf(ApiException.Conflict.class)
                .hasMessageContaining("default/" + name);

        assertThatThrownBy(() -> client.apply(configMap(name, "5"), mine))
                .isInstanceOfSatisfying(
                        ApiException.Conflict.class,
                        conflict -> assertThat(conflict.answer().causes()).anySatisfy(cause -> {
                            assertThat(cause.field()).contains("k");
                            assertThat(cause.message()).contains("client-test"); // who created it
                        }));
        assertThat(client.apply(configMap(name, "5"), new ApiClient.Apply("mine", ApiClient.Apply.Force.YES))
                        .getData())
                .containsEntry("k", "5");
        assertThat(client.patch(CONFIG_MAPS, key(name), "", ApiClient.PatchKind.MERGE, "{\"data\":{\"m\":\"6\"}}")
                        .getData())
                .containsEntry("m", "6");
        assertThat(client.patch(
                                CONFIG_MAPS,
                                key(name),
                                "",
                                ApiClient.PatchKind.JSON,
                                "[{\"op\":\"remove\",\"path\":\"/data/m\"}]")
                        .getData())
                .doesNotContainKey("m");
        assertThatThrownBy(() -> client.patch(
                        CONFIG_MAPS, key(name), "", ApiClient.PatchKind.MERGE, "{\"data\":{\"m\":{\"n\":1}}}"))
                .isInstanceOf(ApiException.class);

        assertThatThrownBy(() -> client.delete(CONFIG_MAPS, key(name), ApiClient.Delete.of("another-uid")))
                .isInstanceOf(ApiException.Conflict.class);
        assertThat(client.delete(
                        CONFIG_MAPS,
                        key(name),
                        ApiClient.Delete.of(created.getMetadata().getUid())))
                .isTrue();
        assertThat(client.delete(CONFIG_MAPS, key(name), ApiClient.Delete.ANY)).isFalse();
        assertThat(client.get(CONFIG_MAPS, key(name))).isEmpty();
    }

    @ParameterizedTest
    @EnumSource
    void aTypeThatIsNotServedIsNotAnObjectThatIsAbsent(Over over) throws Exception {
        BlockingApiClient client = client(over).blocking();
        ObjectKey elsewhere = new ObjectKey("no-such-namespace", "absent");
        assertThat(client.get(CONFIG_MAPS, key("absent"))).isEmpty();
        assertThat(client.get(CONFIG_MAPS, elsewhere)).isEmpty();
        assertThat(client.delete(CONFIG_MAPS, key("absent"), ApiClient.Delete.ANY))
                .isFalse();
        for (ResourceType<?> unserved : List.of(
                ResourceType.dynamic("no.example.com", "v1", "things", "Thing", ResourceType.Scope.NAMESPACED),
                ResourceType.dynamic("apps", "v9", "deployments", "Deployment", ResourceType.Scope.NAMESPACED),
                ResourceType.dynamic("", "v1", "things", "Thing", ResourceType.Scope.NAMESPACED))) {
            assertThatThrownBy(() -> client.get(unserved, key("absent")))
                    .isInstanceOf(ApiException.NotFound.class)
                    .hasMessageContaining("404");
            assertThatThrownBy(() -> client.delete(unserved, key("absent"), ApiClient.Delete.ANY))
                    .isInstanceOf(ApiException.NotFound.class);
        }
    }

    @ParameterizedTest
    @EnumSource
    void deleteAnswersAsSeen(Over over) throws Exception {
        ApiClient client = client(over);
        List<WriteObserver.Done> told = new ArrayList<>();
        client.observeWrites(told::add);
        String name = "held-" + over.name().toLowerCase(java.util.Locale.ROOT);
        ConfigMap held = client.blocking()
                .create(new ConfigMapBuilder(configMap(name, "1"))
                        .editMetadata()
                        .addToFinalizers("example.com/hold")
                        .endMetadata()
                        .build());

        RawObject waiting = runtime.await(
                client.delete(CONFIG_MAPS, key(name), ApiClient.Delete.ANY), java.time.Duration.ofSeconds(30));
        assertThat(waiting).isNotNull();
        assertThat(waiting.deletionTimestamp()).isNotNull();
        client.blocking()
                .patch(CONFIG_MAPS, key(name), "", ApiClient.PatchKind.MERGE, "{\"metadata\":{\"finalizers\":null}}");

        client.blocking()
                .create(new io.fabric8.kubernetes.api.model.ServiceBuilder()
                        .withNewMetadata()
                        .withName(name)
                        .withNamespace("default")
                        .endMetadata()
                        .withNewSpec()
                        .addNewPort()
                        .withPort(80)
                        .endPort()
                        .endSpec()
                        .build());
        assertThat(runtime.await( // a Service is answered with its last state instead of a Status
                        client.delete(
                                ResourceType.of(io.fabric8.kubernetes.api.model.Service.class),
                                key(name),
                                ApiClient.Delete.ANY),
                        java.time.Duration.ofSeconds(30)))
                .isNull();
        assertThat(told.get(told.size() - 1).object()).isNull();
        assertThat(told.get(told.size() - 1).uid()).isNotEmpty();

        ConfigMap plain = client.blocking().create(configMap(name, "2"));
        assertThat(runtime.await(
                        client.delete(CONFIG_MAPS, key(name), ApiClient.Delete.ANY), java.time.Duration.ofSeconds(30)))
                .isNull();
        assertThat(told.get(told.size() - 1).uid())
                .isEqualTo(plain.getMetadata().getUid());
        assertThat(told.get(1).uid()).isEqualTo(held.getMetadata().getUid());
    }

    @ParameterizedTest
    @EnumSource
    void statusIsWrittenThroughItsSubresource(Over over) throws Exception {
        BlockingApiClient client = client(over).blocking();
        String name = "status-" + over.name().toLowerCase(java.util.Locale.ROOT);
        Deployment deployment = client.create(new DeploymentBuilder()
                .withNewMetadata()
                .withName(name)
                .withNamespace("default")
                .endMetadata()
                .withNewSpec()
                .withReplicas(0)
                .withNewSelector()
                .withMatchLabels(Map.of("a", "b"))
                .endSelector()
                .withNewTemplate()
                .withNewMetadata()
                .withLabels(Map.of("a", "b"))
                .endMetadata()
                .withNewSpec()
                .addNewContainer()
                .withName("c")
                .withImage("i")
                .endContainer()
                .endSpec()
                .endTemplate()
                .endSpec()
                .build());

        Deployment patched = client.patch(
                ResourceType.of(Deployment.class),
                key(name),
                "status",
                ApiClient.PatchKind.MERGE,
                "{\"status\":{\"observedGeneration\":1},\"spec\":{\"replicas\":7}}");

        assertThat(patched.getStatus().getObservedGeneration()).isEqualTo(1);
        assertThat(patched.getSpec().getReplicas()).isZero();
        patched.getStatus().setObservedGeneration(2L);
        assertThat(client.updateStatus(patched).getStatus().getObservedGeneration())
                .isEqualTo(2);
        assertThat(client.delete(
                        ResourceType.of(Deployment.class),
                        key(name),
                        ApiClient.Delete.of(deployment.getMetadata().getUid())))
                .isTrue();
    }

    /** A watch as a queue of words. */
    private final class Watching implements Streams.WatchListener, AutoCloseable {
        final LinkedBlockingQueue<String> words = new LinkedBlockingQueue<>();
        final Streams.Handle handle;

        Watching(ApiClient client, Query query) {
            handle = client.watch(CONFIG_MAPS, query, runtime.userLane("listener"), this);
            handle.demand(Integer.MAX_VALUE);
        }

        @Override
        public void opened() {
            words.add("opened");
        }

        @Override
        public void frames(List<WatchFrame> frames) {
            for (WatchFrame frame : frames) {
                if (frame instanceof WatchFrame.Event event) {
                    words.add(event.kind() + " " + event.object().key());
                } else if (frame instanceof WatchFrame.Bookmark bookmark) {
                    words.add("bookmark " + bookmark.initialEventsEnd());
                } else if (frame instanceof WatchFrame.Failure failure) {
                    words.add("failure " + failure.cause().getClass().getSimpleName());
                } else {
                    words.add(frame.toString());
                }
            }
        }

        @Override
        public void ended() {
            words.add("ended");
        }

        @Override
        public void failed(ApiException cause) {
            words.add("failed " + cause.getClass().getSimpleName() + " " + cause.getMessage());
        }

        String next() throws InterruptedException {
            String word;
            do {
                word = words.poll(30, TimeUnit.SECONDS);
            } while ("bookmark false".equals(word)); // the server sends these when it likes
            return word == null ? "nothing within 30 s" : word;
        }

        @Override
        public void close() {
            handle.close();
        }
    }

    @ParameterizedTest
    @EnumSource
    void watchListComesCompressedAndGoesOn(Over over) throws Exception {
        ApiClient client = client(over);
        String name = "watched-" + over.name().toLowerCase(java.util.Locale.ROOT);
        String big = "x".repeat(200_000); // more than the server's threshold for gzip
        client.blocking().create(configMap(name + "-1", big));
        client.blocking().create(configMap(name + "-2", big));

        try (Watching watching = new Watching(
                client,
                Query.in("default")
                        .with("labelSelector", "test=client")
                        .with("sendInitialEvents", "true")
                        .with("resourceVersionMatch", "NotOlderThan")
                        .with("allowWatchBookmarks", "true")
                        .with("timeoutSeconds", "10"))) {
            List<String> initial = new ArrayList<>();
            String word = watching.next();
            assertThat(word).isEqualTo("opened");
            for (word = watching.next(); word.startsWith("ADDED"); word = watching.next()) {
                initial.add(word);
            }
            assertThat(word).isEqualTo("bookmark true");
            assertThat(initial).contains("ADDED default/" + name + "-1", "ADDED default/" + name + "-2");

            client.blocking()
                    .patch(CONFIG_MAPS, key(name + "-1"), "", ApiClient.PatchKind.MERGE, "{\"data\":{\"n\":\"1\"}}");
            client.blocking().delete(CONFIG_MAPS, key(name + "-2"), ApiClient.Delete.ANY);
            assertThat(watching.next()).isEqualTo("MODIFIED default/" + name + "-1");
            assertThat(watching.next()).isEqualTo("DELETED default/" + name + "-2");
            assertThat(watching.next()).isEqualTo("ended");
        }
        client.blocking().delete(CONFIG_MAPS, key(name + "-1"), ApiClient.Delete.ANY);
    }

    @ParameterizedTest
    @EnumSource
    void versionThatIsNotThereYetIsTold(Over over) throws Exception {
        ApiClient client = client(over);
        assertThatThrownBy(() -> runtime.await(
                        client.listAll(
                                CONFIG_MAPS,
                                Query.in("default")
                                        .with("resourceVersion", "99999999")
                                        .with("resourceVersionMatch", "NotOlderThan")),
                        java.time.Duration.ofSeconds(30)))
                .isInstanceOfSatisfying(
                        ApiException.VersionTooLarge.class,
                        tooLarge -> assertThat(tooLarge.retryAfter()).isPresent());
    }

    @Test
    void versionThatIsTooOldIsGone() throws Exception {
        try (RealServer uncached = RealServer.start("--watch-cache=false")) {
            for (Over over : Over.values()) {
                ApiClient client = client(over, uncached.kubeconfig());
                for (int i = 0; i < 4; i++) {
                    client.blocking().create(configMap(over.name().toLowerCase(java.util.Locale.ROOT) + i, "1"));
                }
                List<RawObject> firstPage = new ArrayList<>();
                CompletableFuture<Streams.ListEnd> end = new CompletableFuture<>();
                client.list(
                                CONFIG_MAPS,
                                Query.in("default").with("limit", "2"),
                                runtime.userLane("listener"),
                                new Streams.ListListener() {
                                    @Override
                                    public void items(List<ListItem> items) {
                                        items.forEach(item -> firstPage.add(((ListItem.Scanned) item).object()));
                                    }

                                    @Override
                                    public void ended(Streams.ListEnd found) {
                                        end.complete(found);
                                    }

                                    @Override
                                    public void failed(ApiException cause) {
                                        end.completeExceptionally(cause);
                                    }
                                })
                        .demand(10);
                Streams.ListEnd page = end.get(30, TimeUnit.SECONDS);
                assertThat(firstPage).hasSize(2);
                client.blocking().create(configMap("more-" + over.name().toLowerCase(java.util.Locale.ROOT), "1"));
                RawObject last = runtime.await(
                        client.create(
                                CONFIG_MAPS,
                                key("last-" + over.name().toLowerCase(java.util.Locale.ROOT)),
                                client.encode(
                                        configMap("last-" + over.name().toLowerCase(java.util.Locale.ROOT), "1"))),
                        java.time.Duration.ofSeconds(30));
                uncached.compact(last.resourceVersion());

                try (Watching watching =
                        new Watching(client, Query.in("default").with("resourceVersion", page.resourceVersion()))) {
                    String word = watching.next();
                    assertThat(word.equals("opened") ? watching.next() : word).contains("Gone");
                }
                assertThatThrownBy(() -> runtime.await(
                                client.listAll(CONFIG_MAPS, Query.in("default").with("continue", page.continueToken())),
                                java.time.Duration.ofSeconds(30)))
                        .isInstanceOf(ApiException.Gone.class);
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void listOfSeveralPagesIsWhole(Over over) throws Exception {
        ApiClient client = client(over);
        String prefix = "page-" + over.name().toLowerCase(java.util.Locale.ROOT) + "-";
        List<CompletableFuture<RawObject>> writes = new ArrayList<>();
        for (int i = 0; i < 130; i++) {
            ConfigMap object = configMap(prefix + i, "y".repeat(3000));
            object.getMetadata().setLabels(Map.of("paged", prefix + "x"));
            writes.add(client.create(CONFIG_MAPS, key(prefix + i), client.encode(object))
                    .toCompletableFuture());
        }
        for (CompletableFuture<RawObject> write : writes) {
            write.get(60, TimeUnit.SECONDS);
        }
        Query paged = Query.in("default").with("labelSelector", "paged=" + prefix + "x");

        assertThat(client.blocking().list(CONFIG_MAPS, paged.with("limit", "20")))
                .hasSize(130);
        assertThat(client.blocking().list(CONFIG_MAPS, paged)).hasSize(130);
    }

    @ParameterizedTest
    @EnumSource
    void twoHundredWatchesLeaveRoomForRequests(Over over) throws Exception {
        ApiClient client = client(over);
        List<Watching> all = new ArrayList<>();
        for (int i = 0; i < 200; i++) {
            all.add(new Watching(client, Query.in("kube-node-lease")));
        }
        for (Watching one : all) {
            assertThat(one.next()).isEqualTo("opened");
        }
        for (int i = 0; i < 200; i++) { // GOAWAY or Connection: close comes among them
            assertThat(client.blocking().get(ResourceType.of(Namespace.class), ObjectKey.clusterScoped("default")))
                    .isPresent();
        }
        assertThat(all).allSatisfy(one -> assertThat(one.words).doesNotContain("ended"));
        all.forEach(Watching::close);
    }

    @ParameterizedTest
    @EnumSource
    void discoveryKnowsWhatTheServerServes(Over over) throws Exception {
        ApiClient client = client(over);

        ResourceType<GenericKubernetesResource> found = runtime.await(
                        client.discovery().find("apps", "v1", "StatefulSet"), java.time.Duration.ofSeconds(30))
                .orElseThrow();
        assertThat(found.plural()).isEqualTo("statefulsets");
        assertThat(runtime.await(
                        client.discovery().find("absent.example.com", "v1", "Nothing"),
                        java.time.Duration.ofSeconds(30)))
                .isEmpty();
        assertThat(new String(
                        runtime.await(client.raw("/livez"), java.time.Duration.ofSeconds(30)), StandardCharsets.UTF_8))
                .isEqualTo("ok");
        assertThat(client.blocking().list(found, Query.everywhere())).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"EC PKCS#8", "EC SEC1", "RSA PKCS#8", "RSA PKCS#1"})
    void keyOfEveryKindIsRead(String kind) throws Exception {
        Path folder = server().folder();
        Path certs = folder.resolve("certs");
        String id = kind.replaceAll("[^A-Za-z0-9]", "").toLowerCase(java.util.Locale.ROOT);
        List<String> newKey = kind.startsWith("EC")
                ? List.of("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
                : List.of("-newkey", "rsa:2048");
        List<String> request = new ArrayList<>(List.of("openssl", "req", "-new", "-nodes"));
        request.addAll(newKey);
        request.addAll(List.of("-keyout", id + ".key", "-out", id + ".csr", "-subj", "/O=system:masters/CN=" + id));
        server().run(request.toArray(new String[0]));
        server().run(
                        "openssl",
                        "x509",
                        "-req",
                        "-in",
                        id + ".csr",
                        "-CA",
                        certs.resolve("ca.crt").toString(),
                        "-CAkey",
                        certs.resolve("ca.key").toString(),
                        "-CAcreateserial",
                        "-days",
                        "1",
                        "-out",
                        id + ".crt");
        if (kind.endsWith("SEC1")) {
            server().run("openssl", "ec", "-in", id + ".key", "-out", id + ".key");
        } else if (kind.endsWith("PKCS#1")) {
            server().run("openssl", "rsa", "-traditional", "-in", id + ".key", "-out", id + ".key");
        }
        String pem = Files.readString(folder.resolve(id + ".key"));
        assertThat(pem)
                .contains(
                        kind.endsWith("PKCS#8")
                                ? "BEGIN PRIVATE"
                                : kind.startsWith("EC") ? "BEGIN EC PRIVATE" : "BEGIN RSA PRIVATE");
        String server = Files.readString(folder.resolve("server")).trim();
        String ca = Base64.getEncoder().encodeToString(Files.readAllBytes(certs.resolve("ca.crt")));
        Path kubeconfig = Files.writeString(
                folder.resolve(id + ".kubeconfig"),
                """
                apiVersion: v1
                kind: Config
                current-context: c
                contexts: [{name: c, context: {cluster: k, user: u, namespace: somewhere}}]
                clusters: [{name: k, cluster: {server: "%s", certificate-authority-data: "%s"}}]
                users: [{name: u, user: {client-certificate: %s.crt, client-key: %s.key}}]
                """
                        .formatted(server, ca, id, id));

        for (Over over : Over.values()) {
            assertThat(client(over, kubeconfig)
                            .blocking()
                            .get(ResourceType.of(Namespace.class), ObjectKey.clusterScoped("default")))
                    .isPresent();
        }
        assertThat(ClusterConnection.fromKubeconfig(kubeconfig).namespace()).isEqualTo("somewhere");
    }

    @Test
    void strangerIsToldThatItIsOne() throws Exception {
        String url = Files.readString(server().folder().resolve("server")).trim();
        Path kubeconfig = Files.writeString(
                server().folder().resolve("stranger"),
                """
                apiVersion: v1
                kind: Config
                current-context: c
                contexts: [{name: c, context: {cluster: k, user: u}}]
                clusters: [{name: k, cluster: {server: "%s", insecure-skip-tls-verify: true}}]
                users: [{name: u, user: {token: canary-5ecret}}]
                """
                        .formatted(url));
        for (Over over : Over.values()) {
            assertThatThrownBy(() -> client(over, kubeconfig).blocking().get(CONFIG_MAPS, key("a")))
                    .isInstanceOf(ApiException.Unauthorized.class)
                    .hasMessageNotContaining("canary");
        }
    }

    @Test
    void serverThatIsNotTrustedIsNotSpokenTo() throws Exception {
        String url = Files.readString(server().folder().resolve("server")).trim();
        Path kubeconfig = Files.writeString(
                server().folder().resolve("untrusted"),
                """
                apiVersion: v1
                kind: Config
                current-context: c
                contexts: [{name: c, context: {cluster: k, user: u}}]
                clusters: [{name: k, cluster: {server: "%s"}}]
                users: [{name: u, user: {token: canary-5ecret}}]
                """
                        .formatted(url));
        for (Over over : Over.values()) {
            assertThatThrownBy(() -> client(over, kubeconfig).blocking().create(configMap("never", "1")))
                    .isInstanceOf(ApiException.Unreachable.class)
                    .hasMessageContaining("not sent");
        }
    }
}
