package io.homeostat.simulator;

import io.homeostat.core.EngineRuntime;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * The form in which objects leave the server: whole, metadata only, or as rows of a table, as the {@code Accept} header asks.
 *
 * <p><b>Threads.</b> Confined to the simulator's lane; a watch has a rendering of its own.
 */
final class Rendering {
    private static final String META = "meta.k8s.io/v1";

    /** What the client asked for. */
    enum Form {
        WHOLE,
        METADATA,
        TABLE
    }

    private final Form form;
    private final Registry registry;
    private final String includeObject;
    private final EngineRuntime runtime;
    private boolean columnsSent; // of a watched table: only its first event names the columns

    Rendering(Form form, Registry registry, String includeObject, EngineRuntime runtime) {
        this.form = form;
        this.registry = registry;
        this.includeObject = includeObject;
        this.runtime = runtime;
    }

    /**
     * The form for an {@code Accept} header.
     *
     * @throws ApiFailure 406 when there is none
     */
    static Form form(String accept) {
        if (accept.isBlank()) {
            return Form.WHOLE;
        }
        for (String range : accept.split(",", -1)) {
            String[] parts = range.trim().split(";", -1);
            String type = parts[0].trim();
            if (!type.equals("application/json") && !type.equals("*/*") && !type.equals("application/*")) {
                continue;
            }
            String as = "";
            boolean known = true;
            for (int i = 1; i < parts.length; i++) {
                String part = parts[i].trim();
                if (part.startsWith("as=")) {
                    as = part.substring(3);
                } else if (part.startsWith("v=")) {
                    known &= part.equals("v=v1") || part.equals("v=v2");
                }
            }
            if (!known) {
                continue;
            }
            switch (as) {
                case "" -> {
                    return Form.WHOLE;
                }
                case "Table" -> {
                    return Form.TABLE;
                }
                case "PartialObjectMetadata", "PartialObjectMetadataList" -> {
                    return Form.METADATA;
                }
                default -> {} // the next range may be one we know
            }
        }
        if (accept.contains("application/yaml")) {
            throw ApiFailure.notImplemented("answers in YAML; ask for application/json");
        }
        throw ApiFailure.notAcceptable("application/json, application/yaml, application/vnd.kubernetes.protobuf");
    }

    Form form() {
        return form;
    }

    /** One object. The array may be shared: not to be changed. */
    byte[] single(ResourceKind kind, Stored object) {
        return switch (form) {
            case WHOLE -> whole(kind, object);
            case METADATA -> Trees.bytes(partial(object));
            case TABLE -> Trees.bytes(table(kind, List.of(object), true, object.revision, "", null));
        };
    }

    /** One object in a watch frame. */
    byte[] watched(ResourceKind kind, Stored object) {
        if (form != Form.TABLE) {
            return single(kind, object);
        }
        ObjectNode table = table(kind, List.of(object), !columnsSent, object.revision, "", null);
        columnsSent = true;
        return Trees.bytes(table);
    }

    private static byte[] whole(ResourceKind kind, Stored object) {
        return isIn(kind, object.tree) ? object.json() : Trees.bytes(Writes.fromStorage(kind, object.tree));
    }

    static boolean isIn(ResourceKind kind, ObjectNode tree) {
        return kind.apiVersion().equals(Trees.text(tree, "apiVersion"));
    }

    private ObjectNode partial(Stored object) {
        ObjectNode partial = Trees.object();
        partial.put("kind", "PartialObjectMetadata");
        partial.put("apiVersion", META);
        partial.set("metadata", object.tree.get("metadata"));
        return partial;
    }

    /** A whole list. */
    byte[] list(ResourceKind kind, List<Stored> objects, long revision, String next, @Nullable Long remaining) {
        if (form == Form.TABLE) {
            return Trees.bytes(table(kind, objects, true, revision, next, remaining));
        }
        ByteArrayOutputStream out = new ByteArrayOutputStream(256 + objects.size() * 512);
        if (form == Form.METADATA) {
            text(out, "{\"kind\":\"PartialObjectMetadataList\",\"apiVersion\":\"" + META + "\",\"metadata\":");
            Trees.write(listMetadata(revision, next, remaining), out);
            text(out, ",\"items\":[");
            items(out, objects, object -> Trees.bytes(partial(object)), 0);
            text(out, "]}\n");
        } else if (registry.custom) {
            // as the real server: custom resources put items before metadata, and repeat apiVersion and kind in each
            text(out, "{\"apiVersion\":\"" + kind.apiVersion() + "\",\"items\":[");
            items(out, objects, object -> whole(kind, object), 0);
            text(out, "],\"kind\":\"" + kind.kind() + "List\",\"metadata\":");
            Trees.write(listMetadata(revision, next, remaining), out);
            text(out, "}\n");
        } else {
            text(
                    out,
                    "{\"kind\":\"" + kind.kind() + "List\",\"apiVersion\":\"" + kind.apiVersion() + "\",\"metadata\":");
            Trees.write(listMetadata(revision, next, remaining), out);
            text(out, ",\"items\":[");
            int prefix = ("{\"kind\":\"" + kind.kind() + "\",\"apiVersion\":\"" + kind.apiVersion() + "\",").length();
            items(out, objects, object -> whole(kind, object), prefix);
            text(out, "]}\n");
        }
        return out.toByteArray();
    }

