package io.homeostat.informer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.Namespace;
import io.homeostat.client.ApiClient;
import io.homeostat.client.ApiException;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.Query;
import io.homeostat.client.RawObject;
import io.homeostat.client.ResourceType;
import io.homeostat.core.Registration;
import io.homeostat.informer.InformerState.Phase;
import io.homeostat.simulator.Simulator;
import io.homeostat.virtualruntime.VirtualProcess;
import io.homeostat.virtualruntime.VirtualWorld;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Several namespaces as one cache, on a simulator in a virtual world. */
class NamespacedInformerTest {
    private static final int SEEDS = Integer.getInteger("homeostat.seeds", 100);
    private static final ResourceType<ConfigMap> TYPE = TestObject.TYPE;
    private static final List<String> SPACES = List.of("blue", "green", "red", "white");

    private World world = new World(1);

    /** A server with four namespaces, a process with caches, and a stranger who changes things. */
    private static final class World implements AutoCloseable {
        final VirtualWorld world;
        final Simulator simulator;
        final VirtualProcess process;
        final ApiClient stranger;
        final ApiClient client;
        final SharedInformers informers;

        World(long seed) {
            world = VirtualWorld.seeded(seed);
            simulator = Simulator.on(world.process("server")).withoutWorkloads().build();
            VirtualProcess outside = world.process("stranger");
            stranger = ApiClient.over(outside, simulator.transport(outside), ApiClient.Settings.of("stranger"));
            process = world.process("operator");
            client = ApiClient.over(process, simulator.transport(process), ApiClient.Settings.of("operator"));
            informers = SharedInformers.over(process, client);
            for (String space : SPACES) {
                ask(() -> stranger.create(
                        ResourceType.of(Namespace.class),
                        ObjectKey.clusterScoped(space),
                        ("{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"" + space + "\"}}")
                                .getBytes(StandardCharsets.UTF_8)));
            }
        }

        <T extends @Nullable Object> T ask(Supplier<CompletionStage<T>> request) {
            CompletableFuture<T> answer = request.get().toCompletableFuture();
            until(answer::isDone);
            return answer.join();
        }

        void until(BooleanSupplier condition) {
            world.runUntil(condition, Duration.ofMinutes(5));
        }

        void pass(Duration time) {
            world.runFor(time);
        }

        void put(String space, String name, String label) {
            ask(() -> stranger.apply(
                    TYPE,
                    new ObjectKey(space, name),
                    "",
                    new ApiClient.Apply("stranger", ApiClient.Apply.Force.YES),
                    ("{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"" + name
                                    + "\",\"labels\":{\"kind\":\"" + label + "\"}}}")
                            .getBytes(StandardCharsets.UTF_8)));
        }

        void erase(String space, String name) {
            try {
                ask(() -> stranger.delete(TYPE, new ObjectKey(space, name), ApiClient.Delete.ANY));
            } catch (java.util.concurrent.CompletionException gone) {
                assertThat(gone).hasCauseInstanceOf(ApiException.NotFound.class);
            }
        }

        List<String> truth(Set<String> spaces) {
            List<String> all = new ArrayList<>();
            for (String space : new TreeSet<>(spaces)) {
                ask(() -> stranger.listAll(TYPE, Query.in(space))).stream()
                        .filter(each -> !each.key().name().equals("kube-root-ca.crt"))
                        .map(NamespacedInformerTest::text)
                        .sorted()
                        .forEach(all::add);
            }
            return all;
        }

        @Override
        public void close() {
            world.close();
        }
    }

    @AfterEach
    void end() {
        world.close();
    }

    private static String text(RawObject object) {
        return object.key() + " " + object.uid() + " " + object.resourceVersion();
    }

    private static List<String> shown(List<CachedObject<ConfigMap>> objects) {
        return objects.stream().map(each -> text(each.raw())).toList();
    }

    private static List<String> folded(Recording handler) {
        return new TreeMap<>(handler.fold)
                .values().stream().map(NamespacedInformerTest::text).toList();
    }

    private NamespacedInformer<ConfigMap> synced(String... spaces) {
        NamespacedInformer<ConfigMap> informer = world.informers.informer(TYPE, Set.of(spaces), "");
        world.until(() -> informer.synced().toCompletableFuture().isDone());
        return informer;
    }

