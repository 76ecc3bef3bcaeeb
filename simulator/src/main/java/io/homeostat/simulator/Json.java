package io.homeostat.simulator;

import java.math.BigDecimal;
import java.util.Iterator;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;
import tools.jackson.databind.node.StringNode;

/** Questions to JSON trees that Jackson answers differently from the server. */
final class Json {
    static final JsonNodeFactory NODES = JsonNodeFactory.instance;
    private static final JsonMapper MAPPER = JsonMapper.builder().build();

    private Json() {}

    /** Whether two values are the same JSON value: numbers by value ({@code 1} is {@code 1.0}), maps without order. */
    @SuppressWarnings("ReferenceEquality") // versions of an object share what did not change: most comparisons end here
    static boolean same(@Nullable JsonNode a, @Nullable JsonNode b) {
        if (a == b) {
            return true;
        }
        if (a == null || b == null) {
            return false;
        }
        if (a.isNumber() && b.isNumber()) {
            if (a.isIntegralNumber() && b.isIntegralNumber() && a.canConvertToLong() && b.canConvertToLong()) {
                return a.longValue() == b.longValue();
            }
            return decimal(a).compareTo(decimal(b)) == 0;
        }
        if (a instanceof ObjectNode x && b instanceof ObjectNode y) {
            if (x.size() != y.size()) {
                return false;
            }
            for (Map.Entry<String, JsonNode> entry : x.properties()) {
                JsonNode other = y.get(entry.getKey());
                if (other == null || !same(entry.getValue(), other)) {
                    return false;
                }
            }
            return true;
        }
        if (a instanceof ArrayNode x && b instanceof ArrayNode y) {
            if (x.size() != y.size()) {
                return false;
            }
            Iterator<JsonNode> others = y.iterator();
            for (JsonNode item : x) {
                if (!same(item, others.next())) {
                    return false;
                }
            }
            return true;
        }
        return a.equals(b);
    }

    static BigDecimal decimal(JsonNode number) {
        return number.decimalValue();
    }

    /** Whether there is nothing: absent, or JSON null. */
    static boolean absent(@Nullable JsonNode value) {
        return value == null || value.isNull();
    }

    /** The object at {@code names} below {@code from}; null when a step is missing or no object. */
    static @Nullable ObjectNode objectAt(@Nullable JsonNode from, String... names) {
        return at(from, names) instanceof ObjectNode object ? object : null;
    }

    /** The value at {@code names} below {@code from}; null when a step is missing. */
    static @Nullable JsonNode at(@Nullable JsonNode from, String... names) {
        JsonNode at = from;
        for (String name : names) {
            if (!(at instanceof ObjectNode object)) {
                return null;
            }
            at = object.get(name);
        }
        return at;
    }

    /** The string at {@code names} below {@code from}; {@code ""} when there is none. */
    static String textAt(@Nullable JsonNode from, String... names) {
        return at(from, names) instanceof StringNode text ? text.stringValue() : "";
    }

    /** The integer at {@code names} below {@code from}; {@code otherwise} when there is none. */
    static long integerAt(@Nullable JsonNode from, long otherwise, String... names) {
        JsonNode value = at(from, names);
        return value != null && value.isIntegralNumber() ? value.longValue() : otherwise;
    }

    /** The items of the list at {@code names} below {@code from}; none when there is no list. */
    static ArrayNode listAt(@Nullable JsonNode from, String... names) {
        return at(from, names) instanceof ArrayNode list ? list : NODES.arrayNode();
    }

    /** A copy of the top level of {@code object}: its values are shared. */
    static ObjectNode shallow(ObjectNode object) {
        ObjectNode copy = NODES.objectNode();
        copy.setAll(object);
        return copy;
    }

    /** A value as messages of the server show it: strings quoted, JSON as JSON, the rest as it is. */
    static String quoted(Object value) {
        if (value instanceof JsonNode node) {
            return text(node);
        }
        if (value instanceof CharSequence text) {
            return text(NODES.stringNode(text.toString()));
        }
        return String.valueOf(value);
    }

    /** Compact JSON. */
    static String text(JsonNode node) {
        if (node.isInt() || node.isLong()) {
            return node.asString();
        }
        if (node instanceof StringNode text && isPlain(text.stringValue())) {
            return '"' + text.stringValue() + '"';
        }
        return MAPPER.writeValueAsString(node);
    }

    /** Whether JSON needs no escapes for {@code text}: so short-cut, since names of list items are written all the time. */
    private static boolean isPlain(String text) {
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c < ' ' || c > '~' || c == '"' || c == '\\') {
                return false;
            }
        }
        return true;
    }

    /** Reads JSON. */
    static JsonNode parsed(String text) {
        return MAPPER.readTree(text);
    }
}
