package io.homeostat.integrationtests;

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
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * What one sync cost, per pod; and the process that finds out: a round for each line of its input, a line of output for each.
 *
 * @param seconds from a new client to the last call of the handler
 * @param cpuMicros of the whole process, compiler and collector included
 * @param allocated bytes
 * @param heap bytes still held while the informer is open
 */
record InformerCost(double seconds, double cpuMicros, double allocated, double heap) {
    private static final Duration LIMIT = Duration.ofMinutes(5);

    /** Whose informer. */
    enum Of {
        FABRIC8,
        HOMEOSTAT
    }

    /** Whose, the kubeconfig, the namespace, one pod's name, how many there are. */
    public static void main(String[] args) throws IOException, InterruptedException {
        Of who = Of.valueOf(args[0]);
        Path kubeconfig = Path.of(args[1]);
        String namespace = args[2];
        ObjectKey any = new ObjectKey(namespace, args[3]);
        int pods = Integer.parseInt(args[4]);
        BufferedReader rounds = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        while (rounds.readLine() != null) {
            System.out.println(
                    switch (who) {
                        case FABRIC8 -> fabric8(kubeconfig, namespace, pods).line();
                        case HOMEOSTAT -> homeostat(kubeconfig, any, pods).line();
                    });
        }
        System.exit(0); // fabric8's threads
    }

    private String line() {
        return seconds + " " + cpuMicros + " " + allocated + " " + heap;
    }

    static InformerCost parse(String line) {
        double[] figures =
                Arrays.stream(line.split(" ")).mapToDouble(Double::parseDouble).toArray();
        return new InformerCost(figures[0], figures[1], figures[2], figures[3]);
    }

    private static void check(boolean holds, String otherwise) {
        if (!holds) {
            throw new IllegalStateException(otherwise);
        }
    }

    private static InformerCost homeostat(Path kubeconfig, ObjectKey any, int pods) {
        Meter meter = new Meter(pods);
        try (SystemRuntime runtime = SystemRuntime.create();
                Transport transport =
                        ClusterConnection.fromKubeconfig(kubeconfig).open(runtime)) {
            ApiClient client = ApiClient.over(runtime, transport, ApiClient.Settings.of("informer-test"));
            try (SharedInformers informers = SharedInformers.over(runtime, client)) {
                SharedInformer<Pod> informer = informers.informer(ResourceType.of(Pod.class), any.namespace());
                SharedInformer.HandlerRegistration handle = informer.addHandler("count", new Counting());
                runtime.await(handle.synced(), LIMIT);
                InformerCost cost = meter.stop();
                check(informer.snapshot().size() == pods, "Pods are missing: " + informer.snapshot());
                Pod pod = informer.snapshot().get(any).orElseThrow().object();
                check(pod.getSpec().getContainers().size() == 2, "A pod has lost containers");
                check(pod.getMetadata().getManagedFields().isEmpty(), "managedFields are not cut out");
                return cost;
            }
        }
    }

    /** Reads metadata, as a controller's handler does. */
    private static final class Counting implements ResourceEventHandler<Pod> {
        @Override
        public void onAdd(CachedObject<Pod> object, Phase phase, Merged<Pod> merged) {
            check(!object.raw().labels().isEmpty(), object + " has lost its labels");
        }

        @Override
        public void onUpdate(CachedObject<Pod> before, CachedObject<Pod> after, Merged<Pod> merged) {}

        @Override
        public void onDelete(CachedObject<Pod> lastKnown, Merged<Pod> merged) {}
    }

    private static InformerCost fabric8(Path kubeconfig, String namespace, int pods)
            throws IOException, InterruptedException {
        Meter meter = new Meter(pods);
        Config config = Config.fromKubeconfig(Files.readString(kubeconfig));
        config.setClientKeyAlgo("EC"); // fabric8 takes every key for RSA
        CountDownLatch all = new CountDownLatch(pods);
        try (KubernetesClient client =
                        new KubernetesClientBuilder().withConfig(config).build();
                SharedIndexInformer<Pod> informer = client.pods()
                        .inNamespace(namespace)
                        .inform(new io.fabric8.kubernetes.client.informers.ResourceEventHandler<>() {
                            @Override
                            public void onAdd(Pod pod) {
                                check(!pod.getMetadata().getLabels().isEmpty(), "A pod has lost its labels");
                                all.countDown();
                            }

                            @Override
                            public void onUpdate(Pod before, Pod after) {}

                            @Override
                            public void onDelete(Pod pod, boolean finalStateUnknown) {}
                        })) {
            check(all.await(LIMIT.toSeconds(), TimeUnit.SECONDS), "fabric8 has not seen all pods within " + LIMIT);
            InformerCost cost = meter.stop();
            check(informer.getStore().list().size() == pods, "fabric8 has not kept all pods");
            return cost;
        }
    }

    /** What has been used since it was made. */
    private static final class Meter {
        private final OperatingSystemMXBean system =
                (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        private final com.sun.management.ThreadMXBean threads =
                (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
        private final int pods;
        private final long heap = live();
        private final long allocated = allocatedByLiveThreads();
        private final long cpu = system.getProcessCpuTime();
        private final long began = System.nanoTime();

        Meter(int pods) {
            this.pods = pods;
        }

        InformerCost stop() {
            double seconds = (System.nanoTime() - began) / 1e9;
            double micros = (system.getProcessCpuTime() - cpu) / 1e3;
            // Threads that have ended are missing; neither side ends one of any weight before it is closed.
            double bytes = allocatedByLiveThreads() - allocated;
            double kept = live() - heap;
            return new InformerCost(seconds, micros / pods, bytes / pods, kept / pods);
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
}
