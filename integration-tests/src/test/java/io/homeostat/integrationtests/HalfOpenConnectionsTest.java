package io.homeostat.integrationtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.homeostat.client.ApiClient;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.ResourceType;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.SystemRuntime;
import io.homeostat.core.Transport;
import io.homeostat.informer.InformerState;
import io.homeostat.informer.SharedInformer;
import io.homeostat.informer.SharedInformers;
import io.homeostat.testkit.Backend;
import io.homeostat.testkit.Cluster;
import io.homeostat.testkit.FasterRuntime;
import io.homeostat.testkit.FaultPlan;
import io.homeostat.testkit.FaultProxy;
import io.homeostat.testkit.OperatorTest;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/** Connections that die without a word, on real sockets (P-C8, D9b). */
class HalfOpenConnectionsTest {
    private static final int RATE = 5;

    @OperatorTest(on = {Backend.SIMULATOR, Backend.REAL})
    void aPathThatForgetsItsConnectionsIsFoundByTheHeartbeatAndNothingIsListed(Cluster cluster) {
        List<InformerState> states = new CopyOnWriteArrayList<>();
        try (FaultProxy proxy = FaultProxy.before(cluster, FaultPlan.seed(1));
                EngineRuntime runtime = FasterRuntime.over(
                        SystemRuntime.builder().named("half-open").build(), RATE);
                Transport transport =
                        CacheUnderFire.connection(proxy.kubeconfig()).open(runtime);
                SharedInformers informers = SharedInformers.over(
                        runtime, ApiClient.over(runtime, transport, ApiClient.Settings.of("half-open")))) {
            SharedInformer<ConfigMap> informer =
                    informers.informer(ResourceType.of(ConfigMap.class), cluster.namespace());
            informer.onStateChange(states::add);
            runtime.await(informer.synced(), Duration.ofMinutes(5));
            cluster.eventually(
                    Duration.ofSeconds(30),
                    () -> assertThat(proxy.requests("get", "/livez")).isPositive()); // its connection is kept

            proxy.silenceConnections();
            cluster.applyYaml("{apiVersion: v1, kind: ConfigMap, metadata: {name: after, namespace: "
                    + cluster.namespace() + "}}");

            ObjectKey after = new ObjectKey(cluster.namespace(), "after");
            cluster.eventually(
                    Duration.ofSeconds(60), () -> assertThat(informer.snapshot().get(after))
                            .as(proxy::toString)
                            .isPresent());
            assertThat(states).as("what it noticed by").anyMatch(state -> String.valueOf(state.lastError())
                    .contains("/livez"));
            assertThat(informer.state().relists()).isEqualTo(1);
        }
    }
}
