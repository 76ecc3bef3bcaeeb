package io.homeostat.simulator;

import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * The structure of a value as far as merging and field ownership need it: which maps and lists are merged item by item, and which
 * are one value (KEP-555; the OpenAPI extensions {@code x-kubernetes-list-type}, {@code x-kubernetes-list-map-keys},
 * {@code x-kubernetes-map-type}).
 *
 * <p><b>Threads.</b> Immutable once built; types that contain themselves are tied together while a table is read and never after.
 */
final class Schema {
    /** How a value of this type is merged and owned. */
    enum Shape {
        /** A leaf. */
        SCALAR,
        /** A map or structure whose entries are owned one by one. */
        MAP,
        /** A map or structure that is owned and replaced as one value. */
        ATOMIC_MAP,
        /** A list that is owned and replaced as one value. */
        ATOMIC_LIST,
        /** A list of unique scalars, owned value by value. */
        SET,
        /** A list of maps, owned item by item; an item is named by its keys. */
        LIST_MAP,
        /** Not described: maps are granular, lists are atomic, the rest is a leaf. */
        UNTYPED
    }

    /** What a leaf may be. */
    enum Scalar {
        STRING,
        BYTES,
        TIME,
        MICRO_TIME,
        INT32,
        INT64,
        NUMBER,
        BOOLEAN,
        INT_OR_STRING,
        QUANTITY,
        ANY
    }

    /** What becomes of a field without a value worth writing, when the server writes a built-in object. */
    enum Presence {
        /** Dropped when it is empty or zero. */
        OMIT_EMPTY,
        /** Kept as it is given. */
        OPTIONAL,
        /** Always written. */
        ALWAYS
    }

    /** Something of which nothing is known: maps are granular, lists are atomic. */
    static final Schema UNTYPED =
            new Schema(Shape.UNTYPED, Scalar.ANY, Map.of(), null, List.of(), Map.of(), Map.of(), Map.of());

    private final Shape shape;
    private final Scalar scalar;
    private final Map<String, Schema> fields;
    private final @Nullable Schema element;
    private final List<String> keys;
    private final Map<String, JsonNode> defaults;
    private final Map<String, Presence> presence;
    private final Map<String, FieldSet> resets;

    private Schema(
            Shape shape,
            Scalar scalar,
            Map<String, Schema> fields,
            @Nullable Schema element,
            List<String> keys,
            Map<String, JsonNode> defaults,
            Map<String, Presence> presence,
            Map<String, FieldSet> resets) {
        this.shape = shape;
        this.scalar = scalar;
        this.fields = fields;
        this.element = element;
        this.keys = keys;
        this.defaults = defaults;
        this.presence = presence;
        this.resets = resets;
    }

    static Schema scalar(Scalar scalar) {
        return new Schema(Shape.SCALAR, scalar, Map.of(), null, List.of(), Map.of(), Map.of(), Map.of());
    }

    /**
     * A structure.
     *
     * @param fields its fields, by name; kept as a view, so that a table may fill it in afterwards
     * @param element the type of every other entry; null when there are no others
     * @param defaults the values that absent fields take when they are keys of a list-map
     * @param presence what becomes of empty fields; {@link Presence#OMIT_EMPTY} for those that are not in it
     */
    static Schema struct(
            Map<String, Schema> fields,
            @Nullable Schema element,
            Map<String, JsonNode> defaults,
            Map<String, Presence> presence) {
        return new Schema(
                Shape.MAP,
                Scalar.ANY,
                Collections.unmodifiableMap(fields),
                element,
                List.of(),
                Collections.unmodifiableMap(defaults),
                Collections.unmodifiableMap(presence),
                Map.of());
    }

    static Schema mapOf(Schema element) {
        return new Schema(Shape.MAP, Scalar.ANY, Map.of(), element, List.of(), Map.of(), Map.of(), Map.of());
    }

    static Schema atomicList(Schema element) {
        return new Schema(Shape.ATOMIC_LIST, Scalar.ANY, Map.of(), element, List.of(), Map.of(), Map.of(), Map.of());
    }

    static Schema setOf(Schema element) {
        return new Schema(Shape.SET, Scalar.ANY, Map.of(), element, List.of(), Map.of(), Map.of(), Map.of());
    }

    static Schema listMap(List<String> keys, Schema element) {
        return new Schema(
                Shape.LIST_MAP, Scalar.ANY, Map.of(), element, List.copyOf(keys), Map.of(), Map.of(), Map.of());
    }

    /** This type as one value. */
    Schema atomic() {
        return switch (shape) {
            case MAP -> new Schema(Shape.ATOMIC_MAP, scalar, fields, element, keys, defaults, presence, resets);
            case SET, LIST_MAP -> new Schema(
                    Shape.ATOMIC_LIST, scalar, fields, element, List.of(), defaults, presence, resets);
            default -> this;
        };
    }

    Shape shape() {
        return shape;
    }

    /** What a leaf may be; {@link Scalar#ANY} where that is not known. */
    Scalar scalar() {
        return scalar;
    }

    /** Whether {@code name} is a field of this structure by its declaration, not just an entry of a map. */
    boolean declares(String name) {
        return fields.containsKey(name);
    }

    /** The declared fields, by name. */
    Map<String, Schema> fields() {
        return fields;
    }

    /** The type of the field or entry {@code name}; null when the structure has no such field. */
    @Nullable
    Schema field(String name) {
        Schema field = fields.get(name);
        if (field != null) {
            return field;
        }
        return shape == Shape.UNTYPED ? UNTYPED : element;
    }

    /** The type of the items of a list, or of the undeclared entries of a map; null when there can be none. */
    @Nullable
    Schema element() {
        return shape == Shape.UNTYPED ? UNTYPED : element;
    }

    /** The fields that name an item of a list-map; empty for everything else. */
    List<String> keys() {
        return keys;
    }

    /** The value that the absent field {@code name} of this structure takes as a list-map key; null when there is none. */
    @Nullable
    JsonNode keyDefault(String name) {
        return defaults.get(name);
    }

    /** What becomes of the field {@code name} when it is empty. */
    Presence presence(String name) {
        return presence.getOrDefault(name, Presence.OMIT_EMPTY);
    }

    /**
     * This type as that of a kind, of which some fields cannot be written through some paths.
     *
     * @param resets by subresource ({@code ""} for the object itself), the fields that a write there leaves as they are
     */
    Schema resetting(Map<String, FieldSet> resets) {
        return new Schema(
                shape,
                scalar,
                fields,
                element,
                keys,
                defaults,
                presence,
                Collections.unmodifiableMap(new TreeMap<>(resets)));
    }

    /** The fields that a write through {@code subresource} leaves as they are, and nobody comes to own by it. */
    FieldSet resets(String subresource) {
        return resets.getOrDefault(subresource, FieldSet.EMPTY);
    }
}
