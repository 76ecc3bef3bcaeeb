package io.homeostat.reconciler;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.client.ApiClient;
import io.homeostat.client.ApiException;
import io.homeostat.client.DroppedPaths;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.RawObject;
import io.homeostat.client.RequestBodies;
import io.homeostat.client.ResourceType;
import io.homeostat.core.Metrics;
import io.homeostat.core.Registration;
import io.homeostat.core.Stable;
import io.homeostat.informer.CachedObject;
import io.homeostat.informer.ResourceEventHandler;
import io.homeostat.workqueue.Priority;
import io.homeostat.workqueue.WorkQueue;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BiConsumer;
import java.util.function.Function;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Describes a controller: which objects it reconciles, what else wakes it, and with what. Used while an {@link Operator} is
 * described, on one thread.
 *
 * @param <R> the type of the reconciled objects
 */
@Stable
public final class ControllerSpec<R extends HasMetadata> {
    private static final Pattern FINALIZER =
            Pattern.compile("[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?");

    private final ResourceType<R> type;
    private final List<ResourceType<?>> owned = new ArrayList<>();
    private final List<Watched<?>> watched = new ArrayList<>();
    private final Map<ResourceType<?>, DroppedPaths> dropped = new LinkedHashMap<>();
    private String name;
    private @Nullable Reconciler<R> reconciler;
    private @Nullable String finalizer;
    private @Nullable Integer workers;
    private @Nullable Duration deadline;

    /** A type that is watched through a mapper. */
    private record Watched<X extends HasMetadata>(
            ResourceType<X> type, Function<? super X, ? extends Collection<ObjectKey>> mapper) {
        @SuppressWarnings("unchecked") // equal types have equal classes
        static <X extends HasMetadata> Watched<X> cast(Watched<?> ofSameType) {
            return (Watched<X>) ofSameType;
        }
    }

    ControllerSpec(Class<R> primary) {
        this.type = ResourceType.of(primary);
        this.name = type.kind().toLowerCase(Locale.ROOT);
    }

    /** The controller's name, unique in its operator; by default the kind in lower case. */
    public ControllerSpec<R> named(String controllerName) {
        this.name = Operator.requireName("controller", controllerName);
        return this;
    }

    /**
     * The reconciler applies objects of this type: they are cached, and every change of one wakes its controller owner. Owner
     * references are told by group, kind and name; {@link Context#owned} by UID.
     */
    public <X extends HasMetadata> ControllerSpec<R> owns(Class<X> owns) {
        ResourceType<X> child = ofOneClass(ResourceType.of(owns));
        if (child.sameResource(type)) {
            throw new IllegalArgumentException("Controller " + name + " reconciles " + type
                    + " and cannot own it too; a change of one that concerns another is for watches(…)");
        }
        if (owned.stream().anyMatch(child::sameResource)) {
            throw new IllegalArgumentException("Controller " + name + " owns " + child + " twice; once is enough");
        }
        owned.add(child);
        return this;
    }

    /**
     * Objects of this type are cached, and every change of one wakes the objects that {@code mapper} names. A type that is owned,
     * watched already, or the reconciled one itself, may be watched too: all read one cache.
     *
     * @param mapper from a watched object (shared and read-only) to the keys of reconciled ones; called for each version of a
     *     changed object, for two namespaces at once where the operator works in several. Pure: it must not depend on other objects. When it throws, or the object cannot be decoded, every
     *     reconciled object is woken: at once, and while it goes on, once in a growing while of up to a minute
     */
    public <X extends HasMetadata> ControllerSpec<R> watches(
            Class<X> watches, Function<? super X, ? extends Collection<ObjectKey>> mapper) {
        watched.add(new Watched<>(ofOneClass(ResourceType.of(watches)), mapper));
        return this;
    }

