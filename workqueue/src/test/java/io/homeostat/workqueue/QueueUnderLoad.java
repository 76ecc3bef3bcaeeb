package io.homeostat.workqueue;

import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Lane;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * Producers that change a state and add its key, workers that look at the state: at the end the last look at each key must have seen
 * its last state, and no two looks at one key may overlap. Runs on any runtime.
 */
final class QueueUnderLoad {
    private static final Duration SHORT = Duration.ofMillis(2);

    private final EngineRuntime runtime;
    private final Lane lane;
    private final WorkQueue<Integer> queue;
    private final List<AtomicInteger> states = new ArrayList<>();
    private final List<AtomicInteger> seen = new ArrayList<>();
    private final List<AtomicInteger> holders = new ArrayList<>();
    private final AtomicReference<@Nullable String> broken = new AtomicReference<>();
    private final AtomicInteger producing;
    private final AtomicInteger free;
    private final int addsPerProducer;
    private final CompletableFuture<Void> over = new CompletableFuture<>();

    QueueUnderLoad(EngineRuntime runtime, int keys, int producers, int addsPerProducer, int workers) {
        this.runtime = runtime;
        this.addsPerProducer = addsPerProducer;
        this.producing = new AtomicInteger(producers);
        this.free = new AtomicInteger(workers);
        this.lane = runtime.lane("consumer");
        this.queue = new WorkQueue<>("load", runtime, lane, this::dispatch, WorkQueue.Config.DEFAULT, key -> key % 3);
        for (int i = 0; i < keys; i++) {
            states.add(new AtomicInteger());
            seen.add(new AtomicInteger());
            holders.add(new AtomicInteger());
        }
        for (int i = 0; i < producers; i++) {
            int producer = i;
            runtime.start("producer " + i, () -> produce(runtime.random("producer " + producer)));
        }
    }

    /** Completes when nothing is left to do. */
    CompletableFuture<Void> over() {
        return over;
    }

    /** What went wrong; null when all is well. */
    @Nullable
    String broken() {
        String found = broken.get();
        for (int key = 0; key < states.size() && found == null; key++) {
            if (seen.get(key).get() != states.get(key).get()) {
                found = "the last state of key " + key + " was never looked at";
            }
        }
        return found;
    }

    private void produce(RandomGenerator random) {
        for (int i = 0; i < addsPerProducer; i++) {
            int key = random.nextInt(states.size());
            states.get(key).incrementAndGet();
            Priority priority = random.nextInt(3) == 0 ? Priority.BACKGROUND : Priority.NORMAL;
            switch (random.nextInt(4)) {
                case 0 -> queue.addAfter(key, Duration.ofNanos(1 + random.nextInt(3_000_000)), "changed");
                default -> queue.add(key, "changed", priority);
            }
            if (random.nextInt(20) == 0) {
                runtime.sleep(Duration.ofNanos(random.nextInt(200_000)));
            }
        }
        lane.execute(() -> {
            producing.decrementAndGet();
            endWhenIdle();
        });
    }

    /** On the lane. */
    private void dispatch() {
        while (free.get() > 0) {
            Work<Integer> work = queue.poll();
            if (work == null) {
                return;
            }
            free.decrementAndGet();
            runtime.start("worker", () -> look(work))
                    .done()
                    .whenComplete((nothing, thrown) -> lane.execute(() -> {
                        if (thrown != null) {
                            broken.compareAndSet(null, "a worker threw " + thrown);
                        }
                        free.incrementAndGet();
                        dispatch();
                        endWhenIdle();
                    }));
        }
    }

    private void look(Work<Integer> work) {
        int key = work.key();
        if (holders.get(key).incrementAndGet() != 1) {
            broken.compareAndSet(null, "key " + key + " had two holders");
        }
        if (work.causes().isEmpty()) {
            broken.compareAndSet(null, "key " + key + " came without a cause");
        }
        RandomGenerator random = runtime.random("look " + key + "/" + work.attempt());
        int state = states.get(key).get();
        if (random.nextInt(3) == 0) {
            runtime.sleep(SHORT);
        }
        boolean fails = work.attempt() < 4 && random.nextInt(6) == 0;
        if (!fails) {
            seen.get(key).set(state);
        }
        holders.get(key).decrementAndGet();
        if (fails) {
            queue.retry(key, "failed");
        } else {
            if (random.nextInt(10) == 0) {
                queue.addAfter(key, SHORT, "again");
            }
            queue.done(key);
        }
    }

    /** On the lane: delayed keys call again through {@link #dispatch}. */
    private void endWhenIdle() {
        if (producing.get() == 0 && queue.ready() == 0 && queue.delayed() == 0 && queue.held() == 0) {
            over.complete(null);
        }
    }
}
