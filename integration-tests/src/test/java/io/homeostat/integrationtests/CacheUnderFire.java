package io.homeostat.integrationtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.ConfigMapBuilder;
import io.fabric8.kubernetes.api.model.NamespaceBuilder;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.dsl.base.PatchContext;
import io.fabric8.kubernetes.client.dsl.base.PatchType;
import io.homeostat.client.ApiClient;
import io.homeostat.client.ApiException;
import io.homeostat.client.ClusterConnection;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.RawObject;
import io.homeostat.client.ResourceType;
import io.homeostat.client.ResourceVersions;
import io.homeostat.core.DeadlineExceededException;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.SystemRuntime;
import io.homeostat.core.Transport;
import io.homeostat.informer.CachedObject;
import io.homeostat.informer.SharedInformer;
import io.homeostat.informer.SharedInformers;
import io.homeostat.informer.Snapshot;
import io.homeostat.testkit.FasterRuntime;
import io.homeostat.testkit.FaultPlan;
import io.homeostat.testkit.FaultProxy;
import io.homeostat.testkit.Polling;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;

/**
 * One cache behind a {@link FaultProxy}, in a namespace of its own, with handlers that add up what they are told, somebody else's
 * changes, and own writes.
 *
 * <p>Changes and truth go over fabric8's client straight to the server, so that what is expected does not depend on what is tested.
 */
final class CacheUnderFire implements AutoCloseable {
    static final ResourceType<ConfigMap> TYPE = ResourceType.of(ConfigMap.class);
    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static final int NAMES = 16;
    private static final AtomicInteger COUNT = new AtomicInteger();

    private final KubernetesClient eyes;
    private final String namespace;
    private final FaultProxy proxy;
    private final EngineRuntime runtime;
    private final int rate;
    private final Transport transport;
    private final ApiClient client;
    private final SharedInformers informers;
    private final Random random;
    private final List<FoldingHandler<ConfigMap>> handlers = new ArrayList<>();
    private final Map<String, String> newest = new HashMap<>(); // UID to the newest version a read has shown
    private SharedInformer<ConfigMap> informer;
    private CacheOracle<ConfigMap> oracle;
    private boolean versionsMayGoBack;
    private int changes;
    private int writes;

    /** A client of another make, which says at once what goes wrong. */
    static KubernetesClient eyes(String kubeconfig) {
        Config config = Config.fromKubeconfig(kubeconfig);
        config.setClientKeyAlgo("EC"); // fabric8 takes every key for RSA
        config.setRequestRetryBackoffLimit(0);
        config.setRequestTimeout(5_000);
        return new KubernetesClientBuilder().withConfig(config).build();
    }

    /**
     * Makes the namespace and the way to the server; {@link #start} begins to watch.
     *
     * @param proxy closed with this
     * @param rate how much faster the engine's time runs
     */
    CacheUnderFire(KubernetesClient eyes, FaultProxy proxy, long seed, int rate) {
        this.eyes = eyes;
        this.proxy = proxy;
        this.rate = rate;
        this.random = new Random(seed);
        this.namespace = "fire-" + COUNT.incrementAndGet() + "-" + Long.toString(System.nanoTime() & 0xffffff, 36);
        eyes.namespaces()
                .resource(new NamespaceBuilder()
                        .withNewMetadata()
                        .withName(namespace)
                        .endMetadata()
                        .build())
                .create();
        this.runtime = FasterRuntime.over(
                SystemRuntime.builder().named("cache-under-fire").build(), rate);
        this.transport = connection(proxy.kubeconfig()).open(runtime);
        this.client = ApiClient.over(runtime, transport, ApiClient.Settings.of("cache-under-fire"));
        this.informers = SharedInformers.over(runtime, client);
    }

