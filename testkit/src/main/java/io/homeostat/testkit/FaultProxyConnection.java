package io.homeostat.testkit;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.homeostat.core.Headers;
import io.homeostat.core.HttpCall;
import io.homeostat.core.Transport;
import io.homeostat.core.TransportException;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.locks.ReentrantLock;
import javax.net.ssl.SSLSocket;
import org.jspecify.annotations.Nullable;

/**
 * One connection of a client to a {@link FaultProxy}: this thread reads requests, and notices that the client went away; another
 * writes the answer of each.
 */
final class FaultProxyConnection implements Runnable {
    /*
     * Invariants
     * - One answer is written at a time: the next request waits for the end of the last one's.
     * - The plain socket is closed when run() has returned.
     */
    private static final int HANDSHAKE_MILLIS = 10_000;
    private static final int MAX_HEAD = 64 << 10;
    private static final int MAX_BODY = 16 << 20;
    private static final Set<String> HOP_BY_HOP = Set.of(
            "host",
            "connection",
            "content-length",
            "transfer-encoding",
            "accept-encoding",
            "expect",
            "keep-alive",
            "te");

    private final FaultProxy proxy;
    private final Socket plain;
    private final String name;
    private final ReentrantLock lock = new ReentrantLock();

    @GuardedBy("lock")
    private @Nullable Answering answering;

    private volatile boolean dead; // volatile: any thread makes it half open, for good

    FaultProxyConnection(FaultProxy proxy, Socket plain, int number) {
        this.proxy = proxy;
        this.plain = plain;
        this.name = "connection " + number;
    }

    /** Ends it with a TCP RST. Any thread. */
    void reset() {
        try {
            plain.setSoLinger(true, 0);
        } catch (IOException e) {
            // It is closed already; close() below says so to nobody.
        }
        close();
    }

    /** Says and hears nothing from now on. Any thread. */
    void silence() {
        dead = true;
    }

    /** Ends it with a TCP FIN, and nothing of TLS. Any thread. */
    private void close() {
        try {
            plain.close();
        } catch (IOException e) {
            // A socket that is gone is what was wanted.
        }
    }

    @Override
    public void run() {
        try {
            proxy.awaitPassage();
            for (FaultStep step : proxy.script().connection(name)) {
                if (step instanceof FaultStep.Pause pause) {
                    Thread.sleep(pause.time().toMillis());
                } else if (step instanceof FaultStep.Over over) {
                    endBeforeTls(over.how());
                    return;
                }
            }
            plain.setTcpNoDelay(true);
            plain.setSoTimeout(HANDSHAKE_MILLIS);
            SSLSocket tls = (SSLSocket) proxy.tls()
                    .getSocketFactory()
                    .createSocket(plain, plain.getInetAddress().getHostAddress(), plain.getPort(), false);
            tls.setUseClientMode(false);
            tls.startHandshake();
            plain.setSoTimeout(0);
            serve(new BufferedInputStream(tls.getInputStream()), tls.getOutputStream());
        } catch (IOException | RejectedExecutionException e) {
            // The client went away, or broke the rules of HTTP: nothing can be said to it any more.
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt(); // the proxy closes
        } finally {
            Answering last = answering();
            if (last != null) {
                last.cancel();
            }
            close();
            proxy.gone(this);
        }
    }

    private void endBeforeTls(FaultAction.End how) throws IOException {
        if (how == FaultAction.End.RESET) {
            reset();
        } else if (how == FaultAction.End.SILENCE) {
            InputStream in = plain.getInputStream();
            byte[] swallowed = new byte[1024];
            while (in.read(swallowed) >= 0) {
                // until the client gives up
            }
        }
    }

    private @Nullable Answering answering() {
        lock.lock();
        try {
            return answering;
        } finally {
            lock.unlock();
        }
    }

    private void serve(InputStream in, OutputStream out) throws IOException, InterruptedException {
        while (true) {
            HttpCall call = read(in, out);
            if (call == null) {
                return;
            }
            Answering last = answering();
            if (last != null && !last.awaitEnd()) {
                return; // its client hears nothing of anything any more, or is to go
            }
            proxy.awaitPassage();
            if (dead) {
                continue; // the request is swallowed
            }
            Answering next = new Answering(call, out);
            lock.lock();
            try {
                answering = next;
            } finally {
                lock.unlock();
            }
            proxy.threads().execute(next);
        }
    }

    // ---- the request

