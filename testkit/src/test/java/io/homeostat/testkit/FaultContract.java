package io.homeostat.testkit;

import static io.homeostat.testkit.FaultedServer.LIST;
import static io.homeostat.testkit.FaultedServer.frame;
import static io.homeostat.testkit.FaultedServer.frames;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Headers;
import io.homeostat.core.HttpCall;
import io.homeostat.core.SystemRuntime;
import io.homeostat.core.Transport;
import io.homeostat.core.TransportException;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.zip.GZIPInputStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

/** What rules do, for both forms: over sockets, and around a transport. */
@Timeout(60)
@ExtendWith(ThreadLeakCheck.class)
abstract class FaultContract {
    static final String LISTING = "/api/v1/namespaces/n/configmaps";
    static final String WATCHING = LISTING + "?watch=true";
    /** Three versions of one object. */
    static final String WATCHING_ONE = WATCHING + "&fieldSelector=metadata.name%3Dc-1";

    private static final Duration SOON = Duration.ofSeconds(20);

    SystemRuntime runtime = SystemRuntime.create();
    FaultedServer server = new FaultedServer(runtime);
    private @Nullable Transport client;

    /** A way to {@link #server} under this plan. */
    abstract Transport through(EngineRuntime runtime, FaultedServer server, FaultPlan plan) throws IOException;

    abstract void follow(FaultPlan plan);

    abstract List<String> log();

    abstract int requests(String verb, String resource);

    @BeforeEach
    void start() throws IOException {
        client = through(runtime, server, FaultPlan.none());
    }

    @AfterEach
    void stop() {
        if (client != null) {
            client.close();
        }
        runtime.close();
    }

    // ---- what a client sees

    /** One answer as it comes. */
    static final class Seen implements Transport.AnswerListener {
        @GuardedBy("this")
        private int status;

        @GuardedBy("this")
        private Headers headers = Headers.NONE;

        @GuardedBy("this")
        private final ByteArrayOutputStream body = new ByteArrayOutputStream();

        @GuardedBy("this")
        private int chunks;

        @GuardedBy("this")
        private String how = "open";

        @Override
        public synchronized void head(int status, Headers headers) {
            this.status = status;
            this.headers = headers;
        }

        @Override
        public synchronized void chunk(byte[] bytes) {
            chunks++;
            body.writeBytes(bytes);
        }

        @Override
        public synchronized void end() {
            how = "ended";
        }

        @Override
        public synchronized void failed(TransportException cause) {
            how = "failed " + cause.sent();
        }

        synchronized int status() {
            return status;
        }

        synchronized Headers headers() {
            return headers;
        }

        synchronized String body() {
            return body.toString(StandardCharsets.UTF_8);
        }

        synchronized byte[] bytes() {
            return body.toByteArray();
        }

        synchronized int chunks() {
            return chunks;
        }

        synchronized String how() {
            return how;
        }
    }

    private Seen send(String method, String target, String acceptEncoding) {
        Seen seen = new Seen();
        Headers headers = acceptEncoding.isEmpty() ? Headers.NONE : Headers.of("Accept-Encoding", acceptEncoding);
        HttpCall.Kind kind = target.contains("watch") ? HttpCall.Kind.STREAM : HttpCall.Kind.REQUEST;
        assertThat(client).isNotNull();
        client.open(new HttpCall(method, target, headers, new byte[0], kind), seen)
                .demand(10_000);
        return seen;
    }

    private Seen under(String rules, String method, String target) {
        follow(FaultPlan.parse("seed=7; " + rules));
        return send(method, target, "");
    }

    private static void ends(Seen seen, String how) {
        Polling.eventually(SOON, () -> assertThat(seen.how()).isEqualTo(how));
    }

    private static void shows(Seen seen, String body) {
        Polling.eventually(SOON, () -> assertThat(seen.body()).isEqualTo(body));
    }

