package io.homeostat.client;

import io.fabric8.kubernetes.api.model.HasMetadata;
import org.jspecify.annotations.Nullable;

/**
 * How objects travel (D36): frames, cuts, scans, decodes and encodes. The only place that knows a content type; JSON is the only one
 * now. A stateless factory; any thread.
 */
interface WireFormat {
    /** JSON. Keep one per client: it caches the decoders of the classes it has seen. */
    static WireFormat json() {
        return new JsonWireFormat();
    }

    /** The {@code Accept} header of a request for one object. */
    String acceptForObject(Extent extent);

    /** The {@code Accept} header of a list. */
    String acceptForList(Extent extent);

    /** The {@code Accept} header of a watch. */
    String acceptForWatch(Extent extent);

    /** The reader of one watch stream, confined to that stream's lane. */
    FrameReader watch(ResourceType<?> type, Extent extent);

    /** The reader of one page of a list, confined to that stream's lane. */
    ListReader list(ResourceType<?> type, Extent extent);

    /** {@link #watch(ResourceType, Extent)} of whole objects. */
    default FrameReader watch(ResourceType<?> type) {
        return watch(type, Extent.WHOLE);
    }

    /** {@link #list(ResourceType, Extent)} of whole objects. */
    default ListReader list(ResourceType<?> type) {
        return list(type, Extent.WHOLE);
    }

    /**
     * An answer that is one object: {@code managedFields} cut, metadata scanned.
     *
     * @param extent what is kept of it
     * @throws ApiException.Malformed saying what was found instead: another kind, a Table, a Status, HTML, broken JSON
     */
    RawObject object(ResourceType<?> type, Extent extent, byte[] json);

    /** {@link #object(ResourceType, Extent, byte[])} of a whole object. */
    default RawObject object(ResourceType<?> type, byte[] json) {
        return object(type, Extent.WHOLE, json);
    }

    /**
     * The answer to a delete.
     *
     * @throws ApiException.Malformed when it is neither a Status of success nor an object of {@code type}
     */
    Deleted deleted(ResourceType<?> type, byte[] json);

    /** The body of a request. */
    byte[] encode(HasMetadata object);

    /**
     * A fresh decode.
     *
     * @throws ApiException.Undecodable with key, version and the path in the JSON, never with a value
     */
    <T extends HasMetadata> T decode(ResourceType<T> type, byte[] json, ObjectKey key, String resourceVersion);

    /**
     * The answer to a delete.
     *
     * @param object the object when a finalizer or grace period holds it; null when it is gone
     * @param uid the object's UID, {@code ""} when the answer did not say
     */
    record Deleted(@Nullable RawObject object, String uid) {}
}
