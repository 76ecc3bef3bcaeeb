package io.homeostat.client;

import java.io.ByteArrayOutputStream;
import java.util.zip.CRC32;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;
import java.util.zip.ZipException;
import org.jspecify.annotations.Nullable;

/**
 * Inflates a gzip stream of many members (RFC 1952), cut into chunks anywhere. Kubernetes compresses a WatchList so; an inflater that
 * stops after the first member loses the rest.
 *
 * <pre>{@code
 * inflater.feed(chunk);
 * for (int n; (n = inflater.next(plain)) > 0; ) {
 *     frames.addAll(reader.read(plain, 0, n));
 * }
 *
 * member border --> fixed header -> extra -> name -> comment -> header crc --> deflated --> trailer --> member border
 * }</pre>
 *
 * <p><b>Threads.</b> Confined to the stream's lane. <b>Memory.</b> Output goes into {@code plain} only, however much a chunk inflates
 * to; the native inflater is freed by {@link #close}. <b>Failure.</b> A {@link ZipException} is final: it is thrown again by each
 * further call.
 */
final class MemberInflater implements AutoCloseable {
    // Invariants
    // - input[at..input.length) has not been consumed; while DEFLATED the inflater holds a view of exactly that range.
    // - before is the number of stream bytes that came in chunks before this one, so before + at is the place in the
    // stream.
    // - piece counts the bytes of the present part (fixed header, extra length, header crc, trailer) already seen.

    private enum Part {
        FIXED_HEADER,
        EXTRA_LENGTH,
        EXTRA,
        NAME,
        COMMENT,
        HEADER_CRC,
        DEFLATED,
        TRAILER
    }

    private static final int FIXED_HEADER_LENGTH = 10;
    private static final int TRAILER_LENGTH = 8;
    private static final int HEADER_CRC_FLAG = 2;
    private static final int EXTRA_FLAG = 4;
    private static final int NAME_FLAG = 8;
    private static final int COMMENT_FLAG = 16;
    private static final int RESERVED_FLAGS = 0xe0;
    private static final byte[] NOTHING = {};

    // All fields are confined to the stream's lane.
    private final Inflater inflater = new Inflater(true);
    private final CRC32 headerCrc = new CRC32();
    private final CRC32 plainCrc = new CRC32();
    private byte[] input = NOTHING;
    private int at;
    private long before;
    private Part part = Part.FIXED_HEADER;
    private int piece;
    private int flags;
    private int extraLeft;
    private long number;
    private long members;
    private @Nullable ZipException broken;

    /** The next compressed bytes; the array is the inflater's until {@link #next} has returned 0. */
    void feed(byte[] chunk) {
        if (at < input.length) {
            throw new IllegalStateException("Fed " + chunk.length + " bytes before the last chunk was used up ("
                    + (input.length - at) + " bytes are left): call next() until it returns 0");
        }
        before += input.length;
        input = chunk;
        at = 0;
        if (part == Part.DEFLATED) {
            inflater.setInput(input, 0, input.length);
        }
    }

    /**
     * Fills {@code plain}, from its start, with what comes next.
     *
     * @return how many bytes; 0 when all that was fed has been inflated
     * @throws ZipException when the stream is no gzip or a checksum fails: in which member, at which byte
     */
    int next(byte[] plain) throws ZipException {
        if (broken != null) {
            throw broken;
        }
        if (plain.length == 0) {
            throw new IllegalArgumentException("next() needs room for at least one byte");
        }
        // The inflater may hold output when the input is used up: it is asked until it gives nothing.
        while (part == Part.DEFLATED || at < input.length) {
            if (part == Part.DEFLATED) {
                int n = inflate(plain);
                if (n > 0) {
                    return n;
                }
                if (part == Part.DEFLATED) {
                    return 0;
                }
            } else {
                headerOrTrailer(input[at] & 0xff);
            }
        }
        return 0;
    }

    private int inflate(byte[] plain) throws ZipException {
        int n;
        try {
            n = inflater.inflate(plain, 0, plain.length);
        } catch (DataFormatException e) {
            at = input.length - inflater.getRemaining();
            throw fail("broken deflate data (" + e.getMessage() + ")");
        }
        at = input.length - inflater.getRemaining();
        plainCrc.update(plain, 0, n);
        if (inflater.finished()) {
            part = Part.TRAILER;
            piece = 0;
            number = 0;
        } else if (n == 0 && inflater.needsDictionary()) {
            throw fail("a preset dictionary, which gzip does not have");
        }
        return n;
    }

