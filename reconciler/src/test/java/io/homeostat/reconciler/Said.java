package io.homeostat.reconciler;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** What is logged while it is open, and still printed. The logging backend of the tests writes to standard error. */
final class Said implements AutoCloseable {
    private final PrintStream before = System.err;
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream(); // synchronized by itself

    Said() {
        System.setErr(new PrintStream(bytes, true, StandardCharsets.UTF_8));
    }

    /** The lines of a level that hold a text. */
    List<String> lines(String level, String text) {
        return bytes.toString(StandardCharsets.UTF_8)
                .lines()
                .filter(line -> line.contains(level + " ") && line.contains(text))
                .toList();
    }

    @Override
    public void close() {
        System.setErr(before);
        before.print(bytes.toString(StandardCharsets.UTF_8));
    }
}
