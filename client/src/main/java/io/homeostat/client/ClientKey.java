package io.homeostat.client;

import java.net.Socket;
import java.security.Principal;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.util.Arrays;
import java.util.List;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.X509ExtendedKeyManager;
import org.jspecify.annotations.Nullable;

/**
 * Presents one client certificate to servers that ask for one of its kind, from an authority above it: what the JDK's own key manager
 * does with a key store of one key. A key store encrypts the key it is given, with 10,000 rounds of a hash, and the key manager decrypts it
 * again: in a new JVM, whose compiler has seen nothing of that yet, a quarter of a second of CPU for a secret that is in memory anyway.
 *
 * <p><b>Threads.</b> Any. Immutable.
 */
final class ClientKey extends X509ExtendedKeyManager {
    private static final String ALIAS = "client";

    private final KeyPairPem pair;

    ClientKey(KeyPairPem pair) {
        this.pair = pair;
    }

    @Override
    public @Nullable String chooseClientAlias(
            String[] keyTypes, Principal @Nullable [] issuers, @Nullable Socket socket) {
        for (String keyType : keyTypes) {
            if (fits(keyType, issuers)) {
                return ALIAS;
            }
        }
        return null;
    }

    @Override
    public @Nullable String chooseEngineClientAlias(
            String[] keyTypes, Principal @Nullable [] issuers, @Nullable SSLEngine engine) {
        return chooseClientAlias(keyTypes, issuers, null);
    }

    @Override
    public String @Nullable [] getClientAliases(String keyType, Principal @Nullable [] issuers) {
        return fits(keyType, issuers) ? new String[] {ALIAS} : null;
    }

    private boolean fits(String keyType, Principal @Nullable [] issuers) {
        return pair.chain().get(0).getPublicKey().getAlgorithm().equals(keyType)
                // A server that names no authorities takes any (RFC 5246 §7.4.4, RFC 8446 §4.2.4).
                && (issuers == null || issuers.length == 0 || issuedBelow(Arrays.asList(issuers)));
    }

    private boolean issuedBelow(List<Principal> authorities) {
        for (X509Certificate each : pair.chain()) {
            Principal issuer = each.getIssuerX500Principal();
            if (authorities.contains(issuer)) {
                return true;
            }
        }
        return false;
    }

    @Override
    public X509Certificate @Nullable [] getCertificateChain(String alias) {
        return alias.equals(ALIAS) ? pair.chain().toArray(new X509Certificate[0]) : null;
    }

    @Override
    public @Nullable PrivateKey getPrivateKey(String alias) {
        return alias.equals(ALIAS) ? pair.key() : null;
    }

    @Override
    public String @Nullable [] getServerAliases(String keyType, Principal @Nullable [] issuers) {
        return null; // it is no server
    }

    @Override
    public @Nullable String chooseServerAlias(String keyType, Principal @Nullable [] issuers, @Nullable Socket socket) {
        return null;
    }

    @Override
    public @Nullable String chooseEngineServerAlias(
            String keyType, Principal @Nullable [] issuers, @Nullable SSLEngine engine) {
        return null;
    }
}
