package io.homeostat.informer;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.client.ObjectKey;
import io.homeostat.core.Experimental;
import java.util.List;
import java.util.Optional;

/**
 * One state of the cache: what the server had at {@link #resourceVersion}, with this process's own completed writes on top (D10).
 * Immutable; any number of reads see the same state. Lists are in key order.
 *
 * <p><b>Threads.</b> Any, never waits. <b>Memory.</b> Shares structure with other snapshots; holding one keeps its versions.
 */
@Experimental
public interface Snapshot<T extends HasMetadata> {
    /** The object of that key. */
    Optional<CachedObject<T>> get(ObjectKey key);

    /** All objects. */
    List<CachedObject<T>> list();

    /** The objects of one namespace. */
    List<CachedObject<T>> inNamespace(String namespace);

    /** The objects that have an owner reference to this UID. */
    List<CachedObject<T>> ownedBy(String ownerUid);

    /** How many objects there are. */
    int size();

    /** The version of the last list, event or bookmark; {@code ""} before the first list. */
    String resourceVersion();

    /** Grows by one each time the server's versions went back (etcd restore); 0 at first. */
    long epoch();
}
