package io.homeostat.informer;

import io.homeostat.client.RawObject;
import io.homeostat.core.Experimental;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;

/**
 * A part of all objects: those whose UID, or namespace, hashes into a range. So that several processes share the objects of one
 * resource, each with a cache of its part: {@code ShardSelector.byUid(0, 3)}, {@code (1, 3)} and {@code (2, 3)} are everything, each object
 * once.
 *
 * <p>The server filters, where it can (Kubernetes 1.36 and later with the feature gate {@code ShardedListAndWatch}, alpha; KEP-5866:
 * 64-bit FNV-1a). A server that cannot ignores the parameter and sends everything. Therefore the cache filters, too, whoever answers: it never
 * holds an object of another shard, only the bytes are paid for; {@link InformerState#filteredHere} says so. Immutable.
 *
 * @param field what is hashed
 * @param from the first hash, as an unsigned number
 * @param to the last hash, as an unsigned number
 */
@Experimental
public record ShardSelector(Field field, long from, long to) {
    /** What of an object is hashed. */
    public enum Field {
        /** {@code metadata.uid}: objects spread evenly. */
        UID("object.metadata.uid"),
        /** {@code metadata.namespace}: what is in one namespace stays together. */
        NAMESPACE("object.metadata.namespace");

        private final String path;

        Field(String path) {
            this.path = path;
        }
    }

    private static final BigInteger HASHES = BigInteger.ONE.shiftLeft(64);

    /**
     * Checks the range.
     *
     * @throws IllegalArgumentException when it is empty
     */
    public ShardSelector {
        if (Long.compareUnsigned(from, to) > 0) {
            throw new IllegalArgumentException("A shard from hash " + Long.toUnsignedString(from, 16) + " to "
                    + Long.toUnsignedString(to, 16) + " is empty; the first must not be above the last");
        }
    }

    /**
     * One of several equal parts, by UID.
     *
     * @param index from 0
     * @param count of parts, at least 1
     * @throws IllegalArgumentException when there is no such part
     */
    public static ShardSelector byUid(int index, int count) {
        return part(Field.UID, index, count);
    }

    /**
     * One of several equal parts, by namespace: each namespace is in one of them.
     *
     * @param index from 0
     * @param count of parts, at least 1
     * @throws IllegalArgumentException when there is no such part
     */
    public static ShardSelector byNamespace(int index, int count) {
        return part(Field.NAMESPACE, index, count);
    }

    private static ShardSelector part(Field field, int index, int count) {
        if (count < 1 || index < 0 || index >= count) {
            throw new IllegalArgumentException("There is no shard " + index + " of " + count + "; they count from 0");
        }
        BigInteger end = bound(index + 1, count);
        return new ShardSelector(
                field,
                bound(index, count).longValue(),
                end.subtract(BigInteger.ONE).longValue());
    }

    private static BigInteger bound(int index, int count) {
        return HASHES.multiply(BigInteger.valueOf(index)).divide(BigInteger.valueOf(count));
    }

    /** Whether the object is in this part. */
    boolean holds(RawObject object) {
        long hash = hash(field == Field.UID ? object.uid() : object.key().namespace());
        return Long.compareUnsigned(hash, from) >= 0 && Long.compareUnsigned(hash, to) <= 0;
    }

    /** 64-bit FNV-1a, as apimachinery {@code sharding.HashField}. */
    static long hash(String value) {
        long hash = 0xcbf29ce484222325L;
        for (byte each : value.getBytes(StandardCharsets.UTF_8)) {
            hash = (hash ^ (each & 0xff)) * 0x100000001b3L;
        }
        return hash;
    }

    /** As the server takes it; the end of its range is the first hash that is not in it, up to 2⁶⁴. */
    @Override
    public String toString() {
        String end = to == -1 ? "10000000000000000" : HexFormat.of().toHexDigits(to + 1);
        return "shardRange(" + field.path + ", '0x" + HexFormat.of().toHexDigits(from) + "', '0x" + end + "')";
    }
}
