package io.homeostat.informer;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.client.ApiClient;
import io.homeostat.client.DroppedPaths;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.ResourceType;
import io.homeostat.client.WriteObserver;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Metrics;
import io.homeostat.core.Registration;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;

/**
 * The informers of one client, by identity, counted by their holds; one {@link Heartbeat} for all of them.
 *
 * <p><b>Order.</b> An own write is shown by every informer it concerns before the caller of the write gets its answer.
 * <b>Threads.</b> Any. <b>Memory.</b> One informer an identity that somebody holds. <b>Failure.</b> None.
 */
final class InformerRegistry implements SharedInformers {
    /*
     * Invariants
     * - An informer is in shared exactly while it has holds; the last close takes it out before it is closed.
     * - Nothing foreign is called under the lock.
     */

    /**
     * What makes two informers the same (D29): the class objects are decoded into is none of it, but for the one that shows metadata only.
     */
    private record Identity(
            Kind kind, String namespace, Selection selection, boolean metadataOnly, DroppedPaths dropped) {}

    /** The same caches for users who drop something. */
    private record Dropping(InformerRegistry all, DroppedPaths paths) implements SharedInformers {
        @Override
        public <T extends HasMetadata> SharedInformer<T> informer(ResourceType<T> type, String namespace) {
            return all.informer(type, namespace, Selection.all(), paths);
        }

        @Override
        public <T extends HasMetadata> SharedInformer<T> informer(
                ResourceType<T> type, String namespace, Selection selection) {
            return all.informer(type, namespace, selection, paths);
        }

        @Override
        public <T extends HasMetadata> NamespacedInformer<T> informer(
                ResourceType<T> type, Set<String> namespaces, Selection selection) {
            return all.informer(type, namespaces, selection, paths);
        }

        @Override
        public SharedInformers dropping(DroppedPaths more) {
            return all.dropping(paths.and(more));
        }

        @Override
        public void store(ResourceType<?> type, StorePolicy policy) {
            all.store(type, policy);
        }

        @Override
        public void auditEvery(Duration interval) {
            all.auditEvery(interval);
        }

        @Override
        public List<InformerState> states() {
            return all.states();
        }

        @Override
        public void close() {
            all.close();
        }
    }

    /** What is the same for all classes an object is decoded into. */
    private record Kind(String group, String version, String plural) {
        static Kind of(ResourceType<?> type) {
            return new Kind(type.group(), type.version(), type.plural());
        }
    }

    private static final class Shared {
        final Informer informer;
        int holds; // guarded by the registry's lock

        Shared(Informer informer) {
            this.informer = informer;
        }
    }

    private final EngineRuntime runtime;
    private final ApiClient client;
    private final Metrics metrics;
    private final Registration observation;
    private final Heartbeat heartbeat;
    private final ReentrantLock lock = new ReentrantLock();

    @GuardedBy("lock")
    private final Map<Identity, Shared> shared = new LinkedHashMap<>();

    @GuardedBy("lock")
    private final Map<Kind, StorePolicy> policies = new LinkedHashMap<>();

    @GuardedBy("lock")
    private boolean closed;

    @GuardedBy("lock")
    private Duration audit = Duration.ZERO;

    // Read by every write without the lock; changed under it.
    private final List<Informer> running = new CopyOnWriteArrayList<>();

    InformerRegistry(EngineRuntime runtime, ApiClient client, Metrics metrics) {
        this.runtime = runtime;
        this.metrics = Metrics.contained(metrics, runtime);
        this.client = client;
        this.heartbeat = new Heartbeat(runtime, client);
        this.observation = client.observeWrites(this::written);
    }

    private void written(WriteObserver.Done done) {
        for (Informer informer : running) {
            informer.written(done);
        }
    }

    @Override
    public <T extends HasMetadata> Part<T> informer(ResourceType<T> type, String namespace) {
        return informer(type, namespace, Selection.all());
    }

    @Override
    public SharedInformers dropping(DroppedPaths paths) {
        return paths.isEmpty() ? this : new Dropping(this, paths);
    }

    @Override
    public <T extends HasMetadata> NamespacedInformer<T> informer(
            ResourceType<T> type, Set<String> namespaces, Selection selection) {
        return informer(type, namespaces, selection, DroppedPaths.NONE);
    }

