package io.homeostat.client;

import static org.assertj.core.api.Assertions.assertThat;

import io.homeostat.core.Headers;
import io.homeostat.core.HttpCall;
import io.homeostat.core.SystemRuntime;
import io.homeostat.core.Transport;
import io.homeostat.core.TransportException;
import java.io.IOException;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What every transport to a real server does, tried against one that misbehaves to the byte. */
abstract class TransportContract {
    static final String CANARY = "canary-5ecret";

    final SystemRuntime runtime = SystemRuntime.create();
    private final List<AutoCloseable> opened = new ArrayList<>();

    abstract Transport connect(String url);

    /** How often a GET may be seen whose answer was lost: once, unless a library underneath knows better. */
    int mostRequestsOfALostGet() {
        return 1;
    }

    @AfterEach
    void closeAll() throws Exception {
        for (int i = opened.size() - 1; i >= 0; i--) {
            opened.get(i).close();
        }
        runtime.close();
    }

    Transport transport(WireServer server) {
        Transport transport = connect(server.url());
        opened.add(transport);
        return transport;
    }

    WireServer server(WireServer.Script script) throws IOException {
        WireServer server = WireServer.start(script);
        opened.add(server);
        return server;
    }

    WireServer answering(String answer) throws IOException {
        WireServer server = WireServer.answering(answer);
        opened.add(server);
        return server;
    }

    static HttpCall get() {
        return HttpCall.get("/api/v1/pods?limit=1", Headers.of("Accept", "application/json"));
    }

    static HttpCall stream() {
        return new HttpCall(
                "GET",
                "/api/v1/pods?watch=true",
                Headers.of("Accept", "application/json"),
                new byte[0],
                HttpCall.Kind.STREAM);
    }

    static HttpCall write(String method) {
        return new HttpCall(
                method,
                "/api/v1/namespaces/default/configmaps",
                Headers.of("Content-Type", "application/json").with("User-Agent", "test/1"),
                ("{\"data\":{\"name\":\"" + CANARY + "-世界\"}}").getBytes(StandardCharsets.UTF_8),
                HttpCall.Kind.REQUEST);
    }

    static Recorder all(Transport transport, HttpCall call) {
        Recorder recorder = new Recorder();
        transport.open(call, recorder).demand(Integer.MAX_VALUE);
        return recorder;
    }

    @Test
    void answerArrivesAsItWasSent() throws Exception {
        WireServer server = answering("HTTP/1.1 299 Odd\r\nX-One: a\r\nx-one: b\r\nContent-Length: 5\r\n\r\nhello");

        Recorder answer = all(transport(server), get()).awaitOver();

        assertThat(answer.failure()).isNull();
        assertThat(answer.status()).isEqualTo(299);
        assertThat(answer.headers().first("X-ONE")).contains("a");
        assertThat(answer.body()).isEqualTo("hello");
        assertThat(server.requests()).hasSize(1);
        assertThat(server.requests().get(0).line()).isEqualTo("GET /api/v1/pods?limit=1 HTTP/1.1");
    }

    @ParameterizedTest
    @ValueSource(strings = {"POST", "PUT", "PATCH", "DELETE"})
    void requestIsSentAsGiven(String method) throws Exception {
        WireServer server = answering(WireServer.answer(201, "{}"));

        Recorder answer = all(transport(server), write(method)).awaitOver();

        assertThat(answer.status()).isEqualTo(201);
        WireServer.Request request = server.requests().get(0);
        assertThat(request.line()).isEqualTo(method + " /api/v1/namespaces/default/configmaps HTTP/1.1");
        assertThat(request.body()).isEqualTo("{\"data\":{\"name\":\"" + CANARY + "-世界\"}}");
        assertThat(request.head()).containsPattern("(?i)\r\ncontent-type: application/json\\b");
        assertThat(request.head()).containsPattern("(?i)\r\nuser-agent: test/1\r\n");
        assertThat(request.head().toLowerCase(java.util.Locale.ROOT).split("content-type:"))
                .hasSize(2);
        assertThat(request.head().toLowerCase(java.util.Locale.ROOT).split("user-agent:"))
                .hasSize(2);
    }

