package io.homeostat.informer;

import io.homeostat.client.ApiException;
import io.homeostat.client.ObjectKey;
import io.homeostat.core.Experimental;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What an informer is doing, for people and probes. Holds names, versions and the server's words, never contents of objects.
 *
 * @param name what the informer caches: {@code pods/v1 in kube-system with app=web where spec.nodeName=n1}
 * @param phase what it does now
 * @param since when that began, by the wall clock
 * @param synced whether the cache has been complete once
 * @param lastProblem the last refusal or break of a list or watch; null when there was none since the last success
 * @param resourceVersion where the cache is; {@code ""} before the first list
 * @param epoch how often the server's versions went back
 * @param lastEventAge how long the server has said nothing, bookmarks included; null when it never has
 * @param relists how many lists (or streamed lists) there were
 * @param quarantine keys whose newest version could not be read or decoded, with what was found; in key order
 * @param unnamed how many items of the last list could not be read and did not even show their key
 * @param filteredHere whether the server has sent objects of other shards: it does not know {@link ShardSelector}s, and each object costs its
 *     bytes in every shard. The cache does not hold them
 */
@Experimental
public record InformerState(
        String name,
        Phase phase,
        Instant since,
        boolean synced,
        @Nullable Problem lastProblem,
        String resourceVersion,
        long epoch,
        @Nullable Duration lastEventAge,
        long relists,
        Map<ObjectKey, String> quarantine,
        int unnamed,
        boolean filteredHere) {
    /**
     * A list or watch that was refused or broke.
     *
     * @param verb {@code list} or {@code watch}
     * @param resource {@code deployments.apps/v1}
     * @param answer what came instead
     * @param at when, by the wall clock
     */
    @Experimental
    public record Problem(String verb, String resource, ApiException answer, Instant at) {}

    /** The answer of {@link #lastProblem}; null when there is none. */
    public @Nullable ApiException lastError() {
        return lastProblem == null ? null : lastProblem.answer;
    }

    /** The keys of {@link #quarantine}. */
    public Set<ObjectKey> quarantined() {
        return quarantine.keySet();
    }

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
        /**
         * The server does not take the cache's {@link Selection} (400), such as a field that this resource cannot be selected by: {@link
         * InformerState#lastProblem} has its words. It is asked again, at most every 30 s.
         */
        REFUSED,
        /** Closed. */
        STOPPED;

        /** Whether the cache waits for the server to answer otherwise. */
        boolean isTrouble() {
            return this == BACKING_OFF || this == WAITING_FOR_TYPE || this == FORBIDDEN || this == REFUSED;
        }
    }
}
