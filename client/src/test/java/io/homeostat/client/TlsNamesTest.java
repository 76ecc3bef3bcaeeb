package io.homeostat.client;

import static org.assertj.core.api.Assertions.assertThat;

import io.homeostat.core.SystemRuntime;
import io.homeostat.core.Transport;
import io.homeostat.core.TransportException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A trusted authority is not enough: the certificate must be for the server that is asked. Over both transports; a name
 * other than the host's only over sockets (behind a proxy it is refused, {@link ClusterConnectionTest}). */
class TlsNamesTest {
    private static TestCertificates elsewhere;
    private static TestCertificates here;

    private final SystemRuntime runtime = SystemRuntime.create();
    private final List<AutoCloseable> opened = new ArrayList<>();
    private final Path folder;

    TlsNamesTest(@TempDir Path folder) {
        this.folder = folder;
    }

    @BeforeAll
    static void makeCertificates(@TempDir Path keys) throws Exception {
        elsewhere = TestCertificates.make(keys, "elsewhere", "dns:api.example.com");
        here = TestCertificates.make(keys, "here");
    }

    @AfterEach
    void end() throws Exception {
        for (int i = opened.size() - 1; i >= 0; i--) {
            opened.get(i).close();
        }
        runtime.close();
    }

    private Recorder ask(CredentialRotationTest.Over over, TestCertificates certificate, String serverName)
            throws Exception {
        WireServer server = WireServer.startTls(certificate.server(), connection -> {
            while (connection.request() != null) {
                connection.write(WireServer.answer(200, "{}"));
            }
        });
        opened.add(server);
        Files.writeString(folder.resolve("ca.crt"), certificate.certificate());
        Path kubeconfig = Files.writeString(
                folder.resolve("config"),
                """
                apiVersion: v1
                kind: Config
                current-context: one
                contexts: [{name: one, context: {cluster: k, user: u}}]
                clusters: [{name: k, cluster: {server: "%s", certificate-authority: ca.crt%s}}]
                users: [{name: u, user: {token: t}}]
                """
                        .formatted(server.url(), serverName.isEmpty() ? "" : ", tls-server-name: " + serverName));
        ClusterConnection connection = ClusterConnection.fromKubeconfig(kubeconfig);
        Transport transport = over == CredentialRotationTest.Over.SOCKETS
                ? connection.open(runtime)
                : connection.openOverFabric8(runtime);
        opened.add(transport);
        Recorder answer = TransportContract.all(transport, TransportContract.write("POST"))
                .awaitOver();
        assertThat(server.requests()).hasSize(answer.failure() == null ? 1 : 0);
        return answer;
    }

    @ParameterizedTest
    @EnumSource
    void certificateOfATrustedAuthorityForAnotherServerIsRefused(CredentialRotationTest.Over over) throws Exception {
        assertThat(ask(over, elsewhere, "").sent()).isEqualTo(TransportException.Sent.NO);
    }

    @ParameterizedTest
    @ValueSource(strings = {"api.example.com", "API.example.com", "api.example.com."})
    void certificateForTheNameThatTheKubeconfigSaysIsAccepted(String name) throws Exception {
        assertThat(ask(CredentialRotationTest.Over.SOCKETS, elsewhere, name).status())
                .isEqualTo(200);
    }

    @Test
    void certificateForTheHostIsRefusedWhenTheKubeconfigSaysAnotherName() throws Exception {
        assertThat(ask(CredentialRotationTest.Over.SOCKETS, here, "api.example.com")
                        .sent())
                .isEqualTo(TransportException.Sent.NO);
    }

    @ParameterizedTest
    @ValueSource(strings = {"api_one.example.com", "api..example.com"})
    void nameThatNoCertificateCanBeForIsRefusedInWords(String name) throws Exception {
        Recorder answer = ask(CredentialRotationTest.Over.SOCKETS, elsewhere, name);

        assertThat(answer.sent()).isEqualTo(TransportException.Sent.NO);
        assertThat(answer.failure()).hasMessageContaining(name);
    }
}
