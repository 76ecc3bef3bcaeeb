package io.homeostat.reconciler;

import io.homeostat.client.ObjectKey;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Lane;
import io.homeostat.core.Registration;
import io.homeostat.core.Task;
import io.homeostat.workqueue.Work;
import io.homeostat.workqueue.WorkQueue;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes keys from a queue and runs a task for each, up to a number of workers at a time.
 *
 * <pre>
 *   a key:  polled ──► RUNNING ── ended ──► done / delayed / retried
 *                         │ deadline: interrupted
 *                         ▼ still there after the grace
 *                       STUCK: reported with its stack; its key stays locked, its worker is replaced
 * </pre>
 *
 * <p><b>Order.</b> That of the queue. <b>Threads.</b> State is confined to the dispatcher's lane; user code runs on tasks only.
 * <b>Memory.</b> What is running, and a number for each key that fails quietly. <b>Failure.</b> Every throwable of a task leads to a retry of its key; one that says the JVM is
 * not sound is handed to {@code fatal} too, after the key was released (D35). A key that a task never returns is locked, nothing
 * else is harmed: up to {@value #MAX_STUCK_PER_WORKER} times the workers may be stuck and replaced.
 */
final class Dispatcher<K> implements Registration {
    /** What is done for a key, on a task. */
    @FunctionalInterface
    interface Body<K> {
        Outcome run(Attempt<K> attempt) throws Exception;

        /** Whether that key may be worked on now. One that may not is dropped: whoever opens it adds it again. On the lane. */
        default boolean isOpen(K key) {
            return true;
        }
    }

    /**
     * The numbers of a dispatcher.
     *
     * @param workers how many tasks run at a time
     * @param deadline when a task is interrupted
     */
    record Limits(int workers, Duration deadline) {
        static final Limits DEFAULT = new Limits(10, Duration.ofMinutes(10));
    }

    // Invariants, on the lane: running holds every task that has not ended; free + (running and not replaced) ==
    // workers;
    // stuck ⊆ running. A key is held in the queue exactly while its task is in running. drained completes at most once.

    /** How long an interrupted task may take to end before it is stuck. */
    static final Duration GRACE = Duration.ofSeconds(5);

    /** The longest wait of a key whose cache cannot answer. */
    private static final Duration CACHE_RETRY = Duration.ofSeconds(5);

    /** So many quiet failures in a row of one key are said, and again with each doubling. */
    private static final int QUIET_FOR_LONG = 10;

    private static final int MAX_STUCK_PER_WORKER = 10;
    private static final Logger log = LoggerFactory.getLogger(Dispatcher.class);

    private final String name;
    private final EngineRuntime runtime;
    private final Limits limits;
    private final Body<K> body;
    private final List<ReconcileObserver> observers;
    private final AtomicLong numbers;
    private final Consumer<Throwable> fatal;
    private final Lane lane;
    private final WorkQueue<K> queue;
    private final CompletableFuture<Boolean> drained = new CompletableFuture<>();

    private final Set<Running<K>> running = new LinkedHashSet<>(); // confined to the lane; in order of start
    private final Map<K, Integer> quiet =
            new HashMap<>(); // confined to the lane; quiet failures in a row; never iterated
    private final List<Absence> absences = new ArrayList<>(0); // confined to the lane
    private int free; // confined to the lane
    private boolean started; // confined to the lane
    private boolean stopping; // confined to the lane
    private final Registration reporting;
    private final ReconcileFigures figures;
    private final AtomicInteger active = new AtomicInteger(); // the size of running; read by whoever asks for figures
    private final AtomicInteger stuck = new AtomicInteger(); // changed on the lane; read by whoever asks for the state

    /** Somebody waits until nothing of some keys runs. */
    private final class Absence {
        final Predicate<K> keys;
        final CompletableFuture<Void> come = new CompletableFuture<>();

        Absence(Predicate<K> keys) {
            this.keys = keys;
        }
    }

    /** One task under way; confined to the lane but for {@code outcome}. */
    private static final class Running<K> {
        final Attempt<K> attempt;
        volatile @Nullable Outcome outcome; // written by the task before it ends, read on the lane after

        @Nullable
        Task task;

        @Nullable
        Registration alarm;

        boolean stuck;
        boolean replaced;

        Running(Attempt<K> attempt) {
            this.attempt = attempt;
        }
    }

    Dispatcher(String name, Engine engine, Limits limits, Body<K> body) {
        this.name = name;
        this.runtime = engine.runtime();
        this.limits = limits;
        this.body = body;
        this.observers = engine.observers();
        this.numbers = engine.numbers();
        this.fatal = engine.fatal();
        this.free = limits.workers;
        this.lane = runtime.lane("controller/" + name);
        // Namespaces take turns; keys of other kinds are looked at in the order they became ready.
        this.queue = new WorkQueue<>(
                name,
                runtime,
                lane,
                this::dispatch,
                WorkQueue.Config.DEFAULT,
                key -> key instanceof ObjectKey named ? named.namespace() : "");
        this.reporting = queue.report(engine.metrics());
        this.figures = new ReconcileFigures(engine.metrics(), name, limits.workers, active::get, stuck::get);
    }

    WorkQueue<K> queue() {
        return queue;
    }

    Lane lane() {
        return lane;
    }

    /** How many tasks did not end when they were interrupted. Any thread. */
    int stuck() {
        return stuck.get();
    }

    /** Takes its figures back. Any thread. */
    @Override
    public void close() {
        reporting.close();
        figures.close();
        lane.close();
    }

    /** Lets tasks start, from now on. Any thread. */
    void start() {
        lane.execute(() -> {
            started = true;
            dispatch();
        });
    }

    /**
     * Starts no task any more, waits for those under way, interrupts them after {@code drain}. Any thread; the first call counts.
     *
     * @return whether all of them ended; completes within {@code drain} and the grace
     */
    CompletionStage<Boolean> stop(Duration drain) {
        lane.execute(() -> {
            if (stopping) {
                return;
            }
            stopping = true;
            queue.shutdown(WorkQueue.Shutdown.STOP).thenAccept(dropped -> {
                log.debug("controller {}: drained, {} keys left for the next start", name, dropped.size());
                drained.complete(true);
            });
            runtime.after(drain, lane, this::interruptAll);
        });
        return drained;
    }

    private void interruptAll() {
        if (drained.isDone()) {
            return;
        }
        for (Running<K> each : running) {
            interrupt(each);
        }
        runtime.after(GRACE, lane, () -> {
            if (drained.isDone()) {
                return;
            }
            for (Running<K> each : running) {
                log.error(
                        "controller {}: {} did not end when it was interrupted at the stop, after {}; it is left behind [HS-402], at\n{}",
                        name,
                        each.attempt.name(),
                        Texts.of(each.attempt.elapsed()),
                        stackOf(each));
                each.attempt.leaveBehind();
            }
            drained.complete(false);
        });
    }

    /**
     * On the lane.
     *
     * @return completes when no task of such a key runs, but for those that are stuck, which can write nothing from then on; none may be
     *     started meanwhile
     */
    CompletionStage<Void> without(Predicate<K> keys) {
        Absence absence = new Absence(keys);
        absences.add(absence);
        lookForAbsences();
        return absence.come;
    }

    private void lookForAbsences() {
        for (Absence each : List.copyOf(absences)) {
            if (running.stream().noneMatch(task -> !task.stuck && each.keys.test(task.attempt.key()))) {
                absences.remove(each);
                running.stream()
                        .filter(stuck -> each.keys.test(stuck.attempt.key()))
                        .forEach(stuck -> stuck.attempt.leaveBehind()); // another operator may work there from now on
                each.come.complete(null);
            }
        }
    }

    /** On the lane. */
    private void dispatch() {
        while (started && !stopping && free > 0) {
            Work<K> work = queue.poll();
            if (work == null) {
                return;
            }
            if (!body.isOpen(work.key())) {
                quiet.remove(work.key());
                queue.forget(work.key());
                queue.done(work.key());
                continue;
            }
            if (!launched(work)) {
                lane.execute(this::dispatch); // not at once: whoever stops us because of that comes first
                return;
            }
        }
    }

    /** Whether a task could be started for it; when not, it has ended already. */
    private boolean launched(Work<K> work) {
        Running<K> each = new Running<>(new Attempt<>(runtime, name, work, limits.deadline));
        running.add(each);
        active.incrementAndGet();
        free--;
        Task task;
        try {
            task = runtime.start(name + "/" + each.attempt.name(), () -> run(each));
        } catch (Throwable noThread) {
            each.outcome = Outcome.of(noThread);
            release(each, noThread);
            return false;
        }
        each.task = task;
        each.alarm = runtime.after(limits.deadline, lane, () -> overdue(each));
        task.done()
                .whenComplete((nothing, thrown) -> lane.execute(() -> {
                    release(each, thrown);
                    dispatch();
                }));
        return true;
    }

    /** On the task. */
    private void run(Running<K> each) {
        Attempt<K> attempt = each.attempt;
        Outcome outcome;
        try {
            outcome = body.run(attempt);
        } catch (Throwable thrown) {
            outcome = Outcome.of(thrown);
        } finally {
            attempt.end();
        }
        // In a crashed virtual process this throws again, so that nothing is told of what never happened.
        Duration took = attempt.elapsed();
        if (attempt.timedOut() && !(outcome instanceof Outcome.Returned) && !(outcome instanceof Outcome.Fatal)) {
            outcome = new Outcome.Failed(
                    new IllegalStateException(
                            "interrupted at the deadline of " + Texts.of(limits.deadline), thrownOf(outcome)),
                    Duration.ZERO);
        }
        each.outcome = outcome;
        if (!(outcome instanceof Outcome.Skipped)) {
            figures.ended(outcome, took, attempt.timedOut());
            tell(each, outcome, took);
        }
    }

    private static @Nullable Throwable thrownOf(Outcome outcome) {
        if (outcome instanceof Outcome.Failed failed) {
            return failed.thrown();
        }
        return outcome instanceof Outcome.Quiet quiet ? quiet.thrown() : null;
    }

    /** On the task: logs, then observers. */
    private void tell(Running<K> each, Outcome outcome, Duration took) {
        Attempt<K> attempt = each.attempt;
        Result result = null;
        Throwable error = null;
        if (outcome instanceof Outcome.Returned returned) {
            result = returned.result();
            if (result instanceof Result.Failed failed) {
                logSafely(() -> attempt.logger()
                        .warn(
                                "failed for good, and is not tried before the object changes: {} [HS-409]",
                                failed.reason()));
            }
        } else if (outcome instanceof Outcome.Quiet quiet) {
            result = new Result.Retry(Texts.of(quiet.thrown()));
        } else if (outcome instanceof Outcome.Failed failed) {
            error = failed.thrown();
        } else if (outcome instanceof Outcome.Fatal fatally) {
            error = fatally.thrown();
        }
        if (outcome instanceof Outcome.Fatal) {
            Throwable unsound = error;
            logSafely(() -> attempt.logger()
                    .error(
                            "attempt {} met an error of the JVM, which ends the operator [HS-115]",
                            attempt.work().attempt(),
                            unsound));
        } else if (error != null) {
            logError(attempt, error);
        }
        Reconciled reconciled = new Reconciled(
                numbers.incrementAndGet(),
                name,
                attempt.key(),
                attempt.work().causes(),
                attempt.work().attempt(),
                attempt.work().waited(),
                took,
                attempt.writes(),
                result,
                error);
        logSafely(() -> log.debug("controller {}: {}", name, reconciled));
        for (ReconcileObserver observer : observers) {
            try {
                observer.reconciled(reconciled);
            } catch (Throwable thrown) {
                if (Outcome.isFatal(thrown)) {
                    each.outcome = new Outcome.Fatal(thrown);
                }
                figures.observerFailed();
                logSafely(() -> log.warn("controller {}: a reconcile observer threw [HS-304]", name, thrown));
            }
        }
    }

    private void logError(Attempt<K> attempt, Throwable error) {
        boolean withStack = !(error instanceof io.homeostat.client.ApiException) && !(error instanceof ForeignObject);
        logSafely(() -> {
            if (withStack) {
                attempt.logger()
                        .error(
                                "attempt {} failed, will be retried [HS-403]",
                                attempt.work().attempt(),
                                error);
            } else {
                attempt.logger()
                        .error(
                                "attempt {} failed, will be retried: {} [HS-403]",
                                attempt.work().attempt(),
                                Texts.of(error));
            }
        });
    }

    /** Printing a throwable calls its methods, which are user code. */
    private void logSafely(Runnable logging) {
        try {
            logging.run();
        } catch (Throwable unprintable) {
            log.warn(
                    "controller {}: a {} was thrown that cannot be printed [HS-304]",
                    name,
                    unprintable.getClass().getName());
        }
    }

    /** On the lane. */
    private void release(Running<K> each, @Nullable Throwable thrown) {
        running.remove(each);
        active.decrementAndGet();
        if (each.alarm != null) {
            each.alarm.close();
        }
        if (each.stuck) {
            stuck.decrementAndGet();
            log.warn(
                    "controller {}: {} was stuck and has ended after {} [HS-402]",
                    name,
                    each.attempt.name(),
                    Texts.of(each.attempt.elapsed()));
        }
        if (!each.replaced) {
            free++;
        }
        Outcome outcome = each.outcome;
        if (outcome == null) {
            outcome = thrown == null
                    ? new Outcome.Failed(new IllegalStateException("the task ended without an outcome"), Duration.ZERO)
                    : Outcome.of(
                            thrown instanceof CompletionException && thrown.getCause() != null
                                    ? thrown.getCause()
                                    : thrown);
        }
        sayQuiet(each.attempt, outcome);
        settle(each.attempt.key(), outcome);
        lookForAbsences();
    }

    /** What fails quietly and goes on doing so is said after all: else nobody would see that nothing comes of it. */
    private void sayQuiet(Attempt<K> attempt, Outcome outcome) {
        if (!(outcome instanceof Outcome.Quiet failure)) {
            quiet.remove(attempt.key());
            return;
        }
        int row = quiet.merge(attempt.key(), 1, Integer::sum);
        if (row % QUIET_FOR_LONG == 0 && Integer.bitCount(row / QUIET_FOR_LONG) == 1) {
            logSafely(() -> attempt.logger()
                    .warn(
                            "{} attempts in a row came to nothing and are repeated; the last: {} [HS-408]",
                            row,
                            Texts.of(failure.thrown())));
        }
    }

    private void settle(K key, Outcome outcome) {
        if (outcome instanceof Outcome.Returned returned) {
            Result result = returned.result();
            if (result instanceof Result.RequeueAfter requeue) {
                queue.addAfter(key, requeue.delay(), result.toString());
                queue.done(key);
            } else if (result instanceof Result.Retry) {
                queue.retry(key, result.toString());
            } else {
                queue.done(key);
            }
        } else if (outcome instanceof Outcome.Quiet quiet && quiet.thrown() instanceof CacheNotReady) {
            // P-C12: soon after the type or the right is back, nobody says so to this key.
            queue.retryWithin(key, "retry: " + Texts.nameOf(quiet.thrown()), CACHE_RETRY);
        } else if (outcome instanceof Outcome.Quiet quiet) {
            queue.retry(key, "retry: " + Texts.nameOf(quiet.thrown()), quiet.atLeast());
        } else if (outcome instanceof Outcome.Failed failed) {
            queue.retry(key, "error: " + Texts.nameOf(failed.thrown()), failed.atLeast());
        } else if (outcome instanceof Outcome.Fatal fatally) {
            try {
                fatal.accept(fatally.thrown()); // first: memory may be what is missing, and a retry takes some
            } finally {
                queue.retry(key, "error: " + Texts.nameOf(fatally.thrown()));
            }
        } else {
            queue.done(key);
        }
    }

    /** On the lane: past its deadline. */
    private void overdue(Running<K> each) {
        each.attempt.timeOut();
        log.warn(
                "controller {}: {} is interrupted at its deadline of {} [HS-402]",
                name,
                each.attempt.name(),
                Texts.of(limits.deadline));
        interrupt(each);
        each.alarm = runtime.after(GRACE, lane, () -> reportStuck(each));
    }

    private void reportStuck(Running<K> each) {
        if (!each.stuck) {
            each.stuck = true;
            stuck.incrementAndGet();
            lookForAbsences();
        }
        if (!each.replaced && stuck.get() <= limits.workers * MAX_STUCK_PER_WORKER) {
            each.replaced = true;
            free++;
        }
        log.error(
                "controller {}: {} is stuck: it runs for {} and ignores interrupts; its key stays locked, {} [HS-402]. It is at\n{}",
                name,
                each.attempt.name(),
                Texts.of(each.attempt.elapsed()),
                each.replaced ? "its worker is replaced" : "its worker is not replaced, too many are stuck",
                stackOf(each));
        interrupt(each);
        each.alarm = runtime.after(limits.deadline, lane, () -> reportStuck(each));
        dispatch();
    }

    private static void interrupt(Running<?> each) {
        if (each.task != null) {
            each.task.interrupt();
        }
    }

    private static String stackOf(Running<?> each) {
        List<String> lines = new ArrayList<>();
        if (each.task != null) {
            for (StackTraceElement frame : each.task.stack()) {
                lines.add("    at " + frame);
            }
        }
        return String.join("\n", lines);
    }
}
