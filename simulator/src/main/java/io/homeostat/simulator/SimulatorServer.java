package io.homeostat.simulator;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.homeostat.core.Headers;
import io.homeostat.core.HttpCall;
import io.homeostat.core.Stable;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The simulator over HTTP/1.1 on the loopback interface, for kubectl and any other client: no TLS, no authentication.
 *
 * <p>This class is the edge: it owns threads, one per open request, which read and write sockets and nothing else.
 *
 * <p><b>Order.</b> As the connection carries it. <b>Threads.</b> Every method may be called from any thread. <b>Memory.</b> A few
 * dozen chunks per open request. <b>Failure.</b> A client that went away is noticed with the next write to it; refusing a
 * connection, which a fault may order, is here a connection that breaks before its answer.
 */
@Stable
public final class SimulatorServer implements AutoCloseable {

    private final ApiServer server;
    private final HttpServer http;
    private final ExecutorService threads;
    private static final byte[] LOCALHOST = {127, 0, 0, 1}; // as url() says; "loopback" may be ::1

    private final ReentrantLock lock = new ReentrantLock();

    @GuardedBy("lock")
    private final List<Connection> open = new ArrayList<>();

    @GuardedBy("lock")
    private boolean closed;

    SimulatorServer(ApiServer server, int port) {
        this.server = server;
        if (System.getProperty("sun.net.httpserver.nodelay") == null) {
            System.setProperty("sun.net.httpserver.nodelay", "true"); // else each answer waits for a delayed ACK
        }
        try {
            InetAddress here = InetAddress.getByAddress(LOCALHOST);
            http = HttpServer.create(new InetSocketAddress(here, port), 128);
        } catch (IOException e) {
            throw new UncheckedIOException(
                    "the simulator cannot listen on 127.0.0.1:" + port + ": " + e.getMessage()
                            + "; choose another port, or 0 for a free one",
                    e);
        }
        AtomicInteger number = new AtomicInteger();
        threads = Executors.newCachedThreadPool(work -> {
            Thread thread = new Thread(work, "simulator-http-" + number.incrementAndGet());
            thread.setDaemon(true);
            return thread;
        });
        http.setExecutor(threads);
        http.createContext("/", this::handle);
        http.start();
    }

    /** Where it listens, without a slash at the end: {@code http://127.0.0.1:34567}. */
    public String url() {
        return "http://127.0.0.1:" + port();
    }

    /** The port it listens on. */
    public int port() {
        return http.getAddress().getPort();
    }

    /** A kubeconfig that leads here. */
    public String kubeconfig() {
        return """
                apiVersion: v1
                kind: Config
                clusters:
                - name: simulator
                  cluster:
                    server: %s
                contexts:
                - name: simulator
                  context:
                    cluster: simulator
                    user: simulator
                    namespace: default
                users:
                - name: simulator
                  user: {}
                current-context: simulator
                """
                .formatted(url());
    }

    /** Stops listening and breaks what is open. The simulator itself goes on. */
    @Override
    public void close() {
        List<Connection> rest;
        lock.lock();
        try {
            closed = true;
            rest = List.copyOf(open);
        } finally {
            lock.unlock();
        }
        rest.forEach(connection -> connection.breakOff("the HTTP server closes"));
        http.stop(0);
        threads.shutdownNow();
    }

