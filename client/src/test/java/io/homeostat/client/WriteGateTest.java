package io.homeostat.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.homeostat.core.SystemRuntime;
import io.homeostat.core.Transport;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletionException;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A gate that closes while a write is on its way out. */
class WriteGateTest {
    private final SystemRuntime runtime = SystemRuntime.create();
    private final List<AutoCloseable> opened = new ArrayList<>();
    private final Path folder;

    WriteGateTest(@TempDir Path folder) {
        this.folder = folder;
    }

    @AfterEach
    void end() throws Exception {
        for (int i = opened.size() - 1; i >= 0; i--) {
            opened.get(i).close();
        }
        runtime.close();
    }

    private Path kubeconfig(WireServer server, String cluster, String user) throws Exception {
        return Files.writeString(
                folder.resolve("config"),
                """
                apiVersion: v1
                kind: Config
                current-context: one
                contexts: [{name: one, context: {cluster: k, user: u}}]
                clusters: [{name: k, cluster: {server: "%s"%s}}]
                users: [{name: u, user: {%s}}]
                """
                        .formatted(server.url(), cluster, user));
    }

    private ApiClient client(Transport transport, WriteGate gate) {
        opened.add(transport);
        ApiClient.Settings usual = ApiClient.Settings.of("test/1");
        return ApiClient.over(
                runtime,
                transport,
                new ApiClient.Settings(
                        usual.userAgent(), usual.requestTimeout(), usual.streamTimeout(), gate, usual.compression()));
    }

    private static void writeIsRefused(ApiClient client) {
        assertThatThrownBy(() -> client.create(
                                ResourceType.of(io.fabric8.kubernetes.api.model.ConfigMap.class),
                                new ObjectKey("default", "a"),
                                "{}".getBytes(StandardCharsets.UTF_8))
                        .toCompletableFuture()
                        .join())
                .isInstanceOf(CompletionException.class)
                .cause()
                .isInstanceOf(ApiException.GateClosed.class)
                .hasMessageContaining("not sent: the lease is lost");
    }

    @ParameterizedTest
    @EnumSource
    void gateThatClosesWhileCredentialsAreFetchedLetsNothingOut(CredentialRotationTest.Over over) throws Exception {
        Path closed = folder.resolve("closed");
        Path plugin = Files.writeString(
                folder.resolve("plugin"),
                "#!/bin/sh\ntouch " + closed
                        + "\necho '{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\","
                        + "\"status\":{\"token\":\"t\"}}'\n");
        assertThat(plugin.toFile().setExecutable(true)).isTrue();
        WireServer server = WireServer.answering(WireServer.answer(201, "{}"));
        opened.add(server);
        ClusterConnection connection = ClusterConnection.fromKubeconfig(kubeconfig(
                server,
                "",
                "exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: ./plugin}"));
        Transport transport = over == CredentialRotationTest.Over.SOCKETS
                ? connection.open(runtime)
                : connection.openOverFabric8(runtime);

        writeIsRefused(
                client(transport, write -> Files.exists(closed) ? Optional.of("the lease is lost") : Optional.empty()));

        assertThat(server.requests()).isEmpty();
    }

    @Test
    void gateThatClosesWhileAConnectionIsMadeLetsNothingOut() throws Exception {
        AtomicBoolean closed = new AtomicBoolean();
        TestCertificates certificate = TestCertificates.make(folder, "server");
        WireServer server = WireServer.startTls(certificate.server(), connection -> {
            while (connection.request() != null) {
                connection.write(WireServer.answer(201, "{}"));
            }
        });
        opened.add(server);
        server.beforeHandshakes(() -> closed.set(true));
        Files.writeString(folder.resolve("ca.crt"), certificate.certificate());
        ClusterConnection connection =
                ClusterConnection.fromKubeconfig(kubeconfig(server, ", certificate-authority: ca.crt", "token: t"));

        writeIsRefused(client(
                connection.open(runtime), write -> closed.get() ? Optional.of("the lease is lost") : Optional.empty()));

        assertThat(server.connections()).isEqualTo(1);
        assertThat(server.requests()).isEmpty();
    }
}
