package io.homeostat.integrationtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.homeostat.examples.memcached.MemcachedOperator;
import io.homeostat.testkit.Backend;
import io.homeostat.testkit.Cluster;
import io.homeostat.testkit.FaultPlan;
import io.homeostat.testkit.FaultProxy;
import io.homeostat.testkit.OperatorTest;
import io.homeostat.testkit.Polling;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The example as a process of its own: what it prints, how it ends, and that kill -9 costs nothing. */
class ExampleProcessTest {
    private static final Duration START = Duration.ofSeconds(60);

    @TempDir
    Path folder;

    private record Run(Process process, Path out, Path log) implements AutoCloseable {
        String printed() throws IOException {
            return Files.readString(out);
        }

        String logged() throws IOException {
            return Files.readString(log);
        }

        int exitCode() throws InterruptedException {
            assertThat(process.waitFor(60, TimeUnit.SECONDS)).as("it ends").isTrue();
            return process.exitValue();
        }

        @Override
        public void close() {
            process.destroyForcibly();
        }
    }

    private Run start(String... args) throws IOException {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-cp",
                System.getProperty("java.class.path"),
                MemcachedOperator.class.getName()));
        command.addAll(List.of(args));
        Path out = Files.createTempFile(folder, "out", "");
        Path log = Files.createTempFile(folder, "log", "");
        ProcessBuilder builder = new ProcessBuilder(command)
                .directory(folder.toFile())
                .redirectOutput(out.toFile())
                .redirectError(log.toFile());
        builder.environment().remove("KUBECONFIG");
        builder.environment().put("LC_ALL", "C");
        return new Run(builder.start(), out, log);
    }

    @Test
    void runsOnItsOwnSimulatorPrintsEachReconcileAndEndsCleanlyOnSigterm() throws Exception {
        try (Run run = start()) {
            Path kubeconfig = folder.resolve("simulator.kubeconfig");
            Polling.eventually(START, () -> assertThat(run.printed())
                    .containsPattern("http://127\\.0\\.0\\.1:[0-9]+")
                    .containsPattern("#1 default/sample causes=\\[.*\\] [0-9.]+(ms|s) writes=\\[.*\\] -> done"));
            assertThat(kubeconfig).exists();
            Polling.eventually(START, () -> assertThat(run.printed()).contains("Deployment/sample modified ×"));
            run.process().destroy();
            assertThat(run.exitCode()).isIn(0, 143);
            assertThat(kubeconfig).doesNotExist();
        }
    }

    @Test
    void wrongFlagEndsWithTwoAndASentence() throws Exception {
        try (Run run = start("--instal-crd")) {
            assertThat(run.exitCode()).isEqualTo(2);
            assertThat(run.logged()).contains("--instal-crd").contains("--help");
            assertThat(run.printed()).isEmpty();
        }
    }

    @Test
    void kubeconfigThatIsNotThereEndsWithOneAndASentence() throws Exception {
        try (Run run = start("--kubeconfig", "nowhere.yaml")) {
            assertThat(run.exitCode()).isEqualTo(1);
            assertThat(run.logged()).contains("nowhere.yaml");
        }
    }

    @Test
    void folderThatCannotBeWrittenToEndsWithOneAndWhatToDo() throws Exception {
        Files.createDirectory(folder.resolve("simulator.kubeconfig"));
        try (Run run = start()) {
            assertThat(run.exitCode()).isEqualTo(1);
            assertThat(run.logged())
                    .contains("simulator.kubeconfig, cannot be written")
                    .contains("--kubeconfig");
        }
    }

    @Test
    void stopWhileTheServerDoesNotAnswerIsQuick() throws Exception {
        try (ServerSocket silent = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
            silent.setSoTimeout((int) START.toMillis());
            Path kubeconfig = Files.writeString(
                    folder.resolve("silent.kubeconfig"),
                    """
                    apiVersion: v1
                    kind: Config
                    current-context: a
                    contexts: [{name: a, context: {cluster: a, user: a}}]
                    users: [{name: a, user: {}}]
                    clusters: [{name: a, cluster: {server: "http://127.0.0.1:%d"}}]
                    """
                            .formatted(silent.getLocalPort()));
            try (Run run = start("--kubeconfig", kubeconfig.toString());
                    Socket asked = silent.accept()) {
                run.process().destroy();
                assertThat(run.process().waitFor(10, TimeUnit.SECONDS))
                        .as("a stop does not wait for an answer of %s", asked)
                        .isTrue();
                assertThat(run.exitCode()).isIn(0, 143);
            }
        }
    }

    @OperatorTest(on = {Backend.SIMULATOR, Backend.REAL})
    void sigtermWithOpenWatchesEndsWithinFiveSecondsAndLeavesNoConnection(Cluster cluster) throws Exception {
        cluster.applyYaml(MemcachedOperator.crd());
        try (FaultProxy proxy = FaultProxy.before(cluster, FaultPlan.none());
                Place place = new ClusterPlace(cluster, proxy.kubeconfig(), MemcachedOperator::description);
                Run run = start(
                        "--kubeconfig",
                        Files.writeString(folder.resolve("proxy.kubeconfig"), proxy.kubeconfig())
                                .toString())) {
            place.apply(MemcachedScenarios.memcached("sample", 2));
            place.eventually(() -> MemcachedScenarios.assertConverged(place, "sample", 2));
            assertThat(proxy.openConnections())
                    .as("its watches of Memcached, Deployment and Service")
                    .isGreaterThanOrEqualTo(3);
            run.process().destroy();
            assertThat(run.process().waitFor(5, TimeUnit.SECONDS))
                    .as("an idle operator stops within 5 s (P-R7)")
                    .isTrue();
            assertThat(run.exitCode()).isEqualTo(143);
            Polling.eventually(
                    START,
                    () -> assertThat(proxy.openConnections()).as("connections").isZero());
        }
    }

    @OperatorTest(on = {Backend.SIMULATOR, Backend.REAL})
    void killedHardAndStartedAgainItGoesOnWhereItWas(Cluster cluster) throws Exception {
        Path kubeconfig = Files.writeString(folder.resolve("cluster.kubeconfig"), cluster.kubeconfig());
        Place place = new ClusterPlace(cluster, MemcachedOperator::description);
        try (Run first = start("--kubeconfig", kubeconfig.toString(), "--install-crd")) {
            Polling.eventually(START, () -> place.apply(MemcachedScenarios.memcached("sample", 2)));
            place.eventually(() -> MemcachedScenarios.assertConverged(place, "sample", 2));
            place.patch(MemcachedScenarios.MEMCACHED, "Memcached", "sample", "{\"spec\":{\"size\":4}}");
            first.process().destroyForcibly();
            first.process().waitFor();
        }
        place.delete("v1", "Service", "sample");
        try (Run second = start("--kubeconfig", kubeconfig.toString())) {
            place.eventually(() -> MemcachedScenarios.assertConverged(place, "sample", 4));
            second.process().destroy();
            assertThat(second.exitCode()).isIn(0, 143);
        }
        place.close();
    }
}
