package io.homeostat.workqueue;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What the queue knows of one live key. Every field is guarded by the queue's lock.
 *
 * <p>There may be a million of them that only wait, so one is small, links to its neighbours itself, and keeps elsewhere what few need.
 */
final class Entry<K> {
    enum Place {
        DELAYED,
        READY,
        HELD
    }

    final K key;

    /** Whose turn it takes; the same for equal keys. */
    final Object flow;

    /** Of the key; where the table has it. */
    final int hash;

    /** In the table: the next of its slot. */
    @Nullable
    Entry<K> nextInSlot;

    /** In a list, of its flow when READY, of all that are held when HELD: the one before it. */
    @Nullable
    Entry<K> before;

    /** …and the one behind it. */
    @Nullable
    Entry<K> behind;

    Place place;
    Priority priority = Priority.BACKGROUND;

    /** HELD only: the priority of the run under way, kept when it is retried. */
    Priority heldPriority = Priority.NORMAL;

    /** For the next run: null when nobody asked for one yet, the text of the one cause that came once, or {@link Causes}. */
    private @Nullable Object causes;

    /** Since the last success, or since what a server asked for has been forgotten too; null when there were none. */
    @Nullable
    Failures failures;

    /** HELD only: asked for again during the work. */
    boolean again;

    /** READY or HELD: since when. */
    long since;

    /** In the heap (index 0 or more), DELAYED always and HELD when a later look was asked for: when it is due. */
    long dueAt;

    /** In the heap: breaks ties by order of arrival; compared by difference. */
    int dueOrder;

    int heapIndex = -1;

    Entry(K key, Object flow, Place place) {
        this.key = key;
        this.flow = flow;
        this.hash = KeyTable.hash(key);
        this.place = place;
    }

    /** What failed, and what follows from it. */
    static final class Failures {
        /** How many in a row; 0 when they are forgotten and only {@link #serverFloor} stands. */
        int inARow;

        /** The end of the present backoff; a failure before it does not count again. */
        long backoffEnd;

        /** An add cannot bring the key forward beyond this. */
        long notBefore;

        /** Whether {@link #serverFloor} counts: it outlives that the failures are forgotten. */
        boolean hasServerFloor;

        /** What a server asked for: its Retry-After. */
        long serverFloor;
    }

    int failuresInARow() {
        return failures == null ? 0 : failures.inARow;
    }

    /** Forgets the failures; what a server asked for stands. */
    void forgetFailures() {
        if (failures != null && failures.hasServerFloor) {
            failures.inARow = 0;
            failures.notBefore = failures.serverFloor;
        } else {
            failures = null;
        }
    }

    /** Starts anew: the work has ended well, or nothing is retried any more. */
    void startAnew() {
        failures = null;
    }

    void because(String cause) {
        if (causes == null) {
            causes = cause;
            return;
        }
        if (!(causes instanceof Causes)) {
            Causes several = new Causes();
            several.add((String) causes);
            causes = several;
        }
        ((Causes) causes).add(cause);
    }

    boolean hasCauses() {
        return causes != null;
    }

    List<Cause> causes() {
        if (causes instanceof Causes several) {
            return several.list();
        }
        return causes == null ? List.of() : List.of(new Cause((String) causes, 1));
    }

    void dropCauses() {
        causes = null;
    }
}
