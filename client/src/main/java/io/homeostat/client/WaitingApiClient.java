package io.homeostat.client;

import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.core.DeadlineExceededException;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.InterruptedWaitException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** {@link BlockingApiClient}: asks {@link HttpApiClient}, waits through {@link EngineRuntime#await}, decodes. */
final class WaitingApiClient implements BlockingApiClient {
    /** The client's own deadlines come first; this one ends the wait when the runtime was closed underneath. */
    private static final Duration SLACK = Duration.ofSeconds(5);

    /** Pages of a list have a deadline each time bytes stop coming; this bounds them all together. */
    private static final int LIST_FACTOR = 20;

    private final HttpApiClient client;

    WaitingApiClient(HttpApiClient client) {
        this.client = client;
    }

    @Override
    public <T extends HasMetadata> Optional<T> get(ResourceType<T> type, ObjectKey key) {
        RawObject object;
        try {
            object = waitFor("get " + type, Kind.READ, 1, () -> client.get(type, key));
        } catch (ApiException.NotFound missing) {
            if (!missing.misses(key.name())) {
                throw missing; // the type is not served, which says nothing about the object
            }
            return Optional.empty();
        }
        return Optional.of(object.decode(type));
    }

    @Override
    public <T extends HasMetadata> List<T> list(ResourceType<T> type, Query query) {
        return waitFor("list " + type, Kind.READ, LIST_FACTOR, () -> client.listAll(type, query)).stream()
                .map(object -> object.decode(type))
                .toList();
    }

    @Override
    public <T extends HasMetadata> T create(T object) {
        ResourceType<T> type = typeOf(object);
        if (isReview(type)) {
            return review(type, object);
        }
        ObjectKey key = keyOf("create " + type, type, object);
        byte[] json = client.encode(object);
        return write("create " + type + " " + key, () -> client.create(type, key, json))
                .decode(type);
    }

    /**
     * Whether objects of this type are questions that the server answers and forgets. These two groups have nothing else (but
     * {@code tokenrequests}, which are made under another path).
     */
    private static boolean isReview(ResourceType<?> type) {
        return (type.group().equals("authorization.k8s.io") || type.group().equals("authentication.k8s.io"))
                && type.plural().endsWith("reviews");
    }

    private <T extends HasMetadata> T review(ResourceType<T> type, T object) {
        String found =
                object.getMetadata() == null ? null : object.getMetadata().getNamespace();
        String namespace = type.scope() == ResourceType.Scope.CLUSTER || found == null ? "" : found;
        byte[] json = client.encode(object);
        byte[] answer = waitFor("create " + type, Kind.READ, 1, () -> client.review(type, namespace, json));
        return client.format.decode(type, answer, new ObjectKey(namespace, "answer"), "");
    }

    @Override
    public <T extends HasMetadata> T update(T object) {
        return replace(object, "");
    }

    @Override
    public <T extends HasMetadata> T updateStatus(T object) {
        return replace(object, "status");
    }

    private <T extends HasMetadata> T replace(T object, String subresource) {
        ResourceType<T> type = typeOf(object);
        ObjectKey key = keyOf("update " + type, type, object);
        byte[] json = client.encode(object);
        return write("update " + type + " " + key, () -> client.update(type, key, subresource, json))
                .decode(type);
    }

    @Override
    public <T extends HasMetadata> T patch(
            ResourceType<T> type, ObjectKey key, String subresource, ApiClient.PatchKind kind, String patch) {
        byte[] json = patch.getBytes(StandardCharsets.UTF_8);
        return write("patch " + type + " " + key, () -> client.patch(type, key, subresource, kind, json))
                .decode(type);
    }

    @Override
    public <T extends HasMetadata> T apply(T object, ApiClient.Apply how) {
        ResourceType<T> type = typeOf(object);
        ObjectKey key = keyOf("apply " + type, type, object);
        byte[] json = client.encode(object);
        return write("apply " + type + " " + key, () -> client.apply(type, key, "", how, json))
                .decode(type);
    }

    @Override
    public RawObject apply(ResourceType<?> type, ObjectKey key, ApiClient.Apply how, byte[] document) {
        return write("apply " + type + " " + key, () -> client.apply(type, key, "", how, document));
    }

    @Override
    public boolean delete(ResourceType<?> type, ObjectKey key, ApiClient.Delete how) {
        try {
            waitFor("delete " + type + " " + key, Kind.WRITE, 1, () -> client.delete(type, key, how));
        } catch (ApiException.NotFound missing) {
            if (!missing.misses(key.name())) {
                throw missing;
            }
            return false;
        }
        return true;
    }

    private enum Kind {
        READ,
        WRITE
    }

    private RawObject write(String request, Supplier<CompletionStage<RawObject>> ask) {
        return waitFor(request, Kind.WRITE, 1, ask);
    }

    private <T extends @Nullable Object> T waitFor(
            String request, Kind kind, int factor, Supplier<CompletionStage<T>> ask) {
        EngineRuntime runtime = client.runtime;
        try {
            // A thread that may not wait, or is interrupted already, must find out before anything is sent.
            runtime.await(CompletableFuture.completedFuture(request), Duration.ZERO);
        } catch (InterruptedWaitException e) {
            throw new ApiException.Unreachable(
                    request, ApiException.Answer.none("not sent: the thread is interrupted"), e);
        }
        CompletionStage<T> stage = ask.get();
        Duration patience =
                client.settings.requestTimeout().multipliedBy(factor).plus(SLACK);
        try {
            return runtime.await(stage, patience);
        } catch (InterruptedWaitException e) {
            throw gaveUp(request, kind, stage, "interrupted while waiting", e);
        } catch (DeadlineExceededException e) {
            throw gaveUp(request, kind, stage, "no answer within " + patience.toMillis() + " ms", e);
        }
    }

    /** The answer of a write may still come, and observers are told then; a read is given up. */
    private ApiException gaveUp(
            String request, Kind kind, CompletionStage<?> stage, String found, RuntimeException cause) {
        if (kind == Kind.WRITE) {
            if (client.losesInterrupted) {
                stage.toCompletableFuture().cancel(false);
            }
            return ApiErrors.outcomeUnknown(request, found, cause);
        }
        stage.toCompletableFuture().cancel(false);
        return new ApiException.Unreachable(request, ApiException.Answer.none(found), cause);
    }

    @SuppressWarnings("unchecked") // getClass() of a T is a Class<? extends T>; subclasses of models are not used here
    private <T extends HasMetadata> ResourceType<T> typeOf(T object) {
        if (object instanceof GenericKubernetesResource dynamic) {
            return (ResourceType<T>) discovered(dynamic);
        }
        return (ResourceType<T>) ResourceType.of(object.getClass());
    }

    /** Only the server knows the plural and scope of a kind that has no class here. */
    private ResourceType<GenericKubernetesResource> discovered(GenericKubernetesResource object) {
        String apiVersion = object.getApiVersion() == null ? "" : object.getApiVersion();
        String kind = object.getKind() == null ? "" : object.getKind();
        int slash = apiVersion.indexOf('/');
        String group = slash < 0 ? "" : apiVersion.substring(0, slash);
        String version = apiVersion.substring(slash + 1);
        String request = "discover " + ResourcePath.printable(apiVersion + " " + kind);
        return waitFor(request, Kind.READ, 2, () -> client.discovery().find(group, version, kind))
                .orElseThrow(() -> new ApiException.NotFound(
                        request,
                        ApiException.Answer.none(
                                "the server does not serve this kind; install its definition, or wait for it"),
                        null));
    }

    private static ObjectKey keyOf(String request, ResourceType<?> type, HasMetadata object) {
        String name = object.getMetadata() == null ? null : object.getMetadata().getName();
        if ((name == null || name.isEmpty()) && object.getMetadata() != null) {
            name = object.getMetadata().getGenerateName();
        }
        if (name == null || name.isEmpty()) {
            throw new ApiException.BadRequest(
                    request,
                    ApiException.Answer.none(
                            "not sent: the object has neither metadata.name nor metadata.generateName; set one"),
                    null);
        }
        String namespace = object.getMetadata().getNamespace();
        boolean clusterScoped = type.scope() == ResourceType.Scope.CLUSTER;
        return new ObjectKey(clusterScoped || namespace == null ? "" : namespace, name);
    }
}
