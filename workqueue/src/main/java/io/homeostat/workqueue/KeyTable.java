package io.homeostat.workqueue;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The live entries by key: a hash table whose entries are the links of their slots, which is a third of what a {@link HashMap} takes for
 * each, and one object less to make for each key.
 *
 * <p><b>Order.</b> None. <b>Threads.</b> Confined to the queue's lock. <b>Memory.</b> A slot or two an entry; what was large once shrinks with later adds.
 * <b>Failure.</b> Whoever names objects chooses hashes: keys that crowd in one slot go into a map of the JDK, which makes a tree of keys that
 * compare, so that they cost others nothing.
 */
final class KeyTable<K> {
    /*
     * Invariants
     * - slots.length is a power of two, SMALLEST or more; an entry is in the slot of its hash, or in crowded.
     * - No slot takes an entry beyond CROWD; crowded is null when it would be empty.
     * - There are no more entries than slots. An add to a table that is nearly empty halves it.
     */

    static final int CROWD = 16;
    private static final int SMALLEST = 16;

    private @Nullable Entry<K>[] slots = slots(SMALLEST);
    private @Nullable Map<K, Entry<K>> crowded;
    private int size;

    /** Of a key, spread to the low bits, which choose the slot. */
    static int hash(Object key) {
        int hash = key.hashCode();
        return hash ^ (hash >>> 16);
    }

    int size() {
        return size;
    }

    @Nullable
    Entry<K> get(K key) {
        int hash = hash(key);
        for (Entry<K> at = slots[hash & (slots.length - 1)]; at != null; at = at.nextInSlot) {
            if (at.hash == hash && (at.key == key || at.key.equals(key))) {
                return at;
            }
        }
        return crowded == null ? null : crowded.get(key);
    }

    /** Adds an entry whose key is not here. */
    void add(Entry<K> entry) {
        if (size == slots.length) {
            resize(2 * size);
        } else if (slots.length > SMALLEST && size < slots.length / 8) {
            resize(slots.length / 2);
        }
        int slot = entry.hash & (slots.length - 1);
        int inSlot = 0;
        for (Entry<K> at = slots[slot]; at != null; at = at.nextInSlot) {
            inSlot++;
        }
        if (inSlot >= CROWD) {
            if (crowded == null) {
                crowded = new HashMap<>();
            }
            crowded.put(entry.key, entry);
        } else {
            entry.nextInSlot = slots[slot];
            slots[slot] = entry;
        }
        size++;
    }

    /** Takes out that very entry; nothing happens when it is not here. */
    void remove(Entry<K> entry) {
        int slot = entry.hash & (slots.length - 1);
        Entry<K> previous = null;
        Entry<K> at = slots[slot];
        while (at != null && at != entry) {
            previous = at;
            at = at.nextInSlot;
        }
        if (at == null) {
            if (crowded == null || !crowded.remove(entry.key, entry)) {
                return;
            }
            if (crowded.isEmpty()) {
                crowded = null;
            }
        } else if (previous == null) {
            slots[slot] = entry.nextInSlot;
        } else {
            previous.nextInSlot = entry.nextInSlot;
        }
        entry.nextInSlot = null;
        size--;
    }

    /** All, in no order; for assertions. */
    List<Entry<K>> all() {
        List<Entry<K>> all = new ArrayList<>(crowded == null ? List.of() : crowded.values());
        for (Entry<K> first : slots) {
            for (Entry<K> at = first; at != null; at = at.nextInSlot) {
                all.add(at);
            }
        }
        return all;
    }

    /** Needs memory for the slots only, before anything is changed: an add that finds none leaves all as it was. */
    private void resize(int length) {
        @Nullable Entry<K>[] old = slots;
        slots = slots(length);
        for (Entry<K> first : old) {
            Entry<K> at = first;
            while (at != null) {
                Entry<K> next = at.nextInSlot;
                at.nextInSlot = slots[at.hash & (length - 1)];
                slots[at.hash & (length - 1)] = at;
                at = next;
            }
        }
    }

    @SuppressWarnings({"unchecked", "rawtypes"}) // an array of a generic type cannot be made otherwise
    private static <K> @Nullable Entry<K>[] slots(int length) {
        return new Entry[length];
    }
}
