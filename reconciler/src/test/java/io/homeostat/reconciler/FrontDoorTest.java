package io.homeostat.reconciler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fabric8.kubernetes.api.model.Condition;
import io.fabric8.kubernetes.api.model.ConditionBuilder;
import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.Namespace;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.ResourceType;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What a reconciler and its operator are promised where they meet: scope, contexts, mappers, conditions. */
class FrontDoorTest {
    private final World world = World.withCrd();

    @AfterEach
    void close() {
        world.close();
    }

    @Test
    void anOperatorOfOneNamespaceWorksThereOnly() {
        ResourceType<Namespace> namespaces = ResourceType.of(Namespace.class);
        for (String name : List.of("mine", "theirs")) {
            world.apply(
                    namespaces,
                    ObjectKey.clusterScoped(name),
                    "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"" + name + "\"}}");
        }
        long mark = world.mark();
        world.start(
                Operator.named("test-operator").namespace("mine").controller(Widget.class, c -> c.owns(ConfigMap.class)
                        .reconciler((widget, context) -> {
                            context.apply(World.wanted(widget));
                            return Result.done();
                        })));
        for (String namespace : List.of("theirs", "mine")) {
            world.apply(
                    World.WIDGETS,
                    new ObjectKey(namespace, "w"),
                    "{\"apiVersion\":\"test.example.com/v1\",\"kind\":\"Widget\",\"metadata\":{\"name\":\"w\"},\"spec\":{\"size\":1}}");
        }
        world.await(() -> !world.reconciled.isEmpty());
        world.settle();
        assertThat(world.reconciled)
                .extracting(each -> String.valueOf(each.key()))
                .containsOnly("mine/w");
        assertThat(world.simulator.requestsSince(mark))
                .filteredOn(request -> request.userAgent().equals("test-operator"))
                .filteredOn(request -> !request.resource().isEmpty()
                        && !request.path().equals("/api/v1/namespaces/mine")) // whether there is one
                .extracting(request -> request.namespace())
                .containsOnly("mine");
    }

    @Test
    void whatReadsOrWritesIsRefusedAfterTheReconcile() {
        AtomicReference<@Nullable Context<Widget>> kept = new AtomicReference<>();
        AtomicReference<@Nullable KeyContext<String>> keptOfKey = new AtomicReference<>();
        world.start(Operator.named("test-operator")
                .controller(Widget.class, c -> c.owns(ConfigMap.class).reconciler((widget, context) -> {
                    kept.set(context);
                    return Result.done();
                }))
                .keyController("keys", String.class, c -> c.watches(Widget.class, widget -> List.of("key"))
                        .reconciler((key, context) -> {
                            keptOfKey.set(context);
                            return Result.done();
                        })));
        Widget widget = world.widget("w", 3).decode(World.WIDGETS);
        world.await(() -> world.reconciled.size() == 2);
        Context<Widget> context = Objects.requireNonNull(kept.get());
        KeyContext<String> ofKey = Objects.requireNonNull(keptOfKey.get());
        long mark = world.mark();
        ObjectKey key = new ObjectKey("default", "w");
        for (Runnable use : List.<Runnable>of(
                () -> context.apply(World.wanted(widget)),
                () -> context.delete(World.wanted(widget)),
                () -> context.updateStatus((Widget.Status status) -> status.seen = 1),
                () -> context.owned(ConfigMap.class),
                () -> context.find(ConfigMap.class, "w"),
                () -> context.find(ConfigMap.class, key),
                context::client,
                () -> ofKey.find(Widget.class, key),
                ofKey::client)) {
            assertThatThrownBy(use::run)
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("after its reconcile returned");
        }
        assertThat(world.requestsSince(mark)).isEmpty();
    }

