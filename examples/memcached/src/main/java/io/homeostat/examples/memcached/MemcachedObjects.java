package io.homeostat.examples.memcached;

import io.fabric8.kubernetes.api.model.ObjectMeta;
import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.ServiceBuilder;
import io.fabric8.kubernetes.api.model.apps.Deployment;
import io.fabric8.kubernetes.api.model.apps.DeploymentBuilder;
import java.util.Map;
import java.util.Objects;

/** What a Memcached asks for, and nothing that anybody else may decide: an apply owns the fields it names. */
final class MemcachedObjects {
    private static final int PORT = 11211;

    private MemcachedObjects() {}

    static Deployment deploymentOf(Memcached memcached) {
        return new DeploymentBuilder()
                .withMetadata(metadataOf(memcached))
                .withNewSpec()
                .withReplicas(memcached.getSpec().getSize())
                .withNewSelector()
                .withMatchLabels(selectorOf(memcached))
                .endSelector()
                .withNewTemplate()
                .withNewMetadata()
                .withLabels(selectorOf(memcached))
                .endMetadata()
                .withNewSpec()
                .addNewContainer()
                .withName("memcached")
                .withImage(memcached.getSpec().getImage())
                .addNewPort()
                .withName("memcached")
                .withContainerPort(PORT)
                .withProtocol("TCP")
                .endPort()
                .endContainer()
                .endSpec()
                .endTemplate()
                .endSpec()
                .build();
    }

    static Service serviceOf(Memcached memcached) {
        return new ServiceBuilder()
                .withMetadata(metadataOf(memcached))
                .withNewSpec()
                .withSelector(selectorOf(memcached))
                .addNewPort()
                .withName("memcached")
                .withPort(PORT)
                .withNewTargetPort("memcached")
                .withProtocol("TCP")
                .endPort()
                .endSpec()
                .build();
    }

    static int readyReplicasOf(Deployment deployment) {
        return deployment.getStatus() == null
                ? 0
                : Objects.requireNonNullElse(deployment.getStatus().getReadyReplicas(), 0);
    }

    private static ObjectMeta metadataOf(Memcached memcached) {
        return new ObjectMetaBuilder()
                .withName(memcached.getMetadata().getName())
                .withLabels(selectorOf(memcached))
                .build();
    }

    /** Its own for each Memcached: two of one namespace must not share servers. */
    private static Map<String, String> selectorOf(Memcached memcached) {
        return Map.of(
                "app.kubernetes.io/name",
                "memcached",
                "app.kubernetes.io/instance",
                memcached.getMetadata().getName());
    }
}
