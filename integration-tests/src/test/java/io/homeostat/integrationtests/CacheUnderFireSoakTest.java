package io.homeostat.integrationtests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.fabric8.kubernetes.client.KubernetesClient;
import io.homeostat.integrationtests.CacheUnderFireTest.Expectation;
import io.homeostat.integrationtests.CacheUnderFireTest.Scenario;
import io.homeostat.testkit.RealControlPlane;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Queue;
import java.util.Random;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * The scenarios of {@link CacheUnderFireTest} with other seeds, and for each seed a plan of up to four drawn rules: {@code ./mvnw -Psoak
 * verify}.
 *
 * <p>{@code -Dhomeostat.soak.seeds} (200) says how many seeds, {@code -Dhomeostat.soak.from} (1) the first of them, {@code
 * -Dhomeostat.soak.minutes} (240) when no more are begun, {@code -Dhomeostat.fire.at-once} (6) how many run at a time. Each failure
 * prints the plan that replays it. Of 200 runs one may not be played: its rules struck less often than its scenario wants, and the
 * cache caught up all the same.
 */
@Tag("soak")
class CacheUnderFireSoakTest {
    private static final int SEEDS = Integer.getInteger("homeostat.soak.seeds", 200);
    private static final int FROM = Integer.getInteger("homeostat.soak.from", 1);
    private static final Duration BOUND = Duration.ofMinutes(Integer.getInteger("homeostat.soak.minutes", 240));

    @Test
    void everySeedOfEveryScenarioEndsWithWhatTheServerHas() throws InterruptedException {
        assumeTrue(RealControlPlane.whyUnavailable().isEmpty(), () -> RealControlPlane.whyUnavailable()
                .orElse(""));
        RealControlPlane plane = RealControlPlane.shared();
        long end = System.nanoTime() + BOUND.toNanos();
        Queue<String> failures = new ConcurrentLinkedQueue<>();
        AtomicInteger runs = new AtomicInteger();
        int notPlayed = 0;
        List<Future<?>> underWay = new ArrayList<>();
        ExecutorService pool = Executors.newFixedThreadPool(CacheUnderFireTest.AT_ONCE);
        try (KubernetesClient eyes = CacheUnderFire.eyes(plane.kubeconfig())) {
            for (int seed = FROM; seed < FROM + SEEDS; seed++) {
                for (Scenario scenario : scenarios(seed)) {
                    underWay.add(pool.submit(() -> {
                        if (System.nanoTime() < end) {
                            CacheUnderFireTest.run(plane, eyes, scenario);
                            runs.incrementAndGet();
                        }
                    }));
                }
            }
            for (int i = 0; i < underWay.size(); i++) {
                try {
                    underWay.get(i).get();
                } catch (ExecutionException e) {
                    if (e.getCause() instanceof CacheUnderFire.NotPlayed) {
                        notPlayed++;
                    } else {
                        failures.add(String.valueOf(e.getCause()));
                    }
                    System.out.println(e.getCause());
                }
                if (i % 100 == 99) {
                    System.out.printf("%d of %d done, %d failed%n", i + 1, underWay.size(), failures.size());
                }
            }
        } finally {
            pool.shutdownNow();
        }
        assertThat(failures)
                .as("failed runs of %d", runs.get() + failures.size())
                .isEmpty();
        System.out.printf("%d runs, %d of them not played%n", runs.get() + notPlayed, notPlayed);
        assertThat(notPlayed)
                .as("runs whose rules did not strike as often as their scenario wants, of %d", runs.get() + notPlayed)
                .isLessThanOrEqualTo(1 + runs.get() / 200);
        assertThat(runs).as("runs before " + BOUND + " had passed").hasPositiveValue();
    }

    /** The table with this seed, and a plan of drawn rules. */
    private static List<Scenario> scenarios(long seed) {
        List<Scenario> scenarios = new ArrayList<>();
        CacheUnderFireTest.scenarios().forEach(scenario -> scenarios.add(scenario.seed(seed)));
        scenarios.add(new Scenario(
                "drawn rules, seed " + seed,
                drawn(seed),
                CacheUnderFireSoakTest::course,
                new Expectation(Integer.MAX_VALUE, 0)));
        return scenarios;
    }

    private static void course(CacheUnderFire fire) {
        for (int i = 0; i < 60; i++) {
            fire.change();
            if (i % 4 == 0) {
                fire.write();
            }
            if (i % 20 == 10) {
                fire.proxy().resetConnections();
            }
            fire.look();
            fire.letPass(30);
        }
    }

    /** A plan of one to four rules. */
    static String drawn(long seed) {
        Random random = new Random(seed);
        List<String> exchanges = new ArrayList<>(List.of(
                "watch configmaps",
                "watch configmaps ?sendInitialEvents",
                "watch configmaps ?!sendInitialEvents",
                "list configmaps",
                "* *",
                "patch configmaps",
                "delete configmaps"));
        Collections.shuffle(exchanges, random);
        StringBuilder plan = new StringBuilder("seed=" + seed + (random.nextBoolean() ? " gzip" : ""));
        int rules = 1 + random.nextInt(4);
        for (int i = 0; i < rules; i++) {
            String turn = random.nextBoolean() ? " #1-" + (1 + random.nextInt(6)) : " %" + (5 + random.nextInt(40));
            plan.append("; ").append(exchanges.get(i)).append(turn).append(' ').append(act(random, exchanges.get(i)));
        }
        return plan.toString();
    }

    private static String act(Random random, String exchange) {
        List<String> ends = List.of("reset", "truncate", "end", "silence", "delay 200ms");
        String end = ends.get(random.nextInt(ends.size()));
        int points = exchange.startsWith("watch") ? 5 : 3;
        return switch (random.nextInt(points)) {
            case 0 -> "request: "
                    + List.of(
                                    "reset",
                                    "silence",
                                    "delay 300ms",
                                    "status 429 retry-after 1s",
                                    "status 500",
                                    "status 503",
                                    "status 403",
                                    "status 401",
                                    "status 410",
                                    "status 504")
                            .get(random.nextInt(10));
            case 1 -> "answer: "
                    + List.of(
                                    "reset",
                                    "end",
                                    "silence",
                                    "reply html",
                                    "reply table",
                                    "reply garbage",
                                    "reply kind",
                                    "slow 20000",
                                    "split 1",
                                    "status 410",
                                    "status 500")
                            .get(random.nextInt(11));
            case 2 -> "byte 0-" + (200 + random.nextInt(6000)) + ": " + end;
            case 3 -> "frame " + (1 + random.nextInt(6)) + " byte " + random.nextInt(900) + ": " + end;
            default -> "frame " + (1 + random.nextInt(3)) + "-" + (3 + random.nextInt(5)) + ": "
                    + List.of(
                                    "duplicate",
                                    "swap",
                                    "reply garbage",
                                    "reply html",
                                    "reply table",
                                    "status 410",
                                    "status 500")
                            .get(random.nextInt(7));
        };
    }
}
