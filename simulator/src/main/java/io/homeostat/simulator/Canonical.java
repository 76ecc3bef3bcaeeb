package io.homeostat.simulator;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Built-in objects as the real server writes them: it reads a request into a typed object and writes that, so unknown fields are
 * gone, empty and zero values appear or not by the field's declaration, and quantities have their canonical form.
 */
final class Canonical {
    private static final JsonNode NULL = Json.NODES.nullNode();
    private static final Pattern BASE64 =
            Pattern.compile("([A-Za-z0-9+/]{4})*+([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?");

    private Canonical() {}

    /** What an object of a built-in kind is before anything was set: its zero values that are always written. */
    static ObjectNode empty(Schema schema) {
        return structure(Json.NODES.objectNode(), schema, "");
    }

    /**
     * {@code object} in its canonical form.
     *
     * @throws Malformed when a value has another type than its field
     */
    static ObjectNode of(ObjectNode object, Schema schema) {
        return structure(object, schema, "");
    }

    /** The paths of the fields that {@code schema} does not know, as strict decoding reports them: {@code spec.containers[0].nme}. */
    static List<String> unknownFields(ObjectNode object, Schema schema) {
        List<String> unknown = new ArrayList<>();
        collectUnknown(object, schema, "", unknown);
        return unknown;
    }

    private static void collectUnknown(JsonNode value, Schema schema, String path, List<String> unknown) {
        if (value instanceof ObjectNode map) {
            boolean described = schema.shape() == Schema.Shape.MAP || schema.shape() == Schema.Shape.ATOMIC_MAP;
            for (Map.Entry<String, JsonNode> entry : map.properties()) {
                Schema type = described ? schema.field(entry.getKey()) : Schema.UNTYPED;
                String at = path.isEmpty() ? entry.getKey() : path + "." + entry.getKey();
                if (type == null) {
                    unknown.add(at);
                } else {
                    collectUnknown(entry.getValue(), type, at, unknown);
                }
            }
        } else if (value instanceof ArrayNode list && schema.element() != null) {
            int index = 0;
            for (JsonNode item : list) {
                collectUnknown(item, schema.element(), path + "[" + index++ + "]", unknown);
            }
        }
    }

    private static ObjectNode structure(ObjectNode object, Schema schema, String path) {
        ObjectNode result = Json.NODES.objectNode();
        for (Map.Entry<String, Schema> field : schema.fields().entrySet()) {
            String name = field.getKey();
            JsonNode value = object.get(name);
            JsonNode canonical = Json.absent(value)
                    ? null
                    : value(value, field.getValue(), path.isEmpty() ? name : path + "." + name);
            JsonNode kept = kept(canonical, field.getValue(), schema.presence(name));
            if (kept != null) {
                result.set(name, kept);
            }
        }
        return result;
    }

    private static @Nullable JsonNode kept(@Nullable JsonNode value, Schema type, Schema.Presence presence) {
        return switch (presence) {
            case OPTIONAL -> value;
            case ALWAYS -> value == null ? zero(type) : value;
            case OMIT_EMPTY -> value == null || isZero(value) ? null : value;
        };
    }

    private static boolean isZero(JsonNode value) {
        return (value.isContainer() && value.isEmpty())
                || (value.isString() && value.stringValue().isEmpty())
                || (value.isNumber() && Json.decimal(value).signum() == 0)
                || (value.isBoolean() && !value.booleanValue());
    }

    private static JsonNode zero(Schema type) {
        return switch (type.shape()) {
            case MAP, ATOMIC_MAP -> type.fields().isEmpty() ? NULL : structure(Json.NODES.objectNode(), type, "");
            case SCALAR -> switch (type.scalar()) {
                case STRING -> Json.NODES.stringNode("");
                case INT32, INT64, NUMBER, INT_OR_STRING -> Json.NODES.numberNode(0);
                case BOOLEAN -> Json.NODES.booleanNode(false);
                default -> NULL;
            };
            default -> NULL;
        };
    }

