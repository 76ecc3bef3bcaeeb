package io.homeostat.informer;

import io.homeostat.client.ApiClient;
import io.homeostat.client.ApiException;
import io.homeostat.client.DroppedPaths;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.Query;
import io.homeostat.client.RawObject;
import io.homeostat.client.Reads;
import io.homeostat.client.ResourceType;
import io.homeostat.client.WatchFrame;
import io.homeostat.client.Write;
import io.homeostat.client.WriteObserver;
import io.homeostat.core.Backoff;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Lane;
import io.homeostat.core.Metrics;
import io.homeostat.core.Registration;
import io.homeostat.informer.DeltaFifo.Delta;
import io.homeostat.informer.InformerState.Phase;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The cache of one identity (D29): a {@link Reflector} fills the {@link DeltaFifo}, the informer's lane empties it into the
 * {@link Indexer} and tells the {@link HandlerLane}s what changed.
 *
 * <p><b>Order.</b> The server's. A state is published before any handler hears of it; a handler that is added begins at one exact
 * place in the log, with all there is at that place (P-C5). <b>Threads.</b> Everything that changes anything runs on one engine lane, in
 * turns; reads and own writes from any thread meet it in the Indexer's one reference. <b>Memory.</b> The store, a bounded log, and
 * what handlers have waiting. <b>Failure.</b> Never ends by itself; {@link #close} ends it in any state, at once (P-C13).
 */
final class Informer implements Reflector.Cache, Doubts.Verdict, Audit.Subject {
    /*
     * Invariants
     * - The work under way and the log are emptied in order: nothing is applied beside them.
     * - After close nothing is published, no handler is called, and no timer or stream is left.
     */

    /** The most changes handed to handlers without looking at the turn's time. */
    private static final int SLICE = 256;
    /** The most entries indexed without looking at the turn's time. */
    private static final int INDEXED = 64;
    /** The pace of telling handlers what they could not be told for an error of the VM. */
    private static final Backoff UNTOLD = new Backoff(Duration.ofMillis(100), 2, Duration.ofSeconds(30), 0.5);
    /** The most labels that are indexed because readers look for them. */
    private static final int LABELS = 8;

    private static final Logger LOG = LoggerFactory.getLogger(Informer.class);

    /** A piece of work on the lane that may take several turns. */
    private interface Work {
        /** Goes on; true when it is done. */
        boolean advance();

        /** Whether it goes on where it was broken off: readers see already what handlers are still to hear of. */
        default boolean goesOn() {
            return false;
        }

        /** Leaves the handler that could not be told out of this; null when none is under way. */
        default @Nullable Told skip() {
            return null;
        }
    }

    /** Which handlers are told: of the first list some are told as it comes. */
    private enum Whom {
        ALL,
        EARLY,
        LATE
    }

    /** Tells handlers of changes that are published. It can be broken off anywhere, and goes on there. */
    private final class Telling implements Work {
        private final ResourceEventHandler.Phase phase;
        private final Whom whom;
        private List<Change> changes = List.of();
        private int told; // by every handler
        private List<Change> slice = List.of();
        private List<Told> to = List.of(); // of the slice, from next on
        private int next;

        Telling(ResourceEventHandler.Phase phase, Whom whom) {
            this.phase = phase;
            this.whom = whom;
        }

        Telling of(List<Change> published) {
            changes = published;
            return this;
        }

        @Override
        public boolean advance() {
            while (told < changes.size()) {
                if (slice.isEmpty()) {
                    to = whom == Whom.ALL
                            ? List.copyOf(handlers)
                            : handlers.stream()
                                    .filter(one -> one.startsEarly() == (whom == Whom.EARLY))
                                    .toList();
                    next = 0;
                    slice = changes.subList(told, Math.min(told + SLICE, changes.size()));
                }
                for (; next < to.size(); next++) {
                    to.get(next).offer(slice, phase);
                }
                told += slice.size();
                slice = List.of();
                if (told < changes.size() && lane.shouldYield()) {
                    return false;
                }
            }
            return true;
        }

        @Override
        public boolean goesOn() {
            return told < changes.size();
        }

        @Override
        public @Nullable Told skip() {
            return next < to.size() ? to.get(next++) : null;
        }
    }

    /** Tells one handler of all there is, one way or the other. It can be broken off anywhere, and goes on there. */
    private final class Showing implements Work {
        private final Told to;
        private final ResourceEventHandler.Phase phase;
        private final Function<RawObject, @Nullable Change> as;
        private final Runnable end;
        private final Iterator<RawObject> left;
        private final List<Change> filling = new ArrayList<>(SLICE);
        private @Nullable RawObject next; // taken from left, and not in filling yet
        private List<Change> slice = List.of();
        private boolean over;

        /**
         * Nothing is told yet.
         *
         * @param all what there is, in key order
         * @param as how it is told; null for what is not
         * @param end run after the last one; not when the handler was skipped
         */
        Showing(
                Told to,
                ResourceEventHandler.Phase phase,
                SortedTree<ObjectKey, RawObject> all,
                Function<RawObject, @Nullable Change> as,
                Runnable end) {
            this.to = to;
            this.phase = phase;
            this.left = all.iterator();
            this.as = as;
            this.end = end;
        }

        @Override
        public boolean advance() {
            while (!over) {
                if (slice.isEmpty()) {
                    fill();
                    slice = List.copyOf(filling);
                    filling.clear();
                }
                to.offer(slice, phase);
                slice = List.of();
                if (!left.hasNext() && next == null) {
                    end.run(); // which may be run again
                    over = true;
                } else if (lane.shouldYield()) {
                    return false;
                }
            }
            return true;
        }

        private void fill() {
            while (filling.size() < SLICE && (next != null || left.hasNext())) {
                RawObject one = next == null ? left.next() : next;
                next = one;
                Change change = as.apply(one);
                if (change != null) {
                    filling.add(change);
                }
                next = null;
            }
        }

        @Override
        public boolean goesOn() {
            return !over;
        }

        @Override
        public Told skip() {
            over = true;
            handlers.remove(to);
            abandon(applying);
            return to;
        }
    }

    private final EngineRuntime runtime;
    private final ResourceType<?> type;
    private final String namespace;
    private final DroppedPaths dropped;
    private final String name;
    private final Lane lane;
    private final RandomGenerator random;
    private final Criteria criteria;
    private final Keeper keeper;
    private final Indexer indexer;
    private final Reflector reflector;
    private final Doubts doubts;
    private final Audit audit;
    // Planted defects; all false outside a simulation that looks for them.
    private final boolean marksAtOnce;
    private final boolean gapsLateHandlers;
    private final CompletableFuture<Void> synced = new CompletableFuture<>();
    private final List<Listening> listeners = new CopyOnWriteArrayList<>();
    private final List<String> labels = new CopyOnWriteArrayList<>(); // added to on the lane

    private final InformerMetrics metrics;

    // volatile: written on the lane, read by anyone who asks for the state.
    private volatile Status status;
    private volatile long heardAt; // as status
    private volatile boolean closed; // set once by any thread; the lane and writers stop at it

    // All below: confined to the lane.
    private final DeltaFifo fifo = new DeltaFifo();
    private final List<Told> handlers = new ArrayList<>();
    /** Of the first list, while it is under way: what handlers that start early have been told. */
    private SortedTree<ObjectKey, RawObject> arrived = Indexer.nothing();

    private final List<IndexUse> indexes = new ArrayList<>();
    private final Quarantine quarantine = new Quarantine();
    private long workBegan;
    private @Nullable Work work;
    private @Nullable Delta applying; // what work is of
    private boolean pumping;
    private boolean turnAsked;
    private int broken; // by errors of the VM, one after the other
    /** Because of what something was lost, until the reflector knows. */
    private @Nullable Throwable unlisted;

    /** What {@link #state} tells beside what the Indexer knows. */
    private record Status(
            Phase phase,
            Instant since,
            boolean filled,
            boolean heard,
            InformerState.@Nullable Problem problem,
            long relists,
            Map<ObjectKey, String> quarantine,
            int unnamed,
            boolean filteredHere) {
        Status in(Phase next, Instant from, InformerState.@Nullable Problem latest) {
            return new Status(next, from, filled, heard, latest, relists, quarantine, unnamed, filteredHere);
        }

        Status filledBy(long lists, int withoutName) {
            return new Status(phase, since, true, true, problem, lists, quarantine, withoutName, filteredHere);
        }

        Status thatHeard() {
            return heard
                    ? this
                    : new Status(phase, since, filled, true, problem, relists, quarantine, unnamed, filteredHere);
        }

        Status with(Map<ObjectKey, String> unreadable) {
            return new Status(phase, since, filled, heard, problem, relists, unreadable, unnamed, filteredHere);
        }

        Status filteringHere() {
            return new Status(phase, since, filled, heard, problem, relists, quarantine, unnamed, true);
        }
    }

    /** One registration, even where the same listener is registered twice. */
    private static final class Listening {
        final Consumer<InformerState> told;

        Listening(Consumer<InformerState> told) {
            this.told = told;
        }
    }

    Informer(
            EngineRuntime runtime,
            ApiClient client,
            Heartbeat heartbeat,
            Metrics sink,
            ResourceType<?> type,
            String namespace,
            Selection selection,
            DroppedPaths dropped,
            StorePolicy policy) {
        this.runtime = runtime;
        this.type = type;
        this.namespace = namespace;
        this.dropped = dropped;
        this.name = type
                + (type.isMetadataOnly() ? ", metadata only" : "")
                + (namespace.isEmpty() ? "" : " in " + namespace)
                + selection
                + (dropped.isEmpty() ? "" : " without " + dropped);
        this.lane = runtime.lane("informer " + name);
        this.random = runtime.random("informer " + name);
        this.criteria = Criteria.of(selection);
        this.keeper = new Keeper(policy);
        this.indexer = new Indexer(criteria, keeper, runtime::planted);
        this.marksAtOnce = runtime.planted("informer.bookmark-before-events");
        this.gapsLateHandlers = runtime.planted("informer.late-handler-gap");
        Query query = selection.query(namespace);
        Reads reads = client.without(dropped);
        this.reflector = new Reflector(runtime, reads, heartbeat, type, query, this::inShard, lane, this);
        this.doubts = new Doubts(runtime, reads, heartbeat, type, lane, this);
        this.audit = new Audit(runtime, reads, type, query, lane, this);
        this.status = new Status(Phase.IDLE, runtime.wallClock(), false, false, null, 0, Map.of(), 0, false);
        this.metrics = new InformerMetrics(sink, name, type);
        metrics.show(this);
    }

    void start() {
        lane.execute(() -> {
            if (!closed) {
                reflector.start();
            }
        });
    }

    /** Compares the cache with the server every so often from now on; zero ends that. Any thread; asked for on the lane. */
    void auditEvery(Supplier<Duration> interval) {
        onLane(() -> audit.every(interval.get()));
    }

    Indexer.State snapshot() {
        return indexer.state();
    }

    CompletionStage<Void> synced() {
        return synced.minimalCompletionStage();
    }

    InformerState state() {
        Status now = status;
        Indexer.State store = indexer.state();
        return new InformerState(
                name,
                now.phase,
                now.since,
                now.filled,
                now.problem,
                store.version(),
                store.epoch(),
                now.heard ? Duration.ofNanos(Math.max(0, runtime.nanos() - heardAt)) : null,
                now.relists,
                now.quarantine,
                now.unnamed,
                now.filteredHere);
    }

    /** How many entries of the log wait. */
    int queued() {
        return fifo.size();
    }

    /** What a handler of that name reports its figures to. */
    InformerMetrics metrics() {
        return metrics;
    }

    Registration onStateChange(Consumer<InformerState> listener) {
        Listening listening = new Listening(listener);
        listeners.add(listening);
        return () -> listeners.remove(listening);
    }

    /** The handler begins with the next thing the log holds; it is told of all there is at that place. */
    void add(Told handler) {
        lane.execute(() -> {
            if (closed) {
                handler.close();
                return;
            }
            fifo.add(new Delta.Begins(handler));
            pump();
        });
        if (closed) {
            handler.close(); // the lane may have dropped it
        }
    }

    /**
     * One use of an index. The table is there while there is one.
     *
     * @param built completes when it is made
     */
    private record IndexUse(Object index, CompletableFuture<Void> built) {
        void end() {
            built.completeExceptionally(new IllegalStateException("The " + index + " was closed before it was made"));
        }
    }

    /**
     * Keeps an index from the next thing the log holds on.
     *
     * @param built completes on the lane when it is made, fails when it is closed before
     * @return takes this use of it back; the last one removes it
     */
    Registration index(Object index, IndexTable.Function function, CompletableFuture<Void> built) {
        IndexUse use = new IndexUse(index, built);
        lane.execute(() -> {
            if (closed) {
                use.end();
                return;
            }
            boolean isNew = !indexed(index);
            indexes.add(use);
            if (isNew) {
                fifo.add(new Delta.Indexes(IndexTable.empty(index, function), built));
            } else {
                fifo.add(new Delta.Then(() -> built.complete(null))); // after the one that makes it
            }
            pump();
        });
        if (closed) {
            use.end(); // the lane may have dropped it
        }
        return () -> {
            use.end();
            onLane(() -> {
                if (indexes.remove(use) && !indexed(index)) {
                    indexer.hide(index);
                }
            });
        };
    }

    /** Readers look for a label through many objects: from now on it is indexed, unless many labels are already. Any thread. */
    void wanted(String label) {
        if (closed || labels.contains(label) || labels.size() >= LABELS) {
            return;
        }
        onLane(() -> {
            if (labels.size() < LABELS && !labels.contains(label)) {
                labels.add(label);
                IndexTable.Label index = new IndexTable.Label(label);
                index(index, index, new CompletableFuture<>());
            }
        });
    }

    void remove(Told handler) {
        onLane(() -> handlers.remove(handler));
    }

    /**
     * Takes a handler out that is told first of the end of everything it knows.
     *
     * @param done completes on the lane when it has been offered that, at once when this is closed
     */
    void end(Told handler, CompletableFuture<Void> done) {
        lane.execute(() -> {
            if (closed) {
                done.complete(null);
                return;
            }
            fifo.add(new Delta.Ends(handler, done));
            pump();
        });
        if (closed) {
            done.complete(null); // the lane may have dropped it
        }
    }

    private void onLane(Runnable work) {
        lane.execute(() -> {
            if (!closed) {
                work.run();
            }
        });
    }

    /** Whether objects of that write are kept here, whatever class or version of the API it was made in (D29). */
    private boolean concerns(Write write) {
        return write.type().group().equals(type.group())
                && write.type().plural().equals(type.plural())
                && (namespace.isEmpty() || namespace.equals(write.key().namespace()))
                && (write.subresource().isEmpty() || write.subresource().equals("status"));
    }

    /** Shows a completed write of this process. Any thread; never waits. */
    void written(WriteObserver.Done done) {
        if (closed || !concerns(done.write())) {
            return;
        }
        RawObject object = done.object();
        boolean gone = object == null
                // Some resources answer the last state of what is gone; what is held has a deletion time.
                || (done.write().verb() == Write.Verb.DELETE && object.deletionTimestamp() == null);
        if (gone) {
            ObjectKey key = object == null ? done.write().key() : object.key();
            if (indexer.gone(key, object == null ? done.uid() : object.uid()) == Indexer.Outcome.DOUBTED) {
                onLane(() -> doubt(key));
            }
        } else if (object != null && !done.write().type().version().equals(type.version())) {
            // Bytes of another version of the API are not what is kept here, and only the server converts them.
            onLane(() -> doubt(object.key()));
        } else if (object != null) {
            RawObject kept = dropped.cut(type, object); // the answer is whole; readers see no part come and go
            Indexer.Outcome outcome = indexer.own(kept);
            if (outcome == Indexer.Outcome.PASSED) {
                onLane(() -> {
                    fifo.add(new Delta.Passed(kept));
                    pump();
                });
            } else if (outcome == Indexer.Outcome.DOUBTED) {
                onLane(() -> doubt(object.key()));
            }
        }
    }

    /** Ends everything: streams, timers, handlers. From any thread, in any state. */
    void close() {
        if (closed) {
            return;
        }
        closed = true;
        lane.execute(() -> {
            reflector.stop();
            doubts.clear();
            audit.every(Duration.ZERO);
            for (Delta left = fifo.poll(); left != null; left = fifo.poll()) {
                abandon(left);
            }
            work = null;
            for (Told handler : List.copyOf(handlers)) {
                handler.close();
            }
            handlers.clear();
            listeners.clear();
            indexes.forEach(IndexUse::end);
            indexes.clear();
            metrics.close();
            keeper.close();
            synced.completeExceptionally(
                    new IllegalStateException("The informer of " + name + " was closed before its cache was complete"));
            lane.close();
        });
    }

    // ---- the lane: from the log into the store

    private void pump() {
        if (pumping || turnAsked) {
            return; // called from within, or a turn that goes on is queued: the order of the log holds
        }
        pumping = true;
        Throwable problem = null;
        try {
            if (unlisted != null) {
                listAnew(unlisted);
            }
            while (!closed) {
                if (work == null) {
                    Delta next = fifo.poll();
                    if (next == null) {
                        break;
                    }
                    workBegan = runtime.nanos();
                    applying = next;
                    work = begin(next);
                }
                if (!work.advance()) {
                    break;
                }
                work = null;
                applying = null;
                broken = 0;
                metrics.processingSeconds.record((runtime.nanos() - workBegan) / 1e9);
                if (lane.shouldYield()) {
                    break;
                }
            }
        } catch (RuntimeException | Error defect) {
            problem = defect;
            lost(defect);
        } finally {
            pumping = false;
        }
        if (closed) {
            return;
        }
        if (!turnAsked && (work != null || !fifo.isEmpty())) {
            lane.execute(this::turn); // never runs within this turn
            turnAsked = true;
        }
        reflector.feed();
        if (problem instanceof RuntimeException defect) {
            throw defect; // the runtime reports it
        } else if (problem instanceof Error error) {
            throw error;
        }
    }

    private void turn() {
        turnAsked = false;
        pump();
    }

    /**
     * What was being applied is lost, which is a defect or an error of the VM; what the server said behind it would cover the hole. So all
     * of that is dropped, and the server is asked for everything anew. What readers see already no list would tell handlers of: after an
     * error of the VM, which most often is a want of memory, they are told of it as soon as that can be done; a handler whose own entry
     * cannot be made for another reason is left out, and named.
     */
    private void lost(Throwable problem) {
        unlisted = problem;
        if (!ofTheVm(problem)) {
            Told untold = work != null && work.goesOn() ? work.skip() : null;
            if (untold != null) {
                LOG.atError()
                        .addKeyValue("resource", name)
                        .addKeyValue("untold", untold)
                        .log("A handler could not be told of a change, and is told only what comes later [HS-307]");
            }
            listAnew(problem);
            return;
        }
        try {
            // What follows takes memory, too. So there is first of all a turn that does again what fails here. Where
            // not even that is to be had, nothing has been touched: the stream that is open, and its timers, lead to
            // another turn.
            if (!turnAsked) {
                runtime.after(UNTOLD.delay(++broken, random), lane, this::turn);
                turnAsked = true;
            }
            listAnew(problem);
        } catch (VirtualMachineError noMemoryEither) {
            // The first one goes on to the runtime.
        }
    }

    /** May be broken off anywhere, and is done again then. */
    private void listAnew(Throwable problem) {
        if (work == null || !work.goesOn()) {
            work = null;
            abandon(applying);
            if (applying instanceof Delta.Indexes indexes) {
                indexes.built().completeExceptionally(problem);
            }
            applying = null;
        }
        fifo.dropWhatTheServerSaid();
        reflector.lost(problem);
        unlisted = null;
        LOG.atError()
                .addKeyValue("resource", name)
                .log("Something could not be applied to the cache; everything is listed anew [HS-307]");
    }

    private static boolean ofTheVm(@Nullable Throwable problem) {
        return problem instanceof VirtualMachineError && !(problem instanceof StackOverflowError);
    }

    private Work begin(Delta delta) {
        Telling telling = new Telling(
                ResourceEventHandler.Phase.LATER, Whom.ALL); // before anything is published: it takes memory
        if (delta instanceof Delta.Events events) {
            lane.charge((int) Math.min(events.bytes(), Integer.MAX_VALUE));
            heal(events.events(), indexer.state().version());
            return telling.of(indexer.apply(events.events()));
        }
        if (delta instanceof Delta.Arrived arrived) {
            lane.charge((int) Math.min(arrived.bytes(), Integer.MAX_VALUE));
            return new Telling(ResourceEventHandler.Phase.INITIAL, Whom.EARLY).of(arrived(arrived));
        } else if (delta instanceof Delta.Completes completes) {
            return completing(completes.early(), completes.told());
        }
        if (delta instanceof Delta.Bookmark bookmark) {
            return telling.of(indexer.bookmark(bookmark.version()));
        } else if (delta instanceof Delta.Replaced replaced) {
            return replacing(replaced.all());
        } else if (delta instanceof Delta.Begins begins) {
            return beginning(begins.told());
        } else if (delta instanceof Delta.Ends ends) {
            return ending(ends.told(), ends.done());
        } else if (delta instanceof Delta.Indexes indexes) {
            return indexing(indexes);
        } else if (delta instanceof Delta.Confirmed confirmed) {
            return telling.of(indexer.confirm(confirmed.object()));
        } else if (delta instanceof Delta.Denied denied) {
            return telling.of(indexer.deny(denied.key(), denied.asked()));
        } else if (delta instanceof Delta.Passed passed) {
            return telling.of(indexer.passed(passed.object()));
        } else if (delta instanceof Delta.Then then) {
            then.next().run();
        }
        return () -> true;
    }

    private Work replacing(Indexer.Replaced complete) {
        Indexer.Replaced all = arrived.isEmpty() ? complete : withUnread(complete);
        Indexer.Replacement replacement = indexer.replace(all);
        boolean first = !synced.isDone();
        Telling tell = first
                ? new Telling(ResourceEventHandler.Phase.INITIAL, Whom.LATE)
                : new Telling(ResourceEventHandler.Phase.LATER, Whom.ALL);
        return new Work() {
            private boolean published;

            @Override
            public boolean advance() {
                if (!published) {
                    if (!replacement.advance(lane::shouldYield)) {
                        return false;
                    }
                    tell.of(replacement.changes());
                    published = true;
                }
                if (!tell.advance()) {
                    return false;
                }
                replaced(replacement, all, first);
                return true;
            }

            @Override
            public boolean goesOn() {
                return published && tell.goesOn();
            }

            @Override
            public @Nullable Told skip() {
                return tell.skip();
            }
        };
    }

    /**
     * Where the first list could not be read, what an earlier try of it has brought is the last known, as for any other list (D32), and has
     * been told.
     */
    private Indexer.Replaced withUnread(Indexer.Replaced list) {
        SortedTree<ObjectKey, RawObject> items = list.items();
        for (RawObject known :
                list.unread().isEmpty() && list.nameless() == 0 ? List.<RawObject>of() : arrived.toList()) {
            boolean unread = list.nameless() > 0 || list.unread().contains(known.key());
            items = unread && items.get(known.key()) == null ? items.with(known) : items;
        }
        return new Indexer.Replaced(items, list.version(), list.freshness(), list.unread(), list.nameless());
    }

    private void replaced(Indexer.Replacement replacement, Indexer.Replaced all, boolean first) {
        if (replacement.reset()) {
            LOG.atWarn()
                    .addKeyValue("resource", name)
                    .addKeyValue("resourceVersion", all.version())
                    .addKeyValue("epoch", indexer.state().epoch())
                    .log("The server's versions went back (etcd restored?): the cache begins a new epoch [HS-303]");
        }
        doubts.clear();
        for (RawObject kept : replacement.doubted()) {
            doubt(kept.key());
        }
        all.unread().forEach(this::doubt);
        if (all.nameless() > 0) {
            arrived.toList().forEach(known -> doubt(known.key()));
        }
        quarantine.listed(all.unread(), indexer.state());
        status = status.filledBy(reflector.relists(), all.nameless());
        quarantined();
        if (first) {
            for (Told handler : handlers) {
                if (handler.startsEarly()) {
                    fifo.addFirst(new Delta.Completes(handler, arrived));
                } else {
                    handler.initialsOffered();
                }
            }
            arrived = Indexer.nothing();
            synced.complete(null);
        }
    }

    /** What handlers that start early are told of objects of the first list; readers see none of them yet (ADR 0009). */
    private List<Change> arrived(Delta.Arrived delta) {
        List<Change> changes = new ArrayList<>(delta.objects().size());
        SortedTree<ObjectKey, RawObject> next = arrived; // until all is said: there may be no memory for the rest
        for (RawObject object : delta.objects()) {
            RawObject known = next.get(object.key());
            Change change = change(known, object);
            if (change instanceof Change.Updated
                    && !Indexer.newer(
                            object.resourceVersion(),
                            Objects.requireNonNull(known).resourceVersion())) {
                continue; // of a server that lags behind the one before; the end of the list says what holds
            }
            if (change != null) {
                if (change instanceof Change.Added && known != null) {
                    changes.add(new Change.Deleted(known, known));
                }
                changes.add(change);
                next = next.with(object);
            }
        }
        arrived = next;
        return changes;
    }

    /** What leads from {@code known}, which ends first where it is of another UID, to {@code object}; null when that is the same. */
    private static @Nullable Change change(@Nullable RawObject known, RawObject object) {
        if (known == null || !known.uid().equals(object.uid())) {
            return new Change.Added(object);
        }
        boolean same = known.resourceVersion().equals(object.resourceVersion())
                && (known == object || Indexer.sameContents(known.bytes(), object.bytes()));
        return same ? null : new Change.Updated(known, object);
    }

    /** Tells a handler that started early what differs now that all is there: ends first, then adds and updates (P-C3). */
    private Work completing(Told early, SortedTree<ObjectKey, RawObject> told) {
        if (!handlers.contains(early)) {
            return () -> true; // it is closed
        }
        Layer<RawObject> base = indexer.state().base();
        Function<RawObject, @Nullable Change> ends = known -> {
            RawObject now = base.get(known.key());
            return now != null && now.uid().equals(known.uid()) ? null : new Change.Deleted(known, known);
        };
        Function<RawObject, @Nullable Change> others = object -> change(told.get(object.key()), object);
        Showing rest =
                new Showing(early, ResourceEventHandler.Phase.INITIAL, base.entries(), others, early::initialsOffered);
        Showing ended = new Showing(early, ResourceEventHandler.Phase.INITIAL, told, ends, () -> {});
        return new Work() {
            @Override
            public boolean advance() {
                return ended.advance() && rest.advance();
            }

            @Override
            public boolean goesOn() {
                return rest.goesOn();
            }

            @Override
            public Told skip() {
                ended.skip();
                return rest.skip();
            }
        };
    }

    private void doubt(ObjectKey key) {
        doubts.add(key, indexer.state().base().get(key));
    }

    /** Makes a table of all there is, in turns; nothing else is applied meanwhile, and readers go on without it. */
    private Work indexing(Delta.Indexes asked) {
        if (!indexed(asked.empty().index())) {
            return () -> true; // closed before its turn came
        }
        Iterator<RawObject> all = indexer.state().base().entries().iterator();
        return new Work() {
            private IndexTable table = asked.empty();

            @Override
            public boolean advance() {
                for (int done = 1; all.hasNext(); done++) {
                    table = table.with(all.next());
                    if (done % INDEXED == 0 && lane.shouldYield()) {
                        return false;
                    }
                }
                indexer.show(table);
                asked.built().complete(null);
                return true;
            }
        };
    }

    /** Whoever waits for this is not left waiting. */
    private static void abandon(@Nullable Delta delta) {
        if (delta instanceof Delta.Begins begins) {
            begins.told().close(); // it would wait for its initial objects for ever
        } else if (delta instanceof Delta.Completes completes) {
            completes.early().close();
        } else if (delta instanceof Delta.Ends ends) {
            ends.done().complete(null);
        }
    }

    private boolean indexed(Object index) {
        return indexes.stream().anyMatch(use -> use.index().equals(index));
    }

    private Work beginning(Told handler) {
        if (handler.isClosed()) {
            return () -> true;
        }
        if (gapsLateHandlers && status.filled) {
            lane.execute(() -> handlers.add(handler));
        } else {
            handlers.add(handler);
        }
        // Before the first list is complete it gets what has come of it, if it starts early, and the rest like all the
        // others.
        return new Showing(
                handler,
                ResourceEventHandler.Phase.INITIAL,
                toldTo(handler),
                Change.Added::new,
                status.filled ? handler::initialsOffered : () -> {});
    }

    /** All that a handler that is there was told of, as far as the log has been applied. */
    private SortedTree<ObjectKey, RawObject> toldTo(Told handler) {
        return !status.filled && handler.startsEarly()
                ? arrived
                : indexer.state().base().entries();
    }

    private Work ending(Told handler, CompletableFuture<Void> done) {
        if (!handlers.contains(handler)) {
            done.complete(null); // it never began
            return () -> true;
        }
        return new Showing(
                handler,
                ResourceEventHandler.Phase.LATER,
                toldTo(handler),
                last -> new Change.Deleted(last, last),
                () -> {
                    handlers.remove(handler);
                    done.complete(null);
                });
    }

    /** A new version of an unreadable object heals it; a frame that comes again does not. */
    private void heal(List<WatchFrame.Event> events, String before) {
        if (quarantine.isEmpty()) {
            return;
        }
        for (WatchFrame.Event event : events) {
            RawObject object = event.object();
            if (Indexer.newer(object.resourceVersion(), before)) {
                doubts.settle(object.key());
                quarantine.release(object.key());
            }
        }
        quarantined();
    }

    /** Shows, logs and tells what is in quarantine, if that has changed. */
    private void quarantined() {
        Map<ObjectKey, String> before = status.quarantine;
        Map<ObjectKey, String> now = quarantine.problems();
        if (before.equals(now)) {
            return;
        }
        status = status.with(now);
        now.forEach((key, problem) -> {
            if (!problem.equals(before.get(key))) {
                LOG.atWarn()
                        .addKeyValue("resource", name)
                        .addKeyValue("object", key)
                        .addKeyValue("problem", problem)
                        .log("An object cannot be read; it is contained, its siblings go on [HS-302]");
            }
        });
        before.forEach((key, problem) -> {
            if (!now.containsKey(key)) {
                LOG.atInfo()
                        .addKeyValue("resource", name)
                        .addKeyValue("object", key)
                        .log("The object that could not be read has healed, or is gone");
            }
        });
        tellListeners();
    }

    /** Somebody asked for an object that does not decode. Any thread. */
    void undecodable(RawObject object, ApiException.Undecodable problem) {
        String text = Quarantine.text(problem);
        if (text.equals(status.quarantine.get(object.key()))) {
            return; // known; it may be asked for often
        }
        onLane(() -> {
            if (quarantine.undecodable(object, text, indexer.state())) {
                quarantined();
            }
        });
    }

    private void heard() {
        heardAt = runtime.nanos();
        status = status.thatHeard();
    }

    // ---- what the Reflector calls, on the lane

    @Override
    public String version() {
        return indexer.state().version();
    }

    @Override
    public boolean filled() {
        return status.filled;
    }

    @Override
    public RawObject same(RawObject object) {
        RawObject told = arrived.get(object.key());
        return told != null && change(told, object) == null ? told : indexer.same(object);
    }

    @Override
    public void events(List<WatchFrame.Event> events) {
        heard();
        metrics.events(events.size());
        long bytes = 0;
        for (WatchFrame.Event event : events) {
            bytes += event.object().bytes().length;
        }
        fifo.add(new Delta.Events(events, bytes));
        pump();
    }

    @Override
    public boolean startsEarly() {
        return !status.filled && handlers.stream().anyMatch(Told::startsEarly);
    }

    @Override
    public void arrived(List<RawObject> objects) {
        heard();
        long bytes = 0;
        for (RawObject object : objects) {
            bytes += object.bytes().length;
        }
        fifo.add(new Delta.Arrived(objects, bytes));
        pump();
    }

    @Override
    public void bookmark(String version) {
        if (marksAtOnce) {
            indexer.bookmark(version);
            return;
        }
        heard();
        fifo.add(new Delta.Bookmark(version));
        pump();
    }

    @Override
    public void replaced(Indexer.Replaced all) {
        heard();
        metrics.listed(all.items().size(), heardAt);
        fifo.add(new Delta.Replaced(all));
        pump();
    }

    @Override
    public void afterApplied(Runnable next) {
        fifo.add(new Delta.Then(next));
        pump();
    }

    @Override
    public boolean inShard(RawObject object) {
        if (criteria.inShard(object)) {
            return true;
        }
        if (!status.filteredHere) {
            status = status.filteringHere();
            LOG.atWarn()
                    .addKeyValue("resource", name)
                    .log(
                            "The server sends objects of other shards, since it does not know shardSelector (feature gate"
                                    + " ShardedListAndWatch); they are left out here, after their bytes were paid for [HS-309]");
        }
        return false;
    }

    @Override
    public boolean hasRoom() {
        return fifo.hasRoom();
    }

    @Override
    public void torn(VirtualMachineError problem) {
        lost(problem);
    }

    @Override
    public void unread(String problem, @Nullable ObjectKey key) {
        if (key != null) {
            quarantine.unreadable(key, problem);
            quarantined();
        } else if (status.unnamed == 0) {
            // A list says each time how many there are; that is kept in the state.
            LOG.atWarn()
                    .addKeyValue("resource", name)
                    .addKeyValue("problem", problem)
                    .log(
                            "Something that shows no name cannot be read; nothing is taken as gone because of it [HS-302]");
        }
    }

    @Override
    public void entered(Phase phase, String verb, @Nullable ApiException cause) {
        Status before = status;
        boolean changed = before.phase != phase;
        InformerState.Problem problem = phase == Phase.WATCHING ? null : before.problem;
        Instant now = changed || cause != null ? runtime.wallClock() : before.since;
        if (cause != null) {
            problem = new InformerState.Problem(verb, type.toString(), cause, now);
            metrics.problem(verb, cause);
        }
        metrics.entered(before.phase, phase, cause, runtime.nanos());
        status = before.in(phase, changed ? now : before.since, problem);
        if (changed) {
            log(before.phase, phase, verb, cause);
            tellListeners();
        }
    }

    private void tellListeners() {
        InformerState now = state();
        for (Listening listening : listeners) {
            try {
                listening.told.accept(now);
            } catch (Throwable problem) {
                if (ofTheVm(problem)) {
                    throw problem;
                }
                LOG.atError()
                        .setCause(problem)
                        .addKeyValue("resource", name)
                        .addKeyValue("phase", now.phase())
                        .log("A listener to the informer's state threw; the informer goes on [HS-304]");
            }
        }
    }

    private void log(Phase before, Phase now, String verb, @Nullable ApiException cause) {
        boolean trouble = now.isTrouble();
        boolean recovered = before.isTrouble();
        var event = trouble ? LOG.atWarn() : recovered ? LOG.atInfo() : LOG.atDebug();
        event = event.addKeyValue("resource", name).addKeyValue("verb", verb).addKeyValue("was", before);
        if (cause != null) {
            event = event.addKeyValue("answer", cause.getMessage());
        }
        event.log(trouble ? "The informer is {} [HS-301]" : "The informer is {}", now);
    }

    // ---- what Doubts find out, on the lane

    @Override
    public void found(RawObject object) {
        RawObject known = indexer.state().base().get(object.key());
        boolean same = known != null && known.uid().equals(object.uid());
        LabelSelector.Answer selected = criteria.selects(object);
        if (same
                && selected == LabelSelector.Answer.UNKNOWN
                && Indexer.newer(object.resourceVersion(), indexer.state().version())) {
            doubts.again(object.key(), known); // it may have left the selection, which only the watch says
            return;
        }
        release(object.key());
        // A GET does not look at the selector.
        switch (selected) {
            case YES, NO -> fifo.add(new Delta.Confirmed(object)); // the Indexer knows what has left
            case UNKNOWN -> {
                if (same) {
                    fifo.add(new Delta.Confirmed(object));
                }
            }
        }
        pump();
    }

    @Override
    public void gone(Doubts.Doubt doubt) {
        release(doubt.key());
        fifo.add(new Delta.Denied(doubt.key(), doubt.known()));
        pump();
    }

    @Override
    public void refused(ObjectKey key) {
        indexer.unpresume(key, ""); // nobody can tell: what the watch says is shown
    }

    private void release(ObjectKey key) {
        quarantine.release(key);
        quarantined();
    }

    @Override
    public void unreadable(ObjectKey key, String problem) {
        quarantine.unreadable(key, problem);
        quarantined();
    }

    // ---- what the Audit asks and finds out, on the lane

    @Override
    public Indexer.@Nullable State comparable() {
        boolean settled = status.phase == Phase.WATCHING && work == null && fifo.isEmpty();
        boolean readable = quarantine.isEmpty() && doubts.isEmpty() && status.unnamed == 0;
        return settled && readable ? indexer.state() : null;
    }

    @Override
    public void agrees() {
        metrics.audited(0);
    }

    @Override
    public void differs(Audit.Difference difference) {
        metrics.audited(difference.total());
        LOG.atError()
                .addKeyValue("resource", name)
                .addKeyValue("resourceVersion", difference.version())
                .addKeyValue("lacking", difference.lacking())
                .addKeyValue("surplus", difference.surplus())
                .addKeyValue("other", difference.other())
                .addKeyValue("some", difference.some())
                .log(
                        "The cache was not what the server had at its version, and is listed anew: a change was lost without a"
                                + " trace, on the way, by the server, or by a defect of this library [HS-308]");
        reflector.relist();
    }
}
