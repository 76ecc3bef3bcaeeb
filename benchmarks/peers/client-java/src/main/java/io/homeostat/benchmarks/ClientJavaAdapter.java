package io.homeostat.benchmarks;

import io.kubernetes.client.common.KubernetesListObject;
import io.kubernetes.client.common.KubernetesObject;
import io.kubernetes.client.informer.ResourceEventHandler;
import io.kubernetes.client.informer.SharedIndexInformer;
import io.kubernetes.client.informer.SharedInformerFactory;
import io.kubernetes.client.openapi.ApiClient;
import io.kubernetes.client.openapi.models.V1ListMeta;
import io.kubernetes.client.openapi.models.V1ObjectMeta;
import io.kubernetes.client.openapi.models.V1Pod;
import io.kubernetes.client.openapi.models.V1PodList;
import io.kubernetes.client.util.ClientBuilder;
import io.kubernetes.client.util.KubeConfig;
import io.kubernetes.client.util.generic.GenericKubernetesApi;
import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** The informer of io.kubernetes:client-java. */
final class ClientJavaAdapter implements Contract.Client {
    // Confined to the main thread.
    private @Nullable SharedInformerFactory factory;
    private @Nullable ApiClient client;

    /** A custom resource, as its users write one. */
    public static final class Widget implements KubernetesObject {
        public String apiVersion = "bench.homeostat.io/v1";
        public String kind = "Widget";
        public V1ObjectMeta metadata = new V1ObjectMeta();
        public @Nullable WidgetSpec spec;
        public @Nullable WidgetStatus status;

        @Override
        public V1ObjectMeta getMetadata() {
            return metadata;
        }

        @Override
        public String getApiVersion() {
            return apiVersion;
        }

        @Override
        public String getKind() {
            return kind;
        }
    }

    /** A list of them. */
    public static final class WidgetList implements KubernetesListObject {
        public String apiVersion = "bench.homeostat.io/v1";
        public String kind = "WidgetList";
        public V1ListMeta metadata = new V1ListMeta();
        public List<Widget> items = List.of();

        @Override
        public V1ListMeta getMetadata() {
            return metadata;
        }

        @Override
        public List<Widget> getItems() {
            return items;
        }

        @Override
        public String getApiVersion() {
            return apiVersion;
        }

        @Override
        public String getKind() {
            return kind;
        }
    }

    /** See {@link Contract#serve}. */
    public static void main(String[] args) throws Exception {
        Contract.serve(new ClientJavaAdapter(), args);
    }

    @Override
    public void open(Contract.Settings settings, Contract.Counts counts) throws Exception {
        try (Reader kubeconfig = Files.newBufferedReader(Path.of(settings.kubeconfig()))) {
            client = ClientBuilder.kubeconfig(KubeConfig.loadKubeConfig(kubeconfig)).build();
        }
        client.setReadTimeout(0); // as its documentation asks for informers
        factory = new SharedInformerFactory(client);
        if (settings.pods()) {
            follow(new GenericKubernetesApi<>(V1Pod.class, V1PodList.class, "", "v1", "pods", client), V1Pod.class, counts);
        } else {
            follow(
                    new GenericKubernetesApi<>(
                            Widget.class, WidgetList.class, "bench.homeostat.io", "v1", "widgets", client),
                    Widget.class,
                    counts);
        }
    }

    private <T extends KubernetesObject, L extends KubernetesListObject> void follow(
            GenericKubernetesApi<T, L> api, Class<T> type, Contract.Counts counts) throws InterruptedException {
        SharedInformerFactory all = java.util.Objects.requireNonNull(factory);
        SharedIndexInformer<T> informer = all.sharedIndexInformerFor(api, type, 0);
        informer.addEventHandler(new ResourceEventHandler<T>() {
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
        });
        all.startAllRegisteredInformers();
        while (!informer.hasSynced()) {
            TimeUnit.MILLISECONDS.sleep(5);
        }
        counts.complete();
    }

    private static @Nullable String stamp(KubernetesObject object) {
        return object.getMetadata().getLabels().get(Contract.STAMP);
    }

    @Override
    public void close() {
        if (factory != null && client != null) {
            factory.stopAllRegisteredInformers();
            client.getHttpClient().dispatcher().executorService().shutdown();
            client.getHttpClient().connectionPool().evictAll();
        }
    }
}
