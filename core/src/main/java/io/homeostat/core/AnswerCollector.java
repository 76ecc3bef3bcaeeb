package io.homeostat.core;

import java.io.ByteArrayOutputStream;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/** Turns a streamed answer into one {@link HttpAnswer}. */
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
    private final CompletableFuture<HttpAnswer> answer;
    private final ByteArrayOutputStream body = new ByteArrayOutputStream(); // confined: listener calls never overlap
    private final AtomicReference<Transport.@Nullable Exchange> exchange = new AtomicReference<>();
    private int status; // confined like body
    private Headers headers = Headers.NONE; // confined like body

    private AnswerCollector(String what, int maxBytes, CompletableFuture<HttpAnswer> answer) {
        this.what = what;
        this.maxBytes = maxBytes;
        this.answer = answer;
    }

    static CompletionStage<HttpAnswer> collect(
            Transport transport, HttpCall call, int maxBytes, CompletableFuture<HttpAnswer> answer) {
        AnswerCollector collector = new AnswerCollector(call.method() + " " + call.target(), maxBytes, answer);
        Transport.Exchange exchange = transport.open(call, collector);
        if (collector.exchange.compareAndSet(null, exchange)) {
            exchange.demand(Integer.MAX_VALUE);
        } else {
            exchange.cancel(); // the answer came, or failed, inside open()
        }
        answer.whenComplete((done, failure) -> {
            if (answer.isCancelled()) {
                collector.giveUp();
            }
        });
        return answer;
    }

    @Override
    public void head(int status, Headers headers) {
        this.status = status;
        this.headers = headers;
    }

    @Override
    public void chunk(byte[] bytes) {
        if (body.size() + (long) bytes.length > maxBytes) {
            giveUp();
            answer.completeExceptionally(new TransportException(
                    TransportException.Sent.MAYBE,
                    what + ": the answer is larger than " + maxBytes + " bytes; ask for less, or raise the limit",
                    null));
            return;
        }
        body.writeBytes(bytes);
    }

    @Override
    public void end() {
        answer.complete(new HttpAnswer(status, headers, body.toByteArray()));
    }

    @Override
    public void failed(TransportException cause) {
        answer.completeExceptionally(cause);
    }

    private void giveUp() {
        Transport.Exchange open = exchange.getAndSet(FINISHED);
        if (open != null) {
            open.cancel();
        }
    }
}
