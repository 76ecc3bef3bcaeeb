package io.homeostat.simulator;

import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * All objects of one resource, in all its versions, and who watches them.
 *
 * <p><b>Threads.</b> Confined to the simulator's lane.
 */
final class Registry {
    /** The group and plural of the storage: what {@code /registry/GROUP/PLURAL} is in etcd. */
    final String group;

    final String plural;
    /** Whether a CustomResourceDefinition made it. */
    final boolean custom;

    final TreeMap<String, Stored> objects = new TreeMap<>();
    /** What is served, the preferred version first; never empty while the resource is known. */
    List<ResourceKind> kinds;

    /** The version objects are stored in; one of {@link #kinds}, or an unserved one. */
    ResourceKind storage;

    /** The definition of a custom resource; null for the server's own kinds. */
    @Nullable
    ObjectNode definition;

    /** Whether the definition is being deleted: nothing new is created any more. */
    boolean terminating;

    private List<Watcher> watchers = List.of(); // replaced, never changed: a watcher may end while others are told

    Registry(List<ResourceKind> kinds, ResourceKind storage, boolean custom) {
        this.group = storage.group();
        this.plural = storage.plural();
        this.custom = custom;
        this.kinds = List.copyOf(kinds);
        this.storage = storage;
    }

    boolean namespaced() {
        return storage.scope() == ResourceKind.Scope.NAMESPACED;
    }

    @Nullable
    ResourceKind served(String version) {
        for (ResourceKind kind : kinds) {
            if (kind.version().equals(version)) {
                return kind;
            }
        }
        return null;
    }

    @Nullable
    Stored get(String namespace, String name) {
        return objects.get(Stored.key(namespace, name));
    }

    /** The objects of a namespace, or of all for "", in the order of etcd. */
    Iterable<Stored> in(String namespace) {
        return namespace.isEmpty() || !namespaced()
                ? objects.values()
                : objects.subMap(namespace + "/", namespace + "0").values(); // '0' follows '/'
    }

    /** Whether the definition of a custom resource declares this subresource. */
    boolean declares(ResourceKind kind, String subresource) {
        return versionOf(kind).path("subresources").path(subresource).isObject();
    }

    /** The paths, such as {@code spec.color}, by which objects of a custom resource can be selected. */
    List<String> selectableFields(ResourceKind kind) {
        List<String> fields = new ArrayList<>();
        for (JsonNode field : versionOf(kind).path("selectableFields")) {
            fields.add(Json.textAt(field, "jsonPath").replaceFirst("^\\.", ""));
        }
        return fields;
    }

    private JsonNode versionOf(ResourceKind kind) {
        for (JsonNode version : Json.listAt(definition, "spec", "versions")) {
            if (Json.textAt(version, "name").equals(kind.version())) {
                return version;
            }
        }
        return Json.NODES.missingNode();
    }

    List<Watcher> watchers() {
        return watchers;
    }

    void add(Watcher watcher) {
        List<Watcher> more = new ArrayList<>(watchers);
        more.add(watcher);
        watchers = more;
    }

    void remove(Watcher watcher) {
        List<Watcher> fewer = new ArrayList<>(watchers);
        if (fewer.remove(watcher)) {
            watchers = fewer;
        }
    }
}
