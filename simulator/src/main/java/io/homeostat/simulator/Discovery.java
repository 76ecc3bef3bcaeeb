package io.homeostat.simulator;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** What is asked outside the resources: which APIs there are, the version, health. */
final class Discovery {
    private static final List<String> VERBS =
            List.of("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch");
    private static final List<String> STATUS_VERBS = List.of("get", "patch", "update");

    private final Map<String, Registry> registries; // confined to the simulator's lane
    private final OpenApi openApi;

    Discovery(Map<String, Registry> registries) {
        this.registries = registries;
        this.openApi = new OpenApi(this);
    }

    void serve(Request request, ApiServer.Answer answer) {
        List<String> path = request.segments;
        String first = path.isEmpty() ? "" : path.get(0);
        boolean read = request.method.equals("GET") || request.method.equals("HEAD");
        switch (first) {
            case "livez", "readyz", "healthz" -> answer.text(200, "ok");
            case "version" -> answer.json(200, version());
            case "api", "apis" -> {
                if (!read) {
                    throw ApiFailure.of(
                            405,
                            "MethodNotAllowed",
                            "the server does not allow this method on the requested resource",
                            null);
                }
                roots(request, answer);
            }
            case "openapi" -> openApi.serve(request, answer);
            default -> answer.text(404, "404 page not found\n");
        }
    }

    private void roots(Request request, ApiServer.Answer answer) {
        List<String> path = request.segments;
        boolean legacy = path.get(0).equals("api");
        if (path.size() == 1) {
            if (aggregated(request)) {
                answer.whole(
                        200,
                        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
                        Trees.bytes(aggregate(legacy)),
                        io.homeostat.core.Headers.NONE);
            } else {
                answer.json(200, legacy ? versions() : groups());
            }
            return;
        }
        String group = legacy ? "" : path.get(1);
        if (!legacy && path.size() == 2) {
            ObjectNode found = null;
            for (Map.Entry<String, List<String>> entry : groupVersions().entrySet()) {
                if (entry.getKey().equals(group) && !group.isEmpty()) {
                    found = Trees.object();
                    found.put("kind", "APIGroup");
                    found.put("apiVersion", "v1");
                    found.setAll(group(group, entry.getValue()));
                }
            }
            if (found == null) {
                answer.text(404, "404 page not found\n");
            } else {
                answer.json(200, found);
            }
            return;
        }
        String version = legacy ? path.get(1) : path.get(2);
        if (serves(group, version)) {
            answer.json(200, resources(group, version));
        } else {
            answer.text(404, "404 page not found\n");
        }
    }

    private static boolean aggregated(Request request) {
        for (String range : request.header("Accept").split(",", -1)) {
            if (range.contains("as=APIGroupDiscoveryList")) {
                return range.contains("v=v2") && !range.contains("v=v2beta1");
            }
            if (range.trim().equals("application/json")) {
                return false;
            }
        }
        return false;
    }

    boolean serves(String group, String version) {
        return groupVersions().getOrDefault(group, List.of()).contains(version);
    }

    @Nullable
    ObjectNode definition(ResourceKind kind) {
        Registry registry = registries.get(kind.group() + "/" + kind.plural());
        return registry == null ? null : registry.definition;
    }

    /** All groups with their versions, the core group first. */
    Map<String, List<String>> groupVersions() {
        Map<String, List<String>> groups = new LinkedHashMap<>();
        groups.put("", new ArrayList<>());
        for (Registry registry : registries.values()) {
            for (ResourceKind kind : registry.kinds) {
                List<String> versions = groups.computeIfAbsent(kind.group(), g -> new ArrayList<>());
                if (!versions.contains(kind.version())) {
                    versions.add(kind.version());
                }
            }
        }
        return groups;
    }

    List<ResourceKind> kinds(String group, String version) {
        List<ResourceKind> kinds = new ArrayList<>();
        for (Registry registry : registries.values()) {
            for (ResourceKind kind : registry.kinds) {
                if (kind.group().equals(group) && kind.version().equals(version)) {
                    kinds.add(kind);
                }
            }
        }
        kinds.sort(java.util.Comparator.comparing(ResourceKind::plural));
        return kinds;
    }

    private static ObjectNode version() {
        ObjectNode version = Trees.object();
        version.put("major", "1");
        version.put("minor", "37");
        version.put("gitVersion", "v1.37.2-homeostat-simulator");
        version.put("gitCommit", "");
        version.put("gitTreeState", "clean");
        version.put("buildDate", "1970-01-01T00:00:00Z");
        version.put("goVersion", "");
        version.put("compiler", "");
        version.put("platform", "jvm");
        return version;
    }

    private static ObjectNode versions() {
        ObjectNode versions = Trees.object();
        versions.put("kind", "APIVersions");
        versions.set("versions", Trees.array(List.of("v1")));
        versions.set("serverAddressByClientCIDRs", Trees.array());
        return versions;
    }

