package io.homeostat.testkit;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.SecureRandom;
import java.security.Signature;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Base64;
import java.util.List;

/**
 * A certificate authority for one control plane, made with the JDK alone: EC keys on P-256 in PKCS#8, certificates of RFC 5280.
 *
 * <p>Written by hand because the JDK signs and reads certificates but has no public way to make one, and a test kit should not
 * need {@code openssl} on the machine or a cryptography library on the class path (docs/adr/0002).
 *
 * <p><b>Threads.</b> Any. <b>Failure.</b> A JDK without EC or SHA256withECDSA throws {@link IllegalStateException}.
 */
final class Certificates {
    /** A certificate and its private key, as PEM text. */
    record Pem(String certificate, String key) {
        @Override
        public String toString() {
            return "Pem[certificate and key]"; // a key must not reach a log
        }
    }

    /** What a certificate may be used for. */
    private enum Use {
        AUTHORITY(null),
        SERVER("1.3.6.1.5.5.7.3.1"),
        CLIENT("1.3.6.1.5.5.7.3.2");

        private final @org.jspecify.annotations.Nullable String extendedKeyUsage;

        Use(@org.jspecify.annotations.Nullable String extendedKeyUsage) {
            this.extendedKeyUsage = extendedKeyUsage;
        }
    }

    private static final DateTimeFormatter UTC_TIME =
            DateTimeFormatter.ofPattern("yyMMddHHmmss'Z'").withZone(ZoneOffset.UTC);
    private static final Duration VALIDITY = Duration.ofDays(365);
    private static final byte[] ECDSA_WITH_SHA256 = sequence(oid("1.2.840.10045.4.3.2"));
    private static final String COMMON_NAME = "2.5.4.3";
    private static final String ORGANIZATION = "2.5.4.10";

    private final SecureRandom random = new SecureRandom();
    private final byte[] authorityName = name("homeostat-test-authority", List.of());
    private final KeyPair authority = newKeyPair();
    private final String authorityPem =
            pem("CERTIFICATE", certificate(Use.AUTHORITY, authorityName, authority, VALIDITY));

    /** The authority's certificate, as PEM text. */
    String authority() {
        return authorityPem;
    }

    /** The authority's private key, as PEM text: the controller manager signs with it. */
    String authorityKey() {
        return pem("PRIVATE KEY", authority.getPrivate().getEncoded());
    }

    /** A key pair, as PEM text. */
    record KeyPem(String publicKey, String privateKey) {
        @Override
        public String toString() {
            return "KeyPem[public and private key]"; // a key must not reach a log
        }
    }

    /** A key pair for service account tokens. */
    static KeyPem newKey() {
        KeyPair keys = newKeyPair();
        return new KeyPem(
                pem("PUBLIC KEY", keys.getPublic().getEncoded()),
                pem("PRIVATE KEY", keys.getPrivate().getEncoded()));
    }

    /** A server certificate for 127.0.0.1, localhost and the in-cluster names. */
    Pem server() {
        return issue(Use.SERVER, name("kube-apiserver", List.of()));
    }

    /** A client certificate: Kubernetes takes the common name as the user and the organizations as its groups. */
    Pem client(String user, List<String> groups) {
        return issue(Use.CLIENT, name(user, groups));
    }

    /** As {@link #client(String, List)}, for so long from now. */
    Pem client(String user, List<String> groups, Duration validity) {
        return issue(Use.CLIENT, name(user, groups), validity);
    }

    private Pem issue(Use use, byte[] subject) {
        return issue(use, subject, VALIDITY);
    }

    private Pem issue(Use use, byte[] subject, Duration validity) {
        KeyPair keys = newKeyPair();
        return new Pem(
                pem("CERTIFICATE", certificate(use, subject, keys, validity)),
                pem("PRIVATE KEY", keys.getPrivate().getEncoded()));
    }

    /** Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signature }, RFC 5280 section 4.1. */
    private byte[] certificate(Use use, byte[] subject, KeyPair keys, Duration validity) {
        Instant now = Instant.now();
        byte[] toBeSigned = sequence(
                tagged(0xa0, integer(BigInteger.TWO)), // version 3
                integer(new BigInteger(127, random).setBit(126)),
                ECDSA_WITH_SHA256,
                authorityName,
                sequence(time(now.minus(Duration.ofHours(1))), time(now.plus(validity))),
                subject,
                keys.getPublic().getEncoded(),
                tagged(0xa3, extensions(use)));
        try {
            Signature signature = Signature.getInstance("SHA256withECDSA");
            signature.initSign(authority.getPrivate());
            signature.update(toBeSigned);
            return sequence(toBeSigned, ECDSA_WITH_SHA256, bitString(0, signature.sign()));
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("Cannot sign a certificate with SHA256withECDSA on this JDK", e);
        }
    }

