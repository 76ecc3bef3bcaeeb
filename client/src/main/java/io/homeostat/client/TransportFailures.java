package io.homeostat.client;

import io.homeostat.core.HttpCall;
import io.homeostat.core.TransportException;
import java.io.IOException;
import java.net.ConnectException;
import java.net.NoRouteToHostException;
import java.net.PortUnreachableException;
import java.net.UnknownHostException;
import java.net.http.HttpConnectTimeoutException;
import java.nio.channels.UnresolvedAddressException;
import javax.net.ssl.SSLHandshakeException;
import javax.net.ssl.SSLPeerUnverifiedException;
import org.jspecify.annotations.Nullable;

/** What an I/O failure says about the request: whether the server may have seen it, and in which words people are told. */
final class TransportFailures {
    private TransportFailures() {}

    /** A failure before the status line, of a client that does not say how far it came. */
    static TransportException of(HttpCall call, String server, @Nullable Throwable cause) {
        TransportException.Sent sent =
                beforeSending(cause) ? TransportException.Sent.NO : TransportException.Sent.MAYBE;
        return new TransportException(sent, path(call) + " to " + server + " failed: " + describe(cause), cause);
    }

    /** A failure after the status line. */
    static TransportException broken(HttpCall call, String server, @Nullable Throwable cause) {
        return new TransportException(
                TransportException.Sent.MAYBE,
                "the answer to " + path(call) + " from " + server + " broke off: " + describe(cause),
                cause);
    }

    /** Method and path; a query may hold what selectors select. */
    static String path(HttpCall call) {
        int query = call.target().indexOf('?');
        return call.method() + " " + (query < 0 ? call.target() : call.target().substring(0, query));
    }

    private static boolean beforeSending(@Nullable Throwable cause) {
        // The handshake comes first, so its failure means that nothing was sent. Under TLS 1.3 a server's refusal of
        // our certificate comes later, as another SSLException: that one is a MAYBE.
        for (Throwable t = cause; t != null; t = t.getCause()) {
            if (t instanceof ConnectException
                    || t instanceof HttpConnectTimeoutException
                    || t instanceof UnknownHostException
                    || t instanceof UnresolvedAddressException
                    || t instanceof NoRouteToHostException
                    || t instanceof PortUnreachableException
                    || t instanceof SSLHandshakeException
                    || t instanceof SSLPeerUnverifiedException) {
                return true;
            }
        }
        return false;
    }

    /** The words of an I/O failure; those of others could quote anything, so only their type is said. */
    static String describe(@Nullable Throwable cause) {
        if (cause == null) {
            return "no cause was given";
        }
        Throwable deepest = cause;
        while (deepest.getCause() != null && deepest.getCause() != deepest) {
            deepest = deepest.getCause();
        }
        String type = cause.getClass().getSimpleName();
        if (cause instanceof UnresolvedAddressException || deepest instanceof UnresolvedAddressException) {
            return "UnresolvedAddressException: the server's name cannot be resolved";
        }
        String message = cause.getMessage() == null ? deepest.getMessage() : cause.getMessage();
        if (!(cause instanceof IOException) || message == null) {
            return type;
        }
        return type + ": " + ResourcePath.printable(message);
    }
}
