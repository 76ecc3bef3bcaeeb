package io.homeostat.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.homeostat.client.ClusterConnection;
import io.homeostat.core.Headers;
import io.homeostat.core.HttpCall;
import io.homeostat.core.SystemRuntime;
import io.homeostat.core.Transport;
import java.time.Duration;

@OperatorTest(on = {Backend.SIMULATOR, Backend.REAL})
final class OperatorTestTest {
    @OperatorTest
    void eachTestHasANamespaceOfItsOwn(Cluster cluster) {
        assertThat(cluster.namespace()).startsWith("t-each-test-has-a-namespace-of-its-own-");
        assertThat(cluster.get("v1", "Namespace", cluster.namespace()).text("status.phase"))
                .isEqualTo("Active");
        assertThat(cluster.list("v1", "Secret")).isEmpty();
    }

    @OperatorTest
    void objectsAreAppliedReadPatchedAndDeleted(Cluster cluster) {
        cluster.applyYaml(
                """
                apiVersion: v1
                kind: ConfigMap
                metadata: {name: one}
                data: {key: old}
                ---
                apiVersion: v1
                kind: ConfigMap
                metadata: {name: two}
                """);

        assertThat(cluster.list("v1", "ConfigMap")).extracting(Tree::name).contains("one", "two");
        assertThat(cluster.patch("v1", "ConfigMap", "one", "data: {key: new}").text("data.key"))
                .isEqualTo("new");
        cluster.delete("v1", "ConfigMap", "one");
        assertThat(cluster.find("v1", "ConfigMap", "one")).isEmpty();
        assertThatThrownBy(() -> cluster.get("v1", "ConfigMap", "one"))
                .hasMessageContaining("/configmaps/one was answered 404: configmaps \"one\" not found");
        assertThatThrownBy(() -> cluster.get("v1", "Gadget", "x")).hasMessageContaining("no kind Gadget in v1");
    }

    @OperatorTest
    void customResourcesAreServedOnceTheirDefinitionIsApplied(Cluster cluster) {
        cluster.applyYaml(
                """
                apiVersion: apiextensions.k8s.io/v1
                kind: CustomResourceDefinition
                metadata: {name: gadgets.testkit.homeostat.io}
                spec:
                  group: testkit.homeostat.io
                  names: {kind: Gadget, plural: gadgets, singular: gadget, listKind: GadgetList}
                  scope: Namespaced
                  versions:
                  - name: v1
                    served: true
                    storage: true
                    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
                ---
                apiVersion: testkit.homeostat.io/v1
                kind: Gadget
                metadata: {name: g}
                spec: {size: 3}
                """);

        assertThat(cluster.get("testkit.homeostat.io/v1", "Gadget", "g").number("spec.size"))
                .isEqualTo(3);
    }

    @OperatorTest
    void requestsOfTheOperatorAreCountedAndOursAreNot(Cluster cluster) {
        cluster.list("v1", "ConfigMap");
        assertThat(cluster.requests()).isEmpty();
        String target = "/api/v1/namespaces/" + cluster.namespace() + "/configmaps";

        try (SystemRuntime runtime = SystemRuntime.create();
                Transport operator = ClusterConnection.fromKubeconfig(cluster.kubeconfigFile())
                        .open(runtime)) {
            HttpCall call = HttpCall.get(target, Headers.NONE.with("User-Agent", "operator/1"));
            assertThat(runtime.await(operator.send(call, 1 << 20), Duration.ofSeconds(10))
                            .status())
                    .isEqualTo(200);
        }

        cluster.eventually(Duration.ofSeconds(5), () -> assertThat(cluster.requests())
                .containsExactly(new ServedRequest("list", target, 200, "operator/1")));
        assertThat(cluster.requests()).noneMatch(ServedRequest::isWrite);
    }

    @OperatorTest(on = Backend.REAL)
    void kubectlWorksWithTheKubeconfigFile(Cluster cluster) throws Exception {
        assertThat(KubectlTool.run(cluster, "get", "configmaps", "--namespace", cluster.namespace()))
                .isZero();
    }
}