    /**
     * The cache of an owned or watched type does without these paths, to need less memory; {@link DroppedPaths} says how they are written.
     * What {@link Context#owned}, {@link Context#find} and {@link Context#apply} give lacks them, and mappers get objects without them. Such
     * an object is not written back as a whole: updating, creating or applying it, or a copy of it, is refused, since the server's
     * would lose what the cache has left out. Merge patches, deletes and applies of objects of your own making are as ever, and a child
     * that somebody changed in a dropped part is still applied anew. {@link Context#live} reads whole objects.
     *
     * <p>The reconciled objects themselves are always whole. A controller that drops other paths of a type than another one has a
     * cache, and a watch, of its own.
     *
     * @param of declared with {@link #owns} or {@link #watches}, before or after this
     * @throws IllegalArgumentException when it is the reconciled type, or a path is none, or leads to what the engine needs
     */
    public ControllerSpec<R> drop(Class<? extends HasMetadata> of, String... paths) {
        ResourceType<?> secondary = ResourceType.of(of);
        if (secondary.sameResource(type)) {
            throw new IllegalArgumentException(
                    "Controller " + name + " reconciles " + type
                            + " and cannot drop anything of it: its reconciler gets whole objects, which it may change and write");
        }
        dropped.merge(secondary, DroppedPaths.of(paths), DroppedPaths::and);
        return this;
    }

    /** How many objects are reconciled at a time; by default 10. */
    public ControllerSpec<R> workers(int number) {
        this.workers = Operator.requireWorkers(number);
        return this;
    }

    /** When a reconcile is interrupted; by default after 10 minutes. */
    public ControllerSpec<R> deadline(Duration limit) {
        this.deadline = Operator.requirePositive("reconcile deadline", limit);
        return this;
    }

    /**
     * The finalizer of a {@link FinalizingReconciler}; by default {@code <plural>.<group>/finalizer}. Keep it: objects that carry
     * another one wait for whoever put it there. Two operators that finalize the same objects need two names.
     *
     * @param qualified domain, slash, name: {@code example.com/my-operator}
     */
    public ControllerSpec<R> finalizer(String qualified) {
        if (!FINALIZER.matcher(qualified).matches()) {
            throw new IllegalArgumentException(
                    "The finalizer \"" + qualified + "\" of controller " + name
                            + " must be a domain, a slash, and up to 63 letters, digits, '-', '_' or '.': example.com/my-operator");
        }
        this.finalizer = qualified;
        return this;
    }

    /** What is done for each object; a {@link FinalizingReconciler} also cleans up. */
    public ControllerSpec<R> reconciler(Reconciler<R> what) {
        if (reconciler != null) {
            throw new IllegalArgumentException("Controller " + name
                    + " has a reconciler already; describe a second controller for the second one");
        }
        this.reconciler = what;
        return this;
    }

    /** A resource has one class in a controller: it is what its caches are asked by. */
    private <X extends HasMetadata> ResourceType<X> ofOneClass(ResourceType<X> other) {
        for (ResourceType<?> each : types()) {
            if (other.sameResource(each) && !other.equals(each)) {
                throw new IllegalArgumentException("Controller " + name + " declares " + other + " as "
                        + each.objectClass().getName() + " and as "
                        + other.objectClass().getName() + "; use one class");
            }
        }
        return other;
    }

    /** Each type once, the reconciled one first. */
    private Set<ResourceType<?>> types() {
        Set<ResourceType<?>> types = new LinkedHashSet<>();
        types.add(type);
        types.addAll(owned);
        watched.forEach(each -> types.add(each.type));
        return types;
    }

    String name() {
        return name;
    }

    void validate() {
        if (reconciler == null) {
            throw new IllegalArgumentException("Controller " + name + " has no reconciler; add .reconciler(…)");
        }
        requireDeclared(name, dropped.keySet(), types());
    }

    /** What something is dropped of has a cache. */
    static void requireDeclared(String controller, Set<ResourceType<?>> dropped, Set<ResourceType<?>> declared) {
        for (ResourceType<?> each : dropped) {
            if (!declared.contains(each)) {
                throw new IllegalArgumentException("Controller " + controller + " drops paths of " + each + " as "
                        + each.objectClass().getName() + ", of which it has no cache; declare it, with the same class");
            }
        }
    }

