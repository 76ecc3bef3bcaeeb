package io.homeostat.virtualruntime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.homeostat.core.Lane;
import io.homeostat.core.Registration;
import io.homeostat.core.Task;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
final class VirtualWorldTest {
    private static final Duration MINUTE = Duration.ofMinutes(1);

    /** Lanes, user lanes, tasks, timers, waits, random draws, a crash and a pause. */
    private static VirtualWorld busyWorld(long seed) {
        VirtualWorld world = VirtualWorld.traced(seed);
        VirtualProcess process = world.process("a");
        VirtualProcess other = world.process("b", Duration.ofSeconds(3), 1.01);
        Lane lane = process.lane("lane");
        Lane user = process.userLane("user");
        Lane foreign = other.lane("lane");
        for (int i = 0; i < 5; i++) {
            process.start("task " + i, () -> {
                for (int round = 0; round < 5; round++) {
                    CompletableFuture<Long> answer = new CompletableFuture<>();
                    lane.execute(() -> answer.complete(process.nanos()));
                    process.await(answer, MINUTE);
                    process.sleep(Duration.ofMillis(process.random("pause").nextInt(10)));
                    user.execute(() -> process.sleep(Duration.ofMillis(1)));
                    foreign.execute(() -> other.after(Duration.ofMillis(2), foreign, other::wallClock));
                }
            });
        }
        other.start("victim", () -> {
            while (true) {
                other.sleep(Duration.ofMillis(3));
            }
        });
        world.after(Duration.ofMillis(5), process::pause);
        world.after(Duration.ofMillis(9), process::resume);
        world.after(Duration.ofMillis(11), other::crash);
        world.runFor(Duration.ofSeconds(1));
        return world;
    }

    @Test
    void sameSeedTakesTheSameStepsByteForByte() {
        for (long seed = 0; seed < 20; seed++) {
            try (VirtualWorld first = busyWorld(seed);
                    VirtualWorld second = busyWorld(seed)) {
                assertThat(first.trace()).isEqualTo(second.trace());
                assertThat(first.traceHash()).isEqualTo(second.traceHash());
                assertThat(first.steps()).isEqualTo(second.steps()).isGreaterThan(100);
            }
        }
    }

    @Test
    void differentSeedsTakeDifferentSteps() {
        Set<Long> hashes = new HashSet<>();
        for (long seed = 0; seed < 50; seed++) {
            try (VirtualWorld world = busyWorld(seed)) {
                hashes.add(world.traceHash());
            }
        }
        assertThat(hashes).hasSize(50);
    }

    @Test
    void seedsOrderIndependentWorkDifferently() {
        Map<String, Integer> orders = new TreeMap<>();
        for (long seed = 0; seed < 600; seed++) {
            try (VirtualWorld world = VirtualWorld.seeded(seed)) {
                VirtualProcess process = world.process("p");
                StringBuilder order = new StringBuilder();
                process.lane("a").execute(() -> order.append('a'));
                process.userLane("b").execute(() -> order.append('b'));
                process.start("c", () -> order.append('c'));
                world.runUntilIdle();
                orders.merge(order.toString(), 1, Integer::sum);
            }
        }
        assertThat(orders).containsOnlyKeys("abc", "acb", "bac", "bca", "cab", "cba");
        assertThat(orders.values()).allMatch(times -> times > 50);
    }

    @Test
    void lostUpdateOfTwoTasksIsFoundWithinAHundredSeeds() {
        int found = 0;
        for (long seed = 0; seed < 100; seed++) {
            try (VirtualWorld world = VirtualWorld.seeded(seed)) {
                VirtualProcess process = world.process("p");
                int[] counter = new int[1];
                Runnable increment = () -> {
                    int read = counter[0];
                    process.await(CompletableFuture.completedFuture("anything"), MINUTE);
                    counter[0] = read + 1;
                };
                Task first = process.start("first", increment::run);
                Task second = process.start("second", increment::run);
                process.await(first.done(), MINUTE);
                process.await(second.done(), MINUTE);
                found += counter[0] == 2 ? 0 : 1;
            }
        }
        assertThat(found).isBetween(10, 90);
    }

