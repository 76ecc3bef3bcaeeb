package io.homeostat.informer;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.client.ObjectKey;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Function;

/** One state of each of several namespaces. Keys are in order by namespace first, so lists are put together namespace by namespace. */
final class JoinedSnapshot<T extends HasMetadata> implements Snapshot<T> {
    private final SortedMap<String, Snapshot<T>> parts = new TreeMap<>();

    JoinedSnapshot(SortedMap<String, ? extends SharedInformer<T>> informers) {
        informers.forEach((namespace, informer) -> parts.put(namespace, informer.snapshot()));
    }

    private List<CachedObject<T>> of(Function<Snapshot<T>, List<CachedObject<T>>> question) {
        List<CachedObject<T>> all = new ArrayList<>();
        parts.values().forEach(part -> all.addAll(question.apply(part)));
        return Collections.unmodifiableList(all);
    }

    @Override
    public Optional<CachedObject<T>> get(ObjectKey key) {
        Snapshot<T> part = parts.get(key.namespace());
        return part == null ? Optional.empty() : part.get(key);
    }

    @Override
    public List<CachedObject<T>> list() {
        return of(Snapshot::list);
    }

    @Override
    public List<CachedObject<T>> inNamespace(String namespace) {
        Snapshot<T> part = parts.get(namespace);
        return part == null ? List.of() : part.list();
    }

    @Override
    public List<CachedObject<T>> ownedBy(String ownerUid) {
        return of(part -> part.ownedBy(ownerUid));
    }

    @Override
    public List<CachedObject<T>> matching(String labelSelector) {
        LabelSelector.of(labelSelector); // a wrong one is refused also where there is no namespace to ask
        return of(part -> part.matching(labelSelector));
    }

    @Override
    public List<CachedObject<T>> matching(String namespace, String labelSelector) {
        LabelSelector.of(labelSelector);
        Snapshot<T> part = parts.get(namespace);
        return part == null ? List.of() : part.matching(namespace, labelSelector);
    }

    @Override
    public Lookup<T> indexed(Index<T> index, String value) {
        List<CachedObject<T>> objects = new ArrayList<>();
        Map<ObjectKey, String> unindexed = new TreeMap<>();
        for (Snapshot<T> part : parts.values()) {
            Lookup<T> found = part.indexed(index, value);
            objects.addAll(found.objects());
            unindexed.putAll(found.unindexed());
        }
        return new Lookup<>(Collections.unmodifiableList(objects), Collections.unmodifiableMap(unindexed));
    }

    @Override
    public int size() {
        return parts.values().stream().mapToInt(Snapshot::size).sum();
    }

    @Override
    public String resourceVersion() {
        return parts.size() == 1 ? parts.values().iterator().next().resourceVersion() : "";
    }

    @Override
    public long epoch() {
        return parts.values().stream().mapToLong(Snapshot::epoch).sum();
    }
}
