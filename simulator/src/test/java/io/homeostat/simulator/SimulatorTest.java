package io.homeostat.simulator;

import static io.homeostat.simulator.Client.CONFIG_MAPS;
import static io.homeostat.simulator.Client.CRD;
import static io.homeostat.simulator.Client.DEPLOYMENTS;
import static io.homeostat.simulator.Client.MEMCACHED;
import static io.homeostat.simulator.Client.configMap;
import static io.homeostat.simulator.Client.deployment;
import static io.homeostat.simulator.Client.memcached;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.homeostat.core.Registration;
import io.homeostat.core.TransportException;
import io.homeostat.simulator.Client.Got;
import io.homeostat.virtualruntime.VirtualWorld;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What clients see of the simulator, in a virtual world, over the in-memory transport. */
class SimulatorTest {
    private static final String DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    private static final String WATCH_LIST =
            "?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";

    private VirtualWorld world;
    private Simulator simulator;
    private Client client;

    @BeforeEach
    void start() {
        world = VirtualWorld.seeded(7);
        simulator = Simulator.on(world.process("server"))
                .withoutWorkloads()
                .history(200)
                .build();
        client = new Client(world, simulator, "client");
    }

    @AfterEach
    void stop() {
        world.close();
    }

    private void defineMemcached() {
        assertThat(client.post(DEFINITIONS, CRD).status()).isEqualTo(201);
    }

    @Test
    void customResourcesAreServedOnceDefined() {
        assertThat(client.get(MEMCACHED).text()).isEqualTo("404 page not found\n");
        defineMemcached();
        Got created = client.post(MEMCACHED, memcached("a", 3));
        assertThat(created.status()).isEqualTo(201);
        assertThat(created.at("metadata/generation")).isEqualTo("1");
        assertThat(created.at("metadata/uid")).hasSize(36);
        assertThat(created.text())
                .startsWith("{\"apiVersion\":\"cache.example.com/v1alpha1\",\"kind\":\"Memcached\",\"metadata\":{");
        Got list = client.get(MEMCACHED);
        assertThat(list.text()).startsWith("{\"apiVersion\":\"cache.example.com/v1alpha1\",\"items\":[{\"apiVersion\"");
        assertThat(list.at("kind")).isEqualTo("MemcachedList");
        assertThat(list.at("metadata/resourceVersion")).isEqualTo(created.at("metadata/resourceVersion"));
    }

