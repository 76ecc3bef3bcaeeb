package io.homeostat.informer;

import static org.assertj.core.api.Assertions.assertThat;

import io.homeostat.client.ApiClient;
import io.homeostat.client.ObjectKey;
import io.homeostat.informer.SeedServer.Asked;
import io.homeostat.informer.SeedServer.Said;
import io.homeostat.informer.SeedServer.Thing;
import io.homeostat.virtualruntime.Faults;
import io.homeostat.virtualruntime.VirtualNetwork;
import io.homeostat.virtualruntime.VirtualProcess;
import io.homeostat.virtualruntime.VirtualWorld;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A server that was away and comes back with an older etcd (fault row 11): a watch from a version that is still to come is accepted and
 * silent, so something else must tell, and must cost nothing while servers stay the same.
 */
class RestoredServerTest {
    private static final Duration LIMIT = Duration.ofMinutes(5);
    private static final List<String> SELECTORS = List.of("", SeedServer.TIER + "=gold", SeedServer.TIER + "=iron");

    /** Caches of one process, and the requests for objects that reach the server. */
    private static final class Stage implements AutoCloseable {
        final VirtualWorld world;
        final RandomGenerator random;
        final SeedServer server;
        final List<SharedInformer<Gadget>> caches = new ArrayList<>();
        final List<Asked> asked = new ArrayList<>();
        private final VirtualNetwork network;
        private final Faults healthy = Faults.none().latency(Duration.ofMillis(1), Duration.ofMillis(20));

        Stage(long seed) {
            world = VirtualWorld.seeded(seed);
            random = world.random("restored");
            network = VirtualNetwork.in(world);
            VirtualProcess home = world.process("server");
            server = new SeedServer(home, random);
            server.refusal = this::note;
            network.listen("api", home, server);
            network.faults(healthy);
            change(30);
            VirtualProcess operator = world.process("operator");
            SharedInformers informers = SharedInformers.over(
                    operator,
                    ApiClient.over(operator, network.connect(operator, "api"), ApiClient.Settings.of("operator")));
            for (String selector : SELECTORS) {
                caches.add(informers.informer(Gadget.TYPE, SeedServer.NAMESPACE, selector));
            }
            awaitRight();
            world.runFor(Duration.ofSeconds(random.nextInt(100)));
        }

        void change(int changes) {
            for (int i = 0; i < changes; i++) {
                String tier = random.nextBoolean() ? "gold" : "iron";
                server.put("k" + random.nextInt(9), thing -> thing.with(tier, "", false, random.nextInt(1000), 0));
            }
        }

        /** Everything is answered with that; {@code meanwhile} happens to the server behind it, and it is back. */
        void turnedAway(Said answer, Duration shortest, Runnable meanwhile) {
            server.refusal = request -> answer;
            server.cut();
            world.runFor(shortest.plusMillis(random.nextInt(60_000)));
            meanwhile.run();
            asked.clear();
            server.refusal = this::note;
        }

        private @Nullable Said note(Asked request) {
            asked.add(request);
            return null;
        }

        /** The server refuses connections; {@code meanwhile} happens to it, and it is back. */
        void outage(Runnable meanwhile) {
            network.faults(healthy.refusing(1));
            server.cut();
            world.runFor(Duration.ofMillis(3000 + random.nextInt(100_000)));
            meanwhile.run();
            asked.clear();
            network.faults(healthy);
        }

        boolean isRight() {
            for (int i = 0; i < caches.size(); i++) {
                Map<ObjectKey, String> truth = new TreeMap<>();
                for (Thing thing :
                        server.history().at(server.version, SELECTORS.get(i)).values()) {
                    truth.put(thing.key(), thing.uid() + "@" + thing.version());
                }
                Map<ObjectKey, String> seen = new TreeMap<>();
                for (CachedObject<Gadget> object : caches.get(i).snapshot().list()) {
                    seen.put(
                            object.key(),
                            object.raw().uid() + "@" + object.raw().resourceVersion());
                }
                if (!caches.get(i).state().synced() || !seen.equals(truth)) {
                    return false;
                }
            }
            return true;
        }

        void awaitRight() {
            world.runUntil(this::isRight, LIMIT);
        }

        List<Asked> lists() {
            return asked.stream()
                    .filter(request -> request.collection() && !request.watch())
                    .toList();
        }