    private void headerOrTrailer(int b) throws ZipException {
        switch (part) {
            case FIXED_HEADER -> fixedHeader(b);
            case EXTRA_LENGTH -> {
                extraLeft |= b << (8 * piece++);
                if (piece == 2) {
                    part = Part.EXTRA;
                    if (extraLeft == 0) {
                        after(Part.EXTRA);
                    }
                }
            }
            case EXTRA -> {
                if (--extraLeft == 0) {
                    after(Part.EXTRA);
                }
            }
            case NAME, COMMENT -> {
                if (b == 0) {
                    after(part);
                }
            }
            case HEADER_CRC -> {
                number |= (long) b << (8 * piece++);
                if (piece == 2) {
                    if (number != (headerCrc.getValue() & 0xffff)) {
                        throw fail("a header whose checksum is wrong");
                    }
                    after(Part.HEADER_CRC);
                }
                at++;
                return;
            }
            case TRAILER -> trailer(b);
            case DEFLATED -> throw new IllegalStateException("deflated bytes are the inflater's");
        }
        headerCrc.update(b);
        at++;
    }

    private void fixedHeader(int b) throws ZipException {
        if (piece == 0) {
            headerCrc.reset();
        }
        if ((piece == 0 && b != 0x1f) || (piece == 1 && b != 0x8b)) {
            throw fail(members == 0 ? "no gzip header" : "bytes that are no gzip header after a whole member");
        }
        if (piece == 2 && b != 8) {
            throw fail("compression method " + b + ", gzip knows 8");
        }
        if (piece == 3) {
            flags = b;
            if ((flags & RESERVED_FLAGS) != 0) {
                throw fail("reserved header flags");
            }
        }
        if (++piece == FIXED_HEADER_LENGTH) {
            after(Part.FIXED_HEADER);
        }
    }

    /** Goes to the next part that the header's flags announce. The byte at {@code at} is still the old part's. */
    private void after(Part done) {
        piece = 0;
        number = 0;
        extraLeft = 0;
        if (done.compareTo(Part.EXTRA_LENGTH) < 0 && (flags & EXTRA_FLAG) != 0) {
            part = Part.EXTRA_LENGTH;
        } else if (done.compareTo(Part.NAME) < 0 && (flags & NAME_FLAG) != 0) {
            part = Part.NAME;
        } else if (done.compareTo(Part.COMMENT) < 0 && (flags & COMMENT_FLAG) != 0) {
            part = Part.COMMENT;
        } else if (done.compareTo(Part.HEADER_CRC) < 0 && (flags & HEADER_CRC_FLAG) != 0) {
            part = Part.HEADER_CRC;
        } else {
            part = Part.DEFLATED;
            inflater.reset();
            plainCrc.reset();
            inflater.setInput(input, at + 1, input.length - at - 1);
        }
    }

    private void trailer(int b) throws ZipException {
        number |= (long) b << (8 * piece++);
        if (piece == TRAILER_LENGTH) {
            if ((number & 0xffff_ffffL) != plainCrc.getValue()) {
                throw fail("a checksum that is not the data's");
            }
            if (number >>> 32 != (inflater.getBytesWritten() & 0xffff_ffffL)) {
                throw fail("a length that is not the data's");
            }
            members++;
            part = Part.FIXED_HEADER;
            piece = 0;
        }
    }

    private ZipException fail(String found) {
        ZipException e = new ZipException(
                "gzip member " + (members + 1) + ", at byte " + (before + at) + " of the stream: found " + found);
        broken = e;
        at = input.length;
        return e;
    }

    /** What is left when the stream ends: null between members, else where it broke off. */
    @Nullable
    String unfinished() {
        if (broken != null) {
            return broken.getMessage();
        }
        if (part == Part.FIXED_HEADER && piece == 0) {
            return null;
        }
        return "gzip member " + (members + 1) + " broke off after byte " + (before + at) + " of the stream, in its "
                + (part == Part.DEFLATED ? "data" : part == Part.TRAILER ? "trailer" : "header");
    }

    /**
     * A whole body.
     *
     * @throws ZipException as {@link #next}, when the body is truncated, and when it inflates to more than {@code maxBytes}
     */
    static byte[] inflate(byte[] gzip, int maxBytes) throws ZipException {
        try (MemberInflater inflater = new MemberInflater()) {
            ByteArrayOutputStream whole = new ByteArrayOutputStream(Math.min(maxBytes, 4 * gzip.length + 64));
            byte[] plain = new byte[8192];
            inflater.feed(gzip);
            for (int n; (n = inflater.next(plain)) > 0; ) {
                if (n > maxBytes - whole.size()) {
                    throw new ZipException("a body of " + gzip.length + " gzip bytes inflates to more than " + maxBytes
                            + " bytes, the largest accepted");
                }
                whole.write(plain, 0, n);
            }
            String unfinished = inflater.unfinished();
            if (unfinished != null) {
                throw new ZipException(unfinished);
            }
            return whole.toByteArray();
        }
    }

    /** Frees the native memory. Idempotent. */
    @Override
    public void close() {
        inflater.end();
    }
}
