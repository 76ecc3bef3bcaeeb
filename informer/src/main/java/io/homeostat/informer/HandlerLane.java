package io.homeostat.informer;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.OwnerRef;
import io.homeostat.client.RawObject;
import io.homeostat.client.ResourceType;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Lane;
import io.homeostat.informer.ResourceEventHandler.Merged;
import io.homeostat.informer.ResourceEventHandler.Phase;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One handler: what it has not been told yet, and the user lane that tells it.
 *
 * <p>Changes of one key that wait are folded into at most two steps (D7): <i>deleted what it last saw</i>, <i>added or updated to the
 * latest</i>. A UID that it never saw and that is gone again is told as one added-and-deleted pair rather than not at all: a reader may
 * have seen it in the cache, which is ahead of handlers, and nothing else would wake whoever relied on it.
 *
 * <p><b>Order.</b> Per key as the server had it; keys in the order of their oldest waiting change. <b>Threads.</b> {@link #offer} and
 * {@link #initialsOffered} on the informer's lane; the handler on its user lane; {@link #close} anywhere. <b>Memory.</b> One entry a
 * waiting key, at most {@value #BETWEEN} versions in between each; of keys whose object came and went untold at most {@value #VANISHED},
 * the owners of the others. <b>Failure.</b> What the handler throws is logged and the step
 * counts as done; an error of the VM itself goes on to the runtime.
 */
final class HandlerLane<T extends HasMetadata> implements SharedInformer.HandlerRegistration, Told {
    /*
     * Invariants
     * - A key is in waiting at most once; what its entry says the handler last saw is what the handler was told last.
     * - vanished holds exactly the keys of the entries that show nothing seen and nothing present.
     * - watched is true while a timer of watch will look; it is whenever a call can be under way.
     * - running is true from the moment a drain is handed to the lane until it finds nothing to do.
     * - untold counts the initial objects not yet told; synced completes when it is 0 after the last one was offered.
     */

    /** The versions in between that are kept for one key (D7). */
    static final int BETWEEN = 8;

    /** Of objects that came and went before the handler was told, how many are told for themselves. */
    static final int VANISHED = 1_000;

    /** A call that takes this long is spoken of. */
    static final Duration HANGS = Duration.ofMinutes(1);

    /** … and again after twice the time, and then this often. */
    private static final Duration SELDOM = Duration.ofMinutes(10);

    private static final int STEPS_PER_TURN = 32;
    private static final int KNOWN_THROWS = 64;
    private static final Logger LOG = LoggerFactory.getLogger(HandlerLane.class);

    private final String name;
    private final ResourceType<T> type;
    private final EngineRuntime runtime;
    private final Lane lane;
    private final Lane watch;
    private final boolean early;
    private final AtomicReference<@Nullable Attached<T>> attached; // set to null once, by close
    private final CompletableFuture<Void> synced = new CompletableFuture<>();
    private final ReentrantLock lock = new ReentrantLock();

    @GuardedBy("lock")
    private final Map<ObjectKey, Waiting> waiting = new LinkedHashMap<>();

    /** Of those, the keys whose object came and went before anybody was told, oldest first. */
    @GuardedBy("lock")
    private final Set<ObjectKey> vanished = new LinkedHashSet<>();

    @GuardedBy("lock")
    private boolean running;

    @GuardedBy("lock")
    private boolean watched;

    @GuardedBy("lock")
    private int untold;

    @GuardedBy("lock")
    private boolean initialsOffered;

    private final Offering only = new Offering();

    private final Runnable drain = this::drain;

    // Planted defects; all false outside a simulation that looks for them.
    private final boolean forgetsMerged;
    private final boolean showsSeen;
    private final boolean addsFirst;
    private final boolean tellsAfterClose;
    private final boolean endsAtThrow;
    private final boolean syncsEarly;
    private boolean ended; // confined to the user lane

    private volatile @Nullable Call calling; // set by the user lane, looked at by the watch

    private volatile boolean closed; // read by the user lane before each call, set by any thread

    // Confined to the user lane: the classes of what the handler threw, so that each is logged with its stack once.
    private final Set<Class<?>> thrown = new HashSet<>();

    HandlerLane(
            String name,
            Decoder<T> decoder,
            ResourceEventHandler<T> handler,
            EngineRuntime runtime,
            HandlerFigures figures,
            java.util.function.Consumer<HandlerLane<T>> onClose) {
        this.name = name;
        this.type = decoder.type();
        this.runtime = runtime;
        this.lane = runtime.userLane("handler " + name);
        this.watch = runtime.lane("watch of handler " + name);
        this.attached = new AtomicReference<>(new Attached<>(
                handler,
                decoder,
                figures.handler(name, this::waiting, this::runningSeconds),
                () -> onClose.accept(this)));
        this.early = handler.startsEarly();
        this.forgetsMerged = runtime.planted("handler.merged-wake-lost");
        this.showsSeen = runtime.planted("handler.tombstone-not-last");
        this.addsFirst = runtime.planted("handler.merge-out-of-order");
        this.tellsAfterClose = runtime.planted("handler.told-after-close");
        this.endsAtThrow = runtime.planted("handler.throw-ends-it");
        this.syncsEarly = runtime.planted("handler.synced-early");
    }

    @Override
    public CompletionStage<Void> synced() {
        return synced.minimalCompletionStage();
    }

    private long waiting() {
        lock.lock();
        try {
            return waiting.size();
        } finally {
            lock.unlock();
        }
    }

    /** How long the call that is under way has taken; 0 when none is. */
    private long runningSeconds() {
        Call call = calling;
        return call == null ? 0 : (runtime.nanos() - call.began) / 1_000_000_000;
    }

    @Override
    public boolean startsEarly() {
        return early;
    }

    @Override
    public boolean isClosed() {
        return closed;
    }

    @Override
    public void offer(List<Change> changes, Phase phase) {
        offer(changes, phase, only);
    }

    /**
     * Adds changes that the store shows already. Where an error of the VM leaves it (there was no memory for an entry, say), it may be called
     * again with the same list, and goes on where it stopped.
     *
     * @param source confined to the lane of the informer that offers; each of several has its own
     */
    @SuppressWarnings("ReferenceEquality") // the same list, not an equal one
    void offer(List<Change> changes, Phase phase, Offering source) {
        boolean start;
        boolean look;
        if (source.offered != changes) {
            source.offered = changes;
            source.taken = 0;
        }
        lock.lock();
        try {
            while (!closed && source.taken < changes.size()) {
                admit(changes.get(source.taken), phase == Phase.INITIAL, source);
            }
            start = !running && !waiting.isEmpty();
            running |= start;
            look = running && !watched && !closed;
            watched |= look;
        } finally {
            lock.unlock();
        }
        if (start) {
            goOn();
        }
        if (look) {
            try {
                lookAfter(HANGS);
            } catch (Throwable noMemory) {
                lock.lock();
                try {
                    watched = false; // the next change looks again
                } finally {
                    lock.unlock();
                }
                throw noMemory;
            }
        }
        source.offered = List.of();
    }

    @GuardedBy("lock")
    private void admit(Change change, boolean initial, Offering source) {
        Waiting known = waiting.get(change.key());
        if (known == null) {
            known = new Waiting(change, initial);
            try {
                waiting.put(known.key, known);
            } finally { // a map that could not grow holds the entry all the same
                if (waiting.get(known.key) == known) {
                    untold += known.initial ? 1 : 0;
                    source.taken++;
                }
            }
        } else {
            known.fold(change);
            source.taken++;
        }
        bound(known);
    }

    /** Hands a drain to the lane; when even that fails the next change does. */
    private void goOn() {
        try {
            lane.execute(drain);
        } catch (Throwable noMemory) {
            lock.lock();
            try {
                running = false;
            } finally {
                lock.unlock();
            }
            throw noMemory;
        }
    }

    /**
     * A handler that hangs while objects with ever new names come and go would hold all of them: beyond a number, the oldest is not told for
     * itself. Who it may have to wake is told with the latest, as for versions that were merged (D7).
     */
    @GuardedBy("lock")
    private void bound(Waiting latest) {
        if (latest.seen != null || latest.present) {
            stays(latest.key);
            return;
        }
        if (!vanished.add(latest.key) || vanished.size() <= VANISHED) {
            return;
        }
        ObjectKey oldest = vanished.iterator().next();
        vanished.remove(oldest);
        Waiting untoldOf = waiting.get(oldest);
        if (untoldOf != null) {
            latest.later().absorb(untoldOf.later());
            waiting.remove(oldest);
            untold -= untoldOf.initial ? 1 : 0;
        }
    }

    @GuardedBy("lock")
    private void stays(ObjectKey key) {
        if (!vanished.isEmpty()) {
            vanished.remove(key);
        }
    }

    private void lookAfter(Duration time) {
        runtime.after(time, watch, this::look);
    }

    /** On a lane of its own, since the handler's may hang: says so when a call takes long, each time after twice the time. */
    private void look() {
        Call call = calling;
        lock.lock();
        try {
            watched = running && !closed;
            if (!watched) {
                return;
            }
        } finally {
            lock.unlock();
        }
        long took = call == null ? 0 : runtime.nanos() - call.began;
        if (call == null || took < HANGS.toNanos()) {
            lookAfter(HANGS.minusNanos(took));
            return;
        }
        LOG.atWarn()
                .addKeyValue("handler", name)
                .addKeyValue("resource", type)
                .addKeyValue("object", call.key)
                .addKeyValue("seconds", took / 1_000_000_000)
                .addKeyValue("waiting", waiting())
                .log("{} has not returned; what comes after it waits, other handlers do not [HS-306]", call.method);
        lookAfter(Duration.ofNanos(Math.min(took, SELDOM.toNanos())));
    }

    @Override
    public void initialsOffered() {
        if (syncsEarly) {
            synced.complete(null);
        }
        boolean start;
        lock.lock();
        try {
            initialsOffered = true;
            start = !running && !closed;
            running |= start;
        } finally {
            lock.unlock();
        }
        if (start) {
            goOn();
        }
    }

    @Override
    public void close() {
        if (tellsAfterClose && !lane.isCurrent()) {
            lane.execute(this::close);
            return;
        }
        lock.lock();
        try {
            if (closed) {
                return;
            }
            closed = true;
            waiting.clear();
            vanished.clear();
        } finally {
            lock.unlock();
        }
        lane.close();
        watch.close();
        synced.completeExceptionally(new IllegalStateException(
                "The handler " + name + " of " + type + " was closed before it had seen every initial object"));
        Attached<T> was = attached.getAndSet(null);
        if (was != null) {
            was.figures.close();
            was.onClose.run();
        }
    }

    private void drain() {
        if (ended) {
            return;
        }
        for (int steps = 0; steps < STEPS_PER_TURN; steps++) {
            Waiting next = take();
            if (next == null) {
                return;
            }
            try {
                tell(next);
            } catch (Throwable fatal) {
                settle(next);
                goOn();
                throw fatal;
            }
            settle(next);
        }
        goOn();
    }

    private @Nullable Waiting take() {
        boolean complete;
        lock.lock();
        try {
            Iterator<Waiting> oldest = waiting.values().iterator();
            if (!closed && oldest.hasNext()) {
                Waiting next = oldest.next();
                oldest.remove();
                stays(next.key);
                return next;
            }
            running = false;
            complete = initialsOffered && untold == 0;
        } finally {
            lock.unlock();
        }
        if (complete) {
            synced.complete(null);
        }
        return null;
    }

    private void settle(Waiting told) {
        if (!told.initial && synced.isDone()) {
            return;
        }
        boolean complete;
        lock.lock();
        try {
            untold -= told.initial ? 1 : 0;
            complete = initialsOffered && untold == 0 && !closed;
        } finally {
            lock.unlock();
        }
        if (complete && !synced.isDone()) {
            synced.complete(null);
        }
    }

    /**
     * The end of one UID has been told and the next is to be: it goes behind what waits, so that all deletes of a relist come before its
     * adds (P-C3). Null when that is done; the step itself when it must be told now, since more of its key waits already.
     */
    private @Nullable Waiting behind(Waiting step) {
        lock.lock();
        try {
            if (closed || waiting.isEmpty() || waiting.containsKey(step.key)) {
                return step;
            }
            waiting.put(step.key, step.rest());
            return null;
        } finally {
            lock.unlock();
        }
    }

    private void tell(Waiting step) {
        Attached<T> to = attached.get();
        if (to != null) {
            tell(step, to);
        }
    }

    private void tell(Waiting step, Attached<T> to) {
        RawObject seen = step.seen;
        RawObject first = step.first == null ? null : step.first.last;
        RawObject second = step.second == null ? null : step.second.last;
        if (seen != null && first != null && !step.gone) {
            call(Step.UPDATE, first, to, seen, step.first(), Phase.LATER);
            return;
        }
        if (seen != null && first != null) {
            Versions all =
                    step.present || second == null ? step.first() : step.first().and(step.later());
            // A delete shows the last state only: what the handler saw before, if that is another, counts as in
            // between.
            Versions told = seen.resourceVersion().equals(first.resourceVersion()) ? all : all.after(seen);
            if (addsFirst && second != null && step.present) {
                call(Step.ADD, second, to, null, step.later(), Phase.LATER);
            }
            call(Step.DELETE, showsSeen ? seen : first, to, seen, told, Phase.LATER);
        }
        if (second == null
                || closed
                || (addsFirst && seen != null)
                || (seen != null && (!step.present || behind(step) == null))) {
            return;
        }
        call(Step.ADD, second, to, null, step.later(), step.initial ? Phase.INITIAL : Phase.LATER);
        if (!step.present && !closed) {
            call(Step.DELETE, second, to, null, step.later(), Phase.LATER);
        }
    }

    /** What a handler is told. */
    private enum Step {
        ADD("onAdd"),
        UPDATE("onUpdate"),
        DELETE("onDelete");

        final String method;

        Step(String method) {
            this.method = method;
        }
    }

    /**
     * Tells the handler.
     *
     * @param object the latest, or the last of what is gone
     * @param seen what the handler saw before; null for nothing
     */
    private void call(
            Step step, RawObject object, Attached<T> to, @Nullable RawObject seen, Versions versions, Phase phase) {
        // A process that has crashed in a simulation ends here, where it asks for the time, not in user code.
        calling = new Call(step.method, object.key(), runtime.nanos());
        try {
            if (step == Step.ADD) {
                to.handler.onAdd(to.cached(object), phase, merged(to, seen, versions));
            } else if (step == Step.UPDATE && seen != null) {
                to.handler.onUpdate(to.cached(seen), to.cached(object), merged(to, seen, versions));
            } else {
                to.handler.onDelete(to.cached(object), merged(to, seen, versions));
            }
        } catch (Throwable problem) {
            if (problem instanceof VirtualMachineError && !(problem instanceof StackOverflowError)) {
                throw problem;
            }
            report(step.method, object, to, problem);
            ended |= endsAtThrow;
        } finally {
            calling = null;
        }
    }

    private void report(String method, RawObject object, Attached<T> to, Throwable problem) {
        to.figures.failures().add(1);
        boolean isNew = thrown.size() < KNOWN_THROWS && thrown.add(problem.getClass());
        var event = (isNew ? LOG.atError().setCause(problem) : LOG.atWarn())
                .addKeyValue("handler", name)
                .addKeyValue("resource", type)
                .addKeyValue("object", object.key());
        event.log(
                "{} threw {}; the step counts as done [HS-304]",
                method,
                problem.getClass().getName());
    }

    private Merged<T> merged(Attached<T> to, @Nullable RawObject from, Versions versions) {
        if (forgetsMerged && versions.last != null) {
            LinkedHashSet<OwnerRef> last = new LinkedHashSet<>(versions.last.owners());
            return new Merged<>(versions.count, last, List.of(), Merged.Completeness.ALL);
        }
        if (versions.isOne()) {
            return versions.last == null ? alone(Set.of()) : alone(owners(from, versions.last));
        }
        LinkedHashSet<OwnerRef> owners = new LinkedHashSet<>();
        if (from != null) {
            owners.addAll(from.owners());
        }
        owners.addAll(versions.owners());
        List<CachedObject<T>> between = new ArrayList<>(versions.between.size());
        versions.between.forEach(raw -> between.add(to.cached(raw)));
        if (versions.count > 1) {
            to.figures.merged().add(versions.count - 1);
        }
        return new Merged<>(
                versions.count,
                Collections.unmodifiableSet(owners),
                Collections.unmodifiableList(between),
                versions.dropped ? Merged.Completeness.SOME : Merged.Completeness.ALL);
    }

    /** One version that nothing was merged into; most are, and few objects have owners that change. */
    private static <T extends HasMetadata> Merged<T> alone(Set<OwnerRef> owners) {
        return new Merged<>(1, owners, List.of(), Merged.Completeness.ALL);
    }

    private static Set<OwnerRef> owners(@Nullable RawObject from, RawObject to) {
        List<OwnerRef> owners = to.owners();
        boolean same = from == null || from.owners().equals(owners);
        if (same && owners.size() <= 1) {
            return owners.isEmpty() ? Set.of() : Collections.singleton(owners.get(0));
        }
        LinkedHashSet<OwnerRef> all = new LinkedHashSet<>();
        if (from != null) {
            all.addAll(from.owners());
        }
        all.addAll(owners);
        return Collections.unmodifiableSet(all);
    }

    @Override
    public String toString() {
        return "handler " + name + " of " + type;
    }

    /** What a handler that is not closed holds on to: all of it is let go by close, whoever keeps the registration. */
    private record Attached<T extends HasMetadata>(
            ResourceEventHandler<T> handler, Decoder<T> decoder, InformerMetrics.Handler figures, Runnable onClose) {
        CachedObject<T> cached(RawObject raw) {
            return new Cached<>(raw, decoder);
        }
    }

    /** What one informer is offering, and how much of it waits already. Confined to that informer's lane. */
    static final class Offering {
        private List<Change> offered = List.of();
        private int taken;
    }

    /** A call of the handler that is under way. */
    private record Call(String method, ObjectKey key, long began) {}

    /** What waits for one key. Guarded by the lock until taken, then the user lane's. */
    private static final class Waiting {
        final ObjectKey key;
        final @Nullable RawObject seen;
        final boolean initial;
        /** The versions of the UID that the handler saw, since it saw it; null for none. */
        private @Nullable Versions first;
        /** The versions of all later UIDs; null for none. */
        private @Nullable Versions second;
        /** Whether the UID that the handler saw is gone. */
        boolean gone;
        /** Whether there is an object now. */
        boolean present;

        Waiting(Change change, boolean initial) {
            key = change.key();
            if (change instanceof Change.Updated updated) {
                seen = updated.before();
            } else if (change instanceof Change.Deleted deleted) {
                seen = deleted.before();
            } else if (change instanceof Change.Passed passed && passed.now() != null) {
                seen = passed.now();
                first().add(passed.now());
            } else {
                seen = null;
            }
            this.initial = initial && seen == null;
            fold(change);
        }

        private Waiting(ObjectKey key, Versions second, boolean present) {
            this.key = key;
            this.seen = null;
            this.initial = false;
            this.second = second;
            this.present = present;
        }

        /** What is left when the end of the UID that the handler saw has been told. */
        Waiting rest() {
            return new Waiting(key, later(), present);
        }

        Versions first() {
            if (first == null) {
                first = new Versions();
            }
            return first;
        }

        Versions later() {
            if (second == null) {
                second = new Versions();
            }
            return second;
        }

        void fold(Change change) {
            Versions versions = seen != null && !gone ? first() : later();
            if (change instanceof Change.Added added) {
                versions.add(added.after());
                present = true;
            } else if (change instanceof Change.Updated updated) {
                versions.add(updated.after());
                present = true;
            } else if (change instanceof Change.Deleted deleted) {
                versions.add(deleted.lastKnown());
                gone |= seen != null;
                present = false;
            } else if (change instanceof Change.Passed passed) {
                if (versions.last != null && (present || passed.now() != null)) {
                    versions.aside(passed.lastKnown());
                } else {
                    versions.add(passed.lastKnown());
                }
            }
        }
    }

    /** Versions folded into one step. */
    private static final class Versions {
        int count;
        boolean dropped;

        @Nullable
        RawObject last;

        List<RawObject> between = List.of();
        // Owners of versions that are not kept in between.
        private Set<OwnerRef> others = Set.of();

        /** Whether nothing was merged. */
        boolean isOne() {
            return count == 1 && !dropped && between.isEmpty() && others.isEmpty();
        }

        void add(RawObject version) {
            if (last != null) {
                keep(last);
            }
            last = version;
            count++;
        }

        /** Counts a version that is not on the way to the latest. */
        void aside(RawObject version) {
            keep(version);
            count++;
        }

        /** Owners and number of versions that are not told for themselves. */
        void absorb(Versions untold) {
            count += untold.count;
            dropped = true;
            if (others.isEmpty()) {
                others = new LinkedHashSet<>();
            }
            others.addAll(untold.owners());
        }

        /** The same, with an earlier version that is not told itself. */
        Versions after(RawObject earlier) {
            Versions all = new Versions();
            all.count = count;
            all.dropped = dropped;
            all.last = last;
            all.keep(earlier);
            between.forEach(all::keep);
            all.others = new LinkedHashSet<>(all.others);
            all.others.addAll(others);
            return all;
        }

        Versions and(Versions later) {
            Versions all = new Versions();
            all.count = count + later.count;
            all.dropped = dropped || later.dropped;
            all.last = last;
            between.forEach(all::keep);
            later.between.forEach(all::keep);
            if (later.last != null) {
                all.keep(later.last);
            }
            all.others = new LinkedHashSet<>(all.others);
            all.others.addAll(others);
            all.others.addAll(later.others);
            return all;
        }

        private void keep(RawObject version) {
            if (between.isEmpty()) {
                between = new ArrayList<>(2);
            }
            if (between.size() < BETWEEN) {
                between.add(version);
                return;
            }
            dropped = true;
            if (others.isEmpty()) {
                others = new LinkedHashSet<>();
            }
            others.addAll(version.owners());
        }

        Set<OwnerRef> owners() {
            LinkedHashSet<OwnerRef> owners = new LinkedHashSet<>();
            between.forEach(version -> owners.addAll(version.owners()));
            owners.addAll(others);
            if (last != null) {
                owners.addAll(last.owners());
            }
            return owners;
        }
    }
}
