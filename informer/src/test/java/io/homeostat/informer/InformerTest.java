package io.homeostat.informer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.homeostat.client.ApiException;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.ResourceType;
import io.homeostat.client.TestErrors;
import io.homeostat.client.WatchFrame;
import io.homeostat.client.Write;
import io.homeostat.client.WriteObserver;
import io.homeostat.informer.InformerState.Phase;
import io.homeostat.virtualruntime.VirtualProcess;
import io.homeostat.virtualruntime.VirtualWorld;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The informer against a server that does what the test says. Names in brackets are those of the note on client-go. */
class InformerTest {
    private final VirtualWorld world = VirtualWorld.seeded(3);
    private final VirtualProcess process = world.process("operator");
    private final FakeServer server = new FakeServer(world);
    private final FakeServer.Client client = server.client();
    private final SharedInformers informers = SharedInformers.over(process, client);
    private final List<Phase> phases = new ArrayList<>();

    @AfterEach
    void end() {
        world.close();
    }

    /** How the cache keeps its objects; all that follows holds whatever it is. */
    StorePolicy policy() {
        return StorePolicy.LAZY;
    }

    @BeforeEach
    void store() {
        informers.store(TestObject.TYPE, policy());
    }

    private SharedInformer<ConfigMap> informer() {
        SharedInformer<ConfigMap> informer = informers.informer(TestObject.TYPE, "");
        informer.onStateChange(state -> phases.add(state.phase()));
        return informer;
    }

    private SharedInformer<ConfigMap> synced() {
        SharedInformer<ConfigMap> informer = informer();
        within(Duration.ofSeconds(5), () -> informer.state().synced() && is(informer, Phase.WATCHING));
        return informer;
    }

    private void within(Duration limit, BooleanSupplier condition) {
        world.runUntil(condition, limit);
    }

    private void later(Duration duration) {
        world.runFor(duration);
    }

    private static boolean is(SharedInformer<?> informer, Phase phase) {
        return informer.state().phase() == phase;
    }

    private static List<String> listed(SharedInformer<ConfigMap> informer) {
        return informer.snapshot().list().stream()
                .map(object -> object.raw().toString())
                .toList();
    }

    private boolean same(SharedInformer<ConfigMap> informer) {
        return listed(informer)
                .equals(server.objects.values().stream().map(Object::toString).toList());
    }

    private FakeServer.Request last() {
        return server.requests.get(server.requests.size() - 1);
    }

    private void refuseAll(ApiException cause) {
        server.refusal = (request, number) -> cause;
    }

    private void accept() {
        server.refusal = (request, number) -> null;
    }

    // ---- the first list

    @Test
    void theFirstSyncIsOneWatchThatBeginsWithAllThereIs_RF10_RF39() {
        server.put("a");
        server.put("b");
        SharedInformer<ConfigMap> informer = synced();
        assertThat(server.verbs()).containsExactly("watchlist");
        assertThat(last().parameters())
                .containsEntry("sendInitialEvents", "true")
                .containsEntry("resourceVersionMatch", "NotOlderThan")
                .containsEntry("allowWatchBookmarks", "true")
                .doesNotContainKey("resourceVersion");
        assertThat(Integer.parseInt(last().parameter("timeoutSeconds"))).isBetween(300, 600);
        assertThat(same(informer)).isTrue();
        server.put("c");
        within(Duration.ofSeconds(1), () -> same(informer));
        assertThat(server.verbs()).containsExactly("watchlist");
    }

    @Test
    void nothingIsShownBeforeTheBookmarkThatEndsTheInitialEvents_RF34_RF35_RF45() {
        server.put("a");
        server.endsInitialEvents = false;
        SharedInformer<ConfigMap> informer = informer();
        world.after(
                Duration.ofSeconds(2),
                () -> server.open.forEach(
                        stream -> stream.say(new WatchFrame.Bookmark(Long.toString(server.version), false))));
        later(Duration.ofSeconds(10));
        assertThat(is(informer, Phase.STREAMING)).isTrue();
        assertThat(informer.state().synced()).isFalse();
        assertThat(informer.snapshot().size()).isZero();
    }

    @Test
    void aServerThatNeverEndsTheInitialEventsIsListedAndThatIsRemembered() {
        server.put("a");
        server.endsInitialEvents = false;
        SharedInformer<ConfigMap> informer = informer();
        within(Duration.ofSeconds(40), () -> same(informer) && !server.open.isEmpty());
        assertThat(server.verbs()).containsExactly("watchlist", "list", "watch");
        server.expire();
        within(Duration.ofSeconds(40), () -> server.verbs().size() == 5);
        assertThat(server.verbs()).containsExactly("watchlist", "list", "watch", "list", "watch");
    }

