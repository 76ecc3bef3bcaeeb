package io.homeostat.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.homeostat.core.HttpCall;
import io.homeostat.core.SystemRuntime;
import io.homeostat.core.Transport;
import io.homeostat.core.TransportException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Credentials that change under a running process, over both transports, against a server that says whom it saw. */
class CredentialRotationTest {
    /** The transports of a {@link ClusterConnection}. */
    enum Over {
        SOCKETS,
        FABRIC8
    }

    private static final String CANARY = "canary-5ecret-5ecret-5ecret-5ecret-5ecret";

    private static TestCertificates serverOne;
    private static TestCertificates serverTwo;
    private static TestCertificates alice;
    private static TestCertificates bob;

    private final SystemRuntime runtime = SystemRuntime.create();
    private final List<AutoCloseable> opened = new ArrayList<>();
    private final Path folder;

    CredentialRotationTest(@TempDir Path folder) {
        this.folder = folder;
    }

    @BeforeAll
    static void makeCertificates(@TempDir Path keys) throws Exception {
        serverOne = TestCertificates.make(keys, "server-one");
        serverTwo = TestCertificates.make(keys, "server-two");
        alice = TestCertificates.make(keys, "alice");
        bob = TestCertificates.make(keys, "bob");
    }

    @AfterEach
    void end() throws Exception {
        for (int i = opened.size() - 1; i >= 0; i--) {
            opened.get(i).close();
        }
        runtime.close();
    }

    // ---- tokens

    @ParameterizedTest
    @EnumSource
    void refusedTokenIsReadAgainAndTheRequestIsSentOnceMore(Over over) throws Exception {
        Path token = write("token", "old");
        WireServer server = accepting("new");
        Transport transport = open(over, kubeconfig(server, "", "tokenFile: token"));
        assertThat(ask(transport, "POST").status()).isEqualTo(401);
        Files.writeString(token, "new\n");

        assertThat(ask(transport, "POST").status()).isEqualTo(200);

        assertThat(server.requests()).hasSizeBetween(2, 3);
    }

    @ParameterizedTest
    @EnumSource
    void tokenThatStaysRefusedIsNotSentTwice(Over over) throws Exception {
        write("token", "old");
        WireServer server = accepting("new");
        Transport transport = open(over, kubeconfig(server, "", "tokenFile: token"));

        assertThat(ask(transport, "POST").status()).isEqualTo(401);
        assertThat(ask(transport, "GET").status()).isEqualTo(401);

        assertThat(server.requests()).hasSize(2);
    }

    /** As the kubelet does it: {@code token -> ..data/token}, {@code ..data} is swapped. */
    @Test
    void tokenBehindASwappedLinkIsSeenWithoutARefusal() throws Exception {
        Files.createDirectory(folder.resolve("one"));
        Files.createDirectory(folder.resolve("two"));
        write("one/token", "aaa");
        write("two/token", "bbb");
        Files.createSymbolicLink(folder.resolve("..data"), Path.of("one"));
        Files.createSymbolicLink(folder.resolve("token"), Path.of("..data", "token"));
        Credentials credentials = new Credentials(List.of(), folder.resolve("token"));
        assertThat(credentials.current(runtime).token()).isEqualTo("aaa");

        Files.createSymbolicLink(folder.resolve("..tmp"), Path.of("two"));
        Files.move(folder.resolve("..tmp"), folder.resolve("..data"), StandardCopyOption.ATOMIC_MOVE);

        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
        while ("aaa".equals(credentials.current(runtime).token()) && System.nanoTime() < end) {
            Thread.onSpinWait(); // until the next look is due
        }
        assertThat(credentials.current(runtime).token()).isEqualTo("bbb");
        assertThat(credentials.states()).singleElement().satisfies(state -> {
            assertThat(state.what()).isEqualTo("token");
            assertThat(state.changes()).isEqualTo(1);
            assertThat(state.problem()).isNull();
        });
    }

