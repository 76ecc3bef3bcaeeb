package io.homeostat.reconciler;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.client.ApiException;
import io.homeostat.client.ObjectKey;
import io.homeostat.core.Experimental;
import java.util.List;
import java.util.Optional;

/**
 * Reads from the server, not from a cache, of any type: each call is a request. For the rare decision that a cache, which may be
 * behind, must not make, and for types that are not worth a watch. The type need not be declared; the operator needs the right to
 * {@code get} or {@code list} it.
 *
 * <p><b>Threads.</b> As {@link Context}. <b>Failure.</b> {@link ApiException}; what waits here ends at the reconcile's deadline.
 */
@Experimental
public interface LiveReads {
    /** The object of that name in the namespace of the reconciled object (or in none, for a cluster-scoped type); the caller's own. */
    <X extends HasMetadata> Optional<X> find(Class<X> type, String name);

    /** The object; the caller's own. */
    <X extends HasMetadata> Optional<X> find(Class<X> type, ObjectKey key);

    /**
     * All objects of a namespace, read page by page at one version; the caller's own.
     *
     * @param namespace {@code ""} for all namespaces, and for cluster-scoped types
     */
    <X extends HasMetadata> List<X> list(Class<X> type, String namespace);
}