    @Test
    void aServerThatRefusesInitialEventsIsListedInPages_RF38_RF18() {
        for (int i = 0; i < 10; i++) {
            server.put("x" + i);
        }
        server.refusal = (request, number) -> request.initialEvents() ? TestErrors.of(422, "Invalid", null) : null;
        SharedInformer<ConfigMap> informer = synced();
        assertThat(server.verbs()).containsExactly("watchlist", "list", "list", "list", "watch");
        assertThat(server.requests.get(1).parameters())
                .containsEntry("limit", "500")
                .doesNotContainKey("resourceVersion");
        assertThat(server.requests.get(2).parameter("continue")).isNotEmpty();
        assertThat(last().parameter("resourceVersion")).isEqualTo("110");
        assertThat(same(informer)).isTrue();
        assertThat(informer.state().relists()).isEqualTo(1);
    }

    @Test
    void aListWhosePageIsTooOldStartsAgainInOnePieceAndShowsNothingInBetween_RF23() {
        for (int i = 0; i < 10; i++) {
            server.put("x" + i);
        }
        server.refusal = (request, number) -> {
            if (request.initialEvents()) {
                return TestErrors.of(400, "BadRequest", null);
            }
            return number == 3 ? TestErrors.of(410, "Expired", null) : null;
        };
        SharedInformer<ConfigMap> informer = informer();
        world.invariant(() -> assertThat(informer.snapshot().size()).isIn(0, 10));
        within(Duration.ofSeconds(5), () -> same(informer));
        assertThat(server.verbs()).startsWith("watchlist", "list", "list", "list");
        assertThat(server.requests.get(3).parameters()).doesNotContainKeys("limit", "continue");
    }

    @Test
    void changesBetweenTheInitialEventsAreApplied_RF40() {
        for (int i = 0; i < 10; i++) {
            server.put("x" + i);
        }
        server.mangle = frames -> {
            server.mangle = same -> same;
            List<WatchFrame> more = new ArrayList<>(frames);
            TestObject first = (TestObject) ((WatchFrame.Event) frames.get(0)).object();
            more.add(new WatchFrame.Event(WatchFrame.Kind.MODIFIED, first));
            more.add(new WatchFrame.Event(WatchFrame.Kind.DELETED, TestObject.of("x5", "uid-6", 109)));
            server.objects.remove(new ObjectKey("ns", "x5"));
            return more;
        };
        SharedInformer<ConfigMap> informer = synced();
        assertThat(informer.snapshot().size()).isBetween(9, 10);
    }

    @Test
    void aStreamThatBreaksBeforeItsEndStartsAgainWithACleanSlate_RF42() {
        for (int i = 0; i < 10; i++) {
            server.put("x" + i);
        }
        server.endsInitialEvents = false;
        SharedInformer<ConfigMap> informer = informer();
        within(Duration.ofSeconds(5), () -> !server.open.isEmpty());
        later(Duration.ofMillis(100));
        server.remove("x3");
        server.endsInitialEvents = true;
        server.cut();
        within(Duration.ofSeconds(5), () -> same(informer));
        assertThat(server.verbs()).containsExactly("watchlist", "watchlist");
    }

    // ---- following

    @Test
    void aBreakResumesFromTheLastVersionWithoutAList_RF43() {
        SharedInformer<ConfigMap> informer = synced();
        server.put("a");
        within(Duration.ofSeconds(1), () -> same(informer));
        server.cut();
        server.put("b");
        server.remove("a");
        within(Duration.ofSeconds(1), () -> same(informer));
        assertThat(server.verbs()).containsExactly("watchlist", "watch");
        assertThat(last().parameter("resourceVersion")).isEqualTo("101");
    }

    @Test
    void aCleanEndIsFollowedAtOnceFromTheLastBookmark() {
        SharedInformer<ConfigMap> informer = synced();
        server.version = 500;
        later(Duration.ofSeconds(70));
        assertThat(informer.snapshot().resourceVersion()).isEqualTo("500");
        server.end();
        within(Duration.ofMillis(100), () -> server.verbs().size() == 2);
        assertThat(last().parameter("resourceVersion")).isEqualTo("500");
    }

    @Test
    void tooOldRelistsAtTheLastVersionAndTellsOnlyWhatChanged_RF22_SI05_CT09() {
        server.put("a");
        server.put("b");
        SharedInformer<ConfigMap> informer = synced();
        Recording recording = new Recording();
        informer.addHandler("test", recording);
        within(Duration.ofSeconds(1), () -> recording.steps.size() == 2);
        server.cut();
        server.refusal = (request, number) -> request.initialEvents() ? null : TestErrors.of(410, "Expired", null);
        server.remove("a");
        server.put("c");
        within(Duration.ofSeconds(5), () -> same(informer));
        later(Duration.ofSeconds(1));
        assertThat(server.verbs()).containsExactly("watchlist", "watch", "watchlist");
        assertThat(last().parameter("resourceVersion")).isEqualTo("102");
        assertThat(recording.steps)
                .containsExactly(
                        "add a:uid-1@101 initially",
                        "add b:uid-2@102 initially",
                        "delete a:uid-1@101",
                        "add c:uid-3@104");
    }