    private <T extends HasMetadata> NamespacedInformer<T> informer(
            ResourceType<T> type, Set<String> namespaces, Selection selection, DroppedPaths dropped) {
        if (type.scope() == ResourceType.Scope.CLUSTER) {
            throw new IllegalArgumentException("Cannot cache " + type + " of the namespaces " + namespaces
                    + ": its objects are in none; use informer(type, \"\")");
        }
        return new NamespaceParts<>(
                runtime,
                type,
                namespaces,
                namespace -> informer(type, namespace, selection, dropped),
                InformerMetrics.handlers(metrics, type + " in several namespaces", type));
    }

    @Override
    public <T extends HasMetadata> Part<T> informer(ResourceType<T> type, String namespace, Selection selection) {
        return informer(type, namespace, selection, DroppedPaths.NONE);
    }

    private <T extends HasMetadata> Part<T> informer(
            ResourceType<T> type, String namespace, Selection selection, DroppedPaths dropped) {
        String space = type.scope() == ResourceType.Scope.CLUSTER ? "" : namespace;
        Identity identity = new Identity(Kind.of(type), space, selection, type.isMetadataOnly(), dropped);
        boolean isNew;
        Shared found;
        lock.lock();
        try {
            if (closed) {
                throw new IllegalStateException(
                        "Cannot hold an informer of " + type + ": these informers are closed already");
            }
            Shared known = shared.get(identity);
            isNew = known == null;
            found = known == null
                    ? new Shared(new Informer(
                            runtime,
                            client,
                            heartbeat,
                            metrics,
                            type,
                            space,
                            selection,
                            dropped,
                            policies.getOrDefault(identity.kind, StorePolicy.LAZY)))
                    : known;
            if (isNew) {
                shared.put(identity, found);
                running.add(found.informer);
            }
            found.holds++;
        } finally {
            lock.unlock();
        }
        if (isNew) {
            found.informer.start();
            found.informer.auditEvery(this::audited);
        }
        Shared held = found;
        return new Hold<>(runtime, type, held.informer, () -> release(identity, held));
    }

