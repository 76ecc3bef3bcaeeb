package io.homeostat.informer;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.homeostat.client.ApiException;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.TestErrors;
import io.homeostat.client.WatchFrame;
import io.homeostat.informer.InformerState.Phase;
import io.homeostat.virtualruntime.VirtualProcess;
import io.homeostat.virtualruntime.VirtualWorld;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/**
 * Cases of client-go's reflector, and the lines of its failure table, that no other test has; docs/client-go-cases.md and
 * docs/faults.md list them all.
 */
class ReflectorCasesTest {
    private final VirtualWorld world = VirtualWorld.seeded(23);
    private final VirtualProcess process = world.process("operator");
    private final FakeServer server = new FakeServer(world);
    private final FakeServer.Client client = server.client();
    private SharedInformers informers = SharedInformers.over(process, client);
    private Recording recording = new Recording();
    /** When each of the server's requests came. */
    private final List<Duration> at = new ArrayList<>();

    @AfterEach
    void end() {
        world.close();
    }

    /** From now on each request is answered by {@code script}; null is an answer as it should be. */
    private void answer(Function<FakeServer.Request, @Nullable ApiException> script) {
        server.refusal = (request, number) -> {
            while (at.size() < number) {
                at.add(world.now());
            }
            return script.apply(request);
        };
    }

    /** Refuses what {@code which} says, with these answers one after the other, and nothing afterwards. */
    private void refuse(Function<FakeServer.Request, Boolean> which, ApiException... causes) {
        List<ApiException> left = new ArrayList<>(List.of(causes));
        answer(request -> left.isEmpty() || !which.apply(request) ? null : left.remove(0));
    }

    private SharedInformer<ConfigMap> informer() {
        return informers.informer(TestObject.TYPE, "");
    }

    private SharedInformer<ConfigMap> synced() {
        recording = new Recording();
        SharedInformer<ConfigMap> informer = informer();
        informer.addHandler("recording", recording);
        within(Duration.ofSeconds(60), () -> informer.state().synced() && following(informer));
        later(Duration.ofSeconds(12)); // what went before is forgotten
        recording.steps.clear();
        server.requests.clear();
        at.clear();
        return informer;
    }

    private void within(Duration limit, BooleanSupplier condition) {
        world.runUntil(condition, limit);
    }

    private void later(Duration duration) {
        world.runFor(duration);
    }

