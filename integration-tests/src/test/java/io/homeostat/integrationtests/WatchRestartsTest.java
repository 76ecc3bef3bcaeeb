package io.homeostat.integrationtests;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.UnixOperatingSystemMXBean;
import io.fabric8.kubernetes.api.model.ConfigMap;
import io.homeostat.client.ApiClient;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.ResourceType;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.SystemRuntime;
import io.homeostat.core.Transport;
import io.homeostat.informer.CachedObject;
import io.homeostat.informer.ResourceEventHandler;
import io.homeostat.informer.SharedInformer;
import io.homeostat.informer.SharedInformers;
import io.homeostat.simulator.RequestRecord;
import io.homeostat.simulator.Simulator;
import io.homeostat.simulator.SimulatorServer;
import io.homeostat.testkit.FasterRuntime;
import io.homeostat.testkit.Polling;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import javax.management.JMException;
import javax.management.ObjectName;
import org.junit.jupiter.api.Test;

/**
 * What is left behind by ten thousand watches that end: nothing. Over real sockets, to the simulator's HTTP server; the engine's time
 * runs {@value #RATE} times as fast, since a watch that ended soon is opened again after a tenth of a second.
 */
class WatchRestartsTest {
    private static final int RATE = 10;
    private static final int INFORMERS = 25;
    private static final int RESTARTS = 10_000;
    /** Until what is made once is made: pools, classes, compiled code. */
    private static final int WARM_UP = 20 * INFORMERS;

    private static final ResourceType<ConfigMap> TYPE = ResourceType.of(ConfigMap.class);
    private static final ObjectKey KEY = new ObjectKey("default", "changing");

    /** A present watch has a socket and two timers. What each restart left behind would be hundreds of times that. */
    private static final int SLACK = 2 * INFORMERS;

    /**
     * What this process holds.
     *
     * @param instances by class
     */
    private record Held(int threads, long files, Map<String, Long> instances) {
        static Held now() throws JMException {
            UnixOperatingSystemMXBean system = (UnixOperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
            return new Held(
                    ManagementFactory.getThreadMXBean().getThreadCount(),
                    system.getOpenFileDescriptorCount(),
                    WatchRestartsTest.instances());
        }

        /** The classes that have more instances than {@code before}, and how many more. */
        Map<String, Long> more(Held before) {
            Map<String, Long> more = new TreeMap<>();
            instances.forEach((type, count) -> {
                long grown = count - before.instances.getOrDefault(type, 0L);
                if (grown > SLACK) {
                    more.put(type, grown);
                }
            });
            return more;
        }
    }

    @Test
    void tenThousandWatchesThatEndLeaveNoThreadNoFileAndNoObject() throws Exception {
        EngineRuntime servers = SystemRuntime.builder().named("server").build();
        EngineRuntime clients = FasterRuntime.over(
                SystemRuntime.builder().named("watch-restarts").build(), RATE);
        try (Simulator simulator = Simulator.on(servers)
                        .withoutWorkloads()
                        .bookmarkEvery(Duration.ofMinutes(1).dividedBy(RATE))
                        .build();
                SimulatorServer http = simulator.serve(0);
                Transport transport =
                        CacheUnderFire.connection(http.kubeconfig()).open(clients)) {
            ApiClient writer =
                    ApiClient.over(servers, simulator.transport(servers), ApiClient.Settings.of("somebody else"));
            servers.await(writer.create(TYPE, KEY, json("0")), Duration.ofMinutes(1));
            ApiClient client = ApiClient.over(clients, transport, ApiClient.Settings.of("watch-restarts"));
            Semaphore told = new Semaphore(0);
            List<SharedInformer<ConfigMap>> informers = new ArrayList<>();
            try (SharedInformers all = SharedInformers.over(clients, client)) {
                for (int i = 0; i < INFORMERS; i++) {
                    SharedInformer<ConfigMap> informer = all.informer(TYPE, KEY.namespace(), "no!=label-" + i);
                    informer.addHandler("told", new Telling(told));
                    informers.add(informer);
                }
                awaitTold(told, informers);

                restart(WARM_UP, simulator, servers, writer, told, informers);
                Held before = Held.now();
                long asked = simulator.requestCount();
                restart(RESTARTS, simulator, servers, writer, told, informers);

                assertThat(watches(simulator.requestsSince(asked)))
                        .as("watches that were opened again")
                        .isGreaterThanOrEqualTo(RESTARTS);
                assertThat(lists(simulator.requests()))
                        .as("lists, one for each cache")
                        .isEqualTo(INFORMERS);
                assertThat(informers)
                        .allSatisfy(informer ->
                                assertThat(informer.state().relists()).isEqualTo(1));
                Polling.eventually(Duration.ofSeconds(30), () -> {
                    Held after = Held.now();
                    assertThat(after.threads - before.threads)
                            .as("more threads")
                            .isLessThanOrEqualTo(SLACK);
                    assertThat(after.files - before.files).as("more open files").isLessThanOrEqualTo(SLACK);
                    assertThat(after.more(before)).as("more objects").isEmpty();
                });
            }
        } finally {
            clients.close();
            servers.close();
        }
    }

