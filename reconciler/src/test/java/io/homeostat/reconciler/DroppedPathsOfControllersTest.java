package io.homeostat.reconciler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.ConfigMapBuilder;
import io.fabric8.kubernetes.api.model.Secret;
import io.homeostat.client.ResourceType;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What a controller's caches do without (D31), and what becomes of it in its writes. */
class DroppedPathsOfControllersTest {
    private static final ResourceType<ConfigMap> CONFIG_MAPS = ResourceType.of(ConfigMap.class);

    private final World world = World.withCrd();
    private final List<ConfigMap> seen = new ArrayList<>();

    @AfterEach
    void close() {
        world.close();
    }

    private Result reconcile(Widget widget, Context<Widget> context) {
        seen.add(context.apply(World.wanted(widget)));
        seen.addAll(context.owned(ConfigMap.class));
        context.updateStatus((Widget.Status status) -> status.seen = widget.getSpec().size);
        return Result.done();
    }

    private void started(Reconciler<Widget> reconciler) {
        world.start(Operator.named("test-operator").controller(Widget.class, c -> c.drop(ConfigMap.class, "data")
                .owns(ConfigMap.class)
                .reconciler(reconciler)));
        world.widget("w", 3);
        world.settle();
    }

    @Test
    void childIsSeenWithoutWhatIsDroppedAndKeptAsItIsWanted() {
        started(this::reconcile);
        assertThat(world.configMap("w").getData()).containsEntry("size", "3");
        long mark = world.mark();
        world.patch(World.WIDGETS, "w", "", "{\"metadata\":{\"labels\":{\"a\":\"b\"}}}");
        world.settle();
        assertThat(world.requestsSince(mark)).as("nothing to write").isEmpty();
        world.patch(CONFIG_MAPS, "w", "", "{\"data\":{\"size\":\"17\"}}");
        world.settle();
        assertThat(world.configMap("w").getData())
                .as("somebody's change of a dropped part is mended")
                .containsEntry("size", "3");
        assertThat(seen).hasSizeGreaterThan(3).allSatisfy(map -> assertThat(map.getData())
                .isNullOrEmpty());
    }

    @Test
    void childThatLacksSomethingIsNotWrittenBackAndOneReadLiveIs() {
        List<Throwable> refused = new ArrayList<>();
        started((widget, context) -> {
            ConfigMap applied = context.apply(World.wanted(widget));
            ConfigMap changed = new ConfigMapBuilder(applied)
                    .editMetadata()
                    .addToLabels("from", "cache")
                    .endMetadata()
                    .build();
            try {
                context.client().update(changed);
            } catch (IllegalArgumentException e) {
                refused.add(e);
            }
            ConfigMap live = context.live().find(ConfigMap.class, "w").orElseThrow();
            context.client()
                    .update(new ConfigMapBuilder(live)
                            .editMetadata()
                            .addToLabels("from", "server")
                            .endMetadata()
                            .build());
            return Result.done();
        });
        assertThat(refused).isNotEmpty().allSatisfy(e -> assertThat(e)
                .hasMessageStartingWith(
                        "Cannot write ConfigMap w as a whole: it comes from a cache that dropped data,"));
        assertThat(world.configMap("w").getData()).containsEntry("size", "3");
        assertThat(world.configMap("w").getMetadata().getLabels()).containsEntry("from", "server");
    }

    @Test
    void whatIsReconciledIsWholeAndWhatIsDroppedIsDeclared() {
        assertThatThrownBy(() -> Operator.named("o").controller(Widget.class, c -> c.drop(Widget.class, "spec")))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("cannot drop anything of it");
        assertThatThrownBy(() -> Operator.named("o").controller(Widget.class, c -> c.owns(ConfigMap.class)
                        .drop(Secret.class, "data")
                        .reconciler((widget, context) -> Result.done())))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("drops paths of secrets/v1 as")
                .hasMessageContaining("of which it has no cache");
    }
}
