package io.homeostat.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.security.SignatureException;
import java.security.cert.X509Certificate;
import java.util.List;
import org.junit.jupiter.api.Test;

final class CertificatesTest {
    private final Certificates certificates = new Certificates();

    @Test
    void clientCertificateNamesUserAndGroupsAndIsSignedByTheAuthority() throws Exception {
        X509Certificate client = Certificates.parse(
                certificates.client("jürgen, O=evil", List.of("a", "b")).certificate());

        client.verify(Certificates.parse(certificates.authority()).getPublicKey());
        client.checkValidity();
        assertThat(client.getSubjectX500Principal().getName()).isEqualTo("CN=jürgen\\, O\\=evil,O=b,O=a");
        assertThat(client.getExtendedKeyUsage()).containsExactly("1.3.6.1.5.5.7.3.2");
        assertThat(client.getBasicConstraints()).isEqualTo(-1);
    }

    @Test
    void serverCertificateIsForTheLoopbackAddress() throws Exception {
        X509Certificate server = Certificates.parse(certificates.server().certificate());

        assertThat(server.getSubjectAlternativeNames())
                .contains(List.of(7, "127.0.0.1"), List.of(2, "localhost"), List.of(2, "kubernetes.default.svc"));
        assertThat(server.getExtendedKeyUsage()).containsExactly("1.3.6.1.5.5.7.3.1");
    }

    @Test
    void authorityMaySignCertificatesOnly() {
        X509Certificate authority = Certificates.parse(certificates.authority());

        assertThat(authority.getBasicConstraints()).isEqualTo(Integer.MAX_VALUE);
        assertThat(authority.getKeyUsage()[5]).as("keyCertSign").isTrue();
        assertThat(authority.getKeyUsage()[0]).as("digitalSignature").isFalse();
    }

    @Test
    void anotherAuthorityDoesNotVouchForIt() {
        X509Certificate client =
                Certificates.parse(certificates.client("someone", List.of()).certificate());
        X509Certificate other = Certificates.parse(new Certificates().authority());

        assertThatThrownBy(() -> client.verify(other.getPublicKey())).isInstanceOf(SignatureException.class);
    }

    @Test
    void keysDoNotAppearInText() {
        Certificates.Pem pem = certificates.client("someone", List.of());

        assertThat(pem.key()).startsWith("-----BEGIN PRIVATE KEY-----\n");
        assertThat(pem.toString()).doesNotContain("BEGIN").doesNotContain(pem.key());
    }
}
