package io.homeostat.reconciler;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.client.ApiClient;
import io.homeostat.client.BlockingApiClient;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.Query;
import io.homeostat.client.RawObject;
import io.homeostat.client.ResourceType;
import java.util.List;
import java.util.Optional;

/** The client that a reconcile is given: it refuses every verb once the reconcile is over, whoever kept it. */
record RunningClient(Attempt<?> attempt, BlockingApiClient client) implements BlockingApiClient {
    private BlockingApiClient running() {
        attempt.requireRunning();
        return client;
    }

    @Override
    public <T extends HasMetadata> Optional<T> get(ResourceType<T> type, ObjectKey key) {
        return running().get(type, key);
    }

    @Override
    public <T extends HasMetadata> List<T> list(ResourceType<T> type, Query query) {
        return running().list(type, query);
    }

    @Override
    public <T extends HasMetadata> T create(T object) {
        return running().create(object);
    }

    @Override
    public <T extends HasMetadata> T update(T object) {
        return running().update(object);
    }

    @Override
    public <T extends HasMetadata> T updateStatus(T object) {
        return running().updateStatus(object);
    }

    @Override
    public <T extends HasMetadata> T patch(
            ResourceType<T> type, ObjectKey key, String subresource, ApiClient.PatchKind kind, String patch) {
        return running().patch(type, key, subresource, kind, patch);
    }

    @Override
    public <T extends HasMetadata> T apply(T object, ApiClient.Apply how) {
        return running().apply(object, how);
    }

    @Override
    public RawObject apply(ResourceType<?> type, ObjectKey key, ApiClient.Apply how, byte[] document) {
        return running().apply(type, key, how, document);
    }

    @Override
    public boolean delete(ResourceType<?> type, ObjectKey key, ApiClient.Delete how) {
        return running().delete(type, key, how);
    }
}
