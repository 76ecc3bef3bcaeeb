package io.homeostat.benchmarks;

import com.sun.management.OperatingSystemMXBean;
import com.sun.management.ThreadMXBean;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.client.ApiClient;
import io.homeostat.client.ResourceType;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.SystemRuntime;
import io.homeostat.informer.CachedObject;
import io.homeostat.informer.InformerState;
import io.homeostat.informer.ResourceEventHandler;
import io.homeostat.informer.SharedInformer;
import io.homeostat.informer.SharedInformers;
import io.homeostat.informer.StorePolicy;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * Our informer in this JVM on a {@link ReplayTransport}, and what it uses: CPU and allocation of all threads but the one that plays the
 * server and the one that asks.
 *
 * <p><b>Threads.</b> One at a time. <b>Failure.</b> What is not so within {@value #LIMIT_MINUTES} minutes throws.
 */
final class InProcess<T extends HasMetadata> implements AutoCloseable {
    private static final int LIMIT_MINUTES = 10;
    private static final int COLLECTIONS = 8;
    private static final Duration BETWEEN_COLLECTIONS = Duration.ofMillis(50);
    private static final Duration LIMIT = Duration.ofMinutes(LIMIT_MINUTES);
    private static final OperatingSystemMXBean SYSTEM =
            (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    /**
     * What was used between two points in time.
     *
     * @param cpuNanos of the process without the server's thread and the caller's
     * @param allocated bytes, the same
     */
    record Use(long cpuNanos, long allocated) {}

    /**
     * A point in time.
     *
     * @param cpuNanos of the process without the server's thread and the caller's
     * @param allocated bytes of each such thread that lives, by its id; one that ends takes its figure along
     */
    private record Point(long cpuNanos, Map<Long, Long> allocated) {
        static Point now(@Nullable Thread server) {
            long caller = Thread.currentThread().getId();
            long aside = server == null ? caller : server.getId();
            Map<Long, Long> allocated = new HashMap<>();
            for (long id : THREADS.getAllThreadIds()) {
                if (id != aside && id != caller) {
                    allocated.put(id, Math.max(0, THREADS.getThreadAllocatedBytes(id)));
                }
            }
            long others = THREADS.getThreadCpuTime(caller)
                    + (server == null ? 0 : Math.max(0, THREADS.getThreadCpuTime(aside)));
            return new Point(SYSTEM.getProcessCpuTime() - others, allocated);
        }

        Use since(Point begin) {
            long bytes = 0;
            for (Map.Entry<Long, Long> thread : allocated.entrySet()) {
                bytes += thread.getValue() - begin.allocated.getOrDefault(thread.getKey(), 0L);
            }
            return new Use(cpuNanos - begin.cpuNanos, bytes);
        }
    }

    /** Counts, and completes a stage when it has counted enough. */
    private final class Counting implements ResourceEventHandler<T> {
        private final AtomicLong adds = new AtomicLong();
        private final AtomicLong updates = new AtomicLong();
        private volatile long wanted = Long.MAX_VALUE; // set before the events begin
        private volatile CompletableFuture<Void> seen = new CompletableFuture<>(); // as wanted

        @Override
        public void onAdd(CachedObject<T> object, Phase phase, Merged<T> merged) {
            adds.incrementAndGet();
        }

        @Override
        public void onUpdate(CachedObject<T> before, CachedObject<T> after, Merged<T> merged) {
            if (updates.addAndGet(merged.versions()) >= wanted) {
                seen.complete(null);
            }
        }

        @Override
        public void onDelete(CachedObject<T> lastKnown, Merged<T> merged) {}
    }

    private final EngineRuntime runtime;
    private final ReplayTransport server;
    private final SharedInformers informers;
    private final SharedInformer<T> informer;
    private final List<Counting> handlers = new ArrayList<>();
    private @Nullable Use synced; // set before anybody sees this object

    private InProcess(Template template, ResourceType<T> type, int objects, StorePolicy policy) {
        this.runtime = SystemRuntime.create();
        this.server = new ReplayTransport(template, objects, type.apiVersion(), type.kind());
        ApiClient client = ApiClient.over(runtime, server, ApiClient.Settings.of("benchmarks"));
        this.informers = SharedInformers.over(runtime, client);
        informers.store(type, policy);
        this.informer = informers.informer(type, "");
    }

    /** A full cache, with one handler that has seen everything. */
    static <T extends HasMetadata> InProcess<T> synced(Template template, ResourceType<T> type, int objects) {
        return synced(template, type, objects, StorePolicy.LAZY);
    }

    /** As {@link #synced(Template, ResourceType, int)}, where the cache keeps its objects in that way. */
    static <T extends HasMetadata> InProcess<T> synced(
            Template template, ResourceType<T> type, int objects, StorePolicy policy) {
        Point begin = Point.now(null);
        InProcess<T> cache = new InProcess<>(template, type, objects, policy);
        cache.addHandler();
        cache.synced = Point.now(cache.server.thread()).since(begin);
        return cache;
    }

    /** Adds a handler that counts; returns when it has seen everything. */
    void addHandler() {
        Counting counting = new Counting();
        handlers.add(counting);
        runtime.await(informer.addHandler("counting", counting).synced(), LIMIT);
    }

    SharedInformer<T> informer() {
        return informer;
    }

    EngineRuntime runtime() {
        return runtime;
    }

    /** Changes that many objects; returns when every handler has been told of all. */
    void change(int events) {
        for (Counting handler : handlers) {
            handler.seen = new CompletableFuture<>();
            handler.wanted = handler.updates.get() + events;
        }
        server.change(events);
        for (Counting handler : handlers) {
            runtime.await(handler.seen, LIMIT);
        }
    }

    /** Makes the cache list anew what it has; returns the calls of handlers that this made. */
    long relist() {
        long before = calls();
        long lists = informer.state().relists();
        server.expire();
        while (informer.state().relists() == lists || informer.state().phase() != InformerState.Phase.WATCHING) {
            runtime.sleep(Duration.ofMillis(1));
        }
        return calls() - before;
    }

    private long calls() {
        return handlers.stream()
                .mapToLong(handler -> handler.adds.get() + handler.updates.get())
                .sum();
    }

    /** What the first sync took. */
    Use synced() {
        return Objects.requireNonNull(synced);
    }

    /** What {@code work} took. */
    Use of(Runnable work) {
        Point begin = Point.now(server.thread());
        work.run();
        return Point.now(server.thread()).since(begin);
    }

    /** Bytes in use once nothing is on its way any more: the least of several collections, some time apart. */
    static long heap() {
        long used = Long.MAX_VALUE;
        try (SystemRuntime pauses = SystemRuntime.create()) {
            for (int i = 0; i < COLLECTIONS; i++) {
                System.gc();
                used = Math.min(
                        used,
                        Runtime.getRuntime().totalMemory()
                                - Runtime.getRuntime().freeMemory());
                pauses.sleep(BETWEEN_COLLECTIONS);
            }
        }
        return used;
    }

    @Override
    public void close() {
        informers.close();
        server.close();
        runtime.close();
    }
}
