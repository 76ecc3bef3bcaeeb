package io.homeostat.simulator;

import io.homeostat.simulator.ResourceKind.Scope;
import io.homeostat.simulator.StructuralSchema.Nulls;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** The kinds that a CustomResourceDefinition declares. */
final class CustomResourceKinds {
    private CustomResourceKinds() {}

    /**
     * One kind for each served version of {@code crd}, in the order of the definition.
     *
     * @param crd a valid CustomResourceDefinition of {@code apiextensions.k8s.io/v1}, defaulted
     * @throws Unsupported when it asks for something that is not simulated: CEL rules, conversion by webhook, some string formats
     */
    static List<ResourceKind> of(ObjectNode crd) {
        ObjectNode spec = Json.objectAt(crd, "spec");
        if (Json.textAt(spec, "conversion", "strategy").equals("Webhook")) {
            throw new Unsupported("conversion webhooks are not simulated: spec.conversion.strategy");
        }
        String group = Json.textAt(spec, "group");
        ObjectNode names = Json.objectAt(spec, "names");
        List<ResourceKind> kinds = new ArrayList<>();
        int index = 0;
        for (JsonNode version : Json.listAt(spec, "versions")) {
            String path = "spec.versions[" + index++ + "].schema.openAPIV3Schema";
            ObjectNode source = Json.objectAt(version, "schema", "openAPIV3Schema");
            StructuralSchema structure = new StructuralSchema(source == null ? Json.NODES.objectNode() : source, path);
            if (!version.path("served").asBoolean(false)) {
                continue;
            }
            boolean status = Json.at(version, "subresources", "status") instanceof ObjectNode;
            kinds.add(new ResourceKind(
                    group,
                    Json.textAt(version, "name"),
                    Json.textAt(names, "plural"),
                    Json.textAt(names, "singular"),
                    Json.textAt(names, "kind"),
                    strings(names, "shortNames"),
                    strings(names, "categories"),
                    Json.textAt(spec, "scope").equals("Cluster") ? Scope.CLUSTER : Scope.NAMESPACED,
                    status,
                    schema(structure, status),
                    new CustomAdmission(structure)));
        }
        return kinds;
    }

    private static List<String> strings(@Nullable JsonNode from, String name) {
        List<String> strings = new ArrayList<>();
        for (JsonNode one : Json.listAt(from, name)) {
            strings.add(one.stringValue());
        }
        return strings;
    }

    /** The declared structure, with the fields that every object has. */
    private static Schema schema(StructuralSchema structure, boolean status) {
        Schema declared = structure.merging();
        Map<String, Schema> fields = new LinkedHashMap<>(declared.fields());
        fields.put("apiVersion", Schema.scalar(Schema.Scalar.STRING));
        fields.put("kind", Schema.scalar(Schema.Scalar.STRING));
        fields.put("metadata", BuiltInSchemas.of("ObjectMeta"));
        Schema root = Schema.struct(fields, declared.element(), Map.of(), Map.of());
        return status
                ? root.resetting(Map.of("", FieldSet.of("status"), "status", FieldSet.of("metadata", "spec")))
                : root;
    }

    private record CustomAdmission(StructuralSchema structure) implements Admission {
        @Override
        public ObjectNode defaulted(ObjectNode object) {
            return completed(object, Nulls.DROPPED);
        }

        @Override
        public ObjectNode merged(ObjectNode object) {
            return completed(object, Nulls.KEPT);
        }

        private ObjectNode completed(ObjectNode object, Nulls nulls) {
            ObjectNode result = structure.pruned(object, true, "", new ArrayList<>());
            if (result.get("metadata") instanceof ObjectNode metadata) {
                result.set("metadata", Canonical.of(metadata, BuiltInSchemas.of("ObjectMeta")));
            }
            structure.fill(result, nulls);
            return result;
        }

        @Override
        public List<Cause> validate(ObjectNode object, @Nullable ObjectNode old) {
            List<Cause> causes = new ArrayList<>();
            structure.validate(object, "", causes);
            structure.validateLists(object, "", causes);
            Validation.metadata(object, old, causes);
            return causes;
        }

        @Override
        public List<String> unknownFields(ObjectNode object) {
            List<String> unknown = new ArrayList<>();
            if (object.get("metadata") instanceof ObjectNode metadata) {
                for (String path : Canonical.unknownFields(metadata, BuiltInSchemas.of("ObjectMeta"))) {
                    unknown.add("metadata." + path);
                }
            }
            structure.pruned(object, true, "", unknown);
            return unknown;
        }
    }
}
