package io.homeostat.integrationtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.ConfigMapBuilder;
import io.homeostat.client.ApiClient;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.ResourceType;
import io.homeostat.examples.memcached.Memcached;
import io.homeostat.examples.memcached.MemcachedOperator;
import io.homeostat.reconciler.Context;
import io.homeostat.reconciler.FinalizingReconciler;
import io.homeostat.reconciler.Operator;
import io.homeostat.reconciler.Result;
import io.homeostat.testkit.Backend;
import io.homeostat.testkit.Cluster;
import io.homeostat.testkit.OperatorTest;

/** An object with something to clean up that nobody owns. */
@OperatorTest(on = {Backend.SIMULATOR, Backend.REAL})
class FinalizingOnServersTest {
    /** Makes a ConfigMap without an owner, and deletes it. */
    private static final class Leaving implements FinalizingReconciler<Memcached> {
        private static ObjectKey account(Context<Memcached> context) {
            return new ObjectKey(
                    context.key().namespace(), "account-of-" + context.key().name());
        }

        @Override
        public Result reconcile(Memcached memcached, Context<Memcached> context) {
            context.client()
                    .apply(
                            new ConfigMapBuilder()
                                    .withNewMetadata()
                                    .withNamespace(account(context).namespace())
                                    .withName(account(context).name())
                                    .endMetadata()
                                    .build(),
                            new ApiClient.Apply("leaving", ApiClient.Apply.Force.YES));
            return Result.done();
        }

        @Override
        public Result cleanup(Memcached memcached, Context<Memcached> context) {
            context.client().delete(ResourceType.of(ConfigMap.class), account(context), ApiClient.Delete.ANY);
            return Result.done();
        }
    }

    @OperatorTest
    void objectGoesOnlyAfterItWasCleanedUp(Cluster cluster) {
        cluster.applyYaml(MemcachedOperator.crd());
        try (Place place = new ClusterPlace(cluster, () -> Operator.named("leaving-operator")
                // Others' objects, in namespaces that are ending, would get its finalizer and keep it when it has gone.
                .namespace(cluster.namespace())
                .controller(
                        Memcached.class, c -> c.finalizer("example.com/leaving").reconciler(new Leaving())))) {
            place.startOperator();
            place.apply(MemcachedScenarios.memcached("sample", 1));
            place.eventually(() -> assertThat(place.find("v1", "ConfigMap", "account-of-sample"))
                    .isPresent());
            assertThat(place.get(MemcachedScenarios.MEMCACHED, "Memcached", "sample")
                            .at("metadata.finalizers"))
                    .hasValueSatisfying(value -> assertThat(value.toString()).contains("example.com/leaving"));
            assertThat(place.stopOperator()).isTrue();
            place.delete(MemcachedScenarios.MEMCACHED, "Memcached", "sample");
            assertThat(place.find(MemcachedScenarios.MEMCACHED, "Memcached", "sample"))
                    .isPresent();
            place.startOperator();
            place.eventually(() -> {
                assertThat(place.find(MemcachedScenarios.MEMCACHED, "Memcached", "sample"))
                        .isEmpty();
                assertThat(place.find("v1", "ConfigMap", "account-of-sample")).isEmpty();
            });
        }
    }
}
