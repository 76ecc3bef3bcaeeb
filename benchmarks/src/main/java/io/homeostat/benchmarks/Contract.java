package io.homeostat.benchmarks;

import com.sun.management.OperatingSystemMXBean;
import com.sun.management.ThreadMXBean;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * What every adapter does, in each language the same (benchmarks/README.md): commands come as lines, answers go as lines of JSON. This is
 * the half of the JVM adapters; it knows the JDK alone, since it is compiled beside each peer.
 *
 * <p><b>Order.</b> One command at a time; the only lines nobody asked for are the milestones of a sync. <b>Threads.</b> Commands
 * on the main thread; {@link Counts} is told from any. <b>Memory.</b> The latencies of one phase. <b>Failure.</b> What a client throws ends the process
 * with its stack: half a measurement is none.
 */
public final class Contract {
    /** The label that says when an event was made: {@code t} and 16 digits, microseconds since 1970. */
    public static final String STAMP = "bench.homeostat.io/stamp";

    private static final long QUIET_MILLIS = 300;
    private static final long LIMIT_SECONDS = 600;

    /** One library's informer, from nothing to a full cache and back. */
    public interface Client {
        /**
         * Connects, starts an informer over all namespaces and returns; what happens is told to {@code counts}. {@link Counts#complete} is
         * called when the library says that it is synced.
         */
        void open(Settings settings, Counts counts) throws Exception;

        /** Stops it and closes connections. */
        void close() throws Exception;
    }

    /**
     * What the process was started with.
     *
     * @param kubeconfig the file
     * @param resource {@code pods} or {@code widgets}
     * @param objects how many there are
     * @param variant what of the client is not as it is by default; {@code default} for nothing
     */
    public record Settings(String kubeconfig, String resource, int objects, String variant) {
        /** Whether the resource is Pods. */
        public boolean pods() {
            return resource.equals("pods");
        }
    }

    /** What the handlers and reconcilers of a client report. Any thread. */
    public static final class Counts {
        private final int objects;
        private final AtomicLong adds = new AtomicLong();
        private final AtomicLong updates = new AtomicLong();
        private final AtomicLong calls = new AtomicLong();
        private final AtomicLong reconciles = new AtomicLong();
        private final AtomicReference<@Nullable Meter> first = new AtomicReference<>();
        private final AtomicReference<@Nullable Meter> synced = new AtomicReference<>();
        private volatile boolean complete; // set by the client's thread, read by handlers'
        private volatile boolean reconciling; // as complete
        private volatile boolean again; // set by the main thread, read by reconcilers
        private volatile AtomicLongArray latencies = new AtomicLongArray(0); // replaced between phases
        private final AtomicLong stamped = new AtomicLong();

        Counts(int objects) {
            this.objects = objects;
        }

        /** The handler was told that an object is there. */
        public void added() {
            firstCall();
            calls.incrementAndGet();
            adds.incrementAndGet();
            look();
        }

        /**
         * The handler was told of a change.
         *
         * @param versions how many versions of the object the call stands for
         * @param stamp the label {@link #STAMP}, null without
         */
        public void updated(int versions, @Nullable String stamp) {
            calls.incrementAndGet();
            if (!reconciling) {
                latency(stamp);
            }
            updates.addAndGet(versions);
        }

        /**
         * A reconciler was called; then it, not the handler, is what counts as first call, as synced and as latency.
         *
         * @return whether it is to ask for another call of this object, as soon as its library gives one
         */
        public boolean reconciled(@Nullable String stamp) {
            firstCall();
            latency(stamp);
            reconciles.incrementAndGet();
            look();
            return again;
        }

        /** Says once, before anything is counted, that this client has a reconciler. */
        public void reconciling() {
            reconciling = true;
        }

        /** The library says that its cache is full. */
        public void complete() {
            complete = true;
            look();
        }

        private void firstCall() {
            if (first.get() == null) {
                first.compareAndSet(null, Meter.now());
            }
        }

        private void look() {
            long seen = reconciling ? reconciles.get() : adds.get();
            if (complete && seen >= objects && synced.get() == null) {
                synced.compareAndSet(null, Meter.now());
            }
        }