    static ClusterConnection connection(String kubeconfig) {
        try {
            Path file = Files.createTempFile("cache-under-fire", ".kubeconfig");
            Files.writeString(file, kubeconfig);
            ClusterConnection connection = ClusterConnection.fromKubeconfig(file);
            Files.delete(file);
            return connection;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    String namespace() {
        return namespace;
    }

    FaultProxy proxy() {
        return proxy;
    }

    EngineRuntime runtime() {
        return runtime;
    }

    ApiClient client() {
        return client;
    }

    SharedInformers informers() {
        return informers;
    }

    SharedInformer<ConfigMap> informer() {
        return informer;
    }

    KubernetesClient eyes() {
        return eyes;
    }

    // ---- somebody else

    ConfigMap configMap(String name, String value) {
        return new ConfigMapBuilder()
                .withNewMetadata()
                .withNamespace(namespace)
                .withName(name)
                .endMetadata()
                .addToData("value", value)
                .build();
    }

    /** Objects that are never changed: a reader must see all of them, always. */
    void fill(int objects) {
        for (int i = 0; i < objects; i++) {
            eyes.resource(configMap("fixed-%04d".formatted(i), "for ever \u00e4\u4e16\ud83c\udf0d"))
                    .create();
        }
    }

    void start() {
        informer = informers.informer(TYPE, namespace);
        oracle = new CacheOracle<>(
                informer, () -> eyes.configMaps().inNamespace(namespace).list().getItems());
        addHandler("early");
    }

    FoldingHandler<ConfigMap> addHandler(String name) {
        FoldingHandler<ConfigMap> handler = new FoldingHandler<>(name);
        if (versionsMayGoBack) {
            handler.versionsMayGoBack();
        }
        handlers.add(handler);
        informer.addHandler(name, handler);
        return handler;
    }

    /** Etcd is being restored: what a reader sees may go back. */
    void versionsMayGoBack() {
        versionsMayGoBack = true;
        handlers.forEach(FoldingHandler::versionsMayGoBack);
    }

    void awaitSynced() {
        try {
            runtime.await(informer.synced(), LIMIT.multipliedBy(rate));
        } catch (DeadlineExceededException e) {
            throw new AssertionError("not synced after " + LIMIT + ": " + informer.state() + "\n" + proxy, e);
        }
    }

    void await(String what, BooleanSupplier condition) {
        Polling.eventually(LIMIT, () -> {
            look();
            assertThat(condition.getAsBoolean())
                    .as(() -> what + "; " + informer.state() + "\n" + proxy)
                    .isTrue();
        });
    }

    /** Changes one object after the other, and looks at the cache between them. */
    void churn(int times) {
        for (int i = 0; i < times; i++) {
            change();
            look();
            letPass(4 + random.nextInt(12));
        }
    }

    /** Changes until a rule has acted so often. */
    void churnUntilFaults(int faults) {
        churnUntilFaults(faults, 20);
    }

    /** The same, with a pause between two changes. */
    void churnUntilFaults(int faults, int pauseMillis) {
        try {
            churnUntil(faults + " faults have struck", pauseMillis, () -> proxy.faults() >= faults);
        } catch (AssertionError missing) {
            throw new NotPlayed(missing);
        }
    }

    /**
     * The rules did not strike as often as the scenario wants: on a starved machine the exchange they are about may end otherwise first. A
     * cache that is stuck looks the same until it is asked to catch up.
     */
    static final class NotPlayed extends AssertionError {
        private static final long serialVersionUID = 1;

        NotPlayed(AssertionError missing) {
            super(missing.getMessage(), missing);
        }
    }

    void churnUntil(String what, BooleanSupplier condition) {
        churnUntil(what, 20, condition);
    }

    private void churnUntil(String what, int pauseMillis, BooleanSupplier condition) {
        long end = System.nanoTime() + LIMIT.toNanos();
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() > end) {
                throw new AssertionError("not after " + LIMIT + ": " + what + "; " + informer.state() + "\n" + proxy);
            }
            churn(1);
            letPass(pauseMillis);
        }
    }

    /** The pace of a load, in real time: nothing is waited for. */
    void letPass(int millis) {
        runtime.sleep(Duration.ofMillis(millis).multipliedBy(rate));
    }

    /** One random change of one random object. */
    void change() {
        String name = "changing-%02d".formatted(random.nextInt(NAMES));
        int kind = random.nextInt(10);
        String value = "change " + ++changes + " \u00e4\u4e16\ud83c\udf0d";
        try {
            if (kind < 2) {
                eyes.configMaps().inNamespace(namespace).withName(name).delete();
            } else if (kind < 4) {
                eyes.configMaps().inNamespace(namespace).withName(name).delete();
                eyes.resource(configMap(name, value)).create();
            } else {
                eyes.configMaps()
                        .inNamespace(namespace)
                        .withName(name)
                        .patch(PatchContext.of(PatchType.JSON_MERGE), "{\"data\":{\"value\":\"" + value + "\"}}");
            }
        } catch (KubernetesClientException e) {
            if (e.getCode() == 404) {
                tryCreate(name, value);
            } // anything else: the server is down, or somebody was first; what counts is what it has at the end
        }
    }

    private void tryCreate(String name, String value) {
        try {
            eyes.resource(configMap(name, value)).create();
        } catch (KubernetesClientException e) {
            // the same
        }
    }

    // ---- readers

