package io.homeostat.client;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.Principal;
import java.security.cert.Certificate;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.X509ExtendedKeyManager;
import javax.security.auth.x500.X500Principal;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ClientKeyTest {
    private static final X500Principal ISSUER = new X500Principal("CN=client");
    private static final X500Principal OTHER = new X500Principal("CN=other");

    private static X509ExtendedKeyManager jdk;
    private static X509ExtendedKeyManager ours;

    @BeforeAll
    static void make(@TempDir Path folder) throws Exception {
        TestCertificates made = TestCertificates.make(folder, "client");
        KeyPairPem pair = KeyPairPem.read(
                made.certificate().getBytes(StandardCharsets.US_ASCII),
                "certificate",
                made.key().getBytes(StandardCharsets.US_ASCII),
                "key");
        char[] none = new char[0];
        java.security.KeyStore store = java.security.KeyStore.getInstance("PKCS12");
        store.load(null, null);
        store.setKeyEntry("client", pair.key(), none, pair.chain().toArray(new Certificate[0]));
        KeyManagerFactory factory = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        factory.init(store, none);
        jdk = (X509ExtendedKeyManager) factory.getKeyManagers()[0];
        ours = new ClientKey(pair);
    }

    @Test
    void certificateIsPresentedWhereTheJdksKeyManagerPresentsIt() {
        String[][] kinds = {{"EC"}, {"RSA"}, {"RSA", "EC"}, {"EdDSA"}, {}};
        Principal[][] authorities = {null, {}, {ISSUER}, {OTHER}, {OTHER, ISSUER}};
        for (String[] kind : kinds) {
            for (Principal[] issuers : authorities) {
                assertThat(ours.chooseClientAlias(kind, issuers, null))
                        .as("%s %s", kind, issuers)
                        .isEqualTo(jdk.chooseClientAlias(kind, issuers, null));
                assertThat(ours.chooseEngineClientAlias(kind, issuers, null))
                        .as("%s %s", kind, issuers)
                        .isEqualTo(jdk.chooseEngineClientAlias(kind, issuers, null));
            }
        }
        assertThat(ours.chooseClientAlias(new String[] {"EC"}, new Principal[] {ISSUER}, null))
                .isEqualTo("client");
        assertThat(ours.getClientAliases("EC", null)).isEqualTo(jdk.getClientAliases("EC", null));
        assertThat(ours.getClientAliases("RSA", null)).isEqualTo(jdk.getClientAliases("RSA", null));
    }

    @Test
    void whatIsPresentedIsTheChainAndTheKey() {
        assertThat(ours.getCertificateChain("client")).isEqualTo(jdk.getCertificateChain("client"));
        assertThat(ours.getPrivateKey("client")).isEqualTo(jdk.getPrivateKey("client"));
        assertThat(ours.getCertificateChain("another")).isNull();
        assertThat(ours.getPrivateKey("another")).isNull();
    }

    @Test
    void noServerIsAuthenticatedWithIt() {
        assertThat(ours.getServerAliases("EC", null)).isNull();
        assertThat(ours.chooseServerAlias("EC", null, null)).isNull();
        assertThat(ours.chooseEngineServerAlias("EC", null, null)).isNull();
    }
}
