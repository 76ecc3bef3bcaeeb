package io.homeostat.client;

import io.fabric8.kubernetes.api.model.HasMetadata;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The metadata of a {@link RawObject}, as the scanner found it; where the bytes are is the subclass's. Immutable. */
abstract class ScannedMetadata implements RawObject {
    final WireFormat format;
    private final ObjectKey key;
    private final String uid;
    private final String resourceVersion;
    private final long generation;
    private final Map<String, String> labels;
    private final List<OwnerRef> owners;
    private final List<String> finalizers;
    private final @Nullable String creationTimestamp;
    private final @Nullable String deletionTimestamp;

    /** Of what {@code metadata} holds after a scan that found no problem. */
    ScannedMetadata(WireFormat format, ObjectKey key, MetadataScanner metadata) {
        this.format = format;
        this.key = key;
        this.uid = metadata.uid;
        this.resourceVersion = metadata.resourceVersion;
        this.generation = metadata.generation;
        this.labels = metadata.labels;
        this.owners = metadata.owners;
        this.finalizers = metadata.finalizers;
        this.creationTimestamp = metadata.creationTimestamp;
        this.deletionTimestamp = metadata.deletionTimestamp;
    }

    /** The same. */
    ScannedMetadata(ScannedMetadata of) {
        this.format = of.format;
        this.key = of.key;
        this.uid = of.uid;
        this.resourceVersion = of.resourceVersion;
        this.generation = of.generation;
        this.labels = of.labels;
        this.owners = of.owners;
        this.finalizers = of.finalizers;
        this.creationTimestamp = of.creationTimestamp;
        this.deletionTimestamp = of.deletionTimestamp;
    }

    @Override
    public ObjectKey key() {
        return key;
    }

    @Override
    public String uid() {
        return uid;
    }

    @Override
    public String resourceVersion() {
        return resourceVersion;
    }

    @Override
    public long generation() {
        return generation;
    }

    @Override
    public Map<String, String> labels() {
        return labels;
    }

    @Override
    public List<OwnerRef> owners() {
        return owners;
    }

    @Override
    public List<String> finalizers() {
        return finalizers;
    }

    @Override
    public @Nullable String creationTimestamp() {
        return creationTimestamp;
    }

    @Override
    public @Nullable String deletionTimestamp() {
        return deletionTimestamp;
    }

    @Override
    public long fingerprint() {
        return Fingerprint.of(bytes());
    }

    @Override
    public <T extends HasMetadata> T decode(ResourceType<T> type) {
        return format.decode(type, bytes(), key, resourceVersion);
    }

    /** Key and version; never contents. */
    @Override
    public String toString() {
        return key + "@" + resourceVersion;
    }
}
