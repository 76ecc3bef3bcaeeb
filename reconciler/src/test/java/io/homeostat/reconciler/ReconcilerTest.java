package io.homeostat.reconciler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.ConfigMapBuilder;
import io.fabric8.kubernetes.api.model.Namespace;
import io.fabric8.kubernetes.api.model.Secret;
import io.homeostat.client.ApiClient;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.RawObject;
import io.homeostat.client.ResourceType;
import io.homeostat.core.Registration;
import io.homeostat.informer.InformerState;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ReconcilerTest {
    private final World world = World.withCrd();

    @AfterEach
    void close() {
        world.close();
    }

    private static Result reconcile(Widget widget, Context<Widget> context) {
        context.apply(World.wanted(widget));
        context.updateStatus((Widget.Status status) -> status.seen = widget.getSpec().size);
        return Result.done();
    }

    private void started() {
        world.start(ReconcilerTest::reconcile);
        world.widget("w", 3);
        world.await(() -> world.outcomes().contains("done"));
        world.settle();
    }

    @Test
    void objectGetsWhatItOwnsAndItsStatus() {
        started();
        ConfigMap child = world.configMap("w");
        assertThat(child.getData()).isEqualTo(Map.of("size", "3"));
        assertThat(child.getMetadata().getOwnerReferences()).singleElement().satisfies(owner -> {
            assertThat(owner.getUid()).isEqualTo(world.widget("w").getMetadata().getUid());
            assertThat(owner.getController()).isTrue();
            assertThat(owner.getBlockOwnerDeletion()).isTrue();
        });
        assertThat(world.reconciled.get(0))
                .hasToString("#1 default/w causes=[Widget/w added] "
                        + Texts.of(world.reconciled.get(0).duration()) + " writes=[ConfigMap/w, status] -> done");
    }

    @Test
    void nothingIsSentWhenNothingChanges() {
        started();
        long mark = world.mark();
        int before = world.reconciled.size();
        world.pass(Duration.ofMinutes(3));
        assertThat(world.requestsSince(mark))
                .filteredOn(request -> !request.startsWith("watch"))
                .isEmpty();
        assertThat(world.reconciled).hasSize(before);
    }

    @Test
    void ownStatusWriteDoesNotBringTheObjectBackAndAnApplyThatChangesNothingIsNotSent() {
        started();
        long mark = world.mark();
        int before = world.reconciled.size();
        world.patch(World.WIDGETS, "w", "status", "{\"status\":{\"note\":\"from somebody\"}}");
        world.settle();
        assertThat(world.reconciled).as("a status is not ours to act on").hasSize(before);
        world.patch(World.WIDGETS, "w", "", "{\"metadata\":{\"labels\":{\"a\":\"b\"}}}");
        world.settle();
        assertThat(world.reconciled).hasSize(before + 1);
        assertThat(world.requestsSince(mark)).as("nothing to write").isEmpty();
    }

    @Test
    void namespaceWithManyObjectsDoesNotHoldUpTheOneOfAnother() {
        world.apply(
                ResourceType.of(Namespace.class),
                ObjectKey.clusterScoped("other"),
                "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"other\"}}");
        for (int i = 0; i < 30; i++) {
            world.widget("many-" + i, 1);
        }
        world.apply(
                World.WIDGETS,
                new ObjectKey("other", "one"),
                "{\"apiVersion\":\"test.example.com/v1\",\"kind\":\"Widget\",\"metadata\":{\"name\":\"one\"},"
                        + "\"spec\":{\"size\":1}}");
        List<String> order = new ArrayList<>();
        world.start(Operator.named("test-operator")
                .controller(Widget.class, c -> c.workers(1).reconciler((widget, context) -> {
                    order.add(context.key().toString());
                    return Result.done();
                })));
        world.await(() -> order.size() == 31);
        assertThat(order.indexOf("other/one")).as("its place among %s", order).isLessThanOrEqualTo(2);
    }

    @Test
    void generationThatCameAndWentUnseenIsAcknowledgedInTheStatus() {
        world.start((widget, context) -> {
            context.updateStatus((Widget.Status status) ->
                    status.note = "generation " + widget.getMetadata().getGeneration());
            return Result.done();
        });
        world.working();
        world.widget("w", 3);
        world.settle();
        world.process().pause();
        world.simulator.restart(); // which ends the watch before anything happens …
        world.patch(World.WIDGETS, "w", "", "{\"spec\":{\"size\":4}}");
        world.patch(World.WIDGETS, "w", "", "{\"spec\":{\"size\":3}}");
        world.simulator.restart(); // … and forgets what did, so that a list tells
        world.process().resume();
        world.pass(Duration.ofSeconds(30));
        assertThat(world.find(World.WIDGETS, "w")
                        .orElseThrow()
                        .<Widget>decode(World.WIDGETS)
                        .getStatus()
                        .note)
                .isEqualTo("generation 3");
    }

    @Test
    void driftOfAnOwnedObjectIsRepaired() {
        started();
        world.patch(World.CONFIG_MAPS, "w", "", "{\"data\":{\"size\":\"99\"}}");
        world.settle();
        assertThat(world.configMap("w").getData()).containsEntry("size", "3");
        world.delete(World.CONFIG_MAPS, "w");
        world.settle();
        assertThat(world.configMap("w").getData()).containsEntry("size", "3");
        world.patch(World.CONFIG_MAPS, "w", "", "{\"metadata\":{\"ownerReferences\":null}}");
        world.settle();
        assertThat(world.configMap("w").getMetadata().getOwnerReferences()).hasSize(1);
    }

    @Test
    void fieldThatIsNotWantedAnyMoreGoes() {
        world.start((widget, context) -> {
            ConfigMap wanted = World.wanted(widget);
            if (widget.getSpec().size == 1) {
                wanted.setData(Map.of("size", "1", "extra", "yes"));
            }
            context.apply(wanted);
            return Result.done();
        });
        world.widget("w", 1);
        world.settle();
        assertThat(world.configMap("w").getData()).containsKey("extra");
        world.widget("w", 2);
        world.settle();
        assertThat(world.configMap("w").getData()).isEqualTo(Map.of("size", "2"));
    }

    @Test
    void eachOwnedObjectIsLookedAtAndAppliedOnceAfterARestart() {
        started();
        world.process().crash();
        long mark = world.mark();
        world.start(ReconcilerTest::reconcile);
        world.working();
        world.settle();
        assertThat(world.requestsSince(mark).stream()
                        .filter(request -> request.startsWith("get configmaps")
                                || request.contains("patch")
                                || request.contains("apply")))
                .hasSize(2);
        assertThat(world.reconciled.get(world.reconciled.size() - 1).writes()).containsExactly("ConfigMap/w unchanged");
    }

    @Test
    void foreignObjectIsRefusedAndAppliedOnceItIsGone() {
        world.apply(
                World.CONFIG_MAPS,
                "w",
                "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"w\"},\"data\":{\"theirs\":\"1\"}}");
        world.start(ReconcilerTest::reconcile);
        world.widget("w", 3);
        world.await(() -> world.outcomes().contains("error"));
        assertThat(world.configMap("w").getData()).isEqualTo(Map.of("theirs", "1"));
        assertThat(world.reconciled.get(0).error())
                .isInstanceOf(ForeignObject.class)
                .hasMessageContaining("default/w")
                .hasMessageContaining("was not touched");
        world.delete(World.CONFIG_MAPS, "w");
        world.await(() -> world.outcomes().contains("done"));
        assertThat(world.configMap("w").getData()).isEqualTo(Map.of("size", "3"));
    }

    @Test
    void objectOfAnotherControllerIsRefused() {
        world.start((widget, context) -> {
            ConfigMap wanted = World.wanted(widget);
            wanted.getMetadata().setName("shared");
            context.apply(wanted);
            return Result.done();
        });
        world.widget("a", 1);
        world.settle();
        world.widget("b", 2);
        world.await(() -> world.outcomes().contains("error"));
        assertThat(world.configMap("shared").getData()).isEqualTo(Map.of("size", "1"));
        assertThat(world.reconciled.stream()
                        .filter(each -> each.error() != null)
                        .findFirst())
                .get()
                .satisfies(each -> assertThat(each.error()).hasMessageContaining("controlled by Widget a"));
    }

    @Test
    void unknownFieldsOfAStatusSurviveItsUpdate() {
        world.widget("w", 3);
        world.patch(World.WIDGETS, "w", "status", "{\"status\":{\"unknown\":{\"deep\":1},\"note\":\"old\"}}");
        world.start((widget, context) -> {
            context.updateStatus((Widget.Status status) -> {
                status.seen = 3;
                status.note = null;
            });
            return Result.done();
        });
        world.settle();
        String json = new String(
                world.find(World.WIDGETS, "w").orElseThrow().bytes(), java.nio.charset.StandardCharsets.UTF_8);
        assertThat(json).contains("\"deep\":1").contains("\"seen\":3").doesNotContain("note");
    }

    @Test
    void conflictOfAStatusIsAQuietRetry() {
        AtomicInteger runs = new AtomicInteger();
        world.start((widget, context) -> {
            if (runs.incrementAndGet() == 1) {
                try (Registration held = world.simulator.faults().holdEvents(request -> true)) {
                    context.client()
                            .patch(
                                    World.WIDGETS,
                                    context.key(),
                                    "",
                                    ApiClient.PatchKind.MERGE,
                                    "{\"metadata\":{\"labels\":{\"x\":\"y\"}}}");
                }
                throw conflict(context);
            }
            return reconcile(widget, context);
        });
        world.widget("w", 3);
        world.settle();
        assertThat(world.outcomes().get(0)).startsWith("retry: Conflict");
        assertThat(world.outcomes()).doesNotContain("error").contains("done");
    }

    @Test
    void statusOfAnObjectThatWasDeletedMeanwhileIsAQuietRetry() {
        world.start((widget, context) -> {
            try (Registration held = world.simulator.faults().holdEvents(request -> true)) {
                ApiClient.over(
                                world.process(),
                                world.simulator.transport(world.process()),
                                ApiClient.Settings.of("somebody"))
                        .blocking()
                        .delete(World.WIDGETS, context.key(), ApiClient.Delete.ANY);
                context.updateStatus((Widget.Status status) -> status.seen = 1);
            }
            return Result.done();
        });
        world.widget("w", 3);
        world.await(() -> !world.reconciled.isEmpty());
        world.settle();
        assertThat(world.outcomes()).singleElement().asString().startsWith("retry: CacheNotReady");
    }

    @Test
    void applyIntoANamespaceThatIsBeingDeletedIsAQuietRetry() {
        ResourceType<Namespace> namespaces = ResourceType.of(Namespace.class);
        ObjectKey going = ObjectKey.clusterScoped("going");
        world.apply(
                namespaces, going, "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"going\"}}");
        world.start((widget, context) -> {
            context.client().delete(namespaces, going, ApiClient.Delete.ANY);
            return reconcile(widget, context);
        });
        world.apply(
                World.WIDGETS,
                new ObjectKey("going", "w"),
                "{\"apiVersion\":\"test.example.com/v1\",\"kind\":\"Widget\",\"metadata\":{\"name\":\"w\",\"finalizers\":[\"test.example.com/stays\"]},\"spec\":{\"size\":1}}");
        world.settle();
        assertThat(world.reconciled.get(0)).asString().contains("-> retry: Forbidden");
        assertThat(world.outcomes()).doesNotContain("error");
    }

    private static boolean writes(String verb) {
        return !verb.equals("get") && !verb.equals("list") && !verb.equals("watch");
    }

    private static RuntimeException conflict(Context<Widget> context) {
        try {
            context.client()
                    .patch(
                            World.WIDGETS,
                            context.key(),
                            "",
                            ApiClient.PatchKind.MERGE,
                            "{\"metadata\":{\"resourceVersion\":\"1\"}}");
            throw new AssertionError("a stale version was accepted");
        } catch (io.homeostat.client.ApiException.Conflict conflict) {
            return conflict;
        }
    }

    @Test
    void statusOfTheWrongTypeIsSaid() {
        world.start((widget, context) -> {
            context.updateStatus((ConfigMap status) -> status.setData(Map.of()));
            return Result.done();
        });
        world.widget("w", 3);
        world.await(() -> !world.reconciled.isEmpty());
        assertThat(world.reconciled.get(0).error())
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("Widget$Status");
    }

    @Test
    void writeWhoseAnswerIsLostIsLookedUpAndNotSentBlindly() {
        world.start(ReconcilerTest::reconcile);
        world.working();
        world.simulator
                .faults()
                .on(request -> request.resource().equals("configmaps") && writes(request.verb()))
                .times(1)
                .loseAnswer();
        long mark = world.mark();
        world.widget("w", 3);
        world.await(() -> world.outcomes().contains("done"));
        assertThat(world.outcomes().get(0)).startsWith("retry: OutcomeUnknown");
        List<String> sent = world.requestsSince(mark).stream()
                .filter(request -> request.endsWith(" configmaps") && !request.startsWith("watch"))
                .toList();
        assertThat(sent).hasSize(4);
        assertThat(sent.get(0)).startsWith("get");
        assertThat(sent.get(2)).startsWith("get");
        assertThat(world.configMap("w").getData()).containsEntry("size", "3");
    }

    @Test
    void statusWhoseWriteWasLostIsLookedUpBeforeItIsComparedAgain() {
        int[] wanted = {1, 2, 1};
        AtomicInteger runs = new AtomicInteger();
        world.start((widget, context) -> {
            int run = Math.min(runs.getAndIncrement(), 2);
            context.updateStatus((Widget.Status status) -> status.seen = wanted[run]);
            return run == 0 ? Result.requeueAfter(Duration.ofSeconds(10)) : Result.done();
        });
        world.widget("w", 1);
        world.settle();
        world.simulator
                .faults()
                .on(request -> request.resource().equals("widgets/status"))
                .times(1)
                .loseAnswer();
        // The cached status stays 1, which the third run wants again, while the server has the 2 whose answer was lost.
        Registration held = world.simulator.faults().holdEvents(request -> request.resource()
                .equals("widgets"));
        world.await(() -> world.outcomes().stream().anyMatch(each -> each.startsWith("retry: OutcomeUnknown")));
        world.await(() -> runs.get() >= 3);
        world.settle();
        held.close();
        world.settle();
        assertThat(world.widget("w").getStatus().seen).isEqualTo(1);
    }

    @Test
    void ownWritesAreVisibleAtOnce() {
        List<String> seen = new ArrayList<>();
        world.start((widget, context) -> {
            try (Registration held = world.simulator.faults().holdEvents(request -> true)) {
                assertThat(context.owned(ConfigMap.class)).isEmpty();
                ConfigMap applied = context.apply(World.wanted(widget));
                seen.add("owned " + context.owned(ConfigMap.class).size());
                seen.add("found " + context.find(ConfigMap.class, "w").isPresent());
                context.delete(applied);
                seen.add("gone " + context.owned(ConfigMap.class).isEmpty());
                seen.add("done");
            }
            return Result.failed("once is enough");
        });
        world.widget("w", 3);
        world.await(() -> seen.contains("done"));
        assertThat(seen).startsWith("owned 1", "found true", "gone true", "done");
    }

    @Test
    void objectThatCannotBeOwnedFromHereIsRefused() {
        AtomicReference<@Nullable Throwable> thrown = new AtomicReference<>();
        world.start((widget, context) -> {
            ConfigMap elsewhere = World.wanted(widget);
            elsewhere.getMetadata().setNamespace("kube-system");
            try {
                context.apply(elsewhere);
            } catch (IllegalArgumentException refused) {
                thrown.set(refused);
            }
            return Result.done();
        });
        world.widget("w", 3);
        world.await(() -> thrown.get() != null);
        assertThat(thrown.get()).hasMessageContaining("another namespace");
    }

    @Test
    void typeThatWasNotDeclaredIsRefusedWithTheFix() {
        List<String> messages = new ArrayList<>();
        world.start((widget, context) -> {
            for (Runnable use : List.<Runnable>of(
                    () -> context.find(Secret.class, "s"),
                    () -> context.owned(Secret.class),
                    () -> context.apply(new io.fabric8.kubernetes.api.model.SecretBuilder()
                            .withNewMetadata()
                            .withName("s")
                            .endMetadata()
                            .build()))) {
                try {
                    use.run();
                } catch (IllegalArgumentException refused) {
                    messages.add(refused.getMessage());
                }
            }
            return Result.done();
        });
        world.widget("w", 3);
        world.await(() -> messages.size() == 3);
        assertThat(messages).allMatch(message -> message.contains("owns(Secret.class)"));
    }

    @Test
    void contextIsRefusedAfterTheReconcile() {
        AtomicReference<@Nullable Context<Widget>> kept = new AtomicReference<>();
        world.start((widget, context) -> {
            kept.set(context);
            return Result.done();
        });
        world.widget("w", 3);
        world.await(() -> !world.reconciled.isEmpty());
        Context<Widget> late = java.util.Objects.requireNonNull(kept.get());
        assertThatThrownBy(() -> late.owned(ConfigMap.class))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("after its reconcile returned");
    }

    @Test
    void objectThatIsBeingDeletedIsLeftAloneAndTakesWhatItOwnsAlong() {
        started();
        world.patch(World.WIDGETS, "w", "", "{\"metadata\":{\"finalizers\":[\"test.example.com/hold\"]}}");
        world.settle();
        world.delete(World.WIDGETS, "w");
        int before = world.reconciled.size();
        world.delete(World.CONFIG_MAPS, "w");
        world.settle();
        assertThat(world.reconciled).hasSize(before);
        assertThat(world.find(World.CONFIG_MAPS, "w")).isEmpty();
        world.patch(World.WIDGETS, "w", "", "{\"metadata\":{\"finalizers\":null}}");
        world.settle();
        assertThat(world.find(World.WIDGETS, "w")).isEmpty();
        RawObject again = world.widget("w", 5);
        world.settle();
        assertThat(world.configMap("w")
                        .getMetadata()
                        .getOwnerReferences()
                        .get(0)
                        .getUid())
                .isEqualTo(again.uid());
    }

    @Test
    void nothingIsCreatedForAnObjectThatIsGoneWhenTheCacheDoesNotKnowItYet() {
        started();
        try (Registration held = world.simulator.faults().holdEvents(request -> request.resource()
                .equals("widgets"))) {
            world.delete(World.WIDGETS, "w");
            world.await(() -> world.outcomes().stream().anyMatch(each -> each.startsWith("retry: CacheNotReady")));
            long mark = world.mark();
            world.pass(Duration.ofMinutes(1));
            assertThat(world.requestsSince(mark)).isEmpty();
            assertThat(world.find(World.CONFIG_MAPS, "w")).isEmpty();
        }
        world.widget("w", 4);
        world.settle();
        assertThat(world.configMap("w").getData()).containsEntry("size", "4");
    }

    @Test
    void statusOfAnObjectThatIsGoneIsNoError() {
        world.start((widget, context) -> {
            try (Registration held = world.simulator.faults().holdEvents(request -> true)) {
                context.client().delete(World.WIDGETS, context.key(), io.homeostat.client.ApiClient.Delete.ANY);
                context.updateStatus((Widget.Status status) -> status.seen = 1);
            }
            return Result.done();
        });
        world.widget("w", 1);
        world.await(() -> !world.reconciled.isEmpty());
        assertThat(world.outcomes().get(0)).startsWith("retry: CacheNotReady");
    }

    @Test
    void missingCrdIsWaitedFor() {
        try (World bare = new World(7)) {
            bare.start(ReconcilerTest::reconcile);
            bare.pass(Duration.ofMinutes(2));
            assertThat(bare.running().controllers().get(0).working()).isFalse();
            assertThat(bare.running().controllers().get(0).waitsFor())
                    .anyMatch(text -> text.contains("widgets.test.example.com") && text.contains("CRD"));
            InformerState missing = bare.running().caches().stream()
                    .filter(cache -> cache.name().startsWith("widgets"))
                    .findFirst()
                    .orElseThrow();
            assertThat(missing.phase()).isEqualTo(InformerState.Phase.WAITING_FOR_TYPE);
            assertThat(missing.name()).contains("widgets.test.example.com");
            assertThat(Objects.requireNonNull(missing.lastProblem()).verb()).isEqualTo("watch");
            bare.installCrd();
            bare.widget("w", 3);
            bare.await(() -> bare.outcomes().contains("done"));
            assertThat(bare.configMap("w").getData()).containsEntry("size", "3");
            assertThat(bare.running().caches())
                    .extracting(InformerState::phase)
                    .containsOnly(InformerState.Phase.WATCHING);
        }
    }

    @Test
    void writtenObjectIsTheCallersAndIsNotChanged() {
        AtomicReference<@Nullable ConfigMap> passed = new AtomicReference<>();
        world.start((widget, context) -> {
            ConfigMap wanted = new ConfigMapBuilder(World.wanted(widget)).build();
            ConfigMap applied = context.apply(wanted);
            assertThat(applied.getMetadata().getUid()).isNotEmpty();
            passed.set(wanted);
            return Result.done();
        });
        world.widget("w", 3);
        world.await(() -> passed.get() != null);
        assertThat(java.util.Objects.requireNonNull(passed.get()).getMetadata().getNamespace())
                .isNull();
        assertThat(passed.get().getMetadata().getOwnerReferences()).isEmpty();
    }

    @Test
    void liveReadsSeeWhatTheCacheDoesNotKnowYet() {
        List<String> seen = new ArrayList<>();
        world.start((widget, context) -> {
            try (Registration held = world.simulator.faults().holdEvents(request -> true)) {
                context.client().delete(World.CONFIG_MAPS, new ObjectKey("default", "other"), ApiClient.Delete.ANY);
                context.live().find(ConfigMap.class, "theirs").ifPresent(found -> seen.add("found"));
                seen.add("listed "
                        + context.live().list(ConfigMap.class, "default").size());
                seen.add("secret " + context.live().find(Secret.class, "s").isPresent());
                seen.add("namespace "
                        + context.live().find(Namespace.class, "default").isPresent());
            }
            return Result.done();
        });
        world.working();
        try (Registration held = world.simulator.faults().holdEvents(request -> request.resource()
                .equals("configmaps"))) {
            world.foreign("theirs");
            world.widget("w", 3);
            world.await(() -> world.outcomes().contains("done"));
        }
        assertThat(seen).containsExactly("found", "listed 1", "secret false", "namespace true");
    }

    @Test
    void wrongCastInsideTheChangeOfAStatusIsTheReconcilersOwn() {
        List<Throwable> thrown = new ArrayList<>();
        world.start((widget, context) -> {
            List<java.util.function.Consumer<Widget.Status>> changes = List.of(
                    status -> status.note = (String) (Object) widget.getSpec().size,
                    new java.util.function.Consumer<>() {
                        @Override
                        public void accept(Widget.Status status) {
                            status.note = (String) (Object) widget;
                        }
                    });
            for (var change : changes) {
                try {
                    context.updateStatus(change);
                } catch (ClassCastException own) {
                    thrown.add(own);
                }
            }
            try {
                context.updateStatus((Widget.Spec status) -> status.size = 1);
            } catch (IllegalArgumentException wrong) {
                thrown.add(wrong);
            }
            try {
                context.updateStatus(new java.util.function.Consumer<Widget.Spec>() {
                    @Override
                    public void accept(Widget.Spec status) {
                        status.size = 1;
                    }
                });
            } catch (IllegalArgumentException wrong) {
                thrown.add(wrong);
            }
            return Result.done();
        });
        world.widget("w", 3);
        world.await(() -> world.outcomes().contains("done"));
        assertThat(thrown).hasSize(4);
        assertThat(thrown.subList(2, 4)).allSatisfy(wrong -> assertThat(wrong).hasMessageContaining("Widget$Status"));
    }

    @Test
    void objectThatCannotBeReadIsNotReconciledButSaidInAnEventAndComesBackWithItsNextVersion() {
        started();
        world.patch(
                World.WIDGETS,
                "w",
                "status",
                "{\"status\":{\"conditions\":[{\"type\":\"X\",\"observedGeneration\":\"canary-secret\"}]}}");
        int before = world.reconciled.size();
        world.widget("w", 4);
        world.settle();
        assertThat(world.reconciled).hasSize(before);
        assertThat(world.events("w")).singleElement().satisfies(event -> {
            assertThat(event.getType()).isEqualTo("Warning");
            assertThat(event.getReason()).isEqualTo("Undecodable");
            assertThat(event.getNote()).contains("observedGeneration").doesNotContain("canary");
        });
        world.patch(World.WIDGETS, "w", "status", "{\"status\":{\"conditions\":null}}");
        world.widget("w", 5);
        world.settle();
        assertThat(world.configMap("w").getData()).containsEntry("size", "5");
    }

    private void broken() {
        started();
        world.patch(
                World.WIDGETS,
                "w",
                "status",
                "{\"status\":{\"conditions\":[{\"type\":\"X\",\"observedGeneration\":\"no number\"}]}}");
        world.widget("w", 4);
        world.settle();
        assertThat(world.configMap("w").getData()).as("put aside").containsEntry("size", "3");
    }

    @Test
    void objectThatCannotBeReadComesBackWhenOnlyItsStatusIsRepaired() {
        broken();
        world.patch(World.WIDGETS, "w", "status", "{\"status\":{\"conditions\":null}}");
        world.settle();
        assertThat(world.configMap("w").getData()).containsEntry("size", "4");
        int before = world.reconciled.size();
        world.patch(World.WIDGETS, "w", "status", "{\"status\":{\"note\":\"fine\"}}");
        world.settle();
        assertThat(world.reconciled)
                .as("readable again: a status is not ours to act on")
                .hasSize(before);
    }

    @Test
    void objectThatCannotBeReadIsSaidForEachVersionAndIsNotTriedBefore() {
        broken();
        try (Said said = new Said()) {
            world.delete(World.CONFIG_MAPS, "w");
            world.settle();
            assertThat(said.lines("ERROR", "cannot be read"))
                    .as("the same version")
                    .isEmpty();
            world.patch(World.WIDGETS, "w", "status", "{\"status\":{\"note\":\"still broken\"}}");
            world.settle();
            assertThat(said.lines("ERROR", "cannot be read")).hasSize(1);
        }
        assertThat(world.find(World.CONFIG_MAPS, "w")).isEmpty();
    }

    @Test
    void whatIsRememberedOfAnOwnedObjectGoesWithIt() {
        List<Integer> remembered = new ArrayList<>();
        world.start((widget, context) -> {
            int size = widget.getSpec().size;
            ConfigMap wanted = World.wanted(widget);
            wanted.getMetadata().setName("job-" + size);
            context.apply(wanted);
            remembered.add(((ObjectContext<Widget>) context).children().size());
            return Result.done();
        });
        for (int run = 1; run <= 5; run++) {
            world.widget("w", run);
            world.settle();
            if (run > 1) {
                world.delete(World.CONFIG_MAPS, "job-" + (run - 1));
                world.settle();
            }
        }
        assertThat(remembered).hasSizeGreaterThanOrEqualTo(5);
        assertThat(remembered).allMatch(known -> known <= 2);
    }

    @Test
    void childThatIsMadeAfterAnotherWasCollectedIsNotMadeForAnObjectThatIsGone() {
        world.start((widget, context) -> {
            for (String part : List.of("a", "b")) {
                ConfigMap wanted = World.wanted(widget);
                wanted.getMetadata().setName(part);
                context.apply(wanted);
            }
            return Result.done();
        });
        world.widget("w", 1);
        world.settle();
        long mark;
        try (Registration held = world.simulator.faults().holdEvents(request -> request.resource()
                .equals("widgets"))) {
            world.delete(World.WIDGETS, "w");
            mark = world.mark();
            world.pass(Duration.ofMinutes(1));
            assertThat(world.find(World.CONFIG_MAPS, "b")).as("collected").isEmpty();
            assertThat(world.requestsSince(mark))
                    .noneMatch(request ->
                            request.endsWith(" configmaps") && writes(request.substring(0, request.indexOf(' '))));
        }
        world.settle();
        assertThat(world.find(World.CONFIG_MAPS, "a")).isEmpty();
        assertThat(world.find(World.CONFIG_MAPS, "b")).isEmpty();
    }

    @Test
    void clientOfAReconcileIsRefusedAfterIt() {
        AtomicReference<io.homeostat.client.@Nullable BlockingApiClient> kept = new AtomicReference<>();
        world.start((widget, context) -> {
            kept.set(context.client());
            assertThat(context.client().get(World.WIDGETS, context.key())).isPresent();
            return Result.done();
        });
        world.widget("w", 3);
        world.await(() -> world.outcomes().contains("done"));
        world.settle();
        io.homeostat.client.BlockingApiClient late = Objects.requireNonNull(kept.get());
        ConfigMap any = World.wanted(world.widget("w"));
        ApiClient.Apply how = new ApiClient.Apply("test-operator", ApiClient.Apply.Force.YES);
        ObjectKey key = new ObjectKey("default", "w");
        long mark = world.mark();
        for (Runnable verb : List.<Runnable>of(
                () -> late.get(World.CONFIG_MAPS, key),
                () -> late.list(World.CONFIG_MAPS, io.homeostat.client.Query.in("default")),
                () -> late.create(any),
                () -> late.update(any),
                () -> late.updateStatus(any),
                () -> late.patch(World.CONFIG_MAPS, key, "", ApiClient.PatchKind.MERGE, "{}"),
                () -> late.apply(any, how),
                () -> late.apply(World.CONFIG_MAPS, key, how, new byte[0]),
                () -> late.delete(World.CONFIG_MAPS, key, ApiClient.Delete.ANY))) {
            assertThatThrownBy(verb::run)
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("after its reconcile returned");
        }
        assertThat(world.requestsSince(mark)).isEmpty();
    }

    @Test
    void deleteOfAnObjectWithoutANameIsRefusedWithTheFix() {
        AtomicReference<@Nullable Throwable> thrown = new AtomicReference<>();
        world.start((widget, context) -> {
            for (ConfigMap nameless : List.of(
                    new ConfigMap(),
                    new ConfigMapBuilder().withNewMetadata().endMetadata().build())) {
                try {
                    context.delete(nameless);
                } catch (IllegalArgumentException refused) {
                    thrown.set(refused);
                }
            }
            return Result.done();
        });
        world.widget("w", 3);
        world.await(() -> !world.outcomes().isEmpty());
        assertThat(world.outcomes()).contains("done");
        assertThat(thrown.get()).hasMessageContaining("metadata.name");
    }
}
