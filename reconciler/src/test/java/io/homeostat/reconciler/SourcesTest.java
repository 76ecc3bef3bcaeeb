package io.homeostat.reconciler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.homeostat.client.ObjectKey;
import io.homeostat.core.Registration;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Which caches a controller may declare, and what is said of one that cannot answer. */
class SourcesTest {
    private final World world = World.withCrd();

    @AfterEach
    void close() {
        world.close();
    }

    private static List<ObjectKey> named(Map<String, String> data, String field) {
        return data != null && data.containsKey(field) ? List.of(new ObjectKey("default", data.get(field))) : List.of();
    }

    private void shared(String name, String field, String of) {
        world.apply(
                World.CONFIG_MAPS,
                name,
                "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"" + name + "\"},\"data\":{\""
                        + field + "\":\"" + of + "\"}}");
    }

    @Test
    void typeIsOwnedAndWatchedInSeveralWaysThroughOneCache() {
        world.start(Operator.named("test-operator").controller(Widget.class, c -> c.owns(ConfigMap.class)
                .watches(ConfigMap.class, map -> named(map.getData(), "of"))
                .watches(ConfigMap.class, map -> named(map.getData(), "for"))
                .reconciler((widget, context) -> {
                    context.apply(World.wanted(widget));
                    assertThat(context.owned(ConfigMap.class)).hasSize(1);
                    return Result.done();
                })));
        world.widget("a", 1);
        world.widget("b", 1);
        world.settle();
        assertThat(world.running().caches())
                .as("widgets and one cache of ConfigMaps")
                .hasSize(2);
        for (String field : List.of("of", "for")) {
            world.reconciled.clear();
            shared("shared-" + field, field, "b");
            world.settle();
            assertThat(world.reconciled).extracting(Reconciled::key).containsOnly(new ObjectKey("default", "b"));
        }
        world.reconciled.clear();
        world.delete(World.CONFIG_MAPS, "a");
        world.settle();
        assertThat(world.configMap("a").getData()).as("owned as before").containsEntry("size", "1");
        assertThat(world.reconciled).extracting(Reconciled::key).containsOnly(new ObjectKey("default", "a"));
    }

    @Test
    void controllerWatchesItsOwnTypeToo() {
        world.start(Operator.named("test-operator").controller(Widget.class, c -> c.watches(
                        Widget.class,
                        widget -> widget.getMetadata().getName().equals("leader")
                                ? List.of(new ObjectKey("default", "follower"))
                                : List.of())
                .reconciler((widget, context) -> Result.done())));
        world.widget("leader", 1);
        world.widget("follower", 1);
        world.settle();
        world.reconciled.clear();
        world.patch(World.WIDGETS, "leader", "status", "{\"status\":{\"seen\":1}}");
        world.settle();
        assertThat(world.reconciled)
                .as("a watch has no filter, the reconciled object itself has")
                .extracting(Reconciled::key)
                .containsExactly(new ObjectKey("default", "follower"));
    }

    @Test
    void keyControllerWatchesATypeInSeveralWays() {
        List<String> seen = new ArrayList<>();
        world.start(Operator.named("test-operator").keyController("keys", String.class, c -> c.watches(
                        ConfigMap.class, map -> List.of("of-" + map.getData().get("of")))
                .watches(
                        ConfigMap.class,
                        map -> List.of("name-" + map.getMetadata().getName()))
                .reconciler((key, context) -> {
                    seen.add(key);
                    return Result.done();
                })));
        world.working();
        shared("m", "of", "x");
        world.settle();
        assertThat(seen).containsExactlyInAnyOrder("of-x", "name-m");
    }

    @Test
    void typeThatIsOwnedTwiceOrIsTheReconciledOneIsRefusedWithTheFix() {
        assertThatThrownBy(() -> Operator.named("o")
                        .controller(Widget.class, c -> c.owns(ConfigMap.class).owns(ConfigMap.class)))
                .hasMessageContaining("owns")
                .hasMessageContaining("once is enough");
        assertThatThrownBy(() -> Operator.named("o").controller(Widget.class, c -> c.owns(Widget.class)))
                .hasMessageContaining("reconciles")
                .hasMessageContaining("watches(…)");
    }

    @Test
    void credentialsThatAreNotAcceptedAreNoMissingRight() {
        try (Said said = new Said();
                Registration expired = world.simulator
                        .faults()
                        .on(request -> request.userAgent().equals("test-operator")
                                && request.resource().equals("widgets"))
                        .answer(401)) {
            world.start((widget, context) -> Result.done());
            world.pass(Duration.ofSeconds(30));
            assertThat(world.running().controllers().get(0).waitsFor())
                    .anyMatch(text -> text.contains("credentials") && !text.contains("grant"));
            assertThat(said.lines("WARN", "does not accept the credentials")).isNotEmpty();
        }
    }

    @Test
    void missingRightIsNamed() {
        try (Registration refused = world.simulator
                .faults()
                .on(request -> request.userAgent().equals("test-operator")
                        && request.resource().equals("widgets"))
                .answer(403)) {
            world.start((widget, context) -> Result.done());
            world.pass(Duration.ofSeconds(30));
            assertThat(world.running().controllers().get(0).waitsFor())
                    .anyMatch(text -> text.contains("grant get, list and watch"));
        }
    }

    @Test
    void whoeverWaitsForWorkThatNeverBeginsIsTold() {
        try (World bare = new World(3)) {
            bare.start((widget, context) -> Result.done());
            bare.pass(Duration.ofMinutes(1));
            CompletableFuture<Void> working = bare.running().working().toCompletableFuture();
            CompletableFuture<Boolean> ended = bare.running().stop().toCompletableFuture();
            bare.await(ended::isDone);
            assertThat(working).isCompletedExceptionally();
            assertThatThrownBy(working::join).hasMessageContaining("stopped before");
        }
    }
}
