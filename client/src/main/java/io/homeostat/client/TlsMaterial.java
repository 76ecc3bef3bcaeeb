package io.homeostat.client;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.io.IOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.locks.ReentrantLock;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLSocketFactory;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedTrustManager;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Whom to trust, and the client's own certificate. Files are read for each new connection and every few seconds while streams are
 * open, and taken into use when their contents have changed: certificates are rotated under a running process.
 *
 * <pre>
 *   read ── contents changed, and they are whole and fit ──► the next {@link Version}
 *     └──── cannot be read, cut short, key of another certificate ──► the version in use stays; said once; read again next time
 * </pre>
 *
 * <p>Contents are compared, not times: replaced symbolic links, files written in place and copies with their old times are all
 * seen. Authorities and client certificate are taken over apart from each other, so that one that is broken does not keep the other.
 *
 * <p><b>Threads.</b> Any that may block. <b>Memory.</b> The bytes last read, a few KiB. <b>Failure.</b> Only the first read fails;
 * afterwards what worked stays in use.
 */
final class TlsMaterial {
    /*
     * Invariants
     * - `version` was made from `authorities.used` and `pair.used`, or of the plugin's pair in place of the latter.
     * - A version is never changed: whoever holds one can tell by identity whether it is the one in use.
     */

    private static final Logger log = LoggerFactory.getLogger(TlsMaterial.class);

    /**
     * PEM that is given as such or stands in a file.
     *
     * @param file null when {@code data} has it
     * @param data null when it stands in the file
     */
    record Pem(@Nullable Path file, byte @Nullable [] data) {
        /** From the two fields of a kubeconfig: base64 data wins over the file, as in client-go; null when there is neither. */
        static @Nullable Pem of(@Nullable String file, @Nullable String data) throws GeneralSecurityException {
            if (data != null && !data.isEmpty()) {
                byte[] text = data.getBytes(StandardCharsets.ISO_8859_1);
                if (data.contains("-----BEGIN")) {
                    return new Pem(null, text);
                }
                try {
                    return new Pem(null, Base64.getMimeDecoder().decode(text));
                } catch (IllegalArgumentException e) {
                    throw new GeneralSecurityException("the data is neither base64 nor PEM", e);
                }
            }
            return file == null || file.isEmpty() ? null : new Pem(Path.of(file), null);
        }

        byte[] read() throws IOException {
            if (data != null) {
                return data;
            }
            return file == null ? new byte[0] : Files.readAllBytes(file);
        }

        /** Where it comes from. */
        @Override
        public String toString() {
            return file == null ? "inline data" : file.toString();
        }
    }

    /** Whether the server's certificate is checked. */
    enum Verification {
        /** Against the authorities and the name. */
        FULL,
        /** Not at all: {@code insecure-skip-tls-verify}. */
        NONE
    }

    /** One state of the material. Sessions of one version are never resumed under another. */
    static final class Version {
        private final long number;
        private final KeyManager @Nullable [] keys;
        private final TrustManager @Nullable [] trust;
        private final SSLSocketFactory factory;

        private Version(long number, KeyManager @Nullable [] keys, TrustManager @Nullable [] trust)
                throws GeneralSecurityException {
            this.number = number;
            this.keys = keys;
            this.trust = trust;
            SSLContext context = SSLContext.getInstance("TLS");
            context.init(keys, trust, null);
            this.factory = context.getSocketFactory();
        }

        /** Later ones have higher numbers. */
        long number() {
            return number;
        }

        SSLSocketFactory socketFactory() {
            return factory;
        }

        /** Null for no client certificate. */
        KeyManager @Nullable [] keys() {
            return keys;
        }

        /** Null for the JDK's own. */
        TrustManager @Nullable [] trust() {
            return trust;
        }
    }

    private final @Nullable Pem authorities;
    private final @Nullable Pem certificate;
    private final @Nullable Pem key;
    private final Verification verification;
    private final ReentrantLock lock = new ReentrantLock();

    @GuardedBy("lock")
    private Read<List<X509Certificate>> trusted;

    @GuardedBy("lock")
    private Read<KeyPairPem> own;

    @GuardedBy("lock")
    private @Nullable KeyPairPem given; // by a plugin

    @GuardedBy("lock")
    private Version version;

