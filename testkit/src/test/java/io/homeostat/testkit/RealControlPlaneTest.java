package io.homeostat.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.homeostat.testkit.RealControlPlane.Component;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;

@OperatorTest(on = Backend.REAL)
final class RealControlPlaneTest {
    @OperatorTest
    void apiAloneStartsServesSurvivesKillAndPauseAndLeavesNothing() throws Exception {
        RealControlPlane plane = RealControlPlane.builder().nodes(0).start();
        ProcessHandle etcd =
                ProcessHandle.of(plane.pid(Component.ETCD).orElseThrow()).orElseThrow();
        try (plane) {
            assertThat(plane.observer().get("/api/v1/namespaces/default").status())
                    .isEqualTo(200);
            assertThat(plane.kubeconfig()).contains(plane.server());

            plane.kill(Component.KUBE_APISERVER);
            assertThat(plane.pid(Component.KUBE_APISERVER)).isEmpty();
            plane.start(Component.KUBE_APISERVER, "--min-request-timeout=5");
            plane.awaitReady();
            assertThat(plane.observer().get("/api/v1/namespaces/default").status())
                    .isEqualTo(200);

            plane.pause(Component.KUBE_APISERVER);
            assertThatThrownBy(() -> plane.observer().send("GET", "/readyz", null, "", Duration.ofMillis(500)))
                    .isInstanceOf(IOException.class);
            plane.resume(Component.KUBE_APISERVER);
            plane.awaitReady();
        }

        assertThat(etcd.isAlive()).isFalse();
        assertThat(plane.folder()).doesNotExist();
        assertThatThrownBy(() -> plane.start(Component.ETCD)).hasMessageContaining("closed");
    }

    @OperatorTest
    void failedStartLeavesTheLogsAndNothingElse() {
        Set<ProcessHandle> before = ProcessHandle.current().descendants().collect(Collectors.toSet());

        assertThatThrownBy(() -> RealControlPlane.builder()
                        .nodes(0)
                        .flags("--no-such-flag")
                        .start())
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("kube-apiserver ended")
                .hasMessageContaining("unknown flag: --no-such-flag")
                .hasMessageContaining("its logs are kept in ");

        assertThat(ProcessHandle.current().descendants().filter(child -> !before.contains(child)))
                .isEmpty();
    }

    @OperatorTest
    void processesDieWithAJvmThatIsKilledHard() throws Exception {
        assumeTrue(new ProcessBuilder("setpriv", "--version").start().waitFor() == 0, "no setpriv on this machine");
        Process jvm = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-cp",
                        System.getProperty("java.class.path"),
                        StartsAndWaits.class.getName())
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        List<ProcessHandle> children = new ArrayList<>();
        try (BufferedReader lines = jvm.inputReader()) {
            for (Component component : List.of(Component.ETCD, Component.KUBE_APISERVER)) {
                String line = lines.readLine();
                assertThat(line).as("pid of " + component).isNotNull();
                children.add(ProcessHandle.of(Long.parseLong(line)).orElseThrow());
            }
        } finally {
            jvm.destroyForcibly();
        }

        for (ProcessHandle child : children) {
            child.onExit().get(10, TimeUnit.SECONDS);
        }
    }

    /** The main class of the JVM that is killed. */
    static final class StartsAndWaits {
        public static void main(String[] args) throws Exception {
            RealControlPlane plane = RealControlPlane.builder().nodes(0).start();
            for (Component component : List.of(Component.ETCD, Component.KUBE_APISERVER)) {
                System.out.println(plane.pid(component).orElseThrow());
            }
            new CountDownLatch(1).await();
        }
    }

    @OperatorTest
    void controllersMakeADeploymentReady() throws Exception {
        RealControlPlane plane = RealControlPlane.shared();
        assumeTrue(plane.hasControllers(), "the folder holds no controllers");

        ApiObserver.Answer created = plane.observer()
                .send(
                        "POST",
                        "/apis/apps/v1/namespaces/default/deployments",
                        "application/json",
                        """
                        {"metadata": {"name": "three"}, "spec": {"replicas": 3,
                         "selector": {"matchLabels": {"app": "three"}},
                         "template": {"metadata": {"labels": {"app": "three"}},
                          "spec": {"containers": [{"name": "main", "image": "none"}]}}}}""",
                        Duration.ofSeconds(10));

        assertThat(created.status()).isEqualTo(201);
        Polling.eventually(Duration.ofSeconds(30), () -> assertThat(Tree.parse(plane.observer()
                                .get("/apis/apps/v1/namespaces/default/deployments/three")
                                .body())
                        .number("status.readyReplicas"))
                .isEqualTo(3));
        assertThat(Files.exists(plane.logs().resolve("kwok.log"))).isTrue();
    }
}
