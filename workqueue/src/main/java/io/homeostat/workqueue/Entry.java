package io.homeostat.workqueue;

import org.jspecify.annotations.Nullable;

/** What the queue knows of one live key. Every field is guarded by the queue's lock. */
final class Entry<K> {
    enum Place {
        DELAYED,
        READY,
        HELD
    }

    final K key;

    /** Whose turn it takes; the same for equal keys. */
    final Object flow;

    Place place;
    Priority priority = Priority.BACKGROUND;

    /** For the next run; null when nobody asked for one yet. */
    @Nullable
    Causes causes;

    /** HELD only: asked for again during the work. */
    boolean again;

    /** HELD only: the priority of the run under way, kept when it is retried. */
    Priority heldPriority = Priority.NORMAL;

    /** HELD only: since when. */
    long heldSince;

    /** READY only: since when. */
    long readySince;

    /** Failures in a row. */
    int failures;

    /** With failures: the end of the present backoff; a failure before it does not count again. */
    long backoffEnd;

    /** Whether {@link #notBefore} counts. */
    boolean heldOff;

    /** An add cannot bring the key forward beyond this. */
    long notBefore;

    /** Whether {@link #serverFloor} counts: it outlives that the failures are forgotten. */
    boolean hasServerFloor;

    /** What a server asked for: its Retry-After. */
    long serverFloor;

    /** In the heap (index 0 or more), DELAYED always and HELD when a later look was asked for: when it is due. */
    long dueAt;

    /** In the heap: breaks ties by order of arrival. */
    long dueOrder;

    int heapIndex = -1;

    Entry(K key, Object flow, Place place) {
        this.key = key;
        this.flow = flow;
        this.place = place;
    }

    /** Forgets the failures; what a server asked for stands. */
    void forgetFailures() {
        failures = 0;
        heldOff = hasServerFloor;
        notBefore = serverFloor;
    }

    /** Starts anew: the work has ended well, or nothing is retried any more. */
    void startAnew() {
        failures = 0;
        heldOff = false;
        hasServerFloor = false;
    }

    void because(String cause) {
        if (causes == null) {
            causes = new Causes();
        }
        causes.add(cause);
    }
}