    @Test
    void timeMovesOnlyWhenNothingCanGoOn() {
        try (VirtualWorld world = VirtualWorld.seeded(1)) {
            VirtualProcess process = world.process("p");
            Lane lane = process.lane("lane");
            List<Duration> seen = new ArrayList<>();
            process.after(Duration.ofHours(5), lane, () -> seen.add(world.now()));
            world.runFor(Duration.ofHours(4));
            assertThat(seen).isEmpty();
            assertThat(world.now()).isEqualTo(Duration.ofHours(4));
            world.runFor(Duration.ofHours(4));
            assertThat(seen).hasSize(1);
            assertThat(seen.get(0))
                    .isBetween(Duration.ofHours(5), Duration.ofHours(5).plusMillis(1));
        }
    }

    @Test
    void runUntilIdleDoesNotMoveTimeToATimer() {
        try (VirtualWorld world = VirtualWorld.seeded(1)) {
            VirtualProcess process = world.process("p");
            Lane lane = process.lane("lane");
            AtomicBoolean fired = new AtomicBoolean();
            process.after(Duration.ofSeconds(1), lane, () -> fired.set(true));
            AtomicBoolean ran = new AtomicBoolean();
            lane.execute(() -> ran.set(true));
            world.runUntilIdle();
            assertThat(ran).isTrue();
            assertThat(fired).isFalse();
            assertThat(world.now()).isLessThan(Duration.ofMillis(1));
        }
    }

    @Test
    void aHotLoopTakesTimeAndEndsAtTheLimit() {
        try (VirtualWorld world = VirtualWorld.seeded(1)) {
            Lane lane = world.process("p").lane("lane");
            Runnable[] again = new Runnable[1];
            again[0] = () -> lane.execute(again[0]);
            lane.execute(again[0]);
            assertThatThrownBy(() -> world.runUntil(() -> false, Duration.ofMillis(100)))
                    .isInstanceOf(SeedFailed.class)
                    .hasMessageContaining("has not come within PT0.1S");
        }
    }

    @Test
    void worldThatDoesNotComeToRestFailsTheSeed() {
        try (VirtualWorld world = VirtualWorld.seeded(1)) {
            VirtualProcess process = world.process("p");
            Lane lane = process.lane("lane");
            Runnable[] again = new Runnable[1];
            again[0] = () -> lane.execute(again[0]);
            lane.execute(again[0]);
            assertThatThrownBy(world::runUntilIdle)
                    .isInstanceOf(SeedFailed.class)
                    .hasMessageContaining("does not come to rest");
        }
    }

    @Test
    void defectIsPlantedInItsProcessOnly() {
        try (VirtualWorld world = VirtualWorld.seeded(1)) {
            VirtualProcess process = world.process("p");
            process.plant("room.defect");
            assertThat(process.planted("room.defect")).isTrue();
            assertThat(process.planted("room.other")).isFalse();
            assertThat(world.process("p").planted("room.defect")).isFalse();
        }
    }

    @Test
    void runUntilFailsWithTheSeedWhenNothingIsLeftToDo() {
        try (VirtualWorld world = VirtualWorld.seeded(4711)) {
            assertThatThrownBy(() -> world.runUntil(() -> false, MINUTE))
                    .isInstanceOf(SeedFailed.class)
                    .hasMessageContaining("seed 4711")
                    .hasMessageContaining("nothing is left to do")
                    .hasMessageContaining("VirtualWorld.traced(4711L)");
        }
    }

    @Test
    void conditionOnTimeHoldsAlsoWhenNothingIsLeftToDo() {
        try (VirtualWorld world = VirtualWorld.seeded(1)) {
            world.runUntil(() -> world.now().compareTo(MINUTE) >= 0, MINUTE);
            assertThat(world.now()).isEqualTo(MINUTE);
        }
    }