    private void handle(HttpExchange exchange) throws IOException {
        byte[] body = exchange.getRequestBody().readAllBytes();
        List<Headers.Header> lines = new ArrayList<>();
        for (Map.Entry<String, List<String>> header :
                exchange.getRequestHeaders().entrySet()) {
            for (String value : header.getValue()) {
                lines.add(new Headers.Header(header.getKey(), value));
            }
        }
        String query = exchange.getRequestURI().getRawQuery();
        String target = exchange.getRequestURI().getRawPath() + (query == null ? "" : "?" + query);
        HttpCall call;
        try {
            call = new HttpCall(exchange.getRequestMethod(), target, Headers.of(lines), body, HttpCall.Kind.REQUEST);
        } catch (IllegalArgumentException e) {
            byte[] message = "400 bad request\n".getBytes(StandardCharsets.US_ASCII);
            exchange.sendResponseHeaders(400, message.length);
            exchange.getResponseBody().write(message);
            exchange.close();
            return;
        }
        Connection connection = new Connection();
        boolean refused;
        lock.lock();
        try {
            refused = closed;
            open.add(connection);
        } finally {
            lock.unlock();
        }
        try {
            if (refused) {
                throw new IOException("the HTTP server is closed");
            }
            server.accept(call, connection);
            connection.writeTo(exchange);
        } finally {
            lock.lock();
            try {
                open.remove(connection);
            } finally {
                lock.unlock();
            }
        }
    }

    private sealed interface Step {
        record Head(int status, Headers headers) implements Step {}

        record Chunk(byte[] bytes) implements Step {}

        record End() implements Step {}

        record Break(String why) implements Step {}
    }

    /** One request: the server's lane puts steps in, the connection's thread takes them out. */
    private final class Connection implements AnswerSink {
        private final BlockingQueue<Step> steps = new LinkedBlockingQueue<>();
        private final Window window = new Window(server.lane());

        // ---- the connection's thread

        /** Writes the answer; an exception that leaves this method makes the JDK's server drop the connection at once. */
        void writeTo(HttpExchange exchange) throws IOException {
            try {
                OutputStream out = null;
                boolean dirty = false;
                while (true) {
                    Step step = steps.poll();
                    if (step == null) {
                        if (dirty && out != null) {
                            out.flush();
                            dirty = false;
                        }
                        step = steps.take();
                    }
                    if (step instanceof Step.Head head) {
                        out = begin(exchange, head);
                        dirty = true;
                    } else if (step instanceof Step.Chunk chunk) {
                        if (out != null) {
                            out.write(chunk.bytes());
                            dirty = true;
                        }
                        window.taken(1);
                    } else if (step instanceof Step.End) {
                        exchange.close();
                        return;
                    } else if (step instanceof Step.Break broken) {
                        throw new IOException(broken.why());
                    }
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IOException("the HTTP server closes", e);
            } catch (IOException e) {
                window.readerGone();
                throw e;
            }
        }

        private OutputStream begin(HttpExchange exchange, Step.Head head) throws IOException {
            long length = 0; // chunked
            for (Headers.Header header : head.headers().all()) {
                if (header.name().equalsIgnoreCase("Content-Length")) {
                    length = Long.parseLong(header.value());
                    length = length == 0 ? -1 : length; // what the JDK calls an empty body
                } else {
                    exchange.getResponseHeaders().add(header.name(), header.value());
                }
            }
            boolean bodiless = exchange.getRequestMethod().equals("HEAD");
            exchange.sendResponseHeaders(head.status(), bodiless ? -1 : length);
            return bodiless ? OutputStream.nullOutputStream() : exchange.getResponseBody();
        }

        // ---- the server's lane

        @Override
        public void head(int status, Headers headers) {
            steps.add(new Step.Head(status, headers));
        }

        @Override
        public void chunk(byte[] bytes) {
            window.sent();
            steps.add(new Step.Chunk(bytes));
        }

        @Override
        public void end() {
            window.leave();
            steps.add(new Step.End());
        }

        @Override
        public void breakOff(String why) {
            steps.add(new Step.Break(why)); // also called by close(), from any thread: touches nothing else
        }

        @Override
        public void refuse(String why) {
            breakOff(why);
        }

        @Override
        public boolean writable() {
            return window.writable();
        }

        @Override
        public void whenWritable(Runnable work) {
            window.whenWritable(work);
        }

        @Override
        public void whenGone(Runnable work) {
            window.whenGone(work);
        }
    }
}
