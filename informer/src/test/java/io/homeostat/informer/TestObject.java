package io.homeostat.informer;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.ConfigMapBuilder;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.OwnerRef;
import io.homeostat.client.RawObject;
import io.homeostat.client.ResourceType;
import io.homeostat.client.TestErrors;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** An object without a server. */
record TestObject(
        ObjectKey key,
        String uid,
        String resourceVersion,
        Map<String, String> labels,
        List<OwnerRef> owners,
        @Nullable String deletionTimestamp)
        implements RawObject {
    static final ResourceType<ConfigMap> TYPE = ResourceType.of(ConfigMap.class);
    static final Decoder<ConfigMap> DECODER = new Decoder<>(TYPE, (object, problem) -> {});

    static TestObject of(String name, String uid, long version) {
        return new TestObject(new ObjectKey("ns", name), uid, Long.toString(version), Map.of(), List.of(), null);
    }

    TestObject in(String namespace) {
        return new TestObject(
                new ObjectKey(namespace, key.name()), uid, resourceVersion, labels, owners, deletionTimestamp);
    }

    TestObject at(long version) {
        return new TestObject(key, uid, Long.toString(version), labels, owners, deletionTimestamp);
    }

    TestObject labelled(String name, String value) {
        return new TestObject(key, uid, resourceVersion, Map.of(name, value), owners, deletionTimestamp);
    }

    TestObject ownedBy(String... uids) {
        List<OwnerRef> owners = java.util.Arrays.stream(uids)
                .map(owner -> new OwnerRef("v1", "Owner", "owner-" + owner, owner, true))
                .toList();
        return new TestObject(key, uid, resourceVersion, labels, owners, deletionTimestamp);
    }

    TestObject deleting() {
        return new TestObject(key, uid, resourceVersion, labels, owners, "2026-11-24T00:00:00Z");
    }

    @Override
    public long generation() {
        return 0;
    }

    @Override
    public List<String> finalizers() {
        return List.of();
    }

    @Override
    public @Nullable String creationTimestamp() {
        return null;
    }

    @Override
    public byte[] bytes() {
        return (this + (labels().isEmpty() ? "" : " " + labels())).getBytes(StandardCharsets.UTF_8);
    }

    @Override
    public long fingerprint() {
        return 0;
    }

    @Override
    public <T extends HasMetadata> T decode(ResourceType<T> type) {
        if (labels.containsKey("undecodable")) {
            throw TestErrors.undecodable("version " + resourceVersion + " does not decode: at spec.replicas: a text");
        }
        return type.objectClass()
                .cast(new ConfigMapBuilder()
                        .withNewMetadata()
                        .withNamespace(key.namespace())
                        .withName(key.name())
                        .withUid(uid)
                        .withResourceVersion(resourceVersion)
                        .endMetadata()
                        .build());
    }

    @Override
    public String toString() {
        return key.name() + ":" + uid + "@" + resourceVersion;
    }
}