    @ParameterizedTest
    @ValueSource(ints = {204, 304})
    void answerWithoutBodyEnds(int status) throws Exception {
        WireServer server = answering("HTTP/1.1 " + status + " None\r\n\r\n");

        Recorder answer = all(transport(server), write("DELETE")).awaitOver();

        assertThat(answer.failure()).isNull();
        assertThat(answer.status()).isEqualTo(status);
        assertThat(answer.body()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 7, 1000})
    void chunkedBodyIsWholeWhereverItIsCut(int size) throws Exception {
        String text = "0123456789".repeat(200) + "世界\r\n0\r\n\r\n";
        byte[] wire = WireServer.chunked(text.getBytes(StandardCharsets.UTF_8), size);
        WireServer server = server(connection -> {
            connection.request();
            connection.write(WireServer.chunkedHead());
            connection.dribble(wire);
            connection.awaitClose();
        });

        Recorder answer = all(transport(server), stream()).awaitOver();

        assertThat(answer.failure()).isNull();
        assertThat(answer.body()).isEqualTo(text);
    }

    @Test
    void chunkedBodyArrivesAtOnceToo() throws Exception {
        String text = "x".repeat(300_000);
        WireServer server = server(connection -> {
            while (connection.request() != null) {
                connection.write(WireServer.chunkedHead());
                connection.write(WireServer.chunked(text.getBytes(StandardCharsets.UTF_8), 999));
            }
        });
        Transport transport = transport(server);

        for (int i = 0; i < 3; i++) {
            Recorder answer = all(transport, get()).awaitOver();
            assertThat(answer.failure()).isNull();
            assertThat(answer.body()).isEqualTo(text);
        }
    }

    @Test
    void bodyWithoutLengthEndsWithTheConnection() throws Exception {
        WireServer server = server(connection -> {
            connection.request();
            connection.write("HTTP/1.1 200 OK\r\n\r\nall of it");
        });

        Recorder answer = all(transport(server), get()).awaitOver();

        assertThat(answer.failure()).isNull();
        assertThat(answer.body()).isEqualTo("all of it");
    }

    @Test
    void chunkIsGivenWhenItComesNotWhenMoreDoes() throws Exception {
        WireServer server = server(connection -> {
            connection.request();
            connection.write(WireServer.chunkedHead() + "5\r\nfirst\r\n");
            connection.awaitClose();
        });

        Recorder recorder = new Recorder();
        Transport.Exchange exchange = transport(server).open(stream(), recorder);
        exchange.demand(10);
        recorder.awaitBytes(5);

        assertThat(recorder.body()).isEqualTo("first");
        assertThat(recorder.isOver()).isFalse();
        exchange.cancel();
    }

