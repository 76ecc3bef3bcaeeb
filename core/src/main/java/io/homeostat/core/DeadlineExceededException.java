package io.homeostat.core;

/** A wait ended because its deadline passed before the awaited thing came. */
@Stable
public final class DeadlineExceededException extends RuntimeException {
    /** Says what was waited for, in the words of the caller. */
    public DeadlineExceededException(String message) {
        super(message);
    }
}
