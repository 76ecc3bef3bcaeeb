package io.homeostat.simulator;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * What cleans up in a cluster, and what a CustomResourceDefinition sets going: the garbage collector (background, foreground,
 * orphan, dangling owners), namespace deletion, and the serving and ending of custom resources.
 *
 * <p><b>Order.</b> A definition is served, or no longer served, within the turn that wrote it; everything else is work of later
 * turns, one object a turn, in the order it became known, so that clients may see and write every state between. <b>Threads.</b>
 * Confined to the simulator's lane. <b>Memory.</b> One entry an owner reference. <b>Failure.</b> A write that is refused leaves the
 * object as it is; the next change that concerns it tries again.
 */
final class Collector {
    static final String ORPHAN = "orphan";
    static final String FOREGROUND = "foregroundDeletion";
    static final String CUSTOM_CLEANUP = "customresourcecleanup.apiextensions.k8s.io";
    private static final String DEFINITIONS = "apiextensions.k8s.io/customresourcedefinitions";

    // Invariants, all confined to the simulator's lane
    // - dependents holds, for every owner UID named by a stored object, the places of the objects that name it
    // - gone holds the UIDs of deleted owners that are still named, so that they are known to be gone even when their
    // kind is too
    // - while `due` is not empty, a turn is queued
    private final ApiServer server;
    private final Writes writes;
    private final Map<String, TreeSet<Place>> dependents = new TreeMap<>();
    private final TreeSet<String> gone = new TreeSet<>();
    private final LinkedHashSet<Place> due = new LinkedHashSet<>();
    private boolean scheduled;

    /** Where an object lies, whatever its incarnation. */
    private record Place(String registry, String namespace, String name) implements Comparable<Place> {
        @Override
        public int compareTo(Place other) {
            int by = registry.compareTo(other.registry);
            by = by != 0 ? by : namespace.compareTo(other.namespace);
            return by != 0 ? by : name.compareTo(other.name);
        }
    }

    private Collector(ApiServer server) {
        this.server = server;
        this.writes = server.writes();
    }

    static void start(ApiServer server) {
        Collector collector = new Collector(server);
        server.onChange(collector::changed);
    }

    // What happened

    private void changed(StoredChange change) {
        ResourceKind kind = change.kind();
        String id = kind.plural().equals("events") ? "/events" : kind.group() + "/" + kind.plural();
        ObjectNode object = change.object();
        ObjectNode metadata = Writes.metadataOf(object);
        Place place = new Place(id, Trees.text(metadata, "namespace"), Trees.text(metadata, "name"));
        boolean deleted = change.type() == StoredChange.Type.DELETED;
        ObjectNode before = change.before();
        if (before != null) {
            for (JsonNode owner : owners(before)) {
                String uid = Trees.text(owner, "uid");
                TreeSet<Place> places = dependents.get(uid);
                if (places != null && places.remove(place) && places.isEmpty()) {
                    dependents.remove(uid);
                    gone.remove(uid);
                }
            }
        }
        if (!deleted) {
            for (JsonNode owner : owners(object)) {
                dependents
                        .computeIfAbsent(Trees.text(owner, "uid"), uid -> new TreeSet<>())
                        .add(place);
            }
        }
        if (id.equals(DEFINITIONS)) {
            definition(change);
        }
        boolean deleting = !Trees.text(metadata, "deletionTimestamp").isEmpty();
        if (!deleted && (deleting || !owners(object).isEmpty())) {
            due(place);
        }
        if (deleted && dependents.containsKey(Trees.text(metadata, "uid"))) {
            gone.add(Trees.text(metadata, "uid"));
        }
        if (before != null && !deleted && !Json.same(owners(before), owners(object))) {
            for (JsonNode owner : owners(before)) { // one of them may have waited for this object
                Place owning = ownerPlace(place, owner);
                if (owning != null) {
                    due(owning);
                }
            }
        }
        if (deleted || deleting) {
            // dependents lost an owner or have one that waits for them; owners may have waited for this one
            List.copyOf(dependents.getOrDefault(Trees.text(metadata, "uid"), new TreeSet<>()))
                    .forEach(this::due);
            for (JsonNode owner : owners(object)) {
                Place owning = ownerPlace(place, owner);
                if (owning != null) {
                    due(owning);
                }
            }
        }
        if (deleted && !place.namespace().isEmpty()) {
            due(new Place("/namespaces", "", place.namespace()));
        }
        Registry registry = server.registries().get(id);
        if (deleted && registry != null && registry.terminating) {
            due(new Place(DEFINITIONS, "", ApiFailure.qualified(registry.plural, registry.group)));
        }
    }

