package io.homeostat.informer;

import static org.assertj.core.api.Assertions.assertThat;

import io.homeostat.client.ApiClient;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.RawObject;
import io.homeostat.core.HttpCall;
import io.homeostat.core.Transport;
import io.homeostat.informer.SeedServer.Thing;
import io.homeostat.virtualruntime.Faults;
import io.homeostat.virtualruntime.VirtualNetwork;
import io.homeostat.virtualruntime.VirtualProcess;
import io.homeostat.virtualruntime.VirtualWorld;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/**
 * How soon caches know what a server has that was away and is back (P-C9): seeded outages of a second to minutes, for 1 to 50 caches
 * of one process, with changes meanwhile, in part of them so many that no watch can resume. Virtual time is exact, so the bound is
 * asserted as it is promised.
 *
 * <p>{@code -Dhomeostat.catch-up.seeds=N} plays N seeds.
 */
class CatchUpTest {
    private static final int SEEDS = Integer.getInteger("homeostat.catch-up.seeds", 600);
    private static final Duration PROMISED = Duration.ofSeconds(2);
    private static final Duration LIMIT = Duration.ofMinutes(5);

    /**
     * How long it took.
     *
     * @param sinceServer from the first connection that the server accepted from anybody
     * @param sinceCache from the first that it accepted from this cache
     */
    private record Sample(Duration sinceServer, Duration sinceCache) {}

    @Test
    void ninetyNineOfAHundredCachesKnowWhatARecoveredServerHasTwoSecondsAfterItsFirstAcceptedConnection()
            throws InterruptedException {
        ConcurrentLinkedQueue<Sample> samples = new ConcurrentLinkedQueue<>();
        ConcurrentLinkedQueue<Throwable> failures = new ConcurrentLinkedQueue<>();
        AtomicLong next = new AtomicLong();
        List<Thread> players = new ArrayList<>();
        for (int i = 0; i < Math.max(1, Runtime.getRuntime().availableProcessors()); i++) {
            Thread player = new Thread(
                    () -> {
                        for (long seed = next.getAndIncrement();
                                seed < SEEDS && failures.isEmpty();
                                seed = next.getAndIncrement()) {
                            try (Outage outage = new Outage(seed)) {
                                samples.addAll(outage.run());
                            } catch (RuntimeException | AssertionError failure) {
                                failures.add(failure);
                            }
                        }
                    },
                    "outages-" + i);
            player.start();
            players.add(player);
        }
        for (Thread player : players) {
            player.join();
        }
        assertThat(failures).isEmpty();
        List<Sample> all = new ArrayList<>(samples);
        Duration fromServer = percentile(all, 99, Sample::sinceServer);
        Duration fromCache = percentile(all, 99, Sample::sinceCache);
        System.out.printf(
                "CatchUpTest: %d outages, %d caches that had missed something; from the first connection the server"
                        + " accepted p50 %s, p99 %s, longest %s; from the first it accepted of that cache p99 %s%n",
                SEEDS,
                all.size(),
                percentile(all, 50, Sample::sinceServer),
                fromServer,
                percentile(all, 100, Sample::sinceServer),
                fromCache);
        assertThat(all).hasSizeGreaterThan(SEEDS);
        assertThat(fromCache).isLessThanOrEqualTo(PROMISED);
        assertThat(fromServer).isLessThanOrEqualTo(PROMISED);
    }

    private static Duration percentile(List<Sample> samples, int percent, Function<Sample, Duration> took) {
        List<Duration> sorted = samples.stream().map(took).sorted().toList();
        return sorted.get((int) Math.ceil(sorted.size() * percent / 100.0) - 1);
    }

    /** One seed. */
    private static final class Outage implements AutoCloseable {
        private final VirtualWorld world;
        private final RandomGenerator random;
        private final VirtualNetwork network;
        private final SeedServer server;
        private final Faults healthy;
        private final Map<String, SharedInformer<Gadget>> caches = new LinkedHashMap<>();
        private final Map<String, Duration> accepted = new LinkedHashMap<>();
        private @Nullable Duration firstAccepted;
        private boolean back;

