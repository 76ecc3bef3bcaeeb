package io.homeostat.client;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.core.Experimental;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * One object as the server sent it, without {@code managedFields}: the metadata the engine needs, scanned from the bytes, and the
 * bytes themselves. Nothing else is decoded until {@link #decode} is called. Immutable; strings may be interned per stream.
 *
 * <p><b>Memory.</b> {@link #bytes} is exactly the object's JSON, not a view of a larger buffer.
 */
@Experimental
public interface RawObject {
    /** Namespace and name. */
    ObjectKey key();

    /** {@code metadata.uid}; {@code ""} when absent. */
    String uid();

    /** {@code metadata.resourceVersion}; opaque but comparable since KEP-5504 ({@link ResourceVersions}). */
    String resourceVersion();

    /** {@code metadata.generation}; 0 when the type has none. */
    long generation();

    /** {@code metadata.labels}; empty when absent; immutable, in the order of the bytes. */
    Map<String, String> labels();

    /** {@code metadata.ownerReferences}; empty when absent; immutable. */
    List<OwnerRef> owners();

    /** {@code metadata.finalizers}; empty when absent; immutable. */
    List<String> finalizers();

    /** {@code metadata.creationTimestamp} as sent; null when absent. */
    @Nullable
    String creationTimestamp();

    /** {@code metadata.deletionTimestamp} as sent; null when the object is not being deleted. */
    @Nullable
    String deletionTimestamp();

    /** The object's JSON without {@code metadata.managedFields}; shared, not to be changed. */
    byte[] bytes();

    /**
     * A 64-bit fingerprint of the object without {@code status}, {@code metadata.resourceVersion}, {@code metadata.generation} and
     * {@code metadata.managedFields} (D5): equal for two versions that differ only there. {@code apiVersion} and {@code kind} do not
     * count either: they are the type's. Computed on each call, in one walk over the bytes.
     */
    long fingerprint();

    /**
     * A fresh decode, the caller's own.
     *
     * @throws ApiException.Undecodable with the key, the version and the path of the failure
     */
    <T extends HasMetadata> T decode(ResourceType<T> type);
}
