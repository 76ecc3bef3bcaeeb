package io.homeostat.reconciler;

import io.homeostat.core.Metrics;
import io.homeostat.core.Registration;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongSupplier;

/**
 * The figures of one controller, named and labelled as controller-runtime does. A quiet retry, such as a conflict, counts as
 * {@code requeue}; {@link Result#failed} as {@code error}, and terminal.
 *
 * <p><b>Threads.</b> Any. <b>Failure.</b> None: the metrics it is given are {@link Metrics#contained}.
 */
final class ReconcileFigures implements Registration {
    private final Metrics.Counter success;
    private final Metrics.Counter error;
    private final Metrics.Counter requeue;
    private final Metrics.Counter requeueAfter;
    private final Metrics.Counter errors;
    private final Metrics.Counter terminal;
    private final Metrics.Counter timeouts;
    private final Metrics.Counter observerFailures;
    private final Metrics.Histogram seconds;
    private final List<Registration> meters = new ArrayList<>(); // filled by the constructor

    ReconcileFigures(Metrics metrics, String controller, int workers, LongSupplier running, LongSupplier stuck) {
        this.success = total(metrics, controller, "success");
        this.error = total(metrics, controller, "error");
        this.requeue = total(metrics, controller, "requeue");
        this.requeueAfter = total(metrics, controller, "requeue_after");
        this.errors = counter(metrics, "controller_runtime_reconcile_errors_total", controller);
        this.terminal = counter(metrics, "controller_runtime_terminal_reconcile_errors_total", controller);
        this.timeouts = counter(metrics, "controller_runtime_reconcile_timeouts_total", controller);
        this.observerFailures = counter(metrics, "homeostat_observer_failures_total", controller);
        this.seconds = metrics.histogram("controller_runtime_reconcile_time_seconds", "controller", controller);
        meters.add(seconds::close);
        meters.add(metrics.gauge("controller_runtime_active_workers", running, "controller", controller));
        meters.add(
                metrics.gauge("controller_runtime_max_concurrent_reconciles", () -> workers, "controller", controller));
        meters.add(metrics.gauge("homeostat_stuck_reconciles", stuck, "controller", controller));
    }

    private Metrics.Counter total(Metrics metrics, String controller, String result) {
        Metrics.Counter counter =
                metrics.counter("controller_runtime_reconcile_total", "controller", controller, "result", result);
        meters.add(counter::close);
        return counter;
    }

    private Metrics.Counter counter(Metrics metrics, String name, String controller) {
        Metrics.Counter counter = metrics.counter(name, "controller", controller);
        meters.add(counter::close);
        return counter;
    }

    /** One reconcile has ended. */
    void ended(Outcome outcome, Duration took, boolean timedOut) {
        seconds.record((double) took.toNanos() / 1e9);
        if (timedOut) {
            timeouts.add(1);
        }
        if (outcome instanceof Outcome.Quiet) {
            requeue.add(1);
        } else if (outcome instanceof Outcome.Returned returned) {
            Result result = returned.result();
            if (result instanceof Result.Failed) {
                error.add(1);
                errors.add(1);
                terminal.add(1);
            } else if (result instanceof Result.Retry) {
                requeue.add(1);
            } else if (result instanceof Result.RequeueAfter) {
                requeueAfter.add(1);
            } else {
                success.add(1);
            }
        } else {
            error.add(1);
            errors.add(1);
        }
    }

    /** An observer threw. */
    void observerFailed() {
        observerFailures.add(1);
    }

    @Override
    public void close() {
        meters.forEach(Registration::close);
    }
}
