package io.homeostat.simulator;

import java.util.Iterator;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * One step of a field's path as {@code fieldsV1} writes it: {@code f:name} a field or map entry, <code>k:{"name":"a"}</code> an
 * item of a list-map, {@code v:"a"} a value of a set.
 *
 * <p><b>Order.</b> Fields, then keys, then values, each by content; the order in which {@code fieldsV1} is written. Two elements are
 * equal when their text is.
 */
final class PathElement implements Comparable<PathElement> {
    private final String text;
    private final @Nullable JsonNode value; // of k: and v:

    private PathElement(String text, @Nullable JsonNode value) {
        this.text = text;
        this.value = value;
    }

    static PathElement field(String name) {
        return new PathElement("f:" + name, null);
    }

    /** @param key the key fields, sorted by name */
    static PathElement key(ObjectNode key) {
        StringBuilder text = new StringBuilder("k:{");
        for (Map.Entry<String, JsonNode> field : key.properties()) {
            text.append(text.length() > 3 ? "," : "")
                    .append(Json.text(Json.NODES.stringNode(field.getKey())))
                    .append(':')
                    .append(Json.text(field.getValue()));
        }
        return new PathElement(text.append('}').toString(), key);
    }

    static PathElement value(JsonNode value) {
        return new PathElement("v:" + Json.text(value), value);
    }

    /**
     * Reads an element of {@code fieldsV1}.
     *
     * @return null when it is none that this server understands
     */
    static @Nullable PathElement parsed(String text) {
        if (text.startsWith("f:")) {
            return new PathElement(text, null);
        }
        if (!text.startsWith("k:") && !text.startsWith("v:")) {
            return null;
        }
        try {
            JsonNode value = Json.parsed(text.substring(2));
            if (text.charAt(0) == 'v') {
                return value(value);
            }
            return value instanceof ObjectNode key ? key(key) : null;
        } catch (JacksonException e) {
            return null;
        }
    }

    /** As {@code fieldsV1} writes it. */
    String text() {
        return text;
    }

    boolean isField() {
        return text.charAt(0) == 'f';
    }

    /** The name of a field. */
    String name() {
        return text.substring(2);
    }

    @Override
    public int compareTo(PathElement other) {
        if (text.charAt(0) != other.text.charAt(0)) {
            return text.charAt(0) - other.text.charAt(0);
        }
        if (value == null || other.value == null || text.equals(other.text)) {
            return text.compareTo(other.text);
        }
        int order = compared(value, other.value);
        return order != 0 ? order : text.compareTo(other.text);
    }

    private static int compared(JsonNode a, JsonNode b) {
        if (a instanceof ObjectNode x && b instanceof ObjectNode y) {
            Iterator<Map.Entry<String, JsonNode>> left = x.properties().iterator();
            Iterator<Map.Entry<String, JsonNode>> right = y.properties().iterator();
            while (left.hasNext() && right.hasNext()) {
                Map.Entry<String, JsonNode> l = left.next();
                Map.Entry<String, JsonNode> r = right.next();
                int order = l.getKey().compareTo(r.getKey());
                if (order == 0) {
                    order = compared(l.getValue(), r.getValue());
                }
                if (order != 0) {
                    return order;
                }
            }
            return Boolean.compare(left.hasNext(), right.hasNext());
        }
        if (a.isNumber() && b.isNumber()) {
            return Json.decimal(a).compareTo(Json.decimal(b));
        }
        if (a.isNumber() != b.isNumber()) {
            return a.isNumber() ? -1 : 1;
        }
        return Json.text(a).compareTo(Json.text(b));
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof PathElement element && text.equals(element.text);
    }

    @Override
    public int hashCode() {
        return text.hashCode();
    }

    /** As messages write it: {@code .spec}, {@code [name="a"]}, {@code [="a"]}. */
    @Override
    public String toString() {
        if (value == null) {
            return "." + name();
        }
        StringBuilder shown = new StringBuilder("[");
        if (value instanceof ObjectNode key) {
            String separator = "";
            for (Map.Entry<String, JsonNode> field : key.properties()) {
                shown.append(separator).append(field.getKey()).append('=').append(Json.text(field.getValue()));
                separator = ",";
            }
        } else {
            shown.append('=').append(Json.text(value));
        }
        return shown.append(']').toString();
    }
}
