package io.homeostat.integrationtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.homeostat.examples.memcached.MemcachedOperator;
import io.homeostat.testkit.Backend;
import io.homeostat.testkit.Cluster;
import io.homeostat.testkit.OperatorTest;
import io.homeostat.testkit.RealControlPlane.Component;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;

/** What the Memcached operator does when its server dies, with few rights, and before there is a CRD. */
class MemcachedUnderStressTest {
    private static final String CRD = "memcacheds.cache.example.com";

    @OperatorTest(on = Backend.REAL)
    void operatorGoesOnByItselfWhenTheApiServerIsKilledAndComesBack(Cluster cluster) {
        cluster.applyYaml(MemcachedOperator.crd());
        try (Place place = new ClusterPlace(cluster, MemcachedOperator::description)) {
            place.startOperator();
            place.apply(MemcachedScenarios.memcached("sample", 2));
            place.apply(MemcachedScenarios.memcached("other", 1));
            place.eventually(() -> MemcachedScenarios.assertConverged(place, "sample", 2));
            cluster.controlPlane().kill(Component.KUBE_APISERVER);
            cluster.controlPlane().start(Component.KUBE_APISERVER);
            place.eventually(
                    () -> place.patch(MemcachedScenarios.MEMCACHED, "Memcached", "sample", "{\"spec\":{\"size\":4}}"));
            place.delete(MemcachedScenarios.APPS, "Deployment", "other");
            place.eventually(() -> {
                MemcachedScenarios.assertConverged(place, "sample", 4);
                MemcachedScenarios.assertConverged(place, "other", 1);
            });
        }
    }

    @OperatorTest(on = Backend.REAL)
    void documentedRoleIsAllThatIsNeeded(Cluster cluster) {
        cluster.applyYaml(MemcachedOperator.crd());
        String user = "memcached-" + cluster.namespace();
        cluster.applyYaml(resource("/role.yaml"));
        cluster.applyYaml(
                "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: " + user
                        + "}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name:"
                        + " memcached-operator}, subjects: [{apiGroup: rbac.authorization.k8s.io,"
                        + " kind: User, name: " + user + "}]}");
        try (Place place = new ClusterPlace(cluster, cluster.kubeconfigFor(user), MemcachedOperator::description)) {
            place.startOperator();
            place.apply(MemcachedScenarios.memcached("sample", 1));
            place.eventually(() -> MemcachedScenarios.assertConverged(place, "sample", 1));
            place.patch(MemcachedScenarios.APPS, "Deployment", "sample", "{\"spec\":{\"replicas\":3}}");
            place.eventually(() -> MemcachedScenarios.assertConverged(place, "sample", 1));
            assertThat(cluster.requestsOf(user)).isNotEmpty().noneMatch(request -> request.status() == 403);
        }
    }

    @OperatorTest(on = {Backend.SIMULATOR, Backend.REAL})
    void operatorWaitsForACrdThatComesLater(Cluster cluster) {
        cluster.applyYaml(MemcachedOperator.crd());
        cluster.delete("apiextensions.k8s.io/v1", "CustomResourceDefinition", CRD);
        cluster.eventually(Duration.ofSeconds(30), () -> assertThat(
                        cluster.find("apiextensions.k8s.io/v1", "CustomResourceDefinition", CRD))
                .isEmpty());
        try (Place place = new ClusterPlace(cluster, MemcachedOperator::description)) {
            place.startOperator();
            place.letPass(Duration.ofSeconds(2));
            cluster.applyYaml(MemcachedOperator.crd());
            place.apply(MemcachedScenarios.memcached("late", 2));
            place.eventually(() -> MemcachedScenarios.assertConverged(place, "late", 2));
        }
    }

    static String resource(String name) {
        try (InputStream stream = MemcachedOperator.class.getResourceAsStream(name)) {
            if (stream == null) {
                throw new IllegalStateException(name + " is not on the class path");
            }
            return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