        private void latency(@Nullable String stamp) {
            AtomicLongArray kept = latencies;
            if (stamp != null && kept.length() > 0) {
                long made = Long.parseLong(stamp, 1, stamp.length(), 10);
                long place = stamped.getAndIncrement();
                if (made > 0 && place < kept.length()) {
                    kept.set((int) place, Math.max(1, Meter.wallMicros() - made));
                }
            }
        }

        private void phase(int events) {
            updates.set(0);
            calls.set(0);
            reconciles.set(0);
            stamped.set(0);
            latencies = new AtomicLongArray(events);
        }

        private long[] sortedLatencies() {
            AtomicLongArray kept = latencies;
            long[] all = new long[kept.length()];
            for (int i = 0; i < all.length; i++) {
                all[i] = kept.get(i);
            }
            return Arrays.stream(all).filter(micros -> micros > 0).sorted().toArray();
        }
    }

    /**
     * What the process has used.
     *
     * @param nanos monotonic time
     * @param cpuNanos of the whole process, compiler and collector included
     * @param allocated bytes, by all threads there were
     */
    private record Meter(long nanos, long cpuNanos, long allocated) {
        private static final OperatingSystemMXBean SYSTEM =
                (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

        static Meter now() {
            return new Meter(System.nanoTime(), SYSTEM.getProcessCpuTime(), 0);
        }

        /** What each thread had allocated when it was last looked at; one that has ended keeps its figure. */
        private static final Map<Long, Long> ALLOCATED = new ConcurrentHashMap<>();

        private static final int LOOK_MILLIS = 20;
        private static volatile long watcher; // the thread that looks is not counted; set once

        /** Looks at all threads every {@value #LOOK_MILLIS} ms: what one that ends did after that is all that is missed. */
        static void watchThreads() {
            Thread watch = new Thread(
                    () -> {
                        try {
                            while (true) {
                                look();
                                TimeUnit.MILLISECONDS.sleep(LOOK_MILLIS);
                            }
                        } catch (InterruptedException e) {
                            Thread.currentThread().interrupt();
                        }
                    },
                    "allocation");
            watch.setDaemon(true);
            watcher = watch.getId();
            watch.start();
        }

        private static void look() {
            long[] threads = THREADS.getAllThreadIds();
            long[] bytes = THREADS.getThreadAllocatedBytes(threads);
            for (int i = 0; i < threads.length; i++) {
                if (bytes[i] >= 0 && threads[i] != watcher) {
                    ALLOCATED.merge(threads[i], bytes[i], Math::max);
                }
            }
        }

        static Meter withAllocation() {
            look();
            long allocated =
                    ALLOCATED.values().stream().mapToLong(Long::longValue).sum();
            return new Meter(System.nanoTime(), SYSTEM.getProcessCpuTime(), allocated);
        }

        static long wallMicros() {
            java.time.Instant now = java.time.Instant.now();
            return now.getEpochSecond() * 1_000_000 + now.getNano() / 1_000;
        }

        String since(Meter begin) {
            return "\"seconds\":" + (nanos - begin.nanos) / 1e9 + ",\"cpu_us\":" + (cpuNanos - begin.cpuNanos) / 1_000;
        }
    }

    private final Client client;
    private final Settings settings;
    private Counts counts;
    private Meter begin = Meter.withAllocation();

    private Contract(Client client, Settings settings) {
        this.client = client;
        this.settings = settings;
        this.counts = new Counts(settings.objects);
    }

    /**
     * Serves commands until the input ends.
     *
     * @param args kubeconfig, resource, number of objects, variant
     */
    public static void serve(Client client, String[] args) throws Exception {
        Settings settings = new Settings(args[0], args[1], Integer.parseInt(args[2]), args[3]);
        Meter.watchThreads();
        new Contract(client, settings).loop();
        System.exit(0); // clients leave threads behind
    }

