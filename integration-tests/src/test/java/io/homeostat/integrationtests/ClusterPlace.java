package io.homeostat.integrationtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.homeostat.client.ClusterConnection;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.SystemRuntime;
import io.homeostat.core.Transport;
import io.homeostat.reconciler.Operator;
import io.homeostat.testkit.Cluster;
import io.homeostat.testkit.Polling;
import io.homeostat.testkit.Tree;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** A {@link Cluster} of testkit: the operator runs in this JVM and reaches the server as its kubeconfig says, over sockets. */
final class ClusterPlace implements Place {
    private static final Duration LIMIT = Duration.ofSeconds(90);

    private final Cluster cluster;
    private final Supplier<Operator> description;
    private final Path kubeconfig;
    private @Nullable Machine machine;

    /** One operator process: what a crash takes away at once. */
    private record Machine(EngineRuntime runtime, Transport transport, Operator.Running running) {
        void end() {
            transport.close(); // first: a blocked read does not hear an interrupt
            runtime.close();
        }
    }

    ClusterPlace(Cluster cluster, Supplier<Operator> description) {
        this(cluster, cluster.kubeconfig(), description);
    }

    /** With other rights than everything. */
    ClusterPlace(Cluster cluster, String rights, Supplier<Operator> description) {
        this.cluster = cluster;
        this.description = description;
        try {
            this.kubeconfig = Files.createTempFile("operator", ".kubeconfig");
            Files.writeString(kubeconfig, rights);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public String namespace() {
        return cluster.namespace();
    }

    @Override
    public void startOperator() {
        EngineRuntime runtime = SystemRuntime.create();
        Transport transport = ClusterConnection.fromKubeconfig(kubeconfig).open(runtime);
        machine = new Machine(runtime, transport, description.get().start(runtime, transport));
    }

    @Override
    public void crashOperator() {
        machine().end();
        machine = null;
    }

    @Override
    public boolean stopOperator() {
        Machine stopping = machine();
        try {
            return stopping.running().stop().toCompletableFuture().get(60, TimeUnit.SECONDS);
        } catch (Exception e) {
            throw new AssertionError("the operator did not stop within 60 s", e);
        } finally {
            stopping.end();
            machine = null;
        }
    }

    private Machine machine() {
        if (machine == null) {
            throw new IllegalStateException("no operator runs");
        }
        return machine;
    }

    @Override
    public long operatorRequests() {
        return cluster.requests().stream()
                .filter(request ->
                        !request.verb().equals("watch") && !request.target().equals("/livez"))
                .count();
    }

    @Override
    public void apply(String object) {
        cluster.applyYaml(object);
    }

    @Override
    public Optional<Tree> find(String apiVersion, String kind, String name) {
        return cluster.find(apiVersion, kind, name);
    }

    @Override
    public List<Tree> list(String apiVersion, String kind) {
        return cluster.list(apiVersion, kind);
    }

    @Override
    public void patch(String apiVersion, String kind, String name, String patch) {
        cluster.patch(apiVersion, kind, name, patch);
    }

    @Override
    public void delete(String apiVersion, String kind, String name) {
        cluster.delete(apiVersion, kind, name);
    }

    @Override
    public void eventually(Polling.Assertion assertion) {
        cluster.eventually(LIMIT, assertion);
    }

    @Override
    public void letPass(Duration time) {
        long end = System.nanoTime() + time.toNanos();
        cluster.eventually(
                time.plusSeconds(1), () -> assertThat(System.nanoTime() - end).isPositive());
    }

    @Override
    public void close() {
        if (machine != null) {
            machine.end();
        }
        try {
            Files.deleteIfExists(kubeconfig);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
