package io.homeostat.simulator;

import static io.homeostat.simulator.Client.CONFIG_MAPS;
import static io.homeostat.simulator.Client.CRD;
import static io.homeostat.simulator.Client.DEPLOYMENTS;
import static io.homeostat.simulator.Client.MEMCACHED;
import static io.homeostat.simulator.Client.configMap;
import static io.homeostat.simulator.Client.deployment;
import static io.homeostat.simulator.Client.memcached;
import static org.assertj.core.api.Assertions.assertThat;

import io.homeostat.simulator.Client.Got;
import io.homeostat.virtualruntime.VirtualWorld;
import java.time.Duration;
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
}
