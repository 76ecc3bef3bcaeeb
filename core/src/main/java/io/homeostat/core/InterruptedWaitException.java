package io.homeostat.core;

/** A wait ended because its thread was interrupted; the interrupt flag is set again. */
@Stable
public final class InterruptedWaitException extends RuntimeException implements Coded {
    private static final String CODE = "HS-112";

    /** Says what was waited for, in the words of the caller. */
    public InterruptedWaitException(String message) {
        super(Coded.message(message, CODE));
    }

    @Override
    public String code() {
        return CODE;
    }
}