    /** Nothing more comes: seen by a later exchange that has come to its end. */
    private void staysAt(Seen seen, String body, String how) {
        shows(seen, body);
        for (int i = 0; i < 3; i++) {
            ends(send("GET", "/api/v1/namespaces/n/secrets", ""), "ended");
        }
        assertThat(seen.body()).isEqualTo(body);
        assertThat(seen.how()).isEqualTo(how);
    }

    // ---- rules

    @Test
    void whatNoRuleMeetsPassesAsItIs() {
        Seen list = under("watch secrets frame 1: drop", "GET", LISTING);
        Seen watch = send("GET", WATCHING, "gzip");

        ends(list, "ended");
        assertThat(list.body()).isEqualTo(LIST);
        assertThat(list.status()).isEqualTo(200);
        staysAt(watch, frames(1, 2, 3, 4, 5), "open");
        assertThat(watch.headers().first("Content-Encoding")).isEmpty();
        assertThat(server.calls).allSatisfy(call -> assertThat(call.headers().first("Accept-Encoding"))
                .isEmpty());
    }

    @Test
    void aResetRequestNeverReachesTheServer() {
        ends(under("create configmaps: reset", "POST", LISTING), "failed MAYBE");
        assertThat(server.calls).isEmpty();
    }

    @Test
    void aResetAnswerIsLostAfterTheServerHasActed() {
        Seen seen = under("create configmaps answer: reset", "POST", LISTING);

        ends(seen, "failed MAYBE");
        assertThat(seen.status()).isZero();
        assertThat(server.calls).hasSize(1);
    }

    @Test
    void aConnectionThatIsResetBeforeTlsIsCertainlyNotSent() {
        ends(under("connect #1: reset", "POST", LISTING), "failed NO");
        ends(send("POST", LISTING, ""), "ended");
        assertThat(server.calls).hasSize(1);
    }

    @Test
    void anAnswerIsCutAtAnyByte() {
        byte[] whole = LIST.getBytes(StandardCharsets.UTF_8);
        for (int k : List.of(0, 1, whole.length / 2, whole.length - 1)) {
            Seen truncated = under("list configmaps byte " + k + ": truncate", "GET", LISTING);
            ends(truncated, "failed MAYBE");
            ends(under("list configmaps byte " + k + ": reset", "GET", LISTING), "failed MAYBE");
            assertThat(truncated.bytes()).isEqualTo(java.util.Arrays.copyOf(whole, k));
        }
    }

    @Test
    void aPositionDrawnFromTheSeedIsTheSameEachTime() {
        String rule = "list configmaps byte 1-100: end";
        Seen first = under(rule, "GET", LISTING);
        ends(first, "ended");
        Seen other = send("GET", LISTING, "");
        ends(other, "ended");
        Seen again = under(rule, "GET", LISTING);
        ends(again, "ended");
        assertThat(first.bytes()).hasSizeBetween(1, 100);
        assertThat(again.bytes()).isEqualTo(first.bytes());
        assertThat(other.bytes()).isNotEqualTo(first.bytes());
    }

    @Test
    void anAnswerThatEndsProperlyCanBeAllOfNothing() {
        Seen seen = under("list configmaps answer: end", "GET", LISTING);

        ends(seen, "ended");
        assertThat(seen.status()).isEqualTo(200);
        assertThat(seen.bytes()).isEmpty();
    }

    @Test
    void silenceSaysNothingInEitherDirection() {
        Seen both = under("list configmaps: silence", "GET", LISTING);
        staysAt(both, "", "open");
        assertThat(server.calls).noneMatch(call -> call.target().equals(LISTING));

        Seen answer = under("list configmaps answer: silence", "GET", LISTING);
        staysAt(answer, "", "open");
        assertThat(server.calls).anyMatch(call -> call.target().equals(LISTING));

        staysAt(under("watch configmaps frame 3: silence", "GET", WATCHING), frames(1, 2), "open");
    }

