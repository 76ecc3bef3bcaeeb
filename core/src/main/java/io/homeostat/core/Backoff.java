package io.homeostat.core;

import java.time.Duration;
import java.util.random.RandomGenerator;

/**
 * A growing wait between attempts: {@code initial × factorⁿ}, at most {@code cap}, plus jitter. Immutable; the count of attempts
 * is the caller's.
 *
 * @param initial the wait after the first failure; positive
 * @param factor growth per failure; at least 1
 * @param cap the longest wait before jitter; at least {@code initial}
 * @param jitter the random share added: a wait d becomes uniform in [d, d × (1 + jitter)); 0 or more
 */
@Stable
public record Backoff(Duration initial, double factor, Duration cap, double jitter) {
    /** Checks the ranges. */
    public Backoff {
        if (initial.isNegative() || initial.isZero() || cap.compareTo(initial) < 0) {
            throw new IllegalArgumentException(
                    "Backoff from " + initial + " to " + cap + ": initial must be positive and not above cap");
        }
        if (!(factor >= 1) || !(jitter >= 0) || Double.isInfinite(factor) || Double.isInfinite(jitter)) {
            throw new IllegalArgumentException(
                    "Backoff factor " + factor + ", jitter " + jitter + ": factor must be >= 1 and jitter >= 0");
        }
    }

    /**
     * The wait after {@code failures} failures in a row; never overflows.
     *
     * @param failures 1 for the first failure; less counts as 1
     */
    public Duration delay(int failures, RandomGenerator random) {
        double wait = Math.min(nanos(initial) * Math.pow(factor, Math.max(1, failures) - 1), nanos(cap));
        double jittered = jitter == 0 ? wait : wait * (1 + jitter * random.nextDouble());
        return Duration.ofNanos((long) Math.min(jittered, Long.MAX_VALUE / 2.0));
    }

    /** As a double, which holds what a long does not. */
    private static double nanos(Duration duration) {
        return duration.getSeconds() * 1e9 + duration.getNano();
    }
}
