package io.homeostat.benchmarks;

import io.fabric8.kubernetes.api.model.Pod;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.ResourceType;
import io.homeostat.informer.Index;
import io.homeostat.informer.Snapshot;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/** Reads of a cache of 10,000 Pods: by key, by namespace, by owner, by label, by index, all. Nothing is decoded. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class SnapshotBenchmark {
    private static final int OBJECTS = 10_000;
    private static final Index<Pod> BY_APP =
            Index.ofMetadata("app", raw -> List.of(raw.labels().getOrDefault("app", "")));

    private InProcess<Pod> cache = InProcess.synced(Template.pods(), ResourceType.of(Pod.class), OBJECTS);
    private ObjectKey[] keys = new ObjectKey[0];
    private String app = "";
    private String owner = "";
    private int next;

    /** Fills the cache and builds the index. */
    @Setup
    public void fill() {
        Snapshot<Pod> snapshot = cache.informer().snapshot();
        keys = snapshot.list().stream().map(cached -> cached.key()).toArray(ObjectKey[]::new);
        app = snapshot.list().get(0).raw().labels().getOrDefault("app", "");
        owner = snapshot.list().get(0).raw().owners().get(0).uid();
        cache.runtime().await(cache.informer().addIndex(BY_APP).built(), Duration.ofMinutes(1));
    }

    /** Ends it. */
    @TearDown
    public void close() {
        cache.close();
    }

    private ObjectKey key() {
        next = (next + 7_919) % keys.length;
        return keys[next];
    }

    /** One object. */
    @Benchmark
    public Object get() {
        return cache.informer().snapshot().get(key());
    }

    /** 200 of the objects. */
    @Benchmark
    public Object inNamespace() {
        return cache.informer().snapshot().inNamespace(key().namespace());
    }

    /** 25 of the objects. */
    @Benchmark
    public Object ownedBy() {
        return cache.informer().snapshot().ownedBy(owner);
    }

    /** 25 of the objects, through the index that the first such question makes. */
    @Benchmark
    public Object matching() {
        return cache.informer().snapshot().matching("app=" + app);
    }

    /** 25 of the objects. */
    @Benchmark
    public Object indexed() {
        return cache.informer().snapshot().indexed(BY_APP, app);
    }

    /** All. */
    @Benchmark
    public Object list() {
        return cache.informer().snapshot().list();
    }
}
