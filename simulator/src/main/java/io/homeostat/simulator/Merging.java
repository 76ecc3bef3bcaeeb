package io.homeostat.simulator;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * The operations of server-side apply on typed trees (KEP-555): which fields a tree has, how two differ, one merged over the other,
 * one without some fields. All pure; results share subtrees with their arguments.
 */
final class Merging {
    private Merging() {}

    /** How a value is treated: by its schema, and where that is silent, by what it is. */
    private enum Form {
        LEAF,
        MAP,
        LIST
    }

    private static Form form(Schema schema, @Nullable JsonNode value) {
        return switch (schema.shape()) {
            case MAP -> Form.MAP;
            case SET, LIST_MAP -> Form.LIST;
            case SCALAR, ATOMIC_MAP, ATOMIC_LIST -> Form.LEAF;
            case UNTYPED -> value instanceof ObjectNode ? Form.MAP : Form.LEAF;
        };
    }

    private static Schema entryType(Schema schema, String name) {
        Schema type = schema.field(name);
        return type == null ? Schema.UNTYPED : type;
    }

    private static Schema itemType(Schema schema) {
        Schema type = schema.element();
        return type == null ? Schema.UNTYPED : type;
    }

    /** What names {@code item} in a list of type {@code list}; null when the item is not of a kind that can be named. */
    static @Nullable PathElement element(Schema list, JsonNode item) {
        if (list.shape() == Schema.Shape.SET) {
            return item.isValueNode() ? PathElement.value(item) : null;
        }
        if (!(item instanceof ObjectNode fields)) {
            return null;
        }
        TreeMap<String, JsonNode> key = new TreeMap<>();
        for (String name : list.keys()) {
            JsonNode value = fields.get(name);
            if (Json.absent(value)) {
                value = itemType(list).keyDefault(name);
            }
            if (value == null) {
                return null;
            }
            key.put(name, value);
        }
        ObjectNode sorted = Json.NODES.objectNode();
        sorted.setAll(key);
        return PathElement.key(sorted);
    }

    // --- fields
    // -------------------------------------------------------------------------------------------------------

    /** The fields that {@code value} sets: what an apply of it owns. */
    static FieldSet fields(JsonNode value, Schema schema) {
        FieldSet.Builder set = new FieldSet.Builder();
        collect(value, schema, new ArrayList<>(), set);
        return set.build();
    }

    private static void collect(JsonNode value, Schema schema, List<PathElement> path, FieldSet.Builder set) {
        switch (form(schema, value)) {
            case LEAF -> set.add(path);
            case MAP -> {
                if (value instanceof ObjectNode map) {
                    for (Map.Entry<String, JsonNode> entry : map.properties()) {
                        JsonNode child = entry.getValue();
                        path.add(PathElement.field(entry.getKey()));
                        collect(child, entryType(schema, entry.getKey()), path, set);
                        if (child.isNull()
                                || (child.isObject() && child.isEmpty())
                                || !schema.declares(entry.getKey())) {
                            set.add(path);
                        }
                        path.remove(path.size() - 1);
                    }
                }
            }
            case LIST -> {
                if (value instanceof ArrayNode list) {
                    for (JsonNode item : list) {
                        PathElement element = element(schema, item);
                        if (element != null) {
                            path.add(element);
                            collect(item, itemType(schema), path, set);
                            set.add(path);
                            path.remove(path.size() - 1);
                        }
                    }
                }
            }
        }
    }

    // --- comparison
    // ---------------------------------------------------------------------------------------------------

    /** How one tree differs from an older one. */
    record Comparison(FieldSet added, FieldSet modified, FieldSet removed) {
        /** The difference without the fields below those of {@code ignored}. */
        Comparison without(FieldSet ignored) {
            return new Comparison(added.minusTrees(ignored), modified.minusTrees(ignored), removed.minusTrees(ignored));
        }

        FieldSet written() {
            return added.union(modified);
        }
    }

