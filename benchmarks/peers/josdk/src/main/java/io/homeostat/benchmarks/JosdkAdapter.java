package io.homeostat.benchmarks;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Namespaced;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.CustomResource;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.model.annotation.Group;
import io.fabric8.kubernetes.model.annotation.Version;
import io.javaoperatorsdk.operator.Operator;
import io.javaoperatorsdk.operator.api.config.informer.Informer;
import io.javaoperatorsdk.operator.api.reconciler.Context;
import io.javaoperatorsdk.operator.api.reconciler.ControllerConfiguration;
import io.javaoperatorsdk.operator.api.reconciler.Reconciler;
import io.javaoperatorsdk.operator.api.reconciler.UpdateControl;
import io.javaoperatorsdk.operator.processing.event.source.filter.OnAddFilter;
import io.javaoperatorsdk.operator.processing.event.source.filter.OnUpdateFilter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** A controller of the Java Operator SDK whose reconciler reads the object it is given and does nothing. */
final class JosdkAdapter implements Contract.Client {
    // JOSDK makes filters by itself, from their classes; set before any of them is called.
    private static volatile Contract.@Nullable Counts told;

    // Confined to the main thread.
    private @Nullable Operator operator;

    /** The custom resource of the benchmarks. */
    @Group("bench.homeostat.io")
    @Version("v1")
    public static final class Widget extends CustomResource<WidgetSpec, WidgetStatus> implements Namespaced {}

    /** Counts what is there, and lets it pass. */
    public static final class CountsAdds implements OnAddFilter<HasMetadata> {
        @Override
        public boolean accept(HasMetadata object) {
            java.util.Objects.requireNonNull(told).added();
            return true;
        }
    }

    /** Counts changes, and lets them pass. */
    public static final class CountsUpdates implements OnUpdateFilter<HasMetadata> {
        @Override
        public boolean accept(HasMetadata after, HasMetadata before) {
            java.util.Objects.requireNonNull(told).updated(1, null);
            return true;
        }
    }

    @ControllerConfiguration(
            name = "pods",
            generationAwareEventProcessing = false,
            informer = @Informer(onAddFilter = CountsAdds.class, onUpdateFilter = CountsUpdates.class))
    private static final class Pods implements Reconciler<Pod> {
        @Override
        public UpdateControl<Pod> reconcile(Pod pod, Context<Pod> context) {
            return reconciled(pod);
        }
    }

    @ControllerConfiguration(
            name = "widgets",
            generationAwareEventProcessing = false,
            informer = @Informer(onAddFilter = CountsAdds.class, onUpdateFilter = CountsUpdates.class))
    private static final class Widgets implements Reconciler<Widget> {
        @Override
        public UpdateControl<Widget> reconcile(Widget widget, Context<Widget> context) {
            return reconciled(widget);
        }
    }

    private static <T extends HasMetadata> UpdateControl<T> reconciled(T object) {
        boolean again = java.util.Objects.requireNonNull(told)
                .reconciled(object.getMetadata().getLabels().get(Contract.STAMP));
        UpdateControl<T> done = UpdateControl.noUpdate();
        return again ? done.reschedule() : done; // without its timer: the object's next event at once
    }

    /** See {@link Contract#serve}. */
    public static void main(String[] args) throws Exception {
        Contract.serve(new JosdkAdapter(), args);
    }

    @Override
    public void open(Contract.Settings settings, Contract.Counts counts) throws Exception {
        counts.reconciling();
        told = counts;
        Config config = Config.fromKubeconfig(Files.readString(Path.of(settings.kubeconfig())));
        config.setClientKeyAlgo("EC"); // it takes every key for RSA
        KubernetesClient client =
                new KubernetesClientBuilder().withConfig(config).build();
        operator = new Operator(settingsOf -> settingsOf
                .withKubernetesClient(client)
                .withCloseClientOnStop(true)
                .withCacheSyncTimeout(Duration.ofMinutes(10)));
        if (settings.pods()) {
            operator.register(new Pods());
        } else {
            operator.register(new Widgets());
        }
        operator.start(); // returns when the caches are full
        counts.complete();
    }

    @Override
    public void close() {
        if (operator != null) {
            operator.stop();
        }
    }
}
