package io.homeostat.client;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.Principal;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;

/**
 * A client certificate with its key, known to belong together: a pair that was read in the middle of its replacement is refused,
 * because the JDK would take it and every handshake with it would fail.
 *
 * @param chain the client's certificate first
 * @param key the private key of that certificate
 */
record KeyPairPem(List<X509Certificate> chain, PrivateKey key) {
    private static final byte[] PROBE = "does this key belong to this certificate".getBytes(StandardCharsets.US_ASCII);

    /**
     * Reads both.
     *
     * @param certificateSource where the certificate stands, for texts
     * @param keySource where the key stands, for texts
     * @throws GeneralSecurityException saying which is wrong, where it comes from, and what was found; never with bytes of the key
     */
    static KeyPairPem read(byte[] certificate, String certificateSource, byte[] key, String keySource)
            throws GeneralSecurityException {
        List<X509Certificate> chain =
                linked(PemCertificates.read(certificate, "client certificate (" + certificateSource + ")"));
        PemKey pem;
        try {
            pem = PemKey.read(key);
        } catch (GeneralSecurityException e) {
            throw new GeneralSecurityException("client key (" + keySource + "): " + e.getMessage(), e);
        }
        PrivateKey privateKey = pem.toPrivateKey();
        if (!belong(chain.get(0).getPublicKey(), privateKey, pem.algorithm())) {
            throw new GeneralSecurityException("the client key (" + keySource
                    + ") does not belong to the client certificate (" + certificateSource + ")");
        }
        return new KeyPairPem(chain, privateKey);
    }

    /** The first certificate and those that issued it one after the other: the JDK refuses a chain with anything else in it. */
    private static List<X509Certificate> linked(List<X509Certificate> all) {
        List<X509Certificate> chain = new ArrayList<>(all.subList(0, 1));
        for (X509Certificate next : all.subList(1, all.size())) {
            X509Certificate last = chain.get(chain.size() - 1);
            Principal issuer = last.getIssuerX500Principal();
            Principal subject = last.getSubjectX500Principal();
            Principal above = next.getSubjectX500Principal();
            if (issuer.equals(subject) || !issuer.equals(above)) {
                break;
            }
            chain.add(next);
        }
        return List.copyOf(chain);
    }

    private static boolean belong(PublicKey publicKey, PrivateKey privateKey, String algorithm) {
        String signature =
                switch (algorithm) {
                    case "RSA" -> "SHA256withRSA";
                    case "EC" -> "SHA256withECDSA";
                    default -> algorithm; // Ed25519, Ed448: the key's name is the signature's
                };
        try {
            Signature signer = Signature.getInstance(signature);
            signer.initSign(privateKey);
            signer.update(PROBE);
            byte[] signed = signer.sign();
            signer.initVerify(publicKey);
            signer.update(PROBE);
            return signer.verify(signed);
        } catch (GeneralSecurityException e) {
            return false; // a key of another kind than the certificate's
        }
    }

    /** The end of the client certificate's validity. */
    Instant expires() {
        return PemCertificates.expires(chain.get(0));
    }

    /** The subject only. */
    @Override
    public String toString() {
        Principal subject = chain.get(0).getSubjectX500Principal();
        return "certificate and key of " + subject.getName();
    }
}
