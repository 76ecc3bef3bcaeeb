package io.homeostat.core;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Turns a streamed answer into one {@link HttpAnswer}.
 *
 * <pre>
 * Invariants
 * - The answer completes once: by the listener, by a body beyond the limit, or by the caller who gives it up.
 * - exchange: null (inside open) -> the open exchange -> FINISHED; or null -> FINISHED when open itself brought the end.
 * - Whoever moves it from an open exchange to FINISHED without the transport having said the end cancels that exchange.
 * </pre>
 */
final class AnswerCollector implements Transport.AnswerListener {
    /** Stands in {@link #exchange} once the answer needs no more of it. */
    private static final Transport.Exchange FINISHED = new Transport.Exchange() {
        @Override
        public void demand(int chunks) {}

        @Override
        public void cancel() {}
    };

    private final String what;
    private final int maxBytes;
    private final Supplier<Optional<String>> refusal;
    private final Answer answer = new Answer();
    private final AtomicReference<Transport.@Nullable Exchange> exchange = new AtomicReference<>();
    private final List<byte[]> chunks = new ArrayList<>(); // confined: calls on one listener never overlap
    private int size; // confined like chunks
    private int status; // confined like chunks
    private Headers headers = Headers.NONE; // confined like chunks

    private AnswerCollector(String what, int maxBytes, Supplier<Optional<String>> refusal) {
        this.what = what;
        this.maxBytes = maxBytes;
        this.refusal = refusal;
    }

    /** What the caller gets: cancelling it tells whether the request had left. */
    private final class Answer extends CompletableFuture<HttpAnswer> {
        @Override
        public boolean cancel(boolean mayInterruptIfRunning) {
            if (isDone() || giveUp() != TransportException.Sent.NO) {
                return super.cancel(mayInterruptIfRunning);
            }
            completeExceptionally(new TransportException(
                    TransportException.Sent.NO, what + ": it was given up before it could leave", null));
            return false;
        }
    }

    static CompletionStage<HttpAnswer> collect(
            Transport transport, HttpCall call, int maxBytes, Supplier<Optional<String>> refusal) {
        AnswerCollector collector = new AnswerCollector(call.method() + " " + call.target(), maxBytes, refusal);
        CompletableFuture<HttpAnswer> answer = collector.answer;
        Transport.Exchange exchange = transport.open(call, collector);
        if (collector.exchange.compareAndSet(null, exchange)) {
            // Whoever completes the stage in our place, by cancelling it or with a time limit, gives the exchange up.
            answer.whenComplete((done, failure) -> collector.giveUp());
            exchange.demand(Integer.MAX_VALUE);
        } else {
            exchange.cancel(); // the end came inside open()
        }
        return answer;
    }

    @Override
    public Optional<String> refusal() {
        return refusal.get();
    }

    @Override
    public void head(int status, Headers headers) {
        this.status = status;
        this.headers = headers;
    }

    @Override
    public void chunk(byte[] bytes) {
        if (exchange.get() == FINISHED) {
            return; // the one callback that may still arrive after cancel()
        }
        if ((long) size + bytes.length > maxBytes) {
            chunks.clear();
            giveUp();
            answer.completeExceptionally(new TransportException(
                    TransportException.Sent.MAYBE,
                    what + ": the answer is larger than " + maxBytes + " bytes; ask for less, or raise the limit",
                    null));
            return;
        }
        size += bytes.length;
        chunks.add(bytes);
    }

    @Override
    public void end() {
        if (exchange.getAndSet(FINISHED) != FINISHED) {
            answer.complete(new HttpAnswer(status, headers, body()));
        }
    }

    @Override
    public void failed(TransportException cause) {
        if (exchange.getAndSet(FINISHED) != FINISHED) {
            answer.completeExceptionally(cause);
        }
    }

    private byte[] body() {
        if (chunks.size() == 1) {
            return chunks.get(0);
        }
        byte[] body = new byte[size];
        int at = 0;
        for (byte[] chunk : chunks) {
            System.arraycopy(chunk, 0, body, at, chunk.length);
            at += chunk.length;
        }
        return body;
    }

    private TransportException.Sent giveUp() {
        Transport.Exchange open = exchange.getAndSet(FINISHED);
        return open == null ? TransportException.Sent.MAYBE : open.giveUp();
    }
}
