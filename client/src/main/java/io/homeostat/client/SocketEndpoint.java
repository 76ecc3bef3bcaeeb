package io.homeostat.client;

import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Headers;
import io.homeostat.core.HttpCall;
import java.io.IOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.List;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import org.jspecify.annotations.Nullable;

/**
 * Where a {@link SocketTransport} connects to, and as whom.
 *
 * @param host a name or an address, without brackets
 * @param port the port
 * @param basePath what stands before every target, {@code ""} for most servers; {@code /k8s/clusters/c-1} behind some gateways
 * @param tls null for plain HTTP
 * @param serverName the name the certificate must be for; {@code ""} for the host
 * @param credentials the headers that say who asks
 */
record SocketEndpoint(
        String host, int port, String basePath, @Nullable TlsMaterial tls, String serverName, Credentials credentials) {

    /** For messages. */
    String name() {
        return (tls == null ? "http://" : "https://") + authority() + basePath;
    }

    private String authority() {
        return (host.contains(":") ? "[" + host + "]" : host) + ":" + port;
    }

    /**
     * What one request is made with.
     *
     * @param held the headers that say who asks
     * @param tls null for plain HTTP
     */
    record Ready(Credentials.Held held, TlsMaterial.@Nullable Version tls) {}

    /**
     * Looks at files that may have changed, and waits for an exec plugin when one must run.
     *
     * @throws IOException when there is nothing to ask with
     */
    Ready ready(EngineRuntime runtime) throws IOException {
        Credentials.Held held = credentials.current(runtime);
        return new Ready(held, tls == null ? null : tls.current(held.pair()));
    }

    HttpConnection unconnected(Ready ready) {
        return new HttpConnection(this, ready.tls());
    }

    /** TLS over a connected socket, before its handshake; null when this endpoint speaks plain HTTP. */
    @Nullable
    SSLSocket layered(Socket plain, TlsMaterial.@Nullable Version version) throws IOException {
        if (tls == null || version == null) {
            return null;
        }
        String expected = serverName.isEmpty() ? host : serverName;
        SSLSocket socket = (SSLSocket) version.socketFactory().createSocket(plain, expected, port, true);
        SSLParameters parameters = socket.getSSLParameters();
        parameters.setApplicationProtocols(new String[] {"http/1.1"});
        if (tls.verifiesHost()) {
            parameters.setEndpointIdentificationAlgorithm("HTTPS");
        }
        if (!isAddress(expected)) {
            parameters.setServerNames(List.of(new SNIHostName(expected)));
        }
        socket.setSSLParameters(parameters);
        return socket;
    }

    private static boolean isAddress(String host) {
        return host.contains(":") || host.matches("[0-9.]+");
    }

    /** The whole request, head and body, in one array: one write, one TLS record for most. */
    byte[] request(HttpCall call, Ready ready) throws IOException {
        StringBuilder head = new StringBuilder(512)
                .append(call.method())
                .append(' ')
                .append(basePath)
                .append(call.target())
                .append(" HTTP/1.1\r\nHost: ")
                .append(authority())
                .append("\r\n");
        for (Headers.Header header : call.headers().all()) {
            line(head, header);
        }
        for (Headers.Header header : ready.held().headers()) {
            line(head, header);
        }
        if (call.body().length > 0 || !call.method().equals("GET")) {
            head.append("Content-Length: ").append(call.body().length).append("\r\n");
        }
        byte[] bytes = head.append("\r\n").toString().getBytes(StandardCharsets.ISO_8859_1);
        byte[] request = java.util.Arrays.copyOf(bytes, bytes.length + call.body().length);
        System.arraycopy(call.body(), 0, request, bytes.length, call.body().length);
        return request;
    }

    private static void line(StringBuilder head, Headers.Header header) throws IOException {
        if (broken(header.name()) || broken(header.value())) {
            throw new IOException("the header " + ResourcePath.printable(header.name())
                    + " holds a line break; its value cannot be sent");
        }
        head.append(header.name()).append(": ").append(header.value()).append("\r\n");
    }

    private static boolean broken(String text) {
        return text.indexOf('\r') >= 0 || text.indexOf('\n') >= 0;
    }

    /**
     * The server did not accept who asks (401): what can be read anew is. Whether something else would be asked with now, so that
     * the same request is worth sending once more: the server looks at who asks before anything else, so it has not been done.
     */
    boolean refused(EngineRuntime runtime, Ready used, HttpCall call) {
        Credentials.Again again =
                call.method().equals("GET") ? Credentials.Again.AT_ANY_COST : Credentials.Again.AT_ONCE;
        boolean other = credentials.refused(runtime, used.held(), again);
        return other || (tls != null && tls.current(used.held().pair()) != used.tls());
    }

    void accepted(Ready used) {
        credentials.accepted(used.held());
    }
}
