package io.homeostat.client;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.zip.GZIPOutputStream;

/** Compresses as kube-apiserver does: members one after the other. */
final class Gzip {
    private Gzip() {}

    /** Members of at most {@code size} plain bytes each. */
    static byte[] members(byte[] plain, int size) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (int at = 0; at < plain.length; at += size) {
            try (GZIPOutputStream member = new GZIPOutputStream(out)) {
                member.write(plain, at, Math.min(size, plain.length - at));
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
        return out.toByteArray();
    }
}
