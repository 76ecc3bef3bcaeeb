package io.homeostat.reconciler;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.client.BlockingApiClient;
import io.homeostat.client.ObjectKey;
import io.homeostat.core.Experimental;
import io.homeostat.workqueue.Cause;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;

/**
 * What a reconcile may read and do.
 *
 * <p><b>Threads.</b> Any thread, until the reconcile returns; then what reads or writes throws {@link
 * IllegalStateException}.
 */
@Experimental
public interface KeyContext<K> {
    /** What is reconciled. */
    K key();

    /** Why, for people; never decide by it: causes are merged and bounded. */
    List<Cause> causes();

    /** 1, and one more for each failure in a row. */
    int attempt();

    /** What remains until this call is interrupted; zero or less when that has happened. */
    Duration deadline();

    /**
     * A cached object; this operator's own writes are visible at once. Shared and read-only.
     *
     * @throws IllegalArgumentException when the controller neither owns nor watches the type
     * @throws CacheNotReady when the cache cannot answer; let it pass: a quiet retry
     */
    <X extends HasMetadata> Optional<X> find(Class<X> type, ObjectKey key);

    /** Wall clock time, for timestamps that people read; never to decide by. */
    Instant now();

    /**
     * Every verb on every type, uncached. What it writes is visible in the caches too. Do not keep it: after the reconcile each of its
     * verbs throws {@link IllegalStateException}.
     */
    BlockingApiClient client();

    /** Logs with the controller and the key. */
    Logger logger();
}
