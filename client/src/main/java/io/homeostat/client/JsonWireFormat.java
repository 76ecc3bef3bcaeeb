package io.homeostat.client;

import io.fabric8.kubernetes.api.model.HasMetadata;
import org.jspecify.annotations.Nullable;

/** {@link WireFormat} of {@code application/json}. */
final class JsonWireFormat implements WireFormat {
    private static final String JSON = "application/json";

    /** etcd takes 1.5 MB by default; what is many times larger is no object of a healthy cluster. */
    static final int MAX_OBJECT_BYTES = 8 * 1024 * 1024;

    private final int limit;

    private volatile @Nullable Codec own; // volatile: set by any thread that meets a class which is not home

    JsonWireFormat() {
        this(MAX_OBJECT_BYTES);
    }

    /** @param limit the largest object without its {@code managedFields}, in bytes; larger ones are unscannable */
    JsonWireFormat(int limit) {
        this.limit = limit;
    }

    @Override
    public String acceptForObject(Extent extent) {
        return extent.metadataOnly() ? accept(MetadataScanner.PARTIAL) : JSON;
    }

    @Override
    public String acceptForList(Extent extent) {
        return extent.metadataOnly() ? accept(MetadataScanner.PARTIAL + "List") : JSON;
    }

    @Override
    public String acceptForWatch(Extent extent) {
        return acceptForObject(extent);
    }

    /** A server that does not know it sends whole objects, as client-go asks it to; they are cut here. */
    private static String accept(String as) {
        return JSON + ";as=" + as + ";g=meta.k8s.io;v=v1," + JSON;
    }

    @Override
    public FrameReader watch(ResourceType<?> type, Extent extent) {
        return new JsonFrameReader(this, type, limit, extent);
    }

    @Override
    public ListReader list(ResourceType<?> type, Extent extent) {
        return new JsonListReader(this, type, limit, extent);
    }

    @Override
    public RawObject object(ResourceType<?> type, Extent extent, byte[] json) {
        JsonCutter cutter = new JsonCutter(JsonCutter.Shape.OBJECT, limit, extent.dropped());
        String found = whole(cutter, json);
        if (found == null) {
            MetadataScanner scanner = new MetadataScanner(this, type, null, extent);
            RawObject object = scanner.scan(cutter);
            if (object != null) {
                return object;
            }
            found = scanner.problem();
        }
        throw malformed(type, found);
    }

    /** Runs {@code json} through {@code cutter}; what was found instead of one JSON object, else null. */
    private static @Nullable String whole(JsonCutter cutter, byte[] json) {
        int at = cutter.advance(json, 0, json.length);
        if (cutter.event() == JsonCutter.Event.ROOT) {
            cutter.advance(json, at, json.length);
            if (cutter.event() == JsonCutter.Event.NONE) {
                return null;
            }
        }
        if (json.length == 0) {
            return "an empty answer";
        }
        return cutter.event() == JsonCutter.Event.BROKEN
                ? "broken JSON at byte " + cutter.documentBytes() + ": " + cutter.problem()
                : "JSON that broke off after " + json.length + " bytes";
    }

    private static ApiException.Malformed malformed(ResourceType<?> type, String found) {
        return new ApiException.Malformed(
                "answer for " + type, ApiException.Answer.none("expected a " + type.kind() + ", found " + found), null);
    }

    @Override
    public Deleted deleted(ResourceType<?> type, byte[] json) {
        JsonCutter cutter = new JsonCutter(JsonCutter.Shape.OBJECT, limit);
        String found = whole(cutter, json);
        if (found != null) {
            throw malformed(type, found);
        }
        if (!"Status".equals(JsonCursor.kindOf(cutter.kept()))) {
            RawObject object = object(type, json);
            return new Deleted(object, object.uid());
        }
        String uid = uidOfSuccess(new JsonCursor(cutter.kept(), 0));
        if (uid == null) {
            throw malformed(type, "a Status of a failure in an answer of success");
        }
        return new Deleted(null, uid);
    }

    /** The UID in a Status that says that it was done; null when it says that it was not. */
    private static @Nullable String uidOfSuccess(JsonCursor cursor) {
        String uid = "";
        boolean failure = false;
        cursor.enter();
        while (cursor.more()) {
            if (cursor.keyIs("details")) {
                uid = uidOfDetails(cursor);
            } else if (cursor.keyIs("status")) {
                failure = "Failure".equals(cursor.memberText());
            } else {
                cursor.toValue();
                cursor.skip();
            }
        }
        return failure ? null : uid;
    }

    private static String uidOfDetails(JsonCursor cursor) {
        String uid = "";
        cursor.toValue();
        if (cursor.peek() != '{') {
            cursor.skip();
            return uid;
        }
        cursor.enter();
        while (cursor.more()) {
            if (cursor.keyIs("uid")) {
                String found = cursor.memberText();
                uid = found == null ? "" : found;
            } else {
                cursor.toValue();
                cursor.skip();
            }
        }
        return uid;
    }

    // Codec is loaded at the first use: a client that only follows metadata never loads Jackson's databind.

    @Override
    public byte[] encode(HasMetadata object) {
        Codec codec = codec(object.getClass());
        try {
            return codec.encode(object);
        } finally {
            shareNoMore(codec);
        }
    }

    @Override
    public <T extends HasMetadata> T decode(ResourceType<T> type, byte[] json, ObjectKey key, String resourceVersion) {
        Codec codec = codec(type.objectClass());
        try {
            return codec.decode(type, json, key, resourceVersion);
        } finally {
            shareNoMore(codec);
        }
    }

    /** The codec for objects of a class: the one of all clients, until this client has met a class that may go before the library. */
    Codec codec(Class<?> objectClass) {
        Codec mine = own;
        if (mine != null) {
            return mine;
        }
        return Codec.home(objectClass) ? Codec.shared() : ownCodec();
    }

    private void shareNoMore(Codec used) {
        if (used != own && !used.keepsOnlyHome()) {
            ownCodec();
        }
    }

    private Codec ownCodec() {
        Codec made = new Codec();
        own = made; // of two threads that come here at once both may make one: the last stays
        return made;
    }
}
