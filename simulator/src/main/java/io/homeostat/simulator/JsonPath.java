package io.homeostat.simulator;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * The JSON paths of printer columns, as far as they are used: {@code .a.b}, {@code ['a']}, {@code [0]}, {@code [*]} and
 * {@code [?(@.type=="Ready")]}. A path beyond that finds nothing.
 */
final class JsonPath {
    private JsonPath() {}

    /** The first value at {@code path}, or null. */
    static @Nullable JsonNode first(JsonNode from, String path) {
        List<JsonNode> at = List.of(from);
        int i = 0;
        while (i < path.length()) {
            char c = path.charAt(i);
            List<JsonNode> next = new ArrayList<>();
            if (c == '.') {
                int end = i + 1;
                while (end < path.length() && path.charAt(end) != '.' && path.charAt(end) != '[') {
                    end += path.charAt(end) == '\\' ? 2 : 1; // \. is a dot in a name
                }
                String name =
                        path.substring(i + 1, Math.min(end, path.length())).replace("\\.", ".");
                i = end;
                if (name.isEmpty()) {
                    continue;
                }
                at.forEach(node -> field(node, name, next));
            } else if (c == '[') {
                int end = closing(path, i);
                if (end < 0) {
                    return null;
                }
                String inside = path.substring(i + 1, end);
                i = end + 1;
                at.forEach(node -> bracket(node, inside, next));
            } else {
                return null;
            }
            at = next;
        }
        return at.isEmpty() ? null : at.get(0);
    }

    private static int closing(String path, int open) {
        boolean quoted = false;
        char quote = 0;
        for (int i = open; i < path.length(); i++) {
            char c = path.charAt(i);
            if (quoted) {
                quoted = c != quote;
            } else if (c == '\'' || c == '"') {
                quoted = true;
                quote = c;
            } else if (c == ']') {
                return i;
            }
        }
        return -1;
    }

    private static void field(JsonNode node, String name, List<JsonNode> found) {
        if (node instanceof ObjectNode object && object.get(name) != null) {
            found.add(object.get(name));
        }
    }

    private static void bracket(JsonNode node, String inside, List<JsonNode> found) {
        if (inside.equals("*")) {
            node.forEach(found::add);
        } else if (inside.startsWith("?(")) {
            int equals = inside.indexOf("==");
            if (equals > 0 && inside.endsWith(")") && node instanceof ArrayNode items) {
                String path = inside.substring(2, equals).trim();
                String value = unquoted(
                        inside.substring(equals + 2, inside.length() - 1).trim());
                for (JsonNode item : items) {
                    JsonNode at = path.startsWith("@") ? first(item, path.substring(1)) : null;
                    if (at != null && value.equals(at.isString() ? at.stringValue() : at.toString())) {
                        found.add(item);
                    }
                }
            }
        } else if (inside.startsWith("'") || inside.startsWith("\"")) {
            field(node, unquoted(inside), found);
        } else if (inside.matches("\\d{1,6}")
                && node instanceof ArrayNode items
                && Integer.parseInt(inside) < items.size()) {
            found.add(items.get(Integer.parseInt(inside)));
        }
    }

    private static String unquoted(String text) {
        return text.length() > 1 && (text.charAt(0) == '\'' || text.charAt(0) == '"')
                ? text.substring(1, text.length() - 1)
                : text;
    }
}
