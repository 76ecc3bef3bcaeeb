package io.homeostat.simulator;

import io.homeostat.core.SystemRuntime;
import java.nio.file.Files;
import java.nio.file.Path;

/** Serves a simulator until it is killed: for a look at it with kubectl. */
final class ServeMain {
    private ServeMain() {}

    public static void main(String[] args) throws Exception {
        SystemRuntime runtime = SystemRuntime.create();
        Simulator simulator = Simulator.on(runtime).build();
        SimulatorServer server = simulator.serve(args.length > 1 ? Integer.parseInt(args[1]) : 0);
        Files.writeString(Path.of(args[0]), server.kubeconfig());
        Thread.currentThread().join();
    }
}
