package io.homeostat.virtualruntime;

import io.homeostat.core.Experimental;
import io.homeostat.core.Registration;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.Predicate;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * A world of processes on virtual time in which one thing runs at a time, and a seed chooses what.
 *
 * <p>The same seed and the same program take the same steps, byte for byte; another seed takes others. A test builds its processes,
 * drives the world with {@link #runUntil} and its like, and closes it. Programs must take threads, time and chance from their
 * {@link VirtualProcess} and from nowhere else.
 *
 * <pre>{@code
 * try (VirtualWorld world = VirtualWorld.seeded(seed)) {
 *     VirtualProcess process = world.process("operator");
 *     process.start("main", () -> …);
 *     world.runUntil(() -> …, Duration.ofMinutes(1));
 * }
 * }</pre>
 *
 * <p><b>Order.</b> A step is one piece of work of one lane, or a task until its next wait. After each step the seed chooses among all
 * that could go on; each step takes 1 to 50 µs of virtual time; when nothing can go on, time moves to the next timer. <b>Threads.</b>
 * The test's own thread may use the world and its processes between the runs; while the world runs, that thread waits, and watches
 * that each step ends within 10 s of real time. Conditions, invariants and crash hooks run on threads of the world. <b>Memory.</b>
 * {@link #close} ends every thread. <b>Failure.</b> A throwable that leaves lane work, a broken invariant, a step that does not end, a
 * thread that does not end after the crash of its process, a condition that does not come true in time: each fails the seed with
 * {@link SeedFailed}, after which the world does nothing more.
 *
 * <pre>
 * Invariants
 * - The baton is held by one thread: a worker while the world runs, whoever calls while it does not. All state is confined to the
 *   holder, apart from what says otherwise.
 * - ready holds each strand at most once; a strand in it has queued set.
 * - blocked holds exactly the strands whose thread waits in block().
 * - An idle worker has no work on its stack.
 * </pre>
 */
@Experimental
public final class VirtualWorld implements AutoCloseable {
    private static final long BATON_NANOS = Duration.ofSeconds(10).toNanos();
    private static final long RESTLESS_NANOS = Duration.ofMinutes(10).toNanos();
    private static final long FOREVER = Long.MAX_VALUE / 4;
    private static final int STEP_NANOS = 50_000;
    private static final int REMEMBERED = 40;
    private static final int PASS_OVER = 8;

    private enum Stop {
        CONDITION,
        LIMIT,
        IDLE,
        FAILURE
    }

    private final long seed;
    private final long batonNanos;
    private final SplittableRandom chance;
    private final VirtualProcess script;
    private final VirtualLane scriptLane;
    private final @Nullable StringBuilder text;
    private final Map<String, Integer> born = new HashMap<>();
    private final List<VirtualProcess> processes = new ArrayList<>();
    private final List<Strand> ready = new ArrayList<>();
    private final ArrayDeque<Strand> dying = new ArrayDeque<>();
    private final Set<Strand> blocked = new LinkedHashSet<>();
    private final TreeSet<VirtualTimer> timers = new TreeSet<>();
    private final List<Runnable> invariants = new ArrayList<>();
    private final List<Worker> workers = new ArrayList<>();
    private final ArrayDeque<Worker> idle = new ArrayDeque<>();
    private final String[] recent = new String[REMEMBERED];
    private final long[] recentAt = new long[REMEMBERED];
    private final AtomicReference<@Nullable SeedFailed> failure = new AtomicReference<>();
    private long now;
    private long hash = 0xcbf29ce484222325L;
    private long timerNumber;
    private long remembered;
    private @Nullable Strand current;
    private boolean closed;

    // The run under way
    private BooleanSupplier until = () -> false;
    private long limit;
    private boolean stopWhenNothingIsReady;
    private Stop stop = Stop.IDLE;
    private @Nullable Thread driver;

    private volatile @Nullable Thread holder; // volatile: asked by foreign threads; null while the world does not run
    private volatile boolean driverHasBaton; // volatile: carries everything from the last worker to the driver
    private volatile boolean stopRequested; // volatile: set by the driver when it is interrupted
    private volatile long steps; // volatile: the driver watches that it grows; written by the holder only

    VirtualWorld(long seed, boolean traced, Duration batonTimeout) {
        this.seed = seed;
        this.batonNanos = batonTimeout.toNanos();
        this.chance = new SplittableRandom(seed);
        this.text = traced ? new StringBuilder() : null;
        this.script = process("script");
        this.scriptLane = new VirtualLane(script, "script", false);
    }

    /** A world of that seed. */
    public static VirtualWorld seeded(long seed) {
        return new VirtualWorld(seed, false, Duration.ofNanos(BATON_NANOS));
    }

    /** A world of that seed that also keeps the whole {@link #trace}: some 50 bytes a step and call. */
    public static VirtualWorld traced(long seed) {
        return new VirtualWorld(seed, true, Duration.ofNanos(BATON_NANOS));
    }

    /** The seed that chooses. */
    public long seed() {
        return seed;
    }

    /** A new process whose clock is right. */
    public VirtualProcess process(String name) {
        return process(name, Duration.ZERO, 1);
    }

    /**
     * A new process.
     *
     * @param name for traces; the successor of a crashed process may carry the same
     * @param clockOffset what its wall clock shows too much; may be negative
     * @param clockRate how fast both its clocks go; positive, 1 is right
     */
    public VirtualProcess process(String name, Duration clockOffset, double clockRate) {
        requireBaton();
        if (!(clockRate > 0) || Double.isInfinite(clockRate)) {
            throw new IllegalArgumentException(
                    "clock rate " + clockRate + " of process \"" + name + "\": must be positive");
        }
        int number = born.merge(name, 1, Integer::sum);
        VirtualProcess process =
                new VirtualProcess(this, name, number == 1 ? name : name + "#" + number, clockOffset, clockRate);
        processes.add(process);
        return process;
    }

    /** Virtual time since the world began. */
    public Duration now() {
        return Duration.ofNanos(now);
    }

    /** Steps taken so far. */
    public long steps() {
        return steps;
    }

    /** A generator for the scenario itself: what to do, when, to whom. The same name continues the same generator. */
    public RandomGenerator random(String name) {
        return script.random(name);
    }

    /** Runs {@code work}, outside of any process of the program, after {@code delay} of virtual time. It must not wait. */
    public Registration after(Duration delay, Runnable work) {
        requireBaton();
        return timer(scriptLane, nanosOf(delay), work);
    }

    /** Runs {@code check} after every step; what it throws fails the seed. It sees a state in which nothing is running. */
    public void invariant(Runnable check) {
        requireBaton();
        invariants.add(Objects.requireNonNull(check, "check"));
    }

    /** Adds a line to the trace. */
    public void note(String event) {
        requireBaton();
        mix(event.hashCode());
        remember(event);
        if (text != null) {
            text.append(now).append(" ! ").append(event).append('\n');
        }
    }

    /**
     * Runs until {@code condition} holds; it is looked at before the first and after every step.
     *
     * @param limit the longest virtual time from now; when it has passed, or nothing is left to do, the seed fails
     * @throws SeedFailed as the class says
     */
    public void runUntil(BooleanSupplier condition, Duration limit) {
        Stop how = run(condition, nanosOf(limit), false);
        if (how != Stop.CONDITION) {
            fail(
                    how == Stop.IDLE
                            ? "nothing is left to do, and what was waited for has not come"
                            : "what was waited for has not come within " + limit + " of virtual time",
                    null);
            throw failed();
        }
    }

    /**
     * Runs for this much virtual time.
     *
     * @throws SeedFailed as the class says
     */
    public void runFor(Duration duration) {
        runForNanos(nanosOf(duration));
    }

    /**
     * Runs until nothing can go on before time moves to a timer.
     *
     * @throws SeedFailed as the class says, and when ten virtual minutes of work did not come to rest
     */
    public void runUntilIdle() {
        if (run(() -> false, RESTLESS_NANOS, true) == Stop.LIMIT) {
            fail("the world does not come to rest: something gives itself work without end", null);
            throw failed();
        }
    }

    /** A hash over every step, call and note so far: equal for equal runs. */
    public long traceHash() {
        return hash;
    }

    /**
     * Every step (virtual nanoseconds, process, lane or task), call and note so far, a line each.
     *
     * @throws IllegalStateException when the world does not keep it: use {@link #traced}
     */
    public String trace() {
        if (text == null) {
            throw new IllegalStateException(
                    "the world of seed " + seed + " keeps no trace: create it with traced(seed)");
        }
        return text.toString();
    }

    /**
     * Crashes every process and ends every thread. Idempotent.
     *
     * @throws SeedFailed when a thread does not end, unless the seed has failed before
     */
    @Override
    public void close() {
        if (closed) {
            return;
        }
        boolean failedBefore = failure.get() != null;
        closed = true; // from here on only what is dying runs, and no crash hook
        if (!stuck()) {
            for (VirtualProcess process : List.copyOf(processes)) {
                process.crashNow();
            }
            if (!dying.isEmpty()) {
                failure.set(null);
                drive();
            }
        }
        for (Worker worker : List.copyOf(idle)) {
            worker.quit = true;
            worker.give();
        }
        idle.clear();
        SeedFailed failed = failure.get();
        if (failed != null && !failedBefore) {
            throw failed;
        }
    }

    // ---------------------------------------------------------------- for processes, lanes, tasks and timers

    static long nanosOf(Duration duration) {
        if (duration.isNegative()) {
            return 0;
        }
        return duration.compareTo(Duration.ofNanos(FOREVER)) >= 0 ? FOREVER : duration.toNanos();
    }

    long nowNanos() {
        return now;
    }

    long nextTimerNumber() {
        return timerNumber++;
    }

    long draw() {
        return chance.nextLong();
    }

    int draw(int bound) {
        return chance.nextInt(bound);
    }

    double drawDouble() {
        return chance.nextDouble();
    }

    long seedFor(String name) {
        long mixed = seed;
        for (int i = 0; i < name.length(); i++) {
            mixed = (mixed ^ name.charAt(i)) * 0x100000001b3L;
        }
        return mixed;
    }

    @Nullable
    Strand current() {
        return current;
    }

    boolean isHeldHere() {
        Thread now = holder;
        return now == null || now == Thread.currentThread();
    }

    /** Fails calls by threads the world does not know: they would make the run depend on chance outside the seed. */
    void requireBaton() {
        if (!isHeldHere()) {
            String message = "the thread \"" + Thread.currentThread().getName()
                    + "\" called the virtual world of seed " + seed
                    + " out of turn: all work must run on lanes and tasks of its processes";
            failFromOutside(message);
            throw new IllegalStateException(message);
        }
    }

    void wake(Strand strand) {
        if (!strand.queued) {
            strand.queued = true;
            ready.add(strand);
        }
    }

    VirtualTimer timer(VirtualLane lane, long delayNanos, Runnable work) {
        VirtualTimer timer = new VirtualTimer(lane.process, now + delayNanos, lane, work);
        if (lane.isClosed()) {
            timer.cancel();
        } else {
            timers.add(timer);
        }
        return timer;
    }

    VirtualTimer wakeAt(Strand sleeper, long delayNanos) {
        VirtualTimer timer = new VirtualTimer(sleeper, now + delayNanos);
        timers.add(timer);
        return timer;
    }

    void afterNanos(long delayNanos, Runnable work) {
        timer(scriptLane, delayNanos, work);
    }

    void forgetTimer(VirtualTimer timer) {
        timers.remove(timer);
    }

    /** The lanes (or what sleeps) that the timers of a process are for. */
    List<String> timersOf(VirtualProcess process) {
        List<String> found = new ArrayList<>();
        for (VirtualTimer timer : timers) {
            if (timer.process == process) {
                found.add(timer.lane == null ? "a sleep" : timer.lane.label);
            }
        }
        return found;
    }

    void forgetTimers(Predicate<VirtualTimer> which) {
        timers.removeIf(which);
    }

    void traceCall(String call) {
        mix(call.hashCode());
        if (text != null) {
            text.append("  ").append(call).append('\n');
        }
    }

    void crashed(VirtualProcess process, List<Runnable> hooks) {
        processes.remove(process);
        timers.removeIf(timer -> timer.process == process);
        for (Strand strand : blocked) {
            if (strand.process == process) {
                dying.add(strand);
            }
        }
        if (closed) {
            return;
        }
        note(process.label() + " has crashed");
        Strand self = current;
        current = null; // the hooks belong to no process
        for (Runnable hook : hooks) {
            try {
                hook.run();
            } catch (Throwable thrown) {
                fail("a crash hook of " + process.label() + " threw", thrown);
            }
        }
        current = self;
    }

    void interruptBlocked(VirtualProcess process) {
        for (Strand strand : blocked) {
            if (strand.process == process) {
                strand.interruptPending = true;
                wake(strand);
            }
        }
    }

    /** The seed has failed; the first failure counts. Called by the holder of the baton. */
    void fail(String what, @Nullable Throwable cause) {
        if (failure.get() == null) {
            failure.compareAndSet(null, new SeedFailed(seed, report(what, cause), cause));
        }
    }

    /** The seed has failed; called by a thread that does not hold the baton. */
    void failFromOutside(String what) {
        failure.compareAndSet(null, new SeedFailed(seed, "seed " + seed + ": " + what, null));
    }

    /** A strand of a crashed process keeps calling: the seed fails, and its thread is never let go on. */
    void abandon(Strand self) {
        Worker worker = Objects.requireNonNull(self.worker);
        fail(
                "work of " + self.label + " goes on after the crash of its process, swallowing "
                        + ProcessCrashed.class.getName() + ":" + stackOf(worker),
                null);
        stop = Stop.FAILURE;
        giveDriver();
        worker.abandon();
    }

    /**
     * Gives the baton back in the middle of the work of {@code self}; returns when the seed has chosen it again, which needs a
     * {@link #wake}.
     *
     * @throws ProcessCrashed when its process has crashed meanwhile
     */
    void block(Strand self) {
        Worker me = Objects.requireNonNull(self.worker);
        self.blocked = true;
        blocked.add(self);
        if (Thread.interrupted()) {
            self.interruptPending = true;
        }
        current = null;
        Strand next = choose();
        if (next != self) {
            pass(next);
            if (me.take()) {
                self.interruptPending = true;
            }
        }
        blocked.remove(self);
        self.blocked = false;
        current = self;
        if (self.interruptPending) {
            self.interruptPending = false;
            Thread.currentThread().interrupt();
        }
        if (self.process.isCrashed()) {
            throw new ProcessCrashed(self.process.label());
        }
    }

    /** On a worker that holds the baton and has nothing on its stack: runs the world until the baton must go elsewhere. */
    void runHere(Worker me) {
        Strand next = me.assigned;
        me.assigned = null;
        while (true) {
            if (next == null) {
                next = choose();
            }
            if (next == null || next.blocked) {
                idle.push(me);
                pass(next);
                return;
            }
            runStep(next, me);
            next = null;
        }
    }

    // ---------------------------------------------------------------- the run

    void runForNanos(long nanos) {
        run(() -> false, nanos, false);
    }

    void runUntilOrLimit(BooleanSupplier condition, long nanos) {
        run(condition, nanos, false);
    }

    private Stop run(BooleanSupplier condition, long nanos, boolean untilNothingIsReady) {
        requireBaton();
        if (holder != null) {
            throw new IllegalStateException("the world of seed " + seed
                    + " runs already: what it runs cannot run it; wait in a task or user lane instead");
        }
        if (closed) {
            throw new IllegalStateException("the world of seed " + seed + " is closed");
        }
        if (failure.get() != null) {
            throw failed();
        }
        until = condition;
        limit = now + nanos;
        stopWhenNothingIsReady = untilNothingIsReady;
        drive();
        until = () -> false;
        if (failure.get() != null) {
            throw failed();
        }
        return stop;
    }

    /** On the thread outside: gives the baton to a worker and waits until it comes back. */
    private void drive() {
        driver = Thread.currentThread();
        driverHasBaton = false;
        pass(idleWorker());
        boolean interrupted = false;
        long seenSteps = -1;
        long seenAt = 0;
        while (!driverHasBaton) {
            long at = System.nanoTime();
            if (steps != seenSteps) {
                seenSteps = steps;
                seenAt = at;
            } else if (at - seenAt >= batonNanos) {
                failFromOutside(
                        "a step did not end within " + Duration.ofNanos(batonNanos) + " of real time" + stacks());
                driver = null;
                break; // the world stays as it is: holder tells that it is stuck
            }
            LockSupport.parkNanos(this, batonNanos - (at - seenAt) + 1_000_000);
            if (Thread.interrupted()) {
                interrupted = true;
                stopRequested = true;
            }
        }
        if (driverHasBaton) {
            holder = null;
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** Whether a step was given up. */
    private boolean stuck() {
        return holder != null;
    }

    private void pass(Worker worker) {
        holder = worker;
        worker.give();
    }

    /** Gives the baton to whoever can run {@code next}; null gives it to the driver. */
    private void pass(@Nullable Strand next) {
        if (next == null) {
            giveDriver();
        } else if (next.blocked) {
            pass(Objects.requireNonNull(next.worker));
        } else {
            Worker worker = idleWorker();
            worker.assigned = next;
            pass(worker);
        }
    }

    private void giveDriver() {
        Thread waiting = driver;
        holder = waiting;
        driverHasBaton = true;
        LockSupport.unpark(waiting);
    }

    private Worker idleWorker() {
        Worker worker = idle.poll();
        if (worker == null) {
            worker = new Worker(this, workers.size() + 1);
            workers.add(worker);
            worker.start();
        }
        return worker;
    }

    private void runStep(Strand strand, Worker me) {
        strand.worker = me;
        current = strand;
        try {
            strand.step();
        } finally {
            current = null;
            strand.worker = null;
            strand.interruptPending = false;
            Thread.interrupted();
        }
        if (strand instanceof VirtualLane lane) {
            lane.wakeForWork();
        }
    }

    /** Between two steps: checks, moves time, and chooses what goes on; null ends the run. */
    private @Nullable Strand choose() {
        if (failure.get() != null) {
            stop = Stop.FAILURE;
            return null;
        }
        if (invariantIsBroken()) {
            stop = Stop.FAILURE;
            return null;
        }
        if (conditionHolds()) {
            stop = Stop.CONDITION;
            return null;
        }
        if (stopRequested) {
            fail("the thread that runs the world was interrupted", null);
            stop = Stop.FAILURE;
            return null;
        }
        Strand dead = dying.poll();
        if (dead != null) {
            record(dead);
            return dead;
        }
        if (closed) {
            stop = Stop.IDLE;
            return null;
        }
        while (true) {
            while (!timers.isEmpty() && timers.first().due <= now) {
                Objects.requireNonNull(timers.pollFirst()).fire();
            }
            if (!ready.isEmpty()) {
                if (now >= limit) {
                    stop = Stop.LIMIT;
                    return null;
                }
                Strand strand = takeReady();
                if (strand.process.isCrashed() || (strand instanceof VirtualLane lane && lane.hasNothing())) {
                    continue;
                }
                if (strand.process.isPaused()) {
                    strand.process.hold(strand);
                    continue;
                }
                now = Math.min(limit, now + 1_000 + chance.nextInt(STEP_NANOS - 1_000));
                record(strand);
                return strand;
            }
            if (stopWhenNothingIsReady) {
                stop = Stop.IDLE;
                return null;
            }
            if (timers.isEmpty() || timers.first().due > limit) {
                stop = timers.isEmpty() ? Stop.IDLE : Stop.LIMIT;
                now = limit;
                if (conditionHolds()) {
                    stop = Stop.CONDITION;
                }
                return null;
            }
            now = timers.first().due;
        }
    }

    private boolean invariantIsBroken() {
        try {
            for (Runnable invariant : invariants) {
                invariant.run();
            }
        } catch (Throwable thrown) {
            fail("an invariant is broken", thrown);
        }
        return failure.get() != null;
    }

    private boolean conditionHolds() {
        try {
            return until.getAsBoolean();
        } catch (Throwable thrown) {
            fail("the awaited condition threw", thrown);
            return true; // the failure is seen by whoever stopped for it
        }
    }

    private Strand takeReady() {
        int at = chance.nextInt(ready.size());
        if (ready.get(at).slow && ready.size() > 1 && chance.nextInt(PASS_OVER) != 0) {
            at = chance.nextInt(ready.size());
        }
        Strand strand = ready.get(at);
        Strand last = ready.remove(ready.size() - 1);
        if (last != strand) {
            ready.set(at, last);
        }
        strand.queued = false;
        return strand;
    }

    private void record(Strand strand) {
        steps = nextStep();
        mix(now);
        mix(strand.labelHash);
        remember(strand.label);
        if (text != null) {
            text.append(now).append(' ').append(strand.label).append('\n');
        }
    }

    private long nextStep() {
        return steps + 1;
    }

    private void remember(String what) {
        int slot = (int) (remembered++ % REMEMBERED);
        recent[slot] = what;
        recentAt[slot] = now;
    }

    private void mix(long value) {
        hash = (hash ^ value) * 0x100000001b3L;
        hash ^= hash >>> 29;
    }

    private SeedFailed failed() {
        return Objects.requireNonNull(failure.get());
    }

    private String report(String what, @Nullable Throwable cause) {
        StringBuilder report = new StringBuilder()
                .append("seed ")
                .append(seed)
                .append(", step ")
                .append(steps)
                .append(", ")
                .append(Duration.ofNanos(now))
                .append(": ")
                .append(what)
                .append(cause == null ? "" : ": " + cause)
                .append("\nReplay: VirtualWorld.traced(")
                .append(seed)
                .append("L) with the same program takes the same steps.\nThe last steps:");
        for (long i = Math.max(0, remembered - REMEMBERED); i < remembered; i++) {
            int slot = (int) (i % REMEMBERED);
            report.append("\n  ")
                    .append(Duration.ofNanos(recentAt[slot]))
                    .append(' ')
                    .append(recent[slot]);
        }
        return report.toString();
    }

    /** The stacks of all threads of this world; called by the driver when it has lost the baton. */
    private String stacks() {
        StringBuilder all = new StringBuilder();
        for (Map.Entry<Thread, StackTraceElement[]> entry :
                Thread.getAllStackTraces().entrySet()) {
            if (entry.getKey() instanceof Worker worker && worker.worksFor(this)) {
                all.append(worker == holder ? "\nholds the baton: " : "\nwaits: ")
                        .append(stackOf(worker));
            }
        }
        return all.toString();
    }

    private static String stackOf(Worker worker) {
        StringBuilder stack = new StringBuilder(worker.getName());
        for (StackTraceElement element : worker.getStackTrace()) {
            stack.append("\n    at ").append(element);
        }
        return stack.toString();
    }
}
