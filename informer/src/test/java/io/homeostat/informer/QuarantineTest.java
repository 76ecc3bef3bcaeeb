package io.homeostat.informer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.homeostat.client.ApiException;
import io.homeostat.client.ObjectKey;
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
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What D32 says of objects that cannot be read, sentence by sentence. */
class QuarantineTest {
    private final VirtualWorld world = VirtualWorld.seeded(9);
    private final VirtualProcess process = world.process("operator");
    private final FakeServer server = new FakeServer(world);
    private final FakeServer.Client client = server.client();
    private final SharedInformers informers = SharedInformers.over(process, client);
    private final Recording recording = new Recording();
    private final ObjectKey bad = new ObjectKey("ns", "bad");

    @BeforeEach
    void objects() {
        server.put("a");
        server.put("b");
        server.put("bad");
    }

    @AfterEach
    void end() {
        world.close();
    }

    private SharedInformer<ConfigMap> synced() {
        SharedInformer<ConfigMap> informer = informers.informer(TestObject.TYPE, "");
        informer.addHandler("recording", recording);
        within(Duration.ofSeconds(5), () -> informer.state().phase() == Phase.WATCHING);
        later(Duration.ofSeconds(1));
        recording.steps.clear();
        return informer;
    }

    private void within(Duration limit, BooleanSupplier condition) {
        world.runUntil(condition, limit);
    }

    private void later(Duration duration) {
        world.runFor(duration);
    }

    private static List<String> listed(SharedInformer<ConfigMap> informer) {
        return informer.snapshot().list().stream()
                .map(object -> object.raw().toString())
                .toList();
    }

    /** The cache sleeps through what {@code meanwhile} does, and lists. */
    private void gap(SharedInformer<ConfigMap> informer, Runnable meanwhile) {
        long lists = informer.state().relists();
        server.silence();
        meanwhile.run();
        server.compact();
        within(Duration.ofMinutes(15), () -> informer.state().relists() > lists);
    }

    @Test
    void whileListsHoldANamelessItemNothingAbsentIsGoneBeforeAGetSaysSo() {
        server.nameless = true;
        server.unreadable.add(new ObjectKey("ns", "other"));
        SharedInformer<ConfigMap> informer = synced();
        server.refusal = (request, number) ->
                request.verb().equals("get") ? TestErrors.of(503, "ServiceUnavailable", null) : null;
        gap(informer, () -> {
            server.put("other");
            server.remove("a");
        });
        later(Duration.ofMinutes(3));
        assertThat(listed(informer)).as("nobody has said that it is gone").contains("a:uid-1@101");
        gap(informer, () -> server.remove("b"));
        later(Duration.ofMinutes(1));
        assertThat(listed(informer)).as("nor across a second such list").hasSize(3);
        assertThat(recording.steps).isEmpty();
        server.refusal = (request, number) -> null;
        within(Duration.ofMinutes(6), () -> recording.steps.size() == 2);
        assertThat(listed(informer)).containsExactly("bad:uid-3@103");
        assertThat(recording.steps).containsExactlyInAnyOrder("delete a:uid-1@101", "delete b:uid-2@102");
    }

    @Test
    void anItemThatDidNotShowItsKeyIsFoundByAnotherListWhenItCanBeRead() {
        server.nameless = true;
        server.unreadable.add(bad);
        SharedInformer<ConfigMap> informer = synced();
        assertThat(informer.snapshot().size()).isEqualTo(2);
        assertThat(informer.state().unnamed()).isEqualTo(1);
        server.unreadable.clear(); // it was spoilt on its way: no new version will come
        within(Duration.ofSeconds(30), () -> informer.snapshot().size() == 3);
        later(Duration.ofSeconds(1));
        assertThat(informer.state().unnamed()).isZero();
        assertThat(recording.steps).containsExactly("add bad:uid-3@103");
        long lists = informer.state().relists();
        later(Duration.ofMinutes(20));
        assertThat(informer.state().relists()).isEqualTo(lists);
    }

    @Test
    void anItemThatNeverShowsItsKeyIsLookedForLessAndLessOften() {
        server.nameless = true;
        server.unreadable.add(bad);
        SharedInformer<ConfigMap> informer = synced();
        later(Duration.ofHours(1));
        assertThat(informer.state().relists()).isBetween(8L, 22L);
        assertThat(informer.snapshot().size()).isEqualTo(2);
    }

