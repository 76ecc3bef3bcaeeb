package io.homeostat.client;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Makes a {@link RawObject} of an object that a {@link JsonCutter} holds: reads its {@code metadata}, copies its bytes.
 *
 * <p>A field of another sort than the API says is a problem of this object, named by its path; the rest is read on, so that the key is
 * known when it can be. Confined to one stream's lane.
 */
final class MetadataScanner {
    /** Beyond it, a label key in a problem's path is cut. */
    private static final int LONGEST_KEY = 80;

    private static final String INITIAL_EVENTS_END = "k8s.io/initial-events-end";
    private static final byte[] NOTHING = {};
    private static final byte[] METADATA = "\"metadata\":".getBytes(StandardCharsets.UTF_8);

    /** What a server sends that is asked for metadata only (apimachinery's meta/v1 PartialObjectMetadata). */
    static final String PARTIAL = "PartialObjectMetadata";

    static final String PARTIAL_VERSION = "meta.k8s.io/v1";

    private static final int NAME = 0;
    private static final int NAMESPACE = 1;
    private static final int UID = 2;
    private static final int RESOURCE_VERSION = 3;
    private static final int CREATED = 4;
    private static final int GENERATION = 6;
    private static final int LABELS = 7;
    private static final int OWNERS = 8;
    private static final int FINALIZERS = 9;
    /** What is read of metadata; the texts first. */
    private static final String[] MEMBERS = {
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "creationTimestamp",
        "deletionTimestamp",
        "generation",
        "labels",
        "ownerReferences",
        "finalizers"
    };

    private static final String[] PATHS = {
        "metadata.name",
        "metadata.namespace",
        "metadata.uid",
        "metadata.resourceVersion",
        "metadata.creationTimestamp",
        "metadata.deletionTimestamp"
    };
    private static final String[] OWNER_MEMBERS = {"apiVersion", "kind", "name", "uid", "controller"};
    private static final int CONTROLLER = 4;

    private final WireFormat format;
    private final ResourceType<?> type;
    private final @Nullable Interner interner;
    private final Extent extent;
    private final byte[] kindMember;
    private final byte[] apiVersionMember;
    private final CompactMap.Collector collector = new CompactMap.Collector();

    // What the last scan found; confined to the stream's lane.
    private String name = "";
    private String namespace = "";
    String uid = "";
    String resourceVersion = "";
    long generation;
    Map<String, String> labels = Map.of();
    List<OwnerRef> owners = List.of();
    List<String> finalizers = List.of();

    @Nullable
    String creationTimestamp;

    @Nullable
    String deletionTimestamp;

    private @Nullable ObjectKey key;
    private @Nullable String problem;
    private int ownerIndex = -1;
    private boolean initialEventsEnd;

    /** @param interner null when strings are not worth sharing, for a single object */
    MetadataScanner(WireFormat format, ResourceType<?> type, @Nullable Interner interner) {
        this(format, type, interner, Extent.WHOLE);
    }

    /** @param extent what is copied; all metadata is scanned all the same */
    MetadataScanner(WireFormat format, ResourceType<?> type, @Nullable Interner interner, Extent extent) {
        this.format = format;
        this.type = type;
        this.interner = interner;
        this.extent = extent;
        this.kindMember = member("kind", type.kind());
        this.apiVersionMember = member("apiVersion", type.apiVersion());
    }

    private static byte[] member(String name, String value) {
        StringBuilder json = new StringBuilder().append('"').append(name).append("\":\"");
        for (int i = 0; i < value.length(); i++) {
            char c = value.charAt(i);
            if (c == '"' || c == '\\' || c < 0x20) {
                json.append(String.format("\\u%04x", (int) c));
            } else {
                json.append(c);
            }
        }
        return json.append("\",").toString().getBytes(StandardCharsets.UTF_8);
    }

    /** The object of the last {@link #scan}'s problem, when its name could be read. */
    @Nullable
    ObjectKey key() {
        return key;
    }

    /** What the last {@link #scan} that gave null found. */
    String problem() {
        return problem == null ? "" : problem;
    }

