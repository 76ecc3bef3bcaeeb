package io.homeostat.simulator;

import io.homeostat.core.SystemRuntime;
import java.net.http.HttpClient;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;

/** The simulator over HTTP answers as the real server does. */
class SimulatorConformanceTest extends Conformance {
    private static SystemRuntime runtime;
    private static Simulator simulator;
    private static SimulatorServer server;
    private static final HttpClient HTTP =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    @BeforeAll
    static void start() {
        runtime = SystemRuntime.create();
        simulator = Simulator.on(runtime).withoutWorkloads().build();
        simulator.compact(); // the first version is out of reach, as on a server with a past
        server = simulator.serve(0);
    }

    @AfterAll
    static void stop() {
        simulator.close();
        runtime.close();
    }

    @Override
    String url() {
        return server.url();
    }

    @Override
    HttpClient http() {
        return HTTP;
    }
}
