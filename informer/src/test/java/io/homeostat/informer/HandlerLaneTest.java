package io.homeostat.informer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.homeostat.client.OwnerRef;
import io.homeostat.core.Metrics;
import io.homeostat.informer.ResourceEventHandler.Merged;
import io.homeostat.informer.ResourceEventHandler.Phase;
import io.homeostat.virtualruntime.SeedFailed;
import io.homeostat.virtualruntime.VirtualProcess;
import io.homeostat.virtualruntime.VirtualWorld;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class HandlerLaneTest {
    private static final InformerMetrics FIGURES = new InformerMetrics(Metrics.NONE, "test", TestObject.TYPE);

    private final VirtualWorld world = VirtualWorld.seeded(1);
    private final VirtualProcess process = world.process("operator");
    private final CompletableFuture<Void> gate = new CompletableFuture<>();
    private final TestObject a = TestObject.of("a", "u1", 10).ownedBy("o1");
    private final TestObject b = TestObject.of("b", "u2", 11);

    @AfterEach
    void end() {
        world.close();
    }

    private HandlerLane<ConfigMap> lane(Recording recording) {
        return new HandlerLane<>("test", TestObject.DECODER, recording, process, FIGURES, gone -> {});
    }

    /** A handler that is stuck in its first step until the gate opens. */
    private Recording stuck() {
        return new Recording() {
            @Override
            void before() {
                process.await(gate, Duration.ofHours(1));
            }
        };
    }

    private static String meter(String what) {
        return "homeostat_informer_handler_" + what + "{name=test,group=,version=v1,resource=configmaps,handler=test}";
    }

    private void settle() {
        world.runFor(Duration.ofSeconds(1));
    }

    private static boolean done(CompletionStage<Void> stage) {
        AtomicBoolean done = new AtomicBoolean();
        stage.whenComplete((nothing, problem) -> done.set(problem == null));
        return done.get();
    }

    @Test
    void stepsArriveInOrder() {
        Recording recording = new Recording();
        HandlerLane<ConfigMap> lane = lane(recording);
        lane.offer(List.of(new Change.Added(a)), Phase.LATER);
        settle();
        lane.offer(List.of(new Change.Updated(a, a.at(12))), Phase.LATER);
        settle();
        lane.offer(List.of(new Change.Deleted(a.at(12), a.at(13))), Phase.LATER);
        settle();
        assertThat(recording.steps).containsExactly("add a:u1@10", "update a:u1@10 to a:u1@12", "delete a:u1@13");
        assertThat(recording.merges).allSatisfy(merged -> {
            assertThat(merged.versions()).isEqualTo(1);
            assertThat(merged.complete()).isEqualTo(Merged.Completeness.ALL);
            assertThat(merged.owners()).extracting(OwnerRef::uid).containsExactly("o1");
        });
        assertThat(recording.merges.get(0).between()).isEmpty();
        assertThat(recording.merges.get(1).between()).isEmpty();
        // A delete shows the last state only; a mapper needs what the handler saw before, too.
        assertThat(recording.merges.get(2).between())
                .extracting(seen -> seen.raw().resourceVersion())
                .containsExactly("12");
    }

    @Test
    void anUpdateShowsTheOwnersItTookAwayTooAndNobodyCanChangeThem() {
        Recording recording = new Recording();
        HandlerLane<ConfigMap> lane = lane(recording);
        TestObject two = a.at(12).ownedBy("o2", "o3");
        TestObject none = a.at(13).ownedBy();
        List<Change> changes = List.of(
                new Change.Added(a),
                new Change.Updated(a, two),
                new Change.Updated(two, two),
                new Change.Updated(two, none),
                new Change.Updated(none, none));
        for (Change change : changes) {
            lane.offer(List.of(change), Phase.LATER);
            settle();
        }
        assertThat(recording.merges)
                .extracting(merged ->
                        merged.owners().stream().map(OwnerRef::uid).sorted().toList())
                .containsExactly(
                        List.of("o1"), List.of("o1", "o2", "o3"), List.of("o2", "o3"), List.of("o2", "o3"), List.of());
        assertThat(recording.merges)
                .allSatisfy(merged -> assertThatThrownBy(() -> merged.owners().clear())
                        .isInstanceOf(UnsupportedOperationException.class));
    }

    @Test
    void aSlowHandlerGetsTheLatestAndTheOwnersOfAllVersions() {
        Recording recording = stuck();
        HandlerLane<ConfigMap> lane = lane(recording);
        lane.offer(List.of(new Change.Added(a)), Phase.LATER);
        settle();
        lane.offer(List.of(new Change.Updated(a, a.at(12).ownedBy("o2"))), Phase.LATER);
        lane.offer(List.of(new Change.Updated(a.at(12).ownedBy("o2"), a.at(13).ownedBy("o3"))), Phase.LATER);
        gate.complete(null);
        settle();
        assertThat(recording.steps).containsExactly("add a:u1@10", "update a:u1@10 to a:u1@13");
        Merged<ConfigMap> merged = recording.merges.get(1);
        assertThat(merged.versions()).isEqualTo(2);
        assertThat(merged.owners()).extracting(OwnerRef::uid).containsExactlyInAnyOrder("o1", "o2", "o3");
        assertThat(merged.between())
                .extracting(between -> between.raw().toString())
                .containsExactly("a:u1@12");
    }

    @Test
    void aHandlerThatHangsHoldsNotEveryNameThatEverCameAndWent() {
        RecordingMetrics figures = new RecordingMetrics();
        Recording recording = stuck();
        HandlerLane<ConfigMap> lane = new HandlerLane<>(
                "test",
                TestObject.DECODER,
                recording,
                process,
                new InformerMetrics(figures, "test", TestObject.TYPE),
                gone -> {});
        lane.offer(List.of(new Change.Added(a)), Phase.LATER);
        settle();
        Set<String> owners = new TreeSet<>();
        for (int i = 0; i < 5_000; i++) {
            TestObject each = TestObject.of("n" + i, "v" + i, 100 + i).ownedBy("owner-" + i);
            owners.add("owner-" + i);
            lane.offer(List.of(new Change.Added(each)), i == 0 ? Phase.INITIAL : Phase.LATER);
            lane.offer(List.of(new Change.Deleted(each, each)), Phase.LATER);
        }
        lane.initialsOffered();
        assertThat(figures.value(meter("waiting"))).isEqualTo(HandlerLane.VANISHED);
        gate.complete(null);
        world.runFor(Duration.ofMinutes(1));
        assertThat(recording.merges.stream()
                        .skip(1)
                        .flatMap(merged -> merged.owners().stream())
                        .map(OwnerRef::uid)
                        .distinct())
                .as("who is woken")
                .containsExactlyInAnyOrderElementsOf(owners);
        assertThat(recording.merges.stream().filter(merged -> merged.complete() == Merged.Completeness.SOME))
                .as("a mapper wakes everything")
                .isNotEmpty();
        assertThat(done(lane.synced())).isTrue();
    }

    @Test
    void aHandlerThatDoesNotReturnIsSeen() {
        RecordingMetrics figures = new RecordingMetrics();
        HandlerLane<ConfigMap> lane = new HandlerLane<>(
                "test",
                TestObject.DECODER,
                stuck(),
                process,
                new InformerMetrics(figures, "test", TestObject.TYPE),
                gone -> {});
        lane.offer(List.of(new Change.Added(a)), Phase.LATER);
        world.runFor(Duration.ofSeconds(90));
        assertThat(figures.value(meter("running_seconds"))).isBetween(85L, 90L);
        gate.complete(null);
        settle();
        assertThat(figures.value(meter("running_seconds"))).isZero();
        world.runFor(Duration.ofMinutes(2));
        long steps = world.steps();
        world.runFor(Duration.ofMinutes(10));
        assertThat(world.steps())
                .as("nobody looks at a handler that has nothing to do")
                .isEqualTo(steps);
    }

    @Test
    void atMostEightVersionsInBetweenAreKeptAndTheOwnersOfAll() {
        Recording recording = stuck();
        HandlerLane<ConfigMap> lane = lane(recording);
        lane.offer(List.of(new Change.Added(a)), Phase.LATER);
        settle();
        TestObject last = a;
        for (int i = 0; i < 20; i++) {
            TestObject next = a.at(20 + i).ownedBy("p" + i);
            lane.offer(List.of(new Change.Updated(last, next)), Phase.LATER);
            last = next;
        }
        gate.complete(null);
        settle();
        Merged<ConfigMap> merged = recording.merges.get(1);
        assertThat(merged.versions()).isEqualTo(20);
        assertThat(merged.between()).hasSize(HandlerLane.BETWEEN);
        assertThat(merged.complete()).isEqualTo(Merged.Completeness.SOME);
        assertThat(merged.owners()).hasSize(21);
    }

    @Test
    void aRecreatedObjectIsDeletedAndAdded() {
        Recording recording = stuck();
        HandlerLane<ConfigMap> lane = lane(recording);
        lane.offer(List.of(new Change.Added(a)), Phase.LATER);
        settle();
        TestObject second = TestObject.of("a", "u2", 20).ownedBy("o2");
        TestObject third = TestObject.of("a", "u3", 30).ownedBy("o3");
        lane.offer(
                List.of(
                        new Change.Deleted(a, a.at(15)),
                        new Change.Added(second),
                        new Change.Deleted(second, second.at(25)),
                        new Change.Added(third)),
                Phase.LATER);
        gate.complete(null);
        settle();
        assertThat(recording.steps).containsExactly("add a:u1@10", "delete a:u1@15", "add a:u3@30");
        assertThat(recording.merges.get(2).owners()).extracting(OwnerRef::uid).containsExactlyInAnyOrder("o2", "o3");
    }

    @Test
    void aUidThatCameAndWentBetweenIsInTheOwnersOfTheDelete() {
        Recording recording = stuck();
        HandlerLane<ConfigMap> lane = lane(recording);
        lane.offer(List.of(new Change.Added(a)), Phase.LATER);
        settle();
        TestObject second = TestObject.of("a", "u2", 20).ownedBy("o2");
        lane.offer(
                List.of(new Change.Deleted(a, a), new Change.Added(second), new Change.Deleted(second, second)),
                Phase.LATER);
        gate.complete(null);
        settle();
        assertThat(recording.steps).containsExactly("add a:u1@10", "delete a:u1@10");
        assertThat(recording.merges.get(1).owners()).extracting(OwnerRef::uid).containsExactlyInAnyOrder("o1", "o2");
    }

    @Test
    void aUidThatNobodyWasToldOfIsToldAsOnePairSinceReadersMayHaveSeenIt() {
        Recording recording = stuck();
        HandlerLane<ConfigMap> lane = lane(recording);
        lane.offer(List.of(new Change.Added(b)), Phase.LATER);
        settle();
        lane.offer(List.of(new Change.Added(a), new Change.Deleted(a, a.at(12))), Phase.LATER);
        gate.complete(null);
        settle();
        assertThat(recording.steps).containsExactly("add b:u2@11", "add a:u1@12", "delete a:u1@12");
        assertThat(recording.fold).containsOnlyKeys(b.key());
    }

    @Test
    void anOwnWriteThatPassedUnderAnotherUidIsAMergedUpdateOfThatOne() {
        Recording recording = new Recording();
        HandlerLane<ConfigMap> lane = lane(recording);
        TestObject now = TestObject.of("a", "u9", 30);
        lane.offer(List.of(new Change.Added(now)), Phase.LATER);
        settle();
        lane.offer(List.of(new Change.Passed(a, now)), Phase.LATER);
        settle();
        assertThat(recording.steps).containsExactly("add a:u9@30", "update a:u9@30 to a:u9@30");
        assertThat(recording.merges.get(1).versions()).isEqualTo(2);
        assertThat(recording.merges.get(1).owners()).extracting(OwnerRef::uid).containsExactly("o1");
    }

    @Test
    void aHandleIsSyncedWhenEveryInitialObjectWasProcessedEvenIfTheHandlerThrew() {
        Recording recording = new Recording() {
            @Override
            void before() {
                process.await(gate, Duration.ofHours(1));
                throw new AssertionError("from a handler");
            }
        };
        HandlerLane<ConfigMap> lane = lane(recording);
        lane.offer(List.of(new Change.Added(a), new Change.Added(b)), Phase.INITIAL);
        lane.initialsOffered();
        settle();
        assertThat(done(lane.synced())).isFalse();
        gate.complete(null);
        settle();
        assertThat(recording.steps).containsExactly("add a:u1@10 initially", "add b:u2@11 initially");
        assertThat(done(lane.synced())).isTrue();
    }

    @Test
    void aHandleWithNothingToSeeIsSynced() {
        HandlerLane<ConfigMap> lane = lane(new Recording());
        lane.initialsOffered();
        settle();
        assertThat(done(lane.synced())).isTrue();
    }

    @Test
    void anInitialObjectThatChangesBeforeItIsToldStillCounts() {
        Recording recording = stuck();
        HandlerLane<ConfigMap> lane = lane(recording);
        lane.offer(List.of(new Change.Added(a), new Change.Added(b)), Phase.INITIAL);
        lane.initialsOffered();
        settle();
        lane.offer(List.of(new Change.Updated(b, b.at(20))), Phase.LATER);
        gate.complete(null);
        settle();
        assertThat(recording.steps).containsExactly("add a:u1@10 initially", "add b:u2@20 initially");
        assertThat(done(lane.synced())).isTrue();
    }

    @Test
    void afterCloseNothingIsToldAndTheHandleFails() {
        Recording recording = stuck();
        HandlerLane<ConfigMap> lane = lane(recording);
        lane.offer(List.of(new Change.Added(a), new Change.Added(b)), Phase.INITIAL);
        settle();
        lane.close();
        lane.close();
        gate.complete(null);
        settle();
        assertThat(recording.steps).containsExactly("add a:u1@10 initially");
        assertThat(lane.synced().toCompletableFuture().isCompletedExceptionally())
                .isTrue();
    }

    @Test
    void anErrorOfTheVmReachesTheRuntimeAndTheNextKeyGoesOn() {
        Recording recording = new Recording() {
            @Override
            void before() {
                throw new OutOfMemoryError("from a handler");
            }
        };
        HandlerLane<ConfigMap> lane = lane(recording);
        lane.offer(List.of(new Change.Added(a)), Phase.LATER);
        assertThatThrownBy(this::settle).isInstanceOf(SeedFailed.class).hasRootCauseInstanceOf(OutOfMemoryError.class);
    }
}
