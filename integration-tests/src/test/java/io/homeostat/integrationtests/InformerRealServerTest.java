package io.homeostat.integrationtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.Pod;
import io.homeostat.client.ApiClient;
import io.homeostat.client.ClusterConnection;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.ResourceType;
import io.homeostat.core.SystemRuntime;
import io.homeostat.core.Transport;
import io.homeostat.testkit.Backend;
import io.homeostat.testkit.Cluster;
import io.homeostat.testkit.OperatorTest;
import java.io.BufferedReader;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CompletionStage;
import java.util.function.ToDoubleFunction;
import org.junit.jupiter.api.io.TempDir;

/**
 * Pods of a real kube-apiserver in our cache and in fabric8's, in turn: what an object costs until it is synced. Each has a JVM of its own
 * with the same flags, since fabric8's threads, and the objects they hold, outlive its close by more than a minute at times.
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

    @TempDir
    Path folder;

    @OperatorTest(on = Backend.REAL)
    void podsAreSyncedForLessThanInFabric8(Cluster cluster) throws Exception {
        Path kubeconfig = folder.resolve("kubeconfig");
        Files.writeString(kubeconfig, cluster.kubeconfig());
        long began = System.nanoTime();
        create(kubeconfig, cluster.namespace());
        System.out.printf(Locale.ROOT, "%d pods made in %.1f s%n", PODS, (System.nanoTime() - began) / 1e9);
        List<InformerCost> ours = new ArrayList<>();
        List<InformerCost> theirs = new ArrayList<>();
        try (Side fabric8 = side(InformerCost.Of.FABRIC8, kubeconfig, cluster);
                Side homeostat = side(InformerCost.Of.HOMEOSTAT, kubeconfig, cluster)) {
            for (int round = 0; round < ROUNDS; round++) {
                theirs.add(print("fabric8", fabric8.next()));
                ours.add(print("homeostat", homeostat.next()));
            }
        }
        System.out.printf(
                Locale.ROOT,
                "medians, homeostat / fabric8: time %.3f, CPU %.3f, allocation %.3f, heap %.3f%n",
                ratio(ours, theirs, InformerCost::seconds),
                ratio(ours, theirs, InformerCost::cpuMicros),
                ratio(ours, theirs, InformerCost::allocated),
                ratio(ours, theirs, InformerCost::heap));
        assertThat(ratio(ours, theirs, InformerCost::allocated)).isLessThan(1);
        if (PODS > FEW) {
            assertThat(ratio(ours, theirs, InformerCost::heap)).isLessThan(0.5);
        }
    }

    private Side side(InformerCost.Of who, Path kubeconfig, Cluster cluster) throws IOException {
        return Side.start(who, kubeconfig, cluster.namespace(), folder.resolve(who + ".log"));
    }

    private static InformerCost print(String who, InformerCost cost) {
        System.out.printf(
                Locale.ROOT,
                "%-10s %d pods: %.2f s, CPU %.0f us, allocated %.0f B, heap %.0f B an object%n",
                who,
                PODS,
                cost.seconds(),
                cost.cpuMicros(),
                cost.allocated(),
                cost.heap());
        return cost;
    }

    private static double ratio(
            List<InformerCost> ours, List<InformerCost> theirs, ToDoubleFunction<InformerCost> figure) {
        return median(ours, figure) / median(theirs, figure);
    }

    private static double median(List<InformerCost> costs, ToDoubleFunction<InformerCost> figure) {
        double[] figures = costs.stream().mapToDouble(figure).sorted().toArray();
        return figures[figures.length / 2];
    }

    // ---- the two

    /** One of the two in its JVM. */
    private static final class Side implements AutoCloseable {
        private final Process process;
        private final BufferedReader costs;
        private final Path log;

        private Side(Process process, Path log) {
            this.process = process;
            this.costs = process.inputReader(StandardCharsets.UTF_8);
            this.log = log;
        }

        static Side start(InformerCost.Of who, Path kubeconfig, String namespace, Path log) throws IOException {
            List<String> command = new ArrayList<>();
            command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
            ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
                    .filter(argument -> !argument.startsWith("-agent") && !argument.startsWith("-javaagent"))
                    .forEach(command::add); // the flags of this JVM, the same for both
            command.addAll(List.of(
                    "-cp",
                    System.getProperty("java.class.path"),
                    InformerCost.class.getName(),
                    who.name(),
                    kubeconfig.toString(),
                    namespace,
                    name(0),
                    String.valueOf(PODS)));
            return new Side(
                    new ProcessBuilder(command).redirectError(log.toFile()).start(), log);
        }

        InformerCost next() throws IOException {
            process.getOutputStream().write('\n');
            process.getOutputStream().flush();
            String line = costs.readLine();
            assertThat(line).as("It ended and said %s", Files.readString(log)).isNotNull();
            return InformerCost.parse(line);
        }

        @Override
        public void close() throws InterruptedException {
            process.destroyForcibly();
            process.waitFor();
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
