package io.homeostat.informer;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.TestErrors;
import io.homeostat.virtualruntime.VirtualWorld;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The first list as it comes, for handlers that start early (ADR 0009); everybody else has it when it is complete. */
class FirstListTest {
    private static final Index<ConfigMap> NAMES =
            Index.ofMetadata("names", raw -> List.of(raw.key().name()));

    private final VirtualWorld world = VirtualWorld.seeded(5);
    private final FakeServer server = new FakeServer(world);
    private final FakeServer.Client client = server.client();
    private final SharedInformers informers = SharedInformers.over(world.process("operator"), client);
    private final Recording early = new Early();
    private SharedInformer<ConfigMap> informer;
    private SharedInformer.HandlerRegistration handle;

    @BeforeEach
    void begin() {
        server.put("a");
        server.put("b");
        server.put("c");
        server.endsInitialEvents = false;
        informer = informers.informer(TestObject.TYPE, "");
        informer.addIndex(NAMES);
        handle = informer.addHandler("early", early);
        within(Duration.ofSeconds(5), () -> early.steps.size() == 3);
    }

    @AfterEach
    void end() {
        world.close();
    }

    private void within(Duration limit, BooleanSupplier condition) {
        world.runUntil(condition, limit);
    }

    private static final class Early extends Recording {
        @Override
        public boolean startsEarly() {
            return true;
        }
    }

    private static ObjectKey key(String name) {
        return new ObjectKey("ns", name);
    }

    private List<String> listed() {
        return informer.snapshot().list().stream()
                .map(object -> object.raw().toString())
                .toList();
    }

    private void breakOff() {
        server.cut();
        server.endsInitialEvents = true;
    }

    private void synced() {
        within(
                Duration.ofSeconds(30),
                () -> informer.state().synced()
                        && handle.synced().toCompletableFuture().isDone());
    }

    @Test
    void handlersAreToldOfObjectsAsTheyComeAndAreSyncedAtTheEndOfTheList() {
        assertThat(early.steps)
                .containsExactly("add a:uid-1@101 initially", "add b:uid-2@102 initially", "add c:uid-3@103 initially");
        assertThat(informer.state().synced()).isFalse();
        assertThat(handle.synced().toCompletableFuture().isDone()).isFalse();
        breakOff();
        synced();
        assertThat(early.steps).as("the rest of the list told nothing twice").hasSize(3);
        assertThat(listed()).hasSize(3);
    }

    @Test
    void nothingOfAFirstListIsReadBeforeItsEnd() {
        assertThat(informer.lister().get(key("a"))).isEmpty();
        assertThat(listed()).isEmpty();
        assertThat(informer.snapshot().size()).isZero();
        assertThat(informer.snapshot().indexed(NAMES, "a").objects()).isEmpty();
        assertThat(informer.snapshot().resourceVersion()).isEmpty();
        breakOff();
        synced();
        assertThat(informer.snapshot().indexed(NAMES, "a").objects()).hasSize(1);
        assertThat(listed()).hasSize(3);
    }

    @Test
    void whatEndedWhileTheFirstListBrokeOffIsToldByTheNext() {
        server.remove("a");
        server.put("b");
        server.remove("c");
        server.put("c");
        breakOff();
        synced();
        assertThat(early.told()).isEqualTo("b:uid-2@105 c:uid-4@107");
        assertThat(early.steps.subList(3, early.steps.size()))
                .contains("delete a:uid-1@101", "update b:uid-2@102 to b:uid-2@105", "delete c:uid-3@103");
        assertThat(listed()).containsExactly("b:uid-2@105", "c:uid-4@107");
    }

    @Test
    void handlerThatIsAddedMeanwhileIsToldWhatHasComeAndTheRest() {
        Recording late = new Early();
        var lateHandle = informer.addHandler("late", late);
        within(Duration.ofSeconds(1), () -> late.steps.size() == 3);
        assertThat(lateHandle.synced().toCompletableFuture().isDone()).isFalse();
        server.put("d");
        breakOff();
        synced();
        within(
                Duration.ofSeconds(1),
                () -> lateHandle.synced().toCompletableFuture().isDone());
        assertThat(late.told()).isEqualTo(early.told()).contains("d:uid-4@104");
        assertThat(late.steps).hasSize(4);
    }

