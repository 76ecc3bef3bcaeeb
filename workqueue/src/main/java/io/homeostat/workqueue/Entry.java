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
    Place place;
    Priority priority = Priority.BACKGROUND;

    /** For the next run; null when nobody asked for one yet. */
    @Nullable
    Causes causes;

    /** HELD only: asked for again during the work. */
    boolean again;

    /** HELD only: the priority of the run under way, kept when it is retried. */
    Priority heldPriority = Priority.NORMAL;

    /** READY only: since when. */
    long readySince;

    /** Failures in a row. */
    int failures;

    /** With failures: the end of the present backoff; a failure before it does not count again. */
    long backoffEnd;

    /** With failures: an add cannot bring the key forward beyond this. */
    long notBefore;

    /** In the heap (index 0 or more), DELAYED always and HELD when a later look was asked for: when it is due. */
    long dueAt;

    /** In the heap: breaks ties by order of arrival. */
    long dueOrder;

    int heapIndex = -1;

    Entry(K key, Place place) {
        this.key = key;
        this.place = place;
    }

    void because(String cause) {
        if (causes == null) {
            causes = new Causes();
        }
        causes.add(cause);
    }
}
