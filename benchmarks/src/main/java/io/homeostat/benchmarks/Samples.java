package io.homeostat.benchmarks;

import java.io.ByteArrayOutputStream;

/** Frames of a watch for benchmarks that live in the packages of what they measure. */
public final class Samples {
    private Samples() {}

    /**
     * Frames of different objects.
     *
     * @param resource {@code pods} or {@code widgets}
     */
    public static byte[][] frames(String resource, int count) {
        Template template = resource.equals("pods") ? Template.pods() : Template.widgets();
        byte[][] frames = new byte[count][];
        for (int i = 0; i < count; i++) {
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            template.frame(out, "MODIFIED", i, 1_000_000_000L + i);
            frames[i] = out.toByteArray();
        }
        return frames;
    }
}
