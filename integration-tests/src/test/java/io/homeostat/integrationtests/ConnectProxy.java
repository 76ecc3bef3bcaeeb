package io.homeostat.integrationtests;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * A forward proxy as companies have them: it tunnels what a client asks for with CONNECT (RFC 9110), sees nothing of it, and drops or
 * refuses tunnels when it is told to.
 *
 * <p>Two threads a tunnel; {@link #close} ends them all.
 */
final class ConnectProxy implements AutoCloseable {
    private final ServerSocket listener;

    // All guarded by this.
    private final List<Socket> open = new ArrayList<>();
    private final Set<String> targets = new TreeSet<>();
    private int tunnels;
    private int refusals;
    private boolean refusing;

    ConnectProxy() throws IOException {
        listener = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        start("accept", this::accept);
    }

    String url() {
        return "http://127.0.0.1:" + listener.getLocalPort();
    }

    /** Tunnels opened so far. */
    synchronized int tunnels() {
        return tunnels;
    }

    /** Tunnels refused so far. */
    synchronized int refusals() {
        return refusals;
    }

    /** What clients wanted to reach. */
    synchronized Set<String> targets() {
        return Set.copyOf(targets);
    }

    /** Cuts every tunnel. */
    synchronized void drop() {
        open.forEach(ConnectProxy::close);
        open.clear();
    }

    /** Cuts every tunnel, and answers 503 to whoever asks for one, until {@link #serve}. */
    synchronized void refuse() {
        refusing = true;
        drop();
    }

    synchronized void serve() {
        refusing = false;
    }

    private static void start(String name, Runnable work) {
        Thread thread = new Thread(work, "connect-proxy-" + name);
        thread.setDaemon(true);
        thread.start();
    }

    private void accept() {
        while (!listener.isClosed()) {
            try {
                Socket client = listener.accept();
                start("tunnel", () -> tunnel(client));
            } catch (IOException e) {
                return; // closed
            }
        }
    }

    private void tunnel(Socket client) {
        try {
            String target = target(client.getInputStream());
            OutputStream out = client.getOutputStream();
            if (!allows(client, target)) {
                out.write("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                        .getBytes(StandardCharsets.US_ASCII));
                client.close();
                return;
            }
            int colon = target.lastIndexOf(':');
            Socket server = new Socket(target.substring(0, colon), Integer.parseInt(target.substring(colon + 1)));
            keep(server);
            out.write("HTTP/1.1 200 Connection established\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
            start("upstream", () -> pump(client, server));
            pump(server, client);
        } catch (IOException e) {
            close(client);
        }
    }

    /** The authority of a CONNECT. */
    private static String target(InputStream in) throws IOException {
        StringBuilder head = new StringBuilder();
        while (head.indexOf("\r\n\r\n") < 0) {
            int next = in.read();
            if (next < 0 || head.length() > 16_384) {
                throw new IOException("no request");
            }
            head.append((char) next);
        }
        String[] words = head.substring(0, head.indexOf("\r\n")).split(" ", -1);
        if (!words[0].equals("CONNECT")) {
            throw new IOException(words[0] + " is not tunnelled");
        }
        return words[1];
    }

    private synchronized boolean allows(Socket client, String target) {
        targets.add(target);
        if (refusing) {
            refusals++;
            return false;
        }
        tunnels++;
        open.add(client);
        return true;
    }

    private synchronized void keep(Socket server) {
        if (refusing || listener.isClosed()) {
            close(server);
        }
        open.add(server);
    }

    private static void pump(Socket from, Socket to) {
        try {
            from.getInputStream().transferTo(to.getOutputStream());
        } catch (IOException e) {
            // cut: the other direction ends with it
        } finally {
            close(from);
            close(to);
        }
    }

    private static void close(Socket socket) {
        try {
            socket.close();
        } catch (IOException e) {
            // it is gone already
        }
    }

    @Override
    public void close() throws IOException {
        listener.close();
        drop();
    }
}
