package io.homeostat.client;

import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Headers;
import io.homeostat.core.HttpCall;
import io.homeostat.core.Lane;
import io.homeostat.core.Registration;
import io.homeostat.core.Transport;
import io.homeostat.core.TransportException;
import java.io.ByteArrayOutputStream;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.zip.ZipException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One streamed answer, a watch or a page of a list: from chunks on the wire to batches of entries at the listener.
 *
 * <pre>
 *   WAITING ── 200 ──► READING ── end of the answer, a break, broken bytes ──► ENDING ── last batch taken ──► DONE
 *      ├──── other ──► REFUSED ── body read, cut, or stalled ────────────────────────────────────────────────► DONE
 *      ├──── no head in time, not sent, broke off ───────────────────────────────────────────────────────────► DONE
 *      └──── close() from any state ─────────────────────────────────────────────────────────────────────────► DONE
 * </pre>
 *
 * <p><b>Order.</b> Batches in the order of the bytes; the end, or what broke the stream, after the last entry before it.
 * <b>Threads.</b> Confined to a lane of its own; the listener is called on the lane it named. <b>Memory.</b> While no batch is
 * demanded nothing is read or inflated: what is held is at most {@value #WINDOW} chunks and the entries of one slice of {@value
 * #SLICE} bytes beyond a batch, however much a chunk inflates to. <b>Failure.</b> A silent server ends the wait for the status
 * line, for the body of a refusal, and for the bytes of a list. A silent watch is legal: whoever watches watches over it.
 */
final class AnswerStream<E> implements Streams.Handle, Transport.AnswerListener {
    /*
     * Invariants
     * - Fields without a comment are confined to `lane`; transport and caller hand everything to it.
     * - asked + chunks.size() <= WINDOW, and asked grows only while credit > 0, entries is empty and the state reads.
     * - ending is set at most once, and nothing is read after it but chunks that came before it.
     * - After DONE the exchange, the inflater, the timer and the lane are released, and the listener is called no more.
     */

    private static final Logger log = LoggerFactory.getLogger(AnswerStream.class);

    /** Chunks on the way or waiting: enough that the socket is read while a batch is parsed. */
    static final int WINDOW = 4;

    /** How many plain bytes are read between two looks at the clock. */
    static final int SLICE = 32 << 10;

    static final int BATCH_BYTES = 256 << 10;
    static final int BATCH_ENTRIES = 500;

    /** The longest body of a refusal that is kept: a Status is small, a proxy's page is not read by anybody. */
    /** After an error of the VM, before a stream is said to be torn. */
    private static final Duration NO_MEMORY = Duration.ofSeconds(1);

    private static final int MAX_REFUSAL = 256 << 10;

    /**
     * What a stream needs of its client.
     *
     * @param request what is asked, for texts
     * @param refused told of an answer that is no success, before the listener is
     */
    record Source(
            EngineRuntime runtime,
            Transport transport,
            ApiClient.Settings settings,
            String request,
            Consumer<ApiException> refused) {}

    /** What tells a watch from a list. Called on the stream's lane, but for the three that say so. */
    interface Content<E> {
        /** The entries that these bytes complete. */
        List<E> read(byte[] bytes, int from, int to);

        /** Whether the rest need not be read. */
        boolean broken();

        /** The bytes an entry holds, for the size of batches. */
        int bytesOf(E entry);

        /** Whether silence is a failure. */
        boolean mustProgress();

        /** What to tell the listener now that the bytes have ended as HTTP says they should; a throw is a failure. */
        Runnable ended();

        /** The answer is a 200; on the listener's lane. */
        void opened();

        /** On the listener's lane. */
        void deliver(List<E> batch);

        /** On the listener's lane. */
        void failed(ApiException cause);
    }

    private enum State {
        WAITING,
        READING,
        REFUSED,
        ENDING,
        DONE
    }

    private final Source source;
    private final HttpApiClient.CallMaker maker;
    private final Lane lane;
    private final Lane listenerLane;
    private final Content<E> content;
    private volatile boolean closed; // volatile: set by any thread, read by every callback before it calls the listener

    private State state = State.WAITING;
    private Transport.@Nullable Exchange exchange;
    private @Nullable Registration timer;
    private @Nullable MemberInflater inflater;
    private final ArrayDeque<byte[]> chunks = new ArrayDeque<>();
    private final byte[] plain = new byte[SLICE];
    private byte @Nullable [] current; // the chunk being read; null between chunks
    private int position; // in current, when it is not compressed
    private int asked;
    private int credit;
    private long lastProgress;
    private boolean turnQueued;
    private final ArrayDeque<E> entries = new ArrayDeque<>();
    private long entryBytes;
    private @Nullable Runnable ending;
    // Made before memory is short.
    private final Runnable tornEnd = this::failTorn;
    private final Runnable tornTurn = this::turn;
    private int refusalStatus;
    private Headers refusalHeaders = Headers.NONE;
    private final ByteArrayOutputStream refusal = new ByteArrayOutputStream();

    private AnswerStream(Source source, HttpApiClient.CallMaker maker, Lane listenerLane, Content<E> content) {
        this.source = source;
        this.maker = maker;
        this.listenerLane = listenerLane;
        this.content = content;
        this.lane = source.runtime().lane(source.request());
    }

    static <E> Streams.Handle open(
            Source source, HttpApiClient.CallMaker maker, Lane listenerLane, Content<E> content) {
        AnswerStream<E> stream = new AnswerStream<>(source, maker, listenerLane, content);
        stream.lane.execute(stream::start);
        return stream;
    }

    @Override
    public void demand(int batches) {
        if (batches <= 0) {
            throw new IllegalArgumentException(
                    source.request() + ": demand of " + batches + " batches; it must be positive");
        }
        lane.execute(() -> {
            credit = credit + batches < 0 ? Integer.MAX_VALUE : credit + batches;
            turn();
        });
    }

    @Override
    public void close() {
        closed = true;
        lane.execute(this::release);
    }

    @Override
    public void head(int status, Headers headers) {
        lane.execute(() -> answered(status, headers));
    }

    @Override
    public void chunk(byte[] bytes) {
        lane.execute(() -> arrived(bytes));
    }

    @Override
    public void end() {
        lane.execute(this::bytesEnded);
    }

    @Override
    public void failed(TransportException cause) {
        lane.execute(() -> bytesBroke(cause));
    }

    private void start() {
        if (closed) {
            release();
            return;
        }
        HttpCall call;
        try {
            call = maker.make();
        } catch (ApiException e) {
            fail(e);
            return;
        }
        timer = source.runtime().after(source.settings().streamTimeout(), lane, this::headOverdue);
        try {
            exchange = source.transport().open(call, this);
        } catch (RuntimeException e) { // against the port's contract
            fail(ApiErrors.lost(source.request(), false, HttpApiClient.brokenTransport(e)));
        }
    }

    private void headOverdue() {
        if (state == State.WAITING) {
            fail(unreachable(
                    "no status line within " + source.settings().streamTimeout().toMillis() + " ms"));
        }
    }

    private void answered(int status, Headers headers) {
        if (state != State.WAITING) {
            return;
        }
        log.debug("{} -> HTTP {}", source.request(), status);
        stopTimer();
        String encoding = HttpApiClient.contentEncoding(headers);
        if (!encoding.isEmpty() && !encoding.equals("gzip")) {
            fail(HttpApiClient.unknownEncoding(source.request()));
            return;
        }
        lastProgress = source.runtime().nanos();
        if (status != 200) {
            state = State.REFUSED;
            refusalStatus = status;
            refusalHeaders = headers;
            watchProgress(source.settings().requestTimeout());
            askForChunks();
            return;
        }
        String mediaType = headers.first("Content-Type").orElse("").toLowerCase(java.util.Locale.ROOT);
        if (mediaType.startsWith("text/html")) { // a proxy's or login page, which may never end a line
            fail(new ApiException.Malformed(
                    source.request(), ApiException.Answer.none("HTTP 200, but with a page of text/html"), null));
            return;
        }
        state = State.READING;
        if (!encoding.isEmpty()) {
            inflater = new MemberInflater();
        }
        tell(content::opened);
        if (content.mustProgress()) {
            watchProgress(source.settings().requestTimeout());
        }
        turn();
    }

    private void arrived(byte[] bytes) {
        if (state != State.READING && state != State.REFUSED) {
            return;
        }
        asked--;
        lastProgress = source.runtime().nanos();
        if (state == State.REFUSED) {
            refusal.write(bytes, 0, Math.min(bytes.length, MAX_REFUSAL - refusal.size()));
            if (refusal.size() >= MAX_REFUSAL) {
                refuse(new byte[0]);
            } else {
                askForChunks();
            }
            return;
        }
        try {
            chunks.add(bytes);
        } catch (VirtualMachineError e) {
            torn();
            throw e;
        }
        turn();
    }

    private void bytesEnded() {
        switch (state) {
            case WAITING -> fail(unreachable("the answer ended before its status line"));
            case REFUSED -> refuse(refusal.toByteArray());
            case READING -> {
                end(this::endOfBytes);
                turn();
            }
            default -> {} // nobody listens any more
        }
    }

    private void bytesBroke(TransportException cause) {
        switch (state) {
            case WAITING -> fail(ApiErrors.lost(source.request(), false, cause));
            case REFUSED -> refuse(new byte[0]); // the status is the news, not that its body broke off
            case READING -> {
                end(() -> fail(brokeOff(cause)));
                turn();
            }
            default -> {} // nobody listens any more
        }
    }

    private void endOfBytes() {
        String unfinished = inflater == null ? null : inflater.unfinished();
        if (unfinished != null) {
            fail(unreachable("the answer ended inside its compression: " + unfinished));
            return;
        }
        Runnable last;
        try {
            last = content.ended();
        } catch (ApiException e) {
            fail(e);
            return;
        }
        tell(last);
        release();
    }

    private ApiException brokeOff(TransportException cause) {
        String found = cause.getMessage() == null ? "it broke off" : cause.getMessage();
        return new ApiException.Unreachable(
                source.request(), ApiException.Answer.none("the answer broke off: " + found), cause);
    }

    private void end(Runnable how) {
        state = State.ENDING;
        ending = how;
        stopTimer();
    }

    /** {@link #readOn}; a defect in it ends the stream in words instead of leaving it silent (P-C8). */
    private void turn() {
        try {
            readOn();
        } catch (RuntimeException e) {
            log.error(
                    "A stream could not be read, which is a defect; it is given up: {} [HS-217]", source.request(), e);
            fail(new ApiException.Malformed(
                    source.request(),
                    ApiException.Answer.none(
                            "the answer could not be read (" + e.getClass().getName() + ")"),
                    e));
        } catch (VirtualMachineError e) {
            torn();
            throw e;
        }
    }

    /**
     * An error of the VM, most often a want of memory, struck somewhere in what was read: nothing after it may be taken as if that had come.
     * Takes no memory but for the turn that says so; without that the stream is as one that is silent.
     */
    private void torn() {
        if (state == State.DONE) {
            return;
        }
        state = State.ENDING;
        ending = tornEnd;
        entries.clear();
        chunks.clear();
        current = null;
        turnQueued = false;
        cancelExchange();
        source.runtime().after(NO_MEMORY, lane, tornTurn);
    }

    private void failTorn() {
        fail(unreachable("there was no memory to read the answer"));
    }

    /** Reads what is there, within the demand; asks for more when it has read all. */
    private void readOn() {
        if (turnQueued || (state != State.READING && state != State.ENDING)) {
            return;
        }
        while (true) {
            if (full()) {
                if (credit == 0) {
                    return;
                }
                deliverBatch();
                continue;
            }
            if (current == null && chunks.isEmpty()) {
                if (!entries.isEmpty()) {
                    if (credit == 0) {
                        return;
                    }
                    deliverBatch();
                    continue;
                }
                if (ending != null) {
                    ending.run();
                } else if (credit > 0) {
                    askForChunks();
                }
                return;
            }
            if (credit == 0) {
                return;
            }
            readSlice();
            if (lane.shouldYield()) {
                turnQueued = true;
                lane.execute(() -> {
                    turnQueued = false;
                    turn();
                });
                return;
            }
        }
    }

    /** Reads up to {@link #SLICE} plain bytes. What breaks there ends the stream after what was read before. */
    private void readSlice() {
        if (current == null) {
            byte[] next = chunks.remove();
            current = next;
            position = 0;
            if (inflater != null) {
                inflater.feed(next);
            }
        }
        byte[] bytes = current;
        int from;
        int to;
        if (inflater == null) {
            from = position;
            to = Math.min(bytes.length, from + SLICE);
            position = to;
            if (to == bytes.length) {
                current = null;
            }
        } else {
            bytes = plain;
            from = 0;
            try {
                to = inflater.next(plain);
            } catch (ZipException e) {
                breakWith(new ApiException.Malformed(
                        source.request(), ApiException.Answer.none("broken gzip: " + e.getMessage()), e));
                return;
            }
            if (to == 0) {
                current = null;
                return;
            }
        }
        lane.charge(to - from);
        List<E> read;
        try {
            read = content.read(bytes, from, to);
        } catch (RuntimeException | LinkageError | AssertionError | StackOverflowError e) {
            // A defect of ours. Entries of this slice are lost, so nothing after them may be taken as if they had come.
            String found = "the answer could not be read (" + e.getClass().getName() + ")";
            breakWith(new ApiException.Malformed(source.request(), ApiException.Answer.none(found), e));
            return;
        }
        for (E entry : read) {
            entries.add(entry);
            entryBytes += content.bytesOf(entry);
        }
        if (content.broken()) {
            end(this::endOfBytes);
            current = null;
            chunks.clear();
            cancelExchange();
        }
    }

    /** Gives the rest of the stream up; entries before the break are delivered first. */
    private void breakWith(ApiException cause) {
        end(() -> fail(cause));
        current = null;
        chunks.clear();
        cancelExchange();
    }

    private boolean full() {
        return entries.size() >= BATCH_ENTRIES || entryBytes >= BATCH_BYTES;
    }

    private void deliverBatch() {
        List<E> batch = new ArrayList<>(Math.min(entries.size(), BATCH_ENTRIES));
        long bytes = 0;
        while (batch.size() < BATCH_ENTRIES) {
            E entry = entries.peek();
            if (entry == null) {
                break;
            }
            int size = content.bytesOf(entry);
            if (!batch.isEmpty() && bytes + size > BATCH_BYTES) {
                break;
            }
            entries.remove();
            batch.add(entry);
            bytes += size;
        }
        entryBytes -= bytes;
        credit = credit == Integer.MAX_VALUE ? credit : credit - 1;
        List<E> delivered = List.copyOf(batch);
        tell(() -> content.deliver(delivered));
    }

    private void askForChunks() {
        int more = WINDOW - asked - chunks.size();
        if (exchange != null && more > 0) {
            if (asked == 0) {
                lastProgress = source.runtime().nanos(); // silence counts from when bytes were asked for
            }
            asked += more;
            exchange.demand(more);
        }
    }

    private void refuse(byte[] body) {
        byte[] plainBody = body;
        if (!HttpApiClient.contentEncoding(refusalHeaders).isEmpty() && body.length > 0) {
            try {
                plainBody = MemberInflater.inflate(body, MAX_REFUSAL);
            } catch (ZipException e) {
                plainBody = new byte[0]; // the status speaks for itself
            }
        }
        ApiException refused = ApiErrors.ofAnswer(
                source.request(),
                false,
                refusalStatus,
                refusalHeaders,
                plainBody,
                source.runtime().wallClock());
        source.refused().accept(refused);
        fail(refused);
    }

    /** Looks once per {@code patience} whether bytes that were asked for have come. */
    private void watchProgress(Duration patience) {
        long since = source.runtime().nanos() - lastProgress;
        long left = patience.toNanos() - since;
        timer = source.runtime().after(Duration.ofNanos(left > 0 ? left : patience.toNanos()), lane, () -> {
            if (state != State.READING && state != State.REFUSED) {
                return;
            }
            if (asked > 0 && source.runtime().nanos() - lastProgress >= patience.toNanos()) {
                if (state == State.REFUSED) {
                    refuse(new byte[0]);
                } else {
                    breakWith(unreachable("no bytes for " + patience.toMillis() + " ms in the middle of the answer"));
                    turn();
                }
                return;
            }
            watchProgress(patience);
        });
    }

    private ApiException unreachable(String found) {
        return new ApiException.Unreachable(source.request(), ApiException.Answer.none(found), null);
    }

    private void fail(ApiException cause) {
        tell(() -> content.failed(cause));
        release();
    }

    private void tell(Runnable callback) {
        listenerLane.execute(() -> {
            if (!closed) {
                callback.run();
            }
        });
    }

    private void stopTimer() {
        if (timer != null) {
            timer.close();
            timer = null;
        }
    }

    private void cancelExchange() {
        if (exchange != null) {
            exchange.cancel();
            exchange = null;
        }
    }

    private void release() {
        if (state == State.DONE) {
            return;
        }
        state = State.DONE;
        stopTimer();
        cancelExchange();
        if (inflater != null) {
            inflater.close();
            inflater = null;
        }
        chunks.clear();
        entries.clear();
        current = null;
        ending = null;
        lane.close();
    }
}
