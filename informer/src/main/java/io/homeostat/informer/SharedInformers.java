package io.homeostat.informer;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.client.ApiClient;
import io.homeostat.client.ResourceType;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Experimental;
import io.homeostat.core.Metrics;
import io.homeostat.core.Registration;
import java.util.List;

/** The caches of one process and one cluster: one per identity (D29), shared by reference count. */
@Experimental
public interface SharedInformers extends Registration {
    /** The caches over this client; they see its writes (D10). */
    static SharedInformers over(EngineRuntime runtime, ApiClient client) {
        return over(runtime, client, Metrics.NONE);
    }

    /**
     * The same, with figures.
     *
     * @param metrics gets those of client-go ({@code reflector_…}, {@code informer_…}) and {@code homeostat_informer_…}, each with the
     *     informer's name, group, version and resource; what is closed takes its figures along
     */
    static SharedInformers over(EngineRuntime runtime, ApiClient client, Metrics metrics) {
        return new InformerRegistry(runtime, client, metrics);
    }

    /**
     * A hold on the cache of {@code type}; the first one starts it at once.
     *
     * @param namespace one namespace, {@code ""} for all
     */
    <T extends HasMetadata> SharedInformer<T> informer(ResourceType<T> type, String namespace);

    /** A hold on the cache of the objects that match a label selector; {@code ""} for all. */
    <T extends HasMetadata> SharedInformer<T> informer(ResourceType<T> type, String namespace, String labelSelector);

    /** What each informer that somebody holds is doing, in the order they were asked for first. */
    List<InformerState> states();
}
