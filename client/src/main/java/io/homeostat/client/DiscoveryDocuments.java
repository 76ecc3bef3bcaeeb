package io.homeostat.client;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Reads the documents in which a server says what it serves: aggregated ones ({@code apidiscovery.k8s.io/v2}) and those before them. */
final class DiscoveryDocuments {
    /** Asks for the aggregated document, and for the older one of a server (before 1.30) that has none. */
    static final String ACCEPT_ROOT =
            "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";

    private DiscoveryDocuments() {}

    /** One resource of a group and version. */
    record Served(String plural, String kind, ResourceType.Scope scope) {}

    /**
     * What a root ({@code /api}, {@code /apis}) says.
     *
     * @param versions the versions of each group, the preferred one first
     * @param resources of each {@code group/version} that says what it has; others, and all of an older server, have to be asked
     * @param stale each {@code group/version} that the server itself could not reach
     */
    record Root(Map<String, List<String>> versions, Map<String, List<Served>> resources, List<String> stale) {}

    /** Of a root. */
    static Root root(String request, byte[] body) {
        JsonNode tree = tree(body);
        String kind = tree == null ? "" : text(tree, "kind");
        Root root = new Root(new LinkedHashMap<>(), new LinkedHashMap<>(), new ArrayList<>());
        if (tree == null) {
            throw malformed(request, "discovery document", body);
        }
        switch (kind) {
            case "APIGroupDiscoveryList" -> {
                for (JsonNode group : tree.path("items")) {
                    aggregated(group, root);
                }
            }
            case "APIGroupList" -> {
                for (JsonNode group : tree.path("groups")) {
                    root.versions().put(text(group, "name"), versions(group));
                }
            }
            case "APIVersions" -> {
                List<String> versions = new ArrayList<>();
                tree.path("versions").forEach(version -> versions.add(version.asString("")));
                root.versions().put("", versions);
            }
            default -> throw malformed(request, "discovery document", body);
        }
        return root;
    }

    private static void aggregated(JsonNode group, Root root) {
        String name = text(group.path("metadata"), "name");
        List<String> versions = new ArrayList<>();
        for (JsonNode version : group.path("versions")) {
            String id = id(name, text(version, "version"));
            versions.add(text(version, "version"));
            if (text(version, "freshness").equals("Stale")) {
                root.stale().add(id);
                continue;
            }
            List<Served> resources = new ArrayList<>();
            for (JsonNode resource : version.path("resources")) {
                add(
                        resources,
                        text(resource, "resource"),
                        text(resource.path("responseKind"), "kind"),
                        text(resource, "scope").equals("Namespaced"));
            }
            root.resources().put(id, List.copyOf(resources));
        }
        root.versions().put(name, versions);
    }

    /** Of an {@code APIResourceList}. */
    static List<Served> resources(String request, byte[] body) {
        JsonNode tree = tree(body);
        if (tree == null || !text(tree, "kind").equals("APIResourceList")) {
            throw malformed(request, "APIResourceList", body);
        }
        List<Served> resources = new ArrayList<>();
        for (JsonNode resource : tree.path("resources")) {
            add(
                    resources,
                    text(resource, "name"),
                    text(resource, "kind"),
                    resource.path("namespaced").asBoolean(false));
        }
        return List.copyOf(resources);
    }

    /** Of an {@code APIGroup}. */
    static List<String> versionsOfGroup(String request, byte[] body) {
        JsonNode tree = tree(body);
        if (tree == null || !text(tree, "kind").equals("APIGroup")) {
            throw malformed(request, "APIGroup", body);
        }
        return versions(tree);
    }

    private static List<String> versions(JsonNode group) {
        List<String> versions = new ArrayList<>();
        String preferred = text(group.path("preferredVersion"), "version");
        if (!preferred.isEmpty()) {
            versions.add(preferred);
        }
        for (JsonNode each : group.path("versions")) {
            String version = text(each, "version");
            if (!version.isEmpty() && !versions.contains(version)) {
                versions.add(version);
            }
        }
        return versions;
    }

    /** Subresources stand in the older lists as {@code plural/sub}, and may be of the same kind ({@code deployments/status}). */
    private static void add(List<Served> resources, String plural, String kind, boolean namespaced) {
        if (!plural.isEmpty() && !plural.contains("/") && !kind.isEmpty()) {
            resources.add(
                    new Served(plural, kind, namespaced ? ResourceType.Scope.NAMESPACED : ResourceType.Scope.CLUSTER));
        }
    }

    /** {@code group/version}, {@code version} for the core group. */
    static String id(String group, String version) {
        return group.isEmpty() ? version : group + "/" + version;
    }

    private static String text(JsonNode node, String field) {
        return node.path(field).asString("");
    }

    private static @Nullable JsonNode tree(byte[] body) {
        try {
            return JsonMapper.shared().readTree(body);
        } catch (JacksonException e) {
            return null; // the parser's words may quote contents; that it is none is all there is to say
        }
    }

    private static ApiException.Malformed malformed(String request, String wanted, byte[] body) {
        return new ApiException.Malformed(
                request,
                ApiException.Answer.none("no " + wanted + " in the answer of " + body.length + " bytes"),
                null);
    }
}
