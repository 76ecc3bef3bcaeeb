package io.homeostat.client;

import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The certificates of a PEM text. Blocks of other kinds are passed over, since certificate and key often share a file; a block
 * without its end is an error, since it is how a file looks that is still being written.
 */
final class PemCertificates {
    private static final String BEGIN = "-----BEGIN CERTIFICATE-----";
    private static final String END = "-----END CERTIFICATE-----";

    private static final Logger log = LoggerFactory.getLogger(PemCertificates.class);

    private PemCertificates() {}

    /**
     * Reads them in their order.
     *
     * @param what what they are and where they stand, for texts
     * @throws GeneralSecurityException when there is none, or one of them cannot be read
     */
    static List<X509Certificate> read(byte[] pem, String what) throws GeneralSecurityException {
        List<Integer> unreadable = new ArrayList<>();
        List<X509Certificate> all = read(pem, what, unreadable);
        if (!unreadable.isEmpty()) {
            throw new CertificateException(
                    what + ": certificate " + unreadable.get(0) + " in it cannot be read as X.509");
        }
        return nonEmpty(all, what);
    }

    /**
     * Reads those that can be read: one odd certificate does not take the authorities beside it along, as in Go's {@code
     * AppendCertsFromPEM}. A warning says which were passed over.
     *
     * @throws GeneralSecurityException when there is none that can be read, or one is cut short
     */
    static List<X509Certificate> readable(byte[] pem, String what) throws GeneralSecurityException {
        List<Integer> unreadable = new ArrayList<>();
        List<X509Certificate> all = nonEmpty(read(pem, what, unreadable), what);
        if (!unreadable.isEmpty()) {
            log.atWarn()
                    .addKeyValue("source", what)
                    .addKeyValue("certificates", unreadable)
                    .log("Certificates that cannot be read as X.509 are passed over; what only they vouch for is not"
                            + " trusted [HS-104]");
        }
        return all;
    }

    private static List<X509Certificate> nonEmpty(List<X509Certificate> all, String what) throws CertificateException {
        if (all.isEmpty()) {
            throw new CertificateException(what + ": no PEM certificates can be read from it");
        }
        return all;
    }

    /** All in order; {@code unreadable} gets the numbers, from 1, of those that are no X.509. */
    private static List<X509Certificate> read(byte[] pem, String what, List<Integer> unreadable)
            throws CertificateException {
        String text = new String(pem, StandardCharsets.ISO_8859_1);
        CertificateFactory factory = CertificateFactory.getInstance("X.509");
        List<X509Certificate> all = new ArrayList<>();
        int number = 0;
        for (int at = text.indexOf(BEGIN); at >= 0; at = text.indexOf(BEGIN, at)) {
            int from = at + BEGIN.length();
            number++;
            int end = text.indexOf(END, from);
            if (end < 0) {
                throw new CertificateException(what + ": certificate " + number + " in it is cut short");
            }
            try {
                byte[] der = Base64.getMimeDecoder().decode(text.substring(from, end));
                all.add((X509Certificate) factory.generateCertificate(new ByteArrayInputStream(der)));
            } catch (CertificateException | IllegalArgumentException e) {
                unreadable.add(number);
            }
            at = end;
        }
        return all;
    }

    /** The end of its validity. By way of a format: the rule that keeps clocks out of the engine bans {@code Date} as a whole. */
    static Instant expires(X509Certificate certificate) {
        return Instant.ofEpochMilli(Long.parseLong(String.format(Locale.ROOT, "%tQ", certificate.getNotAfter())));
    }
}
