package io.homeostat.informer;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.homeostat.client.RawObject;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Lane;
import io.homeostat.core.Metrics;
import io.homeostat.core.Registration;
import io.homeostat.core.Task;
import io.homeostat.informer.ResourceEventHandler.Merged;
import io.homeostat.informer.ResourceEventHandler.Phase;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Queue;
import java.util.SplittableRandom;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.Consumer;
import java.util.random.RandomGenerator;
import org.jetbrains.lincheck.Lincheck;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * A registered handler under chosen interleavings of the informer's lane, which offers, and the user lane, which tells until it runs out
 * of work (docs/adr/0008). The user lane is a queue here, emptied by one thread.
 */
@Tag("jdk-independent") // Lincheck chooses the interleavings, not the JDK
class HandlerLaneInterleavingsTest {
    private static final int INTERLEAVINGS = 1000;
    private static final InformerMetrics FIGURES = new InformerMetrics(Metrics.NONE, "test", TestObject.TYPE);
    private static final TestObject A = TestObject.of("a", "u1", 1);
    private static final TestObject B = TestObject.of("b", "u2", 2);

    /** A handler, what its lane has to run, and what it was told. */
    private static final class Registered implements ResourceEventHandler<ConfigMap> {
        final Queue<Runnable> turns = new ConcurrentLinkedQueue<>();
        final Queue<String> told = new ConcurrentLinkedQueue<>();
        final HandlerLane<ConfigMap> lane =
                new HandlerLane<>("test", TestObject.DECODER, this, new Turns(turns), FIGURES, gone -> {});

        @Override
        public void onAdd(CachedObject<ConfigMap> object, Phase phase, Merged<ConfigMap> merged) {
            told.add("add " + object.key().name());
        }

        @Override
        public void onUpdate(CachedObject<ConfigMap> before, CachedObject<ConfigMap> now, Merged<ConfigMap> merged) {
            told.add("update " + now.key().name());
        }

        @Override
        public void onDelete(CachedObject<ConfigMap> lastKnown, Merged<ConfigMap> merged) {
            told.add("delete " + lastKnown.key().name());
        }

        void offer(RawObject object) {
            lane.offer(List.of(new Change.Added(object)), Phase.INITIAL);
        }

        void run(int most) {
            for (int i = 0; i < most; i++) {
                Runnable next = turns.poll();
                if (next != null) {
                    next.run();
                }
            }
        }
    }

    /** Lanes that are a queue somebody else empties, and no time. */
    private record Turns(Queue<Runnable> turns) implements EngineRuntime, Lane {
        @Override
        public void execute(Runnable work) {
            turns.add(work);
        }

        @Override
        public boolean isCurrent() {
            return false;
        }

        @Override
        public boolean shouldYield() {
            return false;
        }

        @Override
        public void charge(int bytes) {}

        @Override
        public String name() {
            return "turns";
        }

        @Override
        public Lane lane(String name) {
            return this;
        }

        @Override
        public Lane userLane(String name) {
            return this;
        }

        @Override
        public Lane dedicatedLane(String name) {
            return this;
        }

        @Override
        public Registration after(Duration delay, Lane lane, Runnable work) {
            return () -> {};
        }

        @Override
        public long nanos() {
            return 0;
        }

        @Override
        public Instant wallClock() {
            return Instant.EPOCH;
        }

        @Override
        public RandomGenerator random(String name) {
            return new SplittableRandom(1);
        }

        @Override
        public Registration onFatal(Consumer<Throwable> told) {
            return () -> {};
        }

        @Override
        public Task start(String name, Task.Body body) {
            throw new AssertionError("a handler starts no task");
        }

        @Override
        public <T extends @Nullable Object> T await(CompletionStage<T> stage, Duration deadline) {
            throw new AssertionError("a handler waits for nothing");
        }

        @Override
        public void sleep(Duration duration) {
            throw new AssertionError("a handler does not sleep");
        }

        @Override
        public void close() {}
    }

    @Test
    void whatIsOfferedIsToldOnceWheneverTheLaneRunsOutOfWork() {
        Lincheck.runConcurrentTest(INTERLEAVINGS, HandlerLaneInterleavingsTest::offersAndTurns);
    }

    private static void offersAndTurns() {
        Registered handler = new Registered();
        handler.offer(A);
        handler.lane.initialsOffered();
        Thread user = new Thread(() -> handler.run(2));
        user.start();
        handler.offer(B); // while the lane tells A, finds nothing more, and lets go
        join(user);
        handler.run(10);
        if (!List.copyOf(handler.told).equals(List.of("add a", "add b"))
                || !handler.lane.synced().toCompletableFuture().isDone()) {
            throw new AssertionError("told " + handler.told + ", synced "
                    + handler.lane.synced().toCompletableFuture().isDone());
        }
    }

    private static void join(Thread thread) {
        try {
            thread.join();
        } catch (InterruptedException e) {
            throw new IllegalStateException("Interrupted while a thread ends", e);
        }
    }
}
