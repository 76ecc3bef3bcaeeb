package io.homeostat.informer;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.homeostat.client.ApiException;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.RawObject;
import io.homeostat.client.ResourceVersions;
import io.homeostat.client.TestErrors;
import io.homeostat.client.WatchFrame;
import io.homeostat.core.EngineRuntime;
import io.homeostat.virtualruntime.SeedFailed;
import io.homeostat.virtualruntime.VirtualProcess;
import io.homeostat.virtualruntime.VirtualWorld;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/**
 * Seeded histories of a server that fails in every way it can, and the same questions at the end of each: is the cache what the server
 * has, is nothing left over, has every handler been told it all, and has everybody who looked at a key too early been woken since?
 */
class InformerSimulationTest {
    private static final int SEEDS = Integer.getInteger("homeostat.seeds", 2000);

    @Test
    void everyHistoryEndsWithTheServersStateInTheCacheAndInEveryHandler() {
        long began = System.nanoTime();
        for (long seed = Long.getLong("homeostat.seed", 0); seed < SEEDS; seed++) {
            run(seed, "");
        }
        System.out.printf("InformerSimulationTest: %d seeds in %.1f s%n", SEEDS, (System.nanoTime() - began) / 1e9);
    }

    @Test
    void aDroppedVersionCheckIsFoundWithinAThousandSeeds() {
        assertThat(firstFound("informer.no-version-check")).isLessThan(1000);
    }

    @Test
    void aDroppedOverlayIsFoundWithinAThousandSeeds() {
        assertThat(firstFound("informer.no-overlay")).isLessThan(1000);
    }

    private static long firstFound(String defect) {
        for (long seed = 0; seed < 1000; seed++) {
            try {
                run(seed, defect);
            } catch (AssertionError found) {
                System.out.println("InformerSimulationTest: " + defect + " found by seed " + seed);
                return seed;
            }
        }
        return Long.MAX_VALUE;
    }

    private static void run(long seed, String defect) {
        try (VirtualWorld world = VirtualWorld.seeded(seed)) {
            History history = new History(world, defect);
            try {
                history.run();
            } catch (SeedFailed failed) {
                throw new AssertionError(failed.getMessage() + "\n" + history.describe(), failed);
            }
        }
    }

    /** One history. */
    private static final class History {
        private static final Duration CHURN = Duration.ofSeconds(100);

        private final VirtualWorld world;
        private final String defect;
        private final RandomGenerator random;
        private final FakeServer server;
        private final List<Watcher> watchers = new ArrayList<>();
        private final Map<Long, Map<ObjectKey, TestObject>> backups = new HashMap<>();
        private VirtualProcess process;
        private FakeServer.Client client;
        private SharedInformers informers;
        private SharedInformer<ConfigMap> informer;
        /** What was seen of each key by whoever looked last; a new process has seen nothing. */
        private final Map<ObjectKey, String> looks = new HashMap<>();

        private final Map<String, String> newest = new HashMap<>();
        /** What a callback saw that must not be; failures of callbacks would be lost in their stages. */
        private @Nullable String broken;

        private long epoch;
        private String version = "";
        private int processes;

        History(VirtualWorld world, String defect) {
            this.world = world;
            this.defect = defect;
            this.random = world.random("history");
            this.server = new FakeServer(world);
            this.process = world.process("operator");
            this.client = server.client();
            this.informers = SharedInformers.over(Planted.in(process, defect), client);
            this.informer = informers.informer(TestObject.TYPE, "");
        }

        void run() {
            for (int i = 0; i < random.nextInt(6); i++) {
                server.put("k" + i);
            }
            server.latency = Duration.ofMillis(1 + random.nextInt(200));
            server.bookmarks = random.nextInt(4) > 0;
            watch();
            world.invariant(this::check);
            int actions = 20 + random.nextInt(60);
            for (int i = 0; i < actions; i++) {
                Duration at = Duration.ofNanos((long) (random.nextDouble() * CHURN.toNanos()));
                world.after(at, this::act);
            }
            world.runFor(CHURN);
            heal();
            world.runUntil(this::converged, Duration.ofMinutes(30));
        }

        private void heal() {
            server.refusal = (request, number) -> null;
            server.mangle = frames -> frames;
            server.unreadable.clear();
            server.endsInitialEvents = true;
            server.bookmarks = true;
            world.note("healed");
            // Objects nobody could read heal with their next version.
            List.copyOf(server.objects.keySet()).forEach(key -> server.put(key.name()));
        }

        private void start() {
            // A connection repeats what it has said itself, not what another process was told.
            server.silence();
            server.mangle = frames -> frames;
            process = world.process("operator");
            client = server.client();
            informers = SharedInformers.over(Planted.in(process, defect), client);
            informer = informers.informer(TestObject.TYPE, "");
            watchers.clear();
            looks.clear();
            newest.clear();
            epoch = 0;
            version = "";
            watch();
        }

