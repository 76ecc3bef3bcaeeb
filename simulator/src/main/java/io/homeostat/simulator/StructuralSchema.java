package io.homeostat.simulator;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * A structural schema of a CustomResourceDefinition: pruning, defaulting, validation, and the {@link Schema} for merging
 * (API field {@code spec.versions[].schema.openAPIV3Schema}; KEP-1152).
 *
 * <p><b>Threads.</b> Immutable.
 */
final class StructuralSchema {
    private static final Pattern DATE_TIME = Pattern.compile(
            "[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?([Zz]|[+-][0-9]{2}:?[0-9]{2})");
    private static final Pattern DATE = Pattern.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}");
    private static final Pattern UUID =
            Pattern.compile("(?i)[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}");
    private static final Pattern BASE64 = Pattern.compile("([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?");
    private static final Pattern IPV4 = Pattern.compile(
            "((25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])[.]){3}(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])");
    /** Formats of strings that the real server checks and this one does not. */
    private static final Set<String> UNCHECKED_FORMATS = new TreeSet<>(List.of(
            "bsonobjectid",
            "uri",
            "email",
            "hostname",
            "ipv6",
            "cidr",
            "mac",
            "uuid3",
            "uuid4",
            "uuid5",
            "isbn",
            "isbn10",
            "isbn13",
            "creditcard",
            "ssn",
            "hexcolor",
            "rgbcolor",
            "duration",
            "k8sshortname",
            "k8slongname"));

    /** Up to here every integer is a double. */
    private static final BigDecimal EXACT = BigDecimal.valueOf(1L << 53);

    private final ObjectNode source;
    private final String type;
    private final String format;
    private final Map<String, StructuralSchema> properties;
    private final @Nullable StructuralSchema additional;
    private final boolean anyAdditional;
    private final @Nullable StructuralSchema items;
    private final @Nullable Pattern pattern;
    private final List<StructuralSchema> allOf;
    private final List<StructuralSchema> anyOf;
    private final List<StructuralSchema> oneOf;
    private final @Nullable StructuralSchema not;
    private final List<String> required;
    private final boolean preservesUnknown;
    private final boolean embedded;
    private final boolean intOrString;
    private final boolean nullable;

    /**
     * @param source the JSON of the schema
     * @param path where it stands in the definition, for messages
     * @throws Unsupported when it asks for something that is not simulated
     */
    StructuralSchema(ObjectNode source, String path) {
        this.source = source;
        if (!Json.listAt(source, "x-kubernetes-validations").isEmpty()) {
            throw new Unsupported("CEL rules are not simulated: " + path + ".x-kubernetes-validations");
        }
        type = Json.textAt(source, "type");
        format = format(source, type, path);
        Map<String, StructuralSchema> fields = new LinkedHashMap<>();
        if (source.get("properties") instanceof ObjectNode declared) {
            declared.properties()
                    .forEach(field -> fields.put(
                            field.getKey(), child(field.getValue(), path + ".properties[" + field.getKey() + "]")));
        }
        properties = fields;
        JsonNode others = source.get("additionalProperties");
        additional = others instanceof ObjectNode ? child(others, path + ".additionalProperties") : null;
        anyAdditional = others != null && others.isBoolean() && others.booleanValue();
        items = source.get("items") instanceof ObjectNode item ? child(item, path + ".items") : null;
        pattern = pattern(Json.textAt(source, "pattern"), path);
        allOf = children(source, "allOf", path);
        anyOf = children(source, "anyOf", path);
        oneOf = children(source, "oneOf", path);
        not = source.get("not") instanceof ObjectNode negated ? child(negated, path + ".not") : null;
        List<String> names = new ArrayList<>();
        for (JsonNode name : Json.listAt(source, "required")) {
            names.add(name.stringValue());
        }
        required = names;
        preservesUnknown = flag("x-kubernetes-preserve-unknown-fields");
        embedded = flag("x-kubernetes-embedded-resource");
        intOrString = flag("x-kubernetes-int-or-string");
        nullable = flag("nullable");
    }

    private boolean flag(String name) {
        JsonNode value = source.get(name);
        return value != null && value.isBoolean() && value.booleanValue();
    }

    private static StructuralSchema child(JsonNode schema, String path) {
        return new StructuralSchema(schema instanceof ObjectNode object ? object : Json.NODES.objectNode(), path);
    }

    private static List<StructuralSchema> children(ObjectNode source, String name, String path) {
        List<StructuralSchema> children = new ArrayList<>();
        for (JsonNode one : Json.listAt(source, name)) {
            children.add(child(one, path + "." + name + "[" + children.size() + "]"));
        }
        return children;
    }

    /** The format that is checked; "" for none. Formats that Kubernetes does not know are ignored, as it ignores them. */
    private static String format(ObjectNode source, String type, String path) {
        String format = Json.textAt(source, "format");
        switch (type) {
            case "integer" -> {
                return format.equals("int32") || format.equals("int64") ? format : "";
            }
            case "number" -> {
                return format.equals("float") || format.equals("double") ? format : "";
            }
            case "", "string" -> {
                String plain = format.replace("-", "").toLowerCase(Locale.ROOT);
                if (UNCHECKED_FORMATS.contains(plain)) {
                    throw new Unsupported("the format \"" + format + "\" is not simulated: " + path + ".format");
                }
                return plain;
            }
            default -> {
                return "";
            }
        }
    }

    private static @Nullable Pattern pattern(String pattern, String path) {
        if (pattern.isEmpty()) {
            return null;
        }
        try {
            return Pattern.compile(pattern);
        } catch (PatternSyntaxException e) {
            throw new Unsupported("the pattern " + pattern + " of " + path + " is no regular expression of Java");
        }
    }

    // --- merging
    // ------------------------------------------------------------------------------------------------------

    /** This schema as merging sees it. */
    Schema merging() {
        if (intOrString) {
            return Schema.scalar(Schema.Scalar.ANY);
        }
        return switch (type) {
            case "string" -> Schema.scalar(Schema.Scalar.STRING);
            case "integer", "number" -> Schema.scalar(Schema.Scalar.NUMBER);
            case "boolean" -> Schema.scalar(Schema.Scalar.BOOLEAN);
            case "array" -> mergingList();
            case "object" -> mergingMap();
            default -> Schema.UNTYPED;
        };
    }

    private Schema mergingList() {
        Schema item = items == null ? Schema.UNTYPED : items.merging();
        return switch (Json.textAt(source, "x-kubernetes-list-type")) {
            case "set" -> Schema.setOf(item);
            case "map" -> Schema.listMap(listKeys(), item);
            default -> Schema.atomicList(item);
        };
    }

    private Schema mergingMap() {
        Schema map;
        if (properties.isEmpty() && !embedded) {
            map = additional != null
                    ? Schema.mapOf(additional.merging())
                    : preservesUnknown || anyAdditional
                            ? Schema.UNTYPED
                            : Schema.struct(Map.of(), null, Map.of(), Map.of());
        } else {
            Map<String, Schema> fields = new LinkedHashMap<>();
            Map<String, JsonNode> defaults = new HashMap<>();
            if (embedded) {
                fields.put("apiVersion", Schema.scalar(Schema.Scalar.STRING));
                fields.put("kind", Schema.scalar(Schema.Scalar.STRING));
                fields.put("metadata", BuiltInSchemas.of("ObjectMeta"));
            }
            properties.forEach((name, property) -> {
                if (!fields.containsKey(name)) {
                    fields.put(name, property.merging());
                }
                JsonNode value = property.source.get("default");
                if (value != null && value.isValueNode()) {
                    defaults.put(name, value);
                }
            });
            map = Schema.struct(fields, preservesUnknown ? Schema.UNTYPED : null, defaults, Map.of());
        }
        return Json.textAt(source, "x-kubernetes-map-type").equals("atomic") ? map.atomic() : map;
    }

    private List<String> listKeys() {
        List<String> keys = new ArrayList<>();
        for (JsonNode key : Json.listAt(source, "x-kubernetes-list-map-keys")) {
            keys.add(key.stringValue());
        }
        return keys;
    }

    // --- pruning
    // ------------------------------------------------------------------------------------------------------

    /**
     * A copy of {@code object} without the fields that this schema does not know.
     *
     * @param unknown gets the paths of what was dropped
     */
    ObjectNode pruned(ObjectNode object, boolean resource, String path, List<String> unknown) {
        ObjectNode kept = Json.NODES.objectNode();
        for (Map.Entry<String, JsonNode> entry : object.properties()) {
            String name = entry.getKey();
            String at = path.isEmpty() ? name : path + "." + name;
            if (resource && (name.equals("apiVersion") || name.equals("kind") || name.equals("metadata"))) {
                kept.set(name, entry.getValue());
                continue;
            }
            StructuralSchema property = properties.get(name);
            if (property != null) {
                kept.set(name, property.prunedValue(entry.getValue(), at, unknown));
            } else if (additional != null) {
                kept.set(name, additional.prunedValue(entry.getValue(), at, unknown));
            } else if (anyAdditional || preservesUnknown) {
                kept.set(name, plainNumbers(entry.getValue()));
            } else {
                unknown.add(at);
            }
        }
        return kept;
    }

    private JsonNode prunedValue(JsonNode value, String path, List<String> unknown) {
        if (value instanceof ObjectNode object) {
            return pruned(object, embedded, path, unknown);
        }
        if (value instanceof ArrayNode list) {
            ArrayNode kept = Json.NODES.arrayNode();
            for (JsonNode item : list) {
                String at = path + "[" + kept.size() + "]";
                kept.add(items == null ? plainNumbers(item) : items.prunedValue(item, at, unknown));
            }
            return kept;
        }
        return plainNumbers(value);
    }

    /** A copy in which a number without a fraction is an integer: {@code 3.0} is written {@code 3}. */
    private static JsonNode plainNumbers(JsonNode value) {
        if (value instanceof ObjectNode object) {
            ObjectNode copy = Json.NODES.objectNode();
            object.properties().forEach(entry -> copy.set(entry.getKey(), plainNumbers(entry.getValue())));
            return copy;
        }
        if (value instanceof ArrayNode list) {
            ArrayNode copy = Json.NODES.arrayNode();
            list.forEach(item -> copy.add(plainNumbers(item)));
            return copy;
        }
        if (value.isNumber() && !value.isIntegralNumber()) {
            BigDecimal number = Json.decimal(value);
            if (number.stripTrailingZeros().scale() <= 0 && number.abs().compareTo(EXACT) < 0) {
                return Json.NODES.numberNode(number.longValueExact());
            }
        }
        return value;
    }

    // --- defaulting
    // ---------------------------------------------------------------------------------------------------

    /** What becomes of a null where null is no value and there is no default. */
    enum Nulls {
        DROPPED,
        KEPT
    }

    /** Fills defaults into {@code value}, which must be a copy of its own, also in the place of a null that is no value. */
    void fill(JsonNode value, Nulls nulls) {
        if (value instanceof ObjectNode object) {
            properties.forEach((name, property) -> {
                JsonNode there = object.get(name);
                JsonNode byDefault = property.source.get("default");
                boolean nothing = there == null || (there.isNull() && !property.nullable);
                if (nothing && byDefault != null) {
                    object.set(name, byDefault.deepCopy());
                } else if (nothing && nulls == Nulls.DROPPED) {
                    object.remove(name);
                }
                JsonNode now = object.get(name);
                if (now != null) {
                    property.fill(now, nulls);
                }
            });
            if (additional != null) {
                for (String name : new ArrayList<>(object.propertyNames())) {
                    JsonNode entry = object.get(name);
                    if (properties.containsKey(name) || entry == null) {
                        continue;
                    }
                    if (entry.isNull() && !additional.nullable) {
                        JsonNode byDefault = additional.source.get("default");
                        if (byDefault == null) {
                            if (nulls == Nulls.DROPPED) {
                                object.remove(name);
                            }
                            continue;
                        }
                        entry = byDefault.deepCopy();
                        object.set(name, entry);
                    }
                    additional.fill(entry, nulls);
                }
            }
        } else if (value instanceof ArrayNode list && items != null) {
            for (int i = 0; i < list.size(); i++) {
                JsonNode byDefault = items.source.get("default");
                if (list.get(i).isNull() && !items.nullable && byDefault != null) {
                    list.set(i, byDefault.deepCopy());
                }
                items.fill(list.get(i), nulls);
            }
        }
    }

    // --- validation
    // ---------------------------------------------------------------------------------------------------

    /** What is wrong with {@code value} at {@code path}, "" for the object itself. */
    void validate(JsonNode value, String path, List<Cause> causes) {
        if (value.isNull()) {
            if (!nullable && !type.isEmpty()) {
                causes.add(wrongType(path, type, "null"));
            }
            return;
        }
        if (!hasType(value, path, causes)) {
            return;
        }
        checkCombinations(value, path, causes);
        if (value.isString()) {
            checkString(value.stringValue(), path, causes);
        } else if (value.isNumber()) {
            checkNumber(value, path, causes);
        } else if (value instanceof ArrayNode list) {
            checkList(list, path, causes);
        }
        checkEnum(value, path, causes);
        if (value instanceof ObjectNode object) {
            checkMap(object, path, causes);
        }
    }

    private boolean hasType(JsonNode value, String path, List<Cause> causes) {
        String is = typeOf(value);
        boolean whole = is.equals("integer");
        if (intOrString) {
            if (!whole && !is.equals("string")) {
                causes.add(wrongType(path, "integer,string", is));
                return false;
            }
            return true;
        }
        if (type.isEmpty() || type.equals(is) || (type.equals("number") && whole)) {
            return true;
        }
        if (value.isNumber() && !format.isEmpty()) {
            causes.add(wrongType(path, format, "float64"));
            causes.add(unformatted(path));
        } else {
            causes.add(wrongType(path, type, is));
        }
        return false;
    }

    private static String typeOf(JsonNode value) {
        if (value.isObject()) {
            return "object";
        }
        if (value.isArray()) {
            return "array";
        }
        if (value.isString()) {
            return "string";
        }
        if (value.isBoolean()) {
            return "boolean";
        }
        return value.isIntegralNumber()
                        || Json.decimal(value).stripTrailingZeros().scale() <= 0
                ? "integer"
                : "number";
    }

    private static Cause wrongType(String path, String expected, String found) {
        String at = path.isEmpty() ? "<nil>" : path;
        return new Cause(
                at,
                "FieldValueTypeInvalid",
                "Invalid value: \"" + found + "\": " + (path.isEmpty() ? "" : path + " in body ") + "must be of type "
                        + expected + ": \"" + found + "\"");
    }

    private void checkEnum(JsonNode value, String path, List<Cause> causes) {
        ArrayNode allowed = Json.listAt(source, "enum");
        if (allowed.isEmpty()) {
            return;
        }
        List<String> shown = new ArrayList<>();
        for (JsonNode one : allowed) {
            if (Json.same(one, value)) {
                return;
            }
            shown.add(one.isString() ? one.stringValue() : Json.text(one));
        }
        causes.add(Cause.notSupported(path, value, shown.toArray(new String[0])));
    }

    private void checkString(String text, String path, List<Cause> causes) {
        int length = text.codePointCount(0, text.length());
        Long max = bound("maxLength");
        Long min = bound("minLength");
        if (max != null && length > max) {
            causes.add(Cause.tooLong(path, "may not be more than " + max + (max == 1 ? " byte" : " bytes")));
        } else if (min != null && length < min) {
            causes.add(inBody(path, text, "should be at least " + min + " chars long"));
        } else if (pattern != null && !pattern.matcher(text).find()) {
            causes.add(inBody(path, text, "should match '" + pattern.pattern() + "'"));
        }
        Pattern form =
                switch (format) {
                    case "datetime" -> DATE_TIME;
                    case "date" -> DATE;
                    case "uuid" -> UUID;
                    case "byte" -> BASE64;
                    case "ipv4" -> IPV4;
                    default -> null;
                };
        if (form != null && !form.matcher(text).matches()) {
            String named = Json.textAt(source, "format");
            Cause invalid = inBody(path, text, "must be of type " + named + ": " + Json.quoted(text));
            causes.add(new Cause(invalid.field(), "FieldValueTypeInvalid", invalid.message()));
        }
    }

    private void checkNumber(JsonNode value, String path, List<Cause> causes) {
        BigDecimal number = Json.decimal(value);
        if ((format.equals("int32") && !value.canConvertToInt())
                || (format.equals("int64") && !value.canConvertToLong())) {
            causes.add(unformatted(path));
        }
        JsonNode max = source.get("maximum");
        if (max != null && max.isNumber()) {
            int order = number.compareTo(Json.decimal(max));
            if (flag("exclusiveMaximum") ? order >= 0 : order > 0) {
                causes.add(inBody(
                        path,
                        value,
                        "should be less than " + (flag("exclusiveMaximum") ? "" : "or equal to ") + plain(max)));
            }
        }
        JsonNode min = source.get("minimum");
        if (min != null && min.isNumber()) {
            int order = number.compareTo(Json.decimal(min));
            if (flag("exclusiveMinimum") ? order <= 0 : order < 0) {
                causes.add(inBody(
                        path,
                        value,
                        "should be greater than " + (flag("exclusiveMinimum") ? "" : "or equal to ") + plain(min)));
            }
        }
        JsonNode step = source.get("multipleOf");
        if (step != null
                && step.isNumber()
                && Json.decimal(step).signum() > 0
                && number.remainder(Json.decimal(step)).signum() != 0) {
            causes.add(inBody(path, value, "should be a multiple of " + plain(step)));
        }
    }

    private Cause unformatted(String path) {
        return nowhere("Checked value must be of type " + type + " with format " + format + " in " + path);
    }

    private static String plain(JsonNode number) {
        return Json.decimal(number).stripTrailingZeros().toPlainString();
    }

    private void checkList(ArrayNode list, String path, List<Cause> causes) {
        Long max = bound("maxItems");
        Long min = bound("minItems");
        if (max != null && list.size() > max) {
            causes.add(new Cause(
                    path,
                    "FieldValueTooMany",
                    "Too many: " + list.size() + ": must have at most " + max + (max == 1 ? " item" : " items")));
        }
        if (min != null && list.size() < min) {
            causes.add(inBody(path, list.size(), "should have at least " + min + " items"));
        }
        if (items != null) {
            int index = 0;
            for (JsonNode item : list) {
                items.validate(item, path + "[" + index++ + "]", causes);
            }
        }
    }

    private void checkMap(ObjectNode object, String path, List<Cause> causes) {
        Long max = bound("maxProperties");
        Long min = bound("minProperties");
        if (max != null && object.size() > max) {
            causes.add(new Cause(
                    path,
                    "FieldValueTooMany",
                    "Too many: " + object.size() + ": must have at most " + max + (max == 1 ? " item" : " items")));
        }
        if (min != null && object.size() < min) {
            causes.add(inBody(path, object.size(), "should have at least " + min + " properties"));
        }
        for (String name : required) {
            if (!object.has(name)) {
                causes.add(Cause.required(child(path, name), ""));
            }
        }
        for (Map.Entry<String, JsonNode> entry : object.properties()) {
            StructuralSchema property = properties.getOrDefault(entry.getKey(), additional);
            if (property != null) {
                property.validate(entry.getValue(), child(path, entry.getKey()), causes);
            }
        }
        if (embedded) {
            for (String name : List.of("apiVersion", "kind")) {
                if (Json.textAt(object, name).isEmpty()) {
                    causes.add(Cause.required(child(path, name), object.has(name) ? "must not be empty" : ""));
                }
            }
        }
    }

    private void checkCombinations(JsonNode value, String path, List<Cause> causes) {
        if (!anyOf.isEmpty() && anyOf.stream().noneMatch(one -> one.accepts(value))) {
            causes.add(nowhere("\"" + path + "\" must validate at least one schema (anyOf)"));
            anyOf.get(0).validate(value, path, causes);
        }
        if (!oneOf.isEmpty()) {
            long valid = oneOf.stream().filter(one -> one.accepts(value)).count();
            if (valid != 1) {
                causes.add(nowhere("\"" + path + "\" must validate one and only one schema (oneOf). Found "
                        + (valid == 0 ? "none valid" : valid + " valid alternatives")));
            }
            if (valid == 0) {
                oneOf.get(0).validate(value, path, causes);
            }
        }
        int before = causes.size();
        for (StructuralSchema one : allOf) {
            one.validate(value, path, causes);
        }
        if (causes.size() > before) {
            causes.add(before, nowhere("\"" + path + "\" must validate all the schemas (allOf)"));
        }
        if (not != null && not.accepts(value)) {
            causes.add(nowhere("\"" + path + "\" must not validate the schema (not)"));
        }
    }

    /** Some messages of the real server carry their path in the text only. */
    private static Cause nowhere(String detail) {
        return Cause.invalid("<nil>", "", detail);
    }

    private boolean accepts(JsonNode value) {
        List<Cause> causes = new ArrayList<>();
        validate(value, "", causes);
        return causes.isEmpty();
    }

    /** Duplicates in lists that are sets or maps. */
    void validateLists(JsonNode value, String path, List<Cause> causes) {
        if (value instanceof ObjectNode object) {
            for (Map.Entry<String, JsonNode> entry : object.properties()) {
                StructuralSchema property = properties.getOrDefault(entry.getKey(), additional);
                if (property != null) {
                    property.validateLists(entry.getValue(), child(path, entry.getKey()), causes);
                }
            }
        } else if (value instanceof ArrayNode list) {
            String listType = Json.textAt(source, "x-kubernetes-list-type");
            Set<String> seen = new HashSet<>();
            Set<String> reported = new HashSet<>();
            int index = 0;
            for (JsonNode item : list) {
                String at = path + "[" + index++ + "]";
                JsonNode named = listType.equals("set") ? item : listType.equals("map") ? key(item) : null;
                if (named != null && !seen.add(Json.text(named)) && reported.add(Json.text(named))) {
                    causes.add(Cause.duplicate(at, named));
                }
                if (items != null) {
                    items.validateLists(item, at, causes);
                }
            }
        }
    }

    private ObjectNode key(JsonNode item) {
        TreeMap<String, JsonNode> key = new TreeMap<>();
        for (String name : listKeys()) {
            JsonNode value = item.get(name);
            if (value != null) {
                key.put(name, value);
            }
        }
        ObjectNode sorted = Json.NODES.objectNode();
        sorted.setAll(key);
        return sorted;
    }

    private @Nullable Long bound(String name) {
        JsonNode value = source.get(name);
        return value != null && value.isNumber() ? value.longValue() : null;
    }

    private static String child(String path, String name) {
        return path.isEmpty() ? name : path + "." + name;
    }

    private static Cause inBody(String path, Object value, String detail) {
        return Cause.invalid(
                path.isEmpty() ? "<nil>" : path, value, (path.isEmpty() ? "" : path + " in body ") + detail);
    }
}
