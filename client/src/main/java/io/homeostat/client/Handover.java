package io.homeostat.client;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Lane;
import io.homeostat.core.Registration;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Moves open streams to new connections when the certificates have changed: each is ended at a moment of its own within {@value
 * #SPREAD_SECONDS} s, and whoever reads it opens it again from its last version.
 *
 * <p>While streams are open the certificates are looked at every {@value #LOOK_SECONDS} s, since a quiet process makes no connection
 * that would show a change. A stream is left alone for its first {@value #SETTLE_SECONDS} s, in which initial events may be on their
 * way.
 *
 * <p><b>Threads.</b> Any; looks are on a user lane, since they read files. <b>Memory.</b> An entry for each open stream.
 */
final class Handover {
    /*
     * Invariants
     * - A stream is moved at most once, and only when its version is not the current one.
     * - While streams are open one look is due, or under way, and never two; else none is due.
     */
    private static final Logger log = LoggerFactory.getLogger(Handover.class);

    static final int LOOK_SECONDS = 5;
    private static final int SPREAD_SECONDS = 5;
    private static final int SETTLE_SECONDS = 5;

    private final EngineRuntime runtime;
    private final Lane lane;
    private final Supplier<TlsMaterial.@Nullable Version> look;
    private final ReentrantLock lock = new ReentrantLock();

    @GuardedBy("lock")
    private final Set<Stream> streams = new HashSet<>();

    @GuardedBy("lock")
    private final Map<Stream, Registration> moving = new HashMap<>();

    @GuardedBy("lock")
    private @Nullable Registration nextLook; // null while one is under way

    @GuardedBy("lock")
    private long looks; // armed so far

    /** A stream that can be moved. */
    final class Stream {
        private final TlsMaterial.@Nullable Version version;
        private final long openedAt;
        private final Runnable move;

        private Stream(TlsMaterial.@Nullable Version version, long openedAt, Runnable move) {
            this.version = version;
            this.openedAt = openedAt;
            this.move = move;
        }

        /** It has ended. */
        void ended() {
            forget(this);
        }
    }

    /**
     * A handover for one transport.
     *
     * @param look reads what is current; may block
     */
    Handover(EngineRuntime runtime, Supplier<TlsMaterial.@Nullable Version> look) {
        this.runtime = runtime;
        this.lane = runtime.userLane("handover");
        this.look = look;
    }

    /**
     * A stream was opened.
     *
     * @param version the certificates of its connection; null for plain HTTP, which never moves
     * @param move ends it; called on a user lane, at most once
     */
    Stream opened(TlsMaterial.@Nullable Version version, Runnable move) {
        Stream stream = new Stream(version, runtime.nanos(), move);
        if (version != null) {
            lock.lock();
            try {
                streams.add(stream);
                lookLater();
            } finally {
                lock.unlock();
            }
        }
        return stream;
    }

    private void forget(Stream stream) {
        Registration timer;
        Registration noLook = null;
        lock.lock();
        try {
            streams.remove(stream);
            timer = moving.remove(stream);
            if (streams.isEmpty()) {
                noLook = nextLook;
                nextLook = null;
            }
        } finally {
            lock.unlock();
        }
        if (timer != null) {
            timer.close();
        }
        if (noLook != null) {
            noLook.close();
        }
    }

    @GuardedBy("lock")
    private void lookLater() {
        if (nextLook == null && !streams.isEmpty()) {
            long number = ++looks;
            nextLook = runtime.after(Duration.ofSeconds(LOOK_SECONDS), lane, () -> look(number));
        }
    }

    private void look(long number) {
        lock.lock();
        try {
            if (number != looks || nextLook == null) {
                return; // called off while it waited for its turn
            }
            nextLook = null;
        } finally {
            lock.unlock();
        }
        TlsMaterial.Version current;
        try {
            current = look.get();
        } finally {
            lock.lock();
            try {
                lookLater(); // unless a stream that was opened meanwhile has seen to it
            } finally {
                lock.unlock();
            }
        }
        if (current != null) {
            changedTo(current);
        }
    }

    /** These certificates are current: streams on others move. */
    void changedTo(TlsMaterial.Version current) {
        int count = 0;
        lock.lock();
        try {
            long now = runtime.nanos();
            for (Stream stream : streams) {
                if (stream.version != current && !moving.containsKey(stream)) {
                    long spread = (long) (runtime.random("handover").nextDouble() * 1e9 * SPREAD_SECONDS);
                    long settled =
                            stream.openedAt + Duration.ofSeconds(SETTLE_SECONDS).toNanos() - now;
                    moving.put(
                            stream, runtime.after(Duration.ofNanos(spread + Math.max(0, settled)), lane, stream.move));
                    count++;
                }
            }
        } finally {
            lock.unlock();
        }
        if (count > 0) {
            log.atInfo()
                    .addKeyValue("streams", count)
                    .log("Certificates have changed: open streams move to new connections, each from its last version");
        }
    }
}
