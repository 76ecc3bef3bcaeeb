package io.homeostat.integrationtests;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.homeostat.client.ApiClient;
import io.homeostat.client.ClusterConnection;
import io.homeostat.client.ResourceType;
import io.homeostat.core.SystemRuntime;
import io.homeostat.core.Transport;
import io.homeostat.informer.CachedObject;
import io.homeostat.informer.ResourceEventHandler;
import io.homeostat.informer.SharedInformers;
import java.nio.file.Path;
import java.time.Duration;

/** A process that follows metadata: it syncs, reads a label of each object in its handler, and ends. */
final class ColdStart {
    private ColdStart() {}

    /**
     * Syncs once.
     *
     * @param args the kubeconfig
     */
    public static void main(String[] args) {
        SystemRuntime runtime = SystemRuntime.create();
        try (Transport transport =
                ClusterConnection.fromKubeconfig(Path.of(args[0])).open(runtime)) {
            ApiClient client = ApiClient.over(runtime, transport, ApiClient.Settings.of("cold-start"));
            SharedInformers informers = SharedInformers.over(runtime, client);
            Counting counting = new Counting();
            runtime.await(
                    informers
                            .informer(ResourceType.of(ConfigMap.class), "")
                            .addHandler("count", counting)
                            .synced(),
                    Duration.ofSeconds(60));
            System.out.println("synced " + counting.seen);
            informers.close();
        }
        runtime.close();
    }

    private static final class Counting implements ResourceEventHandler<ConfigMap> {
        int seen; // confined to the handler's lane until it is synced

        @Override
        public void onAdd(CachedObject<ConfigMap> object, Phase phase, Merged<ConfigMap> merged) {
            if ("yes".equals(object.raw().labels().get("counts"))) {
                seen++;
            }
        }

        @Override
        public void onUpdate(CachedObject<ConfigMap> before, CachedObject<ConfigMap> after, Merged<ConfigMap> merged) {}

        @Override
        public void onDelete(CachedObject<ConfigMap> lastKnown, Merged<ConfigMap> merged) {}
    }
}