    @Test
    void aRelistThatIsRefusedAtTheLastVersionAsksWithoutOne_RF24() {
        SharedInformer<ConfigMap> informer = synced();
        server.put("a");
        within(Duration.ofSeconds(1), () -> same(informer));
        server.refusal =
                (request, number) -> request.parameter("resourceVersion").isEmpty() ? null : TestErrors.tooLarge();
        server.expire();
        server.put("b");
        within(Duration.ofSeconds(10), () -> same(informer));
        assertThat(server.verbs()).containsExactly("watchlist", "watchlist", "watchlist");
        assertThat(last().parameters()).doesNotContainKey("resourceVersion");
        assertThat(informer.snapshot().epoch()).isZero();
    }

    @Test
    void versionsThatWentBackAreANewEpochAndEveryoneIsTold() {
        server.put("a");
        server.put("b");
        SharedInformer<ConfigMap> informer = synced();
        var was = java.util.Map.copyOf(server.objects);
        server.put("b");
        server.put("c");
        within(Duration.ofSeconds(1), () -> same(informer));
        Recording recording = new Recording();
        informer.addHandler("test", recording);
        within(Duration.ofSeconds(1), () -> recording.steps.size() == 3);
        server.cut();
        server.restore(102, was);
        within(Duration.ofSeconds(10), () -> same(informer));
        later(Duration.ofSeconds(1));
        assertThat(informer.snapshot().epoch()).isEqualTo(1);
        assertThat(informer.snapshot().resourceVersion()).isEqualTo("102");
        assertThat(recording.told()).isEqualTo("a:uid-1@101 b:uid-2@102");
    }

    @Test
    void aWatchFromAVersionTheServerNoLongerHasIsFoundOutByItsSilence() {
        server.put("a");
        server.put("b");
        SharedInformer<ConfigMap> informer = synced();
        var was = java.util.Map.copyOf(server.objects);
        server.put("b");
        server.put("c");
        within(Duration.ofSeconds(1), () -> same(informer));
        server.cut();
        server.restore(102, was);
        server.acceptsFutureWatches =
                true; // as kube-apiserver does: it says nothing until its versions have passed ours
        later(Duration.ofSeconds(5));
        assertThat(is(informer, Phase.WATCHING)).isTrue();
        assertThat(same(informer)).isFalse();
        within(Duration.ofSeconds(100), () -> same(informer));
        assertThat(informer.snapshot().epoch()).isEqualTo(1);
        assertThat(server.verbs()).containsExactly("watchlist", "watch", "watchlist", "watchlist");
    }

    @Test
    void aRestartAfterRefusalsIsCaughtUpAsSoonAsItSaysTooOld() {
        for (int restarts = 0; restarts < 20; restarts++) {
            world.runFor(Duration.ofSeconds(40));
            SharedInformer<ConfigMap> informer = synced();
            server.refusal = (request, number) -> TestErrors.of(503, "ServiceUnavailable", null);
            server.cut();
            server.put("a");
            later(Duration.ofSeconds(4));
            server.compact();
            server.refusal = (request, number) -> {
                server.refusal = (any, other) -> null;
                world.after(
                        Duration.ofMillis(2200),
                        () -> server.refusal =
                                (late, other) -> same(informer) ? null : TestErrors.of(500, "TooLate", null));
                return null;
            };
            within(Duration.ofSeconds(10), () -> same(informer));
        }
    }

    @Test
    void restartsThatFollowEachOtherAreCaughtUpAsQuicklyAsTheFirst() {
        SharedInformer<ConfigMap> informer = synced();
        for (int restart = 1; restart <= 8; restart++) {
            later(Duration.ofSeconds(12));
            server.cut();
            server.put("a");
            server.compact();
            server.refusal = (request, number) -> {
                accept();
                return TestErrors.of(429, "TooManyRequests", Duration.ofSeconds(1)); // its cache is being filled
            };
            within(Duration.ofSeconds(3), () -> same(informer));
        }
    }

    @Test
    void aServerThatBreaksEachAnswerOffIsAskedLessAndLess() {
        for (int i = 0; i < 10; i++) {
            server.put("x" + i);
        }
        server.endsInitialEvents = false;
        server.breaksOff = true;
        SharedInformer<ConfigMap> informer = informer();
        later(Duration.ofMinutes(5));
        assertThat(server.verbs()).contains("watchlist", "list").hasSizeLessThan(25);
        assertThat(is(informer, Phase.BACKING_OFF)).isTrue();
    }

    @Test
    void aWatchThatBreaksOffAtOnceEachTimeIsOpenedLessAndLess() {
        SharedInformer<ConfigMap> informer = synced();
        server.breaksOff = true;
        server.cut();
        later(Duration.ofMinutes(5));
        assertThat(server.verbs()).hasSizeLessThan(20);
        assertThat(is(informer, Phase.BACKING_OFF)).isTrue();
    }

