package io.homeostat.client;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;

/** Cuts bytes into chunks, for the tests of what reads streams. */
final class Bytes {
    private Bytes() {}

    static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static byte[] joined(byte[]... parts) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            out.writeBytes(part);
        }
        return out.toByteArray();
    }

    /** {@code bytes} in chunks that end at {@code cuts}. */
    static List<byte[]> cut(byte[] bytes, int... cuts) {
        List<byte[]> chunks = new ArrayList<>();
        int from = 0;
        for (int cut : cuts) {
            chunks.add(Arrays.copyOfRange(bytes, from, cut));
            from = cut;
        }
        chunks.add(Arrays.copyOfRange(bytes, from, bytes.length));
        return chunks;
    }

    /** Every way to cut {@code bytes} into two, and into single bytes. */
    static void everyCut(byte[] bytes, Consumer<List<byte[]>> test) {
        for (int i = 0; i <= bytes.length; i++) {
            test.accept(cut(bytes, i));
        }
        test.accept(singly(bytes));
    }

    /** Every way to cut {@code bytes} into three. */
    static void everyTwoCuts(byte[] bytes, Consumer<List<byte[]>> test) {
        for (int i = 0; i <= bytes.length; i++) {
            for (int j = i; j <= bytes.length; j++) {
                test.accept(cut(bytes, i, j));
            }
        }
    }

    private static List<byte[]> singly(byte[] bytes) {
        List<byte[]> chunks = new ArrayList<>();
        for (byte b : bytes) {
            chunks.add(new byte[] {b});
        }
        return chunks;
    }
}
