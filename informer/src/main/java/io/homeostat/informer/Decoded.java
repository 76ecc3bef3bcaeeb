package io.homeostat.informer;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.OwnerRef;
import io.homeostat.client.RawObject;
import io.homeostat.client.ResourceType;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * An object of a cache that keeps what was decoded ({@link StorePolicy#DECODED}). It is decoded by its first reader, on that one's thread:
 * classes of users have no business on the informer's lane. Of several classes that a type is read as, the first is kept.
 */
final class Decoded implements RawObject {
    private final RawObject raw;
    // volatile: any thread may read first; of two that race both decode, and the later stays. Both are equal.
    private volatile @Nullable HasMetadata object;

    Decoded(RawObject raw) {
        this.raw = raw;
    }

    /** The object, shared and read-only. */
    <T extends HasMetadata> T shared(Decoder<T> decoder) {
        HasMetadata known = object;
        Class<T> wanted = decoder.type().objectClass();
        if (known != null && known.getClass() == wanted) {
            return wanted.cast(known);
        }
        T decoded = decoder.decode(raw);
        if (known == null) {
            object = decoded;
        }
        return decoded;
    }

    @Override
    public ObjectKey key() {
        return raw.key();
    }

    @Override
    public String uid() {
        return raw.uid();
    }

    @Override
    public String resourceVersion() {
        return raw.resourceVersion();
    }

    @Override
    public long generation() {
        return raw.generation();
    }

    @Override
    public Map<String, String> labels() {
        return raw.labels();
    }

    @Override
    public List<OwnerRef> owners() {
        return raw.owners();
    }

    @Override
    public List<String> finalizers() {
        return raw.finalizers();
    }

    @Override
    public @Nullable String creationTimestamp() {
        return raw.creationTimestamp();
    }

    @Override
    public @Nullable String deletionTimestamp() {
        return raw.deletionTimestamp();
    }

    @Override
    public byte[] bytes() {
        return raw.bytes();
    }

    @Override
    public long fingerprint() {
        return raw.fingerprint();
    }

    @Override
    public <T extends HasMetadata> T decode(ResourceType<T> type) {
        return raw.decode(type);
    }

    /** Key and version; never contents. */
    @Override
    public String toString() {
        return raw.toString();
    }
}
