package io.homeostat.simulator;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Field ownership and server-side apply (KEP-555), as {@code metadata.managedFields} records them.
 *
 * <p>Both operations are pure. Results share subtrees with their arguments, so neither may be changed afterwards. All served versions
 * of a kind have the same fields here (conversion {@code None}), so ownership recorded under one version holds for the others.
 *
 * <p>Not done: the hand-over from {@code kubectl apply}'s last-applied annotation to the manager {@code kubectl}, and the
 * conversion of ownership when a CustomResourceDefinition turns a granular field into an atomic one.
 */
final class FieldManagement {
    private static final String APPLY = "Apply";
    private static final String UPDATE = "Update";
    /** Update entries beyond this number are merged into one, the oldest first. */
    private static final int MAX_UPDATERS = 10;

    /** Fields that nobody owns, because the server sets them or they name the object. */
    private static final FieldSet STRIPPED = FieldSet.of(
            "apiVersion",
            "kind",
            "metadata",
            "metadata.name",
            "metadata.namespace",
            "metadata.creationTimestamp",
            "metadata.selfLink",
            "metadata.uid",
            "metadata.clusterName",
            "metadata.generation",
            "metadata.managedFields",
            "metadata.resourceVersion");

    private FieldManagement() {}

    /** What tells one entry of managedFields from another; the version of an apply does not count. */
    private record Identity(String manager, String operation, String apiVersion, String subresource)
            implements Comparable<Identity> {
        private static final Comparator<Identity> ORDER = Comparator.comparing(Identity::manager)
                .thenComparing(Identity::operation)
                .thenComparing(Identity::apiVersion)
                .thenComparing(Identity::subresource);

        @Override
        public int compareTo(Identity other) {
            return ORDER.compare(this, other);
        }

        /** As conflict messages name it. */
        String shown() {
            String shown = Json.quoted(manager);
            if (!subresource.isEmpty()) {
                shown += " with subresource " + Json.quoted(subresource);
            }
            return operation.equals(UPDATE) ? shown + " using " + apiVersion : shown;
        }
    }

    /** An entry of managedFields; {@code time} is "" when it has none. */
    private record Ownership(String apiVersion, String time, FieldSet fields) {
        Ownership owning(FieldSet rest) {
            return new Ownership(apiVersion, time, rest);
        }
    }

    /**
     * {@code live} after {@code applied} was merged into it, with the ownership that leaves. Fields that this manager applied before
     * and does not apply now go, unless somebody else owns them. When nothing but a time would change, nothing does.
     *
     * @param live the stored object; null when there is none
     * @param applied the request's body; a {@code metadata.uid} or {@code metadata.resourceVersion} in it comes out in the result
     * @throws ApplyConflict when others own fields that would change, and {@code request} does not force
     * @throws PatchRejected when {@code applied} has managedFields, or does not fit {@code schema}
     */
    static ObjectNode apply(@Nullable ObjectNode live, ObjectNode applied, FieldRequest request, Schema schema) {
        if (!Json.absent(Json.at(applied, "metadata", "managedFields"))) {
            throw new PatchRejected(400, "metadata.managedFields must be nil");
        }
        ObjectNode config = withoutManagedFields(applied);
        refuseMistakes(config, schema);
        ObjectNode base = live == null ? Canonical.empty(schema) : withoutManagedFields(live);
        Map<Identity, Ownership> owners = live == null ? new LinkedHashMap<>() : owners(live);
        if (owners.isEmpty() && live != null) {
            FieldRequest before = new FieldRequest(
                    "before-first-apply", false, request.apiVersion(), request.subresource(), request.now());
            Merging.Comparison all = Merging.compare(Canonical.empty(schema), base, schema);
            own(owners, before, all.written().minusTrees(schema.resets(request.subresource())));
        }

        FieldSet reset = schema.resets(request.subresource());
        Identity applier = new Identity(request.manager(), APPLY, "", request.subresource());
        Ownership last = owners.get(applier);
        FieldSet fields = Merging.fields(config, schema).minusTrees(reset);
        owners.put(applier, new Ownership(request.apiVersion(), last == null ? "" : last.time(), fields));
        JsonNode merged = Merging.merge(base, config, schema);
        FieldSet stripped = fields.minus(STRIPPED);
        JsonNode result = last == null || last.fields().minus(stripped).isEmpty()
                ? merged
                : pruned(merged, last.fields(), owners, schema);

        Merging.Comparison difference = Merging.compare(base, result, schema).without(reset);
        refuseConflicts(owners, applier, difference.written(), request.force());
        release(owners, applier, difference.written().union(difference.removed()));
        if (stripped.isEmpty()) {
            owners.remove(applier);
        } else {
            String time = last == null ? "" : last.time();
            if (!Json.same(base, result)) {
                time = Times.seconds(request.now());
            }
            owners.put(applier, new Ownership(request.apiVersion(), time, stripped));
        }
        ObjectNode object = result instanceof ObjectNode map ? map : Json.NODES.objectNode();
        return withOwners(restored(object, live, reset), owners);
    }