    @Test
    void throwableLeavingLaneWorkFailsTheSeed() {
        try (VirtualWorld world = VirtualWorld.seeded(42)) {
            IllegalStateException defect = new IllegalStateException("a defect");
            world.process("operator").lane("informer").execute(() -> {
                throw defect;
            });
            assertThatThrownBy(world::runUntilIdle)
                    .isInstanceOf(SeedFailed.class)
                    .hasMessageContaining("seed 42")
                    .hasMessageContaining("operator/informer")
                    .hasMessageContaining("a defect")
                    .hasCause(defect);
            assertThatThrownBy(world::runUntilIdle).isInstanceOf(SeedFailed.class);
        }
    }

    @Test
    void brokenInvariantFailsTheSeedAtTheStepThatBrokeIt() {
        try (VirtualWorld world = VirtualWorld.seeded(42)) {
            int[] value = new int[1];
            world.invariant(() -> assertThat(value[0]).isLessThan(3));
            Lane lane = world.process("p").lane("breaker");
            for (int i = 0; i < 10; i++) {
                lane.execute(() -> value[0]++);
            }
            assertThatThrownBy(world::runUntilIdle)
                    .isInstanceOf(SeedFailed.class)
                    .hasMessageContaining("step 3")
                    .hasMessageContaining("p/breaker");
            assertThat(value[0]).isEqualTo(3);
        }
    }

    @Test
    void stepThatDoesNotEndIsReportedWithAllStacks() throws InterruptedException {
        CompletableFuture<Thread> hung = new CompletableFuture<>();
        AtomicBoolean letGo = new AtomicBoolean();
        try (VirtualWorld world = new VirtualWorld(42, false, Duration.ofMillis(300))) {
            VirtualProcess process = world.process("p");
            process.start("patient", () -> process.sleep(MINUTE));
            process.start("hangs", () -> {
                process.sleep(Duration.ofSeconds(1));
                hung.complete(Thread.currentThread());
                spinUntil(letGo);
            });
            assertThatThrownBy(() -> world.runFor(MINUTE))
                    .isInstanceOf(SeedFailed.class)
                    .hasMessageContaining("seed 42")
                    .hasMessageContaining("did not end within PT0.3S")
                    .hasMessageContaining("spinUntil")
                    .hasMessageContaining("VirtualProcess.sleep");
        } finally {
            letGo.set(true);
        }
    }

    private static void spinUntil(AtomicBoolean letGo) {
        while (!letGo.get()) {
            Thread.onSpinWait();
        }
    }

    @Test
    void callOfAForeignThreadFailsTheSeed() {
        try (VirtualWorld world = VirtualWorld.seeded(1)) {
            VirtualProcess process = world.process("p");
            Lane lane = process.lane("lane");
            process.start("leaves the world", () -> {
                Thread foreign = new Thread(() -> lane.execute(() -> {}), "foreign");
                foreign.setUncaughtExceptionHandler((thread, thrown) -> {});
                foreign.start();
                foreign.join();
            });
            assertThatThrownBy(world::runUntilIdle)
                    .isInstanceOf(SeedFailed.class)
                    .hasMessageContaining("\"foreign\"")
                    .hasMessageContaining("out of turn");
        }
    }

    // ---------------------------------------------------------------- crash