    static Comparison compare(JsonNode before, JsonNode after, Schema schema) {
        Comparing comparing = new Comparing();
        comparing.compare(before, after, schema, false);
        return new Comparison(comparing.added.build(), comparing.modified.build(), comparing.removed.build());
    }

    private static final class Comparing {
        final FieldSet.Builder added = new FieldSet.Builder();
        final FieldSet.Builder modified = new FieldSet.Builder();
        final FieldSet.Builder removed = new FieldSet.Builder();
        private final List<PathElement> path = new ArrayList<>();

        /** @param inLeaf whether an enclosing value has been compared as a whole */
        @SuppressWarnings("ReferenceEquality") // what two versions share does not differ
        void compare(@Nullable JsonNode before, @Nullable JsonNode after, Schema schema, boolean inLeaf) {
            if (before == after) {
                return;
            }
            Form form = form(schema, after != null ? after : before);
            boolean leaf = inLeaf;
            if (before != null && after != null && form(schema, before) != form) {
                // Only what is not described can change its form: all of it has changed.
                if (!inLeaf) {
                    compare(before, null, schema, false);
                    compare(null, after, schema, false);
                    modified.add(path);
                }
                return;
            }
            if (form == Form.LEAF || (isEmpty(before, form) && isEmpty(after, form))) {
                leaf(before, after, inLeaf);
                leaf = true;
            } else if (form == Form.MAP) {
                compareMaps(map(before), map(after), schema);
            } else {
                compareLists(list(before), list(after), schema);
            }
            if (!leaf) {
                if (before == null) {
                    added.add(path);
                } else if (after == null) {
                    removed.add(path);
                }
            }
        }

        private void leaf(@Nullable JsonNode before, @Nullable JsonNode after, boolean inLeaf) {
            if (inLeaf) {
                return;
            }
            if (before == null) {
                added.add(path);
            } else if (after == null) {
                removed.add(path);
            } else if (!Json.same(before, after)) {
                modified.add(path);
            }
        }

        private void compareMaps(@Nullable ObjectNode before, @Nullable ObjectNode after, Schema schema) {
            if (before != null) {
                for (Map.Entry<String, JsonNode> entry : before.properties()) {
                    JsonNode now = after == null ? null : after.get(entry.getKey());
                    step(PathElement.field(entry.getKey()), entry.getValue(), now, entryType(schema, entry.getKey()));
                }
            }
            if (after != null) {
                for (Map.Entry<String, JsonNode> entry : after.properties()) {
                    if (before == null || !before.has(entry.getKey())) {
                        step(
                                PathElement.field(entry.getKey()),
                                null,
                                entry.getValue(),
                                entryType(schema, entry.getKey()));
                    }
                }
            }
        }

        private void compareLists(@Nullable ArrayNode before, @Nullable ArrayNode after, Schema schema) {
            Map<PathElement, List<JsonNode>> old = byElement(before, schema);
            Map<PathElement, List<JsonNode>> now = byElement(after, schema);
            Schema type = itemType(schema);
            old.forEach((element, was) -> compareItems(element, was, now.getOrDefault(element, List.of()), type));
            now.forEach((element, is) -> {
                if (!old.containsKey(element)) {
                    compareItems(element, List.of(), is, type);
                }
            });
        }

        /** Items of one name. A stored list may hold several (built-in kinds allow it): those are one value together. */
        private void compareItems(PathElement element, List<JsonNode> was, List<JsonNode> is, Schema type) {
            if (was.size() <= 1 && is.size() <= 1) {
                step(element, was.isEmpty() ? null : was.get(0), is.isEmpty() ? null : is.get(0), type);
                return;
            }
            if (was.size() > 1 && is.size() > 1) {
                boolean equal = was.size() == is.size();
                for (int i = 0; equal && i < was.size(); i++) {
                    equal = Json.same(was.get(i), is.get(i));
                }
                if (!equal) {
                    mark(modified, element);
                }
            } else if (was.size() > 1) {
                if (!is.isEmpty()) {
                    step(element, null, is.get(0), type);
                }
                mark(removed, element);
            } else {
                if (!was.isEmpty()) {
                    step(element, was.get(0), null, type);
                }
                mark(added, element);
            }
        }

