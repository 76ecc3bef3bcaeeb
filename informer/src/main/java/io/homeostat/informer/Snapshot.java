package io.homeostat.informer;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.core.Experimental;

/**
 * One state of the cache: what the server had at {@link #resourceVersion}, with this process's own completed writes on top (D10).
 * Immutable; any number of reads see the same state.
 *
 * <p><b>Threads.</b> Any, never waits. <b>Memory.</b> Shares structure with other snapshots; holding one keeps its versions.
 */
@Experimental
public interface Snapshot<T extends HasMetadata> extends Lister<T> {
    /** How many objects there are. */
    int size();

    /** The version of the last list, event or bookmark; {@code ""} before the first list. */
    String resourceVersion();

    /** Grows by one each time the server's versions went back (etcd restore); 0 at first. */
    long epoch();
}