    @Test
    void crashedProcessStopsAtOnceAndItsThreadsEnd() {
        try (VirtualWorld world = VirtualWorld.seeded(1)) {
            VirtualProcess process = world.process("p");
            Lane lane = process.lane("lane");
            AtomicInteger ticks = new AtomicInteger();
            List<String> unwound = new ArrayList<>();
            Task task = process.start("sleeper", () -> {
                try {
                    process.sleep(MINUTE);
                } finally {
                    try {
                        lane.execute(ticks::incrementAndGet);
                    } catch (ProcessCrashed again) {
                        unwound.add("refused");
                    }
                }
            });
            process.userLane("user").execute(() -> {
                try {
                    process.sleep(MINUTE);
                } catch (ProcessCrashed crashed) {
                    unwound.add("user lane");
                    throw crashed;
                }
            });
            process.after(Duration.ofSeconds(2), lane, ticks::incrementAndGet);
            world.runFor(Duration.ofSeconds(1));
            process.crash();
            lane.execute(ticks::incrementAndGet);
            world.runFor(MINUTE);
            assertThat(ticks).hasValue(0);
            assertThat(unwound).containsExactlyInAnyOrder("refused", "user lane");
            assertThat(task.done().toCompletableFuture()).isNotDone();
            assertThat(process.isCrashed()).isTrue();
            assertThatThrownBy(() -> process.start("late", () -> {})).isInstanceOf(IllegalStateException.class);
        }
    }

    @Test
    void otherProcessesSurviveACrash() {
        try (VirtualWorld world = VirtualWorld.seeded(1)) {
            VirtualProcess victim = world.process("victim");
            VirtualProcess other = world.process("other");
            Task task = other.start("goes on", () -> other.sleep(MINUTE));
            victim.start("dies", () -> victim.sleep(MINUTE));
            world.after(Duration.ofSeconds(1), victim::crash);
            world.runFor(MINUTE.plusSeconds(1));
            assertThat(task.done().toCompletableFuture()).isCompleted();
        }
    }

    @Test
    void everyCallIsACrashPoint() {
        List<Integer> written = new ArrayList<>();
        for (int point = 1; ; point++) {
            try (VirtualWorld world = VirtualWorld.seeded(1)) {
                VirtualProcess process = world.process("p");
                AtomicInteger writes = new AtomicInteger();
                AtomicBoolean finished = new AtomicBoolean();
                Lane lane = process.lane("lane");
                process.start("reconcile", () -> {
                    for (int i = 0; i < 3; i++) {
                        writes.incrementAndGet();
                        lane.execute(() -> {});
                        process.await(CompletableFuture.completedFuture(i), MINUTE);
                    }
                    finished.set(true);
                });
                process.crashAtCall(point);
                world.runFor(MINUTE);
                assertThat(process.isCrashed()).isNotEqualTo(finished.get());
                if (finished.get()) {
                    break;
                }
                written.add(writes.get());
            }
        }
        assertThat(written).containsExactly(1, 1, 2, 2, 3, 3);
    }

    @Test
    void crashHooksRunOutsideTheProcessAndMayStartItsSuccessor() {
        for (long seed = 0; seed < 50; seed++) {
            try (VirtualWorld world = VirtualWorld.seeded(seed)) {
                AtomicInteger lives = new AtomicInteger();
                AtomicInteger finished = new AtomicInteger();
                startLife(world, lives, finished);
                world.runUntil(() -> finished.get() == 1, MINUTE);
                assertThat(lives.get()).isEqualTo(4);
            }
        }
    }

    private static void startLife(VirtualWorld world, AtomicInteger lives, AtomicInteger finished) {
        VirtualProcess process = world.process("operator");
        if (lives.incrementAndGet() < 4) {
            process.crashAtCall(1 + world.random("crash").nextInt(3));
            process.onCrash(() -> startLife(world, lives, finished));
        }
        process.start("main", () -> {
            process.sleep(Duration.ofMillis(1));
            process.sleep(Duration.ofMillis(1));
            process.sleep(Duration.ofMillis(1));
            finished.incrementAndGet();
        });
    }

    @Test
    void threadThatSwallowsItsCrashForEverFailsTheSeed() {
        try (VirtualWorld world = VirtualWorld.seeded(42)) {
            VirtualProcess process = world.process("p");
            process.start("stubborn", () -> {
                while (true) {
                    try {
                        process.sleep(Duration.ofMillis(1));
                    } catch (ProcessCrashed swallowed) {
                        process.isCrashed();
                    }
                }
            });
            world.runFor(Duration.ofMillis(10));
            process.crash();
            assertThatThrownBy(() -> world.runFor(MINUTE))
                    .isInstanceOf(SeedFailed.class)
                    .hasMessageContaining("p/stubborn")
                    .hasMessageContaining("goes on after the crash");
        }
    }

