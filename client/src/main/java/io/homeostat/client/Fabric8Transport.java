package io.homeostat.client;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.RequestConfig;
import io.fabric8.kubernetes.client.RequestConfigBuilder;
import io.fabric8.kubernetes.client.http.AsyncBody;
import io.fabric8.kubernetes.client.http.BasicBuilder;
import io.fabric8.kubernetes.client.http.HttpClient;
import io.fabric8.kubernetes.client.http.HttpRequest;
import io.fabric8.kubernetes.client.http.HttpResponse;
import io.fabric8.kubernetes.client.http.Interceptor;
import io.fabric8.kubernetes.client.utils.HttpClientUtils;
import io.fabric8.kubernetes.client.utils.TokenRefreshInterceptor;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Headers;
import io.homeostat.core.HttpCall;
import io.homeostat.core.Lane;
import io.homeostat.core.Transport;
import io.homeostat.core.TransportException;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * {@link Transport} over fabric8's {@code HttpClient}, for clusters behind proxies.
 *
 * <p>fabric8 connects; what it does beyond that is off: no retries, no redirects. Who asks and whom to trust are either a fixed fabric8
 * {@code Config}'s, whose token fabric8 may refresh (and after a 401 only reads are sent again), or a {@link SocketEndpoint}'s,
 * with all that is said of those: files that are read again, plugins, one more try after a 401. fabric8's clients cannot take other
 * certificates, so changed ones are met with new clients; open streams are moved to them, and the old ones are closed
 * when the last request on them must have ended; so is the one for requests when one of them was given up unanswered. What is said of a GET
 * whose kept connection ends before its answer ({@link Transport}) the JDK's HTTP client under it does by itself, up to five times and on new
 * connections too: nothing but a system property of the whole JVM turns that off, it does no harm, and writes it does not repeat. HTTP/1.1 on two
 * clients, one for streams and one for the rest (D23).
 *
 * <p><b>Order.</b> As {@link Transport} says. <b>Threads.</b> Requests are made on a user lane, because files may be read and a plugin
 * waited for before each; answers come on the HTTP client's threads. <b>Memory.</b> One list of buffers per demanded chunk,
 * and one in advance.
 * At most {@value #MAX_REQUESTS} requests that are no streams and have not been given up are under way at a time. <b>Failure.</b> An
 * exchange that is cancelled before its status line ends at the HTTP client's own timeout of {@value #HEAD_SECONDS} s, longer than
 * the client waits unless it was told to: fabric8 has no way to end it sooner. Its turn ends at once all the same, since on a dead path
 * nobody else would have one until then: so there may be more connections than turns for that long, other than with {@link
 * SocketTransport}, and a write may still leave after it was given up, though its outcome is told as unknown. Kept connections are the JDK's: it uses one for a write
 * however long it was idle, up to its own limit (1200 s on JDK 17, 30 s on later ones; {@code jdk.httpclient.keepalive.timeout}).
 */
final class Fabric8Transport implements Transport {
    private static final int HEAD_SECONDS = 75;
    private static final int RETIRE_MINUTES = 10;
    private static final int MAX_REQUESTS = 64;

    private final EngineRuntime runtime;
    private final Config config;
    private final @Nullable SocketEndpoint endpoint;
    private final String server;
    private final Lane lane;
    private final Handover handover;
    private final Turns turns = new Turns(MAX_REQUESTS);
    private final ReentrantLock clientsLock = new ReentrantLock();

    @GuardedBy("clientsLock")
    private Clients clients;

    @GuardedBy("clientsLock")
    private final Set<HttpClient> outdated = new HashSet<>();

    private volatile boolean closed; // volatile: set by close, read on the lane

    /**
     * The two clients made with one state of the certificates.
     *
     * @param version null for those of the Config
     * @param keeping whether {@code requests} has been answered, so that it keeps connections
     */
    private record Clients(
            TlsMaterial.@Nullable Version version, HttpClient streams, HttpClient requests, AtomicBoolean keeping) {
        List<HttpClient> both() {
            return List.of(streams, requests);
        }
    }

    /**
     * Opens both clients with the Config's own credentials.
     *
     * @param config this transport's own: fabric8 keeps refreshed tokens in it
     * @throws io.fabric8.kubernetes.client.KubernetesClientException when there is no HTTP backend on the class path, or the
     *     TLS material cannot be read
     */
    Fabric8Transport(EngineRuntime runtime, Config config) {
        this(runtime, config, null);
    }

    /**
     * Opens both clients.
     *
     * @param config the server and the proxy; credentials too when {@code endpoint} is null
     * @param endpoint who asks and whom to trust; null for the Config's own
     * @throws io.fabric8.kubernetes.client.KubernetesClientException when there is no HTTP backend on the class path
     */
    Fabric8Transport(EngineRuntime runtime, Config config, @Nullable SocketEndpoint endpoint) {
        String url = config.getMasterUrl();
        this.runtime = runtime;
        this.config = config;
        this.endpoint = endpoint;
        this.server = url.endsWith("/") ? url.substring(0, url.length() - 1) : url;
        config.setUserAgent(""); // the call's own stands; fabric8 would put its name over it
        this.lane = runtime.userLane("fabric8-transport");
        this.handover = new Handover(runtime, this::look);
        TlsMaterial tls = endpoint == null ? null : endpoint.tls();
        this.clients = clients(tls == null ? null : tls.current(null));
    }

    private Clients clients(TlsMaterial.@Nullable Version version) {
        return new Clients(version, client(version), client(version), new AtomicBoolean());
    }

    private HttpClient client(TlsMaterial.@Nullable Version version) {
        HttpClient.Factory factory = HttpClientUtils.getHttpClientFactory();
        HttpClient.Builder builder = factory.newBuilder();
        HttpClientUtils.applyCommonConfiguration(config, withoutRedirects(builder), factory);
        builder.preferHttp11();
        builder.addOrReplaceInterceptor(
                TokenRefreshInterceptor.NAME,
                endpoint == null ? new SparingRefresh(tokenRefresh(config, factory)) : new Interceptor() {});
        if (endpoint != null && version != null) {
            builder.sslContext(version.keys(), version.trust());
        }
        RequestConfig once = new RequestConfigBuilder(config.getRequestConfig())
                .withRequestRetryBackoffLimit(0)
                .build();
        builder.tag(once);
        return builder.build();
    }

    /** What certificates there are now. Runs no plugin: the next request does. */
    private TlsMaterial.@Nullable Version look() {
        TlsMaterial tls = endpoint == null ? null : endpoint.tls();
        if (endpoint == null || tls == null) {
            return null;
        }
        return clientsFor(tls.current(endpoint.credentials().lastPair())).version();
    }

    /** The clients for these certificates, new ones when they have changed. */
    private Clients clientsFor(TlsMaterial.@Nullable Version wanted) {
        Clients old;
        Clients now;
        clientsLock.lock();
        try {
            old = clients;
            TlsMaterial.Version present = old.version();
            if (wanted == null || present == null || wanted.number() <= present.number() || closed) {
                return old;
            }
            now = clients(wanted);
            clients = now;
            retireLater(old.both(), Duration.ofMinutes(RETIRE_MINUTES));
        } finally {
            clientsLock.unlock();
        }
        handover.changedTo(wanted);
        return now;
    }

    /**
     * A request was given up without an answer: where one path is dead, those beside it may be, and nothing tells fabric8's client to
     * use none of them. So another one takes its place, unless it keeps no connection yet.
     */
    private void suspect(Clients asked) {
        clientsLock.lock();
        try {
            if (!closed
                    && clients.requests() == asked.requests()
                    && asked.keeping().get()) {
                clients = new Clients(asked.version(), asked.streams(), client(asked.version()), new AtomicBoolean());
                retireLater(List.of(asked.requests()), Duration.ofSeconds(2 * HEAD_SECONDS));
            }
        } finally {
            clientsLock.unlock();
        }
    }

    @GuardedBy("clientsLock")
    private void retireLater(List<HttpClient> old, Duration when) {
        outdated.addAll(old);
        runtime.after(when, lane, () -> retire(old));
    }

    private void retire(List<HttpClient> old) {
        List<HttpClient> mine = new ArrayList<>();
        clientsLock.lock();
        try {
            for (HttpClient each : old) {
                if (outdated.remove(each)) {
                    mine.add(each);
                }
            }
        } finally {
            clientsLock.unlock();
        }
        mine.forEach(HttpClient::close);
    }

    private static Interceptor tokenRefresh(Config config, HttpClient.Factory factory) {
        Interceptor refresh =
                HttpClientUtils.createApplicableInterceptors(config, factory).get(TokenRefreshInterceptor.NAME);
        return refresh == null ? new Interceptor() {} : refresh;
    }

    /** fabric8's common configuration turns redirects on, and nothing turns them off again. */
    private static HttpClient.Builder withoutRedirects(HttpClient.Builder builder) {
        return (HttpClient.Builder) Proxy.newProxyInstance(
                HttpClient.Builder.class.getClassLoader(),
                new Class<?>[] {HttpClient.Builder.class},
                (proxy, method, arguments) -> {
                    if (method.getName().equals("followAllRedirects")) {
                        return proxy;
                    }
                    try {
                        method.invoke(builder, arguments);
                    } catch (InvocationTargetException e) {
                        throw e.getCause() == null ? e : e.getCause();
                    }
                    return proxy;
                });
    }

    /** fabric8's token refresh, which would repeat any request that was answered 401. */
    private static final class SparingRefresh implements Interceptor {
        private final Interceptor refresh;

        SparingRefresh(Interceptor refresh) {
            this.refresh = refresh;
        }

        @Override
        public void before(BasicBuilder builder, HttpRequest request, RequestTags tags) {
            refresh.before(builder, request, tags);
        }

        @Override
        public CompletableFuture<Boolean> afterFailure(
                BasicBuilder builder, HttpResponse<?> response, RequestTags tags) {
            String sent = response.request().headers("Authorization").toString();
            return refresh.afterFailure(builder, response, tags)
                    .thenApply(refreshed ->
                            refreshed && response.request().method().equals("GET") && changed(sent, builder));
        }

        /** Whether the refresh gave other credentials than those just refused. */
        private static boolean changed(String sent, BasicBuilder builder) {
            return builder instanceof HttpRequest.Builder next
                    && !next.build().headers("Authorization").toString().equals(sent);
        }
    }

    @Override
    public Exchange open(HttpCall call, AnswerListener listener) {
        Pending pending = new Pending(call, listener);
        if (Turns.awaits(call)) {
            pending.turn.enter();
        } else {
            pending.begin();
        }
        return pending;
    }

    @Override
    public void close() {
        List<HttpClient> all;
        clientsLock.lock();
        try {
            closed = true;
            all = new ArrayList<>(outdated);
            all.addAll(clients.both());
            outdated.clear();
        } finally {
            clientsLock.unlock();
        }
        all.forEach(HttpClient::close);
    }

    /** One exchange. */
    private final class Pending implements Exchange, AsyncBody.Consumer<List<ByteBuffer>> {
        /*
         * Invariants
         * - At most one consume() is under way at fabric8: `reading` is true from its call to the buffers it gives.
         * - At most one chunk is read without demand (`early`): only so does the JDK tell that there is no more. It is told before
         *   whatever came after it, and nothing is read until then.
         * - The listener gets nothing after its last callback, and nothing but one callback under way after cancel().
         */
        private final HttpCall call;
        private final AnswerListener listener;
        private final Turns.Turn turn = turns.turn(this::begin);
        private final ReentrantLock lock = new ReentrantLock();

        @GuardedBy("lock")
        private long demanded;

        @GuardedBy("lock")
        private boolean reading;

        @GuardedBy("lock")
        private byte @Nullable [] early; // a chunk that nobody has demanded yet

        @GuardedBy("lock")
        private boolean telling; // what was early is being told

        @GuardedBy("lock")
        private @Nullable Runnable last; // the end that came behind what is early

        @GuardedBy("lock")
        private @Nullable AsyncBody body; // from the status line on

        @GuardedBy("lock")
        private boolean over;

        @GuardedBy("lock")
        private @Nullable Clients asked; // while it waits for a status line

        @GuardedBy("lock")
        private boolean departed; // fabric8 has it, and it was not refused

        private boolean repeated; // confined to the transport's lane

        Pending(HttpCall call, AnswerListener listener) {
            this.call = call;
            this.listener = listener;
        }

        boolean begin() {
            lane.execute(this::send);
            return true;
        }

        void send() {
            if (isOver()) {
                return;
            }
            if (closed) {
                fail(new TransportException(
                        TransportException.Sent.NO, call + " to " + server + ": the transport is closed", null));
                return;
            }
            CompletableFuture<HttpResponse<AsyncBody>> answer;
            SocketEndpoint.Ready ready;
            Clients used;
            try {
                ready = endpoint == null ? null : endpoint.ready(runtime);
                used = clientsFor(ready == null ? null : ready.tls());
                HttpClient client = call.kind() == HttpCall.Kind.STREAM ? used.streams() : used.requests();
                HttpRequest request = request(client, ready);
                Optional<String> refusal = listener.refusal();
                if (refusal.isPresent()) {
                    fail(new TransportException(
                            TransportException.Sent.NO,
                            call + " to " + server + " was refused: " + refusal.get(),
                            null));
                    return;
                }
                if (!depart(used)) {
                    return; // given up
                }
                answer = client.consumeBytes(request, this);
            } catch (Exception e) { // fabric8 throws checked exceptions past the compiler
                notPrepared(TransportException.Sent.NO, e);
                return;
            } catch (Error e) { // may have struck anywhere inside fabric8
                notPrepared(sentSoFar(), e);
                throw e;
            }
            answer.whenComplete((response, failure) -> guarded(() -> {
                arrived();
                if (response != null && call.kind() == HttpCall.Kind.REQUEST) {
                    used.keeping().set(true);
                }
                if (response == null) {
                    fail(TransportFailures.of(call, server, unwrapped(failure)));
                } else if (ready == null || response.code() != 401) {
                    if (ready != null && endpoint != null) {
                        endpoint.accepted(ready);
                    }
                    answered(response, used);
                } else {
                    lane.execute(() -> guarded(() -> refused(response, used, ready))); // which reads files
                }
            }));
        }

        private void notPrepared(TransportException.Sent sent, Throwable why) {
            fail(new TransportException(
                    sent,
                    call + " to " + server + ": the request could not be prepared (" + TransportFailures.describe(why)
                            + ")",
                    why));
        }

        /**
         * Does what comes after an answer. What is thrown there would be lost in a stage that nobody has: it ends the exchange, and goes to
         * the runtime, which knows what to do about an error of the VM (D35).
         */
        private void guarded(Runnable step) {
            try {
                step.run();
            } catch (RuntimeException | Error e) {
                fail(new TransportException(
                        sentSoFar(),
                        TransportFailures.path(call) + " to " + server + " failed: unexpected "
                                + e.getClass().getName(),
                        e));
                lane.execute(() -> thrown(e));
            }
        }

        private void thrown(Throwable thrown) {
            if (thrown instanceof Error error) {
                throw error;
            }
            throw (RuntimeException) thrown;
        }

        /** From here on bytes may have left; false when it was given up before. */
        private boolean depart(Clients by) {
            lock.lock();
            try {
                departed = !over;
                asked = departed ? by : null;
                return departed;
            } finally {
                lock.unlock();
            }
        }

        private TransportException.Sent sentSoFar() {
            lock.lock();
            try {
                return departed ? TransportException.Sent.MAYBE : TransportException.Sent.NO;
            } finally {
                lock.unlock();
            }
        }

        /** A status line, or a failure. */
        private void arrived() {
            lock.lock();
            try {
                asked = null;
            } finally {
                lock.unlock();
            }
        }

        /** A 401: once more with other credentials when there are such, else it is the answer. */
        private void refused(HttpResponse<AsyncBody> response, Clients used, SocketEndpoint.Ready ready) {
            takeBack();
            boolean others = endpoint != null && endpoint.refused(runtime, ready, call);
            if (others && !repeated) {
                repeated = true;
                response.body().cancel();
                send();
            } else {
                answered(response, used);
            }
        }

        /** Refused is not done. */
        private void takeBack() {
            lock.lock();
            try {
                departed = false;
            } finally {
                lock.unlock();
            }
        }

        private HttpRequest request(HttpClient client, SocketEndpoint.@Nullable Ready ready) throws IOException {
            HttpRequest.Builder builder = client.newHttpRequestBuilder()
                    .uri(server + call.target())
                    .timeout(HEAD_SECONDS, java.util.concurrent.TimeUnit.SECONDS);
            if (!call.method().equals("GET")) {
                String contentType = call.headers().first("Content-Type").orElse("application/json");
                builder.method(call.method(), contentType, new String(call.body(), StandardCharsets.UTF_8));
            }
            for (Headers.Header header : call.headers().all()) {
                if (!header.name().equalsIgnoreCase("Content-Type")) {
                    builder.header(header.name(), header.value());
                }
            }
            if (ready != null) {
                for (Headers.Header header : ready.held().headers()) {
                    if (header.value().chars().anyMatch(c -> c >= 0x7f)) { // the JDK would send a ? in its place
                        throw new IOException("the header " + header.name()
                                + " holds characters that cannot be sent by way of a proxy");
                    }
                    builder.header(header.name(), header.value());
                }
            }
            return builder.build();
        }

        private void answered(HttpResponse<AsyncBody> response, Clients used) {
            AsyncBody answerBody = response.body();
            lock.lock();
            try {
                if (!over) {
                    body = answerBody;
                }
            } finally {
                lock.unlock();
            }
            if (isOver()) {
                answerBody.cancel();
                return;
            }
            List<Headers.Header> lines = new ArrayList<>();
            for (Map.Entry<String, List<String>> line : response.headers().entrySet()) {
                for (String value : line.getValue()) {
                    lines.add(new Headers.Header(line.getKey(), value));
                }
            }
            listener.head(response.code(), Headers.of(lines));
            Handover.@Nullable Stream stream =
                    call.kind() == HttpCall.Kind.STREAM ? handover.opened(used.version(), this::moveOn) : null;
            answerBody.done().whenComplete((done, failure) -> {
                if (stream != null) {
                    stream.ended();
                }
                afterWhatIsEarly(
                        failure == null
                                ? this::end
                                : () -> fail(TransportFailures.broken(call, server, unwrapped(failure))));
            });
            read();
        }

        /** Gives the connection up for one with newer certificates; what was read is delivered, and then the end. */
        private void moveOn() {
            AsyncBody outdatedBody;
            lock.lock();
            try {
                outdatedBody = body;
            } finally {
                lock.unlock();
            }
            if (finish()) {
                if (outdatedBody != null) {
                    outdatedBody.cancel();
                }
                listener.end();
            }
        }

        @Override
        public void consume(List<ByteBuffer> buffers, AsyncBody ignored) {
            byte[] bytes = joined(buffers);
            boolean demandedNow;
            lock.lock();
            try {
                reading = false;
                if (over) {
                    return;
                }
                demandedNow = bytes.length > 0 && demanded > 0;
                if (demandedNow) {
                    demanded--;
                } else if (bytes.length > 0) {
                    early = bytes;
                }
            } finally {
                lock.unlock();
            }
            if (demandedNow) {
                listener.chunk(bytes);
            } else if (bytes.length > 0) {
                turn.over(); // its reader may be waiting for another request: nobody's turn may depend on it
            }
            read();
        }

        private static byte[] joined(List<ByteBuffer> buffers) {
            int length = 0;
            for (ByteBuffer buffer : buffers) {
                length += buffer.remaining();
            }
            byte[] bytes = new byte[length];
            int at = 0;
            for (ByteBuffer buffer : buffers) {
                int size = buffer.remaining();
                buffer.get(bytes, at, size);
                at += size;
            }
            return bytes;
        }

        /** Asks fabric8 for the next buffers, if they are not under way and nothing waits to be told before them. */
        private void read() {
            AsyncBody next;
            lock.lock();
            try {
                if (over || reading || early != null || telling || body == null) {
                    return;
                }
                reading = true;
                next = body;
            } finally {
                lock.unlock();
            }
            next.consume();
        }

        @Override
        public void demand(int chunks) {
            byte[] bytes = null;
            lock.lock();
            try {
                demanded = Math.addExact(demanded, chunks);
                if (!over && early != null && demanded > 0) {
                    bytes = early;
                    early = null;
                    demanded--;
                    telling = true;
                }
            } finally {
                lock.unlock();
            }
            if (bytes != null) {
                listener.chunk(bytes);
                told();
            }
            read();
        }

        /** What was early has been told: now comes what waited for that. */
        private void told() {
            Runnable next;
            lock.lock();
            try {
                telling = false;
                next = last;
            } finally {
                lock.unlock();
            }
            if (next != null) {
                next.run();
            }
        }

        private void afterWhatIsEarly(Runnable end) {
            boolean now;
            lock.lock();
            try {
                now = early == null && !telling;
                if (!now) {
                    last = end;
                }
            } finally {
                lock.unlock();
            }
            if (now) {
                end.run();
            }
        }

        @Override
        public void cancel() {
            giveUp();
        }

        @Override
        public TransportException.Sent giveUp() {
            AsyncBody abandoned;
            Clients silent;
            TransportException.Sent left;
            lock.lock();
            try {
                left = departed ? TransportException.Sent.MAYBE : TransportException.Sent.NO;
                if (over) {
                    return left;
                }
                over = true;
                abandoned = body;
                silent = asked;
            } finally {
                lock.unlock();
            }
            if (abandoned != null) {
                abandoned.cancel();
            } else if (silent != null && call.kind() == HttpCall.Kind.REQUEST) {
                lane.execute(() -> suspect(silent)); // before what is asked next, which goes over this lane, too
            }
            turn.over();
            return left;
        }

        private void end() {
            if (finish()) {
                listener.end();
            }
        }

        private void fail(TransportException cause) {
            if (finish()) {
                listener.failed(cause);
            }
        }

        private boolean finish() {
            boolean first;
            lock.lock();
            try {
                first = !over;
                over = true;
            } finally {
                lock.unlock();
            }
            turn.over();
            return first;
        }

        private boolean isOver() {
            lock.lock();
            try {
                return over;
            } finally {
                lock.unlock();
            }
        }

        private @Nullable Throwable unwrapped(@Nullable Throwable failure) {
            return failure instanceof CompletionException wrapped && wrapped.getCause() != null
                    ? wrapped.getCause()
                    : failure;
        }
    }
}