    /** What no reader may see: an object that goes back, or a fixed one that is missing (P-C1, P-C10). */
    void look() {
        if (informer == null || !informer.synced().toCompletableFuture().isDone()) {
            return;
        }
        Snapshot<ConfigMap> snapshot = informer.snapshot();
        for (CachedObject<ConfigMap> object : snapshot.list()) {
            RawObject raw = object.raw();
            String before = newest.put(raw.uid(), raw.resourceVersion());
            if (before != null && !versionsMayGoBack && ResourceVersions.compare(before, raw.resourceVersion()) > 0) {
                throw new AssertionError(object + " went back from " + before + "\n" + proxy);
            }
        }
    }

    void lookForFixed(int objects) {
        long fixed = informer.snapshot().list().stream()
                .filter(object -> object.key().name().startsWith("fixed-"))
                .count();
        assertThat(fixed).as("fixed objects a reader sees").isEqualTo(objects);
    }

    // ---- own writes

    /** Creates, changes or deletes an object through the client under fire; when that says it was done, a read shows it (P-C11). */
    void write() {
        String name = "own-" + random.nextInt(4);
        ObjectKey key = new ObjectKey(namespace, name);
        int kind = random.nextInt(4);
        boolean synced = informer.synced().toCompletableFuture().isDone();
        writes++;
        try {
            if (kind == 0) {
                RawObject known = await(client.get(TYPE, key));
                RawObject left = await(client.delete(TYPE, key, ApiClient.Delete.of(known.uid())));
                if (synced && left == null) {
                    assertThat(informer.snapshot().get(key).map(object -> object.raw()
                                    .uid()))
                            .as("the object this process has just deleted")
                            .isNotEqualTo(java.util.Optional.of(known.uid()));
                }
                return;
            }
            byte[] json = ("{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"" + name
                            + "\",\"namespace\":\"" + namespace + "\"},\"data\":{\"value\":\"own " + writes + "\"}}")
                    .getBytes(StandardCharsets.UTF_8);
            RawObject done = await(
                    client.apply(TYPE, key, "", new ApiClient.Apply("under-fire", ApiClient.Apply.Force.YES), json));
            if (synced) {
                CachedObject<ConfigMap> seen = informer.snapshot()
                        .get(key)
                        .orElseThrow(() -> new AssertionError("a read does not show the own write " + done));
                assertThat(ResourceVersions.compare(seen.raw().resourceVersion(), done.resourceVersion()))
                        .as("a read shows the own write")
                        .isNotNegative();
            }
        } catch (ApiException | DeadlineExceededException e) {
            // what the faults are for; whether it was done, the server knows
        }
    }

    private <V> V await(CompletionStage<V> stage) {
        return runtime.await(stage, Duration.ofSeconds(60));
    }

    // ---- the end

    /** Stops the faults. */
    void cease() {
        proxy.follow(FaultPlan.none());
        proxy.network(FaultProxy.Network.OPEN);
    }

    /**
     * How long it took to catch up, on the engine's clock.
     *
     * @param fromFault since the end of the fault
     * @param fromRequest since the first request for objects after that; the same when there was none
     */
    record CaughtUp(Duration fromFault, Duration fromRequest) {}

    private int requests() {
        return proxy.requests("watch", "configmaps") + proxy.requests("list", "configmaps");
    }

    /** Waits until the oracle finds nothing wrong. */
    CaughtUp settle(Set<String> quarantined) {
        int requestsBefore = requests();
        long begin = System.nanoTime();
        long asked = begin;
        List<String> wrong = List.of("nothing was compared yet");
        Map<String, String> truth = oracle.truth();
        long listed = System.nanoTime();
        while (System.nanoTime() - begin < LIMIT.toNanos()) {
            if (asked == begin && requests() > requestsBefore) {
                asked = System.nanoTime();
            }
            look();
            wrong = oracle.wrong(truth, quarantined, handlers);
            if (wrong.isEmpty()) {
                long now = System.nanoTime();
                if (oracle.truth().equals(truth)) {
                    return new CaughtUp(Duration.ofNanos((now - begin) * rate), Duration.ofNanos((now - asked) * rate));
                }
            }
            if (System.nanoTime() - listed > 200_000_000 || wrong.isEmpty()) {
                truth = oracle.truth(); // a write whose answer was lost may still have been under way
                listed = System.nanoTime();
            }
            letPass(2);
        }
        throw new AssertionError("Not caught up " + LIMIT + " after the faults:\n  " + String.join("\n  ", wrong) + "\n"
                + informer.state() + "\nreplay: " + proxy);
    }

    @Override
    public void close() {
        informers.close();
        transport.close();
        proxy.close();
        runtime.close();
        eyes.namespaces().withName(namespace).delete();
    }
}
