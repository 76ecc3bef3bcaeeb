package io.homeostat.simulator;

import java.time.DateTimeException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.temporal.ChronoUnit;
import java.util.Locale;
import tools.jackson.databind.JsonNode;

/** Times as the API writes them: RFC 3339, in UTC. */
final class Times {
    private static final DateTimeFormatter MICROS = DateTimeFormatter.ofPattern(
                    "yyyy-MM-dd'T'HH:mm:ss.SSSSSS'Z'", Locale.ROOT)
            .withZone(ZoneOffset.UTC);

    private Times() {}

    /** {@code metav1.Time}: whole seconds. */
    static String seconds(Instant time) {
        return time.truncatedTo(ChronoUnit.SECONDS).toString();
    }

    /** {@code metav1.MicroTime}: six digits. */
    static String micro(Instant time) {
        return MICROS.format(time);
    }

    static JsonNode seconds(JsonNode value, String path) {
        return Json.NODES.stringNode(seconds(parsed(value.stringValue(), path)));
    }

    static JsonNode micro(JsonNode value, String path) {
        return Json.NODES.stringNode(micro(parsed(value.stringValue(), path)));
    }

    private static Instant parsed(String text, String path) {
        try {
            return OffsetDateTime.parse(text).toInstant();
        } catch (DateTimeException e) {
            throw new Malformed("parsing time " + Json.quoted(text) + " of " + path
                    + " as \"2006-01-02T15:04:05Z07:00\": it does not have that form");
        }
    }
}
