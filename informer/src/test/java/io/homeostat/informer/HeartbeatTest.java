package io.homeostat.informer;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.homeostat.client.ApiException;
import io.homeostat.client.TestErrors;
import io.homeostat.informer.InformerState.Phase;
import io.homeostat.virtualruntime.VirtualProcess;
import io.homeostat.virtualruntime.VirtualWorld;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What informers do when the server, or the way to it, says nothing any more (D9b, D38). */
class HeartbeatTest {
    private final VirtualWorld world = VirtualWorld.seeded(11);
    private final VirtualProcess process = world.process("operator");
    private final FakeServer server = new FakeServer(world);
    private final SharedInformers informers = SharedInformers.over(process, server.client());
    private final List<Duration> asked = new ArrayList<>();
    private final List<Phase> phases = new ArrayList<>();

    @AfterEach
    void end() {
        world.close();
    }

    private List<SharedInformer<ConfigMap>> synced(int count) {
        List<SharedInformer<ConfigMap>> all = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            all.add(informers.informer(TestObject.TYPE, "ns" + i));
        }
        within(Duration.ofSeconds(5), () -> watching(all));
        server.requests.clear();
        return all;
    }

    private SharedInformer<ConfigMap> synced() {
        SharedInformer<ConfigMap> informer = synced(1).get(0);
        informer.onStateChange(state -> phases.add(state.phase()));
        return informer;
    }

    private void within(Duration limit, BooleanSupplier condition) {
        world.runUntil(condition, limit);
    }

    private void later(Duration duration) {
        world.runFor(duration);
    }

    private static boolean watching(List<SharedInformer<ConfigMap>> all) {
        return all.stream().allMatch(informer -> informer.state().phase() == Phase.WATCHING);
    }

    private boolean same(SharedInformer<ConfigMap> informer) {
        return informer.snapshot().list().stream()
                .map(object -> object.raw().toString())
                .toList()
                .equals(server.objects.values().stream().map(Object::toString).toList());
    }

    /** The server is gone: every connection is refused. */
    private void die() {
        server.refusal = (request, number) -> {
            if (!compares(request)) {
                asked.add(world.now());
            }
            return TestErrors.unreachable();
        };
        server.livez = () -> Optional.of(TestErrors.unreachable());
        server.cut();
    }

    private void live() {
        server.refusal = (request, number) -> {
            if (!compares(request)) {
                asked.add(world.now());
            }
            return null;
        };
        server.livez = Optional::empty;
    }

    /** Every connection there is says nothing any more, the heartbeat's too; new ones work. */
    private void breakPath() {
        server.silence();
        server.livez = () -> {
            server.livez = Optional::empty;
            return null;
        };
    }

    private static Duration between(List<Duration> times) {
        return times.get(times.size() - 1).minus(times.get(0));
    }

    /** Whether it asks only whether a version is still to come: one object, where the server was away. */
    private static boolean compares(FakeServer.Request request) {
        return request.verb().equals("list") && request.parameter("limit").equals("1");
    }

    private List<FakeServer.Request> relists() {
        return server.requests.stream()
                .filter(request -> !compares(request) && (request.verb().equals("list") || request.initialEvents()))
                .toList();
    }

    // ---- a path that is dead

    @Test
    void aDeadPathIsNoticedWithinTwentySecondsAndNothingIsListed() {
        List<SharedInformer<ConfigMap>> all = synced(5);
        later(Duration.ofSeconds(33));
        breakPath();
        server.put("a");
        within(Duration.ofSeconds(20), () -> all.stream().allMatch(this::same) && watching(all));
        assertThat(server.verbs()).containsOnly("watch").hasSize(5);
        assertThat(all)
                .allSatisfy(informer -> assertThat(informer.state().relists()).isEqualTo(1));
        server.put("b");
        within(Duration.ofSeconds(1), () -> all.stream().allMatch(this::same));
        assertThat(server.open).hasSize(5);
    }

    @Test
    void aStreamThatSpokeUntilThePathDiedIsFoundInTimeToo() {
        List<SharedInformer<ConfigMap>> all = synced(3);
        int before = server.heartbeats.size();
        server.livez = () -> null; // the question is lost a moment before the streams are
        within(Duration.ofSeconds(15), () -> server.heartbeats.size() > before);
        later(Duration.ofSeconds(1));
        server.put("a");
        within(Duration.ofSeconds(1), () -> all.stream().allMatch(this::same));
        breakPath();
        server.livez = Optional::empty;
        server.put("b");
        within(Duration.ofSeconds(20), () -> all.stream().allMatch(this::same) && watching(all));
        assertThat(relists()).isEmpty();
    }

    @Test
    void aServerThatHangsForEightSecondsLosesNothingAndIsAskedForNoListAndNothingIsToldTwice() {
        server.put("gone");
        SharedInformer<ConfigMap> informer = synced();
        Recording told = new Recording();
        informer.addHandler("told", told);
        later(Duration.ofSeconds(9));
        server.hang();
        server.put("a");
        server.put("a");
        server.remove("gone");
        server.put("gone");
        later(Duration.ofSeconds(8));
        assertThat(phases).containsExactly(Phase.BACKING_OFF);
        assertThat(informer.state().lastError()).isNotNull();
        server.goOn();
        within(Duration.ofSeconds(1), () -> same(informer));
        later(Duration.ofSeconds(30));
        assertThat(same(informer)).isTrue();
        assertThat(phases).containsExactly(Phase.BACKING_OFF, Phase.WATCHING);
        assertThat(server.verbs()).doesNotContain("watchlist", "list").hasSizeLessThanOrEqualTo(1);
        assertThat(told.told())
                .isEqualTo(informer.snapshot().list().get(0).raw() + " "
                        + informer.snapshot().list().get(1).raw());
        assertThat(server.open).hasSize(1);
    }

    @Test
    void aStreamThatSpeaksAgainBeforeItsSuccessorIsAnsweredGoesOn() {
        SharedInformer<ConfigMap> informer = synced();
        later(Duration.ofSeconds(3));
        server.livez = () -> {
            server.livez = Optional::empty;
            return null;
        };
        server.refusal = (request, number) -> TestErrors.unreachable(); // no new watch can be had
        within(Duration.ofSeconds(16), () -> !server.requests.isEmpty());
        assertThat(phases).containsExactly(Phase.BACKING_OFF);
        server.put("a");
        within(Duration.ofSeconds(1), () -> same(informer));
        assertThat(phases).containsExactly(Phase.BACKING_OFF, Phase.WATCHING);
        server.requests.clear();
        later(Duration.ofMinutes(2));
        assertThat(server.requests).isEmpty();
        server.put("b");
        within(Duration.ofSeconds(1), () -> same(informer));
    }

    @Test
    void aSuccessorThatIsTooLateIsToldSoAndTheCacheIsListed() {
        server.put("a");
        SharedInformer<ConfigMap> informer = synced();
        later(Duration.ofSeconds(3));
        breakPath();
        server.put("b");
        server.compact();
        within(Duration.ofSeconds(20), () -> same(informer));
        assertThat(server.verbs()).containsExactly("watch", "watchlist");
    }

    @Test
    void aSuccessorThatIsRefusedForNowComesAgainAndTheOldStreamStaysMeanwhile() {
        SharedInformer<ConfigMap> informer = synced();
        later(Duration.ofSeconds(3));
        server.livez = () -> {
            server.livez = Optional::empty;
            return null;
        };
        server.refusal = (request, number) -> {
            asked.add(world.now());
            return number == 1 ? TestErrors.of(429, "TooManyRequests", Duration.ofSeconds(12)) : null;
        };
        within(Duration.ofSeconds(30), () -> asked.size() == 2);
        assertThat(between(asked)).isBetween(Duration.ofSeconds(12), Duration.ofSeconds(13));
        within(Duration.ofSeconds(1), () -> informer.state().phase() == Phase.WATCHING);
        later(Duration.ofSeconds(5));
        assertThat(server.verbs())
                .as("one object is asked for, since the server let nobody in")
                .containsExactly("watch", "watch", "list");
        assertThat(informer.state().relists()).isEqualTo(1);
        assertThat(server.open).hasSize(1);
    }

    @Test
    void aSuccessorThatIsForbiddenOrWhoseTypeIsGoneSaysSo() {
        for (boolean gone : new boolean[] {false, true}) {
            SharedInformer<ConfigMap> informer = synced();
            later(Duration.ofSeconds(3));
            server.livez = () -> {
                server.livez = Optional::empty;
                return null;
            };
            ApiException refusal = gone ? TestErrors.of(404, "NotFound", null) : TestErrors.of(403, "Forbidden", null);
            server.refusal = (request, number) -> refusal;
            within(Duration.ofSeconds(20), () -> server.requests.size() > 2);
            assertThat(phases).containsExactly(Phase.BACKING_OFF, gone ? Phase.WAITING_FOR_TYPE : Phase.FORBIDDEN);
            server.refusal = (request, number) -> null;
            server.put("a");
            if (gone) {
                server.silence(); // whatever the old one says
            }
            within(Duration.ofSeconds(10), () -> same(informer) && watching(List.of(informer)));
            assertThat(server.open).hasSizeLessThanOrEqualTo(1);
            informer.close();
            later(Duration.ofSeconds(1));
            phases.clear();
        }
    }

    @Test
    void aListUnderWayHasItsOwnPatience() {
        server.endsInitialEvents = false;
        server.put("a");
        informers.informer(TestObject.TYPE, "");
        later(Duration.ofSeconds(3));
        breakPath();
        later(Duration.ofSeconds(20));
        assertThat(server.verbs()).containsExactly("watchlist");
        later(Duration.ofSeconds(10));
        assertThat(server.verbs()).hasSizeGreaterThan(1);
    }

    // ---- a server that is dead

    @Test
    void aDeadServerIsAskedOnceAProbeWhateverTheNumberOfStreams() {
        List<SharedInformer<ConfigMap>> all = synced(40);
        later(Duration.ofSeconds(5));
        server.heartbeats.clear();
        die();
        later(Duration.ofMinutes(5));
        List<Duration> attempts = new ArrayList<>(asked);
        attempts.addAll(server.heartbeats);
        attempts.sort(null);
        Duration began = attempts.get(0);
        for (int i = 1; i < attempts.size(); i++) {
            Duration waited = attempts.get(i).minus(attempts.get(i - 1));
            Duration since = attempts.get(i - 1).minus(began);
            if (since.compareTo(Duration.ofSeconds(70)) > 0) {
                assertThat(waited).isBetween(Duration.ofMillis(6600), Duration.ofSeconds(10));
            } else if (since.compareTo(Duration.ofSeconds(5)) > 0) {
                assertThat(waited).isGreaterThan(Duration.ofMillis(1300));
            } else {
                assertThat(waited).isBetween(Duration.ofMillis(100), Duration.ofMillis(2050));
            }
        }
        assertThat(asked).as("those let go to try themselves").hasSizeBetween(10, attempts.size() / 2);
        assertThat(all)
                .allSatisfy(informer -> assertThat(informer.state().phase()).isEqualTo(Phase.BACKING_OFF));
    }

    @Test
    void aServerThatIsBackIsCaughtUpWithinTwoSecondsOfTheFirstConnectionAndNotAskedByAllAtOnce() {
        List<SharedInformer<ConfigMap>> all = synced(40);
        die();
        later(Duration.ofSeconds(40));
        server.put("a");
        asked.clear();
        server.heartbeats.clear();
        live();
        within(Duration.ofSeconds(5), () -> !server.heartbeats.isEmpty());
        within(Duration.ofSeconds(2), () -> all.stream().allMatch(this::same) && watching(all));
        assertThat(asked).hasSize(40);
        assertThat(between(asked)).isBetween(Duration.ofMillis(200), Duration.ofSeconds(1));
        assertThat(relists()).isEmpty();
    }

    @Test
    void whoWasLetGoToTryItselfIsBackAsSoonAsTheOthers() {
        List<SharedInformer<ConfigMap>> all = synced(2);
        for (int outage = 0; outage < 20; outage++) {
            die();
            later(Duration.ofMinutes(3));
            asked.clear();
            within(Duration.ofMinutes(1), () -> !asked.isEmpty()); // in vain
            later(Duration.ofSeconds(1));
            server.put("a");
            server.heartbeats.clear();
            live();
            within(Duration.ofSeconds(11), () -> !server.heartbeats.isEmpty());
            within(Duration.ofSeconds(2), () -> all.stream().allMatch(this::same) && watching(all));
            later(Duration.ofSeconds(20));
        }
    }

    @Test
    void anAnswerWhileTheServerGoesDoesNotMakeEveryStreamAskForItself() {
        List<SharedInformer<ConfigMap>> all = synced(40);
        later(Duration.ofSeconds(5));
        die();
        within(Duration.ofSeconds(30), () -> !asked.isEmpty()); // the first that is let go to try itself
        server.refusal = (request, number) -> TestErrors.of(503, "ServiceUnavailable", null);
        asked.clear();
        server.requests.clear();
        within(Duration.ofSeconds(30), () -> !server.requests.isEmpty());
        server.refusal = (request, number) -> {
            asked.add(world.now());
            return TestErrors.unreachable();
        };
        later(Duration.ofSeconds(20));
        assertThat(asked).as("each once").hasSizeBetween(39, 50);
        asked.clear();
        server.heartbeats.clear();
        later(Duration.ofMinutes(1));
        assertThat(asked.size() + server.heartbeats.size())
                .as("one probe for all, at most each 1.3 s")
                .isLessThan(50);
        live();
        within(Duration.ofSeconds(12), () -> watching(all));
    }

    @Test
    void whereTheHeartbeatIsNotLetThroughAStreamThatFailsByItselfHarmsNoOther() {
        server.livez = () -> null;
        List<SharedInformer<ConfigMap>> all = synced(5);
        later(Duration.ofMinutes(5));
        server.refusal =
                (request, number) -> request.parameter("labelSelector").isEmpty() ? null : TestErrors.unreachable();
        SharedInformer<ConfigMap> failing = informers.informer(TestObject.TYPE, "", "x=y");
        phases.clear();
        all.forEach(informer -> informer.onStateChange(state -> phases.add(state.phase())));
        later(Duration.ofMinutes(20));
        assertThat(phases).as("doubts of open streams").isEmpty();
        server.refusal = (request, number) -> null;
        within(Duration.ofSeconds(30), () -> watching(List.of(failing)));
    }

    @Test
    void oneStreamThatIsCutIsResumedAtOnceAndCostsOneQuestion() {
        SharedInformer<ConfigMap> informer = synced();
        later(Duration.ofSeconds(13));
        int before = server.heartbeats.size();
        server.cut();
        server.put("a");
        within(Duration.ofMillis(300), () -> same(informer));
        assertThat(server.heartbeats).hasSize(before + 1);
    }

    @Test
    void whereOnlyWatchesFailTheHeartbeatMakesNobodyFaster() {
        List<SharedInformer<ConfigMap>> all = synced(3);
        server.refusal = (request, number) -> {
            asked.add(world.now());
            return TestErrors.unreachable();
        };
        server.cut();
        later(Duration.ofMinutes(1));
        int inTheFirstMinute = asked.size();
        int heartbeats = server.heartbeats.size();
        later(Duration.ofMinutes(4));
        assertThat(inTheFirstMinute).isBetween(3 * 30, 3 * 50);
        assertThat(heartbeats).isLessThanOrEqualTo(inTheFirstMinute + 10);
        assertThat(asked.size() - inTheFirstMinute).isBetween(3 * 20, 3 * 40);
        assertThat(all).hasSize(3);
    }

    // ---- a heartbeat that is no evidence

    @Test
    void aRefusedHeartbeatIsAnAnswer() {
        for (int code : new int[] {401, 403, 404, 429, 500, 503}) {
            server.livez = () -> Optional.of(TestErrors.of(code, "", null));
            SharedInformer<ConfigMap> informer = synced();
            later(Duration.ofMinutes(2));
            assertThat(phases).isEmpty();
            server.cut();
            server.put("a");
            within(Duration.ofMillis(300), () -> same(informer));
            assertThat(phases).containsExactly(Phase.BACKING_OFF, Phase.WATCHING);
            informer.close();
            phases.clear();
        }
    }

    @Test
    void whereOnlyTheHeartbeatIsNotLetThroughStreamsGoOnAndAreResumed() {
        server.livez = () -> null;
        List<SharedInformer<ConfigMap>> all = synced(5);
        later(Duration.ofMinutes(30));
        assertThat(server.verbs().stream().filter("watch"::equals).count())
                .as("timeouts of watches, and each was doubted once")
                .isLessThanOrEqualTo(5 * (6 + 1));
        assertThat(relists()).isEmpty();
        assertThat(watching(all)).isTrue();
        server.put("a");
        within(Duration.ofSeconds(1), () -> all.stream().allMatch(this::same));
        server.cut();
        server.put("b");
        within(Duration.ofSeconds(1), () -> all.stream().allMatch(this::same));
        assertThat(server.heartbeats).hasSizeLessThan(80);
    }

    @Test
    void aStreamThatIsCutBeforeThatIsKnownIsResumedWithinSeconds() {
        server.livez = () -> Optional.of(TestErrors.unreachable());
        SharedInformer<ConfigMap> informer = synced();
        server.cut();
        server.put("a");
        within(Duration.ofSeconds(20), () -> same(informer));
    }

    // ---- when it beats

    @Test
    void whileStreamsAreOpenItBeatsEveryTenSecondsForAllOfThem() {
        synced(10);
        later(Duration.ofSeconds(7));
        int before = server.heartbeats.size();
        later(Duration.ofMinutes(1));
        assertThat(server.heartbeats.size() - before).isBetween(5, 7);
        assertThat(server.requests).isEmpty();
    }

    @Test
    void withoutOpenStreamsItIsAsleep() {
        later(Duration.ofMinutes(2));
        server.refusal = (request, number) -> TestErrors.of(403, "Forbidden", null);
        SharedInformer<ConfigMap> forbidden = informers.informer(TestObject.TYPE, "");
        later(Duration.ofMinutes(2));
        assertThat(forbidden.state().phase()).isEqualTo(Phase.FORBIDDEN);
        assertThat(server.heartbeats).isEmpty();
        server.refusal = (request, number) -> null;
        within(Duration.ofSeconds(20), () -> watching(List.of(forbidden)));
        later(Duration.ofSeconds(35));
        assertThat(server.heartbeats).hasSizeBetween(3, 5);
        forbidden.close();
        server.heartbeats.clear();
        later(Duration.ofMinutes(2));
        assertThat(server.heartbeats).isEmpty();
    }

    @Test
    void closeEndsItInEveryStateAndWhatItWasAboutToDo() {
        List<Runnable> troubles =
                List.of(() -> {}, this::die, this::breakPath, server::hang, () -> server.livez = () -> null);
        for (Runnable trouble : troubles) {
            for (int seconds : new int[] {1, 14, 16, 40}) {
                live();
                List<String> held = process.holds();
                SharedInformers own = SharedInformers.over(process, server.client());
                SharedInformer<ConfigMap> informer = own.informer(TestObject.TYPE, "");
                within(Duration.ofSeconds(5), () -> watching(List.of(informer)));
                trouble.run();
                later(Duration.ofSeconds(seconds));
                own.close();
                later(Duration.ofMillis(100));
                assertThat(process.holds()).containsExactlyInAnyOrderElementsOf(held);
                server.heartbeats.clear();
                server.requests.clear();
                later(Duration.ofMinutes(2));
                assertThat(server.heartbeats).isEmpty();
                assertThat(server.requests).isEmpty();
                server.goOn();
            }
        }
    }
}
