package io.homeostat.testkit;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.time.Duration;
import java.util.Base64;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.Executors;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.atomic.AtomicInteger;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.jspecify.annotations.Nullable;

/**
 * Talks to an API server with the JDK's HTTP client and nothing of ours, so that what a test sees does not depend on the code it
 * tests.
 *
 * <p><b>Threads.</b> Any. <b>Memory.</b> Whole answers. <b>Failure.</b> No answer within 30 s, or none at all, is an
 * {@link IOException}; any HTTP status is an answer.
 */
final class ApiObserver {
    /** Tells our own requests from those of the code under test. */
    static final String USER_AGENT = "homeostat-testkit";

    private static final String THREAD_PREFIX = "homeostat-testkit-observer-";

    /** Ids of the selector threads of our clients: JDK 17 can neither name nor close them. */
    private static final Set<Long> SELECTORS = ConcurrentHashMap.newKeySet();

    /** An answer with its body as text. */
    record Answer(int status, String body) {
        boolean isSuccess() {
            return status >= 200 && status < 300;
        }
    }

    private static final AtomicInteger COUNT = new AtomicInteger();
    private static final ThreadFactory DAEMONS = work -> {
        Thread thread = new Thread(work, THREAD_PREFIX + COUNT.incrementAndGet());
        thread.setDaemon(true);
        return thread;
    };
    private static final Executor EXECUTOR = Executors.newCachedThreadPool(DAEMONS);

    private final String server;
    private final HttpClient http;

    private ApiObserver(String server, HttpClient http) {
        this.server = server;
        this.http = http;
    }

    /** An observer of a server that speaks plain HTTP and asks for no credentials. */
    static ApiObserver plain(String server) {
        return new ApiObserver(server, make(builder()));
    }

    /** An observer with a client certificate. */
    static ApiObserver withCertificate(String server, String authority, Certificates.Pem client) {
        return new ApiObserver(server, make(builder().sslContext(tls(authority, client))));
    }

    private static HttpClient.Builder builder() {
        return HttpClient.newBuilder()
                .version(HttpClient.Version.HTTP_1_1)
                .executor(EXECUTOR)
                .connectTimeout(Duration.ofSeconds(10));
    }

    private static HttpClient make(HttpClient.Builder builder) {
        Set<Thread> before = Thread.getAllStackTraces().keySet();
        HttpClient client = builder.build();
        for (Thread thread : Thread.getAllStackTraces().keySet()) {
            if (thread.getName().startsWith("HttpClient-") && !before.contains(thread)) {
                SELECTORS.add(thread.getId());
            }
        }
        return client;
    }

    /** Whether {@code thread} belongs to an observer, so that no test can be blamed for it. */
    static boolean owns(Thread thread) {
        return thread.getName().startsWith(THREAD_PREFIX) || SELECTORS.contains(thread.getId());
    }

    String server() {
        return server;
    }

    /**
     * Sends one request and waits for its answer.
     *
     * @param contentType of {@code body}; null for no body
     */
    Answer send(String method, String target, @Nullable String contentType, String body, Duration timeout)
            throws IOException {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(server + target))
                .timeout(timeout)
                .header("Accept", "application/json")
                .header("User-Agent", USER_AGENT);
        if (contentType != null) {
            request.header("Content-Type", contentType);
        }
        request.method(method, contentType == null ? BodyPublishers.noBody() : BodyPublishers.ofString(body));
        try {
            HttpResponse<byte[]> response = http.send(request.build(), BodyHandlers.ofByteArray());
            return new Answer(response.statusCode(), new String(response.body(), StandardCharsets.UTF_8));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("Interrupted while waiting for " + method + " " + server + target, e);
        }
    }

    /** A GET. */
    Answer get(String target) throws IOException {
        return send("GET", target, null, "", Duration.ofSeconds(30));
    }

    private static SSLContext tls(String authority, Certificates.Pem client) {
        try {
            char[] none = {};
            KeyStore keys = KeyStore.getInstance("PKCS12");
            keys.load(null, none);
            Certificate certificate = Certificates.parse(client.certificate());
            String base64 = client.key().replaceAll("-----[A-Z ]+-----|\\s", "");
            keys.setKeyEntry(
                    "client",
                    KeyFactory.getInstance("EC")
                            .generatePrivate(
                                    new PKCS8EncodedKeySpec(Base64.getDecoder().decode(base64))),
                    none,
                    new Certificate[] {certificate});
            keys.setCertificateEntry("authority", Certificates.parse(authority));
            KeyManagerFactory ours = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
            ours.init(keys, none);
            TrustManagerFactory theirs = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
            theirs.init(keys);
            SSLContext context = SSLContext.getInstance("TLS");
            context.init(ours.getKeyManagers(), theirs.getTrustManagers(), null);
            return context;
        } catch (GeneralSecurityException | IOException e) {
            throw new IllegalStateException("Cannot set up TLS with a certificate this kit made", e);
        }
    }
}
