package io.homeostat.client;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.authorization.v1.SelfSubjectAccessReview;
import io.homeostat.core.HttpCall;
import io.homeostat.core.TransportException;
import io.homeostat.virtualruntime.VirtualProcess;
import io.homeostat.virtualruntime.VirtualWorld;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.CompletionStage;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What is remembered of what a server serves, and what is asked for again, and when. */
class RestMapperTest {
    private static final String AGGREGATED =
            """
            {"kind":"APIGroupDiscoveryList","apiVersion":"apidiscovery.k8s.io/v2","items":[
            {"metadata":{"name":"apps"},"versions":[{"version":"v1","freshness":"Current","resources":[
              {"resource":"deployments","responseKind":{"group":"apps","version":"v1","kind":"Deployment"},"scope":"Namespaced",
               "subresources":[{"subresource":"status","responseKind":{"kind":"Deployment"}}]}]}]},
            {"metadata":{"name":"example.com"},"versions":[
              {"version":"v2","freshness":"Current","resources":[{"resource":"parts","responseKind":{"kind":"Part"},"scope":"Cluster"}]},
              {"version":"v1","freshness":"Current","resources":[{"resource":"parts","responseKind":{"kind":"Part"},"scope":"Cluster"},
                                                       {"resource":"olds","responseKind":{"kind":"Old"},"scope":"Cluster"}]}]},
            {"metadata":{"name":"down.example.com"},"versions":[{"version":"v1","freshness":"Stale"}]}]}""";
    private static final String LEGACY =
            """
            {"kind":"APIGroupList","groups":[{"name":"apps","versions":[{"version":"v1"}],"preferredVersion":{"version":"v1"}},
            {"name":"example.com","versions":[{"version":"v1"},{"version":"v2"}],"preferredVersion":{"version":"v2"}}]}""";

    private final VirtualWorld world = VirtualWorld.seeded(5);
    private final VirtualProcess process = world.process("client");
    private final Map<String, String> documents = new TreeMap<>();
    private final List<String> broken = new ArrayList<>(); // answered 503
    private final List<String> absent = new ArrayList<>(); // objects that are not there
    private final List<String> held = new ArrayList<>(); // answered when the test wants it
    private final List<ScriptedServer.Peer> waiting = new ArrayList<>();
    private boolean away;
    private final ScriptedServer server = new ScriptedServer(process, peer -> {
        if (held.contains(peer.call.target())) {
            waiting.add(peer);
        } else if (away) {
            peer.fail(TransportException.Sent.NO);
        } else if (broken.contains(peer.call.target())) {
            peer.answer(503, "service unavailable");
        } else if (absent.contains(peer.call.target())) {
            peer.answer(
                    404,
                    "{\"kind\":\"Status\",\"status\":\"Failure\",\"reason\":\"NotFound\",\"code\":404,\"details\":{\"name\":\"a\"}}");
        } else if (documents.containsKey(peer.call.target())) {
            peer.answer(200, documents.get(peer.call.target()));
        } else {
            peer.answer(404, "404 page not found");
        }
    });
    private final ApiClient client = ApiClient.over(process, server, ApiClient.Settings.of("test/1"));
    private final Discovery discovery = client.discovery();

    @AfterEach
    void end() {
        world.close();
    }

    private static String list(String... kinds) {
        StringBuilder out = new StringBuilder("{\"kind\":\"APIResourceList\",\"resources\":[");
        for (String kind : kinds) {
            String plural = kind.toLowerCase(java.util.Locale.ROOT) + "s";
            out.append("{\"name\":\"" + plural + "/status\",\"kind\":\"" + kind + "\",\"namespaced\":true},{\"name\":\""
                    + plural + "\",\"kind\":\"" + kind + "\",\"namespaced\":true},");
        }
        out.setLength(kinds.length == 0 ? out.length() : out.length() - 1);
        return out.append("]}").toString();
    }

    private <T> T done(CompletionStage<T> stage) {
        world.runUntil(() -> stage.toCompletableFuture().isDone(), Duration.ofMinutes(2));
        return stage.toCompletableFuture().join();
    }

