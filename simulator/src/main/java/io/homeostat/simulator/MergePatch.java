package io.homeostat.simulator;

import java.util.Locale;
import java.util.Map;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** JSON merge patch (RFC 7386). */
final class MergePatch {
    private MergePatch() {}

    /**
     * {@code target} after {@code patch}.
     *
     * @throws PatchRejected when {@code patch} is not a JSON object
     */
    static ObjectNode apply(ObjectNode target, JsonNode patch) {
        if (!(patch instanceof ObjectNode changes)) {
            throw new PatchRejected(
                    400,
                    "error decoding patch: json: cannot unmarshal "
                            + patch.getNodeType().name().toLowerCase(Locale.ROOT)
                            + " into Go value of type map[string]interface {}");
        }
        return merged(target, changes);
    }

    private static ObjectNode merged(ObjectNode target, ObjectNode patch) {
        ObjectNode result = JsonNodeFactory.instance.objectNode();
        result.setAll(target);
        for (Map.Entry<String, JsonNode> change : patch.properties()) {
            JsonNode value = change.getValue();
            if (value.isNull()) {
                result.remove(change.getKey());
            } else if (value instanceof ObjectNode map) {
                ObjectNode base = result.get(change.getKey()) instanceof ObjectNode there
                        ? there
                        : JsonNodeFactory.instance.objectNode();
                result.set(change.getKey(), merged(base, map));
            } else {
                result.set(change.getKey(), value);
            }
        }
        return result;
    }
}
