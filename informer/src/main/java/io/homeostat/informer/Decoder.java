package io.homeostat.informer;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.client.ApiException;
import io.homeostat.client.RawObject;
import io.homeostat.client.ResourceType;
import java.util.function.BiConsumer;

/**
 * How the entries of one informer become objects of one class, and who hears when one does not (D32).
 *
 * @param failed told on the thread that asked for the object; must not block
 */
record Decoder<T extends HasMetadata>(ResourceType<T> type, BiConsumer<RawObject, ApiException.Undecodable> failed) {
    /** The object, shared and read-only: the one the store keeps, if it does, or a fresh decode. */
    T shared(RawObject raw) {
        return raw instanceof Decoded kept ? kept.shared(this) : decode(raw);
    }

    /** A fresh decode. */
    T decode(RawObject raw) {
        try {
            return raw.decode(type);
        } catch (ApiException.Undecodable problem) {
            failed.accept(raw, problem);
            throw problem;
        }
    }
}
