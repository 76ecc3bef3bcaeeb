package io.homeostat.reconciler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.Namespace;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.RawObject;
import io.homeostat.client.ResourceType;
import io.homeostat.core.Registration;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** An operator that works in some namespaces, which come and go. */
class NamespacesTest {
    private World world = World.withCrd();
    private final Map<String, Integer> cleanups = new TreeMap<>();
    private @Nullable CompletableFuture<Void> hold;
    private final AtomicInteger held = new AtomicInteger();

    @AfterEach
    void close() {
        world.close();
    }

    private void namespaces(String... names) {
        for (String name : names) {
            world.apply(
                    ResourceType.of(Namespace.class),
                    ObjectKey.clusterScoped(name),
                    "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"" + name + "\"}}");
        }
    }

    private void widget(String namespace, String name, int size) {
        world.apply(
                World.WIDGETS,
                new ObjectKey(namespace, name),
                "{\"apiVersion\":\"test.example.com/v1\",\"kind\":\"Widget\",\"metadata\":{\"name\":\"" + name
                        + "\"},\"spec\":{\"size\":" + size + "}}");
    }

    private Operator operator(String... namespaces) {
        Operator operator = Operator.named("test-operator");
        if (namespaces.length > 0) {
            operator.namespaces(List.of(namespaces));
        }
        return operator.controller(Widget.class, c -> c.owns(ConfigMap.class).reconciler(new FinalizingReconciler<>() {
            @Override
            public Result reconcile(Widget widget, Context<Widget> context) {
                CompletableFuture<Void> until = hold;
                if (until != null) {
                    held.incrementAndGet();
                    world.process().await(until, Duration.ofMinutes(5));
                }
                context.apply(World.wanted(widget));
                assertThat(context.owned(ConfigMap.class)).hasSize(1);
                return Result.done();
            }

            @Override
            public Result cleanup(Widget widget, Context<Widget> context) {
                cleanups.merge(context.key().toString(), 1, Integer::sum);
                return Result.done();
            }
        }));
    }

    private Set<String> reconciled() {
        Set<String> keys = new TreeSet<>();
        world.reconciled.forEach(each -> keys.add(String.valueOf(each.key())));
        return keys;
    }

    private Optional<RawObject> find(ResourceType<?> type, String namespace, String name) {
        return world.find(type, new ObjectKey(namespace, name));
    }

    private Operator.Running running() {
        return Objects.requireNonNull(world.running);
    }

    private void done(java.util.concurrent.CompletionStage<?> stage) {
        world.await(() -> stage.toCompletableFuture().isDone());
        assertThat(stage.toCompletableFuture()).isCompleted();
    }

    private void settle() {
        world.pass(Duration.ofSeconds(10));
    }

    /** Whatever the operator asks for in that namespace is refused. */
    private Registration forbid(String namespace) {
        return world.simulator
                .faults()
                .on(request -> request.userAgent().equals("test-operator")
                        && request.path().contains("/namespaces/" + namespace))
                .answer(403);
    }

    // ----

    @Test
    void worksInItsNamespacesOnlyAndTheyComeAndGo() {
        namespaces("a", "b", "c");
        for (String each : List.of("a", "b", "c")) {
            widget(each, "w", 1);
        }
        world.start(operator("b", "a"));
        world.working();
        settle();
        assertThat(running().namespaces()).containsExactly("a", "b");
        assertThat(reconciled()).containsExactly("a/w", "b/w");
        assertThat(find(World.CONFIG_MAPS, "b", "w")).isPresent();
        assertThat(find(World.CONFIG_MAPS, "c", "w")).isEmpty();

        done(running().addNamespace("c"));
        world.await(() -> reconciled().contains("c/w"));
        assertThat(find(World.CONFIG_MAPS, "c", "w")).isPresent();
        assertThat(running().caches()).hasSize(6);

        done(running().removeNamespace("a"));
        settle();
        assertThat(running().namespaces()).containsExactly("b", "c");
        assertThat(running().caches()).hasSize(4).noneMatch(cache -> cache.name()
                .endsWith(" in a"));
        world.reconciled.clear();
        widget("a", "w", 2);
        widget("a", "new", 2);
        widget("b", "w", 2);
        settle();
        assertThat(reconciled()).containsExactly("b/w");
        RawObject left = find(World.WIDGETS, "a", "w").orElseThrow();
        assertThat(left.finalizers()).as("nobody took it off").hasSize(1);
        assertThat(find(World.CONFIG_MAPS, "a", "w")).as("nobody deleted it").isPresent();
        assertThat(cleanups).isEmpty();

        done(running().addNamespace("a"));
        world.await(() -> reconciled().contains("a/new"));
        settle();
        assertThat(find(World.CONFIG_MAPS, "a", "w")
                        .orElseThrow()
                        .<ConfigMap>decode(World.CONFIG_MAPS)
                        .getData())
                .isEqualTo(Map.of("size", "2"));
        assertThat(cleanups).isEmpty();
    }

