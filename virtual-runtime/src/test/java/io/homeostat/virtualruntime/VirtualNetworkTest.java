package io.homeostat.virtualruntime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.homeostat.core.Headers;
import io.homeostat.core.HttpAnswer;
import io.homeostat.core.HttpCall;
import io.homeostat.core.Lane;
import io.homeostat.core.Registration;
import io.homeostat.core.Transport;
import io.homeostat.core.TransportException;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
final class VirtualNetworkTest {
    private static final Duration MINUTE = Duration.ofMinutes(1);
    private static final String TEXT = "{\"kind\":\"ConfigMap\",\"text\":\"grüße, 世界 🚀\"}\n".repeat(20);

    private final VirtualWorld world = VirtualWorld.seeded(5);
    private final VirtualNetwork network = VirtualNetwork.in(world);
    private final VirtualProcess server = world.process("server");
    private final VirtualProcess client = world.process("client");
    private final EchoServer echo = new EchoServer(server);
    private final Transport transport = network.connect(client, "api");

    VirtualNetworkTest() {
        network.listen("api", server, echo);
    }

    @AfterEach
    void closeWorld() {
        world.close();
    }

    /**
     * {@code GET /text} answers with {@link #TEXT} in three chunks; {@code POST} counts; {@code GET /ticks} streams a chunk a second.
     * Honours demand.
     */
    private static final class EchoServer implements Transport {
        private final VirtualProcess process;
        private final Lane lane;
        private int posts;
        private int opened;
        private int cancelled;
        private int mostUndemanded;

        EchoServer(VirtualProcess process) {
            this.process = process;
            this.lane = process.lane("echo");
        }

        @Override
        public Exchange open(HttpCall call, AnswerListener listener) {
            opened++;
            Answer answer = new Answer(call, listener);
            lane.execute(answer::begin);
            return answer;
        }

        @Override
        public void close() {}

        private final class Answer implements Exchange {
            private final HttpCall call;
            private final AnswerListener listener;
            private final List<byte[]> queue = new ArrayList<>();
            private boolean endless;
            private boolean over;
            private long credit;
            private int ticks;

            Answer(HttpCall call, AnswerListener listener) {
                this.call = call;
                this.listener = listener;
            }

            void begin() {
                posts += call.method().equals("POST") ? 1 : 0;
                endless = call.target().equals("/ticks");
                boolean gzip = call.headers().first("Accept-Encoding").isPresent();
                Headers headers = Headers.of("Content-Type", "application/json").with("Gzip-Asked", "" + gzip);
                listener.head(200, endless ? headers : headers.with("Content-Length", "" + utf8(TEXT).length));
                if (endless) {
                    tick();
                } else {
                    byte[] text = utf8(TEXT);
                    int third = text.length / 3;
                    queue.add(slice(text, 0, third));
                    queue.add(slice(text, third, 2 * third));
                    queue.add(slice(text, 2 * third, text.length));
                }
                send();
            }

            private void tick() {
                if (!over) {
                    queue.add(utf8("tick " + ticks++ + "\n"));
                    mostUndemanded = Math.max(mostUndemanded, queue.size());
                    process.after(Duration.ofSeconds(1), lane, this::tick);
                    send();
                }
            }

            private void send() {
                while (!over && credit > 0 && !queue.isEmpty()) {
                    credit--;
                    listener.chunk(queue.remove(0));
                }
                if (!over && !endless && queue.isEmpty()) {
                    over = true;
                    listener.end();
                }
            }

            @Override
            public void demand(int chunks) {
                credit += chunks;
                lane.execute(this::send);
            }

            @Override
            public void cancel() {
                cancelled += over ? 0 : 1;
                over = true;
            }
        }
    }

    /** Keeps what it is told, and that it is told on its client's side and one at a time. */
    private static class Recorder implements Transport.AnswerListener {
        final VirtualProcess client;
        final List<String> events = new ArrayList<>();
        final List<byte[]> chunks = new ArrayList<>();

        Recorder(VirtualProcess client) {
            this.client = client;
        }

        @Override
        public void head(int status, Headers headers) {
            note("head");
        }