    private Throwable failure(CompletionStage<?> stage) {
        List<Throwable> failures = new ArrayList<>();
        stage.whenComplete((value, failure) -> failures.add(failure));
        world.runUntil(() -> !failures.isEmpty(), Duration.ofMinutes(2));
        return failures.get(0);
    }

    private String plural(String group, String version, String kind) {
        return done(discovery.find(group, version, kind))
                .map(ResourceType::plural)
                .orElse("-");
    }

    private String preferred(String group, String kind) {
        return done(discovery.preferred(group, kind))
                .map(ResourceType::toString)
                .orElse("-");
    }

    /** The targets asked for since this was last asked. */
    private List<String> asked() {
        List<String> targets = server.calls.stream().map(HttpCall::target).toList();
        server.calls.clear();
        return targets;
    }

    private void later(Duration span) {
        world.runFor(span);
    }

    @Test
    void oneDocumentAnswersForAllGroups() {
        documents.put("/apis", AGGREGATED);

        assertThat(done(discovery.find("apps", "v1", "Deployment"))).hasValueSatisfying(found -> {
            assertThat(found.plural()).isEqualTo("deployments");
            assertThat(found.scope()).isEqualTo(ResourceType.Scope.NAMESPACED);
        });
        assertThat(server.calls.get(0).headers().first("Accept")).hasValueSatisfying(accept -> assertThat(accept)
                .startsWith("application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"));
        assertThat(plural("example.com", "v1", "Old")).isEqualTo("olds");
        assertThat(preferred("example.com", "Part")).isEqualTo("parts.example.com/v2");
        assertThat(preferred("example.com", "Old")).isEqualTo("olds.example.com/v1");

        assertThat(asked()).containsExactly("/apis");
    }

    @Test
    void serverWithoutTheOneDocumentIsAskedForWhatIsNeeded() {
        documents.put("/apis", LEGACY);
        documents.put("/apis/apps/v1", list("Deployment"));
        documents.put("/apis/example.com/v2", list("Part"));
        documents.put("/apis/example.com/v1", list("Part", "Old"));
        documents.put("/api", "{\"kind\":\"APIVersions\",\"versions\":[\"v1\"]}");
        documents.put("/api/v1", list("Pod"));

        assertThat(plural("apps", "v1", "Deployment")).isEqualTo("deployments");
        assertThat(asked()).containsExactly("/apis", "/apis/apps/v1");
        assertThat(preferred("example.com", "Old")).isEqualTo("olds.example.com/v1");
        assertThat(asked()).containsExactly("/apis/example.com/v2", "/apis/example.com/v1");
        assertThat(preferred("", "Pod")).isEqualTo("pods/v1");
        assertThat(asked()).containsExactly("/api", "/api/v1");
        assertThat(plural("", "v1", "Pod")).isEqualTo("pods");
        assertThat(asked()).isEmpty();
    }

    @Test
    void serverThatDoesNotShowItsRootIsAskedForGroupVersions() {
        documents.put("/apis/apps/v1", list("Deployment"));

        assertThat(plural("apps", "v1", "Deployment")).isEqualTo("deployments");
        assertThat(asked()).containsExactly("/apis", "/apis/apps/v1");
        assertThat(plural("apps", "v2", "Deployment")).isEqualTo("-");
        assertThat(asked()).containsExactly("/apis/apps/v2");
    }

    @Test
    void whatIsMissedIsAskedForOnceInFiveSecondsAndFoundWhenItIsInstalled() {
        documents.put("/apis", AGGREGATED);
        assertThat(plural("new.example.com", "v1", "Part")).isEqualTo("-");
        assertThat(asked()).containsExactly("/apis", "/apis/new.example.com/v1");
        assertThat(plural("new.example.com", "v1", "Part")).isEqualTo("-");
        assertThat(plural("apps", "v1", "Part")).isEqualTo("-");
        assertThat(preferred("new.example.com", "Part")).isEqualTo("-");
        assertThat(asked()).containsExactly("/apis/new.example.com");

        documents.put("/apis/new.example.com/v1", list("Part"));
        documents.put("/apis/apps/v1", list("Deployment", "Part"));
        documents.put(
                "/apis/new.example.com",
                "{\"kind\":\"APIGroup\",\"versions\":[{\"version\":\"v1\"}],\"preferredVersion\":{\"version\":\"v1\"}}");
        assertThat(plural("new.example.com", "v1", "Part")).isEqualTo("-");
        assertThat(asked()).isEmpty();
        later(Duration.ofSeconds(5));

        assertThat(plural("new.example.com", "v1", "Part")).isEqualTo("parts");
        assertThat(plural("apps", "v1", "Part")).isEqualTo("parts");
        assertThat(preferred("new.example.com", "Part")).isEqualTo("parts.new.example.com/v1");
        assertThat(asked()).containsExactly("/apis/new.example.com/v1", "/apis/apps/v1", "/apis/new.example.com");
        assertThat(plural("new.example.com", "v1", "Part")).isEqualTo("parts");
        assertThat(asked()).isEmpty();
    }

