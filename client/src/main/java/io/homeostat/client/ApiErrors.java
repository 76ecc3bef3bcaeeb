package io.homeostat.client;

import io.homeostat.core.Headers;
import io.homeostat.core.TransportException;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * The one way from a server's answer, or its absence, to an {@link ApiException}.
 *
 * <p>By {@code Status.reason} first, by code where the reason is absent or unknown: a proxy's answer has none, and the same code
 * means several things (409, 504).
 */
final class ApiErrors {
    /** A server that asks for more than a day is not believed. */
    private static final Duration MAX_RETRY_AFTER = Duration.ofDays(1);

    /** The longest piece of the server's words that is kept: conflicts of an apply can name hundreds of fields. */
    private static final int MAX_MESSAGE = 2048;

    private static final String INVALID = " is invalid: ";

    private ApiErrors() {}

    /** The exception for {@code answer} to {@code request} ({@code "watch pods/v1"}). */
    static ApiException of(String request, ApiException.Answer answer, @Nullable Throwable cause) {
        return switch (answer.reason()) {
            case "Unauthorized" -> new ApiException.Unauthorized(request, answer, cause);
            case "Forbidden" -> new ApiException.Forbidden(request, answer, cause);
            case "NotFound" -> new ApiException.NotFound(request, answer, cause);
            case "AlreadyExists" -> new ApiException.AlreadyExists(request, answer, cause);
            case "Conflict" -> new ApiException.Conflict(request, answer, cause);
            case "Gone", "Expired" -> new ApiException.Gone(request, answer, cause);
            case "Invalid" -> new ApiException.Invalid(request, answer, cause);
            case "TooManyRequests" -> new ApiException.TooManyRequests(request, answer, cause);
            case "BadRequest",
                    "MethodNotAllowed",
                    "NotAcceptable",
                    "UnsupportedMediaType",
                    "RequestEntityTooLarge" -> new ApiException.BadRequest(request, answer, cause);
            case "Timeout" -> versionTooLarge(answer)
                    ? new ApiException.VersionTooLarge(request, answer, cause)
                    : new ApiException.ServerError(request, answer, cause);
            case "ServerTimeout", "InternalError", "ServiceUnavailable", "StoreReadError" -> new ApiException
                    .ServerError(request, answer, cause);
            default -> byCode(request, answer, cause);
        };
    }

    private static ApiException byCode(String request, ApiException.Answer answer, @Nullable Throwable cause) {
        int code = answer.code();
        return switch (code) {
            case 0 -> new ApiException.Unreachable(request, answer, cause);
            case 401 -> new ApiException.Unauthorized(request, answer, cause);
            case 403 -> new ApiException.Forbidden(request, answer, cause);
            case 404 -> new ApiException.NotFound(request, answer, cause);
            case 409 -> new ApiException.Conflict(request, answer, cause);
            case 410 -> new ApiException.Gone(request, answer, cause);
            case 422 -> new ApiException.Invalid(request, answer, cause);
            case 429 -> new ApiException.TooManyRequests(request, answer, cause);
            default -> {
                if (code >= 500) {
                    yield versionTooLarge(answer)
                            ? new ApiException.VersionTooLarge(request, answer, cause)
                            : new ApiException.ServerError(request, answer, cause);
                }
                yield code >= 300
                        ? new ApiException.BadRequest(request, answer, cause)
                        : new ApiException.Malformed(request, answer, cause);
            }
        };
    }

    private static boolean versionTooLarge(ApiException.Answer answer) {
        // Servers before 1.18.6 gave the cause without its type, and before 1.17 no cause; client-go looks for all
        // three.
        return answer.causes().stream()
                        .anyMatch(cause -> cause.reason().equals("ResourceVersionTooLarge")
                                || cause.message().equals("Too large resource version"))
                || answer.message().startsWith("Too large resource version");
    }

    /**
     * The exception for an HTTP answer that is no success. A write whose answer leaves open what became of it is {@link
     * ApiException.OutcomeUnknown}: 504, the server gave up waiting for its own write; 500 without a reason that is known, which is how
     * kube-apiserver passes on what etcd's client said ("etcdserver: request timed out", a lost leader or connection; {@code
     * ErrorToAPIStatus} in apiserver's endpoints), and which may come after etcd has written; 5xx without a Status, of a
     * proxy or an aggregator that lost the server's answer, or of a gateway's own codes (520 to 599). kube-apiserver's own 503 is a Status
     * with a reason, and nothing was done.
     *
     * @param body the body, inflated; empty for none. Only a Status in it is quoted: anything else may hold anything
     * @param now the time of this process, to read a {@code Retry-After} date when the answer has no {@code Date}
     */
    static ApiException ofAnswer(String request, boolean write, int code, Headers headers, byte[] body, Instant now) {
        JsonNode status = status(body);
        Duration wait = retryAfter(headers, now);
        ApiException.Answer answer = status == null
                ? new ApiException.Answer(code, "", describe(code, headers, body), List.of(), wait)
                : answer(status, code, wait);
        ApiException error = of(request, answer, null);
        boolean open = code == 504 || (code >= 500 && answer.reason().isEmpty());
        return write && open ? new ApiException.OutcomeUnknown(request, answer, error) : error;
    }