    /**
     * {@code object} with the ownership that a create, update or patch leaves: its manager owns what it changed, and whoever owned
     * that before does not. An object without any ownership stays so, except when it is being created. Fields that cannot be written
     * through this subresource are as they were.
     *
     * @param live the stored object; null when there is none
     * @param object the object as it would be stored, defaulted; managedFields in it replace the recorded ones, <code>[{}]</code> or
     *     an empty list clears them
     */
    static ObjectNode updated(@Nullable ObjectNode live, ObjectNode object, FieldRequest request, Schema schema) {
        Map<Identity, Ownership> owners = liveOrNew(live, object, request);
        ObjectNode bare = withoutManagedFields(object);
        if (owners.isEmpty() && live != null) {
            return restored(bare, live, schema.resets(request.subresource()));
        }
        ObjectNode base = live == null ? Canonical.empty(schema) : withoutManagedFields(live);
        FieldSet reset = schema.resets(request.subresource());
        Merging.Comparison difference = Merging.compare(base, bare, schema).without(reset);
        release(owners, null, difference.written().union(difference.removed()));
        own(owners, request, difference.written());
        return withOwners(restored(bare, live, reset), owners);
    }

    // --- the steps
    // ----------------------------------------------------------------------------------------------------

    private static void refuseMistakes(ObjectNode config, Schema schema) {
        List<String> mistakes = Merging.mistakes(config, schema);
        if (mistakes.isEmpty()) {
            return;
        }
        String apiVersion = Json.textAt(config, "apiVersion");
        String group = apiVersion.contains("/") ? apiVersion : "/" + apiVersion;
        String message = mistakes.size() == 1 ? mistakes.get(0) : "errors:\n  " + String.join("\n  ", mistakes);
        throw new PatchRejected(
                500,
                "failed to create typed patch object (" + Json.textAt(config, "metadata", "namespace") + "/"
                        + Json.textAt(config, "metadata", "name") + "; " + group + ", Kind="
                        + Json.textAt(config, "kind") + "): " + message);
    }

    /**
     * {@code merged} without what the applier owned before, unless the applier still or somebody else owns it. What nobody owns stays
     * too, but not by itself: an item whose fields all go, goes.
     */
    private static JsonNode pruned(JsonNode merged, FieldSet last, Map<Identity, Ownership> owners, Schema schema) {
        if (last.isEmpty()) {
            return merged;
        }
        FieldSet before = last.withStructures(schema);
        JsonNode rest = removed(merged, before, schema);

        FieldSet owned = FieldSet.EMPTY;
        for (Ownership ownership : owners.values()) {
            owned = owned.union(ownership.fields());
        }
        FieldSet all = Merging.fields(merged, schema).withStructures(schema);
        FieldSet kept = Merging.fields(rest, schema).withStructures(schema).union(owned.withStructures(schema));
        rest = removed(merged, all.minus(kept), schema);

        FieldSet left = Merging.fields(rest, schema).withStructures(schema);
        return removed(merged, all.minus(left).intersection(before), schema);
    }

    private static JsonNode removed(JsonNode from, FieldSet fields, Schema schema) {
        JsonNode rest = Merging.without(from, fields, schema);
        return rest == null ? Json.NODES.objectNode() : rest;
    }

