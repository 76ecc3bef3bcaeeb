package io.homeostat.virtualruntime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.homeostat.core.DeadlineExceededException;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.InterruptedWaitException;
import io.homeostat.core.Lane;
import io.homeostat.core.Registration;
import io.homeostat.core.Task;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What {@link EngineRuntime}, {@link Lane} and {@link Task} promise, for every runtime. */
@Timeout(60)
abstract class EngineRuntimeContract {
    static final Duration SOON = Duration.ofSeconds(20);

    /** The runtime under test; the same in one test. */
    abstract EngineRuntime runtime();

    /** The three kinds of lane. */
    enum Kind {
        ENGINE,
        USER,
        DEDICATED;

        Lane in(EngineRuntime runtime) {
            return switch (this) {
                case ENGINE -> runtime.lane("an engine lane");
                case USER -> runtime.userLane("a user lane");
                case DEDICATED -> runtime.dedicatedLane("a dedicated lane");
            };
        }
    }

    static Stream<Kind> kinds() {
        return Stream.of(Kind.values());
    }

    static Stream<Kind> kindsThatMayWait() {
        return Stream.of(Kind.USER, Kind.DEDICATED);
    }

    @AfterEach
    void closeRuntime() {
        runtime().close();
    }

    private <T> T soon(CompletableFuture<T> answer) {
        return runtime().await(answer, SOON);
    }