        private void mark(FieldSet.Builder set, PathElement element) {
            path.add(element);
            set.add(path);
            path.remove(path.size() - 1);
        }

        private void step(PathElement element, @Nullable JsonNode before, @Nullable JsonNode after, Schema type) {
            path.add(element);
            compare(before, after, type, false);
            path.remove(path.size() - 1);
        }
    }

    private static Map<PathElement, List<JsonNode>> byElement(@Nullable ArrayNode list, Schema schema) {
        Map<PathElement, List<JsonNode>> items = new LinkedHashMap<>();
        if (list != null) {
            for (JsonNode item : list) {
                PathElement element = element(schema, item);
                if (element != null) {
                    items.computeIfAbsent(element, e -> new ArrayList<>(1)).add(item);
                }
            }
        }
        return items;
    }

    private static @Nullable ObjectNode map(@Nullable JsonNode value) {
        return value instanceof ObjectNode map ? map : null;
    }

    private static @Nullable ArrayNode list(@Nullable JsonNode value) {
        return value instanceof ArrayNode list ? list : null;
    }

    private static boolean isEmpty(@Nullable JsonNode value, Form form) {
        return switch (form) {
            case MAP -> !(value instanceof ObjectNode map) || map.isEmpty();
            case LIST -> !(value instanceof ArrayNode list) || list.isEmpty();
            case LEAF -> false;
        };
    }

    // --- merging
    // ------------------------------------------------------------------------------------------------------

    /** {@code live} with {@code applied} over it. */
    static JsonNode merge(@Nullable JsonNode live, @Nullable JsonNode applied, Schema schema) {
        if (applied == null) {
            return live == null ? Json.NODES.nullNode() : live;
        }
        if (live == null) {
            return applied;
        }
        Form form = form(schema, applied);
        if (form == Form.MAP && !(isEmpty(live, form) && isEmpty(applied, form))) {
            return mergedMaps(map(live), map(applied), schema);
        }
        if (form == Form.LIST && !(isEmpty(live, form) && isEmpty(applied, form))) {
            return mergedLists(list(live), list(applied), schema);
        }
        return applied;
    }

    private static ObjectNode mergedMaps(@Nullable ObjectNode live, @Nullable ObjectNode applied, Schema schema) {
        ObjectNode merged = Json.NODES.objectNode();
        if (live != null) {
            merged.setAll(live);
        }
        if (applied != null) {
            for (Map.Entry<String, JsonNode> entry : applied.properties()) {
                JsonNode there = live == null ? null : live.get(entry.getKey());
                merged.set(entry.getKey(), merge(there, entry.getValue(), entryType(schema, entry.getKey())));
            }
        }
        return merged;
    }

    /**
     * The items of both. Those that both have come in the applied order; those that only one has stay where they are relative to
     * their neighbours, the live ones first.
     */
    private static ArrayNode mergedLists(@Nullable ArrayNode live, @Nullable ArrayNode applied, Schema schema) {
        Schema type = itemType(schema);
        Map<PathElement, List<JsonNode>> there = byElement(live, schema);
        Map<PathElement, List<JsonNode>> wanted = byElement(applied, schema);
        Deque<Map.Entry<PathElement, List<JsonNode>>> left = new ArrayDeque<>(wanted.entrySet());
        Set<PathElement> done = new HashSet<>();
        ArrayNode merged = Json.NODES.arrayNode();
        if (live != null) {
            for (JsonNode item : live) {
                PathElement element = element(schema, item);
                if (element == null || !wanted.containsKey(element)) {
                    merged.add(item);
                    continue;
                }
                if (done.contains(element) || !isNextShared(left, there, element)) {
                    continue;
                }
                boolean reached = false;
                while (!reached) {
                    Map.Entry<PathElement, List<JsonNode>> next = left.removeFirst();
                    reached = next.getKey().equals(element);
                    done.add(next.getKey());
                    merged.add(mergedItem(next, there, type));
                }
            }
        }
        left.forEach(next -> merged.add(mergedItem(next, there, type)));
        return merged;
    }

