package io.homeostat.simulator;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * A set of field paths: what one manager owns ({@code fieldsV1} of {@code metadata.managedFields}, KEP-555).
 *
 * <p>A path is in the set by itself; the paths above and below it are not in it because of that. <b>Threads.</b> Immutable.
 */
final class FieldSet {
    static final FieldSet EMPTY = new FieldSet(new TreeMap<>());

    /** What the set says about one step: whether the path that ends here is in it, and what is below. */
    private record Node(boolean member, FieldSet below) {
        boolean isEmpty() {
            return !member && below.isEmpty();
        }
    }

    private final SortedMap<PathElement, Node> nodes; // never changed once the constructor has it
    private final @Nullable ObjectNode written; // the form it was read from

    private FieldSet(SortedMap<PathElement, Node> nodes) {
        this(nodes, null);
    }

    private FieldSet(SortedMap<PathElement, Node> nodes, @Nullable ObjectNode written) {
        this.nodes = nodes;
        this.written = written;
    }

    /** The set of the given paths of field names, each written {@code a.b.c}. */
    static FieldSet of(String... paths) {
        Builder set = new Builder();
        for (String path : paths) {
            List<PathElement> elements = new ArrayList<>();
            for (String name : path.split("\\.", -1)) {
                elements.add(PathElement.field(name));
            }
            set.add(elements);
        }
        return set.build();
    }

    /** Reads {@code fieldsV1}; null when it is not one. */
    static @Nullable FieldSet parsed(ObjectNode fieldsV1) {
        TreeMap<PathElement, Node> nodes = new TreeMap<>();
        for (Map.Entry<String, JsonNode> entry : fieldsV1.properties()) {
            if (entry.getKey().equals(".")) {
                continue;
            }
            PathElement element = PathElement.parsed(entry.getKey());
            FieldSet below = entry.getValue() instanceof ObjectNode child ? parsed(child) : null;
            if (element == null || below == null) {
                return null;
            }
            nodes.put(
                    element,
                    new Node(entry.getValue().isEmpty() || entry.getValue().has("."), below));
        }
        return new FieldSet(nodes, fieldsV1);
    }

    /** As {@code fieldsV1}. */
    ObjectNode written() {
        if (written != null) {
            return written;
        }
        ObjectNode fields = Json.NODES.objectNode();
        nodes.forEach((element, node) -> {
            ObjectNode child;
            if (node.below.isEmpty()) {
                child = Json.NODES.objectNode();
            } else if (node.member) {
                child = Json.NODES.objectNode();
                child.set(".", Json.NODES.objectNode());
                child.setAll(node.below.written());
            } else {
                child = node.below.written();
            }
            fields.set(element.text(), child);
        });
        return fields;
    }

    boolean isEmpty() {
        return nodes.isEmpty();
    }

    /** Whether the path of this one step is in the set. */
    boolean has(PathElement element) {
        Node node = nodes.get(element);
        return node != null && node.member;
    }

    /** The rest of the paths that begin with {@code element}. */
    FieldSet below(PathElement element) {
        Node node = nodes.get(element);
        return node == null ? EMPTY : node.below;
    }

    FieldSet union(FieldSet other) {
        if (other.isEmpty()) {
            return this;
        }
        if (isEmpty()) {
            return other;
        }
        TreeMap<PathElement, Node> result = new TreeMap<>(nodes);
        other.nodes.forEach((element, theirs) ->
                result.merge(element, theirs, (a, b) -> new Node(a.member || b.member, a.below.union(b.below))));
        FieldSet union = new FieldSet(result);
        return union.equals(this) ? this : union;
    }

    FieldSet intersection(FieldSet other) {
        TreeMap<PathElement, Node> result = new TreeMap<>();
        nodes.forEach((element, ours) -> {
            Node theirs = other.nodes.get(element);
            if (theirs != null) {
                put(result, element, new Node(ours.member && theirs.member, ours.below.intersection(theirs.below)));
            }
        });
        return new FieldSet(result);
    }

    /** The paths of this set that are not in {@code other}. */
    FieldSet minus(FieldSet other) {
        if (isEmpty() || other.isEmpty()) {
            return this;
        }
        TreeMap<PathElement, Node> result = new TreeMap<>();
        nodes.forEach((element, ours) -> {
            Node theirs = other.nodes.get(element);
            put(
                    result,
                    element,
                    theirs == null ? ours : new Node(ours.member && !theirs.member, ours.below.minus(theirs.below)));
        });
        FieldSet rest = new FieldSet(result);
        return rest.equals(this) ? this : rest;
    }

    /** The paths of this set that are neither in {@code other} nor below one that is. */
    FieldSet minusTrees(FieldSet other) {
        if (isEmpty() || other.isEmpty()) {
            return this;
        }
        TreeMap<PathElement, Node> result = new TreeMap<>();
        nodes.forEach((element, ours) -> {
            Node theirs = other.nodes.get(element);
            if (theirs == null) {
                result.put(element, ours);
            } else if (!theirs.member) {
                put(result, element, new Node(ours.member, ours.below.minusTrees(theirs.below)));
            }
        });
        return new FieldSet(result);
    }

    /**
     * With every declared field that has paths below it in the set by itself. A structure's field is never in an apply's set of its
     * own; without this it would outlive its content.
     */
    FieldSet withStructures(Schema schema) {
        TreeMap<PathElement, Node> result = new TreeMap<>();
        nodes.forEach((element, node) -> {
            boolean declared = element.isField() && !node.below.isEmpty() && schema.declares(element.name());
            Schema type = element.isField() ? schema.field(element.name()) : schema.element();
            result.put(
                    element,
                    new Node(node.member || declared, node.below.withStructures(type == null ? Schema.UNTYPED : type)));
        });
        return new FieldSet(result);
    }

    /** Every path, as messages write them; those that end at a level before those that go deeper. */
    List<String> paths() {
        List<String> paths = new ArrayList<>();
        collect("", paths);
        return paths;
    }

    private void collect(String above, List<String> into) {
        nodes.forEach((element, node) -> {
            if (node.member) {
                into.add(above + element);
            }
        });
        nodes.forEach((element, node) -> node.below.collect(above + element, into));
    }

    private static void put(SortedMap<PathElement, Node> into, PathElement element, Node node) {
        if (!node.isEmpty()) {
            into.put(element, node);
        }
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof FieldSet set && nodes.equals(set.nodes);
    }

    @Override
    public int hashCode() {
        return nodes.hashCode();
    }

    @Override
    public String toString() {
        return paths().toString();
    }

    /** Collects paths. Confined to who made it. */
    static final class Builder {
        private final TreeMap<PathElement, Builder> children = new TreeMap<>();
        private boolean member;

        void add(List<PathElement> path) {
            Builder at = this;
            for (PathElement element : path) {
                at = at.children.computeIfAbsent(element, e -> new Builder());
            }
            at.member = true;
        }

        FieldSet build() {
            if (children.isEmpty()) {
                return EMPTY;
            }
            TreeMap<PathElement, Node> nodes = new TreeMap<>();
            children.forEach((element, child) -> nodes.put(element, new Node(child.member, child.build())));
            return new FieldSet(nodes);
        }
    }
}
