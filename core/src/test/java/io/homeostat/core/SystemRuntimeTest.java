package io.homeostat.core;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.PrintStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What only real threads can show; the common promises are in the contract test of virtual-runtime. */
@Timeout(60)
final class SystemRuntimeTest {
    private static final Duration SOON = Duration.ofSeconds(20);

    private final List<Throwable> fatal = new CopyOnWriteArrayList<>();
    private final SystemRuntime runtime =
            SystemRuntime.builder().named("test").onFatal(fatal::add).build();

    @AfterEach
    void closeRuntime() {
        runtime.close();
    }

    private void fence(Lane lane) {
        CompletableFuture<Boolean> passed = new CompletableFuture<>();
        lane.execute(() -> passed.complete(true));
        runtime.await(passed, SOON);
    }

    @Test
    void laneGoesOnAfterAThrowable() {
        Lane lane = runtime.lane("lane");
        lane.execute(() -> {
            throw new IllegalStateException("planted");
        });
        lane.execute(() -> {
            throw new StackOverflowError("planted");
        });
        fence(lane);
        assertThat(fatal).isEmpty();
    }

    @Test
    void errorOfTheVmIsReportedAndTheLaneGoesOn() {
        OutOfMemoryError onLane = new OutOfMemoryError("planted");
        OutOfMemoryError inTask = new OutOfMemoryError("planted");
        Lane lane = runtime.lane("lane");
        lane.execute(() -> {
            throw onLane;
        });
        fence(lane);
        Task task = runtime.start("task", () -> {
            throw inTask;
        });
        assertThatThrownBy(() -> runtime.await(task.done(), SOON)).isSameAs(inTask);
        assertThat(fatal).containsExactly(onLane, inTask);
    }

    /** As one that the VM throws when there is no memory: what logs it fails with the same instance. */
    private static final class Unloggable extends OutOfMemoryError {
        private static final long serialVersionUID = 1;

        @Override
        public void printStackTrace(PrintStream stream) {
            throw this;
        }
    }

    @Test
    void errorOfTheVmThatCannotEvenBeLoggedIsToldAndNothingStands() {
        Unloggable onLane = new Unloggable();
        Unloggable byTimer = new Unloggable();
        Unloggable inTask = new Unloggable();
        for (Lane lane : List.of(runtime.lane("engine"), runtime.userLane("user"), runtime.dedicatedLane("own"))) {
            lane.execute(() -> {
                throw onLane;
            });
            runtime.after(Duration.ofMillis(1), lane, () -> {
                throw byTimer;
            });
            CompletableFuture<Boolean> later = new CompletableFuture<>();
            runtime.after(Duration.ofMillis(2), lane, () -> later.complete(true));
            runtime.await(later, SOON);
            fence(lane);
        }
        Task task = runtime.start("task", () -> {
            throw inTask;
        });
        assertThatThrownBy(() -> runtime.await(task.done(), SOON)).isSameAs(inTask);
        assertThat(fatal).hasSize(7).contains(onLane, byTimer, inTask);
    }

    @Test
    void everyoneIsToldOfAnErrorOfTheVmUntilHeIsNot() {
        List<Throwable> heard = new CopyOnWriteArrayList<>();
        List<Throwable> heardByTheOther = new CopyOnWriteArrayList<>();
        runtime.onFatal(error -> {
            throw new IllegalStateException("planted");
        });
        Registration mine = runtime.onFatal(heard::add);
        runtime.onFatal(heardByTheOther::add);
        OutOfMemoryError first = new OutOfMemoryError("planted");
        OutOfMemoryError second = new OutOfMemoryError("planted");
        Lane lane = runtime.lane("lane");
        lane.execute(() -> {
            throw first;
        });
        fence(lane);
        mine.close();
        lane.execute(() -> {
            throw second;
        });
        fence(lane);
        assertThat(heard).containsExactly(first);
        assertThat(heardByTheOther).containsExactly(first, second);
    }

    @Test
    void busyEngineLaneLetsOthersHaveTheirTurn() {
        int cores = Math.max(2, Runtime.getRuntime().availableProcessors());
        List<Lane> busy = new ArrayList<>();
        CompletableFuture<Boolean> enough = new CompletableFuture<>();
        for (int i = 0; i < cores; i++) {
            Lane lane = runtime.lane("busy " + i);
            busy.add(lane);
            Runnable[] again = new Runnable[1];
            again[0] = () -> {
                if (!enough.isDone()) {
                    lane.execute(again[0]);
                }
            };
            lane.execute(again[0]);
        }
        fence(runtime.lane("patient")); // would never pass if a lane kept its thread while it has work
        enough.complete(true);
        busy.forEach(this::fence);
    }

    @Test
    void turnIsOverAfterItsTime() {
        Lane lane = runtime.lane("lane");
        CompletableFuture<Boolean> over = new CompletableFuture<>();
        lane.execute(() -> {
            long start = System.nanoTime();
            while (System.nanoTime() - start < 3_000_000) {
                Thread.onSpinWait();
            }
            over.complete(lane.shouldYield());
        });
        assertThat(runtime.await(over, SOON)).isTrue();
    }

