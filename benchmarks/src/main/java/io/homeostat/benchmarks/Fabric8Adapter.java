package io.homeostat.benchmarks;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.dsl.AnyNamespaceOperation;
import io.fabric8.kubernetes.client.http.HttpClient;
import io.fabric8.kubernetes.client.informers.ResourceEventHandler;
import io.fabric8.kubernetes.client.informers.SharedIndexInformer;
import io.fabric8.kubernetes.client.jdkhttp.JdkHttpClientFactory;
import io.fabric8.kubernetes.client.vertx5.Vertx5HttpClientFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * fabric8's informer, on the HTTP client that it brings by default. Variants: {@code tuned} lists in pages of 500 and drops
 * managedFields in the handler, as its users are advised; {@code jdk} is on the JDK's HTTP client.
 */
final class Fabric8Adapter implements Contract.Client {
    private static final long PAGE = 500;

    // Confined to the main thread.
    private @Nullable KubernetesClient client;

    private Fabric8Adapter() {}

    /** See {@link Contract#serve}. */
    public static void main(String[] args) throws Exception {
        Contract.serve(new Fabric8Adapter(), args);
    }

    @Override
    public void open(Contract.Settings settings, Contract.Counts counts) throws Exception {
        Config config = Config.fromKubeconfig(Files.readString(Path.of(settings.kubeconfig())));
        config.setClientKeyAlgo("EC"); // it takes every key for RSA
        HttpClient.Factory http =
                settings.variant().equals("jdk") ? new JdkHttpClientFactory() : new Vertx5HttpClientFactory();
        client = new KubernetesClientBuilder()
                .withConfig(config)
                .withHttpClientFactory(http)
                .build();
        boolean tuned = settings.variant().equals("tuned");
        if (settings.pods()) {
            follow(client.pods().inAnyNamespace(), counts, tuned);
        } else {
            follow(client.resources(Widget.class).inAnyNamespace(), counts, tuned);
        }
    }

    private static <T extends HasMetadata> void follow(
            AnyNamespaceOperation<T, ?, ?> operation, Contract.Counts counts, boolean tuned) {
        SharedIndexInformer<T> informer =
                tuned ? operation.withLimit(PAGE).runnableInformer(0) : operation.runnableInformer(0);
        informer.addEventHandler(new Counting<>(counts, tuned));
        informer.start().thenRun(counts::complete);
    }

    @Override
    public void close() {
        if (client != null) {
            client.close();
        }
    }

    private record Counting<T extends HasMetadata>(Contract.Counts counts, boolean tuned)
            implements ResourceEventHandler<T> {
        @Override
        public void onAdd(T object) {
            stamp(object);
            counts.added();
        }

        @Override
        public void onUpdate(T before, T after) {
            counts.updated(1, stamp(after));
        }

        @Override
        public void onDelete(T object, boolean finalStateUnknown) {}

        private @Nullable String stamp(T object) {
            if (tuned) {
                object.getMetadata().setManagedFields(List.of());
            }
            return object.getMetadata().getLabels().get(Contract.STAMP);
        }
    }
}
