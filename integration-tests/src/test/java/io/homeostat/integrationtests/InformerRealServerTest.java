package io.homeostat.integrationtests;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.OperatingSystemMXBean;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.informers.SharedIndexInformer;
import io.homeostat.client.ApiClient;
import io.homeostat.client.ClusterConnection;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.ResourceType;
import io.homeostat.core.SystemRuntime;
import io.homeostat.core.Transport;
import io.homeostat.informer.CachedObject;
import io.homeostat.informer.ResourceEventHandler;
import io.homeostat.informer.SharedInformer;
import io.homeostat.informer.SharedInformers;
import io.homeostat.testkit.Backend;
import io.homeostat.testkit.Cluster;
import io.homeostat.testkit.OperatorTest;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.io.TempDir;

/**
 * Pods of a real kube-apiserver in our cache and in fabric8's, in turn, in one JVM: what an object costs until it is synced.
 *
 * <p>{@code -Dhomeostat.pods=10000} gives the figures of docs/performance.md; a build syncs {@value #FEW}. Only what repeats is
 * asserted: the contents, and that an object of ours allocates and keeps less than one of fabric8's.
 */
class InformerRealServerTest {
    private static final int FEW = 200;
    private static final int PODS = Integer.getInteger("homeostat.pods", FEW);
    private static final int ROUNDS = 3;
    private static final int IN_FLIGHT = 32;
    private static final Duration LIMIT = Duration.ofMinutes(5);
    private static final ResourceType<Pod> TYPE = ResourceType.of(Pod.class);

    /** What one sync cost, per object. */
    private record Cost(double seconds, double cpuMicros, double allocated, double heap) {}

    @TempDir
    Path folder;

    @OperatorTest(on = Backend.REAL)
    void podsAreSyncedForLessThanInFabric8(Cluster cluster) throws Exception {
        Path kubeconfig = folder.resolve("kubeconfig");
        Files.writeString(kubeconfig, cluster.kubeconfig());
        long began = System.nanoTime();
        create(kubeconfig, cluster.namespace());
        System.out.printf(Locale.ROOT, "%d pods made in %.1f s%n", PODS, (System.nanoTime() - began) / 1e9);
        List<Cost> ours = new ArrayList<>();
        List<Cost> theirs = new ArrayList<>();
        for (int round = 0; round < ROUNDS; round++) {
            Set<Thread> before = Thread.getAllStackTraces().keySet();
            theirs.add(print("fabric8", fabric8(cluster.kubeconfig(), cluster.namespace())));
            awaitItsThreads(before); // not in the method that still holds its client
            ours.add(print("homeostat", homeostat(kubeconfig, cluster.namespace())));
        }
        System.out.printf(
                Locale.ROOT,
                "medians, homeostat / fabric8: time %.3f, CPU %.3f, allocation %.3f, heap %.3f%n",
                ratio(ours, theirs, Cost::seconds),
                ratio(ours, theirs, Cost::cpuMicros),
                ratio(ours, theirs, Cost::allocated),
                ratio(ours, theirs, Cost::heap));
        assertThat(ratio(ours, theirs, Cost::allocated)).isLessThan(1);
        if (PODS > FEW) {
            assertThat(ratio(ours, theirs, Cost::heap)).isLessThan(0.5);
        }
    }

    private static Cost print(String who, Cost cost) {
        System.out.printf(
                Locale.ROOT,
                "%-10s %d pods: %.2f s, CPU %.0f us, allocated %.0f B, heap %.0f B an object%n",
                who,
                PODS,
                cost.seconds,
                cost.cpuMicros,
                cost.allocated,
                cost.heap);
        return cost;
    }

    private static double ratio(List<Cost> ours, List<Cost> theirs, java.util.function.ToDoubleFunction<Cost> figure) {
        return median(ours, figure) / median(theirs, figure);
    }

    private static double median(List<Cost> costs, java.util.function.ToDoubleFunction<Cost> figure) {
        double[] figures = costs.stream().mapToDouble(figure).sorted().toArray();
        return figures[figures.length / 2];
    }

    // ---- the two

