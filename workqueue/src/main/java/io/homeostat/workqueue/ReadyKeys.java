package io.homeostat.workqueue;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The ready keys of one priority: flows take turns, and within a flow it is first in, first out.
 *
 * <p><b>Order.</b> A flow that becomes ready goes behind those that are; one that had its turn does so too. With F flows ready, the n-th key
 * of a flow comes after at most n × F others. <b>Threads.</b> Confined to the queue's lock. <b>Memory.</b> One map entry a ready flow, one
 * set entry a ready key. <b>Failure.</b> None.
 */
final class ReadyKeys<K> {
    /*
     * Invariants
     * - A flow is in flows exactly while it has a ready key, and flows are in the order of their turns.
     * - size is the sum of the sizes of the flows.
     */

    private final Map<Object, Set<Entry<K>>> flows = new LinkedHashMap<>();
    private int size;

    void add(Entry<K> entry) {
        if (flows.computeIfAbsent(entry.flow, any -> new LinkedHashSet<>()).add(entry)) {
            size++;
        }
    }

    /** Whose turn it is; null when nothing is ready. */
    @Nullable
    Entry<K> first() {
        return size == 0 ? null : flows.values().iterator().next().iterator().next();
    }

    /** Whose turn it is of the flows whose oldest key was ready before that time; null when there is none. */
    @Nullable
    Entry<K> firstBefore(long nanos) {
        for (Set<Entry<K>> flow : flows.values()) {
            Entry<K> oldest = flow.iterator().next();
            if (oldest.readySince - nanos < 0) {
                return oldest;
            }
        }
        return null;
    }

    /** Takes a key out because it was handed out: the turn of its flow is over. */
    void handedOut(Entry<K> entry) {
        remove(entry);
        if (flows.size() > 1) {
            Set<Entry<K>> others = flows.remove(entry.flow);
            if (others != null) {
                flows.put(entry.flow, others);
            }
        }
    }

    /** Takes a key out; the flow keeps its place for its others. */
    void remove(Entry<K> entry) {
        Set<Entry<K>> flow = flows.get(entry.flow);
        if (flow != null && flow.remove(entry)) {
            size--;
            if (flow.isEmpty()) {
                flows.remove(entry.flow);
            }
        }
    }

    boolean contains(Entry<K> entry) {
        Set<Entry<K>> flow = flows.get(entry.flow);
        return flow != null && flow.contains(entry);
    }

    boolean isEmpty() {
        return size == 0;
    }

    int size() {
        return size;
    }

    /** Takes all out: flow by flow, each in its order. */
    List<Entry<K>> drain() {
        List<Entry<K>> all = new ArrayList<>(size);
        flows.values().forEach(all::addAll);
        flows.clear();
        size = 0;
        return all;
    }

    /** Checks the invariants; for assertions. */
    boolean valid() {
        return flows.values().stream().noneMatch(Set::isEmpty)
                && flows.values().stream().mapToInt(Set::size).sum() == size;
    }
}
