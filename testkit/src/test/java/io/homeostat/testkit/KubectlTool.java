package io.homeostat.testkit;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Runs the kubectl of the real control plane against a cluster, as the operator's user. */
final class KubectlTool {
    private KubectlTool() {}

    static int run(Cluster cluster, String... arguments) throws Exception {
        List<String> command = new ArrayList<>(List.of(
                RealControlPlane.assets().orElseThrow().resolve("kubectl").toString(),
                "--kubeconfig",
                cluster.kubeconfigFile().toString(),
                "--cache-dir",
                "target/kubectl-cache"));
        command.addAll(List.of(arguments));
        Process kubectl = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start();
        if (!kubectl.waitFor(30, TimeUnit.SECONDS)) {
            kubectl.destroyForcibly();
            throw new AssertionError("kubectl has not ended after 30 s");
        }
        return kubectl.exitValue();
    }
}
