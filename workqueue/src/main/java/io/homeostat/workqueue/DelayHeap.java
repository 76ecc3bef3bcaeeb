package io.homeostat.workqueue;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The delayed keys, earliest first: a binary heap whose entries know their index, so that one is moved or removed in O(log n).
 * Guarded by the queue's lock.
 */
final class DelayHeap<K> {
    // Invariants: heap[i].heapIndex == i for every i; no entry precedes its parent.
    private final List<Entry<K>> heap = new ArrayList<>();
    private long order;

    int size() {
        return heap.size();
    }

    @Nullable
    Entry<K> first() {
        return heap.isEmpty() ? null : heap.get(0);
    }

    /** Puts {@code entry} at {@code dueAt}, whether it was in the heap or not. */
    void put(Entry<K> entry, long dueAt) {
        entry.dueAt = dueAt;
        entry.dueOrder = order++;
        if (entry.heapIndex < 0) {
            entry.heapIndex = heap.size();
            heap.add(entry);
        }
        settle(entry);
    }

    void remove(Entry<K> entry) {
        int hole = entry.heapIndex;
        if (hole < 0) {
            return;
        }
        entry.heapIndex = -1;
        Entry<K> last = heap.remove(heap.size() - 1);
        if (last != entry) {
            heap.set(hole, last);
            last.heapIndex = hole;
            settle(last);
        }
    }

    private void settle(Entry<K> entry) {
        int at = entry.heapIndex;
        while (at > 0 && precedes(entry, heap.get((at - 1) / 2))) {
            at = swap(at, (at - 1) / 2);
        }
        while (true) {
            int child = 2 * at + 1;
            if (child + 1 < heap.size() && precedes(heap.get(child + 1), heap.get(child))) {
                child++;
            }
            if (child >= heap.size() || !precedes(heap.get(child), entry)) {
                return;
            }
            at = swap(at, child);
        }
    }

    private int swap(int a, int b) {
        Entry<K> atA = heap.get(a);
        Entry<K> atB = heap.get(b);
        heap.set(a, atB);
        heap.set(b, atA);
        atB.heapIndex = a;
        atA.heapIndex = b;
        return b;
    }

    private boolean precedes(Entry<K> a, Entry<K> b) {
        long apart = a.dueAt - b.dueAt;
        return apart < 0 || (apart == 0 && a.dueOrder < b.dueOrder);
    }

    /** Whether the invariants hold. */
    boolean valid() {
        for (int i = 0; i < heap.size(); i++) {
            if (heap.get(i).heapIndex != i || (i > 0 && precedes(heap.get(i), heap.get((i - 1) / 2)))) {
                return false;
            }
        }
        return true;
    }
}
