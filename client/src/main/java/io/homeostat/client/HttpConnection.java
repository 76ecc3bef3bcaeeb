package io.homeostat.client;

import io.homeostat.core.Headers;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketOption;
import java.net.SocketTimeoutException;
import java.net.StandardSocketOptions;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import javax.net.ssl.SSLSocket;
import org.jspecify.annotations.Nullable;

/**
 * One HTTP/1.1 connection, blocking: a small, strict reader of answers (RFC 9112). What is not exactly an answer fails; nothing is
 * guessed, since on a kept connection a guess would shift every later answer.
 *
 * <p><b>Threads.</b> Confined to the exchange that holds it, but for {@link #close}. <b>Memory.</b> One buffer.
 */
final class HttpConnection {
    /** A TLS record is no longer, so a read gives no more. */
    private static final int BUFFER = 16 << 10;

    private static final String BROKEN_OFF = "the answer ended in its head or between chunks";
    private static final int MAX_HEAD = 64 << 10;
    /** Of a chunk's size: more would not fit a long. */
    private static final int MAX_SIZE_DIGITS = 15;

    private static final int HANDSHAKE_MILLIS = 10_000; // for each read of it
    private static final int REFUSAL_MILLIS = 1_000;

    /** D9a: idle 15 s, then 3 probes 5 s apart. */
    private static final Map<String, Integer> KEEP_ALIVE =
            Map.of("TCP_KEEPIDLE", 15, "TCP_KEEPINTERVAL", 5, "TCP_KEEPCOUNT", 3);

    private enum Body {
        NONE,
        LENGTH,
        CHUNKED,
        UNTIL_CLOSE
    }

    /** A status line and its headers. */
    record Head(int status, Headers headers) {}

    private final SocketEndpoint endpoint;
    private final Addresses addresses;
    private final TlsMaterial.@Nullable Version tls;
    private volatile Socket wire; // volatile: close() comes from any thread
    private volatile boolean closed; // volatile: the same
    private @Nullable Socket socket; // the wire, or TLS over it; confined to the exchange, as all below
    private @Nullable InputStream in;
    private final byte[] buffer = new byte[BUFFER];
    private int position;
    private int limit;
    private Body body = Body.NONE;
    private long left; // of the body (LENGTH) or of the present chunk (CHUNKED)
    private boolean firstChunk;
    private boolean ended = true;
    private boolean keepAlive;
    private boolean heard; // a byte of the answer to the present request

    HttpConnection(SocketEndpoint endpoint, Addresses addresses, TlsMaterial.@Nullable Version tls) {
        this.endpoint = endpoint;
        this.addresses = addresses;
        this.tls = tls;
        this.wire = new Socket();
    }

    /** Connects, over each of the host's addresses in turn, the one that worked last first, and does the TLS handshake. */
    void connect() throws IOException {
        IOException last = null;
        List<InetAddress> all = addresses.inOrder();
        int millis = (int) Addresses.patience(all.size()).toMillis();
        for (InetAddress address : all) {
            try {
                connect(address, millis);
                addresses.worked(address);
                return;
            } catch (IOException e) {
                if (closed) {
                    throw new IOException("given up while connecting", e);
                }
                if (last != null) {
                    e.addSuppressed(last);
                }
                last = e;
            }
        }
        throw last != null ? last : new IOException(endpoint.host() + " has no address");
    }

    private void connect(InetAddress address, int millis) throws IOException {
        Socket plain = new Socket();
        wire = plain;
        try {
            if (closed) {
                throw new IOException("given up before connecting");
            }
            plain.setTcpNoDelay(true);
            plain.setOption(StandardSocketOptions.SO_KEEPALIVE, true);
            setKeepAlive(plain);
            plain.connect(new InetSocketAddress(address, endpoint.port()), millis);
            plain.setSoTimeout(HANDSHAKE_MILLIS);
            SSLSocket layered = endpoint.layered(plain, tls);
            if (layered != null) {
                layered.startHandshake();
            }
            Socket made = layered == null ? plain : layered;
            plain.setSoTimeout(0);
            socket = made;
            in = made.getInputStream();
        } catch (IOException | RuntimeException e) {
            plain.close();
            throw e;
        }
    }

