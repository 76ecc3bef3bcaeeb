package io.homeostat.core;

import java.util.Optional;
import java.util.concurrent.CompletionStage;
import java.util.function.Supplier;

/**
 * The one way to an API server: HTTP requests and answers as raw headers and bytes, bodies as streams of chunks.
 *
 * <p>A transport adds authentication and the server's address, and nothing else: it does not retry, redirect, decompress, cache or
 * time out, with three exceptions. A call that is answered 401 may be sent once more, with credentials
 * that were read anew and are others by then: the server looks at who asks before it does anything, so nothing is done twice. A {@code GET}
 * whose kept connection ended before a byte of its answer may be sent once more on another one (RFC 9112 §9.3.1); a write never is. And a
 * {@link HttpCall.Kind#STREAM} may be told {@link AnswerListener#end} after any chunk, inside a frame too, because client certificates or authorities
 * have changed and it has to move to a new connection: whoever watches goes on from the last version, as after any end. Faults, metrics and traces hook in by decorating this interface, and pass
 * {@link AnswerListener#refusal} and {@link Exchange#giveUp} on: through the one the write gate is asked, and the other tells a write that
 * never left from one that may have been done.
 *
 * <p><b>Order.</b> For one exchange: {@code head}, then {@code chunk}*, then {@code end}; or {@code failed} at any point, once,
 * last. Calls on one listener never overlap. <b>Threads.</b> {@link #open} may be called from any thread and never blocks. A
 * listener is called on a thread of the transport's choice and must hand off at once. <b>Memory.</b> At most the demanded number of
 * chunks is delivered: no demand, no reading, back to TCP. <b>Failure.</b> {@link #open} never throws for a failing request: the
 * listener's {@code failed} says so.
 */
@Spi
public interface Transport extends AutoCloseable {
    /** Sends {@code call} and streams the answer to {@code listener}. The demand starts at zero chunks. */
    Exchange open(HttpCall call, AnswerListener listener);

    /** Closes connections; open exchanges fail. */
    @Override
    void close();

    /**
     * Sends {@code call} and collects the whole answer.
     *
     * @param maxBytes the largest body accepted, as on the wire; beyond it the exchange is cancelled and the stage fails
     * @return completes with any HTTP status; fails with {@link TransportException} only. Cancelling it gives the exchange up; of one that
     *     has not left, and will not, it then fails with {@link TransportException.Sent#NO} instead of being cancelled
     */
    default CompletionStage<HttpAnswer> send(HttpCall call, int maxBytes) {
        return send(call, maxBytes, Optional::empty);
    }

    /**
     * As {@link #send(HttpCall, int)}, but asks directly before the request leaves whether it still may.
     *
     * @param refusal as {@link AnswerListener#refusal}
     */
    default CompletionStage<HttpAnswer> send(HttpCall call, int maxBytes, Supplier<Optional<String>> refusal) {
        return AnswerCollector.collect(this, call, maxBytes, refusal);
    }

    /** A request under way. Any thread may call it. */
    @Spi
    interface Exchange {
        /** Allows {@code chunks} more chunks to be delivered; adds to what is still allowed. */
        void demand(int chunks);

        /** Gives the exchange up. At most one callback that is already under way still arrives. Idempotent. */
        void cancel();

        /**
         * {@link #cancel}, for whoever has to know what it came to.
         *
         * @return {@link TransportException.Sent#NO} when no byte of the request has left, and none will; a transport that cannot tell says
         *     {@link TransportException.Sent#MAYBE}, as this does
         */
        default TransportException.Sent giveUp() {
            cancel();
            return TransportException.Sent.MAYBE;
        }
    }

    /** Receives an answer. */
    @Spi
    interface AnswerListener {
        /**
         * Asked directly before the first byte of the request leaves, each time it is sent: it may have waited for its turn, for
         * credentials or for a connection. Why it must not leave any more; empty to send it. A refused exchange fails, with nothing
         * sent. Must not block; a transport that hands requests on at once need not ask.
         */
        default Optional<String> refusal() {
            return Optional.empty();
        }

        /** The status line and headers have arrived. Needs no demand. */
        void head(int status, Headers headers);

        /** Bytes of the body, as they came from the wire; the array is the listener's from now on. */
        void chunk(byte[] bytes);

        /** The body ended as HTTP says it should, or a stream is to be opened anew (see {@link Transport}). Needs no demand. */
        void end();

        /** The request could not be sent, or the answer broke off. */
        void failed(TransportException cause);
    }
}
