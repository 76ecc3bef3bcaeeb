package io.homeostat.client;

import io.fabric8.kubernetes.api.model.HasMetadata;

/** {@link ScannedObject} of which something was cut out ({@link DroppedPaths}). Immutable. */
final class CutObject extends ScannedObject {
    private final long fingerprint;
    final Extent extent;

    /** Of what {@code metadata} holds after a scan that found no problem. */
    CutObject(
            WireFormat format, ObjectKey key, MetadataScanner metadata, byte[] bytes, long fingerprint, Extent extent) {
        super(format, key, metadata, bytes);
        this.fingerprint = fingerprint;
        this.extent = extent;
    }

    /** Of an object that was scanned whole. */
    CutObject(ScannedMetadata whole, byte[] bytes, long fingerprint, Extent extent) {
        super(whole, bytes);
        this.fingerprint = fingerprint;
        this.extent = extent;
    }

    /** That of the object before the cut. */
    @Override
    public long fingerprint() {
        return fingerprint;
    }

    @Override
    public <T extends HasMetadata> T decode(ResourceType<T> type) {
        return extent.mark(super.decode(type));
    }
}