    private String finalizerName() {
        if (finalizer != null) {
            return finalizer;
        }
        return type.plural() + (type.group().isEmpty() ? "" : "." + type.group()) + "/finalizer";
    }

    /** Opens the sources and gives the controller, which does not work yet. */
    ControllerRun<ObjectKey> open(Engine engine) {
        Reconciler<R> userReconciler = java.util.Objects.requireNonNull(reconciler);
        Sources sources = new Sources(name);
        Body<R> body = new Body<>(engine, name, type, userReconciler, sources, finalizerName());
        Dispatcher<ObjectKey> dispatcher = new Dispatcher<>(
                name,
                engine,
                new Dispatcher.Limits(
                        workers == null ? engine.limits().workers() : workers,
                        deadline == null ? engine.limits().deadline() : deadline),
                body);
        AtomicReference<@Nullable Source<R>> primaries = new AtomicReference<>();
        BiConsumer<String, Priority> everything = (cause, priority) -> {
            Source<R> primary = primaries.get();
            if (primary != null) { // before that, each primary's own add is still to come
                for (CachedObject<R> each : primary.peekAll()) {
                    dispatcher.queue().add(each.key(), cause, priority);
                }
            }
        };
        Source<R> primary = open(
                engine,
                type,
                List.of(new Wakers.OfPrimary<>(
                        type, dispatcher.queue(), body::countsGenerations, body::despite, body::gone)),
                dispatcher.queue(),
                everything);
        primaries.set(primary);
        sources.add(primary);
        for (ResourceType<?> each : types()) {
            if (owned.contains(each)) {
                sources.addOwned(openOwned(engine, each, dispatcher.queue(), body, everything));
            } else if (!each.equals(type)) {
                sources.add(open(engine, each, List.of(), dispatcher.queue(), everything));
            }
        }
        ControllerRun.ByNamespace keys = null;
        if (primary.isByNamespace()) {
            keys = new ControllerRun.ByNamespace() {
                @Override
                public void begin(String namespace) {
                    body.spaces.add(namespace);
                    for (CachedObject<R> each : primary.peekAll(namespace)) {
                        String cause = type.kind() + "/" + each.key().name() + " added";
                        dispatcher.queue().add(each.key(), cause, Priority.BACKGROUND);
                    }
                }

                @Override
                public CompletionStage<Void> end(String namespace) {
                    body.spaces.remove(namespace);
                    return dispatcher.without(key -> key.namespace().equals(namespace));
                }

                @Override
                public void ended(String namespace) {
                    body.forget(namespace);
                }
            };
        }
        return new ControllerRun<>(name, engine, sources, dispatcher, keys);
    }

    private <X extends HasMetadata> Source<X> openOwned(
            Engine engine,
            ResourceType<X> each,
            WorkQueue<ObjectKey> queue,
            Body<R> body,
            BiConsumer<String, Priority> everything) {
        Wakers.OfOwner<R, X> handler = new Wakers.OfOwner<>(type, each, queue, body.refusals, body::childGone);
        return open(engine, each, List.of(handler), queue, everything);
    }

    /** A type's cache, with {@code first} and whatever watches the type as its handlers. */
    private <X extends HasMetadata> Source<X> open(
            Engine engine,
            ResourceType<X> each,
            List<? extends ResourceEventHandler<X>> first,
            WorkQueue<ObjectKey> queue,
            BiConsumer<String, Priority> everything) {
        List<ResourceEventHandler<X>> handlers = new ArrayList<>(first);
        List<Registration> sweeps = new ArrayList<>();
        Metrics.Counter failures = Wakers.failures(engine.metrics(), name, each);
        for (Watched<?> watch : watched) {
            if (watch.type.equals(each)) {
                Sweep sweep = new Sweep(name, each, engine.runtime(), failures, everything);
                sweeps.add(sweep);
                handlers.add(new Wakers.OfMapper<>(each, queue, Watched.<X>cast(watch).mapper, sweep));
            }
        }
        sweeps.add(failures::close);
        return new Source<>(
                name,
                engine.informers(),
                each,
                engine.byNamespace(),
                dropped.getOrDefault(each, DroppedPaths.NONE),
                handlers,
                sweeps);
    }