    @Test
    void endNeedsNoDemand() throws Exception {
        CountDownLatch read = new CountDownLatch(1);
        WireServer server = server(connection -> {
            connection.request();
            connection.write(WireServer.chunkedHead() + "2\r\n{}\r\n");
            try {
                read.await(20, TimeUnit.SECONDS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            connection.write("0\r\n\r\n");
            connection.awaitClose();
        });
        Recorder recorder = new Recorder();
        transport(server).open(get(), recorder).demand(1);
        recorder.awaitBytes(2);

        read.countDown();

        recorder.awaitOver();
        assertThat(recorder.failure()).isNull();
        assertThat(recorder.body()).isEqualTo("{}");
    }

    @Test
    void requestsBeyondSixtyFourWaitForTheirTurnAndStreamsDoNot() throws Exception {
        CountDownLatch answer = new CountDownLatch(1);
        CountDownLatch sixtyFour = new CountDownLatch(64);
        WireServer server = server(connection -> {
            for (WireServer.Request request = connection.request(); request != null; request = connection.request()) {
                if (request.line().contains("watch=true")) {
                    connection.write(WireServer.chunkedHead() + "2\r\n{}\r\n");
                    connection.awaitClose();
                    return;
                }
                sixtyFour.countDown();
                try {
                    answer.await(20, TimeUnit.SECONDS);
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
                connection.write(WireServer.answer(200, "{}"));
            }
        });
        Transport transport = transport(server);
        List<Recorder> under = new ArrayList<>();
        for (int i = 0; i < 64; i++) {
            under.add(all(transport, get()));
        }
        assertThat(sixtyFour.await(20, TimeUnit.SECONDS)).isTrue();
        List<Recorder> waiting = new ArrayList<>();
        Recorder givenUp = new Recorder();
        Transport.Exchange exchange = transport.open(write("DELETE"), givenUp);
        for (int i = 0; i < 16; i++) {
            waiting.add(all(transport, write("PUT")));
        }
        Recorder stream = all(transport, stream());
        stream.awaitBytes(2);
        assertThat(exchange.giveUp()).isEqualTo(TransportException.Sent.NO);
        assertThat(server.requests().stream().filter(each -> !each.line().contains("watch=true")))
                .hasSize(64);

        answer.countDown();

        for (Recorder each : under) {
            assertThat(each.awaitOver().status()).isEqualTo(200);
        }
        for (Recorder each : waiting) {
            assertThat(each.awaitOver().status()).isEqualTo(200);
        }
        assertThat(server.requests()).noneMatch(each -> each.line().startsWith("DELETE"));
        assertThat(givenUp.isOver()).isFalse();
    }

    @Test
    void requestThatIsGivenUpDirectlyBeforeItLeavesDoesNotLeave() throws Exception {
        WireServer server = answering(WireServer.answer(200, "{}"));
        Transport transport = transport(server);
        CompletableFuture<Transport.Exchange> opened = new CompletableFuture<>();
        CompletableFuture<TransportException.Sent> sent = new CompletableFuture<>();
        Recorder recorder = new Recorder() {
            @Override
            public Optional<String> refusal() {
                sent.complete(opened.join().giveUp());
                return Optional.empty();
            }
        };

        opened.complete(transport.open(write("POST"), recorder));

        assertThat(sent.get(20, TimeUnit.SECONDS)).isEqualTo(TransportException.Sent.NO);
        assertThat(all(transport, get()).awaitOver().status()).isEqualTo(200);
        assertThat(server.requests()).noneMatch(each -> each.line().startsWith("POST"));
        assertThat(recorder.isOver()).isFalse();
    }

    @Test
    void requestThatIsGivenUpWithTheServerMayHaveBeenDone() throws Exception {
        CountDownLatch asked = new CountDownLatch(1);
        WireServer server = server(connection -> {
            connection.request();
            asked.countDown();
            connection.awaitClose();
        });
        Transport.Exchange exchange = transport(server).open(write("POST"), new Recorder());
        assertThat(asked.await(20, TimeUnit.SECONDS)).isTrue();

        assertThat(exchange.giveUp()).isEqualTo(TransportException.Sent.MAYBE);
        assertThat(exchange.giveUp()).isEqualTo(TransportException.Sent.MAYBE);
    }

    @ParameterizedTest
    @ValueSource(strings = {"refusal", "head"})
    void errorOfTheVmEndsTheExchangeAndReachesTheRuntime(String where) throws Exception {
        WireServer server = answering(WireServer.answer(200, "{}"));
        CompletableFuture<Throwable> fatal = new CompletableFuture<>();
        CompletableFuture<TransportException> told = new CompletableFuture<>();
        Transport.AnswerListener failing = new Transport.AnswerListener() {
            @Override
            public Optional<String> refusal() {
                return thrownAt("refusal", Optional.empty());
            }

            @Override
            public void head(int status, Headers headers) {
                thrownAt("head", status);
            }

            private <T> T thrownAt(String here, T otherwise) {
                if (here.equals(where)) {
                    throw new OutOfMemoryError("stands for the VM's");
                }
                return otherwise;
            }

            @Override
            public void chunk(byte[] bytes) {}

            @Override
            public void end() {}

            @Override
            public void failed(TransportException cause) {
                told.complete(cause);
            }
        };
        try (io.homeostat.core.Registration hook = runtime.onFatal(fatal::complete)) {
            transport(server).open(write("POST"), failing).demand(1);

            assertThat(fatal.get(20, TimeUnit.SECONDS)).isInstanceOf(OutOfMemoryError.class);
            assertThat(told.get(20, TimeUnit.SECONDS).sent())
                    .isEqualTo(where.equals("refusal") ? TransportException.Sent.NO : TransportException.Sent.MAYBE);
            assertThat(server.requests()).hasSize(where.equals("refusal") ? 0 : 1);
        }
    }

    @Test
    void answersThatWaitForTheirReaderHoldNobodyUp() throws Exception {
        WireServer server = answering(WireServer.answer(200, "{}"));
        Transport transport = transport(server);
        for (int i = 0; i < 64; i++) {
            Recorder unread = new Recorder();
            transport.open(get(), unread);
            unread.awaitHead();
        }

        assertThat(all(transport, get()).awaitOver().status()).isEqualTo(200);
    }

    @Test
    void nothingIsReadWithoutDemand() throws Exception {
        CountDownLatch full = new CountDownLatch(1);
        byte[] piece = "y".repeat(64 << 10).getBytes(StandardCharsets.US_ASCII);
        WireServer server = server(connection -> {
            connection.request();
            connection.write("HTTP/1.1 200 OK\r\nContent-Length: " + 64L * piece.length * 16 + "\r\n\r\n");
            for (int i = 0; i < 64 * 16; i++) { // 64 MiB: more than any socket buffer takes
                connection.write(piece);
            }
            full.countDown();
            connection.awaitClose();
        });
        Recorder recorder = new Recorder();
        Transport.Exchange exchange = transport(server).open(stream(), recorder);
        recorder.awaitHead();

        assertThat(full.await(1, TimeUnit.SECONDS))
                .as("the server could write all")
                .isFalse();
        assertThat(recorder.chunks()).isZero();
        exchange.demand(1);
        recorder.awaitBytes(1);
        exchange.demand(2);
        recorder.awaitBytes(3);
        assertThat(full.await(300, TimeUnit.MILLISECONDS)).isFalse();
        assertThat(recorder.chunks()).isLessThanOrEqualTo(3);
        exchange.demand(Integer.MAX_VALUE);
        assertThat(full.await(20, TimeUnit.SECONDS)).isTrue();
        recorder.awaitOver();
        assertThat(recorder.bytes()).hasSize(64 * 16 * piece.length);
    }

    @Test
    void chunkedBodyThatBreaksOffFails() throws Exception {
        WireServer server = server(connection -> {
            connection.request();
            connection.write(WireServer.chunkedHead() + "5\r\nfirst\r\n9\r\nhalf");
        });

        Recorder answer = all(transport(server), stream()).awaitOver();

        assertThat(answer.failure()).isNotNull();
        assertThat(answer.body()).startsWith("first");
    }

    @Test
    void chunkedBodyWithoutItsLastChunkFails() throws Exception {
        WireServer server = server(connection -> {
            connection.request();
            connection.write(WireServer.chunkedHead() + "5\r\nfirst\r\n");
        });

        Recorder answer = all(transport(server), stream()).awaitOver();

        assertThat(answer.failure()).isNotNull();
        assertThat(answer.body()).isEqualTo("first");
    }

    @Test
    void bodyShorterThanItsLengthFails() throws Exception {
        WireServer server = server(connection -> {
            connection.request();
            connection.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this");
        });

        Recorder answer = all(transport(server), get()).awaitOver();

        assertThat(answer.failure()).isNotNull();
        assertThat(answer.body()).isEqualTo("only this");
    }

    @Test
    void bodyThatIsResetFails() throws Exception {
        WireServer server = server(connection -> {
            connection.request();
            connection.write(WireServer.chunkedHead() + "5\r\nfirst\r\n");
            connection.reset();
        });

        Recorder answer = all(transport(server), stream()).awaitOver();

        assertThat(answer.failure()).isNotNull();
    }

    @ParameterizedTest
    @CsvSource({
        "GET,500",
        "GET,503",
        "GET,429",
        "GET,401",
        "GET,302",
        "POST,500",
        "POST,503",
        "POST,401",
        "POST,307",
        "PATCH,502"
    })
    void answerIsNeverFollowedByAnotherRequest(String method, int status) throws Exception {
        WireServer server = answering("HTTP/1.1 " + status
                + " Whatever\r\nRetry-After: 0\r\nLocation: /elsewhere\r\nContent-Length: 2\r\n\r\n{}");

        Recorder answer = all(transport(server), method.equals("GET") ? get() : write(method))
                .awaitOver();

        assertThat(answer.failure()).isNull();
        assertThat(answer.status()).isEqualTo(status);
        assertThat(answer.headers().first("Retry-After")).contains("0");
        assertThat(server.requests()).hasSize(1);
    }

    @ParameterizedTest
    @ValueSource(strings = {"GET", "POST", "PUT", "PATCH", "DELETE"})
    void lostAnswerIsOneRequestThatMayHaveBeenSeen(String method) throws Exception {
        WireServer server = server(connection -> connection.request());

        Recorder answer = all(transport(server), method.equals("GET") ? get() : write(method))
                .awaitOver();

        assertThat(answer.failure()).isNotNull();
        assertThat(answer.sent()).isEqualTo(TransportException.Sent.MAYBE);
        assertThat(server.requests()).hasSizeBetween(1, method.equals("GET") ? mostRequestsOfALostGet() : 1);
        assertThat(answer.failureMessage()).doesNotContain(CANARY);
    }

    @Test
    void resetInsteadOfAnswerIsOneRequestThatMayHaveBeenSeen() throws Exception {
        WireServer server = server(connection -> {
            connection.request();
            connection.reset();
        });

        Recorder answer = all(transport(server), write("POST")).awaitOver();

        assertThat(answer.sent()).isEqualTo(TransportException.Sent.MAYBE);
        assertThat(server.requests()).hasSize(1);
    }

    @Test
    void refusedConnectionSaysThatNothingWasSent() throws Exception {
        int port;
        try (ServerSocket unused = new ServerSocket(0)) {
            port = unused.getLocalPort();
        }
        Transport transport = connect("http://127.0.0.1:" + port);
        opened.add(transport);

        Recorder answer = all(transport, write("POST")).awaitOver();

        assertThat(answer.sent()).isEqualTo(TransportException.Sent.NO);
        assertThat(answer.failure()).hasMessageContaining("127.0.0.1:" + port);
    }

    @Test
    void unknownHostSaysThatNothingWasSent() throws Exception {
        Transport transport = connect("http://no-such-host.invalid:80");
        opened.add(transport);

        Recorder answer = all(transport, write("POST")).awaitOver();

        assertThat(answer.sent()).isEqualTo(TransportException.Sent.NO);
        assertThat(answer.failure()).hasMessageContaining("no-such-host.invalid");
    }

    @Test
    void keptConnectionThatTheServerClosedNeverDoublesAWrite() throws Exception {
        WireServer server = server(connection -> {
            connection.request();
            connection.write(WireServer.answer(200, "{}")); // promises to stay, and goes
        });
        Transport transport = transport(server);

        for (int i = 1; i <= 20; i++) {
            int before = server.requests().size();
            Recorder answer = all(transport, write("POST")).awaitOver();
            int seen = server.requests().size() - before;
            if (answer.failure() == null) {
                assertThat(seen).isEqualTo(1);
            } else if (answer.sent() == TransportException.Sent.NO) {
                assertThat(seen).isZero();
            } else {
                assertThat(seen).isLessThanOrEqualTo(1);
            }
        }
    }

    /** Answers the first request of its first connection, and does this with the second; others are answered. */
    private WireServer endingTheFirstConnection(boolean reset) throws IOException {
        return server(connection -> {
            while (connection.request() != null) {
                if (connection.number() == 1 && connection.served() == 2) {
                    if (reset) {
                        connection.reset();
                    }
                    return;
                }
                connection.write(WireServer.answer(200, "{}"));
            }
        });
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void readOnAKeptConnectionThatEndsWithTheRequestInHandIsAnsweredOnAnother(boolean reset) throws Exception {
        WireServer server = endingTheFirstConnection(reset);
        Transport transport = transport(server);
        all(transport, get()).awaitOver();

        Recorder second = all(transport, get()).awaitOver();

        assertThat(second.failure()).isNull();
        assertThat(second.body()).isEqualTo("{}");
        assertThat(server.connections()).isEqualTo(2);
        assertThat(server.requests()).hasSize(3);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void readOnAKeptConnectionThatEndsBeforeTheRequestArrivesIsAnsweredOnAnother(boolean reset) throws Exception {
        CountDownLatch end = new CountDownLatch(1);
        WireServer server = server(connection -> {
            while (connection.request() != null) {
                connection.write(WireServer.answer(200, "{}"));
                if (connection.number() == 1) {
                    await(end);
                    if (reset) {
                        connection.reset();
                    }
                    return;
                }
            }
        });
        Transport transport = transport(server);
        all(transport, get()).awaitOver();
        Recorder second = new Recorder() {
            @Override
            public Optional<String> refusal() { // asked when the connection has been looked at
                end.countDown();
                awaitNoConnection(server);
                return Optional.empty();
            }
        };

        transport.open(get(), second).demand(1);

        assertThat(second.awaitOver().failure()).isNull();
        assertThat(server.connections()).isEqualTo(2);
        assertThat(server.requests()).hasSize(2);
    }

    static void await(CountDownLatch latch) throws IOException {
        try {
            latch.await(20, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            throw new IOException(e);
        }
    }

    static void awaitNoConnection(WireServer server) {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
        while (server.openConnections() > 0 && System.nanoTime() < end) {
            Thread.onSpinWait();
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void writeOnAKeptConnectionThatEndsWithTheRequestInHandIsSentOnceAndItsOutcomeUnknown(boolean reset)
            throws Exception {
        WireServer server = endingTheFirstConnection(reset);
        Transport transport = transport(server);
        all(transport, get()).awaitOver();
        ApiClient client = ApiClient.over(runtime, transport, ApiClient.Settings.of("test/1"));

        assertThat(client.patch(
                        ResourceType.of(io.fabric8.kubernetes.api.model.ConfigMap.class),
                        new ObjectKey("default", "a"),
                        "",
                        ApiClient.PatchKind.MERGE,
                        "{}".getBytes(StandardCharsets.UTF_8)))
                .failsWithin(java.time.Duration.ofSeconds(20))
                .withThrowableThat()
                .havingCause()
                .isInstanceOf(ApiException.OutcomeUnknown.class);

        assertThat(server.requests()).hasSize(2);
        assertThat(all(transport, get()).awaitOver().failure()).isNull(); // nothing is left that would send it again
        assertThat(server.requests().stream().filter(each -> each.line().startsWith("PATCH")))
                .hasSize(1);
    }

    @Test
    void streamsDoNotShareConnectionsAndRequestsGoOnBesideThem() throws Exception {
        int count = 200;
        WireServer server = server(connection -> {
            for (WireServer.Request request = connection.request(); request != null; request = connection.request()) {
                if (request.line().contains("watch=true")) {
                    connection.write(WireServer.chunkedHead() + "5\r\nfirst\r\n");
                    connection.awaitClose();
                    return;
                }
                connection.write(WireServer.answer(200, "{}"));
            }
        });
        Transport transport = transport(server);
        List<Recorder> streams = new ArrayList<>();
        List<Transport.Exchange> exchanges = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            Recorder recorder = new Recorder();
            Transport.Exchange exchange = transport.open(stream(), recorder);
            exchange.demand(1);
            streams.add(recorder);
            exchanges.add(exchange);
        }
        for (Recorder stream : streams) {
            stream.awaitBytes(5);
        }

        for (int i = 0; i < 20; i++) {
            assertThat(all(transport, get()).awaitOver().status()).isEqualTo(200);
        }

        assertThat(server.connections()).isGreaterThanOrEqualTo(count + 1);
        assertThat(server.requests().stream()
                        .filter(request -> request.line().contains("watch=true"))
                        .map(WireServer.Request::connection)
                        .distinct())
                .hasSize(count);
        exchanges.forEach(Transport.Exchange::cancel);
    }

    @Test
    void afterARequestThatWasGivenUpUnansweredNoneIsSentOnAConnectionFromBefore() throws Exception {
        CountDownLatch both = new CountDownLatch(2);
        CountDownLatch unanswered = new CountDownLatch(1);
        WireServer server = server(connection -> {
            while (connection.request() != null) {
                if (connection.number() <= 2 && both.getCount() == 0) {
                    unanswered.countDown();
                    connection.awaitClose(); // the path has died
                    return;
                }
                both.countDown();
                try {
                    both.await(); // so that two connections are kept
                } catch (InterruptedException e) {
                    throw new IOException(e);
                }
                connection.write(WireServer.answer(200, "{}"));
            }
        });
        Transport transport = transport(server);
        Recorder one = all(transport, get());
        Recorder other = all(transport, get());
        assertThat(one.awaitOver().status()).isEqualTo(200);
        assertThat(other.awaitOver().status()).isEqualTo(200);

        Transport.Exchange silent = transport.open(get(), new Recorder());
        assertThat(unanswered.await(10, TimeUnit.SECONDS)).isTrue();
        silent.cancel();

        for (int i = 0; i < 3; i++) {
            assertThat(all(transport, get()).awaitOver().status()).isEqualTo(200);
        }
        assertThat(server.connections()).isEqualTo(3);
    }

    @Test
    void cancelledStreamClosesItsConnection() throws Exception {
        CountDownLatch gone = new CountDownLatch(1);
        WireServer server = server(connection -> {
            connection.request();
            connection.write(WireServer.chunkedHead() + "5\r\nfirst\r\n");
            try {
                connection.awaitClose();
            } finally {
                gone.countDown();
            }
        });
        Recorder recorder = new Recorder();
        Transport.Exchange exchange = transport(server).open(stream(), recorder);
        exchange.demand(5);
        recorder.awaitBytes(5);

        exchange.cancel();
        exchange.cancel();

        assertThat(gone.await(10, TimeUnit.SECONDS)).isTrue();
    }

    @Test
    void closedTransportFailsWhatIsOpenAndSendsNothingMore() throws Exception {
        WireServer server = server(connection -> {
            connection.request();
            connection.write(WireServer.chunkedHead() + "5\r\nfirst\r\n");
            connection.awaitClose();
        });
        Transport transport = transport(server);
        Recorder late = new Recorder();
        transport.open(stream(), late).demand(5);
        late.awaitBytes(5);

        transport.close();
        Recorder after = all(transport, write("POST")).awaitOver();

        assertThat(after.sent()).isEqualTo(TransportException.Sent.NO);
        assertThat(server.requests()).hasSize(1);
    }
}
