package io.homeostat.reconciler;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.client.DroppedPaths;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.RawObject;
import io.homeostat.client.ResourceType;
import io.homeostat.core.Registration;
import io.homeostat.informer.CachedObject;
import io.homeostat.informer.ResourceEventHandler;
import io.homeostat.informer.SharedInformers;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.locks.ReentrantLock;

/**
 * A type that a controller reads and is woken by: one cache everywhere, or one for each namespace it works in. Handlers are the same
 * objects in all of them, each on a lane for each; a namespace that is let go is not told as deleted, its handlers just end.
 *
 * <p><b>Order.</b> None between namespaces. <b>Threads.</b> Any. <b>Memory.</b> That of the caches. <b>Failure.</b> What a cache cannot answer
 * is {@link CacheNotReady}, also for a namespace the operator does not work in: never an empty answer.
 */
final class Source<X extends HasMetadata> implements Registration {
    private final String controller;
    private final SharedInformers informers;
    private final ResourceType<X> type;
    private final boolean byNamespace;
    private final DroppedPaths dropped;
    private final List<? extends ResourceEventHandler<X>> handlers;
    private final List<? extends Registration> sweeps;
    private final ReentrantLock changing = new ReentrantLock();

    // Replaced under the lock, read by anyone; the one under "" is everywhere.
    private volatile SortedMap<String, CacheHold<X>> holds = Collections.emptySortedMap();

    /**
     * No cache is held yet.
     *
     * @param byNamespace whether the operator works in some namespaces only; without effect on a cluster-scoped type
     * @param dropped what the caches do without
     * @param handlers told by each cache
     * @param sweeps closed with it
     */
    Source(
            String controller,
            SharedInformers informers,
            ResourceType<X> type,
            boolean byNamespace,
            DroppedPaths dropped,
            List<? extends ResourceEventHandler<X>> handlers,
            List<? extends Registration> sweeps) {
        this.controller = controller;
        this.informers = informers;
        this.type = type;
        this.byNamespace = byNamespace && type.scope() == ResourceType.Scope.NAMESPACED;
        this.dropped = dropped;
        this.handlers = handlers;
        this.sweeps = sweeps;
    }

    ResourceType<X> type() {
        return type;
    }

    /** What the cache keeps of an answer of the server: readers see no part come and go. */
    RawObject asKept(RawObject answer) {
        return dropped.cut(type, answer);
    }

    /** Whether it has a cache for each namespace. */
    boolean isByNamespace() {
        return byNamespace;
    }

    /**
     * Holds a cache.
     *
     * @param namespace {@code ""} for everywhere
     * @return completes when this controller's own handlers have processed every initial object of it
     */
    CompletionStage<Void> open(String namespace) {
        CacheHold<X> hold = new CacheHold<>(controller, informers, type, namespace, dropped, handlers);
        changing.lock();
        try {
            TreeMap<String, CacheHold<X>> more = new TreeMap<>(holds);
            more.put(namespace, hold);
            holds = more;
        } finally {
            changing.unlock();
        }
        return hold.synced();
    }

    /** Lets the cache of a namespace go. */
    void close(String namespace) {
        CacheHold<X> hold;
        changing.lock();
        try {
            TreeMap<String, CacheHold<X>> fewer = new TreeMap<>(holds);
            hold = fewer.remove(namespace);
            holds = fewer;
        } finally {
            changing.unlock();
        }
        if (hold != null) {
            hold.close();
        }
    }

    /**
     * The object of that key, own writes included.
     *
     * @throws CacheNotReady when its cache cannot answer, or the operator does not work in its namespace
     */
    Optional<CachedObject<X>> get(ObjectKey key) {
        return in(key.namespace()).snapshot().get(key);
    }

    /**
     * The objects with an owner reference to that UID, in key order.
     *
     * @param namespace of the owner, where what it owns is, too; {@code ""} for an owner that is in none
     * @throws CacheNotReady when a cache cannot answer
     */
    List<CachedObject<X>> ownedBy(String namespace, String uid) {
        if (!byNamespace || !namespace.isEmpty()) {
            return in(namespace).snapshot().ownedBy(uid);
        }
        List<CachedObject<X>> all = new ArrayList<>();
        for (CacheHold<X> hold : holds.values()) {
            all.addAll(hold.snapshot().ownedBy(uid));
        }
        return all;
    }

    private CacheHold<X> in(String namespace) {
        SortedMap<String, CacheHold<X>> now = holds;
        CacheHold<X> hold = now.get(byNamespace ? namespace : "");
        if (hold == null) {
            throw new CacheNotReady("The cache of " + type + " has nothing of namespace \"" + namespace
                    + "\": the operator works in " + now.keySet() + "; add the namespace, or read it through client()");
        }
        return hold;
    }

    /** The object of that key as its cache has it, ready or not: for handlers, which run while it fills. */
    Optional<CachedObject<X>> peek(ObjectKey key) {
        CacheHold<X> hold = holds.get(byNamespace ? key.namespace() : "");
        return hold == null ? Optional.empty() : hold.peek().get(key);
    }

    /** All objects there are, as {@link #peek}. */
    List<CachedObject<X>> peekAll() {
        List<CachedObject<X>> all = new ArrayList<>();
        holds.values().forEach(hold -> all.addAll(hold.peek().list()));
        return all;
    }

    /** All objects of a namespace, as {@link #peek}. */
    List<CachedObject<X>> peekAll(String namespace) {
        CacheHold<X> hold = holds.get(namespace);
        return hold == null ? List.of() : hold.peek().list();
    }

    /** The caches that are not filled, for people. */
    List<String> missing() {
        return holds.values().stream()
                .filter(hold -> !hold.isSynced())
                .map(CacheHold::waitsFor)
                .toList();
    }

    @Override
    public void close() {
        holds.values().forEach(Registration::close);
        sweeps.forEach(Registration::close);
    }
}