    /** From a key to a reconcile of the object it names. */
    private static final class Body<R extends HasMetadata> implements Dispatcher.Body<ObjectKey> {
        private final String name;
        private final ResourceType<R> type;
        private final Reconciler<R> reconciler;
        private final @Nullable FinalizingReconciler<R> finalizing; // the same, when it has something to clean up
        private final String finalizer;
        private final Sources sources;
        private final Children.Writer writer;
        private final EventRecorder events;
        private final Refusals refusals = new Refusals();
        private final Map<ObjectKey, Memory> memories = new ConcurrentHashMap<>(); // iterated to forget only
        private final boolean byNamespace;
        final Set<String> spaces = ConcurrentHashMap.newKeySet(); // where it works, when by namespace; never iterated

        /** What is remembered of a primary of one UID; it goes with it. */
        private static final class Memory {
            final Children children;
            volatile @Nullable Long failedOn; // the fingerprint it failed on for good; written by the key's holder
            volatile @Nullable RawObject unreadable; // what did not decode; written by the key's holder

            Memory(String uid) {
                this.children = new Children(uid);
            }
        }

        Body(
                Engine engine,
                String name,
                ResourceType<R> type,
                Reconciler<R> reconciler,
                Sources sources,
                String finalizer) {
            this.byNamespace = engine.byNamespace() && type.scope() == ResourceType.Scope.NAMESPACED;
            this.finalizing = reconciler instanceof FinalizingReconciler<R> both ? both : null;
            this.finalizer = finalizer;
            this.name = name;
            this.type = type;
            this.reconciler = reconciler;
            this.sources = sources;
            this.events = engine.events();
            this.writer = new Children.Writer(
                    engine.runtime(), engine.client(), engine.operator(), new Caches(sources), () -> {}, () -> {});
        }

        /** What children ask the caches for. */
        private record Caches(Sources sources) implements Children.Cached {
            @Override
            public <X extends HasMetadata> Optional<CachedObject<X>> get(ResourceType<X> child, ObjectKey key) {
                return sources.source(child.objectClass()).get(key);
            }

            @Override
            public <X extends HasMetadata> RawObject asKept(ResourceType<X> child, RawObject answer) {
                return sources.source(child.objectClass()).asKept(answer);
            }
        }

        @Override
        public boolean isOpen(ObjectKey key) {
            return !byNamespace || spaces.contains(key.namespace());
        }

        /** Nothing runs there any more. */
        void forget(String namespace) {
            memories.keySet().removeIf(key -> {
                boolean there = key.namespace().equals(namespace);
                if (there) {
                    refusals.drop(key);
                }
                return there;
            });
        }

        /** See {@link Wakers.OfPrimary}. */
        boolean countsGenerations(ObjectKey key) {
            Memory memory = memories.get(key);
            return memory != null && memory.children.isStatusKept();
        }

        /** Why a change of only the status is to be looked at (see {@link Wakers.OfPrimary}); null when it is not. */
        @Nullable
        String despite(CachedObject<R> changed) {
            Memory memory = memories.get(changed.key());
            if (memory == null) {
                return null;
            }
            if (memory.children.takeEcho()) {
                return "status in doubt";
            }
            // A version that cannot be read may have been repaired by nothing but its status.
            return memory.unreadable == null ? null : "modified";
        }

        /** An owned object is gone, and with it what is remembered of it. */
        void childGone(ObjectKey owner, String ownerUid, ResourceType<?> child, RawObject object) {
            Memory memory = memories.get(owner);
            if (memory != null && memory.children.primaryUid.equals(ownerUid)) {
                memory.children.forget(child, object.key(), object.uid());
            }
        }

        void gone(CachedObject<R> last) {
            refusals.drop(last.key());
            memories.computeIfPresent(
                    last.key(),
                    (key, memory) ->
                            memory.children.primaryUid.equals(last.raw().uid()) ? null : memory);
        }