        @Override
        public void close() {
            world.close();
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20})
    void anEtcdThatWasRestoredWhileTheServerWasAwayIsNoticedAtOnce(long seed) {
        try (Stage stage = new Stage(seed)) {
            long version = stage.server.version;
            Map<ObjectKey, Thing> backup = new TreeMap<>(stage.server.objects);
            stage.change(20 + stage.random.nextInt(50));
            stage.awaitRight();

            stage.outage(() -> stage.server.restore(version, backup));
            stage.world.runUntil(() -> !stage.asked.isEmpty(), LIMIT);
            Duration accepted = stage.world.now();
            stage.awaitRight();

            assertThat(stage.caches)
                    .allSatisfy(cache -> assertThat(cache.snapshot().epoch()).isEqualTo(1));
            assertThat(stage.world.now().minus(accepted)).isLessThan(Duration.ofSeconds(5));
        }
    }

    /** What stands before the server, or its own gates, may answer for it all the while. */
    static List<Said> answersOfOthers() {
        return List.of(
                Said.status(429, "TooManyRequests", ""),
                Said.status(429, "TooManyRequests", "").after(3),
                Said.status(503, "ServiceUnavailable", ""),
                Said.status(500, "InternalError", ""),
                Said.status(401, "Unauthorized", ""),
                Said.status(403, "Forbidden", ""));
    }

    @ParameterizedTest
    @MethodSource("answersOfOthers")
    void anEtcdThatWasRestoredBehindAnAnswerIsNoticedAtOnce(Said answer) {
        for (long seed = 1; seed <= 5; seed++) {
            restoredBehind(answer, seed);
        }
    }

    private static void restoredBehind(Said answer, long seed) {
        try (Stage stage = new Stage(seed)) {
            long version = stage.server.version;
            Map<ObjectKey, Thing> backup = new TreeMap<>(stage.server.objects);
            stage.change(20 + stage.random.nextInt(50));
            stage.awaitRight();

            stage.turnedAway(answer, Duration.ofSeconds(15), () -> stage.server.restore(version, backup));
            stage.world.runUntil(
                    () -> stage.asked.stream()
                                    .filter(Asked::watch)
                                    .map(Asked::selector)
                                    .distinct()
                                    .count()
                            == SELECTORS.size(),
                    LIMIT);
            Duration accepted = stage.world.now();
            stage.awaitRight();

            assertThat(stage.caches)
                    .allSatisfy(cache -> assertThat(cache.snapshot().epoch()).isEqualTo(1));
            assertThat(stage.world.now().minus(accepted)).isLessThan(Duration.ofSeconds(5));
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5})
    void aServerThatIsBusyForAMomentIsAskedNothingMore(long seed) {
        try (Stage stage = new Stage(seed)) {
            Said busy = Said.status(429, "TooManyRequests", "").after(1);
            Map<String, Integer> turned = new TreeMap<>();
            stage.server.refusal = request -> request.watch() && turned.merge(request.selector(), 1, Integer::sum) == 1
                    ? busy
                    : stage.note(request);
            stage.server.cut();
            stage.world.runFor(Duration.ofMinutes(10));

            assertThat(turned).hasSize(SELECTORS.size());
            assertThat(stage.isRight()).isTrue();
            assertThat(stage.lists()).isEmpty();
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5})
    void anOutageOfAServerThatStaysTheSameCostsOneObjectACache(long seed) {
        try (Stage stage = new Stage(seed)) {
            stage.outage(() -> stage.change(10));
            stage.awaitRight();
            stage.world.runFor(Duration.ofMinutes(10));

            assertThat(stage.lists()).hasSize(SELECTORS.size()).allSatisfy(list -> {
                assertThat(list.parameter("limit")).isEqualTo("1");
                assertThat(list.parameter("resourceVersionMatch")).isEqualTo("NotOlderThan");
            });
            assertThat(stage.caches).allSatisfy(cache -> {
                assertThat(cache.state().relists()).isEqualTo(1);
                assertThat(cache.snapshot().epoch()).isZero();
            });
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5})
    void watchesThatBreakWhileTheServerIsThereCostNoList(long seed) {
        try (Stage stage = new Stage(seed)) {
            stage.asked.clear();
            for (int i = 0; i < 10; i++) {
                stage.server.cut();
                stage.change(2);
                stage.awaitRight();
                stage.world.runFor(Duration.ofSeconds(stage.random.nextInt(30)));
            }
            stage.world.runFor(Duration.ofMinutes(10));

            assertThat(stage.lists()).isEmpty();
        }
    }
}