    @Test
    void theFirstListWithoutSuchItemsDecidesWithoutAsking() {
        server.nameless = true;
        server.unreadable.add(new ObjectKey("ns", "other"));
        SharedInformer<ConfigMap> informer = synced();
        server.refusal = (request, number) ->
                request.verb().equals("get") ? TestErrors.of(503, "ServiceUnavailable", null) : null;
        gap(informer, () -> {
            server.put("other");
            server.remove("a");
        });
        assertThat(informer.snapshot().get(new ObjectKey("ns", "a"))).isPresent();
        gap(informer, () -> server.remove("other"));
        assertThat(listed(informer)).containsExactly("b:uid-2@102", "bad:uid-3@103");
        int asked = server.requests.size();
        later(Duration.ofMinutes(1));
        assertThat(server.requests).as("nothing is asked for any more").hasSize(asked);
    }

    @Test
    void aGetThatFindsTheObjectIsBelievedAlsoUnderAnotherUid() {
        server.nameless = true;
        SharedInformer<ConfigMap> informer = synced();
        server.refusal = (request, number) ->
                request.verb().equals("get") ? TestErrors.of(503, "ServiceUnavailable", null) : null;
        gap(informer, () -> {
            server.remove("bad");
            server.unreadable.add(bad);
            server.put("bad");
        });
        assertThat(listed(informer)).contains("bad:uid-3@103");
        server.unreadable.clear();
        server.refusal = (request, number) -> null;
        within(Duration.ofMinutes(6), () -> recording.steps.size() == 2);
        assertThat(recording.steps).containsExactly("delete bad:uid-3@103", "add bad:uid-4@105");
        assertThat(listed(informer)).containsExactly("a:uid-1@101", "b:uid-2@102", "bad:uid-4@105");
    }

    @Test
    void aGetDoesNotBringInWhatTheSelectorLeavesOut() {
        server.put("a", object -> object.labelled("app", "web"));
        server.nameless = true;
        SharedInformer<ConfigMap> informer = informers.informer(TestObject.TYPE, "", "app=web");
        informer.addHandler("recording", recording);
        within(Duration.ofSeconds(5), () -> informer.state().phase() == Phase.WATCHING);
        assertThat(listed(informer)).containsExactly("a:uid-1@104");
        ObjectKey other = new ObjectKey("ns", "other");
        gap(informer, () -> {
            server.put("other", object -> object.labelled("app", "web"));
            server.unreadable.add(other);
            server.put("a", object -> object.labelled("app", "db"));
        });
        within(Duration.ofSeconds(10), () -> informer.snapshot().size() == 0);
        later(Duration.ofMinutes(1));
        assertThat(recording.steps).containsExactly("add a:uid-1@104 initially", "delete a:uid-1@104");
    }

    @Test
    void aFrameThatCannotBeReadIsAskedForOnceAgainAndThenListed() {
        SharedInformer<ConfigMap> informer = synced();
        server.unreadable.add(bad);
        int before = server.requests.size();
        server.put("bad");
        within(Duration.ofSeconds(10), () -> informer.state().relists() == 2);
        List<FakeServer.Request> asked = server.requests.subList(before, server.requests.size());
        assertThat(asked.get(0).verb()).isEqualTo("watch");
        assertThat(asked.get(0).parameter("resourceVersion"))
                .as("the version before the frame")
                .isEqualTo("103");
        assertThat(asked.get(1).initialEvents()).isTrue();
        assertThat(asked.get(1).parameter("resourceVersion")).isEqualTo("103");
    }

    @Test
    void anObjectThatDoesNotDecodeIsNeverSkipped() {
        server.put("bad", object -> object.labelled("undecodable", "yes"));
        SharedInformer<ConfigMap> informer = synced();
        List<CachedObject<ConfigMap>> all = informer.snapshot().list();
        assertThat(all).hasSize(3);
        assertThat(informer.snapshot().size()).isEqualTo(3);
        assertThat(all.get(0).object().getMetadata().getName()).isEqualTo("a");
        assertThat(all.get(2).key()).isEqualTo(bad);
        assertThat(all.get(2).raw().labels()).as("metadata needs no decode").containsKey("undecodable");
        assertThatThrownBy(all.get(2)::object)
                .isInstanceOf(ApiException.Undecodable.class)
                .hasMessageContaining("spec.replicas");
        server.remove("bad");
        within(Duration.ofSeconds(1), () -> informer.snapshot().size() == 2);
        assertThat(informer.state().quarantine()).isEmpty();
    }

    // ---- deletes whose answers name no UID

    @Test
    void aDeleteWithoutAUidHidesWhatIsThereAndAsks() {
        server.deletesNameUids = false;
        SharedInformer<ConfigMap> informer = synced();
        server.silence();
        List<List<String>> seen = new ArrayList<>();
        client.erase("bad").whenComplete((was, problem) -> seen.add(listed(informer)));
        within(Duration.ofSeconds(1), () -> !seen.isEmpty());
        assertThat(seen).containsExactly(List.of("a:uid-1@101", "b:uid-2@102"));
        within(Duration.ofSeconds(1), () -> !recording.steps.isEmpty());
        assertThat(server.verbs()).contains("get");
        assertThat(recording.steps).containsExactly("delete bad:uid-3@103");
        assertThat(((View<ConfigMap>) informer.snapshot()).state().overlay().isEmpty())
                .isTrue();
    }