    /** Whether {@code element} is the next of the applied items that the live list has too. */
    private static boolean isNextShared(
            Deque<Map.Entry<PathElement, List<JsonNode>>> left,
            Map<PathElement, List<JsonNode>> there,
            PathElement element) {
        for (Map.Entry<PathElement, List<JsonNode>> next : left) {
            if (there.containsKey(next.getKey())) {
                return next.getKey().equals(element);
            }
        }
        return false;
    }

    private static JsonNode mergedItem(
            Map.Entry<PathElement, List<JsonNode>> wanted, Map<PathElement, List<JsonNode>> there, Schema type) {
        List<JsonNode> live = there.getOrDefault(wanted.getKey(), List.of());
        return merge(live.size() == 1 ? live.get(0) : null, wanted.getValue().get(0), type);
    }

    // --- removal
    // ------------------------------------------------------------------------------------------------------

    /** {@code value} without the fields of {@code remove}; null when nothing is left of it. */
    static @Nullable JsonNode without(JsonNode value, FieldSet remove, Schema schema) {
        if (remove.isEmpty()) {
            return value;
        }
        switch (form(schema, value)) {
            case MAP -> {
                if (!(value instanceof ObjectNode map) || map.isEmpty()) {
                    return null;
                }
                ObjectNode rest = Json.NODES.objectNode();
                for (Map.Entry<String, JsonNode> entry : map.properties()) {
                    PathElement element = PathElement.field(entry.getKey());
                    if (!remove.has(element)) {
                        FieldSet below = remove.below(element);
                        JsonNode child = without(entry.getValue(), below, entryType(schema, entry.getKey()));
                        rest.set(entry.getKey(), child == null ? Json.NODES.nullNode() : child);
                    }
                }
                return rest.isEmpty() ? null : rest;
            }
            case LIST -> {
                if (!(value instanceof ArrayNode list) || list.isEmpty()) {
                    return null;
                }
                ArrayNode rest = Json.NODES.arrayNode();
                for (JsonNode item : list) {
                    PathElement element = element(schema, item);
                    if (element == null) {
                        rest.add(item);
                    } else if (!remove.has(element)) {
                        JsonNode child = without(item, remove.below(element), itemType(schema));
                        rest.add(child == null ? Json.NODES.nullNode() : child);
                    }
                }
                return rest.isEmpty() ? null : rest;
            }
            default -> {
                return schema.shape() == Schema.Shape.SCALAR || schema.shape() == Schema.Shape.UNTYPED ? value : null;
            }
        }
    }

    // --- checking
    // -----------------------------------------------------------------------------------------------------

    /** What is wrong with {@code value} as a value of its type, in the words of the real server; empty when nothing is. */
    static List<String> mistakes(JsonNode value, Schema schema) {
        List<String> mistakes = new ArrayList<>();
        check(value, schema, "", mistakes);
        return mistakes;
    }

