package io.homeostat.client;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
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
 * Whom to trust, and the client's own certificate. Files are looked at for each new connection, and read again when they have
 * changed: certificates are rotated under a running process.
 *
 * <p><b>Threads.</b> Any that may block. <b>Failure.</b> Files that cannot be read after a change leave what was read before in use.
 */
final class TlsMaterial {
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

        String stamp() throws IOException {
            return file == null ? "" : Files.getLastModifiedTime(file) + "/" + Files.size(file);
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

    private final @Nullable Pem authorities;
    private final @Nullable Pem certificate;
    private final @Nullable Pem key;
    private final Verification verification;
    private final ReentrantLock lock = new ReentrantLock();

    @GuardedBy("lock")
    private String stamps;

    @GuardedBy("lock")
    private SSLSocketFactory factory;

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
        this.authorities = authorities;
        this.certificate = certificate;
        this.key = key;
        this.verification = verification;
        this.stamps = stamps();
        this.factory = build();
    }

    boolean verifiesHost() {
        return verification == Verification.FULL;
    }

    SSLSocketFactory socketFactory() {
        lock.lock();
        try {
            try {
                String now = stamps();
                if (!now.equals(stamps)) {
                    factory = build();
                    stamps = now;
                }
            } catch (IOException | GeneralSecurityException e) {
                // In the middle of a rotation, say. The next connection looks again.
                log.debug("Changed TLS files cannot be used yet: {}", e.getMessage());
            }
            return factory;
        } finally {
            lock.unlock();
        }
    }

    private String stamps() throws IOException {
        StringBuilder all = new StringBuilder();
        for (Pem pem : Arrays.asList(authorities, certificate, key)) {
            all.append(pem == null ? "" : pem.stamp()).append(' ');
        }
        return all.toString();
    }

    private SSLSocketFactory build() throws IOException, GeneralSecurityException {
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keyManagers(), trustManagers(), null);
        return context.getSocketFactory();
    }

    private KeyManager @Nullable [] keyManagers() throws IOException, GeneralSecurityException {
        if (certificate == null || key == null) {
            return null;
        }
        Certificate[] chain = certificates(certificate, "client certificate").toArray(new Certificate[0]);
        PemKey privateKey;
        try {
            privateKey = PemKey.read(key.read());
        } catch (GeneralSecurityException e) {
            throw new GeneralSecurityException("client key (" + key + "): " + e.getMessage(), e);
        }
        char[] none = new char[0];
        KeyStore store = empty();
        store.setKeyEntry("client", privateKey.toPrivateKey(), none, chain);
        KeyManagerFactory managers = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        managers.init(store, none);
        return managers.getKeyManagers();
    }

    private TrustManager @Nullable [] trustManagers() throws IOException, GeneralSecurityException {
        if (verification == Verification.NONE) {
            return new TrustManager[] {new TrustAll()};
        }
        if (authorities == null) {
            return null; // the JDK's own
        }
        KeyStore store = empty();
        int number = 0;
        for (Certificate authority : certificates(authorities, "certificate authority")) {
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

    private static List<Certificate> certificates(Pem pem, String what) throws IOException, GeneralSecurityException {
        Collection<? extends Certificate> found;
        try {
            found = CertificateFactory.getInstance("X.509").generateCertificates(new ByteArrayInputStream(pem.read()));
        } catch (CertificateException e) {
            throw new GeneralSecurityException(what + " (" + pem + "): no PEM certificates can be read from it", e);
        }
        if (found.isEmpty()) {
            throw new GeneralSecurityException(what + " (" + pem + "): holds no certificate");
        }
        return new ArrayList<>(found);
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
