package io.homeostat.reconciler;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.ResourceType;
import io.homeostat.core.Backoff;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Lane;
import io.homeostat.core.Metrics;
import io.homeostat.core.Registration;
import io.homeostat.workqueue.Priority;
import java.time.Duration;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BiConsumer;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Wakes everything that a watched type may concern, when nobody can say what a change concerns: the mapper threw, the object cannot
 * be read, versions were lost by merging. Each such change asks; one sweep answers all that asked since the last.
 *
 * <pre>
 *   IDLE ── asked ──► swept ──► RESTING 1 s, twice as long for each sweep in a row that a failure asked for, up to a minute
 *    ▲                  ▲           │ asked meanwhile, at the end
 *    │                  └───────────┤
 *    └──────────────────────────────┘ not asked; the row ends when that goes on for a minute
 * </pre>
 *
 * <p><b>Order.</b> A sweep begins after whatever asked for it: no wake-up is lost, it is late by a minute at most. <b>Threads.</b> Any
 * asks; sweeps run on a user lane of their own, since they may call the mapper. <b>Memory.</b> How often it was asked, not by whom.
 * <b>Failure.</b> Throws of a mapper are counted, and logged once a minute and with a stack once a class.
 */
final class Sweep implements Registration {
    /*
     * Invariants, whenever the lock is free
     * - resting is true from the moment a sweep is handed to the lane until a rest ends in which nobody asked.
     * - asked is 0 or resting is true; asked counts what no sweep has begun for, and first is the cause of the first of them.
     */

    private static final Backoff REST = new Backoff(Duration.ofSeconds(1), 2, Duration.ofMinutes(1), 0);
    private static final Duration SAYING = Duration.ofMinutes(1);
    private static final int KNOWN_CLASSES = 64;
    private static final Logger log = LoggerFactory.getLogger(Sweep.class);

    private final String controller;
    private final ResourceType<?> type;
    private final EngineRuntime runtime;
    private final Lane lane;
    private final Metrics.Counter failures;
    private final BiConsumer<String, Priority> everything;
    private final RandomGenerator random;
    private final ReentrantLock lock = new ReentrantLock();

    @GuardedBy("lock")
    private boolean resting;

    @GuardedBy("lock")
    private boolean closed;

    @GuardedBy("lock")
    private int asked;

    @GuardedBy("lock")
    private String first = "";

    @GuardedBy("lock")
    private boolean failed; // whether one of those that asked had failed

    @GuardedBy("lock")
    private int row; // sweeps in a row that a failure asked for

    @GuardedBy("lock")
    private long restedAt; // when the last rest ended in which nobody asked

    @GuardedBy("lock")
    private @Nullable Registration timer;

    @GuardedBy("lock")
    private final Said threw = new Said();

    @GuardedBy("lock")
    private final Said unread = new Said();

    /** What the log was told of one kind of trouble; guarded by the lock. */
    private static final class Said {
        private final Set<Class<?>> classes = new HashSet<>(); // never iterated
        private boolean once;
        private long at;
        private long unsaid;

        /** How many were not said before this one; -1 when this one is not to be said either. */
        long say(Throwable thrown, long now) {
            boolean known = classes.contains(thrown.getClass());
            if (once && known && now - at < SAYING.toNanos()) {
                unsaid++;
                return -1;
            }
            long before = unsaid;
            unsaid = 0;
            once = true;
            at = now;
            return before;
        }

        /** Whether a stack of this class is new to the log. */
        boolean isNew(Throwable thrown) {
            return classes.size() < KNOWN_CLASSES && classes.add(thrown.getClass());
        }
    }

    /**
     * A sweep that nobody has asked for.
     *
     * @param failures counts throws of the mapper
     * @param everything enqueues all keys that the type may concern, with a cause
     */
    Sweep(
            String controller,
            ResourceType<?> type,
            EngineRuntime runtime,
            Metrics.Counter failures,
            BiConsumer<String, Priority> everything) {
        this.controller = controller;
        this.type = type;
        this.runtime = runtime;
        this.lane = runtime.userLane("sweep " + controller + " " + type.plural());
        this.failures = failures;
        this.everything = everything;
        this.random = runtime.random("sweep " + controller + " " + type.plural());
    }

    /** The mapper threw for an object. */
    void mapperThrew(ObjectKey key, String cause, Throwable thrown) {
        failures.add(1);
        long before;
        boolean fresh;
        long now = runtime.nanos();
        lock.lock();
        try {
            before = threw.say(thrown, now);
            fresh = before >= 0 && threw.isNew(thrown);
        } finally {
            lock.unlock();
        }
        ask(cause + ", its mapper threw", true);
        if (before >= 0) {
            log.error(
                    "controller {}: the mapper of {} threw for {}{}; every key it may concern is looked at, within a minute: {} [HS-304]",
                    controller,
                    type,
                    key,
                    others(before),
                    Texts.of(thrown),
                    fresh ? thrown : null);
        }
    }

    /** An object cannot be decoded, so that the mapper was not asked. */
    void unreadable(ObjectKey key, String cause, Throwable thrown) {
        long before;
        long now = runtime.nanos();
        lock.lock();
        try {
            before = unread.say(thrown, now);
            unread.isNew(thrown);
        } finally {
            lock.unlock();
        }
        ask(cause + ", it cannot be read", true);
        if (before >= 0) {
            // The cache itself warns of the object.
            log.info(
                    "controller {}: {} {} cannot be read{}; every key it may concern is looked at, within a minute: {}",
                    controller,
                    type.kind(),
                    key,
                    others(before),
                    Texts.of(thrown));
        }
    }

    /** More versions of an object were merged than the mapper could be shown. */
    void versionsMissed(String cause) {
        ask(cause + ", with others", false);
    }

    private static String others(long before) {
        return before == 0 ? "" : " (" + before + " more times since this was last said)";
    }

    private void ask(String cause, boolean failure) {
        lock.lock();
        try {
            if (closed) {
                return;
            }
            if (asked++ == 0) {
                first = cause;
            }
            failed |= failure;
            if (resting) {
                return;
            }
            resting = true;
            if (runtime.nanos() - restedAt >= REST.cap().toNanos()) {
                row = 0;
            }
        } finally {
            lock.unlock();
        }
        lane.execute(this::sweep);
    }

    /** On the lane. */
    private void sweep() {
        String cause;
        Duration rest;
        lock.lock();
        try {
            cause = asked == 1 ? first : first + " (and " + (asked - 1) + " others)";
            row += failed ? 1 : 0;
            rest = REST.delay(failed ? row : 0, random);
            asked = 0;
            failed = false;
        } finally {
            lock.unlock();
        }
        try {
            everything.accept(cause, Priority.BACKGROUND);
        } finally {
            rest(rest);
        }
    }

    private void rest(Duration length) {
        lock.lock();
        try {
            if (!closed) {
                timer = runtime.after(length, lane, this::rested);
            }
        } finally {
            lock.unlock();
        }
    }

    /** On the lane. */
    private void rested() {
        lock.lock();
        try {
            if (asked == 0) {
                resting = false;
                restedAt = runtime.nanos();
                return;
            }
        } finally {
            lock.unlock();
        }
        sweep();
    }

    @Override
    public void close() {
        lock.lock();
        try {
            closed = true;
            if (timer != null) {
                timer.close();
            }
        } finally {
            lock.unlock();
        }
        lane.close();
    }
}