    private static void check(JsonNode value, Schema schema, String path, List<String> mistakes) {
        if (value.isNull()) {
            return;
        }
        switch (schema.shape()) {
            case MAP, ATOMIC_MAP -> {
                if (!(value instanceof ObjectNode map)) {
                    mistakes.add(path + ": expected map, got &{" + goPrinted(value) + "}");
                    return;
                }
                for (Map.Entry<String, JsonNode> entry : map.properties()) {
                    Schema type = schema.field(entry.getKey());
                    String at = path + "." + entry.getKey();
                    if (type == null) {
                        mistakes.add(at + ": field not declared in schema");
                    } else {
                        check(entry.getValue(), type, at, mistakes);
                    }
                }
            }
            case ATOMIC_LIST, SET, LIST_MAP -> {
                if (!(value instanceof ArrayNode list)) {
                    mistakes.add(path + ": expected list, got &{" + goPrinted(value) + "}");
                    return;
                }
                checkItems(list, schema, path, mistakes);
            }
            case SCALAR -> {
                String mistake = scalarMistake(value, schema.scalar());
                if (mistake != null) {
                    mistakes.add(path + ": " + mistake);
                }
            }
            case UNTYPED -> {
                // Anything goes.
            }
        }
    }

    private static void checkItems(ArrayNode list, Schema schema, String path, List<String> mistakes) {
        boolean named = schema.shape() != Schema.Shape.ATOMIC_LIST;
        Map<PathElement, Boolean> seen = new HashMap<>();
        int index = 0;
        for (JsonNode item : list) {
            String at = path + "[" + index++ + "]";
            if (named) {
                PathElement element = element(schema, item);
                if (element == null) {
                    mistakes.add(path + ": element " + (index - 1) + ": " + unnamed(schema, item));
                    continue;
                }
                at = path + element;
                Boolean reported = seen.putIfAbsent(element, false);
                if (reported != null && !reported) {
                    seen.put(element, true);
                    mistakes.add(path + ": duplicate entries for key " + element);
                }
            }
            check(item, itemType(schema), at, mistakes);
        }
    }

    private static String unnamed(Schema schema, JsonNode item) {
        if (item.isNull()) {
            return "associative list with keys may not have a null element";
        }
        if (schema.shape() == Schema.Shape.SET || !item.isObject()) {
            return "associative list without keys has an element that's "
                    + (item.isArray() ? "a list type" : "a map type");
        }
        for (String key : schema.keys()) {
            if (Json.absent(item.get(key)) && itemType(schema).keyDefault(key) == null) {
                return "associative list with keys has an element that omits key field \"" + key
                        + "\" (and doesn't have default value)";
            }
        }
        return "associative list with keys has an element that cannot be named";
    }

    private static @Nullable String scalarMistake(JsonNode value, Schema.Scalar scalar) {
        return switch (scalar) {
            case STRING, BYTES, TIME, MICRO_TIME -> value.isString() ? null : "expected string, got " + goSyntax(value);
            case INT32, INT64, NUMBER -> value.isNumber()
                    ? null
                    : "expected numeric (int or float), got *value.valueUnstructured";
            case BOOLEAN -> value.isBoolean() ? null : "expected boolean, got " + goSyntax(value);
            case INT_OR_STRING, QUANTITY, ANY -> null;
        };
    }

    private static String goSyntax(JsonNode value) {
        return value.isContainer()
                ? "&{" + goPrinted(value) + "}"
                : "&value.valueUnstructured{Value:" + Json.text(value) + "}";
    }

    /** A value as Go prints it: the real server's messages show values so. */
    private static String goPrinted(JsonNode value) {
        if (value instanceof ObjectNode map) {
            TreeMap<String, JsonNode> sorted = new TreeMap<>();
            map.properties().forEach(entry -> sorted.put(entry.getKey(), entry.getValue()));
            StringBuilder printed = new StringBuilder("map[");
            sorted.forEach((name, child) -> printed.append(printed.length() > 4 ? " " : "")
                    .append(name)
                    .append(':')
                    .append(goPrinted(child)));
            return printed.append(']').toString();
        }
        if (value instanceof ArrayNode list) {
            StringBuilder printed = new StringBuilder("[");
            for (JsonNode item : list) {
                printed.append(printed.length() > 1 ? " " : "").append(goPrinted(item));
            }
            return printed.append(']').toString();
        }
        return value.isNull() ? "<nil>" : value.isString() ? value.stringValue() : Json.text(value);
    }
}
