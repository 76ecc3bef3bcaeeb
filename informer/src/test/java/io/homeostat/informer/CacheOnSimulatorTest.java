package io.homeostat.informer;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.homeostat.client.ApiClient;
import io.homeostat.client.ApiException;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.Query;
import io.homeostat.client.RawObject;
import io.homeostat.client.ResourceType;
import io.homeostat.simulator.Simulator;
import io.homeostat.virtualruntime.Faults;
import io.homeostat.virtualruntime.SeedFailed;
import io.homeostat.virtualruntime.VirtualNetwork;
import io.homeostat.virtualruntime.VirtualProcess;
import io.homeostat.virtualruntime.VirtualWorld;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletionStage;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/**
 * The whole way of the bytes: simulator, network with faults (chunks split anywhere, gzip in several members, truncated, stalled and
 * lost answers), client, cache. Seeded; restarts and compactions of the server, isolation and crashes of the process.
 */
class CacheOnSimulatorTest {
    private static final int SEEDS = Integer.getInteger("homeostat.seeds", 100);
    private static final Duration CHURN = Duration.ofSeconds(60);
    private static final ResourceType<ConfigMap> TYPE = TestObject.TYPE;

    @Test
    void theCacheIsTheServersStateAfterAnyHistory() {
        long audits = 0;
        for (long seed = Long.getLong("homeostat.seed", 0); seed < SEEDS; seed++) {
            audits += run(seed, "");
        }
        assertThat(audits).as("comparisons with the server that came to an end").isGreaterThan(SEEDS);
    }

    @Test
    void aDroppedOverlayIsFoundHereToo() {
        List<Long> found = new ArrayList<>();
        for (long seed = 0; seed < 100 && found.isEmpty(); seed++) {
            try {
                run(seed, "informer.no-overlay");
            } catch (AssertionError defect) {
                found.add(seed);
            }
        }
        assertThat(found).isNotEmpty();
    }

    /** How often an audit found that the cache is what the server has. */
    private static long run(long seed, String defect) {
        try (VirtualWorld world = VirtualWorld.seeded(seed)) {
            History history = new History(world, defect);
            try {
                history.run();
                return history.figure("homeostat_informer_audits_total");
            } catch (SeedFailed failed) {
                throw new AssertionError(failed.getMessage() + "\n" + history.describe(), failed);
            }
        }
    }

    private static final class History {
        private final VirtualWorld world;
        private final String defect;
        private final RandomGenerator random;
        private final VirtualNetwork network;
        private final Simulator simulator;
        private final VirtualProcess stranger;
        private final ApiClient strangers;
        private final Map<String, String> newest = new HashMap<>();
        private VirtualProcess process;
        private ApiClient client;
        private SharedInformer<ConfigMap> informer;
        private Recording recording = new Recording();
        private RecordingMetrics metrics = new RecordingMetrics();
        private @Nullable String broken;
        private long epoch;

        History(VirtualWorld world, String defect) {
            this.world = world;
            this.defect = defect;
            this.random = world.random("history");
            this.network = VirtualNetwork.in(world);
            VirtualProcess server = world.process("server");
            this.simulator = Simulator.on(server)
                    .history(5 + random.nextInt(100))
                    .withoutWorkloads()
                    .build();
            network.listen("api", server, simulator.transport(server));
            this.stranger = world.process("stranger");
            this.strangers = ApiClient.over(stranger, simulator.transport(stranger), ApiClient.Settings.of("stranger"));
            this.process = world.process("operator");
            this.client = connect();
            this.informer = audited();
            informer.addHandler("recording", recording);
        }

        private ApiClient connect() {
            if (!defect.isEmpty()) {
                process.plant(defect);
            }
            return ApiClient.over(process, network.connect(process, "api"), ApiClient.Settings.of("operator"));
        }

        private SharedInformer<ConfigMap> audited() {
            SharedInformers informers = SharedInformers.over(process, client, metrics);
            if (defect.isEmpty()) {
                informers.auditEvery(Duration.ofSeconds(5));
            }
            return informers.informer(TYPE, "default");
        }

        long figure(String name) {
            return metrics.value(name + "{name=configmaps/v1 in default,group=,version=v1,resource=configmaps}");
        }

        private void restartProcess() {
            process.crash();
            process = world.process("operator");
            client = connect();
            recording = new Recording();
            newest.clear();
            epoch = 0;
            metrics = new RecordingMetrics();
            informer = audited();
            informer.addHandler("recording", recording);
        }

        void run() {
            network.faults(Faults.seeded(random));
            world.invariant(this::check);
            int actions = 20 + random.nextInt(40);
            for (int i = 0; i < actions; i++) {
                world.after(Duration.ofNanos((long) (random.nextDouble() * CHURN.toNanos())), this::act);
            }
            world.runFor(CHURN);
            network.rejoin(process);
            network.heal();
            world.note("healed");
            world.runFor(Duration.ofSeconds(40)); // requests that were under way end by their deadlines
            String truth = truth();
            world.runUntil(() -> converged(truth), Duration.ofMinutes(15));
        }

