package io.homeostat.informer;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.client.ObjectKey;
import io.homeostat.core.Experimental;
import java.util.List;
import java.util.Optional;

/**
 * Reads of a cache, this process's own completed writes on top (D10). Lists are in key order, and hold every object there is: one that
 * does not decode is an entry whose {@link CachedObject#object} throws (D32).
 *
 * <p>Each call sees one state. Those of a {@link Snapshot} all see the same one.
 *
 * <p><b>Threads.</b> Any; never waits. <b>Memory.</b> An answer keeps the versions it holds.
 */
@Experimental
public interface Lister<T extends HasMetadata> {
    /** The object of that key. */
    Optional<CachedObject<T>> get(ObjectKey key);

    /** All objects. */
    List<CachedObject<T>> list();

    /** The objects of one namespace. */
    List<CachedObject<T>> inNamespace(String namespace);

    /** The objects that have an owner reference to this UID. */
    List<CachedObject<T>> ownedBy(String ownerUid);

    /**
     * The objects that a label selector selects. A label that large caches are asked for by {@code =} or {@code in} is indexed from
     * the first such question on.
     *
     * @param labelSelector as kubectl takes it: {@code app=web,tier in (a, b),!canary}; {@code ""} for all
     * @throws IllegalArgumentException when it is none
     */
    List<CachedObject<T>> matching(String labelSelector);

    /**
     * The objects of one namespace that a label selector selects.
     *
     * @throws IllegalArgumentException when it is none
     */
    List<CachedObject<T>> matching(String namespace, String labelSelector);

    /** The objects that have that value in an index. */
    Lookup<T> indexed(Index<T> index, String value);
}
