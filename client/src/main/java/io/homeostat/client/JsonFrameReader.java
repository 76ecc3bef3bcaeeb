package io.homeostat.client;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** {@link FrameReader} of JSON. A frame ends where its JSON ends; after broken JSON the next frame begins on the next line. */
final class JsonFrameReader implements FrameReader {
    // All fields are confined to the stream's lane.
    private final ResourceType<?> type;
    private final JsonCutter cutter;
    private final MetadataScanner scanner;
    private boolean skippingLine;

    JsonFrameReader(WireFormat format, ResourceType<?> type, int limit, Extent extent) {
        this.type = type;
        this.cutter = new JsonCutter(JsonCutter.Shape.FRAME, limit, extent.dropped());
        this.scanner = new MetadataScanner(format, type, new Interner(), extent);
    }

    @Override
    public List<WatchFrame> read(byte[] bytes, int from, int to) {
        List<WatchFrame> frames = new ArrayList<>();
        int at = from;
        while (at < to) {
            if (skippingLine) {
                while (at < to && bytes[at] != '\n') {
                    at++;
                }
                if (at == to) {
                    break;
                }
                skippingLine = false;
            }
            at = cutter.advance(bytes, at, to);
            switch (cutter.event()) {
                case ROOT -> {
                    frames.add(frame());
                    cutter.restart();
                }
                case BROKEN -> {
                    frames.add(new WatchFrame.Unscannable(
                            "broken JSON at byte " + cutter.documentBytes() + " of a frame: found " + cutter.problem(),
                            null));
                    skippingLine = !cutter.brokeAtLineStart();
                    cutter.restart();
                }
                case NONE, ELEMENT -> {}
            }
        }
        return frames;
    }

    @Override
    public @Nullable String unfinished() {
        return cutter.atStart()
                ? null
                : "the watch of " + type + " broke off in a frame, after " + cutter.documentBytes() + " bytes of it";
    }

    private WatchFrame frame() {
        if (cutter.oversized()) {
            return unscannable("a frame of " + cutter.documentBytes() + " bytes");
        }
        byte[] kept = cutter.kept();
        if (cutter.typeStart < 0) {
            return withoutType();
        }
        String word = kept[cutter.typeStart] == '"' ? JsonCursor.text(kept, cutter.typeStart) : null;
        if (word == null) {
            return unscannable("a frame whose type is no string");
        }
        return switch (word) {
            case "ADDED" -> event(WatchFrame.Kind.ADDED);
            case "MODIFIED" -> event(WatchFrame.Kind.MODIFIED);
            case "DELETED" -> event(WatchFrame.Kind.DELETED);
            case "BOOKMARK" -> bookmark();
            case "ERROR" -> error();
            default -> unscannable("a frame of type " + MetadataScanner.identifier(word));
        };
    }

    private WatchFrame event(WatchFrame.Kind kind) {
        RawObject object = scanner.scan(cutter);
        return object != null ? new WatchFrame.Event(kind, object) : unscanned();
    }

    private WatchFrame unscanned() {
        return new WatchFrame.Unscannable(scanner.problem(), scanner.key());
    }

    /** A frame that is not to be used, whatever its object is. */
    private WatchFrame unscannable(String found) {
        scanner.scan(cutter);
        String more = scanner.problem();
        return new WatchFrame.Unscannable(
                "found " + found + (cutter.oversized() && !more.isEmpty() ? ": " + more : ""), scanner.key());
    }

    private WatchFrame bookmark() {
        return scanner.bookmark(cutter)
                ? new WatchFrame.Bookmark(scanner.resourceVersion, scanner.endsInitialEvents())
                : unscanned();
    }

    private WatchFrame error() {
        if (cutter.objectStart < 0) {
            return unscannable("a frame of type ERROR without object");
        }
        return failure(cutter.objectStart, cutter.objectEnd);
    }

    private WatchFrame failure(int from, int to) {
        return new WatchFrame.Failure(ApiErrors.ofFrame("watch " + type, Arrays.copyOfRange(cutter.kept(), from, to)));
    }

    /** Proxies and servers that fail late write a bare Status; anything else without a type is no frame. */
    private WatchFrame withoutType() {
        String kind = JsonCursor.kindOf(cutter.kept());
        if ("Status".equals(kind)) {
            return failure(0, cutter.keptLength());
        }
        return unscannable(
                kind == null ? "a frame without type" : MetadataScanner.identifier(kind) + " instead of a frame");
    }
}
