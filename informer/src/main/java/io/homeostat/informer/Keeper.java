package io.homeostat.informer;

import io.homeostat.client.Compactor;
import io.homeostat.client.RawObject;
import org.jspecify.annotations.Nullable;

/**
 * A {@link StorePolicy} at work in one cache: makes of each object that arrived what is kept of it.
 *
 * <p><b>Order.</b> None. <b>Threads.</b> Confined to the informer's lane; what is kept: any. <b>Memory.</b> That of a {@link Compactor}
 * when it compresses. <b>Failure.</b> None: nothing is decoded here.
 */
final class Keeper {
    private final StorePolicy policy;
    private final @Nullable Compactor compactor;

    Keeper(StorePolicy policy) {
        this.policy = policy;
        this.compactor = policy == StorePolicy.COMPACT ? new Compactor() : null;
    }

    StorePolicy policy() {
        return policy;
    }

    /** What is kept of an object that arrived; at most once of each. */
    RawObject kept(RawObject arrived) {
        if (compactor != null) {
            return compactor.compact(arrived);
        }
        return policy == StorePolicy.DECODED ? new Decoded(arrived) : arrived;
    }

    /** Lets go of what is outside the heap. What was kept stays readable. */
    void close() {
        if (compactor != null) {
            compactor.close();
        }
    }
}
