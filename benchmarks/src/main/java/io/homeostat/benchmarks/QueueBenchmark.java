package io.homeostat.benchmarks;

import io.homeostat.core.SystemRuntime;
import io.homeostat.workqueue.Work;
import io.homeostat.workqueue.WorkQueue;
import io.kubernetes.client.extended.workqueue.DefaultWorkQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * G13: add, hand out, done; each thread its own keys, beside the official client's queue. {@code -t 1}, {@code -t 4}, {@code -t 16} for
 * threads; {@code go/queue} has the same loop for client-go.
 */
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class QueueBenchmark {
    /** The queues. */
    @State(Scope.Benchmark)
    public static class Queues {
        final SystemRuntime runtime = SystemRuntime.create();
        final WorkQueue<Long> ours =
                new WorkQueue<>("benchmark", runtime, runtime.lane("benchmark"), () -> {}, WorkQueue.Config.DEFAULT);
        final DefaultWorkQueue<Long> official = new DefaultWorkQueue<>();
        final AtomicInteger threads = new AtomicInteger();

        /** Ends them. */
        @TearDown
        public void close() {
            official.shutDown();
            runtime.close();
        }
    }

    /** The keys of a thread: each once, since a key that is added again while it waits is one, and a thread would wait for ever. */
    @State(Scope.Thread)
    public static class Keys {
        private long next;

        /** Begins far from where other threads do. */
        @Setup
        public void begin(Queues queues) {
            next = (long) queues.threads.getAndIncrement() << 40;
        }

        Long next() {
            next++;
            return next;
        }
    }

    /** Ours: {@code poll} never waits, and may find what another thread has added taken. */
    @Benchmark
    public void ours(Queues queues, Keys keys) {
        queues.ours.add(keys.next(), "benchmark");
        Work<Long> work = queues.ours.poll();
        while (work == null) {
            Thread.onSpinWait();
            work = queues.ours.poll();
        }
        queues.ours.done(work.key());
    }

    /** The official client's: {@code get} waits. */
    @Benchmark
    public void official(Queues queues, Keys keys) throws InterruptedException {
        queues.official.add(keys.next());
        queues.official.done(queues.official.get());
    }
}
