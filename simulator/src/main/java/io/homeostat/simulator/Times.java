package io.homeostat.simulator;

import java.time.DateTimeException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.temporal.ChronoUnit;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import tools.jackson.databind.JsonNode;

/** Times as the API writes them: RFC 3339, in UTC. */
final class Times {
    private static final DateTimeFormatter MICROS = DateTimeFormatter.ofPattern(
                    "yyyy-MM-dd'T'HH:mm:ss.SSSSSS'Z'", Locale.ROOT)
            .withZone(ZoneOffset.UTC);

    private static final Pattern MICRO_FORM = Pattern.compile(
            "([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})([.][0-9]*|)(Z|[+-][0-9]{2}:[0-9]{2})");

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

    /** Unlike {@link #seconds}, six digits are required. */
    static JsonNode micro(JsonNode value, String path) {
        String text = value.stringValue();
        Matcher form = MICRO_FORM.matcher(text);
        if (form.matches() && form.group(2).matches("\\.[0-9]{6}")) {
            return Json.NODES.stringNode(micro(parsed(text, path)));
        }
        String rest = form.matches() ? form.group(2) + form.group(3) : text;
        throw new Malformed(
                "parsing time " + Json.quoted(text) + " as \"2006-01-02T15:04:05.000000Z07:00\": cannot parse "
                        + Json.quoted(rest) + " as \"" + (form.matches() ? ".000000" : "2006") + "\"");
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
