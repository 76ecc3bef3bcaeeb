package io.homeostat.reconciler;

import io.homeostat.core.Stable;
import org.jspecify.annotations.Nullable;

/**
 * {@link Operator#run} ended otherwise than by being asked to. The message is a sentence for the person at the terminal; it says
 * what to do.
 */
@Stable
public final class OperatorException extends RuntimeException {
    private final int exitCode;

    OperatorException(int exitCode, String message, @Nullable Throwable cause) {
        super(message, cause);
        this.exitCode = exitCode;
    }

    /** What {@code main} should exit with: 2 for a wrong flag or setting, 1 for everything else. */
    public int exitCode() {
        return exitCode;
    }
}