    @Test
    void everyAddFromEveryThreadRunsOnceInTheOrderOfItsThread() {
        int threads = 4;
        int each = 20_000;
        for (Lane lane : List.of(runtime.lane("engine"), runtime.userLane("user"), runtime.dedicatedLane("own"))) {
            int[] next = new int[threads];
            List<Task> givers = new ArrayList<>();
            for (int t = 0; t < threads; t++) {
                int giver = t;
                givers.add(runtime.start("giver", () -> {
                    for (int i = 0; i < each; i++) {
                        int expected = i;
                        lane.execute(() -> {
                            if (next[giver] == expected) {
                                next[giver]++;
                            }
                        });
                    }
                }));
            }
            givers.forEach(giver -> runtime.await(giver.done(), SOON));
            fence(lane);
            assertThat(next).containsOnly(each);
        }
    }

    @Test
    void workGivenAtTheMomentALaneFallsIdleIsNotLost() {
        for (Lane lane : List.of(runtime.lane("engine"), runtime.userLane("user"), runtime.dedicatedLane("own"))) {
            AtomicInteger ran = new AtomicInteger();
            long begin = System.nanoTime();
            for (int i = 1; i <= 50_000 && System.nanoTime() - begin < 2_000_000_000L; i++) {
                lane.execute(ran::incrementAndGet);
                long given = System.nanoTime();
                while (ran.get() < i) {
                    assertThat(System.nanoTime() - given)
                            .as("waits for work %d", i)
                            .isLessThan(SOON.toNanos());
                    Thread.onSpinWait();
                }
            }
        }
    }

    @Test
    void userLanesThatBlockHoldUpNoOtherHoweverManyTheyAre() {
        int many = 100;
        for (int round = 0; round < 5; round++) {
            CountDownLatch begun = new CountDownLatch(many);
            CountDownLatch ended = new CountDownLatch(many);
            for (int i = 0; i < many; i++) {
                runtime.userLane("user " + i).execute(() -> {
                    begun.countDown();
                    await(begun); // each needs all the others to have begun
                    ended.countDown();
                });
            }
            await(ended);
        }
    }

    @Test
    void userLanesThatWereDeniedAThreadAreServedWhenThereIsOne() {
        AtomicInteger denied = new AtomicInteger();
        LaneThreads threads = new LaneThreads(work -> {
            if (denied.getAndIncrement() < 3) {
                throw new OutOfMemoryError("unable to create native thread (in a test)");
            }
            new Thread(work, "given").start();
        });
        CountDownLatch ran = new CountDownLatch(10);
        for (int i = 0; i < 10; i++) {
            new SerialLane(runtime, "user " + i, SerialLane.Kind.BLOCKING, threads).execute(ran::countDown);
        }
        await(ran);
        assertThat(denied).hasValueGreaterThan(3);
    }

    @Test
    void threadThatServedAUserLaneGivesItsNameBack() {
        List<String> names = new CopyOnWriteArrayList<>();
        LaneThreads threads = new LaneThreads(work -> {
            names.add(Thread.currentThread().getName());
            work.run();
            names.add(Thread.currentThread().getName());
        });
        new SerialLane(runtime, "user", SerialLane.Kind.BLOCKING, threads)
                .execute(() -> names.add(Thread.currentThread().getName()));
        assertThat(names).containsExactly(names.get(0), "user", names.get(0));
    }

    private static void await(CountDownLatch latch) {
        try {
            assertThat(latch.await(SOON.toNanos(), TimeUnit.NANOSECONDS)).isTrue();
        } catch (InterruptedException e) {
            throw new IllegalStateException("Interrupted while lanes work", e);
        }
    }