    private ObjectNode groups() {
        ObjectNode list = Trees.object();
        list.put("kind", "APIGroupList");
        list.put("apiVersion", "v1");
        ArrayNode groups = list.putArray("groups");
        groupVersions().forEach((group, versions) -> {
            if (!group.isEmpty()) {
                groups.add(group(group, versions));
            }
        });
        return list;
    }

    private static ObjectNode group(String name, List<String> versions) {
        ObjectNode group = Trees.object();
        group.put("name", name);
        ArrayNode array = group.putArray("versions");
        for (String version : versions) {
            array.add(groupVersion(name, version));
        }
        group.set("preferredVersion", groupVersion(name, versions.get(0)));
        return group;
    }

    private static ObjectNode groupVersion(String group, String version) {
        ObjectNode node = Trees.object();
        node.put("groupVersion", group + "/" + version);
        node.put("version", version);
        return node;
    }

    static List<String> verbs(ResourceKind kind) {
        List<String> verbs = new ArrayList<>(VERBS);
        if (kind.group().isEmpty() && kind.plural().equals("namespaces")) {
            verbs.remove("deletecollection");
        }
        return verbs;
    }

    private ObjectNode resources(String group, String version) {
        ObjectNode list = Trees.object();
        list.put("kind", "APIResourceList");
        list.put("apiVersion", "v1");
        list.put("groupVersion", group.isEmpty() ? version : group + "/" + version);
        ArrayNode resources = list.putArray("resources");
        for (ResourceKind kind : kinds(group, version)) {
            ObjectNode resource = resources.addObject();
            resource.put("name", kind.plural());
            resource.put("singularName", kind.singular());
            resource.put("namespaced", kind.scope() == ResourceKind.Scope.NAMESPACED);
            resource.put("kind", kind.kind());
            resource.set("verbs", Trees.array(verbs(kind)));
            if (!kind.shortNames().isEmpty()) {
                resource.set("shortNames", Trees.array(kind.shortNames()));
            }
            if (!kind.categories().isEmpty()) {
                resource.set("categories", Trees.array(kind.categories()));
            }
            resource.put("storageVersionHash", hash(kind));
            if (kind.statusSubresource()) {
                ObjectNode status = resources.addObject();
                status.put("name", kind.plural() + "/status");
                status.put("singularName", "");
                status.put("namespaced", kind.scope() == ResourceKind.Scope.NAMESPACED);
                status.put("kind", kind.kind());
                status.set("verbs", Trees.array(STATUS_VERBS));
            }
        }
        return list;
    }

    /** An opaque name of the storage version: equal for equal kinds, which is all that clients may use it for. */
    private static String hash(ResourceKind kind) {
        long hash = 0xcbf29ce484222325L; // FNV-1a
        for (byte b : (kind.apiVersion() + "/" + kind.kind()).getBytes(StandardCharsets.UTF_8)) {
            hash = (hash ^ (b & 0xff)) * 0x100000001b3L;
        }
        return Base64.getEncoder()
                .encodeToString(ByteBuffer.allocate(8).putLong(hash).array());
    }

    private ObjectNode aggregate(boolean legacy) {
        ObjectNode list = Trees.object();
        list.put("kind", "APIGroupDiscoveryList");
        list.put("apiVersion", "apidiscovery.k8s.io/v2");
        list.set("metadata", Trees.object());
        ArrayNode items = list.putArray("items");
        groupVersions().forEach((group, versions) -> {
            if (group.isEmpty() != legacy) {
                return;
            }
            ObjectNode item = items.addObject();
            ObjectNode metadata = item.putObject("metadata");
            if (!group.isEmpty()) {
                metadata.put("name", group);
            }
            ArrayNode array = item.putArray("versions");
            for (String version : versions) {
                ObjectNode entry = array.addObject();
                entry.put("version", version);
                ArrayNode resources = entry.putArray("resources");
                for (ResourceKind kind : kinds(group, version)) {
                    resources.add(aggregated(kind));
                }
                entry.put("freshness", "Current");
            }
        });
        return list;
    }

    private static ObjectNode aggregated(ResourceKind kind) {
        ObjectNode resource = Trees.object();
        resource.put("resource", kind.plural());
        resource.set("responseKind", responseKind(kind));
        resource.put("scope", kind.scope() == ResourceKind.Scope.NAMESPACED ? "Namespaced" : "Cluster");
        resource.put("singularResource", kind.singular());
        resource.set("verbs", Trees.array(verbs(kind)));
        if (!kind.shortNames().isEmpty()) {
            resource.set("shortNames", Trees.array(kind.shortNames()));
        }
        if (!kind.categories().isEmpty()) {
            resource.set("categories", Trees.array(kind.categories()));
        }
        if (kind.statusSubresource()) {
            ObjectNode status = resource.putArray("subresources").addObject();
            status.put("subresource", "status");
            status.set("responseKind", responseKind(kind));
            status.set("verbs", Trees.array(STATUS_VERBS));
        }
        return resource;
    }

    private static ObjectNode responseKind(ResourceKind kind) {
        ObjectNode node = Trees.object();
        node.put("group", kind.group());
        node.put("version", kind.version());
        node.put("kind", kind.kind());
        return node;
    }
}