        @Override
        public void chunk(byte[] bytes) {
            note("chunk");
            assertThat(bytes).isNotEmpty();
            chunks.add(bytes);
        }

        @Override
        public void end() {
            note("end");
        }

        @Override
        public void failed(TransportException cause) {
            note("failed " + cause.sent());
        }

        private void note(String event) {
            Strand current = client.world().current();
            assertThat(current).isNotNull();
            assertThat(current.process).isSameAs(client);
            events.add(event);
        }

        byte[] body() {
            ByteArrayOutputStream all = new ByteArrayOutputStream();
            chunks.forEach(all::writeBytes);
            return all.toByteArray();
        }
    }

    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static byte[] slice(byte[] bytes, int from, int to) {
        return Arrays.copyOfRange(bytes, from, to);
    }

    private static HttpCall get(String target) {
        return HttpCall.get(target, Headers.of("Accept-Encoding", "gzip"));
    }

    private static HttpCall post() {
        return new HttpCall("POST", "/things", Headers.NONE, new byte[] {1}, HttpCall.Kind.REQUEST);
    }

    private static HttpCall stream(String target) {
        return new HttpCall("GET", target, Headers.NONE, new byte[0], HttpCall.Kind.STREAM);
    }

    private HttpAnswer send(HttpCall call) {
        return client.await(transport.send(call, 1 << 20), MINUTE);
    }

    @Test
    void withoutFaultsTheAnswerIsWhatTheServerGave() {
        HttpAnswer answer = send(get("/text"));
        assertThat(answer.status()).isEqualTo(200);
        assertThat(new String(answer.body(), StandardCharsets.UTF_8)).isEqualTo(TEXT);
        assertThat(answer.headers().first("Content-Length")).isPresent();
        assertThat(answer.headers().first("Gzip-Asked")).contains("true");
        assertThat(world.now()).isBetween(Duration.ofMillis(1), Duration.ofMillis(100));
    }

    @Test
    void chunksAreSplitAnywhereAndNothingIsLost() {
        network.faults(Faults.none().splitting(1));
        Set<Integer> sizes = new HashSet<>();
        for (int i = 0; i < 50; i++) {
            Recorder recorder = new Recorder(client);
            transport.open(get("/text"), recorder).demand(Integer.MAX_VALUE);
            world.runUntil(() -> recorder.events.contains("end"), MINUTE);
            assertThat(new String(recorder.body(), StandardCharsets.UTF_8)).isEqualTo(TEXT);
            recorder.chunks.forEach(chunk -> sizes.add(chunk.length));
        }
        assertThat(sizes).hasSizeGreaterThan(50);
    }

    @Test
    void answersToThoseWhoAcceptGzipComeInSeveralMembers() throws IOException {
        network.faults(Faults.none().gzipping(1).splitting(1));
        HttpAnswer answer = send(get("/text"));
        assertThat(answer.headers().first("Content-Encoding")).contains("gzip");
        assertThat(answer.headers().first("Content-Length")).isEmpty();
        assertThat(answer.headers().first("Gzip-Asked")).contains("false");
        byte[] inflated = new GZIPInputStream(new ByteArrayInputStream(answer.body())).readAllBytes();
        assertThat(new String(inflated, StandardCharsets.UTF_8)).isEqualTo(TEXT);
        int members = 0;
        for (int i = 0; i + 2 < answer.body().length; i++) {
            members += answer.body()[i] == 0x1f && answer.body()[i + 1] == (byte) 0x8b && answer.body()[i + 2] == 8
                    ? 1
                    : 0;
        }
        assertThat(members).isGreaterThanOrEqualTo(3);
    }

    @Test
    void answersToThoseWhoDoNotAcceptGzipAreLeftAlone() {
        network.faults(Faults.none().gzipping(1));
        HttpAnswer answer = send(HttpCall.get("/text", Headers.NONE));
        assertThat(answer.headers().first("Content-Encoding")).isEmpty();
        assertThat(new String(answer.body(), StandardCharsets.UTF_8)).isEqualTo(TEXT);
    }

