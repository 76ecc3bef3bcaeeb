package io.homeostat.client;

import java.net.InetAddress;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.UnknownHostException;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The proxy that the environment names for a server, by the rules of Go ({@code golang.org/x/net/http/httpproxy}), which kubectl and every
 * other client of the same environment follow: {@code HTTPS_PROXY} or {@code HTTP_PROXY} by the server's scheme, {@code NO_PROXY} with
 * names, addresses, networks and {@code *}, and never for this machine itself. {@code ALL_PROXY} means nothing.
 */
final class EnvironmentProxy {
    private EnvironmentProxy() {}

    /** The proxy for this server; {@code ""} for none. */
    static String forServer(String scheme, String host, int port, Map<String, String> environment) {
        String proxy = either(environment, scheme.equals("https") ? "HTTPS_PROXY" : "HTTP_PROXY");
        // A zone names a link of this machine, and counts for no rule.
        String asked = host.toLowerCase(Locale.ROOT).replaceFirst("%.*", "");
        if (proxy.isEmpty() || !used(asked, port, either(environment, "NO_PROXY"))) {
            return "";
        }
        return withPort(proxy);
    }

    private static String either(Map<String, String> environment, String name) {
        String upper = environment.getOrDefault(name, "").trim();
        return upper.isEmpty()
                ? environment.getOrDefault(name.toLowerCase(Locale.ROOT), "").trim()
                : upper;
    }

    /** With a scheme and a port, where a proxy's URL has none: fabric8 wants both. As it is when it is no URL. */
    static String withPort(String proxy) {
        String whole = proxy.contains("://") ? proxy : "http://" + proxy;
        try {
            URI url = new URI(whole);
            if (url.getHost() == null || url.getPort() >= 0) {
                return whole;
            }
            int usual =
                    switch (url.getScheme().toLowerCase(Locale.ROOT)) {
                        case "https" -> 443;
                        case "socks5", "socks5h" -> 1080;
                        default -> 80;
                    };
            return new URI(url.getScheme(), url.getUserInfo(), url.getHost(), usual, url.getPath(), null, null)
                    .toString();
        } catch (URISyntaxException e) {
            return whole; // whoever opens it says that it is none
        }
    }

    private static boolean used(String host, int port, String exceptions) {
        byte[] address = address(host);
        if (host.equals("localhost") || (address != null && loopback(address))) {
            return false;
        }
        for (String each : exceptions.toLowerCase(Locale.ROOT).split(",", -1)) {
            String exception = each.trim();
            if (exception.equals("*") || (!exception.isEmpty() && matches(exception, host, port, address))) {
                return false;
            }
        }
        return true;
    }

    private static boolean matches(String exception, String host, int port, byte @Nullable [] address) {
        int slash = exception.indexOf('/');
        if (slash > 0) {
            byte[] network = address(exception.substring(0, slash));
            return network != null && address != null && within(address, network, exception.substring(slash + 1));
        }
        String name = exception;
        String wantedPort = "";
        int colon = exception.lastIndexOf(':');
        if (colon >= 0
                && (exception.startsWith("[") ? exception.charAt(colon - 1) == ']' : exception.indexOf(':') == colon)) {
            name = exception.substring(0, colon);
            wantedPort = exception.substring(colon + 1);
        }
        if (name.startsWith("[") && name.endsWith("]")) {
            name = name.substring(1, name.length() - 1);
        }
        if (name.isEmpty() || !(wantedPort.isEmpty() || wantedPort.equals(Integer.toString(port)))) {
            return false;
        }
        byte[] excepted = address(name);
        if (excepted != null) {
            return address != null && java.util.Arrays.equals(excepted, address);
        }
        String suffix = name.startsWith("*.") ? name.substring(1) : name;
        return suffix.startsWith(".") ? host.endsWith(suffix) : host.equals(suffix) || host.endsWith("." + suffix);
    }

    private static boolean within(byte[] address, byte[] network, String bits) {
        if (address.length != network.length || !bits.matches("[0-9]{1,3}")) {
            return false;
        }
        int length = Integer.parseInt(bits);
        if (length > address.length * 8) {
            return false;
        }
        for (int i = 0; i < length; i++) {
            int mask = 0x80 >> (i % 8);
            if ((address[i / 8] & mask) != (network[i / 8] & mask)) {
                return false;
            }
        }
        return true;
    }

    /** The bytes of a literal address; null for a name, which is not looked up. */
    private static byte @Nullable [] address(String text) {
        if (!text.contains(":") && !text.matches("[0-9]{1,3}(\\.[0-9]{1,3}){3}")) {
            return null;
        }
        try {
            return InetAddress.getByName(text).getAddress();
        } catch (UnknownHostException e) {
            return null;
        }
    }

    private static boolean loopback(byte[] address) {
        try {
            return InetAddress.getByAddress(address).isLoopbackAddress();
        } catch (UnknownHostException e) {
            return false; // of another length than addresses have
        }
    }
}