    @Test
    void closedWorldLeavesNoThread() throws InterruptedException {
        List<Thread> threads = new ArrayList<>();
        try (VirtualWorld world = VirtualWorld.seeded(1)) {
            VirtualProcess process = world.process("p");
            for (int i = 0; i < 10; i++) {
                process.start("sleeper", () -> {
                    threads.add(Thread.currentThread());
                    process.sleep(MINUTE);
                });
            }
            world.runFor(Duration.ofSeconds(1));
            assertThat(new HashSet<>(threads)).hasSize(10);
        }
        for (Thread thread : threads) {
            thread.join(10_000);
            assertThat(thread.isAlive()).isFalse();
        }
    }

    @Test
    void threadsAreUsedAgain() {
        try (VirtualWorld world = VirtualWorld.seeded(1)) {
            VirtualProcess process = world.process("p");
            Set<Thread> threads = new HashSet<>();
            for (int i = 0; i < 1000; i++) {
                process.start("short", () -> threads.add(Thread.currentThread()));
            }
            world.runUntilIdle();
            assertThat(threads).hasSize(1);
        }
    }

    // ---------------------------------------------------------------- pause

    @Test
    void pausedProcessRunsNothingAndItsTimersAreLate() {
        try (VirtualWorld world = VirtualWorld.seeded(1)) {
            VirtualProcess process = world.process("p");
            Lane lane = process.lane("lane");
            List<Duration> ticks = new ArrayList<>();
            for (int second = 1; second <= 5; second++) {
                process.after(Duration.ofSeconds(second), lane, () -> ticks.add(world.now()));
            }
            world.after(Duration.ofMillis(1500), process::pause);
            world.after(Duration.ofMillis(3500), process::resume);
            world.runFor(Duration.ofSeconds(3));
            assertThat(ticks).hasSize(1);
            assertThat(process.isPaused()).isTrue();
            world.runFor(Duration.ofSeconds(1));
            assertThat(ticks).hasSize(3);
            assertThat(ticks.get(1)).isBetween(Duration.ofMillis(3500), Duration.ofMillis(3501));
            assertThat(ticks.get(2)).isBetween(Duration.ofMillis(3500), Duration.ofMillis(3501));
            world.runFor(Duration.ofSeconds(2));
            assertThat(ticks).hasSize(5);
        }
    }

    @Test
    void clockOfAPausedProcessGoesOn() {
        try (VirtualWorld world = VirtualWorld.seeded(1)) {
            VirtualProcess process = world.process("p");
            List<Long> slept = new ArrayList<>();
            process.start("sleeper", () -> {
                long before = process.nanos();
                process.sleep(Duration.ofSeconds(1));
                slept.add(process.nanos() - before);
            });
            world.after(Duration.ofMillis(500), process::pause);
            world.after(Duration.ofSeconds(20), process::resume);
            world.runFor(Duration.ofSeconds(30));
            assertThat(slept).hasSize(1);
            assertThat(slept.get(0))
                    .isGreaterThanOrEqualTo(Duration.ofSeconds(19).toNanos());
        }
    }

    @Test
    void processCanBePausedInTheMiddleOfACall() {
        try (VirtualWorld world = VirtualWorld.seeded(1)) {
            VirtualProcess process = world.process("p");
            Lane lane = process.lane("engine");
            List<Duration> seen = new ArrayList<>();
            lane.execute(() -> {
                seen.add(world.now());
                process.nanos();
                seen.add(world.now());
            });
            process.pauseAtCall(1, Duration.ofSeconds(19));
            world.runFor(MINUTE);
            assertThat(seen.get(1).minus(seen.get(0)))
                    .isBetween(Duration.ofSeconds(19), Duration.ofSeconds(19).plusMillis(1));
        }
    }

