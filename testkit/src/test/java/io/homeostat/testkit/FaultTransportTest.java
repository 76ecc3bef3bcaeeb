package io.homeostat.testkit;

import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Transport;
import java.util.List;

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
}
