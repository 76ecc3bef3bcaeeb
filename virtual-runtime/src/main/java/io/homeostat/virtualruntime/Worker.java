package io.homeostat.virtualruntime;

import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * A real thread of a {@link VirtualWorld}. It does something only while it holds the baton; whoever holds the baton runs the
 * world: chooses a strand, runs it, chooses the next. So a strand that never waits costs no switch of threads.
 */
final class Worker extends Thread {
    private final VirtualWorld world;

    /** What to run first when the baton comes; null: choose. Written by the giver, before the baton. */
    @Nullable
    Strand assigned;

    /** Ends the thread when the baton comes. Written by the giver, before the baton. */
    boolean quit;

    private volatile boolean
            baton; // volatile: written by the giver, read by this thread; carries everything else across

    Worker(VirtualWorld world, int number) {
        super(null, null, "virtual-world-" + world.seed() + "-" + number, 0, false);
        this.world = world;
        setDaemon(true);
    }

    /** Hands the baton to this thread. */
    void give() {
        baton = true;
        LockSupport.unpark(this);
    }

    /**
     * Waits for the baton.
     *
     * @return whether the thread was interrupted meanwhile; its flag is clear
     */
    boolean take() {
        boolean interrupted = false;
        while (!baton) {
            LockSupport.park(this);
            interrupted |= Thread.interrupted(); // a set flag would turn park() into a spin
        }
        baton = false;
        return interrupted;
    }

    /** Parks this thread for good: it does not end by itself, and the seed has failed because of it. */
    @SuppressWarnings("InfiniteLoopStatement")
    void abandon() {
        while (true) {
            LockSupport.park(this);
            Thread.interrupted();
        }
    }

    boolean worksFor(VirtualWorld other) {
        return world == other;
    }

    @Override
    public void run() {
        take();
        while (!quit) {
            world.runHere(this);
            take();
        }
    }
}