    @Test
    void aContextOfAKeySaysWhichKeyWhyWhenAndHowOften() {
        List<String> said = new ArrayList<>();
        world.start(Operator.named("test-operator")
                .keyController("keys", String.class, c -> c.watches(Widget.class, widget -> List.of("key"))
                        .deadline(Duration.ofMinutes(3))
                        .reconciler((key, context) -> {
                            said.add(context.key() + " " + context.attempt() + " " + context.causes());
                            assertThat(context.deadline()).isPositive().isLessThanOrEqualTo(Duration.ofMinutes(3));
                            assertThat(context.now()).isEqualTo(world.process().wallClock());
                            assertThat(context.client().get(World.WIDGETS, new ObjectKey("default", "w")))
                                    .isPresent();
                            context.logger().info("a line of {}", key);
                            return context.attempt() == 1 ? Result.retry("once more") : Result.done();
                        })));
        world.widget("w", 3);
        world.await(() -> world.reconciled.size() == 2);
        assertThat(said).hasSize(2);
        assertThat(said.get(0)).isEqualTo("key 1 [Widget/w added]");
        assertThat(said.get(1)).startsWith("key 2 [").contains("once more");
    }

    @Test
    void aChangedOrDeletedObjectWakesWhatItNamedBeforeAndWhatItNamesNow() {
        world.widget("a", 1);
        world.widget("b", 1);
        world.start(Operator.named("test-operator").controller(Widget.class, c -> c.watches(
                        ConfigMap.class,
                        map -> List.of(new ObjectKey("default", map.getData().getOrDefault("of", "nobody"))))
                .reconciler((widget, context) -> Result.done())));
        world.await(() -> world.reconciled.size() == 2);
        world.settle();

        assertThat(wokenBy(() -> of("a"))).containsExactly("default/a");
        assertThat(wokenBy(() -> of("b"))).containsExactlyInAnyOrder("default/a", "default/b");
        assertThat(wokenBy(() -> world.delete(World.CONFIG_MAPS, "any"))).containsExactly("default/b");
    }

    private List<String> wokenBy(Runnable change) {
        world.reconciled.clear();
        change.run();
        world.settle();
        return world.reconciled.stream().map(each -> String.valueOf(each.key())).toList();
    }

    private void of(String name) {
        world.apply(
                World.CONFIG_MAPS,
                "any",
                "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"any\"},\"data\":{\"of\":\""
                        + name + "\"}}");
    }

    @Test
    void aConditionKeepsItsPlaceAndTheTimeOfItsLastTransition() {
        List<Condition> conditions = new ArrayList<>();
        List<Duration> pauses = List.of(Duration.ofMinutes(1), Duration.ofMinutes(1), Duration.ofMinutes(1));
        List<String> times = new ArrayList<>();
        world.start((widget, context) -> {
            List<Condition> wanted = List.of(
                    condition("Ready", "False", "Starting"),
                    condition("Ready", "False", "StillStarting"),
                    condition("Ready", "True", "Done"));
            if (conditions.isEmpty()) {
                conditions.add(condition("Other", "Unknown", "Nobody"));
            }
            Conditions.set(context, conditions, wanted.get(times.size()));
            times.add(conditions.get(1).getLastTransitionTime());
            return times.size() == 3 ? Result.done() : Result.requeueAfter(pauses.get(times.size()));
        });
        world.widget("w", 1);
        world.await(() -> times.size() == 3);
        assertThat(conditions)
                .extracting(Condition::getType, Condition::getStatus, Condition::getReason)
                .containsExactly(
                        org.assertj.core.groups.Tuple.tuple("Other", "Unknown", "Nobody"),
                        org.assertj.core.groups.Tuple.tuple("Ready", "True", "Done"));
        assertThat(times.get(1)).as("same status").isEqualTo(times.get(0));
        assertThat(times.get(2)).as("another status").isGreaterThan(times.get(1));
        assertThat(times.get(0)).matches("\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ");
    }

    private static Condition condition(String type, String status, String reason) {
        return new ConditionBuilder()
                .withType(type)
                .withStatus(status)
                .withReason(reason)
                .withMessage("")
                .build();
    }
}
