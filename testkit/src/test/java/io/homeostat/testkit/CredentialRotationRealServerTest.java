package io.homeostat.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.ConfigMapBuilder;
import io.homeostat.client.ApiClient;
import io.homeostat.client.ApiException;
import io.homeostat.client.ClusterConnection;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.ResourceType;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.SystemRuntime;
import io.homeostat.core.Transport;
import io.homeostat.informer.CachedObject;
import io.homeostat.informer.InformerState;
import io.homeostat.informer.ResourceEventHandler;
import io.homeostat.informer.SharedInformer;
import io.homeostat.informer.SharedInformers;
import io.homeostat.testkit.RealControlPlane.Component;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;

/** Tokens, client certificates and authorities that change under open watches of a real kube-apiserver: nothing is lost. */
@Tag("jdk-independent") // what a server does with what ended; on each JDK CredentialRotationTest does the rest
@OperatorTest(on = Backend.REAL)
final class CredentialRotationRealServerTest {
    private static final ResourceType<ConfigMap> TYPE = ResourceType.of(ConfigMap.class);
    private static final Duration LIMIT = Duration.ofSeconds(40);
    private static final String FULL = "system:masters";

    private final Path folder;
    private final List<Watcher> watchers = new ArrayList<>();

    CredentialRotationRealServerTest(@TempDir Path folder) {
        this.folder = folder;
    }

    @AfterEach
    void closeWatchers() {
        watchers.forEach(Watcher::close);
    }

    /** A cache, what its handler was told, and a client beside it, over one connection. */
    private static final class Watcher implements ResourceEventHandler<ConfigMap> {
        final ClusterConnection connection;
        private final EngineRuntime runtime = SystemRuntime.create();
        private final Transport transport;
        final ApiClient client;
        private final SharedInformers informers;
        final SharedInformer<ConfigMap> informer;
        final List<String> told = Collections.synchronizedList(new ArrayList<>());
        final List<InformerState> states = Collections.synchronizedList(new ArrayList<>());

        Watcher(Path kubeconfig) {
            connection = ClusterConnection.fromKubeconfig(kubeconfig);
            transport = connection.open(runtime);
            client = ApiClient.over(runtime, transport, ApiClient.Settings.of("rotation-test"));
            informers = SharedInformers.over(runtime, client);
            informer = informers.informer(TYPE, "default");
            informer.onStateChange(states::add);
            runtime.await(informer.addHandler("told", this).synced(), LIMIT);
        }

        void sees(String name) {
            Polling.eventually(LIMIT, () -> assertThat(informer.snapshot().get(new ObjectKey("default", name)))
                    .isPresent());
        }

        /** Everything that happened, once each, and the cache is what the server has. */
        void lostNothing(String... names) {
            for (String name : names) {
                sees(name);
            }
            Polling.eventually(LIMIT, () -> assertThat(told).contains("add " + names[names.length - 1]));
            assertThat(told.stream().filter(each -> !each.equals("add kube-root-ca.crt")))
                    .containsExactlyElementsOf(
                            List.of(names).stream().map(name -> "add " + name).toList());
            assertThat(informer.state().phase()).isEqualTo(InformerState.Phase.WATCHING);
        }

        @Override
        public void onAdd(CachedObject<ConfigMap> object, ResourceEventHandler.Phase phase, Merged<ConfigMap> merged) {
            told.add("add " + object.key().name());
        }

        @Override
        public void onUpdate(CachedObject<ConfigMap> before, CachedObject<ConfigMap> after, Merged<ConfigMap> merged) {
            told.add("update " + after.key().name());
        }

        @Override
        public void onDelete(CachedObject<ConfigMap> lastKnown, Merged<ConfigMap> merged) {
            told.add("delete " + lastKnown.key().name());
        }

        void close() {
            informers.close();
            transport.close();
            runtime.close();
        }
    }

    private Watcher watcher(RealControlPlane plane, String name, String user) throws IOException {
        Path kubeconfig = write(
                name,
                """
                apiVersion: v1
                kind: Config
                current-context: one
                contexts: [{name: one, context: {cluster: k, user: u}}]
                clusters: [{name: k, cluster: {server: "%s", certificate-authority: ca.crt}}]
                users: [{name: u, user: {%s}}]
                """
                        .formatted(plane.server(), user));
        Watcher watcher = new Watcher(kubeconfig);
        watchers.add(watcher);
        return watcher;
    }