    private static Cost homeostat(Path kubeconfig, String namespace) {
        Meter meter = new Meter();
        Cost cost;
        try (SystemRuntime runtime = SystemRuntime.create();
                Transport transport =
                        ClusterConnection.fromKubeconfig(kubeconfig).open(runtime)) {
            ApiClient client = ApiClient.over(runtime, transport, ApiClient.Settings.of("informer-test"));
            try (SharedInformers informers = SharedInformers.over(runtime, client)) {
                SharedInformer<Pod> informer = informers.informer(TYPE, namespace);
                SharedInformer.HandlerRegistration handle = informer.addHandler("count", new Counting());
                runtime.await(handle.synced(), LIMIT);
                cost = meter.stop();
                assertThat(informer.snapshot().size()).isEqualTo(PODS);
                CachedObject<Pod> any = informer.snapshot()
                        .get(new ObjectKey(namespace, name(0)))
                        .orElseThrow();
                assertThat(any.object().getSpec().getContainers()).hasSize(2);
                assertThat(any.object().getMetadata().getManagedFields()).isNullOrEmpty();
            }
        }
        return cost;
    }

    /** Reads metadata, as a controller's handler does. */
    private static final class Counting implements ResourceEventHandler<Pod> {
        @Override
        public void onAdd(CachedObject<Pod> object, Phase phase, Merged<Pod> merged) {
            if (object.raw().labels().isEmpty()) {
                throw new IllegalStateException(object + " has lost its labels");
            }
        }

        @Override
        public void onUpdate(CachedObject<Pod> before, CachedObject<Pod> after, Merged<Pod> merged) {}

        @Override
        public void onDelete(CachedObject<Pod> lastKnown, Merged<Pod> merged) {}
    }

    private static Cost fabric8(String kubeconfig, String namespace) throws InterruptedException {
        Meter meter = new Meter();
        Cost cost;
        Config config = Config.fromKubeconfig(kubeconfig);
        config.setClientKeyAlgo("EC"); // fabric8 takes every key for RSA
        CountDownLatch all = new CountDownLatch(PODS);
        try (KubernetesClient client =
                        new KubernetesClientBuilder().withConfig(config).build();
                SharedIndexInformer<Pod> informer = client.pods()
                        .inNamespace(namespace)
                        .inform(new io.fabric8.kubernetes.client.informers.ResourceEventHandler<>() {
                            @Override
                            public void onAdd(Pod pod) {
                                if (pod.getMetadata().getLabels().isEmpty()) {
                                    throw new IllegalStateException("A pod has lost its labels");
                                }
                                all.countDown();
                            }

                            @Override
                            public void onUpdate(Pod before, Pod after) {}

                            @Override
                            public void onDelete(Pod pod, boolean finalStateUnknown) {}
                        })) {
            assertThat(all.await(LIMIT.toSeconds(), TimeUnit.SECONDS)).isTrue();
            cost = meter.stop();
            assertThat(informer.getStore().list()).hasSize(PODS);
        }
        return cost;
    }

    /**
     * fabric8's threads end some time after its close: its shared scheduler when it has been idle, those of the JDK's HTTP client when
     * the collector finds it. Its objects must not count as ours; what stays longer than 20 s is its own affair.
     */
    private static void awaitItsThreads(Set<Thread> before) throws InterruptedException {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        List<Thread> left = itsThreads(before);
        for (; !left.isEmpty() && System.nanoTime() - end < 0; left = itsThreads(before)) {
            System.gc();
            left.get(0).join(500);
        }
    }

