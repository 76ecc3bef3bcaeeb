package io.homeostat.client;

import com.sun.management.ThreadMXBean;
import io.fabric8.kubernetes.api.model.Pod;
import java.io.ByteArrayOutputStream;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.GZIPOutputStream;

/**
 * What the wire format costs per Pod (16 KB, 47 % of it {@code managedFields} of four managers): CPU and allocation, pass by pass in one
 * JVM, so cold to warm. Run it by
 *
 * <pre>{@code
 * mvn -q -pl client -am test-compile dependency:build-classpath -Dmdep.outputFile=cp.txt
 * java -cp client/target/test-classes:client/target/classes:core/target/classes:$(cat client/cp.txt) \
 *     io.homeostat.client.WireFormatMeasurement [objects] [passes]
 * }</pre>
 */
final class WireFormatMeasurement {
    private static final ResourceType<Pod> PODS = ResourceType.of(Pod.class);
    private static final ThreadMXBean THREAD = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    private static final int CHUNK = 32 * 1024;

    private WireFormatMeasurement() {}

    /** A watch of {@code count} Pods that differ as real ones do: in name, UID, version and address. */
    static byte[] watchOfPods(int count) throws Exception {
        String sample = new String(
                MemberInflater.inflate(Samples.read("pods-watchlist.json.gz"), 10_000_000), StandardCharsets.UTF_8);
        String pod = sample.substring(0, sample.indexOf('\n') + 1);
        RawObject object = ((WatchFrame.Event)
                        WireFormat.json().watch(PODS).read(Bytes.utf8(pod)).get(0))
                .object();
        String suffix = object.key().name().substring(object.key().name().length() - 5);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (int i = 0; i < count; i++) {
            out.writeBytes(Bytes.utf8(pod.replace(suffix, String.format("%05x", i))
                    .replace(object.uid(), String.format("00000000-0000-4000-8000-%012x", i))
                    .replace(
                            "\"resourceVersion\":\"" + object.resourceVersion(),
                            "\"resourceVersion\":\"" + (1000 + i))));
        }
        return out.toByteArray();
    }

    /** Keeps the objects, as a store does. */
    static List<RawObject> read(byte[] stream) {
        List<RawObject> objects = new ArrayList<>();
        FrameReader reader = WireFormat.json().watch(PODS);
        for (int from = 0; from < stream.length; from += CHUNK) {
            for (WatchFrame frame : reader.read(stream, from, Math.min(from + CHUNK, stream.length))) {
                objects.add(((WatchFrame.Event) frame).object());
            }
        }
        return objects;
    }

    static List<RawObject> inflateAndRead(byte[] gzip) throws Exception {
        List<RawObject> objects = new ArrayList<>();
        FrameReader reader = WireFormat.json().watch(PODS);
        byte[] plain = new byte[CHUNK];
        try (MemberInflater inflater = new MemberInflater()) {
            inflater.feed(gzip);
            for (int n; (n = inflater.next(plain)) > 0; ) {
                for (WatchFrame frame : reader.read(plain, 0, n)) {
                    objects.add(((WatchFrame.Event) frame).object());
                }
            }
        }
        return objects;
    }

    private interface Step {
        long run() throws Exception;
    }

    private static void pass(String name, int pass, Step step) throws Exception {
        long cpu = THREAD.getCurrentThreadCpuTime();
        long bytes = THREAD.getCurrentThreadAllocatedBytes();
        long count = step.run();
        System.out.printf(
                "%-22s pass %d: %6.1f µs %7d B allocated%n",
                name,
                pass,
                (THREAD.getCurrentThreadCpuTime() - cpu) / 1e3 / count,
                (THREAD.getCurrentThreadAllocatedBytes() - bytes) / count);
    }

    /** Prints CPU of the calling thread and allocation, each per object. */
    public static void main(String[] arguments) throws Exception {
        int count = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 10_000;
        int passes = arguments.length > 1 ? Integer.parseInt(arguments[1]) : 4;
        byte[] some = watchOfPods(100);
        System.out.printf(
                "%d B per Pod on the wire, %d B kept%n",
                some.length / 100, read(some).get(0).bytes().length);
        byte[] stream = watchOfPods(count);
        ByteArrayOutputStream zipped = new ByteArrayOutputStream();
        try (GZIPOutputStream out = new GZIPOutputStream(zipped)) {
            out.write(stream);
        }
        byte[] gzip = zipped.toByteArray();
        for (int i = 1; i <= passes; i++) {
            pass("frames", i, () -> read(stream).size());
        }
        for (int i = 1; i <= passes; i++) {
            pass("inflate and frames", i, () -> inflateAndRead(gzip).size());
        }
        List<RawObject> objects = read(watchOfPods(Math.min(count, 2000)));
        for (int i = 1; i <= passes; i++) {
            pass("fingerprint", i, () -> {
                long sum = 0;
                for (RawObject object : objects) {
                    sum += object.fingerprint();
                }
                return sum == 0 ? 0 : objects.size();
            });
        }
        for (int i = 1; i <= passes; i++) {
            pass("decode", i, () -> {
                for (RawObject object : objects) {
                    object.decode(PODS);
                }
                return objects.size();
            });
        }
    }
}
