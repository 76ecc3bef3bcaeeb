package io.homeostat.informer;

import static org.assertj.core.api.Assertions.assertThat;

import io.homeostat.virtualruntime.SeedFailed;
import io.homeostat.virtualruntime.VirtualWorld;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

/**
 * Seeded histories of a server, a network and an operator that fail in every way we know ({@link SeedPlay}), on the whole way of the
 * bytes: the client, the cache, its handlers and its own writes. After every step the cache is a state the server had; in the end
 * everybody knows what the server has, and nothing is left over.
 *
 * <p>{@code -Dhomeostat.informer.seeds=N} plays N seeds, {@code -Dhomeostat.informer.from=F} those from F on, {@code -Dhomeostat.seed=S}
 * that one alone.
 */
class InformerSimulationTest {
    private static final int SEEDS = Integer.getInteger("homeostat.informer.seeds", 10_000);
    private static final long ONLY = Long.getLong("homeostat.seed", -1);
    private static final long FROM = ONLY >= 0 ? ONLY : Long.getLong("homeostat.informer.from", 0);
    private static final int SHOWN = 5;

    @Test
    void everyHistoryEndsWithTheServersStateInTheCacheAndInEveryHandler() throws InterruptedException {
        long began = System.nanoTime();
        Map<Long, String> failures = new ConcurrentSkipListMap<>();
        long end = FROM + (ONLY >= 0 ? 1 : SEEDS);
        AtomicLong next = new AtomicLong(FROM);
        List<Thread> players = new ArrayList<>();
        for (int i = 0; i < Math.max(1, Runtime.getRuntime().availableProcessors()); i++) {
            Thread player = new Thread(
                    () -> {
                        for (long seed = next.getAndIncrement();
                                seed < end && failures.size() < SHOWN;
                                seed = next.getAndIncrement()) {
                            String failure = play(seed, "");
                            if (!failure.isEmpty()) {
                                failures.put(seed, failure);
                            }
                        }
                    },
                    "player-" + i);
            player.start();
            players.add(player);
        }
        for (Thread player : players) {
            player.join();
        }
        System.out.printf(
                "InformerSimulationTest: %d seeds in %.1f s%n", end - FROM, (System.nanoTime() - began) / 1e9);
        assertThat(failures.values()).isEmpty();
    }

    /** Plays a seed; what broke, "" for nothing. */
    static String play(long seed, String defect) {
        try (VirtualWorld world = VirtualWorld.seeded(seed)) {
            SeedPlay play = new SeedPlay(world, defect);
            try {
                play.run();
            } catch (AssertionError failed) {
                return failed.getMessage() + "\n" + play.describe() + "\nReplay: ./mvnw -pl informer -am test"
                        + " -Dtest=InformerSimulationTest -Dsurefire.failIfNoSpecifiedTests=false -Dhomeostat.seed="
                        + seed;
            }
        } catch (SeedFailed leaked) {
            return leaked.getMessage() + "\nReplay: -Dhomeostat.seed=" + seed;
        }
        return "";
    }
}
