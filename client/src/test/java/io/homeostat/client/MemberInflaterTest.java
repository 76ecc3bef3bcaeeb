package io.homeostat.client;

import static io.homeostat.client.Bytes.utf8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Arrays;
import java.util.List;
import java.util.zip.CRC32;
import java.util.zip.Deflater;
import java.util.zip.GZIPOutputStream;
import java.util.zip.ZipException;
import org.junit.jupiter.api.Test;

class MemberInflaterTest {
    private static byte[] gzip(byte[]... members) {
        try {
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            for (byte[] member : members) {
                try (GZIPOutputStream gzip = new GZIPOutputStream(out)) {
                    gzip.write(member);
                }
            }
            return out.toByteArray();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** A member with every optional part of the header: extra, name, comment and the header's checksum. */
    private static byte[] withEveryHeaderPart(byte[] plain) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.writeBytes(new byte[] {0x1f, (byte) 0x8b, 8, 2 | 4 | 8 | 16, 1, 2, 3, 4, 0, 3});
        out.writeBytes(new byte[] {3, 0, 'x', 'y', 'z'});
        out.writeBytes(utf8("name\0comment\0"));
        CRC32 crc = new CRC32();
        crc.update(out.toByteArray());
        out.write((int) crc.getValue());
        out.write((int) (crc.getValue() >>> 8));
        Deflater deflater = new Deflater(9, true);
        deflater.setInput(plain);
        deflater.finish();
        byte[] deflated = new byte[plain.length + 100];
        int length = deflater.deflate(deflated);
        deflater.end();
        out.write(deflated, 0, length);
        crc.reset();
        crc.update(plain);
        for (long number : new long[] {crc.getValue(), plain.length}) {
            for (int i = 0; i < 4; i++) {
                out.write((int) (number >>> (8 * i)));
            }
        }
        return out.toByteArray();
    }

    private static String inflate(List<byte[]> chunks, int room) {
        try (MemberInflater inflater = new MemberInflater()) {
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            byte[] plain = new byte[room];
            try {
                for (byte[] chunk : chunks) {
                    inflater.feed(chunk);
                    for (int n; (n = inflater.next(plain)) > 0; ) {
                        out.write(plain, 0, n);
                    }
                }
            } catch (ZipException e) {
                return out + " failed: " + e.getMessage();
            }
            return out + " end: " + inflater.unfinished();
        }
    }

    @Test
    void allMembersAreInflatedWhereverTheStreamIsCut() {
        byte[] stream = Bytes.joined(
                gzip(utf8("first "), utf8(""), utf8("größer ".repeat(20))),
                withEveryHeaderPart(utf8("headers ")),
                gzip(utf8("last")));
        String whole = "first " + "größer ".repeat(20) + "headers last end: null";
        assertThat(inflate(List.of(stream), 1000)).isEqualTo(whole);
        assertThat(inflate(List.of(stream), 1)).isEqualTo(whole);
        Bytes.everyCut(stream, chunks -> assertThat(inflate(chunks, 7)).isEqualTo(whole));
        Bytes.everyTwoCuts(stream, chunks -> assertThat(inflate(chunks, 100)).isEqualTo(whole));
    }

    @Test
    void aStreamThatBreaksOffSaysWhereUnlessItIsAtAMembersEnd() {
        byte[] first = gzip(utf8("first"));
        byte[] stream = Bytes.joined(first, withEveryHeaderPart(utf8("second")));
        for (int length = 0; length <= stream.length; length++) {
            String seen = inflate(List.of(Arrays.copyOf(stream, length)), 100);
            boolean border = length == 0 || length == first.length || length == stream.length;
            assertThat(seen.endsWith("end: null")).as("%d: %s", length, seen).isEqualTo(border);
            if (!border) {
                assertThat(seen).contains("after byte " + length + " of the stream");
            }
        }
    }

    @Test
    void everyFlippedBitIsNoticedOrHarmless() {
        byte[] stream = Bytes.joined(gzip(utf8("first")), withEveryHeaderPart(utf8("second")));
        String whole = inflate(List.of(stream), 100);
        int failed = 0;
        for (int i = 0; i < stream.length * 8; i++) {
            byte[] flipped = stream.clone();
            flipped[i / 8] ^= (byte) (1 << (i % 8));
            String seen = inflate(List.of(flipped), 100);
            if (seen.contains("failed: gzip member ") || !seen.endsWith("end: null")) {
                failed++;
            } else {
                // Time and the like of a header without checksum, padding of the data.
                assertThat(seen).isEqualTo(whole);
            }
        }
        assertThat(failed).isGreaterThan(stream.length * 7);
    }

    @Test
    void bytesAfterAMemberThatAreNoMemberAreAnErrorAndItIsFinal() throws ZipException {
        try (MemberInflater inflater = new MemberInflater()) {
            inflater.feed(Bytes.joined(gzip(utf8("a")), utf8("garbage")));
            byte[] plain = new byte[10];
            assertThat(inflater.next(plain)).isEqualTo(1);
            for (int i = 0; i < 2; i++) {
                assertThatThrownBy(() -> inflater.next(plain))
                        .isInstanceOf(ZipException.class)
                        .hasMessage(
                                "gzip member 2, at byte 21 of the stream: found bytes that are no gzip header after a whole member");
            }
            assertThat(inflater.unfinished()).contains("member 2");
        }
    }

    @Test
    void whatAChunkInflatesToIsGivenPieceByPiece() throws ZipException {
        byte[] bomb = gzip(new byte[50_000_000]);
        assertThat(bomb.length).isLessThan(100_000);
        try (MemberInflater inflater = new MemberInflater()) {
            inflater.feed(bomb);
            byte[] plain = new byte[64 * 1024];
            long total = 0;
            for (int n; (n = inflater.next(plain)) > 0; ) {
                total += n;
            }
            assertThat(total).isEqualTo(50_000_000);
        }
    }

    @Test
    void feedingOverUnusedBytesIsRefused() {
        try (MemberInflater inflater = new MemberInflater()) {
            inflater.feed(gzip(utf8("a")));
            assertThatThrownBy(() -> inflater.feed(new byte[1]))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("call next()");
        }
    }

    @Test
    void aWholeBodyIsBoundedAndMustBeWhole() throws ZipException {
        byte[] body = gzip(utf8("one "), utf8("two"));
        assertThat(MemberInflater.inflate(body, 7)).isEqualTo(utf8("one two"));
        assertThatThrownBy(() -> MemberInflater.inflate(body, 6)).hasMessageContaining("more than 6 bytes");
        assertThatThrownBy(() -> MemberInflater.inflate(Arrays.copyOf(body, body.length - 1), 7))
                .isInstanceOf(ZipException.class)
                .hasMessageContaining("broke off");
        assertThatThrownBy(() -> MemberInflater.inflate(utf8("{}"), 7)).hasMessageContaining("no gzip header");
    }
}
