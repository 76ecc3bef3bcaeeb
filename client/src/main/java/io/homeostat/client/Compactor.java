package io.homeostat.client;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.core.Experimental;
import java.util.Arrays;
import java.util.zip.DataFormatException;
import java.util.zip.Deflater;
import java.util.zip.Inflater;

/**
 * Compresses the objects of one cache, which are much alike: what those that compressed badly said is the dictionary of those that follow.
 * An object that was compressed is inflated again by whoever asks for its bytes, and its metadata stays as it was.
 *
 * <p><b>Order.</b> None. <b>Threads.</b> {@link #compact} and {@link #close}: one at a time. Objects: any, as before. <b>Memory.</b> 24 KB
 * of dictionary, as many again for each time it grew while objects from then live, and zlib's 270 KB outside the heap until {@link #close}.
 * <b>Failure.</b> None: what does not become smaller, or was not scanned by a client, stays as it is.
 */
@Experimental
public final class Compactor implements AutoCloseable {
    /*
     * Invariants
     * - A dictionary never changes; each object has the one it was compressed with.
     */

    /** Of zlib's window of 32 KB, so that most of it is still in reach where a long object ends. */
    private static final int DICTIONARY = 24 * 1024;
    /** Of one object, so that a huge one does not crowd out the others. */
    private static final int SAMPLE = DICTIONARY / 3;
    /** What stays above that part of its bytes compressed badly. */
    private static final int GOOD = 6;

    // Confined to the thread that compresses.
    private final Deflater deflater = new Deflater(Deflater.BEST_SPEED, true);
    private byte[] buffer = new byte[4096];
    private byte[] dictionary = new byte[0];
    private boolean closed;

    /** A compactor that has seen nothing. */
    public Compactor() {}

    /**
     * The same object with its bytes compressed; after {@link #close} as it is.
     */
    public RawObject compact(RawObject object) {
        if (closed || !(object instanceof ScannedObject scanned)) {
            return object;
        }
        byte[] bytes = scanned.bytes();
        int length = deflate(bytes) + 1; // one byte more: Inflater asks for it where there is no header
        RawObject compact = length < bytes.length ? compacted(scanned, Arrays.copyOf(buffer, length)) : scanned;
        if (length > bytes.length / GOOD && dictionary.length < DICTIONARY) {
            learn(bytes);
        }
        return compact;
    }

    private RawObject compacted(ScannedObject scanned, byte[] deflated) {
        return scanned instanceof CutObject cut
                ? new CompactedCut(cut, deflated, dictionary)
                : new Compacted(scanned, deflated, dictionary);
    }

    private int deflate(byte[] bytes) {
        deflater.reset();
        if (dictionary.length > 0) {
            deflater.setDictionary(dictionary);
        }
        deflater.setInput(bytes);
        deflater.finish();
        int length = 0;
        while (!deflater.finished()) {
            if (length == buffer.length) {
                buffer = Arrays.copyOf(buffer, 2 * buffer.length);
            }
            length += deflater.deflate(buffer, length, buffer.length - length);
        }
        return length;
    }

    private void learn(byte[] bytes) {
        int more = Math.min(Math.min(bytes.length, SAMPLE), DICTIONARY - dictionary.length);
        byte[] next = Arrays.copyOf(dictionary, dictionary.length + more);
        System.arraycopy(bytes, 0, next, dictionary.length, more);
        dictionary = next;
    }

    /** Lets go of zlib. Objects that were compressed stay readable. */
    @Override
    public void close() {
        closed = true;
        deflater.end();
    }

    /** An object whose bytes are compressed. Immutable. */
    static class Compacted extends ScannedMetadata {
        private final byte[] deflated;
        private final byte[] dictionary;
        private final int length;

        Compacted(ScannedObject object, byte[] deflated, byte[] dictionary) {
            super(object);
            this.deflated = deflated;
            this.dictionary = dictionary;
            this.length = object.bytes().length;
        }

        /** How many bytes it takes in place of {@link #bytes}. */
        int taken() {
            return deflated.length;
        }

        @Override
        public byte[] bytes() {
            Inflater inflater = new Inflater(true);
            try {
                if (dictionary.length > 0) {
                    inflater.setDictionary(dictionary);
                }
                inflater.setInput(deflated);
                byte[] bytes = new byte[length];
                int done = 0;
                while (done < length) {
                    int more = inflater.inflate(bytes, done, length - done);
                    if (more == 0) {
                        throw new DataFormatException("it ends after " + done + " bytes");
                    }
                    done += more;
                }
                return bytes;
            } catch (DataFormatException e) {
                throw new IllegalStateException(
                        "Cannot inflate the " + length + " bytes of " + this
                                + " that this process compressed: its memory is damaged",
                        e);
            } finally {
                inflater.end();
            }
        }
    }

    /** The same of an object of which something was cut out. */
    private static final class CompactedCut extends Compacted {
        private final long fingerprint;
        private final Extent extent;

        CompactedCut(CutObject object, byte[] deflated, byte[] dictionary) {
            super(object, deflated, dictionary);
            this.fingerprint = object.fingerprint();
            this.extent = object.extent;
        }

        @Override
        public long fingerprint() {
            return fingerprint;
        }

        @Override
        public <T extends HasMetadata> T decode(ResourceType<T> type) {
            return extent.mark(super.decode(type));
        }
    }
}
