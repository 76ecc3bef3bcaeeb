package io.homeostat.reconciler;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.homeostat.core.Registration;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** A 404 of a server that does not serve the type just now (it starts, say) tells nothing about an object of that type. */
class TypeNotServedTest {
    private final World world = World.withCrd();

    @AfterEach
    void close() {
        world.close();
    }

    @Test
    void aPrimaryIsNotGivenUpForGoneWhenItsTypeIsNotServedForAWhile() {
        world.start((widget, context) -> {
            context.apply(World.wanted(widget));
            return Result.done();
        });
        world.widget("w", 3);
        world.settle();
        try (Registration fault = world.simulator
                .faults()
                .on(request ->
                        request.resource().equals("widgets") && request.verb().equals("get"))
                .answer(404)) {
            world.delete(World.CONFIG_MAPS, "w"); // what was applied is gone: the primary is looked at first
            world.pass(Duration.ofSeconds(10));
            assertThat(world.find(World.CONFIG_MAPS, "w")).isEmpty();
        }
        world.pass(Duration.ofMinutes(6));
        assertThat(world.configMap("w").getData()).containsEntry("size", "3");
    }

    @Test
    void aDeleteThatFindsItsTypeNotServedIsNotDone() {
        AtomicBoolean unwanted = new AtomicBoolean();
        world.start((widget, context) -> {
            if (unwanted.get()) {
                List<ConfigMap> owned = new ArrayList<>(context.owned(ConfigMap.class));
                owned.forEach(context::delete);
            } else {
                context.apply(World.wanted(widget));
            }
            return Result.done();
        });
        world.widget("w", 3);
        world.settle();
        unwanted.set(true);
        try (Registration fault = world.simulator
                .faults()
                .on(request -> request.verb().equals("delete"))
                .answer(404)) {
            world.widget("w", 4);
            world.await(() -> world.outcomes().contains("error"));
            assertThat(world.find(World.CONFIG_MAPS, "w")).isPresent();
        }
        world.pass(Duration.ofMinutes(6));
        assertThat(world.find(World.CONFIG_MAPS, "w")).isEmpty();
    }
}
