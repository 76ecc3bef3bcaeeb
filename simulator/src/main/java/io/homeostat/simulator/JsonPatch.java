package io.homeostat.simulator;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** JSON patch (RFC 6902). */
final class JsonPatch {
    /** The server's limit on operations in one patch. */
    private static final int MAX_OPERATIONS = 10_000;

    private JsonPatch() {}

    /**
     * {@code target} after {@code operations}, all or nothing.
     *
     * @throws PatchRejected when an operation cannot be read (400) or does not fit the object (422)
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
        throw new PatchRejected(422, "a JSON patch must leave an object");
    }

    private static JsonNode applied(JsonNode document, JsonNode operation) {
        if (!operation.isObject()) {
            throw new PatchRejected(400, "error decoding patch: an operation of a JSON patch must be an object");
        }
        String op = text(operation, "op");
        String path = text(operation, "path");
        if (path == null) {
            throw new PatchRejected(422, "Unexpected kind of operation: path is missing");
        }
        List<String> to = pointer(path);
        return switch (op == null ? "" : op) {
            case "add" -> added(document, to, path, value(operation), "add");
            case "replace" -> replaced(document, to, path, value(operation));
            case "remove" -> removed(document, to, path, "remove");
            case "test" -> tested(document, to, path, operation.get("value"));
            case "move" -> {
                String from = from(operation);
                if (path.startsWith(from + "/")) {
                    throw new PatchRejected(422, "Unable to move \"" + from + "\" into its own child \"" + path + "\"");
                }
                JsonNode moved = existing(document, pointer(from), from, "move");
                yield added(removed(document, pointer(from), from, "move"), to, path, moved, "move");
            }
            case "copy" -> {
                String from = from(operation);
                JsonNode copied =
                        existing(document, pointer(from), from, "copy").deepCopy();
                yield added(document, to, path, copied, "copy");
            }
            default -> throw new PatchRejected(422, "Unexpected kind: " + (op == null ? "unknown" : op));
        };
    }

    private static JsonNode added(JsonNode document, List<String> to, String path, JsonNode value, String op) {
        if (to.isEmpty()) {
            return value;
        }
        JsonNode parent = parent(document, to, path, op);
        String last = to.get(to.size() - 1);
        if (parent instanceof ObjectNode object) {
            object.set(last, value);
        } else if (parent instanceof ArrayNode array) {
            array.insert(last.equals("-") ? array.size() : index(last, array.size(), path, op), value);
        } else {
            throw missing(op, path);
        }
        return document;
    }

    private static JsonNode replaced(JsonNode document, List<String> to, String path, JsonNode value) {
        if (to.isEmpty()) {
            return value;
        }
        existing(document, to, path, "replace");
        JsonNode parent = parent(document, to, path, "replace");
        String last = to.get(to.size() - 1);
        if (parent instanceof ObjectNode object) {
            object.set(last, value);
        } else if (parent instanceof ArrayNode array) {
            array.set(index(last, array.size() - 1, path, "replace"), value);
        }
        return document;
    }

    private static JsonNode removed(JsonNode document, List<String> to, String path, String op) {
        if (to.isEmpty()) {
            throw new PatchRejected(422, op + " operation does not apply: doc is the whole document");
        }
        existing(document, to, path, op);
        JsonNode parent = parent(document, to, path, op);
        String last = to.get(to.size() - 1);
        if (parent instanceof ObjectNode object) {
            object.remove(last);
        } else if (parent instanceof ArrayNode array) {
            array.remove(index(last, array.size() - 1, path, op));
        }
        return document;
    }

    private static JsonNode tested(JsonNode document, List<String> to, String path, @Nullable JsonNode expected) {
        JsonNode found = find(document, to);
        boolean wantsNothing = expected == null || expected.isNull();
        boolean holds = Json.absent(found) ? wantsNothing : (!wantsNothing && Json.same(found, expected));
        if (!holds) {
            throw new PatchRejected(422, "testing value " + path + " failed: test failed");
        }
        return document;
    }

    private static JsonNode existing(JsonNode document, List<String> to, String path, String op) {
        JsonNode found = find(document, to);
        if (found == null) {
            throw missing(op, path);
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

    private static JsonNode parent(JsonNode document, List<String> to, String path, String op) {
        return existing(document, to.subList(0, to.size() - 1), path, op);
    }

    private static int index(String step, int last, String path, String op) {
        if (!isIndex(step) || Integer.parseInt(step) > last) {
            throw new PatchRejected(
                    422,
                    op + " operation does not apply: doc is missing path: \"" + path
                            + "\": Unable to access invalid index: " + step + ": invalid index referenced");
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

    private static List<String> pointer(String path) {
        if (path.isEmpty()) {
            return List.of();
        }
        if (path.charAt(0) != '/') {
            throw new PatchRejected(422, "a JSON pointer must begin with a slash: \"" + path + "\"");
        }
        List<String> steps = new ArrayList<>();
        for (String step : path.substring(1).split("/", -1)) {
            steps.add(step.replace("~1", "/").replace("~0", "~"));
        }
        return steps;
    }

    private static String from(JsonNode operation) {
        String from = text(operation, "from");
        if (from == null) {
            throw new PatchRejected(422, "a JSON patch operation \"move\" or \"copy\" needs \"from\"");
        }
        return from;
    }

    private static JsonNode value(JsonNode operation) {
        JsonNode value = operation.get("value");
        if (value == null) {
            throw new PatchRejected(422, "a JSON patch operation \"add\" or \"replace\" needs \"value\"");
        }
        return value.deepCopy();
    }

    private static @Nullable String text(JsonNode operation, String name) {
        JsonNode value = operation.get(name);
        return value != null && value.isString() ? value.stringValue() : null;
    }

    private static PatchRejected missing(String op, String path) {
        return new PatchRejected(
                422, op + " operation does not apply: doc is missing path: \"" + path + "\": missing value");
    }
}
