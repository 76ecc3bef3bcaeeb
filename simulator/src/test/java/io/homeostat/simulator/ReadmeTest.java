package io.homeostat.simulator;

import static org.assertj.core.api.Assertions.assertThat;

import io.homeostat.core.Headers;
import io.homeostat.core.HttpCall;
import io.homeostat.core.SystemRuntime;
import io.homeostat.core.Transport;
import java.time.Duration;
import org.junit.jupiter.api.Test;

/** The code of the README works. */
final class ReadmeTest {
    @Test
    void simulatorAnswersInMemoryAndSaysWhereItIsServed() {
        try (SystemRuntime runtime = SystemRuntime.create()) {
            // region start
            try (Simulator simulator = Simulator.on(runtime)
                            .workloads(Duration.ofMillis(50))
                            .build();
                    SimulatorServer http = simulator.serve(0)) { // loopback, for kubectl: http.kubeconfig()
                Transport inMemory = simulator.transport(runtime); // no sockets
                HttpCall call = HttpCall.get("/api/v1/namespaces/default", Headers.NONE);
                assertThat(runtime.await(inMemory.send(call, 10_000), Duration.ofSeconds(10))
                                .status())
                        .isEqualTo(200);
                assertThat(http.kubeconfig()).contains(http.url());
            }
            // endregion start
        }
    }
}