    private static ArrayNode owners(ObjectNode object) {
        return Json.listAt(object, "metadata", "ownerReferences");
    }

    private void due(Place place) {
        due.add(place);
        schedule();
    }

    private void schedule() {
        if (!scheduled) {
            scheduled = true;
            server.lane().execute(this::turn);
        }
    }

    private void turn() {
        scheduled = false;
        if (due.isEmpty()) {
            return;
        }
        Place place = due.iterator().next();
        due.remove(place);
        if (!due.isEmpty()) {
            schedule();
        }
        Registry registry = server.registries().get(place.registry());
        Stored object = registry == null ? null : registry.get(place.namespace(), place.name());
        if (registry == null || object == null) {
            return;
        }
        if (place.registry().equals("/namespaces")) {
            if (object.beingDeleted()) {
                emptyNamespace(registry, object);
            }
        } else if (place.registry().equals(DEFINITIONS) && object.beingDeleted()) {
            emptyDefinition(registry, object);
        } else if (place.registry().equals(DEFINITIONS)) {
            establish(registry, object);
        } else {
            collect(registry, place, object);
        }
    }

    // Owners

    private void collect(Registry registry, Place place, Stored object) {
        ObjectNode metadata = Writes.metadataOf(object.tree);
        List<String> finalizers = Trees.strings(metadata, "finalizers");
        if (object.beingDeleted() && finalizers.contains(ORPHAN)) {
            orphan(registry, object);
            return;
        }
        if (object.beingDeleted() && finalizers.contains(FOREGROUND)) {
            if (blocking(object.uid).isEmpty()) {
                withoutFinalizer(registry, object, FOREGROUND);
            }
            return; // its dependents are due since it began to wait
        }
        if (object.beingDeleted()) {
            return;
        }
        ArrayNode owners = owners(object.tree);
        ArrayNode solid = Trees.array();
        boolean waiting = false;
        for (JsonNode reference : owners) {
            Owner owner = owner(place, reference);
            if (owner == Owner.WAITING) {
                waiting = true;
            } else if (owner == Owner.SOLID) {
                solid.add(reference);
            }
        }
        if (owners.isEmpty() || solid.size() == owners.size()) {
            return;
        }
        if (!solid.isEmpty()) {
            ObjectNode kept = Trees.withOwnMetadata(object.tree);
            Writes.metadataOf(kept).set("ownerReferences", solid);
            writes.put(registry, kept);
            return;
        }
        boolean hasDependents =
                !dependents.getOrDefault(object.uid, new TreeSet<>()).isEmpty();
        String policy = waiting && hasDependents
                ? "Foreground"
                : finalizers.contains(ORPHAN)
                        ? "Orphan"
                        : finalizers.contains(FOREGROUND) ? "Foreground" : "Background";
        writes.delete(
                registry,
                registry.storage,
                object.namespace,
                object.name,
                new Writes.Deletion(policy, object.uid, "", null, false));
    }

    private enum Owner {
        SOLID,
        ABSENT,
        WAITING
    }

    private @Nullable Registry ownerRegistry(JsonNode reference) {
        String apiVersion = Trees.text(reference, "apiVersion");
        int slash = apiVersion.indexOf('/');
        String group = slash < 0 ? "" : apiVersion.substring(0, slash);
        String kind = Trees.text(reference, "kind");
        for (Registry registry : server.registries().values()) {
            if (registry.group.equals(group) && registry.storage.kind().equals(kind)) {
                return registry;
            }
        }
        return null;
    }

    private @Nullable Place ownerPlace(Place dependent, JsonNode reference) {
        Registry registry = ownerRegistry(reference);
        return registry == null
                ? null
                : new Place(
                        Writes.id(registry),
                        registry.namespaced() ? dependent.namespace() : "",
                        Trees.text(reference, "name"));
    }

    private Owner owner(Place dependent, JsonNode reference) {
        if (gone.contains(Trees.text(reference, "uid"))) {
            return Owner.ABSENT;
        }
        Registry registry = ownerRegistry(reference);
        if (registry == null || (registry.namespaced() && dependent.namespace().isEmpty())) {
            return Owner.SOLID; // not to be resolved: the real collector leaves such dependents alone
        }
        Stored owner = registry.get(registry.namespaced() ? dependent.namespace() : "", Trees.text(reference, "name"));
        if (owner == null || !owner.uid.equals(Trees.text(reference, "uid"))) {
            return Owner.ABSENT;
        }
        return owner.beingDeleted()
                        && Trees.strings(Trees.metadata(owner.tree), "finalizers")
                                .contains(FOREGROUND)
                ? Owner.WAITING
                : Owner.SOLID;
    }

