package io.homeostat.client;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.ObjectMeta;
import java.util.Map;

/**
 * How much of each object is read: all of it, its metadata alone, either without some paths. And the mark by which a decoded object tells
 * that it is not all there is.
 *
 * @param metadataOnly whether only metadata is asked for, and kept
 * @param dropped what is cut out
 */
record Extent(boolean metadataOnly, DroppedPaths dropped) {
    static final Extent WHOLE = new Extent(false, DroppedPaths.NONE);

    /** Not a name that any version of the API has; a server that is sent it drops it. */
    private static final String LACKS = "homeostat.io/lacks";

    static Extent of(ResourceType<?> type, DroppedPaths dropped) {
        boolean metadataOnly = type.isMetadataOnly();
        return !metadataOnly && dropped.isEmpty() ? WHOLE : new Extent(metadataOnly, dropped);
    }

    boolean isWhole() {
        return !metadataOnly && dropped.isEmpty();
    }

    /** What this leaves of an object that came whole. */
    RawObject of(ResourceType<?> type, ScannedMetadata whole) {
        byte[] bytes = whole.bytes();
        JsonCutter cutter = new JsonCutter(JsonCutter.Shape.OBJECT, bytes.length, dropped);
        cutter.advance(bytes, 0, bytes.length);
        byte[] left = new MetadataScanner(whole.format, type, null, this).copy(cutter);
        return new CutObject(whole, left, metadataOnly ? Fingerprint.of(left) : whole.fingerprint(), this);
    }

    /** What an object lacks, for people. */
    private String lacks() {
        return metadataOnly ? "everything but its metadata" : dropped.toString();
    }

    /** Marks a decoded object as one that lacks something. */
    <T extends HasMetadata> T mark(T decoded) {
        ObjectMeta metadata = decoded.getMetadata();
        if (metadata != null) {
            metadata.setAdditionalProperty(LACKS, lacks());
        }
        return decoded;
    }

    /**
     * Refuses what was decoded from less than the whole.
     *
     * @throws IllegalArgumentException naming what it lacks
     */
    static void requireWhole(HasMetadata object) {
        ObjectMeta metadata = object.getMetadata();
        Map<String, Object> unknown = metadata == null ? null : metadata.getAdditionalProperties();
        Object lacks = unknown == null ? null : unknown.get(LACKS);
        if (lacks != null) {
            throw new IllegalArgumentException("Cannot write " + object.getKind() + " " + metadata.getName()
                    + " as a whole: it comes from a cache that dropped " + lacks
                    + ", and the write would drop that from the server, too; read it live and change that, send a merge patch, or"
                    + " apply an object of your own making");
        }
    }
}