    @Test
    void demandIsHonouredToTheChunkAndReachesBackToTheServer() {
        network.faults(Faults.none().splitting(0.5));
        Recorder recorder = new Recorder(client);
        Transport.Exchange exchange = transport.open(stream("/ticks"), recorder);
        world.runFor(MINUTE);
        assertThat(recorder.events).containsExactly("head");
        for (int demanded = 1; demanded <= 5; demanded++) {
            exchange.demand(1);
            world.runFor(Duration.ofSeconds(1));
            assertThat(recorder.chunks).hasSize(demanded);
        }
        assertThat(echo.mostUndemanded).isGreaterThan(30);
        exchange.demand(1000);
        world.runFor(Duration.ofSeconds(10));
        assertThat(new String(recorder.body(), StandardCharsets.UTF_8))
                .startsWith("tick 0\ntick 1\ntick 2\n")
                .contains("tick 60\n");
    }

    @Test
    void cancelReachesTheServerAndEndsTheCallbacks() {
        Recorder recorder = new Recorder(client);
        Transport.Exchange exchange = transport.open(stream("/ticks"), recorder);
        exchange.demand(1000);
        world.runFor(Duration.ofSeconds(10));
        int before = recorder.events.size();
        exchange.cancel();
        exchange.cancel();
        world.runFor(MINUTE);
        assertThat(recorder.events.size()).isBetween(before, before + 1);
        assertThat(echo.cancelled).isEqualTo(1);
    }

    @Test
    void whoGivesUpIsToldWhetherTheRequestWasLetIn() {
        network.faults(Faults.none().refusing(1));
        Recorder refused = new Recorder(client);
        Transport.Exchange never = transport.open(post(), refused);
        assertThat(never.giveUp()).isEqualTo(TransportException.Sent.NO);
        assertThat(never.giveUp()).isEqualTo(TransportException.Sent.NO);

        network.heal();
        Transport.Exchange underWay = transport.open(post(), new Recorder(client));
        assertThat(underWay.giveUp()).isEqualTo(TransportException.Sent.MAYBE);
        network.faults(Faults.none().losingRequests(1));
        assertThat(transport.open(post(), new Recorder(client)).giveUp()).isEqualTo(TransportException.Sent.MAYBE);
        world.runFor(MINUTE);
        assertThat(refused.events.size()).isLessThan(2); // the callback that may have been under way
    }

    @Test
    void refusedCallsNeverReachTheServer() {
        network.faults(Faults.none().refusing(1));
        assertThatThrownBy(() -> send(post()))
                .isInstanceOfSatisfying(TransportException.class, refused -> assertThat(refused.sent())
                        .isEqualTo(TransportException.Sent.NO));
        assertThat(echo.opened).isZero();
    }

    @Test
    void lostAnswersLeaveTheRequestApplied() {
        network.faults(Faults.none().losingAnswers(1));
        assertThatThrownBy(() -> send(post()))
                .isInstanceOfSatisfying(TransportException.class, lost -> assertThat(lost.sent())
                        .isEqualTo(TransportException.Sent.MAYBE));
        assertThat(echo.posts).isEqualTo(1);
    }

    @Test
    void lostRequestsCannotBeToldFromLostAnswers() {
        network.faults(Faults.none().losingRequests(1));
        assertThatThrownBy(() -> send(post()))
                .isInstanceOfSatisfying(TransportException.class, lost -> assertThat(lost.sent())
                        .isEqualTo(TransportException.Sent.MAYBE));
        assertThat(echo.posts).isZero();
    }

    @Test
    void truncatedAnswersBreakOffAnywhere() {
        network.faults(Faults.none().truncating(0.5));
        Set<Integer> lengths = new HashSet<>();
        for (int i = 0; i < 100; i++) {
            Recorder recorder = new Recorder(client);
            transport.open(get("/text"), recorder).demand(Integer.MAX_VALUE);
            world.runUntil(() -> recorder.events.contains("end") || recorder.events.contains("failed MAYBE"), MINUTE);
            assertThat(utf8(TEXT)).startsWith(recorder.body());
            if (recorder.events.contains("failed MAYBE")) {
                lengths.add(recorder.body().length);
            }
        }
        assertThat(lengths).hasSizeGreaterThan(30);
    }