    private static List<Thread> itsThreads(Set<Thread> before) {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> !before.contains(thread))
                .filter(thread -> thread.getName().startsWith("CachedSingleThreadScheduler")
                        || thread.getName().startsWith("HttpClient"))
                .toList();
    }

    /** What has been used since it was made. */
    private static final class Meter {
        private final OperatingSystemMXBean system =
                (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        private final com.sun.management.ThreadMXBean threads =
                (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
        private final long heap = live();
        private final long allocated = allocatedByLiveThreads();
        private final long cpu = system.getProcessCpuTime();
        private final long began = System.nanoTime();

        Cost stop() {
            double seconds = (System.nanoTime() - began) / 1e9;
            double micros = (system.getProcessCpuTime() - cpu) / 1e3;
            // Threads that have ended are missing; neither side ends one of any weight before it is closed.
            double bytes = allocatedByLiveThreads() - allocated;
            double kept = live() - heap;
            return new Cost(seconds, micros / PODS, bytes / PODS, kept / PODS);
        }

        private long allocatedByLiveThreads() {
            return Arrays.stream(threads.getThreadAllocatedBytes(threads.getAllThreadIds()))
                    .filter(bytes -> bytes > 0)
                    .sum();
        }

        private static long live() {
            for (int i = 0; i < 3; i++) {
                System.gc();
            }
            return ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
        }
    }

    // ---- the pods

    private static String name(int number) {
        return "pod-%05d".formatted(number);
    }

    /** Two managers each, as in life: a controller makes the pod, a node's agent its status. */
    private static void create(Path kubeconfig, String namespace) throws IOException {
        try (SystemRuntime runtime = SystemRuntime.create();
                Transport transport =
                        ClusterConnection.fromKubeconfig(kubeconfig).open(runtime)) {
            ApiClient client = ApiClient.over(runtime, transport, ApiClient.Settings.of("pod-maker"));
            ApiClient.Apply controller = new ApiClient.Apply("controller", ApiClient.Apply.Force.YES);
            ApiClient.Apply agent = new ApiClient.Apply("agent", ApiClient.Apply.Force.YES);
            List<CompletionStage<?>> underWay = new ArrayList<>();
            for (int i = 0; i < PODS; i++) {
                ObjectKey key = new ObjectKey(namespace, name(i));
                byte[] spec = pod(namespace, i).getBytes(StandardCharsets.UTF_8);
                byte[] status = status(namespace, i).getBytes(StandardCharsets.UTF_8);
                underWay.add(client.apply(TYPE, key, "", controller, spec)
                        .thenCompose(made -> client.apply(TYPE, key, "status", agent, status)));
                if (underWay.size() == IN_FLIGHT || i == PODS - 1) {
                    underWay.forEach(stage -> runtime.await(stage, LIMIT));
                    underWay.clear();
                }
            }
        }
    }

    private static String pod(String namespace, int number) {
        StringBuilder containers = new StringBuilder();
        for (String container : List.of("main", "sidecar")) {
            StringBuilder environment = new StringBuilder();
            for (int i = 0; i < 20; i++) {
                environment
                        .append(i == 0 ? "" : ",")
                        .append("{\"name\":\"SETTING_%d\",\"value\":\"value of setting %d for pod %d\"}"
                                .formatted(i, i, number));
            }
            containers.append(
                    """
                    %s{"name":"%s","image":"registry.example/%s:1.%d","args":["--verbose","--port=8080"],"env":[%s],
                    "ports":[{"containerPort":%d,"name":"p-%s"}],
                    "resources":{"requests":{"cpu":"100m","memory":"128Mi"},"limits":{"cpu":"500m","memory":"256Mi"}},
                    "readinessProbe":{"httpGet":{"path":"/ready","port":8080},"periodSeconds":5},
                    "livenessProbe":{"httpGet":{"path":"/live","port":8080},"periodSeconds":10},
                    "volumeMounts":[{"name":"data","mountPath":"/data"},{"name":"config","mountPath":"/etc/config"}]}"""
                            .formatted(
                                    containers.isEmpty() ? "" : ",",
                                    container,
                                    container,
                                    number,
                                    environment,
                                    container.equals("main") ? 8080 : 8081,
                                    container));
        }
        return """
                {"apiVersion":"v1","kind":"Pod","metadata":{"name":"%s","namespace":"%s",
                "labels":{"app":"app-%d","app.kubernetes.io/name":"sample","pod-template-hash":"7d9c5b8f6"},
                "annotations":{"example.com/checksum":"%064d","example.com/note":"made by a test"}},
                "spec":{"schedulerName":"nobody","terminationGracePeriodSeconds":0,"containers":[%s],
                "volumes":[{"name":"data","emptyDir":{}},{"name":"config","configMap":{"name":"config","optional":true}}],
                "tolerations":[{"key":"example.com/dedicated","operator":"Exists","effect":"NoSchedule"}]}}"""
                .formatted(name(number), namespace, number / 10, number, containers);
    }

    private static String status(String namespace, int number) {
        StringBuilder conditions = new StringBuilder();
        for (String type : List.of("Initialized", "Ready", "ContainersReady", "PodScheduled")) {
            conditions
                    .append(conditions.isEmpty() ? "" : ",")
                    .append("{\"type\":\"%s\",\"status\":\"True\",\"lastTransitionTime\":\"2026-11-24T00:00:00Z\"}"
                            .formatted(type));
        }
        return """
                {"apiVersion":"v1","kind":"Pod","metadata":{"name":"%s","namespace":"%s"},
                "status":{"phase":"Running","podIP":"10.1.%d.%d","conditions":[%s]}}"""
                .formatted(name(number), namespace, number / 250 % 250, 1 + number % 250, conditions);
    }
}