    @ParameterizedTest
    @CsvSource({"''", "' \n'", "'half a token'", "absent"})
    void tokenFileThatHoldsNoTokenLeavesTheLastInUseAndSaysSo(String contents) throws Exception {
        Path token = write("token", "good");
        Credentials credentials = new Credentials(List.of(), token);
        Credentials.Held held = credentials.current(runtime);
        if (contents.equals("absent")) {
            Files.delete(token);
        } else {
            Files.writeString(token, contents);
        }

        assertThat(credentials.refused(runtime, held, Credentials.Again.AT_ANY_COST))
                .isFalse();

        assertThat(credentials.current(runtime).token()).isEqualTo("good");
        assertThat(credentials.states().get(0).problem()).isNotNull().doesNotContain("half a token");
    }

    @Test
    void tokenOfTheKubeconfigIsUsedUntilTheFileIsThere() throws Exception {
        WireServer server = accepting("inline");
        Transport transport = open(Over.SOCKETS, kubeconfig(server, "", "token: inline, tokenFile: token"));

        assertThat(ask(transport, "GET").status()).isEqualTo(200);
    }

    // ---- certificates

    @ParameterizedTest
    @EnumSource
    void changedClientCertificateIsUsedForTheNextRequestAndOpenStreamsMove(Over over) throws Exception {
        write("client.crt", alice.certificate());
        write("client.key", alice.key());
        write("ca.crt", serverOne.certificate());
        List<String> seen = java.util.Collections.synchronizedList(new ArrayList<>());
        CountDownLatch moved = new CountDownLatch(1);
        WireServer server = tls(connection -> {
            for (WireServer.Request request = connection.request(); request != null; request = connection.request()) {
                seen.add(connection.client());
                if (request.line().contains("watch=true")) {
                    connection.write(WireServer.chunkedHead() + "2\r\n{}\r\n");
                    connection.awaitClose();
                    moved.countDown();
                    return;
                }
                connection.write(WireServer.answer(200, "{}"));
            }
        });
        ClusterConnection connection = ClusterConnection.fromKubeconfig(kubeconfig(
                server, ", certificate-authority: ca.crt", "client-certificate: client.crt, client-key: client.key"));
        Transport transport = open(over, connection);
        assertThat(ask(transport, "POST").status()).isEqualTo(200);
        Recorder stream = TransportContract.all(transport, TransportContract.stream());
        stream.awaitBytes(2);

        write("client.crt", bob.certificate());
        Recorder between = ask(transport, "POST");
        String problem = connection.credentials().stream()
                .filter(state -> state.what().equals("client certificate"))
                .findFirst()
                .orElseThrow()
                .problem();
        write("client.key", bob.key());
        Recorder after = ask(transport, "POST");

        assertThat(between.status()).isEqualTo(200);
        assertThat(problem).contains("does not belong");
        assertThat(after.status()).isEqualTo(200);
        assertThat(seen).containsExactly("CN=alice", "CN=alice", "CN=alice", "CN=bob");
        assertThat(moved.await(40, TimeUnit.SECONDS)).isTrue();
        stream.awaitOver();
        assertThat(stream.failure())
                .as("a stream that moves ends as the server would end it")
                .isNull();
        assertThat(stream.body()).isEqualTo("{}");
    }

    @ParameterizedTest
    @EnumSource
    void certificateThatIsRefusedIsReplacedWithinTheRequest(Over over) throws Exception {
        write("client.crt", alice.certificate());
        write("client.key", alice.key());
        write("ca.crt", serverOne.certificate());
        CountDownLatch refused = new CountDownLatch(1);
        WireServer server = tls(connection -> {
            while (connection.request() != null) {
                if (connection.client().equals("CN=alice")) {
                    write("client.crt", bob.certificate()); // somebody swaps them while the request is under way
                    write("client.key", bob.key());
                    refused.countDown();
                }
                connection.write(WireServer.answer(connection.client().equals("CN=bob") ? 200 : 401, "{}"));
            }
        });
        Transport transport = open(
                over,
                kubeconfig(
                        server,
                        ", certificate-authority: ca.crt",
                        "client-certificate: client.crt, client-key: client.key"));

        assertThat(ask(transport, "POST").status()).isEqualTo(200);

        assertThat(refused.getCount()).isZero();
        assertThat(server.requests()).hasSize(2);
    }