    private Path write(String name, String text) throws IOException {
        return Files.writeString(folder.resolve(name), text);
    }

    private static void create(RealControlPlane plane, String name) throws IOException {
        assertThat(plane.observer()
                        .send(
                                "POST",
                                "/api/v1/namespaces/default/configmaps",
                                "application/json",
                                "{\"metadata\": {\"name\": \"" + name + "\"}}",
                                Duration.ofSeconds(10))
                        .status())
                .isEqualTo(201);
    }

    private static void create(Watcher by, String name) {
        by.client
                .blocking()
                .create(new ConfigMapBuilder()
                        .withNewMetadata()
                        .withNamespace("default")
                        .withName(name)
                        .endMetadata()
                        .build());
    }

    @OperatorTest
    void clientCertificateThatHasEndedIsReplacedUnderAnOpenWatch() throws Exception {
        try (RealControlPlane plane = RealControlPlane.builder().nodes(0).start()) {
            Certificates.Pem brief = plane.certificates().client("operator", List.of(FULL), Duration.ofSeconds(9));
            write("ca.crt", plane.certificates().authority());
            write("client.crt", brief.certificate());
            write("client.key", brief.key());
            Watcher watcher = watcher(plane, "config", "client-certificate: client.crt, client-key: client.key");
            create(watcher, "before");
            watcher.sees("before");

            Polling.eventually(LIMIT, () -> assertThatThrownBy(
                            () -> watcher.client.blocking().get(TYPE, new ObjectKey("default", "before")))
                    .isInstanceOf(ApiException.Unauthorized.class));
            create(plane, "meanwhile");
            Certificates.Pem next = plane.certificates().client("operator", List.of(FULL));
            write("client.crt", next.certificate());
            assertThatThrownBy(() -> create(watcher, "with-half-a-pair")).isInstanceOf(ApiException.Unauthorized.class);
            assertThat(watcher.connection.credentials())
                    .anySatisfy(state -> assertThat(state.problem()).contains("does not belong"));
            create(plane, "half");
            write("client.key", next.key());

            create(watcher, "after");
            awaitMoved(watcher, plane);
            create(plane, "moved");

            watcher.lostNothing("before", "meanwhile", "half", "after", "moved");
            assertThat(watcher.informer.state().relists()).isEqualTo(1);
            assertThat(watcher.states.stream().map(InformerState::phase))
                    .as("moving a stream is no trouble")
                    .doesNotContain(InformerState.Phase.BACKING_OFF, InformerState.Phase.FORBIDDEN);
        }
    }

    /** Until the watch was opened a second time: the audit log has a line for each that began. */
    private static void awaitMoved(Watcher watcher, RealControlPlane plane) {
        Polling.eventually(LIMIT, () -> assertThat(Files.readAllLines(plane.auditLog()).stream()
                        .filter(line -> line.contains("\"verb\":\"watch\"")
                                && line.contains("rotation-test")
                                && line.contains("\"stage\":\"ResponseStarted\""))
                        .count())
                .as(() -> watcher.informer.state().toString())
                .isGreaterThanOrEqualTo(2));
    }

