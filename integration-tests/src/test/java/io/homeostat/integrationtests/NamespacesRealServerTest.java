package io.homeostat.integrationtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.ConfigMapBuilder;
import io.fabric8.kubernetes.api.model.NamespaceBuilder;
import io.fabric8.kubernetes.api.model.Secret;
import io.fabric8.kubernetes.api.model.rbac.RoleBinding;
import io.fabric8.kubernetes.api.model.rbac.RoleBindingBuilder;
import io.fabric8.kubernetes.api.model.rbac.RoleBuilder;
import io.homeostat.client.ApiClient;
import io.homeostat.client.ApiException;
import io.homeostat.client.BlockingApiClient;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.ResourceType;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.SystemRuntime;
import io.homeostat.core.Transport;
import io.homeostat.informer.InformerState.Phase;
import io.homeostat.informer.Selection;
import io.homeostat.informer.ShardSelector;
import io.homeostat.informer.SharedInformer;
import io.homeostat.informer.SharedInformers;
import io.homeostat.reconciler.Operator;
import io.homeostat.reconciler.Result;
import io.homeostat.testkit.Backend;
import io.homeostat.testkit.Cluster;
import io.homeostat.testkit.OperatorTest;
import io.homeostat.testkit.Polling;
import io.homeostat.testkit.RealControlPlane;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;