    @Test
    void aDelayHoldsUpTheRequestTheAnswerOrTheFrame() {
        for (String point : List.of("request", "answer", "byte 20")) {
            long begin = System.nanoTime();
            ends(under("list configmaps " + point + ": delay 120ms", "GET", LISTING), "ended");
            assertThat(System.nanoTime() - begin)
                    .isGreaterThan(Duration.ofMillis(120).toNanos());
        }
        shows(under("watch configmaps frame 2: delay 20ms", "GET", WATCHING), frames(1, 2, 3, 4, 5));
    }

    @Test
    void aStatusIsAnsweredWithoutAskingTheServerAndSaysWhenToComeBack() {
        Seen seen = under("list configmaps #1: status 429 retry-after 2s", "GET", LISTING);

        ends(seen, "ended");
        assertThat(seen.status()).isEqualTo(429);
        assertThat(seen.headers().first("Retry-After")).contains("2");
        assertThat(seen.body()).contains("\"reason\":\"TooManyRequests\"").contains("\"retryAfterSeconds\":2");
        assertThat(server.calls).isEmpty();
        ends(send("GET", LISTING, ""), "ended");
        assertThat(server.calls).hasSize(1);
    }

    @Test
    void aStatusInAWatchIsAnErrorFrame() {
        Seen seen = under("watch configmaps frame 2: status 410; watch configmaps frame 3: end", "GET", WATCHING);

        ends(seen, "ended");
        assertThat(seen.body()).startsWith(frame(1) + "{\"type\":\"ERROR\"").contains("\"reason\":\"Expired\"");
    }

    @Test
    void aReplyIsNotWhatWasAskedFor() {
        assertThat(replied("html")).isEqualTo("<html><body><h1>502 Bad Gateway</h1></body></html>");
        assertThat(replied("table")).contains("\"kind\":\"Table\"");
        assertThat(replied("kind")).contains("\"kind\":\"Binding\"");
        assertThat(replied("garbage")).startsWith("\u0001");
        String table = replied("table");
        shows(
                under("watch configmaps frame 2: reply table", "GET", WATCHING),
                frame(1) + table + "\n" + frames(3, 4, 5));
    }

    private String replied(String what) {
        Seen seen = under("list configmaps answer: reply " + what, "GET", LISTING);
        ends(seen, "ended");
        assertThat(seen.status()).isEqualTo(200);
        return seen.body();
    }

    @Test
    void framesAreDroppedDoubledSwappedAndRewritten() {
        shows(under("watch configmaps frame 2-3: drop", "GET", WATCHING), frames(1, 4, 5));
        shows(under("watch configmaps frame 4: duplicate", "GET", WATCHING), frames(1, 2, 3, 4, 4, 5));
        shows(under("watch configmaps frame 2: swap", "GET", WATCHING), frames(1, 3, 2, 4, 5));
        shows(
                under("watch configmaps frame 2-: rewrite \"c-([0-9])\" to \"d-$1\"", "GET", WATCHING),
                frame(1) + frames(2, 3, 4, 5).replace("c-", "d-"));
        shows(
                under("watch configmaps frame 1: duplicate; watch configmaps frame 2: drop", "GET", WATCHING),
                frames(1, 1, 3, 4, 5));
    }

    @Test
    void whatWasSaidOfAnObjectBeforeIsSaidAgain() {
        shows(under("watch configmaps frame 1-: stale", "GET", WATCHING), frames(1, 2, 3, 4, 5));
        String first = FaultedServer.frame("c-1", 1);
        String second = FaultedServer.frame("c-1", 2);
        String third = FaultedServer.frame("c-1", 3);
        shows(under("watch configmaps frame 1-: stale", "GET", WATCHING_ONE), first + second + first + third + second);
        shows(under("watch configmaps frame 3: stale", "GET", WATCHING_ONE), first + second + third + second);
    }