    @Test
    void aPathThatBreaksEveryWatchSoonIsFollowedAsLongAsEachBringsSomething() {
        SharedInformer<ConfigMap> informer = synced();
        server.breaksOff = true;
        server.cut();
        for (int i = 0; i < 40; i++) {
            server.put("x");
            within(Duration.ofSeconds(2), () -> same(informer));
        }
    }

    @Test
    void watchesThatEndSoonAreOpenedAgainSoonAsLongAsEachBringsSomething() {
        SharedInformer<ConfigMap> informer = synced();
        for (int i = 0; i < 40; i++) {
            server.put("x");
            within(Duration.ofSeconds(2), () -> same(informer));
            server.end();
        }
    }

    @Test
    void aListThatMayNotNameAVersionIsAskedForWithoutOne() {
        server.put("a");
        server.refusal = (request, number) -> request.initialEvents()
                        || !request.parameter("resourceVersionMatch").isEmpty()
                ? TestErrors.of(400, "BadRequest", null)
                : null;
        SharedInformer<ConfigMap> informer = synced();
        server.put("b");
        server.expire();
        server.put("c");
        within(Duration.ofSeconds(10), () -> same(informer));
    }

    @Test
    void tooManyRequestsWaitForRetryAfterAndListNothing_RF14_RF15() {
        SharedInformer<ConfigMap> informer = synced();
        refuseAll(TestErrors.of(429, "TooManyRequests", Duration.ofSeconds(40)));
        long before = world.now().toNanos();
        server.cut();
        within(Duration.ofSeconds(5), () -> is(informer, Phase.BACKING_OFF) && server.requests.size() == 2);
        accept();
        within(Duration.ofSeconds(60), () -> is(informer, Phase.WATCHING));
        assertThat(Duration.ofNanos(world.now().toNanos() - before)).isGreaterThan(Duration.ofSeconds(40));
        within(Duration.ofSeconds(5), () -> server.requests.size() == 4);
        later(Duration.ofSeconds(30));
        assertThat(server.verbs()).containsExactly("watchlist", "watch", "watch", "list");
        assertThat(server.requests.get(3).parameter("limit"))
                .as("one object, since who was out of reach for so long may have been restored")
                .isEqualTo("1");
        assertThat(informer.state().relists()).isEqualTo(1);
        assertThat(informer.state().lastError()).isNull();
    }

    @Test
    void refusalsForNowAreRepeatedWithGrowingWaits_RF12() {
        SharedInformer<ConfigMap> informer = synced();
        List<Duration> at = new ArrayList<>();
        server.refusal = (request, number) -> {
            at.add(world.now());
            return TestErrors.of(503, "ServiceUnavailable", null);
        };
        server.cut();
        later(Duration.ofMinutes(10));
        for (int i = 1; i < at.size(); i++) {
            double expected = Math.min(0.8 * Math.pow(2, i - 1), 30);
            double waited = at.get(i).minus(at.get(i - 1)).toMillis() / 1000.0;
            assertThat(waited).as("wait %d", i).isBetween(expected, expected * 2 + 0.1);
        }
        assertThat(at).hasSizeGreaterThan(12);
        assertThat(informer.state().lastError()).isInstanceOf(ApiException.ServerError.class);
        assertThat(server.verbs().subList(1, server.verbs().size())).containsOnly("watch");
    }

    @Test
    void anUnreachableServerIsProbedEveryTwoSecondsAndLaterEveryTen() {
        SharedInformer<ConfigMap> informer = synced();
        List<Duration> at = new ArrayList<>();
        server.refusal = (request, number) -> {
            at.add(world.now());
            return TestErrors.unreachable();
        };
        server.cut();
        Duration began = world.now();
        later(Duration.ofMinutes(5));
        for (int i = 1; i < at.size(); i++) {
            Duration waited = at.get(i).minus(at.get(i - 1));
            boolean first = at.get(i - 1).minus(began).compareTo(Duration.ofSeconds(55)) < 0;
            assertThat(waited).isLessThan(Duration.ofMillis(first ? 2050 : 10_050));
        }
        assertThat(at).hasSizeBetween(50, 110);
        accept();
        within(Duration.ofSeconds(11), () -> is(informer, Phase.WATCHING));
        server.refusal = (request, number) -> TestErrors.unreachable();
        server.cut();
        later(Duration.ofSeconds(20));
        accept();
        within(Duration.ofSeconds(2), () -> is(informer, Phase.WATCHING));
    }