    @Override
    public void store(ResourceType<?> type, StorePolicy policy) {
        Kind kind = Kind.of(type);
        lock.lock();
        try {
            if (shared.keySet().stream().anyMatch(identity -> identity.kind.equals(kind))) {
                throw new IllegalStateException("Cannot store " + type + " " + policy
                        + ": there is a cache of it already; say so before the first is asked for");
            }
            policies.put(kind, policy);
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void auditEvery(Duration interval) {
        if (interval.isNegative()) {
            throw new IllegalArgumentException("An audit every " + interval + " makes no sense; zero ends it");
        }
        List<Informer> all;
        lock.lock();
        try {
            audit = interval;
            all = shared.values().stream().map(one -> one.informer).toList();
        } finally {
            lock.unlock();
        }
        all.forEach(informer -> informer.auditEvery(this::audited));
    }

    private Duration audited() {
        lock.lock();
        try {
            return audit;
        } finally {
            lock.unlock();
        }
    }

    @Override
    public List<InformerState> states() {
        List<Shared> all;
        lock.lock();
        try {
            all = List.copyOf(shared.values());
        } finally {
            lock.unlock();
        }
        return all.stream().map(one -> one.informer.state()).toList();
    }

    private void release(Identity identity, Shared held) {
        lock.lock();
        try {
            held.holds--;
            if (held.holds > 0) {
                return;
            }
            shared.remove(identity, held);
            running.remove(held.informer);
        } finally {
            lock.unlock();
        }
        held.informer.close();
    }

    @Override
    public void close() {
        List<Informer> all;
        lock.lock();
        try {
            if (closed) {
                return;
            }
            closed = true;
            all = shared.values().stream().map(one -> one.informer).toList();
            shared.clear();
            running.clear();
        } finally {
            lock.unlock();
        }
        observation.close();
        all.forEach(Informer::close);
        heartbeat.close();
    }

    /** A hold that is one of several namespaces'. */
    interface Part<T extends HasMetadata> extends SharedInformer<T> {
        Informer informer();
    }

    /** One user's hold: typed, and with the handlers this user added. */
    private static final class Hold<T extends HasMetadata> implements Part<T> {
        private final EngineRuntime runtime;
        private final Decoder<T> decoder;
        private final Informer informer;
        private final Runnable release;
        private final ReentrantLock lock = new ReentrantLock();

        @GuardedBy("lock")
        private final List<Registration> mine = new java.util.ArrayList<>();

        @GuardedBy("lock")
        private boolean closed;

        Hold(EngineRuntime runtime, ResourceType<T> type, Informer informer, Runnable release) {
            this.runtime = runtime;
            this.decoder = new Decoder<>(type, informer::undecodable);
            this.informer = informer;
            this.release = release;
        }

        @Override
        public ResourceType<T> type() {
            return decoder.type();
        }

        @Override
        public Informer informer() {
            return informer;
        }

        @Override
        public Snapshot<T> snapshot() {
            return new View<>(informer.snapshot(), decoder, informer::wanted);
        }

        @Override
        public Lister<T> lister() {
            return new Live<>(this);
        }

        @Override
        public IndexRegistration addIndex(Index<T> index) {
            CompletableFuture<Void> built = new CompletableFuture<>();
            Registration use = informer.index(index, IndexTable.function(index, decoder), built);
            return keep("an index", new IndexRegistration() {
                @Override
                public CompletionStage<Void> built() {
                    return built.minimalCompletionStage();
                }

                @Override
                public void close() {
                    use.close();
                    forget(this);
                }
            });
        }

        @Override
        public CompletionStage<Void> synced() {
            return informer.synced();
        }

        @Override
        public InformerState state() {
            return informer.state();
        }

        @Override
        public Registration onStateChange(Consumer<InformerState> listener) {
            Registration listening = informer.onStateChange(listener);
            return keep("a listener", new Registration() {
                @Override
                public void close() {
                    listening.close();
                    forget(this);
                }
            });
        }

        @Override
        public HandlerRegistration addHandler(String name, ResourceEventHandler<T> handler) {
            HandlerLane<T> added = new HandlerLane<>(name, decoder, handler, runtime, informer.metrics(), gone -> {
                informer.remove(gone);
                forget(gone);
            });
            keep("handler " + name, added);
            informer.add(added);
            return added;
        }

        private <R extends Registration> R keep(String what, R registration) {
            lock.lock();
            try {
                if (!closed) {
                    mine.add(registration);
                    return registration;
                }
            } finally {
                lock.unlock();
            }
            registration.close();
            throw new IllegalStateException("Cannot add " + what + " to the informer of " + type() + ": it is closed");
        }

        private void forget(Registration registration) {
            lock.lock();
            try {
                mine.remove(registration);
            } finally {
                lock.unlock();
            }
        }

        @Override
        public void close() {
            List<Registration> all;
            lock.lock();
            try {
                if (closed) {
                    return;
                }
                closed = true;
                all = List.copyOf(mine);
                mine.clear();
            } finally {
                lock.unlock();
            }
            all.forEach(Registration::close); // each forgets itself: not under the lock
            release.run();
        }
    }

    /** Each call on the state that is present then. */
    record Live<T extends HasMetadata>(SharedInformer<T> informer) implements Lister<T> {
        @Override
        public Optional<CachedObject<T>> get(ObjectKey key) {
            return informer.snapshot().get(key);
        }

        @Override
        public List<CachedObject<T>> list() {
            return informer.snapshot().list();
        }

        @Override
        public List<CachedObject<T>> inNamespace(String namespace) {
            return informer.snapshot().inNamespace(namespace);
        }

        @Override
        public List<CachedObject<T>> ownedBy(String ownerUid) {
            return informer.snapshot().ownedBy(ownerUid);
        }

        @Override
        public List<CachedObject<T>> matching(String labelSelector) {
            return informer.snapshot().matching(labelSelector);
        }

        @Override
        public List<CachedObject<T>> matching(String namespace, String labelSelector) {
            return informer.snapshot().matching(namespace, labelSelector);
        }

        @Override
        public Lookup<T> indexed(Index<T> index, String value) {
            return informer.snapshot().indexed(index, value);
        }
    }
}