    @Test
    void stalledAnswersStaySilentUntilTheyAreGivenUp() {
        network.faults(Faults.none().stalling(1));
        Recorder recorder = new Recorder(client);
        Transport.Exchange exchange = transport.open(stream("/ticks"), recorder);
        exchange.demand(1000);
        world.runFor(Duration.ofHours(1));
        network.heal();
        world.runFor(Duration.ofHours(1));
        assertThat(recorder.events).doesNotContain("end", "failed MAYBE", "failed NO");
        assertThat(recorder.chunks).hasSizeLessThan(2);
        exchange.cancel();
        world.runFor(MINUTE);
        assertThat(echo.cancelled).isEqualTo(1);
    }

    @Test
    void streamsAreResetWhileTheyAreIdle() {
        network.faults(Faults.none().resettingStreams(1));
        Recorder recorder = new Recorder(client);
        transport.open(stream("/ticks"), recorder).demand(1000);
        world.runFor(MINUTE.plusSeconds(1));
        assertThat(recorder.events).last().isEqualTo("failed MAYBE");
        assertThat(echo.cancelled).isEqualTo(1);
    }

    @Test
    void healedNetworkHasNoFaults() {
        network.faults(Faults.none().refusing(1).losingAnswers(1).truncating(1).stalling(1));
        network.heal();
        assertThat(new String(send(get("/text")).body(), StandardCharsets.UTF_8))
                .isEqualTo(TEXT);
    }

    @Test
    void clientsSeeACrashOfTheServer() {
        Recorder recorder = new Recorder(client);
        transport.open(stream("/ticks"), recorder).demand(1000);
        world.runFor(Duration.ofSeconds(10));
        server.crash();
        world.runFor(Duration.ofSeconds(1));
        assertThat(recorder.events).last().isEqualTo("failed MAYBE");
        assertThatThrownBy(() -> send(post()))
                .isInstanceOfSatisfying(TransportException.class, refused -> assertThat(refused.sent())
                        .isEqualTo(TransportException.Sent.NO));
        VirtualProcess successor = world.process("server");
        network.listen("api", successor, new EchoServer(successor));
        assertThat(send(post()).status()).isEqualTo(200);
    }

    @Test
    void clientsMayNeverHearOfTheDeathOfAServer() {
        network.faults(Faults.none().silentDeaths(1));
        Recorder recorder = new Recorder(client);
        transport.open(stream("/ticks"), recorder).demand(1000);
        world.runFor(Duration.ofSeconds(10));
        server.crash();
        world.runFor(Duration.ofHours(1));
        assertThat(recorder.events).last().isEqualTo("chunk");
    }

    @Test
    void serverSeesTheCrashOfAClientAndTheClientNothingMore() {
        Recorder recorder = new Recorder(client);
        transport.open(stream("/ticks"), recorder).demand(1000);
        world.runFor(Duration.ofSeconds(10));
        client.crash();
        int before = recorder.events.size();
        world.runFor(MINUTE);
        assertThat(recorder.events).hasSize(before);
        assertThat(echo.cancelled).isEqualTo(1);
    }

    @Test
    void pausedServerIsSilentAndThenAnswers() {
        server.pause();
        CompletableFuture<HttpAnswer> answer =
                transport.send(get("/text"), 1 << 20).toCompletableFuture();
        world.runFor(MINUTE);
        assertThat(answer).isNotDone();
        server.resume();
        world.runFor(Duration.ofSeconds(1));
        assertThat(answer).isCompleted();
    }

    @Test
    void isolatedProcessHearsNothingUntilItIsBack() {
        network.isolate(server);
        CompletableFuture<HttpAnswer> answer =
                transport.send(get("/text"), 1 << 20).toCompletableFuture();
        world.runFor(MINUTE);
        assertThat(answer).isNotDone();
        assertThat(echo.opened).isZero();
        network.rejoin(server);
        world.runFor(Duration.ofSeconds(1));
        assertThat(new String(answer.getNow(null).body(), StandardCharsets.UTF_8))
                .isEqualTo(TEXT);
    }

