package io.homeostat.virtualruntime;

import io.homeostat.core.EngineRuntime;
import org.junit.jupiter.api.AfterEach;

final class VirtualRuntimeContractTest extends EngineRuntimeContract {
    private final VirtualWorld world = VirtualWorld.seeded(7);
    private final VirtualProcess process = world.process("process");

    @Override
    EngineRuntime runtime() {
        return process;
    }

    @AfterEach
    void closeWorld() {
        world.close();
    }
}
