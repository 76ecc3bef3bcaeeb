package io.homeostat.reconciler;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.Condition;
import io.fabric8.kubernetes.api.model.ConditionBuilder;
import io.fabric8.kubernetes.api.model.events.v1.Event;
import io.homeostat.core.Registration;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What is said of an object that is refused, and when it is looked at again (D33). */
class ForeignObjectTest {
    private final World world = World.withCrd();

    @AfterEach
    void close() {
        world.close();
    }

    private static Result reconcile(Widget widget, Context<Widget> context) {
        context.apply(World.wanted(widget));
        context.updateStatus((Widget.Status status) -> {
            status.seen = widget.getSpec().size;
            Conditions.set(
                    context,
                    status.conditions,
                    new ConditionBuilder()
                            .withType("Ready")
                            .withStatus("True")
                            .withReason("AllThere")
                            .withMessage("all is there")
                            .build());
        });
        return Result.done();
    }

    private void refused() {
        world.foreign("w");
        world.start(ForeignObjectTest::reconcile);
        world.widget("w", 3);
        world.await(() -> world.outcomes().contains("error"));
        world.pass(Duration.ofSeconds(1));
    }

    private List<Condition> conditions() {
        return world.widget("w").getStatus().conditions;
    }

    @Test
    void refusalIsSaidInAWarningEventOfTheReconciledObject() {
        refused();
        Event event = world.events("w").get(0);
        assertThat(event.getType()).isEqualTo("Warning");
        assertThat(event.getReason()).isEqualTo("ForeignObject");
        assertThat(event.getAction()).isEqualTo("Apply");
        assertThat(event.getNote())
                .contains("ConfigMap default/w", "was not touched")
                .doesNotContain("canary");
        assertThat(event.getRegarding().getKind()).isEqualTo("Widget");
        assertThat(event.getRegarding().getApiVersion()).isEqualTo("test.example.com/v1");
        assertThat(event.getRegarding().getUid())
                .isEqualTo(world.widget("w").getMetadata().getUid());
        assertThat(event.getRelated().getKind()).isEqualTo("ConfigMap");
        assertThat(event.getReportingController()).isEqualTo("test-operator");
        assertThat(event.getReportingInstance()).isNotEmpty();
    }

    @Test
    void refusalThatRepeatsIsOneEventWithACount() {
        refused();
        world.pass(Duration.ofMinutes(30));
        int refusals = world.reconciled.size();
        assertThat(world.events("w")).singleElement().satisfies(event -> {
            assertThat(event.getSeries().getCount()).isBetween(refusals - 10, refusals);
            assertThat(event.getSeries().getLastObservedTime().getTime())
                    .isGreaterThan(event.getEventTime().getTime());
        });
    }

    @Test
    void refusalIsSaidInTheConditionsOnceAndGoesWithTheTrouble() {
        refused();
        assertThat(conditions()).allSatisfy(condition -> {
            assertThat(condition.getReason()).isEqualTo("ForeignObject");
            assertThat(condition.getMessage()).contains("ConfigMap default/w").doesNotContain("canary");
            assertThat(condition.getObservedGeneration()).isEqualTo(1);
            assertThat(condition.getLastTransitionTime()).isNotEmpty();
        });
        assertThat(conditions())
                .extracting(condition -> condition.getType() + "=" + condition.getStatus())
                .containsExactlyInAnyOrder("Stalled=True", "Ready=False");
        long mark = world.mark();
        int before = world.reconciled.size();
        world.pass(Duration.ofMinutes(30));
        assertThat(world.reconciled).hasSizeGreaterThan(before);
        assertThat(world.requestsSince(mark))
                .as("said once")
                .noneMatch(request -> request.contains("widgets") && !request.startsWith("watch"));
        world.delete(World.CONFIG_MAPS, "w");
        world.settle();
        assertThat(conditions()).singleElement().satisfies(condition -> assertThat(condition.getReason())
                .isEqualTo("AllThere"));
        long quiet = world.mark();
        world.pass(Duration.ofMinutes(3));
        assertThat(world.requestsSince(quiet)).allMatch(request -> request.startsWith("watch"));
    }