    @Test
    void forbiddenIsANamedStateThatEndsByItself() {
        refuseAll(TestErrors.of(403, "Forbidden", null));
        SharedInformer<ConfigMap> informer = informer();
        later(Duration.ofSeconds(30));
        assertThat(informer.state().phase()).isEqualTo(Phase.FORBIDDEN);
        assertThat(informer.state().lastError()).isInstanceOf(ApiException.Forbidden.class);
        assertThat(informer.state().synced()).isFalse();
        assertThat(phases).containsExactly(Phase.STREAMING, Phase.FORBIDDEN);
        accept();
        within(Duration.ofSeconds(16), () -> is(informer, Phase.WATCHING));
        assertThat(informer.state().lastError()).isNull();
    }

    @Test
    void aTypeThatIsNotServedIsWaitedForAndFoundSoon() {
        refuseAll(TestErrors.of(404, "NotFound", null));
        SharedInformer<ConfigMap> informer = informer();
        later(Duration.ofMinutes(10));
        assertThat(informer.state().phase()).isEqualTo(Phase.WAITING_FOR_TYPE);
        assertThat(informer.state().synced()).isFalse();
        accept();
        server.put("a");
        within(Duration.ofSeconds(5), () -> same(informer));
    }

    @Test
    void aTypeThatIsNotServedForAWhileTakesNoObjectAlongAndWhatWentMeanwhileIsToldWhenItIsBack() {
        server.put("a");
        server.put("b");
        SharedInformer<ConfigMap> informer = synced();
        Recording recording = new Recording();
        informer.addHandler("test", recording);
        within(Duration.ofSeconds(1), () -> recording.steps.size() == 2);
        refuseAll(TestErrors.of(404, "NotFound", null));
        server.cut();
        later(Duration.ofMinutes(10));
        assertThat(informer.state().phase()).isEqualTo(Phase.WAITING_FOR_TYPE);
        assertThat(recording.steps).hasSize(2);
        assertThat(informer.snapshot().size()).isEqualTo(2);
        server.remove("a");
        server.put("a"); // of the type that is installed now
        accept();
        within(Duration.ofSeconds(5), () -> recording.steps.size() == 4 && same(informer));
        assertThat(recording.steps.subList(2, 4)).containsExactly("delete a:uid-1@101", "add a:uid-3@104");
        List<FakeServer.Request> asked = server.requests;
        assertThat(asked.get(asked.size() - 1).parameter("resourceVersion"))
                .as("what is there now, whatever was known")
                .isEmpty();
    }

    @Test
    void oneMissingTypeDoesNotHoldUpAnother() {
        server.put("a");
        server.refusal = (request, number) ->
                request.parameter("labelSelector").isEmpty() ? null : TestErrors.of(404, "NotFound", null);
        SharedInformer<ConfigMap> missing = informers.informer(TestObject.TYPE, "", "x=y");
        SharedInformer<ConfigMap> other = synced();
        assertThat(same(other)).isTrue();
        within(Duration.ofSeconds(1), () -> is(missing, Phase.WAITING_FOR_TYPE));
    }

    @Test
    void aSilentWatchThatHadBookmarksIsCutAfterNinetySeconds() {
        SharedInformer<ConfigMap> informer = synced();
        later(Duration.ofSeconds(130));
        server.silence();
        server.put("a");
        within(Duration.ofSeconds(95), () -> same(informer));
        assertThat(server.verbs()).containsExactly("watchlist", "watch");
    }

    @Test
    void aWatchThatFallsSilentSoonAfterItsInitialEventsIsCutAfterNinetySeconds() {
        SharedInformer<ConfigMap> informer = synced();
        server.silence();
        server.put("a");
        within(Duration.ofSeconds(95), () -> same(informer));
        assertThat(server.verbs()).containsExactly("watchlist", "watch");
    }

    @Test
    void aSilentWatchWithoutBookmarksIsCutAfterItsTimeout() {
        server.bookmarks = false;
        SharedInformer<ConfigMap> informer = synced();
        later(Duration.ofMinutes(6)); // three silent ones in a row: this server sends no bookmarks
        server.silence();
        server.put("a");
        later(Duration.ofSeconds(150));
        assertThat(same(informer)).isFalse();
        within(Duration.ofMinutes(10), () -> same(informer));
    }

    @Test
    void twoWatchesThatEndAtOnceWithNothingSaidAreARelist() {
        SharedInformer<ConfigMap> informer = synced();
        server.cut();
        server.refusal = (request, number) -> {
            if (!request.initialEvents()) {
                world.after(Duration.ofMillis(200), server::end);
            }
            return null;
        };
        within(
                Duration.ofSeconds(30),
                () -> server.verbs().contains("list") || server.verbs().size() == 4);
        assertThat(server.verbs()).containsExactly("watchlist", "watch", "watch", "watchlist");
        later(Duration.ofSeconds(5));
        assertThat(is(informer, Phase.WATCHING)).isTrue();
    }

    @Test
    void aTruncatedWatchIsResumedFromWhatWasApplied() {
        SharedInformer<ConfigMap> informer = synced();
        List<WatchFrame> torn = new ArrayList<>();
        server.mangle = frames -> {
            server.mangle = same -> same;
            torn.addAll(frames);
            return List.of(frames.get(0), new WatchFrame.Unscannable("cut in the middle", null));
        };
        server.put("a");
        server.put("b");
        within(Duration.ofSeconds(2), () -> same(informer));
        assertThat(torn).isNotEmpty();
        assertThat(server.verbs()).containsExactly("watchlist", "watch");
    }

