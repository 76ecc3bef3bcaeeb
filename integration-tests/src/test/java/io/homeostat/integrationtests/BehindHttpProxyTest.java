package io.homeostat.integrationtests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.ConfigMapBuilder;
import io.fabric8.kubernetes.api.model.NamespaceBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.homeostat.client.ApiClient;
import io.homeostat.client.ApiException;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.ResourceType;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.SystemRuntime;
import io.homeostat.core.Transport;
import io.homeostat.informer.InformerState;
import io.homeostat.informer.SharedInformer;
import io.homeostat.informer.SharedInformers;
import io.homeostat.testkit.Polling;
import io.homeostat.testkit.RealControlPlane;
import java.net.URI;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/** A process that reaches its server over a company's HTTP proxy ({@code proxy-url}), whose requests go over fabric8's client (D26). */
class BehindHttpProxyTest {
    private static final ResourceType<ConfigMap> TYPE = ResourceType.of(ConfigMap.class);
    private static final Duration LIMIT = Duration.ofSeconds(60);

    @Test
    @DisplayName("cache goes on after its HTTP proxy dropped and refused it on real kube-apiserver")
    void cacheGoesOnAfterItsHttpProxyDroppedAndRefusedIt() throws Exception {
        assumeTrue(RealControlPlane.whyUnavailable().isEmpty(), () -> RealControlPlane.whyUnavailable()
                .orElse(""));
        RealControlPlane plane = RealControlPlane.shared();
        String namespace = "behind-proxy-" + Long.toString(System.nanoTime() & 0xffffff, 36);
        EngineRuntime runtime = SystemRuntime.create();
        try (KubernetesClient eyes = CacheUnderFire.eyes(plane.kubeconfig());
                ConnectProxy proxy = new ConnectProxy();
                Transport transport = CacheUnderFire.connection(behind(proxy, plane.kubeconfig()))
                        .open(runtime)) {
            eyes.namespaces()
                    .resource(new NamespaceBuilder()
                            .withNewMetadata()
                            .withName(namespace)
                            .endMetadata()
                            .build())
                    .create();
            ApiClient client = ApiClient.over(runtime, transport, ApiClient.Settings.of("behind-proxy"));
            SharedInformers informers = SharedInformers.over(runtime, client);
            SharedInformer<ConfigMap> informer = informers.informer(TYPE, namespace);
            FoldingHandler<ConfigMap> handler = new FoldingHandler<>("behind-proxy");
            informer.addHandler("behind-proxy", handler);
            informer.synced().toCompletableFuture().get(60, TimeUnit.SECONDS);
            CacheOracle<ConfigMap> oracle = new CacheOracle<>(
                    informer,
                    () -> eyes.configMaps().inNamespace(namespace).list().getItems());
            change(eyes, namespace, "before");
            awaitRight(oracle, handler, proxy);

            for (int i = 0; i < 3; i++) {
                int before = proxy.tunnels();
                proxy.drop();
                change(eyes, namespace, "dropped-" + i);
                awaitRight(oracle, handler, proxy);
                assertThat(proxy.tunnels()).isGreaterThan(before);
            }

            proxy.refuse();
            change(eyes, namespace, "refused");
            Polling.eventually(LIMIT, () -> {
                assertThat(informer.state().phase()).isEqualTo(InformerState.Phase.BACKING_OFF);
                assertThat(informer.state().lastError()).isInstanceOf(ApiException.Unreachable.class);
                assertThat(proxy.refusals()).isPositive();
            });
            proxy.serve();
            awaitRight(oracle, handler, proxy);
            assertThat(informer.state().relists()).as("a watch resumes").isEqualTo(1);

            ConfigMap own = client.blocking().create(configMap(namespace, "own"));
            assertThat(informer.snapshot().get(new ObjectKey(namespace, "own")).map(seen -> seen.raw()
                            .uid()))
                    .contains(own.getMetadata().getUid());
            awaitRight(oracle, handler, proxy);
            assertThat(proxy.targets())
                    .as("nothing goes past the proxy, nor anywhere else through it")
                    .isEqualTo(Set.of(URI.create(plane.server()).getAuthority()));
            informers.close();
            eyes.namespaces().withName(namespace).delete();
        } finally {
            runtime.close();
        }
    }

    private static String behind(ConnectProxy proxy, String kubeconfig) {
        String proxied = kubeconfig.replaceFirst("(?m)^(\\s*)(server: .*)$", "$1$2\n$1proxy-url: " + proxy.url());
        assertThat(proxied).contains("proxy-url");
        return proxied;
    }

    private static ConfigMap configMap(String namespace, String name) {
        return new ConfigMapBuilder()
                .withNewMetadata()
                .withNamespace(namespace)
                .withName(name)
                .endMetadata()
                .build();
    }

    /** Somebody else, past the proxy: one comes, one changes, one goes. */
    private static void change(KubernetesClient eyes, String namespace, String name) {
        eyes.resource(configMap(namespace, name)).create();
        eyes.resource(configMap(namespace, name + "-passing")).create();
        eyes.configMaps().inNamespace(namespace).withName(name).edit(map -> new ConfigMapBuilder(map)
                .withData(Map.of("value", name))
                .build());
        eyes.configMaps().inNamespace(namespace).withName(name + "-passing").delete();
    }

    private static void awaitRight(CacheOracle<?> oracle, FoldingHandler<?> handler, ConnectProxy proxy) {
        Polling.eventually(LIMIT, () -> assertThat(oracle.wrong(oracle.truth(), Set.of(), List.of(handler)))
                .as(() -> proxy.tunnels() + " tunnels, " + proxy.refusals() + " refused")
                .isEmpty());
    }
}
