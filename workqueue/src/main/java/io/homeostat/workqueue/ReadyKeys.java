package io.homeostat.workqueue;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The ready keys of one priority: flows take turns, and within a flow it is first in, first out.
 *
 * <p><b>Order.</b> A flow that becomes ready goes behind those that are; one that had its turn does so too. With F flows ready, the n-th key
 * of a flow comes after at most n × F others. <b>Threads.</b> Confined to the queue's lock. <b>Memory.</b> One map entry a ready flow, and
 * one flow more; nothing a key. <b>Failure.</b> None.
 */
final class ReadyKeys<K> {
    /*
     * Invariants
     * - A flow takes turns exactly while it has a ready key; flows are linked in the order of their turns.
     * - flows holds those that take turns, and latest, which may be empty: a queue of one flow, or a quiet one, makes and looks up none.
     * - size is the sum of the sizes of the flows.
     */

    /** The ready keys of one flow. */
    private static final class Flow<K> extends EntryList<K> {
        final Object name;

        @Nullable
        Flow<K> before;

        @Nullable
        Flow<K> behind;

        Flow(Object name) {
            this.name = name;
        }
    }

    private final Map<Object, Flow<K>> flows = new HashMap<>(); // never iterated
    private @Nullable Flow<K> latest;
    private @Nullable Flow<K> firstTurn;
    private @Nullable Flow<K> lastTurn;
    private int size;

    /** Adds a key that is in no list. */
    void add(Entry<K> entry) {
        Flow<K> flow = flow(entry.flow);
        if (flow == null) {
            flow = new Flow<>(entry.flow);
            flows.put(entry.flow, flow);
            recent(flow);
        }
        if (flow.isEmpty()) {
            takesTurns(flow);
        }
        flow.addLast(entry);
        size++;
    }

    /** Whose turn it is; null when nothing is ready. */
    @Nullable
    Entry<K> first() {
        return firstTurn == null ? null : firstTurn.first();
    }

    /** Whose turn it is of the flows whose oldest key was ready before that time; null when there is none. */
    @Nullable
    Entry<K> firstBefore(long nanos) {
        for (Flow<K> flow = firstTurn; flow != null; flow = flow.behind) {
            Entry<K> oldest = flow.first();
            if (oldest != null && oldest.since - nanos < 0) {
                return oldest;
            }
        }
        return null;
    }

    /** Takes a key out because it was handed out: the turn of its flow is over. */
    void handedOut(Entry<K> entry) {
        Flow<K> flow = take(entry);
        if (!flow.isEmpty() && flow != lastTurn) {
            rests(flow);
            takesTurns(flow);
        }
    }

    /** Takes a key out that is here; the flow keeps its place for its others. */
    void remove(Entry<K> entry) {
        take(entry);
    }

    private Flow<K> take(Entry<K> entry) {
        Flow<K> flow = flow(entry.flow);
        if (flow == null) {
            throw new IllegalStateException("The queue's ready keys lack " + entry.key + ", which is one of them");
        }
        flow.remove(entry);
        size--;
        if (flow.isEmpty()) {
            rests(flow);
            recent(flow);
        }
        return flow;
    }

    boolean contains(Entry<K> entry) {
        Flow<K> flow = flows.get(entry.flow);
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
        while (firstTurn != null) {
            Flow<K> flow = firstTurn;
            for (Entry<K> entry = flow.first(); entry != null; entry = flow.first()) {
                all.add(entry);
                remove(entry);
            }
        }
        return all;
    }

    private @Nullable Flow<K> flow(Object name) {
        Flow<K> flow = latest;
        return flow != null && (flow.name == name || flow.name.equals(name)) ? flow : flows.get(name);
    }

    /** Keeps {@code flow} at hand; the one that was so goes, if it has nothing. */
    private void recent(Flow<K> flow) {
        Flow<K> was = latest;
        latest = flow;
        if (was != null && was != flow && was.isEmpty()) {
            flows.remove(was.name);
        }
    }

    private void takesTurns(Flow<K> flow) {
        flow.before = lastTurn;
        if (lastTurn == null) {
            firstTurn = flow;
        } else {
            lastTurn.behind = flow;
        }
        lastTurn = flow;
    }

    private void rests(Flow<K> flow) {
        Flow<K> before = flow.before;
        Flow<K> behind = flow.behind;
        if (before == null) {
            firstTurn = behind;
        } else {
            before.behind = behind;
        }
        if (behind == null) {
            lastTurn = before;
        } else {
            behind.before = before;
        }
        flow.before = null;
        flow.behind = null;
    }

    /** Checks the invariants; for assertions. */
    boolean valid() {
        int flowsSeen = 0;
        int keys = 0;
        Flow<K> previous = null;
        for (Flow<K> flow = firstTurn; flow != null && flowsSeen <= flows.size(); flow = flow.behind) {
            if (flow.isEmpty() || !flow.valid() || flow.before != previous || flows.get(flow.name) != flow) {
                return false;
            }
            previous = flow;
            flowsSeen++;
            keys += flow.size();
        }
        int atHand = latest != null && latest.isEmpty() ? 1 : 0;
        return previous == lastTurn && flows.size() == flowsSeen + atHand && keys == size;
    }
}
