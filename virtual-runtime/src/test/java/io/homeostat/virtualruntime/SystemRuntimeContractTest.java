package io.homeostat.virtualruntime;

import io.homeostat.core.EngineRuntime;
import io.homeostat.core.SystemRuntime;

final class SystemRuntimeContractTest extends EngineRuntimeContract {
    private final SystemRuntime runtime = SystemRuntime.create();

    @Override
    EngineRuntime runtime() {
        return runtime;
    }
}
