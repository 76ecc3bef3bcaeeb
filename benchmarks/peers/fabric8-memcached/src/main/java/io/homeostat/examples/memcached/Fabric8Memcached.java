package io.homeostat.examples.memcached;

import static io.homeostat.examples.memcached.MemcachedObjects.deploymentOf;
import static io.homeostat.examples.memcached.MemcachedObjects.readyReplicasOf;
import static io.homeostat.examples.memcached.MemcachedObjects.serviceOf;

import io.fabric8.kubernetes.api.model.ConditionBuilder;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.OwnerReferenceBuilder;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.apps.Deployment;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.informers.ResourceEventHandler;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * The Memcached example on fabric8's informers alone, as far as its start goes: a cache of each of its kinds, and for each Memcached the
 * same three writes. No queue, no retry.
 */
public final class Fabric8Memcached {
    private static final int WORKERS = 10;

    private Fabric8Memcached() {}

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
        ExecutorService workers = Executors.newFixedThreadPool(WORKERS);
        client.resources(Deployment.class).inAnyNamespace().inform();
        client.resources(Service.class).inAnyNamespace().inform();
        client.resources(Memcached.class).inAnyNamespace().inform(new ResourceEventHandler<>() {
            @Override
            public void onAdd(Memcached memcached) {
                workers.execute(() -> reconcile(client, memcached));
            }

            @Override
            public void onUpdate(Memcached before, Memcached after) {}

            @Override
            public void onDelete(Memcached memcached, boolean finalStateUnknown) {}
        });
        Thread.currentThread().join();
    }

    private static void reconcile(KubernetesClient client, Memcached memcached) {
        Deployment deployment =
                client.resource(owned(deploymentOf(memcached), memcached)).serverSideApply();
        client.resource(owned(serviceOf(memcached), memcached)).serverSideApply();
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
        client.resource(memcached).patchStatus();
    }

    private static <T extends HasMetadata> T owned(T child, Memcached owner) {
        child.getMetadata().setNamespace(owner.getMetadata().getNamespace());
        child.getMetadata()
                .setOwnerReferences(List.of(new OwnerReferenceBuilder()
                        .withApiVersion(owner.getApiVersion())
                        .withKind(owner.getKind())
                        .withName(owner.getMetadata().getName())
                        .withUid(owner.getMetadata().getUid())
                        .withController(true)
                        .build()));
        return child;
    }
}