    /**
     * The exception for the object of an ERROR frame of a watch.
     *
     * @param object the frame's {@code object} as JSON, a Status
     */
    static ApiException ofFrame(String request, byte[] object) {
        JsonNode status = status(object);
        if (status == null) {
            return new ApiException.Malformed(
                    request,
                    ApiException.Answer.none("an ERROR frame whose object of " + object.length + " bytes is no Status"),
                    null);
        }
        return of(request, answer(status, status.path("code").asInt(500), null), null);
    }

    /** The body as a Status; null when it is none. Why it is none is not kept: a parser's words may quote contents. */
    private static @Nullable JsonNode status(byte[] body) {
        if (body.length == 0) {
            return null;
        }
        try {
            JsonNode tree = JsonMapper.shared().readTree(body);
            return tree != null && "Status".equals(tree.path("kind").asString("")) ? tree : null;
        } catch (JacksonException e) {
            return null;
        }
    }

    private static ApiException.Answer answer(JsonNode status, int code, @Nullable Duration fromHeader) {
        JsonNode details = status.path("details");
        List<ApiException.Cause> causes = new ArrayList<>();
        for (JsonNode cause : details.path("causes")) {
            causes.add(new ApiException.Cause(
                    text(cause, "reason"),
                    text(cause, "field"),
                    shortened(QuotedValues.hidden(text(cause, "message")))));
        }
        int seconds = details.path("retryAfterSeconds").asInt(0);
        Duration fromStatus = seconds > 0 ? bounded(Duration.ofSeconds(seconds)) : null;
        String message = message(status, causes);
        return new ApiException.Answer(
                code,
                text(status, "reason"),
                message.isEmpty() ? "the server gave no message" : shortened(message),
                List.copyOf(causes),
                fromHeader != null ? fromHeader : fromStatus,
                text(details, "name"));
    }

    /** The server's words without values: for an invalid object from the causes, which tell where each value ends. */
    private static String message(JsonNode status, List<ApiException.Cause> causes) {
        String message = text(status, "message");
        int end = message.indexOf(INVALID);
        if (end < 0 || causes.isEmpty()) {
            return QuotedValues.hidden(message);
        }
        StringBuilder shown = new StringBuilder(message.substring(0, end)).append(INVALID);
        String separator = "";
        for (ApiException.Cause cause : causes) {
            shown.append(separator)
                    .append(cause.field().isEmpty() ? "" : cause.field() + ": ")
                    .append(cause.message());
            separator = ", ";
        }
        return shown.toString();
    }

    private static String text(JsonNode node, String field) {
        return node.path(field).asString("");
    }

    private static String shortened(String message) {
        return message.length() <= MAX_MESSAGE ? message : message.substring(0, MAX_MESSAGE) + "…";
    }

    private static String describe(int code, Headers headers, byte[] body) {
        String redirect = code >= 300 && code < 400 ? "the server redirects, which is not followed; " : "";
        if (body.length == 0) {
            return redirect + "the answer has no body that says why";
        }
        return redirect + "no Status in the answer, but " + body.length + " bytes of "
                + headers.first("Content-Type").map(ApiErrors::mediaType).orElse("unknown type");
    }

    private static String mediaType(String contentType) {
        int end = contentType.indexOf(';');
        String type = (end < 0 ? contentType : contentType.substring(0, end)).trim();
        return type.matches("[A-Za-z0-9.+-]{1,40}/[A-Za-z0-9.+-]{1,60}") ? type : "unknown type";
    }

    /** The exception for an exchange that got no whole answer. */
    static ApiException lost(String request, boolean write, TransportException cause) {
        String found = cause.getMessage() == null ? "it broke off" : cause.getMessage();
        if (cause.sent() == TransportException.Sent.NO) {
            return new ApiException.Unreachable(request, ApiException.Answer.none("not sent: " + found), cause);
        }
        return write
                ? outcomeUnknown(request, found, cause)
                : new ApiException.Unreachable(request, ApiException.Answer.none("no whole answer: " + found), cause);
    }

    /** The exception for a write that was sent and whose answer nobody will see. */
    static ApiException.OutcomeUnknown outcomeUnknown(String request, String found, @Nullable Throwable cause) {
        return new ApiException.OutcomeUnknown(
                request,
                ApiException.Answer.none("sent, but without a readable answer (" + found
                        + "); it may have been done: look at the object before repeating it"),
                cause);
    }

    private static @Nullable Duration retryAfter(Headers headers, Instant now) {
        Optional<String> header = headers.first("Retry-After");
        if (header.isEmpty()) {
            return null;
        }
        String value = header.get().trim();
        if (value.matches("[0-9]{1,9}")) {
            return bounded(Duration.ofSeconds(Long.parseLong(value)));
        }
        Instant at = date(value);
        if (at == null) {
            return null;
        }
        // The server's own clock where it tells it, so that ours need not agree.
        Instant serverNow = headers.first("Date").map(ApiErrors::date).orElse(now);
        return bounded(Duration.between(serverNow, at));
    }

    private static @Nullable Instant date(String value) {
        try {
            return ZonedDateTime.parse(value.trim(), DateTimeFormatter.RFC_1123_DATE_TIME.withLocale(Locale.ROOT))
                    .toInstant();
        } catch (DateTimeException e) {
            return null;
        }
    }

    private static Duration bounded(Duration wait) {
        if (wait.isNegative()) {
            return Duration.ZERO;
        }
        return wait.compareTo(MAX_RETRY_AFTER) > 0 ? MAX_RETRY_AFTER : wait;
    }
}
