package io.homeostat.core;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

final class BackoffTest {
    private final SplittableRandom random = new SplittableRandom(1);

    @Test
    void waitDoublesUpToItsCap() {
        Backoff backoff = new Backoff(Duration.ofMillis(5), 2, Duration.ofMinutes(5), 0);
        assertThat(backoff.delay(1, random)).isEqualTo(Duration.ofMillis(5));
        assertThat(backoff.delay(2, random)).isEqualTo(Duration.ofMillis(10));
        assertThat(backoff.delay(11, random)).isEqualTo(Duration.ofMillis(5120));
        assertThat(backoff.delay(17, random)).isEqualTo(Duration.ofMinutes(5));
    }

    @Test
    void lessThanOneFailureCountsAsOne() {
        Backoff backoff = new Backoff(Duration.ofMillis(5), 2, Duration.ofMinutes(5), 0);
        assertThat(backoff.delay(0, random)).isEqualTo(Duration.ofMillis(5));
        assertThat(backoff.delay(Integer.MIN_VALUE, random)).isEqualTo(Duration.ofMillis(5));
    }

    @Test
    void waitNeverOverflowsHoweverManyFailures() {
        for (double factor : new double[] {1, 1.1, 2, 1e300}) {
            for (Duration cap : new Duration[] {Duration.ofSeconds(30), Duration.ofDays(100_000)}) {
                Backoff backoff = new Backoff(Duration.ofMillis(800), factor, cap, 1);
                for (int failures : new int[] {1, 2, 30, 64, 1000, 100_000, Integer.MAX_VALUE}) {
                    Duration delay = backoff.delay(failures, random);
                    assertThat(delay).isBetween(Duration.ofMillis(800), cap.multipliedBy(2));
                }
            }
        }
    }

    @Test
    void waitsBeyondWhatALongHoldsAreCut() {
        Backoff backoff = new Backoff(Duration.ofNanos(1), 10, Duration.ofSeconds(Long.MAX_VALUE), 1e9);
        assertThat(backoff.delay(Integer.MAX_VALUE, random)).isPositive();
        assertThat(new Backoff(Duration.ofSeconds(Long.MAX_VALUE), 2, Duration.ofSeconds(Long.MAX_VALUE), 0)
                        .delay(1, random))
                .isPositive();
    }

    @Test
    void jitterAddsUpToItsShareAndNeverTakesAway() {
        Backoff backoff = new Backoff(Duration.ofSeconds(1), 1, Duration.ofSeconds(1), 0.5);
        Duration least = Duration.ofDays(1);
        Duration most = Duration.ZERO;
        for (int i = 0; i < 10_000; i++) {
            Duration delay = backoff.delay(1, random);
            least = delay.compareTo(least) < 0 ? delay : least;
            most = delay.compareTo(most) > 0 ? delay : most;
        }
        assertThat(least).isBetween(Duration.ofSeconds(1), Duration.ofMillis(1010));
        assertThat(most).isBetween(Duration.ofMillis(1490), Duration.ofMillis(1500));
    }

    @Test
    void jitterIsDrawnFromTheGivenGeneratorOnly() {
        RandomGenerator zero = () -> 0L;
        Backoff backoff = new Backoff(Duration.ofSeconds(1), 2, Duration.ofSeconds(30), 1);
        assertThat(backoff.delay(3, zero)).isEqualTo(Duration.ofSeconds(4));
    }

    @Test
    void rangesThatMakeNoSenseAreRefused() {
        Duration second = Duration.ofSeconds(1);
        assertThatThrownBy(() -> new Backoff(Duration.ZERO, 2, second, 0)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new Backoff(second, 2, Duration.ofMillis(1), 0))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new Backoff(second, 0.5, second, 0)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new Backoff(second, Double.NaN, second, 0))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new Backoff(second, 2, second, -1)).isInstanceOf(IllegalArgumentException.class);
    }
}
