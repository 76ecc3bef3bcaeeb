package io.homeostat.integrationtests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.GenericKubernetesResourceBuilder;
import io.fabric8.kubernetes.api.model.rbac.RoleBindingBuilder;
import io.fabric8.kubernetes.api.model.rbac.RoleBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.homeostat.client.ResourceType;
import io.homeostat.informer.InformerState;
import io.homeostat.informer.InformerState.Phase;
import io.homeostat.informer.SharedInformer;
import io.homeostat.testkit.FaultPlan;
import io.homeostat.testkit.FaultProxy;
import io.homeostat.testkit.Polling;
import io.homeostat.testkit.RealControlPlane;
import io.homeostat.testkit.RealControlPlane.Component;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The cache while its kube-apiserver or etcd is paused, killed, restarted, compacted, restored, and while its type and its rights come
 * and go: a line a scenario, one after the other on a control plane of their own, judged by {@link CacheOracle}.
 *
 * <p>Time is real, so that recovery times are, except where a line says how many times faster the engine's runs.
 */
@Tag("jdk-independent") // what a server does; what it looks like to the JDK's sockets is CacheUnderFireTest's
class CacheUnderServerFaultsTest {
    private static final String ONLY = System.getProperty("homeostat.fire", "");
    private static final Map<String, CacheUnderFire.CaughtUp> RECOVERIES = new TreeMap<>();

    private static @Nullable RealControlPlane plane;

    /**
     * A line of the table.
     *
     * @param relists how often the cache may have been listed anew, the first time included
     */
    private record Scenario(String name, int rate, Consumer<CacheUnderFire> course, int relists) {
        @Override
        public String toString() {
            return name + " on real kube-apiserver";
        }
    }

    static Stream<Scenario> scenarios() {
        return Stream.of(
                        new Scenario("row 1: kube-apiserver is killed and comes back", 1, fire -> killed(fire, 1), 2),
                        new Scenario("row 1: kube-apiserver is killed three times", 1, fire -> killed(fire, 3), 4),
                        new Scenario("row 4: kube-apiserver is paused for 25 s", 1, fire -> paused(fire, 25_000), 1),
                        new Scenario("row 1: etcd is paused for 6 s", 1, fire -> etcdPaused(fire, 6_000), 1),
                        new Scenario(
                                "row 1: etcd is killed and comes back", 1, CacheUnderServerFaultsTest::etcdKilled, 2),
                        new Scenario("row 1: the path is away for 5 s", 1, fire -> away(fire, 5_000), 1),
                        new Scenario(
                                "row 9: the client sleeps past a compaction", 1, CacheUnderServerFaultsTest::asleep, 2),
                        new Scenario("row 1: --min-request-timeout=5", 1, CacheUnderServerFaultsTest::briefWatches, 2),
                        new Scenario("row 17: a CRD is deleted and made again", 1, CacheUnderServerFaultsTest::crd, 1),
                        new Scenario(
                                "row 36: a right is granted, revoked and granted",
                                1,
                                CacheUnderServerFaultsTest::rights,
                                1),
                        new Scenario("row 11: etcd is restored from a snapshot", 5, fire -> restored(fire, 60, 3), 9),
                        new Scenario(
                                "row 11: etcd is restored and passes the old versions",
                                5,
                                fire -> restored(fire, 5, 60),
                                9))
                .filter(scenario -> scenario.name.contains(ONLY));
    }

    private static RealControlPlane plane() {
        RealControlPlane present = plane;
        if (present == null) {
            present = RealControlPlane.builder().nodes(0).start();
            plane = present;
        }
        return present;
    }

    private static void begun(CacheUnderFire fire) {
        fire.awaitSynced();
        fire.churn(15);
    }

    private static void killed(CacheUnderFire fire, int times) {
        begun(fire);
        for (int i = 0; i < times; i++) {
            plane().kill(Component.KUBE_APISERVER);
            fire.await("it says so", () -> fire.informer().state().phase() == Phase.BACKING_OFF);
            fire.churn(3); // which fails
            plane().start(Component.KUBE_APISERVER);
            plane().awaitReady();
            fire.churn(8);
        }
    }

    private static void paused(CacheUnderFire fire, int millis) {
        begun(fire);
        plane().pause(Component.KUBE_APISERVER);
        fire.letPass(millis);
        plane().resume(Component.KUBE_APISERVER);
        fire.churn(20);
    }

    private static void etcdPaused(CacheUnderFire fire, int millis) {
        begun(fire);
        plane().pause(Component.ETCD);
        fire.letPass(millis);
        plane().resume(Component.ETCD);
        fire.churn(20);
    }

