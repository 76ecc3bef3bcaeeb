package io.homeostat.simulator;

import java.time.Duration;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.BiFunction;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * What {@code kubectl get} shows of a kind: the printer columns of a CustomResourceDefinition, and those of the server's own kinds
 * ({@code k8s.io/kubernetes/pkg/printers/internalversion}).
 */
final class TableColumns {
    private record Column(
            String name, String type, String format, int priority, BiFunction<ObjectNode, Instant, JsonNode> value) {}

    private static final JsonNodeFactory NODES = JsonNodeFactory.instance;
    private static final String NONE = "<none>";
    private static final Column NAME = text("Name", object -> at(object, "metadata", "name"), "name", 0);
    private static final Column AGE = new Column(
            "Age",
            "string",
            "",
            0,
            (object, now) -> NODES.stringNode(age(at(object, "metadata", "creationTimestamp"), now)));

    private static final Column CONTAINERS = text("Containers", object -> containers(object, "name"), "", 1);
    private static final Column IMAGES = text("Images", object -> containers(object, "image"), "", 1);
    private static final Column SELECTOR =
            text("Selector", object -> pairs(Json.at(object, "spec", "selector", "matchLabels")), "", 1);

    private static final Map<String, List<Column>> BUILT_IN = Map.of(
            "/configmaps", List.of(NAME, count("Data", "data"), AGE),
            "/secrets", List.of(NAME, text("Type", object -> at(object, "type")), count("Data", "data"), AGE),
            "/namespaces", List.of(NAME, text("Status", object -> at(object, "status", "phase")), AGE),
            "/nodes",
                    List.of(
                            NAME,
                            text("Status", TableColumns::nodeStatus),
                            text("Roles", object -> NONE),
                            AGE,
                            text("Version", object -> at(object, "status", "nodeInfo", "kubeletVersion"))),
            "/pods",
                    List.of(
                            NAME,
                            text("Ready", TableColumns::podReady),
                            text("Status", TableColumns::podStatus),
                            text("Restarts", object -> "0"),
                            AGE,
                            text("IP", object -> orNone(at(object, "status", "podIP")), "", 1),
                            text("Node", object -> orNone(at(object, "spec", "nodeName")), "", 1)),
            "/services",
                    List.of(
                            NAME,
                            text("Type", object -> at(object, "spec", "type")),
                            text("Cluster-IP", object -> orNone(at(object, "spec", "clusterIP"))),
                            text("External-IP", object -> NONE),
                            text("Port(s)", TableColumns::ports),
                            AGE,
                            text("Selector", object -> pairs(Json.at(object, "spec", "selector")), "", 1)),
            "/events",
                    List.of(
                            new Column(
                                    "Last Seen",
                                    "string",
                                    "",
                                    0,
                                    (object, now) -> NODES.stringNode(age(lastSeen(object), now))),
                            text("Type", object -> at(object, "type")),
                            text("Reason", object -> at(object, "reason")),
                            text("Object", TableColumns::involved),
                            text("Message", object -> at(object, "message")),
                            text("Name", object -> at(object, "metadata", "name"), "name", 1)),
            "apps/deployments",
                    List.of(
                            NAME,
                            text("Ready", TableColumns::deploymentReady),
                            number("Up-to-date", "status", "updatedReplicas"),
                            number("Available", "status", "availableReplicas"),
                            AGE,
                            CONTAINERS,
                            IMAGES,
                            SELECTOR),
            "apps/replicasets",
                    List.of(
                            NAME,
                            number("Desired", "spec", "replicas"),
                            number("Current", "status", "replicas"),
                            number("Ready", "status", "readyReplicas"),
                            AGE,
                            CONTAINERS,
                            IMAGES,
                            SELECTOR),
            "coordination.k8s.io/leases",
                    List.of(NAME, text("Holder", object -> at(object, "spec", "holderIdentity")), AGE));

    private static final List<Column> PLAIN = List.of(NAME, AGE);
    private static final List<Column> DEFINITIONS =
            List.of(NAME, text("Created At", object -> at(object, "metadata", "creationTimestamp")));

    private final List<Column> columns;

    private TableColumns(List<Column> columns) {
        this.columns = columns;
    }

    static TableColumns of(ResourceKind kind, Registry registry) {
        ObjectNode definition = registry.definition;
        if (definition != null) {
            return new TableColumns(custom(kind, definition));
        }
        String id = Writes.id(registry);
        return new TableColumns(
                id.equals("apiextensions.k8s.io/customresourcedefinitions")
                        ? DEFINITIONS
                        : BUILT_IN.getOrDefault(id, PLAIN));
    }

    private static List<Column> custom(ResourceKind kind, ObjectNode definition) {
        List<Column> columns = new ArrayList<>();
        columns.add(NAME);
        for (JsonNode version : Json.listAt(definition, "spec", "versions")) {
            if (!Trees.text(version, "name").equals(kind.version())) {
                continue;
            }
            for (JsonNode column : Json.listAt(version, "additionalPrinterColumns")) {
                String type = Trees.text(column, "type");
                String path = Trees.text(column, "jsonPath");
                columns.add(new Column(
                        Trees.text(column, "name"),
                        type,
                        Trees.text(column, "format"),
                        (int) Trees.number(column, "priority"),
                        (object, now) -> cell(type, JsonPath.first(object, path), now)));
            }
        }
        if (columns.size() == 1) {
            columns.add(new Column(
                    "Age",
                    "date",
                    "",
                    0,
                    (object, now) -> NODES.stringNode(age(at(object, "metadata", "creationTimestamp"), now))));
        }
        return columns;
    }

