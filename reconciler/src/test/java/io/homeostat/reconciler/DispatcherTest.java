package io.homeostat.reconciler;

import static org.assertj.core.api.Assertions.assertThat;

import io.homeostat.client.ApiClient;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Lane;
import io.homeostat.core.Metrics;
import io.homeostat.core.Registration;
import io.homeostat.core.Task;
import io.homeostat.informer.SharedInformers;
import io.homeostat.virtualruntime.VirtualProcess;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class DispatcherTest {
    private final World world = new World(1);
    private final VirtualProcess process = world.world.process("dispatcher");
    private final AtomicBoolean noThreads = new AtomicBoolean();
    private final List<Throwable> fatal = new ArrayList<>();

    @AfterEach
    void close() {
        world.close();
    }

    /** A process that may have run out of threads. */
    private final class Starved implements EngineRuntime {
        @Override
        public Task start(String name, Task.Body body) {
            if (noThreads.get()) {
                throw new OutOfMemoryError("unable to create native thread");
            }
            return process.start(name, body);
        }

        @Override
        public Lane lane(String name) {
            return process.lane(name);
        }

        @Override
        public Lane userLane(String name) {
            return process.userLane(name);
        }

        @Override
        public Lane dedicatedLane(String name) {
            return process.dedicatedLane(name);
        }

        @Override
        public <T extends @Nullable Object> T await(CompletionStage<T> stage, Duration deadline) {
            return process.await(stage, deadline);
        }

        @Override
        public void sleep(Duration duration) {
            process.sleep(duration);
        }

        @Override
        public Registration after(Duration delay, Lane lane, Runnable work) {
            return process.after(delay, lane, work);
        }

        @Override
        public long nanos() {
            return process.nanos();
        }

        @Override
        public Instant wallClock() {
            return process.wallClock();
        }

        @Override
        public RandomGenerator random(String name) {
            return process.random(name);
        }

        @Override
        public Registration onFatal(Consumer<Throwable> told) {
            return process.onFatal(told);
        }

        @Override
        public void close() {
            process.close();
        }
    }

    private Dispatcher<Integer> dispatcher(Dispatcher.Body<Integer> body) {
        EngineRuntime runtime = new Starved();
        ApiClient client =
                ApiClient.over(runtime, world.simulator.transport(process), ApiClient.Settings.of("dispatcher"));
        return new Dispatcher<>(
                "numbers",
                new Engine(
                        "an-operator",
                        runtime,
                        client,
                        SharedInformers.over(runtime, client, Metrics.NONE),
                        "",
                        Dispatcher.Limits.DEFAULT,
                        List.of(),
                        new AtomicLong(),
                        new EventRecorder(runtime, client, "an-operator", "a-pod", Metrics.NONE),
                        Metrics.NONE,
                        fatal::add),
                Dispatcher.Limits.DEFAULT,
                body);
    }

    @Test
    void keysWhoseThreadsCannotBeStartedAreRetriedHoweverManyThereAre() {
        int keys = 20_000;
        Set<Integer> seen = new TreeSet<>();
        Dispatcher<Integer> dispatcher = dispatcher(attempt -> {
            seen.add(attempt.key());
            return new Outcome.Returned(Result.done());
        });
        for (int key = 0; key < keys; key++) {
            dispatcher.queue().add(key, "test");
        }
        noThreads.set(true);
        dispatcher.start();
        world.await(() -> fatal.size() >= keys);
        assertThat(fatal).allMatch(error -> error instanceof OutOfMemoryError);
        noThreads.set(false);
        world.await(() -> seen.size() == keys);
    }

    @Test
    void stopGetsInBetweenKeysWhoseThreadsCannotBeStarted() {
        Dispatcher<Integer> dispatcher = dispatcher(attempt -> new Outcome.Skipped());
        for (int key = 0; key < 1000; key++) {
            dispatcher.queue().add(key, "test");
        }
        noThreads.set(true);
        dispatcher.start();
        world.await(() -> !fatal.isEmpty());
        var stopped = dispatcher.stop(Duration.ofSeconds(1)).toCompletableFuture();
        world.await(stopped::isDone);
        assertThat(stopped).isCompletedWithValue(true);
        assertThat(fatal).hasSizeLessThan(1000);
    }
}