    private interface Encoder {
        byte[] encode(Stored object);
    }

    private static void items(ByteArrayOutputStream out, List<Stored> objects, Encoder encoder, int prefix) {
        boolean first = true;
        for (Stored object : objects) {
            if (!first) {
                out.write(',');
            }
            first = false;
            byte[] bytes = encoder.encode(object);
            if (prefix > 0) {
                out.write('{');
            }
            out.write(bytes, prefix, bytes.length - prefix);
        }
    }

    private ObjectNode listMetadata(long revision, String next, @Nullable Long remaining) {
        ObjectNode metadata = Trees.object();
        if (registry.custom && form == Form.WHOLE) {
            metadata.put("continue", next);
            if (remaining != null) {
                metadata.put("remainingItemCount", remaining);
            }
            metadata.put("resourceVersion", Long.toString(revision));
        } else {
            metadata.put("resourceVersion", Long.toString(revision));
            if (!next.isEmpty()) {
                metadata.put("continue", next);
            }
            if (remaining != null) {
                metadata.put("remainingItemCount", remaining);
            }
        }
        return metadata;
    }

    private ObjectNode table(
            ResourceKind kind,
            List<Stored> objects,
            boolean columns,
            long revision,
            String next,
            @Nullable Long remaining) {
        ObjectNode table = Trees.object();
        table.put("kind", "Table");
        table.put("apiVersion", META);
        table.set("metadata", listMetadata(revision, next, remaining));
        TableColumns printer = TableColumns.of(kind, registry);
        if (columns) {
            table.set("columnDefinitions", printer.definitions());
        } else {
            table.putNull("columnDefinitions");
        }
        ArrayNode rows = table.putArray("rows");
        for (Stored object : objects) {
            ObjectNode row = rows.addObject();
            row.set("cells", printer.cells(object.tree, runtime.wallClock()));
            switch (includeObject) {
                case "None" -> {}
                case "Object" -> row.set("object", Writes.fromStorage(kind, object.tree));
                default -> row.set("object", partial(object));
            }
        }
        return table;
    }

    /** The object of a BOOKMARK frame. */
    ObjectNode bookmark(ResourceKind kind, long revision, boolean initialEventsEnd) {
        ObjectNode metadata = Trees.object();
        ObjectNode annotations = Trees.object();
        annotations.put("k8s.io/initial-events-end", "true");
        if (registry.custom && initialEventsEnd) {
            metadata.set("annotations", annotations);
        }
        metadata.put("resourceVersion", Long.toString(revision));
        if (!registry.custom && initialEventsEnd) {
            metadata.set("annotations", annotations);
        }
        ObjectNode object = Trees.object();
        switch (form) {
            case WHOLE -> {
                if (registry.custom) {
                    object.put("apiVersion", kind.apiVersion());
                    object.put("kind", kind.kind());
                } else {
                    object.put("kind", kind.kind());
                    object.put("apiVersion", kind.apiVersion());
                }
            }
            case METADATA -> {
                object.put("kind", "PartialObjectMetadata");
                object.put("apiVersion", META);
            }
            case TABLE -> {
                object.put("kind", "Table");
                object.put("apiVersion", META);
                object.set("metadata", metadata);
                object.putNull("columnDefinitions");
                ObjectNode row = object.putArray("rows").addObject();
                row.putArray("cells");
                ObjectNode partial = row.putObject("object");
                partial.put("kind", "PartialObjectMetadata");
                partial.put("apiVersion", META);
                partial.set("metadata", metadata);
                return object;
            }
        }
        object.set("metadata", metadata);
        return object;
    }

    private static void text(ByteArrayOutputStream out, String text) {
        out.writeBytes(text.getBytes(StandardCharsets.UTF_8));
    }
}
