package io.homeostat.simulator;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;
import tools.jackson.databind.node.StringNode;

/**
 * JSON patch (RFC 6902), as the real server reads it: {@code replace} of a member that is not there adds it, a missing
 * {@code value} is null, and whatever does not fit the object is answered with one and the same sentence.
 */
final class JsonPatch {
    /** The server's limit on operations in one patch. */
    private static final int MAX_OPERATIONS = 10_000;

    private JsonPatch() {}

    /**
     * {@code target} after {@code operations}, all or nothing.
     *
     * @throws PatchRejected when an operation cannot be read or does not fit the object (422), or there are too many (413)
     */
    static ObjectNode apply(ObjectNode target, ArrayNode operations) {
        if (operations.size() > MAX_OPERATIONS) {
            throw new PatchRejected(
                    413, "The allowed maximum operations in a JSON patch is 10000, got " + operations.size());
        }
        JsonNode document = target.deepCopy();
        for (JsonNode operation : operations) {
            document = applied(document, operation);
        }
        if (document instanceof ObjectNode object) {
            return object;
        }
        throw unfit();
    }

    private static JsonNode applied(JsonNode document, JsonNode operation) {
        List<String> to = pointer(operation, "path");
        switch (Json.textAt(operation, "op")) {
            case "add" -> {
                return added(document, to, value(operation));
            }
            case "replace" -> {
                return replaced(document, to, value(operation));
            }
            case "remove" -> {
                return removed(document, to);
            }
            case "test" -> {
                JsonNode found = find(document, to);
                JsonNode expected = operation.get("value");
                boolean holds = Json.absent(found) ? Json.absent(expected) : Json.same(found, expected);
                if (!holds) {
                    throw unfit();
                }
                return document;
            }
            case "move" -> {
                List<String> from = pointer(operation, "from");
                if (to.size() > from.size() && to.subList(0, from.size()).equals(from)) {
                    throw unfit();
                }
                JsonNode moved = existing(document, from);
                return added(removed(document, from), to, moved);
            }
            case "copy" -> {
                return added(
                        document,
                        to,
                        existing(document, pointer(operation, "from")).deepCopy());
            }
            default -> throw unfit();
        }
    }

    private static JsonNode added(JsonNode document, List<String> to, JsonNode value) {
        if (to.isEmpty()) {
            throw unfit(); // the real server adds into something, never in place of everything
        }
        JsonNode parent = parent(document, to);
        String last = to.get(to.size() - 1);
        if (parent instanceof ObjectNode object) {
            object.set(last, value);
        } else if (parent instanceof ArrayNode array) {
            array.insert(last.equals("-") ? array.size() : index(last, array.size()), value);
        } else {
            throw unfit();
        }
        return document;
    }

    private static JsonNode replaced(JsonNode document, List<String> to, JsonNode value) {
        if (to.isEmpty()) {
            return value;
        }
        JsonNode parent = parent(document, to);
        String last = to.get(to.size() - 1);
        if (parent instanceof ObjectNode object) {
            object.set(last, value);
        } else if (parent instanceof ArrayNode array) {
            array.set(index(last, array.size() - 1), value);
        } else {
            throw unfit();
        }
        return document;
    }

    private static JsonNode removed(JsonNode document, List<String> to) {
        if (to.isEmpty()) {
            throw unfit();
        }
        existing(document, to);
        JsonNode parent = parent(document, to);
        String last = to.get(to.size() - 1);
        if (parent instanceof ObjectNode object) {
            object.remove(last);
        } else if (parent instanceof ArrayNode array) {
            array.remove(index(last, array.size() - 1));
        }
        return document;
    }

    private static JsonNode existing(JsonNode document, List<String> to) {
        JsonNode found = find(document, to);
        if (found == null) {
            throw unfit();
        }
        return found;
    }

    private static @Nullable JsonNode find(JsonNode document, List<String> to) {
        JsonNode at = document;
        for (String step : to) {
            if (at instanceof ObjectNode object) {
                at = object.get(step);
            } else if (at instanceof ArrayNode array && isIndex(step)) {
                at = array.get(Integer.parseInt(step));
            } else {
                return null;
            }
            if (at == null) {
                return null;
            }
        }
        return at;
    }

    private static JsonNode parent(JsonNode document, List<String> to) {
        return existing(document, to.subList(0, to.size() - 1));
    }

    private static int index(String step, int last) {
        if (!isIndex(step) || Integer.parseInt(step) > last) {
            throw unfit();
        }
        return Integer.parseInt(step);
    }

    /** Digits without a leading zero, and few enough of them to be an index. */
    private static boolean isIndex(String step) {
        return !step.isEmpty()
                && step.length() < 10
                && step.chars().allMatch(c -> c >= '0' && c <= '9')
                && (step.length() == 1 || step.charAt(0) != '0');
    }

    private static List<String> pointer(JsonNode operation, String name) {
        if (!(operation.get(name) instanceof StringNode text)) {
            throw unfit();
        }
        String path = text.stringValue();
        if (path.isEmpty()) {
            return List.of();
        }
        if (path.charAt(0) != '/') {
            throw unfit();
        }
        List<String> steps = new ArrayList<>();
        for (String step : path.substring(1).split("/", -1)) {
            steps.add(step.replace("~1", "/").replace("~0", "~"));
        }
        return steps;
    }

    private static JsonNode value(JsonNode operation) {
        JsonNode value = operation.get("value");
        return value == null ? Json.NODES.nullNode() : value.deepCopy();
    }

    private static PatchRejected unfit() {
        return new PatchRejected(422, "the server rejected our request due to an error in our request");
    }
}