    private static void etcdKilled(CacheUnderFire fire) {
        begun(fire);
        plane().kill(Component.ETCD);
        fire.letPass(500);
        plane().start(Component.ETCD);
        plane().awaitReady();
        fire.churn(20);
    }

    private static void away(CacheUnderFire fire, int millis) {
        begun(fire);
        fire.proxy().network(FaultProxy.Network.DOWN);
        fire.churn(millis / 25);
    }

    private static void asleep(CacheUnderFire fire) {
        begun(fire);
        fire.proxy().network(FaultProxy.Network.DOWN);
        fire.churn(40);
        plane().compact();
        plane().restart(Component.KUBE_APISERVER);
        fire.churn(10);
    }

    private static void briefWatches(CacheUnderFire fire) {
        fire.awaitSynced();
        plane().restart(Component.KUBE_APISERVER, "--min-request-timeout=5");
        long end = System.nanoTime() + Duration.ofSeconds(12).toNanos();
        while (System.nanoTime() < end) {
            fire.churn(1);
            fire.letPass(100);
        }
    }

    // ---- row 17

    private static final String GROUP = "fire.example.com";
    private static final ResourceType<GenericKubernetesResource> SPARKS =
            ResourceType.dynamic(GROUP, "v1", "sparks", "Spark", ResourceType.Scope.NAMESPACED);
    private static final String CRD =
            """
            apiVersion: apiextensions.k8s.io/v1
            kind: CustomResourceDefinition
            metadata: {name: sparks.fire.example.com}
            spec:
              group: fire.example.com
              scope: Namespaced
              names: {kind: Spark, plural: sparks, singular: spark}
              versions:
              - name: v1
                served: true
                storage: true
                schema:
                  openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}
            """;

    private static void crd(CacheUnderFire fire) {
        begun(fire);
        SharedInformer<GenericKubernetesResource> sparks = fire.informers().informer(SPARKS, fire.namespace());
        FoldingHandler<GenericKubernetesResource> handler = new FoldingHandler<>("sparks");
        sparks.addHandler("sparks", handler);
        CacheOracle<GenericKubernetesResource> oracle = new CacheOracle<>(sparks, () -> fire.eyes()
                .genericKubernetesResources(GROUP + "/v1", "Spark")
                .inNamespace(fire.namespace())
                .list()
                .getItems());
        fire.await(
                "a type that is not served is waited for", () -> sparks.state().phase() == Phase.WAITING_FOR_TYPE);
        makeCrd(fire, 3);
        settles(oracle, handler, sparks);

        deleteCrd(fire);
        fire.await("a type that is gone is waited for", () -> sparks.state().phase() == Phase.WAITING_FOR_TYPE);
        fire.churn(20); // another type is not held up, which the oracle of that sees

        makeCrd(fire, 2);
        settles(oracle, handler, sparks);
        deleteCrd(fire);
        sparks.close();
    }

    private static void settles(
            CacheOracle<?> oracle, FoldingHandler<?> handler, SharedInformer<GenericKubernetesResource> informer) {
        Polling.eventually(
                Duration.ofSeconds(30), () -> assertThat(oracle.wrong(oracle.truth(), Set.of(), List.of(handler)))
                        .as(() -> informer.state().toString())
                        .isEmpty());
    }

    private static void makeCrd(CacheUnderFire fire, int objects) {
        fire.eyes()
                .load(new ByteArrayInputStream(CRD.getBytes(StandardCharsets.UTF_8)))
                .create();
        for (int i = 0; i < objects; i++) {
            GenericKubernetesResource spark = new GenericKubernetesResourceBuilder()
                    .withApiVersion(GROUP + "/v1")
                    .withKind("Spark")
                    .withNewMetadata()
                    .withNamespace(fire.namespace())
                    .withName("spark-" + i)
                    .endMetadata()
                    .build();
            Polling.eventually(
                    Duration.ofSeconds(20), () -> fire.eyes().resource(spark).createOr(existing -> existing.update()));
        }
    }

    private static void deleteCrd(CacheUnderFire fire) {
        fire.eyes()
                .apiextensions()
                .v1()
                .customResourceDefinitions()
                .withName("sparks." + GROUP)
                .delete();
        Polling.eventually(Duration.ofSeconds(30), () -> assertThat(fire.eyes()
                        .apiextensions()
                        .v1()
                        .customResourceDefinitions()
                        .withName("sparks." + GROUP)
                        .get())
                .isNull());
    }

    // ---- row 36

