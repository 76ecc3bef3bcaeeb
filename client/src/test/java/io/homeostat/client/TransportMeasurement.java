package io.homeostat.client;

import com.sun.management.OperatingSystemMXBean;
import com.sun.management.ThreadMXBean;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.ContainerBuilder;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.informers.ResourceEventHandler;
import io.fabric8.kubernetes.client.informers.SharedIndexInformer;
import io.homeostat.core.SystemRuntime;
import io.homeostat.core.Transport;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * CPU and allocation per object of reading 10,000 Pods into a map, over both transports (WatchList, gzip), beside fabric8's informer
 * with its JDK backend: in turn, in one JVM, on one real server, so cold to warm. Only the ratios of one run mean anything.
 *
 * <pre>{@code
 * export KUBECONFIG=$(control-plane/up --dir /tmp/measure)
 * mvn -q -pl client -am test-compile dependency:build-classpath -Dmdep.outputFile=cp.txt
 * java -cp client/target/test-classes:client/target/classes:core/target/classes:$(cat client/cp.txt) \
 *     io.homeostat.client.TransportMeasurement $KUBECONFIG 10000 3
 * control-plane/down --dir /tmp/measure
 * }</pre>
 */
final class TransportMeasurement {
    private static final ResourceType<Pod> PODS = ResourceType.of(Pod.class);
    private static final OperatingSystemMXBean SYSTEM =
            (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    private TransportMeasurement() {}

    @FunctionalInterface
    private interface Sync {
        /** Reads all; how many there were. */
        int run() throws Exception;
    }

    public static void main(String[] arguments) throws Exception {
        Path kubeconfig = Path.of(arguments[0]);
        int objects = Integer.parseInt(arguments[1]);
        int passes = Integer.parseInt(arguments[2]);
        try (SystemRuntime runtime = SystemRuntime.create();
                Transport sockets = ClusterConnection.fromKubeconfig(kubeconfig).open(runtime);
                Transport fabric8 = ClusterConnection.fromKubeconfig(kubeconfig).openOverFabric8(runtime)) {
            fill(runtime, sockets, objects);
            Config config = Config.fromKubeconfig(kubeconfig.toFile());
            config.setClientKeyAlgo("EC"); // fabric8 takes every key for RSA
            for (int pass = 1; pass <= passes; pass++) {
                double[] informer;
                // Closed after the measurement: what threads have allocated is known while they live.
                try (KubernetesClient client =
                        new KubernetesClientBuilder().withConfig(config).build()) {
                    informer = measure("fabric8 informer", pass, () -> informer(client, objects));
                }
                double[] ours = measure("sockets", pass, () -> watchList(runtime, sockets, objects));
                double[] over = measure("over fabric8", pass, () -> watchList(runtime, fabric8, objects));
                System.out.printf(
                        Locale.ROOT,
                        "pass %d: of fabric8's informer, sockets take %.3f of the CPU and %.3f of the allocation; over fabric8"
                                + " %.3f and %.3f%n",
                        pass,
                        ours[0] / informer[0],
                        ours[1] / informer[1],
                        over[0] / informer[0],
                        over[1] / informer[1]);
            }
        }
    }

    private static double[] measure(String what, int pass, Sync sync) throws Exception {
        System.gc();
        long cpu = SYSTEM.getProcessCpuTime();
        long allocated = allocated();
        long start = System.nanoTime();
        int count = sync.run();
        long wall = System.nanoTime() - start;
        double micros = (SYSTEM.getProcessCpuTime() - cpu) / 1e3 / count;
        double bytes = (allocated() - allocated) / (double) count;
        System.out.printf(
                Locale.ROOT,
                "pass %d %-17s %6d objects %7.1f us CPU/object %9.0f B allocated/object %6.2f s%n",
                pass,
                what,
                count,
                micros,
                bytes,
                wall / 1e9);
        return new double[] {micros, bytes};
    }

    /** Of the threads that live; those of both clients outlive a pass. */
    private static long allocated() {
        return Arrays.stream(THREADS.getThreadAllocatedBytes(THREADS.getAllThreadIds()))
                .filter(bytes -> bytes > 0)
                .sum();
    }

    private static int watchList(SystemRuntime runtime, Transport transport, int objects) throws Exception {
        ApiClient client = ApiClient.over(runtime, transport, ApiClient.Settings.of("measure/1"));
        Map<ObjectKey, RawObject> store = new HashMap<>();
        CompletableFuture<Integer> synced = new CompletableFuture<>();
        Query query = Query.everywhere()
                .with("sendInitialEvents", "true")
                .with("resourceVersionMatch", "NotOlderThan")
                .with("allowWatchBookmarks", "true");
        Streams.Handle[] handle = new Streams.Handle[1];
        handle[0] = client.watch(PODS, query, runtime.lane("store"), new Streams.WatchListener() {
            @Override
            public void opened() {}

            @Override
            public void frames(List<WatchFrame> frames) {
                for (WatchFrame frame : frames) {
                    if (frame instanceof WatchFrame.Event event) {
                        store.put(event.object().key(), event.object());
                    } else if (frame instanceof WatchFrame.Bookmark) {
                        synced.complete(store.size());
                    }
                }
                handle[0].demand(1);
            }

            @Override
            public void ended() {
                synced.completeExceptionally(new IllegalStateException("ended early"));
            }

            @Override
            public void failed(ApiException cause) {
                synced.completeExceptionally(cause);
            }
        });
        handle[0].demand(4);
        int count = synced.get(300, TimeUnit.SECONDS);
        handle[0].close();
        if (count < objects) {
            throw new IllegalStateException("only " + count);
        }
        return count;
    }

    private static int informer(KubernetesClient client, int objects) throws Exception {
        CountDownLatch added = new CountDownLatch(objects);
        SharedIndexInformer<Pod> informer = client.pods().inAnyNamespace().inform(new ResourceEventHandler<>() {
            @Override
            public void onAdd(Pod pod) {
                added.countDown();
            }

            @Override
            public void onUpdate(Pod before, Pod after) {}

            @Override
            public void onDelete(Pod pod, boolean unknown) {}
        });
        added.await(300, TimeUnit.SECONDS);
        return informer.getStore().list().size();
    }

    /** Pods with the managedFields of two managers: one creates, another writes the status. */
    private static void fill(SystemRuntime runtime, Transport transport, int objects) throws Exception {
        ApiClient first = ApiClient.over(runtime, transport, ApiClient.Settings.of("creator/1"));
        ApiClient second = ApiClient.over(runtime, transport, ApiClient.Settings.of("kubelet/1"));
        int present = runtime.await(first.listAll(PODS, Query.in("default")), java.time.Duration.ofMinutes(5))
                .size();
        List<CompletableFuture<?>> writes = new ArrayList<>();
        for (int i = present; i < objects; i++) {
            Pod pod = pod(i);
            ObjectKey key = new ObjectKey("default", pod.getMetadata().getName());
            byte[] status = ("{\"status\":{\"phase\":\"Running\",\"podIP\":\"10.0.0.1\",\"conditions\":["
                            + "{\"type\":\"Ready\",\"status\":\"True\",\"lastTransitionTime\":\"2026-01-01T00:00:00Z\"},"
                            + "{\"type\":\"Initialized\",\"status\":\"True\",\"lastTransitionTime\":\"2026-01-01T00:00:00Z\"}]}}")
                    .getBytes(StandardCharsets.UTF_8);
            writes.add(first.create(PODS, key, first.encode(pod))
                    .thenCompose(created -> second.patch(PODS, key, "status", ApiClient.PatchKind.MERGE, status))
                    .toCompletableFuture());
            if (writes.size() == 16) {
                CompletableFuture.allOf(writes.toArray(new CompletableFuture<?>[0]))
                        .get(120, TimeUnit.SECONDS);
                writes.clear();
            }
        }
        CompletableFuture.allOf(writes.toArray(new CompletableFuture<?>[0])).get(120, TimeUnit.SECONDS);
    }

    private static Pod pod(int number) {
        List<Container> containers = new ArrayList<>();
        for (int c = 0; c < 4; c++) {
            ContainerBuilder container = new ContainerBuilder()
                    .withName("container-" + c)
                    .withImage("registry.example.com/team/image-" + c + ":1.2." + number % 7);
            for (int e = 0; e < 12; e++) {
                container
                        .addNewEnv()
                        .withName("VARIABLE_" + e)
                        .withValue("value-" + e + "-of-" + c)
                        .endEnv();
            }
            containers.add(container.build());
        }
        return new PodBuilder()
                .withNewMetadata()
                .withName("pod-" + number)
                .withNamespace("default")
                .addToLabels("app", "app-" + number % 50)
                .addToLabels("team", "team-" + number % 5)
                .endMetadata()
                .withNewSpec()
                .withNodeName("node-" + number % 100)
                .withContainers(containers)
                .endSpec()
                .build();
    }
}