    @Test
    void whatAReconcilerSaysItselfIsNotContradicted() {
        world.foreign("w");
        world.start((widget, context) -> {
            context.updateStatus((Widget.Status status) -> Conditions.set(
                    context,
                    status.conditions,
                    new ConditionBuilder()
                            .withType("Ready")
                            .withStatus("Unknown")
                            .withReason("Working")
                            .withMessage("")
                            .build()));
            context.apply(World.wanted(widget));
            return Result.done();
        });
        world.widget("w", 3);
        world.await(() -> world.outcomes().contains("error"));
        world.pass(Duration.ofSeconds(1));
        assertThat(conditions())
                .extracting(condition -> condition.getType() + "=" + condition.getStatus())
                .containsExactlyInAnyOrder("Stalled=True", "Ready=Unknown");
        long mark = world.mark();
        world.pass(Duration.ofMinutes(30));
        assertThat(world.requestsSince(mark))
                .noneMatch(request -> request.contains("widgets") && !request.startsWith("watch"));
    }

    @Test
    void conditionsOfAnEarlierProcessGoToo() {
        refused();
        world.process().crash();
        world.delete(World.CONFIG_MAPS, "w");
        world.start((widget, context) -> {
            context.apply(World.wanted(widget));
            return Result.done();
        });
        world.await(() -> world.outcomes().contains("done"));
        world.settle();
        assertThat(conditions()).isEmpty();
    }

    @Test
    void refusedObjectIsLookedAtAgainAtOnceWhenTheForeignOneIsDeleted() {
        refused();
        world.pass(Duration.ofMinutes(20)); // in the longest backoff now
        world.delete(World.CONFIG_MAPS, "w");
        world.pass(Duration.ofSeconds(2));
        assertThat(world.outcomes()).contains("done");
        assertThat(world.configMap("w").getData()).containsEntry("size", "3");
    }

    @Test
    void refusedObjectIsLookedAtAgainAtOnceWhenTheForeignOneBecomesItsOwn() {
        refused();
        world.pass(Duration.ofMinutes(20));
        world.patch(
                World.CONFIG_MAPS,
                "w",
                "",
                "{\"metadata\":{\"ownerReferences\":[{\"apiVersion\":\"test.example.com/v1\",\"kind\":\"Widget\",\"name\":\"w\",\"uid\":\""
                        + world.widget("w").getMetadata().getUid() + "\"}]}}");
        world.pass(Duration.ofSeconds(2));
        assertThat(world.outcomes()).contains("done");
        assertThat(world.configMap("w").getData()).containsEntry("size", "3").containsKey("theirs");
    }

    @Test
    void otherChangesOfTheForeignObjectWakeNobody() {
        refused();
        world.pass(Duration.ofMinutes(20));
        int before = world.reconciled.size();
        for (int i = 0; i < 20; i++) {
            world.patch(World.CONFIG_MAPS, "w", "", "{\"data\":{\"n\":\"" + i + "\"}}");
            world.pass(Duration.ofMillis(100));
        }
        assertThat(world.reconciled).hasSizeLessThanOrEqualTo(before + 1);
    }

    @Test
    void foreignObjectThatGoesWhileItIsLookedAtIsNotMissed() {
        world.foreign("w");
        AtomicBoolean first = new AtomicBoolean(true);
        world.start((widget, context) -> {
            try {
                context.apply(World.wanted(widget));
            } catch (ForeignObject caught) {
                if (first.getAndSet(false)) {
                    // Deleted, and its handler told, before this reconcile ends.
                    context.client().delete(World.CONFIG_MAPS, context.key(), io.homeostat.client.ApiClient.Delete.ANY);
                }
            }
            return Result.done(); // a reconciler that leaves no retry behind
        });
        world.widget("w", 3);
        world.await(() -> !first.get());
        world.settle();
        assertThat(world.configMap("w").getData()).containsEntry("size", "3");
    }

