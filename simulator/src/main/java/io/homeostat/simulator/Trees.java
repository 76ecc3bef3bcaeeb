package io.homeostat.simulator;

import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * JSON trees: reading and writing them, and the few questions the server asks of every object.
 *
 * <p>A tree that has been stored is never changed again; a changed object is a new root that shares what did not change.
 */
final class Trees {
    private static final JsonMapper MAPPER = JsonMapper.builder().build();
    private static final JsonNodeFactory NODES = JsonNodeFactory.instance;

    private Trees() {}

    static ObjectNode object() {
        return NODES.objectNode();
    }

    static ArrayNode array() {
        return NODES.arrayNode();
    }

    /** Parses one JSON value, alone in {@code bytes}. */
    static JsonNode parse(byte[] bytes) throws JacksonException {
        return MAPPER.readTree(bytes);
    }

    static byte[] bytes(JsonNode tree) {
        return MAPPER.writeValueAsBytes(tree);
    }

    static void write(JsonNode tree, ByteArrayOutputStream out) {
        out.writeBytes(bytes(tree));
    }

    /** The string at {@code field}, or "" when there is none. */
    static String text(@Nullable JsonNode of, String field) {
        JsonNode value = of == null ? null : of.get(field);
        return value != null && value.isString() ? value.stringValue() : "";
    }

    /** The integer at {@code field}, or 0 when there is none. */
    static long number(@Nullable JsonNode of, String field) {
        JsonNode value = of == null ? null : of.get(field);
        return value != null && value.isIntegralNumber() ? value.longValue() : 0;
    }

    /** The object at {@code field}; null when there is none or it is something else. */
    static @Nullable ObjectNode child(@Nullable JsonNode of, String field) {
        return of != null && of.get(field) instanceof ObjectNode child ? child : null;
    }

    static @Nullable ObjectNode metadata(ObjectNode object) {
        return child(object, "metadata");
    }

    /** The strings of the array at {@code field}, in order; empty when there is none. */
    static List<String> strings(@Nullable JsonNode of, String field) {
        if (of == null || !(of.get(field) instanceof ArrayNode values) || values.isEmpty()) {
            return List.of();
        }
        List<String> strings = new ArrayList<>(values.size());
        for (JsonNode value : values) {
            if (value.isString()) {
                strings.add(value.stringValue());
            }
        }
        return strings;
    }

    /** A new array of strings. */
    static ArrayNode array(List<String> values) {
        ArrayNode array = array();
        values.forEach(array::add);
        return array;
    }

    /** The labels of an object, sorted by key; empty when there are none. */
    static Map<String, String> labels(ObjectNode object) {
        ObjectNode labels = child(metadata(object), "labels");
        if (labels == null || labels.isEmpty()) {
            return Map.of();
        }
        Map<String, String> sorted = new TreeMap<>();
        for (Map.Entry<String, JsonNode> label : labels.properties()) {
            sorted.put(
                    label.getKey(),
                    label.getValue().isString() ? label.getValue().stringValue() : "");
        }
        return sorted;
    }

    /** A new root with the same children. */
    static ObjectNode shallowCopy(ObjectNode tree) {
        ObjectNode copy = object();
        copy.setAll(tree);
        return copy;
    }

    /** A new root and a new {@code metadata}, which may be changed; everything else is shared. */
    static ObjectNode withOwnMetadata(ObjectNode tree) {
        ObjectNode copy = shallowCopy(tree);
        ObjectNode metadata = metadata(tree);
        copy.set("metadata", metadata == null ? object() : shallowCopy(metadata));
        return copy;
    }

    /** Whether two objects differ in nothing but {@code metadata.managedFields[*].time}. */
    static boolean sameButForTimes(ObjectNode one, ObjectNode other) {
        return Json.same(one, other) || Json.same(withoutTimes(one), withoutTimes(other));
    }

    private static ObjectNode withoutTimes(ObjectNode object) {
        ObjectNode copy = withOwnMetadata(object);
        ObjectNode metadata = metadata(copy);
        if (metadata != null && metadata.get("managedFields") instanceof ArrayNode entries) {
            ArrayNode timeless = array();
            for (JsonNode entry : entries) {
                if (entry instanceof ObjectNode fields) {
                    ObjectNode plain = shallowCopy(fields);
                    plain.remove("time");
                    timeless.add(plain);
                }
            }
            metadata.set("managedFields", timeless);
        }
        return copy;
    }

    /** The same value with the keys of every object sorted, as the real server writes custom resources. */
    static JsonNode sorted(JsonNode value) {
        if (isSorted(value)) {
            return value;
        }
        if (value instanceof ArrayNode array) {
            ArrayNode copy = array();
            for (JsonNode element : array) {
                copy.add(sorted(element));
            }
            return copy;
        }
        TreeMap<String, JsonNode> ordered = new TreeMap<>();
        for (Map.Entry<String, JsonNode> field : value.properties()) {
            ordered.put(field.getKey(), sorted(field.getValue()));
        }
        ObjectNode copy = object();
        copy.setAll(ordered);
        return copy;
    }

    private static boolean isSorted(JsonNode value) {
        if (value instanceof ObjectNode object) {
            String last = "";
            for (Map.Entry<String, JsonNode> field : object.properties()) {
                if (last.compareTo(field.getKey()) > 0 || !isSorted(field.getValue())) {
                    return false;
                }
                last = field.getKey();
            }
        } else if (value instanceof ArrayNode array) {
            for (JsonNode element : array) {
                if (!isSorted(element)) {
                    return false;
                }
            }
        }
        return true;
    }

    /** The same object with {@code kind}, {@code apiVersion} and {@code metadata} in front, as the real server writes built-in kinds. */
    static ObjectNode kindFirst(ObjectNode object) {
        Iterator<String> names = object.propertyNames().iterator();
        if (names.hasNext()
                && names.next().equals("kind")
                && names.hasNext()
                && names.next().equals("apiVersion")
                && names.hasNext()
                && names.next().equals("metadata")) {
            return object;
        }
        ObjectNode copy = object();
        copy.set("kind", object.get("kind"));
        copy.set("apiVersion", object.get("apiVersion"));
        copy.set("metadata", object.get("metadata"));
        for (Map.Entry<String, JsonNode> field : object.properties()) {
            if (!copy.has(field.getKey())) {
                copy.set(field.getKey(), field.getValue());
            }
        }
        return copy;
    }
}
