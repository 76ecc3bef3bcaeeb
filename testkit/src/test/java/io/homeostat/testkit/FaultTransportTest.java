package io.homeostat.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Headers;
import io.homeostat.core.HttpCall;
import io.homeostat.core.Transport;
import io.homeostat.core.TransportException;
import io.homeostat.virtualruntime.VirtualProcess;
import io.homeostat.virtualruntime.VirtualWorld;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

final class FaultTransportTest extends FaultContract {
    private FaultTransport faulty = FaultTransport.around(server, runtime, FaultPlan.none());

    @Override
    Transport through(EngineRuntime runtime, FaultedServer server, FaultPlan plan) {
        faulty = FaultTransport.around(server, runtime, plan);
        return faulty;
    }

    @Override
    void follow(FaultPlan plan) {
        faulty.follow(plan);
    }

    @Override
    int requests(String verb, String resource) {
        return faulty.requests(verb, resource);
    }

    @Override
    List<String> log() {
        return faulty.log();
    }

    /** Leaves a request where it is, and says of it what the test wants. */
    private static final class Waiting implements Transport {
        final CountDownLatch opened = new CountDownLatch(1);
        private final TransportException.Sent sent;

        Waiting(TransportException.Sent sent) {
            this.sent = sent;
        }

        @Override
        public Exchange open(HttpCall call, AnswerListener listener) {
            return new Exchange() {
                @Override
                public void demand(int chunks) {
                    opened.countDown(); // only what has been opened is asked for chunks
                }

                @Override
                public void cancel() {}

                @Override
                public TransportException.Sent giveUp() {
                    return sent;
                }
            };
        }

        @Override
        public void close() {}
    }

    private static final HttpCall WRITE =
            new HttpCall("DELETE", LISTING + "/c-1", Headers.NONE, new byte[0], HttpCall.Kind.REQUEST);

    @ParameterizedTest
    @EnumSource(TransportException.Sent.class)
    void whoGivesUpIsToldWhatTheTransportBehindSays(TransportException.Sent sent) throws Exception {
        Waiting behind = new Waiting(sent);
        Transport.Exchange exchange =
                FaultTransport.around(behind, runtime, FaultPlan.none()).open(WRITE, new Seen());
        exchange.demand(1);
        assertThat(behind.opened.await(20, TimeUnit.SECONDS)).isTrue();

        assertThat(exchange.giveUp()).isEqualTo(sent);
    }

    @Test
    void requestThatIsGivenUpBeforeItIsConnectedIsNeverOpenedBehind() {
        try (VirtualWorld world = VirtualWorld.seeded(1)) {
            VirtualProcess process = world.process("client");
            FaultedServer behind = new FaultedServer(process);
            Transport.Exchange exchange =
                    FaultTransport.around(behind, process, FaultPlan.none()).open(WRITE, new Seen());

            assertThat(exchange.giveUp()).isEqualTo(TransportException.Sent.NO);
            world.runFor(Duration.ofMinutes(1));
            assertThat(behind.calls).isEmpty();
        }
    }
}
