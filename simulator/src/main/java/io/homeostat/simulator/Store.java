package io.homeostat.simulator;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * What etcd and the watch cache are to the real server: one revision counter, the objects, and a bounded window of history.
 *
 * <p><b>Threads.</b> Confined to the simulator's lane. <b>Memory.</b> The last {@code limit} changes, by reference.
 */
final class Store {
    // Invariants
    // - every commit takes the next revision; the history holds the changes of (compacted, revision], without a gap
    // - compacted <= watchFloor <= revision: a restart forgets for watches only, compaction for exact lists too

    /** One commit. */
    record Change(long revision, Registry registry, StoredChange.Type type, @Nullable Stored before, Stored now) {}

    private final int limit;
    private final ArrayDeque<Change> history = new ArrayDeque<>();
    private long revision = 1;
    private long compacted = 1;
    private long watchFloor = 1;

    Store(int limit) {
        this.limit = limit;
    }

    long revision() {
        return revision;
    }

    /** The oldest revision that a watch can resume from. */
    long watchFloor() {
        return watchFloor;
    }

    /** The oldest revision that a list can be given at. */
    long compacted() {
        return compacted;
    }

    /** Stores {@code object} at the next revision; {@code object}'s root and metadata belong to the store from now on. */
    Change put(Registry registry, String key, ObjectNode object) {
        revision++;
        Stored before = registry.objects.get(key);
        Stored now = version(registry, key, object);
        registry.objects.put(key, now);
        return record(new Change(
                revision,
                registry,
                before == null ? StoredChange.Type.ADDED : StoredChange.Type.MODIFIED,
                before,
                now));
    }

    /** Removes the object at {@code key}; {@code last} is what the deletion shows, with an own root and metadata. */
    Change remove(Registry registry, String key, ObjectNode last) {
        revision++;
        Stored before = registry.objects.remove(key);
        return record(new Change(revision, registry, StoredChange.Type.DELETED, before, version(registry, key, last)));
    }

    private Stored version(Registry registry, String key, ObjectNode object) {
        ObjectNode metadata = Trees.metadata(object);
        if (metadata == null) {
            throw new IllegalStateException(
                    "an object without metadata reached the store: " + registry.plural + " " + key);
        }
        metadata.put("resourceVersion", Long.toString(revision));
        ObjectNode ordered = registry.custom ? (ObjectNode) Trees.sorted(object) : Trees.kindFirst(object);
        return new Stored(key, revision, ordered);
    }

    private Change record(Change change) {
        history.addLast(change);
        if (history.size() > limit) {
            compacted = history.removeFirst().revision();
            watchFloor = Math.max(watchFloor, compacted);
        }
        return change;
    }

    /** Forgets the history: watches and exact lists from before are refused. */
    void compact() {
        history.clear();
        compacted = revision;
        watchFloor = revision;
    }

    /** As a new watch cache: watches from before are refused, exact lists are not. */
    void forgetWatches() {
        watchFloor = revision;
    }

    /** The changes of {@code registry} after {@code from}, oldest first; {@code from} must not be below {@link #watchFloor}. */
    List<Change> since(Registry registry, long from) {
        ArrayDeque<Change> changes = new ArrayDeque<>();
        for (Iterator<Change> newest = history.descendingIterator(); newest.hasNext(); ) {
            Change change = newest.next();
            if (change.revision() <= from) {
                break;
            }
            if (change.registry() == registry) {
                changes.addFirst(change);
            }
        }
        return new ArrayList<>(changes);
    }

    /** The objects of {@code registry} in {@code namespace} as they were at {@code at}, which must not be below {@link #compacted}. */
    Iterable<Stored> at(Registry registry, String namespace, long at) {
        if (at >= revision) {
            return registry.in(namespace);
        }
        TreeMap<String, Stored> then = new TreeMap<>();
        for (Stored object : registry.in(namespace)) {
            then.put(object.key, object);
        }
        for (Iterator<Change> newest = history.descendingIterator(); newest.hasNext(); ) {
            Change change = newest.next();
            if (change.revision() <= at) {
                break;
            }
            if (change.registry() != registry
                    || (!namespace.isEmpty() && !change.now().namespace.equals(namespace))) {
                continue;
            }
            Stored before = change.before();
            if (before == null) {
                then.remove(change.now().key);
            } else {
                then.put(before.key, before);
            }
        }
        return then.values();
    }
}
