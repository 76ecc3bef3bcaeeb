package io.homeostat.client;

import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Headers;
import io.homeostat.core.HttpCall;
import java.io.IOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.regex.Pattern;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SNIServerName;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import org.jspecify.annotations.Nullable;

/**
 * Where a {@link SocketTransport} connects to, and as whom.
 *
 * @param host a name or an address, without brackets; an IPv6 address with its zone after a percent sign, if any
 * @param port the port
 * @param basePath what stands before every target, {@code ""} for most servers; {@code /k8s/clusters/c-1} behind some gateways
 * @param tls null for plain HTTP
 * @param serverName the name the certificate must be for; {@code ""} for the host
 * @param credentials the headers that say who asks
 */
record SocketEndpoint(
        String host, int port, String basePath, @Nullable TlsMaterial tls, String serverName, Credentials credentials) {

    private static final Pattern TOKEN = Pattern.compile("[!#$%&'*+.^_`|~0-9A-Za-z-]+");

    /** For messages. */
    String name() {
        return (tls == null ? "http://" : "https://") + authority() + basePath;
    }

    /** {@link #name} for those who take the host's name for that of its certificate, and look it up elsewhere. */
    String nameWithoutDot() {
        return (tls == null ? "http://" : "https://") + authority(withoutDot(host)) + basePath;
    }

    private String authority() {
        return authority(host);
    }

    /** Without a zone, which means something on this machine only (RFC 6874 §4). */
    private String authority(String known) {
        return (known.contains(":") ? "[" + withoutZone(known) + "]" : known) + ":" + port;
    }

    private static String withoutZone(String address) {
        int zone = address.indexOf('%');
        return zone < 0 ? address : address.substring(0, zone);
    }

    /** A dot at the end keeps DNS from its search list; certificates and SNI have none (RFC 6066 §3). */
    private static String withoutDot(String name) {
        return name.endsWith(".") ? name.substring(0, name.length() - 1) : name;
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

    HttpConnection unconnected(Ready ready, Addresses addresses) {
        return new HttpConnection(this, addresses, ready.tls());
    }

    /** TLS over a connected socket, before its handshake; null when this endpoint speaks plain HTTP. */
    @Nullable
    SSLSocket layered(Socket plain, TlsMaterial.@Nullable Version version) throws IOException {
        if (tls == null || version == null) {
            return null;
        }
        String expected = withoutDot(serverName.isEmpty() ? withoutZone(host) : serverName);
        SSLSocket socket = (SSLSocket) version.socketFactory().createSocket(plain, expected, port, true);
        SSLParameters parameters = socket.getSSLParameters();
        parameters.setApplicationProtocols(new String[] {"http/1.1"});
        if (tls.verifiesHost()) {
            parameters.setEndpointIdentificationAlgorithm("HTTPS");
        }
        parameters.setServerNames(indication(expected));
        socket.setSSLParameters(parameters);
        return socket;
    }

    /** Server name indication; none for addresses, and for names that cannot be said there, such as those with an underscore. */
    private static List<SNIServerName> indication(String name) {
        if (isAddress(name)) {
            return List.of();
        }
        try {
            return List.of(new SNIHostName(name));
        } catch (IllegalArgumentException e) {
            return List.of();
        }
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
        byte[] bytes = head.append("\r\n").toString().getBytes(StandardCharsets.UTF_8); // as Go writes them
        byte[] request = java.util.Arrays.copyOf(bytes, bytes.length + call.body().length);
        System.arraycopy(call.body(), 0, request, bytes.length, call.body().length);
        return request;
    }

    private static void line(StringBuilder head, Headers.Header header) throws IOException {
        if (!isToken(header.name()) || broken(header.value())) {
            throw new IOException("the header " + ResourcePath.printable(header.name())
                    + " cannot be sent: its name holds what no name may, or its value a line break");
        }
        head.append(header.name()).append(": ").append(header.value()).append("\r\n");
    }

    /** What a header's name may be (RFC 9110 §5.6.2). */
    static boolean isToken(String name) {
        return TOKEN.matcher(name).matches();
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
