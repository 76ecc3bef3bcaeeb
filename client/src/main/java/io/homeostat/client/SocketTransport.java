package io.homeostat.client;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.HttpCall;
import io.homeostat.core.InterruptedWaitException;
import io.homeostat.core.Lane;
import io.homeostat.core.Transport;
import io.homeostat.core.TransportException;
import java.io.IOException;
import java.io.OutputStream;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * {@link Transport} over sockets of its own: one blocking HTTP/1.1 exchange per task (D26). Nothing in it repeats a write,
 * follows a redirect, or keeps more than one buffer of an answer.
 *
 * <p><b>Order.</b> As {@link Transport} says. <b>Threads.</b> Each exchange runs on a task, which connects, writes, reads, and
 * waits for demand through the runtime; it is an edge of the engine that blocks in I/O. At most {@value #MAX_REQUESTS} requests that are
 * no streams are under way at a time; others wait in the order in which they were made, and whoever gives them up need not wait. One that
 * waits for demand does not count. <b>Memory.</b> A buffer of 16 KiB for each
 * open connection; a chunk is what one read gave. <b>Failure.</b> Until the first byte of the request is written a failure says {@link
 * TransportException.Sent#NO}. Connections of streams are closed at their end; those of other requests are kept for {@value
 * #IDLE_SECONDS} s, and each is looked at before it is used again: one that the server closed meanwhile is not used. One that it closes at that very moment
 * cannot be told from one that it closed with the request in hand: a read is then sent once more, on a new connection (RFC 9112 §9.3.1); a
 * write is not. TCP keep-alive ends a connection whose path is dead within 30 s (D9a).
 */
final class SocketTransport implements Transport {
    /*
     * Invariants
     * - A connection is in `idle`, or held by one exchange, or closed; every open one is in `open`.
     * - A connection is put into `idle` only when its last answer was read to its end and said nothing against it.
     */

    /** Below the idle limits of servers in the field: 90 s at kube-apiserver, 60 s at common load balancers, 30 s at the JDK's. */
    private static final int IDLE_SECONDS = 20;

    private static final int MAX_IDLE = 16;

    /** Ordinary requests under way, each with a thread and a connection; streams are not counted. */
    private static final int MAX_REQUESTS = 64;

    /**
     * A write goes only over a connection that was in use this shortly before: one whose path has silently died since would leave the
     * write's outcome unknown. A read can be asked again.
     */
    private static final Duration WRITE_IDLE = Duration.ofSeconds(5);

    private final EngineRuntime runtime;
    private final SocketEndpoint endpoint;
    private final Addresses addresses;
    private final Lane lane;
    private final Handover handover;
    private final Turns turns = new Turns(MAX_REQUESTS);
    private final ReentrantLock lock = new ReentrantLock();

    @GuardedBy("lock")
    private final ArrayDeque<Idle> idle = new ArrayDeque<>();

    @GuardedBy("lock")
    private final Set<HttpConnection> open = new HashSet<>();

    @GuardedBy("lock")
    private boolean closed;

    private record Idle(HttpConnection connection, long since) {}

    /** An answer has begun. */
    private record Accepted(HttpConnection connection, HttpConnection.Head head) {}

    SocketTransport(EngineRuntime runtime, SocketEndpoint endpoint) {
        this(runtime, endpoint, new Addresses(endpoint.host()));
    }

    SocketTransport(EngineRuntime runtime, SocketEndpoint endpoint, Addresses addresses) {
        this.runtime = runtime;
        this.endpoint = endpoint;
        this.addresses = addresses;
        this.lane = runtime.lane("socket-transport");
        this.handover = new Handover(runtime, this::look);
    }

    @GuardedBy("lock")
    private TlsMaterial.@Nullable Version seen; // the certificates of the newest exchange or look

    /** What certificates there are now. Runs no plugin: the next request does. */
    private TlsMaterial.@Nullable Version look() {
        TlsMaterial tls = endpoint.tls();
        if (tls == null) {
            return null;
        }
        TlsMaterial.Version current = tls.current(endpoint.credentials().lastPair());
        use(current);
        return current;
    }

    /** These certificates are to be used from now on: kept connections with others are closed, streams move. */
    private void use(TlsMaterial.@Nullable Version current) {
        List<HttpConnection> outdated = new ArrayList<>();
        boolean changed;
        lock.lock();
        try {
            if (seen != null && current != null && current.number() < seen.number()) {
                return; // a look that was overtaken
            }
            changed = seen != null && seen != current;
            seen = current;
            if (changed) {
                for (Iterator<Idle> each = idle.iterator(); each.hasNext(); ) {
                    HttpConnection next = each.next().connection();
                    if (next.tls() != current) {
                        each.remove();
                        outdated.add(next);
                    }
                }
            }
        } finally {
            lock.unlock();
        }
        outdated.forEach(this::discard);
        if (changed && current != null) {
            handover.changedTo(current);
        }
    }

    @Override
    public Exchange open(HttpCall call, AnswerListener listener) {
        Pending pending = new Pending(call, listener);
        if (Turns.awaits(call)) {
            pending.turn.enter();
        } else {
            pending.begin();
        }
        return pending;
    }

    @Override
    public void close() {
        List<HttpConnection> abandoned;
        lock.lock();
        try {
            closed = true;
            idle.clear();
            abandoned = new ArrayList<>(open);
            open.clear();
        } finally {
            lock.unlock();
        }
        abandoned.forEach(HttpConnection::close);
    }

    /** A kept connection that is still good for this call; null when there is none. Blocks for a millisecond or so. */
    private @Nullable HttpConnection reuse(HttpCall call, TlsMaterial.@Nullable Version version) {
        Duration most = call.method().equals("GET") ? Duration.ofSeconds(IDLE_SECONDS) : WRITE_IDLE;
        while (true) {
            HttpConnection candidate;
            boolean fits;
            lock.lock();
            try {
                Idle newest = idle.peekLast();
                if (newest == null || runtime.nanos() - newest.since() > most.toNanos()) {
                    return null;
                }
                idle.removeLast();
                candidate = newest.connection();
                fits = candidate.tls() == version;
            } finally {
                lock.unlock();
            }
            if (fits && candidate.stillOpen()) {
                return candidate;
            }
            discard(candidate);
        }
    }

    /** A request was given up without an answer: where one path is dead, those beside it may be, so that none is used again. */
    private void suspect() {
        addresses.forget();
        dropIdle();
    }

    private void dropIdle() {
        List<HttpConnection> kept = new ArrayList<>();
        lock.lock();
        try {
            for (Idle each : idle) {
                kept.add(each.connection());
            }
            idle.clear();
        } finally {
            lock.unlock();
        }
        kept.forEach(this::discard);
    }

    private void keep(HttpConnection connection) {
        boolean kept;
        lock.lock();
        try {
            kept = !closed && idle.size() < MAX_IDLE && connection.tls() == seen;
            if (kept) {
                idle.addLast(new Idle(connection, runtime.nanos()));
            }
        } finally {
            lock.unlock();
        }
        if (kept) {
            runtime.after(Duration.ofSeconds(IDLE_SECONDS), lane, this::sweep);
        } else {
            discard(connection);
        }
    }

    private void sweep() {
        long now = runtime.nanos();
        List<HttpConnection> old = new ArrayList<>();
        lock.lock();
        try {
            for (Iterator<Idle> each = idle.iterator(); each.hasNext(); ) {
                Idle next = each.next();
                if (now - next.since() >= Duration.ofSeconds(IDLE_SECONDS).toNanos()) {
                    each.remove();
                    old.add(next.connection());
                }
            }
        } finally {
            lock.unlock();
        }
        old.forEach(this::discard);
    }

    private void discard(HttpConnection connection) {
        lock.lock();
        try {
            open.remove(connection);
        } finally {
            lock.unlock();
        }
        connection.close();
    }

    /** Counts a connection among the open ones, so that {@link #close} reaches it; false when it came too late. */
    private boolean register(HttpConnection connection) {
        lock.lock();
        try {
            return !closed && open.add(connection);
        } finally {
            lock.unlock();
        }
    }

    private boolean isClosed() {
        lock.lock();
        try {
            return closed;
        } finally {
            lock.unlock();
        }
    }

    /**
     * One exchange.
     *
     * <pre>connecting ──► sending (Sent.NO ends here) ──► head ──► body ──► over</pre>
     */
    private final class Pending implements Exchange {
        /*
         * Invariants
         * - Listener calls come from run() only, so they never overlap; none follows the last one.
         * - After cancel() the connection is closed, or will not be used: run() looks at `cancelled` under the lock before it
         *   attaches one, and again before it sends.
         */
        private final HttpCall call;
        private final AnswerListener listener;
        private final Turns.Turn turn = turns.turn(this::begin);
        private final ReentrantLock mine = new ReentrantLock();

        @GuardedBy("mine")
        private long demanded;

        @GuardedBy("mine")
        private @Nullable CompletableFuture<Boolean> demandCame; // set while run() waits for demand

        @GuardedBy("mine")
        private boolean cancelled;

        @GuardedBy("mine")
        private boolean suspected; // that it was given up has been held against other connections

        @GuardedBy("mine")
        private @Nullable HttpConnection connection;

        @GuardedBy("mine")
        private boolean moved; // its connection is being replaced

        @GuardedBy("mine")
        private boolean sent; // a byte may have left that was not refused

        private @Nullable HttpConnection held; // confined to run(), which closes it or keeps it
        private boolean repeated; // confined to run(): a kept connection ended before its answer began
        private volatile boolean
                waiting; // volatile: set by run(), read by cancel(): the request is out, its answer is not in

        Pending(HttpCall call, AnswerListener listener) {
            this.call = call;
            this.listener = listener;
        }

        /** False when it cannot begin, which the listener knows then. */
        boolean begin() {
            try {
                runtime.start(TransportFailures.path(call), this::run);
                return true;
            } catch (IllegalStateException e) {
                fail(new IOException("the runtime is closed", e));
                return false;
            } catch (RuntimeException | Error e) {
                fail(new IOException(
                        "no thread could be started for it (" + e.getClass().getName() + ")", e));
                throw e; // the VM's, mostly: whoever began this passes it to the runtime
            }
        }

        void run() {
            boolean released = false;
            Handover.Stream stream = null;
            try {
                Accepted accepted = accepted();
                if (accepted == null) {
                    return; // cancelled
                }
                HttpConnection used = accepted.connection();
                if (call.kind() == HttpCall.Kind.STREAM) {
                    stream = handover.opened(used.tls(), this::moveOn);
                }
                if (!exchange(used, accepted.head())) {
                    return; // cancelled
                }
                boolean reusable = used.reusable() && call.kind() == HttpCall.Kind.REQUEST;
                if (finish()) {
                    released = true; // before the end is told, so that whoever hears it finds the connection
                    if (reusable) {
                        keep(used);
                    } else {
                        discard(used);
                    }
                    listener.end();
                }
            } catch (IOException e) {
                if (moved()) {
                    if (finish()) {
                        listener.end();
                    }
                } else {
                    suspectOthers();
                    fail(e);
                }
            } catch (InterruptedWaitException e) {
                fail(new IOException("the runtime is closing", e));
            } catch (RuntimeException | Error e) {
                // Nobody else would say so, and a watch that is merely silent is waited for.
                fail(new IOException("unexpected " + e.getClass().getName(), e));
                throw e; // a defect, or the VM's: the task's end shows it
            } finally {
                if (stream != null) {
                    stream.ended();
                }
                detach();
                HttpConnection left = held;
                if (left != null && !released) {
                    discard(left);
                }
                turn.over();
            }
        }

        /** The head of the answer, after a second request when the first was refused for who asked; null when cancelled. */
        private @Nullable Accepted accepted() throws IOException {
            for (int attempt = 1; ; attempt++) {
                SocketEndpoint.Ready ready = endpoint.ready(runtime);
                use(ready.tls());
                Accepted answer = answer(ready, endpoint.request(call, ready));
                if (answer == null || isCancelled()) {
                    return null;
                }
                HttpConnection used = answer.connection();
                HttpConnection.Head head = answer.head();
                if (head.status() != 401) {
                    endpoint.accepted(ready);
                    return answer;
                }
                boolean others = endpoint.refused(runtime, ready, call);
                if (attempt > 1 || !others) {
                    return answer;
                }
                letGo(used);
                takeBack();
            }
        }

        /** One request and the head of its answer, a read that met the end of a kept connection after a second; null when cancelled. */
        private @Nullable Accepted answer(SocketEndpoint.Ready ready, byte[] request) throws IOException {
            HttpConnection kept =
                    call.kind() == HttpCall.Kind.REQUEST && !repeated && !isClosed() ? reuse(call, ready.tls()) : null;
            HttpConnection used = connect(ready, kept);
            if (used == null) {
                return null;
            }
            try {
                return new Accepted(used, send(used, request));
            } catch (IOException e) {
                boolean asked = kept != null && waiting && used.endedBeforeItsAnswer(e);
                if (!asked || !call.method().equals("GET") || isCancelled()) {
                    throw e;
                }
                repeated = true;
                waiting = false;
                letGo(used);
                dropIdle(); // whoever closes one kept connection may be closing all, and a write finds out too late
                HttpConnection fresh = connect(ready, null);
                return fresh == null ? null : new Accepted(fresh, send(fresh, request));
            }
        }

        private void letGo(HttpConnection used) {
            detach();
            held = null;
            discard(used);
        }

        /** @param reused null for a new connection */
        private @Nullable HttpConnection connect(SocketEndpoint.Ready ready, @Nullable HttpConnection reused)
                throws IOException {
            if (isClosed()) {
                if (reused != null) {
                    discard(reused);
                }
                throw new IOException("the transport is closed");
            }
            HttpConnection used = reused != null ? reused : endpoint.unconnected(ready, addresses);
            boolean mayUse = attach(used);
            if (!mayUse || (reused == null && !register(used))) {
                if (reused != null) {
                    keep(reused);
                }
                if (!mayUse) {
                    return null;
                }
                throw new IOException("the transport is closed");
            }
            held = used;
            if (reused == null) {
                used.connect();
            }
            return used;
        }

        private HttpConnection.Head send(HttpConnection used, byte[] request) throws IOException {
            OutputStream out = used.output();
            Optional<String> refusal = listener.refusal();
            if (refusal.isPresent()) {
                throw new IOException("it was refused: " + refusal.get());
            }
            if (!depart()) {
                throw new IOException("it was given up");
            }
            waiting = true; // before the write: whoever gives the request up may have seen it arrive
            HttpConnection.Head head = null;
            try {
                out.write(request);
                out.flush();
            } catch (IOException e) {
                head = used.refusalInsteadOf(e);
            }
            if (head == null) {
                head = used.readHead();
            }
            waiting = false;
            return head;
        }

        /** True when the answer was read to its end; false when the exchange was cancelled. */
        private boolean exchange(HttpConnection used, HttpConnection.Head head) throws IOException {
            listener.head(head.status(), head.headers());
            while (true) {
                if (!used.bodyEnded()) {
                    if (!awaitDemand()) {
                        return false;
                    }
                    byte[] bytes = used.readBody();
                    if (bytes != null) {
                        if (!takeDemand()) {
                            return false;
                        }
                        listener.chunk(bytes);
                        continue;
                    }
                }
                break;
            }
            return true;
        }

        /** Waits until a chunk is demanded; false when the exchange was cancelled. */
        private boolean awaitDemand() throws IOException {
            while (true) {
                CompletableFuture<Boolean> came;
                mine.lock();
                try {
                    if (cancelled) {
                        return false;
                    }
                    if (moved) {
                        throw new IOException("its connection was replaced");
                    }
                    if (demanded > 0) {
                        return true;
                    }
                    came = new CompletableFuture<>();
                    demandCame = came;
                } finally {
                    mine.unlock();
                }
                turn.over(); // its reader may be waiting for another request: nobody's turn may depend on it
                runtime.await(came, Duration.ofDays(3650));
            }
        }

        private boolean takeDemand() {
            mine.lock();
            try {
                demanded--;
                return !cancelled;
            } finally {
                mine.unlock();
            }
        }

        @Override
        public void demand(int chunks) {
            wake(chunks);
        }

        private void wake(int chunks) {
            CompletableFuture<Boolean> waiting;
            mine.lock();
            try {
                demanded = Math.addExact(demanded, chunks);
                waiting = demandCame;
                demandCame = null;
            } finally {
                mine.unlock();
            }
            if (waiting != null) {
                waiting.complete(true);
            }
        }

        @Override
        public void cancel() {
            giveUp();
        }

        @Override
        public TransportException.Sent giveUp() {
            HttpConnection abandoned;
            TransportException.Sent left;
            mine.lock();
            try {
                cancelled = true;
                abandoned = connection;
                connection = null;
                left = sent ? TransportException.Sent.MAYBE : TransportException.Sent.NO;
            } finally {
                mine.unlock();
            }
            if (abandoned != null) {
                abandoned.close(); // ends the read or write that run() is in
                suspectOthers();
            }
            wake(0);
            turn.leave(); // run() ends the turn, once it has begun: until then there are its thread and connection
            return left;
        }

        /** Once, whoever comes first of who gives it up and the read that ends by that: later there are newer connections. */
        private void suspectOthers() {
            boolean first;
            mine.lock();
            try {
                first = waiting && !suspected;
                suspected |= first;
            } finally {
                mine.unlock();
            }
            if (first) {
                suspect();
            }
        }

        /** From here on bytes may have left; false when it was given up before. */
        private boolean depart() {
            mine.lock();
            try {
                sent = !cancelled;
                return sent;
            } finally {
                mine.unlock();
            }
        }

        /** Refused is not done. */
        private void takeBack() {
            mine.lock();
            try {
                sent = false;
            } finally {
                mine.unlock();
            }
        }

        private TransportException.Sent sentSoFar() {
            mine.lock();
            try {
                return sent ? TransportException.Sent.MAYBE : TransportException.Sent.NO;
            } finally {
                mine.unlock();
            }
        }

        /** Gives the connection up for one with newer certificates; what was read is delivered, and then the end. */
        private void moveOn() {
            HttpConnection outdated;
            mine.lock();
            try {
                outdated = connection;
                moved = outdated != null;
            } finally {
                mine.unlock();
            }
            if (outdated != null) {
                outdated.close();
                wake(0);
            }
        }

        private boolean moved() {
            mine.lock();
            try {
                return moved;
            } finally {
                mine.unlock();
            }
        }

        private boolean attach(HttpConnection used) {
            mine.lock();
            try {
                if (!cancelled) {
                    connection = used;
                }
                return !cancelled;
            } finally {
                mine.unlock();
            }
        }

        private void detach() {
            mine.lock();
            try {
                connection = null;
            } finally {
                mine.unlock();
            }
        }

        private boolean isCancelled() {
            mine.lock();
            try {
                return cancelled;
            } finally {
                mine.unlock();
            }
        }

        /** From here on cancel() has no effect; false when it came first. */
        private boolean finish() {
            mine.lock();
            try {
                connection = null;
                boolean first = !cancelled;
                cancelled = true;
                return first;
            } finally {
                mine.unlock();
            }
        }

        private void fail(IOException cause) {
            if (finish()) {
                listener.failed(new TransportException(
                        sentSoFar(),
                        TransportFailures.path(call) + " to " + endpoint.name() + " failed: "
                                + TransportFailures.describe(cause),
                        cause));
            }
        }
    }
}