    /** By name, as a runtime image may lack the module jdk.net; where the system has no such option its own default stays. */
    private static void setKeepAlive(Socket plain) throws IOException {
        for (SocketOption<?> option : plain.supportedOptions()) {
            Integer value = KEEP_ALIVE.get(option.name());
            if (value != null && option.type() == Integer.class) {
                set(plain, option, value);
            }
        }
    }

    @SuppressWarnings("unchecked") // the caller looked at option.type()
    private static void set(Socket plain, SocketOption<?> option, Integer value) throws IOException {
        plain.setOption((SocketOption<Integer>) option, value);
    }

    /** Closes at once, without the courtesies of TLS: a read or write under way ends with an exception. Any thread. */
    void close() {
        closed = true;
        try {
            wire.close();
        } catch (IOException e) {
            // Closing a socket that is gone tells nothing that anybody could use.
        }
    }

    /** The certificates it was made with; null for plain HTTP. */
    TlsMaterial.@Nullable Version tls() {
        return tls;
    }

    /** For one request; what is read from now on is its answer. */
    OutputStream output() throws IOException {
        heard = false;
        return open().getOutputStream();
    }

    /**
     * Whether the other side ended the connection without a byte of the answer, so that nobody knows whether it has seen the request (RFC
     * 9112 §9.3.1). An answer that is merely none, or that did not come in time, is another matter.
     */
    boolean endedBeforeItsAnswer(IOException failure) {
        return !heard && !closed && !(failure instanceof SocketTimeoutException);
    }

    private Socket open() throws IOException {
        Socket open = socket;
        if (open == null) {
            throw new IOException("not connected");
        }
        return open;
    }

    /** Whether an idle connection has neither been closed by the server nor sent anything unasked. */
    boolean stillOpen() {
        if (closed || position != limit) {
            return false;
        }
        try {
            Socket open = open();
            open.setSoTimeout(1);
            try {
                fill();
                return false; // an end, or bytes that nobody asked for
            } catch (SocketTimeoutException e) {
                open.setSoTimeout(0);
                return true;
            }
        } catch (IOException e) {
            return false;
        }
    }

    /** Reads the head of the final answer; interim ones (1xx) are skipped. */
    Head readHead() throws IOException {
        while (true) {
            Head head = readOneHead();
            if (head.status() >= 200) {
                frame(head);
                return head;
            }
            if (head.status() == 101) {
                throw new IOException("the server switched protocols unasked");
            }
        }
    }

    /**
     * What the server answered while it did not take the whole request: too large, too many, not allowed. After such an answer it closes, so
     * that the rest of the request cannot be written; the answer is there to be read. Waits for a second.
     *
     * @param cause why the request could not be written; thrown when there is no such answer
     */
    Head refusalInsteadOf(IOException cause) throws IOException {
        try {
            open().setSoTimeout(REFUSAL_MILLIS);
            Head head = readHead();
            if (head.status() >= 400) {
                open().setSoTimeout(HANDSHAKE_MILLIS); // for its body
                keepAlive = false;
                return head;
            }
        } catch (IOException e) {
            cause.addSuppressed(e);
        }
        throw cause;
    }

    private Head readOneHead() throws IOException {
        int budget = MAX_HEAD;
        String statusLine = readLine(budget);
        budget -= statusLine.length();
        if (!statusLine.matches("HTTP/1\\.[01] [1-5][0-9][0-9]( .*)?")) {
            throw new IOException("no HTTP/1.1 status line in the answer (" + statusLine.length() + " bytes)");
        }
        keepAlive = statusLine.charAt(7) == '1';
        int status = Integer.parseInt(statusLine.substring(9, 12));
        List<Headers.Header> lines = new ArrayList<>();
        while (true) {
            String line = readLine(budget);
            budget -= line.length() + 2;
            if (line.isEmpty()) {
                return new Head(status, Headers.of(lines));
            }
            int colon = line.indexOf(':');
            if (colon <= 0 || line.charAt(0) == ' ' || line.charAt(0) == '\t' || line.charAt(colon - 1) == ' ') {
                throw new IOException("a broken header line in the answer (" + line.length() + " bytes)");
            }
            lines.add(new Headers.Header(
                    line.substring(0, colon), line.substring(colon + 1).trim()));
        }
    }

