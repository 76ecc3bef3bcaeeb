package io.homeostat.client;

import io.homeostat.core.Experimental;
import org.jspecify.annotations.Nullable;

/** One frame of a watch stream. */
@Experimental
public sealed interface WatchFrame {
    /** What happened to the object of an {@link Event}. */
    enum Kind {
        /** It exists now, for this watch. */
        ADDED,
        /** It changed. */
        MODIFIED,
        /** It is gone, for this watch; the object is its last state, at the version of the deletion. */
        DELETED
    }

    /** A change of one object. */
    @Experimental
    record Event(Kind kind, RawObject object) implements WatchFrame {}

    /**
     * Everything up to {@code resourceVersion} has been sent.
     *
     * @param initialEventsEnd whether the annotation {@code k8s.io/initial-events-end} is {@code "true"} (KEP-3157)
     */
    @Experimental
    record Bookmark(String resourceVersion, boolean initialEventsEnd) implements WatchFrame {}

    /** The server ends the watch with an error: a {@code Status} in the stream. */
    @Experimental
    record Failure(ApiException cause) implements WatchFrame {}

    /**
     * A frame that is no frame this client knows: broken JSON, another type, a Table, an object without name or version.
     *
     * @param problem what was found and where, without the object's contents
     * @param key the object's key when that much could be read
     */
    @Experimental
    record Unscannable(String problem, @Nullable ObjectKey key) implements WatchFrame {}
}
