package io.homeostat.client;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Lane;
import io.homeostat.core.Registration;
import io.homeostat.core.Transport;
import java.util.List;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

final class HttpApiClient implements ApiClient {
    HttpApiClient(EngineRuntime runtime, Transport transport, Settings settings) {
        throw unwritten();
    }

    private static UnsupportedOperationException unwritten() {
        return new UnsupportedOperationException("HttpApiClient is being written");
    }

    @Override
    public CompletionStage<RawObject> get(ResourceType<?> type, ObjectKey key) {
        throw unwritten();
    }

    @Override
    public CompletionStage<RawObject> create(ResourceType<?> type, ObjectKey key, byte[] json) {
        throw unwritten();
    }

    @Override
    public CompletionStage<RawObject> update(ResourceType<?> type, ObjectKey key, String subresource, byte[] json) {
        throw unwritten();
    }

    @Override
    public CompletionStage<RawObject> patch(
            ResourceType<?> type, ObjectKey key, String subresource, PatchKind kind, byte[] patch) {
        throw unwritten();
    }

    @Override
    public CompletionStage<RawObject> apply(
            ResourceType<?> type, ObjectKey key, String subresource, Apply how, byte[] json) {
        throw unwritten();
    }

    @Override
    public CompletionStage<@Nullable RawObject> delete(ResourceType<?> type, ObjectKey key, Delete how) {
        throw unwritten();
    }

    @Override
    public Streams.Handle list(ResourceType<?> type, Query query, Lane lane, Streams.ListListener listener) {
        throw unwritten();
    }

    @Override
    public CompletionStage<List<RawObject>> listAll(ResourceType<?> type, Query query) {
        throw unwritten();
    }

    @Override
    public Streams.Handle watch(ResourceType<?> type, Query query, Lane lane, Streams.WatchListener listener) {
        throw unwritten();
    }

    @Override
    public CompletionStage<byte[]> raw(String target) {
        throw unwritten();
    }

    @Override
    public Discovery discovery() {
        throw unwritten();
    }

    @Override
    public Registration observeWrites(WriteObserver observer) {
        throw unwritten();
    }

    @Override
    public byte[] encode(HasMetadata object) {
        throw unwritten();
    }

    @Override
    public BlockingApiClient blocking() {
        throw unwritten();
    }
}
