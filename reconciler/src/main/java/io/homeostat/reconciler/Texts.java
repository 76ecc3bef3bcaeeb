package io.homeostat.reconciler;

import java.time.Duration;
import java.util.Locale;

/** How things are written for people. */
final class Texts {
    private Texts() {}

    /** {@code 6ms}, {@code 1.5s}, {@code 30s}, {@code 10m}, {@code 2h}. */
    static String of(Duration duration) {
        long millis = duration.toMillis();
        if (millis < 1000) {
            return millis + "ms";
        }
        if (millis < 60_000) {
            return millis % 1000 == 0
                    ? millis / 1000 + "s"
                    : String.format(Locale.ROOT, "%.1fs", (double) millis / 1000);
        }
        long minutes = duration.toMinutes();
        if (minutes < 60 || minutes % 60 != 0) {
            long seconds = duration.toSecondsPart();
            return minutes + "m" + (seconds == 0 ? "" : seconds + "s");
        }
        return minutes / 60 + "h";
    }

    /** A key of a user's type: its {@code toString} may throw. */
    static String key(Object key) {
        try {
            return key.toString();
        } catch (Throwable unprintable) {
            return key.getClass().getName() + " (it cannot be printed)";
        }
    }

    /**
     * Class and message of a throwable of unknown manners: its own methods may throw.
     */
    static String of(Throwable thrown) {
        String simple = nameOf(thrown);
        try {
            String message = thrown.getMessage();
            return message == null ? simple : simple + ": " + message;
        } catch (Throwable unprintable) {
            return simple + " (its message cannot be read)";
        }
    }

    /** The message alone, for people at a terminal; class and message when there is none worth it. */
    static String sentence(Throwable thrown) {
        String message = thrown.getMessage();
        return message == null || message.isEmpty() ? of(thrown) : message;
    }

    /** The class, without package and enclosing class. */
    static String nameOf(Throwable thrown) {
        String name = thrown.getClass().getName();
        return name.substring(Math.max(name.lastIndexOf('.'), name.lastIndexOf('$')) + 1);
    }
}
