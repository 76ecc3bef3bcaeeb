package io.homeostat.client;

import io.homeostat.core.Experimental;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Parts of objects that a cache does without (D31): they are cut out of the bytes before anything is kept, whatever way an object comes.
 * Immutable; equal when they name the same parts, in whatever order and spelling.
 *
 * <p>A path is written as kubectl and custom resource definitions write them: members behind dots, {@code [*]} for each element of an
 * array, and quotes around names that have other characters than letters, digits, {@code -} and {@code _}:
 *
 * <pre>{@code
 * status.images
 * status.images[*].names
 * metadata.annotations['kubectl.kubernetes.io/last-applied-configuration']
 * }</pre>
 *
 * <p>Where an object has something else than a path says (a string where it goes on, an object where elements are named), nothing is cut.
 * What the engine itself reads cannot be dropped: {@code apiVersion}, {@code kind}, and of {@code metadata} the name, namespace, UID,
 * versions, times, labels, owner references and finalizers. {@code metadata.managedFields} is never kept, dropped or not.
 *
 * <p><b>What lacks something is not written back.</b> An object that was decoded from a cut one remembers it, and builders carry that along:
 * {@link ApiClient#encode} refuses it, and with it every update, create and apply of a whole object, since it would take away from the
 * server's what the cache has left out. Merge patches name what they change, and are not concerned.
 *
 * <p>{@link RawObject#fingerprint} is that of the object before the cut: a change of a dropped part is a change, to whoever repairs it.
 */
@Experimental
public final class DroppedPaths {
    /** Nothing is dropped. */
    public static final DroppedPaths NONE = new DroppedPaths(new Draft());

    /** What the engine reads of each object, and nobody may take away. */
    private static final Set<String> NEEDED = Set.of(
            "name",
            "generateName",
            "namespace",
            "uid",
            "resourceVersion",
            "generation",
            "creationTimestamp",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "labels",
            "ownerReferences",
            "finalizers");

    private final Node root;
    private final List<String> paths;
    private final int depth;

    private DroppedPaths(Draft draft) {
        List<String> found = new ArrayList<>();
        draft.spell("", found);
        this.paths = List.copyOf(found);
        this.root = new Node(draft);
        this.depth = draft.depth();
    }

    /**
     * These paths. One below another is dropped with it.
     *
     * @throws IllegalArgumentException when one is no path, or leads to what the engine needs; naming it
     */
    public static DroppedPaths of(String... paths) {
        Draft draft = new Draft();
        for (String path : paths) {
            List<@Nullable String> steps = new Parser(path).steps();
            requireDroppable(path, steps);
            if (!isBelow(steps, "managedFields")) {
                draft.add(steps);
            }
        }
        return draft.isEmpty() ? NONE : new DroppedPaths(draft);
    }

    /** These paths and more. */
    public DroppedPaths and(DroppedPaths more) {
        List<String> all = new ArrayList<>(paths);
        all.addAll(more.paths);
        return of(all.toArray(String[]::new));
    }

    private static void requireDroppable(String path, List<@Nullable String> steps) {
        String first = steps.get(0);
        String second = steps.size() > 1 ? steps.get(1) : null;
        boolean type = "apiVersion".equals(first) || "kind".equals(first);
        boolean metadata = "metadata".equals(first) && (second == null || NEEDED.contains(second));
        if (type || metadata) {
            throw new IllegalArgumentException("Cannot drop the path \"" + path + "\": the engine needs "
                    + (type ? first : second == null ? "metadata" : "metadata." + second)
                    + "; of metadata, annotations are what takes space");
        }
        if (steps.get(steps.size() - 1) == null) {
            throw new IllegalArgumentException(
                    "Cannot drop the path \"" + path
                            + "\": it ends with [*], which would leave an empty array; name the array, or a member of its elements");
        }
    }

    private static boolean isBelow(List<@Nullable String> steps, String ofMetadata) {
        return steps.size() > 1 && "metadata".equals(steps.get(0)) && ofMetadata.equals(steps.get(1));
    }

    /** Whether nothing is dropped. */
    public boolean isEmpty() {
        return paths.isEmpty();
    }

    /** The paths, each in its shortest spelling, sorted; none below another. */
    public List<String> paths() {
        return paths;
    }

    /**
     * What a cache of {@code type} without these paths keeps of an object that came whole, such as the answer of a write. Of a type that
     * shows metadata only ({@link ResourceType#metadataOnly}) that is its metadata.
     *
     * @param whole as a client gave it; an object that no client scanned stays as it is
     */
    public RawObject cut(ResourceType<?> type, RawObject whole) {
        Extent extent = Extent.of(type, this);
        return extent.isWhole() || !(whole instanceof ScannedMetadata scanned) ? whole : extent.of(type, scanned);
    }

    /** The most steps of a path. */
    int depth() {
        return depth;
    }

    Node root() {
        return root;
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof DroppedPaths that && paths.equals(that.paths);
    }

    @Override
    public int hashCode() {
        return paths.hashCode();
    }

    /** The paths, for messages. */
    @Override
    public String toString() {
        return String.join(", ", paths);
    }

    /** What is dropped of one value: all of it, or what its members or elements say. Immutable. */
    static final class Node {
        private final String[] names;
        private final byte[][] spelt;
        private final Node[] members;
        private final @Nullable Node elements;
        private final boolean end;

        private Node(Draft draft) {
            this.names = draft.members.keySet().toArray(String[]::new);
            this.spelt = new byte[names.length][];
            this.members = new Node[names.length];
            for (int i = 0; i < names.length; i++) {
                spelt[i] = names[i].getBytes(StandardCharsets.UTF_8);
                members[i] = new Node(draft.member(names[i]));
            }
            this.elements = draft.elements == null ? null : new Node(draft.elements);
            this.end = draft.end;
        }

        /** Whether the value is dropped as a whole. */
        boolean isEnd() {
            return end;
        }

        /** Whether something may be dropped inside an object, or inside an array. */
        boolean leadsInto(boolean object) {
            return object ? names.length > 0 : elements != null;
        }

        /** What is dropped of each element of an array. */
        @Nullable
        Node elements() {
            return elements;
        }

        /** What is dropped of the member whose key, quotes included, is there; null for nothing. */
        @Nullable
        Node member(byte[] json, int start, int end) {
            int length = end - start - 2;
            for (int i = 0; i < spelt.length; i++) {
                if (length == spelt[i].length
                        && Arrays.equals(json, start + 1, end - 1, spelt[i], 0, spelt[i].length)) {
                    return members[i];
                }
            }
            for (int i = start + 1; i < end - 1; i++) {
                if (json[i] == '\\') {
                    return escaped(JsonCursor.text(json, start));
                }
            }
            return null;
        }

        private @Nullable Node escaped(@Nullable String key) {
            for (int i = 0; i < names.length; i++) {
                if (names[i].equals(key)) {
                    return members[i];
                }
            }
            return null;
        }
    }

    /** A {@link Node} in the making. Confined to its maker. */
    private static final class Draft {
        final TreeMap<String, Draft> members = new TreeMap<>();

        @Nullable
        Draft elements;

        boolean end;

        boolean isEmpty() {
            return members.isEmpty() && elements == null && !end;
        }

        Draft member(String name) {
            return members.computeIfAbsent(name, unknown -> new Draft());
        }

        private Draft element() {
            if (elements == null) {
                elements = new Draft();
            }
            return elements;
        }

        void add(List<@Nullable String> steps) {
            Draft at = this;
            for (String step : steps) {
                if (at.end) {
                    return; // dropped with what is above it
                }
                at = step == null ? at.element() : at.member(step);
            }
            at.end = true;
            at.members.clear();
            at.elements = null;
        }

        int depth() {
            int below = elements == null ? 0 : 1 + elements.depth();
            for (Draft member : members.values()) {
                below = Math.max(below, 1 + member.depth());
            }
            return below;
        }

        void spell(String before, List<String> found) {
            if (end) {
                found.add(before);
            }
            for (Map.Entry<String, Draft> member : members.entrySet()) {
                String name = member.getKey();
                String step = Parser.isBare(name)
                        ? (before.isEmpty() ? "" : ".") + name
                        : "['" + name.replace("\\", "\\\\").replace("'", "\\'") + "']";
                member.getValue().spell(before + step, found);
            }
            if (elements != null) {
                elements.spell(before + "[*]", found);
            }
        }
    }

    /** Reads one path. */
    private static final class Parser {
        private final String path;
        private final List<@Nullable String> steps = new ArrayList<>(); // null for [*]
        private int at;

        Parser(String path) {
            this.path = path;
        }

        List<@Nullable String> steps() {
            if (path.startsWith(".") || path.isEmpty()) {
                at = Math.min(1, path.length()); // kubectl begins paths with a dot
                name();
            }
            while (at < path.length()) {
                if (path.charAt(at) == '[') {
                    bracket();
                } else if (steps.isEmpty()) {
                    name();
                } else if (path.charAt(at) == '.') {
                    at++;
                    name();
                } else {
                    throw refused("where . or [ belongs");
                }
            }
            return steps;
        }

        private void name() {
            int from = at;
            while (at < path.length() && isBare(path.charAt(at))) {
                at++;
            }
            if (at == from) {
                throw refused(
                        "where a name belongs (names with other characters than letters, digits, - and _ are written ['so'])");
            }
            steps.add(path.substring(from, at));
        }

        private void bracket() {
            at++;
            char c = at < path.length() ? path.charAt(at) : 0;
            if (c == '*') {
                if (steps.isEmpty()) {
                    throw refused("where an object's member belongs: no object is an array");
                }
                at++;
                steps.add(null);
            } else if (c == '\'' || c == '"') {
                at++;
                steps.add(quoted(c));
            } else {
                throw refused("where * or a quoted name belongs: there is no choosing among elements");
            }
            if (at == path.length() || path.charAt(at) != ']') {
                throw refused("where ] belongs");
            }
            at++;
        }

        private String quoted(char quote) {
            StringBuilder name = new StringBuilder();
            while (at < path.length() && path.charAt(at) != quote) {
                if (path.charAt(at) == '\\' && at + 1 < path.length()) {
                    at++;
                }
                name.append(path.charAt(at));
                at++;
            }
            if (at == path.length()) {
                throw refused("where " + quote + " belongs");
            }
            at++;
            return name.toString();
        }

        static boolean isBare(String name) {
            return !name.isEmpty() && name.chars().allMatch(c -> isBare((char) c));
        }

        private static boolean isBare(char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
        }

        private IllegalArgumentException refused(String where) {
            String found = at < path.length() ? path.charAt(at) + " at character " + (at + 1) : "its end";
            return new IllegalArgumentException("Cannot drop the path \"" + path + "\": found " + found + " " + where);
        }
    }
}
