package io.homeostat.reconciler;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.client.BlockingApiClient;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.ResourceType;
import io.homeostat.core.Experimental;
import io.homeostat.informer.CachedObject;
import io.homeostat.workqueue.Cause;
import io.homeostat.workqueue.Priority;
import io.homeostat.workqueue.WorkQueue;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BiConsumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Describes a controller of keys: what wakes which key, and what is done then. Used while an {@link Operator} is described, on one
 * thread.
 *
 * @param <K> the key; {@code equals} and {@code hashCode} must be quick and pure, {@code toString} is its name in logs
 */
@Experimental
public final class KeyControllerSpec<K> {
    private static final Logger log = LoggerFactory.getLogger(KeyControllerSpec.class);

    private final String name;
    private final List<Watched<?, K>> watched = new ArrayList<>();
    private @Nullable KeyReconciler<K> reconciler;
    private @Nullable Integer workers;
    private @Nullable Duration deadline;

    private record Watched<X extends HasMetadata, K>(
            ResourceType<X> type, Function<? super X, ? extends Collection<K>> mapper) {}

    KeyControllerSpec(String name) {
        this.name = Operator.requireName("controller", name);
    }

    /**
     * Objects of this type are cached, and every change of one wakes the keys that {@code mapper} names.
     *
     * @param mapper from a watched object (shared and read-only) to keys; called for each version of a changed object. Pure: it
     *     must not depend on other objects. When it throws, the keys of all cached objects of the type are woken
     */
    public <X extends HasMetadata> KeyControllerSpec<K> watches(
            Class<X> watches, Function<? super X, ? extends Collection<K>> mapper) {
        ResourceType<X> type = ResourceType.of(watches);
        if (watched.stream().anyMatch(each -> type.sameResource(each.type))) {
            throw new IllegalArgumentException("Controller " + name + " declares " + type + " twice; once is enough");
        }
        watched.add(new Watched<>(type, mapper));
        return this;
    }

    /** How many keys are reconciled at a time; by default 10. */
    public KeyControllerSpec<K> workers(int number) {
        this.workers = Operator.requireWorkers(number);
        return this;
    }

    /** When a reconcile is interrupted; by default after 10 minutes. */
    public KeyControllerSpec<K> deadline(Duration limit) {
        this.deadline = Operator.requirePositive("reconcile deadline", limit);
        return this;
    }

    /** What is done for each key. */
    public KeyControllerSpec<K> reconciler(KeyReconciler<K> what) {
        this.reconciler = what;
        return this;
    }

    String name() {
        return name;
    }

    void validate() {
        if (reconciler == null) {
            throw new IllegalArgumentException("Controller " + name + " has no reconciler; add .reconciler(…)");
        }
        if (watched.isEmpty()) {
            throw new IllegalArgumentException(
                    "Controller " + name + " watches nothing and would never work; add .watches(…)");
        }
    }

    ControllerRun<K> open(Engine engine) {
        KeyReconciler<K> userReconciler = java.util.Objects.requireNonNull(reconciler);
        Sources sources = new Sources(name);
        Dispatcher<K> dispatcher = new Dispatcher<>(
                name,
                engine,
                new Dispatcher.Limits(
                        workers == null ? engine.limits().workers() : workers,
                        deadline == null ? engine.limits().deadline() : deadline),
                attempt -> ControllerSpec.returned(
                        userReconciler.reconcile(attempt.key(), new Keyed<>(attempt, sources, engine)),
                        name,
                        attempt.key()));
        for (Watched<?, K> each : watched) {
            sources.add(openWatched(engine, each, dispatcher.queue()));
        }
        return new ControllerRun<>(name, engine, sources, dispatcher);
    }

    private <X extends HasMetadata> Source<X> openWatched(Engine engine, Watched<X, K> each, WorkQueue<K> queue) {
        AtomicReference<@Nullable Source<X>> self = new AtomicReference<>();
        BiConsumer<String, Priority> everything = (cause, priority) -> {
            Source<X> source = self.get();
            if (source == null) {
                return; // each object's own add is still to come
            }
            for (CachedObject<X> object : source.peek().list()) {
                try {
                    for (K key : List.copyOf(each.mapper.apply(object.object()))) {
                        queue.add(key, cause, priority);
                    }
                } catch (Throwable again) {
                    if (Outcome.isFatal(again)) {
                        throw again;
                    }
                    log.debug("controller {}: the mapper threw for {} too", name, object.key(), again);
                }
            }
        };
        Source<X> source = new Source<>(
                name,
                engine.informers(),
                each.type,
                engine.namespace(),
                new Wakers.OfMapper<>(each.type, queue, each.mapper, everything));
        self.set(source);
        return source;
    }

    /** The context of one reconcile of a key. */
    private record Keyed<K>(Attempt<K> attemptAt, Sources sources, Engine engine) implements KeyContext<K> {
        @Override
        public K key() {
            return attemptAt.key();
        }

        @Override
        public List<Cause> causes() {
            return attemptAt.work().causes();
        }

        @Override
        public int attempt() {
            return attemptAt.work().attempt();
        }

        @Override
        public Duration deadline() {
            return attemptAt.remaining();
        }

        @Override
        public <X extends HasMetadata> Optional<X> find(Class<X> type, ObjectKey key) {
            attemptAt.requireRunning();
            return sources.source(type).snapshot().get(key).map(CachedObject::object);
        }

        @Override
        public Instant now() {
            return engine.runtime().wallClock();
        }

        @Override
        public BlockingApiClient client() {
            attemptAt.requireRunning();
            return engine.client().blocking();
        }

        @Override
        public Logger logger() {
            return attemptAt.logger();
        }
    }
}