    private static void refuseConflicts(
            Map<Identity, Ownership> owners, Identity applier, FieldSet written, boolean force) {
        if (force || written.isEmpty()) {
            return;
        }
        List<ApplyConflict.Conflict> conflicts = new ArrayList<>();
        StringBuilder listed = new StringBuilder();
        owners.entrySet().stream()
                .filter(owner -> !owner.getKey().equals(applier))
                .sorted(Map.Entry.comparingByKey())
                .forEach(owner -> {
                    List<String> paths =
                            owner.getValue().fields().intersection(written).paths();
                    String manager = owner.getKey().shown();
                    if (!paths.isEmpty()) {
                        listed.append(listed.isEmpty() ? "" : "\n")
                                .append("conflicts with ")
                                .append(manager)
                                .append(':');
                    }
                    for (String path : paths) {
                        conflicts.add(new ApplyConflict.Conflict(manager, path));
                        listed.append("\n- ").append(path);
                    }
                });
        if (conflicts.size() == 1) {
            ApplyConflict.Conflict only = conflicts.get(0);
            throw new ApplyConflict(
                    "Apply failed with 1 conflict: conflict with " + only.manager() + ": " + only.field(), conflicts);
        }
        if (!conflicts.isEmpty()) {
            throw new ApplyConflict("Apply failed with " + conflicts.size() + " conflicts: " + listed, conflicts);
        }
    }

    /** Takes {@code fields} from everybody but {@code except}; who owns nothing any more has no entry any more. */
    private static void release(Map<Identity, Ownership> owners, @Nullable Identity except, FieldSet fields) {
        if (!fields.isEmpty()) {
            owners.replaceAll((identity, ownership) -> identity.equals(except)
                    ? ownership
                    : ownership.owning(ownership.fields().minus(fields)));
        }
        owners.entrySet().removeIf(owner -> owner.getValue().fields().isEmpty());
    }

    /** Gives {@code fields} to an updater. */
    private static void own(Map<Identity, Ownership> owners, FieldRequest request, FieldSet fields) {
        FieldSet stripped = fields.minus(STRIPPED);
        if (stripped.isEmpty()) {
            return;
        }
        Identity updater = new Identity(request.manager(), UPDATE, request.apiVersion(), request.subresource());
        Ownership previous = owners.get(updater);
        FieldSet all = previous == null ? stripped : stripped.union(previous.fields());
        owners.put(updater, new Ownership(request.apiVersion(), Times.seconds(request.now()), all));
        capUpdaters(owners);
    }

    private static void capUpdaters(Map<Identity, Ownership> owners) {
        List<Identity> updaters = new ArrayList<>();
        owners.keySet().stream().filter(i -> i.operation().equals(UPDATE)).forEach(updaters::add);
        updaters.sort(Comparator.comparing((Identity i) -> time(owners, i)).thenComparing(Comparator.naturalOrder()));
        int over = updaters.size() - MAX_UPDATERS;
        Map<String, Identity> oldestOfVersion = new LinkedHashMap<>();
        for (Identity updater : updaters) {
            if (over <= 0) {
                return;
            }
            Identity first = oldestOfVersion.putIfAbsent(updater.apiVersion(), updater);
            if (first != null) {
                Identity bucket = new Identity("ancient-changes", UPDATE, updater.apiVersion(), "");
                Ownership ancient = owners.remove(owners.containsKey(bucket) ? bucket : first);
                Ownership merged = owners.remove(updater);
                if (ancient != null && merged != null) {
                    FieldSet fields = ancient.fields().union(merged.fields());
                    owners.put(bucket, new Ownership(merged.apiVersion(), merged.time(), fields));
                }
                over--;
            }
        }
    }

    private static String time(Map<Identity, Ownership> owners, Identity identity) {
        Ownership ownership = owners.get(identity);
        return ownership == null ? "" : ownership.time();
    }

    /** The fields that this request cannot write, as they were. */
    private static ObjectNode restored(ObjectNode object, @Nullable ObjectNode live, FieldSet reset) {
        ObjectNode result = object;
        for (String path : reset.paths()) {
            String[] names = path.substring(1).split("\\.", -1);
            result = restored(result, live, names, 0);
        }
        return result;
    }

