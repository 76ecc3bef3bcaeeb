package io.homeostat.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.homeostat.core.SystemRuntime;
import io.homeostat.core.Transport;
import java.io.IOException;
import java.net.InetAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.Locale;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ClusterConnectionTest {
    private static final String CANARY = "canary-5ecret";

    private final SystemRuntime runtime = SystemRuntime.create();

    private final Path folder;

    ClusterConnectionTest(@TempDir Path folder) {
        this.folder = folder;
    }

    @AfterEach
    void end() {
        runtime.close();
    }

    private Path kubeconfig(String server, String cluster, String user) throws IOException {
        return Files.writeString(
                folder.resolve("config"),
                """
                apiVersion: v1
                kind: Config
                current-context: one
                contexts:
                - {name: one, context: {cluster: k, user: u, namespace: team}}
                - {name: lost, context: {cluster: nowhere, user: u}}
                - {name: nobody, context: {cluster: k, user: gone}}
                clusters: [{name: k, cluster: {server: "%s"%s}}]
                users: [{name: u, user: {%s}}]
                """
                        .formatted(server, cluster, user));
    }

    private WireServer.Request ask(ClusterConnection connection, WireServer server) throws Exception {
        Transport transport = connection.open(runtime);
        try {
            assertThat(TransportContract.all(transport, TransportContract.get())
                            .awaitOver()
                            .failure())
                    .isNull();
        } finally {
            transport.close();
        }
        return server.requests().get(server.requests().size() - 1);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "token: abc|Bearer abc",
                "username: me, password: 'p w'|Basic bWU6cCB3",
                "token: abc, tokenFile: token|Bearer from-file",
                "tokenFile: token|Bearer from-file",
                "exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: ./plugin}|Bearer from-plugin",
            })
    void credentialsOfEachKindReachTheServer(String user, String expected) throws Exception {
        Files.writeString(folder.resolve("token"), "from-file\n");
        Path plugin = Files.writeString(
                folder.resolve("plugin"),
                "#!/bin/sh\necho '{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\","
                        + "\"status\":{\"token\":\"from-plugin\"}}'\n");
        assertThat(plugin.toFile().setExecutable(true)).isTrue();
        try (WireServer server = WireServer.answering(WireServer.answer(200, "{}"))) {
            ClusterConnection connection = ClusterConnection.fromKubeconfig(kubeconfig(server.url(), "", user));

            assertThat(connection.serverUrl()).isEqualTo(server.url());
            assertThat(connection.namespace()).isEqualTo("team");
            assertThat(ask(connection, server).head().toLowerCase(Locale.ROOT))
                    .contains("\r\nauthorization: " + expected.toLowerCase(Locale.ROOT) + "\r\n");
        }
    }

    @Test
    void impersonationAndABasePathAreSent() throws Exception {
        try (WireServer server = WireServer.answering(WireServer.answer(200, "{}"))) {
            ClusterConnection connection = ClusterConnection.fromKubeconfig(
                    kubeconfig(server.url() + "/k8s/clusters/c-1/", "", "token: t, as: jane, as-groups: [devs, ops]"));

            WireServer.Request request = ask(connection, server);

            assertThat(request.line()).isEqualTo("GET /k8s/clusters/c-1/api/v1/pods?limit=1 HTTP/1.1");
            assertThat(request.head())
                    .contains("Impersonate-User: jane", "Impersonate-Group: devs", "Impersonate-Group: ops");
        }
    }

    @Test
    void impersonatedIdentityIsSentAsItIs() throws Exception {
        try (WireServer server = WireServer.answering(WireServer.answer(200, "{}"))) {
            ClusterConnection connection = ClusterConnection.fromKubeconfig(
                    kubeconfig(
                            server.url(),
                            "",
                            "token: t, as: Jürgen 世界, as-groups: null, as-user-extra: {example.com/team%1: [red], other: null}"));

            WireServer.Request request = ask(connection, server);

            // The server reads bytes as characters, and so shows UTF-8 as ISO 8859-1.
            String sent = new String(request.head().getBytes(StandardCharsets.ISO_8859_1), StandardCharsets.UTF_8);
            assertThat(sent)
                    .contains("\r\nImpersonate-User: Jürgen 世界\r\n")
                    .contains("\r\nImpersonate-Extra-example.com%2Fteam%251: red\r\n");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"as-groups: [devs]", "as-uid: '1'", "as-user-extra: {team: [red]}"})
    void impersonationWithoutAUserIsRefused(String user) throws Exception {
        Path file = kubeconfig("https://127.0.0.1:1", "", "token: t, " + user);

        assertThatThrownBy(() -> ClusterConnection.fromKubeconfig(file))
                .isInstanceOf(ClusterConnection.Unusable.class)
                .hasMessageContaining("without a user");
    }

    @Test
    void passwordInTheServersUrlIsRefusedAndNotQuoted() throws Exception {
        Path file = kubeconfig("https://me:" + CANARY + "@127.0.0.1:1", "", "token: t");

        assertThatThrownBy(() -> ClusterConnection.fromKubeconfig(file))
                .isInstanceOf(ClusterConnection.Unusable.class)
                .hasMessageContaining("username and password")
                .hasMessageNotContaining(CANARY);
    }

    @ParameterizedTest
    @ValueSource(strings = {"https://my_host:6443", "https://api.example.com.:6443/k8s", "my_host"})
    void hostThatJavaTakesForNoneIsOne(String server) throws Exception {
        assertThat(ClusterConnection.fromKubeconfig(kubeconfig(server, "", "token: t"))
                        .serverUrl())
                .contains(server);
    }

    @Test
    void fileThatIsNotThereIsNamed() {
        Path absent = folder.resolve("absent");

        assertThatThrownBy(() -> ClusterConnection.fromKubeconfig(absent))
                .isInstanceOf(ClusterConnection.Unusable.class)
                .hasMessageContaining(absent.toString())
                .hasMessageContaining("is not there");
    }

    @ParameterizedTest
    @CsvSource({"''", "'{{{ canary-5ecret'", "'just: [canary-5ecret]'", "'- canary-5ecret'", "'\0\1'"})
    void fileThatIsNoKubeconfigIsNamedAndNotQuoted(String text) throws Exception {
        Path file = Files.writeString(folder.resolve("config"), text);

        assertThatThrownBy(() -> ClusterConnection.fromKubeconfig(file))
                .isInstanceOf(ClusterConnection.Unusable.class)
                .hasMessageContaining(file.toString())
                .hasMessageContaining("no kubeconfig")
                .satisfies(e -> assertThat(e.getCause()).isNull())
                .hasMessageNotContaining(CANARY);
    }

    @Test
    void incompleteContextSaysWhatIsMissing() throws Exception {
        Path file = kubeconfig("https://127.0.0.1:1", "", "token: " + CANARY);

        assertThatThrownBy(() -> ClusterConnection.fromKubeconfig(file, "two"))
                .hasMessageContaining("\"two\"")
                .hasMessageContaining("[one, lost, nobody]");
        assertThatThrownBy(() -> ClusterConnection.fromKubeconfig(file, "lost")).hasMessageContaining("\"nowhere\"");
        assertThatThrownBy(() -> ClusterConnection.fromKubeconfig(file, "nobody"))
                .hasMessageContaining("\"gone\"");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "certificate-authority: absent.crt||absent.crt is not there",
                "certificate-authority-data: '%%%'||certificate authority",
                "certificate-authority-data: aGVsbG8=||certificate authority",
                "|client-certificate-data: aGVsbG8=|without its key",
                "|client-key-data: aGVsbG8=|without a client certificate",
            })
    void brokenTlsMaterialIsNamed(String cluster, String user, String expected) throws Exception {
        Path file = kubeconfig(
                "https://127.0.0.1:1", cluster == null ? "" : ", " + cluster, user == null ? "token: " + CANARY : user);

        assertThatThrownBy(() -> ClusterConnection.fromKubeconfig(file))
                .isInstanceOf(ClusterConnection.Unusable.class)
                .hasMessageContaining(expected)
                .hasMessageContaining(file.toString())
                .hasMessageNotContaining(CANARY);
    }

    @ParameterizedTest
    @CsvSource({"https://host:,443", "http://host:,80", "https://host:/k8s,443", "https://[fd00::1]:,443"})
    void portThatIsEmptyIsTheUsualOne(String server, int port) throws Exception {
        assertThat(ClusterConnection.fromKubeconfig(kubeconfig(server, "", "token: t"))
                        .asked()
                        .port())
                .isEqualTo(port);
    }

    @Test
    void zoneOfAnAddressIsUsedHereAndNotToldToTheServer() throws Exception {
        try (WireServer server = WireServer.answering(WireServer.answer(200, "{}"))) {
            ClusterConnection connection = ClusterConnection.fromKubeconfig(kubeconfig(
                    "http://[fe80::1%25eth0]:" + URI.create(server.url()).getPort(), "", "token: t"));
            SocketEndpoint asked = connection.asked();
            assertThat(asked.host()).isEqualTo("fe80::1%eth0");
            Transport transport = new SocketTransport(runtime, asked, new Addresses(asked.host(), host ->
                    new InetAddress[] {InetAddress.getLoopbackAddress()}));

            assertThat(TransportContract.all(transport, TransportContract.get())
                            .awaitOver()
                            .status())
                    .isEqualTo(200);

            assertThat(server.requests().get(0).head()).contains("Host: [fe80::1]:");
            transport.close();
        }
    }

    @ParameterizedTest
    @CsvSource({"https://[fe80::1%25eth0]:1, a zone", "https://my_host:1, an underscore"})
    void nameThatMeansNothingBehindAProxyIsRefusedThereInWords(String server, String trouble) throws Exception {
        Path file = kubeconfig(server, ", proxy-url: 'http://127.0.0.1:9'", "token: t");

        assertThatThrownBy(() -> ClusterConnection.fromKubeconfig(file))
                .isInstanceOf(ClusterConnection.Unusable.class)
                .hasMessageContaining(trouble)
                .hasMessageContaining("proxy-url")
                .hasMessageContaining("NO_PROXY");
    }

    @ParameterizedTest
    @CsvSource({
        "ftp://host",
        "https://host:66000",
        "https://host:x",
        "''",
        "'https://'",
        "'not a url'",
        "https://[fe80::1%eth0]",
        "https://[fe80::1%25]"
    })
    void serverThatIsNoUrlIsNamed(String server) throws Exception {
        Path file = kubeconfig(server, "", "token: t");

        assertThatThrownBy(() -> ClusterConnection.fromKubeconfig(file))
                .isInstanceOf(ClusterConnection.Unusable.class)
                .hasMessageContaining("server");
    }

    @Test
    void firstConfigurationThatIsThereIsTaken() throws Exception {
        Path home = Files.createDirectories(folder.resolve("home"));
        Path account = Files.createDirectories(folder.resolve("account"));
        Path file = kubeconfig("http://127.0.0.1:1", "", "token: t");

        assertThatThrownBy(() -> ClusterConnection.auto(Map.of(), home, account))
                .isInstanceOf(ClusterConnection.Unusable.class)
                .hasMessageContaining("KUBECONFIG");
        assertThatThrownBy(() -> ClusterConnection.auto(Map.of("KUBECONFIG", "/absent/config"), home, account))
                .hasMessageContaining("/absent/config");
        assertThat(ClusterConnection.auto(Map.of("KUBECONFIG", "/absent:" + file), home, account)
                        .serverUrl())
                .isEqualTo("http://127.0.0.1:1");

        Files.createDirectories(home.resolve(".kube"));
        Files.copy(file, home.resolve(".kube").resolve("config"));
        assertThat(ClusterConnection.auto(Map.of("KUBERNETES_SERVICE_HOST", "10.0.0.1"), home, account)
                        .serverUrl())
                .isEqualTo("http://127.0.0.1:1");
    }

    @Test
    void podsServiceAccountIsTaken() throws Exception {
        Path account = Files.createDirectories(folder.resolve("account"));
        Map<String, String> pod = Map.of("KUBERNETES_SERVICE_HOST", "fd00::1", "KUBERNETES_SERVICE_PORT", "6443");

        assertThatThrownBy(() -> ClusterConnection.inCluster(Map.of(), account))
                .hasMessageContaining("KUBERNETES_SERVICE_HOST");
        assertThatThrownBy(() -> ClusterConnection.inCluster(pod, account)).hasMessageContaining("token");
        Files.writeString(account.resolve("token"), CANARY);
        Files.writeString(account.resolve("namespace"), "team\n");
        ClusterConnection connection = ClusterConnection.inCluster(pod, account);

        assertThat(connection.serverUrl()).isEqualTo("https://[fd00::1]:6443");
        assertThat(connection.namespace()).isEqualTo("team");
        assertThat(connection.toString()).doesNotContain(CANARY);
    }

    @Test
    void severalFilesMakeOneConfiguration() throws Exception {
        try (WireServer server = WireServer.answering(WireServer.answer(200, "{}"))) {
            Path contexts = Files.writeString(
                    folder.resolve("contexts"),
                    "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n");
            Path rest = Files.writeString(
                    folder.resolve("rest"),
                    "clusters: [{name: k, cluster: {server: '" + server.url()
                            + "'}}]\nusers: [{name: u, user: {token: x}}]\n");
            ClusterConnection connection = ClusterConnection.auto(
                    Map.of("KUBECONFIG", contexts + java.io.File.pathSeparator + rest), folder, folder);

            assertThat(ask(connection, server).head()).contains("Authorization: Bearer x");
        }
    }

    @Test
    void fileMaySayOnlyWhichContextAndListsMayBeNull() throws Exception {
        try (WireServer server = WireServer.answering(WireServer.answer(200, "{}"))) {
            Path pin = Files.writeString(folder.resolve("pin"), "current-context: c\n");
            Path empty = Files.writeString(folder.resolve("empty"), "\n# nothing yet\n");
            Path nulls = Files.writeString(
                    folder.resolve("nulls"),
                    "apiVersion: v1\nkind: Config\ncontexts: null\nclusters: null\nusers: null\n");
            Path rest = Files.writeString(
                    folder.resolve("rest"),
                    "contexts: [{name: c, context: {cluster: k}}]\nusers: null\nclusters: [{name: k, cluster: {server: '"
                            + server.url() + "'}}]\n");
            String all = String.join(
                    java.io.File.pathSeparator, pin.toString(), empty.toString(), nulls.toString(), rest.toString());

            assertThat(ask(ClusterConnection.auto(Map.of("KUBECONFIG", all), folder, folder), server)
                            .line())
                    .startsWith("GET /api/v1/pods");
            assertThatThrownBy(() -> ClusterConnection.auto(
                            Map.of("KUBECONFIG", empty + java.io.File.pathSeparator + pin), folder, folder))
                    .isInstanceOf(ClusterConnection.Unusable.class)
                    .hasMessageContaining("no kubeconfig")
                    .hasMessageContaining(empty.toString());
        }
    }

    /** The address of a proxy where nobody listens: what goes there fails, what goes past it arrives. */
    private static final String PROXY = "http://127.0.0.1:1";

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            nullValues = "-",
            value = {
                "https://api.example.com|HTTPS_PROXY|-|proxied",
                "https://api.example.com|https_proxy|-|proxied",
                "https://api.example.com|HTTP_PROXY|-|direct",
                "http://api.example.com|HTTP_PROXY|-|proxied",
                "https://api.example.com|ALL_PROXY|-|direct",
                "https://localhost:6443|HTTPS_PROXY|-|direct",
                "https://127.0.0.1:6443|HTTPS_PROXY|-|direct",
                "https://[::1]:6443|HTTPS_PROXY|-|direct",
                "https://api.example.com|HTTPS_PROXY|*|direct",
                "https://api.example.com|HTTPS_PROXY|a,,b|proxied",
                "https://api.example.com|HTTPS_PROXY|x_y,EXAMPLE.com|direct",
                "https://api.example.com|HTTPS_PROXY|*.example.com|direct",
                "https://api.example.com|HTTPS_PROXY|.example.com|direct",
                "https://example.com|HTTPS_PROXY|.example.com|proxied",
                "https://badexample.com|HTTPS_PROXY|example.com|proxied",
                "https://api.example.com|HTTPS_PROXY|example.com:443|direct",
                "https://api.example.com:6443|HTTPS_PROXY|example.com:443|proxied",
                "https://10.2.3.4|HTTPS_PROXY|*.corp,10.0.0.0/8|direct",
                "https://11.2.3.4|HTTPS_PROXY|*.corp,10.0.0.0/8|proxied",
                "https://10.2.3.4|HTTPS_PROXY|10.2.3.4|direct",
                "https://10.2.3.40|HTTPS_PROXY|10.2.3.4|proxied",
                "https://[fd00::1]|HTTPS_PROXY|fd00::/16|direct",
                "https://[fd00::1]:6443|HTTPS_PROXY|[fd00::1]:6443|direct",
                "https://[fe00::1]|HTTPS_PROXY|fd00::/16,10.0.0.0/99,/,:,[]|proxied",
            })
    void environmentsProxyIsUsedWhereKubectlUsesIt(
            String server, String variable, @org.jspecify.annotations.Nullable String exceptions, String expected) {
        java.net.URI url = java.net.URI.create(server);
        String host = url.getHost().replaceAll("[\\[\\]]", "");
        int port = url.getPort() < 0 ? (url.getScheme().equals("https") ? 443 : 80) : url.getPort();
        Map<String, String> environment =
                exceptions == null ? Map.of(variable, PROXY) : Map.of(variable, PROXY, "NO_PROXY", exceptions);

        assertThat(EnvironmentProxy.forServer(url.getScheme(), host, port, environment))
                .isEqualTo(expected.equals("proxied") ? PROXY : "");
    }

    @Test
    void otherServerNameBehindAProxyIsRefused() throws Exception {
        Path file = kubeconfig("https://10.0.0.1:1", ", tls-server-name: api.example.com", "token: t");

        assertThatThrownBy(
                        () -> ClusterConnection.kubeconfig(java.util.List.of(file), "", Map.of("HTTPS_PROXY", PROXY)))
                .isInstanceOf(ClusterConnection.Unusable.class)
                .hasMessageContaining("tls-server-name")
                .hasMessageContaining("HTTPS_PROXY")
                .hasMessageContaining("NO_PROXY");
        assertThat(ClusterConnection.kubeconfig(
                                java.util.List.of(file), "", Map.of("HTTPS_PROXY", PROXY, "NO_PROXY", "10.0.0.0/8"))
                        .serverUrl())
                .isEqualTo("https://10.0.0.1:1");
    }

    @ParameterizedTest
    @CsvSource({
        "http://proxy,http://proxy:80",
        "https://me:pw@proxy,https://me:pw@proxy:443",
        "proxy:3128,http://proxy:3128",
        "proxy,http://proxy:80",
        "http://proxy:1,http://proxy:1",
        "http://p_q,http://p_q",
    })
    void proxyWithoutAPortHasTheUsualOne(String said, String meant) {
        assertThat(EnvironmentProxy.withPort(said)).isEqualTo(meant);
    }

    @Test
    void serverOnThisMachineIsNotAskedThroughTheEnvironmentsProxyAndTheKubeconfigsIsObeyed() throws Exception {
        try (WireServer server = WireServer.answering(WireServer.answer(200, "{}"))) {
            Map<String, String> environment = Map.of("HTTP_PROXY", PROXY, "HTTPS_PROXY", PROXY);
            Path file = kubeconfig(server.url(), "", "token: t");

            ask(ClusterConnection.kubeconfig(java.util.List.of(file), "", environment), server);

            try (WireServer proxy = WireServer.answering(WireServer.answer(200, "{}"))) {
                kubeconfig("http://api.example.com", ", proxy-url: '" + proxy.url() + "'", "token: t");
                assertThat(ask(
                                        ClusterConnection.kubeconfig(
                                                java.util.List.of(file), "", Map.of("NO_PROXY", "*")),
                                        proxy)
                                .line())
                        .startsWith("GET http://api.example.com:80/api/v1/pods");
            }
        }
    }

    @ParameterizedTest
    @CsvSource({
        "http://api.example.com.:81,GET http://api.example.com:81/api/v1/pods",
        "https://api.example.com.,CONNECT api.example.com:443"
    })
    void dotAtTheEndOfANameIsNotToldToAProxy(String url, String line) throws Exception {
        try (WireServer proxy = WireServer.answering(WireServer.answer(407, "{}"))) {
            Path file = kubeconfig(url, ", proxy-url: '" + proxy.url() + "'", "token: t");
            Transport transport = ClusterConnection.fromKubeconfig(file).open(runtime);

            TransportContract.all(transport, TransportContract.get()).awaitOver();

            assertThat(proxy.requests().get(0).line()).startsWith(line);
            transport.close();
        }
    }

    @Test
    void keyIsToldFromItsBytes() throws Exception {
        for (String algorithm : new String[] {"RSA", "EC", "Ed25519"}) {
            byte[] der = java.security.KeyPairGenerator.getInstance(algorithm)
                    .generateKeyPair()
                    .getPrivate()
                    .getEncoded();
            String pem = "-----BEGIN PRIVATE KEY-----\n"
                    + Base64.getMimeEncoder().encodeToString(der) + "\n-----END PRIVATE KEY-----\n";
            PemKey key = PemKey.read(pem.getBytes(StandardCharsets.US_ASCII));

            assertThat(key.algorithm()).isEqualTo(algorithm);
            assertThat(key.toPrivateKey().getEncoded()).isEqualTo(der);
            assertThat(key.pkcs8()).isEqualTo(der);
            for (int cut = 0; cut < 40; cut++) {
                String broken = "-----BEGIN PRIVATE KEY-----\n"
                        + Base64.getMimeEncoder().encodeToString(java.util.Arrays.copyOf(der, cut))
                        + "\n-----END PRIVATE KEY-----\n";
                assertThatThrownBy(() -> PemKey.read(broken.getBytes(StandardCharsets.US_ASCII)))
                        .isInstanceOf(java.security.GeneralSecurityException.class);
            }
        }
        assertThatThrownBy(() ->
                        PemKey.read("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----"
                                .getBytes(StandardCharsets.US_ASCII)))
                .hasMessageContaining("encrypted");
        assertThatThrownBy(() -> PemKey.read("hello".getBytes(StandardCharsets.US_ASCII)))
                .hasMessageContaining("no block");
    }
}
