package io.homeostat.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.ConfigMapBuilder;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.SystemRuntime;
import io.homeostat.core.Transport;
import io.homeostat.simulator.Simulator;
import io.homeostat.virtualruntime.Faults;
import io.homeostat.virtualruntime.VirtualNetwork;
import io.homeostat.virtualruntime.VirtualProcess;
import io.homeostat.virtualruntime.VirtualWorld;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The client against the simulator in memory: on real threads, and in the virtual world over a network that loses and cuts. */
class ClientOnSimulatorTest {
    private static final ResourceType<ConfigMap> CONFIG_MAPS = ResourceType.of(ConfigMap.class);

    private static ConfigMap configMap(String name) {
        return new ConfigMapBuilder()
                .withNewMetadata()
                .withName(name)
                .withNamespace("default")
                .endMetadata()
                .addToData("k", "1 世界")
                .build();
    }

    /** The path of one object, with every verb; throws or asserts on the way. */
    private static void life(EngineRuntime runtime, Transport transport) {
        BlockingApiClient client = ApiClient.over(runtime, transport, ApiClient.Settings.of("life/1"))
                .blocking();
        ObjectKey key = new ObjectKey("default", "life");
        ConfigMap created = client.create(configMap("life"));
        assertThat(client.get(CONFIG_MAPS, key).orElseThrow().getData()).containsEntry("k", "1 世界");
        assertThatThrownBy(() -> client.create(configMap("life"))).isInstanceOf(ApiException.AlreadyExists.class);
        client.patch(CONFIG_MAPS, key, "", ApiClient.PatchKind.MERGE, "{\"data\":{\"m\":\"2\"}}");
        assertThatThrownBy(() -> client.update(created)).isInstanceOf(ApiException.Conflict.class);
        String prefix = "a-prefix-of-more-characters-than-the-server-leaves-of-it-in-the-end-";
        ConfigMap generated = client.create(new ConfigMapBuilder()
                .withNewMetadata()
                .withGenerateName(prefix)
                .withNamespace("default")
                .endMetadata()
                .build());
        assertThat(generated.getMetadata().getName())
                .startsWith(prefix.substring(0, 58))
                .hasSize(63);
        assertThat(client.delete(
                        CONFIG_MAPS,
                        new ObjectKey("default", generated.getMetadata().getName()),
                        ApiClient.Delete.ANY))
                .isTrue();
        assertThat(client.apply(configMap("life"), new ApiClient.Apply("me", ApiClient.Apply.Force.YES))
                        .getData())
                .containsEntry("m", "2");
        assertThat(client.list(CONFIG_MAPS, Query.in("default"))).hasSize(1);
        assertThat(client.delete(
                        CONFIG_MAPS,
                        key,
                        ApiClient.Delete.of(created.getMetadata().getUid())))
                .isTrue();
        assertThat(client.get(CONFIG_MAPS, key)).isEmpty();
    }

    @Test
    void objectLivesItsWholeLifeOnRealThreads() {
        try (SystemRuntime runtime = SystemRuntime.create();
                Simulator simulator = Simulator.on(runtime).build();
                Transport transport = simulator.transport(runtime)) {
            life(runtime, transport);
        }
    }

    @Test
    void objectLivesItsWholeLifeInAVirtualWorld() {
        for (long seed = 0; seed < 20; seed++) {
            try (VirtualWorld world = VirtualWorld.seeded(seed)) {
                VirtualProcess machine = world.process("server");
                VirtualProcess process = world.process("client");
                Simulator simulator = Simulator.on(machine).build();
                VirtualNetwork network = VirtualNetwork.in(world);
                network.listen("api", machine, simulator.transport(machine));
                network.faults(Faults.none().splitting(0.5).gzipping(0.5));
                List<String> done = new ArrayList<>();
                process.start("life", () -> {
                    life(process, network.connect(process, "api"));
                    done.add("done");
                });
                world.runUntil(() -> !done.isEmpty(), Duration.ofMinutes(5));
            }
        }
    }

    @Test
    void whatTheClientSaysOfAWriteIsTrueOnANetworkThatLoses() {
        int unknown = 0;
        int unreachable = 0;
        for (long seed = 0; seed < 60; seed++) {
            try (VirtualWorld world = VirtualWorld.seeded(seed)) {
                VirtualProcess machine = world.process("server");
                VirtualProcess process = world.process("client");
                Simulator simulator = Simulator.on(machine).build();
                VirtualNetwork network = VirtualNetwork.in(world);
                network.listen("api", machine, simulator.transport(machine));
                network.faults(Faults.none()
                        .refusing(0.1)
                        .losingRequests(0.1)
                        .losingAnswers(0.1)
                        .truncating(0.1)
                        .splitting(0.3));
                List<String> created = new ArrayList<>();
                List<String> certainlyNot = new ArrayList<>();
                List<String> open = new ArrayList<>();
                List<String> observed = new ArrayList<>();
                List<String> there = new ArrayList<>();
                List<String> over = new ArrayList<>();
                process.start("writer", () -> {
                    ApiClient client =
                            ApiClient.over(process, network.connect(process, "api"), ApiClient.Settings.of("writer/1"));
                    client.observeWrites(done -> observed.add(done.write().key().name()));
                    for (int i = 0; i < 20; i++) {
                        String name = "w" + i;
                        try {
                            client.blocking().create(configMap(name));
                            created.add(name);
                        } catch (ApiException.OutcomeUnknown e) {
                            open.add(name);
                        } catch (ApiException.Unreachable e) {
                            certainlyNot.add(name);
                        }
                    }
                    network.faults(Faults.none());
                    client.blocking()
                            .list(CONFIG_MAPS, Query.in("default"))
                            .forEach(object -> there.add(object.getMetadata().getName()));
                    over.add("over");
                });
                world.runUntil(() -> !over.isEmpty(), Duration.ofHours(1));

                assertThat(created).as("seed " + seed).allMatch(there::contains).allMatch(observed::contains);
                assertThat(certainlyNot).as("seed " + seed).noneMatch(there::contains);
                unknown += open.size();
                unreachable += certainlyNot.size();
            }
        }
        assertThat(unknown).isPositive();
        assertThat(unreachable).isPositive();
    }
}