    /**
     * What was last read of one thing.
     *
     * @param bytes what the value was made of; empty for nothing
     * @param value null when it is not configured
     * @param changes how often another value has been taken
     * @param problem why what is there now is not the value; null when it is
     */
    private record Read<T>(byte[] bytes, @Nullable T value, long changes, @Nullable String problem) {
        static <T> Read<T> first(byte[] bytes, @Nullable T value) {
            return new Read<>(bytes, value, 0, null);
        }

        Read<T> next(byte[] newBytes, T newValue) {
            return new Read<>(newBytes, newValue, changes + 1, null);
        }

        Read<T> because(@Nullable String newProblem) {
            return new Read<>(bytes, value, changes, newProblem);
        }
    }

    @FunctionalInterface
    private interface Reader<T> {
        T read(byte[] bytes) throws GeneralSecurityException;
    }

    /**
     * Reads what there is.
     *
     * @param authorities null for the JDK's own
     * @param certificate the client's chain; null for none
     * @param key the key of the first of the chain; null for none
     * @throws GeneralSecurityException saying which of them is wrong, where it comes from, and what was found in it
     */
    TlsMaterial(@Nullable Pem authorities, @Nullable Pem certificate, @Nullable Pem key, Verification verification)
            throws IOException, GeneralSecurityException {
        if ((certificate == null) != (key == null)) {
            throw new GeneralSecurityException(
                    certificate == null
                            ? "a client key without a client certificate; give both or none"
                            : "a client certificate without its key; give both or none");
        }
        this.authorities = verification == Verification.NONE ? null : authorities;
        this.certificate = certificate;
        this.key = key;
        this.verification = verification;
        byte[] authorityBytes = this.authorities == null ? new byte[0] : this.authorities.read();
        byte[] pairBytes = pairBytes();
        this.trusted = Read.first(authorityBytes, this.authorities == null ? null : readAuthorities(authorityBytes));
        this.own = Read.first(pairBytes, certificate == null ? null : readPair(pairBytes));
        this.version = build(0, trusted.value(), own.value());
    }

    boolean verifiesHost() {
        return verification == Verification.FULL;
    }

    /**
     * What is to be used now, after a look at the files.
     *
     * @param fromPlugin the pair an exec plugin gave, which is used in place of a configured one; null for none
     */
    Version current(@Nullable KeyPairPem fromPlugin) {
        lock.lock();
        try {
            Read<List<X509Certificate>> trustedBefore = trusted;
            Read<KeyPairPem> ownBefore = own;
            if (authorities != null && authorities.file() != null) {
                trusted = look(
                        trusted,
                        "certificate authority",
                        authorities.toString(),
                        authorities::read,
                        bytes -> readAuthorities(bytes));
            }
            if (certificate != null && key != null && (certificate.file() != null || key.file() != null)) {
                own = look(own, "client certificate", certificate.toString(), this::pairBytes, this::readPair);
            }
            boolean changed = trusted.changes() != trustedBefore.changes()
                    || own.changes() != ownBefore.changes()
                    || !Objects.equals(given, fromPlugin);
            if (changed) {
                given = fromPlugin;
                version = rebuilt(version.number() + 1, trusted.value(), fromPlugin == null ? own.value() : fromPlugin);
            }
            return version;
        } finally {
            lock.unlock();
        }
    }

    @FunctionalInterface
    private interface Source {
        byte[] read() throws IOException, GeneralSecurityException;
    }

    /** One look at a source: the next value, or the same with the reason why the next cannot be taken. */
    private static <T> Read<T> look(Read<T> before, String what, String source, Source bytes, Reader<T> reader) {
        String problem;
        try {
            byte[] found = bytes.read();
            if (Arrays.equals(found, before.bytes())) {
                if (before.problem() != null) {
                    log.atInfo().addKeyValue("source", source).log("The {} is whole again, as it was before", what);
                }
                return before.because(null);
            }
            Read<T> next = before.next(found, reader.read(found));
            log.atInfo()
                    .addKeyValue("source", source)
                    .log("The {} has changed: it is used for new connections, and open streams move to such", what);
            return next;
        } catch (NoSuchFileException e) {
            problem = "the file " + e.getFile() + " is not there";
        } catch (IOException e) {
            problem = "it cannot be read (" + e.getClass().getSimpleName() + ")";
        } catch (GeneralSecurityException e) {
            problem = String.valueOf(e.getMessage());
        }
        if (!problem.equals(before.problem())) {
            log.atWarn()
                    .addKeyValue("source", source)
                    .addKeyValue("problem", problem)
                    .log("The changed {} cannot be used yet; the last good one stays in use [HS-104]", what);
        }
        return before.because(problem);
    }

