package io.homeostat.core;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.util.Arrays;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The timers of one {@link SystemRuntime}: one thread, a binary heap by due time.
 *
 * <p><b>Order.</b> By due time, then in the order they were set. <b>Threads.</b> Any; the timer thread only hands work to lanes, so
 * no timer is late because of another's work. <b>Memory.</b> A timer is gone, with what it refers to, when it has fired, was
 * cancelled, or its lane was closed. Setting and cancelling cost O(log n). <b>Failure.</b> Once stopped, new timers are dropped.
 *
 * <pre>
 * Invariants (under lock)
 * - heap[0, size) is a binary heap by (due, sequence); heap[i].index == i; a timer outside the heap has index -1.
 * - A timer is in the list of its lane exactly while it is in the heap.
 *
 * A timer:  waiting --due--> queued on its lane --> run
 *              \---close----------/---close on the lane: never runs
 * </pre>
 */
final class Timers implements Runnable {
    /** One timer. */
    static final class Timer implements Registration, Runnable {
        private final Timers timers;
        private final SerialLane lane;
        private final long due;
        private final long sequence;
        private volatile @Nullable Runnable
                work; // volatile: closed on any thread, run on the lane; null = run or cancelled
        private int index = -1; // under timers.lock, as are the two links
        private @Nullable Timer previousOfLane;
        private @Nullable Timer nextOfLane;

        Timer(Timers timers, SerialLane lane, Runnable work, long due, long sequence) {
            this.timers = timers;
            this.lane = lane;
            this.work = work;
            this.due = due;
            this.sequence = sequence;
        }

        /** Runs on the lane. */
        @Override
        public void run() {
            Runnable mine = work;
            work = null;
            if (mine != null) {
                mine.run();
            }
        }

        @Override
        public void close() {
            work = null;
            timers.remove(this);
        }

        private boolean before(Timer other) {
            long difference = due - other.due;
            return difference < 0 || (difference == 0 && sequence < other.sequence);
        }
    }

    private static final long BREATH = 1_000_000; // ns

    private final SystemRuntime runtime;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();

    @GuardedBy("lock")
    private Timer[] heap = new Timer[64];

    @GuardedBy("lock")
    private int size;

    @GuardedBy("lock")
    private long sequence;

    @GuardedBy("lock")
    private boolean stopped;

    Timers(SystemRuntime runtime) {
        this.runtime = runtime;
    }

    /** Hands {@code work} to {@code lane} at {@code due}, a value of {@link System#nanoTime}. */
    Registration at(long due, SerialLane lane, Runnable work) {
        lock.lock();
        try {
            Timer timer = new Timer(this, lane, work, due, sequence++);
            if (stopped || lane.isClosed()) {
                timer.work = null;
                return timer;
            }
            if (size == heap.length) {
                heap = Arrays.copyOf(heap, size * 2);
            }
            timer.nextOfLane = lane.firstTimer;
            if (lane.firstTimer != null) {
                lane.firstTimer.previousOfLane = timer;
            }
            lane.firstTimer = timer;
            siftUp(size++, timer);
            if (timer.index == 0) {
                changed.signal();
            }
            return timer;
        } finally {
            lock.unlock();
        }
    }

    /** Forgets the timers of a lane that was closed. */
    void removeAll(SerialLane lane) {
        lock.lock();
        try {
            for (Timer timer = lane.firstTimer; timer != null; timer = lane.firstTimer) {
                timer.work = null;
                take(timer);
            }
        } finally {
            lock.unlock();
        }
    }

    /** Ends the timer thread and forgets every timer. */
    void stop() {
        lock.lock();
        try {
            stopped = true;
            while (size > 0) {
                Timer timer = heap[size - 1];
                timer.work = null;
                take(timer);
            }
            changed.signal();
        } finally {
            lock.unlock();
        }
    }

    /** How many timers wait. */
    int waiting() {
        lock.lock();
        try {
            return size;
        } finally {
            lock.unlock();
        }
    }

    /** The timer thread. Nothing but {@link #stop} ends it: every deadline, backoff and watchdog of the process hangs on it. */
    @Override
    public void run() {
        boolean running = true;
        while (running) {
            Timer due = null;
            try {
                due = next();
                if (due == null) {
                    running = false;
                } else {
                    due.lane.enqueue(due);
                }
            } catch (Throwable outOfMemory) { // of waiting, too: before Java 21 a condition allocates
                runtime.thrownOn(due == null ? "timers" : due.lane.name(), outOfMemory);
                LockSupport.parkNanos(BREATH); // others may be about to give memory back
            }
        }
    }

    /** Waits for the next due timer and takes it; null when stopped. */
    private @Nullable Timer next() {
        lock.lock();
        try {
            while (!stopped) {
                if (size == 0) {
                    changed.awaitUninterruptibly();
                    continue;
                }
                Timer first = heap[0];
                long wait = first.due - System.nanoTime();
                if (wait <= 0) {
                    take(first);
                    return first;
                }
                try {
                    changed.awaitNanos(wait);
                } catch (InterruptedException looksAgain) {
                    // What ends this thread is stop(): an interrupt only makes it look at the heap again.
                }
            }
            return null;
        } finally {
            lock.unlock();
        }
    }

    private void remove(Timer timer) {
        lock.lock();
        try {
            if (timer.index >= 0) {
                take(timer);
            }
        } finally {
            lock.unlock();
        }
    }

    @GuardedBy("lock")
    @SuppressWarnings("NullAway") // heap slots beyond size are empty, and none below
    private void take(Timer timer) {
        int hole = timer.index;
        timer.index = -1;
        Timer last = heap[--size];
        heap[size] = null;
        if (last != timer) {
            siftDown(hole, last);
            if (last.index == hole) {
                siftUp(hole, last);
            }
        }
        Timer before = timer.previousOfLane;
        Timer after = timer.nextOfLane;
        if (before == null) {
            timer.lane.firstTimer = after;
        } else {
            before.nextOfLane = after;
        }
        if (after != null) {
            after.previousOfLane = before;
        }
        timer.previousOfLane = null;
        timer.nextOfLane = null;
    }

    @GuardedBy("lock")
    private void siftUp(int from, Timer timer) {
        int at = from;
        while (at > 0) {
            int parent = (at - 1) >>> 1;
            if (!timer.before(heap[parent])) {
                break;
            }
            put(at, heap[parent]);
            at = parent;
        }
        put(at, timer);
    }

    @GuardedBy("lock")
    private void siftDown(int from, Timer timer) {
        int at = from;
        for (int child = 2 * at + 1; child < size; child = 2 * at + 1) {
            if (child + 1 < size && heap[child + 1].before(heap[child])) {
                child++;
            }
            if (!heap[child].before(timer)) {
                break;
            }
            put(at, heap[child]);
            at = child;
        }
        put(at, timer);
    }

    @GuardedBy("lock")
    private void put(int at, Timer timer) {
        heap[at] = timer;
        timer.index = at;
    }
}