    private static JsonNode value(JsonNode value, Schema type, String path) {
        return switch (type.shape()) {
            case MAP, ATOMIC_MAP -> {
                if (!(value instanceof ObjectNode map)) {
                    throw mismatch(value, path, type.fields().isEmpty() ? "map" : "object");
                }
                yield type.fields().isEmpty() ? entries(map, type, path) : structure(map, type, path);
            }
            case ATOMIC_LIST, SET, LIST_MAP -> {
                if (!(value instanceof ArrayNode list)) {
                    throw mismatch(value, path, "list");
                }
                yield items(list, type, path);
            }
            case SCALAR -> scalar(value, type.scalar(), path);
            case UNTYPED -> value;
        };
    }

    private static ObjectNode entries(ObjectNode map, Schema type, String path) {
        Schema element = type.element();
        ObjectNode result = Json.NODES.objectNode();
        for (Map.Entry<String, JsonNode> entry : map.properties()) {
            JsonNode value = entry.getValue();
            if (element != null) {
                value = value.isNull() ? zero(element) : value(value, element, path + "." + entry.getKey());
            }
            result.set(entry.getKey(), value);
        }
        return result;
    }

    private static ArrayNode items(ArrayNode list, Schema type, String path) {
        Schema element = type.element() == null ? Schema.UNTYPED : type.element();
        ArrayNode result = Json.NODES.arrayNode();
        for (JsonNode item : list) {
            result.add(item.isNull() ? zero(element) : value(item, element, path));
        }
        return result;
    }

    private static JsonNode scalar(JsonNode value, Schema.Scalar type, String path) {
        switch (type) {
            case STRING, BYTES, TIME, MICRO_TIME -> {
                if (!value.isString()) {
                    throw mismatch(value, path, "string");
                }
                if (type == Schema.Scalar.BYTES) {
                    checkBase64(value.stringValue());
                }
                return type == Schema.Scalar.MICRO_TIME ? Times.micro(value, path) : time(value, type, path);
            }
            case INT32, INT64 -> {
                boolean fits = value.isIntegralNumber()
                        && (type == Schema.Scalar.INT32 ? value.canConvertToInt() : value.canConvertToLong());
                if (!fits) {
                    throw mismatch(value, path, type == Schema.Scalar.INT32 ? "int32" : "int64");
                }
                return value;
            }
            case NUMBER -> {
                if (!value.isNumber()) {
                    throw mismatch(value, path, "float64");
                }
                return value;
            }
            case BOOLEAN -> {
                if (!value.isBoolean()) {
                    throw mismatch(value, path, "bool");
                }
                return value;
            }
            case INT_OR_STRING -> {
                if (!value.isString() && !(value.isIntegralNumber() && value.canConvertToInt())) {
                    throw mismatch(value, path, "int32");
                }
                return value;
            }
            case QUANTITY -> {
                if (!value.isString() && !value.isNumber()) {
                    throw mismatch(value, path, "quantity");
                }
                return Json.NODES.stringNode(Quantities.canonical(value, path));
            }
            case ANY -> {
                return value;
            }
        }
        return value;
    }

    private static void checkBase64(String text) {
        Matcher whole = BASE64.matcher(text);
        if (!whole.matches()) {
            int valid = whole.lookingAt() ? whole.end() : 0;
            throw new Malformed("illegal base64 data at input byte " + valid);
        }
    }

    private static JsonNode time(JsonNode value, Schema.Scalar type, String path) {
        return type == Schema.Scalar.TIME ? Times.seconds(value, path) : value;
    }

    private static Malformed mismatch(JsonNode value, String path, String expected) {
        String found = value.isObject()
                ? "object"
                : value.isArray() ? "array" : value.isString() ? "string" : value.isBoolean() ? "bool" : "number";
        if (value.isNumber() && expected.startsWith("int")) {
            found += " " + Json.text(value);
        }
        return new Malformed(
                "json: cannot unmarshal " + found + " into Go struct field " + path + " of type " + expected);
    }
}
