package io.homeostat.simulator;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.http.HttpClient;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.condition.EnabledIfEnvironmentVariable;
import org.junit.jupiter.api.io.TempDir;

/** The judge: the same requests against a real kube-apiserver. */
@EnabledIfEnvironmentVariable(
        named = "KUBEBUILDER_ASSETS",
        matches = ".+",
        disabledReason = "no real control plane: set KUBEBUILDER_ASSETS to a folder with etcd and kube-apiserver")
@Tag("jdk-independent") // about the answers of kube-apiserver, not about code of ours
class RealServerConformanceTest extends Conformance {
    private static Path folder = Path.of("target");
    private static String url = "";
    private static HttpClient http = HttpClient.newHttpClient();

    @BeforeAll
    static void start(@TempDir Path given) throws Exception {
        folder = given;
        run(List.of(script("up"), "--dir", folder.toString()));
        url = Files.readString(folder.resolve("server")).trim();
        http = HttpClient.newBuilder()
                .version(HttpClient.Version.HTTP_1_1)
                .sslContext(tls(folder.resolve("certs")))
                .build();
    }

    @AfterAll
    static void stop() throws Exception {
        run(List.of(script("down"), "--dir", folder.toString()));
    }

    private static String script(String name) {
        return Path.of("..", "control-plane", name).toAbsolutePath().normalize().toString();
    }

    private static void run(List<String> command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve("script.log").toFile())
                .start();
        if (!process.waitFor(60, TimeUnit.SECONDS) || process.exitValue() != 0) {
            process.destroyForcibly();
            throw new IllegalStateException(command + " failed: " + Files.readString(folder.resolve("script.log")));
        }
    }

    private static SSLContext tls(Path certs) throws Exception {
        CertificateFactory x509 = CertificateFactory.getInstance("X.509");
        Certificate authority =
                x509.generateCertificate(new ByteArrayInputStream(Files.readAllBytes(certs.resolve("ca.crt"))));
        Certificate own =
                x509.generateCertificate(new ByteArrayInputStream(Files.readAllBytes(certs.resolve("admin.crt"))));
        String pem = Files.readString(certs.resolve("admin.key"), StandardCharsets.US_ASCII);
        byte[] der = Base64.getMimeDecoder().decode(pem.replaceAll("-----[A-Z ]+-----", ""));
        PrivateKey key = KeyFactory.getInstance("EC").generatePrivate(new PKCS8EncodedKeySpec(der));
        KeyStore keys = KeyStore.getInstance("PKCS12");
        keys.load(null, null);
        keys.setKeyEntry("admin", key, new char[0], new Certificate[] {own});
        keys.setCertificateEntry("ca", authority);
        KeyManagerFactory identity = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        identity.init(keys, new char[0]);
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(keys);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(identity.getKeyManagers(), trust.getTrustManagers(), null);
        return context;
    }

    @Override
    String url() {
        return url;
    }

    @Override
    HttpClient http() {
        return http;
    }
}
