package io.homeostat.client;

import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.homeostat.core.Experimental;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletionStage;

/**
 * Which resources the server serves, and which one a kind is.
 *
 * <p>{@link #find} and {@link #preferred} remember. The first question is answered from one document of all groups (aggregated discovery, KEP-3352)
 * where the server has one, later ones without a request. What is not known is asked for, and only the document of that group and
 * version: a definition that has just been installed is found, at the latest 5 s after it was first missed. What is known is asked for
 * again after 10 minutes, and as soon as this client is told that its type is not served, so that a removed definition is noticed. While a group cannot
 * say what it has (an aggregated API server that is down), what it had before counts, but for types that the server has denied since; it is
 * asked once in 5 s, and questions that nobody can answer fail alike until then.
 *
 * <p><b>Threads.</b> Any. Stages complete on the caller's thread when the answer is known, else on the client's lane. <b>Memory.</b> Name, kind and
 * scope of each resource served, and at most 256 group versions that are not, as many that
 * could not say, and as many types that were denied. <b>Failure.</b> Stages fail with {@link ApiException} when
 * the server does not say and nothing is known from before; "not served" is only told when it says so.
 */
@Experimental
public interface Discovery {
    /** Whether the server serves this resource in this version now. Asks each time, and fails when the server does not say. */
    CompletionStage<Boolean> serves(ResourceType<?> type);

    /** The resource of a kind; empty when the server does not serve it. */
    CompletionStage<Optional<ResourceType<GenericKubernetesResource>>> find(String group, String version, String kind);

    /**
     * The resource of a kind in the version that the server prefers among those that have it; empty when it serves none.
     *
     * @param group {@code ""} for the core group
     */
    CompletionStage<Optional<ResourceType<GenericKubernetesResource>>> preferred(String group, String kind);

    /** The group versions ({@code metrics.k8s.io/v1beta1}) that could not say what they have when they were last asked. */
    Set<String> unavailable();
}
