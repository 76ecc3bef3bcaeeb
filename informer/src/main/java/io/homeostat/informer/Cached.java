package io.homeostat.informer;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.RawObject;
import org.jspecify.annotations.Nullable;

/**
 * One object as one reader got it. What it decodes it keeps as long as the reader keeps it; the store keeps it only under {@link
 * StorePolicy#DECODED}: else two reads decode twice, and a second look at the same answer does not.
 */
final class Cached<T extends HasMetadata> implements CachedObject<T> {
    private final RawObject raw;
    private final Decoder<T> decoder;
    // volatile: any thread may ask first; two that race decode twice, and the later result stays. Both are equal.
    private volatile @Nullable T decoded;

    Cached(RawObject raw, Decoder<T> decoder) {
        this.raw = raw;
        this.decoder = decoder;
    }

    @Override
    public ObjectKey key() {
        return raw.key();
    }

    @Override
    public RawObject raw() {
        return raw;
    }

    @Override
    public T object() {
        T known = decoded;
        if (known == null) {
            known = decoder.shared(raw);
            decoded = known;
        }
        return known;
    }

    @Override
    public T copy() {
        return decoder.decode(raw);
    }

    @Override
    public String toString() {
        return decoder.type() + " " + raw.key() + " at " + raw.resourceVersion();
    }
}