    @ParameterizedTest
    @EnumSource
    void serverWithACertificateOfANewAuthorityIsTrustedWhenTheFileSaysSo(Over over) throws Exception {
        Path authorities = write("ca.crt", serverOne.certificate());
        WireServer server = tls(connection -> {
            while (connection.request() != null) {
                connection.write(WireServer.answer(200, "{}")
                        .replace("HTTP/1.1 200 Whatever\r\n", "HTTP/1.1 200 OK\r\nConnection: close\r\n"));
                return;
            }
        });
        ClusterConnection connection =
                ClusterConnection.fromKubeconfig(kubeconfig(server, ", certificate-authority: ca.crt", "token: t"));
        Transport transport = open(over, connection);
        assertThat(ask(transport, "GET").status()).isEqualTo(200);
        server.serveAs(serverTwo.server());

        Recorder untrusted = ask(transport, "POST");
        Files.writeString(
                authorities, serverOne.certificate() + serverTwo.certificate().substring(0, 200));
        Recorder halfWritten = ask(transport, "POST");
        String problem = connection.credentials().get(0).problem();
        Files.writeString(authorities, serverOne.certificate() + serverTwo.certificate());
        Recorder trusted = ask(transport, "POST");

        assertThat(untrusted.sent()).isEqualTo(TransportException.Sent.NO);
        assertThat(halfWritten.sent()).isEqualTo(TransportException.Sent.NO);
        assertThat(problem).contains("certificate 2 in it is cut short");
        assertThat(trusted.status()).isEqualTo(200);
        assertThat(connection.credentials().get(0).problem()).isNull();
    }

    @Test
    void oddCertificateInABundleDoesNotTakeTheOthersAlong() throws Exception {
        String odd = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        write("ca.crt", odd + serverTwo.certificate() + odd + serverOne.certificate());
        WireServer server = tls(connection -> {
            while (connection.request() != null) {
                connection.write(WireServer.answer(200, "{}"));
            }
        });

        Transport transport = open(Over.SOCKETS, kubeconfig(server, ", certificate-authority: ca.crt", "token: t"));

        assertThat(ask(transport, "GET").status()).isEqualTo(200);
        write("ca.crt", odd + odd);
        assertThatThrownBy(() -> ClusterConnection.fromKubeconfig(
                        kubeconfig(server, ", certificate-authority: ca.crt", "token: t")))
                .isInstanceOf(ClusterConnection.Unusable.class)
                .hasMessageContaining("no PEM certificates can be read");
    }

    @Test
    void certificateAndKeyMayShareAFile() throws Exception {
        write("client.pem", alice.key() + alice.certificate());
        write("ca.crt", "# the authority\n" + serverOne.certificate());
        WireServer server = tls(connection -> {
            while (connection.request() != null) {
                connection.write(WireServer.answer(connection.client().equals("CN=alice") ? 200 : 401, "{}"));
            }
        });
        Transport transport = open(
                Over.SOCKETS,
                kubeconfig(
                        server,
                        ", certificate-authority: ca.crt",
                        "client-certificate: client.pem, client-key: client.pem"));

        assertThat(ask(transport, "GET").status()).isEqualTo(200);
    }

    @Test
    void keyOfAnotherCertificateIsRefusedAtTheStart() throws Exception {
        write("client.crt", alice.certificate());
        write("client.key", bob.key());
        Path file = kubeconfig("https://127.0.0.1:1", "", "client-certificate: client.crt, client-key: client.key");

        assertThatThrownBy(() -> ClusterConnection.fromKubeconfig(file))
                .isInstanceOf(ClusterConnection.Unusable.class)
                .hasMessageContaining("does not belong");
    }

    // ---- exec plugins

    private static final String EXEC =
            "exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: IfAvailable, command: ./plugin,"
                    + " installHint: get it at example.com, args: [argument-one, --flag=argument-two],"
                    + " env: [{name: FROM, value: variable}]%s}";

    private Path plugin(String script) throws IOException {
        Path file = Files.writeString(folder.resolve("plugin"), "#!/bin/sh\necho x >> " + folder + "/runs\n" + script);
        assertThat(file.toFile().setExecutable(true)).isTrue();
        return file;
    }

    private int runs() throws IOException {
        Path file = folder.resolve("runs");
        return Files.exists(file) ? Files.readAllLines(file).size() : 0;
    }

    private static String credential(String status) {
        return "{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\",\"status\":{" + status
                + "}}";
    }