    private static ObjectNode restored(ObjectNode object, @Nullable ObjectNode live, String[] names, int depth) {
        String name = names[depth];
        JsonNode was = live == null ? null : live.get(name);
        ObjectNode copy = Json.shallow(object);
        if (depth < names.length - 1) {
            if (copy.get(name) instanceof ObjectNode child) {
                copy.set(name, restored(child, was instanceof ObjectNode there ? there : null, names, depth + 1));
            }
        } else if (was == null) {
            copy.remove(name);
        } else {
            copy.set(name, was);
        }
        return copy;
    }

    // --- reading and writing managedFields
    // ----------------------------------------------------------------------------

    private static Map<Identity, Ownership> liveOrNew(
            @Nullable ObjectNode live, ObjectNode object, FieldRequest request) {
        Map<Identity, Ownership> stored = live == null ? new LinkedHashMap<>() : owners(live);
        if (!request.subresource().isEmpty()) {
            return stored;
        }
        if (Json.at(object, "metadata", "managedFields") instanceof ArrayNode given) {
            if (given.isEmpty()
                    || (given.size() == 1
                            && given.get(0).isObject()
                            && given.get(0).isEmpty())) {
                return new LinkedHashMap<>();
            }
            Map<Identity, Ownership> sent = owners(object);
            return sent.isEmpty() ? stored : sent;
        }
        return stored;
    }

    /** The entries of {@code object}; none when one of them cannot be read. */
    private static Map<Identity, Ownership> owners(ObjectNode object) {
        Map<Identity, Ownership> owners = new LinkedHashMap<>();
        for (JsonNode entry : Json.listAt(object, "metadata", "managedFields")) {
            String operation = Json.textAt(entry, "operation");
            String apiVersion = Json.textAt(entry, "apiVersion");
            FieldSet fields =
                    Json.at(entry, "fieldsV1") instanceof ObjectNode fieldsV1 ? FieldSet.parsed(fieldsV1) : null;
            boolean known = operation.equals(APPLY) || operation.equals(UPDATE);
            if (fields == null || !known || !Json.textAt(entry, "fieldsType").equals("FieldsV1")) {
                return new LinkedHashMap<>();
            }
            Identity identity = new Identity(
                    Json.textAt(entry, "manager"),
                    operation,
                    operation.equals(APPLY) ? "" : apiVersion,
                    Json.textAt(entry, "subresource"));
            owners.put(identity, new Ownership(apiVersion, Json.textAt(entry, "time"), fields));
        }
        return owners;
    }

    private static ObjectNode withOwners(ObjectNode object, Map<Identity, Ownership> owners) {
        ObjectNode result = Json.shallow(object);
        ObjectNode metadata =
                result.get("metadata") instanceof ObjectNode there ? Json.shallow(there) : Json.NODES.objectNode();
        result.set("metadata", metadata);
        if (owners.isEmpty()) {
            metadata.remove("managedFields");
            return result;
        }
        ArrayNode entries = Json.NODES.arrayNode();
        owners.entrySet().stream()
                .sorted(Comparator.comparing(
                                (Map.Entry<Identity, Ownership> o) -> o.getKey().operation())
                        .thenComparing(o -> o.getValue().time())
                        .thenComparing(o -> o.getKey().manager())
                        .thenComparing(o -> o.getValue().apiVersion())
                        .thenComparing(o -> o.getKey().subresource()))
                .forEach(owner -> {
                    ObjectNode entry = entries.addObject();
                    Ownership ownership = owner.getValue();
                    entry.put("manager", owner.getKey().manager());
                    entry.put("operation", owner.getKey().operation());
                    entry.put("apiVersion", ownership.apiVersion());
                    if (!ownership.time().isEmpty()) {
                        entry.put("time", ownership.time());
                    }
                    entry.put("fieldsType", "FieldsV1");
                    entry.set("fieldsV1", ownership.fields().written());
                    if (!owner.getKey().subresource().isEmpty()) {
                        entry.put("subresource", owner.getKey().subresource());
                    }
                });
        metadata.set("managedFields", entries);
        return result;
    }

    private static ObjectNode withoutManagedFields(ObjectNode object) {
        if (!(object.get("metadata") instanceof ObjectNode metadata) || !metadata.has("managedFields")) {
            return object;
        }
        ObjectNode bare = Json.shallow(object);
        ObjectNode rest = Json.shallow(metadata);
        rest.remove("managedFields");
        bare.set("metadata", rest);
        return bare;
    }
}
