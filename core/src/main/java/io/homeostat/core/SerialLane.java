package io.homeostat.core;

import java.util.Objects;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * A lane of the {@link SystemRuntime}: a queue that at most one thread of a pool works off.
 *
 * <pre>
 * Invariants
 * - scheduled is true from the moment the pool is asked for a thread until that thread has found the queue empty; while it is
 *   true, exactly one thread runs, or is about to run, work of this lane.
 * - After an add somebody sees it: the adder schedules the lane, or the running thread looks once more after it has let go.
 * - thread, turnStart and turnBytes belong to the thread that holds scheduled.
 *
 * idle --execute--> scheduled --a pool thread--> running --queue empty--> idle
 *                       ^------budget used up-------/          close(): drops the queue in any state
 * </pre>
 */
final class SerialLane implements Lane, Runnable {
    private static final long TURN_NANOS = 2_000_000;
    private static final int TURN_BYTES = 256 * 1024;

    /** How a lane uses its thread. */
    enum Kind {
        /** Shares few threads: gives its thread back after a turn. */
        ENGINE,
        /** Has a thread for as long as there is work, and may block it. */
        BLOCKING
    }

    Timers.@Nullable Timer firstTimer; // under the lock of Timers: the list of this lane's waiting timers

    private final SystemRuntime runtime;
    private final String name;
    private final Kind kind;
    private final Executor pool;
    private final ConcurrentLinkedQueue<Runnable> queue = new ConcurrentLinkedQueue<>();
    private final AtomicBoolean scheduled = new AtomicBoolean();
    private volatile @Nullable Thread thread; // volatile: isCurrent() is asked by any thread
    private volatile boolean closed; // volatile: closed by any thread
    private long turnStart; // confined to the running thread
    private int turnBytes; // confined to the running thread

    SerialLane(SystemRuntime runtime, String name, Kind kind, Executor pool) {
        this.runtime = runtime;
        this.name = name;
        this.kind = kind;
        this.pool = pool;
    }

    @Override
    public void execute(Runnable work) {
        enqueue(Objects.requireNonNull(work, "work"));
    }

    void enqueue(Runnable work) {
        if (isClosed()) {
            return;
        }
        queue.add(work);
        if (isClosed()) {
            queue.clear(); // close() may have emptied the queue before the add
            return;
        }
        schedule();
    }

    @Override
    public boolean isCurrent() {
        return thread == Thread.currentThread();
    }

    @Override
    public boolean shouldYield() {
        requireCurrent("shouldYield");
        return turnIsOver();
    }

    @Override
    public void charge(int bytes) {
        requireCurrent("charge");
        turnBytes = (int) Math.min(Integer.MAX_VALUE, (long) turnBytes + Math.max(0, bytes));
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public void close() {
        closed = true;
        queue.clear();
        runtime.closed(this);
    }

    boolean isClosed() {
        return closed || runtime.isClosed();
    }

    boolean belongsTo(SystemRuntime other) {
        return runtime == other;
    }

    Executor pool() {
        return pool;
    }

    /** One turn, on a thread of the pool. */
    @Override
    public void run() {
        Thread me = Thread.currentThread();
        thread = me;
        boolean budgetUsed = false;
        try {
            if (kind == Kind.BLOCKING && !me.getName().equals(name)) {
                me.setName(name); // it costs a call of the system; whoever lent the thread takes the name back
            }
            budgetUsed = turn();
        } finally { // whatever happened, the lane can be scheduled again
            thread = null;
            if (budgetUsed && !queue.isEmpty()) {
                hand();
            } else {
                scheduled.set(false);
                if (!queue.isEmpty()) {
                    schedule();
                }
            }
        }
    }

    /** Runs what waits; true when the turn ended before that did. */
    private boolean turn() {
        startTurn();
        for (Runnable work = queue.poll(); work != null; work = queue.poll()) {
            if (isClosed()) {
                queue.clear();
                break;
            }
            try {
                work.run();
            } catch (Throwable thrown) {
                runtime.thrownOn(name, thrown);
            }
            if (kind == Kind.BLOCKING) {
                // An interrupt meant for work that is over must not reach the next; at the runtime's end it is meant
                // for all.
                if (!runtime.isClosed()) {
                    Thread.interrupted();
                }
                startTurn(); // nobody waits for this thread
            } else if (turnIsOver()) {
                return true;
            }
        }
        return false;
    }

    private void startTurn() {
        turnStart = System.nanoTime();
        turnBytes = 0;
    }

    private boolean turnIsOver() {
        return turnBytes >= TURN_BYTES || System.nanoTime() - turnStart >= TURN_NANOS;
    }

    private void schedule() {
        if (!scheduled.get() && scheduled.compareAndSet(false, true)) {
            hand();
        }
    }

    /** Asks the pool for a thread; {@link #scheduled} is ours. */
    private void hand() {
        try {
            pool.execute(this);
        } catch (Throwable noThread) {
            noThread(noThread);
        }
    }

    /** The pool has shut down, which closed this lane as well; or the system has no thread to give. {@link #scheduled} is ours. */
    void noThread(Throwable why) {
        scheduled.set(false);
        if (!isClosed()) {
            runtime.noThreadFor(this, why);
        }
    }

    private void requireCurrent(String method) {
        if (!isCurrent()) {
            throw new IllegalStateException(method + " of lane \"" + name + "\" called outside the lane, on thread \""
                    + Thread.currentThread().getName() + "\"; only work that runs on the lane may ask");
        }
    }
}
