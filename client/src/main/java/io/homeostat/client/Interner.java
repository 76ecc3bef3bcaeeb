package io.homeostat.client;

import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * Gives one {@link String} for equal bytes, of the strings that repeat from object to object: label keys and values, namespaces,
 * owners. A hit costs no allocation.
 *
 * <p><b>Threads.</b> Confined to one stream's lane. <b>Memory.</b> {@value #SLOTS} strings at most: two that fall on one slot push each
 * other out.
 */
final class Interner {
    private static final int SLOTS = 2048;

    // Confined to the stream's lane.
    private final @Nullable String[] slots = new String[SLOTS];

    /** The string of these bytes, which are ASCII. */
    String of(byte[] ascii, int from, int to) {
        int hash = 0;
        for (int i = from; i < to; i++) {
            hash = 31 * hash + ascii[i];
        }
        int slot = slot(hash);
        String known = slots[slot];
        if (known != null && equal(known, ascii, from, to)) {
            return known;
        }
        String fresh = new String(ascii, from, to - from, StandardCharsets.ISO_8859_1);
        slots[slot] = fresh;
        return fresh;
    }

    /** The string equal to {@code text}. */
    String of(String text) {
        int slot = slot(text.hashCode());
        String known = slots[slot];
        if (text.equals(known)) {
            return known;
        }
        slots[slot] = text;
        return text;
    }

    private static int slot(int hash) {
        return (hash ^ (hash >>> 11) ^ (hash >>> 22)) & (SLOTS - 1);
    }

    private static boolean equal(String known, byte[] ascii, int from, int to) {
        if (known.length() != to - from) {
            return false;
        }
        for (int i = from; i < to; i++) {
            if (known.charAt(i - from) != ascii[i]) {
                return false;
            }
        }
        return true;
    }
}