    @Test
    void kindThatIsInstalledInAVersionBeyondTheKnownOnesIsFound() {
        documents.put("/apis", AGGREGATED);
        assertThat(preferred("apps", "Part")).isEqualTo("-");
        later(Duration.ofSeconds(5));
        documents.put(
                "/apis/apps",
                "{\"kind\":\"APIGroup\",\"versions\":[{\"version\":\"v1\"},{\"version\":\"v2\"}],\"preferredVersion\":{\"version\":\"v1\"}}");
        documents.put("/apis/apps/v1", list("Deployment"));
        documents.put("/apis/apps/v2", list("Part"));

        assertThat(preferred("apps", "Part")).isEqualTo("parts.apps/v2");
    }

    @Test
    void removedDefinitionIsNoticedWhenItsTypeIsNotServedAndOtherwiseInTime() {
        documents.put("/apis", AGGREGATED);
        ResourceType<?> part = done(discovery.find("example.com", "v2", "Part")).orElseThrow();
        ResourceType<?> old = done(discovery.find("example.com", "v1", "Old")).orElseThrow();
        documents.put("/apis/example.com/v2", list());
        asked();
        assertThat(plural("example.com", "v2", "Part")).as("nobody knows yet").isEqualTo("parts");
        assertThat(asked()).isEmpty();

        failure(client.get(part, ObjectKey.clusterScoped("a")));
        asked();
        assertThat(plural("example.com", "v2", "Part")).isEqualTo("-");
        assertThat(asked()).containsExactly("/apis/example.com/v2");

        List<ApiException> told = new ArrayList<>();
        client.list(old, Query.everywhere(), process.lane("listener"), new Streams.ListListener() {
                    @Override
                    public void items(List<ListItem> items) {}

                    @Override
                    public void ended(Streams.ListEnd end) {}

                    @Override
                    public void failed(ApiException cause) {
                        told.add(cause);
                    }
                })
                .demand(1);
        world.runUntil(() -> !told.isEmpty(), Duration.ofMinutes(1));
        asked();
        assertThat(plural("example.com", "v1", "Old")).isEqualTo("-");
        assertThat(asked()).containsExactly("/apis/example.com/v1");

        assertThat(plural("apps", "v1", "Deployment")).isEqualTo("deployments");
        later(Duration.ofMinutes(10));
        assertThat(plural("apps", "v1", "Deployment")).isEqualTo("-");
        assertThat(asked()).containsExactly("/apis/apps/v1");
    }

    @Test
    void objectThatIsNotThereSaysNothingAboutItsType() {
        documents.put("/apis", AGGREGATED);
        ResourceType<?> part = done(discovery.find("example.com", "v2", "Part")).orElseThrow();
        absent.add("/apis/example.com/v2/parts/a");

        assertThat(failure(client.get(part, ObjectKey.clusterScoped("a")))).isInstanceOf(ApiException.NotFound.class);

        asked();
        assertThat(plural("example.com", "v2", "Part")).isEqualTo("parts");
        assertThat(asked()).isEmpty();
    }

