package io.homeostat.informer;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.RawObject;
import io.homeostat.core.Experimental;

/**
 * One object of the cache, at one version: metadata at once, the object when asked for. Immutable.
 *
 * @param <T> the class it decodes into
 */
@Experimental
public interface CachedObject<T extends HasMetadata> {
    /** Namespace and name. */
    ObjectKey key();

    /** The scanned metadata and the bytes. */
    RawObject raw();

    /**
     * The object, decoded on demand; shared and read-only (D11): changing it is a defect that testkit reports.
     *
     * @throws io.homeostat.client.ApiException.Undecodable with key, version and path (D32)
     */
    T object();

    /** A fresh decode, the caller's own. */
    T copy();
}
