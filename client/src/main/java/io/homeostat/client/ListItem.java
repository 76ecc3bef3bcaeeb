package io.homeostat.client;

import io.homeostat.core.Experimental;
import org.jspecify.annotations.Nullable;

/** One item of a list. */
@Experimental
public sealed interface ListItem {
    /** A readable item. */
    @Experimental
    record Scanned(RawObject object) implements ListItem {}

    /**
     * An item that cannot be scanned.
     *
     * @param index its place in its page, from 0
     * @param problem what was found and where, without the object's contents
     * @param key the object's key when that much could be read
     */
    @Experimental
    record Unscannable(int index, String problem, @Nullable ObjectKey key) implements ListItem {}
}
