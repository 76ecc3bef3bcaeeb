package io.homeostat.informer;

import io.homeostat.client.ObjectKey;
import io.homeostat.client.RawObject;
import org.jspecify.annotations.Nullable;

/** One step of the server's part of the cache. A change of UID is two: gone, then added. */
sealed interface Change {
    /** The object changed. */
    ObjectKey key();

    /** It exists now and did not before. */
    record Added(RawObject after) implements Change {
        @Override
        public ObjectKey key() {
            return after.key();
        }
    }

    /** A newer version of the same UID. */
    record Updated(RawObject before, RawObject after) implements Change {
        @Override
        public ObjectKey key() {
            return after.key();
        }
    }

    /**
     * It is gone.
     *
     * @param before what the cache had
     * @param lastKnown its last state
     */
    record Deleted(RawObject before, RawObject lastKnown) implements Change {
        @Override
        public ObjectKey key() {
            return before.key();
        }
    }

    /**
     * A UID that the server's part of the cache never had but readers may have seen: written by this process, and gone before the
     * cache caught up. Handlers must hear of it, or whoever saw it would wait for ever.
     *
     * @param lastKnown as it was written
     * @param now what the cache has under its key instead
     */
    record Passed(RawObject lastKnown, @Nullable RawObject now) implements Change {
        @Override
        public ObjectKey key() {
            return lastKnown.key();
        }
    }
}
