package io.homeostat.workqueue;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.homeostat.core.Metrics;
import io.homeostat.core.Registration;
import io.homeostat.workqueue.WorkQueue.Delay;
import io.homeostat.workqueue.WorkQueue.Shutdown;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.LongSupplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class WorkQueueTest {
    private static final Duration NOW = Duration.ZERO;
    private static final Duration SECOND = Duration.ofSeconds(1);

    private final ManualRuntime runtime = new ManualRuntime();
    private int calls;
    private final WorkQueue<String> queue =
            new WorkQueue<>("test", runtime, runtime, () -> calls++, WorkQueue.Config.DEFAULT);

    @Test
    void keysComeInTheOrderTheyWereAdded() {
        queue.add("a", "x");
        queue.add("b", "x");
        queue.add("c", "x");
        assertThat(pollAll()).containsExactly("a", "b", "c");
    }

    @Test
    void keyAddedTwiceBeforeItIsHandedOutComesOnceAtItsFirstPlace() {
        queue.add("a", "x");
        queue.add("b", "x");
        queue.add("a", "y");
        assertThat(queue.ready()).isEqualTo(2);
        assertThat(pollAll()).containsExactly("a", "b");
    }

    @Test
    void keyAddedWhileHeldIsNotHandedOutTwiceAtATimeAndComesAgainExactlyOnce() {
        queue.add("a", "x");
        poll();
        queue.add("a", "y");
        queue.add("a", "y");
        assertThat(queue.poll()).isNull();
        queue.done("a");
        assertThat(poll().causes()).containsExactly(new Cause("y", 2));
        queue.done("a");
        assertThat(queue.poll()).isNull();
    }

    @Test
    void heldKeyIsForgottenWhenDoneAndCanBeAddedAnew() {
        queue.add("a", "x");
        poll();
        queue.done("a");
        assertThat(queue.toString()).contains("0 ready, 0 delayed, 0 held");
        queue.add("a", "x");
        assertThat(poll().key()).isEqualTo("a");
    }

    @Test
    void endingWorkOnAKeyNobodyHoldsIsADefectOfTheCaller() {
        assertThatThrownBy(() -> queue.done("a"))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("a")
                .hasMessageContaining("exactly once");
        queue.add("a", "x");
        assertThatThrownBy(() -> queue.retry("a", "x")).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void consumerIsCalledOnTheLaneOnceForManyAddsAndAgainForLaterOnes() {
        queue.add("a", "x");
        queue.add("b", "x");
        assertThat(calls).as("never on the adder's stack").isZero();
        runtime.pass(NOW);
        assertThat(calls).isEqualTo(1);
        queue.add("c", "x");
        runtime.pass(NOW);
        assertThat(calls).isEqualTo(2);
    }

    @Test
    void consumerIsCalledWhenAKeyComesAgainAfterItsWork() {
        queue.add("a", "x");
        poll();
        assertThat(queue.poll()).isNull();
        runtime.pass(NOW);
        queue.add("a", "y");
        runtime.pass(NOW);
        int before = calls;
        queue.done("a");
        runtime.pass(NOW);
        assertThat(calls).isEqualTo(before + 1);
    }

    @Test
    void consumerThatWasGivenAKeyIsNotCalledForMoreBeforeItFoundNone() {
        queue.add("a", "x");
        runtime.pass(NOW);
        assertThat(calls).isEqualTo(1);
        poll(); // and has enough for now
        queue.add("b", "x");
        queue.done("a");
        queue.add("a", "y");
        runtime.pass(NOW);
        assertThat(calls).as("it polls again by itself").isEqualTo(1);
        assertThat(pollAll()).containsExactly("b", "a");
        queue.add("c", "x");
        runtime.pass(NOW);
        assertThat(calls).as("it has found none meanwhile").isEqualTo(2);
    }

    @Test
    void consumerThatThrowsInTheMiddleIsCalledForTheNextKey() {
        List<String> polled = new ArrayList<>();
        AtomicReference<WorkQueue<String>> itself = new AtomicReference<>();
        WorkQueue<String> broken = new WorkQueue<>(
                "test",
                runtime,
                runtime,
                () -> {
                    polled.add(Objects.requireNonNull(
                                    Objects.requireNonNull(itself.get()).poll())
                            .key());
                    throw new IllegalStateException("no thread for " + polled);
                },
                WorkQueue.Config.DEFAULT);
        itself.set(broken);
        broken.add("a", "x");
        broken.add("b", "x");
        assertThatThrownBy(() -> runtime.pass(NOW)).hasMessageContaining("[a]");
        assertThat(polled).containsExactly("a");
        broken.add("c", "x");
        assertThatThrownBy(() -> runtime.pass(NOW)).hasMessageContaining("[a, b]");
    }

    @Test
    @SuppressWarnings("NullAway") // callers without the checker
    void lookWithoutACauseIsRefusedAndLeavesNothingBehind() {
        assertThatThrownBy(() -> queue.add("a", null)).hasMessageContaining("cause of a");
        assertThatThrownBy(() -> queue.addAfter("a", SECOND, null)).hasMessageContaining("cause of a");
        assertThat(queue).hasToString("WorkQueue test (0 ready, 0 delayed, 0 held)");
    }

    @Test
    void causesAreMergedWithTheirCountsAndBounded() {
        for (int i = 0; i < 3; i++) {
            queue.add("a", "Deployment/sample modified");
        }
        for (int i = 0; i < 20; i++) {
            queue.add("a", "cause " + i);
        }
        List<Cause> causes = poll().causes();
        assertThat(causes).hasSize(WorkQueue.MAX_CAUSES + 1);
        assertThat(causes.get(0)).hasToString("Deployment/sample modified ×3");
        assertThat(causes.get(1)).hasToString("cause 0");
        assertThat(causes.get(WorkQueue.MAX_CAUSES)).hasToString("other causes ×13");
    }

    @Test
    void delayedKeyIsNotHandedOutBeforeItIsDueAndOnceAfter() {
        queue.addAfter("a", SECOND, "later");
        runtime.pass(Duration.ofMillis(999));
        assertThat(queue.poll()).isNull();
        assertThat(calls).isZero();
        runtime.pass(Duration.ofMillis(1));
        assertThat(calls).isEqualTo(1);
        assertThat(pollAll()).containsExactly("a");
        runtime.pass(Duration.ofHours(1));
        assertThat(queue.poll()).isNull();
    }

    @Test
    void ofTwoDelaysTheEarlierWinsWhicheverCameFirst() {
        queue.addAfter("a", SECOND, "x");
        queue.addAfter("a", SECOND.multipliedBy(5), "x");
        queue.addAfter("b", SECOND.multipliedBy(5), "x");
        queue.addAfter("b", SECOND, "x");
        runtime.pass(SECOND);
        assertThat(pollAll()).containsExactly("a", "b");
        queue.done("a");
        queue.done("b");
        runtime.pass(SECOND.multipliedBy(10));
        assertThat(queue.poll()).isNull();
    }

    @Test
    void delayCanBeReplacedAndCancelled() {
        queue.addAfter("a", SECOND, "x");
        queue.addAfter("a", SECOND.multipliedBy(5), "x", Delay.REPLACE);
        queue.addAfter("b", SECOND, "x");
        assertThat(queue.cancel("b")).isTrue();
        assertThat(queue.cancel("b")).isFalse();
        runtime.pass(SECOND.multipliedBy(4));
        assertThat(queue.poll()).isNull();
        runtime.pass(SECOND);
        assertThat(pollAll()).containsExactly("a");
        assertThat(queue.cancel("a")).as("nothing delayed").isFalse();
    }

    @Test
    void delayedKeysComeInTheOrderTheyAreDue() {
        queue.addAfter("c", SECOND, "x");
        queue.addAfter("a", Duration.ofMillis(250), "x");
        queue.addAfter("b", Duration.ofMillis(500), "x");
        runtime.pass(SECOND.multipliedBy(2));
        assertThat(pollAll()).containsExactly("a", "b", "c");
    }

    @Test
    void addMakesADelayedKeyReadyAtOnceAndTakesItsDelayWithIt() {
        queue.addAfter("a", SECOND, "later");
        queue.add("a", "now");
        assertThat(poll().causes()).extracting(Cause::text).containsExactly("later", "now");
        queue.done("a");
        runtime.pass(SECOND.multipliedBy(2));
        assertThat(queue.poll()).isNull();
    }

    @Test
    void delayAskedForDuringTheWorkSurvivesIt() {
        queue.add("a", "x");
        poll();
        queue.addAfter("a", SECOND, "again");
        queue.done("a");
        assertThat(queue.poll()).isNull();
        runtime.pass(SECOND);
        assertThat(poll().causes()).containsExactly(new Cause("again", 1));
    }

    @Test
    void delayThatFallsDueDuringTheWorkComesAfterIt() {
        queue.add("a", "x");
        poll();
        queue.addAfter("a", SECOND, "again");
        runtime.pass(SECOND);
        assertThat(queue.poll()).isNull();
        queue.done("a");
        assertThat(poll().key()).isEqualTo("a");
    }

    @Test
    void delayOfZeroOrLessIsAnAddAndNoTimerIsArmedForIt() {
        queue.addAfter("a", Duration.ZERO, "x");
        queue.addAfter("b", Duration.ofSeconds(-1), "x");
        runtime.pass(NOW);
        assertThat(pollAll()).containsExactly("a", "b");
        assertThat(runtime.armed()).isEmpty();
    }

    @Test
    void oneTimerServesAllDelayedKeysAndIsNeverArmedForThePast() {
        for (int i = 0; i < 1000; i++) {
            queue.addAfter("k" + i, Duration.ofMillis(1 + (i * 7919) % 1000), "x");
            if (i % 10 == 0) {
                runtime.pass(Duration.ofMillis(1));
            }
            assertThat(runtime.timers()).isLessThanOrEqualTo(1);
        }
        runtime.pass(SECOND);
        assertThat(pollAll()).hasSize(1000);
        assertThat(runtime.timers()).isZero();
        assertThat(runtime.armed()).allMatch(delay -> !delay.isNegative() && !delay.isZero());
    }

    @Test
    void hugeDelayNeitherOverflowsNorComesEarly() {
        queue.addAfter("far", Duration.ofSeconds(Long.MAX_VALUE), "x");
        queue.addAfter("near", SECOND, "x");
        runtime.pass(SECOND);
        assertThat(pollAll()).containsExactly("near");
        assertThat(queue.delayed()).isEqualTo(1);
    }

    @Test
    void noDelayedKeyIsLostHoweverManyComeAtOnce() {
        int keys = 100_000;
        for (int i = 0; i < keys; i++) {
            queue.addAfter("k" + i, Duration.ofMillis(1 + i % 50), "x");
        }
        runtime.pass(SECOND);
        assertThat(pollAll()).hasSize(keys).doesNotHaveDuplicates();
    }

    @Test
    void failuresWaitTwiceAsLongEachTimeUpToTheCapAndSuccessForgetsThem() {
        queue.add("a", "x");
        assertThat(poll().attempt()).isEqualTo(1);
        for (int failures = 1; failures <= 8; failures++) {
            Duration wait = Duration.ofMillis(5L << (failures - 1));
            queue.retry("a", "failed");
            runtime.pass(wait.minusNanos(1));
            assertThat(queue.poll()).as("before %s", wait).isNull();
            runtime.pass(Duration.ofNanos(1));
            assertThat(poll().attempt()).isEqualTo(failures + 1);
        }
        queue.done("a");
        queue.add("a", "x");
        assertThat(poll().attempt()).isEqualTo(1);
        queue.retry("a", "failed");
        runtime.pass(Duration.ofMillis(5));
        assertThat(poll().key()).isEqualTo("a");
    }

    @Test
    void aboveOneSecondTheWaitIsJitteredBetweenTheSecondAndTheBackoff() {
        List<Long> waits = new ArrayList<>();
        queue.add("a", "x");
        poll();
        for (int failures = 1; failures <= 200; failures++) {
            queue.retry("a", "failed");
            long before = runtime.nanos();
            while (queue.ready() == 0) {
                runtime.pass(Duration.ofMillis(5));
            }
            waits.add((runtime.nanos() - before) / 1_000_000);
            poll();
        }
        assertThat(waits.subList(8, 200)).allMatch(wait -> wait >= 1000 && wait <= 300_000);
        assertThat(waits.subList(20, 200)).anyMatch(wait -> wait > 200_000).anyMatch(wait -> wait < 100_000);
    }

    @Test
    void backoffIsPerKey() {
        queue.add("bad", "x");
        queue.add("good", "x");
        failTimes("bad", 6);
        queue.retry("bad", "failed");
        assertThat(poll().key()).isEqualTo("good");
        queue.retry("good", "failed");
        runtime.pass(Duration.ofMillis(5));
        assertThat(poll().key()).isEqualTo("good");
    }

    @Test
    void addDuringABackoffBringsTheKeyForwardButNotCloserThanTheHoldOff() {
        queue.add("a", "x");
        failTimes("a", 12); // would wait for more than a second
        queue.retry("a", "failed");
        runtime.pass(Duration.ofMillis(10));
        queue.add("a", "its own write");
        runtime.pass(Duration.ofMillis(989));
        assertThat(queue.poll()).isNull();
        runtime.pass(Duration.ofMillis(1));
        assertThat(poll().causes()).extracting(Cause::text).contains("its own write");
    }

    @Test
    void addDuringFailingWorkDoesNotSkipTheBackoff() {
        queue.add("a", "x");
        poll();
        queue.add("a", "its own write");
        queue.retry("a", "failed");
        assertThat(queue.poll()).isNull();
        runtime.pass(Duration.ofMillis(5));
        assertThat(poll().causes()).extracting(Cause::text).containsExactly("its own write", "failed");
    }

    @Test
    void failuresThatComeBeforeTheBackoffPassedDoNotMakeItGrow() {
        queue.add("a", "x");
        failTimes("a", 14);
        queue.retry("a", "failed"); // 15 failures
        for (int i = 0; i < 3; i++) {
            queue.add("a", "somebody else");
            runtime.pass(SECOND);
            assertThat(poll().attempt()).isEqualTo(16);
            queue.retry("a", "failed");
        }
    }

    @Test
    void forgetLiftsTheHoldOffForTheNextAdd() {
        queue.add("a", "x");
        failTimes("a", 12);
        queue.retry("a", "failed");
        queue.forget("a");
        queue.add("a", "spec changed");
        Work<String> work = poll();
        assertThat(work.attempt()).isEqualTo(1);
        queue.retry("a", "failed");
        runtime.pass(Duration.ofMillis(5));
        assertThat(poll().attempt()).isEqualTo(2);
    }

    @Test
    void retryAfterOfTheServerStandsWhenTheFailuresAreForgotten() {
        queue.add("a", "x");
        poll();
        queue.retry("a", "429", Duration.ofSeconds(7));
        queue.forget("a");
        queue.add("a", "spec changed");
        runtime.pass(Duration.ofMillis(6999));
        assertThat(queue.poll()).isNull();
        assertThat(queue.cancel("a")).isFalse();
        runtime.pass(Duration.ofMillis(1));
        Work<String> work = poll();
        assertThat(work.attempt()).isEqualTo(1);
        queue.done("a");
        queue.add("a", "again");
        assertThat(poll().key()).isEqualTo("a");
    }

    @Test
    void figuresAreThoseOfClientGo() {
        Map<String, Double> figures = new TreeMap<>();
        Map<String, LongSupplier> gauges = new TreeMap<>();
        Registration reporting = queue.report(new Recording(figures, gauges));
        queue.add("a", "x");
        queue.add("a", "y"); // merged
        queue.add("b", "x", Priority.BACKGROUND);
        queue.addAfter("c", SECOND, "later");
        assertThat(read(gauges, "workqueue_depth[name, test, controller, test, priority, 0]"))
                .isEqualTo(1);
        assertThat(read(gauges, "workqueue_depth[name, test, controller, test, priority, -100]"))
                .isEqualTo(1);
        String labels = "[name, test, controller, test]";
        assertThat(figures)
                .containsEntry("workqueue_adds_total" + labels, 2.0)
                .containsEntry("workqueue_retries_total" + labels, 1.0);
        runtime.pass(SECOND); // c is due
        assertThat(figures).containsEntry("workqueue_adds_total" + labels, 3.0);
        poll();
        runtime.pass(SECOND.multipliedBy(2));
        poll();
        queue.add("a", "while held");
        queue.add("a", "while held, merged");
        runtime.pass(SECOND);
        assertThat(read(gauges, "workqueue_unfinished_work_seconds" + labels)).isEqualTo(4);
        assertThat(read(gauges, "workqueue_longest_running_processor_seconds" + labels))
                .isEqualTo(3);
        queue.done("a");
        assertThat(figures)
                .containsEntry("workqueue_adds_total" + labels, 4.0)
                .containsEntry("workqueue_queue_duration_seconds" + labels, 1.0 + 2.0)
                .containsEntry("workqueue_work_duration_seconds" + labels, 3.0);
        reporting.close();
        assertThat(gauges).isEmpty();
        queue.add("z", "unreported");
        assertThat(figures).containsEntry("workqueue_adds_total" + labels, 4.0);
    }

    private static long read(Map<String, LongSupplier> gauges, String name) {
        return Objects.requireNonNull(gauges.get(name), name).getAsLong();
    }

    /** Sums what is reported. */
    private record Recording(Map<String, Double> figures, Map<String, LongSupplier> gauges) implements Metrics {
        @Override
        public Counter counter(String name, String... labels) {
            return amount -> figures.merge(name + Arrays.toString(labels), (double) amount, Double::sum);
        }

        @Override
        public Registration gauge(String name, LongSupplier value, String... labels) {
            gauges.put(name + Arrays.toString(labels), value);
            return () -> gauges.remove(name + Arrays.toString(labels));
        }

        @Override
        public Histogram histogram(String name, String... labels) {
            return value -> figures.merge(name + Arrays.toString(labels), value, Double::sum);
        }
    }

    @Test
    void retryAfterOfTheServerIsKeptWhateverIsAddedMeanwhile() {
        queue.add("a", "x");
        poll();
        queue.add("a", "y");
        queue.retry("a", "429", Duration.ofSeconds(7));
        queue.add("a", "z");
        queue.addAfter("a", SECOND, "w");
        queue.addAfter("a", SECOND, "w", Delay.REPLACE);
        runtime.pass(Duration.ofMillis(6999));
        assertThat(queue.poll()).isNull();
        assertThat(queue.cancel("a")).as("a retry is not lost").isFalse();
        runtime.pass(Duration.ofMillis(1));
        assertThat(poll().key()).isEqualTo("a");
    }

    @Test
    void keyThatWaitsForSomethingComesWithinTheGivenTimeHoweverOftenItWaited() {
        queue.add("a", "x");
        for (int failures = 1; failures <= 40; failures++) {
            poll();
            queue.retryWithin("a", "not there yet", Duration.ofSeconds(5));
            runtime.pass(Duration.ofSeconds(5));
        }
        assertThat(poll().attempt()).isEqualTo(41);
    }

    @Test
    void retryAfterIsAtMostTheLongestBackoff() {
        queue.add("a", "x");
        poll();
        queue.retry("a", "429", Duration.ofDays(365));
        runtime.pass(Duration.ofMinutes(5));
        assertThat(poll().key()).isEqualTo("a");
    }

    @Test
    void changesGoBeforeTheBackgroundUntilItHasAged() {
        queue.add("old", "list", Priority.BACKGROUND);
        queue.add("new", "changed");
        assertThat(poll().key()).isEqualTo("new");
        runtime.pass(Duration.ofSeconds(31));
        queue.add("newer", "changed");
        assertThat(pollAll()).containsExactly("old", "newer");
    }

    @Test
    void changeIsServedSoonThoughALongListHasAged() {
        for (int i = 0; i < 1_000; i++) {
            queue.add("listed" + i, "list", Priority.BACKGROUND);
        }
        runtime.pass(Duration.ofSeconds(40));
        List<String> changes = List.of("c0", "c1", "c2", "c3", "c4", "c5");
        changes.forEach(key -> queue.add(key, "changed"));
        List<String> first = Stream.generate(() -> poll().key()).limit(8).toList();
        assertThat(first).containsExactly("listed0", "c0", "c1", "c2", "listed1", "c3", "c4", "c5");
        assertThat(poll().key()).as("when no change waits").isEqualTo("listed2");
    }

    @Test
    void backgroundKeyIsServedUnderAnEndlessLoadOfChanges() {
        queue.add("old", "list", Priority.BACKGROUND);
        for (int i = 0; i < 2; i++) {
            queue.add("load" + i, "x");
        }
        int rounds = 0;
        while (true) {
            String key = poll().key();
            if (key.equals("old")) {
                break;
            }
            runtime.pass(SECOND);
            queue.done(key);
            queue.add(key, "x");
            rounds++;
            assertThat(rounds).isLessThan(40);
        }
        assertThat(rounds).as("the ageing time").isGreaterThan(25);
    }

    @Test
    void raisedKeyGoesToTheTailOfTheChangesAndIsNeverLowered() {
        queue.add("a", "list", Priority.BACKGROUND);
        queue.add("b", "list", Priority.BACKGROUND);
        queue.add("c", "changed");
        queue.add("b", "changed");
        queue.add("b", "list", Priority.BACKGROUND);
        assertThat(pollAll()).containsExactly("c", "b", "a");
    }

    @Test
    void delayForAReadyBackgroundKeyChangesNothing() {
        queue.add("a", "list", Priority.BACKGROUND);
        queue.addAfter("a", SECOND, "later");
        assertThat(pollAll()).containsExactly("a");
        queue.done("a");
        assertThat(queue.ready() + queue.delayed()).isZero();
    }

    @Test
    void priorityIsKeptOverARetry() {
        queue.add("a", "changed");
        poll();
        queue.retry("a", "failed");
        queue.add("b", "list", Priority.BACKGROUND);
        runtime.pass(Duration.ofMillis(5));
        assertThat(pollAll()).containsExactly("a", "b");
    }

    @Test
    void waitingTimeCountsFromBeingReady() {
        queue.addAfter("a", SECOND, "x");
        runtime.pass(SECOND);
        runtime.pass(Duration.ofMillis(3));
        assertThat(poll().waited()).isEqualTo(Duration.ofMillis(3));
    }

    @Test
    void stopRefusesWhatComesAndReportsWhatItDropped() {
        queue.add("held", "x");
        poll();
        queue.add("ready", "x");
        queue.addAfter("delayed", SECOND, "x");
        CompletionStage<List<String>> drained = queue.shutdown(Shutdown.STOP);
        assertThat(queue.add("new", "x")).isFalse();
        assertThat(queue.addAfter("new", SECOND, "x")).isFalse();
        assertThat(queue.poll()).isNull();
        runtime.pass(NOW);
        assertThat(drained.toCompletableFuture()).as("work is under way").isNotDone();
        queue.retry("held", "failed");
        runtime.pass(NOW);
        assertThat(drained.toCompletableFuture().getNow(List.of())).containsExactly("ready", "delayed", "held");
        assertThat(runtime.timers()).isZero();
    }

    @Test
    void drainHandsOutWhatIsReadyAndWhatWasAddedToAHeldKey() {
        queue.add("held", "x");
        poll();
        queue.add("held", "y");
        queue.add("ready", "x");
        queue.addAfter("delayed", SECOND, "x");
        CompletionStage<List<String>> drained = queue.shutdown(Shutdown.DRAIN);
        queue.done("held");
        assertThat(pollAll()).containsExactly("ready", "held");
        queue.done("ready");
        queue.done("held");
        runtime.pass(NOW);
        assertThat(drained.toCompletableFuture().getNow(List.of())).containsExactly("delayed");
    }

    @Test
    void stopEndsADrain() {
        queue.add("held", "x");
        poll();
        queue.add("held", "y");
        queue.add("ready", "x");
        CompletionStage<List<String>> drained = queue.shutdown(Shutdown.DRAIN);
        queue.shutdown(Shutdown.STOP);
        queue.shutdown(Shutdown.DRAIN);
        assertThat(queue.poll()).isNull();
        queue.done("held");
        runtime.pass(NOW);
        assertThat(drained.toCompletableFuture().getNow(List.of())).containsExactly("ready", "held");
    }

    @Test
    void shutdownOfAnIdleQueueEndsAtOnce() {
        CompletionStage<List<String>> drained = queue.shutdown(Shutdown.DRAIN);
        runtime.pass(NOW);
        assertThat(drained.toCompletableFuture()).isCompletedWithValue(List.of());
    }

    private void failTimes(String key, int times) {
        assertThat(poll().key()).isEqualTo(key);
        for (int i = 0; i < times; i++) {
            queue.retry(key, "failed");
            runtime.pass(Duration.ofMinutes(5));
            Work<String> work = Objects.requireNonNull(queue.poll());
            while (!work.key().equals(key)) {
                String other = work.key();
                work = Objects.requireNonNull(queue.poll());
                queue.done(other);
                queue.add(other, "back");
            }
        }
    }

    private Work<String> poll() {
        return Objects.requireNonNull(queue.poll(), "nothing ready");
    }

    private List<String> pollAll() {
        List<String> keys = new ArrayList<>();
        for (Work<String> work = queue.poll(); work != null; work = queue.poll()) {
            keys.add(work.key());
        }
        return keys;
    }
}