    @Test
    void readsAreOfTheNamespacesOnlyAndInTheirOrder() {
        SPACES.forEach(space -> world.put(space, "a", space.length() == 3 ? "short" : "long"));
        NamespacedInformer<ConfigMap> informer = synced("red", "blue");
        Index<ConfigMap> names =
                Index.ofMetadata("name", raw -> Set.of(raw.key().name()));
        informer.addIndex(names);

        assertThat(informer.namespaces()).containsExactly("blue", "red");
        assertThat(shown(informer.snapshot().list())).isEqualTo(world.truth(Set.of("red", "blue")));
        assertThat(informer.lister().get(new ObjectKey("red", "a"))).isPresent();
        assertThat(informer.lister().get(new ObjectKey("green", "a"))).isEmpty();
        assertThat(informer.lister().inNamespace("white")).isEmpty();
        assertThat(shown(informer.lister().matching("kind=short"))).isEqualTo(world.truth(Set.of("red")));
        assertThat(shown(informer.lister().matching("blue", "kind=long"))).isEqualTo(world.truth(Set.of("blue")));
        assertThat(shown(informer.lister().indexed(names, "a").objects()))
                .isEqualTo(world.truth(Set.of("red", "blue")));
        assertThat(informer.snapshot().size()).isEqualTo(2);
    }

    @Test
    void namespaceThatIsAddedIsToldAndOneThatIsRemovedIsToldToTheEnd() {
        world.put("blue", "a", "x");
        world.put("green", "b", "x");
        NamespacedInformer<ConfigMap> informer = synced("blue");
        Recording handler = new Recording();
        SharedInformer.HandlerRegistration registration = informer.addHandler("test", handler);
        world.until(() -> registration.synced().toCompletableFuture().isDone());

        CompletableFuture<Void> added = informer.add("green").toCompletableFuture();
        world.until(added::isDone);
        world.put("green", "c", "x");
        world.pass(Duration.ofSeconds(5));
        assertThat(folded(handler)).isEqualTo(world.truth(Set.of("blue", "green")));

        CompletableFuture<Void> removed = informer.remove("green").toCompletableFuture();
        assertThat(shown(informer.snapshot().list())).as("at once").isEqualTo(world.truth(Set.of("blue")));
        world.until(removed::isDone);
        world.pass(Duration.ofSeconds(1));
        assertThat(folded(handler)).isEqualTo(world.truth(Set.of("blue")));
        assertThat(world.informers.states())
                .as("the cache of what was removed is gone")
                .hasSize(1);

        world.put("green", "d", "x");
        world.pass(Duration.ofSeconds(5));
        assertThat(folded(handler)).isEqualTo(world.truth(Set.of("blue")));
    }

    @Test
    void handlerIsSyncedWhenItHasProcessedAllNamespacesAndWithNoneAtOnce() {
        world.put("blue", "a", "x");
        world.put("red", "a", "x");
        NamespacedInformer<ConfigMap> informer = world.informers.informer(TYPE, Set.of("blue", "red"), "");
        Recording handler = new Recording();
        CompletableFuture<Void> processed =
                informer.addHandler("test", handler).synced().toCompletableFuture();
        assertThat(processed).isNotDone();
        world.until(processed::isDone);
        assertThat(handler.fold).hasSize(2);

        NamespacedInformer<ConfigMap> none = world.informers.informer(TYPE, Set.of(), "");
        CompletableFuture<Void> nothing =
                none.addHandler("test", new Recording()).synced().toCompletableFuture();
        world.pass(Duration.ofSeconds(1));
        assertThat(nothing).isCompleted();
        assertThat(none.synced().toCompletableFuture()).isCompleted();
    }

    @Test
    void cacheOfANamespaceIsSharedAndStaysWhileSomebodyElseHoldsIt() {
        NamespacedInformer<ConfigMap> several = synced("blue", "red");
        SharedInformer<ConfigMap> one = world.informers.informer(TYPE, "blue");
        assertThat(world.informers.states()).hasSize(2);

        CompletableFuture<Void> removed = several.remove("blue").toCompletableFuture();
        world.until(removed::isDone);
        world.put("blue", "a", "x");
        world.pass(Duration.ofSeconds(5));
        assertThat(shown(one.snapshot().list())).isEqualTo(world.truth(Set.of("blue")));
        several.close();
        world.pass(Duration.ofSeconds(1));
        assertThat(world.informers.states()).hasSize(1);
    }

