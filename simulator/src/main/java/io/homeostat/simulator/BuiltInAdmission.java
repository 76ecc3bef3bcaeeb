package io.homeostat.simulator;

import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * What the server does with the built-in kinds: {@link Canonical} form, {@link Defaults}, {@link Validation}, and what it sets by
 * itself.
 */
record BuiltInAdmission(String kind, Schema schema) implements Admission {
    /** What a Service has been given stays until the Service says otherwise. */
    private static final List<String> ALLOCATED = List.of("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy");

    @Override
    public ObjectNode defaulted(ObjectNode object) {
        ObjectNode canonical = Canonical.of(object, schema);
        Defaults.fill(kind, canonical);
        return canonical;
    }

    @Override
    public List<Cause> validate(ObjectNode object, @Nullable ObjectNode old) {
        return Validation.of(kind, object, old);
    }

    @Override
    public List<String> unknownFields(ObjectNode object) {
        return Canonical.unknownFields(object, schema);
    }

    @Override
    public ObjectNode prepared(ObjectNode object, @Nullable ObjectNode old) {
        ObjectNode prepared = Json.shallow(object);
        if (schema.declares("status") && !(prepared.get("status") instanceof ObjectNode)) {
            JsonNode none = Canonical.empty(schema).get("status");
            prepared.set("status", none == null ? Json.NODES.objectNode() : none);
        }
        switch (kind) {
            case "Namespace" -> {
                if (old == null) {
                    prepared.putObject("status").put("phase", "Active");
                    ObjectNode spec = shallowChild(prepared, "spec");
                    if (!spec.has("finalizers")) {
                        spec.putArray("finalizers").add("kubernetes");
                    }
                }
            }
            case "Pod" -> preparePod(prepared, old);
            case "Service" -> allocate(shallowChild(prepared, "spec"), prepared, old);
            case "CustomResourceDefinition" -> storedVersions(prepared);
            default -> {
                // Nothing of its own.
            }
        }
        return prepared;
    }

    private static void preparePod(ObjectNode pod, @Nullable ObjectNode old) {
        if (old != null) {
            return;
        }
        pod.putObject("status").put("phase", "Pending").put("qosClass", qualityOfService(pod));
        ObjectNode spec = shallowChild(pod, "spec");
        if (!spec.has("priority")) {
            spec.put("priority", 0);
            spec.put("preemptionPolicy", "PreemptLowerPriority");
        }
        ArrayNode tolerations = Json.NODES.arrayNode();
        tolerations.addAll(Json.listAt(spec, "tolerations"));
        for (String taint : List.of("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")) {
            if (!tolerates(tolerations, taint)) {
                tolerations
                        .addObject()
                        .put("key", taint)
                        .put("operator", "Exists")
                        .put("effect", "NoExecute")
                        .put("tolerationSeconds", 300);
            }
        }
        spec.set("tolerations", tolerations);
    }

    private static boolean tolerates(ArrayNode tolerations, String taint) {
        for (JsonNode toleration : tolerations) {
            String key = Json.textAt(toleration, "key");
            String effect = Json.textAt(toleration, "effect");
            boolean matches = key.equals(taint)
                    || (key.isEmpty() && Json.textAt(toleration, "operator").equals("Exists"));
            if (matches && (effect.isEmpty() || effect.equals("NoExecute"))) {
                return true;
            }
        }
        return false;
    }

    /** {@code Guaranteed}, {@code Burstable} or {@code BestEffort}, by cpu and memory of all containers. */
    private static String qualityOfService(ObjectNode pod) {
        boolean any = false;
        boolean all = true;
        for (String list : List.of("containers", "initContainers")) {
            for (JsonNode container : Json.listAt(pod, "spec", list)) {
                for (String resource : List.of("cpu", "memory")) {
                    JsonNode request = Json.at(container, "resources", "requests", resource);
                    JsonNode limit = Json.at(container, "resources", "limits", resource);
                    any |= request != null || limit != null;
                    all &= limit != null && (request == null || Json.same(request, limit));
                }
            }
        }
        return !any ? "BestEffort" : all ? "Guaranteed" : "Burstable";
    }

    /**
     * The address comes from the UID, which is unique and, in a virtual world, the seed's; two Services may share one in rare cases,
     * where the real server would not let them.
     */
    private static void allocate(ObjectNode spec, ObjectNode service, @Nullable ObjectNode old) {
        if (Json.textAt(spec, "type").equals("ExternalName")) {
            return;
        }
        if (old != null) {
            ObjectNode before = Json.objectAt(old, "spec");
            for (String field : ALLOCATED) {
                if (!spec.has(field) && before != null && before.has(field)) {
                    spec.set(field, before.get(field));
                }
            }
        }
        if (!spec.has("clusterIP")) {
            int hash = Json.textAt(service, "metadata", "uid").hashCode();
            hash ^= hash >>> 15;
            spec.put(
                    "clusterIP",
                    "10." + (1 + Math.floorMod(hash >>> 16, 250)) + "." + ((hash >>> 8) & 0xff) + "."
                            + (1 + (hash & 0xff) % 254));
        }
        if (!spec.has("clusterIPs")) {
            spec.putArray("clusterIPs").add(Json.textAt(spec, "clusterIP"));
        }
        // a headless Service without a selector may get addresses of any kind from whoever writes its endpoints
        boolean any = Json.textAt(spec, "clusterIP").equals("None")
                && (!(spec.get("selector") instanceof ObjectNode selector) || selector.isEmpty());
        if (!spec.has("ipFamilies")) {
            ArrayNode families = spec.putArray("ipFamilies").add("IPv4");
            if (any) {
                families.add("IPv6");
            }
        }
        if (!spec.has("ipFamilyPolicy")) {
            spec.put("ipFamilyPolicy", any ? "RequireDualStack" : "SingleStack");
        }
    }

    private static void storedVersions(ObjectNode definition) {
        for (JsonNode version : Json.listAt(definition, "spec", "versions")) {
            if (version.path("storage").asBoolean(false)) {
                ObjectNode status = shallowChild(definition, "status");
                ArrayNode stored = Json.NODES.arrayNode();
                stored.addAll(Json.listAt(status, "storedVersions"));
                boolean there = false;
                for (JsonNode name : stored) {
                    there |= name.equals(version.path("name"));
                }
                if (!there) {
                    stored.add(version.path("name"));
                    status.set("storedVersions", stored);
                }
            }
        }
    }

    /** The child {@code name} as one that may be changed: {@code object} gets a copy of it. */
    private static ObjectNode shallowChild(ObjectNode object, String name) {
        ObjectNode copy = object.get(name) instanceof ObjectNode there ? Json.shallow(there) : Json.NODES.objectNode();
        object.set(name, copy);
        return copy;
    }
}
