package io.homeostat.informer;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.client.ApiException;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.RawObject;
import io.homeostat.client.ResourceType;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Lane;
import io.homeostat.core.Registration;
import io.homeostat.informer.ResourceEventHandler.Phase;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A {@link NamespacedInformer} made of one hold a namespace: reads ask each, and each handler has one {@link HandlerLane} that all of them
 * feed.
 *
 * <p><b>Order.</b> A namespace that leaves is told to the end on its own informer's lane, behind what that had to tell before; one that
 * comes back at once comes behind that. <b>Threads.</b> Any. <b>Memory.</b> A few objects a namespace and handler. <b>Failure.</b> None of
 * its own.
 */
final class NamespaceParts<T extends HasMetadata> implements NamespacedInformer<T> {
    /*
     * Invariants
     * - Every handler, index and listener is in every part, and in no part that was removed.
     * - Under the lock nothing foreign is called, and no lock of a part is held by anyone who takes this one.
     * - What a handler is to be told of a part that leaves is asked for under the lock, so before the part can come back.
     */

    /** Phases from bad to good: what a reader of several should know first. */
    private static final List<InformerState.Phase> WORST = List.of(
            InformerState.Phase.FORBIDDEN,
            InformerState.Phase.REFUSED,
            InformerState.Phase.WAITING_FOR_TYPE,
            InformerState.Phase.BACKING_OFF,
            InformerState.Phase.IDLE,
            InformerState.Phase.LISTING,
            InformerState.Phase.STREAMING,
            InformerState.Phase.STOPPED,
            InformerState.Phase.WATCHING);

    private static final Logger LOG = LoggerFactory.getLogger(NamespaceParts.class);

    private final EngineRuntime runtime;
    private final ResourceType<T> type;
    private final Function<String, InformerRegistry.Part<T>> holds;
    private final Decoder<T> decoder;
    private final HandlerFigures figures;
    private final CompletableFuture<Void> synced = new CompletableFuture<>();
    private final ReentrantLock lock = new ReentrantLock();

    // Replaced under the lock, read by anyone; in the order of the namespaces.
    private volatile SortedMap<String, InformerRegistry.Part<T>> parts = Collections.emptySortedMap();

    /** By namespace: completes when its cache has been complete once. */
    @GuardedBy("lock")
    private final Map<String, CompletableFuture<Void>> complete = new TreeMap<>();

    @GuardedBy("lock")
    private final List<Joint> joints = new ArrayList<>();

    @GuardedBy("lock")
    private boolean closed;

    /**
     * The parts of some namespaces.
     *
     * @param holds of one namespace
     * @param figures of handlers
     */
    NamespaceParts(
            EngineRuntime runtime,
            ResourceType<T> type,
            Set<String> namespaces,
            Function<String, InformerRegistry.Part<T>> holds,
            HandlerFigures figures) {
        this.runtime = runtime;
        this.type = type;
        this.holds = holds;
        this.figures = figures;
        this.decoder = new Decoder<>(type, this::undecodable);
        namespaces.forEach(this::require);
        List<CompletionStage<Void>> first = new ArrayList<>();
        namespaces.forEach(namespace -> first.add(add(namespace)));
        whenAll(first, synced);
    }

    /** A namespace left before what was waited for had come. */
    private static final class Removed extends IllegalStateException {
        private static final long serialVersionUID = 1;

        Removed(String message) {
            super(message);
        }
    }

    /** Completes {@code all} as its parts do; what is removed before it is complete is not waited for. */
    private static void whenAll(Collection<? extends CompletionStage<Void>> stages, CompletableFuture<Void> all) {
        List<CompletableFuture<Void>> each = new ArrayList<>();
        for (CompletionStage<Void> stage : stages) {
            CompletableFuture<Void> part = new CompletableFuture<>();
            stage.whenComplete((done, failure) -> settle(part, cause(failure) instanceof Removed ? null : failure));
            each.add(part);
        }
        CompletableFuture.allOf(each.toArray(CompletableFuture<?>[]::new))
                .whenComplete((done, failure) -> settle(all, cause(failure)));
    }

    private static void settle(CompletableFuture<Void> stage, @Nullable Throwable failure) {
        if (failure == null) {
            stage.complete(null);
        } else {
            stage.completeExceptionally(failure);
        }
    }

