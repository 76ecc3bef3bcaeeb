package io.homeostat.reconciler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.homeostat.core.Registration;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Objects that go only after they were cleaned up. */
class FinalizingTest {
    private static final String OURS = "widgets.test.example.com/finalizer";

    private final World world = World.withCrd();
    private final List<String> calls = new ArrayList<>();

    @AfterEach
    void close() {
        world.close();
    }

    private FinalizingReconciler<Widget> reconciler(Supplier<Result> cleanup) {
        return new FinalizingReconciler<>() {
            @Override
            public Result reconcile(Widget widget, Context<Widget> context) {
                calls.add("reconcile " + widget.getMetadata().getFinalizers());
                context.apply(World.wanted(widget));
                return Result.done();
            }

            @Override
            public Result cleanup(Widget widget, Context<Widget> context) {
                assertThat(widget.getMetadata().getDeletionTimestamp()).isNotEmpty();
                calls.add("cleanup");
                context.updateStatus((Widget.Status status) -> status.note = "going");
                return cleanup.get();
            }
        };
    }

    private void started(Supplier<Result> cleanup) {
        world.start(Operator.named("test-operator")
                .controller(Widget.class, c -> c.owns(ConfigMap.class).reconciler(reconciler(cleanup))));
        world.widget("w", 3);
        world.await(() -> calls.size() > 0);
        world.settle();
    }

    @Test
    void finalizerIsThereBeforeTheFirstReconcileAndGoesAfterTheCleanup() {
        started(Result::done);
        assertThat(calls).allMatch(("reconcile [" + OURS + "]")::equals);
        assertThat(world.widget("w").getMetadata().getFinalizers()).containsExactly(OURS);
        calls.clear();
        world.delete(World.WIDGETS, "w");
        world.settle();
        assertThat(calls).containsExactly("cleanup");
        assertThat(world.find(World.WIDGETS, "w")).isEmpty();
        assertThat(world.find(World.CONFIG_MAPS, "w")).isEmpty();
        assertThat(world.outcomes()).doesNotContain("error");
    }

    @Test
    void steadyObjectWithItsFinalizerCostsNothing() {
        started(Result::done);
        int before = calls.size();
        long mark = world.mark();
        world.pass(Duration.ofMinutes(3));
        assertThat(calls).hasSize(before);
        assertThat(world.requestsSince(mark)).allMatch(request -> request.startsWith("watch"));
    }

    @Test
    void cleanupIsRepeatedUntilItIsDoneAndTheObjectIsNotReconciledMeanwhile() {
        int[] left = {3};
        started(() -> --left[0] > 0 ? Result.requeueAfter(Duration.ofSeconds(5)) : Result.done());
        calls.clear();
        world.delete(World.WIDGETS, "w");
        world.pass(Duration.ofSeconds(2));
        assertThat(world.find(World.WIDGETS, "w")).isPresent();
        world.delete(World.CONFIG_MAPS, "w");
        world.pass(Duration.ofMinutes(1));
        assertThat(world.find(World.WIDGETS, "w")).isEmpty();
        assertThat(calls).allMatch("cleanup"::equals).hasSizeGreaterThanOrEqualTo(3);
    }

    @Test
    void finalizersOfOthersAreLeftAloneAndOursIsNotPutBackOnWhatIsGoing() {
        started(Result::done);
        world.patch(World.WIDGETS, "w", "", "{\"metadata\":{\"finalizers\":[\"" + OURS + "\",\"example.com/other\"]}}");
        world.settle();
        calls.clear();
        world.delete(World.WIDGETS, "w");
        world.settle();
        assertThat(calls).containsExactly("cleanup");
        assertThat(world.widget("w").getMetadata().getFinalizers()).containsExactly("example.com/other");
        world.patch(World.WIDGETS, "w", "", "{\"metadata\":{\"finalizers\":null}}");
        world.settle();
        assertThat(calls).containsExactly("cleanup");
        assertThat(world.find(World.WIDGETS, "w")).isEmpty();
    }

    @Test
    void objectDeletedWhileTheOperatorIsAwayIsCleanedUpByTheNext() {
        started(Result::done);
        world.process().crash();
        world.delete(World.WIDGETS, "w");
        calls.clear();
        world.start(Operator.named("test-operator")
                .controller(Widget.class, c -> c.owns(ConfigMap.class).reconciler(reconciler(Result::done))));
        world.pass(Duration.ofMinutes(1));
        assertThat(world.find(World.WIDGETS, "w")).isEmpty();
        assertThat(calls).containsExactly("cleanup");
    }

    @Test
    void conflictWithAnotherWriterRepeatsTheCleanupAndIsNoError() {
        started(Result::done);
        calls.clear();
        try (Registration conflict = world.simulator
                .faults()
                .on(request -> request.userAgent().equals("test-operator")
                        && request.verb().equals("patch")
                        && request.resource().equals("widgets")) // the finalizer; the status is widgets/status
                .times(1)
                .answer(409)) {
            world.delete(World.WIDGETS, "w");
            world.pass(Duration.ofMinutes(1));
        }
        assertThat(world.find(World.WIDGETS, "w")).isEmpty();
        // Once more at most: the end of what it owned may be told before its own.
        assertThat(calls).containsOnly("cleanup").hasSizeBetween(2, 3);
        assertThat(world.outcomes())
                .anyMatch(outcome -> outcome.startsWith("retry: Conflict"))
                .doesNotContain("error");
    }

    @Test
    void finalizerWithoutADomainIsRefused() {
        assertThatThrownBy(() -> Operator.named("test-operator").controller(Widget.class, c -> c.finalizer("mine")))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("example.com/my-operator");
    }
}
