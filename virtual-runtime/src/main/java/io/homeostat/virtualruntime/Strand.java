package io.homeostat.virtualruntime;

import org.jspecify.annotations.Nullable;

/**
 * What the world chooses among: a lane or a task. It runs on at most one thread at a time. All state is confined to the holder of
 * the baton.
 *
 * <pre>
 * idle --wake--> ready --chosen--> running --step over--> idle (a lane with more work: ready)
 *                  ^                  |
 *                  |               await, or its process is paused
 *                wake                 v
 *                  \--------------- blocked (keeps its thread)
 * </pre>
 */
abstract sealed class Strand permits VirtualLane, VirtualTask {
    final VirtualProcess process;
    final String label;
    final int labelHash;

    /** Drawn at creation: a slow strand is passed over most of the time, so that some seeds starve some parts. */
    final boolean slow;

    /** In the world's ready list, or held back by its paused process. */
    boolean queued;

    /** The thread that runs this strand, also while blocked; null in between. */
    @Nullable
    Worker worker;

    /** Whether it is blocked in the middle of its work. */
    boolean blocked;

    /** An interrupt that came while it was not running; its thread's flag is set when it goes on. */
    boolean interruptPending;

    /** Calls refused after the crash of its process. */
    int refused;

    Strand(VirtualProcess process, String label) {
        this.process = process;
        this.label = process.label() + "/" + label;
        this.labelHash = this.label.hashCode();
        this.slow = process.world().draw(8) == 0;
    }

    /** Runs the next piece of work, on a worker that holds the baton. */
    abstract void step();

    /** Whether it may be blocked by a wait. */
    abstract boolean mayWait();
}