        /**
         * Whether the primary went since it was read. Its handler may have been told before there was anything to forget; the
         * snapshot is never older than what a handler is told, so that one of both sees it.
         */
        private boolean forgottenIfGone(ObjectKey key, Memory memory) {
            boolean there = sources.primary(type)
                    .peek(key)
                    .filter(now -> now.raw().uid().equals(memory.children.primaryUid))
                    .isPresent();
            if (!there) {
                memories.remove(key, memory);
                refusals.drop(key);
            }
            return !there;
        }

        @Override
        public Outcome run(Attempt<ObjectKey> attempt) throws Exception {
            while (true) {
                CachedObject<R> cached = present(attempt.key());
                if (cached == null) {
                    return new Outcome.Skipped();
                }
                Memory memory = memoryOf(cached);
                if (isToBeLeftAlone(cached, memory)) {
                    return new Outcome.Skipped();
                }
                R copy = readable(attempt, cached, memory);
                if (copy != null) {
                    return reconcile(attempt, cached.raw(), copy, memory);
                }
                if (isNewest(cached)) {
                    return new Outcome.Skipped();
                }
                // A newer version came while that was found out; its handler may not have known that it matters.
            }
        }

        /** What is to be reconciled; null when it is gone or going: what it owns is collected, touching it would fight the collector. */
        private @Nullable CachedObject<R> present(ObjectKey key) {
            return sources.primary(type)
                    .get(key)
                    .filter(cached -> !isGoing(cached.raw()) || isToBeCleanedUp(cached.raw()))
                    .orElse(null);
        }

        private Memory memoryOf(CachedObject<R> cached) {
            String uid = cached.raw().uid();
            return memories.compute(
                    cached.key(),
                    (key, old) -> old != null && old.children.primaryUid.equals(uid) ? old : new Memory(uid));
        }

        private boolean isToBeLeftAlone(CachedObject<R> cached, Memory memory) {
            if (memory.children.isPrimaryGone()) {
                return true; // the cache is behind; its own event ends this
            }
            if (forgottenIfGone(cached.key(), memory)) {
                return true;
            }
            Long failedOn = memory.failedOn;
            return (failedOn != null && failedOn == cached.raw().fingerprint()) || cached.raw() == memory.unreadable;
        }

        private boolean isNewest(CachedObject<R> cached) {
            return sources.primary(type)
                    .peek(cached.key())
                    .filter(now -> now.raw() != cached.raw())
                    .isEmpty();
        }

        /** A decode of its own; null, and said, when the object cannot be decoded (D32). */
        private @Nullable R readable(Attempt<ObjectKey> attempt, CachedObject<R> cached, Memory memory) {
            memory.failedOn = null;
            try {
                R copy = cached.copy();
                memory.unreadable = null;
                return copy;
            } catch (ApiException.Undecodable unreadable) {
                memory.unreadable = cached.raw(); // before it is looked whether that is the newest
                attempt.logger()
                        .error(
                                "this {} cannot be read and is not reconciled before its next version: {} [HS-305]",
                                type.kind(),
                                unreadable.getMessage());
                events.about(EventRecorder.Subject.of(type, cached.raw()))
                        .record(
                                Events.Type.WARNING,
                                "Undecodable",
                                "Decode",
                                "It is not reconciled before its next version: " + unreadable.getMessage());
                return null;
            }
        }

