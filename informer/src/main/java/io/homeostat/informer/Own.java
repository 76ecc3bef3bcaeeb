package io.homeostat.informer;

import io.homeostat.client.ObjectKey;
import io.homeostat.client.OwnerRef;
import io.homeostat.client.RawObject;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * What a completed write of this process says of one key until the cache has caught up with it (D10). Immutable.
 *
 * @param key the object
 * @param uid the UID it speaks of
 * @param version the version the write gave the object; for a deletion, which has none, the newest version of that UID known then
 * @param object the object as written; null when readers must no longer see that UID
 * @param fate what the write did to it
 * @param superseded what readers saw of earlier own writes under this key, which handlers have not been told of yet; oldest first, at
 *     most {@value #REMEMBERED}
 * @param indexed the values of {@code object} in the indexes that readers asked for
 */
record Own(
        ObjectKey key,
        String uid,
        String version,
        @Nullable RawObject object,
        Fate fate,
        List<RawObject> superseded,
        Indexed indexed) {
    /** The most superseded writes of one key that are remembered; they are many only while the cache hears nothing. */
    static final int REMEMBERED = 16;

    /** Remembers values, so that readers do not decode the same own write again and again. Each is asked for on a reader's thread. */
    static final class Indexed {
        private record Values(Object index, IndexTable.Found found) {}

        // volatile: replaced by readers; of two that race one value is lost and made again.
        private volatile List<Values> known = List.of();

        IndexTable.Found of(Object index, IndexTable.Function function, RawObject raw) {
            List<Values> before = known;
            for (Values values : before) {
                if (values.index.equals(index)) {
                    return values.found;
                }
            }
            IndexTable.Found found = function.of(raw);
            List<Values> more = new ArrayList<>(before);
            more.add(new Values(index, found));
            known = more;
            return found;
        }
    }

    /** What a write did. */
    enum Fate {
        /** It exists, at {@code version}. */
        WRITTEN,
        /** It exists but does not match the informer's selector any more since {@code version}. */
        LEFT,
        /** It is deleted: that UID never comes back. */
        DELETED,
        /** As {@link #DELETED}, where the answer did not say which UID it was: the one that was shown, unless a GET says otherwise. */
        PRESUMED
    }

    static Own written(RawObject object) {
        return new Own(
                object.key(), object.uid(), object.resourceVersion(), object, Fate.WRITTEN, List.of(), new Indexed());
    }

    static Own left(RawObject object) {
        return new Own(object.key(), object.uid(), object.resourceVersion(), null, Fate.LEFT, List.of(), new Indexed());
    }

    static Own deleted(RawObject newestKnown) {
        return new Own(
                newestKnown.key(),
                newestKnown.uid(),
                newestKnown.resourceVersion(),
                null,
                Fate.DELETED,
                List.of(),
                new Indexed());
    }

    static Own presumed(RawObject newestKnown) {
        return new Own(
                newestKnown.key(),
                newestKnown.uid(),
                newestKnown.resourceVersion(),
                null,
                Fate.PRESUMED,
                List.of(),
                new Indexed());
    }

    /** Whether that UID is deleted, for all that is known. */
    boolean isEnd() {
        return fate == Fate.DELETED || fate == Fate.PRESUMED;
    }

    /** The same, laid over {@code earlier}: what that one showed is not forgotten. */
    Own over(@Nullable Own earlier) {
        if (earlier == null || (earlier.object == null && earlier.superseded.isEmpty())) {
            return this;
        }
        List<RawObject> all = earlier.shown();
        return with(all.subList(Math.max(0, all.size() - REMEMBERED), all.size()));
    }

    /** All that readers saw because of it and of earlier own writes; oldest first. */
    List<RawObject> shown() {
        if (object == null) {
            return superseded;
        }
        List<RawObject> all = new ArrayList<>(superseded.size() + 1);
        all.addAll(superseded);
        all.add(object);
        return all;
    }

    /** The same, without the superseded writes that handlers have been told of. */
    Own withoutSuperseded(Predicate<RawObject> told) {
        return superseded.stream().noneMatch(told)
                ? this
                : with(superseded.stream().filter(told.negate()).toList());
    }

    private Own with(List<RawObject> remembered) {
        return new Own(
                key, uid, version, object, fate, Collections.unmodifiableList(new ArrayList<>(remembered)), indexed);
    }

    /** How a {@link Layer} reads it. */
    static final Layer.Shape<Own> SHAPE = new Layer.Shape<>() {
        @Override
        public ObjectKey keyOf(Own own) {
            return own.key;
        }

        @Override
        public List<OwnerRef> ownersOf(Own own) {
            return own.object == null ? List.of() : own.object.owners();
        }
    };

    /** The same without owners: the planted defect of an own write that no index shows. */
    static final Layer.Shape<Own> UNINDEXED = new Layer.Shape<>() {
        @Override
        public ObjectKey keyOf(Own own) {
            return own.key;
        }

        @Override
        public List<OwnerRef> ownersOf(Own own) {
            return List.of();
        }
    };

    /**
     * What a reader sees where the server's part of the cache has {@code base}; null for nothing. An earlier UID is hidden, too: this
     * process has written a later one under the key, so the earlier is gone, whether the cache knows or not.
     */
    @Nullable
    RawObject over(@Nullable RawObject base) {
        if (object != null || base == null) {
            return object;
        }
        boolean dead = base.uid().equals(uid) || Indexer.older(base.resourceVersion(), version);
        return dead ? null : base;
    }
}
