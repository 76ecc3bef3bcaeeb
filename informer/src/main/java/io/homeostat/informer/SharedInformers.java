package io.homeostat.informer;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.client.ApiClient;
import io.homeostat.client.ResourceType;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Experimental;
import io.homeostat.core.Registration;

/** The caches of one process and one cluster: one per identity (D29), shared by reference count. */
@Experimental
public interface SharedInformers extends Registration {
    /** The caches over this client; they see its writes (D10). */
    static SharedInformers over(EngineRuntime runtime, ApiClient client) {
        return new InformerRegistry(runtime, client);
    }

    /**
     * A hold on the cache of {@code type}; the first one starts it at once.
     *
     * @param namespace one namespace, {@code ""} for all
     */
    <T extends HasMetadata> SharedInformer<T> informer(ResourceType<T> type, String namespace);

    /** A hold on the cache of the objects that match a label selector; {@code ""} for all. */
    <T extends HasMetadata> SharedInformer<T> informer(ResourceType<T> type, String namespace, String labelSelector);
}