    @Test
    void groupThatCannotSayKeepsWhatIsKnownOfItAndHarmsNoOther() {
        documents.put("/apis", AGGREGATED);
        assertThat(plural("example.com", "v2", "Part")).isEqualTo("parts");
        assertThat(discovery.unavailable()).containsExactly("down.example.com/v1");
        broken.add("/apis/example.com/v2");
        broken.add("/apis/down.example.com/v1");
        later(Duration.ofMinutes(11));
        asked();

        assertThat(plural("example.com", "v2", "Part")).isEqualTo("parts");
        assertThat(plural("example.com", "v2", "Part")).isEqualTo("parts");
        assertThat(asked()).as("one question in five seconds").containsExactly("/apis/example.com/v2");
        assertThat(discovery.unavailable()).containsExactly("down.example.com/v1", "example.com/v2");
        assertThat(failure(discovery.find("example.com", "v2", "Unknown")))
                .as("nobody has said that it is not served")
                .isInstanceOf(ApiException.ServerError.class);
        assertThat(failure(discovery.find("down.example.com", "v1", "Thing")))
                .isInstanceOf(ApiException.ServerError.class);
        documents.put("/apis/apps/v1", list("Deployment"));
        assertThat(plural("apps", "v1", "Deployment")).isEqualTo("deployments");

        broken.clear();
        documents.put("/apis/example.com/v2", list("Part"));
        documents.put("/apis/down.example.com/v1", list("Thing"));
        later(Duration.ofSeconds(5));
        assertThat(plural("down.example.com", "v1", "Thing")).isEqualTo("things");
        assertThat(plural("example.com", "v2", "Part")).isEqualTo("parts");
        assertThat(discovery.unavailable()).isEmpty();
    }

    @Test
    void serverThatIsAwayFailsTheQuestionWithOneRequestAndIsAskedAgain() {
        away = true;
        assertThat(failure(discovery.find("apps", "v1", "Deployment"))).isInstanceOf(ApiException.Unreachable.class);
        assertThat(asked()).containsExactly("/apis");

        away = false;
        documents.put("/apis", AGGREGATED);
        assertThat(plural("apps", "v1", "Deployment")).isEqualTo("deployments");
    }

    @Test
    void whoHearsThatATypeIsNotServedIsNotToldOtherwiseFromMemory() {
        documents.put("/apis", AGGREGATED);
        ResourceType<?> part = done(discovery.find("example.com", "v2", "Part")).orElseThrow();
        documents.put("/apis/example.com/v2", list());
        ObjectKey a = ObjectKey.clusterScoped("a");
        byte[] json = "{}".getBytes(java.nio.charset.StandardCharsets.UTF_8);
        List<Supplier<CompletionStage<?>>> requests = List.of(
                () -> client.get(part, a),
                () -> client.update(part, a, "", json),
                () -> client.delete(part, a, ApiClient.Delete.ANY));

        for (Supplier<CompletionStage<?>> request : requests) {
            documents.put("/apis/example.com/v2", list("Part"));
            later(Duration.ofMinutes(10));
            assertThat(plural("example.com", "v2", "Part")).isEqualTo("parts");
            documents.put("/apis/example.com/v2", list());
            List<Boolean> found = new ArrayList<>();
            request.get().whenComplete((object, failure) -> discovery
                    .find("example.com", "v2", "Part")
                    .thenAccept(type -> found.add(type.isPresent())));
            world.runUntil(() -> !found.isEmpty(), Duration.ofMinutes(1));

            assertThat(found).containsExactly(false);
        }
    }

    @Test
    void reviewThatIsNotServedIsNotToldFromMemory() {
        documents.put(
                "/apis",
                """
                {"kind":"APIGroupDiscoveryList","apiVersion":"apidiscovery.k8s.io/v2","items":[
                {"metadata":{"name":"authorization.k8s.io"},"versions":[{"version":"v1","freshness":"Current","resources":[
                  {"resource":"selfsubjectaccessreviews","responseKind":{"kind":"SelfSubjectAccessReview"},"scope":"Cluster"}]}]}]}""");
        assertThat(plural("authorization.k8s.io", "v1", "SelfSubjectAccessReview"))
                .isEqualTo("selfsubjectaccessreviews");
        documents.put("/apis/authorization.k8s.io/v1", list());
        asked();
        List<Throwable> failures = new ArrayList<>();
        process.start("caller", () -> {
            try {
                client.blocking().create(new SelfSubjectAccessReview());
            } catch (ApiException.NotFound e) {
                failures.add(e);
            }
        });
        world.runUntil(() -> !failures.isEmpty(), Duration.ofMinutes(1));
        asked();

        assertThat(plural("authorization.k8s.io", "v1", "SelfSubjectAccessReview"))
                .isEqualTo("-");
        assertThat(asked()).containsExactly("/apis/authorization.k8s.io/v1");
    }