    @Test
    void handlerThatDoesNotStartEarlyIsToldOfTheWholeListWhenEveryReadShowsIt() {
        List<Integer> shown = new ArrayList<>();
        Recording patient = new Recording() {
            @Override
            void before() {
                shown.add(informer.snapshot().size());
            }
        };
        var patientHandle = informer.addHandler("patient", patient);
        Recording leaves = new Recording();
        informer.addHandler("leaves", leaves).close();
        world.runFor(Duration.ofSeconds(5));
        assertThat(patient.steps).isEmpty();
        server.put("d");
        server.remove("a");
        breakOff();
        synced();
        within(
                Duration.ofSeconds(1),
                () -> patientHandle.synced().toCompletableFuture().isDone());
        assertThat(patient.steps)
                .containsExactly("add b:uid-2@102 initially", "add c:uid-3@103 initially", "add d:uid-4@104 initially");
        assertThat(shown).containsOnly(3);
        assertThat(leaves.steps).isEmpty();
        server.put("e");
        within(Duration.ofSeconds(1), () -> patient.steps.contains("add e:uid-5@106"));
        assertThat(patient.told()).isEqualTo(early.told());
    }

    @Test
    void firstListThatNobodyWantsEarlyIsShownToNobodyBeforeItsEnd() {
        informers.close();
        SharedInformers others = SharedInformers.over(world.process("another"), client);
        informer = others.informer(TestObject.TYPE, "");
        Recording patient = new Recording();
        informer.addHandler("patient", patient);
        world.runFor(Duration.ofSeconds(5));
        assertThat(patient.steps).isEmpty();
        assertThat(informer.lister().get(key("a"))).isEmpty();
        breakOff();
        within(Duration.ofSeconds(30), () -> patient.steps.size() == 3);
    }

    @Test
    void cacheThatIsClosedDuringItsFirstListLetsNobodyWait() {
        var patientHandle = informer.addHandler("patient", new Recording());
        world.runFor(Duration.ofSeconds(1));
        informers.close();
        world.runFor(Duration.ofSeconds(1));
        assertThat(patientHandle.synced().toCompletableFuture().isCompletedExceptionally())
                .isTrue();
        assertThat(handle.synced().toCompletableFuture().isCompletedExceptionally())
                .isTrue();
    }

    @Test
    void pagesOfAFirstListAreToldAsTheyComeAndShownInOnePiece_RF23() {
        informers.close();
        for (int i = 0; i < 10; i++) {
            server.put("x" + i);
        }
        server.refusal = (request, number) -> request.initialEvents()
                ? TestErrors.of(400, "BadRequest", null)
                : request.parameters().containsKey("continue") ? TestErrors.of(429, "TooManyRequests", null) : null;
        SharedInformers others = SharedInformers.over(world.process("another"), client);
        informer = others.informer(TestObject.TYPE, "");
        Recording recording = new Early();
        informer.addHandler("pages", recording);
        world.invariant(() -> assertThat(informer.snapshot().size()).isIn(0, 13));
        within(Duration.ofSeconds(5), () -> recording.steps.size() == 4);
        server.refusal = (request, number) -> request.initialEvents() ? TestErrors.of(400, "BadRequest", null) : null;
        within(Duration.ofSeconds(60), () -> informer.state().synced() && recording.steps.size() == 13);
        assertThat(listed()).hasSize(13);
    }

    @Test
    void olderVersionsOfAServerThatLagsBehindAreToldWhenTheListThatHasThemIsComplete() {
        var was = Map.copyOf(server.objects);
        server.put("a");
        server.put("b");
        server.cut();
        within(Duration.ofSeconds(30), () -> early.told().contains("b:uid-2@105"));
        server.cut();
        server.restore(103, was);
        server.refusal = (request, number) -> {
            server.endsInitialEvents = true;
            return null;
        };
        synced();
        assertThat(listed()).containsExactly("a:uid-1@101", "b:uid-2@102", "c:uid-3@103");
        assertThat(early.told()).isEqualTo("a:uid-1@101 b:uid-2@102 c:uid-3@103");
    }

    @Test
    void handlerThatIsClosedDuringTheFirstListIsToldNothingMore() {
        handle.close();
        server.put("d");
        breakOff();
        within(Duration.ofSeconds(30), () -> informer.state().synced());
        assertThat(early.steps).hasSize(3);
    }

    @Test
    void namespaceThatIsRemovedDuringItsFirstListTakesBackWhatWasTold() {
        NamespacedInformer<ConfigMap> several = informers.informer(TestObject.TYPE, Set.of("ns"), "");
        Recording recording = new Early();
        several.addHandler("several", recording);
        within(Duration.ofSeconds(5), () -> recording.steps.size() == 3);
        several.remove("ns");
        within(Duration.ofSeconds(5), () -> recording.steps.size() == 6);
        assertThat(recording.told()).isEmpty();
    }
}
