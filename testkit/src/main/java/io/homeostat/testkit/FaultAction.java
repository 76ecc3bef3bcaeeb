package io.homeostat.testkit;

import java.time.Duration;
import java.util.Locale;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** What a {@link FaultRule} does. Each has a text that {@link FaultText} reads back. */
sealed interface FaultAction {
    /** Ends of an exchange. */
    enum End implements FaultAction {
        /** The connection is reset (TCP RST). */
        RESET,
        /** The connection is closed (TCP FIN), without a word of TLS or HTTP. */
        TRUNCATE,
        /** The answer ends as HTTP says an answer ends, as if this were all. */
        END,
        /** Nothing comes any more, and nothing says so: a half-open connection. */
        SILENCE;

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /** What is done to one frame of a watch. */
    enum Frame implements FaultAction {
        /** It never comes. */
        DROP,
        /** It comes twice. */
        DUPLICATE,
        /** It comes after the next one. */
        SWAP,
        /** After it comes what was said of the same object before. */
        STALE;

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /** What is not an answer of an API server. */
    enum Nonsense {
        /** Bytes that are no JSON. */
        GARBAGE("application/json", "\u0001\u0002{\"kind\": \u00e4\u0000}]}"),
        /** A page of a gateway. */
        HTML("text/html", "<html><body><h1>502 Bad Gateway</h1></body></html>"),
        /** The form for people (KEP-1165), which a client did not ask for. */
        TABLE(
                "application/json",
                "{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":{\"resourceVersion\":\"1\"},"
                        + "\"columnDefinitions\":[{\"name\":\"Name\",\"type\":\"string\"}],\"rows\":[]}"),
        /** An object, where a list or an event should be. */
        KIND(
                "application/json",
                "{\"kind\":\"Binding\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"unasked\",\"namespace\":\"default\","
                        + "\"uid\":\"00000000-0000-0000-0000-000000000000\",\"resourceVersion\":\"1\"}}");

        private final String contentType;
        private final String text;

        Nonsense(String contentType, String text) {
            this.contentType = contentType;
            this.text = text;
        }

        String contentType() {
            return contentType;
        }

        String text() {
            return text;
        }

        static String names() {
            return Stream.of(values())
                    .map(value -> value.name().toLowerCase(Locale.ROOT))
                    .collect(Collectors.joining(", "));
        }
    }

    /** Goes on after a while. */
    record Delay(Duration time) implements FaultAction {
        @Override
        public String toString() {
            return "delay " + FaultText.duration(time);
        }
    }

    /** The rest of the answer comes at this pace. */
    record Slow(int bytesPerSecond) implements FaultAction {
        @Override
        public String toString() {
            return "slow " + bytesPerSecond;
        }
    }

    /** The rest of the answer comes in pieces of at most so many bytes. */
    record Split(int bytes) implements FaultAction {
        @Override
        public String toString() {
            return "split " + bytes;
        }
    }

    /**
     * An answer of that status, or in a watch an ERROR frame of that code.
     *
     * @param retryAfter zero for none
     */
    record Status(int code, Duration retryAfter) implements FaultAction {
        String reason() {
            return switch (code) {
                case 400 -> "BadRequest";
                case 401 -> "Unauthorized";
                case 403 -> "Forbidden";
                case 404 -> "NotFound";
                case 409 -> "Conflict";
                case 410 -> "Expired";
                case 422 -> "Invalid";
                case 429 -> "TooManyRequests";
                case 503 -> "ServiceUnavailable";
                case 504 -> "Timeout";
                default -> code >= 500 ? "InternalError" : "Unknown";
            };
        }

        /** A {@code Status}, as an API server writes one. */
        String json() {
            long seconds = retryAfter.toSeconds();
            return "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"message\":"
                    + "\"answered by a fault rule\",\"reason\":\"" + reason() + "\""
                    + (seconds > 0 ? ",\"details\":{\"retryAfterSeconds\":" + seconds + "}" : "")
                    + ",\"code\":" + code + "}";
        }

        @Override
        public String toString() {
            return "status " + code + (retryAfter.isZero() ? "" : " retry-after " + FaultText.duration(retryAfter));
        }
    }

    /** Something that is no answer, with status 200. */
    record Reply(Nonsense what) implements FaultAction {
        @Override
        public String toString() {
            return "reply " + what.name().toLowerCase(Locale.ROOT);
        }
    }

    /** Every match in the frame, or in the whole body, is replaced. */
    record Rewrite(Pattern from, String to) implements FaultAction {
        @Override
        public String toString() {
            return "rewrite " + FaultText.quote(from.pattern()) + " to " + FaultText.quote(to);
        }
    }
}
