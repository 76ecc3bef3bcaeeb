package io.homeostat.workqueue;

import org.jspecify.annotations.Nullable;

/** Entries in order, linked by themselves: an entry is in one list at most. Guarded by the queue's lock. */
class EntryList<K> {
    // Invariants: first.before and last.behind are null; each entry is before the one behind it; size counts them.
    private @Nullable Entry<K> first;
    private @Nullable Entry<K> last;
    private int size;

    final @Nullable Entry<K> first() {
        return first;
    }

    final int size() {
        return size;
    }

    final boolean isEmpty() {
        return size == 0;
    }

    final void addLast(Entry<K> entry) {
        entry.before = last;
        if (last == null) {
            first = entry;
        } else {
            last.behind = entry;
        }
        last = entry;
        size++;
    }

    /** Takes out an entry that is in this list. */
    final void remove(Entry<K> entry) {
        Entry<K> before = entry.before;
        Entry<K> behind = entry.behind;
        if (before == null) {
            first = behind;
        } else {
            before.behind = behind;
        }
        if (behind == null) {
            last = before;
        } else {
            behind.before = before;
        }
        entry.before = null;
        entry.behind = null;
        size--;
    }

    /** Looks at all; for assertions. */
    final boolean contains(Entry<K> entry) {
        for (Entry<K> at = first; at != null; at = at.behind) {
            if (at == entry) {
                return true;
            }
        }
        return false;
    }

    /** Whether the invariants hold; for assertions. */
    final boolean valid() {
        int seen = 0;
        Entry<K> previous = null;
        for (Entry<K> at = first; at != null && seen <= size; at = at.behind) {
            if (at.before != previous) {
                return false;
            }
            previous = at;
            seen++;
        }
        return seen == size && previous == last;
    }
}
