package io.homeostat.core;

import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Real threads, the system's clocks, and chance seeded by the system.
 *
 * <p><b>Order.</b> As {@link Lane} says. <b>Threads.</b> All are daemon threads.
 * <ul>
 *   <li>Engine lanes share one thread per processor, and at least two.
 *   <li>User lanes and tasks share a pool that grows without limit; a thread serves one of them at a time, carries its name
 *       meanwhile, and ends after 30 idle seconds. A user lane holds a thread only while it has work; a thread that has done with one
 *       goes on with another that waits. Tasks run on virtual threads
 *       instead when {@link Builder#tasksOnVirtualThreads} was asked for.
 *   <li>Each dedicated lane keeps a thread of its own until it is closed.
 *   <li>One thread waits for timers; it only hands work to lanes.
 * </ul>
 * <b>Memory.</b> A lane, task or timer that is over leaves nothing behind; engine and user lanes need not be closed to be collected.
 * <b>Failure.</b> A throwable that leaves lane work is logged with the lane's name, and the lane goes on. One that says that the Java
 * VM itself is broken ({@link VirtualMachineError}, such as {@link OutOfMemoryError}) is also given to {@link Builder#onFatal};
 * {@link StackOverflowError} is not counted among these, since it tells of one computation only.
 */
@Stable
public final class SystemRuntime implements EngineRuntime {
    private static final Logger LOG = LoggerFactory.getLogger(SystemRuntime.class);
    private static final Duration NO_THREAD_PAUSE = Duration.ofMillis(100);
    private static final long IDLE_SECONDS = 30;
    private static final long CLOSE_NANOS = TimeUnit.SECONDS.toNanos(1);

    private final String name;
    private final List<Consumer<Throwable>> fatalHooks = new CopyOnWriteArrayList<>();
    private final @Nullable ThreadFactory virtualThreads;
    private final Timers timers = new Timers(this);
    private final ThreadPoolExecutor engine;
    private final ThreadPoolExecutor workers;
    private final LaneThreads laneThreads;
    private final Thread timerThread;
    private final Set<ExecutorService> dedicated = ConcurrentHashMap.newKeySet();
    private final Set<SystemTask> tasks = ConcurrentHashMap.newKeySet();
    private final AtomicInteger threadNumber = new AtomicInteger();
    private final @Nullable ClassLoader classLoader = Thread.currentThread().getContextClassLoader();
    private volatile boolean closed; // volatile: closed by any thread, asked by all

    private SystemRuntime(Builder builder) {
        this.name = builder.name;
        fatalHooks.add(builder.onFatal);
        this.virtualThreads = builder.virtualThreads;
        int cores = Math.max(2, Runtime.getRuntime().availableProcessors());
        this.engine = new ThreadPoolExecutor(
                cores, cores, 0, TimeUnit.SECONDS, new LinkedBlockingQueue<>(), work -> thread("engine", true, work));
        this.workers = new ThreadPoolExecutor(
                0,
                Integer.MAX_VALUE,
                IDLE_SECONDS,
                TimeUnit.SECONDS,
                new SynchronousQueue<>(),
                work -> thread("worker", false, work));
        this.laneThreads = new LaneThreads(workers);
        this.timerThread = thread("timers", false, timers);
        timerThread.start();
    }

    /** A runtime with the defaults. */
    public static SystemRuntime create() {
        return builder().build();
    }

    /** Starts to describe a runtime. */
    public static Builder builder() {
        return new Builder();
    }

    /** What a {@link SystemRuntime} is made from. Not for several threads. */
    @Stable
    public static final class Builder {
        private String name = "homeostat";
        private Consumer<Throwable> onFatal = fatal -> {};
        private @Nullable ThreadFactory virtualThreads;

        private Builder() {}

        /** The first part of the names of threads that nothing more telling names; {@code homeostat} by default. */
        public Builder named(String name) {
            this.name = Objects.requireNonNull(name, "name");
            return this;
        }

        /**
         * Called with an error of the Java VM that left lane work or a task, on the thread it left, before it is logged, which may
         * need memory that is not there; may be called many times. Must not block. By default nothing more happens than the log line.
         */
        public Builder onFatal(Consumer<Throwable> hook) {
            this.onFatal = Objects.requireNonNull(hook, "hook");
            return this;
        }

        /**
         * Runs tasks on virtual threads. By default they run on platform threads: a reconciler that spins must not starve the others.
         *
         * @throws UnsupportedOperationException before Java 21
         */
        public Builder tasksOnVirtualThreads() {
            this.virtualThreads = VirtualThreads.factory("task")
                    .orElseThrow(() -> new UnsupportedOperationException(
                            "tasks on virtual threads need Java 21 or later, and this is " + Runtime.version()
                                    + "; run on a newer Java, or keep platform threads"));
            return this;
        }

        /** Starts the runtime. */
        public SystemRuntime build() {
            return new SystemRuntime(this);
        }
    }

    @Override
    public Lane lane(String name) {
        return new SerialLane(this, Objects.requireNonNull(name, "name"), SerialLane.Kind.ENGINE, engine);
    }

    @Override
    public Lane userLane(String name) {
        return new SerialLane(this, Objects.requireNonNull(name, "name"), SerialLane.Kind.BLOCKING, laneThreads);
    }

    @Override
    public Lane dedicatedLane(String name) {
        ThreadPoolExecutor own =
                new ThreadPoolExecutor(1, 1, 0, TimeUnit.SECONDS, new LinkedBlockingQueue<>(), work -> {
                    Thread thread = thread("dedicated", false, work);
                    thread.setName(name);
                    return thread;
                });
        own.prestartCoreThread();
        dedicated.add(own);
        if (closed) {
            own.shutdownNow(); // close() may have gone through the set before
            dedicated.remove(own);
        }
        return new SerialLane(this, Objects.requireNonNull(name, "name"), SerialLane.Kind.BLOCKING, own);
    }

    @Override
    public Task start(String name, Task.Body body) {
        SystemTask task =
                new SystemTask(this, Objects.requireNonNull(name, "name"), Objects.requireNonNull(body, "body"));
        requireOpen(name);
        tasks.add(task);
        try {
            if (virtualThreads != null) {
                virtualThreads.newThread(task).start();
            } else {
                workers.execute(task);
            }
        } catch (RejectedExecutionException e) {
            tasks.remove(task);
            requireOpen(name);
            throw e;
        } catch (Throwable e) {
            tasks.remove(task); // the system has no thread to give
            throw e;
        }
        if (closed) {
            task.interrupt(); // close() may have gone through the set before
        }
        return task;
    }

    private void requireOpen(String task) {
        if (closed) {
            throw new IllegalStateException(
                    "task \"" + task + "\" not started: the runtime \"" + name + "\" is closed");
        }
    }

    @Override
    public <T extends @Nullable Object> T await(CompletionStage<T> stage, Duration deadline) {
        requireMayWait();
        CompletableFuture<T> future;
        // A minimal stage is a CompletableFuture too, and refuses get().
        if (stage instanceof CompletableFuture<T> itself && itself.getClass() == CompletableFuture.class) {
            future = itself;
        } else {
            future = new CompletableFuture<>();
            CompletableFuture<T> copy = future;
            stage.whenComplete((value, failure) -> {
                if (failure == null) {
                    copy.complete(value);
                } else {
                    copy.completeExceptionally(failure);
                }
            });
        }
        if (Thread.currentThread().isInterrupted()) {
            throw interrupted("before it waited for an answer");
        }
        try {
            return future.get(nanosOf(deadline), TimeUnit.NANOSECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw interrupted("while it waited for an answer");
        } catch (TimeoutException e) {
            throw new DeadlineExceededException("no answer within " + deadline + ", on thread \""
                    + Thread.currentThread().getName() + "\"");
        } catch (CancellationException e) {
            throw e;
        } catch (ExecutionException e) {
            throw failureOf(e);
        }
    }

    /** What a failed stage makes the waiting caller throw. */
    private static RuntimeException failureOf(ExecutionException failed) {
        Throwable cause = failed.getCause();
        while (cause instanceof CompletionException && cause.getCause() != null) {
            cause = cause.getCause();
        }
        if (cause instanceof Error error) {
            throw error;
        }
        return cause instanceof RuntimeException unchecked ? unchecked : new CompletionException(cause);
    }

    @Override
    public void sleep(Duration duration) {
        requireMayWait();
        try {
            TimeUnit.NANOSECONDS.sleep(Math.max(0, nanosOf(duration)));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw interrupted("while it slept " + duration);
        }
    }

    private static InterruptedWaitException interrupted(String when) {
        return new InterruptedWaitException(
                "thread \"" + Thread.currentThread().getName() + "\" was interrupted " + when);
    }

    private static void requireMayWait() {
        if (Thread.currentThread() instanceof EngineThread) {
            throw new IllegalStateException("an engine lane must not wait (thread \""
                    + Thread.currentThread().getName()
                    + "\"): go on in a callback, or move the work to a user lane or a task");
        }
    }

    @Override
    public Registration after(Duration delay, Lane lane, Runnable work) {
        Objects.requireNonNull(work, "work");
        if (!(lane instanceof SerialLane mine) || !mine.belongsTo(this)) {
            throw new IllegalArgumentException(
                    "timer for lane \"" + lane.name() + "\": it is not a lane of the runtime \"" + name + "\"");
        }
        return timers.at(System.nanoTime() + Math.max(0, nanosOf(delay)), mine, work);
    }

    @Override
    public long nanos() {
        return System.nanoTime();
    }

    @Override
    public Instant wallClock() {
        return Clock.systemUTC().instant();
    }

    @Override
    public RandomGenerator random(String name) {
        return new SeededRandom(new SecureRandom().nextLong());
    }

    /**
     * {@inheritDoc}
     *
     * <p>User lanes, dedicated lanes and tasks are interrupted. Returns when all threads have ended, and after one second in any case;
     * called on a thread of this runtime it does not wait at all. Idempotent.
     */
    @Override
    public void close() {
        closed = true;
        boolean ownThread = Thread.currentThread() instanceof RuntimeThread thread && thread.belongsTo(this);
        boolean wasInterrupted = Thread.currentThread().isInterrupted();
        timers.stop();
        engine.shutdown(); // what is queued ends at once: its lanes are closed
        tasks.forEach(SystemTask::interrupt);
        workers.shutdownNow();
        for (ExecutorService own : dedicated) {
            own.shutdownNow();
        }
        if (ownThread && !wasInterrupted) {
            Thread.interrupted(); // whoever closes the runtime is not to be stopped by it
        } else if (!ownThread) {
            waitForThreads();
        }
        dedicated.clear();
    }

    private void waitForThreads() {
        long until = System.nanoTime() + CLOSE_NANOS;
        try {
            timerThread.join(Duration.ofNanos(CLOSE_NANOS).toMillis());
            List<ExecutorService> pools = new ArrayList<>(dedicated);
            pools.add(engine);
            pools.add(workers);
            boolean ended = true;
            for (ExecutorService pool : pools) {
                ended &= pool.awaitTermination(until - System.nanoTime(), TimeUnit.NANOSECONDS);
            }
            if (!ended) {
                LOG.atWarn()
                        .addKeyValue("runtime", name)
                        .log(
                                "closed, but some work does not react to its interrupt; its threads go on until it ends [HS-405]");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt(); // the threads end without being waited for
        }
    }

    boolean isClosed() {
        return closed;
    }

    @Override
    public Registration onFatal(Consumer<Throwable> told) {
        Consumer<Throwable> mine = error -> told.accept(error); // so that the same consumer may be registered twice
        fatalHooks.add(mine);
        return () -> fatalHooks.remove(mine);
    }

    /** How many timers wait. */
    int waitingTimers() {
        return timers.waiting();
    }

    void closed(SerialLane lane) {
        timers.removeAll(lane);
        Executor pool = lane.pool();
        if (pool != engine && pool instanceof ExecutorService own) {
            own.shutdown(); // does not interrupt running work
            dedicated.remove(own);
        }
    }

    void ended(SystemTask task) {
        tasks.remove(task);
    }

    /** A throwable left lane work. */
    void thrownOn(String lane, Throwable thrown) {
        tellFatal(thrown);
        try {
            LOG.atError()
                    .addKeyValue("lane", lane)
                    .setCause(thrown)
                    .log("lane work ended with a throwable; the lane goes on [HS-114]");
        } catch (Throwable unloggable) {
            // Without memory nothing can be logged or added to anything; who has to know has been told, and the lane
            // goes on.
        }
    }

    /** A throwable left a task; whoever started it learns of it from {@link Task#done}. */
    void thrownByTask(String task, Throwable thrown) {
        if (isFatal(thrown)) {
            tellFatal(thrown);
            try {
                LOG.atError()
                        .addKeyValue("task", task)
                        .setCause(thrown)
                        .log("the Java VM reports an error of its own [HS-115]");
            } catch (Throwable unloggable) {
                // As above.
            }
        }
    }

    /** No thread could be started for a lane that has work: said, and tried again soon. */
    void noThreadFor(SerialLane lane, Throwable why) {
        thrownOn(lane.name(), why);
        timers.at(System.nanoTime() + NO_THREAD_PAUSE.toNanos(), lane, () -> {});
    }

    private void tellFatal(Throwable thrown) {
        if (!isFatal(thrown)) {
            return;
        }
        for (Consumer<Throwable> hook : fatalHooks) {
            try {
                hook.accept(thrown);
            } catch (Throwable fromHook) {
                // The others are told all the same.
            }
        }
    }

    private static boolean isFatal(Throwable thrown) {
        return thrown instanceof VirtualMachineError && !(thrown instanceof StackOverflowError);
    }

    private Thread thread(String role, boolean ofEngine, Runnable work) {
        String threadName = name + "-" + role + "-" + threadNumber.incrementAndGet();
        Thread thread = ofEngine ? new EngineThread(this, work, threadName) : new RuntimeThread(this, work, threadName);
        thread.setDaemon(true);
        thread.setContextClassLoader(classLoader);
        return thread;
    }

    private static long nanosOf(Duration duration) {
        try {
            return Math.min(duration.toNanos(), Long.MAX_VALUE / 4); // 73 years: sums with the clock stay comparable
        } catch (ArithmeticException e) {
            return duration.isNegative() ? 0 : Long.MAX_VALUE / 4;
        }
    }

    /** A thread of a runtime. */
    private static class RuntimeThread extends Thread {
        private final SystemRuntime runtime;

        RuntimeThread(SystemRuntime runtime, Runnable work, String name) {
            super(null, work, name, 0, false);
            this.runtime = runtime;
        }

        boolean belongsTo(SystemRuntime other) {
            return runtime == other;
        }
    }

    /** A thread that must not wait. */
    private static final class EngineThread extends RuntimeThread {
        EngineThread(SystemRuntime runtime, Runnable work, String name) {
            super(runtime, work, name);
        }
    }
}