    @Test
    void nothingIsRememberedOfWhatIsGone() {
        Refusals refusals = new Refusals();
        var a = new io.homeostat.client.ObjectKey("default", "a");
        var b = new io.homeostat.client.ObjectKey("default", "b");
        refusals.note(World.CONFIG_MAPS, a, a);
        refusals.note(World.CONFIG_MAPS, a, a);
        refusals.note(World.CONFIG_MAPS, a, b);
        refusals.note(World.CONFIG_MAPS, b, b);
        assertThat(refusals.size()).isEqualTo(3);
        refusals.drop(b);
        assertThat(refusals.take(World.CONFIG_MAPS, b)).isEmpty();
        assertThat(refusals.take(World.CONFIG_MAPS, a)).containsExactly(a);
        assertThat(refusals.take(World.CONFIG_MAPS, a)).isEmpty();
        assertThat(refusals.size()).isZero();
        for (int i = 0; i < Refusals.MAX + 5; i++) {
            refusals.note(World.CONFIG_MAPS, a, new io.homeostat.client.ObjectKey("default", "p" + i));
        }
        assertThat(refusals.size()).isEqualTo(Refusals.MAX);
    }

    @Test
    void conditionThatCannotBeWrittenHarmsNothing() {
        world.foreign("w");
        world.start(Operator.named("test-operator")
                .controller(Widget.class, c -> c.owns(io.fabric8.kubernetes.api.model.ConfigMap.class)
                        .reconciler((widget, context) -> {
                            try {
                                context.apply(World.wanted(widget));
                            } catch (ForeignObject caught) {
                                return Result.failed("foreign");
                            }
                            return Result.done();
                        })));
        try (Registration refused = world.simulator
                .faults()
                .on(request -> request.userAgent().equals("test-operator")
                        && request.verb().equals("patch")
                        && request.resource().equals("widgets"))
                .answer(403)) {
            world.widget("w", 3);
            world.settle();
            assertThat(world.outcomes()).containsExactly("failed: foreign");
        }
    }

    /** What a widget of that name and another UID left behind, as after a {@code kubectl replace --force}. */
    private void leftBy(String owner) {
        world.apply(
                World.CONFIG_MAPS,
                "w",
                "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"w\",\"finalizers\":[\"test.example.com/hold\"],"
                        + "\"ownerReferences\":[{\"apiVersion\":\"test.example.com/v1\",\"kind\":\"Widget\",\"name\":\""
                        + owner
                        + "\",\"uid\":\"earlier\",\"controller\":true}]},\"data\":{\"theirs\":\"yes\"}}");
    }

    @Test
    void whatAPredecessorLeftIsWaitedForQuietly() {
        leftBy("w");
        world.start(ForeignObjectTest::reconcile);
        world.widget("w", 3);
        world.pass(Duration.ofSeconds(50));
        assertThat(world.outcomes()).isNotEmpty().allMatch(each -> each.startsWith("retry: CacheNotReady"));
        assertThat(world.outcomes().get(0)).contains("garbage collector");
        assertThat(world.widget("w").getStatus()).as("nothing is said").isNull();
        assertThat(world.events("w")).isEmpty();
        world.patch(World.CONFIG_MAPS, "w", "", "{\"metadata\":{\"finalizers\":null}}"); // the collector has been there
        world.pass(Duration.ofMillis(500));
        assertThat(world.outcomes()).as("woken by its end, not by the backoff").contains("done");
        assertThat(world.configMap("w").getData()).containsEntry("size", "3").doesNotContainKey("theirs");
    }

    @Test
    void whatAPredecessorLeftIsRefusedWhenNobodyCollectsItForAMinute() {
        leftBy("w");
        world.start(ForeignObjectTest::reconcile);
        world.widget("w", 3);
        world.pass(Duration.ofSeconds(75));
        assertThat(world.outcomes()).contains("error");
        assertThat(world.events("w")).isNotEmpty();
        assertThat(conditions()).extracting(Condition::getReason).contains("ForeignObject");
    }

    @Test
    void whatAnotherOfTheSameKindOwnsIsRefusedAtOnce() {
        leftBy("x");
        world.start(ForeignObjectTest::reconcile);
        world.widget("w", 3);
        world.pass(Duration.ofSeconds(2));
        assertThat(world.outcomes()).contains("error");
    }
}
