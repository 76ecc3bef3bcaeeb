package io.homeostat.informer;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.client.OwnerRef;
import io.homeostat.core.Spi;
import java.util.List;
import java.util.Set;

/**
 * Told of changes of the cache, one key at a time in order: added, updated*, deleted (P-C2). Versions in between may be merged
 * away for a slow handler, wake-ups are not (D7): {@link Merged} says what a merged step stands for.
 *
 * <p><b>Threads.</b> All calls of one handler run on its user lane, one at a time; it may block and harms no other handler. When it
 * is called the cache is at this step or beyond ({@link #startsEarly} excepted). <b>Failure.</b> A throw is caught, logged and counted; the step counts as done.
 */
@Spi
public interface ResourceEventHandler<T extends HasMetadata> {
    /**
     * The object exists now.
     *
     * @param phase whether it was there when the handler was added or the cache first filled
     */
    void onAdd(CachedObject<T> object, Phase phase, Merged<T> merged);

    /** The object changed from what this handler last saw to {@code after}. Same UID. */
    void onUpdate(CachedObject<T> before, CachedObject<T> after, Merged<T> merged);

    /** The object is gone; {@code lastKnown} is its last state, or what this handler last saw. */
    void onDelete(CachedObject<T> lastKnown, Merged<T> merged);

    /**
     * Whether this handler is told of the first list as it comes, long before the cache is complete. Asked once, when it is added.
     *
     * <p>For work that needs no other object than the one at hand: nothing can be read of the cache before {@link SharedInformer#synced},
     * not even what this handler was told of, and it is not told again when it can. A first list that breaks off has been told as far as it
     * came; the next one tells what has changed or ended since.
     *
     * @return false by default: it begins when the cache is complete, and every read is
     */
    default boolean startsEarly() {
        return false;
    }

    /** When an add happened. */
    enum Phase {
        /** Part of the first state this handler gets. */
        INITIAL,
        /** Afterwards. */
        LATER
    }

    /**
     * What a step stands for when versions were merged.
     *
     * @param versions how many versions the step stands for; 1 when nothing was merged
     * @param owners the union of the owners of all versions since what the handler last saw, both ends included
     * @param between the versions in between, oldest first, at most 8; of a delete, the version that this handler saw before is the first,
     *     when {@code lastKnown} is another
     * @param complete whether {@code between} holds every version in between; when false, assume anything (D7)
     */
    @Spi
    record Merged<T extends HasMetadata>(
            int versions, Set<OwnerRef> owners, List<CachedObject<T>> between, Completeness complete) {
        /** Whether all merged versions are known. */
        public enum Completeness {
            /** All. */
            ALL,
            /** More than 8 were merged: some are unknown. */
            SOME
        }
    }
}