        private String truth() {
            CompletionStage<List<RawObject>> all = strangers.listAll(TYPE, Query.in("default"));
            List<String> texts = new ArrayList<>();
            all.thenAccept(objects -> objects.forEach(object -> texts.add(text(object))));
            world.runUntil(() -> all.toCompletableFuture().isDone(), Duration.ofSeconds(10));
            texts.sort(null);
            return String.join(" ", texts);
        }

        private void act() {
            String name = "k" + random.nextInt(5);
            switch (random.nextInt(14)) {
                case 0, 1, 2 -> write(stranger, strangers, name);
                case 3, 4 -> erase(stranger, strangers, name);
                case 5, 6, 7, 8 -> write(process, client, name);
                case 9 -> erase(process, client, name);
                case 10 -> simulator.restart();
                case 11 -> simulator.compact();
                case 12 -> {
                    VirtualProcess away = process;
                    network.isolate(away);
                    world.after(Duration.ofSeconds(random.nextInt(20)), () -> network.rejoin(away));
                }
                default -> {
                    if (random.nextInt(4) == 0) {
                        restartProcess();
                    }
                }
            }
        }

        private void write(VirtualProcess by, ApiClient through, String name) {
            String owner = "owner-" + random.nextInt(3);
            int value = random.nextInt(1000);
            by.start("write", () -> {
                byte[] json = ("{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"" + name
                                + "\",\"namespace\":\"default\",\"ownerReferences\":[{\"apiVersion\":\"v1\",\"kind\":\"Node\","
                                + "\"name\":\"" + owner + "\",\"uid\":\"" + owner + "\"}]},\"data\":{\"value\":\""
                                + value
                                + "é\"}}")
                        .getBytes(StandardCharsets.UTF_8);
                ObjectKey key = new ObjectKey("default", name);
                ApiClient.Apply how = new ApiClient.Apply(by.name(), ApiClient.Apply.Force.YES);
                try {
                    RawObject written = by.await(through.apply(TYPE, key, "", how, json), Duration.ofMinutes(2));
                    if (by == process) {
                        look(written);
                    }
                } catch (ApiException lost) {
                    world.note("write of " + name + ": " + lost.getClass().getSimpleName());
                }
            });
        }

        private void look(RawObject written) {
            RawObject seen = informer.snapshot()
                    .get(written.key())
                    .map(CachedObject::raw)
                    .orElse(null);
            if (informer.state().synced()
                    && seen != null
                    && seen.uid().equals(written.uid())
                    && Indexer.older(seen.resourceVersion(), written.resourceVersion())) {
                broken = "wrote " + text(written) + ", then read " + text(seen);
            }
        }

        private void erase(VirtualProcess by, ApiClient through, String name) {
            by.start("erase", () -> {
                try {
                    by.await(
                            through.delete(TYPE, new ObjectKey("default", name), ApiClient.Delete.ANY),
                            Duration.ofMinutes(2));
                } catch (ApiException lost) {
                    world.note("delete of " + name + ": " + lost.getClass().getSimpleName());
                }
            });
        }

        private void check() {
            if (broken != null) {
                throw new AssertionError(broken);
            }
            if (figure("homeostat_informer_audit_differences_total") != 0) {
                throw new AssertionError("an audit says that the cache is not what the server had");
            }
            Snapshot<ConfigMap> snapshot = informer.snapshot();
            if (snapshot.epoch() != epoch) {
                throw new AssertionError("a new epoch, and nobody restored anything");
            }
            for (CachedObject<ConfigMap> object : snapshot.list()) {
                RawObject raw = object.raw();
                String before = newest.put(raw.uid(), raw.resourceVersion());
                if (before != null && Indexer.older(raw.resourceVersion(), before)) {
                    throw new AssertionError("time went back: " + text(raw) + " after " + before);
                }
            }
        }

        private boolean converged(String truth) {
            View<ConfigMap> view = (View<ConfigMap>) informer.snapshot();
            Map<ObjectKey, RawObject> fold = new TreeMap<>(recording.fold);
            return informer.state().synced()
                    && view.state().overlay().isEmpty()
                    && sorted(view.list().stream().map(CachedObject::raw).toList())
                            .equals(truth)
                    && sorted(fold.values()).equals(truth);
        }

        private static String sorted(Iterable<? extends RawObject> objects) {
            List<String> texts = new ArrayList<>();
            objects.forEach(object -> texts.add(text(object)));
            texts.sort(null);
            return String.join(" ", texts);
        }

        private static String text(RawObject object) {
            return object.key().name() + ":" + object.uid() + "@" + object.resourceVersion();
        }

        String describe() {
            return "The informer: " + informer.state() + "\nThe cache: "
                    + sorted(informer.snapshot().list().stream()
                            .map(CachedObject::raw)
                            .toList())
                    + "\nThe overlay: "
                    + ((View<ConfigMap>) informer.snapshot()).state().overlay()
                    + "\nThe handler: " + sorted(recording.fold.values());
        }
    }
}
