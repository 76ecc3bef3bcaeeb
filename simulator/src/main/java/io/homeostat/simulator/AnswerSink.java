package io.homeostat.simulator;

import io.homeostat.core.Headers;

/**
 * Where the server writes the answer to one request: an in-memory exchange or an HTTP connection.
 *
 * <p><b>Order.</b> {@code head}, then {@code chunk}*, then {@code end}; or {@code breakOff} or {@code hang} at any point, last.
 * <b>Threads.</b> Called on the simulator's lane; the two callbacks arrive there too. Never blocks.
 */
interface AnswerSink {
    /** Status line and headers. */
    void head(int status, Headers headers);

    /** Bytes of the body; the array belongs to the sink from now on. */
    void chunk(byte[] bytes);

    /** The body is complete. */
    void end();

    /** The connection breaks, as when the server dies; before {@code head} the client cannot know whether it was heard. */
    void breakOff(String why);

    /** The connection is refused: the request was certainly not heard. */
    void refuse(String why);

    /** Whether the reader keeps up: false once too many chunks wait for it. Writing on is allowed all the same. */
    boolean writable();

    /** Calls {@code work} once when {@link #writable} is true again. */
    void whenWritable(Runnable work);

    /** Calls {@code work} once when the reader is gone; at once if it is gone already. */
    void whenGone(Runnable work);
}