    @Test
    void dedicatedLaneHasAThreadOfItsOwn() {
        Set<Thread> threads = ConcurrentHashMap.newKeySet();
        Lane lane = runtime.dedicatedLane("lease");
        List<String> names = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            lane.execute(() -> {
                threads.add(Thread.currentThread());
                names.add(Thread.currentThread().getName());
            });
            fence(lane);
        }
        assertThat(threads).hasSize(1);
        assertThat(names).containsOnly("lease");
    }

    @Test
    void threadsCarryTheNamesOfWhatTheyRunAndAreDaemons() {
        List<String> names = new ArrayList<>();
        Task task = runtime.start("reconcile default/sample", () -> {
            names.add(Thread.currentThread().getName());
            assertThat(Thread.currentThread().isDaemon()).isTrue();
        });
        runtime.await(task.done(), SOON);
        Lane user = runtime.userLane("handler");
        user.execute(() -> names.add(Thread.currentThread().getName()));
        fence(user);
        assertThat(names).containsExactly("reconcile default/sample", "handler");
    }

    @Test
    void closeEndsEveryThread() throws InterruptedException {
        Set<Thread> threads = ConcurrentHashMap.newKeySet();
        Runnable remember = () -> threads.add(Thread.currentThread());
        CompletableFuture<String> never = new CompletableFuture<>();
        CountDownLatch started = new CountDownLatch(4);
        Runnable block = () -> {
            remember.run();
            started.countDown();
            runtime.await(never, SOON);
        };
        runtime.lane("engine").execute(() -> {
            remember.run();
            started.countDown();
        });
        runtime.userLane("user").execute(block);
        runtime.dedicatedLane("dedicated").execute(block);
        runtime.start("task", block::run);
        started.await();
        runtime.close();
        for (Thread thread : threads) {
            thread.join(10_000);
            assertThat(thread.isAlive()).as(thread.getName()).isFalse();
        }
    }

    @Test
    void closeReturnsAlthoughUserCodeIgnoresItsInterrupt() {
        CountDownLatch started = new CountDownLatch(1);
        CompletableFuture<Boolean> letGo = new CompletableFuture<>();
        runtime.start("stubborn", () -> {
            started.countDown();
            while (!letGo.isDone()) {
                Thread.onSpinWait();
            }
        });
        runtime.userLane("waits for it").execute(() -> {
            try {
                started.await();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        });
        long before = System.nanoTime();
        runtime.close();
        assertThat(System.nanoTime() - before).isLessThan(Duration.ofSeconds(10).toNanos());
        letGo.complete(true);
    }

    @Test
    void lanesThatCameAndWentLeaveNothing() {
        for (int i = 0; i < 100_000; i++) {
            Lane lane = runtime.lane("lane");
            runtime.after(Duration.ofHours(1), lane, () -> {});
            Registration timer = runtime.after(Duration.ofHours(2), lane, () -> {});
            timer.close();
            lane.execute(() -> {});
            lane.close();
        }
        assertThat(runtime.waitingTimers()).isZero();
        int threads = Thread.activeCount();
        for (int i = 0; i < 50; i++) {
            Lane lane = runtime.dedicatedLane("lane");
            fence(lane);
            lane.close();
        }
        fence(runtime.lane("engine"));
        assertThat(Thread.activeCount()).isLessThan(threads + 50);
    }

    @Test
    void timersSetAndCancelledInAnyOrderFireInTheOrderOfTheirTimes() {
        int count = 20_000;
        Lane lane = runtime.lane("lane");
        SplittableRandom random = new SplittableRandom(7);
        long[] notBefore = new long[count];
        long[] notAfter = new long[count];
        List<Integer> fired = new ArrayList<>();
        CompletableFuture<Boolean> last = new CompletableFuture<>();
        List<Registration> cancelled = new ArrayList<>();
        AtomicInteger early = new AtomicInteger();
        AtomicInteger cancelledRan = new AtomicInteger();
        for (int i = 0; i < count; i++) {
            int timer = i;
            long delay = 2_000_000_000L + random.nextLong(200_000_000);
            notBefore[i] = System.nanoTime() + delay;
            if (random.nextInt(3) == 0) {
                cancelled.add(runtime.after(Duration.ofNanos(delay), lane, cancelledRan::incrementAndGet));
            } else {
                runtime.after(Duration.ofNanos(delay), lane, () -> {
                    fired.add(timer);
                    early.addAndGet(System.nanoTime() - notBefore[timer] < 0 ? 1 : 0);
                });
            }
            notAfter[i] = System.nanoTime() + delay;
        }
        cancelled.forEach(Registration::close);
        runtime.after(Duration.ofMillis(2_300), lane, () -> last.complete(true));
        runtime.await(last, SOON);
        assertThat(fired).hasSize(count - cancelled.size());
        long latestSoFar = Long.MIN_VALUE;
        for (int timer : fired) {
            assertThat(notAfter[timer]).isGreaterThanOrEqualTo(latestSoFar);
            latestSoFar = Math.max(latestSoFar, notBefore[timer]);
        }
        assertThat(early).hasValue(0);
        assertThat(cancelledRan).hasValue(0);
        assertThat(runtime.waitingTimers()).isZero();
    }

    @Test
    void generatorsAreSeededBySomethingElseEachTime() {
        assertThat(runtime.random("a").nextLong())
                .isNotEqualTo(runtime.random("a").nextLong());
    }

    @Test
    void tasksRunOnVirtualThreadsOnRequestAndAreRefusedWhereThereAreNone() {
        SystemRuntime.Builder builder = SystemRuntime.builder();
        if (Runtime.version().feature() < 21) {
            assertThatThrownBy(builder::tasksOnVirtualThreads)
                    .isInstanceOf(UnsupportedOperationException.class)
                    .hasMessageContaining("Java 21");
            return;
        }
        try (SystemRuntime virtual = builder.tasksOnVirtualThreads().build()) {
            List<String> threads = new ArrayList<>();
            Task task = virtual.start(
                    "light", () -> threads.add(Thread.currentThread().toString()));
            virtual.await(task.done(), SOON);
            assertThat(threads.get(0)).contains("VirtualThread").contains("light");
        }
    }
}
