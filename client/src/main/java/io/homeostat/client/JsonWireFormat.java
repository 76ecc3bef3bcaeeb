package io.homeostat.client;

import io.fabric8.kubernetes.api.model.HasMetadata;

/** {@link WireFormat} of {@code application/json}. */
final class JsonWireFormat implements WireFormat {
    private static final String JSON = "application/json";

    private static UnsupportedOperationException unwritten() {
        return new UnsupportedOperationException("JsonWireFormat is being written");
    }

    @Override
    public String acceptForObject() {
        return JSON;
    }

    @Override
    public String acceptForList() {
        return JSON;
    }

    @Override
    public String acceptForWatch() {
        return JSON;
    }

    @Override
    public FrameReader watch(ResourceType<?> type) {
        throw unwritten();
    }

    @Override
    public ListReader list(ResourceType<?> type) {
        throw unwritten();
    }

    @Override
    public RawObject object(ResourceType<?> type, byte[] json) {
        throw unwritten();
    }

    @Override
    public Deleted deleted(ResourceType<?> type, byte[] json) {
        throw unwritten();
    }

    @Override
    public byte[] encode(HasMetadata object) {
        throw unwritten();
    }

    @Override
    public <T extends HasMetadata> T decode(ResourceType<T> type, byte[] json, ObjectKey key, String resourceVersion) {
        throw unwritten();
    }
}
