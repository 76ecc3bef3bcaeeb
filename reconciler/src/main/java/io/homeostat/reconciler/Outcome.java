package io.homeostat.reconciler;

import io.homeostat.client.ApiException;
import io.homeostat.core.DeadlineExceededException;
import io.homeostat.core.InterruptedWaitException;
import java.time.Duration;
import java.util.concurrent.CompletionException;

/** How an attempt ended, as the dispatcher sees it. */
sealed interface Outcome {
    /** The reconciler was not called: there is nothing to reconcile. */
    record Skipped() implements Outcome {}

    /** It returned. */
    record Returned(Result result) implements Outcome {}

    /**
     * It threw what belongs to the trade: a conflict, a lost answer, an unready cache. Retried, no error, no stack; said when it goes
     * on and on.
     */
    record Quiet(Throwable thrown, Duration atLeast) implements Outcome {}

    /** It threw. Retried, counted and logged as an error. */
    record Failed(Throwable thrown, Duration atLeast) implements Outcome {}

    /** The JVM is not sound any more (D35). */
    record Fatal(Throwable thrown) implements Outcome {}

    /** What a throwable of user code means (D35, P-R1, P-R2). */
    static Outcome of(Throwable thrown) {
        Throwable cause =
                thrown instanceof CompletionException && thrown.getCause() != null ? thrown.getCause() : thrown;
        if (isFatal(cause)) {
            return new Fatal(cause);
        }
        Duration atLeast = Duration.ZERO;
        if (cause instanceof ApiException api) {
            atLeast = api.retryAfter().orElse(Duration.ZERO);
        }
        return quiet(cause) ? new Quiet(cause, atLeast) : new Failed(thrown, atLeast);
    }

    /** Whether the JVM that threw it is not sound any more (D35). */
    static boolean isFatal(Throwable thrown) {
        return thrown instanceof VirtualMachineError && !(thrown instanceof StackOverflowError);
    }

    private static boolean quiet(Throwable thrown) {
        return thrown instanceof CacheNotReady
                || thrown instanceof ApiException.Conflict
                || thrown instanceof ApiException.OutcomeUnknown
                || thrown instanceof ApiException.TooManyRequests
                || thrown instanceof ApiException.Unreachable
                || thrown instanceof ApiException.GateClosed
                || thrown instanceof ApiException.VersionTooLarge
                || (thrown instanceof ApiException.Forbidden forbidden && namespaceGoes(forbidden))
                || thrown instanceof InterruptedWaitException
                || thrown instanceof DeadlineExceededException;
    }

    /** The namespace is being deleted, and the object with it: nothing is wrong, and nothing can be created there any more. */
    static boolean namespaceGoes(ApiException.Forbidden forbidden) {
        return forbidden.answer().causes().stream()
                .anyMatch(cause -> cause.reason().equals("NamespaceTerminating"));
    }
}
