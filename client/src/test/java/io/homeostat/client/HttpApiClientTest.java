package io.homeostat.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.ConfigMapBuilder;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.Namespace;
import io.fabric8.kubernetes.api.model.apps.Deployment;
import io.homeostat.core.HttpCall;
import io.homeostat.core.Registration;
import io.homeostat.core.Task;
import io.homeostat.core.TransportException;
import io.homeostat.virtualruntime.VirtualProcess;
import io.homeostat.virtualruntime.VirtualWorld;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class HttpApiClientTest {
    private static final String CANARY = "canary-5ecret";
    private static final ResourceType<ConfigMap> CONFIG_MAPS = ResourceType.of(ConfigMap.class);
    private static final ObjectKey KEY = new ObjectKey("default", "a");
    private static final byte[] JSON = ("{\"data\":{\"k\":\"" + CANARY + "\"}}").getBytes(StandardCharsets.UTF_8);

    private final VirtualWorld world = VirtualWorld.seeded(11);
    private final VirtualProcess process = world.process("client");

    @AfterEach
    void end() {
        world.close();
    }

    private static String configMap(String name, String version) {
        return "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"" + name
                + "\",\"namespace\":\"default\",\"uid\":\"u-" + name + "\",\"resourceVersion\":\"" + version
                + "\"},\"data\":{\"k\":\"" + CANARY + "\"}}";
    }

    private static String status(int code, String reason, String rest) {
        return "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\",\"message\":\"the server's words\",\"reason\":\""
                + reason + "\",\"code\":" + code + rest + "}";
    }

    private ScriptedServer server(ScriptedServer.Script script) {
        return new ScriptedServer(process, script);
    }

    private ApiClient client(ScriptedServer server) {
        return ApiClient.over(process, server, ApiClient.Settings.of("test-operator/1.0 (linux)"));
    }

    private <T extends @Nullable Object> T done(CompletionStage<T> stage) {
        world.runUntil(() -> stage.toCompletableFuture().isDone(), Duration.ofMinutes(5));
        return stage.toCompletableFuture().join();
    }

    private ApiException failure(CompletionStage<?> stage) {
        List<Throwable> failures = new ArrayList<>();
        stage.whenComplete((value, failure) -> failures.add(failure));
        world.runUntil(() -> !failures.isEmpty(), Duration.ofMinutes(5));
        assertThat(failures.get(0)).isInstanceOf(ApiException.class);
        ApiException failure = (ApiException) failures.get(0);
        assertThat(failure.getMessage()).doesNotContain(CANARY);
        return failure;
    }

    /** Writes are answered whole, whoever asks: the caches that see them may be of whole objects. */
    @Test
    void metadataIsAskedForByReadsAndNotByWrites() {
        ScriptedServer server = server(peer -> peer.answer(200, configMap("a", "7")));
        ApiClient client = client(server);
        List<RawObject> written = new ArrayList<>();
        client.observeWrites(done -> written.add(Objects.requireNonNull(done.object())));
        ResourceType<?> metadata = CONFIG_MAPS.metadataOnly();

        assertThat(done(client.get(metadata, KEY)).bytes().length)
                .isLessThan(done(client.get(CONFIG_MAPS, KEY)).bytes().length);
        done(client.patch(metadata, KEY, "", ApiClient.PatchKind.MERGE, JSON));
        assertThat(failure(client.listAll(metadata, Query.everywhere()))).isInstanceOf(ApiException.Malformed.class);

        assertThat(written).singleElement().satisfies(object -> assertThat(
                        new String(object.bytes(), StandardCharsets.UTF_8))
                .isEqualTo(configMap("a", "7")));
        String json = "application/json";
        String partial = ";g=meta.k8s.io;v=v1," + json;
        assertThat(server.calls.stream()
                        .map(call -> call.headers().first("Accept").orElse("")))
                .startsWith(
                        json + ";as=PartialObjectMetadata" + partial,
                        json,
                        json,
                        json + ";as=PartialObjectMetadataList" + partial);
        assertThat(WireFormat.json().acceptForWatch(Extent.of(metadata, DroppedPaths.NONE)))
                .isEqualTo(json + ";as=PartialObjectMetadata" + partial);
    }

    @Test
    void eachVerbIsTheRequestThatKubernetesKnows() {
        ScriptedServer server = server(peer -> peer.answer(200, configMap("a", "7")));
        ApiClient client = client(server);

        done(client.get(CONFIG_MAPS, KEY));
        done(client.create(CONFIG_MAPS, KEY, JSON));
        done(client.update(CONFIG_MAPS, KEY, "status", JSON));
        done(client.patch(CONFIG_MAPS, KEY, "", ApiClient.PatchKind.MERGE, JSON));
        done(client.patch(CONFIG_MAPS, KEY, "", ApiClient.PatchKind.JSON, JSON));
        done(client.apply(
                CONFIG_MAPS, KEY, "status", new ApiClient.Apply("me & you", ApiClient.Apply.Force.YES), JSON));
        done(client.delete(CONFIG_MAPS, KEY, new ApiClient.Delete("u\"1", "9", "Foreground")));

        assertThat(server.calls.stream().map(HttpCall::toString))
                .containsExactly(
                        "GET /api/v1/namespaces/default/configmaps/a",
                        "POST /api/v1/namespaces/default/configmaps?fieldManager=test-operator",
                        "PUT /api/v1/namespaces/default/configmaps/a/status?fieldManager=test-operator",
                        "PATCH /api/v1/namespaces/default/configmaps/a?fieldManager=test-operator",
                        "PATCH /api/v1/namespaces/default/configmaps/a?fieldManager=test-operator",
                        "PATCH /api/v1/namespaces/default/configmaps/a/status?fieldManager=me%20%26%20you&force=true",
                        "DELETE /api/v1/namespaces/default/configmaps/a");
        assertThat(server.calls.stream()
                        .map(call -> call.headers().first("Content-Type").orElse("")))
                .containsExactly(
                        "",
                        "application/json",
                        "application/json",
                        "application/merge-patch+json",
                        "application/json-patch+json",
                        "application/apply-patch+yaml",
                        "application/json");
        assertThat(server.calls).allSatisfy(call -> {
            assertThat(call.headers().first("User-Agent")).contains("test-operator/1.0 (linux)");
            assertThat(call.kind()).isEqualTo(HttpCall.Kind.REQUEST);
        });
        assertThat(new String(server.calls.get(6).body(), StandardCharsets.UTF_8))
                .isEqualTo("{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\",\"propagationPolicy\":\"Foreground\","
                        + "\"preconditions\":{\"uid\":\"u\\\"1\",\"resourceVersion\":\"9\"}}");
    }

    @Test
    void pathsFollowGroupAndScope() {
        ScriptedServer server = server(peer -> peer.answer(404, status(404, "NotFound", "")));
        ApiClient client = client(server);

        failure(client.get(ResourceType.of(Deployment.class), KEY));
        failure(client.get(ResourceType.of(Namespace.class), ObjectKey.clusterScoped("default")));
        failure(client.get(
                ResourceType.dynamic(
                        "rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", ResourceType.Scope.CLUSTER),
                ObjectKey.clusterScoped("system:node")));

        assertThat(server.calls.stream().map(HttpCall::target))
                .containsExactly(
                        "/apis/apps/v1/namespaces/default/deployments/a",
                        "/api/v1/namespaces/default",
                        "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:node");
    }

    @ParameterizedTest
    @ValueSource(strings = {"a#b", "a?b=c", "a/b", "../x", "..", ".", "a%2fb", "a b", "ä", "a\nb", "a\\b", "a..b"})
    void nameThatWouldAddressSomethingElseIsNotSent(String name) {
        ScriptedServer server = server(peer -> peer.answer(200, configMap("a", "7")));
        ApiClient client = client(server);
        ObjectKey key = new ObjectKey("default", name);

        for (CompletionStage<?> stage : List.of(
                client.get(CONFIG_MAPS, key),
                client.create(CONFIG_MAPS, key, JSON),
                client.delete(CONFIG_MAPS, key, ApiClient.Delete.ANY))) {
            ApiException refused = failure(stage);
            assertThat(refused).isInstanceOf(ApiException.BadRequest.class).hasMessageContaining("not sent");
            assertThat(refused.getMessage()).doesNotContain("\n");
        }
        assertThat(server.calls).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"a/b", "..", "A", "a.b", "a#", "kube-system?x"})
    void namespaceThatIsNoLabelIsNotSent(String namespace) {
        ScriptedServer server = server(peer -> peer.answer(200, configMap("a", "7")));

        ApiException refused = failure(client(server).get(CONFIG_MAPS, new ObjectKey(namespace, "a")));

        assertThat(refused).isInstanceOf(ApiException.BadRequest.class).hasMessageContaining("namespace");
        assertThat(server.calls).isEmpty();
    }

    @Test
    void scopeAndNamespaceMustAgree() {
        ScriptedServer server = server(peer -> peer.answer(200, configMap("a", "7")));
        ApiClient client = client(server);

        assertThat(failure(client.get(CONFIG_MAPS, ObjectKey.clusterScoped("a"))))
                .hasMessageContaining("namespaced");
        assertThat(failure(client.get(ResourceType.of(Namespace.class), KEY))).hasMessageContaining("cluster-scoped");
        assertThat(server.calls).isEmpty();
    }

    @Test
    void silentServerEndsTheWait() {
        ScriptedServer server = server(peer -> {});
        ApiClient client = client(server);

        assertThat(failure(client.get(CONFIG_MAPS, KEY))).isInstanceOf(ApiException.Unreachable.class);
        assertThat(failure(client.create(CONFIG_MAPS, KEY, JSON))).isInstanceOf(ApiException.OutcomeUnknown.class);
        assertThat(failure(client.delete(CONFIG_MAPS, KEY, ApiClient.Delete.ANY)))
                .isInstanceOf(ApiException.OutcomeUnknown.class);
        assertThat(server.peers).hasSize(3).allSatisfy(peer -> assertThat(peer.cancelled)
                .isTrue());
        assertThat(world.now()).isBetween(Duration.ofSeconds(90), Duration.ofSeconds(91));
    }

    @Test
    void writeWhoseTimeIsOverWhileItWaitsToLeaveIsToldAsNotSent() {
        ScriptedServer server = server(peer -> peer.queued = true);
        ApiClient client = client(server);

        assertThat(failure(client.create(CONFIG_MAPS, KEY, JSON)))
                .isInstanceOf(ApiException.Unreachable.class)
                .hasMessageContaining("not sent")
                .hasMessageContaining("before it could leave");
        assertThat(failure(client.delete(CONFIG_MAPS, KEY, ApiClient.Delete.ANY)))
                .isInstanceOf(ApiException.Unreachable.class);
        assertThat(server.peers).hasSize(2).allSatisfy(peer -> assertThat(peer.cancelled)
                .isTrue());
        assertThat(world.now()).isBetween(Duration.ofSeconds(60), Duration.ofSeconds(61));
    }

    @Test
    void lostAnswerOfAWriteIsUnknownUnlessNothingWasSent() {
        ScriptedServer server = server(peer -> peer.fail(
                peer.call.method().equals("POST") ? TransportException.Sent.NO : TransportException.Sent.MAYBE));
        ApiClient client = client(server);

        assertThat(failure(client.create(CONFIG_MAPS, KEY, JSON))).isInstanceOf(ApiException.Unreachable.class);
        assertThat(failure(client.update(CONFIG_MAPS, KEY, "", JSON))).isInstanceOf(ApiException.OutcomeUnknown.class);
        assertThat(failure(client.get(CONFIG_MAPS, KEY))).isInstanceOf(ApiException.Unreachable.class);
        assertThat(server.calls).hasSize(3);
    }

    @Test
    void closedGateSendsNothing() {
        List<Write> asked = new ArrayList<>();
        ScriptedServer server = server(peer -> peer.answer(200, configMap("a", "7")));
        ApiClient.Settings open = ApiClient.Settings.of("t");
        ApiClient client = ApiClient.over(
                process,
                server,
                new ApiClient.Settings(
                        open.userAgent(),
                        open.requestTimeout(),
                        open.streamTimeout(),
                        write -> {
                            asked.add(write);
                            if (write.verb() == Write.Verb.DELETE) {
                                throw new IllegalStateException(CANARY);
                            }
                            return Optional.of("the lease is lost");
                        },
                        open.compression()));

        assertThat(failure(client.create(CONFIG_MAPS, KEY, JSON)))
                .isInstanceOf(ApiException.GateClosed.class)
                .hasMessageContaining("the lease is lost");
        assertThat(failure(client.delete(CONFIG_MAPS, KEY, ApiClient.Delete.ANY)))
                .isInstanceOf(ApiException.GateClosed.class);
        assertThat(server.calls).isEmpty();
        assertThat(done(client.get(CONFIG_MAPS, KEY)).resourceVersion()).isEqualTo("7");
        assertThat(asked).hasSize(2);
    }

    @Test
    void observersAreToldBeforeTheCallerAndHarmNobody() {
        ScriptedServer server = server(peer -> peer.answer(200, configMap("a", "7")));
        ApiClient client = client(server);
        List<String> order = new ArrayList<>();
        client.observeWrites(done -> {
            throw new IllegalStateException("a broken observer");
        });
        client.observeWrites(done -> {
            throw new NoClassDefFoundError("of an observer");
        });
        Registration second = client.observeWrites(done ->
                order.add("observer " + done.write().verb() + " " + done.uid() + " " + (done.object() == null)));

        done(client.create(CONFIG_MAPS, KEY, JSON).thenAccept(object -> order.add("caller")));
        done(client.get(CONFIG_MAPS, KEY));
        second.close();
        done(client.update(CONFIG_MAPS, KEY, "", JSON));

        assertThat(order).containsExactly("observer CREATE u-a false", "caller");
    }

    @Test
    void interruptedCallerKnowsThatTheOutcomeIsOpenAndTheObserverStillHears() {
        ScriptedServer server = server(peer -> process.after(
                Duration.ofSeconds(3), process.lane("later"), () -> peer.answer(201, configMap("a", "7"))));
        ApiClient client = client(server);
        List<String> told = new ArrayList<>();
        client.observeWrites(done -> told.add(done.uid()));
        List<Throwable> thrown = new ArrayList<>();
        List<Boolean> flags = new ArrayList<>();
        ConfigMap object = new ConfigMapBuilder()
                .withNewMetadata()
                .withName("a")
                .withNamespace("default")
                .endMetadata()
                .build();
        Task task = process.start("caller", () -> {
            try {
                client.blocking().create(object);
            } catch (ApiException e) {
                thrown.add(e);
                flags.add(Thread.currentThread().isInterrupted());
            }
            try {
                client.blocking().create(object); // interrupted already: nothing may leave
            } catch (ApiException e) {
                thrown.add(e);
            }
        });
        world.runUntil(() -> !server.calls.isEmpty(), Duration.ofSeconds(1));
        task.interrupt();
        world.runUntil(() -> thrown.size() == 2 && !told.isEmpty(), Duration.ofSeconds(10));

        assertThat(thrown.get(0)).isInstanceOf(ApiException.OutcomeUnknown.class);
        assertThat(flags).containsExactly(true);
        assertThat(thrown.get(1)).isInstanceOf(ApiException.Unreachable.class).hasMessageContaining("not sent");
        assertThat(server.calls).hasSize(1);
        assertThat(told).containsExactly("u-a");
    }

    @ParameterizedTest
    @CsvSource({
        "400,BadRequest,BadRequest",
        "401,Unauthorized,Unauthorized",
        "403,Forbidden,Forbidden",
        "404,NotFound,NotFound",
        "409,AlreadyExists,AlreadyExists",
        "409,Conflict,Conflict",
        "410,Expired,Gone",
        "410,Gone,Gone",
        "415,UnsupportedMediaType,BadRequest",
        "422,Invalid,Invalid",
        "429,TooManyRequests,TooManyRequests",
        "500,InternalError,ServerError",
        "503,ServiceUnavailable,ServerError",
        "504,Timeout,ServerError",
        "500,Expired,Gone",
        "500,NewReason,ServerError",
        "418,NewReason,BadRequest",
    })
    void errorsAreToldByReasonThenByCode(int code, String reason, String type) {
        ScriptedServer server = server(peer -> peer.answer(code, status(code, reason, "")));

        ApiException failure = failure(client(server).get(CONFIG_MAPS, KEY));

        assertThat(failure.getClass().getSimpleName()).isEqualTo(type);
        assertThat(failure.answer().code()).isEqualTo(code);
        assertThat(failure)
                .hasMessageContaining("get configmaps/v1 default/a")
                .hasMessageContaining("the server's words");
    }

    @ParameterizedTest
    @CsvSource({
        "301,BadRequest",
        "400,BadRequest",
        "401,Unauthorized",
        "403,Forbidden",
        "404,NotFound",
        "409,Conflict",
        "410,Gone",
        "422,Invalid",
        "429,TooManyRequests",
        "500,ServerError",
        "502,ServerError",
        "503,ServerError",
        "504,ServerError"
    })
    void answersWithoutAStatusAreToldByCodeAndNeverQuoted(int code, String type) {
        ScriptedServer server = server(
                peer -> peer.answer(code, "<html>" + CANARY + "</html>", "Content-Type", "text/html; charset=utf-8"));

        ApiException failure = failure(client(server).get(CONFIG_MAPS, KEY));

        assertThat(failure.getClass().getSimpleName()).isEqualTo(type);
        assertThat(failure).hasMessageContaining("text/html");
    }

    @ParameterizedTest
    @ValueSource(ints = {500, 502, 503, 504, 520, 524, 599})
    void gatewayThatLostTheAnswerLeavesTheOutcomeOpen(int code) {
        ScriptedServer server = server(peer -> peer.answer(code, "", "Retry-After", "3"));

        ApiException failure = failure(client(server).create(CONFIG_MAPS, KEY, JSON));

        assertThat(failure).isInstanceOf(ApiException.OutcomeUnknown.class);
        assertThat(failure.retryAfter()).contains(Duration.ofSeconds(3));
    }

    /** kube-apiserver's own 503 is a Status, and comes before anything is done. */
    @Test
    void serverThatSaysItselfThatItIsNotThereHasDoneNothing() {
        ScriptedServer server = server(peer -> peer.answer(503, status(503, "ServiceUnavailable", "")));

        assertThat(failure(client(server).create(CONFIG_MAPS, KEY, JSON))).isInstanceOf(ApiException.ServerError.class);
    }

    @Test
    void nameThatTheServerMadeOfALongPrefixIsOurs() {
        String prefix = "a-prefix-of-more-characters-than-the-server-leaves-of-it-in-the-end-";
        String name = prefix.substring(0, 58) + "x7k2p";
        ScriptedServer server = server(peer -> peer.answer(201, configMap(name, "7")));
        ApiClient client = client(server);
        List<String> told = new ArrayList<>();
        client.observeWrites(done -> told.add(done.uid()));

        RawObject created = done(client.create(CONFIG_MAPS, new ObjectKey("default", prefix), JSON));

        assertThat(created.key().name()).isEqualTo(name);
        assertThat(told).containsExactly("u-" + name);
    }

    @Test
    void answerToACreateThatIsAnotherObjectLeavesTheOutcomeOpen() {
        ScriptedServer server = server(peer -> peer.answer(201, configMap("other", "7")));

        assertThat(failure(client(server).create(CONFIG_MAPS, KEY, JSON)))
                .isInstanceOf(ApiException.OutcomeUnknown.class);
    }

    @ParameterizedTest
    @ValueSource(strings = {"scale", "eviction", "token", "anything"})
    void subresourceThatIsNotTheObjectIsNotWritten(String subresource) {
        ScriptedServer server = server(peer -> peer.answer(200, configMap("a", "7")));
        ApiClient client = client(server);

        for (CompletionStage<?> stage : List.of(
                client.update(CONFIG_MAPS, KEY, subresource, JSON),
                client.patch(CONFIG_MAPS, KEY, subresource, ApiClient.PatchKind.MERGE, JSON),
                client.apply(
                        CONFIG_MAPS, KEY, subresource, new ApiClient.Apply("me", ApiClient.Apply.Force.NO), JSON))) {
            assertThat(failure(stage))
                    .isInstanceOf(ApiException.BadRequest.class)
                    .hasMessageContaining("not sent")
                    .hasMessageContaining(subresource);
        }
        assertThat(server.calls).isEmpty();
        assertThat(done(client.update(CONFIG_MAPS, KEY, "approval", JSON)).resourceVersion())
                .isEqualTo("7");
    }

    /** As kube-apiserver 1.37 passes on what etcd's client said: a Status without a reason. */
    @Test
    void etcdsOwnWordsLeaveTheOutcomeOfAWriteOpenAndARefusalWithAReasonDoesNot() {
        ScriptedServer silent = server(peer -> peer.answer(
                500,
                "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\","
                        + "\"message\":\"etcdserver: request timed out\",\"code\":500}"));
        ScriptedServer webhook = server(peer -> peer.answer(500, status(500, "InternalError", "")));

        assertThat(failure(client(silent).create(CONFIG_MAPS, KEY, JSON)))
                .isInstanceOf(ApiException.OutcomeUnknown.class)
                .hasMessageContaining("etcdserver: request timed out");
        assertThat(failure(client(silent).get(CONFIG_MAPS, KEY))).isInstanceOf(ApiException.ServerError.class);
        assertThat(failure(client(webhook).create(CONFIG_MAPS, KEY, JSON)))
                .isInstanceOf(ApiException.ServerError.class);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "Invalid value: \"CANARY\": must be short|Invalid value: (not shown): must be short",
                "Invalid value: \"a \\\" CANARY\": must be short|Invalid value: (not shown): must be short",
                "Unsupported value: \"CANARY\": supported values: \"a\"|Unsupported value: (not shown): supported values: \"a\"",
                "Duplicate value: \"CANARY\"|Duplicate value: (not shown)",
                "Not found: \"CANARY\"|Not found: (not shown)",
                "Invalid value: 4711: must be odd|Invalid value: (not shown): must be odd",
                "Invalid value: {\"k\":\"CANARY\"}: must be short|Invalid value: (not shown)",
                "Invalid value: \"CANARY|Invalid value: (not shown)",
                "Required value: name it|Required value: name it",
                "expected string, got &value.valueUnstructured{Value:\"CANARY\"}|expected string, got (not shown)",
            })
    void valuesThatTheServerQuotesAreNotShown(String words, String shown) {
        String quoted = words.replace("CANARY", CANARY).replace("\\", "\\\\").replace("\"", "\\\"");
        String body = "{\"kind\":\"Status\",\"message\":\"ConfigMap \\\"a\\\" is invalid: [spec.a: " + quoted
                + ", spec.b: Required value]\",\"reason\":\"Invalid\",\"code\":422%s}";
        String causes =
                ",\"details\":{\"causes\":[{\"reason\":\"FieldValueInvalid\",\"field\":\"spec.a\",\"message\":\""
                        + quoted
                        + "\"},{\"reason\":\"FieldValueRequired\",\"field\":\"spec.b\",\"message\":\"Required value\"}]}";
        ScriptedServer bare = server(peer -> peer.answer(422, body.formatted("")));
        ScriptedServer whole = server(peer -> peer.answer(422, body.formatted(causes)));

        ApiException withoutCauses = failure(client(bare).create(CONFIG_MAPS, KEY, JSON));
        ApiException withCauses = failure(client(whole).create(CONFIG_MAPS, KEY, JSON));

        assertThat(withoutCauses).isInstanceOf(ApiException.Invalid.class).hasMessageContaining("spec.a: " + shown);
        assertThat(withCauses)
                .isInstanceOf(ApiException.Invalid.class)
                .hasMessageContaining("ConfigMap \"a\" is invalid: spec.a: " + shown + ", spec.b: Required value");
        assertThat(withCauses.answer().toString() + withoutCauses.answer())
                .doesNotContain(CANARY)
                .doesNotContain("4711");
    }

    @Test
    void reviewNeedsNoNameAndComesBackWithItsStatus() {
        ScriptedServer server = server(peer -> peer.answer(
                201,
                "{\"kind\":\"SelfSubjectAccessReview\",\"apiVersion\":\"authorization.k8s.io/v1\",\"metadata\":{\"creationTimestamp\":null},"
                        + "\"spec\":{},\"status\":{\"allowed\":true,\"reason\":\"RBAC\"}}"));
        BlockingApiClient client = client(server).blocking();
        List<Object> got = new ArrayList<>();
        process.start("caller", () -> {
            io.fabric8.kubernetes.api.model.authorization.v1.SelfSubjectAccessReview review =
                    new io.fabric8.kubernetes.api.model.authorization.v1.SelfSubjectAccessReviewBuilder()
                            .withNewSpec()
                            .withNewResourceAttributes()
                            .withVerb("list")
                            .withResource("pods")
                            .endResourceAttributes()
                            .endSpec()
                            .build();
            got.add(client.create(review).getStatus().getAllowed());
        });
        world.runUntil(() -> got.size() == 1, Duration.ofMinutes(1));

        assertThat(got).containsExactly(true);
        assertThat(server.calls.get(0).method()).isEqualTo("POST");
        assertThat(server.calls.get(0).target()).isEqualTo("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "1.17.0 to 1.18.5 | the server's words | [{\"message\":\"Too large resource version\"}]",
                "before 1.17 | Too large resource version: 9, current: 8 | []",
            })
    void versionFromTheFutureIsToldAlsoByOlderServers(String servers, String message, String causes) {
        ScriptedServer server = server(peer -> peer.answer(
                504,
                status(504, "Timeout", ",\"details\":{\"causes\":" + causes + ",\"retryAfterSeconds\":1}")
                        .replace("the server's words", message)));

        assertThat(failure(client(server).get(CONFIG_MAPS, KEY)))
                .as(servers)
                .isInstanceOf(ApiException.VersionTooLarge.class);
    }

    @Test
    void versionFromTheFutureIsTold() {
        ScriptedServer server = server(
                peer -> peer.answer(
                        504,
                        status(
                                504,
                                "Timeout",
                                ",\"details\":{\"causes\":[{\"reason\":\"ResourceVersionTooLarge\",\"message\":\"m\"}],\"retryAfterSeconds\":1}")));

        ApiException failure = failure(client(server).get(CONFIG_MAPS, KEY));

        assertThat(failure).isInstanceOf(ApiException.VersionTooLarge.class);
        assertThat(failure.retryAfter()).contains(Duration.ofSeconds(1));
        assertThat(failure.answer().causes())
                .containsExactly(new ApiException.Cause("ResourceVersionTooLarge", "", "m"));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "7|PT7S",
                "Wed, 21 Oct 2015 07:28:09 GMT|PT9S",
                "Wed, 21 Oct 2015 07:27:00 GMT|PT0S",
                "999999999|PT24H",
                "soon|PT2S",
                "-1|PT2S"
            })
    void retryAfterIsSecondsOrADateByTheServersClock(String header, String wait) {
        ScriptedServer server = server(peer -> peer.answer(
                429,
                status(429, "TooManyRequests", ",\"details\":{\"retryAfterSeconds\":2}"),
                "Date",
                "Wed, 21 Oct 2015 07:28:00 GMT",
                "Retry-After",
                header));

        assertThat(failure(client(server).get(CONFIG_MAPS, KEY)).retryAfter()).contains(Duration.parse(wait));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "<html>canary-5ecret</html>",
                "{\"kind\":\"ConfigMap\",\"data\":\"canary-5ecret",
                "{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/v1\",\"rows\":[\"canary-5ecret\"]}",
                "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"message\":\"canary-5ecret\"}",
                "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"other\",\"namespace\":\"default\","
                        + "\"uid\":\"u\",\"resourceVersion\":\"1\"},\"data\":{\"k\":\"canary-5ecret\"}}",
                "[]",
                "null",
                "\u0000\u0001"
            })
    void successWithAnotherContentIsMalformedForReadsAndOpenForWrites(String body) {
        ScriptedServer server = server(peer -> peer.answer(200, body));
        ApiClient client = client(server);

        assertThat(failure(client.get(CONFIG_MAPS, KEY))).isInstanceOf(ApiException.Malformed.class);
        ApiException written = failure(client.update(CONFIG_MAPS, KEY, "", JSON));
        assertThat(written).isInstanceOf(ApiException.OutcomeUnknown.class);
        for (Throwable t = written; t != null; t = t.getCause()) {
            assertThat(String.valueOf(t.getMessage())).doesNotContain(CANARY);
        }
    }

    @Test
    void compressedAnswerIsInflatedAlsoWhenNobodyAskedForIt() {
        ScriptedServer server = server(peer -> peer.head(200, "Content-Encoding", "gzip")
                .chunk(Gzip.members(configMap("a", "7").getBytes(StandardCharsets.UTF_8), 50))
                .end());

        assertThat(done(client(server).get(CONFIG_MAPS, KEY)).resourceVersion()).isEqualTo("7");
    }

    @Test
    void deleteTellsWhetherTheObjectIsGone() {
        List<WriteObserver.Done> told = new ArrayList<>();
        List<String> answers = new ArrayList<>(List.of(
                "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Success\",\"details\":{\"name\":\"a\",\"uid\":\"u-9\"}}",
                configMap("a", "8")
                        .replace(
                                "\"uid\"",
                                "\"deletionTimestamp\":\"2026-01-01T00:00:00Z\",\"finalizers\":[\"x/y\"],\"uid\"")));
        ScriptedServer server = server(peer -> peer.answer(200, answers.remove(0)));
        ApiClient client = client(server);
        client.observeWrites(told::add);

        assertThat(done(client.delete(CONFIG_MAPS, KEY, ApiClient.Delete.ANY))).isNull();
        RawObject held = done(client.delete(CONFIG_MAPS, KEY, ApiClient.Delete.ANY));

        assertThat(held).isNotNull();
        assertThat(told).hasSize(2);
        assertThat(told.get(0).uid()).isEqualTo("u-9");
        assertThat(told.get(0).object()).isNull();
        assertThat(told.get(1).object()).isNotNull();
    }

    /** What a server, or a proxy in its place, may answer to a delete with 200 and without naming an object. */
    private static final String SUCCESS =
            "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Success\"}";

    @ParameterizedTest
    @ValueSource(strings = {"", SUCCESS})
    void deleteThatIsAnsweredWithoutNamingTheObjectIsLookedUp(String answer) {
        List<WriteObserver.Done> told = new ArrayList<>();
        List<String> found = new ArrayList<>();
        ScriptedServer server = server(peer -> {
            if (peer.call.method().equals("DELETE")) {
                peer.answer(200, answer);
            } else if (found.isEmpty()) {
                peer.answer(404, status(404, "NotFound", ",\"details\":{\"name\":\"a\"}"));
            } else {
                peer.answer(200, found.get(0));
            }
        });
        ApiClient client = client(server);
        client.observeWrites(told::add);

        assertThat(done(client.delete(CONFIG_MAPS, KEY, ApiClient.Delete.of("u-a"))))
                .isNull();
        assertThat(told).hasSize(1);
        assertThat(told.get(0).object()).isNull();
        assertThat(told.get(0).uid()).isEqualTo("u-a");

        found.add(configMap("a", "8")
                .replace("\"uid\"", "\"deletionTimestamp\":\"2026-01-01T00:00:00Z\",\"finalizers\":[\"x/y\"],\"uid\""));
        RawObject held = done(client.delete(CONFIG_MAPS, KEY, ApiClient.Delete.of("u-a")));
        assertThat(held).isNotNull();
        assertThat(told).hasSize(2);
        assertThat(told.get(1).object()).isEqualTo(held);

        found.set(0, configMap("a", "8"));
        assertThat(done(client.delete(CONFIG_MAPS, KEY, ApiClient.Delete.of("an earlier one"))))
                .isNull();
        assertThat(told).hasSize(3);
        assertThat(told.get(2).uid()).isEqualTo("an earlier one");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", SUCCESS})
    void deleteThatAProxyAnsweredAndNeverPassedOnIsToldToNobodyAndItsOutcomeIsOpen(String answer) {
        List<WriteObserver.Done> told = new ArrayList<>();
        ScriptedServer server =
                server(peer -> peer.answer(200, peer.call.method().equals("DELETE") ? answer : configMap("a", "8")));
        ApiClient client = client(server);
        client.observeWrites(told::add);

        for (ApiClient.Delete how : List.of(ApiClient.Delete.of("u-a"), ApiClient.Delete.ANY)) {
            assertThat(failure(client.delete(CONFIG_MAPS, KEY, how)))
                    .isInstanceOf(ApiException.OutcomeUnknown.class)
                    .hasMessageContaining("still there");
        }
        assertThat(told).isEmpty();
        assertThat(server.calls.stream().map(HttpCall::method)).containsExactly("DELETE", "GET", "DELETE", "GET");
    }

    @Test
    void deleteThatNamedNoObjectAndCannotBeLookedUpIsOpen() {
        List<WriteObserver.Done> told = new ArrayList<>();
        ScriptedServer server = server(peer -> {
            if (peer.call.method().equals("DELETE")) {
                peer.answer(204, "");
            } else {
                peer.answer(404, "404 page not found"); // of the type, not of the object
            }
        });
        ApiClient client = client(server);
        client.observeWrites(told::add);

        assertThat(failure(client.delete(CONFIG_MAPS, KEY, ApiClient.Delete.of("u-a"))))
                .isInstanceOf(ApiException.OutcomeUnknown.class);
        assertThat(told).isEmpty();
    }

    @Test
    void deleteAnsweredWithSomethingElseIsToldToNobodyAndItsOutcomeIsOpen() {
        List<WriteObserver.Done> told = new ArrayList<>();
        List<String> answers = new ArrayList<>(List.of(
                "<html>welcome</html>",
                "{}",
                "[]",
                configMap("b", "8"),
                configMap("a", "8").replace("ConfigMap", "Table"),
                status(500, "InternalError", ",\"details\":{\"name\":\"a\",\"uid\":\"u-a\"}")));
        ScriptedServer server = server(peer -> peer.answer(200, answers.remove(0)));
        ApiClient client = client(server);
        client.observeWrites(told::add);

        while (!answers.isEmpty()) {
            String answer = answers.get(0);
            assertThat(failure(client.delete(CONFIG_MAPS, KEY, ApiClient.Delete.of("u-a"))))
                    .as(answer)
                    .isInstanceOf(ApiException.OutcomeUnknown.class);
        }
        assertThat(told).isEmpty();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "'\"uid\"'|true", // as Services are answered
                "'\"deletionTimestamp\":\"2026-01-01T00:00:00Z\",\"deletionGracePeriodSeconds\":0,\"uid\"'|true",
                "'\"deletionTimestamp\":\"2026-01-01T00:00:00Z\",\"deletionGracePeriodSeconds\":30,\"uid\"'|false",
                "'\"deletionTimestamp\":\"2026-01-01T00:00:00Z\",\"deletionGracePeriodSeconds\":0,\"finalizers\":[\"x/y\"],\"uid\"'|false",
            })
    void lastStateInTheAnswerToADeleteIsNoObjectThatIsThere(String metadata, boolean gone) {
        List<WriteObserver.Done> told = new ArrayList<>();
        ScriptedServer server =
                server(peer -> peer.answer(200, configMap("a", "8").replace("\"uid\"", metadata)));
        ApiClient client = client(server);
        client.observeWrites(told::add);

        RawObject answered = done(client.delete(CONFIG_MAPS, KEY, ApiClient.Delete.ANY));

        assertThat(answered == null).isEqualTo(gone);
        assertThat(told).hasSize(1);
        assertThat(told.get(0).object() == null).isEqualTo(gone);
        assertThat(told.get(0).uid()).isEqualTo("u-a");
    }

    @Test
    void kindWithoutAClassIsWrittenAfterAskingTheServerForItsResource() {
        ScriptedServer server = server(peer -> {
            if (peer.call.method().equals("GET")) {
                peer.answer(
                        200,
                        "{\"kind\":\"APIResourceList\",\"resources\":["
                                + "{\"name\":\"widgets\",\"kind\":\"Widget\",\"namespaced\":true}]}");
            } else {
                peer.answer(
                        201, configMap("a", "8").replace("ConfigMap", "Widget").replace("\"v1\"", "\"e.x/v1\""));
            }
        });
        BlockingApiClient client = client(server).blocking();
        GenericKubernetesResource widget = new GenericKubernetesResource();
        widget.setApiVersion("e.x/v1");
        widget.setKind("Widget");
        widget.setMetadata(new io.fabric8.kubernetes.api.model.ObjectMetaBuilder()
                .withName("a")
                .withNamespace("default")
                .build());
        GenericKubernetesResource absent = new GenericKubernetesResource();
        absent.setApiVersion("e.x/v1");
        absent.setKind("Gadget");
        absent.setMetadata(widget.getMetadata());
        List<Object> got = new ArrayList<>();
        process.start("caller", () -> {
            got.add(client.create(widget).getKind());
            try {
                client.create(absent);
            } catch (ApiException.NotFound e) {
                got.add("not served");
            }
        });
        world.runUntil(() -> got.size() == 2, Duration.ofMinutes(1));

        assertThat(got).containsExactly("Widget", "not served");
        assertThat(server.calls.stream().map(HttpCall::target))
                .satisfiesExactly(
                        root -> assertThat(root).isEqualTo("/apis"),
                        version -> assertThat(version).isEqualTo("/apis/e.x/v1"),
                        create -> assertThat(create).startsWith("/apis/e.x/v1/namespaces/default/widgets?"));
    }

    @Test
    void createdNameMayBeGenerated() {
        ScriptedServer server = server(peer -> peer.answer(201, configMap("a-x7k2p", "8")));

        RawObject created = done(client(server).create(CONFIG_MAPS, new ObjectKey("default", "a-"), JSON));

        assertThat(created.key().name()).isEqualTo("a-x7k2p");
    }

    @Test
    void discoveryFindsAndMisses() {
        ScriptedServer server = server(peer -> {
            if (peer.call.target().equals("/apis/apps/v1")) {
                peer.answer(
                        200,
                        "{\"kind\":\"APIResourceList\",\"groupVersion\":\"apps/v1\",\"resources\":["
                                + "{\"name\":\"deployments/status\",\"kind\":\"Deployment\",\"namespaced\":true},"
                                + "{\"name\":\"deployments\",\"kind\":\"Deployment\",\"namespaced\":true}]}");
            } else if (peer.call.target().equals("/api/v1")) {
                peer.answer(200, "<html/>");
            } else {
                peer.answer(404, "404 page not found");
            }
        });
        Discovery discovery = client(server).discovery();

        assertThat(done(discovery.serves(ResourceType.of(Deployment.class)))).isTrue();
        assertThat(done(discovery.find("apps", "v1", "Deployment")).map(ResourceType::plural))
                .contains("deployments");
        assertThat(done(discovery.find("apps", "v1", "Nothing"))).isEmpty();
        assertThat(done(discovery.find("absent.example.com", "v1", "Deployment")))
                .isEmpty();
        assertThat(failure(discovery.serves(CONFIG_MAPS))).isInstanceOf(ApiException.Malformed.class);
        assertThat(failure(discovery.find("../x", "v1", "K"))).isInstanceOf(ApiException.BadRequest.class);
    }

    @Test
    void blockingFaceDecodesAndTellsAbsence() {
        ScriptedServer server = server(peer -> {
            if (peer.call.target().endsWith("/unserved")) {
                peer.answer(404, status(404, "NotFound", ",\"details\":{}"));
            } else if (peer.call.method().equals("DELETE") || peer.call.target().endsWith("/absent")) {
                String name = peer.call.target().replaceAll(".*/|[?].*", "");
                peer.answer(404, status(404, "NotFound", ",\"details\":{\"name\":\"" + name + "\"}"));
            } else {
                peer.answer(200, configMap("a", "7"));
            }
        });
        BlockingApiClient client = client(server).blocking();
        List<Object> got = new ArrayList<>();
        process.start("caller", () -> {
            got.add(client.get(CONFIG_MAPS, KEY).orElseThrow().getData().get("k"));
            got.add(client.get(CONFIG_MAPS, new ObjectKey("default", "absent")).isPresent());
            got.add(client.delete(CONFIG_MAPS, KEY, ApiClient.Delete.ANY));
            got.add(client.patch(CONFIG_MAPS, KEY, "", ApiClient.PatchKind.MERGE, "{}")
                    .getMetadata()
                    .getName());
            ObjectKey unserved = new ObjectKey("default", "unserved");
            for (Runnable request : List.<Runnable>of(
                    () -> client.get(CONFIG_MAPS, unserved),
                    () -> client.delete(CONFIG_MAPS, unserved, ApiClient.Delete.ANY))) {
                try {
                    request.run();
                } catch (ApiException.NotFound typeIsMissing) {
                    got.add("not served");
                }
            }
        });
        world.runUntil(() -> got.size() == 6, Duration.ofMinutes(1));

        assertThat(got).containsExactly(CANARY, false, false, "a", "not served", "not served");
    }

    @Test
    void blockingFaceOnAnEngineLaneSendsNothing() {
        ScriptedServer server = server(peer -> peer.answer(200, configMap("a", "7")));
        BlockingApiClient client = client(server).blocking();
        List<Throwable> thrown = new ArrayList<>();
        process.lane("engine").execute(() -> {
            try {
                client.patch(CONFIG_MAPS, KEY, "", ApiClient.PatchKind.MERGE, "{}");
            } catch (IllegalStateException e) {
                thrown.add(e);
            }
        });
        world.runUntil(() -> !thrown.isEmpty(), Duration.ofSeconds(1));

        assertThat(server.calls).isEmpty();
    }

    @Test
    void objectWithoutANameIsRefusedInWords() {
        ApiClient client = client(server(peer -> {}));

        assertThatThrownBy(() -> client.blocking().create(new ConfigMap()))
                .isInstanceOf(ApiException.BadRequest.class)
                .hasMessageContaining("metadata.name");
    }
}