    /** Tells from the head how the body is framed (RFC 9112 §6.3). */
    private void frame(Head head) throws IOException {
        String length = null;
        boolean chunked = false;
        for (Headers.Header header : head.headers().all()) {
            switch (header.name().toLowerCase(Locale.ROOT)) {
                case "content-length" -> {
                    if (length != null && !length.equals(header.value())) {
                        throw new IOException("two different Content-Length headers");
                    }
                    length = header.value();
                }
                case "transfer-encoding" -> {
                    if (chunked || !header.value().equalsIgnoreCase("chunked")) {
                        throw new IOException("a Transfer-Encoding other than chunked");
                    }
                    chunked = true;
                }
                case "connection" -> {
                    if (List.of(header.value().toLowerCase(Locale.ROOT).split("\\s*,\\s*"))
                            .contains("close")) {
                        keepAlive = false;
                    }
                }
                default -> {} // no matter of framing
            }
        }
        if (chunked && length != null) {
            throw new IOException("both Content-Length and Transfer-Encoding");
        }
        ended = false;
        if (head.status() == 204 || head.status() == 304) {
            body = Body.NONE;
            ended = true;
        } else if (chunked) {
            body = Body.CHUNKED;
            left = 0;
            firstChunk = true;
        } else if (length != null) {
            if (!length.matches("[0-9]{1,18}")) {
                throw new IOException("a Content-Length that is no number");
            }
            body = Body.LENGTH;
            left = Long.parseLong(length);
            ended = left == 0;
        } else {
            body = Body.UNTIL_CLOSE;
            keepAlive = false;
        }
    }

    /**
     * Whether the body has ended. Where its end is not told beforehand that is looked for, which may block, and gives none of it away: the
     * end needs no demand.
     */
    boolean bodyEnded() throws IOException {
        if (!ended) {
            ended = switch (body) {
                case NONE -> true;
                case LENGTH -> false;
                case CHUNKED -> left == 0 && !nextChunk();
                case UNTIL_CLOSE -> position == limit && fill() < 0;
            };
        }
        return ended;
    }

    /** Whether another request may follow on this connection. */
    boolean reusable() {
        return ended && keepAlive && position == limit && !closed;
    }

    /** The next bytes of the body, as many as one read gave; null at its end. */
    byte @Nullable [] readBody() throws IOException {
        while (!ended) {
            byte[] bytes =
                    switch (body) {
                        case NONE -> {
                            ended = true;
                            yield null;
                        }
                        case LENGTH -> readLength();
                        case CHUNKED -> readChunks();
                        case UNTIL_CLOSE -> readUntilClose();
                    };
            if (bytes != null) {
                return bytes;
            }
        }
        return null;
    }

    private byte[] readLength() throws IOException {
        need(() -> left + " bytes of the body are missing");
        byte[] bytes = take(left);
        left -= bytes.length;
        ended = left == 0;
        return bytes;
    }

    private byte @Nullable [] readUntilClose() throws IOException {
        if (position == limit && fill() < 0) {
            ended = true;
            return null;
        }
        return take(Long.MAX_VALUE);
    }

    /** The payload of all chunks that are in the buffer, so that many small ones make one; blocks only while it has none. */
    private byte @Nullable [] readChunks() throws IOException {
        if (left == 0 && !nextChunk()) {
            ended = true;
            return null;
        }
        need(() -> "the body ended inside a chunk");
        byte[] payload = new byte[limit - position];
        int length = 0;
        while (true) {
            int size = (int) Math.min(left, limit - position);
            System.arraycopy(buffer, position, payload, length, size);
            position += size;
            length += size;
            left -= size;
            if (left > 0 || !nextSizeBuffered()) {
                break;
            }
            nextChunk();
        }
        return length == payload.length ? payload : Arrays.copyOf(payload, length);
    }

