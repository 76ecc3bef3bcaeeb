package io.homeostat.workqueue;

import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The delayed keys, earliest first: a binary heap whose entries know their index, so that one is moved or removed in O(log n).
 * Guarded by the queue's lock.
 */
final class DelayHeap<K> {
    // Invariants: heap[i].heapIndex == i for every i < size, beyond it is null; no entry precedes its parent.
    private static final int SMALLEST = 16;

    private @Nullable Entry<K>[] heap = heap(SMALLEST);
    private int size;
    private int order;

    int size() {
        return size;
    }

    @Nullable
    Entry<K> first() {
        return heap[0];
    }

    /** Puts {@code entry} at {@code dueAt}, whether it was in the heap or not. */
    void put(Entry<K> entry, long dueAt) {
        if (entry.heapIndex < 0) {
            if (size == heap.length) {
                heap = Arrays.copyOf(heap, size + size / 2);
            } else if (heap.length > SMALLEST && size < heap.length / 8) {
                heap = Arrays.copyOf(heap, heap.length / 2);
            }
            entry.heapIndex = size;
            heap[size++] = entry;
        }
        entry.dueAt = dueAt;
        entry.dueOrder = order++;
        settle(entry);
    }

    void remove(Entry<K> entry) {
        int hole = entry.heapIndex;
        if (hole < 0) {
            return;
        }
        entry.heapIndex = -1;
        size--;
        Entry<K> last = at(size);
        heap[size] = null;
        if (last != entry) {
            place(last, hole);
            settle(last);
        }
    }

    /** Moves {@code entry} up or down to where it belongs. */
    private void settle(Entry<K> entry) {
        int at = entry.heapIndex;
        while (at > 0 && precedes(entry, at((at - 1) / 2))) {
            place(at((at - 1) / 2), at);
            at = (at - 1) / 2;
        }
        for (int child = 2 * at + 1; child < size; child = 2 * at + 1) {
            if (child + 1 < size && precedes(at(child + 1), at(child))) {
                child++;
            }
            if (!precedes(at(child), entry)) {
                break;
            }
            place(at(child), at);
            at = child;
        }
        place(entry, at);
    }

    private void place(Entry<K> entry, int index) {
        heap[index] = entry;
        entry.heapIndex = index;
    }

    private Entry<K> at(int index) {
        return Objects.requireNonNull(heap[index]);
    }

    private static boolean precedes(Entry<?> a, Entry<?> b) {
        long apart = a.dueAt - b.dueAt;
        return apart < 0 || (apart == 0 && a.dueOrder - b.dueOrder < 0);
    }

    /** Whether the invariants hold. */
    boolean valid() {
        for (int i = 0; i < heap.length; i++) {
            Entry<K> entry = heap[i];
            if (i >= size ? entry != null : entry == null || entry.heapIndex != i) {
                return false;
            }
            if (entry != null && i > 0 && precedes(entry, at((i - 1) / 2))) {
                return false;
            }
        }
        return true;
    }

    @SuppressWarnings({"unchecked", "rawtypes"}) // an array of a generic type cannot be made otherwise
    private static <K> @Nullable Entry<K>[] heap(int length) {
        return new Entry[length];
    }
}
