package io.homeostat.client;

import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.homeostat.core.Experimental;
import java.util.Optional;
import java.util.concurrent.CompletionStage;

/** Asks the server which resources it serves. Nothing is remembered: each call is a request. */
@Experimental
public interface Discovery {
    /** Whether the server serves this resource in this version now. */
    CompletionStage<Boolean> serves(ResourceType<?> type);

    /** The resource of a kind; empty when the server does not serve it. */
    CompletionStage<Optional<ResourceType<GenericKubernetesResource>>> find(String group, String version, String kind);
}
