package io.homeostat.client;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A private key read from PEM: PKCS#8 ({@code PRIVATE KEY}), PKCS#1 ({@code RSA PRIVATE KEY}) and SEC 1 ({@code EC PRIVATE KEY},
 * RFC 5915); the algorithm is told from the key.
 *
 * <p>The JDK reads PKCS#8 only, so the other two are put into its envelope: {@code SEQUENCE { 0, algorithm, OCTET STRING key }}.
 *
 * @param algorithm {@code RSA}, {@code EC}, {@code Ed25519} or {@code Ed448}
 * @param pkcs8 the key in its envelope
 */
record PemKey(String algorithm, byte[] pkcs8) {
    private static final Pattern BLOCK =
            Pattern.compile("-----BEGIN ([A-Z0-9 ]+)-----([^-]*)-----END \\1-----", Pattern.DOTALL);

    private static final byte[] RSA = oid("2a864886f70d010101");
    private static final byte[] EC = oid("2a8648ce3d0201");

    /** Algorithms by the OID of their keys. */
    private static final List<Map.Entry<String, byte[]>> ALGORITHMS = List.of(
            Map.entry("RSA", RSA),
            Map.entry("EC", EC),
            Map.entry("Ed25519", oid("2b6570")),
            Map.entry("Ed448", oid("2b6571")));

    /**
     * Reads the first private key of a PEM text.
     *
     * @throws GeneralSecurityException saying which blocks were found and what is wanted; never with bytes of the key
     */
    static PemKey read(byte[] pem) throws GeneralSecurityException {
        Matcher blocks = BLOCK.matcher(new String(pem, StandardCharsets.ISO_8859_1));
        byte[] curve = null;
        StringBuilder found = new StringBuilder();
        while (blocks.find()) {
            String title = blocks.group(1);
            byte[] der = decoded(title, blocks.group(2));
            switch (title) {
                case "PRIVATE KEY" -> {
                    return new PemKey(algorithm(der), der);
                }
                case "RSA PRIVATE KEY" -> {
                    if (blocks.group(2).contains("ENCRYPTED")) {
                        throw encrypted();
                    }
                    return new PemKey("RSA", envelope(concat(RSA, new byte[] {5, 0}), der));
                }
                case "EC PRIVATE KEY" -> {
                    byte[] named = curve == null ? curveOf(der) : curve;
                    return new PemKey("EC", envelope(concat(EC, named), der));
                }
                case "EC PARAMETERS" -> curve = der;
                case "ENCRYPTED PRIVATE KEY" -> throw encrypted();
                default -> found.append(found.isEmpty() ? "" : ", ").append(title);
            }
        }
        throw new GeneralSecurityException("no PRIVATE KEY, RSA PRIVATE KEY or EC PRIVATE KEY block in PEM, found "
                + (found.isEmpty() ? "no block at all" : found));
    }

    private static GeneralSecurityException encrypted() {
        return new GeneralSecurityException(
                "the private key is encrypted, which kubeconfig knows no passphrase for; decrypt it with openssl pkey");
    }

    /** The key for the JDK. */
    PrivateKey toPrivateKey() throws GeneralSecurityException {
        return KeyFactory.getInstance(algorithm).generatePrivate(new PKCS8EncodedKeySpec(pkcs8));
    }

    /** The algorithm only. */
    @Override
    public String toString() {
        return algorithm + " private key";
    }

    private static byte[] decoded(String title, String base64) throws GeneralSecurityException {
        if (base64.contains(":")) { // RFC 1421 headers: DEK-Info
            throw encrypted();
        }
        try {
            return Base64.getMimeDecoder().decode(base64);
        } catch (IllegalArgumentException e) {
            throw new GeneralSecurityException("the " + title + " block is not base64", e);
        }
    }

    private static String algorithm(byte[] pkcs8) throws GeneralSecurityException {
        Der sequence = Der.at(pkcs8, 0).expect(0x30);
        Der version = Der.at(pkcs8, sequence.start()).expect(2);
        Der identifier = Der.at(pkcs8, version.end()).expect(0x30);
        Der oid = Der.at(pkcs8, identifier.start()).expect(6);
        byte[] found = Arrays.copyOfRange(pkcs8, identifier.start(), oid.end());
        for (Map.Entry<String, byte[]> algorithm : ALGORITHMS) {
            if (Arrays.equals(found, algorithm.getValue())) {
                return algorithm.getKey();
            }
        }
        throw new GeneralSecurityException("the private key is of an unknown algorithm (OID bytes "
                + HexFormat.of().formatHex(found, 2, found.length) + "); use RSA, EC or Ed25519");
    }

    /** {@code [0] parameters} of an ECPrivateKey: the curve's OID with its tag. */
    private static byte[] curveOf(byte[] sec1) throws GeneralSecurityException {
        Der sequence = Der.at(sec1, 0).expect(0x30);
        Der version = Der.at(sec1, sequence.start()).expect(2);
        Der secret = Der.at(sec1, version.end()).expect(4);
        if (secret.end() < sequence.end()) {
            Der parameters = Der.at(sec1, secret.end());
            if (parameters.tag() == 0xa0) {
                return Arrays.copyOfRange(sec1, parameters.start(), parameters.end());
            }
        }
        throw new GeneralSecurityException(
                "the EC PRIVATE KEY names no curve; write it again with openssl pkey, which gives PKCS#8");
    }

    /** {@code SEQUENCE { INTEGER 0, SEQUENCE algorithm, OCTET STRING key }}. */
    private static byte[] envelope(byte[] algorithm, byte[] key) {
        return tagged(0x30, concat(new byte[] {2, 1, 0}, concat(tagged(0x30, algorithm), tagged(4, key))));
    }

    private static byte[] oid(String hex) {
        return tagged(6, HexFormat.of().parseHex(hex));
    }

    private static byte[] tagged(int tag, byte[] content) {
        ByteArrayOutputStream out = new ByteArrayOutputStream(content.length + 6);
        out.write(tag);
        int length = content.length;
        if (length < 0x80) {
            out.write(length);
        } else {
            int bytes = (32 - Integer.numberOfLeadingZeros(length) + 7) / 8;
            out.write(0x80 | bytes);
            for (int i = bytes - 1; i >= 0; i--) {
                out.write(length >>> (8 * i));
            }
        }
        out.writeBytes(content);
        return out.toByteArray();
    }

    private static byte[] concat(byte[] left, byte[] right) {
        byte[] both = Arrays.copyOf(left, left.length + right.length);
        System.arraycopy(right, 0, both, left.length, right.length);
        return both;
    }

    /** One DER value: its tag, and where its content starts and ends. */
    private record Der(int tag, int start, int end) {
        static Der at(byte[] der, int offset) throws GeneralSecurityException {
            if (offset + 2 > der.length) {
                throw broken();
            }
            int length = der[offset + 1] & 0xff;
            int start = offset + 2;
            if (length > 0x80) {
                int bytes = length & 0x7f;
                if (bytes > 3 || start + bytes > der.length) {
                    throw broken();
                }
                length = 0;
                for (int i = 0; i < bytes; i++) {
                    length = (length << 8) | (der[start + i] & 0xff);
                }
                start += bytes;
            }
            if (length > der.length - start) {
                throw broken();
            }
            return new Der(der[offset] & 0xff, start, start + length);
        }

        Der expect(int wanted) throws GeneralSecurityException {
            if (tag != wanted) {
                throw broken();
            }
            return this;
        }

        private static GeneralSecurityException broken() {
            return new GeneralSecurityException("the private key is cut short or is no DER");
        }
    }
}
