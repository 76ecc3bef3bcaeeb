package io.homeostat.reconciler;

import io.homeostat.core.Stable;
import java.time.Duration;

/**
 * How a reconcile ended. A thrown exception is none of these: it is a {@link Retry} that counts as an error.
 */
@Stable
public sealed interface Result {
    /** The object is as it should be, or waits for something whose change will bring it back. Forgets failures. */
    static Result done() {
        return Done.DONE;
    }

    /**
     * Like {@link #done}, and look again after {@code delay} if nothing brings the object back before.
     *
     * @throws IllegalArgumentException when {@code delay} is not positive
     */
    static Result requeueAfter(Duration delay) {
        return new RequeueAfter(delay);
    }

    /**
     * Not yet: look again soon, then less and less often (5 ms × 2ⁿ up to 5 minutes, for ever). No error is counted or logged with
     * a stack.
     *
     * @param reason for people: logs and the reconcile line
     */
    static Result retry(String reason) {
        return new Retry(reason);
    }

    /**
     * No repetition will help: nothing but a change of the object itself (anything outside its status), or a restart of the
     * operator, makes it look again. A change of an owned object does not. It is said once: in a line of level WARN, in the figures as
     * an error, and in a Warning event {@code ReconcileFailed} of the object.
     *
     * @param reason for people: the log, the event and the reconcile line
     */
    static Result failed(String reason) {
        return new Failed(reason);
    }

    /** See {@link Result#done()}. */
    @Stable
    record Done() implements Result {
        private static final Done DONE = new Done();

        @Override
        public String toString() {
            return "done";
        }
    }

    /**
     * See {@link Result#requeueAfter}.
     *
     * @param delay positive
     */
    @Stable
    record RequeueAfter(Duration delay) implements Result {
        /** Checks the range. */
        public RequeueAfter {
            if (delay.isNegative() || delay.isZero()) {
                throw new IllegalArgumentException(
                        "requeueAfter(" + delay + "): the delay must be positive; use retry(reason) for \"soon\"");
            }
        }

        @Override
        public String toString() {
            return "requeueAfter " + Texts.of(delay);
        }
    }

    /**
     * See {@link Result#retry}.
     *
     * @param reason for people
     */
    @Stable
    record Retry(String reason) implements Result {
        @Override
        public String toString() {
            return "retry: " + reason;
        }
    }

    /**
     * See {@link Result#failed}.
     *
     * @param reason for people
     */
    @Stable
    record Failed(String reason) implements Result {
        @Override
        public String toString() {
            return "failed: " + reason;
        }
    }
}
