package io.homeostat.core;

import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import org.jetbrains.lincheck.Lincheck;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The hand-over of a lane between who adds work and the thread that runs out of it, under chosen interleavings (docs/adr/0008). */
@Tag("jdk-independent") // Lincheck chooses the interleavings, not the JDK
class SerialLaneInterleavingsTest {
    private static final int INTERLEAVINGS = 1500;

    @Test
    void allWorkIsRunOnceInOrderAndNeverTwoAtATime() {
        try (SystemRuntime runtime = SystemRuntime.create()) {
            Lincheck.runConcurrentTest(INTERLEAVINGS, () -> twoAdd(runtime));
        }
    }

    private static void twoAdd(SystemRuntime runtime) {
        ConcurrentLinkedQueue<Thread> pool = new ConcurrentLinkedQueue<>();
        SerialLane lane = new SerialLane(runtime, "lane", SerialLane.Kind.BLOCKING, work -> {
            Thread thread = new Thread(work);
            pool.add(thread);
            thread.start();
        });
        int[] running = {0}; // without a lock: the lane alone keeps threads apart
        StringBuilder done = new StringBuilder();
        Thread other = new Thread(() -> {
            lane.execute(() -> run("a", running, done));
            lane.execute(() -> run("b", running, done));
        });
        other.start();
        lane.execute(() -> run("c", running, done));
        join(other);
        for (Thread thread = pool.poll(); thread != null; thread = pool.poll()) {
            join(thread);
        }
        if (!List.of("abc", "acb", "cab").contains(done.toString())) {
            throw new AssertionError("a, b and c were added, b after a, and these were run: " + done);
        }
    }

    @Test
    void laneThatWaitsIsTakenByAThreadThatComesOrGoesOn() {
        try (SystemRuntime runtime = SystemRuntime.create()) {
            Lincheck.runConcurrentTest(INTERLEAVINGS, () -> twoLanes(runtime));
        }
    }

    private static void twoLanes(SystemRuntime runtime) {
        ConcurrentLinkedQueue<Thread> pool = new ConcurrentLinkedQueue<>();
        LaneThreads threads = new LaneThreads(work -> {
            Thread thread = new Thread(work);
            pool.add(thread);
            thread.start();
        });
        SerialLane one = new SerialLane(runtime, "one", SerialLane.Kind.BLOCKING, threads);
        SerialLane two = new SerialLane(runtime, "two", SerialLane.Kind.BLOCKING, threads);
        AtomicInteger ran = new AtomicInteger();
        Thread other = new Thread(() -> {
            one.execute(ran::incrementAndGet);
            two.execute(ran::incrementAndGet);
        });
        other.start();
        two.execute(ran::incrementAndGet);
        join(other);
        for (Thread thread = pool.poll(); thread != null; thread = pool.poll()) {
            join(thread);
        }
        if (ran.get() != 3) {
            throw new AssertionError("3 pieces of work were added, and these many were run: " + ran);
        }
    }

    private static void run(String name, int[] running, StringBuilder done) {
        running[0]++;
        done.append(running[0] == 1 ? name : "(" + name + " beside another)");
        running[0]--;
    }

    private static void join(Thread thread) {
        try {
            thread.join();
        } catch (InterruptedException e) {
            throw new IllegalStateException("Interrupted while a thread of the lane ends", e);
        }
    }
}
