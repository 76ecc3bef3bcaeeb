package io.homeostat.testkit;

import io.homeostat.core.SystemRuntime;
import io.homeostat.simulator.Simulator;
import io.homeostat.simulator.SimulatorServer;
import java.util.List;

/** A simulator of one test, on real time, served over HTTP; requests are counted in its own log. */
final class SimulatorTestServer implements TestServer {
    private final SystemRuntime runtime =
            SystemRuntime.builder().named("simulator").build();
    private final Simulator simulator = Simulator.on(runtime).build();
    private final SimulatorServer http = simulator.serve(0);
    private final ApiObserver observer = ApiObserver.plain(http.url());

    @Override
    public Backend backend() {
        return Backend.SIMULATOR;
    }

    @Override
    public ApiObserver observer() {
        return observer;
    }

    /** The simulator asks nobody who they are, so all kubeconfigs are the same. */
    @Override
    public String kubeconfig(String user, List<String> groups) {
        return http.kubeconfig();
    }

    Simulator simulator() {
        return simulator;
    }

    /** Everything but what the observer sent, whoever the user is. */
    @Override
    public List<ServedRequest> requests(String user) {
        return simulator.requests().stream()
                .filter(request -> !request.userAgent().equals(ApiObserver.USER_AGENT))
                .map(request -> new ServedRequest(
                        request.verb(),
                        request.path() + (request.query().isEmpty() ? "" : "?" + request.query()),
                        request.status(),
                        request.userAgent()))
                .toList();
    }

    @Override
    public boolean makesServiceAccounts() {
        return false;
    }

    @Override
    public void testFailed() {
        // Nothing outlives it that could be kept.
    }

    @Override
    public void close() {
        http.close();
        simulator.close();
        runtime.close();
    }
}
