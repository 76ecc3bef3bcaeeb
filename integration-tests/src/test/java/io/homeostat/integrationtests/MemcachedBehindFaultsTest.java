package io.homeostat.integrationtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.homeostat.examples.memcached.MemcachedOperator;
import io.homeostat.testkit.Backend;
import io.homeostat.testkit.Cluster;
import io.homeostat.testkit.FaultPlan;
import io.homeostat.testkit.FaultProxy;
import io.homeostat.testkit.FaultRule;
import io.homeostat.testkit.OperatorTest;

/** The Memcached operator behind a fault proxy; shown in docs/testing.md. */
class MemcachedBehindFaultsTest {
    // region fault-proxy
    @OperatorTest(on = {Backend.SIMULATOR, Backend.REAL})
    void operatorConvergesThoughAnswersAreLostAndWatchesBreak(Cluster cluster) {
        cluster.applyYaml(MemcachedOperator.crd());
        FaultPlan plan = FaultPlan.seed(42)
                .with(FaultRule.on("patch", "*").turns(1, 2).atAnswer().reset()) // done, and its answer lost
                .with(FaultRule.on("watch", "*")
                        .rate(0.5)
                        .atByteBetween(0, 4000)
                        .truncate());
        try (FaultProxy proxy = FaultProxy.before(cluster, plan);
                Place place = new ClusterPlace(cluster, proxy.kubeconfig(), MemcachedOperator::description)) {
            place.startOperator();
            place.apply(MemcachedScenarios.memcached("sample", 2));
            place.eventually(() -> MemcachedScenarios.assertConverged(place, "sample", 2));
            assertThat(proxy.faults()).as(proxy::toString).isGreaterThan(2);
        }
    }
    // endregion fault-proxy
}
