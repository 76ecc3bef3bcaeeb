package io.homeostat.core;

import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Gives user lanes the threads of a pool that grows without limit, and wakes few of them: to wake a thread costs more than most turns
 * take. A thread that ends a turn takes the next lane that waits; and whoever begins a turn while lanes wait sends for one thread more, since
 * the turn may block.
 *
 * <p><b>Order.</b> First come, first served. <b>Threads.</b> Any. <b>Memory.</b> One link a waiting lane. <b>Failure.</b> When the system has
 * no thread to give, each lane that waits is told ({@link SerialLane#noThread}), and comes again.
 *
 * <pre>
 * Invariants
 * - coming is true from the moment the pool is asked for a thread until that thread has looked for a lane.
 * - A lane that waits is seen: by the thread that is coming, or by one that looks once more after it has said that it has come. No turn
 *   begins while lanes wait and no thread is coming.
 *
 * a thread:  coming --takes a lane--> (sends for another) runs its turn --takes the next--> … --none waits--> back to the pool
 * </pre>
 */
final class LaneThreads implements Executor {
    private final Executor pool;
    private final ConcurrentLinkedQueue<SerialLane> waiting = new ConcurrentLinkedQueue<>();
    private final AtomicBoolean coming = new AtomicBoolean();
    private final Runnable serve = this::serve;

    LaneThreads(Executor pool) {
        this.pool = pool;
    }

    /** Takes lanes only. */
    @Override
    public void execute(Runnable lane) {
        waiting.add((SerialLane) lane);
        send();
    }

    /** Has a thread come, if lanes wait and none is coming. */
    private void send() {
        if (waiting.isEmpty() || coming.get() || !coming.compareAndSet(false, true)) {
            return;
        }
        try {
            pool.execute(serve);
        } catch (Throwable noThread) {
            coming.set(false);
            for (SerialLane lane = waiting.poll(); lane != null; lane = waiting.poll()) {
                lane.noThread(noThread);
            }
        }
    }

    /** On a thread that has come. */
    private void serve() {
        Thread me = Thread.currentThread();
        String name = me.getName();
        SerialLane lane;
        do {
            lane = waiting.poll();
            coming.set(false);
        } while (lane == null && !waiting.isEmpty() && coming.compareAndSet(false, true));
        try {
            while (lane != null) {
                send();
                lane.run();
                lane = waiting.poll();
            }
        } finally {
            if (!name.equals(me.getName())) {
                me.setName(name);
            }
        }
    }
}
