package io.homeostat.workqueue;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.homeostat.core.SystemRuntime;
import io.homeostat.virtualruntime.SeedFailed;
import io.homeostat.virtualruntime.VirtualProcess;
import io.homeostat.virtualruntime.VirtualWorld;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class WorkQueueStressTest {
    @Test
    void nothingIsLostAndNoKeyHasTwoHoldersOnRealThreads() throws Exception {
        try (SystemRuntime runtime = SystemRuntime.create()) {
            QueueUnderLoad load = new QueueUnderLoad(runtime, 50, 8, 5_000, 16);
            load.over().get(60, TimeUnit.SECONDS);
            assertThat(load.broken()).isNull();
        }
    }

    @Test
    void nothingIsLostAndNoKeyHasTwoHoldersInAnyInterleaving() {
        for (long seed = 1; seed <= 150; seed++) {
            assertThat(brokenIn(seed)).as("seed %s", seed).isNull();
        }
    }

    private static @Nullable String brokenIn(long seed) {
        try (VirtualWorld world = VirtualWorld.seeded(seed)) {
            VirtualProcess process = world.process("queue");
            QueueUnderLoad load = new QueueUnderLoad(process, 4, 3, 25, 3);
            world.runUntil(() -> load.over().isDone(), Duration.ofMinutes(5));
            return load.broken();
        }
    }

    @Test
    void hundredThousandDelayedKeysAllComeAndNoneEarly() throws Exception {
        int keys = 100_000;
        try (SystemRuntime runtime = SystemRuntime.create()) {
            List<Long> lateness = Collections.synchronizedList(new ArrayList<>(keys));
            CountDownLatch left = new CountDownLatch(keys);
            long[] due = new long[keys];
            QueueHolder holder = new QueueHolder();
            WorkQueue<Integer> queue = new WorkQueue<>(
                    "delayed",
                    runtime,
                    runtime.lane("consumer"),
                    () -> {
                        WorkQueue<Integer> self = Objects.requireNonNull(holder.queue);
                        for (Work<Integer> work = self.poll(); work != null; work = self.poll()) {
                            lateness.add(runtime.nanos() - due[work.key()]);
                            self.done(work.key());
                            left.countDown();
                        }
                    },
                    WorkQueue.Config.DEFAULT);
            holder.queue = queue;
            long begin = runtime.nanos();
            for (int i = 0; i < keys; i++) {
                due[i] = begin + 1_000_000_000L + (i * 7919L % keys) * 10_000L; // spread over a second
                queue.addAfter(i, Duration.ofNanos(due[i] - runtime.nanos()), "later");
            }
            assertThat(left.await(30, TimeUnit.SECONDS)).as("all keys came").isTrue();
            assertThat(lateness).as("none early").allMatch(late -> late >= 0);
            Collections.sort(lateness);
            System.out.printf(
                    "100,000 delayed keys: lateness p50 %d us, p99 %d us%n",
                    lateness.get(keys / 2) / 1000, lateness.get(keys * 99 / 100) / 1000);
        }
    }

    @Test
    void simulationFindsAQueueThatForgetsItsHolders() {
        assertThatThrownBy(() -> {
                    for (long seed = 1; seed <= 1000; seed++) {
                        try (VirtualWorld world = VirtualWorld.seeded(seed)) {
                            VirtualProcess process = world.process("queue");
                            process.plant("workqueue.no-dedup-in-flight");
                            QueueUnderLoad load = new QueueUnderLoad(process, 4, 3, 25, 3);
                            world.runUntil(() -> load.over().isDone() || load.broken() != null, Duration.ofMinutes(5));
                            if (load.broken() != null) {
                                throw new AssertionError("seed " + seed + ": " + load.broken());
                            }
                        }
                    }
                })
                .isInstanceOfAny(AssertionError.class, SeedFailed.class);
    }

    private static final class QueueHolder {
        private @Nullable WorkQueue<Integer> queue;
    }
}