    private static boolean following(SharedInformer<?> informer) {
        return informer.state().phase() == Phase.WATCHING;
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

    private void say(WatchFrame frame) {
        List.copyOf(server.open).forEach(stream -> stream.say(frame));
    }

    private void sayError(ApiException cause) {
        say(new WatchFrame.Failure(cause));
    }

    /** Until the next stream is open. */
    private void sayErrorToTheEnd(ApiException cause) {
        int before = server.requests.size();
        sayError(cause);
        within(Duration.ofMinutes(1), () -> server.requests.size() > before && !server.open.isEmpty());
    }

    /** What a request asks for, but for the time it may take, which is drawn. */
    private static Map<String, String> asked(FakeServer.Request request) {
        Map<String, String> parameters = new HashMap<>(request.parameters());
        parameters.remove("timeoutSeconds");
        return parameters;
    }

    // ---- the first list

    @Test
    void aFirstStreamThatIsRefusedForNowIsAskedForAgainAsItWas_RF41() {
        server.put("a");
        ApiException busy = TestErrors.of(429, "TooManyRequests", null);
        refuse(request -> true, busy, TestErrors.unreachable(), busy);
        SharedInformer<ConfigMap> informer = informer();
        within(Duration.ofSeconds(30), () -> same(informer));
        assertThat(server.verbs()).containsExactly("watchlist", "watchlist", "watchlist", "watchlist");
        assertThat(server.requests.stream().map(ReflectorCasesTest::asked).distinct())
                .hasSize(1);
        assertThat(at.get(1).minus(at.get(0))).isGreaterThan(Duration.ofMillis(800));
        assertThat(informer.state().relists()).isEqualTo(1);
    }

    @Test
    void onlyARefusalOfTheRequestItselfIsAReasonToListInstead_RF37_RF38() {
        server.put("a");
        Map<ApiException, String> second = new LinkedHashMap<>();
        for (int code : List.of(401, 403, 404, 429, 500, 503, 504)) {
            second.put(TestErrors.of(code, "", null), "watchlist");
        }
        second.put(TestErrors.unreachable(), "watchlist");
        second.put(TestErrors.malformed(), "watchlist");
        for (int code : List.of(400, 405, 415, 422)) {
            second.put(TestErrors.of(code, "", null), "list");
        }
        second.forEach((cause, verb) -> {
            server.requests.clear();
            at.clear();
            refuse(request -> true, cause);
            informers = SharedInformers.over(process, client);
            SharedInformer<ConfigMap> informer = informer();
            within(Duration.ofSeconds(30), () -> same(informer) && following(informer));
            assertThat(server.verbs()).as("after %s", cause).startsWith("watchlist", verb);
            informers.close();
            later(Duration.ofSeconds(1));
        });
    }

    @Test
    void aFirstStreamThatEndsBeforeItsEndIsAskedForAgainAndTheThirdTimeItIsAList() {
        server.put("a");
        server.endsInitialEvents = false;
        SharedInformer<ConfigMap> informer = informer();
        for (int i = 0; i < 3; i++) {
            within(Duration.ofSeconds(30), () -> !server.open.isEmpty());
            later(Duration.ofSeconds(2));
            assertThat(informer.snapshot().size()).isZero();
            server.end();
        }
        within(Duration.ofSeconds(30), () -> same(informer) && following(informer));
        assertThat(server.verbs()).containsExactly("watchlist", "watchlist", "watchlist", "list", "watch");
    }

    // ---- relists

    @Test
    void aRelistIsInOnePieceAndAtLeastAsNewAsTheCache_RF19_RF21() {
        for (int i = 0; i < 10; i++) {
            server.put("x" + i);
        }
        Function<FakeServer.Request, @Nullable ApiException> lists =
                request -> request.initialEvents() ? TestErrors.of(422, "Invalid", null) : null;
        answer(lists);
        SharedInformer<ConfigMap> informer = synced();
        answer(lists);
        server.put("y");
        within(Duration.ofSeconds(1), () -> same(informer));
        server.expire();
        within(Duration.ofSeconds(10), () -> following(informer) && server.requests.size() == 2);
        assertThat(server.verbs()).containsExactly("list", "watch");
        assertThat(asked(server.requests.get(0)))
                .containsEntry("resourceVersion", "111")
                .containsEntry("resourceVersionMatch", "NotOlderThan")
                .doesNotContainKeys("limit", "continue");
    }

    @Test
    void aRelistThatIsTooOldItselfIsFollowedAtOnceByOneOfWhatThereIs_RF22() {
        for (boolean streams : List.of(true, false)) {
            informers = SharedInformers.over(process, client);
            Function<FakeServer.Request, @Nullable ApiException> answers =
                    request -> request.initialEvents() && !streams ? TestErrors.of(422, "Invalid", null) : null;
            answer(answers);
            SharedInformer<ConfigMap> informer = synced();
            answer(request -> {
                ApiException refused = answers.apply(request);
                boolean versioned = !request.parameter("resourceVersion").isEmpty();
                boolean lists = request.verb().equals("list") || request.initialEvents();
                return refused == null && lists && versioned ? TestErrors.of(410, "Expired", null) : refused;
            });
            server.expire();
            server.put("a");
            within(Duration.ofSeconds(10), () -> same(informer) && following(informer));
            String list = streams ? "watchlist" : "list";
            assertThat(server.verbs()).startsWith(list, list);
            assertThat(server.requests.get(0).parameter("resourceVersion")).isNotEmpty();
            assertThat(server.requests.get(1).parameter("resourceVersion")).isEmpty();
            assertThat(at.get(1).minus(at.get(0))).isLessThan(Duration.ofMillis(100));
            assertThat(informer.state().relists()).isEqualTo(2);
            informers.close();
            later(Duration.ofSeconds(1));
        }
    }

    @Test
    void whatTheCacheHasStaysWhileItsListsFail_RF11_RF44() {
        server.put("a");
        server.put("b");
        SharedInformer<ConfigMap> informer = synced();
        refuse(
                request -> true,
                TestErrors.of(500, "InternalError", null),
                TestErrors.of(403, "Forbidden", null),
                TestErrors.unreachable(),
                TestErrors.of(429, "TooManyRequests", null),
                TestErrors.malformed(),
                TestErrors.of(503, "ServiceUnavailable", null));
        world.invariant(() -> assertThat(informer.snapshot().size()).isGreaterThanOrEqualTo(2));
        server.expire();
        server.put("c");
        within(Duration.ofMinutes(3), () -> following(informer) && same(informer));
        later(Duration.ofSeconds(1));
        assertThat(server.verbs()).containsOnly("watchlist").hasSize(7);
        assertThat(server.requests.stream().map(request -> request.parameter("resourceVersion")))
                .containsOnly("102");
        assertThat(recording.steps).containsExactly("add c:uid-3@103");
    }

    // ---- following

    @Test
    void aWatchThatCannotBeOpenedNowIsAskedForAgainAtTheSameVersion_RF12_RF15() {
        SharedInformer<ConfigMap> informer = synced();
        server.put("a");
        within(Duration.ofSeconds(1), () -> same(informer));
        refuse(
                request -> true,
                TestErrors.unreachable(),
                TestErrors.of(429, "TooManyRequests", null),
                TestErrors.of(500, "InternalError", null),
                TestErrors.of(502, "", null),
                TestErrors.of(503, "ServiceUnavailable", null),
                TestErrors.of(504, "Timeout", null),
                TestErrors.of(401, "Unauthorized", null),
                TestErrors.of(403, "Forbidden", null),
                TestErrors.malformed());
        server.cut();
        server.put("b");
        within(Duration.ofMinutes(4), () -> same(informer));
        assertThat(server.requests)
                .extracting(request -> request.verb() + " " + request.parameter("limit"))
                .as("watches, and one object where the server was away: it may be another one")
                .containsOnly("watch ", "list 1")
                .hasSize(11);
        assertThat(server.requests.stream().map(request -> request.parameter("resourceVersion")))
                .containsOnly("101");
        assertThat(informer.state().relists()).isEqualTo(1);
    }

    @Test
    void aWatchWhoseRequestIsRefusedIsAListOfWhatThereIs() {
        for (int code : List.of(400, 422)) {
            informers = SharedInformers.over(process, client);
            SharedInformer<ConfigMap> informer = synced();
            refuse(request -> true, TestErrors.of(code, "", null));
            server.cut();
            server.put("a");
            within(Duration.ofSeconds(10), () -> same(informer));
            assertThat(server.verbs()).as("after %d", code).containsExactly("watch", "watchlist");
            assertThat(last().parameters()).doesNotContainKey("resourceVersion");
            informers.close();
            later(Duration.ofSeconds(1));
        }
    }

    @Test
    void theVersionToResumeFromFollowsEveryKindOfFrame_RF27() {
        SharedInformer<ConfigMap> informer = synced();
        server.put("a");
        assertThat(resumedFrom(informer)).isEqualTo("101");
        server.put("a");
        assertThat(resumedFrom(informer)).isEqualTo("102");
        server.version = 200;
        later(Duration.ofSeconds(70));
        assertThat(resumedFrom(informer)).as("of a bookmark").isEqualTo("200");
        server.remove("a");
        assertThat(resumedFrom(informer)).isEqualTo("201");
        assertThat(server.verbs()).containsOnly("watch");
    }

    private String resumedFrom(SharedInformer<ConfigMap> informer) {
        within(Duration.ofSeconds(2), () -> same(informer));
        int before = server.requests.size();
        server.cut();
        within(Duration.ofSeconds(5), () -> server.requests.size() > before && !server.open.isEmpty());
        return last().parameter("resourceVersion");
    }

    @Test
    void theVersionToResumeFromNeverGoesBack_RF08() {
        server.put("a");
        server.put("b");
        SharedInformer<ConfigMap> informer = synced();
        say(new WatchFrame.Event(WatchFrame.Kind.MODIFIED, TestObject.of("a", "uid-1", 55)));
        say(new WatchFrame.Event(WatchFrame.Kind.DELETED, TestObject.of("b", "uid-2", 32)));
        later(Duration.ofSeconds(1));
        assertThat(recording.steps).isEmpty();
        assertThat(resumedFrom(informer)).isEqualTo("102");
    }

    @Test
    void anErrorFrameThatSaysTooOldIsAListAtTheLastVersionWithinASecond_RF01() {
        server.put("a");
        SharedInformer<ConfigMap> informer = synced();
        answer(request -> null);
        Duration said = world.now();
        server.expire();
        server.put("b");
        within(Duration.ofSeconds(3), () -> same(informer));
        assertThat(server.verbs()).containsExactly("watchlist");
        assertThat(last().parameters())
                .containsEntry("resourceVersion", "101")
                .containsEntry("resourceVersionMatch", "NotOlderThan");
        assertThat(at.get(0).minus(said)).isLessThan(Reflector.SPREAD.plusMillis(100));
    }

    @Test
    void anErrorFrameThatSaysTooManyRequestsCostsItsWaitAndNoList_RF14() {
        server.put("a");
        SharedInformer<ConfigMap> informer = synced();
        answer(request -> null);
        Duration said = world.now();
        sayError(TestErrors.of(429, "TooManyRequests", Duration.ofSeconds(7)));
        within(Duration.ofSeconds(5), () -> informer.state().phase() == Phase.BACKING_OFF);
        server.put("b");
        within(Duration.ofSeconds(20), () -> same(informer));
        assertThat(server.verbs()).containsExactly("watch");
        assertThat(last().parameter("resourceVersion")).isEqualTo("101");
        assertThat(at.get(0).minus(said)).isBetween(Duration.ofSeconds(7), Duration.ofSeconds(8));
    }

    @Test
    void anErrorFrameOfTheServerIsResumedFromOnceAndAtTheSameVersionItIsAList_RF16() {
        server.put("a");
        SharedInformer<ConfigMap> informer = synced();
        for (int i = 0; i < 5; i++) {
            sayErrorToTheEnd(TestErrors.of(500, "InternalError", null));
            server.put("a");
            within(Duration.ofSeconds(1), () -> same(informer));
        }
        assertThat(server.verbs()).as("each brought something").containsOnly("watch");
        for (int i = 0; i < 2; i++) {
            sayErrorToTheEnd(TestErrors.of(500, "InternalError", null));
        }
        later(Duration.ofSeconds(5));
        assertThat(server.verbs().subList(5, server.verbs().size())).containsExactly("watch", "watchlist");
        assertThat(last().parameter("resourceVersion")).isEqualTo("106");
        assertThat(following(informer)).isTrue();
    }

    @Test
    void aWatchThatCannotGetPastAnObjectTheServerCannotReadIsAListWithoutIt_RF29() {
        server.put("a");
        server.put("corrupt");
        SharedInformer<ConfigMap> informer = synced();
        // What a server says that cannot decode what was deleted by force (KEP-3926), of every watch from before it.
        server.mangle = frames -> {
            List<WatchFrame> said = new ArrayList<>();
            for (WatchFrame frame : frames) {
                boolean unread = frame instanceof WatchFrame.Event event
                        && event.object().key().name().equals("corrupt");
                said.add(unread ? new WatchFrame.Failure(TestErrors.of(500, "StoreReadError", null)) : frame);
            }
            return said;
        };
        server.remove("corrupt");
        server.put("b");
        within(Duration.ofSeconds(30), () -> same(informer) && following(informer));
        later(Duration.ofSeconds(1));
        assertThat(server.verbs()).containsExactly("watch", "watchlist");
        assertThat(recording.steps).containsExactly("delete corrupt:uid-2@102", "add b:uid-3@104");
    }

    @Test
    void anErrorFrameOfAnyOtherKindIsSaidAndResumedFrom() {
        server.put("a");
        SharedInformer<ConfigMap> informer = synced();
        Map<ApiException, Phase> phases = new LinkedHashMap<>();
        phases.put(TestErrors.of(401, "Unauthorized", null), Phase.FORBIDDEN);
        phases.put(TestErrors.of(403, "Forbidden", null), Phase.FORBIDDEN);
        phases.put(TestErrors.of(409, "Conflict", null), Phase.BACKING_OFF);
        phases.put(TestErrors.malformed(), Phase.BACKING_OFF);
        phases.forEach((cause, phase) -> {
            sayError(cause);
            within(Duration.ofSeconds(1), () -> informer.state().phase() == phase);
            assertThat(informer.state().lastError()).isSameAs(cause);
            within(Duration.ofMinutes(1), () -> following(informer) && !server.open.isEmpty());
            assertThat(informer.state().lastError()).isNull();
            later(Duration.ofSeconds(12));
            server.put("a");
            within(Duration.ofSeconds(1), () -> same(informer));
        });
        assertThat(server.verbs()).containsOnly("watch").hasSize(4);
    }

    // ---- what takes too long

    @Test
    void anHourThatALoadBalancerAsksForIsNoMoreThanFiveMinutes() {
        SharedInformer<ConfigMap> informer = synced();
        refuse(request -> true, TestErrors.of(503, "ServiceUnavailable", Duration.ofHours(1)));
        server.put("a");
        server.cut();
        within(Duration.ofSeconds(30), () -> server.requests.size() == 1);
        later(Duration.ofSeconds(295));
        assertThat(server.requests).as("it is honoured").hasSize(1);
        within(Duration.ofSeconds(20), () -> same(informer));
    }

    @Test
    void aStreamThatFallsSilentBeforeItsFirstBookmarkIsNoticedInTimeAlsoWhenItHappensAgain() {
        SharedInformer<ConfigMap> informer = synced();
        for (int i = 0; i < 2; i++) {
            server.put("a");
            within(Duration.ofSeconds(1), () -> same(informer));
            server.silence();
            server.put("a");
            within(Duration.ofSeconds(95), () -> same(informer));
        }
    }

    @Test
    void aListInOnePieceThatTakesTheServerTooLongIsAskedForInPages() {
        for (int i = 0; i < 7; i++) {
            server.put("x" + i);
        }
        Function<FakeServer.Request, @Nullable ApiException> answers = request -> {
            boolean onePiece =
                    request.verb().equals("list") && request.parameter("limit").isEmpty();
            server.listsHang = onePiece;
            return request.initialEvents() ? TestErrors.of(422, "Invalid", null) : null;
        };
        answer(answers);
        SharedInformer<ConfigMap> informer = synced();
        answer(answers);
        server.put("y");
        server.expire();
        within(Duration.ofMinutes(2), () -> informer.state().relists() == 2 && following(informer));
        assertThat(same(informer)).isTrue();
        assertThat(server.requests.stream()
                        .filter(request -> request.verb().equals("list"))
                        .map(request -> request.parameter("limit")))
                .startsWith("", "", "500")
                .endsWith("500");
    }

    @Test
    void aListThatGetsNoAnswerBecauseTheServerIsAwayIsNoReasonForPages() {
        server.put("x");
        Function<FakeServer.Request, @Nullable ApiException> answers =
                request -> request.initialEvents() ? TestErrors.of(422, "Invalid", null) : null;
        answer(answers);
        SharedInformer<ConfigMap> informer = synced();
        answer(answers);
        server.put("y");
        server.expire();
        within(Duration.ofSeconds(5), () -> !server.requests.isEmpty());
        server.hang();
        later(Duration.ofMinutes(3));
        server.goOn();
        within(Duration.ofSeconds(40), () -> same(informer) && following(informer));
        assertThat(server.requests.stream().filter(request -> request.verb().equals("list")))
                .hasSizeGreaterThan(2)
                .allSatisfy(request ->
                        assertThat(request.parameter("resourceVersion")).isNotEmpty());
    }

    @Test
    void aServerThatAnswersForAWhileWithErrorsMayBeAnotherOneAfterwards() {
        server.acceptsFutureWatches = true;
        server.put("a");
        TreeMap<ObjectKey, TestObject> backup = new TreeMap<>(server.objects);
        long version = server.version;
        SharedInformer<ConfigMap> informer = synced();
        for (int i = 0; i < 9; i++) {
            server.put("a");
        }
        within(Duration.ofSeconds(1), () -> same(informer));
        answer(request -> TestErrors.of(503, "ServiceUnavailable", null));
        server.cut();
        later(Duration.ofSeconds(10));
        server.restore(version, backup);
        answer(request -> null);
        within(
                Duration.ofSeconds(40),
                () -> same(informer) && informer.snapshot().epoch() == 1);
    }

    // ---- the same version with other contents

    private static final ObjectKey A = new ObjectKey("ns", "a");

    /** What a server, or a conversion, makes of an object without a new version of it. */
    private void changeWithoutAVersion() {
        server.objects.computeIfPresent(A, (key, object) -> object.labelled("form", "other"));
    }

    private Map<String, String> labels(SharedInformer<ConfigMap> informer) {
        return informer.snapshot().get(A).orElseThrow().raw().labels();
    }

    @Test
    void anObjectOfTheSameVersionIsTheSameObjectWhateverAWatchShows() {
        server.put("a");
        SharedInformer<ConfigMap> informer = synced();
        changeWithoutAVersion();
        TestObject other = server.objects.get(A);
        assertThat(other).isNotNull();
        say(new WatchFrame.Event(WatchFrame.Kind.MODIFIED, other));
        say(new WatchFrame.Event(WatchFrame.Kind.ADDED, other));
        later(Duration.ofSeconds(1));
        assertThat(labels(informer)).isEmpty();
        assertThat(recording.steps).isEmpty();
        server.put("a");
        within(Duration.ofSeconds(1), () -> recording.steps.size() == 1);
        assertThat(labels(informer)).as("its next version").containsEntry("form", "other");
    }

    @Test
    void anObjectOfTheSameVersionIsTakenAsAListShowsIt() {
        for (boolean streams : List.of(true, false)) {
            server.objects.clear();
            server.put("a");
            informers = SharedInformers.over(process, client);
            Function<FakeServer.Request, @Nullable ApiException> answers =
                    request -> request.initialEvents() && !streams ? TestErrors.of(422, "Invalid", null) : null;
            answer(answers);
            SharedInformer<ConfigMap> informer = synced();
            answer(answers);
            Object kept = informer.snapshot().get(A).orElseThrow().raw();
            server.expire();
            within(Duration.ofSeconds(5), () -> informer.state().relists() == 2 && following(informer));
            assertThat(informer.snapshot().get(A).orElseThrow().raw())
                    .as("with the same contents it is not even copied")
                    .isSameAs(kept);
            assertThat(recording.steps).isEmpty();
            server.put("b");
            within(Duration.ofSeconds(1), () -> recording.steps.size() == 1);
            recording.steps.clear();
            later(Duration.ofSeconds(30));
            changeWithoutAVersion();
            server.expire();
            within(Duration.ofSeconds(5), () -> informer.state().relists() == 3 && following(informer));
            within(Duration.ofSeconds(1), () -> recording.steps.size() == 1);
            assertThat(labels(informer)).containsEntry("form", "other");
            recording.steps.clear();
            informers.close();
            later(Duration.ofSeconds(1));
        }
    }

    // ---- many objects

    @Test
    void aHundredThousandObjectsAreListedWatchedAndListedAgain() {
        int many = 100_000;
        for (int i = 0; i < many; i++) {
            server.put("x" + i);
        }
        SharedInformer<ConfigMap> informer = informer();
        informer.addHandler("recording", recording);
        within(Duration.ofMinutes(30), () -> following(informer));
        within(Duration.ofMinutes(5), () -> recording.steps.size() == many);
        assertThat(informer.snapshot().size()).isEqualTo(many);
        recording.steps.clear();
        server.put("x500");
        server.expire();
        server.remove("x70000");
        within(Duration.ofMinutes(30), () -> informer.state().relists() == 2 && recording.steps.size() == 2);
        assertThat(recording.steps)
                .containsExactly("update x500:uid-501@601 to x500:uid-501@100101", "delete x70000:uid-70001@70101");
        assertThat(informer.snapshot().size()).isEqualTo(many - 1);
    }
}
