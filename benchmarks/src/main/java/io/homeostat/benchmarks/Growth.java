package io.homeostat.benchmarks;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.Pod;
import io.homeostat.client.ResourceType;
import io.homeostat.core.SystemRuntime;
import io.homeostat.informer.CachedObject;
import io.homeostat.informer.Index;
import io.homeostat.informer.StorePolicy;
import io.homeostat.workqueue.WorkQueue;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * How our costs grow: with objects, handlers, indexes and delayed keys. One step a process, a line of JSON each; {@code benchmarks/run
 * growth} runs them all and draws the curves.
 */
final class Growth {
    private static final ResourceType<ConfigMap> CONFIG_MAPS = ResourceType.of(ConfigMap.class);
    private static final ResourceType<Pod> PODS = ResourceType.of(Pod.class);
    private static final int EVENTS = 20_000;
    private static final int WARM = 2_000;

    private Growth() {}

    /** What grows, and how far: {@code objects 1000}. */
    public static void main(String[] args) {
        int size = Integer.parseInt(args[1]);
        Map<String, Number> figures =
                switch (args[0]) {
                    case "objects" -> objects(size);
                    case "handlers" -> handlers(size);
                    case "indexes" -> indexes(size);
                    case "delayed" -> delayed(size);
                    case "lazy", "decoded", "compact" -> stored(
                            StorePolicy.valueOf(args[0].toUpperCase(Locale.ROOT)), size);
                    default -> throw new IllegalArgumentException("Unknown growth: " + args[0]);
                };
        StringBuilder line = new StringBuilder("{\"growth\":\"" + args[0] + "\",\"size\":" + size);
        figures.forEach(
                (name, figure) -> line.append(String.format(Locale.ROOT, ",\"%s\":%.3f", name, figure.doubleValue())));
        System.out.println(line.append('}'));
        System.exit(0);
    }

    /** The hot paths are compiled before: what grows is the work, not the compiler's. */
    private static void warmUp() {
        for (int i = 0; i < 5; i++) {
            try (InProcess<ConfigMap> cache = InProcess.synced(Template.configMaps(), CONFIG_MAPS, WARM)) {
                cache.change(2 * WARM);
                cache.relist();
            }
        }
    }

    /** ConfigMaps of 1 KB: first sync, heap, a relist of what is known, events. */
    private static Map<String, Number> objects(int objects) {
        warmUp();
        long heap = InProcess.heap();
        try (InProcess<ConfigMap> cache = InProcess.synced(Template.configMaps(), CONFIG_MAPS, objects)) {
            long full = InProcess.heap();
            long[] calls = new long[1];
            InProcess.Use relisted = cache.of(() -> calls[0] = cache.relist());
            InProcess.Use events = cache.of(() -> cache.change(EVENTS));
            return new Figures()
                    .with("sync_us", cache.synced().cpuNanos() / 1e3 / objects)
                    .with("heap_bytes", (double) (full - heap) / objects)
                    .with("relist_us", relisted.cpuNanos() / 1e3 / objects)
                    .with("relist_calls", calls[0])
                    .with("event_us", events.cpuNanos() / 1e3 / EVENTS)
                    .all();
        }
    }

    /** Pods, kept in that way: first sync, heap before and after each was read, and what a read of another version costs. */
    private static Map<String, Number> stored(StorePolicy policy, int objects) {
        for (int i = 0; i < 3; i++) {
            try (InProcess<Pod> cache = InProcess.synced(Template.pods(), PODS, WARM, policy)) {
                cache.change(WARM);
                read(cache);
            }
        }
        long heap = InProcess.heap();
        try (InProcess<Pod> cache = InProcess.synced(Template.pods(), PODS, objects, policy)) {
            long full = InProcess.heap();
            InProcess.Use first = cache.of(() -> read(cache));
            long after = InProcess.heap();
            InProcess.Use again = cache.of(() -> read(cache));
            return new Figures()
                    .with("sync_us", cache.synced().cpuNanos() / 1e3 / objects)
                    .with("heap_bytes", (double) (full - heap) / objects)
                    .with("heap_read_bytes", (double) (after - heap) / objects)
                    .with("read_us", first.cpuNanos() / 1e3 / objects)
                    .with("read_again_us", again.cpuNanos() / 1e3 / objects)
                    .all();
        }
    }