/** Parts of a cluster: namespaces with rights of their own, fields, shards, as a real kube-apiserver has them. */
@Tag("jdk-independent") // what a server allows and selects; NamespacesTest and SelectionTest do the rest on each JDK
class NamespacesRealServerTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);

    /** A client of one user. */
    private static final class Side implements AutoCloseable {
        final EngineRuntime runtime = SystemRuntime.create();
        final Transport transport;
        final ApiClient api;
        final BlockingApiClient client;

        Side(String kubeconfig) {
            this.transport = CacheUnderFire.connection(kubeconfig).open(runtime);
            this.api = ApiClient.over(runtime, transport, ApiClient.Settings.of("parts"));
            this.client = api.blocking();
        }

        @Override
        public void close() {
            transport.close();
            runtime.close();
        }
    }

    private static ConfigMap map(String namespace, String name) {
        return new ConfigMapBuilder()
                .withNewMetadata()
                .withNamespace(namespace)
                .withName(name)
                .endMetadata()
                .withData(Map.of("x", "1"))
                .build();
    }

    private static void namespace(Side admin, String name) {
        admin.client.create(new NamespaceBuilder()
                .withNewMetadata()
                .withName(name)
                .endMetadata()
                .build());
        admin.client.create(new RoleBuilder()
                .withNewMetadata()
                .withNamespace(name)
                .withName("worker")
                .endMetadata()
                .addNewRule()
                .withApiGroups("")
                .withResources("configmaps", "secrets")
                .withVerbs("get", "list", "watch")
                .endRule()
                .build());
        admin.client.create(map(name, "there"));
    }

    private static void grant(Side admin, String namespace, String user) {
        admin.client.create(new RoleBindingBuilder()
                .withNewMetadata()
                .withNamespace(namespace)
                .withName("worker")
                .endMetadata()
                .withNewRoleRef("rbac.authorization.k8s.io", "Role", "worker")
                .addNewSubject("rbac.authorization.k8s.io", "User", user, null)
                .build());
    }

    @OperatorTest(on = Backend.REAL)
    void anOperatorWorksWhereItMayAndBeginsWhereItIsAllowedLater(Cluster cluster) throws Exception {
        String a = cluster.namespace() + "-a";
        String b = cluster.namespace() + "-b";
        String c = cluster.namespace() + "-c";
        String d = cluster.namespace() + "-d";
        String user = "worker-of-" + cluster.namespace();
        Set<String> seen = new ConcurrentSkipListSet<>();
        try (Side admin = new Side(cluster.kubeconfig());
                Side worker = new Side(cluster.kubeconfigFor(user))) {
            for (String each : List.of(a, b, c, d)) {
                namespace(admin, each);
            }
            grant(admin, a, user);
            grant(admin, b, user);
            Operator.Running running = Operator.named("parts")
                    .namespaces(List.of(a, b, c))
                    .controller(ConfigMap.class, spec -> spec.owns(Secret.class).reconciler((map, context) -> {
                        context.owned(Secret.class);
                        if (map.getData() != null) {
                            seen.add(context.key().toString());
                        }
                        return Result.done();
                    }))
                    .start(worker.runtime, worker.transport);
            running.working().toCompletableFuture().get(60, TimeUnit.SECONDS);
            Polling.eventually(LIMIT, () -> assertThat(seen).contains(a + "/there", b + "/there"));
            Polling.eventually(
                    LIMIT, () -> assertThat(running.controllers().get(0).waitsFor())
                            .hasSize(2)
                            .allMatch(text -> text.contains(" in " + c + " (the server refuses ")));
            assertThat(seen).noneMatch(key -> key.startsWith(c));

            admin.client.delete(ResourceType.of(RoleBinding.class), new ObjectKey(b, "worker"), ApiClient.Delete.ANY);
            Polling.eventually(LIMIT, () -> assertThat(running.caches().stream()
                            .filter(cache -> cache.name().endsWith(" in " + b))
                            .map(cache -> cache.phase()))
                    .allMatch(phase -> phase == Phase.FORBIDDEN || phase == Phase.WATCHING));
            admin.client.create(map(a, "later"));
            admin.client.create(map(b, "later"));
            Polling.eventually(LIMIT, () -> assertThat(seen).contains(a + "/later"));
            grant(admin, b, user);
            grant(admin, c, user);
            Polling.eventually(LIMIT, () -> assertThat(seen).contains(b + "/later", c + "/there"));
            assertThat(running.controllers().get(0).waitsFor()).isEmpty();

            grant(admin, d, user);
            running.addNamespace(d).toCompletableFuture().get(60, TimeUnit.SECONDS);
            Polling.eventually(LIMIT, () -> assertThat(seen).contains(d + "/there"));
            running.removeNamespace(a).toCompletableFuture().get(60, TimeUnit.SECONDS);
            admin.client.create(map(a, "unseen"));
            admin.client.create(map(d, "after"));
            Polling.eventually(LIMIT, () -> assertThat(seen).contains(d + "/after"));
            assertThat(seen).doesNotContain(a + "/unseen");
            assertThat(running.stop().toCompletableFuture().get(60, TimeUnit.SECONDS))
                    .isTrue();
        }
    }

    private static SharedInformer<ConfigMap> cache(SharedInformers informers, String namespace, Selection selection) {
        return informers.informer(ResourceType.of(ConfigMap.class), namespace, selection);
    }

    private static SortedSet<String> names(SharedInformer<ConfigMap> cache) {
        TreeSet<String> names = new TreeSet<>();
        cache.snapshot().list().forEach(each -> names.add(each.key().name()));
        return names;
    }

    @OperatorTest(on = {Backend.SIMULATOR, Backend.REAL})
    void fieldsSelectAndOneThatTheServerDoesNotKnowIsRefusedInItsWords(Cluster cluster) {
        try (Side side = new Side(cluster.kubeconfig());
                SharedInformers informers = SharedInformers.over(side.runtime, side.api)) {
            side.client.create(map(cluster.namespace(), "one"));
            side.client.create(map(cluster.namespace(), "two"));
            SharedInformer<ConfigMap> one =
                    cache(informers, cluster.namespace(), Selection.all().withFields("metadata.name=one"));
            SharedInformer<ConfigMap> none =
                    cache(informers, cluster.namespace(), Selection.all().withFields("spec.size=1"));
            Polling.eventually(LIMIT, () -> assertThat(names(one)).containsExactly("one"));
            Polling.eventually(LIMIT, () -> assertThat(none.state().phase()).isEqualTo(Phase.REFUSED));
            assertThat(none.state().name()).endsWith(" where spec.size=1");
            assertThat(none.state().lastError())
                    .isInstanceOf(ApiException.BadRequest.class)
                    .hasMessageContaining("field");
        }
    }

    @OperatorTest(on = {Backend.SIMULATOR, Backend.REAL})
    void shardsAreEverythingOnceWhereTheServerDoesNotKnowThem(Cluster cluster) {
        assertThat(shards(cluster.kubeconfig(), cluster.namespace())).isTrue();
    }

    @OperatorTest(on = Backend.REAL)
    void shardsAreEverythingOnceWhereTheServerKnowsThem(Cluster cluster) {
        assertThat(cluster.namespace()).isNotEmpty(); // which says that there are programs to start one of our own
        try (RealControlPlane plane = RealControlPlane.builder()
                .nodes(0)
                .flags("--feature-gates=ShardedListAndWatch=true")
                .start()) {
            assertThat(shards(plane.kubeconfig(), "default")).isFalse();
        }
    }

    /** Whether the caches of the shards had to filter. */
    private static boolean shards(String kubeconfig, String namespace) {
        try (Side side = new Side(kubeconfig);
                SharedInformers informers = SharedInformers.over(side.runtime, side.api)) {
            for (int i = 0; i < 20; i++) {
                side.client.create(map(namespace, "before-" + i));
            }
            List<SharedInformer<ConfigMap>> shards = List.of(
                    cache(informers, namespace, Selection.all().in(ShardSelector.byUid(0, 3))),
                    cache(informers, namespace, Selection.all().in(ShardSelector.byUid(1, 3))),
                    cache(informers, namespace, Selection.all().in(ShardSelector.byUid(2, 3))));
            SharedInformer<ConfigMap> all = cache(informers, namespace, Selection.all());
            Polling.eventually(LIMIT, () -> assertThat(shards)
                    .allMatch(shard -> shard.state().synced()));
            for (int i = 0; i < 20; i++) {
                side.client.create(map(namespace, "after-" + i));
            }
            Polling.eventually(LIMIT, () -> {
                TreeSet<String> found = new TreeSet<>();
                int count = 0;
                for (SharedInformer<ConfigMap> shard : shards) {
                    found.addAll(names(shard));
                    count += names(shard).size();
                }
                assertThat(found).hasSizeGreaterThanOrEqualTo(40).isEqualTo(names(all));
                assertThat(count).as("each once").isEqualTo(found.size());
            });
            return shards.stream().anyMatch(shard -> shard.state().filteredHere());
        }
    }
}