    @Test
    void aDeleteWithoutAUidDoesNotHideWhatSomebodyMadeMeanwhile() {
        server.deletesNameUids = false;
        SharedInformer<ConfigMap> informer = synced();
        server.latency = Duration.ofMillis(1);
        server.remove("bad");
        server.put("bad"); // by somebody else, and the cache knows it before the answer to our delete comes
        within(Duration.ofSeconds(1), () -> listed(informer).contains("bad:uid-4@105"));
        client.tell(new io.homeostat.client.WriteObserver.Done(
                new io.homeostat.client.Write(io.homeostat.client.Write.Verb.DELETE, TestObject.TYPE, bad, ""),
                null,
                ""));
        within(Duration.ofSeconds(1), () -> listed(informer).contains("bad:uid-4@105"));
        assertThat(((View<ConfigMap>) informer.snapshot()).state().overlay().isEmpty())
                .isTrue();
    }

    @Test
    void whereNobodyMayGetWhatTheWatchSaysIsShown() {
        server.refusal =
                (request, number) -> request.verb().equals("get") ? TestErrors.of(403, "Forbidden", null) : null;
        SharedInformer<ConfigMap> informer = synced();
        client.tell(new io.homeostat.client.WriteObserver.Done(
                new io.homeostat.client.Write(io.homeostat.client.Write.Verb.DELETE, TestObject.TYPE, bad, ""),
                null,
                ""));
        assertThat(informer.snapshot().size()).isEqualTo(2);
        within(Duration.ofSeconds(1), () -> informer.snapshot().size() == 3);
    }

    @Test
    void whatAListLeftOpenIsAskedForAsSoonAsAServerThatWasAwayIsBack() {
        server.unreadable.add(bad);
        SharedInformer<ConfigMap> informer = synced();
        server.refusal = (request, number) -> TestErrors.unreachable();
        server.livez = () -> Optional.of(TestErrors.unreachable());
        within(Duration.ofMinutes(6), () -> gets() > 1);
        server.cut();
        server.requests.clear();
        later(Duration.ofHours(1));
        assertThat(gets()).as("now and then in place of a probe").isBetween(5L, 25L);
        server.unreadable.clear();
        server.refusal = (request, number) -> null;
        server.livez = Optional::empty;
        within(Duration.ofSeconds(12), () -> informer.snapshot().size() == 3);
    }

    private long gets() {
        return server.verbs().stream().filter("get"::equals).count();
    }

    @Test
    void whatTheServerSaidOfWhenToAskAgainIsKeptAlsoWhenANewListAsks() {
        server.unreadable.add(bad);
        server.refusal = (request, number) -> {
            boolean get = request.verb().equals("get");
            server.latency = get ? Duration.ofSeconds(20) : Duration.ofMillis(5);
            return get ? TestErrors.of(429, "TooManyRequests", Duration.ofMinutes(2)) : null;
        };
        SharedInformer<ConfigMap> informer = informers.informer(TestObject.TYPE, "");
        within(Duration.ofSeconds(10), () -> gets() == 1);
        server.latency = Duration.ofMillis(5);
        server.unreadable.clear();
        server.expire();
        within(Duration.ofSeconds(5), () -> informer.state().relists() == 2); // which decides before the answer comes
        later(Duration.ofSeconds(85));
        server.unreadable.add(bad);
        server.expire();
        within(Duration.ofSeconds(5), () -> informer.state().relists() == 3);
        later(Duration.ofSeconds(45));
        assertThat(gets()).isEqualTo(1);
        within(Duration.ofMinutes(2), () -> gets() == 2);
    }

    @Test
    void anAnswerToAnEarlierQuestionDecidesNothing() {
        SharedInformer<ConfigMap> informer = synced();
        io.homeostat.client.WriteObserver.Done done = new io.homeostat.client.WriteObserver.Done(
                new io.homeostat.client.Write(io.homeostat.client.Write.Verb.DELETE, TestObject.TYPE, bad, ""),
                null,
                "");
        server.silence();
        server.latency = Duration.ofMillis(100);
        client.tell(done); // of which nothing is true: somebody's answer was mixed up
        within(Duration.ofSeconds(1), () -> server.verbs().contains("get"));
        later(Duration.ofMillis(400)); // the server has looked, and has found it
        server.remove("bad");
        client.tell(done);
        List<Boolean> shown = new ArrayList<>();
        world.invariant(() -> shown.add(informer.snapshot().get(bad).isPresent()));
        within(Duration.ofSeconds(3), () -> recording.steps.contains("delete bad:uid-3@103"));
        assertThat(shown).containsOnly(false);
    }
}