    private static void read(InProcess<Pod> cache) {
        for (CachedObject<Pod> pod : cache.informer().snapshot().list()) {
            if (pod.object().getMetadata().getName().isEmpty()) {
                throw new IllegalStateException("a Pod without a name: " + pod.key());
            }
        }
    }

    /** Handlers on one informer of 1,000 Pods. */
    private static Map<String, Number> handlers(int handlers) {
        int objects = 1_000;
        try (InProcess<Pod> cache = InProcess.synced(Template.pods(), PODS, objects)) {
            for (int i = 1; i < handlers; i++) {
                cache.addHandler();
            }
            cache.change(EVENTS);
            InProcess.Use events = cache.of(() -> cache.change(EVENTS));
            return new Figures()
                    .with("event_us", events.cpuNanos() / 1e3 / EVENTS)
                    .with("event_bytes", (double) events.allocated() / EVENTS)
                    .all();
        }
    }

    /** Metadata indexes over 100,000 ConfigMaps, added to a full cache. */
    private static Map<String, Number> indexes(int indexes) {
        int objects = 100_000;
        warmUp();
        try (InProcess<ConfigMap> cache = InProcess.synced(Template.configMaps(), CONFIG_MAPS, objects)) {
            long heap = InProcess.heap();
            InProcess.Use built = cache.of(() -> addIndexes(cache, indexes));
            long with = InProcess.heap();
            InProcess.Use events = cache.of(() -> cache.change(EVENTS));
            return new Figures()
                    .with("build_us", built.cpuNanos() / 1e3 / objects)
                    .with("heap_bytes", (double) (with - heap) / objects)
                    .with("event_us", events.cpuNanos() / 1e3 / EVENTS)
                    .all();
        }
    }

    private static void addIndexes(InProcess<ConfigMap> cache, int indexes) {
        for (int i = 0; i < indexes; i++) {
            int digit = i;
            Index<ConfigMap> index = Index.ofMetadata(
                    "digit " + digit, raw -> List.of(raw.labels().getOrDefault("app", "") + digit));
            cache.runtime().await(cache.informer().addIndex(index).built(), Duration.ofMinutes(5));
        }
    }

    /** Keys that wait for their time. */
    static Map<String, Number> delayed(int keys) {
        try (SystemRuntime runtime = SystemRuntime.create()) {
            String[] names = new String[keys];
            for (int i = 0; i < keys; i++) {
                names[i] = "name-" + i;
            }
            long nanos = 0;
            double bytes = 0;
            for (int round = 0; round < 3; round++) { // the last counts
                WorkQueue<String> queue = new WorkQueue<>(
                        "delayed", runtime, runtime.lane("delayed"), () -> {}, WorkQueue.Config.DEFAULT);
                long heap = InProcess.heap();
                long began = System.nanoTime();
                for (int i = 0; i < keys; i++) {
                    queue.addAfter(names[i], Duration.ofHours(1).plusNanos(i * 7919L % keys), "later");
                }
                nanos = System.nanoTime() - began;
                bytes = (double) (InProcess.heap() - heap) / keys;
                queue.shutdown(WorkQueue.Shutdown.STOP);
            }
            return new Figures()
                    .with("add_us", nanos / 1e3 / keys)
                    .with("heap_bytes", bytes)
                    .all();
        }
    }

    /** Figures by name, in order. */
    private static final class Figures {
        private final Map<String, Number> all = new java.util.LinkedHashMap<>();

        Figures with(String name, Number figure) {
            all.put(name, figure);
            return this;
        }

        Map<String, Number> all() {
            return all;
        }
    }
}