    @OperatorTest
    void tokensThatAreRefusedAreReplacedByFileAndByPluginAndAnAuthorityByABundle() throws Exception {
        Path tokens = write("tokens.csv", "old-token-old-token,operator,1,\"" + FULL + "\"\n");
        try (RealControlPlane plane = RealControlPlane.builder()
                .nodes(0)
                .flags("--token-auth-file=" + tokens)
                .start()) {
            write("ca.crt", plane.certificates().authority());
            write("token", "old-token-old-token");
            Path plugin = write(
                    "plugin",
                    "#!/bin/sh\necho x >> " + folder + "/runs\nread t < " + folder + "/given\n"
                            + "printf '{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\","
                            + "\"status\":{\"token\":\"%s\"}}' $t\n");
            assertThat(plugin.toFile().setExecutable(true)).isTrue();
            write("given", "old-token-old-token\n");
            Watcher byFile = watcher(plane, "by-file", "tokenFile: token");
            Watcher byPlugin = watcher(
                    plane,
                    "by-plugin",
                    "exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: ./plugin}");
            List<Watcher> both = List.of(byFile, byPlugin);
            create(plane, "before");
            both.forEach(watcher -> watcher.sees("before"));
            assertThat(runs()).isEqualTo(1);

            write("tokens.csv", "new-token-new-token,operator,1,\"" + FULL + "\"\n");
            plane.restart(Component.KUBE_APISERVER, "--token-auth-file=" + tokens);
            create(plane, "while-nobody-may");
            for (Watcher watcher : both) {
                Polling.eventually(LIMIT, () -> {
                    assertThat(watcher.informer.state().phase()).isEqualTo(InformerState.Phase.FORBIDDEN);
                    assertThat(watcher.informer.state().lastError()).isInstanceOf(ApiException.Unauthorized.class);
                });
                assertThat(watcher.told).contains("add before"); // the cache stays
            }
            assertThat(runs())
                    .as("a plugin whose token is refused is not run for each request")
                    .isLessThan(12);
            write("token", "new-token-new-token");
            write("given", "new-token-new-token\n");
            both.forEach(watcher -> watcher.sees("while-nobody-may"));
            create(byFile, "by-file");
            both.forEach(watcher -> watcher.sees("by-file"));
            for (Watcher watcher : both) {
                watcher.lostNothing("before", "while-nobody-may", "by-file");
                assertThat(watcher.informer.state().relists())
                        .as("a restart of the server costs one")
                        .isLessThanOrEqualTo(2);
            }

            // A new authority: first the server has it, then the bundle.
            Certificates other = new Certificates();
            Certificates.Pem server = other.server();
            plane.kill(Component.KUBE_APISERVER);
            plane.start(
                    Component.KUBE_APISERVER,
                    "--token-auth-file=" + tokens,
                    "--tls-cert-file=" + write("other.crt", server.certificate()),
                    "--tls-private-key-file=" + write("other.key", server.key()));
            for (Watcher watcher : both) {
                Polling.eventually(LIMIT, () -> {
                    assertThat(watcher.informer.state().phase()).isEqualTo(InformerState.Phase.BACKING_OFF);
                    assertThat(watcher.informer.state().lastError())
                            .isInstanceOf(ApiException.Unreachable.class)
                            .hasMessageContaining("SSL");
                });
            }
            write("ca.crt", plane.certificates().authority() + other.authority());
            for (Watcher watcher : both) {
                Polling.eventually(
                        LIMIT,
                        () -> assertThat(watcher.informer.state().phase()).isEqualTo(InformerState.Phase.WATCHING));
            }
            create(byPlugin, "new-authority");
            for (Watcher watcher : both) {
                watcher.lostNothing("before", "while-nobody-may", "by-file", "new-authority");
                assertThat(watcher.informer.state().relists()).isLessThanOrEqualTo(3);
            }
            assertThat(byFile.connection.credentials().toString().toLowerCase(Locale.ROOT))
                    .doesNotContain("new-token");
        }
    }

    private static final String SERVICE_ACCOUNT = "operator";

    /** Whatever is needed to have it; with its UID. */
    private static String made(RealControlPlane plane, String path, String json) throws IOException {
        ApiObserver.Answer answer =
                plane.observer().send("POST", path, "application/json", json, Duration.ofSeconds(10));
        assertThat(answer.status()).as(answer::body).isEqualTo(201);
        return answer.body();
    }

    /** A token of the service account that is good for as long as a Secret of its own is there, as a pod's is bound to its pod. */
    private static String boundToken(RealControlPlane plane, String secret) throws IOException {
        String bound = Tree.parse(made(
                        plane, "/api/v1/namespaces/default/secrets", "{\"metadata\": {\"name\": \"" + secret + "\"}}"))
                .text("metadata.uid");
        return Tree.parse(made(
                        plane,
                        "/api/v1/namespaces/default/serviceaccounts/" + SERVICE_ACCOUNT + "/token",
                        "{\"spec\": {\"expirationSeconds\": 600, \"boundObjectRef\": {\"kind\": \"Secret\","
                                + " \"apiVersion\": \"v1\", \"name\": \"" + secret + "\", \"uid\": \"" + bound
                                + "\"}}}"))
                .text("status.token");
    }