    /** The dependents that hold up a foreground deletion. */
    private List<Place> blocking(String uid) {
        List<Place> blocking = new ArrayList<>();
        for (Place place : dependents.getOrDefault(uid, new TreeSet<>())) {
            Registry registry = server.registries().get(place.registry());
            Stored dependent = registry == null ? null : registry.get(place.namespace(), place.name());
            if (dependent == null) {
                continue;
            }
            for (JsonNode reference : owners(dependent.tree)) {
                JsonNode block = reference.get("blockOwnerDeletion");
                if (Trees.text(reference, "uid").equals(uid)
                        && block != null
                        && block.isBoolean()
                        && block.booleanValue()) {
                    blocking.add(place);
                }
            }
        }
        return blocking;
    }

    private void orphan(Registry registry, Stored owner) {
        for (Place place : List.copyOf(dependents.getOrDefault(owner.uid, new TreeSet<>()))) {
            Registry of = server.registries().get(place.registry());
            Stored dependent = of == null ? null : of.get(place.namespace(), place.name());
            if (of == null || dependent == null) {
                continue;
            }
            ObjectNode freed = Trees.withOwnMetadata(dependent.tree);
            ArrayNode rest = Trees.array();
            for (JsonNode reference : owners(dependent.tree)) {
                if (!Trees.text(reference, "uid").equals(owner.uid)) {
                    rest.add(reference);
                }
            }
            if (rest.isEmpty()) {
                Writes.metadataOf(freed).remove("ownerReferences");
            } else {
                Writes.metadataOf(freed).set("ownerReferences", rest);
            }
            writes.put(of, freed);
        }
        withoutFinalizer(registry, owner, ORPHAN);
    }

    private void withoutFinalizer(Registry registry, Stored object, String finalizer) {
        ObjectNode freed = Trees.withOwnMetadata(object.tree);
        ObjectNode metadata = Writes.metadataOf(freed);
        List<String> rest = new ArrayList<>(Trees.strings(metadata, "finalizers"));
        rest.remove(finalizer);
        if (!rest.isEmpty()) {
            metadata.set("finalizers", Trees.array(rest));
            writes.put(registry, freed);
            return;
        }
        metadata.remove("finalizers");
        if (Trees.number(metadata, "deletionGracePeriodSeconds") > 0) {
            writes.put(registry, freed); // a Pod still waits for its kubelet
        } else {
            writes.remove(registry, object, freed);
        }
    }

    // Namespaces

    private void emptyNamespace(Registry namespaces, Stored namespace) {
        boolean empty = true;
        for (Registry registry : List.copyOf(server.registries().values())) {
            if (!registry.namespaced()) {
                continue;
            }
            List<Stored> contents = new ArrayList<>();
            registry.in(namespace.name).forEach(contents::add);
            for (Stored object : contents) {
                if (!object.beingDeleted()) {
                    writes.delete(
                            registry, registry.storage, object.namespace, object.name, Writes.Deletion.BACKGROUND);
                }
            }
            empty &= !registry.in(namespace.name).iterator().hasNext();
        }
        if (empty) {
            Stored live = namespaces.get("", namespace.name);
            if (live != null
                    && Trees.strings(Trees.metadata(live.tree), "finalizers").isEmpty()) {
                writes.remove(namespaces, live, live.tree);
            }
        }
    }

    // Definitions

