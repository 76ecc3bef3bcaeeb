package io.homeostat.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Headers;
import io.homeostat.core.HttpCall;
import io.homeostat.core.Transport;
import io.homeostat.core.TransportException;
import java.lang.reflect.Proxy;
import java.net.URI;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SocketTransportTest extends TransportContract {
    @Override
    Transport connect(String url) {
        return connect(url, new Credentials(List.of(), null));
    }

    private Transport connect(String url, Credentials credentials) {
        URI uri = URI.create(url);
        return new SocketTransport(
                runtime, new SocketEndpoint(uri.getHost(), uri.getPort(), "", null, "", credentials));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}\n",
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
                "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n",
                "HTTP/1.1 200 OK\r\n folded: header\r\nContent-Length: 2\r\n\r\n{}",
                "HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 2\r\n\r\n{}",
                "HTTP/2 200 OK\r\nContent-Length: 2\r\n\r\n{}",
                "HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\n{}",
                "SSH-2.0-OpenSSH_9.6\r\n",
                "HTTP/1.1 101 Switching Protocols\r\n\r\n",
            })
    void whatIsNotExactlyAnAnswerFails(String answer) throws Exception {
        WireServer server = answering(answer);

        Recorder recorded = all(transport(server), write("POST")).awaitOver();

        assertThat(recorded.failure()).isNotNull();
        assertThat(recorded.sent()).isEqualTo(TransportException.Sent.MAYBE);
        assertThat(server.requests()).hasSize(1);
    }

    @Test
    void endlessHeadFails() throws Exception {
        WireServer server = server(connection -> {
            connection.request();
            connection.write("HTTP/1.1 200 OK\r\n");
            while (true) {
                connection.write("X-More: " + "m".repeat(1000) + "\r\n");
            }
        });

        assertThat(all(transport(server), get()).awaitOver().failure()).isNotNull();
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void answerToARequestThatTheServerDoesNotTakeWholeIsHeard(boolean secure, @TempDir Path folder) throws Exception {
        WireServer.Script script = connection -> {
            connection.head();
            connection.write(WireServer.answer(413, "{\"kind\":\"Status\"}"));
        }; // and closes, with most of the request unread
        TestCertificates certificate = TestCertificates.make(folder, "server");
        try (WireServer server =
                secure ? WireServer.startTls(certificate.server(), script) : WireServer.start(script)) {
            Path authority = java.nio.file.Files.writeString(folder.resolve("ca"), certificate.certificate());
            URI uri = URI.create(server.url());
            TlsMaterial tls = secure
                    ? new TlsMaterial(new TlsMaterial.Pem(authority, null), null, null, TlsMaterial.Verification.FULL)
                    : null;
            Transport transport = new SocketTransport(
                    runtime,
                    new SocketEndpoint(uri.getHost(), uri.getPort(), "", tls, "", new Credentials(List.of(), null)));
            HttpCall call =
                    new HttpCall("POST", "/api/v1/configmaps", Headers.NONE, new byte[32 << 20], HttpCall.Kind.REQUEST);

            Recorder answer = all(transport, call).awaitOver();

            assertThat(answer.failure()).isNull();
            assertThat(answer.status()).isEqualTo(413);
            assertThat(answer.body()).isEqualTo("{\"kind\":\"Status\"}");
            transport.close();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", ";x=1", "g", "-1", "+5", "0x5", "5 5", "\u0665", "1234567890abcdef"})
    void chunkSizeThatIsNoneFails(String size) throws Exception {
        WireServer server = server(connection -> {
            connection.request();
            connection.write(WireServer.chunkedHead() + "5\r\nfirst\r\n" + size + "\r\nmore.\r\n0\r\n\r\n");
        });

        Recorder answer = all(transport(server), stream()).awaitOver();

        assertThat(answer.failure()).hasStackTraceContaining("a chunk without a size");
    }

    @ParameterizedTest
    @ValueSource(strings = {"a", "A", "000a", " a ", "A;name=value"})
    void chunkSizeIsHexadecimal(String size) throws Exception {
        WireServer server = server(connection -> {
            connection.request();
            connection.write(WireServer.chunkedHead() + size + "\r\n0123456789\r\n0\r\n\r\n");
        });

        Recorder answer = all(transport(server), stream()).awaitOver();

        assertThat(answer.failure()).isNull();
        assertThat(answer.body()).isEqualTo("0123456789");
    }

    @Test
    void interimAnswersAreSkipped() throws Exception {
        WireServer server = answering(
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" + WireServer.answer(200, "{}"));

        Recorder answer = all(transport(server), write("POST")).awaitOver();

        assertThat(answer.status()).isEqualTo(200);
        assertThat(answer.body()).isEqualTo("{}");
    }

    @Test
    void requestsFollowEachOtherOnOneConnection() throws Exception {
        WireServer server = answering(WireServer.answer(200, "{}"));
        Transport transport = transport(server);

        for (int i = 0; i < 10; i++) {
            assertThat(all(transport, write("POST")).awaitOver().failure()).isNull();
        }

        assertThat(server.connections()).isEqualTo(1);
        assertThat(server.requests()).hasSize(10);
    }

    @Test
    void idleConnectionThatTheServerClosedIsNotUsed() throws Exception {
        CountDownLatch closed = new CountDownLatch(1);
        WireServer server = server(connection -> {
            while (connection.request() != null) {
                connection.write(WireServer.answer(200, "{}"));
                if (connection.number() == 1) {
                    break;
                }
            }
            closed.countDown();
        });
        Transport transport = transport(server);
        all(transport, write("POST")).awaitOver();
        assertThat(closed.await(10, TimeUnit.SECONDS)).isTrue();
        awaitNoConnection(server);

        Recorder second = all(transport, write("POST")).awaitOver();

        assertThat(second.failure()).isNull();
        assertThat(server.requests()).hasSize(2);
        assertThat(server.connections()).isEqualTo(2);
    }

    @Test
    void readWhoseSecondConnectionEndsTooIsToldAsUnreachable() throws Exception {
        WireServer server = server(connection -> {
            connection.request();
            if (connection.number() == 1) {
                connection.write(WireServer.answer(200, "{}"));
                connection.request();
            }
        });
        Transport transport = transport(server);
        all(transport, get()).awaitOver();
        ApiClient client = ApiClient.over(runtime, transport, ApiClient.Settings.of("test/1"));

        assertThat(client.get(
                        ResourceType.of(io.fabric8.kubernetes.api.model.ConfigMap.class),
                        new ObjectKey("default", "a")))
                .failsWithin(java.time.Duration.ofSeconds(20))
                .withThrowableThat()
                .havingCause()
                .isInstanceOf(ApiException.Unreachable.class);

        assertThat(server.requests()).hasSize(3);
        assertThat(server.connections()).isEqualTo(2);
    }

    @Test
    void readWhoseAnswerHadBegunIsNotAskedAgain() throws Exception {
        WireServer server = server(connection -> {
            connection.request();
            connection.write(WireServer.answer(200, "{}"));
            connection.request();
            connection.write("HTTP/1.1 2");
        });
        Transport transport = transport(server);
        all(transport, get()).awaitOver();

        Recorder second = all(transport, get()).awaitOver();

        assertThat(second.failure()).isNotNull();
        assertThat(server.requests()).hasSize(2);
    }

    @Test
    void readThatIsRefusedBeforeItLeavesIsNotAskedAgain() throws Exception {
        WireServer server = answering(WireServer.answer(200, "{}"));
        Transport transport = transport(server);
        all(transport, get()).awaitOver();
        Recorder second = new Recorder() {
            @Override
            public java.util.Optional<String> refusal() {
                return java.util.Optional.of("closed");
            }
        };

        transport.open(get(), second).demand(1);

        assertThat(second.awaitOver().sent()).isEqualTo(TransportException.Sent.NO);
        assertThat(server.connections()).isEqualTo(1);
    }

    @Test
    void connectionWithBytesNobodyAskedForIsNotUsed() throws Exception {
        CountDownLatch sent = new CountDownLatch(1);
        WireServer server = server(connection -> {
            while (connection.request() != null) {
                connection.write(WireServer.answer(200, "{}"));
                if (connection.number() == 1) {
                    connection.write(WireServer.answer(200, "{\"smuggled\":1}"));
                    sent.countDown();
                }
            }
        });
        Transport transport = transport(server);
        all(transport, get()).awaitOver();
        assertThat(sent.await(10, TimeUnit.SECONDS)).isTrue();

        Recorder second = all(transport, get()).awaitOver();

        assertThat(second.body()).isEqualTo("{}");
    }

    @Test
    void errorOnTheExchangesThreadIsAFailureAndNotSilence() throws Exception {
        WireServer server = answering(WireServer.answer(200, "body"));
        CompletableFuture<TransportException> told = new CompletableFuture<>();
        Transport.AnswerListener failing = new Transport.AnswerListener() {
            @Override
            public void head(int status, Headers headers) {}

            @Override
            public void chunk(byte[] bytes) {
                throw new AssertionError("stands for any error");
            }

            @Override
            public void end() {}

            @Override
            public void failed(TransportException cause) {
                told.complete(cause);
            }
        };

        transport(server).open(stream(), failing).demand(1);

        assertThat(told.get(20, TimeUnit.SECONDS)).hasRootCauseInstanceOf(AssertionError.class);
    }

    @Test
    void requestForWhichThereIsNoThreadIsToldSoAtOnce() throws Exception {
        EngineRuntime exhausted = (EngineRuntime) Proxy.newProxyInstance(
                EngineRuntime.class.getClassLoader(), new Class<?>[] {EngineRuntime.class}, (proxy, method, given) -> {
                    if (method.getName().equals("start")) {
                        throw new OutOfMemoryError("unable to create native thread");
                    }
                    return method.invoke(runtime, given);
                });
        Recorder answer = new Recorder();
        Transport transport = new SocketTransport(
                exhausted, new SocketEndpoint("127.0.0.1", 1, "", null, "", new Credentials(List.of(), null)));

        assertThatThrownBy(() -> transport.open(write("POST"), answer)).isInstanceOf(OutOfMemoryError.class);

        assertThat(answer.awaitOver().sent()).isEqualTo(TransportException.Sent.NO);
        transport.close();
    }

    @Test
    void cancelBeforeTheAnswerClosesTheConnection() throws Exception {
        CountDownLatch asked = new CountDownLatch(1);
        CountDownLatch gone = new CountDownLatch(1);
        WireServer server = server(connection -> {
            connection.request();
            asked.countDown();
            try {
                connection.awaitClose();
            } finally {
                gone.countDown();
            }
        });
        Recorder recorder = new Recorder();
        Transport.Exchange exchange = transport(server).open(write("POST"), recorder);
        assertThat(asked.await(10, TimeUnit.SECONDS)).isTrue();

        exchange.cancel();

        assertThat(gone.await(10, TimeUnit.SECONDS)).isTrue();
        assertThat(server.requests()).hasSize(1);
    }

    @Test
    void headerWithALineBreakIsNotSent() throws Exception {
        WireServer server = answering(WireServer.answer(200, "{}"));

        Recorder answer = all(
                        transport(server), HttpCall.get("/api", Headers.of("User-Agent", "a\r\nX-Injected: " + CANARY)))
                .awaitOver();

        assertThat(answer.sent()).isEqualTo(TransportException.Sent.NO);
        assertThat(answer.failureMessage()).doesNotContain(CANARY);
        assertThat(server.requests()).isEmpty();
    }

    @Test
    void tokenFileThatIsNotThereSaysSoBeforeAnythingIsSent(@TempDir Path folder) throws Exception {
        WireServer server = answering(WireServer.answer(200, "{}"));
        Transport transport = connect(server.url(), new Credentials(List.of(), folder.resolve("absent")));
        try {
            Recorder answer = all(transport, write("POST")).awaitOver();

            assertThat(answer.sent()).isEqualTo(TransportException.Sent.NO);
            assertThat(answer.failure()).hasMessageContaining("absent");
            assertThat(server.requests()).isEmpty();
        } finally {
            transport.close();
        }
    }
}