    /** What each part is, for people. */
    List<CredentialState> states() {
        lock.lock();
        try {
            List<CredentialState> states = new ArrayList<>();
            if (authorities != null) {
                states.add(new CredentialState(
                        "certificate authority",
                        authorities.toString(),
                        trusted.changes(),
                        expires(trusted.value()),
                        trusted.problem()));
            }
            if (certificate != null) {
                KeyPairPem pair = own.value();
                states.add(new CredentialState(
                        "client certificate",
                        certificate.toString(),
                        own.changes(),
                        pair == null ? null : pair.expires(),
                        own.problem()));
            }
            return states;
        } finally {
            lock.unlock();
        }
    }

    /** The authority that holds longest: the trust ends with it. */
    private static @Nullable Instant expires(@Nullable List<X509Certificate> certificates) {
        return certificates == null
                ? null
                : certificates.stream()
                        .map(PemCertificates::expires)
                        .max(Instant::compareTo)
                        .orElse(null);
    }

    /** Certificate and key in one array, so that they are compared together; the first four bytes are the certificate's length. */
    private byte[] pairBytes() throws IOException {
        if (certificate == null || key == null) {
            return new byte[0];
        }
        byte[] first = certificate.read();
        byte[] second = key.read();
        return java.nio.ByteBuffer.allocate(Integer.BYTES + first.length + second.length)
                .putInt(first.length)
                .put(first)
                .put(second)
                .array();
    }

    private KeyPairPem readPair(byte[] both) throws GeneralSecurityException {
        int length = java.nio.ByteBuffer.wrap(both).getInt();
        return KeyPairPem.read(
                Arrays.copyOfRange(both, Integer.BYTES, Integer.BYTES + length),
                Objects.toString(certificate),
                Arrays.copyOfRange(both, Integer.BYTES + length, both.length),
                Objects.toString(key));
    }

    private List<X509Certificate> readAuthorities(byte[] pem) throws GeneralSecurityException {
        return PemCertificates.readable(pem, "certificate authority (" + authorities + ")");
    }

    private Version rebuilt(long number, @Nullable List<X509Certificate> trust, @Nullable KeyPairPem pair) {
        try {
            return build(number, trust, pair);
        } catch (IOException | GeneralSecurityException e) {
            // Certificates and keys were read and fit, and the JDK made a context of their like before.
            throw new IllegalStateException("TLS cannot be set up with changed certificates: " + e.getMessage(), e);
        }
    }

    private Version build(long number, @Nullable List<X509Certificate> trust, @Nullable KeyPairPem pair)
            throws IOException, GeneralSecurityException {
        return new Version(number, pair == null ? null : new KeyManager[] {new ClientKey(pair)}, trustManagers(trust));
    }

    private TrustManager @Nullable [] trustManagers(@Nullable List<X509Certificate> trust)
            throws IOException, GeneralSecurityException {
        if (verification == Verification.NONE) {
            return new TrustManager[] {new TrustAll()};
        }
        if (trust == null) {
            return null; // the JDK's own
        }
        KeyStore store = empty();
        int number = 0;
        for (X509Certificate authority : trust) {
            store.setCertificateEntry("ca-" + number++, authority);
        }
        TrustManagerFactory managers = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        managers.init(store);
        return managers.getTrustManagers();
    }

    private static KeyStore empty() throws IOException, GeneralSecurityException {
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        return store;
    }

    /** What {@code insecure-skip-tls-verify: true} asks for. */
    private static final class TrustAll extends X509ExtendedTrustManager {
        @Override
        public void checkClientTrusted(X509Certificate[] chain, String authType) {}

        @Override
        public void checkClientTrusted(X509Certificate[] chain, String authType, Socket socket) {}

        @Override
        public void checkClientTrusted(X509Certificate[] chain, String authType, SSLEngine engine) {}

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String authType) {}

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String authType, Socket socket) {}

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String authType, SSLEngine engine) {}

        @Override
        public X509Certificate[] getAcceptedIssuers() {
            return new X509Certificate[0];
        }
    }
}
