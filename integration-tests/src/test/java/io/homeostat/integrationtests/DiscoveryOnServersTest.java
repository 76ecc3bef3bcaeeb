package io.homeostat.integrationtests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.homeostat.client.ApiClient;
import io.homeostat.client.ApiException;
import io.homeostat.client.ClusterConnection;
import io.homeostat.client.Query;
import io.homeostat.client.ResourceType;
import io.homeostat.core.SystemRuntime;
import io.homeostat.core.Transport;
import io.homeostat.testkit.Backend;
import io.homeostat.testkit.Cluster;
import io.homeostat.testkit.OperatorTest;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletionStage;
import java.util.function.BiConsumer;
import org.junit.jupiter.api.Tag;

/** What servers say they serve, and what a client makes of it while definitions come and go and a group is down. */
@Tag("jdk-independent") // what a server says
@OperatorTest(on = {Backend.SIMULATOR, Backend.REAL})
class DiscoveryOnServersTest {
    private static final Duration LIMIT = Duration.ofSeconds(30);

    private static String definition(String group) {
        return """
                apiVersion: apiextensions.k8s.io/v1
                kind: CustomResourceDefinition
                metadata: {name: parts.%1$s}
                spec:
                  group: %1$s
                  scope: Namespaced
                  names: {plural: parts, singular: part, kind: Part}
                  versions:
                  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}
                  - {name: v1beta1, served: true, storage: false, schema: {openAPIV3Schema: {type: object}}}
                """
                .formatted(group);
    }

    /** A client of its own, so that nothing is known yet. */
    private static void with(Cluster cluster, BiConsumer<SystemRuntime, ApiClient> what) {
        try (SystemRuntime runtime = SystemRuntime.create();
                Transport transport = ClusterConnection.fromKubeconfig(cluster.kubeconfigFile())
                        .open(runtime)) {
            what.accept(runtime, ApiClient.over(runtime, transport, ApiClient.Settings.of("discovery")));
        }
    }

    private static Optional<String> name(
            SystemRuntime runtime, CompletionStage<? extends Optional<? extends ResourceType<?>>> found) {
        return runtime.await(found, LIMIT).map(ResourceType::toString);
    }

    @OperatorTest
    void definitionsThatComeAndGoAreNoticed(Cluster cluster) {
        String group = cluster.namespace() + ".example.com";
        with(cluster, (runtime, client) -> {
            assertThat(name(runtime, client.discovery().find("apps", "v1", "Deployment")))
                    .contains("deployments.apps/v1");
            assertThat(name(runtime, client.discovery().preferred("", "Pod"))).contains("pods/v1");
            assertThat(name(runtime, client.discovery().find(group, "v1", "Part")))
                    .isEmpty();

            cluster.applyYaml(definition(group));
            cluster.eventually(
                    LIMIT, () -> assertThat(name(runtime, client.discovery().find(group, "v1", "Part")))
                            .contains("parts." + group + "/v1"));
            cluster.eventually(
                    LIMIT, () -> assertThat(name(runtime, client.discovery().preferred(group, "Part")))
                            .contains("parts." + group + "/v1"));
            ResourceType<?> part = runtime.await(client.discovery().find(group, "v1", "Part"), LIMIT)
                    .orElseThrow();
            assertThat(part.scope()).isEqualTo(ResourceType.Scope.NAMESPACED);

            cluster.delete("apiextensions.k8s.io/v1", "CustomResourceDefinition", "parts." + group);
            cluster.eventually(LIMIT, () -> {
                assertThatThrownBy(() -> client.blocking().list(part, Query.everywhere()))
                        .isInstanceOf(ApiException.NotFound.class);
                assertThat(name(runtime, client.discovery().find(group, "v1", "Part")))
                        .isEmpty();
            });
            assertThat(name(runtime, client.discovery().find("apps", "v1", "Deployment")))
                    .contains("deployments.apps/v1");
        });
    }

    @OperatorTest(on = Backend.REAL) // the simulator has no aggregated API servers
    void groupWhoseServerIsDownIsSaidToBeAndHarmsNoOther(Cluster cluster) {
        String group = cluster.namespace() + ".down.example.com";
        cluster.applyYaml(
                """
                apiVersion: apiregistration.k8s.io/v1
                kind: APIService
                metadata: {name: v1.%1$s}
                spec:
                  group: %1$s
                  version: v1
                  groupPriorityMinimum: 100
                  versionPriority: 100
                  insecureSkipTLSVerify: true
                  service: {namespace: %2$s, name: nobody}
                """
                        .formatted(group, cluster.namespace()));
        try {
            cluster.eventually(
                    LIMIT,
                    () -> with(cluster, (runtime, client) -> {
                        assertThat(name(runtime, client.discovery().find("apps", "v1", "Deployment")))
                                .contains("deployments.apps/v1");
                        assertThat(client.discovery().unavailable()).contains(group + "/v1");
                        assertThatThrownBy(
                                        () -> runtime.await(client.discovery().find(group, "v1", "Thing"), LIMIT))
                                .isInstanceOf(ApiException.ServerError.class);
                    }));
        } finally {
            cluster.delete("apiregistration.k8s.io/v1", "APIService", "v1." + group);
        }
    }
}
