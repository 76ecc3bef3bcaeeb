package io.homeostat.reconciler;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.client.BlockingApiClient;
import io.homeostat.client.DroppedPaths;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.ResourceType;
import io.homeostat.core.Experimental;
import io.homeostat.core.Metrics;
import io.homeostat.core.Registration;
import io.homeostat.informer.CachedObject;
import io.homeostat.informer.ResourceEventHandler;
import io.homeostat.workqueue.Cause;
import io.homeostat.workqueue.Priority;
import io.homeostat.workqueue.WorkQueue;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicReference;
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
    private final Map<ResourceType<?>, DroppedPaths> dropped = new LinkedHashMap<>();
    private @Nullable KeyReconciler<K> reconciler;
    private @Nullable Integer workers;
    private @Nullable Duration deadline;

    private record Watched<X extends HasMetadata, K>(
            ResourceType<X> type, Function<? super X, ? extends Collection<K>> mapper) {
        @SuppressWarnings("unchecked") // equal types have equal classes
        static <X extends HasMetadata, K> Watched<X, K> cast(Watched<?, K> ofSameType) {
            return (Watched<X, K>) ofSameType;
        }
    }

    KeyControllerSpec(String name) {
        this.name = Operator.requireName("controller", name);
    }

    /**
     * Objects of this type are cached, and every change of one wakes the keys that {@code mapper} names. A type may be watched in
     * several ways: all read one cache.
     *
     * @param mapper from a watched object (shared and read-only) to keys; may be called for two namespaces at once, and is called for each version of a changed object. Pure: it
     *     must not depend on other objects. When it throws, or the object cannot be decoded, the keys of all cached objects of the
     *     type are woken: at once, and while it goes on, once in a growing while of up to a minute
     */
    public <X extends HasMetadata> KeyControllerSpec<K> watches(
            Class<X> watches, Function<? super X, ? extends Collection<K>> mapper) {
        ResourceType<X> type = ResourceType.of(watches);
        for (Watched<?, K> each : watched) {
            if (type.sameResource(each.type) && !type.equals(each.type)) {
                throw new IllegalArgumentException("Controller " + name + " declares " + type + " as "
                        + each.type.objectClass().getName() + " and as "
                        + type.objectClass().getName() + "; use one class");
            }
        }
        watched.add(new Watched<>(type, mapper));
        return this;
    }

    /**
     * The cache of a watched type does without these paths: see {@link ControllerSpec#drop}.
     *
     * @throws IllegalArgumentException when a path is none, or leads to what the engine needs
     */
    public KeyControllerSpec<K> drop(Class<? extends HasMetadata> of, String... paths) {
        dropped.merge(ResourceType.of(of), DroppedPaths.of(paths), DroppedPaths::and);
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
        ControllerSpec.requireDeclared(name, dropped.keySet(), types());
    }

    private Set<ResourceType<?>> types() {
        Set<ResourceType<?>> types = new LinkedHashSet<>();
        watched.forEach(each -> types.add(each.type));
        return types;
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
        // A key may be anything, so that no work can be told to be of one namespace.
        for (ResourceType<?> each : types()) {
            sources.add(open(engine, each, dispatcher.queue()));
        }
        return new ControllerRun<>(name, engine, sources, dispatcher, null);
    }

    private <X extends HasMetadata> Source<X> open(Engine engine, ResourceType<X> type, WorkQueue<K> queue) {
        AtomicReference<@Nullable Source<X>> self = new AtomicReference<>();
        List<ResourceEventHandler<X>> handlers = new ArrayList<>();
        List<Registration> sweeps = new ArrayList<>();
        Metrics.Counter failures = Wakers.failures(engine.metrics(), name, type);
        for (Watched<?, K> each : watched) {
            if (each.type.equals(type)) {
                Function<? super X, ? extends Collection<K>> mapper = Watched.<X, K>cast(each).mapper;
                Sweep sweep = new Sweep(
                        name,
                        type,
                        engine.runtime(),
                        failures,
                        (cause, priority) -> wakeAll(self.get(), mapper, queue, cause, priority));
                sweeps.add(sweep);
                handlers.add(new Wakers.OfMapper<>(type, queue, mapper, sweep));
            }
        }
        sweeps.add(failures::close);
        Source<X> source = new Source<>(
                name,
                engine.informers(),
                type,
                engine.byNamespace(),
                dropped.getOrDefault(type, DroppedPaths.NONE),
                handlers,
                sweeps);
        self.set(source);
        return source;
    }

    /** The keys of all cached objects that the mapper can be asked for. */
    private <X extends HasMetadata> void wakeAll(
            @Nullable Source<X> source,
            Function<? super X, ? extends Collection<K>> mapper,
            WorkQueue<K> queue,
            String cause,
            Priority priority) {
        if (source == null) {
            return; // each object's own add is still to come
        }
        for (CachedObject<X> object : source.peekAll()) {
            try {
                for (K key : List.copyOf(mapper.apply(object.object()))) {
                    queue.add(key, cause, priority);
                }
            } catch (Throwable again) {
                if (Outcome.isFatal(again)) {
                    throw again;
                }
                log.debug("controller {}: nothing can be said for {} either", name, object.key(), again);
            }
        }
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
            return sources.source(type).get(key).map(CachedObject::object);
        }

        @Override
        public Instant now() {
            return engine.runtime().wallClock();
        }

        @Override
        public BlockingApiClient client() {
            attemptAt.requireRunning();
            return new RunningClient(attemptAt, engine.client().blocking());
        }

        @Override
        public Logger logger() {
            return attemptAt.logger();
        }
    }
}