    /** Serves what a definition defines; ends it when the definition is gone. */
    private void definition(StoredChange change) {
        ObjectNode definition = change.object();
        String group = Json.textAt(definition, "spec", "group");
        String plural = Json.textAt(definition, "spec", "names", "plural");
        String id = group + "/" + plural;
        Registry registry = server.registries().get(id);
        if (change.type() == StoredChange.Type.DELETED) {
            if (registry != null && registry.custom) {
                server.registries().remove(id);
                for (Watcher watcher : registry.watchers()) {
                    watcher.end();
                }
            }
            return;
        }
        if (registry != null && !registry.custom) {
            return; // nothing takes the place of the server's own kinds
        }
        if (change.type() == StoredChange.Type.ADDED) {
            due(new Place(DEFINITIONS, "", Trees.text(Trees.metadata(definition), "name")));
        }
        List<ResourceKind> kinds = CustomResourceKinds.of(definition);
        if (kinds.isEmpty() || !taken(definition).isEmpty()) {
            return;
        }
        ResourceKind storage = kinds.get(0);
        for (JsonNode version : Json.listAt(definition, "spec", "versions")) {
            JsonNode stored = version.get("storage");
            for (ResourceKind kind : kinds) {
                if (stored != null
                        && stored.isBoolean()
                        && stored.booleanValue()
                        && kind.version().equals(Trees.text(version, "name"))) {
                    storage = kind;
                }
            }
        }
        if (registry == null) {
            registry = new Registry(kinds, storage, true);
            server.registries().put(id, registry);
        } else {
            registry.kinds = List.copyOf(kinds);
            registry.storage = storage;
        }
        registry.definition = definition;
        registry.terminating =
                !Trees.text(Trees.metadata(definition), "deletionTimestamp").isEmpty();
    }

    /** Says in the status of a definition what has become of it. */
    private void establish(Registry definitions, Stored stored) {
        ObjectNode definition = stored.tree;
        ObjectNode names = Json.objectAt(definition, "spec", "names");
        String taken = taken(definition);
        ObjectNode status = Json.objectAt(definition, "status");
        status = status == null ? Trees.object() : Trees.shallowCopy(status);
        ArrayNode conditions = status.get("conditions") instanceof ArrayNode before ? before : Trees.array();
        if (taken.isEmpty()) {
            conditions = with(conditions, "NamesAccepted", true, "NoConflicts", "no conflicts found");
            conditions = with(
                    conditions, "Established", true, "InitialNamesAccepted", "the initial names have been accepted");
            status.set("acceptedNames", names == null ? Trees.object() : names);
        } else {
            conditions =
                    with(conditions, "NamesAccepted", false, "KindConflict", "\"" + taken + "\" is already in use");
            conditions = with(conditions, "Established", false, "NotAccepted", "not all names are accepted");
        }
        status.set("conditions", conditions);
        ObjectNode told = Trees.shallowCopy(definition);
        told.set("status", status);
        server.updateStatus(definitions.storage, told, "kube-apiserver");
    }

    private ArrayNode with(ArrayNode conditions, String type, boolean status, String reason, String message) {
        ObjectNode condition = Trees.object();
        condition.put("type", type);
        condition.put("status", status ? "True" : "False");
        condition.put("lastTransitionTime", Writes.seconds(server.runtime().wallClock()));
        condition.put("reason", reason);
        condition.put("message", message);
        ArrayNode all = Trees.array();
        boolean found = false;
        for (JsonNode old : conditions) {
            if (!Trees.text(old, "type").equals(type)) {
                all.add(old);
                continue;
            }
            found = true;
            boolean same = Trees.text(old, "status").equals(Trees.text(condition, "status"));
            all.add(same ? old : condition);
        }
        if (!found) {
            all.add(condition);
        }
        return all;
    }

    /** The kind of this definition, when another one of its group has it; "" when it is free. */
    private String taken(ObjectNode definition) {
        String group = Json.textAt(definition, "spec", "group");
        String plural = Json.textAt(definition, "spec", "names", "plural");
        String kind = Json.textAt(definition, "spec", "names", "kind");
        for (Registry registry : server.registries().values()) {
            if (registry.group.equals(group)
                    && !registry.plural.equals(plural)
                    && registry.storage.kind().equals(kind)) {
                return kind;
            }
        }
        return "";
    }

    private void emptyDefinition(Registry definitions, Stored definition) {
        Registry registry = server.registries()
                .get(Json.textAt(definition.tree, "spec", "group") + "/"
                        + Json.textAt(definition.tree, "spec", "names", "plural"));
        if (registry != null && registry.custom) {
            for (Stored object : List.copyOf(registry.objects.values())) {
                if (!object.beingDeleted()) {
                    writes.delete(
                            registry, registry.storage, object.namespace, object.name, Writes.Deletion.BACKGROUND);
                }
            }
            if (!registry.objects.isEmpty()) {
                return;
            }
        }
        if (Trees.strings(Trees.metadata(definition.tree), "finalizers").contains(CUSTOM_CLEANUP)) {
            withoutFinalizer(definitions, definition, CUSTOM_CLEANUP);
        }
    }
}
