package io.homeostat.client;

import io.homeostat.core.Experimental;
import io.homeostat.core.Lane;
import java.util.concurrent.CompletionStage;

/**
 * The reads that a cache is made of. Of a type that shows metadata only ({@link ResourceType#metadataOnly}) a server is asked for metadata
 * alone; one that does not know how sends whole objects, which are cut here.
 *
 * <p><b>Threads.</b> Any. <b>Failure.</b> As of {@link ApiClient}.
 */
@Experimental
public interface Reads {
    /**
     * Reads one object from the server. Fails with {@link ApiException.NotFound} when it is not there, or its type is not served:
     * {@link ApiException.NotFound#misses} tells which.
     */
    CompletionStage<RawObject> get(ResourceType<?> type, ObjectKey key);

    /** Lists one page, item by item; {@code lane} gets the callbacks. */
    Streams.Handle list(ResourceType<?> type, Query query, Lane lane, Streams.ListListener listener);

    /** Watches; {@code lane} gets the callbacks. */
    Streams.Handle watch(ResourceType<?> type, Query query, Lane lane, Streams.WatchListener listener);
}
