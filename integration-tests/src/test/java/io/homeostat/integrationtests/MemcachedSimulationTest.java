package io.homeostat.integrationtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.apps.Deployment;
import io.homeostat.examples.memcached.Memcached;
import io.homeostat.examples.memcached.MemcachedOperator;
import io.homeostat.examples.memcached.MemcachedReconciler;
import io.homeostat.reconciler.Operator;
import io.homeostat.simulator.Simulator;
import io.homeostat.testkit.FaultPlan;
import io.homeostat.testkit.FaultRule;
import io.homeostat.testkit.FaultTransport;
import io.homeostat.virtualruntime.Faults;
import io.homeostat.virtualruntime.SeedFailed;
import io.homeostat.virtualruntime.VirtualNetwork;
import io.homeostat.virtualruntime.VirtualProcess;
import io.homeostat.virtualruntime.VirtualWorld;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.TimeUnit;
import java.util.random.RandomGenerator;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Create, scale and delete while the operator runs, crashes and restarts, its connections break and answers are lost: whatever the
 * seed, everything converges once the faults end, no promise of {@link Probe} is broken on the way, and then it is quiet.
 *
 * <p>{@code -Dhomeostat.seeds=N} plays N seeds, {@code -Dhomeostat.seed=S} that one, with its trace on failure.
 */
class MemcachedSimulationTest {
    private static final int SEEDS = Integer.getInteger("homeostat.seeds", 1000);
    private static final long ONLY = Long.getLong("homeostat.seed", -1);

    /** A world, its script, and what broke. */
    private static final class Play implements AutoCloseable {
        private final VirtualWorld world;
        private final RandomGenerator script;
        private final VirtualNetwork network;
        private final List<String> broken = Probe.ledger();
        private final VirtualPlace place;
        private final Map<String, Integer> sizes = new TreeMap<>(); // what the user asked for
        private final FaultPlan watches;
        private int named;

        Play(VirtualWorld world, String... defects) {
            this(world, FaultPlan.seed(world.seed()), defects);
        }

        Play(VirtualWorld world, FaultPlan watches, String... defects) {
            this.watches = watches;
            this.world = world;
            this.script = world.random("script");
            this.network = VirtualNetwork.in(world);
            network.faults(Faults.seeded(script));
            this.place = new VirtualPlace(world, this::operator, this::way, defects);
            place.installCrd("memcacheds.cache.example.com", MemcachedOperator.crd());
        }

        private Operator operator() {
            return Operator.named("memcached-operator").controller(Memcached.class, c -> c.owns(Deployment.class)
                    .owns(Service.class)
                    .reconciler(new Probe<>(new MemcachedReconciler(), broken)));
        }

        private io.homeostat.core.Transport way(VirtualProcess operator, Simulator simulator) {
            network.listen("api-server", place.server(), simulator.transport(place.server()));
            return FaultTransport.around(network.connect(operator, "api-server"), operator, watches);
        }

        void run() {
            place.startOperator();
            int turns = 8 + script.nextInt(8);
            for (int turn = 0; turn < turns; turn++) {
                act(script.nextInt(12));
                assertNothingBroken();
                world.runFor(Duration.ofMillis(script.nextInt(10) == 0 ? script.nextInt(40_000) : script.nextInt(400)));
            }
            network.heal();
            place.operatorProcess().crashAtCall(Long.MAX_VALUE);
            if (!place.operatorLives()) {
                place.startOperator();
            }
            place.eventually(this::assertConverged);
            assertNothingBroken();
            world.runFor(Duration.ofMinutes(2));
            long before = place.operatorRequests();
            world.runFor(Duration.ofMinutes(2));
            assertThat(place.operatorRequests() - before)
                    .as("requests of a steady operator, watches and the heartbeat aside, in two minutes")
                    .isZero();
            assertConverged();
            assertNothingBroken();
        }

