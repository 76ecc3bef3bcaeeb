package io.homeostat.workqueue;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.homeostat.core.Backoff;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Lane;
import io.homeostat.core.Metrics;
import io.homeostat.core.Registration;
import io.homeostat.core.Stable;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * A queue of keys to look at: each key once, one holder a key, now or later, after a failure with a growing wait.
 *
 * <p>Nobody blocks in it. When keys are ready it says so through the callback given at creation, and {@link #poll} hands them out.
 * A key means "look again": what is asked for several times before it is handed out is one look, and a look takes whatever was
 * asked for before it began, later looks included. Whoever wanted a later one asks again from its outcome.
 *
 * <pre>
 *            addAfter            due, or add            poll
 *   (gone) ───────────► DELAYED ─────────────► READY ─────────► HELD ── done ──► (gone)
 *      └──────────────────── add ────────────────►▲               │  done, and it was added meanwhile ──► READY
 *                          ▲                                      │  done, and addAfter was called meanwhile ──► DELAYED
 *                          └──────────────────────────────────────┘  retry: after a backoff
 * </pre>
 *
 * <p><b>Order.</b> First ready, first out, among keys of one {@link Priority} and one <i>flow</i>, which is what the function given at
 * creation makes of a key (its namespace, say); flows take turns, a key each, so that a namespace with ten thousand keys holds up the
 * one key of another by one look and not by ten thousand. Without that function all keys are one flow. A {@code BACKGROUND} key goes behind the
 * {@code NORMAL} ones until it has waited for the ageing time longer than they did. From then on every {@value #SHARE}th key handed out is
 * such a one: neither does an endless load of changes starve the background, nor does a long list, all of which has aged, hold up a change. A
 * key is never handed out while it is held. Delayed keys become ready in the order they are due.
 *
 * <p><b>Failures.</b> {@link #retry} waits as {@link Config#backoff} says for the failures in a row, above one second with full
 * jitter on what exceeds the second. An {@code add} during that wait brings the key forward, but not closer than
 * {@link Config#holdOff} to the failure, so that a run which fails and touches its own sources cannot spin. A failure that comes
 * before the wait it was brought forward from has passed does not make the wait grow. {@link #done} and {@link #forget} start anew.
 *
 * <p><b>Threads.</b> Every method may be called from any thread and none blocks. One short lock guards the state; no code of others
 * runs under it but {@code equals} and {@code hashCode} of the key. The callback runs on the lane given at creation, never on the
 * stack of whoever adds; calls are coalesced.
 *
 * <p><b>Memory.</b> Proportional to live keys: ready, delayed, or held. One timer is armed at a time, for the earliest delayed key.
 *
 * <p><b>Failure.</b> What is accepted is handed out, until {@link #shutdown}. Then {@code add} and its like return false, and the
 * stage of {@code shutdown} names what was dropped.
 */
@Stable
public final class WorkQueue<K> {
    /** How many different causes are kept for one look at a key; the rest are counted together. */
    public static final int MAX_CAUSES = 8;

    /** How a key that is delayed already takes a new delay. */
    @Stable
    public enum Delay {
        /** The earlier of both. */
        EARLIEST,
        /** The new one, earlier or later. A key that is ready stays ready. */
        REPLACE
    }

    /** What {@link #shutdown} does with keys that are ready. */
    @Stable
    public enum Shutdown {
        /** Hand out what is ready, and what was added to a held key; drop what is delayed. */
        DRAIN,
        /** Drop everything that is not held. */
        STOP
    }

    /**
     * The numbers of a queue.
     *
     * @param backoff waits of a failing key, before the jitter described at the class; its own jitter should be 0
     * @param holdOff the closest an {@code add} brings a failing key to its last failure, when its backoff is longer
     * @param ageing how much longer than a {@code NORMAL} key a {@code BACKGROUND} one waits before it has its share
     */
    @Stable
    public record Config(Backoff backoff, Duration holdOff, Duration ageing) {
        /** 5 ms × 2ⁿ up to 5 minutes; 1 second; 30 seconds. */
        public static final Config DEFAULT = new Config(
                new Backoff(Duration.ofMillis(5), 2, Duration.ofMinutes(5), 0),
                Duration.ofSeconds(1),
                Duration.ofSeconds(30));

        /** Checks the ranges. */
        public Config {
            if (holdOff.isNegative() || ageing.isNegative()) {
                throw new IllegalArgumentException(
                        "Queue with hold-off " + holdOff + " and ageing " + ageing + ": neither may be negative");
            }
        }
    }

    // Invariants, whenever the lock is free:
    // - entries holds exactly the live keys; an entry is DELAYED, READY or HELD.
    // - READY ⇔ in the ready keys of its priority, and nowhere else. DELAYED ⇒ in the heap. HELD ⇒ in held; in the
    //   heap only when a later look was asked for. again ⇒ HELD, and not in the heap.
    // - causes is present exactly when a next run is certain: READY, DELAYED, or HELD with again or in the heap.
    // - If something is ready, a turn is scheduled or running, or the consumer was called since, or polling says that
    // it
    //   goes on by itself. If the heap has a head that no timer is armed for, a turn is scheduled or running. The timer
    // is never armed later than the head is due once the turns that are
    //   scheduled have run.
    // - After shutdown the heap is empty; after STOP the ready keys are too.

    /** Of keys handed out while changes wait, every so manyth may be one of the background that has aged. */
    static final int SHARE = 4;

    private static final int DUE_PER_LOCK = 256;
    private static final Object ONE_FLOW = "";

    private final String name;
    private final EngineRuntime runtime;
    private final Lane lane;
    private final Runnable onReady;
    private final Config config;
    private final Function<? super K, ?> flow;
    private final RandomGenerator random; // its own sequence; used under the lock only
    private final boolean forgetsHolders; // a planted defect; false outside a simulation that looks for it
    private final ReentrantLock lock = new ReentrantLock();

    @GuardedBy("lock")
    private final KeyTable<K> entries = new KeyTable<>();

    @GuardedBy("lock")
    private final ReadyKeys<K> normal = new ReadyKeys<>();

    @GuardedBy("lock")
    private final ReadyKeys<K> background = new ReadyKeys<>();

    @GuardedBy("lock")
    private final DelayHeap<K> delayed = new DelayHeap<>();

    @GuardedBy("lock")
    private final EntryList<K> held = new EntryList<>(); // in the order they were handed out

    /** How many changes have gone since the background had its share. */
    @GuardedBy("lock")
    private int sinceShare = SHARE;

    @GuardedBy("lock")
    private boolean turnScheduled;

    /** Whether the last poll gave a key: whoever polls goes on until there is none, and need not be called before. */
    @GuardedBy("lock")
    private boolean polling;

    @GuardedBy("lock")
    private @Nullable Shutdown shutdown;

    @GuardedBy("lock")
    private final List<K> dropped = new ArrayList<>();

    private volatile QueueFigures figures = QueueFigures.NONE; // replaced by report; read by whoever uses the queue
    private final CompletableFuture<List<K>> drained = new CompletableFuture<>();

    private @Nullable Registration timer; // confined to the lane
    private long timerDue; // confined to the lane

    /**
     * Creates a queue.
     *
     * @param name for thread names and messages
     * @param runtime gives time, timers and chance
     * @param lane where {@code onReady} runs; the queue never waits on it
     * @param onReady called when keys are ready to be polled and again only after it began; polls until null, or until it has
     *     enough and will poll again by itself. Once {@link #poll} has given a key, it is not called for another before {@code poll} has
     *     given null or it threw
     */
    public WorkQueue(String name, EngineRuntime runtime, Lane lane, Runnable onReady, Config config) {
        this(name, runtime, lane, onReady, config, key -> ONE_FLOW);
    }

    /**
     * Creates a queue whose flows take turns.
     *
     * @param flow of a key; pure and quick, never null, with {@code equals} and {@code hashCode} like a key's. Called outside the lock
     */
    public WorkQueue(
            String name,
            EngineRuntime runtime,
            Lane lane,
            Runnable onReady,
            Config config,
            Function<? super K, ?> flow) {
        this.flow = flow;
        this.name = name;
        this.runtime = runtime;
        this.lane = lane;
        this.onReady = onReady;
        this.config = config;
        this.random = runtime.random("workqueue/" + name);
        this.forgetsHolders = runtime.planted("workqueue.no-dedup-in-flight");
    }

    /** Asks for a look now, as {@link Priority#NORMAL}. See {@link #add(Object, String, Priority)}. */
    public boolean add(K key, String cause) {
        return add(key, cause, Priority.NORMAL);
    }

    /**
     * Asks for a look at {@code key} as soon as possible: after the work that holds it now, or after the hold-off when it failed
     * just before.
     *
     * @return false when the queue is shut down
     */
    public boolean add(K key, String cause, Priority priority) {
        Object itsFlow = requireKey(key, cause);
        long now = runtime.nanos();
        boolean turn;
        boolean asked;
        lock.lock();
        try {
            if (shutdown != null) {
                return false;
            }
            Entry<K> entry = entries.get(key);
            if (entry == null) {
                entry = new Entry<>(key, itsFlow, Entry.Place.DELAYED);
                entries.add(entry);
            }
            entry.because(cause);
            asked = entry.place != Entry.Place.READY && !entry.again;
            turn = wanted(entry, now, priority);
            asked &= entry.place != Entry.Place.DELAYED; // held off: counted when it is due
            check();
        } finally {
            lock.unlock();
        }
        if (asked) {
            figures.adds.add(1);
        }
        runTurn(turn);
        return true;
    }

    /** Asks for a look after {@code delay}, or earlier when one is due earlier already. */
    public boolean addAfter(K key, Duration delay, String cause) {
        return addAfter(key, delay, cause, Delay.EARLIEST);
    }

    /**
     * Asks for a look after {@code delay}; zero or less is {@link #add}. A key that is ready, or added again while held, keeps its
     * earlier look and nothing else happens. For a held key the delay counts from now, and the look comes after the work.
     *
     * @return false when the queue is shut down
     */
    public boolean addAfter(K key, Duration delay, String cause, Delay rule) {
        if (delay.isNegative() || delay.isZero()) {
            return add(key, cause);
        }
        Object itsFlow = requireKey(key, cause);
        long now = runtime.nanos();
        long asked = later(now, delay);
        boolean turn = false;
        lock.lock();
        try {
            if (shutdown != null) {
                return false;
            }
            Entry<K> entry = entries.get(key);
            if (entry == null) {
                entry = new Entry<>(key, itsFlow, Entry.Place.DELAYED);
                entries.add(entry);
            }
            entry.because(cause);
            if (entry.place != Entry.Place.READY && !entry.again) {
                entry.priority = Priority.NORMAL;
                long due = entry.failures == null ? asked : latest(asked, entry.failures.notBefore);
                if (entry.heapIndex < 0 || rule == Delay.REPLACE || due - entry.dueAt < 0) {
                    turn = delay(entry, due);
                }
            }
            check();
        } finally {
            lock.unlock();
        }
        figures.retries.add(1);
        runTurn(turn);
        return true;
    }

    /**
     * Takes back a later look that was asked for with {@code addAfter}.
     *
     * @return false when there is none, or when the key waits after a failure
     */
    public boolean cancel(K key) {
        lock.lock();
        try {
            Entry<K> entry = entries.get(key);
            if (entry == null
                    || entry.heapIndex < 0
                    || (entry.place == Entry.Place.DELAYED && entry.failures != null)) {
                return false;
            }
            delayed.remove(entry);
            entry.dropCauses();
            if (entry.place == Entry.Place.DELAYED) {
                entries.remove(entry);
            }
            check();
            return true;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Forgets the failures of {@code key}, say because what it failed on was changed: the next add is not held off, and the next
     * failure is its first. A key in backoff stays delayed until it is added or due. What a server asked to wait stands: a
     * Retry-After is about the key, whatever it was about.
     */
    public void forget(K key) {
        lock.lock();
        try {
            Entry<K> entry = entries.get(key);
            if (entry != null) {
                entry.forgetFailures();
            }
        } finally {
            lock.unlock();
        }
    }

    /** Hands out the next ready key, to be held until {@link #done} or {@link #retry}; null when none is ready. */
    public @Nullable Work<K> poll() {
        long now = runtime.nanos();
        long waited;
        Work<K> work;
        lock.lock();
        try {
            Entry<K> entry = next();
            polling = entry != null;
            if (entry == null) {
                return null;
            }
            waited = Math.max(0, now - entry.since);
            // First what needs memory: a key that nobody got must not be held.
            work = new Work<>(entry.key, entry.causes(), entry.failuresInARow() + 1, Duration.ofNanos(waited));
            entry.dropCauses();
            ready(entry.priority).handedOut(entry);
            entry.place = Entry.Place.HELD;
            entry.heldPriority = entry.priority;
            entry.priority = Priority.BACKGROUND;
            entry.since = now;
            held.addLast(entry);
            if (forgetsHolders) {
                entries.remove(entry);
            }
            check();
        } finally {
            lock.unlock();
        }
        figures.waited(waited);
        return work;
    }

    /**
     * Ends the work on {@code key} well: its failures are forgotten.
     *
     * @throws IllegalStateException when the key is not held
     */
    public void done(K key) {
        QueueFigures told = figures;
        boolean measures = told != QueueFigures.NONE; // to ask for the time is half of what this costs
        long now = measures ? runtime.nanos() : 0;
        boolean turn;
        long worked;
        lock.lock();
        try {
            Entry<K> entry = release(key);
            worked = now - entry.since;
            entry.startAnew();
            turn = settle(entry, measures || !entry.again ? now : runtime.nanos());
            check();
        } finally {
            lock.unlock();
        }
        if (measures) {
            told.worked(worked);
        }
        runTurn(turn);
    }

    /** Ends the work on {@code key} with a failure: it comes again after its backoff. See {@link #retry(Object, String, Duration)}. */
    public void retry(K key, String cause) {
        retry(key, cause, Duration.ZERO);
    }

    /**
     * Ends the work on {@code key} with a failure: it comes again after its backoff, with the priority it had.
     *
     * @param atLeast not before this from now, whatever is added meanwhile: a server's Retry-After. More than the longest
     *     backoff counts as that
     * @throws IllegalStateException when the key is not held
     */
    public void retry(K key, String cause, Duration atLeast) {
        retry(key, cause, atLeast, config.backoff.cap());
    }

    /**
     * Ends the work on {@code key} because something it needs is not there yet: it comes again after its backoff, but within
     * {@code atMost} however often that happens, so that it goes on soon after the thing has come.
     *
     * @throws IllegalStateException when the key is not held
     */
    public void retryWithin(K key, String cause, Duration atMost) {
        retry(key, cause, Duration.ZERO, atMost);
    }

    private void retry(K key, String cause, Duration atLeast, Duration atMost) {
        long now = runtime.nanos();
        boolean turn;
        long worked;
        lock.lock();
        try {
            Entry<K> entry = release(key);
            worked = now - entry.since;
            if (shutdown != null) {
                entry.startAnew();
                if (!entry.again) {
                    dropped.add(key);
                }
                turn = settle(entry, now);
            } else {
                turn = retryLater(entry, now, cause, atLeast, atMost);
            }
            check();
        } finally {
            lock.unlock();
        }
        figures.worked(worked);
        figures.retries.add(1);
        runTurn(turn);
    }

    @GuardedBy("lock")
    private boolean retryLater(Entry<K> entry, long now, String cause, Duration atLeast, Duration atMost) {
        Entry.Failures failures = entry.failures == null ? new Entry.Failures() : entry.failures;
        entry.failures = failures;
        if (failures.inARow == 0 || now - failures.backoffEnd >= 0) {
            failures.inARow = Math.min(failures.inARow, Integer.MAX_VALUE - 2) + 1;
        }
        Duration floor = atLeast.compareTo(config.backoff.cap()) < 0 ? atLeast : config.backoff.cap();
        long backoff = Math.min(jittered(config.backoff.delay(failures.inARow, random)), atMost.toNanos());
        long wait = Math.max(backoff, floor.toNanos());
        failures.backoffEnd = now + wait;
        failures.hasServerFloor = !floor.isZero() && !floor.isNegative();
        failures.serverFloor = now + floor.toNanos();
        failures.notBefore = now + Math.max(Math.min(wait, config.holdOff.toNanos()), floor.toNanos());
        long due = failures.backoffEnd;
        if (entry.again) {
            due = failures.notBefore;
        } else if (entry.heapIndex >= 0 && entry.dueAt - due < 0) {
            due = latest(entry.dueAt, failures.notBefore);
        }
        entry.again = false;
        entry.place = Entry.Place.DELAYED;
        entry.priority = entry.priority.moreUrgent(entry.heldPriority);
        entry.because(cause);
        return delay(entry, due);
    }

    /**
     * Refuses new keys from now on. May be called again, with {@code STOP} to end a drain.
     *
     * @return completes on the lane, when nothing is ready (which takes a consumer that goes on polling) and nothing is held; the
     *     value is what was accepted and never handed out, retries that fell due during the shutdown included
     */
    public CompletionStage<List<K>> shutdown(Shutdown mode) {
        boolean turn;
        lock.lock();
        try {
            shutdown = shutdown == Shutdown.STOP ? Shutdown.STOP : mode;
            if (shutdown == Shutdown.STOP) {
                dropReady(normal);
                dropReady(background);
            }
            for (Entry<K> first = delayed.first(); first != null; first = delayed.first()) {
                delayed.remove(first);
                first.dropCauses();
                dropped.add(first.key);
                if (first.place == Entry.Place.DELAYED) {
                    entries.remove(first);
                }
            }
            check();
            turn = scheduleTurn();
        } finally {
            lock.unlock();
        }
        runTurn(turn);
        return drained;
    }

    /**
     * Reports the figures of client-go's queues, under its names ({@code workqueue_depth}, {@code workqueue_adds_total}, {@code
     * workqueue_retries_total}, {@code workqueue_queue_duration_seconds}, {@code workqueue_work_duration_seconds}, {@code
     * workqueue_unfinished_work_seconds}, {@code workqueue_longest_running_processor_seconds}), until the registration is closed. An
     * add counts when it is not merged into one that waits, a delayed one when it is due. Before the queue is used, and once.
     *
     * @param metrics {@link Metrics#contained}; called outside the lock
     */
    public Registration report(Metrics metrics) {
        List<Registration> gauges = new ArrayList<>();
        for (Priority priority : Priority.values()) {
            gauges.add(metrics.gauge("workqueue_depth", () -> readyOf(priority), QueueFigures.labels(name, priority)));
        }
        gauges.add(
                metrics.gauge("workqueue_unfinished_work_seconds", this::unfinishedSeconds, QueueFigures.labels(name)));
        gauges.add(metrics.gauge(
                "workqueue_longest_running_processor_seconds", this::longestSeconds, QueueFigures.labels(name)));
        QueueFigures mine = new QueueFigures(metrics, name, List.copyOf(gauges));
        figures = mine;
        return () -> {
            figures = QueueFigures.NONE;
            mine.close();
        };
    }

    private long readyOf(Priority priority) {
        lock.lock();
        try {
            return ready(priority).size();
        } finally {
            lock.unlock();
        }
    }

    private long unfinishedSeconds() {
        long now = runtime.nanos();
        double nanos = 0;
        lock.lock();
        try {
            for (Entry<K> entry = held.first(); entry != null; entry = entry.behind) {
                nanos += now - entry.since;
            }
        } finally {
            lock.unlock();
        }
        return (long) (nanos / 1e9);
    }

    private long longestSeconds() {
        long now = runtime.nanos();
        lock.lock();
        try {
            Entry<K> longest = held.first();
            return longest == null ? 0 : (now - longest.since) / 1_000_000_000;
        } finally {
            lock.unlock();
        }
    }

    /** How many keys are ready. */
    public int ready() {
        lock.lock();
        try {
            return normal.size() + background.size();
        } finally {
            lock.unlock();
        }
    }

    /** How many keys wait for their time, those in backoff included. */
    public int delayed() {
        lock.lock();
        try {
            return delayed.size();
        } finally {
            lock.unlock();
        }
    }

    /** How many keys are held. */
    public int held() {
        lock.lock();
        try {
            return held.size();
        } finally {
            lock.unlock();
        }
    }

    /** The queue's name and sizes. */
    @Override
    public String toString() {
        lock.lock();
        try {
            return "WorkQueue " + name + " (" + (normal.size() + background.size()) + " ready, " + delayed.size()
                    + " delayed, " + held.size() + " held)";
        } finally {
            lock.unlock();
        }
    }

    /** The flow of a key that is none of ours to refuse. */
    private Object requireKey(K key, String cause) {
        if (key == null) {
            throw new NullPointerException("Queue " + name + " was given null for a key, because of: " + cause);
        }
        if (cause == null) {
            throw new NullPointerException("Queue " + name + " was given null for the cause of " + key + "; say why");
        }
        Object itsFlow = flow.apply(key);
        if (itsFlow == null) {
            throw new NullPointerException("Queue " + name + " got null for the flow of " + key + "; give it one");
        }
        return itsFlow;
    }

    /** A look at {@code entry} is wanted now. */
    @GuardedBy("lock")
    private boolean wanted(Entry<K> entry, long now, Priority priority) {
        switch (entry.place) {
            case READY -> {
                if (priority.moreUrgent(entry.priority) != entry.priority) {
                    ready(entry.priority).remove(entry);
                    entry.priority = priority;
                    ready(priority).add(entry);
                }
                return false;
            }
            case HELD -> {
                delayed.remove(entry);
                entry.again = true;
                entry.priority = entry.priority.moreUrgent(priority);
                return false;
            }
            case DELAYED -> {
                entry.priority = entry.priority.moreUrgent(priority);
                if (entry.failures != null && now - entry.failures.notBefore < 0) {
                    long earliest = entry.failures.notBefore;
                    return entry.dueAt - earliest > 0 && delay(entry, earliest);
                }
                delayed.remove(entry);
                return makeReady(entry, now);
            }
        }
        throw new AssertionError("place " + entry.place);
    }

    /** Ends a hold: ready, delayed or gone, as was asked meanwhile. */
    @GuardedBy("lock")
    private boolean settle(Entry<K> entry, long now) {
        if (entry.again && shutdown != Shutdown.STOP) {
            entry.again = false;
            return makeReady(entry, now);
        }
        if (entry.heapIndex >= 0) {
            entry.place = Entry.Place.DELAYED;
            return false;
        }
        if (entry.again) {
            dropped.add(entry.key);
        }
        entries.remove(entry);
        return shutdown != null && held.isEmpty() && scheduleTurn();
    }

    @GuardedBy("lock")
    private Entry<K> release(K key) {
        Entry<K> entry = forgetsHolders ? new Entry<>(key, ONE_FLOW, Entry.Place.HELD) : entries.get(key);
        if (entry == null || entry.place != Entry.Place.HELD) {
            throw new IllegalStateException("Queue " + name + " was told that work on " + key
                    + " ended, but the key is not held: end each key that poll() gave exactly once");
        }
        Entry<K> goes = forgetsHolders ? held.first() : entry;
        if (goes != null) {
            held.remove(goes);
        }
        return entry;
    }

    @GuardedBy("lock")
    private boolean makeReady(Entry<K> entry, long now) {
        entry.place = Entry.Place.READY;
        entry.since = now;
        ready(entry.priority).add(entry);
        return !polling && scheduleTurn();
    }

    /** Puts {@code entry} into the heap; a turn is due when it comes first there. */
    @GuardedBy("lock")
    private boolean delay(Entry<K> entry, long due) {
        delayed.put(entry, due);
        return entry.heapIndex == 0 && scheduleTurn();
    }

    @GuardedBy("lock")
    private boolean scheduleTurn() {
        boolean first = !turnScheduled;
        turnScheduled = true;
        return first;
    }

    @GuardedBy("lock")
    private ReadyKeys<K> ready(Priority priority) {
        return priority == Priority.NORMAL ? normal : background;
    }

    @GuardedBy("lock")
    private @Nullable Entry<K> next() {
        Entry<K> fast = normal.first();
        Entry<K> slow = background.first();
        if (fast == null || slow == null) {
            return fast == null ? slow : fast;
        }
        if (sinceShare >= SHARE - 1) {
            Entry<K> aged = background.firstBefore(fast.since - config.ageing.toNanos());
            if (aged != null) {
                sinceShare = 0;
                return aged;
            }
        }
        sinceShare = Math.min(SHARE, sinceShare + 1);
        return fast;
    }

    @GuardedBy("lock")
    private void dropReady(ReadyKeys<K> ready) {
        for (Entry<K> entry : ready.drain()) {
            dropped.add(entry.key);
            entries.remove(entry);
        }
    }

    private void runTurn(boolean turn) {
        if (turn) {
            lane.execute(this::turn);
        }
    }

    /** On the lane: makes due keys ready, arms the timer for the next, calls the consumer. */
    private void turn() {
        long now = runtime.nanos();
        boolean more;
        boolean anyReady;
        boolean hasNext;
        long nextDue = 0;
        int due;
        List<K> report = null;
        lock.lock();
        try {
            turnScheduled = false;
            int moved = 0;
            Entry<K> head = delayed.first();
            while (head != null && head.dueAt - now <= 0 && moved < DUE_PER_LOCK) {
                delayed.remove(head);
                fallDue(head, now);
                moved++;
                head = delayed.first();
            }
            due = moved;
            more = head != null && head.dueAt - now <= 0;
            if (more) {
                turnScheduled = true;
            }
            hasNext = head != null;
            if (head != null) {
                nextDue = head.dueAt;
            }
            anyReady = !normal.isEmpty() || !background.isEmpty();
            if (shutdown != null && !anyReady && held.isEmpty()) {
                report = List.copyOf(dropped);
            }
            check();
        } finally {
            lock.unlock();
        }
        if (due > 0) {
            figures.adds.add(due);
        }
        if (more) {
            lane.execute(this::turn);
        } else {
            arm(hasNext, nextDue, now);
        }
        if (report != null) {
            drained.complete(report);
        }
        if (anyReady) {
            callConsumer();
        }
    }

    private void callConsumer() {
        try {
            onReady.run();
        } catch (Throwable thrown) {
            lock.lock();
            try {
                polling = false; // it may not have come to its end: the next key calls it again
            } finally {
                lock.unlock();
            }
            throw thrown;
        }
    }

    @GuardedBy("lock")
    private void fallDue(Entry<K> entry, long now) {
        if (entry.place == Entry.Place.HELD) {
            entry.again = true;
        } else {
            entry.place = Entry.Place.READY;
            entry.since = now;
            ready(entry.priority).add(entry);
        }
    }

    /** Confined to the lane. A timer that is armed too early is left alone: it finds nothing due and comes here again. */
    private void arm(boolean hasNext, long due, long now) {
        Registration armed = timer;
        if (armed != null && (!hasNext || timerDue - due > 0)) {
            armed.close();
            timer = null;
            armed = null;
        }
        if (hasNext && armed == null) {
            timerDue = due;
            timer = runtime.after(Duration.ofNanos(Math.max(1, due - now)), lane, () -> {
                timer = null;
                turn();
            });
        }
    }

    /** Full jitter on what exceeds a second: never less than the second, on average half of the rest. */
    @GuardedBy("lock")
    private long jittered(Duration wait) {
        long nanos = wait.toNanos();
        long second = 1_000_000_000;
        return nanos <= second ? nanos : second + (long) (random.nextDouble() * (double) (nanos - second));
    }

    private static long later(long now, Duration delay) {
        // Half the range: differences between any two times in the heap must not overflow.
        Duration longest = Duration.ofNanos(Long.MAX_VALUE / 4);
        return now + (delay.compareTo(longest) < 0 ? delay : longest).toNanos();
    }

    private static long latest(long a, long b) {
        return a - b >= 0 ? a : b;
    }

    @GuardedBy("lock")
    private void check() {
        assert forgetsHolders || invariantsHold() : "queue " + name + " broke an invariant";
    }

    /** Whole checks while the queue is small, sizes only when it is large, so that tests with -ea stay fast. */
    @GuardedBy("lock")
    private boolean invariantsHold() {
        if (entries.size() > 64) {
            return normal.size() + background.size() + held.size() <= entries.size()
                    && delayed.size() <= entries.size()
                    && (shutdown == null || delayed.size() == 0);
        }
        int heldSeen = 0;
        int heapSeen = 0;
        int readySeen = 0;
        for (Entry<K> entry : entries.all()) {
            boolean inReady = ready(entry.priority).contains(entry);
            boolean inHeap = entry.heapIndex >= 0;
            boolean next = entry.place != Entry.Place.HELD || entry.again || inHeap;
            boolean placed =
                    switch (entry.place) {
                        case READY -> inReady && !inHeap && !entry.again;
                        case DELAYED -> !inReady && inHeap && !entry.again;
                        case HELD -> !inReady && !(inHeap && entry.again);
                    };
            if (!placed || next != entry.hasCauses() || entries.get(entry.key) != entry) {
                return false;
            }
            heldSeen += entry.place == Entry.Place.HELD ? 1 : 0;
            heapSeen += inHeap ? 1 : 0;
            readySeen += inReady ? 1 : 0;
        }
        return held.valid()
                && heldSeen == held.size()
                && heapSeen == delayed.size()
                && readySeen == normal.size() + background.size()
                && delayed.valid()
                && normal.valid()
                && background.valid()
                && (shutdown == null || delayed.size() == 0);
    }
}
