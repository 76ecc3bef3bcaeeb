package io.homeostat.testkit;

import io.homeostat.core.Experimental;
import java.time.Duration;

/**
 * Asks again until something is so: the one place of the kit that waits by the clock, because a real server tells nobody when a
 * test may look.
 */
@Experimental
public final class Polling {
    private static final long PAUSE_MILLIS = 20;

    private Polling() {}

    /** An assertion; it throws while what it asserts is not so. */
    @Experimental
    @FunctionalInterface
    public interface Assertion {
        /** Throws when it is not so yet. */
        void check() throws Exception;
    }

    /**
     * Repeats {@code assertion} until it passes, every 20 ms.
     *
     * @param limit how long at most, from now; it is checked at least once, and once more after the limit
     * @throws AssertionError when it still fails after {@code limit}: the last failure is its cause
     */
    public static void eventually(Duration limit, Assertion assertion) {
        long begin = System.nanoTime();
        while (true) {
            boolean last = System.nanoTime() - begin > limit.toNanos();
            try {
                assertion.check();
                return;
            } catch (Exception | AssertionError e) {
                if (last) {
                    throw new AssertionError("Not so after " + limit + ": " + e.getMessage(), e);
                }
            }
            pause();
        }
    }

    /** Lets a moment pass between two looks. */
    static void pause() {
        try {
            Thread.sleep(PAUSE_MILLIS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("Interrupted while waiting", e);
        }
    }
}