        private Outcome reconcile(Attempt<ObjectKey> attempt, RawObject read, R decoded, Memory memory)
                throws Exception {
            Children.Writer writing = writer.during(attempt::requireRunning);
            RawObject primary = read;
            R copy = decoded;
            if (finalizing != null && !isGoing(read) && !read.finalizers().contains(finalizer)) {
                List<String> finalizers = new ArrayList<>(read.finalizers());
                finalizers.add(finalizer);
                primary = putFinalizers(attempt, read, finalizers);
                copy = primary.decode(type);
            }
            refusals.drop(attempt.key());
            ObjectContext<R> context = new ObjectContext<>(
                    attempt,
                    sources,
                    writing,
                    type,
                    primary,
                    memory.children,
                    new ObjectContext.Surroundings(refusals, events));
            Result result;
            try {
                result = reconciled(copy, context, attempt);
                if (result instanceof Result.Done && isGoing(primary)) {
                    takeFinalizerOff(attempt, primary);
                }
            } finally {
                if (context.wasRefused()) {
                    forgottenIfGone(attempt.key(), memory);
                }
            }
            if (result instanceof Result.Failed failed) {
                memory.failedOn = primary.fingerprint();
                events.about(EventRecorder.Subject.of(type, primary))
                        .record(
                                Events.Type.WARNING,
                                "ReconcileFailed",
                                isGoing(primary) ? "Cleanup" : "Reconcile",
                                failed.reason());
            }
            return returned(result, name, attempt.key());
        }

        private static boolean isGoing(RawObject primary) {
            return primary.deletionTimestamp() != null;
        }

        private boolean isToBeCleanedUp(RawObject primary) {
            return finalizing != null && primary.finalizers().contains(finalizer);
        }

        private RawObject putFinalizers(Attempt<ObjectKey> attempt, RawObject primary, List<String> finalizers) {
            try {
                RawObject answer = writer.await(() -> writer.client()
                        .patch(
                                type,
                                attempt.key(),
                                "",
                                ApiClient.PatchKind.MERGE,
                                RequestBodies.finalizersPatch(finalizers, primary.resourceVersion())));
                attempt.wrote("finalizer");
                return answer;
            } catch (ApiException.NotFound gone) {
                if (!gone.misses(attempt.key().name())) {
                    throw gone;
                }
                throw new CacheNotReady(
                        type.kind() + " " + attempt.key() + " is gone, which its cache does not know yet");
            }
        }

        /** After the cleanup, which may have written the object: at its newest known version. */
        private void takeFinalizerOff(Attempt<ObjectKey> attempt, RawObject cleaned) {
            RawObject newest = sources.primary(type)
                    .get(attempt.key())
                    .map(CachedObject::raw)
                    .filter(now -> now.uid().equals(cleaned.uid()) && isToBeCleanedUp(now))
                    .orElse(null);
            if (newest == null) {
                return; // somebody else took it off
            }
            List<String> others = new ArrayList<>(newest.finalizers());
            others.remove(finalizer);
            putFinalizers(attempt, newest, others);
        }

        /** The reconcile, and what is to be said of it in the object's conditions (D33). */
        private @Nullable Result reconciled(R copy, ObjectContext<R> context, Attempt<ObjectKey> attempt)
                throws Exception {
            Result result;
            try {
                result = finalizing != null && copy.getMetadata().getDeletionTimestamp() != null
                        ? finalizing.cleanup(copy, context)
                        : reconciler.reconcile(copy, context);
            } catch (Throwable thrown) {
                if (context.wasRefused() && !Outcome.isFatal(thrown)) {
                    try {
                        context.tellRefused();
                    } catch (RuntimeException unsaid) {
                        // The key is retried, and this with it.
                        attempt.logger().debug("its conditions could not be written: {}", Texts.of(unsaid));
                    }
                }
                throw thrown;
            }
            try {
                context.tellRefused();
            } catch (ApiException.Forbidden
                    | ApiException.Invalid
                    | ApiException.BadRequest
                    | IllegalStateException refused) {
                // No right, a schema that has no place for it, no subresource: no repetition mends that, and
                // the reconciler has done its part.
                attempt.logger().warn("its conditions cannot be written: {} [HS-407]", Texts.of(refused));
            }
            return result;
        }
    }

    static Outcome returned(@Nullable Result result, String controller, Object key) {
        if (result == null) {
            return new Outcome.Failed(
                    new IllegalStateException("The reconciler of controller " + controller + " returned null for " + key
                            + "; return Result.done() or another result"),
                    Duration.ZERO);
        }
        return new Outcome.Returned(result);
    }
}
