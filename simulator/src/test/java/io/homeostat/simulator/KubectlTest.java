package io.homeostat.simulator;

import static org.assertj.core.api.Assertions.assertThat;

import io.homeostat.core.SystemRuntime;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfEnvironmentVariable;
import org.junit.jupiter.api.io.TempDir;

/** The simulator under a real kubectl. */
@EnabledIfEnvironmentVariable(
        named = "KUBEBUILDER_ASSETS",
        matches = ".+",
        disabledReason = "no kubectl: set KUBEBUILDER_ASSETS to a folder that has it")
class KubectlTest {
    private static final String SAMPLE =
            """
            apiVersion: cache.example.com/v1alpha1
            kind: Memcached
            metadata:
              name: sample
            spec:
              size: 3
            """;

    private Path folder = Path.of("target");
    private SystemRuntime runtime;
    private Simulator simulator;

    @BeforeEach
    void start(@TempDir Path given) throws IOException {
        folder = given;
        runtime = SystemRuntime.create();
        simulator = Simulator.on(runtime).workloads(Duration.ofMillis(20)).build();
        Files.writeString(folder.resolve("kubeconfig"), simulator.serve(0).kubeconfig());
        Files.writeString(folder.resolve("crd.json"), Client.CRD);
        Files.writeString(folder.resolve("sample.yaml"), SAMPLE);
        Files.writeString(folder.resolve("web.json"), Client.deployment("web", 2));
    }

    @AfterEach
    void stop() {
        simulator.close();
        runtime.close();
    }

    private Process process(List<String> words) throws IOException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getenv("KUBEBUILDER_ASSETS"), "kubectl").toString());
        command.addAll(words);
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.directory(folder.toFile());
        builder.environment().put("KUBECONFIG", folder.resolve("kubeconfig").toString());
        builder.environment().put("HOME", folder.toString());
        return builder.start();
    }

    /** The output of kubectl, standard error included. */
    private String kubectl(String... words) throws IOException, InterruptedException {
        Process process = process(List.of(words));
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor(30, TimeUnit.SECONDS)).as("kubectl ends").isTrue();
        return output;
    }

    @Test
    void customResourcesLiveThroughKubectl() throws Exception {
        assertThat(kubectl("create", "-f", "crd.json")).contains("created");
        assertThat(kubectl("wait", "--for=condition=Established", "crd/memcacheds.cache.example.com", "--timeout=10s"))
                .contains("condition met");
        assertThat(kubectl("create", "-f", "sample.yaml")).contains("memcached.cache.example.com/sample created");
        assertThat(kubectl("get", "memcacheds").lines().toList())
                .hasSize(2)
                .first()
                .asString()
                .matches("NAME +SIZE +READY +AGE");
        assertThat(kubectl("get", "mc", "sample", "-o", "jsonpath={.spec.image}"))
                .isEqualTo("memcached:1.6-alpine");
        assertThat(kubectl("patch", "memcached", "sample", "--type", "merge", "-p", "{\"spec\":{\"size\":5}}"))
                .contains("patched");
        assertThat(kubectl("patch", "memcached", "sample", "--type", "merge", "-p", "{\"spec\":{\"size\":50}}"))
                .contains("spec.size in body should be less than or equal to 10");
        assertThat(kubectl("label", "memcached", "sample", "a=b")).contains("labeled");
        assertThat(kubectl("get", "memcacheds", "-l", "a=b")).contains("sample");
        assertThat(kubectl("annotate", "memcached", "sample", "c=d")).contains("annotated");
        assertThat(kubectl("apply", "--server-side", "-f", "sample.yaml")).contains("Apply failed with 1 conflict");
        assertThat(kubectl("apply", "--server-side", "--force-conflicts", "-f", "sample.yaml"))
                .contains("serverside-applied");
        assertThat(kubectl("apply", "-f", "sample.yaml")).contains("configured");
        assertThat(kubectl("delete", "memcached", "sample")).contains("deleted");
        assertThat(kubectl("get", "memcacheds")).contains("No resources found");
        assertThat(kubectl("delete", "-f", "crd.json")).contains("deleted");
    }

    @Test
    void aDeploymentBecomesReadyBeforeTheEyesOfAWatcher() throws Exception {
        assertThat(kubectl("apply", "--server-side", "-f", "web.json"))
                .contains("deployment.apps/web serverside-applied");
        assertThat(kubectl("rollout", "status", "deployment/web", "--timeout=20s"))
                .contains("successfully rolled out");
        assertThat(kubectl("get", "deployment", "web")).containsPattern("web +2/2 +2 +2");
        assertThat(kubectl("get", "pods").lines().toList())
                .hasSize(3)
                .element(1)
                .asString()
                .contains("1/1", "Running");
        assertThat(kubectl("scale", "deployment", "web", "--replicas=3")).contains("the simulator does not do this");
        Process watching = process(List.of("get", "deployment", "web", "-w"));
        try (BufferedReader lines =
                new BufferedReader(new InputStreamReader(watching.getInputStream(), StandardCharsets.UTF_8))) {
            assertThat(lines.readLine()).startsWith("NAME");
            assertThat(lines.readLine()).contains("2/2");
            kubectl("patch", "deployment", "web", "--type", "merge", "-p", "{\"spec\":{\"replicas\":3}}");
            String line = lines.readLine();
            while (line != null && !line.contains("3/3")) {
                line = lines.readLine();
            }
            assertThat(line).contains("3/3");
        } finally {
            watching.destroy();
        }
        assertThat(kubectl("delete", "deployment", "web")).contains("deleted");
        assertThat(kubectl("wait", "--for=delete", "pods", "--all", "--timeout=20s"))
                .doesNotContain("timed out");
    }
}
