package io.homeostat.core;

import org.jspecify.annotations.Nullable;

/** A request that got no whole HTTP answer. */
@Stable
public final class TransportException extends RuntimeException implements Coded {
    private static final String CODE = "HS-113";

    private final Sent sent;

    /** Whether the server may have acted on the request. */
    public enum Sent {
        /** Certainly not sent: name unknown, connection refused, TLS refused, closed before. Safe to repeat. */
        NO,
        /** It may have been sent, and may have been acted on. */
        MAYBE
    }

    /** Says what was tried and what was found; never with bodies or credentials in the text. */
    public TransportException(Sent sent, String message, @Nullable Throwable cause) {
        super(Coded.message(message, CODE), cause);
        this.sent = sent;
    }

    /** Whether the server may have acted on the request. */
    public Sent sent() {
        return sent;
    }

    @Override
    public String code() {
        return CODE;
    }
}
