package io.homeostat.virtualruntime;

import io.homeostat.core.Registration;
import org.jspecify.annotations.Nullable;

/**
 * A timer of a virtual world. Confined to the holder of the baton. What fires at the same nanosecond fires in an order drawn from
 * the seed.
 */
final class VirtualTimer implements Registration, Runnable, Comparable<VirtualTimer> {
    final VirtualProcess process;

    /** The lane it runs on; null: it wakes {@link #sleeper}. */
    final @Nullable VirtualLane lane;

    final long due;
    private final @Nullable Strand sleeper;
    private final long tie;
    private final long sequence;
    private @Nullable Runnable work;
    private boolean fired;

    VirtualTimer(VirtualProcess process, long due, VirtualLane lane, Runnable work) {
        this(process, due, lane, work, null);
    }

    VirtualTimer(Strand sleeper, long due) {
        this(sleeper.process, due, null, null, sleeper);
    }

    private VirtualTimer(
            VirtualProcess process,
            long due,
            @Nullable VirtualLane lane,
            @Nullable Runnable work,
            @Nullable Strand sleeper) {
        this.process = process;
        this.due = due;
        this.lane = lane;
        this.work = work;
        this.sleeper = sleeper;
        this.tie = process.world().draw();
        this.sequence = process.world().nextTimerNumber();
    }

    /** Its time has come. */
    void fire() {
        fired = true;
        if (lane != null) {
            lane.enqueue(this);
        } else if (sleeper != null && sleeper.blocked) {
            process.world().wake(sleeper);
        }
    }

    boolean hasFired() {
        return fired;
    }

    /** On the lane. */
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
        process.enter("close timer");
        if (fired && lane != null && !lane.isCurrent() && process.world().draw(2) == 0) {
            return; // too late from another thread: it is queued on its lane, and may still run once
        }
        cancel();
    }

    void cancel() {
        work = null;
        if (!fired) {
            process.world().forgetTimer(this);
        }
    }

    @Override
    public int compareTo(VirtualTimer other) {
        int order = Long.compare(due, other.due);
        if (order == 0) {
            order = Long.compare(tie, other.tie);
        }
        return order != 0 ? order : Long.compare(sequence, other.sequence);
    }
}
