package io.homeostat.testkit;

import io.homeostat.core.Experimental;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.type.TypeReference;
import tools.jackson.databind.json.JsonMapper;

/**
 * An object of the API as plain maps, lists and values, read by dotted paths: {@code tree.number("spec.replicas")}.
 *
 * <p>For assertions. It knows no types, so nothing that the server sent is lost or made up. A key that holds dots is reached with
 * {@link #map} and the map's own {@code get}.
 *
 * <p><b>Threads.</b> Immutable.
 */
@Experimental
public final class Tree {
    private static final JsonMapper JSON = new JsonMapper();
    private static final TypeReference<LinkedHashMap<String, Object>> OBJECT = new TypeReference<>() {};

    private final Map<String, Object> fields;

    private Tree(Map<String, Object> fields) {
        this.fields = fields;
    }

    /** A tree of what {@code fields} holds: maps, lists, strings, numbers, booleans and nulls. */
    public static Tree of(Map<String, ?> fields) {
        return new Tree(Collections.unmodifiableMap(new LinkedHashMap<>(fields)));
    }

    /**
     * Reads a JSON object.
     *
     * @throws IllegalArgumentException when {@code json} is no JSON object
     */
    public static Tree parse(String json) {
        try {
            return of(JSON.readValue(json, OBJECT));
        } catch (JacksonException e) {
            // The parser's own message quotes the text, which may be a Secret.
            throw new IllegalArgumentException("Not a JSON object (" + json.length() + " characters), line "
                    + e.getLocation().getLineNr() + " column " + e.getLocation().getColumnNr());
        }
    }

    /** The value at a dotted path, or empty when it, or something on the way, is absent or null. */
    public Optional<Object> at(String path) {
        return Optional.ofNullable(find(path));
    }

    /** Whether there is a value other than null at {@code path}. */
    public boolean has(String path) {
        return find(path) != null;
    }

    /**
     * The text at {@code path}, or {@code ""} when there is none.
     *
     * @throws IllegalStateException when something else is there
     */
    public String text(String path) {
        return as(path, String.class).orElse("");
    }

    /**
     * The whole number at {@code path}, or 0 when there is none.
     *
     * @throws IllegalStateException when something else is there
     */
    public long number(String path) {
        return as(path, Number.class).map(Number::longValue).orElse(0L);
    }

    /**
     * The objects in the list at {@code path}; empty when there is none.
     *
     * @throws IllegalStateException when something else is there
     */
    public List<Tree> list(String path) {
        List<Tree> trees = new ArrayList<>();
        for (Object element : as(path, List.class).orElse(List.of())) {
            if (!(element instanceof Map<?, ?> map)) {
                throw new IllegalStateException(path + " holds something that is no object: " + kindOf(element));
            }
            trees.add(new Tree(fieldsOf(map)));
        }
        return Collections.unmodifiableList(trees);
    }

    /**
     * The fields of the object at {@code path}; empty when there is none.
     *
     * @throws IllegalStateException when something else is there
     */
    public Map<String, Object> map(String path) {
        return as(path, Map.class).map(Tree::fieldsOf).orElse(Map.of());
    }

    /** {@code metadata.name}. */
    public String name() {
        return text("metadata.name");
    }

    /** All fields, in the server's order. */
    public Map<String, Object> fields() {
        return fields;
    }

    /** As JSON text. */
    public String json() {
        return JSON.writeValueAsString(fields);
    }

    private <T> Optional<T> as(String path, Class<T> type) {
        Object value = find(path);
        if (value != null && !type.isInstance(value)) {
            throw new IllegalStateException(path + " is " + kindOf(value) + ", not a "
                    + type.getSimpleName().toLowerCase(java.util.Locale.ROOT));
        }
        return Optional.ofNullable(type.cast(value));
    }

    private @Nullable Object find(String path) {
        Object here = fields;
        for (String step : path.split("\\.", -1)) {
            here = here instanceof Map<?, ?> map ? map.get(step) : null;
        }
        return here;
    }

    @SuppressWarnings("unchecked") // JSON objects have text keys only, and a tree is made of nothing else
    private static Map<String, Object> fieldsOf(Map<?, ?> map) {
        return Collections.unmodifiableMap((Map<String, Object>) map);
    }

    private static String kindOf(@Nullable Object value) {
        return value == null ? "null" : "a " + value.getClass().getSimpleName();
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof Tree tree && tree.fields.equals(fields);
    }

    @Override
    public int hashCode() {
        return fields.hashCode();
    }

    /** What object it is, never its body: it may be a Secret, and assertion messages end in logs. See {@link #json}. */
    @Override
    public String toString() {
        return text("kind") + " " + text("metadata.namespace") + "/" + name() + " at "
                + text("metadata.resourceVersion");
    }
}
