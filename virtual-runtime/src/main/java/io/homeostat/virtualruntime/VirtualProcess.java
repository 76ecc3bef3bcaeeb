package io.homeostat.virtualruntime;

import io.homeostat.core.DeadlineExceededException;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Experimental;
import io.homeostat.core.InterruptedWaitException;
import io.homeostat.core.Lane;
import io.homeostat.core.Registration;
import io.homeostat.core.Task;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * One process of a {@link VirtualWorld}: an {@link EngineRuntime} that can crash and be paused.
 *
 * <p><b>Order.</b> As {@link EngineRuntime} and {@link Lane} say; beyond that the seed chooses. <b>Threads.</b> Called by work of the
 * world, or by any one thread while the world does not run. {@link #await} and {@link #sleep} called from outside run the world
 * until they are over. <b>Memory.</b> A crashed process holds nothing. <b>Failure.</b> After {@link #crash}, or {@link #close}:
 * <ul>
 *   <li>crashed: every call by a thread of this process throws {@link ProcessCrashed} until the thread has ended; its lanes and timers
 *       are dropped, its tasks never tell that they are done. Calls from other processes are ignored, as by a dead machine.
 *   <li>closed: as {@link EngineRuntime#close} says.
 * </ul>
 *
 * <pre>
 * running --pause--> paused --resume--> running --close--> closed
 *    \-------crash------/-----------------/------crash------> crashed
 * </pre>
 */
@Experimental
public final class VirtualProcess implements EngineRuntime {
    private static final Instant EPOCH = Instant.parse("2026-01-01T00:00:00Z");
    private static final int REFUSED_CALLS = 10_000;

    private final VirtualWorld world;
    private final String name;
    private final String label;
    private final Duration clockOffset;
    private final double clockRate;
    private final long bornAt;
    private final long nanosOrigin;
    private final Map<String, RandomGenerator> generators = new HashMap<>();
    private final Set<VirtualTask> tasks = new LinkedHashSet<>();
    private final Set<VirtualLane> lanes = new LinkedHashSet<>();
    private final List<Runnable> crashHooks = new ArrayList<>();
    private final Set<String> defects = new LinkedHashSet<>();
    private final List<Strand> held = new ArrayList<>(); // ready, but the process is paused
    private boolean crashed;
    private boolean closed;
    private boolean paused;
    private long calls;
    private long crashAtCall = -1;
    private double crashRate;
    private long pauseAtCall = -1;
    private Duration pauseFor = Duration.ZERO;

    VirtualProcess(VirtualWorld world, String name, String label, Duration clockOffset, double clockRate) {
        this.world = world;
        this.name = name;
        this.label = label;
        this.clockOffset = clockOffset;
        this.clockRate = clockRate;
        this.bornAt = world.nowNanos();
        this.nanosOrigin = world.draw(); // any: only differences mean something
    }

    /** The name given at creation. */
    public String name() {
        return name;
    }

    /** The name and, from the second process of that name on, a number: {@code operator#2}. Used in traces. */
    public String label() {
        return label;
    }

    /** Kills the process as {@code kill -9} does. Called by work of this process itself, it does not return. */
    public void crash() {
        enter("crash");
        crashNow();
        Strand self = world.current();
        if (self != null && self.process == this) {
            throw new ProcessCrashed(label);
        }
    }

    /** Stops the process as {@code SIGSTOP} does, until {@link #resume}: nothing of it runs, its clocks go on. */
    public void pause() {
        enter("pause");
        paused = true;
        stayWhilePaused();
    }

    /** Lets a paused process go on; timers that became due meanwhile run now. Does nothing when it is not paused. */
    public void resume() {
        world.requireBaton();
        if (!paused) {
            return;
        }
        world.note(label + " resumes");
        paused = false;
        for (Strand strand : held) {
            strand.queued = false;
            world.wake(strand);
        }
        held.clear();
    }

    /** Whether it has crashed. */
    public boolean isCrashed() {
        return crashed;
    }

    /** Whether it is paused. */
    public boolean isPaused() {
        return paused;
    }

    /** Runs {@code hook} when the process crashes, outside of any process: to break its connections, to start its successor. */
    public void onCrash(Runnable hook) {
        world.requireBaton();
        crashHooks.add(Objects.requireNonNull(hook, "hook"));
    }

    /** How many calls on this runtime its own work has made: the crash points passed so far. */
    public long calls() {
        return calls;
    }

    /** Crashes the process inside the {@code call}-th call its own work makes on this runtime, counted from its birth. */
    public void crashAtCall(long call) {
        world.requireBaton();
        crashAtCall = call;
    }

    /** Crashes the process inside each call its own work makes with this probability, drawn from the seed; 0 by default. */
    public void crashRandomly(double probabilityPerCall) {
        world.requireBaton();
        crashRate = probabilityPerCall;
    }

    /** Pauses the process for {@code duration} inside the {@code call}-th call its own work makes on this runtime. */
    public void pauseAtCall(long call, Duration duration) {
        world.requireBaton();
        pauseAtCall = call;
        pauseFor = Objects.requireNonNull(duration, "duration");
    }

    /** Plants the named defect; to be called before the components that ask {@link #planted} are made. */
    public void plant(String defect) {
        world.requireBaton();
        defects.add(Objects.requireNonNull(defect, "defect"));
    }

    @Override
    public boolean planted(String defect) {
        return defects.contains(defect);
    }

    @Override
    public Lane lane(String name) {
        enter("lane");
        return opened(new VirtualLane(this, Objects.requireNonNull(name, "name"), false));
    }

    private Lane opened(VirtualLane lane) {
        lanes.add(lane);
        return lane;
    }

    void closed(VirtualLane lane) {
        lanes.remove(lane);
    }

    /**
     * What this process holds at the moment, a line each, sorted: lanes that are not closed, tasks that have not ended, timers that
     * have not run. A component that was closed must not have left any behind.
     */
    public List<String> holds() {
        world.requireBaton();
        List<String> held = new ArrayList<>();
        lanes.forEach(lane -> held.add("lane " + lane.name()));
        tasks.forEach(task -> held.add("task " + task.label));
        world.timersOf(this).forEach(timer -> held.add("timer of " + timer));
        held.sort(null);
        return held;
    }

    @Override
    public Lane userLane(String name) {
        enter("userLane");
        return opened(new VirtualLane(this, Objects.requireNonNull(name, "name"), true));
    }

    @Override
    public Lane dedicatedLane(String name) {
        return userLane(name);
    }

    @Override
    public Task start(String name, Task.Body body) {
        enter("start");
        if (isOver()) {
            throw new IllegalStateException("task \"" + name + "\" not started: the process " + label + " is "
                    + (crashed ? "crashed" : "closed"));
        }
        VirtualTask task =
                new VirtualTask(this, Objects.requireNonNull(name, "name"), Objects.requireNonNull(body, "body"));
        tasks.add(task);
        world.wake(task);
        return task;
    }

    @Override
    public <T extends @Nullable Object> T await(CompletionStage<T> stage, Duration deadline) {
        enter("await");
        Strand self = world.current();
        if (self != null && !self.mayWait()) {
            throw new IllegalStateException("engine lane " + self.label
                    + " must not wait: go on in a callback, or move the work to a user lane or a task");
        }
        throwIfInterrupted("before it waited for an answer");
        Answer<T> answer = new Answer<>(world, self);
        stage.whenComplete(answer);
        boolean mayWait = deadline.compareTo(Duration.ZERO) > 0;
        if (self == null) {
            if (mayWait && !answer.came) {
                world.runUntilOrLimit(() -> answer.came, nanosToWorld(deadline));
            }
        } else {
            if (answer.came || !mayWait) {
                world.wake(self); // a look at an answer that is there is a point where others may come in between, too
                world.block(self);
            }
            if (mayWait && !answer.came) {
                VirtualTimer limit = world.wakeAt(self, nanosToWorld(deadline));
                while (!answer.came
                        && !limit.hasFired()
                        && !Thread.currentThread().isInterrupted()) {
                    world.block(self);
                }
                limit.cancel();
            }
            answer.waiter = null;
            if (Thread.currentThread().isInterrupted() && !(answer.came && world.draw(2) == 0)) {
                throw interrupted("while it waited for an answer");
            }
        }
        if (!answer.came) {
            throw new DeadlineExceededException("no answer within " + deadline + " of virtual time, in "
                    + (self == null ? "a call from outside the world" : self.label));
        }
        return answer.get();
    }

    @Override
    public void sleep(Duration duration) {
        enter("sleep");
        Strand self = world.current();
        if (self == null) {
            throwIfInterrupted("before it slept");
            world.runForNanos(nanosToWorld(duration));
            return;
        }
        if (!self.mayWait()) {
            throw new IllegalStateException("engine lane " + self.label + " must not sleep: set a timer instead");
        }
        throwIfInterrupted("before it slept");
        VirtualTimer end = world.wakeAt(self, nanosToWorld(duration));
        while (!end.hasFired()) {
            world.block(self);
            if (Thread.currentThread().isInterrupted()) {
                end.cancel();
                throw interrupted("while it slept " + duration);
            }
        }
    }

    @Override
    public Registration after(Duration delay, Lane lane, Runnable work) {
        enter("after");
        Objects.requireNonNull(work, "work");
        if (!(lane instanceof VirtualLane mine) || mine.process != this) {
            throw new IllegalArgumentException(
                    "timer for lane \"" + lane.name() + "\": it is not a lane of the process " + label);
        }
        return world.timer(mine, nanosToWorld(delay), work);
    }

    @Override
    public long nanos() {
        enter("nanos");
        return nanosOrigin + elapsed();
    }

    @Override
    public Instant wallClock() {
        enter("wallClock");
        return EPOCH.plus(clockOffset).plusNanos(bornAt).plusNanos(elapsed());
    }

    @Override
    public RandomGenerator random(String name) {
        enter("random");
        return generators.computeIfAbsent(name, key -> new SplittableRandom(world.seedFor(label + "/" + key)));
    }

    /** {@inheritDoc} Nobody is told here: the seed fails. */
    @Override
    public Registration onFatal(Consumer<Throwable> told) {
        return () -> {};
    }

    /**
     * {@inheritDoc}
     *
     * <p>What runs or waits on user lanes and tasks is interrupted and goes on until it ends.
     */
    @Override
    public void close() {
        enter("close");
        if (isOver()) {
            return;
        }
        closed = true;
        world.forgetTimers(timer -> timer.process == this && timer.lane != null);
        for (VirtualTask task : List.copyOf(tasks)) {
            task.interruptNow();
        }
        world.interruptBlocked(this);
    }

    @Override
    public String toString() {
        return label;
    }

    VirtualWorld world() {
        return world;
    }

    /** Crashed or closed: nothing new starts. */
    boolean isOver() {
        return crashed || closed;
    }

    void ended(VirtualTask task) {
        tasks.remove(task);
    }

    void hold(Strand strand) {
        strand.queued = true;
        held.add(strand);
    }

    void crashNow() {
        if (crashed) {
            return;
        }
        crashed = true;
        paused = false;
        held.clear();
        tasks.clear();
        lanes.clear();
        world.crashed(this, List.copyOf(crashHooks));
        crashHooks.clear();
    }

    /** The start of every call: the place where a crash or a pause of the caller takes effect. */
    void enter(String call) {
        world.requireBaton();
        Strand self = world.current();
        if (self == null) {
            return;
        }
        self.process.refuseIfCrashed(self);
        if (self.process != this) {
            return;
        }
        calls++;
        world.traceCall(call);
        if (calls == crashAtCall || (crashRate > 0 && world.drawDouble() < crashRate)) {
            world.note(label + " crashes in call " + calls + ", " + call);
            crashNow();
            throw new ProcessCrashed(label);
        }
        if (calls == pauseAtCall) {
            world.note(label + " pauses in call " + calls + ", " + call);
            paused = true;
            world.afterNanos(Math.max(0, pauseFor.toNanos()), this::resume);
        }
        stayWhilePaused();
    }

    private void stayWhilePaused() {
        Strand self = world.current();
        while (paused && self != null && self.process == this) {
            hold(self);
            world.block(self);
        }
    }

    private void refuseIfCrashed(Strand self) {
        if (crashed) {
            if (++self.refused > REFUSED_CALLS) {
                world.abandon(self);
            }
            throw new ProcessCrashed(label);
        }
    }

    private void throwIfInterrupted(String when) {
        if (Thread.currentThread().isInterrupted()) {
            throw interrupted(when);
        }
    }

    private InterruptedWaitException interrupted(String when) {
        Strand self = world.current();
        return new InterruptedWaitException(
                (self == null ? "a call from outside the world" : self.label) + " was interrupted " + when);
    }

    /** Nanoseconds on this process's clock since its birth. */
    private long elapsed() {
        long real = world.nowNanos() - bornAt;
        return clockRate == 1 ? real : (long) (real * clockRate);
    }

    /** How long the world must wait until this much has passed on this process's clock; not negative. */
    private long nanosToWorld(Duration duration) {
        long nanos = VirtualWorld.nanosOf(duration);
        return clockRate == 1 ? nanos : (long) Math.ceil(nanos / clockRate);
    }

    /** What an awaited stage ended with. */
    private static final class Answer<T extends @Nullable Object> implements BiConsumer<T, @Nullable Throwable> {
        private final VirtualWorld world;
        private @Nullable Strand waiter;
        private boolean came;
        private @Nullable T value;
        private @Nullable Throwable failure;

        Answer(VirtualWorld world, @Nullable Strand waiter) {
            this.world = world;
            this.waiter = waiter;
        }

        @Override
        public void accept(T value, @Nullable Throwable failure) {
            if (!world.isHeldHere()) {
                world.failFromOutside("an awaited answer came on the foreign thread \""
                        + Thread.currentThread().getName() + "\": nothing outside the world may act while it runs");
                return;
            }
            this.came = true;
            this.value = value;
            this.failure = failure;
            if (waiter != null && waiter.blocked) {
                world.wake(waiter);
            }
        }

        @SuppressWarnings("NullAway") // null only where the stage's value is
        T get() {
            Throwable cause = failure;
            while (cause instanceof CompletionException && cause.getCause() != null) {
                cause = cause.getCause();
            }
            if (cause == null) {
                return value;
            }
            if (cause instanceof Error error) {
                throw error;
            }
            if (cause instanceof CancellationException cancelled) {
                throw cancelled;
            }
            throw cause instanceof RuntimeException unchecked ? unchecked : new CompletionException(cause);
        }
    }
}