    private static void revoke(RealControlPlane plane, String secret) throws IOException {
        assertThat(plane.observer()
                        .send(
                                "DELETE",
                                "/api/v1/namespaces/default/secrets/" + secret,
                                null,
                                "",
                                Duration.ofSeconds(10))
                        .status())
                .isEqualTo(200);
    }

    /** As the kubelet swaps a projected token: the file is behind a link to a folder, and the link is replaced. */
    private void project(String generation, String token) throws IOException {
        Path data = Files.createDirectory(folder.resolve(".." + generation));
        Files.writeString(data.resolve("token"), token);
        Path link = Files.createSymbolicLink(folder.resolve("..data_tmp"), data);
        Files.move(link, folder.resolve("..data"), StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }

    @OperatorTest
    void tokenOfAServiceAccountIsRotatedInTimeAndAlsoWhenTheServerRevokedItFirst() throws Exception {
        try (RealControlPlane plane = RealControlPlane.builder().nodes(0).start()) {
            write("ca.crt", plane.certificates().authority());
            made(
                    plane,
                    "/api/v1/namespaces/default/serviceaccounts",
                    "{\"metadata\": {\"name\": \"" + SERVICE_ACCOUNT + "\"}}");
            made(
                    plane,
                    "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
                    "{\"metadata\": {\"name\": \"" + SERVICE_ACCOUNT + "\"}, \"roleRef\": {\"apiGroup\":"
                            + " \"rbac.authorization.k8s.io\", \"kind\": \"ClusterRole\", \"name\": \"cluster-admin\"},"
                            + " \"subjects\": [{\"kind\": \"ServiceAccount\", \"namespace\": \"default\", \"name\": \""
                            + SERVICE_ACCOUNT + "\"}]}");
            project("first", boundToken(plane, "first"));
            Files.createSymbolicLink(folder.resolve("token"), Path.of("..data", "token"));
            Watcher watcher = watcher(plane, "config", "tokenFile: token");
            create(watcher, "before");
            watcher.sees("before");

            // In time: the next one is there while the first is still good.
            String second = boundToken(plane, "second");
            project("second", second);
            awaitAskedWith(watcher, plane, second);
            revoke(plane, "first");
            create(watcher, "rotated");
            watcher.sees("rotated");

            // Too late: the server refuses first. It remembers a token that was good for 10 s.
            revoke(plane, "second");
            Polling.eventually(LIMIT, () -> assertThatThrownBy(
                            () -> watcher.client.blocking().get(TYPE, new ObjectKey("default", "before")))
                    .isInstanceOf(ApiException.Unauthorized.class));
            plane.restart(Component.KUBE_APISERVER); // and no watch is left
            create(plane, "while-refused");
            Polling.eventually(LIMIT, () -> {
                assertThat(watcher.informer.state().phase()).isEqualTo(InformerState.Phase.FORBIDDEN);
                assertThat(watcher.informer.state().lastError()).isInstanceOf(ApiException.Unauthorized.class);
            });
            project("third", boundToken(plane, "third"));
            create(watcher, "worked-again"); // refused with the second, sent again with the third
            watcher.lostNothing("before", "rotated", "while-refused", "worked-again");
            assertThat(watcher.informer.state().relists())
                    .as("a restart of the server costs one")
                    .isLessThanOrEqualTo(2);
            assertThat(watcher.connection.credentials().toString()).doesNotContain(second);
        }
    }

    /** Until a request was made with that token: the audit log names it by its id, the claim {@code jti}. */
    private static void awaitAskedWith(Watcher watcher, RealControlPlane plane, String token) {
        String claims = new String(Base64.getUrlDecoder().decode(token.split("\\.", -1)[1]), StandardCharsets.UTF_8);
        String id = Tree.parse(claims).text("jti");
        Polling.eventually(LIMIT, () -> {
            watcher.client.blocking().get(TYPE, new ObjectKey("default", "before"));
            assertThat(Files.readAllLines(plane.auditLog()).stream()
                            .filter(line -> line.contains("rotation-test") && line.contains("JTI=" + id)))
                    .isNotEmpty();
        });
    }

    private int runs() throws IOException {
        return Files.readAllLines(folder.resolve("runs")).size();
    }
}
