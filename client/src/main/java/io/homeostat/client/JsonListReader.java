package io.homeostat.client;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** {@link ListReader} of JSON. */
final class JsonListReader implements ListReader {
    // All fields are confined to the stream's lane.
    private final ResourceType<?> type;
    private final boolean partial;
    private final JsonCutter cutter;
    private final MetadataScanner scanner;
    private int count;
    private boolean complete;
    private @Nullable String problem;

    JsonListReader(WireFormat format, ResourceType<?> type, int limit, Extent extent) {
        this.type = type;
        this.partial = extent.metadataOnly();
        this.cutter = new JsonCutter(JsonCutter.Shape.LIST, limit, extent.dropped());
        this.scanner = new MetadataScanner(format, type, new Interner(), extent);
    }

    @Override
    public List<ListItem> read(byte[] bytes, int from, int to) {
        List<ListItem> items = new ArrayList<>();
        int at = from;
        while (at < to && problem == null) {
            at = cutter.advance(bytes, at, to);
            switch (cutter.event()) {
                case ELEMENT -> items.add(item());
                case ROOT -> complete = true;
                case BROKEN -> problem =
                        "broken JSON at byte " + cutter.documentBytes() + " of the list: found " + cutter.problem();
                case NONE -> {}
            }
        }
        return items;
    }

    private ListItem item() {
        int index = count++;
        if (cutter.objectStart < 0 && !cutter.oversized()) {
            return new ListItem.Unscannable(index, "expected an object, found " + cutter.elementFound(), null);
        }
        RawObject object = scanner.scan(cutter);
        if (object != null) {
            return new ListItem.Scanned(object);
        }
        String size = cutter.oversized() ? "an item of " + cutter.elementBytes() + " bytes: " : "";
        return new ListItem.Unscannable(index, size + scanner.problem(), scanner.key());
    }

    @Override
    public boolean broken() {
        return problem != null;
    }

    @Override
    public Streams.ListEnd end() {
        if (problem == null && !complete) {
            problem = cutter.atStart()
                    ? "the answer is empty"
                    : "the answer broke off after " + cutter.documentBytes() + " bytes, " + count + " items";
        }
        if (problem == null) {
            Streams.ListEnd end = envelope();
            if (end != null) {
                return end;
            }
        }
        throw new ApiException.Malformed(
                "list " + type,
                ApiException.Answer.none("found no list: " + problem + "; what was read of it is void"),
                null);
    }

    /** What is left when the items are gone: the list's own members; null and a problem when it is no list of the type. */
    private Streams.@Nullable ListEnd envelope() {
        if (cutter.oversized()) {
            problem = "a list whose members besides its items are too large";
            return null;
        }
        JsonCursor cursor = new JsonCursor(cutter.kept(), 0);
        String kind = null;
        String apiVersion = null;
        String items = "nothing";
        String[] metadata = {"", ""};
        cursor.enter();
        while (cursor.more()) {
            if (cursor.keyIs("kind")) {
                kind = cursor.memberText();
            } else if (cursor.keyIs("apiVersion")) {
                apiVersion = cursor.memberText();
            } else if (cursor.keyIs("items")) {
                cursor.toValue();
                items = cursor.found();
                cursor.skip();
            } else if (cursor.keyIs("metadata")) {
                cursor.toValue();
                metadata = listMetadata(cursor);
            } else {
                cursor.toValue();
                cursor.skip();
            }
        }
        if (kind == null
                || kind.equals("Status")
                || kind.equals("Table")
                || !(type.apiVersion().equals(apiVersion) || isPartial(kind, apiVersion))) {
            problem = "kind " + MetadataScanner.identifier(kind) + " of apiVersion "
                    + MetadataScanner.identifier(apiVersion);
        } else if (!items.equals("an array") && !items.equals("null")) {
            problem = "items: expected an array, found " + items;
        }
        return problem == null ? new Streams.ListEnd(metadata[0], metadata[1], count) : null;
    }

    private boolean isPartial(String kind, @Nullable String apiVersion) {
        return partial
                && kind.equals(MetadataScanner.PARTIAL + "List")
                && MetadataScanner.PARTIAL_VERSION.equals(apiVersion);
    }

    /** resourceVersion and continue. */
    private String[] listMetadata(JsonCursor cursor) {
        String[] found = {"", ""};
        if (cursor.peek() != '{') {
            problem = "metadata: expected an object, found " + cursor.found();
            cursor.skip();
            return found;
        }
        cursor.enter();
        while (cursor.more()) {
            int which = cursor.keyIs("resourceVersion") ? 0 : cursor.keyIs("continue") ? 1 : -1;
            cursor.toValue();
            if (which >= 0 && cursor.peek() == '"') {
                String text = cursor.string(null);
                found[which] = text == null ? "" : text;
                continue;
            }
            if (which >= 0 && cursor.peek() != 'n') {
                problem = "metadata." + (which == 0 ? "resourceVersion" : "continue") + ": expected a string, found "
                        + cursor.found();
            }
            cursor.skip();
        }
        return found;
    }
}