    @Test
    void itemsOfBuiltInListsCarryNoKind() {
        client.post(CONFIG_MAPS, configMap("a", "1"));
        Got list = client.get(CONFIG_MAPS);
        assertThat(list.text())
                .startsWith("{\"kind\":\"ConfigMapList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":");
        assertThat(list.text()).contains("\"items\":[{\"metadata\":{");
    }

    @Test
    void statusAndSpecAreWrittenApart() {
        defineMemcached();
        client.post(MEMCACHED, memcached("a", 3));
        Got status = client.merge(MEMCACHED + "/a/status", "{\"spec\":{\"size\":9},\"status\":{\"readyReplicas\":1}}");
        assertThat(status.at("spec/size")).isEqualTo("3");
        assertThat(status.at("status/readyReplicas")).isEqualTo("1");
        assertThat(status.at("metadata/generation")).isEqualTo("1");
        Got spec = client.merge(MEMCACHED + "/a", "{\"spec\":{\"size\":5},\"status\":{\"readyReplicas\":7}}");
        assertThat(spec.at("status/readyReplicas")).isEqualTo("1");
        assertThat(spec.at("metadata/generation")).isEqualTo("2");
    }

    @Test
    void watchShowsWhatHappensAfterItsVersion() {
        defineMemcached();
        String from = client.post(MEMCACHED, memcached("a", 3)).at("metadata/resourceVersion");
        client.post(MEMCACHED, memcached("b", 3));
        Client.Stream watch = client.watch(MEMCACHED + "?watch=true&resourceVersion=" + from);
        client.merge(MEMCACHED + "/a", "{\"spec\":{\"size\":5}}");
        client.delete(MEMCACHED + "/b");
        assertThat(watch.seen()).containsExactly("ADDED b", "MODIFIED a", "DELETED b");
        String deletion = Client.at(watch.events().get(2), "object/metadata/resourceVersion");
        assertThat(client.get(MEMCACHED).at("metadata/resourceVersion")).isEqualTo(deletion);
    }

    @Test
    void initialEventsEndWithABookmark() {
        client.post(DEPLOYMENTS, deployment("a", 1));
        client.post(DEPLOYMENTS, deployment("b", 1));
        Client.Stream watch = client.watch(DEPLOYMENTS + WATCH_LIST);
        assertThat(watch.seen()).containsExactly("ADDED a", "ADDED b", "BOOKMARK");
        assertThat(Client.at(watch.events().get(2), "object/metadata/annotations/k8s.io~1initial-events-end"))
                .isEmpty();
        assertThat(watch.events().get(2).toString()).contains("\"k8s.io/initial-events-end\":\"true\"");
        client.delete(DEPLOYMENTS + "/a");
        assertThat(watch.seen()).endsWith("BOOKMARK", "DELETED a");
    }

    @Test
    void watchFromAVersionThatIsStillToComeIsToldNothingNotEvenByBookmarks() {
        Client.Stream watch = client.watch(
                CONFIG_MAPS + "?watch=true&resourceVersion=999999&allowWatchBookmarks=true&timeoutSeconds=200");
        world.runFor(Duration.ofSeconds(201));
        assertThat(watch.ended).isTrue();
        assertThat(watch.seen()).isEmpty();
    }

    @Test
    void bookmarksComeEveryMinuteAndBeforeTheEnd() {
        Client.Stream watch =
                client.watch(CONFIG_MAPS + "?watch=true&resourceVersion=1&allowWatchBookmarks=true&timeoutSeconds=200");
        world.runFor(Duration.ofSeconds(201));
        assertThat(watch.ended).isTrue();
        assertThat(watch.seen()).hasSize(5).allMatch(seen -> seen.equals("BOOKMARK"));
    }

    @Test
    void aRestartBreaksStreamsAndRefusesOldVersions() {
        String old = client.post(CONFIG_MAPS, configMap("a", "1")).at("metadata/resourceVersion");
        client.post(CONFIG_MAPS, configMap("b", "1"));
        Client.Stream open = client.watch(CONFIG_MAPS + "?watch=true&resourceVersion=" + old);
        assertThat(open.seen()).containsExactly("ADDED b");
        simulator.restart();
        world.runUntil(open::over, Duration.ofSeconds(1));
        assertThat(open.failure).isNotNull();
        Client.Stream late = client.watch(CONFIG_MAPS + "?watch=true&resourceVersion=" + old);
        world.runUntil(late::over, Duration.ofSeconds(1));
        assertThat(late.status).isEqualTo(200);
        assertThat(late.events().get(0).toString())
                .contains("\"type\":\"ERROR\"", "\"code\":410", "too old resource version: " + old + " (");
        assertThat(client.get(CONFIG_MAPS).json().path("items").size()).isEqualTo(2);
    }

    @Test
    void aDeploymentAndAServiceGetTheirDefaults() {
        assertThat(client.post(DEPLOYMENTS, deployment("a", 2)).at("spec/strategy/type"))
                .isEqualTo("RollingUpdate");
        Got service = client.post(
                "/api/v1/namespaces/default/services",
                "{\"metadata\":{\"name\":\"a\"},\"spec\":{\"ports\":[{\"port\":11211}],\"selector\":{\"app\":\"a\"}}}");
        assertThat(service.status()).isEqualTo(201);
        assertThat(service.at("spec/ports/0/protocol")).isEqualTo("TCP");
    }

    @Test
    void aDefinitionIsEstablishedAndEndsWithItsObjectsAndWatches() {
        defineMemcached();
        world.runFor(Duration.ofMillis(100));
        Got definition = client.get(DEFINITIONS + "/memcacheds.cache.example.com");
        assertThat(definition.at("status/conditions/1/type")).isEqualTo("Established");
        assertThat(definition.at("status/conditions/1/status")).isEqualTo("True");
        assertThat(definition.at("status/acceptedNames/kind")).isEqualTo("Memcached");
        assertThat(client.post(MEMCACHED, memcached("a", 3)).at("spec/image")).isEqualTo("memcached:1.6-alpine");
        Client.Stream watch = client.watch(MEMCACHED + WATCH_LIST);
        assertThat(client.delete(DEFINITIONS + "/memcacheds.cache.example.com").at("metadata/deletionTimestamp"))
                .isNotEmpty();
        assertThat(watch.seen()).containsExactly("ADDED a", "BOOKMARK", "DELETED a");
        assertThat(watch.ended).isTrue();
        assertThat(client.get(MEMCACHED).status()).isEqualTo(404);
        assertThat(client.get(DEFINITIONS + "/memcacheds.cache.example.com").status())
                .isEqualTo(404);
    }

    private String owned(String name, String ownerName, String ownerUid, boolean blocking) {
        return "{\"metadata\":{\"name\":\"" + name
                + "\",\"ownerReferences\":[{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"name\":\"" + ownerName
                + "\",\"uid\":\"" + ownerUid + "\",\"blockOwnerDeletion\":" + blocking + "}]}}";
    }

    private String owner(String name) {
        return client.post(CONFIG_MAPS, configMap(name, "1")).at("metadata/uid");
    }

    @Test
    void dependentsGoAfterTheirOwner() {
        String uid = owner("owner");
        client.post(CONFIG_MAPS, owned("child", "owner", uid, true));
        String child = client.get(CONFIG_MAPS + "/child").at("metadata/uid");
        client.post(CONFIG_MAPS, owned("grandchild", "child", child, true));
        assertThat(client.delete(CONFIG_MAPS + "/owner").at("status")).isEqualTo("Success");
        world.runFor(Duration.ofMillis(500));
        assertThat(client.get(CONFIG_MAPS).json().path("items").size()).isZero();
    }

    @Test
    void aForegroundDeletionWaitsForDependents() {
        String uid = owner("owner");
        client.post(CONFIG_MAPS, owned("child", "owner", uid, true));
        client.merge(CONFIG_MAPS + "/child", "{\"metadata\":{\"finalizers\":[\"example.com/hold\"]}}");
        Got deletion = client.delete(CONFIG_MAPS + "/owner?propagationPolicy=Foreground");
        assertThat(deletion.at("metadata/finalizers/0")).isEqualTo("foregroundDeletion");
        world.runFor(Duration.ofMillis(500));
        assertThat(client.get(CONFIG_MAPS + "/owner").status()).isEqualTo(200);
        assertThat(client.get(CONFIG_MAPS + "/child").at("metadata/deletionTimestamp"))
                .isNotEmpty();
        client.merge(CONFIG_MAPS + "/child", "{\"metadata\":{\"finalizers\":null}}");
        world.runFor(Duration.ofMillis(500));
        assertThat(client.get(CONFIG_MAPS).json().path("items").size()).isZero();
    }

    @Test
    void orphansStayWithoutTheirOwner() {
        String uid = owner("owner");
        client.post(CONFIG_MAPS, owned("child", "owner", uid, true));
        client.delete(CONFIG_MAPS + "/owner?propagationPolicy=Orphan");
        world.runFor(Duration.ofMillis(500));
        assertThat(client.get(CONFIG_MAPS + "/owner").status()).isEqualTo(404);
        Got child = client.get(CONFIG_MAPS + "/child");
        assertThat(child.status()).isEqualTo(200);
        assertThat(child.at("metadata/ownerReferences")).isEmpty();
    }

    @Test
    void anOwnerThatNeverWasMakesItsDependentGo() {
        client.post(CONFIG_MAPS, owned("child", "owner", "00000000-0000-4000-8000-000000000000", true));
        world.runFor(Duration.ofMillis(500));
        assertThat(client.get(CONFIG_MAPS + "/child").status()).isEqualTo(404);
    }

    @Test
    void aNamespaceTakesItsContentsWithIt() {
        client.post("/api/v1/namespaces", "{\"metadata\":{\"name\":\"n\"}}");
        client.post("/api/v1/namespaces/n/configmaps", configMap("a", "1"));
        client.merge("/api/v1/namespaces/n/configmaps/a", "{\"metadata\":{\"finalizers\":[\"example.com/hold\"]}}");
        assertThat(client.delete("/api/v1/namespaces/n").at("status/phase")).isEqualTo("Terminating");
        world.runFor(Duration.ofMillis(500));
        assertThat(client.get("/api/v1/namespaces/n").status()).isEqualTo(200);
        Got refused = client.post("/api/v1/namespaces/n/configmaps", configMap("b", "1"));
        assertThat(refused.status()).isEqualTo(403);
        assertThat(refused.at("details/causes/0/reason")).isEqualTo("NamespaceTerminating");
        client.merge("/api/v1/namespaces/n/configmaps/a", "{\"metadata\":{\"finalizers\":null}}");
        world.runFor(Duration.ofMillis(500));
        assertThat(client.get("/api/v1/namespaces/n").status()).isEqualTo(404);
    }

    @Test
    void aSlowReaderLosesItsStreamAndNobodyElseDoes() {
        String from = client.post(CONFIG_MAPS, configMap("a", "0")).at("metadata/resourceVersion");
        Client.Stream slow = client.watchSlowly(CONFIG_MAPS + "?watch=true&resourceVersion=" + from, 3);
        Client.Stream quick = client.watch(CONFIG_MAPS + "?watch=true&resourceVersion=" + from);
        int writes = Watcher.BACKLOG + 100;
        for (int i = 1; i <= writes; i++) {
            client.merge(CONFIG_MAPS + "/a", "{\"data\":{\"a\":\"" + i + "\"}}");
        }
        assertThat(quick.seen()).hasSize(writes);
        assertThat(quick.over()).isFalse();
        assertThat(slow.events()).hasSize(3);
        slow.exchange.demand(Integer.MAX_VALUE);
        world.runUntil(slow::over, Duration.ofSeconds(1));
        assertThat(slow.ended).isTrue();
        assertThat(slow.events()).hasSizeLessThan(writes);
    }

    @Test
    void aFaultStrikesTheRequestsItWasOrderedFor() {
        simulator.faults().on(r -> r.verb().equals("create")).skip(1).times(2).answer(503, Duration.ofSeconds(2));
        assertThat(client.post(CONFIG_MAPS, configMap("a", "1")).status()).isEqualTo(201);
        Got second = client.post(CONFIG_MAPS, configMap("b", "1"));
        assertThat(second.status()).isEqualTo(503);
        assertThat(second.headers().first("Retry-After")).contains("2");
        assertThat(client.post(CONFIG_MAPS, configMap("b", "1")).status()).isEqualTo(503);
        assertThat(client.post(CONFIG_MAPS, configMap("b", "1")).status()).isEqualTo(201);
    }

    @Test
    void aLostAnswerWasActedOnAndARefusedRequestWasNot() {
        simulator.faults().on(r -> r.path().endsWith("configmaps")).times(1).loseAnswer();
        assertThatThrownBy(() -> client.post(CONFIG_MAPS, configMap("a", "1")))
                .hasRootCauseInstanceOf(TransportException.class);
        assertThat(client.get(CONFIG_MAPS + "/a").status()).isEqualTo(200);
        simulator.faults().on(r -> r.path().endsWith("configmaps")).times(1).refuse();
        assertThatThrownBy(() -> client.post(CONFIG_MAPS, configMap("b", "1")))
                .hasRootCauseInstanceOf(TransportException.class)
                .rootCause()
                .satisfies(e -> assertThat(((TransportException) e).sent()).isEqualTo(TransportException.Sent.NO));
        assertThat(client.get(CONFIG_MAPS + "/b").status()).isEqualTo(404);
    }

    @Test
    void heldEventsComeLaterAndInOrder() {
        Client.Stream watch = client.watch(CONFIG_MAPS + WATCH_LIST);
        watch.seen();
        Registration hold = simulator.faults().holdEvents(r -> r.resource().equals("configmaps"));
        client.post(CONFIG_MAPS, configMap("a", "1"));
        client.post(CONFIG_MAPS, configMap("b", "1"));
        assertThat(watch.seen()).containsExactly("BOOKMARK");
        hold.close();
        assertThat(watch.seen()).containsExactly("BOOKMARK", "ADDED a", "ADDED b");
    }

    @Test
    void pagesShowOneMomentAndExpire() {
        for (String name : List.of("a", "b", "c", "d", "e")) {
            client.post(CONFIG_MAPS, configMap(name, "1"));
        }
        Got first = client.get(CONFIG_MAPS + "?limit=2");
        assertThat(first.at("metadata/remainingItemCount")).isEqualTo("3");
        String token = first.at("metadata/continue");
        client.delete(CONFIG_MAPS + "/c");
        client.post(CONFIG_MAPS, configMap("c2", "1"));
        Got second = client.get(CONFIG_MAPS + "?limit=2&continue=" + token);
        assertThat(second.at("items/0/metadata/name")).isEqualTo("c");
        assertThat(second.at("items/1/metadata/name")).isEqualTo("d");
        assertThat(second.at("metadata/resourceVersion")).isEqualTo(first.at("metadata/resourceVersion"));
        simulator.compact();
        Got expired = client.get(CONFIG_MAPS + "?limit=2&continue=" + token);
        assertThat(expired.status()).isEqualTo(410);
        Got rest = client.get(CONFIG_MAPS + "?limit=2&continue=" + expired.at("metadata/continue"));
        assertThat(rest.status()).isEqualTo(200);
        assertThat(rest.at("items/0/metadata/name")).isEqualTo("c2");
    }

    @Test
    void aWatchThatFallsOutOfTheHistoryIsExpired() {
        String from = client.post(CONFIG_MAPS, configMap("a", "0")).at("metadata/resourceVersion");
        for (int i = 1; i <= 201; i++) {
            client.merge(CONFIG_MAPS + "/a", "{\"data\":{\"a\":\"" + i + "\"}}");
        }
        Client.Stream late = client.watch(CONFIG_MAPS + "?watch=true&resourceVersion=" + from);
        world.runUntil(late::over, Duration.ofSeconds(1));
        assertThat(late.events().get(0).toString()).contains("\"reason\":\"Expired\"");
    }

    @Test
    void bigListsAndInitialEventsTravelCompressedForWhoAcceptsIt() {
        String big = "x".repeat(20_000);
        for (int i = 0; i < 10; i++) {
            client.post(CONFIG_MAPS, "{\"metadata\":{\"name\":\"c" + i + "\"},\"data\":{\"a\":\"" + big + "\"}}");
        }
        Got list = client.send("GET", CONFIG_MAPS, "", "Accept-Encoding", "gzip");
        assertThat(list.headers().first("Content-Encoding")).contains("gzip");
        assertThat(list.bytes().length).isLessThan(20_000);
        assertThat(client.get(CONFIG_MAPS).headers().first("Content-Encoding")).isEmpty();
        Client.Stream watch = client.watch(CONFIG_MAPS + WATCH_LIST, "Accept-Encoding", "gzip");
        assertThat(watch.seen()).hasSize(11).endsWith("BOOKMARK");
        assertThat(watch.body.size()).isLessThan(20_000);
        client.delete(CONFIG_MAPS + "/c3");
        assertThat(watch.seen()).endsWith("BOOKMARK", "DELETED c3");
    }

    @Test
    void requestsAreCountedFromAMark() {
        client.get(CONFIG_MAPS);
        long mark = simulator.requestCount();
        client.post(CONFIG_MAPS, configMap("a", "1"));
        client.get(CONFIG_MAPS + "/zz");
        assertThat(simulator.requestsSince(mark))
                .extracting(
                        r -> r.verb() + " " + r.resource() + " " + r.name() + " " + r.status() + " " + r.userAgent())
                .containsExactly("create configmaps  201 test/1.0", "get configmaps zz 404 test/1.0");
    }

    @Test
    void theSameSeedGivesTheSameBytes() {
        List<String> seen = new ArrayList<>();
        for (int run = 0; run < 2; run++) {
            try (VirtualWorld again = VirtualWorld.seeded(42)) {
                Simulator other =
                        Simulator.on(again.process("server")).withoutWorkloads().build();
                Client own = new Client(again, other, "client");
                own.post(DEFINITIONS, CRD);
                own.post(MEMCACHED, memcached("a", 3));
                own.post(CONFIG_MAPS, "{\"metadata\":{\"generateName\":\"a-\"}}");
                seen.add(own.get(MEMCACHED).text()
                        + own.get(CONFIG_MAPS).text()
                        + own.get("/apis").text()
                        + own.get("/openapi/v3").text());
            }
        }
        assertThat(seen.get(0)).isEqualTo(seen.get(1));
    }

    @Test
    void whatIsNotServedSaysSo() {
        Got strategic = client.send(
                "PATCH", DEPLOYMENTS + "/a", "{}", "Content-Type", "application/strategic-merge-patch+json");
        assertThat(strategic.status()).isEqualTo(501);
        assertThat(strategic.at("message")).contains("strategic merge patches", "--type merge");
        assertThat(client.get("/apis/batch/v1/namespaces/default/jobs").status())
                .isEqualTo(501);
    }

    @Test
    void whatACustomResourceOwnsGoesAlsoWhenItsKindGoes() {
        defineMemcached();
        String uid = client.post(MEMCACHED, memcached("a", 3)).at("metadata/uid");
        client.post(
                CONFIG_MAPS,
                "{\"metadata\":{\"name\":\"child\",\"ownerReferences\":[{\"apiVersion\":\"cache.example.com/v1alpha1\",\"kind\":\"Memcached\",\"name\":\"a\",\"uid\":\""
                        + uid + "\"}]}}");
        client.delete(DEFINITIONS + "/memcacheds.cache.example.com");
        world.runFor(Duration.ofMillis(500));
        assertThat(client.get(CONFIG_MAPS + "/child").status()).isEqualTo(404);
    }

    @Test
    void aForegroundDeletionGoesOnWhenADependentIsDisowned() {
        String uid = owner("owner");
        client.post(CONFIG_MAPS, owned("child", "owner", uid, true));
        client.merge(CONFIG_MAPS + "/child", "{\"metadata\":{\"finalizers\":[\"example.com/hold\"]}}");
        client.delete(CONFIG_MAPS + "/owner?propagationPolicy=Foreground");
        world.runFor(Duration.ofMillis(200));
        client.merge(CONFIG_MAPS + "/child", "{\"metadata\":{\"ownerReferences\":null}}");
        world.runFor(Duration.ofMillis(500));
        assertThat(client.get(CONFIG_MAPS + "/owner").status()).isEqualTo(404);
    }

    @Test
    void aCrashedClientThatClosesItsConnectionsLeavesNoWatch() {
        client.process.onCrash(client.transport::close);
        client.watch(CONFIG_MAPS + "?watch=true");
        world.runFor(Duration.ofMillis(100));
        assertThat(watchers()).hasSize(1);
        client.process.crash();
        world.runFor(Duration.ofMillis(100));
        assertThat(watchers()).isEmpty();
    }

    @Test
    void aCrashedClientWithoutThatIsGivenUpWhenItFallsTooFarBehind() {
        client.watch(CONFIG_MAPS + "?watch=true");
        world.runFor(Duration.ofMillis(100));
        client.process.crash();
        Client second = new Client(world, simulator, "second");
        second.post(CONFIG_MAPS, configMap("a", "0"));
        for (int i = 1; i <= Watcher.BACKLOG + 100; i++) {
            second.merge(CONFIG_MAPS + "/a", "{\"data\":{\"a\":\"" + i + "\"}}");
        }
        assertThat(watchers()).isEmpty();
    }

    @Test
    void cancellingAWatchEndsItAtTheServer() {
        Client.Stream watch = client.watch(CONFIG_MAPS + "?watch=true");
        world.runFor(Duration.ofMillis(100));
        watch.exchange.cancel();
        world.runFor(Duration.ofMillis(100));
        assertThat(watchers()).isEmpty();
        assertThat(watch.over()).isFalse();
    }

    private List<Watcher> watchers() {
        return Objects.requireNonNull(simulator.server().registries().get("/configmaps"), "configmaps")
                .watchers();
    }
}
