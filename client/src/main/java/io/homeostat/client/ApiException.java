package io.homeostat.client;

import io.homeostat.core.Coded;
import io.homeostat.core.Stable;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A request to the API that did not succeed, by reason (D35). The text names verb, resource, object and the server's words, never
 * contents: values that the server quotes are left out ({@code Invalid value: (not shown): must be …}).
 */
@Stable
public abstract sealed class ApiException extends RuntimeException implements Coded {
    private final String code;
    private final Answer answer;

    /**
     * What the server said.
     *
     * @param code HTTP status, or the {@code code} of a Status in a stream; 0 when there was no answer
     * @param reason {@code Status.reason}, {@code ""} when absent
     * @param message {@code Status.message} without the values it quotes, or what was found instead
     * @param causes {@code Status.details.causes}
     * @param retryAfter the {@code Retry-After} header or {@code details.retryAfterSeconds}; null when absent
     * @param object {@code Status.details.name}, the name of the object that the answer is about; {@code ""} when absent
     */
    @Stable
    public record Answer(
            int code, String reason, String message, List<Cause> causes, @Nullable Duration retryAfter, String object) {
        /** An answer that names no object. */
        public Answer(int code, String reason, String message, List<Cause> causes, @Nullable Duration retryAfter) {
            this(code, reason, message, causes, retryAfter, "");
        }

        /** No answer at all. */
        public static Answer none(String message) {
            return new Answer(0, "", message, List.of(), null);
        }
    }

    /**
     * One entry of {@code Status.details.causes}.
     *
     * @param reason {@code FieldValueInvalid}, {@code ResourceVersionTooLarge}, …
     * @param field the path, {@code ""} when absent
     * @param message the server's words, without the value
     */
    @Stable
    public record Cause(String reason, String field, String message) {}

    private ApiException(String code, String request, Answer answer, @Nullable Throwable cause) {
        super(Coded.message(request + ": " + describe(answer), code), cause);
        this.code = code;
        this.answer = answer;
    }

    private static String describe(Answer answer) {
        if (answer.code() == 0) {
            return answer.message();
        }
        return answer.code() + (answer.reason().isEmpty() ? "" : " " + answer.reason()) + ": " + answer.message();
    }

    @Override
    public final String code() {
        return code;
    }

    /** What the server said. */
    public final Answer answer() {
        return answer;
    }

    /** How long the server asked to wait. */
    public final Optional<Duration> retryAfter() {
        return Optional.ofNullable(answer.retryAfter());
    }

    /** 400, 405, 406, 415 and other answers that no repetition mends. */
    @Stable
    public static final class BadRequest extends ApiException {
        BadRequest(String request, Answer answer, @Nullable Throwable cause) {
            super("HS-201", request, answer, cause);
        }
    }

    /** 401: the credentials are not (or no longer) accepted. */
    @Stable
    public static final class Unauthorized extends ApiException {
        Unauthorized(String request, Answer answer, @Nullable Throwable cause) {
            super("HS-202", request, answer, cause);
        }
    }

    /** 403: RBAC or admission says no. */
    @Stable
    public static final class Forbidden extends ApiException {
        Forbidden(String request, Answer answer, @Nullable Throwable cause) {
            super("HS-203", request, answer, cause);
        }
    }

    /** 404: no such object, or no such resource; {@link #misses} tells which. */
    @Stable
    public static final class NotFound extends ApiException {
        NotFound(String request, Answer answer, @Nullable Throwable cause) {
            super("HS-204", request, answer, cause);
        }

        /**
         * Whether the server says that it has no object of this name. Otherwise the 404 is about the whole type, which says nothing
         * about an object: a server that starts, or one behind an aggregator, does not serve every type at once, and a proxy may
         * answer for it.
         */
        public boolean misses(String name) {
            return answer().object().equals(name) && !name.isEmpty();
        }
    }

    /** 409 Conflict: the version or UID is not the current one, or an apply conflicts. */
    @Stable
    public static final class Conflict extends ApiException {
        Conflict(String request, Answer answer, @Nullable Throwable cause) {
            super("HS-205", request, answer, cause);
        }
    }

    /** 409 AlreadyExists. */
    @Stable
    public static final class AlreadyExists extends ApiException {
        AlreadyExists(String request, Answer answer, @Nullable Throwable cause) {
            super("HS-206", request, answer, cause);
        }
    }

    /** 410 or reason Expired: the version or continue token is too old. */
    @Stable
    public static final class Gone extends ApiException {
        Gone(String request, Answer answer, @Nullable Throwable cause) {
            super("HS-207", request, answer, cause);
        }
    }

    /** 422: validation failed; the causes name the fields. */
    @Stable
    public static final class Invalid extends ApiException {
        Invalid(String request, Answer answer, @Nullable Throwable cause) {
            super("HS-208", request, answer, cause);
        }
    }

    /** 429: wait for {@link #retryAfter}. */
    @Stable
    public static final class TooManyRequests extends ApiException {
        TooManyRequests(String request, Answer answer, @Nullable Throwable cause) {
            super("HS-209", request, answer, cause);
        }
    }

    /** 5xx with a reason: the server could not do it now, and says so; a write whose answer leaves that open is {@link OutcomeUnknown}. */
    @Stable
    public static final class ServerError extends ApiException {
        ServerError(String request, Answer answer, @Nullable Throwable cause) {
            super("HS-210", request, answer, cause);
        }
    }

    /** 504 with cause ResourceVersionTooLarge: this server has not seen that version yet. */
    @Stable
    public static final class VersionTooLarge extends ApiException {
        VersionTooLarge(String request, Answer answer, @Nullable Throwable cause) {
            super("HS-211", request, answer, cause);
        }
    }

    /** No answer, and nothing was written: not sent, or a read that broke off. */
    @Stable
    public static final class Unreachable extends ApiException {
        Unreachable(String request, Answer answer, @Nullable Throwable cause) {
            super("HS-212", request, answer, cause);
        }

        /**
         * A server that was given up by a watchdog above the client.
         *
         * @param request verb and resource, {@code "watch pods/v1"}
         * @param found what was waited for, and how long
         */
        public static Unreachable silent(String request, String found) {
            return new Unreachable(request, Answer.none(found), null);
        }
    }

    /** A write was sent and its answer is lost, late or interrupted: it may have been done. Look before repeating. */
    @Stable
    public static final class OutcomeUnknown extends ApiException {
        OutcomeUnknown(String request, Answer answer, @Nullable Throwable cause) {
            super("HS-213", request, answer, cause);
        }
    }

    /** An answer that is not what was asked for: HTML, a Table, another kind, broken JSON. */
    @Stable
    public static final class Malformed extends ApiException {
        Malformed(String request, Answer answer, @Nullable Throwable cause) {
            super("HS-214", request, answer, cause);
        }
    }

    /** An object that scans but does not decode into its class; the message has key, version and path. */
    @Stable
    public static final class Undecodable extends ApiException {
        Undecodable(String request, Answer answer, @Nullable Throwable cause) {
            super("HS-215", request, answer, cause);
        }
    }

    /** The write gate refused; nothing was sent. */
    @Stable
    public static final class GateClosed extends ApiException {
        GateClosed(String request, Answer answer, @Nullable Throwable cause) {
            super("HS-216", request, answer, cause);
        }
    }
}