    @Test
    void typeThatWasDeniedIsNotToldFromMemoryWhileTheServerCannotSay() {
        documents.put("/apis", AGGREGATED);
        ResourceType<?> old = done(discovery.find("example.com", "v1", "Old")).orElseThrow();
        failure(client.get(old, ObjectKey.clusterScoped("a")));
        broken.add("/apis/example.com/v1");
        asked();

        assertThat(failure(discovery.serves(old))).isInstanceOf(ApiException.ServerError.class);
        assertThat(failure(discovery.find("example.com", "v1", "Old"))).isInstanceOf(ApiException.ServerError.class);
        assertThat(plural("example.com", "v1", "Part"))
                .as("nobody has denied this one")
                .isEqualTo("parts");
        assertThat(asked()).containsExactly("/apis/example.com/v1");
        away = true;
        assertThat(failure(discovery.serves(old))).isInstanceOf(ApiException.Unreachable.class);
        later(Duration.ofSeconds(5));
        assertThat(failure(discovery.find("example.com", "v1", "Old"))).isInstanceOf(ApiException.Unreachable.class);

        away = false;
        broken.clear();
        documents.put("/apis/example.com/v1", list("Part"));
        later(Duration.ofSeconds(5));
        assertThat(plural("example.com", "v1", "Old")).isEqualTo("-");
        assertThat(done(discovery.serves(old))).isFalse();
    }

    @Test
    void servesFailsWhenTheServerDoesNotSayWhateverIsKnown() {
        documents.put("/apis", AGGREGATED);
        ResourceType<?> part = done(discovery.find("example.com", "v2", "Part")).orElseThrow();
        broken.add("/apis/example.com/v2");

        assertThat(failure(discovery.serves(part))).isInstanceOf(ApiException.ServerError.class);
    }

    @Test
    void answerThatWasAskedForBeforeATypeWasDeniedDoesNotServeItAgain() {
        documents.put("/apis", AGGREGATED);
        ResourceType<?> part = done(discovery.find("example.com", "v2", "Part")).orElseThrow();
        held.add("/apis/example.com/v2");
        CompletionStage<Boolean> before = discovery.serves(part);
        world.runUntil(() -> !waiting.isEmpty(), Duration.ofMinutes(1));
        failure(client.get(part, ObjectKey.clusterScoped("a")));
        held.clear();
        waiting.get(0).answer(200, list("Part"));
        assertThat(done(before)).as("when it was asked").isTrue();

        asked();
        assertThat(plural("example.com", "v2", "Part")).isEqualTo("-");
        assertThat(asked()).containsExactly("/apis/example.com/v2");
    }

    @Test
    void answerIsAsOldAsItsQuestion() {
        held.add("/apis");
        CompletionStage<?> first = discovery.find("example.com", "v2", "Part");
        world.runUntil(() -> !waiting.isEmpty(), Duration.ofMinutes(1));
        ResourceType<?> part = ResourceType.dynamic("example.com", "v2", "parts", "Part", ResourceType.Scope.CLUSTER);
        later(Duration.ofSeconds(1));
        documents.put("/apis/example.com/v2", list("New"));
        assertThat(done(discovery.serves(part))).isFalse();
        asked();

        held.clear();
        waiting.get(0).answer(200, AGGREGATED);
        done(first);

        assertThat(plural("example.com", "v2", "New")).isEqualTo("news");
        assertThat(plural("example.com", "v2", "Part")).isEqualTo("-");
        assertThat(asked()).isEmpty();
    }

