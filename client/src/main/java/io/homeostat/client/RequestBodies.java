package io.homeostat.client;

import io.fabric8.kubernetes.api.model.Condition;
import io.fabric8.kubernetes.api.model.OwnerReference;
import io.homeostat.core.Experimental;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Request bodies made from encoded objects: what a server-side apply sends, and the difference of two states of one object.
 * Pure functions of bytes.
 */
@Experimental
public final class RequestBodies {
    private static final JsonMapper MAPPER = new JsonMapper();

    /** Metadata that the server sets; an apply that sends it is refused, or claims what is not its own. */
    private static final List<String> SET_BY_SERVER = List.of(
            "managedFields",
            "resourceVersion",
            "uid",
            "creationTimestamp",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "generation",
            "selfLink");

    private RequestBodies() {}

    /**
     * The body of an apply: {@code object} without its status and without the metadata that the server sets, in {@code namespace},
     * with {@code owner} in the place of any reference to the same UID.
     *
     * @param object an encoded object
     * @param namespace {@code ""} for a cluster-scoped object
     * @param uid the object that is there must have this UID; {@code ""} for any
     */
    public static byte[] applied(byte[] object, String namespace, OwnerReference owner, String uid) {
        ObjectNode root = tree(object);
        root.remove("status");
        ObjectNode metadata = root.withObject("/metadata");
        metadata.remove(SET_BY_SERVER);
        if (namespace.isEmpty()) {
            metadata.remove("namespace");
        } else {
            metadata.put("namespace", namespace);
        }
        if (!uid.isEmpty()) {
            metadata.put("uid", uid);
        }
        ArrayNode owners = MAPPER.createArrayNode();
        for (JsonNode present : metadata.path("ownerReferences")) {
            if (!present.path("uid").asString("").equals(owner.getUid())) {
                owners.add(present);
            }
        }
        owners.add(MAPPER.<ObjectNode>valueToTree(owner));
        metadata.set("ownerReferences", owners);
        return MAPPER.writeValueAsBytes(root);
    }

    /**
     * A JSON merge patch (RFC 7386) that turns the status of {@code before} into that of {@code after}, valid only for
     * {@code resourceVersion}. Fields that neither knows survive it.
     *
     * @param before an encoded object
     * @param after the same object, encoded after its status was changed
     * @return null when the statuses are equal
     * @throws IllegalArgumentException when something else than the status differs
     */
    public static byte @Nullable [] statusPatch(byte[] before, byte[] after, String resourceVersion) {
        ObjectNode old = tree(before);
        ObjectNode changed = tree(after);
        JsonNode oldStatus = old.remove("status");
        JsonNode changedStatus = changed.remove("status");
        if (!old.equals(changed)) {
            throw new IllegalArgumentException(
                    "The change of a status also changed the rest of the object; only its status can be updated here");
        }
        ObjectNode difference = difference(
                oldStatus instanceof ObjectNode o ? o : MAPPER.createObjectNode(),
                changedStatus instanceof ObjectNode c ? c : MAPPER.createObjectNode());
        if (difference.isEmpty()) {
            return null;
        }
        ObjectNode patch = MAPPER.createObjectNode();
        patch.putObject("metadata").put("resourceVersion", resourceVersion);
        patch.set("status", difference);
        return MAPPER.writeValueAsBytes(patch);
    }

    /**
     * A JSON merge patch of the status that makes {@code conditions} the only ones whose reason is {@code reason}: each takes the
     * place of the one of its type, others of that reason go, the rest stays. {@code lastTransitionTime} is that of the one before
     * when the status is the same. Valid only for the version of {@code object}.
     *
     * @param conditions with type, status, reason, message and {@code lastTransitionTime}, for the case that it is new
     * @return null when {@code object} says so already
     */
    public static byte @Nullable [] conditionsPatch(RawObject object, List<Condition> conditions, String reason) {
        ObjectNode root = tree(object.bytes());
        Map<String, ObjectNode> wanted = new LinkedHashMap<>();
        for (Condition each : conditions) {
            wanted.put(each.getType(), tree(MAPPER.writeValueAsBytes(each))); // parsed, so that numbers compare as read
        }
        JsonNode before = root.path("status").path("conditions");
        ArrayNode after = MAPPER.createArrayNode();
        for (JsonNode present : before) {
            ObjectNode mine = wanted.remove(present.path("type").asString(""));
            if (mine == null) {
                if (!present.path("reason").asString("").equals(reason)) {
                    after.add(present);
                }
                continue;
            }
            if (present.hasNonNull("lastTransitionTime")
                    && present.path("status").equals(mine.path("status"))) {
                mine.set("lastTransitionTime", present.path("lastTransitionTime"));
            }
            after.add(mine);
        }
        wanted.values().forEach(after::add);
        if (after.equals(before) || (after.isEmpty() && !before.isArray())) {
            return null;
        }
        ObjectNode patch = MAPPER.createObjectNode();
        patch.putObject("metadata").put("resourceVersion", object.resourceVersion());
        patch.putObject("status").set("conditions", after);
        return MAPPER.writeValueAsBytes(patch);
    }

    /** A JSON merge patch that makes {@code finalizers} those of the object, valid only for {@code resourceVersion}. */
    public static byte[] finalizersPatch(List<String> finalizers, String resourceVersion) {
        ObjectNode patch = MAPPER.createObjectNode();
        ArrayNode wanted = patch.putObject("metadata")
                .put("resourceVersion", resourceVersion)
                .putArray("finalizers");
        finalizers.forEach(wanted::add);
        return MAPPER.writeValueAsBytes(patch);
    }

    private static ObjectNode difference(ObjectNode before, ObjectNode after) {
        ObjectNode patch = MAPPER.createObjectNode();
        for (Map.Entry<String, JsonNode> field : after.properties()) {
            JsonNode old = before.get(field.getKey());
            JsonNode now = field.getValue();
            if (old instanceof ObjectNode oldObject && now instanceof ObjectNode nowObject) {
                ObjectNode inner = difference(oldObject, nowObject);
                if (!inner.isEmpty()) {
                    patch.set(field.getKey(), inner);
                }
            } else if (!now.equals(old)) {
                patch.set(field.getKey(), now);
            }
        }
        for (Map.Entry<String, JsonNode> field : before.properties()) {
            if (!after.has(field.getKey())) {
                patch.putNull(field.getKey());
            }
        }
        return patch;
    }

    private static ObjectNode tree(byte[] object) {
        if (MAPPER.readTree(object) instanceof ObjectNode root) {
            return root;
        }
        throw new IllegalArgumentException("An encoded object must be a JSON object");
    }
}