    /** Whoever waits for an index that a removal ends is called in the middle of it. */
    @Test
    void namespaceThatComesBackWhileItLeavesIsToldBehindItsEnd() {
        world.put("blue", "a", "x");
        NamespacedInformer<ConfigMap> informer = synced("blue");
        SharedInformer.IndexRegistration index = informer.addIndex(
                Index.ofMetadata("name", raw -> Set.of(raw.key().name())));
        Recording handler = new Recording();
        informer.addHandler("test", handler);
        CompletableFuture<Void> again = new CompletableFuture<>();
        index.built().whenComplete((done, failure) -> {
            informer.add("blue");
            again.complete(null);
        });

        informer.remove("blue");
        assertThat(again).as("called within the removal").isCompleted();
        world.pass(Duration.ofSeconds(10));
        assertThat(informer.namespaces()).containsExactly("blue");
        assertThat(folded(handler)).isEqualTo(world.truth(Set.of("blue")));
    }

    @Test
    void stateIsThatOfTheNamespaceThatIsWorstOff() {
        NamespacedInformer<ConfigMap> informer = synced("blue", "red");
        assertThat(informer.state().phase()).isEqualTo(Phase.WATCHING);
        assertThat(informer.state().name()).contains("blue, red");
        assertThat(informer.state().synced()).isTrue();
        List<Phase> phases = new ArrayList<>();
        try (Registration listening = informer.onStateChange(state -> phases.add(state.phase()))) {
            CompletableFuture<Void> added = informer.add("green").toCompletableFuture();
            assertThat(informer.state().synced()).isFalse();
            world.until(added::isDone);
        }
        assertThat(phases).contains(Phase.STREAMING);
    }

    @Test
    void whatMakesNoSenseIsRefusedWithWords() {
        NamespacedInformer<ConfigMap> informer = synced("blue");
        assertThatThrownBy(() -> informer.add(""))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("all of them");
        assertThatThrownBy(() -> world.informers.informer(ResourceType.of(Namespace.class), Set.of("blue"), ""))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("namespaces");
        informer.close();
        assertThatThrownBy(() -> informer.add("red"))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("red");
        assertThatThrownBy(() -> informer.addHandler("late", new Recording()))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("late");
    }

    /** Objects, namespaces, handlers and the server come and go; at the end everybody was told what there is. */
    @Test
    void everyHandlerAndEveryReadHaveWhatTheServerHasInTheNamespacesThatAreLeft() {
        for (long seed = Long.getLong("homeostat.seed", 0); seed < SEEDS; seed++) {
            history(seed);
        }
    }

    private static void history(long seed) {
        try (World world = new World(seed)) {
            RandomGenerator random = new java.util.SplittableRandom(seed);
            NamespacedInformer<ConfigMap> informer = world.informers.informer(TYPE, Set.of("blue", "red"), "");
            List<Recording> handlers = new ArrayList<>();
            List<Registration> registrations = new ArrayList<>();
            for (int step = 0; step < 60; step++) {
                String space = SPACES.get(random.nextInt(SPACES.size()));
                String name = "o" + random.nextInt(4);
                switch (random.nextInt(12)) {
                    case 0, 1 -> informer.add(space);
                    case 2, 3 -> informer.remove(space);
                    case 4 -> {
                        Recording handler = new Recording();
                        handlers.add(handler);
                        registrations.add(informer.addHandler("handler " + step, handler));
                    }
                    case 5 -> {
                        if (!registrations.isEmpty() && random.nextInt(3) == 0) {
                            int which = random.nextInt(registrations.size());
                            registrations.remove(which).close();
                            handlers.remove(which);
                        }
                    }
                    case 6 -> world.erase(space, name);
                    case 7 -> {
                        if (random.nextInt(4) == 0) {
                            world.simulator.restart();
                        } else {
                            world.simulator.compact();
                        }
                    }
                    default -> world.put(space, name, "v" + step);
                }
                if (random.nextInt(3) > 0) {
                    world.pass(Duration.ofMillis(random.nextInt(400)));
                }
            }
            world.pass(Duration.ofMinutes(3));
            List<String> truth = world.truth(informer.namespaces());
            assertThat(shown(informer.snapshot().list()))
                    .as("reads, seed " + seed)
                    .isEqualTo(truth);
            for (Recording handler : handlers) {
                assertThat(folded(handler)).as("a handler, seed " + seed).isEqualTo(truth);
            }
            assertThat(world.informers.states()).as("caches, seed " + seed).hasSameSizeAs(informer.namespaces());
        }
    }
}