    private static byte[] extensions(Use use) {
        if (use.extendedKeyUsage == null) {
            return sequence(
                    extension("2.5.29.19", sequence(tagged(0x01, new byte[] {(byte) 0xff}))), // a CA
                    extension("2.5.29.15", bitString(1, new byte[] {0x06}))); // keyCertSign, cRLSign
        }
        byte[] usage = extension("2.5.29.37", sequence(oid(use.extendedKeyUsage)));
        byte[] constraints = extension("2.5.29.19", sequence());
        if (use == Use.CLIENT) {
            return sequence(constraints, usage);
        }
        byte[] names = sequence(
                tagged(0x87, new byte[] {127, 0, 0, 1}),
                tagged(0x87, new byte[] {10, 0, 0, 1}),
                tagged(0x82, "localhost".getBytes(StandardCharsets.US_ASCII)),
                tagged(0x82, "kubernetes.default.svc".getBytes(StandardCharsets.US_ASCII)));
        return sequence(constraints, usage, extension("2.5.29.17", names));
    }

    private static byte[] extension(String id, byte[] value) {
        return sequence(oid(id), tagged(0x04, value));
    }

    private static byte[] name(String commonName, List<String> organizations) {
        byte[][] parts = new byte[organizations.size() + 1][];
        for (int i = 0; i < organizations.size(); i++) {
            parts[i] = attribute(ORGANIZATION, organizations.get(i));
        }
        parts[organizations.size()] = attribute(COMMON_NAME, commonName);
        return sequence(parts);
    }

    private static byte[] attribute(String id, String value) {
        return tagged(0x31, sequence(oid(id), tagged(0x0c, value.getBytes(StandardCharsets.UTF_8))));
    }

    private static byte[] time(Instant instant) {
        return tagged(0x17, UTC_TIME.format(instant).getBytes(StandardCharsets.US_ASCII));
    }

    private static byte[] integer(BigInteger value) {
        return tagged(0x02, value.toByteArray());
    }

    private static byte[] bitString(int unusedBits, byte[] bits) {
        byte[] content = new byte[bits.length + 1];
        content[0] = (byte) unusedBits;
        System.arraycopy(bits, 0, content, 1, bits.length);
        return tagged(0x03, content);
    }

    private static byte[] oid(String dotted) {
        String[] arcs = dotted.split("\\.", -1);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.write(40 * Integer.parseInt(arcs[0]) + Integer.parseInt(arcs[1]));
        for (int i = 2; i < arcs.length; i++) {
            int arc = Integer.parseInt(arcs[i]);
            for (int shift = 28; shift > 0; shift -= 7) {
                if (arc >> shift != 0) {
                    out.write(((arc >> shift) & 0x7f) | 0x80);
                }
            }
            out.write(arc & 0x7f);
        }
        return tagged(0x06, out.toByteArray());
    }

    private static byte[] sequence(byte[]... parts) {
        return tagged(0x30, parts);
    }

    /** Tag, length, value: the one shape of everything in DER. */
    private static byte[] tagged(int tag, byte[]... parts) {
        int length = 0;
        for (byte[] part : parts) {
            length += part.length;
        }
        ByteArrayOutputStream out = new ByteArrayOutputStream(length + 4);
        out.write(tag);
        if (length < 0x80) {
            out.write(length);
        } else if (length < 0x100) {
            out.write(0x81);
            out.write(length);
        } else {
            out.write(0x82);
            out.write(length >> 8);
            out.write(length);
        }
        for (byte[] part : parts) {
            out.writeBytes(part);
        }
        return out.toByteArray();
    }

    private static KeyPair newKeyPair() {
        try {
            KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
            generator.initialize(new ECGenParameterSpec("secp256r1"));
            return generator.generateKeyPair();
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("Cannot make an EC key on P-256 with this JDK", e);
        }
    }

    private static String pem(String label, byte[] der) {
        String body = Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(der);
        return "-----BEGIN " + label + "-----\n" + body + "\n-----END " + label + "-----\n";
    }

    /** Reads the first certificate of a PEM text. */
    static X509Certificate parse(String pem) {
        try {
            return (X509Certificate) CertificateFactory.getInstance("X.509")
                    .generateCertificate(new ByteArrayInputStream(pem.getBytes(StandardCharsets.US_ASCII)));
        } catch (GeneralSecurityException e) {
            throw new IllegalArgumentException("Cannot read a certificate: not X.509 in PEM", e);
        }
    }
}
