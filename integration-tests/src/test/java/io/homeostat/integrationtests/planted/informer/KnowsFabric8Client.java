package io.homeostat.integrationtests.planted.informer;

import io.fabric8.kubernetes.client.KubernetesClient;

/** Planted: a client class outside of client. */
final class KnowsFabric8Client {
    Class<?> client() {
        return KubernetesClient.class;
    }
}
