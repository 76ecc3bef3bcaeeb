package io.homeostat.core;

import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.CompletionStage;
import java.util.function.Consumer;
import java.util.random.RandomGenerator;

/**
 * The only source of threads, time and chance of one process.
 *
 * <p>{@link SystemRuntime} gives real ones. The virtual runtime gives simulated ones, so that the engine runs one step at a time
 * with every interleaving chosen by a seed. Engine code uses no clock, thread, timer or random generator but these.
 *
 * <p><b>Threads.</b> Every method may be called from any thread. {@link #await} and {@link #sleep} must not be called on an engine
 * lane: they throw {@link IllegalStateException}. <b>Failure.</b> After {@link #close} nothing starts any more: lanes and timers
 * drop what they are given, {@link #start} throws {@link IllegalStateException}.
 */
@Spi
public interface EngineRuntime extends AutoCloseable {
    /**
     * A cooperative engine lane. Turns end after 2 ms or 256 KiB of work; waiting on it throws. Holds no thread while it has nothing
     * to do, and need not be closed.
     */
    Lane lane(String name);

    /** A lane that may block: event handlers, mappers, predicates. Holds no thread while it has nothing to do. */
    Lane userLane(String name);

    /**
     * A lane on a thread of its own, never behind anything else: lease renewal, write gate, pause detection. Keeps its thread until
     * it is closed.
     */
    Lane dedicatedLane(String name);

    /**
     * Starts blocking work on a thread of its own. The number of tasks is limited by who starts them, not here.
     *
     * @param name for threads, logs and stacks
     * @throws IllegalStateException after {@link #close}
     */
    Task start(String name, Task.Body body);

    /**
     * Waits for {@code stage}.
     *
     * @param deadline the longest wait from now; zero or less looks once
     * @return the stage's value; null only where the stage's value is
     * @throws InterruptedWaitException when the thread is interrupted before or while waiting; the interrupt flag stays set
     * @throws DeadlineExceededException when {@code deadline} passed first
     * @throws RuntimeException what the stage failed with, when that is unchecked; also {@link
     *     java.util.concurrent.CancellationException}
     * @throws Error what the stage failed with, when that is one
     * @throws java.util.concurrent.CompletionException around a checked failure of the stage
     */
    <T extends @org.jspecify.annotations.Nullable Object> T await(CompletionStage<T> stage, Duration deadline);

    /**
     * Waits for {@code duration}; zero or less returns at once.
     *
     * @throws InterruptedWaitException when the thread is interrupted; the interrupt flag stays set
     */
    void sleep(Duration duration);

    /**
     * Runs {@code work} on {@code lane} after {@code delay}. Closing the registration on that lane guarantees that the work never
     * runs, even when it is queued already; from another thread it may still run once.
     *
     * @param delay zero or less: as soon as the lane comes to it, never inside this call
     * @param lane a lane of this runtime
     * @throws IllegalArgumentException for a lane of another runtime
     */
    Registration after(Duration delay, Lane lane, Runnable work);

    /** Monotonic time in nanoseconds with an arbitrary origin; compare by difference only. */
    long nanos();

    /** Wall clock time, for timestamps people read. Never for a decision. */
    Instant wallClock();

    /**
     * A generator for {@code name}, independent of those for other names. Any number of threads may share it; not for secrets. In a
     * virtual world the same seed, process and name give the same sequence, and asking again continues it.
     */
    RandomGenerator random(String name);

    /**
     * Whether the named defect is planted in this process, so that a simulation can prove it finds it. Always false outside a
     * virtual world; asked once, when a component is made. {@code docs/guarantees.md} lists them, each with the test that finds it.
     */
    default boolean planted(String defect) {
        return false;
    }

    /**
     * Tells of errors of the Java VM ({@link VirtualMachineError} but {@link StackOverflowError}) that left work of a lane or a task: after one, nothing
     * is certain any more (D35). In a virtual world such an error fails the seed instead.
     *
     * @param told called with the error, on the thread it left, perhaps many times; must not block, and should not need much memory
     * @return closing it ends the telling
     */
    Registration onFatal(Consumer<Throwable> told);

    /** Ends every lane, timer and thread of this process; interrupts tasks. Does not wait for user code that ignores it. */
    @Override
    void close();
}
