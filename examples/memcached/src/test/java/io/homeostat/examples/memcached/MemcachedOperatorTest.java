package io.homeostat.examples.memcached;

import static org.assertj.core.api.Assertions.assertThat;

import io.homeostat.testkit.Polling;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The example as a program of its own. */
class MemcachedOperatorTest {
    private final List<Process> started = new ArrayList<>();
    private final Path folder;

    MemcachedOperatorTest(@TempDir Path folder) {
        this.folder = folder;
    }

    @AfterEach
    void endWhatWasStarted() {
        started.forEach(Process::destroyForcibly);
    }

    private Process start(String... arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                "-cp",
                System.getProperty("java.class.path"),
                MemcachedOperator.class.getName()));
        command.addAll(List.of(arguments));
        Process process = new ProcessBuilder(command)
                .directory(folder.toFile())
                .redirectOutput(folder.resolve("out").toFile())
                .redirectError(folder.resolve("err").toFile())
                .start();
        started.add(process);
        return process;
    }

    private String out() throws IOException {
        return Files.readString(folder.resolve("out"));
    }

    private String err() throws IOException {
        return Files.readString(folder.resolve("err"));
    }

    @Test
    void sigtermEndsItCleanlyAfterItMadeTheSampleReady() throws Exception {
        Process process = start();
        Polling.eventually(Duration.ofMinutes(2), () -> assertThat(out()).contains("-> done"));
        assertThat(Files.readString(folder.resolve("simulator.kubeconfig"))).contains("http://127.0.0.1:");
        process.destroy();
        assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
        assertThat(process.exitValue()).isEqualTo(143);
        assertThat(folder.resolve("simulator.kubeconfig")).doesNotExist();
        assertThat(out().lines())
                .allMatch(line -> line.startsWith("API server: http://127.0.0.1:")
                        || line.startsWith("Try: ")
                        || line.matches("#[0-9]+ default/sample causes=\\[.*] [0-9.]+m?s writes=\\[.*] -> .*"));
        assertThat(out())
                .contains("causes=[Memcached/sample added]")
                .contains("writes=[Deployment/sample, Service/sample, status] -> done");
        assertThat(err()).contains("has stopped").doesNotContain("ERROR");
    }

    @Test
    void wrongFlagIsExitCodeTwoWithASentence() throws Exception {
        Process process = start("--bogus");
        assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
        assertThat(process.exitValue()).isEqualTo(2);
        assertThat(err()).contains("There is no flag \"--bogus\"").contains("--help");
        assertThat(out()).isEmpty();
    }

    @Test
    void failedStartIsExitCodeOneWithASentence() throws Exception {
        Process process = start("--kubeconfig", folder.resolve("none").toString());
        assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
        assertThat(process.exitValue()).isEqualTo(1);
        assertThat(err()).contains("is not there");
    }
}
