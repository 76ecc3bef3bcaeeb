package io.homeostat.virtualruntime;

import io.homeostat.core.Lane;
import java.util.ArrayDeque;
import java.util.Objects;

/** A lane of a {@link VirtualProcess}; one step is one piece of work. Confined to the holder of the baton. */
final class VirtualLane extends Strand implements Lane {
    private static final int TURN_BYTES = 256 * 1024;

    /** One turn in this many ends early, as if its 2 ms were over. */
    private static final int SHORT_TURNS = 16;

    private final String name;
    private final boolean mayWait;
    private final ArrayDeque<Runnable> queue = new ArrayDeque<>();
    private boolean closed;
    private long turnBytes;

    VirtualLane(VirtualProcess process, String name, boolean mayWait) {
        super(process, name);
        this.name = name;
        this.mayWait = mayWait;
    }

    @Override
    public void execute(Runnable work) {
        Objects.requireNonNull(work, "work");
        process.enter("execute");
        enqueue(work);
    }

    void enqueue(Runnable work) {
        if (closed || process.isOver()) {
            return;
        }
        queue.add(work);
        wakeForWork();
    }

    /** Before everything that waits. */
    void enqueueFirst(Runnable work) {
        if (closed || process.isOver()) {
            return;
        }
        queue.addFirst(work);
        wakeForWork();
    }

    @Override
    public boolean isCurrent() {
        return process.world().current() == this;
    }

    @Override
    public boolean shouldYield() {
        requireCurrent("shouldYield");
        return turnBytes >= TURN_BYTES || process.world().draw(SHORT_TURNS) == 0;
    }

    @Override
    public void charge(int bytes) {
        requireCurrent("charge");
        turnBytes += Math.max(0, bytes);
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public void close() {
        process.enter("close lane");
        closed = true;
        queue.clear();
        process.closed(this);
        process.world().forgetTimers(timer -> timer.lane == this);
    }

    boolean isClosed() {
        return closed || process.isOver();
    }

    @Override
    void step() {
        Runnable work = queue.poll();
        if (work == null) {
            return; // closed after it became ready
        }
        turnBytes = 0;
        try {
            work.run();
        } catch (Throwable thrown) {
            if (!process.isCrashed()) {
                process.world().fail("a throwable left work of lane " + label, thrown);
            }
        }
    }

    /** Becomes ready when there is work and no thread on it. */
    void wakeForWork() {
        if (!queue.isEmpty() && worker == null) {
            process.world().wake(this);
        }
    }

    boolean hasNothing() {
        return worker == null && queue.isEmpty();
    }

    @Override
    boolean mayWait() {
        return mayWait;
    }

    private void requireCurrent(String method) {
        if (!isCurrent()) {
            throw new IllegalStateException(method + " of lane \"" + name
                    + "\" called outside the lane; only work that runs on the lane may ask");
        }
    }
}