    @Test
    void exchangesThatWereMadeHalfOpenSayNothingMoreAndNewOnesWork() {
        Recorder recorder = new Recorder(client);
        transport.open(stream("/ticks"), recorder).demand(1000);
        world.runFor(Duration.ofSeconds(10));
        network.silence(server); // whose exchanges these are not
        int before = recorder.events.size();
        world.runFor(Duration.ofSeconds(10));
        assertThat(recorder.events).hasSizeGreaterThan(before);
        network.silence(client);
        world.runFor(Duration.ofSeconds(1)); // what was on its way arrives
        int last = recorder.events.size();
        world.runFor(MINUTE);
        assertThat(recorder.events).hasSize(last).noneMatch(event -> event.startsWith("failed"));
        assertThat(send(get("/text")).status()).isEqualTo(200);
    }

    @Test
    void closedTransportFailsItsExchangesAndRefusesNewOnes() {
        Recorder recorder = new Recorder(client);
        transport.open(stream("/ticks"), recorder).demand(1000);
        world.runFor(Duration.ofSeconds(10));
        transport.close();
        transport.close();
        world.runFor(Duration.ofSeconds(1));
        assertThat(recorder.events).last().isEqualTo("failed MAYBE");
        assertThat(echo.cancelled).isEqualTo(1);
        assertThatThrownBy(() -> send(post()))
                .isInstanceOfSatisfying(TransportException.class, refused -> assertThat(refused.sent())
                        .isEqualTo(TransportException.Sent.NO));
    }

    @Test
    void everyTransportCallIsACrashPoint() {
        client.start("main", () -> transport.open(post(), new Recorder(client)).demand(1));
        client.crashAtCall(1);
        world.runFor(MINUTE);
        assertThat(client.isCrashed()).isTrue();
        assertThat(echo.opened).isZero();
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3})
    void sameSeedTakesTheSameStepsWithFaultsToo(long seed) {
        assertThat(faultyRun(seed)).isEqualTo(faultyRun(seed));
        assertThat(faultyRun(seed)).isNotEqualTo(faultyRun(seed + 100));
    }

    /** Clients that repeat until the network heals; the end of the trace. */
    private static String faultyRun(long seed) {
        try (VirtualWorld world = VirtualWorld.traced(seed)) {
            VirtualNetwork network = VirtualNetwork.in(world);
            network.faults(Faults.seeded(world.random("faults")));
            VirtualProcess server = world.process("server");
            network.listen("api", server, new EchoServer(server));
            Set<Object> done = Collections.newSetFromMap(new IdentityHashMap<>());
            for (int c = 0; c < 3; c++) {
                VirtualProcess client = world.process("client");
                Transport transport = network.connect(client, "api");
                Registration unused = client.after(Duration.ofHours(1), client.lane("late"), () -> {});
                client.start("main", () -> {
                    for (int answers = 0; answers < 5; ) {
                        try {
                            client.await(transport.send(get("/text"), 1 << 20), Duration.ofSeconds(2));
                            answers++;
                        } catch (RuntimeException retried) {
                            client.sleep(Duration.ofMillis(100));
                        }
                    }
                    unused.close();
                    done.add(client);
                });
            }
            world.after(Duration.ofSeconds(3), network::heal);
            world.runUntil(() -> done.size() == 3, Duration.ofMinutes(5));
            return world.trace();
        }
    }

    @Test
    void seededMixesDiffer() {
        SplittableRandom random = new SplittableRandom(1);
        Set<String> mixes = new HashSet<>();
        for (int i = 0; i < 100; i++) {
            mixes.add(Faults.seeded(random).toString());
        }
        assertThat(mixes).hasSize(100);
        assertThatThrownBy(() -> Faults.none().refusing(1.5)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> Faults.none().latency(Duration.ofSeconds(2), Duration.ofSeconds(1)))
                .isInstanceOf(IllegalArgumentException.class);
    }
}