    /** Waits until everything given to the lane so far has run. */
    private void fence(Lane lane) {
        CompletableFuture<Boolean> passed = new CompletableFuture<>();
        lane.execute(() -> passed.complete(true));
        soon(passed);
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void laneRunsWorkInTheOrderItWasGiven(Kind kind) {
        Lane lane = kind.in(runtime());
        List<Integer> seen = new ArrayList<>();
        IntStream.range(0, 1000).forEach(i -> lane.execute(() -> seen.add(i)));
        fence(lane);
        assertThat(seen).isEqualTo(IntStream.range(0, 1000).boxed().toList());
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void laneRunsOneAtATimeWhateverTheNumberOfGivers(Kind kind) {
        Lane lane = kind.in(runtime());
        int[] plain = new int[1];
        List<Task> givers = IntStream.range(0, 4)
                .mapToObj(g -> runtime().start("giver", () -> {
                    for (int i = 0; i < 500; i++) {
                        lane.execute(() -> plain[0]++);
                    }
                }))
                .toList();
        givers.forEach(giver -> runtime().await(giver.done(), SOON));
        fence(lane);
        assertThat(plain[0]).isEqualTo(2000);
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void executeOnTheLaneItselfRunsLaterAndNeverNested(Kind kind) {
        Lane lane = kind.in(runtime());
        List<String> seen = new ArrayList<>();
        CompletableFuture<Boolean> done = new CompletableFuture<>();
        lane.execute(() -> {
            seen.add("outer begins");
            lane.execute(() -> {
                seen.add("inner");
                done.complete(true);
            });
            seen.add("outer ends");
        });
        soon(done);
        assertThat(seen).containsExactly("outer begins", "outer ends", "inner");
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void laneKnowsWhetherTheCallerIsOnIt(Kind kind) {
        Lane lane = kind.in(runtime());
        Lane other = runtime().lane("other");
        CompletableFuture<List<Boolean>> inside = new CompletableFuture<>();
        lane.execute(() -> inside.complete(List.of(lane.isCurrent(), other.isCurrent())));
        assertThat(soon(inside)).containsExactly(true, false);
        assertThat(lane.isCurrent()).isFalse();
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void turnIsOverAfterItsBytes(Kind kind) {
        Lane lane = kind.in(runtime());
        CompletableFuture<Boolean> over = new CompletableFuture<>();
        lane.execute(() -> {
            lane.charge(200 * 1024);
            lane.charge(56 * 1024);
            over.complete(lane.shouldYield());
        });
        assertThat(soon(over)).isTrue();
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void turnMayBeAskedAboutOnlyByItsLane(Kind kind) {
        Lane lane = kind.in(runtime());
        assertThatThrownBy(lane::shouldYield).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> lane.charge(1)).isInstanceOf(IllegalStateException.class);
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void closedLaneDropsWhatIsQueuedAndWhatComes(Kind kind) {
        Lane lane = kind.in(runtime());
        List<String> ran = new ArrayList<>();
        CompletableFuture<Boolean> finished = new CompletableFuture<>();
        lane.execute(() -> {
            lane.execute(() -> ran.add("queued"));
            lane.close();
            lane.close();
            lane.execute(() -> ran.add("late"));
            ran.add("running ends by itself");
            finished.complete(true);
        });
        soon(finished);
        afterEverythingElse();
        assertThat(ran).containsExactly("running ends by itself");
    }

    /** Returns when a timer that was set now has fired and a lane has had its turn. */
    private void afterEverythingElse() {
        Lane last = runtime().lane("last");
        CompletableFuture<Boolean> passed = new CompletableFuture<>();
        runtime().after(Duration.ofMillis(30), last, () -> passed.complete(true));
        soon(passed);
    }

    @Test
    void waitingOnAnEngineLaneThrows() {
        Lane lane = runtime().lane("engine");
        CompletableFuture<Throwable> awaiting = new CompletableFuture<>();
        CompletableFuture<Throwable> sleeping = new CompletableFuture<>();
        CompletableFuture<String> never = new CompletableFuture<>();
        lane.execute(() -> {
            awaiting.complete(thrownBy(() -> runtime().await(never, SOON)));
            sleeping.complete(thrownBy(() -> runtime().sleep(SOON)));
        });
        assertThat(soon(awaiting)).isInstanceOf(IllegalStateException.class);
        assertThat(soon(sleeping)).isInstanceOf(IllegalStateException.class);
    }

    private static Throwable thrownBy(Runnable work) {
        try {
            work.run();
        } catch (Throwable thrown) {
            return thrown;
        }
        throw new AssertionError("nothing was thrown");
    }

    @ParameterizedTest
    @MethodSource("kindsThatMayWait")
    void laneThatMayBlockWaitsAndKeepsItsOrder(Kind kind) {
        Lane lane = kind.in(runtime());
        Lane engine = runtime().lane("engine");
        List<String> seen = new ArrayList<>();
        CompletableFuture<String> awaited = new CompletableFuture<>();
        lane.execute(() -> seen.add(runtime().await(awaited, SOON)));
        lane.execute(() -> seen.add("second"));
        engine.execute(() -> awaited.complete("first"));
        fence(lane);
        assertThat(seen).containsExactly("first", "second");
    }

    @Test
    void manyBlockedUserLanesHoldUpNoOther() {
        CompletableFuture<String> gate = new CompletableFuture<>();
        List<Lane> blocked = IntStream.range(0, 50)
                .mapToObj(i -> runtime().userLane("blocked " + i))
                .toList();
        blocked.forEach(lane -> lane.execute(() -> runtime().await(gate, SOON)));
        fence(runtime().userLane("free"));
        fence(runtime().lane("engine"));
        fence(runtime().dedicatedLane("dedicated"));
        gate.complete("open");
        blocked.forEach(this::fence);
        assertThat(gate).isCompleted();
    }

    @Test
    void taskIsDoneWhenItsBodyHasReturned() {
        AtomicBoolean returned = new AtomicBoolean();
        Task task = runtime().start("a task", () -> returned.set(true));
        runtime().await(task.done(), SOON);
        assertThat(returned).isTrue();
        assertThat(task.name()).isEqualTo("a task");
        assertThat(task.stack()).isEmpty();
    }

    @Test
    void taskIsDoneWithWhatItsBodyThrew() {
        IOException checked = new IOException("checked");
        IllegalStateException unchecked = new IllegalStateException("unchecked");
        AssertionError error = new AssertionError("error");
        assertThatThrownBy(() -> runtime()
                        .await(
                                runtime()
                                        .start("t", () -> {
                                            throw checked;
                                        })
                                        .done(),
                                SOON))
                .isInstanceOf(CompletionException.class)
                .hasCause(checked);
        assertThatThrownBy(() -> runtime()
                        .await(
                                runtime()
                                        .start("t", () -> {
                                            throw unchecked;
                                        })
                                        .done(),
                                SOON))
                .isSameAs(unchecked);
        assertThatThrownBy(() -> runtime()
                        .await(
                                runtime()
                                        .start("t", () -> {
                                            throw error;
                                        })
                                        .done(),
                                SOON))
                .isSameAs(error);
    }

    @Test
    void nobodyElseCanEndATask() {
        CompletableFuture<String> gate = new CompletableFuture<>();
        Task task = runtime().start("waits", () -> runtime().await(gate, SOON));
        task.done().toCompletableFuture().complete(null);
        assertThat(task.done().toCompletableFuture().isDone()).isFalse();
        gate.complete("open");
        runtime().await(task.done(), SOON);
    }

    @Test
    void interruptedTaskStopsWaitingAndItsFlagStaysSet() {
        CompletableFuture<String> never = new CompletableFuture<>();
        CompletableFuture<Boolean> waits = new CompletableFuture<>();
        CompletableFuture<Boolean> flag = new CompletableFuture<>();
        Task task = runtime().start("waits", () -> {
            waits.complete(true);
            try {
                runtime().await(never, SOON);
            } finally {
                flag.complete(Thread.currentThread().isInterrupted());
            }
        });
        soon(waits);
        task.interrupt();
        assertThatThrownBy(() -> runtime().await(task.done(), SOON)).isInstanceOf(InterruptedWaitException.class);
        assertThat(soon(flag)).isTrue();
    }

    @Test
    void interruptedTaskStopsSleepingAndItsFlagStaysSet() {
        CompletableFuture<Boolean> flag = new CompletableFuture<>();
        Task task = runtime().start("sleeps", () -> {
            try {
                runtime().sleep(Duration.ofDays(300_000));
            } finally {
                flag.complete(Thread.currentThread().isInterrupted());
            }
        });
        task.interrupt();
        assertThatThrownBy(() -> runtime().await(task.done(), SOON)).isInstanceOf(InterruptedWaitException.class);
        assertThat(soon(flag)).isTrue();
    }

    @Test
    void interruptBeforeTheWaitEndsItEvenWhenTheAnswerIsThere() {
        CompletableFuture<String> answer = CompletableFuture.completedFuture("there");
        Task task = runtime().start("interrupts itself", () -> {
            Thread.currentThread().interrupt();
            runtime().await(answer, SOON);
        });
        assertThatThrownBy(() -> runtime().await(task.done(), SOON)).isInstanceOf(InterruptedWaitException.class);
    }

    @Test
    void interruptOfATaskThatIsOverReachesNoOther() {
        Task first = runtime().start("first", () -> {});
        runtime().await(first.done(), SOON);
        first.interrupt();
        AtomicReference<Boolean> flag = new AtomicReference<>();
        Task second = runtime().start("second", () -> {
            first.interrupt();
            flag.set(Thread.currentThread().isInterrupted());
        });
        runtime().await(second.done(), SOON);
        assertThat(flag.get()).isFalse();
    }

    @Test
    void waitingTaskShowsItsStack() {
        CompletableFuture<String> gate = new CompletableFuture<>();
        CompletableFuture<Boolean> waits = new CompletableFuture<>();
        Task task = runtime().start("waits", () -> {
            waits.complete(true);
            runtime().await(gate, SOON);
        });
        soon(waits);
        assertThat(task.stack()).anyMatch(frame -> frame.getClassName().contains("EngineRuntimeContract"));
        gate.complete("open");
        runtime().await(task.done(), SOON);
    }

    @Test
    void awaitGivesTheValueOrTheFailure() {
        IllegalArgumentException unchecked = new IllegalArgumentException("unchecked");
        IOException checked = new IOException("checked");
        assertThat(runtime().await(CompletableFuture.completedFuture("value"), SOON))
                .isEqualTo("value");
        CompletionStage<String> mapped =
                CompletableFuture.completedStage("value").thenApply(v -> v + "!");
        assertThat(runtime().await(mapped, SOON)).isEqualTo("value!");
        assertThatThrownBy(() -> runtime().await(CompletableFuture.failedFuture(unchecked), SOON))
                .isSameAs(unchecked);
        assertThatThrownBy(() -> runtime()
                        .await(CompletableFuture.failedFuture(unchecked).thenApply(v -> v), SOON))
                .isSameAs(unchecked);
        assertThatThrownBy(() -> runtime().await(CompletableFuture.failedFuture(checked), SOON))
                .isInstanceOf(CompletionException.class)
                .hasCause(checked);
    }

    @Test
    void awaitEndsAtItsDeadline() {
        CompletableFuture<String> never = new CompletableFuture<>();
        long before = runtime().nanos();
        assertThatThrownBy(() -> runtime().await(never, Duration.ofMillis(40)))
                .isInstanceOf(DeadlineExceededException.class);
        assertThat(runtime().nanos() - before)
                .isGreaterThanOrEqualTo(Duration.ofMillis(40).toNanos());
        Task task = runtime().start("waits", () -> runtime().await(never, Duration.ofMillis(40)));
        assertThatThrownBy(() -> runtime().await(task.done(), SOON)).isInstanceOf(DeadlineExceededException.class);
    }

    @Test
    void awaitWithoutTimeLooksOnce() {
        CompletableFuture<String> never = new CompletableFuture<>();
        assertThatThrownBy(() -> runtime().await(never, Duration.ZERO)).isInstanceOf(DeadlineExceededException.class);
        assertThatThrownBy(() -> runtime().await(never, Duration.ofSeconds(-1)))
                .isInstanceOf(DeadlineExceededException.class);
        assertThat(runtime().await(CompletableFuture.completedFuture("there"), Duration.ZERO))
                .isEqualTo("there");
        Task task = runtime().start("looks", () -> {
            assertThat(runtime().await(CompletableFuture.completedFuture("there"), Duration.ZERO))
                    .isEqualTo("there");
            runtime().await(never, Duration.ZERO);
        });
        assertThatThrownBy(() -> runtime().await(task.done(), SOON)).isInstanceOf(DeadlineExceededException.class);
    }

    @Test
    void sleepTakesItsTime() {
        Task task = runtime().start("sleeps", () -> {
            long before = runtime().nanos();
            runtime().sleep(Duration.ofMillis(20));
            assertThat(runtime().nanos() - before)
                    .isGreaterThanOrEqualTo(Duration.ofMillis(20).toNanos());
            runtime().sleep(Duration.ZERO);
            runtime().sleep(Duration.ofSeconds(-1));
        });
        runtime().await(task.done(), SOON);
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void timersRunOnTheirLaneInTheOrderOfTheirTimes(Kind kind) {
        Lane lane = kind.in(runtime());
        long[] notBefore = new long[6];
        long[] notAfter = new long[6];
        List<Integer> seen = new ArrayList<>();
        List<Integer> early = new ArrayList<>();
        CompletableFuture<Boolean> all = new CompletableFuture<>();
        for (int i : new int[] {5, 3, 1, 4, 2}) {
            long delay = Duration.ofMillis(20L * i).toNanos();
            notBefore[i] = runtime().nanos() + delay;
            runtime().after(Duration.ofNanos(delay), lane, () -> {
                seen.add(i);
                if (runtime().nanos() - notBefore[i] < 0) {
                    early.add(i);
                }
                if (seen.size() == 5) {
                    all.complete(lane.isCurrent());
                }
            });
            notAfter[i] = runtime().nanos() + delay;
        }
        assertThat(soon(all)).isTrue();
        assertThat(early).isEmpty();
        for (int first = 0; first < seen.size(); first++) {
            for (int later = first + 1; later < seen.size(); later++) {
                // On a busy machine the timers may have been set so far apart that their order is another.
                assertThat(notAfter[seen.get(later)] - notBefore[seen.get(first)])
                        .as("%s", seen)
                        .isGreaterThanOrEqualTo(0);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void timerCancelledOnItsLaneNeverRunsEvenWhenQueued(Kind kind) {
        Lane lane = kind.in(runtime());
        AtomicInteger ran = new AtomicInteger();
        CompletableFuture<Boolean> done = new CompletableFuture<>();
        List<Registration> timers = new ArrayList<>();
        lane.execute(() -> {
            for (int i = 0; i < 20; i++) {
                timers.add(runtime().after(Duration.ofNanos(i % 2), lane, ran::incrementAndGet));
            }
            // By the time this runs, the timers are due and queued behind it, or about to be.
            lane.execute(() -> {
                timers.forEach(Registration::close);
                int before = ran.get();
                runtime().after(Duration.ofMillis(20), lane, () -> done.complete(ran.get() == before));
            });
        });
        assertThat(soon(done)).isTrue();
    }

    @ParameterizedTest
    @MethodSource("kindsThatMayWait")
    void timerCancelledOnItsLaneAfterItWasQueuedNeverRuns(Kind kind) {
        Lane lane = kind.in(runtime());
        Lane other = runtime().lane("other");
        AtomicInteger ran = new AtomicInteger();
        lane.execute(() -> {
            List<Registration> timers = new ArrayList<>();
            for (int i = 0; i < 10; i++) {
                timers.add(runtime().after(Duration.ofNanos(i), lane, ran::incrementAndGet));
            }
            CompletableFuture<Boolean> allAreQueued = new CompletableFuture<>();
            runtime().after(Duration.ofMillis(1), other, () -> allAreQueued.complete(true));
            soon(allAreQueued);
            timers.forEach(Registration::close);
        });
        fence(lane);
        assertThat(ran).hasValue(0);
    }

    @Test
    void cancelledTimerMayBeCancelledAgain() {
        Lane lane = runtime().lane("lane");
        AtomicBoolean ran = new AtomicBoolean();
        lane.execute(() -> {
            Registration timer = runtime().after(Duration.ofMillis(10), lane, () -> ran.set(true));
            timer.close();
            timer.close();
        });
        fence(lane);
        afterEverythingElse();
        assertThat(ran).isFalse();
    }

    @Test
    void timerOfAClosedLaneNeverRuns() {
        Lane lane = runtime().lane("lane");
        AtomicBoolean ran = new AtomicBoolean();
        CompletableFuture<Boolean> closed = new CompletableFuture<>();
        lane.execute(() -> {
            runtime().after(Duration.ofMillis(10), lane, () -> ran.set(true));
            lane.close();
            runtime().after(Duration.ofMillis(10), lane, () -> ran.set(true));
            closed.complete(true);
        });
        soon(closed);
        afterEverythingElse();
        assertThat(ran).isFalse();
    }

    @Test
    void timerWithoutDelayRunsLaterAndOneBeyondAllTimeDoesNoHarm() {
        Lane lane = runtime().lane("lane");
        CompletableFuture<String> ran = new CompletableFuture<>();
        runtime().after(Duration.ofSeconds(Long.MAX_VALUE), lane, () -> ran.complete("too early"));
        runtime().after(Duration.ofSeconds(-1), lane, () -> ran.complete("at once"));
        assertThat(soon(ran)).isEqualTo("at once");
    }

    @Test
    void timerForALaneOfAnotherRuntimeIsRefused() {
        try (VirtualWorld other = VirtualWorld.seeded(1)) {
            Lane foreign = other.process("other").lane("foreign");
            assertThatThrownBy(() -> runtime().after(Duration.ZERO, foreign, () -> {}))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("foreign");
        }
    }

    @Test
    void clocksGoOnAndTheWallClockWithThem() {
        long nanos = runtime().nanos();
        Instant wall = runtime().wallClock();
        runtime().sleep(Duration.ofMillis(20));
        assertThat(runtime().nanos() - nanos)
                .isGreaterThanOrEqualTo(Duration.ofMillis(20).toNanos());
        assertThat(runtime().wallClock()).isAfter(wall);
    }

    @Test
    void generatorsOfDifferentNamesDiffer() {
        assertThat(runtime().random("a").nextLong())
                .isNotEqualTo(runtime().random("b").nextLong());
    }

    @Test
    void closedRuntimeDropsLanesAndTimersAndRefusesTasks() {
        AtomicBoolean ran = new AtomicBoolean();
        Lane lane = runtime().lane("lane");
        runtime().after(Duration.ZERO, runtime().userLane("user"), () -> {});
        runtime().close();
        runtime().close();
        lane.execute(() -> ran.set(true));
        runtime().after(Duration.ZERO, lane, () -> ran.set(true));
        runtime().lane("new").execute(() -> ran.set(true));
        runtime().userLane("new").execute(() -> ran.set(true));
        runtime().dedicatedLane("new").execute(() -> ran.set(true));
        assertThatThrownBy(() -> runtime().start("late", () -> ran.set(true)))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("late");
        runtime().sleep(Duration.ofMillis(20));
        assertThat(ran).isFalse();
    }

    @Test
    void closeInterruptsTasksAndLanesThatWait() {
        CompletableFuture<String> never = new CompletableFuture<>();
        List<CompletableFuture<Boolean>> waits = new ArrayList<>();
        List<CompletableFuture<Throwable>> ends = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            waits.add(new CompletableFuture<>());
            ends.add(new CompletableFuture<>());
        }
        for (int i = 0; i < 3; i++) {
            CompletableFuture<Boolean> mine = waits.get(i);
            CompletableFuture<Throwable> end = ends.get(i);
            Runnable work = () -> {
                mine.complete(true);
                end.complete(thrownBy(() -> runtime().await(never, SOON)));
            };
            switch (i) {
                case 0 -> runtime().start("task", work::run);
                case 1 -> runtime().userLane("user").execute(work);
                default -> runtime().dedicatedLane("dedicated").execute(work);
            }
        }
        waits.forEach(this::soon);
        runtime().close();
        ends.forEach(end -> assertThat(soon(end)).isInstanceOf(InterruptedWaitException.class));
    }

    @Test
    void runtimeMayBeClosedByItsOwnWork() {
        for (Kind kind : Kind.values()) {
            assertThat(kind.in(runtime()).name()).isNotEmpty();
        }
        CompletableFuture<Boolean> interrupted = new CompletableFuture<>();
        runtime().userLane("closes").execute(() -> {
            runtime().close();
            interrupted.complete(Thread.currentThread().isInterrupted());
        });
        assertThat(soon(interrupted)).isFalse();
    }
}
