package io.homeostat.reconciler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.Namespace;
import io.homeostat.client.ApiClient;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.ResourceType;
import io.homeostat.core.InterruptedWaitException;
import io.homeostat.core.Metrics;
import io.homeostat.core.Registration;
import io.homeostat.informer.StorePolicy;
import io.homeostat.virtualruntime.VirtualProcess;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.LongSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class OutcomesTest {
    private final World world = World.withCrd();
    private final AtomicInteger runs = new AtomicInteger();

    @AfterEach
    void close() {
        world.close();
    }

    /** A throwable whose own methods throw. */
    private static final class Nasty extends RuntimeException {
        private static final long serialVersionUID = 1;

        @Override
        public String getMessage() {
            throw new IllegalStateException("no message");
        }
    }

    @SuppressWarnings("InfiniteRecursion")
    private static int overflow(int n) {
        return overflow(n + 1) + 1;
    }

    @SuppressWarnings("NullAway") // what user code without a null checker does
    private static Result brokenPromise() {
        return null;
    }

    @Test
    void whateverIsThrownIsRetriedForEverAndHarmsNobody() {
        List<Object> thrown = List.of(
                new IllegalStateException("broken"),
                new IOException("checked"),
                new AssertionError("an Error"),
                new NoClassDefFoundError("a linkage error"),
                new Nasty(),
                new InterruptedException("made up"),
                "overflow",
                "null");
        world.start((widget, context) -> {
            if (widget.getMetadata().getName().equals("good")) {
                return Result.done();
            }
            int run = runs.getAndIncrement();
            if (run >= thrown.size()) {
                return Result.done();
            }
            Object what = thrown.get(run);
            if (what instanceof Exception exception) {
                throw exception;
            }
            if (what instanceof Error error) {
                throw error;
            }
            return what.equals("overflow") ? Result.retry("" + overflow(0)) : brokenPromise();
        });
        world.widget("bad", 1);
        world.widget("good", 1);
        world.await(() -> runs.get() > thrown.size());
        world.settle();
        assertThat(world.reconciled.stream().filter(each -> each.error() != null))
                .hasSize(thrown.size());
        assertThat(world.outcomes()).filteredOn("done"::equals).hasSize(2);
        assertThat(world.running().ended().toCompletableFuture()).isNotDone();
    }

    @Test
    void errorOfTheJvmReleasesTheKeyAndEndsTheOperatorWithIt() {
        world.start((widget, context) -> {
            throw new OutOfMemoryError("made up");
        });
        world.widget("w", 1);
        CompletableFuture<Boolean> ended = world.running().ended().toCompletableFuture();
        world.await(ended::isDone);
        assertThat(ended).isCompletedExceptionally();
        assertThatThrownBy(ended::join).hasRootCauseInstanceOf(OutOfMemoryError.class);
        assertThat(world.running().controllers().get(0).running()).isZero();
    }

    @Test
    void errorOfTheJvmInAnObserverEndsTheOperatorToo() {
        world.start(Operator.named("test-operator")
                .observer(reconciled -> {
                    throw new OutOfMemoryError("made up");
                })
                .controller(Widget.class, c -> c.reconciler((widget, context) -> Result.done())));
        world.widget("w", 1);
        CompletableFuture<Boolean> ended = world.running().ended().toCompletableFuture();
        world.await(ended::isDone);
        assertThatThrownBy(ended::join).hasRootCauseInstanceOf(OutOfMemoryError.class);
    }

    @Test
    void errorOfTheJvmInAMapperIsNotSwallowed() {
        world.start(Operator.named("test-operator").controller(Widget.class, c -> c.watches(ConfigMap.class, map -> {
                    throw new OutOfMemoryError("made up");
                })
                .reconciler((widget, context) -> Result.done())));
        world.working();
        assertThatThrownBy(() -> {
                    world.apply(
                            World.CONFIG_MAPS,
                            "any",
                            "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"any\"}}");
                    world.settle();
                })
                .hasRootCauseInstanceOf(OutOfMemoryError.class);
    }

    @Test
    void retryComesSoonThenLessOftenAndIsNoError() {
        List<Duration> at = new ArrayList<>();
        world.start((widget, context) -> {
            at.add(world.world.now());
            return runs.incrementAndGet() < 8 ? Result.retry("not yet") : Result.done();
        });
        world.widget("w", 1);
        world.await(() -> world.outcomes().contains("done"));
        assertThat(world.outcomes())
                .filteredOn(each -> each.equals("retry: not yet"))
                .hasSize(7);
        assertThat(at.get(1).minus(at.get(0))).isBetween(Duration.ofMillis(5), Duration.ofMillis(20));
        assertThat(at.get(7).minus(at.get(6))).isBetween(Duration.ofMillis(320), Duration.ofMillis(400));
        assertThat(world.reconciled.get(7).attempt()).isEqualTo(8);
    }

    @Test
    void requeueAfterComesBackAfterThatTimeAndForgetsFailures() {
        world.start((widget, context) -> switch (runs.incrementAndGet()) {
            case 1 -> Result.retry("once");
            case 2 -> Result.requeueAfter(Duration.ofMinutes(30));
            default -> Result.done();
        });
        world.widget("w", 1);
        world.await(() -> runs.get() == 2);
        world.pass(Duration.ofMinutes(29));
        assertThat(runs).hasValue(2);
        world.pass(Duration.ofMinutes(2));
        assertThat(runs).hasValue(3);
        assertThat(world.reconciled.get(2).attempt()).isEqualTo(1);
        assertThat(world.reconciled.get(2).causes().get(0)).hasToString("requeueAfter 30m");
    }

    @Test
    void failedWaitsForAChangeOfTheObjectItself() {
        world.start((widget, context) -> {
            runs.incrementAndGet();
            context.apply(World.wanted(widget));
            return widget.getSpec().size == 1 ? Result.failed("size 1 is not supported") : Result.done();
        });
        world.widget("w", 1);
        world.settle();
        assertThat(world.outcomes()).containsExactly("failed: size 1 is not supported");
        world.delete(World.CONFIG_MAPS, "w");
        world.patch(World.WIDGETS, "w", "status", "{\"status\":{\"note\":\"x\"}}");
        world.pass(Duration.ofHours(1));
        assertThat(runs).hasValue(1);
        world.widget("w", 2);
        world.settle();
        assertThat(world.outcomes()).contains("done");
        assertThat(world.configMap("w").getData()).isEqualTo(Map.of("size", "2"));
    }

    @Test
    void newGenerationForgetsTheBackoff() {
        world.start((widget, context) -> widget.getSpec().size == 1 ? Result.retry("never with 1") : Result.done());
        world.widget("w", 1);
        world.pass(Duration.ofMinutes(30));
        Duration before = world.world.now();
        world.widget("w", 2);
        world.await(() -> world.outcomes().contains("done"));
        assertThat(world.world.now().minus(before)).isLessThan(Duration.ofSeconds(1));
        assertThat(world.reconciled.get(world.reconciled.size() - 1).attempt()).isEqualTo(1);
    }

    @Test
    void reconcilePastItsDeadlineIsInterruptedAndRetried() {
        world.start(Operator.named("test-operator").controller(Widget.class, c -> c.deadline(Duration.ofSeconds(30))
                .reconciler((widget, context) -> {
                    if (runs.incrementAndGet() == 1) {
                        world.process().sleep(Duration.ofHours(10));
                    }
                    return Result.done();
                })));
        world.widget("w", 1);
        world.await(() -> world.outcomes().contains("done"));
        assertThat(world.reconciled.get(0).error()).hasMessageContaining("deadline of 30s");
        assertThat(world.reconciled.get(0).duration()).isBetween(Duration.ofSeconds(30), Duration.ofSeconds(31));
    }

    @Test
    void reconcileThatIgnoresInterruptsIsStuckAndItsWorkerReplacedWhileItsKeyStaysLocked() {
        AtomicBoolean release = new AtomicBoolean();
        AtomicInteger holders = new AtomicInteger();
        world.start(Operator.named("test-operator").controller(Widget.class, c -> c.workers(1)
                .deadline(Duration.ofSeconds(30))
                .reconciler((widget, context) -> {
                    if (widget.getMetadata().getName().equals("stuck")) {
                        assertThat(holders.incrementAndGet()).isEqualTo(1);
                        while (!release.get()) {
                            try {
                                world.process().sleep(Duration.ofMinutes(1));
                            } catch (InterruptedWaitException ignored) {
                                Thread.interrupted();
                            }
                        }
                        holders.decrementAndGet();
                    }
                    return Result.done();
                })));
        world.widget("stuck", 1);
        world.working();
        world.await(() -> world.running().controllers().get(0).running() == 1);
        world.widget("other", 1);
        world.pass(Duration.ofSeconds(20));
        assertThat(world.reconciled).as("the only worker is taken").isEmpty();
        world.await(() -> !world.reconciled.isEmpty());
        assertThat(world.reconciled.get(0).key()).isEqualTo(new ObjectKey("default", "other"));
        assertThat(world.running().controllers().get(0).stuck()).isEqualTo(1);
        world.widget("stuck", 2);
        world.pass(Duration.ofMinutes(10));
        release.set(true);
        world.await(() -> world.outcomes().size() == 3);
        world.settle();
        assertThat(world.running().controllers().get(0).stuck()).isZero();
        assertThat(world.outcomes()).containsExactly("done", "done", "done");
    }

    @Test
    void stopWaitsForWhatIsUnderWayAndTakesNothingNew() {
        world.start((widget, context) -> {
            world.process().sleep(Duration.ofSeconds(10));
            return Result.done();
        });
        world.working();
        world.widget("w", 1);
        world.await(() -> world.running().controllers().get(0).running() == 1);
        CompletableFuture<Boolean> ended = world.running().stop().toCompletableFuture();
        world.widget("late", 1);
        world.await(ended::isDone);
        assertThat(ended).isCompletedWithValue(true);
        assertThat(world.outcomes()).containsExactly("done");
    }

    @Test
    void stopInterruptsAtTheDrainTimeoutAndLeavesBehindWhatIgnoresIt() {
        AtomicBoolean release = new AtomicBoolean();
        world.start(Operator.named("test-operator")
                .drainTimeout(Duration.ofSeconds(3))
                .controller(
                        Widget.class,
                        c -> c.reconciler((widget, context) -> {
                            boolean polite = widget.getMetadata().getName().equals("polite");
                            do {
                                try {
                                    world.process().sleep(Duration.ofMinutes(10));
                                } catch (InterruptedWaitException asked) {
                                    if (polite) {
                                        throw asked;
                                    }
                                    Thread.interrupted();
                                }
                            } while (!release.get());
                            return Result.done();
                        })));
        world.working();
        world.widget("polite", 1);
        world.widget("rude", 1);
        world.await(() -> world.running().controllers().get(0).running() == 2);
        Duration before = world.world.now();
        CompletableFuture<Boolean> ended = world.running().stop().toCompletableFuture();
        world.await(ended::isDone);
        assertThat(ended).isCompletedWithValue(false);
        assertThat(world.world.now().minus(before)).isBetween(Duration.ofSeconds(8), Duration.ofSeconds(9));
        assertThat(world.outcomes()).singleElement().asString().startsWith("retry: InterruptedWaitException");
        release.set(true);
    }

    @Test
    void idleOperatorStopsAtOnceAndLeavesNoWatchOpen() {
        world.start((widget, context) -> Result.done());
        world.working();
        Duration before = world.world.now();
        CompletableFuture<Boolean> ended = world.running().stop().toCompletableFuture();
        world.await(ended::isDone);
        assertThat(world.world.now().minus(before)).isLessThan(Duration.ofSeconds(1));
        long mark = world.mark();
        world.pass(Duration.ofMinutes(10));
        assertThat(world.requestsSince(mark)).isEmpty();
    }

    @Test
    void cachesAreComparedWithTheServerOnlyWhereThatIsAskedFor() {
        try (World audited = World.withCrd()) {
            audited.start(Operator.named("test-operator")
                    .auditCachesEvery(Duration.ofMinutes(10))
                    .controller(Widget.class, c -> c.owns(ConfigMap.class).reconciler((w, context) -> Result.done())));
            audited.working();
            long mark = audited.mark();
            audited.pass(Duration.ofHours(2));
            assertThat(audited.requestsSince(mark)).contains("list widgets", "list configmaps");
        }
        world.start((widget, context) -> Result.done());
        world.working();
        long mark = world.mark();
        world.pass(Duration.ofHours(2));
        assertThat(world.requestsSince(mark)).isNotEmpty().doesNotContain("list widgets", "list configmaps");
    }

    @Test
    void aCacheKeepsItsObjectsAsTheOperatorSays() {
        for (StorePolicy policy : StorePolicy.values()) {
            List<ConfigMap> read = new ArrayList<>();
            try (World stored = World.withCrd()) {
                stored.start(Operator.named("test-operator")
                        .store(ConfigMap.class, policy)
                        .controller(Widget.class, c -> c.owns(ConfigMap.class).reconciler((w, context) -> {
                            context.apply(World.wanted(w));
                            context.find(ConfigMap.class, w.getMetadata().getName())
                                    .ifPresent(read::add);
                            return Result.requeueAfter(Duration.ofMinutes(1));
                        })));
                stored.working();
                stored.widget("w", 1);
                stored.pass(Duration.ofMinutes(10));
            }
            assertThat(read).hasSizeGreaterThan(5);
            ConfigMap last = read.get(read.size() - 1);
            ConfigMap before = read.get(read.size() - 2);
            assertThat(last).isEqualTo(before);
            if (policy == StorePolicy.DECODED) {
                assertThat(last).isSameAs(before);
            } else {
                assertThat(last).isNotSameAs(before);
            }
        }
    }

    @Test
    void operatorThatWaitsForItsCrdStopsTooAndMayBeStoppedTwice() {
        try (World bare = new World(3)) {
            bare.start((widget, context) -> Result.done());
            bare.pass(Duration.ofMinutes(1));
            bare.running().stop();
            CompletableFuture<Boolean> ended = bare.running().stop().toCompletableFuture();
            bare.await(ended::isDone);
            assertThat(ended).isCompletedWithValue(true);
        }
    }

    @Test
    void observerThatThrowsHarmsNobody() {
        Operator operator = Operator.named("test-operator")
                .observer(reconciled -> {
                    throw new AssertionError("an observer");
                })
                .controller(Widget.class, c -> c.reconciler((widget, context) -> Result.done()));
        world.start(operator);
        world.widget("w", 1);
        world.widget("w2", 1);
        world.await(() -> world.reconciled.size() == 2);
    }

    @Test
    void mapperThatThrowsWakesEveryObjectItMayConcern() {
        world.widget("a", 1);
        world.widget("b", 1);
        world.start(Operator.named("test-operator").controller(Widget.class, c -> c.watches(ConfigMap.class, map -> {
                    throw new IllegalStateException("mapper");
                })
                .reconciler((widget, context) -> Result.done())));
        world.await(() -> world.reconciled.size() >= 2);
        world.settle();
        world.reconciled.clear();
        world.apply(
                World.CONFIG_MAPS,
                "any",
                "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"any\"}}");
        world.settle();
        assertThat(world.reconciled)
                .extracting(Reconciled::key)
                .containsExactlyInAnyOrder(new ObjectKey("default", "a"), new ObjectKey("default", "b"));
        assertThat(world.reconciled.get(0).causes().get(0)).hasToString("ConfigMap/any added, its mapper threw");
    }

    @Test
    void mapperThatNamesNullOrAKeyThatCannotBePrintedLosesNoOtherKey() {
        record Unprintable(String value) {
            @Override
            public String toString() {
                throw new IllegalStateException("toString");
            }
        }
        List<Object> seen = new ArrayList<>();
        world.start(Operator.named("test-operator").keyController("keys", Object.class, c -> c.workers(1)
                .watches(
                        ConfigMap.class,
                        map -> map.getMetadata().getName().equals("bad")
                                ? java.util.Arrays.asList("x", null, new Unprintable("y"))
                                : map.getMetadata().getName().equals("odd")
                                        ? List.of(new Unprintable("z"))
                                        : List.of("good"))
                .reconciler((key, context) -> {
                    seen.add(key);
                    return Result.done();
                })));
        world.working();
        for (String name : List.of("bad", "odd", "good")) {
            world.apply(
                    World.CONFIG_MAPS,
                    name,
                    "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"" + name + "\"}}");
        }
        world.settle();
        assertThat(seen).contains("good", new Unprintable("z")).doesNotContainNull();
    }

    @Test
    void reconcileLineIsOneLine() {
        Reconciled reconciled = new Reconciled(
                1,
                "c",
                new ObjectKey("default", "w"),
                List.of(),
                1,
                Duration.ZERO,
                Duration.ZERO,
                List.of(),
                null,
                new IllegalStateException("first\n  second\r\nthird"));
        assertThat(reconciled.toString().lines()).hasSize(1);
        assertThat(reconciled).asString().endsWith("-> error: IllegalStateException: first second third");
    }

    @Test
    void watchedObjectsWakeWhatTheirMapperNames() {
        world.widget("a", 1);
        world.start(Operator.named("test-operator").controller(Widget.class, c -> c.watches(
                        ConfigMap.class,
                        map -> List.of(new ObjectKey("default", map.getData().getOrDefault("of", "nobody"))))
                .reconciler((widget, context) -> Result.done())));
        world.await(() -> !world.reconciled.isEmpty());
        world.settle();
        world.reconciled.clear();
        world.apply(
                World.CONFIG_MAPS,
                "any",
                "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"any\"},\"data\":{\"of\":\"a\"}}");
        world.settle();
        assertThat(world.reconciled).hasSize(1);
    }

    @Test
    void keyControllerReconcilesKeysOfItsOwnKind() {
        Set<String> seen = new TreeSet<>();
        world.start(Operator.named("test-operator").keyController("sizes", String.class, c -> c.watches(
                        Widget.class, widget -> List.of("size-" + widget.getSpec().size))
                .reconciler((key, context) -> {
                    seen.add(key + " "
                            + context.find(Widget.class, new ObjectKey("default", "a"))
                                    .isPresent());
                    return Result.done();
                })));
        world.widget("a", 1);
        world.settle();
        world.widget("a", 2);
        world.settle();
        assertThat(seen).containsExactly("size-1 true", "size-2 true");
    }

    @Test
    void twoOperatorsOfOneJvmDoNotSeeEachOther() {
        world.start((widget, context) -> Result.done());
        VirtualProcess second = world.world.process("second");
        AtomicInteger others = new AtomicInteger();
        Operator.Running other = Operator.named("test-operator")
                .controller(
                        Widget.class,
                        c -> c.reconciler((widget, context) -> {
                            others.incrementAndGet();
                            return Result.done();
                        }))
                .start(second, world.simulator.transport(second));
        world.widget("w", 1);
        world.await(() -> others.get() == 1 && world.reconciled.size() == 1);
        CompletableFuture<Boolean> ended = other.stop().toCompletableFuture();
        world.await(ended::isDone);
        world.widget("w", 2);
        world.settle();
        assertThat(others).hasValue(1);
        assertThat(world.reconciled).hasSize(2);
    }

    @Test
    void descriptionsThatCannotWorkAreRefused() {
        Reconciler<Widget> nothing = (widget, context) -> Result.done();
        assertThatThrownBy(() -> Operator.named("bad name!")).hasMessageContaining("operator name");
        assertThatThrownBy(() -> Operator.named("o").controller(Widget.class, c -> {}))
                .hasMessageContaining("no reconciler");
        assertThatThrownBy(() -> Operator.named("o")
                        .controller(Widget.class, c -> c.reconciler(nothing))
                        .controller(Widget.class, c -> c.reconciler(nothing)))
                .hasMessageContaining("already");
        assertThatThrownBy(() -> Operator.named("o")
                        .controller(Widget.class, c -> c.owns(ConfigMap.class).owns(ConfigMap.class)))
                .hasMessageContaining("twice");
        assertThatThrownBy(() -> Result.requeueAfter(Duration.ZERO)).hasMessageContaining("positive");
    }

    /** The namespace of the widget is deleted during its reconcile, which then applies something new. */
    private void applyInANamespaceThatGoes(boolean whenItIsGone) {
        ResourceType<Namespace> namespaces = ResourceType.of(Namespace.class);
        ObjectKey going = ObjectKey.clusterScoped("going");
        world.apply(
                namespaces, going, "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"going\"}}");
        world.start((widget, context) -> {
            if (widget.getSpec().size == 2) {
                context.client().delete(namespaces, going, ApiClient.Delete.ANY);
                while (whenItIsGone
                        && context.live().find(Namespace.class, going).isPresent()) {
                    world.process().sleep(Duration.ofMillis(100));
                }
            }
            ConfigMap wanted = World.wanted(widget);
            wanted.getMetadata().setName("c-" + widget.getSpec().size);
            context.apply(wanted);
            return Result.done();
        });
        String widget =
                "{\"apiVersion\":\"test.example.com/v1\",\"kind\":\"Widget\",\"metadata\":{\"name\":\"w\"},\"spec\":{\"size\":";
        ObjectKey key = new ObjectKey("going", "w");
        world.apply(World.WIDGETS, key, widget + "1}}");
        world.settle();
        world.apply(World.WIDGETS, key, widget + "2}}");
        world.await(() -> world.outcomes().stream().anyMatch(each -> !each.equals("done")));
        world.settle();
        assertThat(world.outcomes()).anyMatch(each -> each.startsWith("retry: "));
        assertThat(world.outcomes()).doesNotContain("error");
    }

    @Test
    void namespaceThatIsBeingDeletedIsNoError() {
        applyInANamespaceThatGoes(false);
    }

    @Test
    void namespaceThatIsGoneIsNoError() {
        applyInANamespaceThatGoes(true);
        assertThat(world.outcomes()).anyMatch(each -> each.contains("CacheNotReady"));
    }

    @Test
    void figuresAreThoseOfControllerRuntime() {
        Map<String, Double> figures = new TreeMap<>();
        Map<String, LongSupplier> gauges = new TreeMap<>();
        world.start(Operator.named("test-operator")
                .metrics(new Recording(figures, gauges))
                .controller(Widget.class, c -> c.workers(3)
                        .reconciler((widget, context) -> switch (runs.incrementAndGet()) {
                            case 1 -> Result.retry("not yet");
                            case 2 -> throw new IllegalStateException("broken");
                            case 3 -> Result.requeueAfter(Duration.ofSeconds(1));
                            case 4 -> Result.done();
                            default -> Result.failed("for good");
                        })));
        world.widget("w", 1);
        world.await(() -> runs.get() == 4);
        world.widget("w", 2);
        world.settle();
        String total = "controller_runtime_reconcile_total[controller, widget, result, ";
        assertThat(figures)
                .containsEntry(total + "requeue]", 1.0)
                .containsEntry(total + "error]", 2.0)
                .containsEntry(total + "requeue_after]", 1.0)
                .containsEntry(total + "success]", 1.0)
                .containsEntry("controller_runtime_reconcile_errors_total[controller, widget]", 2.0)
                .containsEntry("controller_runtime_terminal_reconcile_errors_total[controller, widget]", 1.0)
                .containsEntry("workqueue_retries_total[name, widget, controller, widget]", 3.0)
                .containsKey("controller_runtime_reconcile_time_seconds[controller, widget]")
                .containsKey("workqueue_queue_duration_seconds[name, widget, controller, widget]");
        assertThat(java.util.Objects.requireNonNull(
                                gauges.get("controller_runtime_max_concurrent_reconciles[controller, widget]"))
                        .getAsLong())
                .isEqualTo(3);
        assertThat(java.util.Objects.requireNonNull(gauges.get("controller_runtime_active_workers[controller, widget]"))
                        .getAsLong())
                .isZero();
        CompletableFuture<Boolean> ended = world.running().stop().toCompletableFuture();
        world.await(ended::isDone);
        world.pass(Duration.ofSeconds(1));
        assertThat(gauges).isEmpty();
    }

    /** Sums what is reported. */
    private record Recording(Map<String, Double> figures, Map<String, LongSupplier> gauges) implements Metrics {
        @Override
        public Counter counter(String name, String... labels) {
            return amount -> figures.merge(name + Arrays.toString(labels), (double) amount, Double::sum);
        }

        @Override
        public Registration gauge(String name, LongSupplier value, String... labels) {
            gauges.put(name + Arrays.toString(labels), value);
            return () -> gauges.remove(name + Arrays.toString(labels));
        }

        @Override
        public Histogram histogram(String name, String... labels) {
            return value -> figures.merge(name + Arrays.toString(labels), value, Double::sum);
        }
    }

    @Test
    void quietFailureIsSaidWhenItGoesOn() {
        try (Said said = new Said();
                Registration refused = world.simulator
                        .faults()
                        .on(request -> request.userAgent().equals("test-operator")
                                && request.resource().equals("widgets/status"))
                        .answer(409)) {
            world.start((widget, context) -> {
                context.updateStatus((Widget.Status status) -> status.seen = 1);
                return Result.done();
            });
            world.widget("w", 1);
            world.await(() -> world.reconciled.size() == 9);
            assertThat(said.lines("WARN", "default/w"))
                    .as("conflicts belong to the trade")
                    .isEmpty();
            world.world.runUntil(() -> world.reconciled.size() == 19, Duration.ofHours(9));
            assertThat(said.lines("WARN", "10 attempts in a row"))
                    .singleElement()
                    .asString()
                    .contains("default/w", "Conflict");
            world.world.runUntil(() -> world.reconciled.size() == 39, Duration.ofHours(9));
            assertThat(said.lines("WARN", "20 attempts in a row")).hasSize(1);
            assertThat(said.lines("WARN", "attempts in a row")).hasSize(2);
            world.world.runUntil(() -> world.reconciled.size() == 41, Duration.ofHours(9));
            assertThat(said.lines("WARN", "40 attempts in a row")).hasSize(1);
            assertThat(world.outcomes()).allMatch(each -> each.startsWith("retry: Conflict"));
        }
        world.await(() -> world.outcomes().contains("done"));
    }

    @Test
    void successEndsTheRowOfQuietFailures() {
        try (Said said = new Said()) {
            world.start((widget, context) -> {
                if (runs.incrementAndGet() % 6 == 0) {
                    return Result.requeueAfter(Duration.ofSeconds(1));
                }
                throw new CacheNotReady("made up");
            });
            world.widget("w", 1);
            world.await(() -> runs.get() > 40);
            assertThat(said.lines("WARN", "in a row")).isEmpty();
        }
    }

    @Test
    void objectThatIsThereAlreadyIsAnErrorThatIsSeen() {
        world.apply(
                World.CONFIG_MAPS,
                "w",
                "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"w\",\"namespace\":\"default\"}}");
        try (Said said = new Said()) {
            world.start((widget, context) -> {
                ConfigMap made = World.wanted(widget);
                made.getMetadata().setNamespace("default");
                context.client().create(made);
                return Result.done();
            });
            world.widget("w", 1);
            world.await(() -> world.reconciled.size() == 2);
            assertThat(world.outcomes()).containsOnly("error");
            assertThat(said.lines("ERROR", "AlreadyExists")).hasSize(2);
        }
    }

    @Test
    void failureForGoodIsSaidOnceInTheLogAndInAnEventUntilTheObjectChanges() {
        try (Said said = new Said()) {
            world.start((widget, context) -> Result.failed("size " + widget.getSpec().size + " is not supported"));
            world.widget("w", 1);
            world.settle();
            world.patch(World.WIDGETS, "w", "status", "{\"status\":{\"note\":\"x\"}}");
            world.pass(Duration.ofHours(1));
            assertThat(said.lines("WARN", "size 1 is not supported"))
                    .singleElement()
                    .asString()
                    .contains("default/w");
            assertThat(world.events("w")).singleElement().satisfies(event -> {
                assertThat(event.getType()).isEqualTo("Warning");
                assertThat(event.getReason()).isEqualTo("ReconcileFailed");
                assertThat(event.getNote()).isEqualTo("size 1 is not supported");
                assertThat(event.getSeries()).isNull();
            });
            world.widget("w", 2);
            world.settle();
            assertThat(said.lines("WARN", "size 2 is not supported")).hasSize(1);
            assertThat(world.events("w")).hasSize(2);
        }
    }

    @Test
    void mapperThatThrowsForEveryObjectWakesEverythingSeldomAndIsCountedAndSaidSeldom() {
        Map<String, Double> figures = new TreeMap<>();
        world.widget("a", 1);
        world.start(Operator.named("test-operator")
                .metrics(new Recording(figures, new TreeMap<>()))
                .controller(Widget.class, c -> c.watches(ConfigMap.class, map -> {
                            throw new IllegalStateException("mapper");
                        })
                        .reconciler((widget, context) -> Result.done())));
        world.working();
        world.settle();
        world.reconciled.clear();
        try (Said said = new Said()) {
            for (int i = 0; i < 300; i++) {
                world.apply(
                        World.CONFIG_MAPS,
                        "any",
                        "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"any\"},\"data\":{\"n\":\""
                                + i + "\"}}");
                world.pass(Duration.ofSeconds(1));
            }
            world.pass(Duration.ofMinutes(2));
            assertThat(world.reconciled.size())
                    .as("at once, after 1 s, 2 s, 4 s, … and then once a minute; 300 throwing changes")
                    .isBetween(8, 14);
            assertThat(said.lines("ERROR", "mapper")).hasSizeBetween(5, 7);
        }
        assertThat(figures.get("homeostat_mapper_failures_total[controller, widget, resource, configmaps]"))
                .isGreaterThanOrEqualTo(300.0);
        int before = world.reconciled.size();
        world.pass(Duration.ofMinutes(10));
        assertThat(world.reconciled).as("nothing throws any more").hasSize(before);
        Duration asked = world.world.now();
        world.apply(
                World.CONFIG_MAPS,
                "any",
                "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"any\"},\"data\":{\"n\":\"last\"}}");
        world.await(() -> world.reconciled.size() > before);
        assertThat(world.world.now().minus(asked)).as("at once again").isLessThan(Duration.ofSeconds(1));
    }

    @Test
    void mapperThatThrowsNowAndThenWakesEverythingLessAndLessOftenToo() {
        world.widget("a", 1);
        world.start(Operator.named("test-operator").controller(Widget.class, c -> c.watches(ConfigMap.class, map -> {
                    throw new IllegalStateException("mapper");
                })
                .reconciler((widget, context) -> Result.done())));
        world.working();
        world.settle();
        world.reconciled.clear();
        for (int i = 0; i < 150; i++) {
            world.apply(
                    World.CONFIG_MAPS,
                    "any",
                    "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"any\"},\"data\":{\"n\":\""
                            + i + "\"}}");
            world.pass(Duration.ofSeconds(2)); // longer than the first rest
        }
        assertThat(world.reconciled.size()).isBetween(6, 14);
    }

    @Test
    void watchedObjectThatCannotBeReadWakesEverythingAndIsNotBlamedOnTheMapper() {
        AtomicInteger mapped = new AtomicInteger();
        Map<String, Double> figures = new TreeMap<>();
        world.widget("good", 1);
        world.start(Operator.named("test-operator")
                .metrics(new Recording(figures, new TreeMap<>()))
                .keyController("keys", String.class, c -> c.watches(Widget.class, widget -> {
                            mapped.incrementAndGet();
                            return List.of(widget.getMetadata().getName());
                        })
                        .reconciler((key, context) -> Result.done())));
        world.working();
        world.settle();
        world.reconciled.clear();
        try (Said said = new Said()) {
            world.apply(
                    World.WIDGETS,
                    "bad",
                    "{\"apiVersion\":\"test.example.com/v1\",\"kind\":\"Widget\",\"metadata\":{\"name\":\"bad\"}}");
            world.settle();
            world.reconciled.clear();
            world.patch(
                    World.WIDGETS,
                    "bad",
                    "status",
                    "{\"status\":{\"conditions\":[{\"type\":\"X\",\"observedGeneration\":\"canary-secret\"}]}}");
            world.settle();
            assertThat(world.reconciled).extracting(Reconciled::key).contains("good");
            assertThat(said.lines("INFO", "default/bad"))
                    .singleElement()
                    .asString()
                    .contains("cannot be read", "Undecodable")
                    .doesNotContain("canary");
            assertThat(said.lines("ERROR", "")).isEmpty();
        }
        assertThat(figures).doesNotContainKey("homeostat_mapper_failures_total[controller, keys, resource, widgets]");
    }

    @Test
    void errorOfTheJvmIsNotSaidToBeRetried() {
        try (Said said = new Said()) {
            world.start((widget, context) -> {
                throw new OutOfMemoryError("made up");
            });
            world.widget("w", 1);
            CompletableFuture<Boolean> ended = world.running().ended().toCompletableFuture();
            world.await(ended::isDone);
            assertThat(said.lines("ERROR", "will be retried")).isEmpty();
            assertThat(said.lines("ERROR", "default/w")).hasSize(1);
        }
    }

    @Test
    void reconcileThatIsLeftBehindAtTheStopWritesNothingMore() {
        AtomicBoolean release = new AtomicBoolean();
        List<String> refused = new ArrayList<>();
        world.start(Operator.named("test-operator")
                .drainTimeout(Duration.ofSeconds(3))
                .controller(Widget.class, c -> c.owns(ConfigMap.class).reconciler((widget, context) -> {
                    io.homeostat.client.BlockingApiClient client = context.client();
                    while (!release.get()) {
                        try {
                            world.process().sleep(Duration.ofMinutes(1));
                        } catch (InterruptedWaitException ignored) {
                            Thread.interrupted();
                        }
                    }
                    ConfigMap late = World.wanted(widget);
                    late.getMetadata().setNamespace("default");
                    for (Runnable write : List.<Runnable>of(
                            () -> client.create(late), () -> context.apply(late), () -> context.client())) {
                        try {
                            write.run();
                        } catch (IllegalStateException ended) {
                            refused.add(ended.getMessage());
                        }
                    }
                    return Result.done();
                })));
        world.working();
        world.widget("w", 1);
        world.await(() -> world.running().controllers().get(0).running() == 1);
        CompletableFuture<Boolean> ended = world.running().stop().toCompletableFuture();
        world.await(ended::isDone);
        assertThat(ended).isCompletedWithValue(false);
        release.set(true);
        world.await(() -> refused.size() == 3);
        assertThat(refused).allMatch(message -> message.contains("left behind"));
        assertThat(world.find(World.CONFIG_MAPS, "w")).isEmpty();
    }

    @Test
    void writeOfSeveralRequestsThatAStopLeavesBehindIsNotSentEither() {
        List<String> ends = new ArrayList<>();
        world.simulator
                .faults()
                .on(request -> request.userAgent().equals("test-operator")
                        && List.of("/api", "/apis", "/api/v1").contains(request.path()))
                .delay(Duration.ofSeconds(20));
        world.start(Operator.named("test-operator")
                .drainTimeout(Duration.ofSeconds(3))
                .controller(
                        Widget.class,
                        c -> c.reconciler((widget, context) -> {
                            io.homeostat.client.BlockingApiClient client = context.client();
                            while (ends.size() < 2) { // interrupted once, and deaf to it
                                Thread.interrupted();
                                try {
                                    // Only discovery knows the resource of that: a request before the write.
                                    client.create(new io.fabric8.kubernetes.api.model.GenericKubernetesResourceBuilder()
                                            .withApiVersion("v1")
                                            .withKind("ConfigMap")
                                            .withNewMetadata()
                                            .withName("late")
                                            .withNamespace("default")
                                            .endMetadata()
                                            .build());
                                    ends.add("written");
                                } catch (io.homeostat.client.ApiException refused) {
                                    ends.add(Texts.of(refused));
                                }
                            }
                            return Result.done();
                        })));
        world.working();
        world.widget("w", 1);
        world.await(() -> world.running().controllers().get(0).running() == 1);
        CompletableFuture<Boolean> ended = world.running().stop().toCompletableFuture();
        world.await(ended::isDone);
        assertThat(ended).isCompletedWithValue(false);
        assertThat(ends).hasSize(1);
        world.await(() -> ends.size() == 2);
        assertThat(ends.get(1)).startsWith("GateClosed").contains("has ended");
        assertThat(world.find(World.CONFIG_MAPS, "late")).isEmpty();
    }
}
