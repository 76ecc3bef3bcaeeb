package io.homeostat.client;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;

/** A server that does with each connection exactly what the test says, byte by byte. Plain HTTP on 127.0.0.1. */
final class WireServer implements AutoCloseable {
    /** What to do with one connection; it is closed when this returns. */
    @FunctionalInterface
    interface Script {
        void run(Connection connection) throws IOException;
    }

    /** One request as it came. */
    record Request(String line, String head, String body, int connection) {}

    private final ServerSocket socket;
    private final Script script;
    private final List<Request> requests = new CopyOnWriteArrayList<>();
    private final AtomicInteger connections = new AtomicInteger();
    private final Set<Socket> open = ConcurrentHashMap.newKeySet();

    private volatile Runnable beforeHandshake = () -> {}; // set by the test before it connects
    private volatile javax.net.ssl.@org.jspecify.annotations.Nullable SSLContext tls; // changed while connections come

    private WireServer(javax.net.ssl.@org.jspecify.annotations.Nullable SSLContext tls, Script script)
            throws IOException {
        this.socket = new ServerSocket(0, 500, InetAddress.getLoopbackAddress());
        this.tls = tls;
        this.script = script;
        start("accept", this::accept);
    }

    static WireServer start(Script script) throws IOException {
        return new WireServer(null, script);
    }

    /** A server that speaks TLS and wants a certificate of its client, which may have none. */
    static WireServer startTls(javax.net.ssl.SSLContext tls, Script script) throws IOException {
        return new WireServer(tls, script);
    }

    /** The certificate of connections from now on. */
    void serveAs(javax.net.ssl.SSLContext next) {
        tls = next;
    }

    /** What happens after a connection is there and before TLS is. */
    void beforeHandshakes(Runnable what) {
        beforeHandshake = what;
    }

    /** A server that answers each request the same, for as long as the client likes. */
    static WireServer answering(String answer) throws IOException {
        return start(connection -> {
            while (connection.request() != null) {
                connection.write(answer);
            }
        });
    }

    String url() {
        return (tls == null ? "http" : "https") + "://127.0.0.1:" + socket.getLocalPort();
    }

    List<Request> requests() {
        return requests;
    }

    int connections() {
        return connections.get();
    }

    int openConnections() {
        return open.size();
    }

    private static void start(String name, Runnable work) {
        Thread thread = new Thread(work, "wire-server-" + name);
        thread.setDaemon(true);
        thread.start();
    }

    private void accept() {
        while (!socket.isClosed()) {
            try {
                Socket client = socket.accept();
                open.add(client);
                int number = connections.incrementAndGet();
                start("connection-" + number, () -> serve(client, number));
            } catch (IOException e) {
                return; // closed
            }
        }
    }

    private void serve(Socket client, int number) {
        javax.net.ssl.SSLContext context = tls;
        try (client) {
            if (context == null) {
                script.run(new Connection(client, number));
            } else {
                beforeHandshake.run();
                javax.net.ssl.SSLSocket secure =
                        (javax.net.ssl.SSLSocket) context.getSocketFactory().createSocket(client, null, true);
                secure.setWantClientAuth(true);
                secure.startHandshake();
                script.run(new Connection(secure, number));
            }
        } catch (IOException e) {
            // The client went away, as clients do.
        } finally {
            open.remove(client);
        }
    }

    @Override
    public void close() throws IOException {
        socket.close();
        for (Socket client : open) {
            client.close();
        }
    }

    /** The server's side of one connection. */
    final class Connection {
        private final Socket client;
        private final int number;
        private final InputStream in;
        private final OutputStream out;
        private int served;

        Connection(Socket client, int number) throws IOException {
            this.client = client;
            this.number = number;
            this.in = client.getInputStream();
            this.out = client.getOutputStream();
        }

        int number() {
            return number;
        }

        /** How many requests have come over it. */
        int served() {
            return served;
        }

        /** The common name of the client's certificate, {@code ""} for none. */
        String client() {
            try {
                return client instanceof javax.net.ssl.SSLSocket secure
                        ? secure.getSession().getPeerPrincipal().getName()
                        : "";
            } catch (javax.net.ssl.SSLPeerUnverifiedException e) {
                return "";
            }
        }

        /** The head of the next request, whose body stays unread. */
        void head() throws IOException {
            int matched = 0;
            while (matched < 4) {
                int b = in.read();
                matched = b == "\r\n\r\n".charAt(matched) ? matched + 1 : b == '\r' ? 1 : 0;
            }
        }

        /** The next whole request; null when the client has closed. */
        @org.jspecify.annotations.Nullable
        Request request() throws IOException {
            StringBuilder head = new StringBuilder();
            while (!head.toString().endsWith("\r\n\r\n")) {
                int b = in.read();
                if (b < 0) {
                    return null;
                }
                head.append((char) b);
            }
            int length = 0;
            for (String line : head.toString().split("\r\n", -1)) {
                if (line.toLowerCase(Locale.ROOT).startsWith("content-length:")) {
                    length = Integer.parseInt(line.substring(15).trim());
                }
            }
            String body = new String(in.readNBytes(length), StandardCharsets.UTF_8);
            Request request = new Request(head.substring(0, head.indexOf("\r\n")), head.toString(), body, number);
            requests.add(request);
            served++;
            return request;
        }

        void write(String text) throws IOException {
            write(text.getBytes(StandardCharsets.UTF_8));
        }

        void write(byte[] bytes) throws IOException {
            out.write(bytes);
            out.flush();
        }

        /** Each byte in a write of its own. */
        void dribble(byte[] bytes) throws IOException {
            client.setTcpNoDelay(true);
            for (byte b : bytes) {
                out.write(b);
                out.flush();
            }
        }

        /** Waits until the client has closed its side. */
        void awaitClose() throws IOException {
            int b;
            do {
                b = in.read();
            } while (b >= 0);
        }

        /** Closes with a reset instead of an end. */
        void reset() throws IOException {
            client.setSoLinger(true, 0);
            client.close();
        }
    }

    /** An answer with a Content-Length. */
    static String answer(int status, String body) {
        return "HTTP/1.1 " + status + " Whatever\r\nContent-Type: application/json\r\nContent-Length: "
                + body.getBytes(StandardCharsets.UTF_8).length + "\r\n\r\n" + body;
    }

    /** The head of a chunked answer. */
    static String chunkedHead() {
        return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    }

    /** A body cut into HTTP chunks of this size. */
    static byte[] chunked(byte[] body, int size) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (int at = 0; at < body.length; at += size) {
            int length = Math.min(size, body.length - at);
            out.writeBytes((Integer.toHexString(length) + "\r\n").getBytes(StandardCharsets.US_ASCII));
            out.write(body, at, length);
            out.writeBytes("\r\n".getBytes(StandardCharsets.US_ASCII));
        }
        out.writeBytes("0\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
        return out.toByteArray();
    }
}
