package io.homeostat.client;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.core.Experimental;
import java.util.List;
import java.util.Optional;

/**
 * {@link ApiClient} for user code: typed, and waiting.
 *
 * <p><b>Threads.</b> Any but an engine lane. <b>Failure.</b> {@link ApiException}; an interrupt or a timeout after a write was sent
 * is {@link ApiException.OutcomeUnknown}, with the interrupt flag set. A {@code GenericKubernetesResource} that is written costs a
 * discovery request before, since only the server knows its resource; {@link ApiException.NotFound} when it serves no such kind.
 */
@Experimental
public interface BlockingApiClient {
    /**
     * Reads one object from the server; empty when it is not there.
     *
     * @throws ApiException.NotFound when the server does not serve the type just now, which says nothing about the object
     */
    <T extends HasMetadata> Optional<T> get(ResourceType<T> type, ObjectKey key);

    /** Lists, all pages, one namespace or {@code ""} for all. */
    <T extends HasMetadata> List<T> list(ResourceType<T> type, Query query);

    /**
     * Creates. A review ({@code SelfSubjectAccessReview}, {@code TokenReview} and the like) is a question: it needs no name, is asked
     * whatever the write gate says, and comes back with its status.
     */
    <T extends HasMetadata> T create(T object);

    /** Replaces; the object's resourceVersion is checked by the server. */
    <T extends HasMetadata> T update(T object);

    /** Replaces the status. */
    <T extends HasMetadata> T updateStatus(T object);

    /** Patches; {@code subresource} as in {@link ApiClient#update}. */
    <T extends HasMetadata> T patch(
            ResourceType<T> type, ObjectKey key, String subresource, ApiClient.PatchKind kind, String patch);

    /** Applies (server-side apply). */
    <T extends HasMetadata> T apply(T object, ApiClient.Apply how);

    /**
     * Applies a document as it is: a manifest from a file, say.
     *
     * @param document JSON or YAML, UTF-8
     */
    RawObject apply(ResourceType<?> type, ObjectKey key, ApiClient.Apply how, byte[] document);

    /** Deletes; whether it is gone or on its way: {@code false} when it was not there. */
    boolean delete(ResourceType<?> type, ObjectKey key, ApiClient.Delete how);
}
