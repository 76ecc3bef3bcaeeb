package io.homeostat.examples.memcached;

import io.homeostat.client.ApiClient;
import io.homeostat.client.BlockingApiClient;
import io.homeostat.client.ClusterConnection;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.ResourceType;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Transport;
import io.homeostat.reconciler.ClusterSource;
import io.homeostat.simulator.Simulator;
import io.homeostat.simulator.SimulatorServer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A cluster inside this JVM, with the CRD and a sample in it, served on a free loopback port.
 *
 * <p>The operator reaches it as it would any other: by the kubeconfig that kubectl uses, over a socket.
 */
final class EmbeddedCluster implements ClusterSource {
    private static final Logger log = LoggerFactory.getLogger(EmbeddedCluster.class);
    private static final ResourceType<Memcached> MEMCACHEDS = ResourceType.of(Memcached.class);
    private static final ApiClient.Apply APPLY = new ApiClient.Apply("examples-run", ApiClient.Apply.Force.YES);

    private final Path kubeconfig = Path.of("simulator.kubeconfig");
    private @Nullable Simulator simulator;
    private @Nullable SimulatorServer server;
    private @Nullable String written;

    @Override
    public Transport connect(EngineRuntime runtime) throws IOException, InterruptedException {
        Simulator started = Simulator.on(runtime).build();
        simulator = started;
        SimulatorServer serving = started.serve(0);
        server = serving;
        write(serving.kubeconfig());
        try (Transport inMemory = started.transport(runtime)) {
            ApiClient client = ApiClient.over(runtime, inMemory, ApiClient.Settings.of("examples-run"));
            MemcachedOperator.installCrd(client.blocking());
            createSample(runtime, client);
        }
        System.out.println("API server: " + serving.url() + " (a simulator inside this JVM)");
        System.out.println("Try:        kubectl --kubeconfig " + kubeconfig + " get memcacheds");
        return ClusterConnection.fromKubeconfig(kubeconfig).open(runtime);
    }

    private void write(String content) throws IOException {
        try {
            Files.writeString(kubeconfig, content);
            written = content;
        } catch (IOException refused) {
            throw new IOException(
                    "the file for kubectl, " + kubeconfig.toAbsolutePath() + ", cannot be written ("
                            + refused.getClass().getSimpleName()
                            + "). Start it in a folder where it may write, or give it a cluster with --kubeconfig.",
                    refused);
        }
    }

    private static void createSample(EngineRuntime runtime, ApiClient client) {
        while (!runtime.await(client.discovery().serves(MEMCACHEDS), Duration.ofSeconds(10))) {
            runtime.sleep(Duration.ofMillis(5));
        }
        BlockingApiClient blocking = client.blocking();
        byte[] sample = MemcachedOperator.manifest("sample.yaml").getBytes(StandardCharsets.UTF_8);
        blocking.apply(MEMCACHEDS, new ObjectKey("default", "sample"), APPLY, sample);
    }

    @Override
    public String describe() {
        return server == null ? "the embedded simulator" : server.url() + " (the embedded simulator)";
    }

    @Override
    public void close() {
        if (written != null) {
            try {
                // Another one, started in the same folder since, has put its own there.
                if (Files.exists(kubeconfig) && Files.readString(kubeconfig).equals(written)) {
                    Files.delete(kubeconfig);
                }
            } catch (IOException kept) {
                log.warn("{} could not be removed: {}", kubeconfig, kept.getMessage());
            }
        }
        if (server != null) {
            server.close();
        }
        if (simulator != null) {
            simulator.close();
        }
    }
}
