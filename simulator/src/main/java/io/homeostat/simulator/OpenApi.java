package io.homeostat.simulator;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * OpenAPI v3 documents, as far as kubectl reads them: which operations there are and which parameters they take. Custom resources
 * come with the schema of their definition, the server's own kinds without one.
 */
final class OpenApi {
    private static final List<String> PARAMETERS = List.of("dryRun", "fieldManager", "fieldValidation", "force");

    private final Discovery discovery;

    OpenApi(Discovery discovery) {
        this.discovery = discovery;
    }

    void serve(Request request, ApiServer.Answer answer) {
        List<String> path = request.segments;
        if (path.size() < 2 || !path.get(1).equals("v3")) {
            throw ApiFailure.notImplemented("OpenAPI documents but v3");
        }
        String wanted = String.join("/", path.subList(2, path.size()));
        Map<String, ObjectNode> documents = documents();
        if (wanted.isEmpty()) {
            ObjectNode index = Trees.object();
            ObjectNode paths = index.putObject("paths");
            documents.forEach((name, document) ->
                    paths.putObject(name).put("serverRelativeURL", "/openapi/v3/" + name + "?hash=" + hash(document)));
            answer.json(200, index);
            return;
        }
        ObjectNode document = documents.get(wanted);
        if (document == null) {
            answer.text(404, "404 page not found\n");
        } else {
            answer.json(200, document);
        }
    }

    private static String hash(ObjectNode document) {
        long hash = 0xcbf29ce484222325L; // FNV-1a
        for (byte b : Trees.bytes(document)) {
            hash = (hash ^ (b & 0xff)) * 0x100000001b3L;
        }
        return Long.toHexString(hash);
    }

    private Map<String, ObjectNode> documents() {
        Map<String, ObjectNode> documents = new TreeMap<>();
        discovery.groupVersions().forEach((group, versions) -> {
            for (String version : versions) {
                String root = group.isEmpty() ? "api/" + version : "apis/" + group + "/" + version;
                documents.put(root, document(root, group, version));
            }
        });
        return documents;
    }

    private ObjectNode document(String root, String group, String version) {
        ObjectNode document = Trees.object();
        document.put("openapi", "3.0.0");
        ObjectNode info = document.putObject("info");
        info.put("title", "Kubernetes");
        info.put("version", "v1.37.2-homeostat-simulator");
        ObjectNode paths = document.putObject("paths");
        ObjectNode schemas = Trees.object();
        for (ResourceKind kind : discovery.kinds(group, version)) {
            boolean namespaced = kind.scope() == ResourceKind.Scope.NAMESPACED;
            String collection = "/" + root + (namespaced ? "/namespaces/{namespace}/" : "/") + kind.plural();
            ObjectNode all = paths.putObject(collection);
            all.set("get", operation(kind, "list"));
            all.set("post", operation(kind, "post"));
            ObjectNode one = paths.putObject(collection + "/{name}");
            one.set("get", operation(kind, "get"));
            one.set("put", operation(kind, "put"));
            one.set("patch", operation(kind, "patch"));
            one.set("delete", operation(kind, "delete"));
            schemas.set(component(kind), schema(kind));
        }
        document.putObject("components").set("schemas", schemas);
        return document;
    }

    private static String component(ResourceKind kind) {
        return (kind.group().isEmpty() ? "io.k8s.api.core" : kind.group()) + "." + kind.version() + "." + kind.kind();
    }

    private ObjectNode schema(ResourceKind kind) {
        ObjectNode schema = Trees.object();
        schema.put("type", "object");
        ObjectNode definition = discovery.definition(kind);
        for (JsonNode version : Json.listAt(definition, "spec", "versions")) {
            ObjectNode own = Json.objectAt(version, "schema", "openAPIV3Schema");
            if (own != null && Trees.text(version, "name").equals(kind.version())) {
                schema = Trees.shallowCopy(own);
            }
        }
        ArrayNode kinds = Trees.array();
        kinds.add(named(kind));
        schema.set("x-kubernetes-group-version-kind", kinds);
        return schema;
    }

    private static ObjectNode named(ResourceKind kind) {
        ObjectNode named = Trees.object();
        named.put("group", kind.group());
        named.put("kind", kind.kind());
        named.put("version", kind.version());
        return named;
    }

    private static ObjectNode operation(ResourceKind kind, String action) {
        ObjectNode operation = Trees.object();
        operation.put("operationId", action + kind.kind());
        ArrayNode parameters = operation.putArray("parameters");
        for (String name : PARAMETERS) {
            ObjectNode parameter = parameters.addObject();
            parameter.put("name", name);
            parameter.put("in", "query");
            parameter.putObject("schema").put("type", "string");
        }
        operation.putObject("responses").putObject("200").put("description", "OK");
        operation.put("x-kubernetes-action", action);
        operation.set("x-kubernetes-group-version-kind", named(kind));
        return operation;
    }
}
