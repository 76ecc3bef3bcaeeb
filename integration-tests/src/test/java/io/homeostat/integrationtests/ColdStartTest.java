package io.homeostat.integrationtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.homeostat.client.ApiClient;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.ResourceType;
import io.homeostat.core.SystemRuntime;
import io.homeostat.core.Transport;
import io.homeostat.simulator.Simulator;
import io.homeostat.simulator.SimulatorServer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What a start costs is, in the main, which classes it loads, and that repeats where times do not. Whoever makes a cache of metadata load
 * Jackson's databind, fabric8's client or the JDK's, or half of the library more, is told so here.
 */
class ColdStartTest {
    private static final int OBJECTS = 10;

    /** Classes that are not the JDK's, in a process that syncs metadata; on another JDK some lambdas count otherwise. */
    private static final double LOADED = 365;

    private static final Percentage TOLERANCE = Percentage.withPercentage(10);

    /** Of these nothing may be loaded; each costs tens or hundreds of milliseconds of CPU by itself. */
    private static final List<String> UNWANTED = List.of(
            "tools.jackson.databind.json.",
            "tools.jackson.databind.ObjectMapper",
            "tools.jackson.databind.introspect.",
            "io.fabric8.kubernetes.client.",
            "io.fabric8.kubernetes.api.builder.Builder",
            "java.net.http.",
            "java.util.Formatter");

    @TempDir
    Path folder;

    @Test
    void cacheOfMetadataLoadsNeitherJacksonsDatabindNorFabric8sClient() throws Exception {
        List<String> loaded = loadedByASync();

        assertThat(loaded).contains("io.homeostat.informer.Indexer");
        assertThat(loaded)
                .filteredOn(name -> UNWANTED.stream().anyMatch(name::startsWith))
                .isEmpty();
        long own = loaded.stream()
                .filter(name -> name.startsWith("io.homeostat.")
                        || name.startsWith("io.fabric8.")
                        || name.startsWith("tools.jackson.")
                        || name.startsWith("com.fasterxml.")
                        || name.startsWith("org.snakeyaml."))
                .filter(name -> !name.contains("$$Lambda"))
                .count();
        assertThat((double) own)
                .as("classes of the library and what it brings; when that is meant, set LOADED and say why")
                .isCloseTo(LOADED, TOLERANCE);
    }

    private List<String> loadedByASync() throws Exception {
        try (SystemRuntime runtime = SystemRuntime.create();
                Simulator simulator = Simulator.on(runtime).build();
                SimulatorServer server = simulator.serve(0)) {
            try (Transport transport = simulator.transport(runtime)) {
                ApiClient client = ApiClient.over(runtime, transport, ApiClient.Settings.of("cold-start"));
                for (int i = 0; i < OBJECTS; i++) {
                    byte[] object =
                            """
                            {"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c%d","namespace":"default","labels":{"counts":"yes"}}}"""
                                    .formatted(i)
                                    .getBytes(StandardCharsets.UTF_8);
                    runtime.await(
                            client.create(ResourceType.of(ConfigMap.class), new ObjectKey("default", "c" + i), object),
                            Duration.ofSeconds(30));
                }
            }
            Path kubeconfig = Files.writeString(folder.resolve("kubeconfig"), server.kubeconfig());
            Path log = folder.resolve("classes");
            Path out = folder.resolve("out");
            Process process = new ProcessBuilder(
                            Path.of(System.getProperty("java.home"), "bin", "java")
                                    .toString(),
                            "-XX:+UseSerialGC",
                            "-XX:TieredStopAtLevel=1",
                            "-Xlog:class+load:file=" + log + "::filecount=0",
                            "-cp",
                            System.getProperty("java.class.path"),
                            ColdStart.class.getName(),
                            kubeconfig.toString())
                    .redirectErrorStream(true)
                    .redirectOutput(out.toFile())
                    .start();
            try {
                assertThat(process.waitFor(90, TimeUnit.SECONDS)).as("it ends").isTrue();
            } finally {
                process.destroyForcibly();
            }
            assertThat(Files.readString(out)).contains("synced " + OBJECTS);
            return Files.readAllLines(log).stream()
                    .map(line -> line.replaceFirst("^(?:\\[[^]]*])+ ", "").replaceFirst(" .*", ""))
                    .toList();
        }
    }
}
