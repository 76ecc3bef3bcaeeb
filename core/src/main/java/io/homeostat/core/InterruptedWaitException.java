package io.homeostat.core;

/** A wait ended because its thread was interrupted; the interrupt flag is set again. */
@Stable
public final class InterruptedWaitException extends RuntimeException {
    /** Says what was waited for, in the words of the caller. */
    public InterruptedWaitException(String message) {
        super(message);
    }
}
