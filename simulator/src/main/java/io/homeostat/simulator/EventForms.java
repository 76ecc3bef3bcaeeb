package io.homeostat.simulator;

import java.util.Map;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** The two faces of one Event: {@code v1} and {@code events.k8s.io/v1} share their storage under different field names. */
final class EventForms {
    static final String GROUP = "events.k8s.io";

    /** Field of events.k8s.io/v1 → field of v1, where they differ. */
    private static final Map<String, String> TO_CORE = Map.of(
            "regarding", "involvedObject",
            "note", "message",
            "reportingController", "reportingComponent",
            "deprecatedSource", "source",
            "deprecatedFirstTimestamp", "firstTimestamp",
            "deprecatedLastTimestamp", "lastTimestamp",
            "deprecatedCount", "count");

    private static final Map<String, String> FROM_CORE = Map.of(
            "involvedObject", "regarding",
            "message", "note",
            "reportingComponent", "reportingController",
            "source", "deprecatedSource",
            "firstTimestamp", "deprecatedFirstTimestamp",
            "lastTimestamp", "deprecatedLastTimestamp",
            "count", "deprecatedCount");

    private EventForms() {}

    static ObjectNode toCore(ObjectNode event) {
        return renamed(event, TO_CORE, "v1");
    }

    static ObjectNode fromCore(ObjectNode event) {
        return renamed(event, FROM_CORE, GROUP + "/v1");
    }

    private static ObjectNode renamed(ObjectNode event, Map<String, String> names, String apiVersion) {
        ObjectNode copy = Trees.object();
        for (Map.Entry<String, JsonNode> field : event.properties()) {
            copy.set(names.getOrDefault(field.getKey(), field.getKey()), field.getValue());
        }
        copy.put("apiVersion", apiVersion);
        return copy;
    }
}