    @Test
    void aFrameIsCutAtAnyOfItsBytes() {
        for (int k = 0; k <= frame(2).length(); k += 17) {
            Seen seen = under("watch configmaps frame 2 byte " + k + ": truncate", "GET", WATCHING);
            ends(seen, "failed MAYBE");
            assertThat(seen.body()).isEqualTo((frame(1) + frame(2)).substring(0, frame(1).length() + k));
        }
    }

    @Test
    void aWholeBodyIsRewritten() {
        Seen seen = under("list configmaps answer: rewrite \"\\\"9\\\"\" to \"\\\"3\\\"\"", "GET", LISTING);

        ends(seen, "ended");
        assertThat(seen.body()).isEqualTo(LIST.replace("\"9\"", "\"3\""));
    }

    @Test
    void anAnswerIsSplitAndSlowed() {
        Seen split = under("list configmaps answer: split 1", "GET", LISTING);
        ends(split, "ended");
        assertThat(split.body()).isEqualTo(LIST);

        long begin = System.nanoTime();
        Seen slow = under("list configmaps answer: slow 500", "GET", LISTING);
        ends(slow, "ended");
        assertThat(slow.body()).isEqualTo(LIST);
        assertThat(System.nanoTime() - begin)
                .isGreaterThan(Duration.ofMillis(150).toNanos());
    }

    @Test
    void answersAreCompressedForWhoAcceptsItWhenThePlanSaysSo() {
        follow(FaultPlan.seed(1).gzip().with(FaultRule.parse("* * answer: split 7")));
        Seen list = send("GET", LISTING, "gzip");
        Seen watch = send("GET", WATCHING, "gzip");
        Seen plain = send("GET", LISTING, "");

        ends(list, "ended");
        ends(plain, "ended");
        assertThat(list.headers().first("Content-Encoding")).contains("gzip");
        assertThat(inflated(list.bytes())).isEqualTo(LIST);
        assertThat(plain.body()).isEqualTo(LIST);
        Polling.eventually(SOON, () -> assertThat(inflated(watch.bytes())).isEqualTo(frames(1, 2, 3, 4, 5)));
    }

    private static String inflated(byte[] members) {
        try (GZIPInputStream in = new GZIPInputStream(new ByteArrayInputStream(members))) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void rulesCountTheExchangesTheyFitEachForItself() {
        follow(FaultPlan.parse("seed=1; list configmaps #2: status 503; list * ?!limit= #1: status 500"));
        List<Integer> statuses = new java.util.ArrayList<>();
        for (String target : List.of(LISTING + "?limit=5", LISTING + "?limit=5", LISTING, LISTING)) {
            Seen seen = send("GET", target, "");
            ends(seen, "ended");
            statuses.add(seen.status());
        }
        assertThat(statuses).containsExactly(200, 503, 500, 200);
    }

    @Test
    void requestsAreCountedByVerbAndResource() {
        ends(under("list configmaps #1: reset", "GET", LISTING), "failed MAYBE");
        ends(send("GET", LISTING, ""), "ended");

        assertThat(requests("list", "configmaps")).isEqualTo(2);
        assertThat(requests("watch", "configmaps")).isZero();
    }

    @Test
    void aRateIsDrawnFromTheSeed() {
        List<Integer> first = statuses();
        assertThat(first).contains(200, 503).isEqualTo(statuses());
    }

    private List<Integer> statuses() {
        follow(FaultPlan.parse("seed=11; list configmaps %40: status 503"));
        List<Integer> statuses = new java.util.ArrayList<>();
        for (int i = 0; i < 20; i++) {
            Seen seen = send("GET", LISTING, "");
            ends(seen, "ended");
            statuses.add(seen.status());
        }
        return statuses;
    }

    @Test
    void whatWasDoneIsLogged() {
        ends(under("list configmaps #1 byte 3: reset", "GET", LISTING), "failed MAYBE");
        assertThat(log()).anyMatch(line -> line.contains("list configmaps: byte 3: reset"));
    }
}
