package io.homeostat.core;

/**
 * A serial executor: what is given to one lane runs one at a time, in the order it was given, never nested.
 *
 * <p>State that only one lane touches needs no lock. Engine lanes are cooperative: a turn must be short, and long work asks
 * {@link #shouldYield} and gives the rest to {@link #execute} again. User lanes and dedicated lanes may block.
 *
 * <p><b>Order.</b> First in, first out; a thread's {@code execute} happens before the run. <b>Threads.</b> Every method may be
 * called from any thread, except {@link #shouldYield} and {@link #charge}, which belong to the lane itself. <b>Memory.</b> The
 * backlog is unbounded: whoever feeds a lane bounds it. <b>Failure.</b> A throwable that leaves a run is a defect: it is
 * logged with the lane's name, the lane goes on with the next (in a virtual world it fails the seed).
 */
@Stable
public interface Lane extends Registration {
    /**
     * Runs {@code work} on this lane, later; never inside this call. After {@link #close}, or once the process has crashed
     * or its runtime is closed, the work is dropped.
     */
    void execute(Runnable work);

    /** Whether the calling thread is at this moment running work of this lane. */
    boolean isCurrent();

    /** Whether the present turn has used its 2 ms or 256 KiB: finish the item at hand, re-queue the rest. */
    boolean shouldYield();

    /** Counts {@code bytes} of work against the present turn. */
    void charge(int bytes);

    /** The name given at creation, for thread names, logs and stacks. */
    String name();

    /** Drops what is queued and refuses what comes; work that is running ends by itself. */
    @Override
    void close();
}
