package io.homeostat.client;

import static org.assertj.core.api.Assertions.assertThat;

import io.homeostat.core.Headers;
import io.homeostat.core.HttpCall;
import io.homeostat.core.SystemRuntime;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** An error of the VM while an answer is read. On real threads: in a virtual world it ends the seed. */
@Timeout(60)
class TornAnswerTest {
    private static final int CHUNKS = 6;
    private final List<Throwable> fatal = new CopyOnWriteArrayList<>();
    private final SystemRuntime runtime =
            SystemRuntime.builder().named("test").onFatal(fatal::add).build();
    private final ScriptedServer server = new ScriptedServer(runtime, peer -> {
        peer.head(200, "Content-Type", "application/json");
        for (int i = 0; i < CHUNKS; i++) {
            peer.chunk(Integer.toString(i));
        }
    });

    @AfterEach
    void end() {
        runtime.close();
    }

    /** Each chunk is an entry. */
    private static final class Chunks implements AnswerStream.Content<String> {
        private final List<String> told = new ArrayList<>();
        private final CompletableFuture<ApiException> failure = new CompletableFuture<>();
        private final String at;
        private int calls;

        Chunks(String method, int call) {
            this.at = method + call;
        }

        private void step(String method) {
            if (at.equals(method + (at.startsWith(method) ? ++calls : 0))) {
                throw new OutOfMemoryError("planted");
            }
        }

        @Override
        public List<String> read(byte[] bytes, int from, int to) {
            step("read");
            return List.of(new String(bytes, from, to - from, StandardCharsets.UTF_8));
        }

        @Override
        public boolean broken() {
            return false;
        }

        @Override
        public int bytesOf(String entry) {
            step("bytesOf");
            return 1;
        }

        @Override
        public boolean mustProgress() {
            return false;
        }

        @Override
        public Runnable ended() {
            return () -> {};
        }

        @Override
        public void opened() {}

        @Override
        public void deliver(List<String> batch) {
            told.addAll(batch);
        }

        @Override
        public void failed(ApiException cause) {
            failure.complete(cause);
        }
    }

    @ParameterizedTest
    @CsvSource({"read, 1", "read, 2", "read, 4", "bytesOf, 1", "bytesOf, 2", "bytesOf, 3", "bytesOf, 6"})
    void nothingIsToldOfWhatCameBehindAnErrorOfTheVm(String method, int call) {
        Chunks chunks = new Chunks(method, call);
        AnswerStream.open(
                        new AnswerStream.Source(
                                runtime, server, ApiClient.Settings.of("test"), "watch things", refused -> {}),
                        () -> new HttpCall("GET", "/things", Headers.NONE, new byte[0], HttpCall.Kind.STREAM),
                        runtime.lane("listener"),
                        chunks)
                .demand(100);

        ApiException failure = runtime.await(chunks.failure, Duration.ofSeconds(20));

        assertThat(failure).isInstanceOf(ApiException.Unreachable.class).hasMessageContaining("no memory");
        assertThat(String.join("", chunks.told)).isEqualTo("012345".substring(0, chunks.told.size()));
        assertThat(chunks.told.size()).isLessThan(CHUNKS);
        assertThat(server.peers.get(0).cancelled).isTrue();
        assertThat(fatal).hasSize(1);
    }
}
