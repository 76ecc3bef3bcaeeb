package io.homeostat.reconciler;

import static org.assertj.core.api.Assertions.assertThat;

import io.homeostat.client.ApiClient;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Metrics;
import io.homeostat.informer.SharedInformers;
import io.homeostat.virtualruntime.VirtualProcess;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
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

    /** The process, which may have run out of threads. */
    private EngineRuntime starved() {
        return (EngineRuntime) Proxy.newProxyInstance(
                EngineRuntime.class.getClassLoader(),
                new Class<?>[] {EngineRuntime.class},
                (runtime, method, arguments) -> {
                    if (method.getName().equals("start") && noThreads.get()) {
                        throw new OutOfMemoryError("unable to create native thread");
                    }
                    try {
                        return method.invoke(process, arguments);
                    } catch (InvocationTargetException thrown) {
                        throw thrown.getCause();
                    }
                });
    }

    private Dispatcher<Integer> dispatcher(Dispatcher.Body<Integer> body) {
        EngineRuntime runtime = starved();
        ApiClient client =
                ApiClient.over(runtime, world.simulator.transport(process), ApiClient.Settings.of("dispatcher"));
        return new Dispatcher<>(
                "numbers",
                new Engine(
                        "an-operator",
                        runtime,
                        client,
                        SharedInformers.over(runtime, client, Metrics.NONE),
                        false,
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