    private static @Nullable Throwable cause(@Nullable Throwable failure) {
        return failure instanceof CompletionException && failure.getCause() != null ? failure.getCause() : failure;
    }

    private void undecodable(RawObject object, ApiException.Undecodable problem) {
        InformerRegistry.Part<T> part = parts.get(object.key().namespace());
        if (part != null) {
            part.informer().undecodable(object, problem);
        }
    }

    @Override
    public ResourceType<T> type() {
        return type;
    }

    @Override
    public Set<String> namespaces() {
        return Collections.unmodifiableSet(parts.keySet());
    }

    @Override
    public CompletionStage<Void> add(String namespace) {
        require(namespace);
        lock.lock();
        try {
            if (closed) {
                throw new IllegalStateException(
                        "Cannot add namespace " + namespace + " to the informer of " + type + ": it is closed");
            }
            CompletableFuture<Void> known = complete.get(namespace);
            if (known != null) {
                return known.minimalCompletionStage();
            }
            InformerRegistry.Part<T> part = holds.apply(namespace);
            TreeMap<String, InformerRegistry.Part<T>> more = new TreeMap<>(parts);
            more.put(namespace, part);
            parts = more;
            List.copyOf(joints).forEach(each -> each.join(namespace, part));
            CompletableFuture<Void> filled = new CompletableFuture<>();
            complete.put(namespace, filled);
            part.synced().whenComplete((done, failure) -> settle(filled, cause(failure)));
            return filled.minimalCompletionStage();
        } finally {
            lock.unlock();
        }
    }

    private void require(String namespace) {
        if (namespace.isEmpty()) {
            throw new IllegalArgumentException("Cannot add \"\" to the namespaces whose " + type
                    + " are cached: it stands for all of them, which is an informer of its own");
        }
    }

    @Override
    public CompletionStage<Void> remove(String namespace) {
        InformerRegistry.Part<T> part;
        CompletableFuture<Void> filled;
        Map<Joint, Registration> leaving = new LinkedHashMap<>();
        lock.lock();
        try {
            part = parts.get(namespace);
            if (part == null) {
                return CompletableFuture.completedStage(null);
            }
            TreeMap<String, InformerRegistry.Part<T>> fewer = new TreeMap<>(parts);
            fewer.remove(namespace);
            parts = fewer;
            filled = complete.remove(namespace);
            for (Joint joint : joints) {
                Registration left = joint.mine.remove(namespace);
                if (left != null) {
                    joint.leaves(left);
                    leaving.put(joint, left);
                }
            }
        } finally {
            lock.unlock();
        }
        // From here on not under the lock: whoever waits for a stage may call us.
        if (filled != null) {
            filled.completeExceptionally(
                    new Removed("Namespace " + namespace + " was removed before its " + type + " were cached"));
        }
        List<CompletableFuture<Void>> left = new ArrayList<>();
        leaving.forEach(
                (joint, registration) -> left.add(joint.left(registration).toCompletableFuture()));
        // The cache goes when its end has been told, and not before: its lane is where that is done.
        return CompletableFuture.allOf(left.toArray(CompletableFuture<?>[]::new))
                .thenRun(part::close)
                .minimalCompletionStage();
    }

    @Override
    public Snapshot<T> snapshot() {
        return new JoinedSnapshot<>(parts);
    }

    @Override
    public Lister<T> lister() {
        return new InformerRegistry.Live<>(this);
    }

    @Override
    public CompletionStage<Void> synced() {
        return synced.minimalCompletionStage();
    }

    @Override
    public InformerState state() {
        List<InformerState> all =
                parts.values().stream().map(SharedInformer::state).toList();
        InformerState worst = all.stream()
                .min(Comparator.comparing(each -> WORST.indexOf(each.phase())))
                .orElse(null);
        Map<ObjectKey, String> quarantine = new TreeMap<>();
        all.forEach(each -> quarantine.putAll(each.quarantine()));
        String name = type + " in " + String.join(", ", parts.keySet());
        if (worst == null) {
            return new InformerState(
                    name, InformerState.Phase.IDLE, Instant.EPOCH, true, null, "", 0, null, 0, quarantine, 0, false);
        }
        return new InformerState(
                name,
                worst.phase(),
                worst.since(),
                all.stream().allMatch(InformerState::synced),
                worst.lastProblem(),
                all.size() == 1 ? worst.resourceVersion() : "",
                all.stream().mapToLong(InformerState::epoch).sum(),
                worst.lastEventAge(),
                all.stream().mapToLong(InformerState::relists).sum(),
                Collections.unmodifiableMap(quarantine),
                all.stream().mapToInt(InformerState::unnamed).sum(),
                all.stream().anyMatch(InformerState::filteredHere));
    }