    private void loop() throws Exception {
        say("ready", "\"cpu_us\":" + Meter.now().cpuNanos / 1_000 + ",\"runtime\":\"JVM " + Runtime.version() + "\"");
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = commands.readLine(); line != null; line = commands.readLine()) {
            String[] words = line.split(" ", -1);
            switch (words[0]) {
                case "sync" -> sync();
                case "events" -> events(Integer.parseInt(words[1]));
                case "heap" -> heap();
                case "mark" -> mark();
                case "again" -> again();
                case "once" -> once();
                case "close" -> close();
                default -> throw new IOException("Unknown command: " + line);
            }
        }
    }

    private void sync() throws Exception {
        counts = new Counts(settings.objects);
        begin = Meter.withAllocation();
        client.open(settings, counts);
        await(() -> counts.synced.get() != null, "the cache is full");
        Meter end = Meter.withAllocation();
        say("first", java.util.Objects.requireNonNull(counts.first.get()).since(begin));
        say(
                "synced",
                java.util.Objects.requireNonNull(counts.synced.get()).since(begin) + ",\"allocated\":"
                        + (end.allocated - begin.allocated));
    }

    private void events(int expected) throws InterruptedException {
        counts.phase(expected);
        begin = Meter.withAllocation();
        say("armed", "\"expected\":" + expected);
        await(() -> counts.updates.get() >= expected, expected + " events were told");
        settle();
        Meter end = Meter.withAllocation();
        long[] latencies = counts.sortedLatencies();
        say(
                "events",
                end.since(begin) + ",\"events\":" + counts.updates.get() + ",\"calls\":" + counts.calls.get()
                        + ",\"reconciles\":" + counts.reconciles.get() + ",\"allocated\":"
                        + (end.allocated - begin.allocated) + ",\"p50_us\":" + at(latencies, 0.5) + ",\"p99_us\":"
                        + at(latencies, 0.99));
    }

    private static long at(long[] sorted, double share) {
        return sorted.length == 0 ? 0 : sorted[(int) Math.min(sorted.length - 1, Math.round(share * sorted.length))];
    }

    /** Until no reconcile was done for a while. */
    private void settle() throws InterruptedException {
        long seen;
        do {
            seen = counts.reconciles.get();
            TimeUnit.MILLISECONDS.sleep(QUIET_MILLIS);
        } while (seen != counts.reconciles.get());
    }

    private void mark() {
        Meter now = Meter.withAllocation();
        say(
                "mark",
                now.since(begin) + ",\"calls\":" + counts.calls.get() + ",\"reconciles\":" + counts.reconciles.get());
        counts.phase(0);
        begin = now;
    }

    /** From now on each reconcile asks for another: once all objects were reconciled, all of them wait for a worker, for ever. */
    private void again() {
        counts.phase(0);
        counts.again = true;
        say("again", "\"cpu_us\":" + Meter.now().cpuNanos / 1_000);
    }

    private void once() throws InterruptedException {
        counts.again = false;
        settle();
        say("once", "\"cpu_us\":" + Meter.now().cpuNanos / 1_000);
    }

    private static void heap() throws InterruptedException {
        long used = Long.MAX_VALUE;
        for (int i = 0; i < 4; i++) {
            System.gc();
            TimeUnit.MILLISECONDS.sleep(100); // reference handlers
            Runtime runtime = Runtime.getRuntime();
            used = Math.min(used, runtime.totalMemory() - runtime.freeMemory());
        }
        say("heap", "\"heap\":" + used);
    }

    private void close() throws Exception {
        client.close();
        say("closed", "\"cpu_us\":" + Meter.now().cpuNanos / 1_000);
    }

    private interface Condition {
        boolean holds();
    }

    private static void await(Condition condition, String what) throws InterruptedException {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(LIMIT_SECONDS);
        while (!condition.holds()) {
            if (System.nanoTime() - end > 0) {
                throw new IllegalStateException("Not so within " + LIMIT_SECONDS + " s: " + what);
            }
            TimeUnit.MILLISECONDS.sleep(5);
        }
    }

    private static void say(String at, String more) {
        System.out.println("{\"at\":\"" + at + "\"," + more + "}");
        System.out.flush();
    }
}