    // ---- what cannot be read

    @Test
    void anUnreadableObjectIsContainedAndItsSiblingsGoOn() {
        server.put("a");
        SharedInformer<ConfigMap> informer = synced();
        server.unreadable.add(new ObjectKey("ns", "bad"));
        server.put("bad");
        server.put("c");
        within(
                Duration.ofSeconds(10),
                () -> informer.snapshot().get(new ObjectKey("ns", "c")).isPresent());
        assertThat(server.verbs()).as("resumed once, then listed").startsWith("watchlist", "watch", "watchlist");
        assertThat(informer.state().quarantined()).containsExactly(new ObjectKey("ns", "bad"));
        assertThat(informer.snapshot().size()).isEqualTo(2);
        server.put("a");
        within(Duration.ofSeconds(1), () -> listed(informer).contains("a:uid-1@104"));
        server.unreadable.clear();
        server.put("bad");
        within(Duration.ofSeconds(1), () -> same(informer));
        assertThat(informer.state().quarantined()).isEmpty();
    }

    @Test
    void anObjectThatBecomesUnreadableKeepsItsLastState() {
        server.put("a");
        SharedInformer<ConfigMap> informer = synced();
        server.unreadable.add(new ObjectKey("ns", "a"));
        server.put("a");
        within(
                Duration.ofSeconds(20),
                () -> is(informer, Phase.WATCHING) && informer.state().relists() == 2);
        assertThat(listed(informer)).containsExactly("a:uid-1@101");
        assertThat(informer.state().quarantined()).hasSize(1);
    }

    @Test
    void whileAListHoldsANamelessItemAbsentKeysAreAskedForOneByOne() {
        server.nameless = true;
        server.put("gone");
        server.put("there");
        SharedInformer<ConfigMap> informer = synced();
        server.silence();
        server.remove("gone");
        server.unreadable.add(new ObjectKey("ns", "there"));
        server.put("there");
        server.compact();
        within(Duration.ofMinutes(15), () -> informer.state().relists() == 2);
        within(Duration.ofSeconds(10), () -> informer.snapshot().size() == 1);
        assertThat(listed(informer)).containsExactly("there:uid-2@102");
        assertThat(server.verbs()).contains("get");
        later(Duration.ofMinutes(5));
        assertThat(informer.state().quarantined()).containsExactly(new ObjectKey("ns", "there"));
    }

    @Test
    void whatWasNotInAListIsNotTakenForGoneBecauseItsTypeIsNotServedForAWhile() {
        server.nameless = true;
        server.put("there");
        server.put("gone");
        SharedInformer<ConfigMap> informer = synced();
        server.silence();
        server.remove("gone");
        server.unreadable.add(new ObjectKey("ns", "there")); // in no list: asked for by its name
        server.put("there");
        server.compact();
        server.refusal =
                (request, number) -> request.verb().equals("get") ? TestErrors.of(404, "NotFound", null) : null;
        within(Duration.ofMinutes(15), () -> informer.state().relists() == 2);
        later(Duration.ofMinutes(5));
        assertThat(informer.snapshot().size()).isEqualTo(2);
        accept();
        within(Duration.ofMinutes(6), () -> informer.snapshot().size() == 1);
        assertThat(informer.snapshot().list().get(0).key().name()).isEqualTo("there");
    }

    // ---- users

    @Test
    void holdsOfOneIdentityShareOneWatchAndTheLastCloseEndsIt() {
        server.put("a");
        SharedInformer<ConfigMap> first = synced();
        SharedInformer<ConfigMap> second = informers.informer(TestObject.TYPE, "");
        ResourceType<GenericKubernetesResource> untyped =
                ResourceType.dynamic("", "v1", "configmaps", "ConfigMap", ResourceType.Scope.NAMESPACED);
        SharedInformer<GenericKubernetesResource> third = informers.informer(untyped, "");
        assertThat(third.snapshot().size()).isEqualTo(1);
        assertThat(server.verbs()).containsExactly("watchlist");
        first.close();
        first.close();
        second.close();
        server.put("b");
        within(Duration.ofSeconds(1), () -> third.snapshot().size() == 2);
        third.close();
        later(Duration.ofSeconds(1));
        assertThat(server.open).isEmpty();
        assertThat(third.state().phase()).isEqualTo(Phase.STOPPED);
        SharedInformer<ConfigMap> again = informers.informer(TestObject.TYPE, "");
        within(Duration.ofSeconds(5), () -> same(again));
    }