    /** Whether the end of a chunk and the size line of one more are in the buffer: reading them cannot block. */
    private boolean nextSizeBuffered() {
        int lines = 0;
        for (int i = position; i < limit; i++) {
            if (buffer[i] == '\n' && ++lines == 2) {
                return !lastChunk(i); // after which there are more lines: left to a call that may block
            }
        }
        return false;
    }

    private boolean lastChunk(int newline) {
        int start = newline;
        while (start > position && buffer[start - 1] != '\n') {
            start--;
        }
        return buffer[start] == '0';
    }

    /** Reads the size line of the next chunk; false when it was the last, whose trailers are read too. */
    private boolean nextChunk() throws IOException {
        if (!firstChunk && !readLine(MAX_HEAD).isEmpty()) {
            throw new IOException("a chunk that is longer than its size");
        }
        firstChunk = false;
        String line = readLine(MAX_HEAD);
        int extension = line.indexOf(';');
        String size = (extension < 0 ? line : line.substring(0, extension)).trim();
        left = hexadecimal(size);
        if (left > 0) {
            return true;
        }
        int budget = MAX_HEAD;
        for (String trailer = readLine(budget); !trailer.isEmpty(); trailer = readLine(budget)) {
            budget -= trailer.length() + 2;
        }
        return false;
    }

    /** By hand: there is one for each event of a watch. */
    private static long hexadecimal(String size) throws IOException {
        long value = 0;
        for (int i = 0; i < size.length(); i++) {
            int digit = size.charAt(i) < 128 ? Character.digit(size.charAt(i), 16) : -1;
            if (digit < 0) {
                throw new IOException("a chunk without a size");
            }
            value = value << 4 | digit;
        }
        if (size.isEmpty() || size.length() > MAX_SIZE_DIGITS) {
            throw new IOException("a chunk without a size");
        }
        return value;
    }

    /** Makes sure that there is a byte in the buffer. */
    private void need(java.util.function.Supplier<String> missing) throws IOException {
        if (position == limit && fill() < 0) {
            throw new EOFException("the connection was closed: " + missing.get());
        }
    }

    private byte[] take(long atMost) {
        int size = (int) Math.min(atMost, limit - position);
        byte[] bytes = Arrays.copyOfRange(buffer, position, position + size);
        position += size;
        return bytes;
    }

    /** One line, without its end, as ISO 8859-1. */
    private String readLine(int budget) throws IOException {
        need(() -> BROKEN_OFF);
        for (int i = position; i < limit; i++) {
            if (buffer[i] == '\n') {
                int end = i > position && buffer[i - 1] == '\r' ? i - 1 : i;
                String line = new String(buffer, position, end - position, StandardCharsets.ISO_8859_1);
                position = i + 1;
                return line;
            }
        }
        return lineOfMore(budget);
    }

    /** A line of which the buffer has the beginning only. */
    private String lineOfMore(int budget) throws IOException {
        StringBuilder line = new StringBuilder();
        while (true) {
            need(() -> BROKEN_OFF);
            for (int i = position; i < limit; i++) {
                if (buffer[i] == '\n') {
                    append(line, i);
                    position = i + 1;
                    int end = line.length();
                    if (end > 0 && line.charAt(end - 1) == '\r') {
                        line.setLength(end - 1);
                    }
                    return line.toString();
                }
            }
            append(line, limit);
            position = limit;
            if (line.length() > budget) {
                throw new IOException("a head of more than " + MAX_HEAD + " bytes");
            }
        }
    }

    private void append(StringBuilder line, int to) {
        line.append(new String(buffer, position, to - position, StandardCharsets.ISO_8859_1));
    }

    /** Blocks for the next bytes; negative at the end. Only when the buffer is used up. */
    private int fill() throws IOException {
        InputStream from = in;
        if (from == null) {
            throw new IOException("not connected");
        }
        int read = from.read(buffer, 0, buffer.length);
        position = 0;
        limit = Math.max(read, 0);
        heard |= read > 0;
        return read;
    }
}