    @Test
    void whatIsUnderWayEndsBeforeItsNamespaceIsLeft() {
        namespaces("a", "b");
        world.start(operator("a", "b"));
        world.working();
        hold = new CompletableFuture<>();
        widget("a", "w", 1);
        world.await(() -> held.get() == 1);
        var left = running().removeNamespace("a").toCompletableFuture();
        settle();
        assertThat(left).isNotDone();
        var again = running().addNamespace("a").toCompletableFuture();
        settle();
        assertThat(again).isNotDone();
        Objects.requireNonNull(hold).complete(null);
        hold = null;
        done(left);
        done(again);
        settle();
        assertThat(find(World.CONFIG_MAPS, "a", "w")).isPresent();
        assertThat(world.outcomes()).containsOnly("done");
        assertThat(world.reconciled).as("once before, once after").hasSize(2);
    }

    @Test
    void theLastWordCountsWhenANamespaceIsAddedAndRemovedWhileItLeaves() {
        namespaces("a", "b");
        world.start(operator("a", "b"));
        world.working();
        hold = new CompletableFuture<>();
        widget("a", "w", 1);
        world.await(() -> held.get() == 1);
        var first = running().removeNamespace("a").toCompletableFuture();
        var again = running().addNamespace("a").toCompletableFuture();
        var second = running().removeNamespace("a").toCompletableFuture();
        Objects.requireNonNull(hold).complete(null);
        hold = null;
        done(first);
        done(second);
        settle();
        assertThat(again).isCompletedExceptionally();
        assertThat(running().namespaces()).containsExactly("b");
        assertThat(running().caches()).hasSize(2);
    }

    @Test
    void aNamespaceThatIsForbiddenIsSaidAndHoldsUpNoOther() {
        namespaces("a", "b");
        widget("a", "w", 1);
        widget("b", "w", 1);
        Registration forbidden = forbid("b");
        world.start(operator("a", "b"));
        world.working();
        settle();
        assertThat(reconciled()).containsExactly("a/w");
        ControllerState state = running().controllers().get(0);
        assertThat(state.working()).isTrue();
        assertThat(state.waitsFor()).hasSize(2).allSatisfy(each -> assertThat(each)
                .contains(" in b (the server refuses ")
                .contains("grant get, list and watch"));
        forbidden.close();
        world.await(() -> reconciled().contains("b/w"));
        assertThat(running().controllers().get(0).waitsFor()).isEmpty();

        // Revoked while it works: nothing is taken for gone, the other goes on; granted, it catches up.
        world.reconciled.clear();
        forbidden = forbid("a");
        world.simulator.restart();
        settle();
        widget("a", "w", 3);
        widget("b", "w", 3);
        world.await(() -> reconciled().contains("b/w"));
        settle();
        assertThat(find(World.CONFIG_MAPS, "a", "w")
                        .orElseThrow()
                        .<ConfigMap>decode(World.CONFIG_MAPS)
                        .getData())
                .isEqualTo(Map.of("size", "1"));
        forbidden.close();
        world.await(() -> world.reconciled.stream()
                .anyMatch(each -> each.key().equals(new ObjectKey("a", "w")) && each.result() instanceof Result.Done));
        assertThat(find(World.CONFIG_MAPS, "a", "w")
                        .orElseThrow()
                        .<ConfigMap>decode(World.CONFIG_MAPS)
                        .getData())
                .isEqualTo(Map.of("size", "3"));
        assertThat(cleanups).isEmpty();
    }