    @Test
    void aLateHandlerSeesWhatAnEarlyOneSaw_SI18() {
        server.put("a");
        SharedInformer<ConfigMap> informer = informer();
        Recording early = new Recording();
        var earlyHandle = informer.addHandler("early", early);
        within(Duration.ofSeconds(5), () -> is(informer, Phase.WATCHING));
        server.put("b");
        server.put("a");
        later(Duration.ofSeconds(1));
        Recording late = new Recording();
        var lateHandle = informer.addHandler("late", late);
        server.remove("b");
        later(Duration.ofSeconds(1));
        assertThat(early.steps)
                .containsExactly(
                        "add a:uid-1@101 initially",
                        "add b:uid-2@102",
                        "update a:uid-1@101 to a:uid-1@103",
                        "delete b:uid-2@104");
        assertThat(late.steps)
                .containsExactly("add a:uid-1@103 initially", "add b:uid-2@102 initially", "delete b:uid-2@104");
        assertThat(earlyHandle.synced().toCompletableFuture()).isCompleted();
        assertThat(lateHandle.synced().toCompletableFuture()).isCompleted();
    }

    @Test
    void aHandlerThatThrowsOrBlocksHarmsNoOther_SI20_X10() {
        server.put("a");
        SharedInformer<ConfigMap> informer = informer();
        Recording throwing = new Recording() {
            @Override
            void before() {
                throw new StackOverflowError("from a handler");
            }
        };
        Recording blocked = new Recording() {
            @Override
            void before() {
                process.await(new CompletableFuture<Void>(), Duration.ofDays(1));
            }
        };
        Recording good = new Recording();
        var thrown = informer.addHandler("throwing", throwing);
        var stuck = informer.addHandler("blocked", blocked);
        informer.addHandler("good", good);
        within(Duration.ofSeconds(5), () -> is(informer, Phase.WATCHING));
        server.put("b");
        later(Duration.ofSeconds(1));
        assertThat(good.steps).hasSize(2);
        assertThat(throwing.steps).hasSize(2);
        assertThat(thrown.synced().toCompletableFuture()).isCompleted();
        assertThat(stuck.synced().toCompletableFuture()).isNotCompleted();
        stuck.close();
        informers.close();
        later(Duration.ofSeconds(1));
        assertThat(is(informer, Phase.STOPPED)).isTrue();
    }

    @Test
    void aRemovedHandlerIsToldNothingMore_SI17() {
        SharedInformer<ConfigMap> informer = synced();
        Recording recording = new Recording();
        var handle = informer.addHandler("test", recording);
        server.put("a");
        later(Duration.ofSeconds(1));
        handle.close();
        server.put("b");
        later(Duration.ofSeconds(1));
        assertThat(recording.steps).containsExactly("add a:uid-1@101");
        assertThat(same(informer)).isTrue();
    }

    @Test
    void aClosedHoldTakesNoHandler() {
        SharedInformer<ConfigMap> informer = synced();
        informer.close();
        assertThatThrownBy(() -> informer.addHandler("late", new Recording()))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("configmaps");
        informers.close();
        assertThatThrownBy(() -> informers.informer(TestObject.TYPE, "")).isInstanceOf(IllegalStateException.class);
        assertThat(client.observers()).isZero();
    }

    @Test
    void closeEndsEveryStateAtOnceAndNothingIsAskedAfterwards_RF02_RF05() {
        List<ApiException> refusals = new ArrayList<>(List.of(
                TestErrors.of(403, "Forbidden", null),
                TestErrors.of(404, "NotFound", null),
                TestErrors.of(503, "ServiceUnavailable", null),
                TestErrors.unreachable()));
        List<Phase> closedIn = new ArrayList<>();
        for (int i = 0; i < 7; i++) {
            int number = i;
            server.endsInitialEvents = i != 4;
            server.refusal = (request, any) -> number < refusals.size() ? refusals.get(number) : null;
            SharedInformers own = SharedInformers.over(process, client);
            SharedInformer<ConfigMap> informer = own.informer(TestObject.TYPE, "");
            if (i < 6) {
                later(Duration.ofMillis(400));
            }
            closedIn.add(informer.state().phase());
            own.close();
            int asked = server.requests.size();
            later(Duration.ofMinutes(2));
            assertThat(informer.state().phase()).isEqualTo(Phase.STOPPED);
            assertThat(server.requests.size()).isLessThanOrEqualTo(asked + (i < 6 ? 0 : 1));
            assertThat(server.open).isEmpty();
            assertThat(informer.synced().toCompletableFuture().isDone()).isTrue();
        }
        assertThat(closedIn)
                .containsExactly(
                        Phase.FORBIDDEN,
                        Phase.WAITING_FOR_TYPE,
                        Phase.BACKING_OFF,
                        Phase.BACKING_OFF,
                        Phase.STREAMING,
                        Phase.WATCHING,
                        Phase.IDLE);
    }

