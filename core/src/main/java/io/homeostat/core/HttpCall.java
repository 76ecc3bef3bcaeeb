package io.homeostat.core;

import java.util.Objects;

/**
 * One HTTP request, without server address and credentials.
 *
 * @param method {@code GET}, {@code POST}, {@code PUT}, {@code PATCH} or {@code DELETE}
 * @param target path and query, percent-encoded, starting with {@code /}
 * @param headers sent as they are, in this order
 * @param body the request body, empty for none; not to be changed afterwards
 * @param kind which connections it may use
 */
@Stable
public record HttpCall(String method, String target, Headers headers, byte[] body, Kind kind) {
    /** Which connections a call may use. */
    public enum Kind {
        /** A short request. */
        REQUEST,
        /** A long-lived answer, a watch say: never shares a connection with another call. */
        STREAM
    }

    /** Checks what would otherwise reach the wire. */
    public HttpCall {
        Objects.requireNonNull(headers, "headers");
        Objects.requireNonNull(kind, "kind");
        if (!target.startsWith("/") || target.chars().anyMatch(c -> c <= ' ' || c >= 0x7f)) {
            throw new IllegalArgumentException(
                    "HTTP target \"" + target + "\" must start with / and be percent-encoded ASCII");
        }
    }

    /** A short GET. */
    public static HttpCall get(String target, Headers headers) {
        return new HttpCall("GET", target, headers, new byte[0], Kind.REQUEST);
    }

    /** Method and target only: bodies and headers may hold secrets. */
    @Override
    public String toString() {
        return method + " " + target;
    }
}