        private void act(int what) {
            String anyone = anyName();
            switch (what) {
                case 0, 1, 2, 3 -> create();
                case 4, 5 -> {
                    if (!anyone.isEmpty()) {
                        int size = 1 + script.nextInt(5);
                        sizes.put(anyone, size);
                        place.patch(
                                MemcachedScenarios.MEMCACHED,
                                "Memcached",
                                anyone,
                                "{\"spec\":{\"size\":" + size + "}}");
                    }
                }
                case 6 -> {
                    if (!anyone.isEmpty()) {
                        sizes.remove(anyone);
                        place.delete(MemcachedScenarios.MEMCACHED, "Memcached", anyone);
                    }
                }
                case 7 -> {
                    if (!anyone.isEmpty()) {
                        place.delete(MemcachedScenarios.APPS, "Deployment", anyone);
                    }
                }
                case 8 -> {
                    if (place.find(MemcachedScenarios.APPS, "Deployment", anyone.isEmpty() ? "none" : anyone)
                            .isPresent()) {
                        place.patch(MemcachedScenarios.APPS, "Deployment", anyone, "{\"spec\":{\"replicas\":9}}");
                    }
                }
                case 9 -> {
                    place.crashOperator();
                    world.runFor(Duration.ofMillis(script.nextInt(2_000)));
                    place.startOperator();
                }
                case 10 -> {
                    if (place.operatorLives()) {
                        // Inside one of its next calls, which may be the one between two writes.
                        place.operatorProcess()
                                .crashAtCall(place.operatorProcess().calls() + 1 + script.nextInt(400));
                    } else {
                        place.startOperator();
                    }
                }
                default -> place.simulator().restart();
            }
        }

        private String anyName() {
            List<String> names = new ArrayList<>(sizes.keySet());
            return names.isEmpty() ? "" : names.get(script.nextInt(names.size()));
        }

        private void create() {
            String name = "m-" + named++;
            int size = 1 + script.nextInt(4);
            sizes.put(name, size);
            place.apply(MemcachedScenarios.memcached(name, size));
        }

        private void assertConverged() {
            sizes.forEach((name, size) -> MemcachedScenarios.assertConverged(place, name, size));
            assertThat(place.list(MemcachedScenarios.APPS, "Deployment")).hasSize(sizes.size());
            assertThat(place.list("v1", "Service")).hasSize(sizes.size());
        }

        private void assertNothingBroken() {
            if (!broken.isEmpty()) {
                throw new AssertionError("seed " + world.seed() + ": " + broken);
            }
        }

        @Override
        public void close() {
            place.close();
        }
    }

    private static void play(long seed, String... defects) {
        play(seed, FaultPlan.seed(seed), defects);
    }

    private static void play(long seed, FaultPlan watches, String... defects) {
        try (Play play =
                new Play(ONLY >= 0 ? VirtualWorld.traced(seed) : VirtualWorld.seeded(seed), watches, defects)) {
            try {
                play.run();
            } catch (SeedFailed failed) {
                throw failed;
            } catch (AssertionError | RuntimeException failed) {
                throw new AssertionError(
                        "seed " + seed + " (replay it with -Dhomeostat.seed=" + seed + "): " + failed.getMessage(),
                        failed);
            }
        }
    }

    @Test
    void everySeedConvergesAndIsQuietAfterwards() {
        if (ONLY >= 0) {
            play(ONLY);
            return;
        }
        long begin = System.nanoTime();
        Map<Long, AssertionError> failed = new ConcurrentSkipListMap<>();
        LongStream.range(0, SEEDS)
                .parallel()
                .forEach(
                        seed -> { // worlds know nothing of each other
                            try {
                                play(seed);
                            } catch (AssertionError failure) {
                                failed.put(seed, failure);
                            }
                        });
        if (!failed.isEmpty()) {
            AssertionError first = failed.values().iterator().next();
            throw new AssertionError("seeds " + failed.keySet() + " fail; the first: " + first.getMessage(), first);
        }
        System.out.printf("%d seeds in %d s%n", SEEDS, (System.nanoTime() - begin) / 1_000_000_000);
    }