    /**
     * The object that {@code cutter} marks; null when it is none, or not one of the type: {@link #problem} says why.
     */
    @Nullable
    RawObject scan(JsonCutter cutter) {
        begin();
        if (cutter.oversized()) {
            problem("an object of more than " + cutter.keptLength()
                    + " bytes without managedFields, the largest accepted");
            if (cutter.metadataStart >= 0
                    && cutter.metadataEnd > cutter.metadataStart
                    && cutter.metadataEnd <= cutter.keptLength()) {
                metadata(cutter.kept(), cutter.metadataStart);
            }
            return null;
        }
        byte[] kept = cutter.kept();
        if (cutter.objectStart < 0 || kept[cutter.objectStart] != '{') {
            problem("no object");
            return null;
        }
        boolean hasKind = isOrAbsent(kept, cutter.kindStart, cutter.kindEnd, kindMember, "kind", type.kind());
        boolean hasApiVersion = isOrAbsent(
                kept, cutter.apiVersionStart, cutter.apiVersionEnd, apiVersionMember, "apiVersion", type.apiVersion());
        if (cutter.metadataStart >= 0) {
            metadata(kept, cutter.metadataStart);
        } else {
            problem("metadata is missing");
        }
        if (key == null || problem != null) {
            return null;
        }
        if (extent.isWhole()) {
            return new ScannedObject(format, key, this, copy(cutter, hasKind, hasApiVersion));
        }
        byte[] left = extent.metadataOnly() ? copyOfMetadata(cutter) : copy(cutter, hasKind, hasApiVersion);
        long fingerprint =
                extent.metadataOnly() ? Fingerprint.of(left) : Fingerprint.of(cutter.kept(), cutter.objectStart);
        return new CutObject(format, key, this, left, fingerprint, extent);
    }

    /** The bytes of an object that was scanned before, and that {@code cutter} has marked again. */
    byte[] copy(JsonCutter cutter) {
        return extent.metadataOnly() ? copyOfMetadata(cutter) : copy(cutter, true, true);
    }

    /** The type, as whole objects have it, and the metadata: the same, whether the server sent it whole or in part. */
    private byte[] copyOfMetadata(JsonCutter cutter) {
        int from = cutter.metadataStart;
        int to = cutter.metadataEnd;
        byte[] bytes = new byte
                [1
                        + kindMember.length
                        + apiVersionMember.length
                        + METADATA.length
                        + cutter.lengthWithoutDropped(from, to)
                        + 1];
        bytes[0] = '{';
        int at = 1;
        for (byte[] part : new byte[][] {kindMember, apiVersionMember, METADATA}) {
            System.arraycopy(part, 0, bytes, at, part.length);
            at += part.length;
        }
        at = cutter.copyWithoutDropped(from, to, bytes, at);
        bytes[at] = '}';
        return bytes;
    }

    /**
     * Reads the bookmark that {@code cutter} marks: {@link #resourceVersion}, {@link #endsInitialEvents}. False when it is none:
     * {@link #problem} says why.
     */
    boolean bookmark(JsonCutter cutter) {
        begin();
        byte[] kept = cutter.kept();
        if (cutter.objectStart < 0 || kept[cutter.objectStart] != '{' || cutter.metadataStart < 0) {
            problem("a bookmark without object or metadata");
            return false;
        }
        isOrAbsent(kept, cutter.kindStart, cutter.kindEnd, kindMember, "kind", type.kind());
        isOrAbsent(
                kept, cutter.apiVersionStart, cutter.apiVersionEnd, apiVersionMember, "apiVersion", type.apiVersion());
        JsonCursor cursor = new JsonCursor(kept, cutter.metadataStart);
        if (!expect(cursor, '{', "metadata", "an object")) {
            return false;
        }
        cursor.enter();
        while (cursor.more()) {
            if (cursor.keyIs("resourceVersion")) {
                resourceVersion = text(cursor, "metadata.resourceVersion", null);
            } else if (cursor.keyIs("annotations")) {
                annotations(cursor);
            } else {
                cursor.toValue();
                cursor.skip();
            }
        }
        if (resourceVersion.isEmpty()) {
            problem("metadata.resourceVersion of a bookmark is missing");
        }
        return problem == null;
    }

    /** Whether the bookmark last read ends the initial events of a watch (KEP-3157). */
    boolean endsInitialEvents() {
        return initialEventsEnd;
    }

    private void annotations(JsonCursor cursor) {
        cursor.toValue();
        initialEventsEnd = false;
        if (absent(cursor) || !expect(cursor, '{', "metadata.annotations", "an object")) {
            return;
        }
        cursor.enter();
        while (cursor.more()) {
            if (cursor.keyIs(INITIAL_EVENTS_END)) {
                initialEventsEnd = "true".equals(cursor.memberText());
            } else {
                cursor.toValue();
                cursor.skip();
            }
        }
    }

