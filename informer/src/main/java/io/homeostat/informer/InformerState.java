package io.homeostat.informer;

import io.homeostat.client.ApiException;
import io.homeostat.client.ObjectKey;
import io.homeostat.core.Experimental;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What an informer is doing, for people and probes.
 *
 * @param phase what it does now
 * @param sinceNanos when that began, on the runtime's clock
 * @param synced whether the cache has been complete once
 * @param lastError the last refusal or break of a list or watch; null when there was none since the last success
 * @param resourceVersion where the cache is
 * @param relists how many lists (or streamed lists) there were
 * @param quarantined keys whose newest version could not be read
 */
@Experimental
public record InformerState(
        Phase phase,
        long sinceNanos,
        boolean synced,
        @Nullable ApiException lastError,
        String resourceVersion,
        long relists,
        Set<ObjectKey> quarantined) {
    /** The states of the Reflector. */
    public enum Phase {
        /** Not started. */
        IDLE,
        /** Receiving initial events over a watch (WatchList). */
        STREAMING,
        /** Receiving a list. */
        LISTING,
        /** Following changes. */
        WATCHING,
        /** Waiting before the next attempt. */
        BACKING_OFF,
        /** The server does not serve the resource (404): the CRD is missing. */
        WAITING_FOR_TYPE,
        /** 401 or 403. */
        FORBIDDEN,
        /** Closed. */
        STOPPED
    }
}