        private void watch() {
            Watcher watcher = new Watcher(process, random.nextInt(3) == 0 ? 3000 : 20);
            watcher.handle = informer.addHandler("watcher-" + watchers.size() + "-" + ++processes, watcher);
            watchers.add(watcher);
        }

        private String name() {
            return "k" + random.nextInt(6);
        }

        private void act() {
            int action = random.nextInt(24);
            world.note("action " + action + " at version " + server.version + " "
                    + server.verbs().size() + " requests");
            switch (action) {
                case 0, 1, 2, 3 -> server.put(name(), this::owned);
                case 4, 5 -> server.remove(name());
                case 6, 7, 8 -> write(name());
                case 9 -> erase(name());
                case 10 -> server.cut();
                case 11 -> server.end();
                case 12 -> server.expire();
                case 13 -> {
                    server.compact();
                    server.cut();
                }
                case 14 -> server.silence();
                case 15 -> refuseForAWhile();
                case 16 -> lookAt(new ObjectKey("ns", name()));
                case 17 -> repeatOldFrames();
                case 18 -> {
                    if (watchers.size() < 3) {
                        watch();
                    }
                }
                case 19 -> {
                    if (watchers.size() > 1) {
                        watchers.remove(0).close();
                    }
                }
                case 20 -> {
                    server.nameless = random.nextBoolean();
                    server.unreadable.add(new ObjectKey("ns", name()));
                }
                case 21 -> server.unreadable.clear();
                case 22 -> {
                    if (random.nextInt(3) == 0) {
                        process.crash();
                        start();
                    }
                }
                default -> backUpOrRestore();
            }
        }

        private TestObject owned(TestObject object) {
            return random.nextInt(3) == 0 ? object.ownedBy("o" + random.nextInt(3)) : object;
        }

        private void write(String name) {
            VirtualProcess mine = process;
            FakeServer.Client own = client;
            own.write(name, this::owned).whenComplete((object, problem) -> {
                if (mine == process && object != null) {
                    lookAfterWriting(object);
                }
            });
        }

        private void lookAfterWriting(RawObject mine) {
            RawObject seen = lookAt(mine.key());
            if (!informer.state().synced()) {
                return;
            }
            TestObject now = server.objects.get(mine.key());
            boolean gone = now == null || !now.uid().equals(mine.uid());
            boolean shown = seen != null
                    && seen.uid().equals(mine.uid())
                    && ResourceVersions.compare(seen.resourceVersion(), mine.resourceVersion()) >= 0;
            if (!shown && !gone && Long.parseLong(mine.resourceVersion()) <= server.version) {
                broken = "wrote " + mine + ", then read " + seen + " in "
                        + ((View<ConfigMap>) informer.snapshot()).state() + " where the server has " + now;
            }
        }

        private void erase(String name) {
            VirtualProcess mine = process;
            client.erase(name).whenComplete((was, problem) -> {
                if (mine == process && was != null) {
                    RawObject seen = lookAt(was.key());
                    // Only a UID that the cache had not even heard of may still turn up.
                    if (seen != null && seen.uid().equals(was.uid()) && newest.containsKey(was.uid())) {
                        broken = "deleted " + was + ", then read " + seen;
                    }
                }
            });
        }

        private void refuseForAWhile() {
            ApiException cause =
                    switch (random.nextInt(7)) {
                        case 0 -> TestErrors.of(429, "TooManyRequests", Duration.ofSeconds(random.nextInt(5)));
                        case 1 -> TestErrors.of(503, "ServiceUnavailable", null);
                        case 2 -> TestErrors.of(403, "Forbidden", null);
                        case 3 -> TestErrors.of(404, "NotFound", null);
                        case 4 -> TestErrors.of(410, "Expired", null);
                        case 5 -> TestErrors.of(422, "Invalid", null);
                        default -> TestErrors.unreachable();
                    };
            boolean onlyStreams = random.nextBoolean();
            server.refusal = (request, number) -> !onlyStreams || request.initialEvents() ? cause : null;
            server.cut();
            world.after(Duration.ofMillis(random.nextInt(20_000)), () -> server.refusal = (request, number) -> null);
        }

        /** What a broken proxy does: frames that were sent already come again. */
        private void repeatOldFrames() {
            List<WatchFrame> old = new ArrayList<>();
            server.mangle = frames -> {
                List<WatchFrame> said = new ArrayList<>(frames);
                for (WatchFrame frame : frames) {
                    if (frame instanceof WatchFrame.Event && old.size() < 4) {
                        old.add(frame);
                    }
                }
                if (random.nextInt(3) == 0) {
                    said.addAll(old);
                }
                return said;
            };
            world.after(Duration.ofSeconds(10), () -> server.mangle = frames -> frames);
        }