    @Test
    void whatCannotBeSaidIsAskedForOnceInFiveSeconds() {
        documents.put("/apis", AGGREGATED);
        assertThat(plural("example.com", "v2", "Part")).isEqualTo("parts");
        later(Duration.ofSeconds(5));
        broken.add("/apis/example.com/v2");
        broken.add("/apis/never.example.com/v1");
        broken.add("/apis/never.example.com");
        asked();

        for (int i = 0; i < 10; i++) {
            assertThat(failure(discovery.find("example.com", "v2", "Unknown")))
                    .isInstanceOf(ApiException.ServerError.class);
            assertThat(failure(discovery.find("never.example.com", "v1", "Thing")))
                    .isInstanceOf(ApiException.ServerError.class);
            assertThat(failure(discovery.preferred("never.example.com", "Thing")))
                    .isInstanceOf(ApiException.ServerError.class);
        }
        assertThat(asked())
                .containsExactly("/apis/example.com/v2", "/apis/never.example.com/v1", "/apis/never.example.com");

        broken.clear();
        documents.put("/apis/example.com/v2", list("Part", "Unknown"));
        later(Duration.ofSeconds(5));
        assertThat(plural("example.com", "v2", "Unknown")).isEqualTo("unknowns");
        assertThat(plural("never.example.com", "v1", "Thing")).isEqualTo("-");
        assertThat(asked()).containsExactly("/apis/example.com/v2", "/apis/never.example.com/v1");
    }

    @Test
    void rootThatCannotBeReadIsAskedForOnceInFiveSeconds() {
        broken.add("/apis");
        broken.add("/api");
        documents.put("/apis/apps/v1", list("Deployment"));
        documents.put("/api/v1", list("Pod"));

        assertThat(plural("apps", "v1", "Deployment")).isEqualTo("deployments");
        for (int i = 0; i < 10; i++) {
            assertThat(plural("g" + i + ".example.com", "v1", "Part")).isEqualTo("-");
            assertThat(preferred("h" + i + ".example.com", "Part")).isEqualTo("-");
            assertThat(preferred("", "Pod")).isEqualTo("pods/v1");
        }
        assertThat(asked())
                .filteredOn(target -> target.equals("/apis") || target.equals("/api"))
                .containsExactly("/apis", "/api");

        broken.clear();
        documents.put("/apis", AGGREGATED);
        later(Duration.ofSeconds(5));
        assertThat(plural("example.com", "v1", "Old")).isEqualTo("olds");
        assertThat(asked()).containsExactly("/apis");
    }

    @Test
    void unavailableNamesGroupVersionsOnly() {
        documents.put("/apis", LEGACY);
        documents.put("/apis/apps/v1", list("Deployment"));
        assertThat(preferred("apps", "Deployment")).isEqualTo("deployments.apps/v1");
        broken.add("/apis/apps");
        broken.add("/apis/apps/v1");
        later(Duration.ofMinutes(11));

        assertThat(preferred("apps", "Deployment")).isEqualTo("deployments.apps/v1");
        assertThat(asked()).contains("/apis/apps", "/apis/apps/v1");
        assertThat(discovery.unavailable()).containsExactly("apps/v1");
    }

    @Test
    void questionsAtOneTimeShareOneRequest() {
        documents.put("/apis", AGGREGATED);
        List<CompletionStage<Optional<ResourceType<io.fabric8.kubernetes.api.model.GenericKubernetesResource>>>> all =
                new ArrayList<>();
        for (int i = 0; i < 10; i++) {
            all.add(discovery.find("apps", "v1", "Deployment"));
            all.add(discovery.find("absent.example.com", "v1", "Part"));
        }
        all.get(2).toCompletableFuture().cancel(false); // gives up for itself alone

        for (int i = 3; i < all.size(); i++) {
            assertThat(done(all.get(i)).isPresent()).isEqualTo(i % 2 == 0);
        }
        assertThat(asked()).containsExactly("/apis", "/apis/absent.example.com/v1");
    }

    @Test
    void groupVersionsThatAreNotServedAreForgottenBeyondAFew() {
        documents.put("/apis", AGGREGATED);
        for (int i = 0; i < 300; i++) {
            assertThat(plural("g" + i + ".example.com", "v1", "Part")).isEqualTo("-");
        }
        asked();

        assertThat(plural("g299.example.com", "v1", "Part")).isEqualTo("-");
        assertThat(asked()).isEmpty();
        assertThat(plural("g0.example.com", "v1", "Part")).isEqualTo("-");
        assertThat(asked()).containsExactly("/apis/g0.example.com/v1");
        assertThat(plural("apps", "v1", "Deployment")).isEqualTo("deployments");
    }
}