    /** The next request; null at the end. */
    private static @Nullable HttpCall read(InputStream in, OutputStream out) throws IOException {
        String line = line(in, MAX_HEAD);
        if (line == null) {
            return null;
        }
        String[] parts = line.split(" ", -1);
        if (parts.length != 3 || !parts[2].equals("HTTP/1.1") || !parts[1].startsWith("/")) {
            throw new IOException("no HTTP/1.1 request");
        }
        List<Headers.Header> headers = new ArrayList<>();
        int budget = MAX_HEAD;
        String expect = "";
        String encoding = "";
        long length = 0;
        while (true) {
            String header = line(in, budget);
            if (header == null) {
                throw new EOFException("the request ended in its head");
            }
            if (header.isEmpty()) {
                break;
            }
            budget -= header.length();
            int colon = header.indexOf(':');
            if (colon < 1) {
                throw new IOException("a header without a name");
            }
            String name = header.substring(0, colon);
            String value = header.substring(colon + 1).trim();
            switch (name.toLowerCase(Locale.ROOT)) {
                case "content-length" -> length = Long.parseLong(value);
                case "transfer-encoding" -> encoding = value;
                case "expect" -> expect = value;
                default -> {}
            }
            headers.add(new Headers.Header(name, value));
        }
        if (!expect.isEmpty()) {
            out.write("HTTP/1.1 100 Continue\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
            out.flush();
        }
        byte[] body = encoding.isEmpty() ? exactly(in, length) : chunked(in);
        Headers all = Headers.of(headers);
        return new HttpCall(parts[0], parts[1], all, body, HttpCall.Kind.REQUEST);
    }

    private static byte[] exactly(InputStream in, long length) throws IOException {
        if (length > MAX_BODY) {
            throw new IOException("a body of more than " + MAX_BODY + " bytes");
        }
        byte[] bytes = in.readNBytes((int) length);
        if (bytes.length < length) {
            throw new EOFException("the request ended in its body");
        }
        return bytes;
    }

    private static byte[] chunked(InputStream in) throws IOException {
        ByteArrayOutputStream body = new ByteArrayOutputStream();
        while (true) {
            String size = line(in, MAX_HEAD);
            if (size == null || !size.matches("[0-9a-fA-F]{1,7}(;.*)?")) {
                throw new IOException("a chunk without a size");
            }
            int length = Integer.parseInt(size.split(";", -1)[0], 16);
            if (length == 0) {
                String trailer = line(in, MAX_HEAD);
                while (trailer != null && !trailer.isEmpty()) {
                    trailer = line(in, MAX_HEAD);
                }
                return body.toByteArray();
            }
            body.writeBytes(exactly(in, length));
            line(in, 2);
            if (body.size() > MAX_BODY) {
                throw new IOException("a body of more than " + MAX_BODY + " bytes");
            }
        }
    }

    /** One line without its end; null at the end of the stream. */
    private static @Nullable String line(InputStream in, int budget) throws IOException {
        StringBuilder line = new StringBuilder();
        while (true) {
            int next = in.read();
            if (next < 0) {
                if (line.length() == 0) {
                    return null;
                }
                throw new EOFException("the request ended in a line");
            }
            if (next == '\n') {
                int end = line.length();
                return end > 0 && line.charAt(end - 1) == '\r' ? line.substring(0, end - 1) : line.toString();
            }
            line.append((char) next);
            if (line.length() > budget) {
                throw new IOException("a head of more than " + MAX_HEAD + " bytes");
            }
        }
    }

    // ---- the answer

    /** What comes from the server, in order. */
    private sealed interface Arrival {
        /** The head. */
        record Head(int status, Headers headers) implements Arrival {}

        /** Bytes. */
        record Chunk(byte[] bytes) implements Arrival {}

        /** The end, or what broke it off. */
        record End(@Nullable TransportException broken) implements Arrival {}
    }

    /** Writes one answer. */
    private final class Answering implements Runnable, Transport.AnswerListener {
        private final HttpCall call;
        private final OutputStream out;
        private final LinkedBlockingQueue<Arrival> arrivals = new LinkedBlockingQueue<>();
        private final CountDownLatch written = new CountDownLatch(1);
        private volatile boolean clean; // volatile: read after `written`, by another thread
        private volatile Transport.@Nullable Exchange exchange; // volatile: cancel() comes from the reading thread
        private volatile boolean cancelled; // volatile: the same
        private boolean silent; // confined to run()

        Answering(HttpCall call, OutputStream out) {
            this.call = call;
            this.out = out;
        }

        /** Whether the connection can take another request. */
        boolean awaitEnd() throws InterruptedException {
            written.await();
            return clean;
        }

        void cancel() {
            cancelled = true;
            Transport.Exchange open = exchange;
            if (open != null) {
                open.cancel();
            }
            arrivals.add(new Arrival.End(null));
        }

        @Override
        public void run() {
            try {
                if (call.headers().first("Upgrade").isPresent()) {
                    write(new FaultStep.Head(501, Headers.of("Content-Type", "text/plain")));
                    write(new FaultStep.Bytes(
                            "The fault proxy does not switch protocols\n".getBytes(StandardCharsets.US_ASCII)));
                    write(new FaultStep.Over(FaultAction.End.END));
                    return;
                }
                FaultCourse.Accepts accepts =
                        call.headers().first("Accept-Encoding").orElse("").contains("gzip")
                                ? FaultCourse.Accepts.GZIP
                                : FaultCourse.Accepts.PLAIN;
                FaultCourse course = proxy.script().exchange(name, call.method(), call.target(), accepts);
                boolean goesOn = write(course.request());
                if (goesOn && !course.isOver()) {
                    relay(course);
                }
            } catch (IOException e) {
                close(); // the client went away; the reading thread sees it too
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                reset(); // the proxy closes
            } finally {
                Transport.Exchange open = exchange;
                if (open != null) {
                    open.cancel();
                }
                written.countDown();
            }
        }

        private void relay(FaultCourse course) throws IOException, InterruptedException {
            FaultedRequest request = FaultedRequest.of(call.method(), call.target());
            HttpCall.Kind kind = request.verb().equals("watch") ? HttpCall.Kind.STREAM : HttpCall.Kind.REQUEST;
            Headers headers = Headers.of(call.headers().all().stream()
                    .filter(header -> !HOP_BY_HOP.contains(header.name().toLowerCase(Locale.ROOT)))
                    .toList());
            Transport.Exchange open =
                    proxy.upstream().open(new HttpCall(call.method(), call.target(), headers, call.body(), kind), this);
            exchange = open;
            if (cancelled) {
                return;
            }
            open.demand(1);
            while (true) {
                Arrival arrival = arrivals.take();
                List<FaultStep> steps;
                if (arrival instanceof Arrival.Head head) {
                    steps = course.head(head.status(), head.headers());
                } else if (arrival instanceof Arrival.Chunk chunk) {
                    steps = course.chunk(chunk.bytes());
                } else {
                    TransportException broken = ((Arrival.End) arrival).broken();
                    if (cancelled) {
                        return;
                    }
                    if (broken != null && !silent) {
                        proxy.script().say(course.name() + ": the server broke off: " + broken.getMessage());
                        reset();
                        return;
                    }
                    steps = broken == null ? course.end() : List.of();
                }
                if (!write(steps) || arrival instanceof Arrival.End) {
                    return;
                }
                if (arrival instanceof Arrival.Chunk) {
                    open.demand(1);
                }
            }
        }

        /** Takes steps; false after the last one of a connection that hears more. */
        private boolean write(List<FaultStep> steps) throws IOException, InterruptedException {
            for (FaultStep step : steps) {
                if (!write(step)) {
                    return false;
                }
            }
            return true;
        }

        private boolean write(FaultStep step) throws IOException, InterruptedException {
            if (silent || dead) {
                silent = true;
                return true;
            }
            if (step instanceof FaultStep.Pause pause) {
                Thread.sleep(pause.time().toMillis(), pause.time().toNanosPart() % 1_000_000);
                return true;
            }
            proxy.awaitPassage();
            if (step instanceof FaultStep.Head head) {
                StringBuilder text = new StringBuilder("HTTP/1.1 " + head.status() + " Answered\r\n");
                for (Headers.Header header : head.headers().all()) {
                    text.append(header.name())
                            .append(": ")
                            .append(header.value())
                            .append("\r\n");
                }
                text.append("Transfer-Encoding: chunked\r\n\r\n");
                send(text.toString().getBytes(StandardCharsets.ISO_8859_1));
            } else if (step instanceof FaultStep.Bytes bytes) {
                ByteArrayOutputStream chunk = new ByteArrayOutputStream(bytes.bytes().length + 16);
                chunk.writeBytes(
                        (Integer.toHexString(bytes.bytes().length) + "\r\n").getBytes(StandardCharsets.US_ASCII));
                chunk.writeBytes(bytes.bytes());
                chunk.writeBytes("\r\n".getBytes(StandardCharsets.US_ASCII));
                send(chunk.toByteArray());
            } else if (step instanceof FaultStep.Over over) {
                switch (over.how()) {
                    case END -> {
                        send("0\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
                        clean = true;
                        return false;
                    }
                    case RESET -> {
                        reset();
                        return false;
                    }
                    case TRUNCATE -> {
                        close();
                        return false;
                    }
                    case SILENCE -> silent = true; // what comes from the server is swallowed until the client goes
                }
            }
            return true;
        }

        private void send(byte[] bytes) throws IOException {
            out.write(bytes);
            out.flush();
        }

        @Override
        public void head(int status, Headers headers) {
            arrivals.add(new Arrival.Head(status, headers));
        }

        @Override
        public void chunk(byte[] bytes) {
            arrivals.add(new Arrival.Chunk(bytes));
        }

        @Override
        public void end() {
            arrivals.add(new Arrival.End(null));
        }

        @Override
        public void failed(TransportException cause) {
            arrivals.add(new Arrival.End(cause));
        }
    }
}