        private void backUpOrRestore() {
            if (backups.isEmpty() || random.nextInt(3) > 0) {
                backups.put(server.version, Map.copyOf(server.objects));
                return;
            }
            long to = backups.keySet().stream().min(Long::compare).orElseThrow();
            Map<ObjectKey, TestObject> was = java.util.Objects.requireNonNull(backups.get(to));
            backups.clear();
            server.mangle = frames -> frames;
            server.cut();
            server.restore(to, was);
            // A new process: one that meets the old version only after the counter has passed the one it knows cannot
            // tell.
            newest.clear();
            process.crash();
            start();
        }

        private @Nullable RawObject lookAt(ObjectKey key) {
            RawObject seen = informer.snapshot().get(key).map(CachedObject::raw).orElse(null);
            looks.put(key, String.valueOf(seen));
            return seen;
        }

        private void check() {
            if (broken != null) {
                throw new AssertionError(broken);
            }
            View<ConfigMap> view = (View<ConfigMap>) informer.snapshot();
            if (view.epoch() != epoch) {
                epoch = view.epoch();
                newest.clear();
                version = "";
            }
            if (!version.isEmpty() && !view.resourceVersion().equals(version)) {
                assertThat(Indexer.older(view.resourceVersion(), version))
                        .as("version %s after %s", view.resourceVersion(), version)
                        .isFalse();
            }
            version = view.resourceVersion();
            for (CachedObject<ConfigMap> object : view.list()) {
                RawObject raw = object.raw();
                String before = newest.put(raw.uid(), raw.resourceVersion());
                if (before != null && Indexer.older(raw.resourceVersion(), before)) {
                    throw new AssertionError("time went back: " + raw + " after " + before);
                }
            }
            for (Watcher watcher : watchers) {
                for (RawObject told : watcher.fold.values()) {
                    String stored = newest.getOrDefault(told.uid(), version);
                    if (epoch == 0
                            && Indexer.older(version, told.resourceVersion())
                            && Indexer.older(stored, told.resourceVersion())) {
                        throw new AssertionError("a handler knows " + told + ", the cache only " + stored + " at "
                                + version + " " + watcher.steps);
                    }
                }
            }
        }

        private boolean converged() {
            View<ConfigMap> view = (View<ConfigMap>) informer.snapshot();
            String truth = text(server.objects.values());
            return informer.state().synced()
                    && view.state().overlay().isEmpty()
                    && text(view.list().stream().map(CachedObject::raw).toList())
                            .equals(truth)
                    && watchers.stream().allMatch(watcher -> watcher.told().equals(truth))
                    && looks.entrySet().stream().allMatch(look -> look.getValue()
                            .equals(String.valueOf(server.objects.get(look.getKey()))));
        }

        String describe() {
            StringBuilder text = new StringBuilder("The server has " + text(server.objects.values()));
            text.append("\nThe informer: ").append(informer.state());
            text.append("\nThe cache: ").append(((View<ConfigMap>) informer.snapshot()).state());
            watchers.forEach(watcher -> text.append("\nA handler was told ").append(watcher.told()));
            return text.append("\nLooked at last: ").append(looks).toString();
        }

        private static String text(Iterable<? extends RawObject> objects) {
            List<String> texts = new ArrayList<>();
            objects.forEach(object -> texts.add(object.toString()));
            return String.join(" ", texts);
        }

        /** A handler that takes its time, and looks at the cache when it is told something. */
        private final class Watcher extends Recording {
            private final VirtualProcess home;
            private final int slowness;
            private SharedInformer.@Nullable HandlerRegistration handle;

            Watcher(VirtualProcess home, int slowness) {
                this.home = home;
                this.slowness = slowness;
            }

            void close() {
                if (handle != null) {
                    handle.close();
                }
            }

            @Override
            void before() {
                if (random.nextInt(4) == 0) {
                    home.sleep(Duration.ofMillis(random.nextInt(slowness)));
                }
                if (home == process) {
                    merges.clear();
                    ObjectKey key = touched;
                    if (key != null) {
                        lookAt(key);
                    }
                }
                if (random.nextInt(50) == 0) {
                    throw new IllegalStateException("a handler's own mistake");
                }
            }
        }
    }

    /** The runtime of a process in which one defect is planted. */
    private static final class Planted {
        private Planted() {}

        static EngineRuntime in(VirtualProcess process, String defect) {
            return (EngineRuntime) java.lang.reflect.Proxy.newProxyInstance(
                    EngineRuntime.class.getClassLoader(),
                    new Class<?>[] {EngineRuntime.class},
                    (proxy, method, arguments) -> {
                        if (method.getName().equals("planted")) {
                            return defect.equals(arguments[0]);
                        }
                        try {
                            return method.invoke(process, arguments);
                        } catch (java.lang.reflect.InvocationTargetException thrown) {
                            throw thrown.getTargetException();
                        }
                    });
        }
    }
}
