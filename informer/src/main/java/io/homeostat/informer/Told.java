package io.homeostat.informer;

import io.homeostat.informer.ResourceEventHandler.Phase;
import java.util.List;

/**
 * Who is told what changes in one informer's cache: a handler, or the part one namespace has in a handler of several.
 *
 * <p>{@link #offer} and {@link #initialsOffered} are called on the informer's lane.
 */
interface Told {
    /** Changes that readers see already, in order; the same list once more when an error of the VM left this (see {@link HandlerLane}). */
    void offer(List<Change> changes, Phase phase);

    /** All there was at the place where it began has been offered; once. */
    void initialsOffered();

    /** {@link ResourceEventHandler#startsEarly}. */
    boolean startsEarly();

    /** Whether nobody is to be told any more. */
    boolean isClosed();

    /** The informer ends, or cannot tell it from where it was to begin. */
    void close();
}