    private static String giving(String status) {
        return "cat <<'END'\n" + credential(status) + "\nEND\n";
    }

    @ParameterizedTest
    @EnumSource
    void pluginRunsOnceForManyRequestsAndAgainWhenWhatItGaveIsRefused(Over over) throws Exception {
        plugin("read n < " + folder + "/serial; " + "printf '" + credential("\"token\":\"t-%s\"") + "' $n\n");
        write("serial", "1\n");
        WireServer server = server(connection -> {
            for (WireServer.Request request = connection.request(); request != null; request = connection.request()) {
                boolean current = request.head()
                        .contains("Bearer t-"
                                + Files.readString(folder.resolve("serial")).trim());
                connection.write(WireServer.answer(current ? 200 : 401, "{}"));
            }
        });
        Transport transport = open(over, kubeconfig(server, "", EXEC.formatted("")));
        List<Recorder> together = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            together.add(TransportContract.all(transport, TransportContract.get()));
        }
        for (Recorder each : together) {
            assertThat(each.awaitOver().status()).isEqualTo(200);
        }
        assertThat(runs()).isEqualTo(1);

        write("serial", "2\n");
        Recorder write = ask(transport, "POST");
        Recorder read = ask(transport, "GET");

        assertThat(write.status()).as("a write does not wait for a plugin").isEqualTo(401);
        assertThat(read.status()).isEqualTo(200);
        assertThat(ask(transport, "POST").status()).isEqualTo(200);
        assertThat(runs()).isEqualTo(2);
    }

    @Test
    void pluginIsToldWhatItIsFor() throws Exception {
        plugin("printf '%s' \"$KUBERNETES_EXEC_INFO\" > " + folder + "/info\n"
                + giving("\"token\":\"t\"")
                        .replace("\"t\"", "\"'\"$1-$FROM\"'\"")
                        .replace("cat <<'END'", "cat <<END")
                        .replace("'\"", "")
                        .replace("\"'", ""));
        WireServer server = accepting("argument-one-variable");
        Transport transport = open(
                Over.SOCKETS,
                kubeconfig(
                        server,
                        ", extensions: [{name: client.authentication.k8s.io/exec, extension: {audience: us}}]",
                        EXEC.formatted(", provideClusterInfo: true")));

        assertThat(ask(transport, "GET").status()).isEqualTo(200);

        assertThat(Files.readString(folder.resolve("info")))
                .isEqualTo("{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\"spec\":"
                        + "{\"interactive\":false,\"cluster\":{\"server\":\"" + server.url()
                        + "\",\"config\":{\"audience\":\"us\"}}}}");
    }

    @Test
    void pluginRunsAgainBeforeWhatItGaveEnds() throws Exception {
        plugin("printf '" + credential("\"token\":\"t\",\"expirationTimestamp\":\"%s\"")
                + "' $(date -u -d '+2 seconds' +%Y-%m-%dT%H:%M:%SZ)\n");
        WireServer server = accepting("t");
        Transport transport = open(Over.SOCKETS, kubeconfig(server, "", EXEC.formatted("")));
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);

        while (runs() < 3 && System.nanoTime() < end) {
            assertThat(ask(transport, "GET").status()).isEqualTo(200);
            runtime.sleep(java.time.Duration.ofMillis(50));
        }

        assertThat(runs()).isEqualTo(3);
    }

    /** How "never" is written by plugins, and in certificates (RFC 5280). */
    @Test
    void credentialThatEndsInAFarAwayYearIsUsed() throws Exception {
        plugin(giving("\"token\":\"t\",\"expirationTimestamp\":\"9999-12-31T23:59:59Z\""));
        WireServer server = accepting("t");
        Transport transport = open(Over.SOCKETS, kubeconfig(server, "", EXEC.formatted("")));

        assertThat(ask(transport, "GET").status()).isEqualTo(200);
        assertThat(ask(transport, "POST").status()).isEqualTo(200);
        assertThat(runs()).isEqualTo(1);
    }

    @Test
    void pluginGivesACertificate() throws Exception {
        write("ca.crt", serverOne.certificate());
        plugin(giving("\"clientCertificateData\":\"" + alice.certificate().replace("\n", "\\n")
                + "\",\"clientKeyData\":\"" + alice.key().replace("\n", "\\n") + "\""));
        WireServer server = tls(connection -> {
            while (connection.request() != null) {
                connection.write(WireServer.answer(connection.client().equals("CN=alice") ? 200 : 401, "{}"));
            }
        });
        Transport transport =
                open(Over.SOCKETS, kubeconfig(server, ", certificate-authority: ca.crt", EXEC.formatted("")));

        assertThat(ask(transport, "GET").status()).isEqualTo(200);
        assertThat(ask(transport, "POST").status()).isEqualTo(200);
        assertThat(runs()).isEqualTo(1);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "echo " + CANARY
                        + " >&2; echo cannot log in >&2; exit 3|exit code 3; it said: [hidden] | cannot log in",
                "echo key wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY >&2; exit 3|it said: key [hidden]",
                "echo $FROM --with $1 >&2; exit 3|it said: [hidden] --with [hidden]",
                "echo " + CANARY + "|no JSON object",
                "printf '{}'|must write an ExecCredential of client.authentication.k8s.io/v1",
                "printf '{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1beta1\"}'|client.authentication.k8s.io/v1beta1",
                "printf '{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\",\"status\":{}}'|neither a token nor",
                "true|0 bytes",
                "none|get it at example.com",
            })
    void pluginThatFailsIsNamedNothingIsSentAndItIsNotRunForEachRequest(String script, String expected)
            throws Exception {
        if (!script.equals("none")) {
            plugin(script + "\n");
        }
        WireServer server = accepting("t");
        ClusterConnection connection = ClusterConnection.fromKubeconfig(kubeconfig(server, "", EXEC.formatted("")));
        Transport transport = open(Over.SOCKETS, connection);

        Recorder first = ask(transport, "GET");
        for (int i = 0; i < 5; i++) {
            assertThat(ask(transport, "POST").sent()).isEqualTo(TransportException.Sent.NO);
        }

        assertThat(first.sent()).isEqualTo(TransportException.Sent.NO);
        assertThat(first.failure())
                .hasMessageContaining(expected.replace(" | ", " | "))
                .hasMessageContaining("plugin");
        assertThat(first.failureMessage()).doesNotContain(CANARY);
        assertThat(connection.credentials()).singleElement().satisfies(state -> assertThat(state.problem())
                .contains("exec plugin"));
        assertThat(server.requests()).isEmpty();
        assertThat(runs()).isLessThanOrEqualTo(2);
        plugin(giving("\"token\":\"t\""));
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        int status = 0;
        while (status != 200 && System.nanoTime() < end) {
            Recorder later = ask(transport, "GET");
            status = later.failure() == null ? later.status() : 0;
            runtime.sleep(java.time.Duration.ofMillis(50));
        }
        assertThat(status).as("it goes on by itself").isEqualTo(200);
    }

    @Test
    void pluginThatHangsIsKilledWithItsChildrenAndNamed() throws Exception {
        Path child = folder.resolve("child");
        Path program = plugin("sh -c 'echo $$ > " + child + "; exec sleep 600' &\nsleep 600\n");
        ExecPlugin plugin = new ExecPlugin(new ExecPlugin.Command(
                "a test",
                program.toString(),
                List.of(),
                Map.of(),
                "client.authentication.k8s.io/v1",
                "{}",
                "",
                java.time.Duration.ofSeconds(2)));

        assertThatThrownBy(() -> plugin.current(runtime))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("has not ended within 2 s");

        long pid = Long.parseLong(Files.readString(child).trim());
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
        while (ProcessHandle.of(pid).map(ProcessHandle::isAlive).orElse(false) && System.nanoTime() < end) {
            Thread.onSpinWait();
        }
        assertThat(ProcessHandle.of(pid).map(ProcessHandle::isAlive).orElse(false))
                .isFalse();
    }

    @Test
    void pluginWhoseChildKeepsItsOutputOpenIsNotWaitedFor() throws Exception {
        Path program = plugin("sleep 20 &\n" + giving("\"token\":\"t\""));
        ExecPlugin plugin = new ExecPlugin(new ExecPlugin.Command(
                "a test",
                program.toString(),
                List.of(),
                Map.of(),
                "client.authentication.k8s.io/v1",
                "{}",
                "",
                java.time.Duration.ofSeconds(15)));
        long began = System.nanoTime();

        assertThat(plugin.current(runtime).token()).isEqualTo("t");

        assertThat(System.nanoTime() - began).isLessThan(TimeUnit.SECONDS.toNanos(10));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "auth-provider: {name: gcp}|the auth provider \"gcp\"",
                "exec: {apiVersion: client.authentication.k8s.io/v1alpha1, command: p}|v1alpha1",
                "exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Always, command: p}|nobody to talk to",
                "exec: {apiVersion: client.authentication.k8s.io/v1}|without a command",
            })
    void userThatCannotBeServedIsRefusedInWords(String user, String expected) throws Exception {
        Path file = kubeconfig("https://127.0.0.1:1", "", user);

        assertThatThrownBy(() -> ClusterConnection.fromKubeconfig(file))
                .isInstanceOf(ClusterConnection.Unusable.class)
                .hasMessageContaining(expected);
    }

    // ---- connections whose path has died

    @Test
    void requestThatIsGivenUpMakesKeptConnectionsSuspect() throws Exception {
        CountDownLatch silent = new CountDownLatch(1);
        WireServer server = server(connection -> {
            for (WireServer.Request request = connection.request(); request != null; request = connection.request()) {
                if (request.line().contains("limit=1")) {
                    connection.write(WireServer.answer(200, "{}"));
                } else {
                    silent.countDown();
                    connection.awaitClose();
                }
            }
        });
        Transport transport = open(Over.SOCKETS, kubeconfig(server, "", "token: t"));
        List<Recorder> together = List.of(
                TransportContract.all(transport, TransportContract.get()),
                TransportContract.all(transport, TransportContract.get()));
        for (Recorder each : together) {
            assertThat(each.awaitOver().status()).isEqualTo(200);
        }
        int before = server.connections();
        Transport.Exchange lost = transport.open(TransportContract.write("POST"), new Recorder());
        assertThat(silent.await(10, TimeUnit.SECONDS)).isTrue();

        lost.cancel();

        assertThat(ask(transport, "GET").status()).isEqualTo(200);
        assertThat(server.connections()).isEqualTo(before + 1);
    }

    // ---- the stage

    private Path write(String name, String text) throws IOException {
        return Files.writeString(folder.resolve(name), text);
    }

    private WireServer server(WireServer.Script script) throws IOException {
        WireServer server = WireServer.start(script);
        opened.add(server);
        return server;
    }

    private WireServer tls(WireServer.Script script) throws Exception {
        WireServer server = WireServer.startTls(serverOne.server(), script);
        opened.add(server);
        return server;
    }

    private WireServer accepting(String token) throws IOException {
        return server(connection -> {
            for (WireServer.Request request = connection.request(); request != null; request = connection.request()) {
                boolean known = request.head()
                        .toLowerCase(java.util.Locale.ROOT)
                        .contains("authorization: bearer " + token + "\r\n");
                connection.write(WireServer.answer(known ? 200 : 401, "{}"));
            }
        });
    }

    private Path kubeconfig(WireServer server, String cluster, String user) throws IOException {
        return kubeconfig(server.url(), cluster, user);
    }

    private Path kubeconfig(String server, String cluster, String user) throws IOException {
        return write(
                "config",
                """
                apiVersion: v1
                kind: Config
                current-context: one
                contexts: [{name: one, context: {cluster: k, user: u}}]
                clusters: [{name: k, cluster: {server: "%s"%s}}]
                users: [{name: u, user: {%s}}]
                """
                        .formatted(server, cluster, user));
    }

    private Transport open(Over over, Path kubeconfig) {
        return open(over, ClusterConnection.fromKubeconfig(kubeconfig));
    }

    private Transport open(Over over, ClusterConnection connection) {
        Transport transport = over == Over.SOCKETS ? connection.open(runtime) : connection.openOverFabric8(runtime);
        opened.add(transport);
        return transport;
    }

    private static Recorder ask(Transport transport, String method) throws Exception {
        HttpCall call = method.equals("GET") ? TransportContract.get() : TransportContract.write(method);
        return TransportContract.all(transport, call).awaitOver();
    }
}