    private static void rights(CacheUnderFire fire) {
        fire.await(
                "it is not allowed, and says so", () -> fire.informer().state().phase() == Phase.FORBIDDEN);
        InformerState state = fire.informer().state();
        assertThat(String.valueOf(state.lastError())).contains("configmaps").contains("403");
        grant(fire);
        begun(fire);

        revoke(fire);
        fire.proxy().resetConnections();
        fire.await("it is not allowed any more", () -> fire.informer().state().phase() == Phase.FORBIDDEN);
        fire.lookForFixed(8);
        fire.churn(20);
        grant(fire);
        fire.await("it is allowed again", () -> fire.informer().state().phase() == Phase.WATCHING);
    }

    private static void grant(CacheUnderFire fire) {
        fire.eyes()
                .resource(new RoleBuilder()
                        .withNewMetadata()
                        .withName("reader")
                        .withNamespace(fire.namespace())
                        .endMetadata()
                        .addNewRule()
                        .withApiGroups("")
                        .withResources("configmaps")
                        .withVerbs("list", "watch", "get")
                        .endRule()
                        .build())
                .createOr(existing -> existing.update());
        fire.eyes()
                .resource(new RoleBindingBuilder()
                        .withNewMetadata()
                        .withName("reader")
                        .withNamespace(fire.namespace())
                        .endMetadata()
                        .withNewRoleRef("rbac.authorization.k8s.io", "Role", "reader")
                        .addNewSubject("rbac.authorization.k8s.io", "User", "sparky", null)
                        .build())
                .create();
    }

    private static void revoke(CacheUnderFire fire) {
        fire.eyes()
                .rbac()
                .roleBindings()
                .inNamespace(fire.namespace())
                .withName("reader")
                .delete();
    }

    // ---- row 11

    private static void restored(CacheUnderFire fire, int before, int after) {
        begun(fire);
        Path data = plane().folder().resolve("etcd");
        Path saved = plane().folder().resolve("etcd-saved");
        stop();
        copy(data, saved);
        start();
        fire.churn(before);
        fire.versionsMayGoBack();
        fire.proxy().network(FaultProxy.Network.DOWN);
        stop();
        remove(data);
        copy(saved, data);
        remove(saved);
        start();
        fire.churn(after);
        fire.proxy().network(FaultProxy.Network.OPEN);
    }

    private static void stop() {
        plane().kill(Component.KUBE_APISERVER);
        plane().kill(Component.ETCD);
    }

    private static void start() {
        plane().start(Component.ETCD);
        plane().start(Component.KUBE_APISERVER);
        plane().awaitReady();
    }

    private static void copy(Path from, Path to) {
        walk(from, (file, name) -> {
            Path target = to.resolve(name);
            Files.createDirectories(target.getParent());
            Files.copy(file, target);
        });
    }

    private interface Visit {
        void file(Path file, String name) throws IOException;
    }

    private static void walk(Path root, Visit visit) {
        try (Stream<Path> files = Files.walk(root)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                visit.file(file, root.relativize(file).toString());
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void remove(Path root) {
        try {
            Files.walkFileTree(root, new SimpleFileVisitor<>() {
                @Override
                public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                    Files.delete(file);
                    return FileVisitResult.CONTINUE;
                }

                @Override
                public FileVisitResult postVisitDirectory(Path folder, @Nullable IOException e) throws IOException {
                    Files.delete(folder);
                    return FileVisitResult.CONTINUE;
                }
            });
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    // ---- the run

    @AfterAll
    static void end() {
        if (plane != null) {
            plane.close();
            plane = null;
        }
        Recoveries.write("cache-under-server-faults", RECOVERIES);
    }

    @ParameterizedTest(name = "{0}", allowZeroInvocations = true)
    @MethodSource("scenarios")
    void nothingIsLostNothingIsStaleNothingIsStuck(Scenario scenario) {
        assumeTrue(RealControlPlane.whyUnavailable().isEmpty(), () -> RealControlPlane.whyUnavailable()
                .orElse(""));
        String user = scenario.name.startsWith("row 36") ? plane().kubeconfigFor("sparky") : plane().kubeconfig();
        FaultProxy proxy = FaultProxy.before(CacheUnderFire.connection(user), FaultPlan.none());
        try (KubernetesClient eyes = CacheUnderFire.eyes(plane().kubeconfig());
                CacheUnderFire fire = new CacheUnderFire(eyes, proxy, scenario.name.hashCode(), scenario.rate)) {
            fire.fill(8);
            fire.start();
            scenario.course.accept(fire);
            fire.addHandler("at the end");
            fire.cease();
            RECOVERIES.put(scenario.name, fire.settle(Set.of()));
            assertThat(fire.informer().state().relists()).as("lists").isLessThanOrEqualTo(scenario.relists);
        } catch (RuntimeException | Error e) {
            plane().keepLogs();
            throw e;
        }
    }
}
