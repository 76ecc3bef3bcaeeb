package io.homeostat.core;

/** A wait ended because its deadline passed before the awaited thing came. */
@Stable
public final class DeadlineExceededException extends RuntimeException implements Coded {
    private static final String CODE = "HS-111";

    /** Says what was waited for, in the words of the caller. */
    public DeadlineExceededException(String message) {
        super(Coded.message(message, CODE));
    }

    @Override
    public String code() {
        return CODE;
    }
}