    private byte[] copy(JsonCutter cutter, boolean hasKind, boolean hasApiVersion) {
        byte[] first = hasKind ? NOTHING : kindMember;
        byte[] second = hasApiVersion ? NOTHING : apiVersionMember;
        int from = cutter.objectStart;
        int to = cutter.objectEnd;
        if (first.length + second.length == 0 && cutter.dropsNothing()) {
            return Arrays.copyOfRange(cutter.kept(), from, to);
        }
        // Items of lists of built-in types come without both; they are put where the server puts them.
        byte[] bytes = new byte[cutter.lengthWithoutDropped(from, to) + first.length + second.length];
        bytes[0] = '{';
        System.arraycopy(first, 0, bytes, 1, first.length);
        System.arraycopy(second, 0, bytes, 1 + first.length, second.length);
        cutter.copyWithoutDropped(from + 1, to, bytes, 1 + first.length + second.length);
        return bytes;
    }

    /** Whether the member is there; that it is another than {@code wanted} is a problem. */
    private boolean isOrAbsent(byte[] kept, int start, int end, byte[] member, String path, String wanted) {
        if (start < 0) {
            return false;
        }
        // The member is "name":"value", and so its value with quotes is what follows the colon.
        int valueAt = path.length() + 3;
        if (Arrays.equals(kept, start, end, member, valueAt, member.length - 1)) {
            return true;
        }
        JsonCursor cursor = new JsonCursor(kept, start);
        if (cursor.peek() != '"') {
            problem(path + ": expected a string, found " + cursor.found());
            return true;
        }
        String found = cursor.string(null);
        if (!wanted.equals(found) && !(extent.metadataOnly() && isPartial(found))) {
            problem(path + ": expected " + wanted + ", found " + identifier(found));
        }
        return true;
    }

    /** Whether that is the kind or apiVersion of an object that shows its metadata only. */
    private static boolean isPartial(@Nullable String found) {
        return PARTIAL.equals(found) || PARTIAL_VERSION.equals(found);
    }

    /** A kind or apiVersion for a message: what cannot be one is not shown. */
    static String identifier(@Nullable String found) {
        return found != null && found.matches("[A-Za-z0-9./-]{1,80}") ? found : "another";
    }

    private void begin() {
        name = "";
        namespace = "";
        uid = "";
        resourceVersion = "";
        generation = 0;
        labels = Map.of();
        owners = List.of();
        finalizers = List.of();
        creationTimestamp = null;
        deletionTimestamp = null;
        initialEventsEnd = false;
        key = null;
        problem = null;
    }

    /** Reads the metadata at {@code start} into the fields. */
    void metadata(byte[] json, int start) {
        JsonCursor cursor = new JsonCursor(json, start);
        if (!expect(cursor, '{', "metadata", "an object")) {
            return;
        }
        cursor.enter();
        while (cursor.more()) {
            member(cursor);
        }
        if (name.isEmpty()) {
            problem("metadata.name is missing");
            return;
        }
        key = new ObjectKey(namespace, name);
        if (namespace.isEmpty() && type.scope() == ResourceType.Scope.NAMESPACED) {
            problem("metadata.namespace is missing, though " + type
                    + " is namespaced; does its CRD say \"scope: Cluster\"?");
        }
        if (resourceVersion.isEmpty()) {
            problem("metadata.resourceVersion is missing");
        }
    }

    private void member(JsonCursor cursor) {
        int member = cursor.keyIn(MEMBERS);
        switch (member) {
            case GENERATION -> generation = number(cursor, "metadata.generation");
            case LABELS -> labels(cursor);
            case OWNERS -> owners(cursor);
            case FINALIZERS -> finalizers(cursor);
            case -1 -> {
                cursor.toValue();
                cursor.skip();
            }
            default -> {
                // One call for all: each would be compiled into this method once more, which is most of what it costs a
                // JVM that starts.
                boolean shared = member == NAMESPACE || member == CREATED;
                take(member, text(cursor, PATHS[member], shared ? interner : null));
            }
        }
    }

    private void take(int member, String text) {
        switch (member) {
            case NAME -> name = text;
            case NAMESPACE -> namespace = text;
            case UID -> uid = text;
            case RESOURCE_VERSION -> resourceVersion = text;
            case CREATED -> creationTimestamp = emptyToNull(text);
            default -> deletionTimestamp = emptyToNull(text);
        }
    }

    private static @Nullable String emptyToNull(String text) {
        return text.isEmpty() ? null : text;
    }

    /** The string behind the key that is next; {@code ""} for null and for what is none. */
    private String text(JsonCursor cursor, String path, @Nullable Interner shared) {
        cursor.toValue();
        if (cursor.peek() == 'n') {
            cursor.skip();
            return "";
        }
        return textHere(cursor, path, shared);
    }

