package io.homeostat.reconciler;

import io.homeostat.core.Coded;
import io.homeostat.core.Stable;
import org.jspecify.annotations.Nullable;

/**
 * {@link Operator#run} ended otherwise than by being asked to. The message is a sentence for the person at the terminal; it says
 * what to do.
 */
@Stable
public final class OperatorException extends RuntimeException implements Coded {
    private static final String SETTING = "HS-102";
    private static final String ENDED = "HS-103";

    private final int exitCode;

    OperatorException(int exitCode, String message, @Nullable Throwable cause) {
        super(Coded.message(message, exitCode == 2 ? SETTING : ENDED), cause);
        this.exitCode = exitCode;
    }

    /** What {@code main} should exit with: 2 for a wrong flag or setting, 1 for everything else. */
    public int exitCode() {
        return exitCode;
    }

    @Override
    public String code() {
        return exitCode == 2 ? SETTING : ENDED;
    }
}
