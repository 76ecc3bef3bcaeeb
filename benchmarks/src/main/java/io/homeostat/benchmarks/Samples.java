package io.homeostat.benchmarks;

import java.io.ByteArrayOutputStream;

/** Frames of a watch for benchmarks that live in the packages of what they measure. */
public final class Samples {
    private Samples() {}

    /**
     * Frames of different objects.
     *
     * @param resource {@code pods}, {@code widgets} or {@code configmaps}
     */
    public static byte[][] frames(String resource, int count) {
        Template template =
                switch (resource) {
                    case "pods" -> Template.pods();
                    case "widgets" -> Template.widgets();
                    case "configmaps" -> Template.configMaps();
                    default -> throw new IllegalArgumentException("No objects of " + resource);
                };
        byte[][] frames = new byte[count][];
        for (int i = 0; i < count; i++) {
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            template.frame(out, "MODIFIED", i, 1_000_000_000L + i);
            frames[i] = out.toByteArray();
        }
        return frames;
    }
}
