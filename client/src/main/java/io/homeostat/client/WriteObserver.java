package io.homeostat.client;

import io.homeostat.core.Spi;
import org.jspecify.annotations.Nullable;

/**
 * Told of each write of this client that the server answered with success, before the caller gets the answer: the source of
 * read-your-writes (D10). An interrupted caller misses its answer, the observer does not.
 *
 * <p><b>Threads.</b> Any; must not block. <b>Failure.</b> A throw is logged; the caller still gets its answer.
 */
@Spi
@FunctionalInterface
public interface WriteObserver {
    /** One write was done. */
    void written(Done done);

    /**
     * A write the server has done.
     *
     * @param write what was asked
     * @param object the answered object at its new version; null when the object is gone (a delete answered by a Status, or by
     *     nothing and then a GET by NotFound)
     * @param uid the object's UID, {@code ""} when the answer did not say
     */
    @Spi
    record Done(Write write, @Nullable RawObject object, String uid) {}
}