    /** Each round is one change, which every watch brings, and the end of all of them: as it should be, and in the middle. */
    private static void restart(
            int times,
            Simulator simulator,
            EngineRuntime servers,
            ApiClient writer,
            Semaphore told,
            List<SharedInformer<ConfigMap>> informers)
            throws InterruptedException {
        for (int round = 0; round < times / INFORMERS; round++) {
            change(times + "/" + round, servers, writer);
            awaitTold(told, informers);
            if (round % 2 == 0) {
                simulator.faults().endStreams(WatchRestartsTest::isWatch);
            } else {
                simulator.faults().cutStreams(WatchRestartsTest::isWatch);
            }
        }
        change(times + "/last", servers, writer);
        awaitTold(told, informers); // all watches are open again
    }

    /** To another value each time: a write that changes nothing is no change. */
    private static void change(String value, EngineRuntime servers, ApiClient writer) {
        servers.await(writer.patch(TYPE, KEY, "", ApiClient.PatchKind.MERGE, json(value)), Duration.ofMinutes(1));
    }

    private static boolean isWatch(RequestRecord request) {
        return request.verb().equals("watch");
    }

    private static long watches(List<RequestRecord> requests) {
        return requests.stream().filter(WatchRestartsTest::isWatch).count();
    }

    /** Those that begin with a stream of what there is included. */
    /** Of everything. The question after an outage, whether the server's versions went back, is a list of one object. */
    private static long lists(List<RequestRecord> requests) {
        return requests.stream()
                .filter(request ->
                        request.verb().equals("list") || request.query().contains("sendInitialEvents"))
                .filter(request -> !request.query().contains("limit=1&")
                        && !request.query().endsWith("limit=1"))
                .count();
    }

    private static void awaitTold(Semaphore told, List<SharedInformer<ConfigMap>> informers)
            throws InterruptedException {
        assertThat(told.tryAcquire(INFORMERS, 60, TimeUnit.SECONDS))
                .as(() -> "every cache is told: "
                        + informers.stream()
                                .map(informer -> informer.state().toString())
                                .collect(Collectors.joining("\n")))
                .isTrue();
    }

    private static byte[] json(String value) {
        return ("{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"namespace\":\"" + KEY.namespace()
                        + "\",\"name\":\"" + KEY.name() + "\"},\"data\":{\"value\":\"" + value + "\"}}")
                .getBytes(StandardCharsets.UTF_8);
    }

    private static final class Telling implements ResourceEventHandler<ConfigMap> {
        private final Semaphore told;

        Telling(Semaphore told) {
            this.told = told;
        }

        @Override
        public void onAdd(CachedObject<ConfigMap> object, Phase phase, Merged<ConfigMap> merged) {
            told.release();
        }

        @Override
        public void onUpdate(CachedObject<ConfigMap> before, CachedObject<ConfigMap> after, Merged<ConfigMap> merged) {
            told.release();
        }

        @Override
        public void onDelete(CachedObject<ConfigMap> lastKnown, Merged<ConfigMap> merged) {
            throw new AssertionError("nothing was deleted, and " + lastKnown + " is told to be");
        }
    }

    private static final Pattern LINE = Pattern.compile("\\s*\\d+:\\s+(\\d+)\\s+\\d+\\s+(\\S+).*");

    /** How many instances there are of our classes, and of those that hold threads, sockets and waits, after a full collection. */
    private static Map<String, Long> instances() throws JMException {
        String histogram = (String) ManagementFactory.getPlatformMBeanServer()
                .invoke(
                        new ObjectName("com.sun.management:type=DiagnosticCommand"),
                        "gcClassHistogram",
                        new Object[] {new String[0]},
                        new String[] {String[].class.getName()});
        Map<String, Long> counts = new TreeMap<>();
        for (String line : histogram.lines().toList()) {
            Matcher row = LINE.matcher(line);
            if (row.matches() && isOurs(row.group(2))) {
                counts.put(row.group(2), Long.parseLong(row.group(1)));
            }
        }
        assertThat(counts).as(histogram).isNotEmpty();
        return counts;
    }

    private static boolean isOurs(String type) {
        return type.startsWith("io.homeostat.core.")
                || type.startsWith("io.homeostat.client.")
                || type.startsWith("io.homeostat.informer.")
                || type.equals("java.net.Socket")
                || type.equals("java.lang.Thread")
                || type.equals("java.util.concurrent.CompletableFuture");
    }
}
