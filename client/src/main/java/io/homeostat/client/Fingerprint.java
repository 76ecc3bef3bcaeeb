package io.homeostat.client;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * A 64-bit hash of what somebody wants of an object (D5): everything but {@code status}, {@code metadata.resourceVersion},
 * {@code metadata.generation} and {@code metadata.managedFields}; {@code apiVersion} and {@code kind} are left out too, as they are the
 * type's and not the object's.
 *
 * <p>Taken from the bytes member by member, in one walk without a parse. Two texts that differ in whitespace or in the order of members
 * are different here; one server always writes the same object alike. Not made to withstand an attacker.
 */
final class Fingerprint {
    private static final VarHandle LONGS = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
    private static final long P1 = 0x9e3779b185ebca87L;
    private static final long P2 = 0xc2b2ae3d27d4eb4fL;
    private static final long P3 = 0x165667b19e3779f9L;

    private final byte[] bytes;
    private long hash = P3;

    private Fingerprint(byte[] bytes) {
        this.bytes = bytes;
    }

    /** The fingerprint of an object's whole, well-formed JSON. */
    static long of(byte[] object) {
        return of(object, 0);
    }

    /** The same of one that begins at {@code from}; what is behind its end does not count. */
    static long of(byte[] bytes, int from) {
        Fingerprint fingerprint = new Fingerprint(bytes);
        JsonCursor cursor = new JsonCursor(bytes, from);
        cursor.enter();
        while (cursor.more()) {
            if (cursor.keyIs("metadata")) {
                fingerprint.metadata(cursor);
            } else {
                boolean wanted = !cursor.keyIs("status") && !cursor.keyIs("apiVersion") && !cursor.keyIs("kind");
                fingerprint.member(cursor, wanted);
            }
        }
        return fingerprint.finish();
    }

    private void metadata(JsonCursor cursor) {
        cursor.toValue();
        if (cursor.peek() != '{') {
            int from = cursor.at();
            cursor.skip();
            add(from, cursor.at());
            return;
        }
        cursor.enter();
        hash = Long.rotateLeft(hash ^ P2, 31) * P1;
        while (cursor.more()) {
            boolean wanted =
                    !cursor.keyIs("resourceVersion") && !cursor.keyIs("generation") && !cursor.keyIs("managedFields");
            member(cursor, wanted);
        }
        hash = Long.rotateLeft(hash ^ P3, 31) * P1;
    }

    private void member(JsonCursor cursor, boolean wanted) {
        int from = cursor.at();
        cursor.toValue();
        cursor.skip();
        if (wanted) {
            add(from, cursor.at());
        }
    }

    private void add(int from, int to) {
        long h = hash ^ (to - from) * P3;
        int i = from;
        for (; i <= to - 8; i += 8) {
            h = Long.rotateLeft(h ^ (long) LONGS.get(bytes, i) * P2, 31) * P1;
        }
        long rest = 0;
        for (; i < to; i++) {
            rest = rest << 8 | (bytes[i] & 0xff);
        }
        hash = Long.rotateLeft(h ^ rest * P2, 29) * P1;
    }

    private long finish() {
        long h = hash;
        h = (h ^ (h >>> 33)) * P2;
        h = (h ^ (h >>> 29)) * P3;
        return h ^ (h >>> 32);
    }
}