    @Override
    public Registration onStateChange(Consumer<InformerState> listener) {
        return joined("a listener", new JoinedListener(listener));
    }

    @Override
    public IndexRegistration addIndex(Index<T> index) {
        JoinedIndex added = joined("an index", new JoinedIndex(index));
        added.begun();
        return added;
    }

    @Override
    public HandlerRegistration addHandler(String name, ResourceEventHandler<T> handler) {
        JoinedHandler added = joined("handler " + name, new JoinedHandler(name, handler));
        added.begun();
        return added.lane;
    }

    private <J extends Joint> J joined(String what, J joint) {
        lock.lock();
        try {
            if (!closed) {
                joints.add(joint);
                parts.forEach(joint::join);
                return joint;
            }
        } finally {
            lock.unlock();
        }
        joint.close();
        throw new IllegalStateException("Cannot add " + what + " to the informer of " + type + ": it is closed");
    }

    @Override
    public void close() {
        List<Joint> members;
        List<InformerRegistry.Part<T>> held;
        List<CompletableFuture<Void>> waitedFor;
        lock.lock();
        try {
            if (closed) {
                return;
            }
            closed = true;
            members = List.copyOf(joints);
            held = List.copyOf(parts.values());
            waitedFor = List.copyOf(complete.values());
            complete.clear();
            parts = Collections.emptySortedMap();
        } finally {
            lock.unlock();
        }
        members.forEach(Registration::close); // each forgets itself: not under the lock
        held.forEach(Registration::close);
        IllegalStateException early =
                new IllegalStateException("The informer of " + type + " was closed before its cache was complete");
        waitedFor.forEach(each -> each.completeExceptionally(early));
        synced.completeExceptionally(early);
    }

    /** What one user added: something in every part. Its fields are guarded by the lock of the whole. */
    private abstract class Joint implements Registration {
        private final Map<String, Registration> mine = new TreeMap<>();

        /** Under the lock. */
        abstract Registration begin(String namespace, InformerRegistry.Part<T> part);

        final void join(String namespace, InformerRegistry.Part<T> part) {
            mine.put(namespace, begin(namespace, part));
        }

        /** A part is being removed: under the lock, so only asks. */
        void leaves(Registration registration) {}

        /** Ends what it had in a part that was removed; not under the lock. Completes when that has been told. */
        CompletionStage<Void> left(Registration registration) {
            registration.close();
            return CompletableFuture.completedStage(null);
        }

        @Override
        public void close() {
            List<Registration> all;
            lock.lock();
            try {
                joints.remove(this);
                all = List.copyOf(mine.values());
                mine.clear();
            } finally {
                lock.unlock();
            }
            all.forEach(Registration::close);
        }
    }

    /** A listener in every part; told on a lane of its own, so in the order of what is read there. */
    private final class JoinedListener extends Joint {
        private final Consumer<InformerState> listener;
        private final Lane lane = runtime.lane("states of " + type + " in several namespaces");
        private volatile boolean over; // set once by whoever closes it, read on the lane

        JoinedListener(Consumer<InformerState> listener) {
            this.listener = listener;
        }

        @Override
        Registration begin(String namespace, InformerRegistry.Part<T> part) {
            return part.onStateChange(state -> tell());
        }

        @Override
        CompletionStage<Void> left(Registration registration) {
            tell(); // without that namespace the state may be another
            return super.left(registration);
        }

        private void tell() {
            lane.execute(() -> {
                if (over) {
                    return;
                }
                try {
                    listener.accept(state());
                } catch (RuntimeException problem) {
                    LOG.atWarn()
                            .addKeyValue("resource", type)
                            .setCause(problem)
                            .log("A listener to the informer's state threw; the informer goes on [HS-304]");
                }
            });
        }

        @Override
        public void close() {
            over = true;
            super.close();
            lane.close();
        }
    }

