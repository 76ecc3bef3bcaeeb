package io.homeostat.examples.memcached;

import static io.homeostat.examples.memcached.MemcachedObjects.deploymentOf;
import static io.homeostat.examples.memcached.MemcachedObjects.readyReplicasOf;
import static io.homeostat.examples.memcached.MemcachedObjects.serviceOf;

import io.fabric8.kubernetes.api.model.ConditionBuilder;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.apps.Deployment;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.javaoperatorsdk.operator.Operator;
import io.javaoperatorsdk.operator.api.config.informer.InformerEventSourceConfiguration;
import io.javaoperatorsdk.operator.api.reconciler.Context;
import io.javaoperatorsdk.operator.api.reconciler.ControllerConfiguration;
import io.javaoperatorsdk.operator.api.reconciler.EventSourceContext;
import io.javaoperatorsdk.operator.api.reconciler.Reconciler;
import io.javaoperatorsdk.operator.api.reconciler.UpdateControl;
import io.javaoperatorsdk.operator.processing.event.source.EventSource;
import io.javaoperatorsdk.operator.processing.event.source.informer.InformerEventSource;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;

/** The Memcached example on the Java Operator SDK: two secondary resources, server-side apply of both, a patch of the status. */
public final class JosdkMemcached {
    private JosdkMemcached() {}

    /**
     * Runs until it is ended.
     *
     * @param args {@code --kubeconfig} and the file
     */
    public static void main(String[] args) throws Exception {
        Config config = Config.fromKubeconfig(Files.readString(Path.of(args[1])));
        config.setClientKeyAlgo("EC"); // it takes every key for RSA
        KubernetesClient client =
                new KubernetesClientBuilder().withConfig(config).build();
        Operator operator = new Operator(settings -> settings.withKubernetesClient(client));
        operator.register(new MemcachedReconciler());
        operator.start();
        Thread.currentThread().join();
    }

    @ControllerConfiguration(name = "memcached")
    private static final class MemcachedReconciler implements Reconciler<Memcached> {
        @Override
        public List<EventSource<?, Memcached>> prepareEventSources(EventSourceContext<Memcached> context) {
            return List.of(secondary(Deployment.class, context), secondary(Service.class, context));
        }

        private static <S extends HasMetadata> EventSource<?, Memcached> secondary(
                Class<S> type, EventSourceContext<Memcached> context) {
            return new InformerEventSource<>(
                    InformerEventSourceConfiguration.from(type, Memcached.class).build(), context);
        }

        @Override
        public UpdateControl<Memcached> reconcile(Memcached memcached, Context<Memcached> context) {
            Deployment deployment = context.getClient()
                    .resource(owned(deploymentOf(memcached), memcached))
                    .serverSideApply();
            context.getClient().resource(owned(serviceOf(memcached), memcached)).serverSideApply();
            MemcachedStatus status = new MemcachedStatus();
            status.setReadyReplicas(readyReplicasOf(deployment));
            status.setObservedGeneration(memcached.getMetadata().getGeneration());
            status.setConditions(List.of(new ConditionBuilder()
                    .withType("Ready")
                    .withStatus("False")
                    .withReason("ServersNotReady")
                    .withMessage("")
                    .withLastTransitionTime(Instant.now().toString())
                    .build()));
            memcached.setStatus(status);
            return UpdateControl.patchStatus(memcached);
        }

        private static <T extends HasMetadata> T owned(T child, Memcached owner) {
            child.getMetadata().setNamespace(owner.getMetadata().getNamespace());
            child.addOwnerReference(owner);
            return child;
        }
    }
}
