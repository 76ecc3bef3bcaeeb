package io.homeostat.informer;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.client.ApiClient;
import io.homeostat.client.ResourceType;
import io.homeostat.core.EngineRuntime;

final class InformerRegistry implements SharedInformers {
    InformerRegistry(EngineRuntime runtime, ApiClient client) {
        throw unwritten();
    }

    private static UnsupportedOperationException unwritten() {
        return new UnsupportedOperationException("InformerRegistry is being written");
    }

    @Override
    public <T extends HasMetadata> SharedInformer<T> informer(ResourceType<T> type, String namespace) {
        throw unwritten();
    }

    @Override
    public <T extends HasMetadata> SharedInformer<T> informer(
            ResourceType<T> type, String namespace, String labelSelector) {
        throw unwritten();
    }

    @Override
    public void close() {
        throw unwritten();
    }
}