        Outage(long seed) {
            this.world = VirtualWorld.seeded(seed);
            this.random = world.random("outage");
            this.network = VirtualNetwork.in(world);
            VirtualProcess home = world.process("server");
            this.server = new SeedServer(home, random);
            network.listen("api", home, door());
            this.healthy = Faults.none().latency(Duration.ofNanos(200_000), Duration.ofMillis(1 + random.nextInt(25)));
            network.faults(healthy);
            VirtualProcess operator = world.process("operator");
            SharedInformers informers = SharedInformers.over(
                    operator,
                    ApiClient.over(operator, network.connect(operator, "api"), ApiClient.Settings.of("operator")));
            int count = random.nextInt(3) == 0 ? 1 : 1 + random.nextInt(50);
            for (int i = 0; i < count; i++) {
                String selector = i == 0 ? "" : SeedServer.TIER + "=t" + i;
                caches.put(selector, informers.informer(Gadget.TYPE, SeedServer.NAMESPACE, selector));
            }
        }

        /** The server, and what it has accepted since it is back. */
        private Transport door() {
            return new Transport() {
                @Override
                public Exchange open(HttpCall call, AnswerListener listener) {
                    if (back) {
                        if (firstAccepted == null) {
                            firstAccepted = world.now();
                        }
                        if (call.target().contains("/gadgets")) {
                            accepted.putIfAbsent(selectorOf(call.target()), world.now());
                        }
                    }
                    return server.open(call, listener);
                }

                @Override
                public void close() {
                    server.close();
                }
            };
        }

        private static String selectorOf(String target) {
            int from = target.indexOf("labelSelector=");
            if (from < 0) {
                return "";
            }
            int end = target.indexOf('&', from);
            return URLDecoder.decode(
                    target.substring(from + "labelSelector=".length(), end < 0 ? target.length() : end),
                    StandardCharsets.UTF_8);
        }

        List<Sample> run() {
            change(20);
            while (!caches.keySet().stream().allMatch(this::isUpToDate)) {
                world.runFor(Duration.ofMillis(100));
            }
            world.runFor(Duration.ofSeconds(random.nextInt(100)));

            network.faults(healthy.refusing(1));
            server.cut();
            world.runFor(away().dividedBy(2));
            change(20 + random.nextInt(130));
            if (random.nextInt(4) == 0) {
                server.compact(); // every watch that resumes is told 410
            }
            world.runFor(away().dividedBy(2));
            back = true;
            network.faults(healthy);

            // What has missed nothing has nothing to catch up with.
            List<String> waiting = new ArrayList<>(caches.keySet());
            waiting.removeIf(this::isUpToDate);
            List<Sample> samples = new ArrayList<>();
            Map<String, Layer<RawObject>> looked = new HashMap<>();
            world.runUntil(
                    () -> {
                        waiting.removeIf(cache -> {
                            Layer<RawObject> objects = objects(cache);
                            if (looked.put(cache, objects) == objects || !isUpToDate(cache)) {
                                return false; // nothing has changed since it was looked at
                            }
                            samples.add(new Sample(since(firstAccepted), since(accepted.get(cache))));
                            return true;
                        });
                        return waiting.isEmpty();
                    },
                    LIMIT);
            return samples;
        }

        private Duration since(@Nullable Duration moment) {
            return world.now().minus(Objects.requireNonNull(moment, "nothing was asked, and yet it knows"));
        }

        private Layer<RawObject> objects(String cache) {
            return ((View<Gadget>) Objects.requireNonNull(caches.get(cache)).snapshot())
                    .state()
                    .base();
        }

        /** As outages are: seconds often, minutes now and then. */
        private Duration away() {
            return Duration.ofMillis(1000L + random.nextInt(random.nextInt(3) == 0 ? 200_000 : 20_000));
        }

        private void change(int changes) {
            for (int i = 0; i < changes; i++) {
                String name = "k" + random.nextInt(40);
                if (random.nextInt(5) == 0) {
                    server.remove(name);
                } else {
                    server.put(
                            name,
                            thing -> thing.with(
                                    "t" + random.nextInt(50), thing.owner(), false, random.nextInt(1000), 0));
                }
            }
        }

        private boolean isUpToDate(String selector) {
            Map<ObjectKey, String> truth = new TreeMap<>();
            for (Thing thing : server.history().at(server.version, selector).values()) {
                truth.put(thing.key(), thing.uid() + "@" + thing.version());
            }
            SharedInformer<Gadget> informer = Objects.requireNonNull(caches.get(selector), selector);
            Map<ObjectKey, String> seen = new TreeMap<>();
            for (CachedObject<Gadget> object : informer.snapshot().list()) {
                seen.put(object.key(), object.raw().uid() + "@" + object.raw().resourceVersion());
            }
            return informer.state().synced() && seen.equals(truth);
        }

        @Override
        public void close() {
            world.close();
        }
    }
}