    private String textHere(JsonCursor cursor, String path, @Nullable Interner shared) {
        if (!expect(cursor, '"', path, "a string")) {
            return "";
        }
        String text = cursor.string(shared);
        if (text == null) {
            problem(path + ": not valid UTF-8");
            return "";
        }
        return text;
    }

    private long number(JsonCursor cursor, String path) {
        cursor.toValue();
        byte first = cursor.peek();
        if (first == 'n') {
            cursor.skip();
            return 0;
        }
        if (first != '-' && (first < '0' || first > '9')) {
            expect(cursor, '0', path, "a number");
            return 0;
        }
        String digits = cursor.scalar();
        try {
            return Long.parseLong(digits);
        } catch (NumberFormatException e) {
            problem(path + ": expected a whole number of 64 bits");
            return 0;
        }
    }

    private void labels(JsonCursor cursor) {
        cursor.toValue();
        labels = Map.of();
        if (absent(cursor) || !expect(cursor, '{', "metadata.labels", "an object")) {
            return;
        }
        collector.clear();
        cursor.enter();
        while (cursor.more()) {
            String label = cursor.string(interner);
            cursor.colon();
            if (label == null) {
                problem("metadata.labels: a key that is not valid UTF-8");
                cursor.skip();
            } else if (cursor.peek() != '"') {
                problem("metadata.labels." + shortened(label) + ": expected a string, found " + cursor.found());
                cursor.skip();
            } else {
                String value = cursor.string(interner);
                if (value == null) {
                    problem("metadata.labels." + shortened(label) + ": not valid UTF-8");
                } else {
                    collector.put(label, value);
                }
            }
        }
        labels = collector.map();
    }

    private static String shortened(String label) {
        return label.length() <= LONGEST_KEY ? label : label.substring(0, LONGEST_KEY) + "…";
    }

    private void owners(JsonCursor cursor) {
        cursor.toValue();
        owners = List.of();
        if (absent(cursor) || !expect(cursor, '[', "metadata.ownerReferences", "an array")) {
            return;
        }
        List<OwnerRef> found = new ArrayList<>(2);
        cursor.enter();
        while (cursor.more()) {
            if (expect(cursor, '{', "metadata.ownerReferences[]", "an object")) {
                ownerIndex = found.size();
                found.add(owner(cursor));
                ownerIndex = -1;
            }
        }
        owners = found.size() == 1 ? Collections.singletonList(found.get(0)) : List.copyOf(found);
    }

    private OwnerRef owner(JsonCursor cursor) {
        String apiVersion = "";
        String kind = "";
        String ownerName = "";
        String ownerUid = "";
        boolean controller = false;
        cursor.enter();
        while (cursor.more()) {
            int member = cursor.keyIn(OWNER_MEMBERS);
            if (member == CONTROLLER) {
                cursor.toValue();
                byte first = cursor.peek();
                if (first == 't' || first == 'f' || first == 'n') {
                    controller = first == 't';
                    cursor.skip();
                } else {
                    expect(cursor, 't', "controller", "true or false");
                }
            } else if (member < 0) {
                cursor.toValue();
                cursor.skip();
            } else {
                String text = text(cursor, OWNER_MEMBERS[member], interner);
                switch (member) {
                    case 0 -> apiVersion = text;
                    case 1 -> kind = text;
                    case 2 -> ownerName = text;
                    default -> ownerUid = text;
                }
            }
        }
        return new OwnerRef(apiVersion, kind, ownerName, ownerUid, controller);
    }

    private void finalizers(JsonCursor cursor) {
        cursor.toValue();
        finalizers = List.of();
        if (absent(cursor) || !expect(cursor, '[', "metadata.finalizers", "an array")) {
            return;
        }
        List<String> found = new ArrayList<>(2);
        cursor.enter();
        while (cursor.more()) {
            found.add(textHere(cursor, "metadata.finalizers[]", interner));
        }
        finalizers = found.size() == 1 ? Collections.singletonList(found.get(0)) : List.copyOf(found);
    }

    private static boolean absent(JsonCursor cursor) {
        if (cursor.peek() == 'n') {
            cursor.skip();
            return true;
        }
        return false;
    }

    /** Whether the value that is next begins with {@code first}; if not it is a problem, and skipped. */
    private boolean expect(JsonCursor cursor, char first, String path, String wanted) {
        if (cursor.peek() == first) {
            return true;
        }
        problem(path + ": expected " + wanted + ", found " + cursor.found());
        cursor.skip();
        return false;
    }

    private void problem(String found) {
        if (problem == null) {
            problem = ownerIndex < 0 ? found : "metadata.ownerReferences[" + ownerIndex + "]." + found;
        }
    }
}