    private static JsonNode cell(String type, @Nullable JsonNode value, Instant now) {
        if (value == null || value.isNull()) {
            return NODES.nullNode();
        }
        return switch (type) {
            case "integer", "number", "boolean" -> value;
            case "date" -> NODES.stringNode(age(value.isString() ? value.stringValue() : "", now));
            default -> value.isString() ? value : NODES.stringNode(Json.text(value));
        };
    }

    ArrayNode definitions() {
        ArrayNode definitions = Trees.array();
        for (Column column : columns) {
            ObjectNode definition = definitions.addObject();
            definition.put("name", column.name());
            definition.put("type", column.type());
            definition.put("format", column.format());
            definition.put("description", "");
            definition.put("priority", column.priority());
        }
        return definitions;
    }

    ArrayNode cells(ObjectNode object, Instant now) {
        ArrayNode cells = Trees.array();
        for (Column column : columns) {
            cells.add(column.value().apply(object, now));
        }
        return cells;
    }

    private interface Text {
        String of(ObjectNode object);
    }

    private static Column text(String name, Text text) {
        return text(name, text, "", 0);
    }

    private static Column text(String name, Text text, String format, int priority) {
        return new Column(name, "string", format, priority, (object, now) -> NODES.stringNode(text.of(object)));
    }

    private static Column number(String name, String... path) {
        return new Column(name, "integer", "", 0, (object, now) -> NODES.numberNode(numberAt(object, path)));
    }

    private static Column count(String name, String field) {
        return new Column(
                name,
                "string",
                "",
                0,
                (object, now) ->
                        NODES.numberNode(object.get(field) instanceof ObjectNode entries ? entries.size() : 0));
    }

    private static String at(ObjectNode object, String... path) {
        return Json.textAt(object, path);
    }

    private static long numberAt(ObjectNode object, String... path) {
        JsonNode value = Json.at(object, path);
        return value != null && value.isIntegralNumber() ? value.longValue() : 0;
    }

    private static String orNone(String text) {
        return text.isEmpty() ? NONE : text;
    }

    private static String pairs(@Nullable JsonNode labels) {
        if (!(labels instanceof ObjectNode pairs) || pairs.isEmpty()) {
            return NONE;
        }
        List<String> texts = new ArrayList<>();
        for (Map.Entry<String, JsonNode> pair : pairs.properties()) {
            texts.add(pair.getKey() + "="
                    + (pair.getValue().isString() ? pair.getValue().stringValue() : ""));
        }
        return String.join(",", texts);
    }

    private static String containers(ObjectNode object, String field) {
        List<String> values = new ArrayList<>();
        for (JsonNode container : Json.listAt(object, "spec", "template", "spec", "containers")) {
            values.add(Trees.text(container, field));
        }
        return String.join(",", values);
    }

    private static String deploymentReady(ObjectNode object) {
        return numberAt(object, "status", "readyReplicas") + "/" + numberAt(object, "spec", "replicas");
    }

    private static String podReady(ObjectNode object) {
        int all = Json.listAt(object, "spec", "containers").size();
        return (ready(object, "Ready") ? all : 0) + "/" + all;
    }

    private static String podStatus(ObjectNode object) {
        return at(object, "metadata", "deletionTimestamp").isEmpty() ? at(object, "status", "phase") : "Terminating";
    }

    private static String nodeStatus(ObjectNode object) {
        return ready(object, "Ready") ? "Ready" : "NotReady";
    }

    private static boolean ready(ObjectNode object, String type) {
        for (JsonNode condition : Json.listAt(object, "status", "conditions")) {
            if (Trees.text(condition, "type").equals(type)) {
                return Trees.text(condition, "status").equals("True");
            }
        }
        return false;
    }

    private static String ports(ObjectNode object) {
        List<String> ports = new ArrayList<>();
        for (JsonNode port : Json.listAt(object, "spec", "ports")) {
            ports.add(Trees.number(port, "port") + "/" + Trees.text(port, "protocol"));
        }
        return orNone(String.join(",", ports));
    }

    private static String involved(ObjectNode object) {
        return at(object, "involvedObject", "kind").toLowerCase(java.util.Locale.ROOT) + "/"
                + at(object, "involvedObject", "name");
    }

    private static String lastSeen(ObjectNode object) {
        String last = at(object, "lastTimestamp");
        if (last.isEmpty()) {
            last = at(object, "series", "lastObservedTime");
        }
        return last.isEmpty() ? at(object, "eventTime") : last;
    }

    /** As {@code k8s.io/apimachinery/pkg/util/duration.HumanDuration} says it. */
    static String age(String timestamp, Instant now) {
        Instant then;
        try {
            then = Instant.parse(timestamp);
        } catch (DateTimeParseException e) {
            return timestamp.isEmpty() ? "<unknown>" : "<invalid>";
        }
        long seconds = Duration.between(then, now).toSeconds();
        if (seconds < -1) {
            return "<invalid>";
        }
        if (seconds < 0) {
            return "0s";
        }
        if (seconds < 120) {
            return seconds + "s";
        }
        long minutes = seconds / 60;
        if (minutes < 10) {
            return minutes + "m" + (seconds % 60 == 0 ? "" : seconds % 60 + "s");
        }
        if (minutes < 180) {
            return minutes + "m";
        }
        long hours = minutes / 60;
        if (hours < 8) {
            return hours + "h" + (minutes % 60 == 0 ? "" : minutes % 60 + "m");
        }
        if (hours < 48) {
            return hours + "h";
        }
        long days = hours / 24;
        if (days < 8) {
            return days + "d" + (hours % 24 == 0 ? "" : hours % 24 + "h");
        }
        if (days < 365 * 2) {
            return days + "d";
        }
        long years = days / 365;
        return years < 8 && days % 365 != 0 ? years + "y" + days % 365 + "d" : years + "y";
    }
}
