package io.homeostat.benchmarks;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Objects as a real API server sent them, any number of them: one that it sent, with the places that differ from object to object
 * ({@code @NUMBER@}, {@code @UID@}, {@code @APP@}, {@code @SPACE@}, {@code @ADDRESS@}, {@code @HEX@}, {@code @VERSION@}). Immutable.
 */
final class Template {
    private static final Pattern PLACE = Pattern.compile("@([A-Z]+)@");
    private static final int NAMESPACES = 50;
    private static final int REPLICAS = 25;

    /** What differs. */
    private enum Place {
        NUMBER,
        UID,
        APP,
        SPACE,
        ADDRESS,
        HEX,
        VERSION
    }

    /** A piece of the text, and what comes after it; null at the end. */
    private record Piece(byte[] text, @org.jspecify.annotations.Nullable Place next) {}

    private final List<Piece> pieces = new ArrayList<>();

    private Template(String text) {
        Matcher places = PLACE.matcher(text);
        int from = 0;
        while (places.find()) {
            pieces.add(new Piece(bytes(text.substring(from, places.start())), Place.valueOf(places.group(1))));
            from = places.end();
        }
        pieces.add(new Piece(bytes(text.substring(from).stripTrailing()), null));
    }

    /** 14 KB each, 6 of them managedFields. */
    static Template pods() {
        return named("pod.json");
    }

    /** 5 KB each, 2 of them managedFields. */
    static Template widgets() {
        return named("widget.json");
    }

    /** 1 KB each, with the managedFields of one manager. */
    static Template configMaps() {
        return named("configmap.json");
    }

    private static Template named(String file) {
        try (InputStream in = Template.class.getResourceAsStream(file)) {
            if (in == null) {
                throw new IllegalStateException("There is no resource " + file + " beside " + Template.class);
            }
            return new Template(new String(in.readAllBytes(), StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw new UncheckedIOException("Cannot read " + file, e);
        }
    }

    /** The namespace of an object. */
    static String namespace(int number) {
        return "bench-" + (number % NAMESPACES + 100);
    }

    /** The JSON of an object at a version. */
    byte[] object(int number, long version) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        write(out, number, version);
        return out.toByteArray();
    }

    /** A frame of a watch, its line end included. */
    void frame(ByteArrayOutputStream out, String kind, int number, long version) {
        out.writeBytes(bytes("{\"type\":\"" + kind + "\",\"object\":"));
        write(out, number, version);
        out.writeBytes(bytes("}\n"));
    }

    private void write(ByteArrayOutputStream out, int number, long version) {
        for (Piece piece : pieces) {
            out.writeBytes(piece.text);
            if (piece.next != null) {
                out.writeBytes(bytes(
                        switch (piece.next) {
                                // Of fixed length: every object of a template has as many bytes as every other.
                            case NUMBER -> String.format(Locale.ROOT, "%07d", number);
                            case UID -> String.format(
                                    Locale.ROOT,
                                    "%08x-1b2c-4d3e-8f40-%012x",
                                    hash(number) & 0xffffffffL,
                                    hash(number + 1) & 0xffffffffffffL);
                            case APP -> String.format(Locale.ROOT, "%05d", number / REPLICAS);
                            case SPACE -> namespace(number);
                            case ADDRESS -> "10." + (100 + number / 16_384 % 64) + "." + (100 + number / 128 % 128)
                                    + "." + (100 + number % 128);
                            case HEX -> String.format(Locale.ROOT, "%016x", hash(number));
                            case VERSION -> String.format(Locale.ROOT, "%d", version);
                        }));
            }
        }
    }

    private static long hash(int number) {
        return (number + 1) * 0x9e3779b97f4a7c15L;
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
