package io.homeostat.client;

import java.io.IOException;
import java.net.InetAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * The addresses of one server, the one that worked last first: an address that leads nowhere is waited for once, not by each connection.
 *
 * <p><b>Threads.</b> Any that may block: names are looked up each time, since an answer changes when servers do.
 */
final class Addresses {
    /** For all addresses together, within the time a request has. */
    private static final Duration ALL = Duration.ofSeconds(20);

    private static final Duration ONLY_ONE = Duration.ofSeconds(10);
    private static final Duration ONE_OF_SEVERAL = Duration.ofSeconds(5);
    private static final Duration SHORTEST = Duration.ofSeconds(1);

    /** Looks a name up. */
    @FunctionalInterface
    interface Resolver {
        InetAddress[] addresses(String host) throws IOException;
    }

    private final String host;
    private final Resolver resolver;
    private final AtomicReference<@Nullable InetAddress> worked = new AtomicReference<>();

    /** Looked up by the system. */
    Addresses(String host) {
        this(host, InetAddress::getAllByName);
    }

    Addresses(String host, Resolver resolver) {
        this.host = host;
        this.resolver = resolver;
    }

    /** In the order in which to try them. */
    List<InetAddress> inOrder() throws IOException {
        List<InetAddress> all = new ArrayList<>(List.of(resolver.addresses(host)));
        InetAddress last = worked.get();
        if (last != null && all.remove(last)) {
            all.add(0, last);
        }
        return all;
    }

    /** How long to try each of so many. */
    static Duration patience(int count) {
        if (count <= 1) {
            return ONLY_ONE;
        }
        Duration share = ALL.dividedBy(count);
        Duration most = share.compareTo(ONE_OF_SEVERAL) < 0 ? share : ONE_OF_SEVERAL;
        return most.compareTo(SHORTEST) < 0 ? SHORTEST : most;
    }

    /** What worked answers no more, or nothing but errors: the resolver's order counts again. */
    void forget() {
        worked.set(null);
    }

    /** A connection to it came about. */
    void worked(InetAddress address) {
        worked.set(address);
    }
}