    @Test
    void anOperatorOfAllNamespacesHasNoneToAddOrRemove() {
        world.start(operator());
        world.working();
        assertThat(running().namespaces()).isEmpty();
        for (Runnable change : List.<Runnable>of(
                () -> running().addNamespace("a"), () -> running().removeNamespace("default"))) {
            assertThatThrownBy(change::run)
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("works in all");
        }
        assertThatThrownBy(() -> running().addNamespace("No_One")).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> operator("")).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void whatIsReadOutsideOfItsNamespacesIsNoEmptyAnswer() {
        namespaces("a", "b");
        List<String> said = new ArrayList<>();
        world.start(Operator.named("test-operator").namespace("a").controller(Widget.class, c -> c.owns(ConfigMap.class)
                .reconciler((widget, context) -> {
                    try {
                        context.find(ConfigMap.class, new ObjectKey("b", "x"));
                    } catch (CacheNotReady unknown) {
                        said.add(String.valueOf(unknown.getMessage()));
                    }
                    return Result.done();
                })));
        world.working();
        widget("a", "w", 1);
        world.await(() -> !said.isEmpty());
        assertThat(said.get(0)).contains("nothing of namespace \"b\"").contains("works in [a]");
    }

    @Test
    void clusterScopedObjectsAreReconciledEverywhereOnceTheirSecondariesAreThereInEachNamespace() {
        namespaces("a", "b");
        List<String> seen = new ArrayList<>();
        world.start(Operator.named("test-operator").namespaces(List.of("a")).controller(Namespace.class, c -> c.watches(
                        ConfigMap.class,
                        map -> List.of(ObjectKey.clusterScoped(map.getMetadata().getNamespace())))
                .reconciler((namespace, context) -> {
                    seen.add(context.key().name());
                    return Result.done();
                })));
        world.working();
        settle();
        assertThat(seen).contains("a", "b", "default");
        done(running().addNamespace("b"));
        seen.clear();
        world.apply(
                World.CONFIG_MAPS,
                new ObjectKey("b", "x"),
                "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"x\"}}");
        settle();
        assertThat(seen).containsExactly("b");
        done(running().removeNamespace("b"));
        seen.clear();
        world.apply(
                World.CONFIG_MAPS,
                new ObjectKey("b", "y"),
                "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"y\"}}");
        settle();
        assertThat(seen).isEmpty();
    }

    @Test
    void howeverNamespacesComeAndGoWhatIsWantedInThoseThatStayIsThereAndNothingIsEverCleanedUp() {
        for (int seed = 1; seed <= 40; seed++) {
            churn(seed);
        }
    }

    private void churn(long seed) {
        world.close();
        world = new World(seed);
        world.installCrd();
        world.reconciled.clear();
        RandomGenerator random = world.world.random("churn");
        String[] names = {"a", "b", "c"};
        namespaces(names);
        world.start(operator("a"));
        Map<String, Integer> wanted = new TreeMap<>();
        for (int step = 0; step < 30; step++) {
            String name = names[random.nextInt(names.length)];
            switch (random.nextInt(4)) {
                case 0 -> running().addNamespace(name);
                case 1 -> running().removeNamespace(name);
                default -> {
                    String widget = "w" + random.nextInt(3);
                    widget(name, widget, step);
                    wanted.put(name + "/" + widget, step);
                }
            }
            if (random.nextInt(3) == 0) {
                world.pass(Duration.ofMillis(random.nextInt(400)));
            }
        }
        settle();
        Set<String> stay = running().namespaces();
        wanted.forEach((key, size) -> {
            String[] parts = key.split("/", -1);
            Optional<RawObject> child = find(World.CONFIG_MAPS, parts[0], parts[1]);
            if (stay.contains(parts[0])) {
                assertThat(child).as("seed %d: %s", seed, key).isPresent();
                assertThat(child.orElseThrow()
                                .<ConfigMap>decode(World.CONFIG_MAPS)
                                .getData())
                        .as("seed %d: %s", seed, key)
                        .isEqualTo(Map.of("size", String.valueOf(size)));
            }
        });
        assertThat(running().caches()).as("seed %d", seed).hasSize(2 * stay.size());
        assertThat(cleanups).as("seed %d", seed).isEmpty();
        int before = world.reconciled.size();
        for (String name : names) {
            widget(name, "last", 1);
        }
        settle();
        Set<String> last = new TreeSet<>();
        world.reconciled.stream().skip(before).forEach(each -> last.add(((ObjectKey) each.key()).namespace()));
        assertThat(last).as("seed %d", seed).isEqualTo(stay);
        done(running().stop());
    }
}
