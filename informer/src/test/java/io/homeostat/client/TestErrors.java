package io.homeostat.client;

import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.NullMarked;
import org.jspecify.annotations.Nullable;

/** Makes what only the client makes, for tests that stand in for it. */
@NullMarked
public final class TestErrors {
    private TestErrors() {}

    /** The exception for a code, as the client would classify it. */
    public static ApiException of(int code, String reason, @Nullable Duration retryAfter) {
        return ApiErrors.of("test request", new ApiException.Answer(code, reason, reason, List.of(), retryAfter), null);
    }

    /** The type is served, and has no object of this name. */
    public static ApiException missing(String name) {
        return new ApiException.NotFound(
                "test request", new ApiException.Answer(404, "NotFound", "not found", List.of(), null, name), null);
    }

    /** No answer. */
    public static ApiException unreachable() {
        return new ApiException.Unreachable("test request", ApiException.Answer.none("connection refused"), null);
    }

    /** A list or watch at a version the server has not seen. */
    public static ApiException tooLarge() {
        return new ApiException.VersionTooLarge(
                "test request",
                new ApiException.Answer(504, "Timeout", "Too large resource version", List.of(), null),
                null);
    }

    /** An object that scans and does not decode. */
    public static ApiException undecodable(String found) {
        return new ApiException.Undecodable("test request", ApiException.Answer.none(found), null);
    }

    /** An answer that is no object. */
    public static ApiException malformed() {
        return new ApiException.Malformed("test request", ApiException.Answer.none("not an object"), null);
    }
}
