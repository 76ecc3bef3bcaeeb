package io.homeostat.benchmarks;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Pod;
import io.homeostat.client.ApiClient;
import io.homeostat.client.ClusterConnection;
import io.homeostat.client.ResourceType;
import io.homeostat.core.SystemRuntime;
import io.homeostat.core.Transport;
import io.homeostat.informer.CachedObject;
import io.homeostat.informer.ResourceEventHandler;
import io.homeostat.informer.SharedInformer;
import io.homeostat.informer.SharedInformers;
import io.homeostat.informer.StorePolicy;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * Our informer. The variant {@code read} has a handler that reads the object itself, not its metadata alone; {@code decoded} and {@code compact} keep
 * objects so; the handler of {@code early} starts early.
 */
final class HomeostatAdapter implements Contract.Client {
    // Confined to the main thread.
    private @Nullable SystemRuntime runtime;
    private @Nullable Transport transport;
    private @Nullable SharedInformers informers;

    private HomeostatAdapter() {}

    /** See {@link Contract#serve}. */
    public static void main(String[] args) throws Exception {
        Contract.serve(new HomeostatAdapter(), args);
    }

    @Override
    public void open(Contract.Settings settings, Contract.Counts counts) {
        runtime = SystemRuntime.create();
        transport =
                ClusterConnection.fromKubeconfig(Path.of(settings.kubeconfig())).open(runtime);
        ApiClient client = ApiClient.over(runtime, transport, ApiClient.Settings.of("benchmarks"));
        informers = SharedInformers.over(runtime, client);
        StorePolicy policy =
                switch (settings.variant()) {
                    case "decoded" -> StorePolicy.DECODED;
                    case "compact" -> StorePolicy.COMPACT;
                    default -> StorePolicy.LAZY;
                };
        if (settings.pods()) {
            informers.store(ResourceType.of(Pod.class), policy);
            follow(informers.informer(ResourceType.of(Pod.class), ""), counts, settings.variant());
        } else {
            informers.store(ResourceType.of(Widget.class), policy);
            follow(informers.informer(ResourceType.of(Widget.class), ""), counts, settings.variant());
        }
    }

    private static <T extends HasMetadata> void follow(
            SharedInformer<T> informer, Contract.Counts counts, String variant) {
        Counting<T> handler = new Counting<>(counts, variant.equals("read"), variant.equals("early"));
        informer.addHandler("count", handler).synced().thenRun(counts::complete);
    }

    @Override
    public void close() {
        if (informers != null && transport != null && runtime != null) {
            informers.close();
            transport.close();
            runtime.close();
        }
    }

    /** Reads metadata, as the handlers of a controller do. */
    private record Counting<T extends HasMetadata>(Contract.Counts counts, boolean reads, boolean startsEarly)
            implements ResourceEventHandler<T> {
        @Override
        public void onAdd(CachedObject<T> object, Phase phase, Merged<T> merged) {
            stamp(object);
            counts.added();
        }

        @Override
        public void onUpdate(CachedObject<T> before, CachedObject<T> after, Merged<T> merged) {
            counts.updated(merged.versions(), stamp(after));
        }

        @Override
        public void onDelete(CachedObject<T> lastKnown, Merged<T> merged) {}

        private @Nullable String stamp(CachedObject<T> object) {
            return reads
                    ? object.object().getMetadata().getLabels().get(Contract.STAMP)
                    : object.raw().labels().get(Contract.STAMP);
        }
    }
}
