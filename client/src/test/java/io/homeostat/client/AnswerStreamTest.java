package io.homeostat.client;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.homeostat.core.HttpCall;
import io.homeostat.core.Lane;
import io.homeostat.core.TransportException;
import io.homeostat.virtualruntime.VirtualProcess;
import io.homeostat.virtualruntime.VirtualWorld;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AnswerStreamTest {
    private static final ResourceType<ConfigMap> CONFIG_MAPS = ResourceType.of(ConfigMap.class);

    private final VirtualWorld world = VirtualWorld.seeded(12);
    private final VirtualProcess process = world.process("client");
    private final Lane lane = process.lane("listener");

    @AfterEach
    void end() {
        world.close();
    }

    private static String configMap(String name, int version, int size) {
        return "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"" + name
                + "\",\"namespace\":\"default\",\"uid\":\"u-" + name + "\",\"resourceVersion\":\"" + version
                + "\"},\"data\":{\"k\":\"" + "世".repeat(size) + "\"}}";
    }

    private static String frame(String type, String object) {
        return "{\"type\":\"" + type + "\",\"object\":" + object + "}\n";
    }

    private static String frames(int count, int size) {
        StringBuilder all = new StringBuilder();
        for (int i = 0; i < count; i++) {
            all.append(frame("ADDED", configMap("c" + i, i + 1, size)));
        }
        return all.toString();
    }

    private static String list(int first, int count, int size, String continueToken) {
        StringBuilder all = new StringBuilder("{\"kind\":\"ConfigMapList\",\"apiVersion\":\"v1\",\"metadata\":{"
                + "\"resourceVersion\":\"77\",\"continue\":\"" + continueToken + "\"},\"items\":[");
        for (int i = 0; i < count; i++) {
            all.append(i == 0 ? "" : ",").append(configMap("c" + (first + i), first + i + 1, size));
        }
        return all.append("]}").toString();
    }

    private ScriptedServer server(ScriptedServer.Script script) {
        return new ScriptedServer(process, script);
    }

    private ApiClient client(ScriptedServer server) {
        return ApiClient.over(process, server, ApiClient.Settings.of("test"));
    }

    /** Writes down what a stream says. */
    private final class Log implements Streams.WatchListener, Streams.ListListener {
        final List<String> events = new ArrayList<>();
        final List<Integer> batches = new ArrayList<>();
        final List<Long> batchBytes = new ArrayList<>();

        @Nullable
        ApiException failure;

        boolean over;

        private void event(String event) {
            assertThat(lane.isCurrent()).isTrue();
            assertThat(over).as("nothing follows the end").isFalse();
            events.add(event);
        }

        @Override
        public void opened() {
            event("opened");
        }

        @Override
        public void frames(List<WatchFrame> frames) {
            batches.add(frames.size());
            long bytes = 0;
            for (WatchFrame frame : frames) {
                if (frame instanceof WatchFrame.Event found) {
                    bytes += found.object().bytes().length;
                    event(found.kind() + " " + found.object().key().name());
                } else {
                    event(frame.getClass().getSimpleName());
                }
            }
            batchBytes.add(bytes);
        }

        @Override
        public void items(List<ListItem> items) {
            batches.add(items.size());
            long bytes = 0;
            for (ListItem item : items) {
                if (item instanceof ListItem.Scanned scanned) {
                    bytes += scanned.object().bytes().length;
                    event("item " + scanned.object().key().name());
                } else {
                    event("unscannable");
                }
            }
            batchBytes.add(bytes);
        }

        @Override
        public void ended() {
            event("ended");
            over = true;
        }

        @Override
        public void ended(Streams.ListEnd end) {
            event("ended " + end.resourceVersion() + " " + end.count());
            over = true;
        }

        @Override
        public void failed(ApiException cause) {
            event("failed " + cause.getClass().getSimpleName());
            failure = cause;
            over = true;
        }

        void await() {
            world.runUntil(() -> over, Duration.ofMinutes(10));
        }
    }

    private Log watch(ScriptedServer server) {
        Log log = new Log();
        client(server).watch(CONFIG_MAPS, Query.everywhere(), lane, log).demand(Integer.MAX_VALUE);
        log.await();
        return log;
    }

    @Test
    void watchAsksAsKubernetesWantsIt() {
        ScriptedServer server = server(peer -> peer.answer(200, ""));
        Log log = new Log();
        client(server)
                .watch(
                        CONFIG_MAPS,
                        Query.in("default")
                                .with("labelSelector", "a in (b,c),d!=e")
                                .with("resourceVersion", "5"),
                        lane,
                        log)
                .demand(1);
        log.await();

        HttpCall call = server.calls.get(0);
        assertThat(call.target())
                .isEqualTo("/api/v1/namespaces/default/configmaps?labelSelector=a%20in%20%28b%2Cc%29%2Cd%21%3De"
                        + "&resourceVersion=5&watch=true");
        assertThat(call.kind()).isEqualTo(HttpCall.Kind.STREAM);
        assertThat(call.headers().first("Accept-Encoding")).contains("gzip");
        assertThat(log.events).containsExactly("opened", "ended");
    }

    @Test
    void framesComeInOrderWhereverTheBytesAreCutAndHoweverTheyAreCompressed() {
        byte[] plain = (frames(3, 5)
                        + frame("BOOKMARK", configMap("x", 9, 0))
                        + frame("DELETED", configMap("c1", 10, 2)))
                .getBytes(StandardCharsets.UTF_8);
        byte[] zipped = Gzip.members(plain, 97);
        for (boolean gzip : List.of(true, false)) {
            byte[] wire = gzip ? zipped : plain;
            for (int size : List.of(1, 2, 3, 5, 64, wire.length)) {
                Log log = watch(server(peer -> {
                    peer.head(200, gzip ? "Content-Encoding" : "X-Plain", "gzip");
                    for (int at = 0; at < wire.length; at += size) {
                        peer.chunk(Arrays.copyOfRange(wire, at, Math.min(wire.length, at + size)));
                    }
                    peer.end();
                }));

                assertThat(log.events)
                        .containsExactly(
                                "opened", "ADDED c0", "ADDED c1", "ADDED c2", "Bookmark", "DELETED c1", "ended");
            }
        }
    }

    @Test
    void framesBeforeABreakComeBeforeTheFailure() {
        Log log = watch(server(peer -> {
            peer.head(200).chunk(frames(2, 3) + "{\"type\":\"ADDED\",\"obj");
            peer.fail(TransportException.Sent.MAYBE);
        }));

        assertThat(log.events).containsExactly("opened", "ADDED c0", "ADDED c1", "failed Unreachable");
    }

    @Test
    void framesThatWaitForDemandComeBeforeTheBreakAfterThem() {
        ScriptedServer server = server(peer -> {
            peer.head(200).chunk(frames(1200, 1));
            peer.fail(TransportException.Sent.MAYBE);
        });
        Log log = new Log();
        Streams.Handle handle = client(server).watch(CONFIG_MAPS, Query.everywhere(), lane, log);
        handle.demand(1);
        world.runFor(Duration.ofSeconds(1));
        assertThat(log.over).isFalse();

        handle.demand(Integer.MAX_VALUE);
        log.await();
        assertThat(log.events).hasSize(1202);
        assertThat(log.events).last().isEqualTo("failed Unreachable");
    }

    @Test
    void frameThatTheEndCutsIsAFailureAndNoEvent() {
        byte[] plain = frames(2, 3).getBytes(StandardCharsets.UTF_8);
        int first = frames(1, 3).getBytes(StandardCharsets.UTF_8).length;
        for (int cut = first + 1; cut < plain.length - 1; cut++) {
            byte[] wire = Arrays.copyOf(plain, cut);
            Log log = watch(server(peer -> peer.head(200).chunk(wire).end()));

            assertThat(log.events).as("cut at " + cut).containsExactly("opened", "ADDED c0", "failed Unreachable");
            assertThat(String.valueOf(log.failure)).contains("inside a frame").doesNotContain("世");
        }
    }

    @Test
    void compressedStreamThatTheEndCutsIsAFailure() {
        byte[] zipped = Gzip.members(frames(2, 3).getBytes(StandardCharsets.UTF_8), 1 << 20);
        Log log = watch(server(peer -> peer.head(200, "Content-Encoding", "gzip")
                .chunk(Arrays.copyOf(zipped, zipped.length - 4))
                .end()));

        assertThat(log.events).last().isEqualTo("failed Unreachable");
    }

    @Test
    void brokenCompressionIsAFailureAfterWhatWasWhole() {
        byte[] first = Gzip.members(frames(2, 3).getBytes(StandardCharsets.UTF_8), 1 << 20);
        ScriptedServer server = server(
                peer -> peer.head(200, "Content-Encoding", "gzip").chunk(first).chunk("no gzip at all"));
        Log log = watch(server);

        assertThat(log.events).containsExactly("opened", "ADDED c0", "ADDED c1", "failed Malformed");
        world.runUntil(() -> server.peers.get(0).cancelled, Duration.ofSeconds(1));
    }

    @Test
    void refusedWatchSaysWhyAndWhen() {
        Log log = watch(server(peer -> peer.answer(
                410,
                "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"reason\":\"Expired\",\"code\":410,\"message\":\"too old\"}",
                "Retry-After",
                "4")));

        assertThat(log.events).containsExactly("failed Gone");
        assertThat(log.failure).isNotNull();
        assertThat(String.valueOf(log.failure.getMessage()))
                .contains("watch configmaps/v1")
                .contains("too old");
        assertThat(log.failure.retryAfter()).contains(Duration.ofSeconds(4));
    }

    @Test
    void refusalIsToldAlsoWhenItsBodyStallsOrBreaksOrNeverEnds() {
        Log stalled = watch(server(peer -> peer.head(503).chunk("{\"kind\"")));
        Log broken = watch(server(peer -> {
            peer.head(429, "Retry-After", "2").chunk("{\"kind\"");
            peer.fail(TransportException.Sent.MAYBE);
        }));
        Log endless = watch(server(peer -> {
            peer.head(403);
            for (int i = 0; i < 1000; i++) {
                peer.chunk(new byte[1 << 10]);
            }
        }));

        assertThat(stalled.events).containsExactly("failed ServerError");
        assertThat(broken.events).containsExactly("failed TooManyRequests");
        assertThat(endless.events).containsExactly("failed Forbidden");
    }

    @Test
    void silentServerFailsTheWaitForTheStatusLine() {
        ScriptedServer server = server(peer -> {});
        Log log = watch(server);

        assertThat(log.events).containsExactly("failed Unreachable");
        assertThat(world.now()).isBetween(Duration.ofSeconds(30), Duration.ofSeconds(31));
        world.runUntil(() -> server.peers.get(0).cancelled, Duration.ofSeconds(1));
    }

    @Test
    void silenceOfAnOpenWatchIsLegal() {
        ScriptedServer server = server(peer -> {
            peer.head(200);
            process.after(Duration.ofMinutes(4), process.lane("later"), () -> peer.chunk(frames(1, 1))
                    .end());
        });

        assertThat(watch(server).events).containsExactly("opened", "ADDED c0", "ended");
    }

    @Test
    void silenceInTheMiddleOfAListIsNot() {
        ScriptedServer server =
                server(peer -> peer.head(200).chunk(list(0, 3, 1, "").substring(0, 300)));
        Log log = new Log();
        client(server).list(CONFIG_MAPS, Query.everywhere(), lane, log).demand(Integer.MAX_VALUE);
        log.await();

        assertThat(log.events).last().isEqualTo("failed Unreachable");
        assertThat(world.now()).isBetween(Duration.ofSeconds(30), Duration.ofSeconds(61));
    }

    @Test
    void slowConsumerOfAListIsNoSilence() {
        ScriptedServer server = server(peer -> {
            peer.head(200);
            String whole = list(0, 2000, 20, "");
            for (int at = 0; at < whole.length(); at += 1000) {
                peer.chunk(whole.substring(at, Math.min(whole.length(), at + 1000)));
            }
            peer.end();
        });
        Log log = new Log();
        Streams.Handle handle = client(server).list(CONFIG_MAPS, Query.everywhere(), lane, log);
        for (int i = 0; i < 1000 && !log.over; i++) {
            handle.demand(1);
            world.runFor(Duration.ofMinutes(2));
        }

        assertThat(log.events).hasSize(2001);
        assertThat(log.events).last().isEqualTo("ended 77 2000");
    }

    @Test
    void pageOfALoginProxyIsMalformed() {
        Log log =
                watch(server(peer -> peer.head(200, "Content-Type", "text/html").chunk("<html>secret</html>")));

        assertThat(log.events).containsExactly("failed Malformed");
        assertThat(String.valueOf(log.failure)).doesNotContain("secret");
    }

    @Test
    void readerThatFailsEndsTheStreamAfterWhatWasWhole() {
        ScriptedServer server =
                server(peer -> peer.head(200).chunk("first").chunk("second").chunk("third"));
        List<String> told = new ArrayList<>();
        AnswerStream.Content<String> content = new AnswerStream.Content<>() {
            @Override
            public List<String> read(byte[] bytes, int from, int to) {
                String text = new String(bytes, from, to - from, StandardCharsets.UTF_8);
                if (text.equals("second")) {
                    throw new IllegalStateException(text);
                }
                return List.of(text);
            }

            @Override
            public boolean broken() {
                return false;
            }

            @Override
            public int bytesOf(String entry) {
                return entry.length();
            }

            @Override
            public boolean mustProgress() {
                return false;
            }

            @Override
            public Runnable ended() {
                return () -> told.add("ended");
            }

            @Override
            public void opened() {}

            @Override
            public void deliver(List<String> batch) {
                told.addAll(batch);
            }

            @Override
            public void failed(ApiException cause) {
                told.add(cause.getClass().getSimpleName() + " " + cause.getMessage());
            }
        };
        AnswerStream.open(
                        new AnswerStream.Source(
                                process, server, ApiClient.Settings.of("test"), "watch it", refused -> {}),
                        () -> HttpCall.get("/", io.homeostat.core.Headers.NONE),
                        lane,
                        content)
                .demand(10);
        world.runUntil(() -> told.size() == 2, Duration.ofSeconds(1));
        assertThat(told)
                .containsExactly(
                        "first",
                        "Malformed watch it: the answer could not be read (java.lang.IllegalStateException) [HS-214]");
        assertThat(server.peers.get(0).cancelled).isTrue();
    }

    @Test
    void nothingIsReadBeforeItIsDemandedAndBatchesAreBounded() {
        byte[] wire = frames(3000, 30).getBytes(StandardCharsets.UTF_8);
        int size = 4096;
        ScriptedServer server = server(peer -> {
            peer.head(200);
            for (int at = 0; at < wire.length; at += size) {
                peer.chunk(Arrays.copyOfRange(wire, at, Math.min(wire.length, at + size)));
            }
            peer.end();
        });
        Log log = new Log();
        Streams.Handle handle = client(server).watch(CONFIG_MAPS, Query.everywhere(), lane, log);
        world.runFor(Duration.ofSeconds(1));

        assertThat(log.events).containsExactly("opened");
        assertThat(server.peers.get(0).demanded()).isZero();

        int all = server.peers.get(0).unread();
        handle.demand(1);
        world.runFor(Duration.ofSeconds(1));
        assertThat(log.batches).hasSize(1);
        assertThat(all - server.peers.get(0).unread()).isLessThanOrEqualTo(2 * AnswerStream.WINDOW);

        handle.demand(Integer.MAX_VALUE);
        log.await();
        assertThat(log.events).hasSize(3002);
        assertThat(log.batches).allMatch(count -> count <= 500);
    }

    @Test
    void chunkThatInflatesToMegabytesIsGivenInBoundedBatches() {
        byte[] zipped = Gzip.members(frames(400, 3000).getBytes(StandardCharsets.UTF_8), 1 << 30);
        Log log = watch(server(
                peer -> peer.head(200, "Content-Encoding", "gzip").chunk(zipped).end()));

        assertThat(log.events).hasSize(402);
        assertThat(log.batchBytes).allMatch(bytes -> bytes <= 256 << 10);
        assertThat(log.batchBytes.stream().mapToLong(Long::longValue).sum()).isGreaterThan(3_000_000);
    }

    @Test
    void nothingIsToldAfterClose() {
        ScriptedServer server = server(peer -> {
            peer.head(200);
            for (int i = 0; i < 100; i++) {
                peer.chunk(frame("ADDED", configMap("c" + i, i + 1, 10)));
            }
        });
        Log log = new Log();
        Streams.Handle[] handle = new Streams.Handle[1];
        Streams.WatchListener closing = new Streams.WatchListener() {
            @Override
            public void opened() {
                log.opened();
            }

            @Override
            public void frames(List<WatchFrame> frames) {
                log.frames(frames);
                handle[0].close();
                log.over = true; // anything after this fails the test
            }

            @Override
            public void ended() {
                log.ended();
            }

            @Override
            public void failed(ApiException cause) {
                log.failed(cause);
            }
        };
        handle[0] = client(server).watch(CONFIG_MAPS, Query.everywhere(), lane, closing);
        handle[0].demand(1000);
        log.await();
        world.runFor(Duration.ofMinutes(1));

        assertThat(server.peers.get(0).cancelled).isTrue();
        assertThat(log.batches).hasSize(1);
    }

    @Test
    void closeBeforeTheStartSendsNothing() {
        ScriptedServer server = server(peer -> peer.answer(200, ""));
        Log log = new Log();
        client(server).watch(CONFIG_MAPS, Query.everywhere(), lane, log).close();
        world.runFor(Duration.ofMinutes(1));

        assertThat(log.events).isEmpty();
    }

    @Test
    void brokenSelectorOrNamespaceIsToldToTheListener() {
        ScriptedServer server = server(peer -> peer.answer(200, ""));
        Log log = new Log();
        client(server).watch(CONFIG_MAPS, Query.in("a/b"), lane, log);
        log.await();

        assertThat(log.events).containsExactly("failed BadRequest");
        assertThat(server.calls).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 10, 4096})
    void listIsGivenItemByItem(int size) {
        byte[] wire = list(0, 5, 3, "").getBytes(StandardCharsets.UTF_8);
        ScriptedServer server = server(peer -> {
            peer.head(200, "Content-Type", "application/json");
            for (int at = 0; at < wire.length; at += size) {
                peer.chunk(Arrays.copyOfRange(wire, at, Math.min(wire.length, at + size)));
            }
            peer.end();
        });
        Log log = new Log();
        client(server).list(CONFIG_MAPS, Query.everywhere(), lane, log).demand(Integer.MAX_VALUE);
        log.await();

        assertThat(log.events).containsExactly("item c0", "item c1", "item c2", "item c3", "item c4", "ended 77 5");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "<html/>", "{\"kind\":\"Table\",\"rows\":[]}", "{}", "[]", "{\"kind\":\"Status\"}"})
    void whatIsNoListFails(String body) {
        ScriptedServer server = server(peer -> peer.answer(200, body));
        Log log = new Log();
        client(server).list(CONFIG_MAPS, Query.everywhere(), lane, log).demand(Integer.MAX_VALUE);
        log.await();

        assertThat(log.events).containsExactly("failed Malformed");
    }

    private <T> T done(CompletionStage<T> stage) {
        world.runUntil(() -> stage.toCompletableFuture().isDone(), Duration.ofMinutes(30));
        return stage.toCompletableFuture().join();
    }

    @Test
    void wholeListIsReadPageByPage() {
        ScriptedServer server = server(peer -> peer.answer(
                200, peer.call.target().contains("continue=t%2F1") ? list(3, 2, 1, "") : list(0, 3, 1, "t/1")));

        List<RawObject> all =
                done(client(server).listAll(CONFIG_MAPS, Query.everywhere().with("resourceVersion", "5")));

        assertThat(all.stream().map(object -> object.key().name())).containsExactly("c0", "c1", "c2", "c3", "c4");
        assertThat(server.calls.stream().map(HttpCall::target))
                .containsExactly(
                        "/api/v1/configmaps?limit=500&resourceVersion=5",
                        "/api/v1/configmaps?continue=t%2F1&limit=500");
    }

    @Test
    void expiredTokenStartsTheListOnceMoreWithoutALimit() {
        ScriptedServer server = server(peer -> {
            if (peer.call.target().contains("continue")) {
                peer.answer(410, "{\"kind\":\"Status\",\"reason\":\"Expired\",\"code\":410}");
            } else if (peer.call.target().contains("limit")) {
                peer.answer(200, list(0, 3, 1, "t1"));
            } else {
                peer.answer(200, list(0, 4, 1, ""));
            }
        });

        assertThat(done(client(server).listAll(CONFIG_MAPS, Query.everywhere())))
                .hasSize(4);
        assertThat(server.calls).hasSize(3);
    }

    @Test
    void expiredFirstPageIsTheCallers() {
        ScriptedServer server =
                server(peer -> peer.answer(410, "{\"kind\":\"Status\",\"reason\":\"Expired\",\"code\":410}"));
        CompletionStage<List<RawObject>> all = client(server).listAll(CONFIG_MAPS, Query.everywhere());
        List<Throwable> failures = new ArrayList<>();
        all.whenComplete((done, failure) -> failures.add(failure));
        world.runUntil(() -> !failures.isEmpty(), Duration.ofMinutes(1));

        assertThat(failures.get(0)).isInstanceOf(ApiException.Gone.class);
        assertThat(server.calls).hasSize(1);
    }

    @Test
    void itemThatCannotBeReadFailsTheWholeListByItsNumber() {
        ScriptedServer server = server(peer -> peer.answer(
                200,
                peer.call.target().contains("continue")
                        ? list(3, 2, 1, "").replace("\"metadata\":{\"name\":\"c4\"", "\"metadata\":{\"name\":4")
                        : list(0, 3, 1, "t1")));
        CompletionStage<List<RawObject>> all = client(server).listAll(CONFIG_MAPS, Query.everywhere());
        List<Throwable> failures = new ArrayList<>();
        all.whenComplete((done, failure) -> failures.add(failure));
        world.runUntil(() -> !failures.isEmpty(), Duration.ofMinutes(1));

        assertThat(failures.get(0)).isInstanceOf(ApiException.Malformed.class).hasMessageContaining("item 4");
    }
}