    @Test
    void sameSeedTakesTheSameStepsByteForByte() {
        assertThat(traceOf(7)).isEqualTo(traceOf(7));
    }

    /** Identity hashes and the order of {@code Map.of} are each JVM's own; of the latter there are few, hence several JVMs. */
    @Tag("jdk-independent") // the order of Map.of differs by JVM, not by JDK
    @Test
    void sameSeedTakesTheSameStepsInAnotherJvm() throws Exception {
        List<Process> others = new ArrayList<>();
        Path printed = Files.createTempDirectory("steps");
        try {
            for (int i = 0; i < 3; i++) {
                others.add(new ProcessBuilder(
                                Path.of(System.getProperty("java.home"), "bin", "java")
                                        .toString(),
                                "-XX:+UseSerialGC",
                                "-XX:TieredStopAtLevel=1",
                                "-cp",
                                System.getProperty("java.class.path"),
                                Steps.class.getName())
                        .redirectOutput(printed.resolve(i + ".txt").toFile())
                        .redirectError(ProcessBuilder.Redirect.DISCARD)
                        .start());
            }
            List<String> mine = Steps.lines();
            for (int i = 0; i < others.size(); i++) {
                assertThat(others.get(i).waitFor(3, TimeUnit.MINUTES)).isTrue();
                assertThat(Files.readAllLines(printed.resolve(i + ".txt"))).isEqualTo(mine);
            }
        } finally {
            others.forEach(Process::destroyForcibly);
            for (int i = 0; i < others.size(); i++) {
                Files.deleteIfExists(printed.resolve(i + ".txt"));
            }
            Files.delete(printed);
        }
    }

    /** Prints a fingerprint of the steps of seeds that went another way when a request was written in another order. */
    static final class Steps {
        private static final long[] SEEDS = {0, 13, 29, 30, 32, 39};

        private Steps() {}

        public static void main(String[] args) throws Exception {
            lines().forEach(System.out::println);
        }

        static List<String> lines() throws Exception {
            List<String> lines = new ArrayList<>();
            for (long seed : SEEDS) {
                byte[] steps = traceOf(seed).getBytes(StandardCharsets.UTF_8);
                lines.add(seed + " "
                        + HexFormat.of()
                                .formatHex(MessageDigest.getInstance("SHA-256").digest(steps)));
            }
            return lines;
        }
    }

    private static String traceOf(long seed) {
        try (Play play = new Play(VirtualWorld.traced(seed))) {
            play.run();
            return play.world.trace();
        }
    }

    /** A server whose watches now and then say again what an object was before, as one that lags behind does to a client that resumes. */
    private static FaultPlan stale(long seed) {
        return FaultPlan.seed(seed)
                .with(FaultRule.on("watch", "*")
                        .rate(0.5)
                        .atFrames(1, Integer.MAX_VALUE)
                        .stale());
    }

    @Test
    void everySeedConvergesBesideAServerThatSaysOldVersionsAgain() {
        LongStream.range(0, Math.min(SEEDS, 60)).parallel().forEach(seed -> play(seed, stale(seed)));
    }

    /** The proof that seeds bite. A server keeps the order of its events, so only one that does not can show what the check of versions is for. */
    @ParameterizedTest
    @ValueSource(strings = {"workqueue.no-dedup-in-flight", "informer.no-version-check", "informer.no-overlay"})
    void plantedDefectIsFoundWithinAThousandSeeds(String defect) {
        for (long seed = 0; seed < 1000; seed++) {
            FaultPlan way = defect.equals("informer.no-version-check") ? stale(seed) : FaultPlan.seed(seed);
            try {
                play(seed, way, defect);
            } catch (AssertionError found) {
                play(seed, way);
                System.out.printf("%s: found by seed %d: %s%n", defect, seed, found.getMessage());
                return;
            }
        }
        throw new AssertionError(defect + " was not found within 1000 seeds");
    }
}
