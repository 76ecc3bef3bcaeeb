package io.homeostat.informer;

import io.homeostat.core.Experimental;

/**
 * How a cache keeps its objects between reads. Whatever it is, readers and handlers get the same, metadata is at hand, and the bytes are
 * there exactly as the server sent them, without {@code managedFields}.
 */
@Experimental
public enum StorePolicy {
    /** Their bytes: each reader decodes what it looks at. The default. */
    LAZY,
    /**
     * Their bytes and, from the first read on, the decoded object, which all readers share. For objects that are read over and over: a
     * decoded one takes two to four times the space of its bytes.
     */
    DECODED,
    /**
     * Their bytes compressed: the least space. To store an object costs as much again as to receive it, and to read one some ten
     * microseconds more. For large caches that are read by metadata, and seldom as a whole.
     */
    COMPACT
}