    /** An index in every part. */
    private final class JoinedIndex extends Joint implements IndexRegistration {
        private final Index<T> index;
        private final Map<Registration, CompletableFuture<Void>> making = new LinkedHashMap<>();
        private final CompletableFuture<Void> built = new CompletableFuture<>();
        private boolean begun;

        JoinedIndex(Index<T> index) {
            this.index = index;
        }

        @Override
        Registration begin(String namespace, InformerRegistry.Part<T> part) {
            IndexRegistration added = part.addIndex(index);
            if (!begun) {
                CompletableFuture<Void> made = new CompletableFuture<>();
                added.built().whenComplete((done, failure) -> settle(made, cause(failure)));
                making.put(added, made);
            }
            return added;
        }

        @Override
        CompletionStage<Void> left(Registration registration) {
            CompletableFuture<Void> made;
            lock.lock();
            try {
                made = making.get(registration);
            } finally {
                lock.unlock();
            }
            if (made != null) {
                made.completeExceptionally(new Removed("The namespace was removed before " + index + " was made"));
            }
            return super.left(registration);
        }

        void begun() {
            List<CompletableFuture<Void>> first;
            lock.lock();
            try {
                begun = true;
                first = List.copyOf(making.values());
            } finally {
                lock.unlock();
            }
            whenAll(first, built);
        }

        @Override
        public CompletionStage<Void> built() {
            return built.minimalCompletionStage();
        }

        @Override
        public void close() {
            built.completeExceptionally(
                    new IllegalStateException("The index " + index + " was closed before it was made"));
            super.close();
        }
    }

    /** A handler that every part feeds. */
    private final class JoinedHandler extends Joint {
        final HandlerLane<T> lane;

        /** The parts whose initial objects have not been offered yet. */
        private final Set<Feed> awaited = new HashSet<>();

        private boolean begun;

        JoinedHandler(String name, ResourceEventHandler<T> handler) {
            this.lane = new HandlerLane<>(name, decoder, handler, runtime, figures, gone -> ended());
        }

        @Override
        Registration begin(String namespace, InformerRegistry.Part<T> part) {
            Feed feed = new Feed(part.informer());
            awaited.add(feed);
            feed.informer.add(feed);
            return feed;
        }

        @Override
        @SuppressWarnings("unchecked") // what begin gave
        void leaves(Registration registration) {
            ((Feed) registration).leave();
        }

        @Override
        @SuppressWarnings("unchecked") // what begin gave
        CompletionStage<Void> left(Registration registration) {
            Feed feed = (Feed) registration;
            return feed.told.thenRun(() -> arrived(feed));
        }

        private void ended() {
            super.close();
        }

        /** All parts that there were have begun. */
        void begun() {
            lock.lock();
            try {
                begun = true;
            } finally {
                lock.unlock();
            }
            arrived(null);
        }

        private void arrived(@Nullable Feed feed) {
            boolean all;
            lock.lock();
            try {
                if (feed != null && !awaited.remove(feed)) {
                    return;
                }
                all = begun && awaited.isEmpty();
            } finally {
                lock.unlock();
            }
            if (all) {
                lane.initialsOffered(); // more than once when namespaces are added: only the first time counts
            }
        }

        @Override
        public void close() {
            lane.close();
        }

        /** One part's share in the handler. */
        private final class Feed implements Told, Registration {
            final Informer informer;
            private final HandlerLane.Offering offering = new HandlerLane.Offering();
            private final CompletableFuture<Void> told = new CompletableFuture<>(); // to the end
            private volatile boolean left; // set by whoever removes the namespace, read on the informer's lane

            Feed(Informer informer) {
                this.informer = informer;
            }

            @Override
            public void offer(List<Change> changes, Phase phase) {
                lane.offer(changes, phase, offering);
            }

            @Override
            public void initialsOffered() {
                arrived(this);
            }

            @Override
            public boolean startsEarly() {
                return lane.startsEarly();
            }

            @Override
            public boolean isClosed() {
                return lane.isClosed();
            }

            void leave() {
                left = true;
                informer.end(this, told);
            }

            /** The handler is closed; or the informer is, of its own. */
            @Override
            public void close() {
                if (lane.isClosed()) {
                    informer.remove(this);
                } else if (!left) {
                    lane.close();
                }
            }

            @Override
            public String toString() {
                return lane.toString();
            }
        }
    }
}