    @Test
    void anOwnWriteIsReadBeforeItsAnswerIsHeldAndItsEchoStillNotifies() {
        server.put("a");
        SharedInformer<ConfigMap> informer = synced();
        Recording recording = new Recording();
        informer.addHandler("test", recording);
        within(Duration.ofSeconds(1), () -> recording.steps.size() == 1);
        server.silence();
        List<List<String>> seen = new ArrayList<>();
        client.write("a", object -> object.ownedBy("o")).whenComplete((object, problem) -> seen.add(listed(informer)));
        within(Duration.ofSeconds(1), () -> !seen.isEmpty());
        assertThat(seen).containsExactly(List.of("a:uid-1@102"));
        assertThat(informer.snapshot().ownedBy("o")).hasSize(1);
        assertThat(recording.steps).hasSize(1);
        List<List<String>> after = new ArrayList<>();
        client.erase("a").whenComplete((object, problem) -> after.add(listed(informer)));
        within(Duration.ofSeconds(1), () -> !after.isEmpty());
        assertThat(after).containsExactly(List.of());
        within(Duration.ofMinutes(15), () -> recording.steps.size() == 2);
        assertThat(recording.steps.get(1)).isEqualTo("delete a:uid-1@103");
    }

    @Test
    void aWriteOfAnotherClassCountsAndOneOfAnotherNamespaceOrSubresourceDoesNot() {
        SharedInformer<ConfigMap> informer = informers.informer(TestObject.TYPE, "ns");
        within(Duration.ofSeconds(5), () -> is(informer, Phase.WATCHING));
        ResourceType<GenericKubernetesResource> untyped =
                ResourceType.dynamic("", "v1", "configmaps", "ConfigMap", ResourceType.Scope.NAMESPACED);
        TestObject mine = TestObject.of("m", "u1", 200);
        client.tell(new WriteObserver.Done(new Write(Write.Verb.CREATE, untyped, mine.key(), ""), mine, "u1"));
        TestObject other = TestObject.of("o", "u2", 201).in("elsewhere");
        client.tell(new WriteObserver.Done(new Write(Write.Verb.CREATE, untyped, other.key(), ""), other, "u2"));
        TestObject scale = TestObject.of("s", "u3", 202);
        client.tell(new WriteObserver.Done(new Write(Write.Verb.UPDATE, untyped, scale.key(), "scale"), scale, "u3"));
        assertThat(listed(informer)).containsExactly("m:u1@200");
    }

    @Test
    void aWriteInAnotherVersionOfTheApiIsAskedForInThisOneAndItsBytesAreNeverShown() {
        server.put("a");
        SharedInformer<ConfigMap> informer = synced();
        ResourceType<GenericKubernetesResource> older =
                ResourceType.dynamic("", "v1beta1", "configmaps", "ConfigMap", ResourceType.Scope.NAMESPACED);
        TestObject foreign = TestObject.of("a", "uid-1", 150);
        client.tell(new WriteObserver.Done(new Write(Write.Verb.UPDATE, older, foreign.key(), ""), foreign, "uid-1"));
        assertThat(informer.snapshot().get(foreign.key()).orElseThrow().raw()).isNotSameAs(foreign);
        within(Duration.ofSeconds(5), () -> server.requests.stream()
                .anyMatch(request -> request.verb().equals("get")));
        client.tell(new WriteObserver.Done(new Write(Write.Verb.DELETE, older, foreign.key(), ""), null, "uid-1"));
        assertThat(informer.snapshot().get(foreign.key()))
                .as("what is gone is gone in every version")
                .isEmpty();
    }

    @Test
    void aDeleteThatIsHeldByAFinalizerShowsTheDeletionTime() {
        server.put("a");
        SharedInformer<ConfigMap> informer = synced();
        TestObject held = TestObject.of("a", "uid-1", 150).deleting();
        client.tell(
                new WriteObserver.Done(new Write(Write.Verb.DELETE, TestObject.TYPE, held.key(), ""), held, "uid-1"));
        assertThat(informer.snapshot().get(held.key()).orElseThrow().raw().deletionTimestamp())
                .isNotNull();
        TestObject last = TestObject.of("a", "uid-1", 150);
        client.tell(
                new WriteObserver.Done(new Write(Write.Verb.DELETE, TestObject.TYPE, last.key(), ""), last, "uid-1"));
        assertThat(informer.snapshot().get(held.key())).isEmpty();
    }

    @Test
    void aStateListenerThatThrowsChangesNothing() {
        SharedInformer<ConfigMap> informer = informers.informer(TestObject.TYPE, "");
        var registration = informer.onStateChange(state -> {
            throw new AssertionError("from a listener");
        });
        informer.onStateChange(state -> phases.add(state.phase()));
        within(Duration.ofSeconds(5), () -> is(informer, Phase.WATCHING));
        registration.close();
        assertThat(phases).containsExactly(Phase.STREAMING, Phase.WATCHING);
        assertThat(Set.copyOf(phases)).doesNotContain(Phase.STOPPED);
    }
}
