package io.homeostat.workqueue;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;

/** Namespaces take turns (P-Q2). */
class FlowsTest {
    private final ManualRuntime runtime = new ManualRuntime();
    private final WorkQueue<String> queue = new WorkQueue<>(
            "test", runtime, runtime, () -> {}, WorkQueue.Config.DEFAULT, key -> key.substring(0, key.indexOf('/')));

    private List<String> poll(int keys) {
        List<String> polled = new ArrayList<>();
        for (int i = 0; i < keys; i++) {
            polled.add(Objects.requireNonNull(queue.poll()).key());
        }
        return polled;
    }

    @Test
    void namespaceWithManyKeysHoldsUpTheOneKeyOfAnotherByOneLook() {
        for (int i = 0; i < 10_000; i++) {
            queue.add("big/" + i, "x");
        }
        queue.add("small/a", "x");

        assertThat(poll(4)).containsExactly("big/0", "small/a", "big/1", "big/2");
    }

    @Test
    void namespaceThatNeverEndsDoesNotStarveTheOthers() {
        for (int i = 0; i < 100; i++) {
            queue.add("other/" + i, "x");
        }
        List<String> others = new ArrayList<>();
        for (int i = 0; i < 200; i++) {
            queue.add("endless/" + i, "x");
            queue.add("endless/again" + i, "x");
            String key = poll(1).get(0);
            queue.done(key);
            if (key.startsWith("other/")) {
                others.add(key);
            }
        }

        assertThat(others).as("half of the looks").hasSize(100).startsWith("other/0", "other/1");
    }

    @Test
    void keysOfOneNamespaceComeInTheOrderTheyWereAddedAndAnEmptyOneGoesBehind() {
        queue.add("a/1", "x");
        queue.add("a/2", "x");
        queue.add("b/1", "x");
        queue.add("c/1", "x");
        queue.add("b/2", "x");
        assertThat(poll(3)).containsExactly("a/1", "b/1", "c/1");

        queue.add("c/2", "x");
        assertThat(poll(3)).containsExactly("a/2", "b/2", "c/2");
    }

    @Test
    void keyThatIsRaisedTakesItsTurnAmongTheChanges() {
        queue.add("a/1", "list", Priority.BACKGROUND);
        queue.add("a/2", "list", Priority.BACKGROUND);
        queue.add("b/1", "changed");
        queue.add("b/2", "changed");
        queue.add("a/2", "changed");

        assertThat(poll(4)).containsExactly("b/1", "a/2", "b/2", "a/1");
    }

    @Test
    void backgroundTakesTurnsToo() {
        for (int i = 0; i < 3; i++) {
            queue.add("a/" + i, "list", Priority.BACKGROUND);
        }
        queue.add("b/0", "list", Priority.BACKGROUND);

        assertThat(poll(4)).containsExactly("a/0", "b/0", "a/1", "a/2");
    }

    @Test
    void agedBackgroundKeepsItsShareWhileYoungKeysOfOtherNamespacesKeepComing() {
        for (int i = 0; i < 20; i++) {
            queue.add("old/" + i, "list", Priority.BACKGROUND);
        }
        runtime.pass(Duration.ofSeconds(40));
        queue.add("load/a", "changed");
        queue.add("load/b", "changed");
        int old = 0;
        for (int i = 0; i < 40; i++) {
            queue.add("young/" + i, "list", Priority.BACKGROUND);
            String key = poll(1).get(0);
            queue.done(key);
            if (key.startsWith("load/")) {
                queue.add(key, "changed");
            }
            old += key.startsWith("old/") ? 1 : 0;
        }

        assertThat(old).as("every fourth of 40").isEqualTo(10);
    }

    @Test
    void shutdownDropsEachKeyOnceAndDrainsInTurns() {
        queue.add("a/1", "x");
        queue.add("a/2", "x");
        queue.add("b/1", "x");
        assertThat(poll(1)).containsExactly("a/1");

        var drained = queue.shutdown(WorkQueue.Shutdown.STOP).toCompletableFuture();
        queue.done("a/1");
        runtime.pass(Duration.ofSeconds(1));

        assertThat(drained).isCompletedWithValue(List.of("b/1", "a/2"));
    }

    @Test
    void keyWithoutAFlowIsRefusedWithItsName() {
        WorkQueue<String> none =
                new WorkQueue<>("flowless", runtime, runtime, () -> {}, WorkQueue.Config.DEFAULT, key -> null);

        assertThatThrownBy(() -> none.add("a/1", "x"))
                .isInstanceOf(NullPointerException.class)
                .hasMessageContaining("flowless")
                .hasMessageContaining("a/1");
    }
}
