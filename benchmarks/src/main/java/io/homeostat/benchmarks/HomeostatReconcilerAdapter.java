package io.homeostat.benchmarks;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Pod;
import io.homeostat.client.ClusterConnection;
import io.homeostat.core.SystemRuntime;
import io.homeostat.core.Transport;
import io.homeostat.reconciler.Operator;
import io.homeostat.reconciler.Result;
import java.nio.file.Path;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * Our controller, its reconciler reads the private copy that it is given and does nothing. What its cache was told cannot be seen from
 * there: a change counts when it is reconciled, so that no phase may change an object twice (benchmarks/README.md).
 */
final class HomeostatReconcilerAdapter implements Contract.Client {
    private static final Duration AT_ONCE = Duration.ofNanos(1);

    // Confined to the main thread.
    private @Nullable SystemRuntime runtime;
    private @Nullable Transport transport;
    private Operator.@Nullable Running running;

    private HomeostatReconcilerAdapter() {}

    /** See {@link Contract#serve}. */
    public static void main(String[] args) throws Exception {
        Contract.serve(new HomeostatReconcilerAdapter(), args);
    }

    @Override
    public void open(Contract.Settings settings, Contract.Counts counts) {
        counts.reconciling();
        runtime = SystemRuntime.create();
        transport =
                ClusterConnection.fromKubeconfig(Path.of(settings.kubeconfig())).open(runtime);
        Operator operator = Operator.named("benchmark");
        if (settings.pods()) {
            describe(operator, Pod.class, counts);
        } else {
            describe(operator, Widget.class, counts);
        }
        running = operator.start(runtime, transport);
        running.working().thenRun(counts::complete);
    }

    private static <T extends HasMetadata> void describe(Operator operator, Class<T> type, Contract.Counts counts) {
        operator.controller(
                type,
                controller -> controller.reconciler((object, context) -> {
                    counts.updated(1, null);
                    boolean again =
                            counts.reconciled(object.getMetadata().getLabels().get(Contract.STAMP));
                    return again ? Result.requeueAfter(AT_ONCE) : Result.done();
                }));
    }

    @Override
    public void close() {
        if (running != null && transport != null && runtime != null) {
            runtime.await(running.stop(), Duration.ofMinutes(1));
            transport.close();
            runtime.close();
        }
    }
}
