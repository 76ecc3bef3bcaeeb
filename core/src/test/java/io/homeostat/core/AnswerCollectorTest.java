package io.homeostat.core;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

final class AnswerCollectorTest {
    private static final HttpCall CALL = HttpCall.get("/api?secret", Headers.NONE);

    /** Gives the listener away, and answers inside open when asked to. */
    private static final class Scripted implements Transport {
        private final Consumer<AnswerListener> insideOpen;
        private @Nullable AnswerListener listener;
        private long demanded;
        private int cancelled;
        private TransportException.Sent sent = TransportException.Sent.MAYBE;

        Scripted() {
            this(listener -> {});
        }

        Scripted(Consumer<AnswerListener> insideOpen) {
            this.insideOpen = insideOpen;
        }

        @Override
        public Exchange open(HttpCall call, AnswerListener listener) {
            this.listener = listener;
            insideOpen.accept(listener);
            return new Exchange() {
                @Override
                public void demand(int chunks) {
                    demanded += chunks;
                }

                @Override
                public void cancel() {
                    cancelled++;
                }

                @Override
                public TransportException.Sent giveUp() {
                    cancel();
                    return sent;
                }
            };
        }

        @Override
        public void close() {}

        AnswerListener listener() {
            if (listener == null) {
                throw new AssertionError("nothing was opened");
            }
            return listener;
        }
    }

    private static CompletableFuture<HttpAnswer> send(Scripted transport, int maxBytes) {
        return transport.send(CALL, maxBytes).toCompletableFuture();
    }

    private static TransportException failureOf(CompletableFuture<HttpAnswer> answer) {
        assertThat(answer).isCompletedExceptionally();
        try {
            answer.join();
            throw new AssertionError("it has not failed");
        } catch (CompletionException e) {
            assertThat(e.getCause()).isInstanceOf(TransportException.class);
            return (TransportException) e.getCause();
        }
    }

    @Test
    void chunksBecomeOneBody() {
        Scripted transport = new Scripted();
        CompletableFuture<HttpAnswer> answer = send(transport, 5);
        assertThat(transport.demanded).isEqualTo(Integer.MAX_VALUE);
        transport.listener().head(201, Headers.of("A", "b"));
        transport.listener().chunk(new byte[] {1, 2});
        transport.listener().chunk(new byte[] {3, 4, 5});
        assertThat(answer).isNotDone();
        transport.listener().end();
        HttpAnswer whole = answer.join();
        assertThat(whole.status()).isEqualTo(201);
        assertThat(whole.headers().first("a")).contains("b");
        assertThat(whole.body()).containsExactly(1, 2, 3, 4, 5);
        assertThat(transport.cancelled).isZero();
    }

    @Test
    void answerWithoutBodyIsEmpty() {
        Scripted transport = new Scripted();
        CompletableFuture<HttpAnswer> answer = send(transport, 0);
        transport.listener().head(204, Headers.NONE);
        transport.listener().end();
        assertThat(answer.join().body()).isEmpty();
    }

    @Test
    void bodyBeyondTheLimitFailsAndGivesTheExchangeUp() {
        Scripted transport = new Scripted();
        CompletableFuture<HttpAnswer> answer = send(transport, 4);
        transport.listener().head(200, Headers.NONE);
        transport.listener().chunk(new byte[3]);
        transport.listener().chunk(new byte[2]);
        assertThat(transport.cancelled).isEqualTo(1);
        transport.listener().chunk(new byte[2]); // the one callback that may still arrive
        assertThat(failureOf(answer)).hasMessageContaining("GET /api").hasMessageContaining("larger than 4 bytes");
        assertThat(transport.cancelled).isEqualTo(1);
    }

    @Test
    void answerInsideOpenIsTaken() {
        Scripted transport = new Scripted(listener -> {
            listener.head(200, Headers.NONE);
            listener.chunk(new byte[] {7});
            listener.end();
        });
        assertThat(send(transport, 10).join().body()).containsExactly(7);
        assertThat(transport.demanded).isZero();
    }

    @Test
    void failureInsideOpenIsTaken() {
        TransportException refused = new TransportException(TransportException.Sent.NO, "refused", null);
        assertThat(failureOf(send(new Scripted(listener -> listener.failed(refused)), 10)))
                .isSameAs(refused);
    }

    @Test
    void bodyBeyondTheLimitInsideOpenGivesTheExchangeUp() {
        Scripted transport = new Scripted(listener -> {
            listener.head(200, Headers.NONE);
            listener.chunk(new byte[11]);
            listener.chunk(new byte[11]);
            listener.end();
        });
        assertThat(failureOf(send(transport, 10))).hasMessageContaining("larger");
        assertThat(transport.cancelled).isEqualTo(1);
        assertThat(transport.demanded).isZero();
    }

    @Test
    void cancelledAnswerGivesTheExchangeUp() {
        Scripted transport = new Scripted();
        CompletableFuture<HttpAnswer> answer = send(transport, 10);
        answer.cancel(true);
        assertThat(transport.cancelled).isEqualTo(1);
        transport.listener().chunk(new byte[2]);
        transport.listener().end();
        assertThat(answer).isCancelled();
    }

    @Test
    void cancelledAnswerWhoseRequestHadNotLeftFailsAndSaysSo() {
        Scripted transport = new Scripted();
        transport.sent = TransportException.Sent.NO;
        CompletableFuture<HttpAnswer> answer = send(transport, 10);

        assertThat(answer.cancel(true)).isFalse();

        assertThat(failureOf(answer).sent()).isEqualTo(TransportException.Sent.NO);
        assertThat(transport.cancelled).isEqualTo(1);
        assertThat(answer.cancel(true)).isFalse();
        assertThat(transport.cancelled).isEqualTo(1);
    }

    @Test
    void whatComesAfterTheEndChangesNothing() {
        Scripted transport = new Scripted();
        CompletableFuture<HttpAnswer> answer = send(transport, 10);
        transport.listener().head(200, Headers.NONE);
        transport.listener().end();
        transport.listener().failed(new TransportException(TransportException.Sent.MAYBE, "late", null));
        assertThat(answer.join().status()).isEqualTo(200);
    }

    @Test
    void messagesShowNoBodyAndNoHeaderValue() {
        HttpCall call = new HttpCall(
                "POST",
                "/x",
                Headers.of("Authorization", "Bearer t0ken"),
                "secret".getBytes(StandardCharsets.UTF_8),
                HttpCall.Kind.REQUEST);
        assertThat(call.toString() + call.headers()).doesNotContain("secret").doesNotContain("t0ken");
        assertThat(new HttpAnswer(200, call.headers(), call.body()).toString()).doesNotContain("secret");
        assertThatThrownBy(() -> HttpCall.get("/a b", Headers.NONE)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> HttpCall.get("http://host/", Headers.NONE))
                .isInstanceOf(IllegalArgumentException.class);
    }
}
