package io.homeostat.integrationtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.ConfigMapBuilder;
import io.fabric8.kubernetes.api.model.OwnerReference;
import io.fabric8.kubernetes.api.model.OwnerReferenceBuilder;
import io.homeostat.client.ApiClient;
import io.homeostat.client.BlockingApiClient;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.ResourceType;
import io.homeostat.examples.memcached.Memcached;
import io.homeostat.examples.memcached.MemcachedSpec;
import io.homeostat.examples.memcached.MemcachedStatus;
import io.homeostat.informer.CachedObject;
import io.homeostat.informer.Index;
import io.homeostat.informer.Snapshot;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Each way to write to one object, and what every read of a cache must show of it from the moment the write has returned (P-C11): by
 * key, in lists, by namespace, by owner, by label selector, by an index, and in the size.
 *
 * <p>Before the write the object is at {@link #OLD}, or not there for a create. Each write but those of status and end changes
 * labels, owner and spec at once.
 */
enum OwnWrite {
    CREATE,
    UPDATE,
    MERGE_PATCH,
    APPLY,
    STATUS_UPDATE,
    DELETE,
    DELETE_HELD_BY_A_FINALIZER;

    static final ResourceType<Memcached> TYPE = ResourceType.of(Memcached.class);
    static final String NAME = "written";
    static final String TIER = "tier";
    static final String OLD = "old";
    static final String NEW = "new";
    static final String FINALIZER = "example.com/hold";
    /** The same for preparing and applying, so that an apply takes away what it no longer names. */
    private static final ApiClient.Apply AS_OWNER = new ApiClient.Apply("own-writes", ApiClient.Apply.Force.YES);

    static final Index<Memcached> BY_SIZE = Index.ofObject(
            "size", memcached -> List.of("size " + memcached.getSpec().getSize()));

    /** Never added to an informer: such a question is answered by looking at every object. */
    static final Index<Memcached> BY_READY = Index.ofObject("ready", memcached -> List.of("ready " + ready(memcached)));

    /** The UIDs of the objects that own it, before and after. */
    record Owners(String old, String next) {}

    /** What reads show of the object. */
    private record Looks(String tier, int size, int ready, boolean going) {
        static final Looks BEFORE = new Looks(OLD, 1, 0, false);
        static final Looks AFTER = new Looks(NEW, 2, 0, false);

        boolean selected(String labelSelector) {
            return labelSelector.isEmpty() || labelSelector.equals(TIER + "=" + tier);
        }

        String owner(Owners owners) {
            return tier.equals(OLD) ? owners.old : owners.next;
        }
    }

    private static int ready(Memcached memcached) {
        MemcachedStatus status = memcached.getStatus();
        return status == null || status.getReadyReplicas() == null ? 0 : status.getReadyReplicas();
    }

    static ObjectKey key(String namespace) {
        return new ObjectKey(namespace, NAME);
    }

    /** Makes what it writes to, with somebody else's client, and returns the UIDs of its owners. */
    Owners prepare(BlockingApiClient client, String namespace) {
        Owners owners = new Owners(owner(client, namespace, OLD), owner(client, namespace, NEW));
        if (this != CREATE) {
            apply(client, namespace, owners, Looks.BEFORE);
        }
        return owners;
    }

    private static String owner(BlockingApiClient client, String namespace, String name) {
        ConfigMap owner = new ConfigMapBuilder()
                .withNewMetadata()
                .withNamespace(namespace)
                .withName("owner-" + name)
                .endMetadata()
                .build();
        return client.apply(owner, AS_OWNER).getMetadata().getUid();
    }

    private void apply(BlockingApiClient client, String namespace, Owners owners, Looks looks) {
        String finalizers = this == DELETE_HELD_BY_A_FINALIZER ? "\"finalizers\":[\"" + FINALIZER + "\"]," : "";
        String document =
                "{\"apiVersion\":\"cache.example.com/v1alpha1\",\"kind\":\"Memcached\",\"metadata\":{\"name\":\""
                        + NAME + "\",\"namespace\":\"" + namespace + "\"," + finalizers + metadata(owners, looks) + "},"
                        + spec(looks) + "}";
        client.apply(TYPE, key(namespace), AS_OWNER, document.getBytes(StandardCharsets.UTF_8));
    }

    private static String metadata(Owners owners, Looks looks) {
        return "\"labels\":{\"" + TIER + "\":\"" + looks.tier + "\"},\"ownerReferences\":[{\"apiVersion\":\"v1\","
                + "\"kind\":\"ConfigMap\",\"name\":\"owner-" + looks.tier + "\",\"uid\":\"" + looks.owner(owners)
                + "\"}]";
    }

    private static String spec(Looks looks) {
        return "\"spec\":{\"size\":" + looks.size + "}";
    }

    /** Writes, and waits for the answer. */
    void write(BlockingApiClient client, String namespace, Owners owners) {
        switch (this) {
            case CREATE -> client.create(withNewLooks(new Memcached(), namespace, owners));
            case UPDATE -> client.update(withNewLooks(present(client, namespace), namespace, owners));
            case MERGE_PATCH -> client.patch(
                    TYPE,
                    key(namespace),
                    "",
                    ApiClient.PatchKind.MERGE,
                    "{\"metadata\":{" + metadata(owners, Looks.AFTER) + "}," + spec(Looks.AFTER) + "}");
            case APPLY -> apply(client, namespace, owners, Looks.AFTER);
            case STATUS_UPDATE -> {
                Memcached memcached = present(client, namespace);
                MemcachedStatus status = new MemcachedStatus();
                status.setReadyReplicas(7);
                memcached.setStatus(status);
                client.updateStatus(memcached);
            }
            case DELETE, DELETE_HELD_BY_A_FINALIZER -> assertThat(
                            client.delete(TYPE, key(namespace), ApiClient.Delete.ANY))
                    .isTrue();
        }
    }

    private static Memcached present(BlockingApiClient client, String namespace) {
        return client.get(TYPE, key(namespace)).orElseThrow();
    }

    private static Memcached withNewLooks(Memcached memcached, String namespace, Owners owners) {
        OwnerReference owner = new OwnerReferenceBuilder()
                .withApiVersion("v1")
                .withKind("ConfigMap")
                .withName("owner-" + NEW)
                .withUid(owners.next)
                .build();
        memcached.getMetadata().setNamespace(namespace);
        memcached.getMetadata().setName(NAME);
        memcached.getMetadata().setLabels(Map.of(TIER, NEW));
        memcached.getMetadata().setOwnerReferences(List.of(owner));
        MemcachedSpec spec = memcached.getSpec() == null ? new MemcachedSpec() : memcached.getSpec();
        spec.setSize(Looks.AFTER.size);
        memcached.setSpec(spec);
        return memcached;
    }

    /** Takes away what only a finalizer holds. */
    static void letGo(BlockingApiClient client, String namespace) {
        client.patch(TYPE, key(namespace), "", ApiClient.PatchKind.MERGE, "{\"metadata\":{\"finalizers\":null}}");
    }

    private @Nullable Looks after() {
        return switch (this) {
            case CREATE, UPDATE, MERGE_PATCH, APPLY -> Looks.AFTER;
            case STATUS_UPDATE -> new Looks(OLD, 1, 7, false);
            case DELETE -> null;
            case DELETE_HELD_BY_A_FINALIZER -> new Looks(OLD, 1, 0, true);
        };
    }

    /** Every read shows what was before the write. */
    void checkBefore(Snapshot<Memcached> snapshot, String namespace, Owners owners, String labelSelector) {
        check("before the own write", this == CREATE ? null : Looks.BEFORE, snapshot, namespace, owners, labelSelector);
    }

    /**
     * Every read shows the write.
     *
     * @param labelSelector that of the informer
     */
    void checkAfter(Snapshot<Memcached> snapshot, String namespace, Owners owners, String labelSelector) {
        check("after the own write", after(), snapshot, namespace, owners, labelSelector);
    }

    private static void check(
            String when,
            @Nullable Looks looks,
            Snapshot<Memcached> snapshot,
            String namespace,
            Owners owners,
            String labelSelector) {
        boolean there = looks != null && looks.selected(labelSelector);
        ObjectKey key = key(namespace);
        String where = when + ", in the cache with selector \"" + labelSelector + "\": ";
        is(where + "by key", there, snapshot.get(key).stream().toList(), key);
        is(where + "in the list", there, snapshot.list(), key);
        is(where + "in the namespace", there, snapshot.inNamespace(namespace), key);
        is(where + "in another namespace", false, snapshot.inNamespace("elsewhere"), key);
        assertThat(snapshot.size()).as(where + "the size").isEqualTo(there ? 1 : 0);
        for (String owner : List.of(owners.old, owners.next)) {
            boolean owns = there && owner.equals(looks.owner(owners));
            is(where + "owned by " + owner, owns, snapshot.ownedBy(owner), key);
        }
        for (String tier : List.of(OLD, NEW)) {
            boolean is = there && looks.tier.equals(tier);
            is(where + "matching " + tier, is, snapshot.matching(TIER + "=" + tier), key);
            is(where + "matching here " + tier, is, snapshot.matching(namespace, TIER + " in (" + tier + ")"), key);
        }
        for (int size : List.of(1, 2)) {
            boolean is = there && looks.size == size;
            is(
                    where + "of size " + size,
                    is,
                    snapshot.indexed(BY_SIZE, "size " + size).objects(),
                    key);
        }
        for (int ready : List.of(0, 7)) {
            boolean is = there && looks.ready == ready;
            is(
                    where + "of which are ready " + ready,
                    is,
                    snapshot.indexed(BY_READY, "ready " + ready).objects(),
                    key);
        }
        if (there) {
            Memcached object = snapshot.get(key).orElseThrow().object();
            assertThat(object.getMetadata().getDeletionTimestamp() != null)
                    .as(where + "on its way")
                    .isEqualTo(looks.going);
            assertThat(object.getSpec().getSize()).as(where + "its size").isEqualTo(looks.size);
            assertThat(ready(object)).as(where + "its status").isEqualTo(looks.ready);
        }
    }

    private static void is(String where, boolean there, List<? extends CachedObject<?>> found, ObjectKey key) {
        assertThat(found.stream().map(CachedObject::key)).as(where).isEqualTo(there ? List.of(key) : List.of());
    }
}