    @Test
    void pausedProcessCanBeKilled() {
        try (VirtualWorld world = VirtualWorld.seeded(1)) {
            VirtualProcess process = world.process("p");
            AtomicBoolean ranOn = new AtomicBoolean();
            process.start("sleeper", () -> {
                process.sleep(Duration.ofSeconds(1));
                ranOn.set(true);
            });
            world.runFor(Duration.ofMillis(10));
            process.pause();
            world.runFor(Duration.ofSeconds(10));
            process.crash();
            process.resume();
            world.runFor(Duration.ofSeconds(10));
            assertThat(ranOn).isFalse();
        }
    }

    // ---------------------------------------------------------------- clocks

    @Test
    void clocksMayBeWrongAndRunAtAnotherRate() {
        try (VirtualWorld world = VirtualWorld.seeded(1)) {
            VirtualProcess right = world.process("right");
            VirtualProcess wrong = world.process("wrong", Duration.ofSeconds(-20), 1.05);
            assertThat(Duration.between(wrong.wallClock(), right.wallClock())).isEqualTo(Duration.ofSeconds(20));
            long rightBefore = right.nanos();
            long wrongBefore = wrong.nanos();
            List<Duration> fired = new ArrayList<>();
            wrong.after(Duration.ofSeconds(105), wrong.lane("lane"), () -> fired.add(world.now()));
            world.runFor(Duration.ofSeconds(100));
            assertThat(right.nanos() - rightBefore)
                    .isEqualTo(Duration.ofSeconds(100).toNanos());
            assertThat((double) (wrong.nanos() - wrongBefore)).isBetween(104.999e9, 105.001e9);
            assertThat(Duration.between(right.wallClock(), wrong.wallClock()))
                    .isBetween(Duration.ofMillis(-15_001), Duration.ofMillis(-14_999));
            world.runFor(Duration.ofMillis(1));
            assertThat(fired).hasSize(1);
            assertThat(fired.get(0)).isBetween(Duration.ofMillis(99_999), Duration.ofMillis(100_001));
        }
    }

    @Test
    void sameSeedAndNameGiveTheSameSequence() {
        try (VirtualWorld first = VirtualWorld.seeded(3);
                VirtualWorld second = VirtualWorld.seeded(3);
                VirtualWorld other = VirtualWorld.seeded(4)) {
            long drawn = first.process("p").random("jitter").nextLong();
            assertThat(second.process("p").random("jitter").nextLong()).isEqualTo(drawn);
            assertThat(other.process("p").random("jitter").nextLong()).isNotEqualTo(drawn);
            assertThat(first.process("p").random("jitter").nextLong()).isNotEqualTo(drawn);
        }
    }

    @Test
    void timerCancelledByAnotherThreadWhileQueuedMayStillRunOnce() {
        Set<Integer> runs = new HashSet<>();
        for (long seed = 0; seed < 100; seed++) {
            try (VirtualWorld world = VirtualWorld.seeded(seed)) {
                VirtualProcess process = world.process("p");
                Lane lane = process.lane("lane");
                AtomicInteger ran = new AtomicInteger();
                process.start("canceller", () -> {
                    Registration timer = process.after(Duration.ofMillis(1), lane, ran::incrementAndGet);
                    process.sleep(Duration.ofMillis(1));
                    timer.close();
                });
                world.runFor(MINUTE);
                runs.add(ran.get());
            }
        }
        assertThat(runs).containsExactlyInAnyOrder(0, 1);
    }

    @Test
    void turnsEndEarlyNowAndThen() {
        try (VirtualWorld world = VirtualWorld.seeded(1)) {
            Lane lane = world.process("p").lane("lane");
            AtomicInteger yields = new AtomicInteger();
            for (int i = 0; i < 1000; i++) {
                lane.execute(() -> {
                    if (lane.shouldYield()) {
                        yields.incrementAndGet();
                    }
                });
            }
            world.runUntilIdle();
            assertThat(yields.get()).isBetween(20, 200);
        }
    }
}
