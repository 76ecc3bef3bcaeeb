package io.homeostat.client;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.client.utils.KubernetesSerialization;
import io.homeostat.benchmarks.Samples;
import io.homeostat.benchmarks.Widget;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;

/**
 * From bytes to objects, one at a time, each time another one: framing alone, framing with cut and scan, the decode, and (G12) the
 * private copy beside fabric8's. {@code -prof gc} tells what each allocates.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class WireBenchmark {
    private static final int OBJECTS = 512;
    private static final int LIMIT = 16 << 20;

    /** Which objects. */
    @Param({"pods", "widgets", "configmaps"})
    public String resource = "pods";

    private final WireFormat format = WireFormat.json();
    private final KubernetesSerialization fabric8 = new KubernetesSerialization();
    private ResourceType<? extends HasMetadata> type = ResourceType.of(Pod.class);
    private byte[][] frames = new byte[0][];
    private RawObject[] raws = new RawObject[0];
    private HasMetadata[] decoded = new HasMetadata[0];
    private FrameReader reader = format.watch(type);
    private final JsonCutter cutter = new JsonCutter(JsonCutter.Shape.FRAME, LIMIT);
    private int next;

    /** Makes the objects. */
    @Setup
    public void make() {
        type = switch (resource) {
            case "pods" -> ResourceType.of(Pod.class);
            case "widgets" -> ResourceType.of(Widget.class);
            default -> ResourceType.of(ConfigMap.class);
        };
        reader = format.watch(type);
        frames = Samples.frames(resource, OBJECTS);
        raws = new RawObject[OBJECTS];
        decoded = new HasMetadata[OBJECTS];
        for (int i = 0; i < OBJECTS; i++) {
            raws[i] = ((WatchFrame.Event) read(frames[i]).get(0)).object();
            decoded[i] = raws[i].decode(type);
        }
    }

    /** A stream ends now and then, and what it interned with it. */
    @Setup(Level.Iteration)
    public void anotherStream() {
        reader = format.watch(type);
    }

    private int next() {
        next = (next + 1) % OBJECTS;
        return next;
    }

    private List<WatchFrame> read(byte[] frame) {
        return reader.read(frame);
    }

    /** Where a frame ends, managedFields cut. */
    @Benchmark
    public Object frame() {
        byte[] frame = frames[next()];
        int at = cutter.advance(frame, 0, frame.length);
        if (cutter.event() != JsonCutter.Event.ROOT) {
            throw new IllegalStateException("No frame in " + at + " bytes");
        }
        cutter.restart();
        return cutter;
    }

    /** A frame to an entry of the store. */
    @Benchmark
    public Object frameAndScan() {
        return read(frames[next()]);
    }

    /** An entry of the store to an object; also the private copy that a reconcile gets (G12). */
    @Benchmark
    public Object decode() {
        return raws[next()].decode(type);
    }

    /** fabric8's private copy (G12), of an object without managedFields, which in its own cache it has. */
    @Benchmark
    public Object fabric8Clone() {
        return fabric8.clone(decoded[next()]);
    }

    /** What a write leaves out of comparisons. */
    @Benchmark
    public long fingerprint() {
        return raws[next()].fingerprint();
    }
}
