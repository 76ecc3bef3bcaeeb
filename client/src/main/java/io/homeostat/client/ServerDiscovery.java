package io.homeostat.client;

import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** {@link Discovery} from the {@code APIResourceList} of one group and version, which every server has. */
final class ServerDiscovery implements Discovery {
    private static final JsonMapper MAPPER = JsonMapper.shared();

    private final HttpApiClient client;

    ServerDiscovery(HttpApiClient client) {
        this.client = client;
    }

    @Override
    public CompletionStage<Boolean> serves(ResourceType<?> type) {
        return resources(
                type.group(),
                type.version(),
                list -> {
                    for (JsonNode resource : list) {
                        if (type.plural().equals(resource.path("name").asString(""))) {
                            return true;
                        }
                    }
                    return false;
                },
                false);
    }

    @Override
    public CompletionStage<Optional<ResourceType<GenericKubernetesResource>>> find(
            String group, String version, String kind) {
        return resources(
                group,
                version,
                list -> {
                    for (JsonNode resource : list) {
                        String plural = resource.path("name").asString("");
                        // Subresources stand in the same list as plural/sub, and may be of the same kind
                        // (deployments/status).
                        if (kind.equals(resource.path("kind").asString(""))
                                && !plural.contains("/")
                                && !plural.isEmpty()) {
                            return Optional.of(ResourceType.dynamic(
                                    group,
                                    version,
                                    plural,
                                    kind,
                                    resource.path("namespaced").asBoolean(false)
                                            ? ResourceType.Scope.NAMESPACED
                                            : ResourceType.Scope.CLUSTER));
                        }
                    }
                    return Optional.empty();
                },
                Optional.empty());
    }

    @FunctionalInterface
    private interface Search<T> {
        T in(JsonNode resources);
    }

    private <T> CompletionStage<T> resources(String group, String version, Search<T> search, T notServed) {
        String request = "discover " + ResourcePath.printable((group.isEmpty() ? "" : group + "/") + version);
        String target;
        try {
            target = ResourcePath.groupVersion(request, group, version);
        } catch (ApiException e) {
            return CompletableFuture.failedFuture(e);
        }
        CompletableFuture<T> result = new CompletableFuture<>();
        client.raw(target).whenComplete((body, failure) -> {
            if (failure instanceof ApiException.NotFound) {
                result.complete(notServed);
            } else if (failure != null) {
                result.completeExceptionally(failure);
            } else {
                try {
                    result.complete(search.in(list(request, body)));
                } catch (ApiException e) {
                    result.completeExceptionally(e);
                }
            }
        });
        return result;
    }

    private static JsonNode list(String request, byte[] body) {
        JsonNode tree = null;
        try {
            tree = MAPPER.readTree(body);
        } catch (JacksonException e) {
            // The parser's words may quote contents; that it is none is all there is to say.
        }
        if (tree == null || !"APIResourceList".equals(tree.path("kind").asString(""))) {
            throw new ApiException.Malformed(
                    request,
                    ApiException.Answer.none("no APIResourceList in the answer of " + body.length + " bytes"),
                    null);
        }
        return tree.path("resources");
    }
}
