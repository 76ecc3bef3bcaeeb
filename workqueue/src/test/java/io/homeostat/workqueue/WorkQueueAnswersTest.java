package io.homeostat.workqueue;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.homeostat.core.Backoff;
import io.homeostat.workqueue.WorkQueue.Config;
import io.homeostat.workqueue.WorkQueue.Shutdown;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;

/** What the queue tells those who call it: whether a key was taken, how many there are, and what is wrong with a call. */
class WorkQueueAnswersTest {
    private static final Duration SECOND = Duration.ofSeconds(1);

    private final ManualRuntime runtime = new ManualRuntime();
    private final WorkQueue<String> queue = new WorkQueue<>("test", runtime, runtime, () -> {}, Config.DEFAULT);

    @Test
    void everyAddSaysWhetherItWasTakenInEveryPlaceOfTheKey() {
        assertThat(queue.add("a", "new")).isTrue();
        assertThat(queue.add("a", "ready")).isTrue();
        assertThat(queue.addAfter("a", SECOND, "ready")).isTrue();
        hold("a");
        assertThat(queue.add("a", "held")).isTrue();
        assertThat(queue.addAfter("a", SECOND, "held")).isTrue();
        assertThat(queue.addAfter("b", SECOND, "new")).isTrue();
        assertThat(queue.addAfter("b", SECOND, "delayed")).isTrue();
        assertThat(queue.add("b", "delayed")).isTrue();
        queue.shutdown(Shutdown.DRAIN);
        assertThat(queue.add("c", "late")).isFalse();
        assertThat(queue.add("a", "late")).isFalse();
        assertThat(queue.addAfter("c", SECOND, "late")).isFalse();
        assertThat(queue.addAfter("c", Duration.ZERO, "late")).isFalse();
    }

    @Test
    void cancelSaysWhetherThereWasSomethingToTakeBack() {
        assertThat(queue.cancel("a")).isFalse();
        queue.addAfter("a", SECOND, "x");
        assertThat(queue.cancel("a")).isTrue();
        assertThat(queue.cancel("a")).isFalse();
        queue.add("a", "x");
        assertThat(queue.cancel("a")).as("ready").isFalse();
        hold("a");
        assertThat(queue.cancel("a")).as("held, with no later look").isFalse();
        queue.addAfter("a", SECOND, "x");
        assertThat(queue.cancel("a")).as("held, with a later look").isTrue();
        queue.done("a");
        runtime.pass(SECOND);
        assertThat(queue.poll()).isNull();
    }

    @Test
    void sizesAreThoseOfEachPlace() {
        queue.add("held", "x");
        hold("held");
        queue.addAfter("delayed", SECOND, "x");
        queue.add("ready 1", "x");
        queue.add("ready 2", "x", Priority.BACKGROUND);
        assertThat(queue.held()).isEqualTo(1);
        assertThat(queue.delayed()).isEqualTo(1);
        assertThat(queue.ready()).isEqualTo(2);
        assertThat(queue).hasToString("WorkQueue test (2 ready, 1 delayed, 1 held)");
    }

    @Test
    void aLaterLookAskedForDuringFailingWorkComesNeitherAfterTheBackoffNorBeforeTheServersRetryAfter() {
        queue.add("a", "x");
        hold("a");
        queue.addAfter("a", Duration.ofSeconds(2), "look");
        queue.retry("a", "429", Duration.ofSeconds(7));
        runtime.pass(Duration.ofMillis(6999));
        assertThat(queue.poll()).as("before the Retry-After").isNull();
        runtime.pass(Duration.ofMillis(1));
        hold("a");
        queue.addAfter("a", Duration.ofMillis(3), "look");
        queue.retry("a", "second failure: 10 ms");
        runtime.pass(Duration.ofMillis(9));
        assertThat(queue.poll())
                .as("held off: the backoff is shorter than the hold-off")
                .isNull();
        runtime.pass(Duration.ofMillis(1));
        hold("a");
        for (int failures = 3; failures < 12; failures++) {
            queue.retry("a", "again");
            runtime.pass(Duration.ofMinutes(5));
            hold("a");
        }
        queue.addAfter("a", Duration.ofMillis(1500), "look");
        queue.retry("a", "the twelfth: some 10 s");
        runtime.pass(Duration.ofMillis(1499));
        assertThat(queue.poll()).isNull();
        runtime.pass(Duration.ofMillis(1));
        hold("a");
    }

    @Test
    void aStopEndsWithTheWorkThatWasUnderWayAndReportsNothingWhenNothingWasDropped() {
        queue.add("a", "x");
        hold("a");
        var drained = queue.shutdown(Shutdown.STOP).toCompletableFuture();
        runtime.pass(Duration.ZERO);
        assertThat(drained).isNotDone();
        queue.done("a");
        runtime.pass(Duration.ZERO);
        assertThat(drained).isCompletedWithValue(List.of());
        assertThat(queue.held()).isZero();
    }

    @Test
    void aBackgroundKeyIsServedFirstWhenItWaitedLongerThanTheAgeingAndNotBefore() {
        queue.add("old", "x", Priority.BACKGROUND);
        runtime.pass(Config.DEFAULT.ageing());
        queue.add("change", "x");
        hold("change");
        queue.done("change");
        runtime.pass(Duration.ofNanos(1));
        queue.add("change", "x");
        hold("old");
    }

    @Test
    void aNullKeyAndNegativeNumbersAreRefusedWithASentence() {
        assertThatThrownBy(() -> queue.add(nothing(), "Pod/a deleted"))
                .isInstanceOf(NullPointerException.class)
                .hasMessage("Queue test was given null for a key, because of: Pod/a deleted");
        Backoff backoff = Config.DEFAULT.backoff();
        assertThatThrownBy(() -> new Config(backoff, Duration.ofSeconds(-1), SECOND))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("negative");
        assertThatThrownBy(() -> new Config(backoff, SECOND, Duration.ofSeconds(-1)))
                .isInstanceOf(IllegalArgumentException.class);
        assertThat(new Config(backoff, Duration.ZERO, Duration.ZERO).holdOff()).isZero();
    }

    @SuppressWarnings({"NullAway", "TypeParameterUnusedInFormals"}) // a caller without a null checker
    private static <T> T nothing() {
        return null;
    }

    private void hold(String key) {
        assertThat(Objects.requireNonNull(queue.poll(), "nothing ready").key()).isEqualTo(key);
    }
}
