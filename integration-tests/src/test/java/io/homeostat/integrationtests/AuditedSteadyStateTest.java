package io.homeostat.integrationtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.homeostat.examples.memcached.MemcachedOperator;
import io.homeostat.testkit.Backend;
import io.homeostat.testkit.Cluster;
import io.homeostat.testkit.OperatorTest;
import io.homeostat.testkit.ServedRequest;
import java.time.Duration;
import java.util.List;

/** What a server's audit log has of the Memcached operator while nothing happens. It mostly waits, so it has a class of its own. */
class AuditedSteadyStateTest {
    @OperatorTest(on = Backend.REAL)
    void steadyOperatorSendsNothingButWatchesForAMinute(Cluster cluster) {
        cluster.applyYaml(MemcachedOperator.crd());
        try (Place place = new ClusterPlace(cluster, MemcachedOperator::description)) {
            place.startOperator();
            for (int i = 0; i < 5; i++) {
                place.apply(MemcachedScenarios.memcached("steady-" + i, 1));
            }
            for (int i = 0; i < 5; i++) {
                int each = i;
                place.eventually(() -> MemcachedScenarios.assertConverged(place, "steady-" + each, 1));
            }
            // Objects of earlier tests, in namespaces that are ending, still make it work.
            place.eventually(() -> assertThat(cluster.read("/apis/cache.example.com/v1alpha1/memcacheds")
                            .list("items"))
                    .hasSize(5));
            place.letPass(Duration.ofSeconds(5));
            int before = cluster.requests().size();
            place.letPass(Duration.ofSeconds(60));
            List<ServedRequest> during = cluster.requests();
            during = during.subList(before, during.size());
            assertThat(others(during))
                    .as("requests in 60 s that are no watches and no heartbeat")
                    .isEmpty();
            assertThat(during.stream().filter(request -> request.target().equals("/livez")))
                    .as("heartbeats in 60 s, for all watches together")
                    .hasSizeBetween(5, 7);
        }
    }

    private static List<ServedRequest> others(List<ServedRequest> requests) {
        return requests.stream()
                .filter(request -> !request.verb().equals("watch"))
                .filter(request -> !request.target().equals("/livez"))
                .toList();
    }
}
