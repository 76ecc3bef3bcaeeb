package io.homeostat.workqueue;

import io.homeostat.core.Metrics;
import io.homeostat.core.Registration;
import java.util.List;

/**
 * The figures of one queue, named and labelled as those of client-go and controller-runtime ({@code name} and {@code controller} are
 * both the queue's name). Called outside the queue's lock.
 */
final class QueueFigures implements Registration {
    /** Of a queue that reports to nobody. */
    static final QueueFigures NONE = new QueueFigures(Metrics.NONE, "", List.of());

    final Metrics.Counter adds;
    final Metrics.Counter retries;
    private final Metrics.Histogram queueSeconds;
    private final Metrics.Histogram workSeconds;
    private final List<Registration> gauges;

    QueueFigures(Metrics metrics, String name, List<Registration> gauges) {
        this.adds = metrics.counter("workqueue_adds_total", labels(name));
        this.retries = metrics.counter("workqueue_retries_total", labels(name));
        this.queueSeconds = metrics.histogram("workqueue_queue_duration_seconds", labels(name));
        this.workSeconds = metrics.histogram("workqueue_work_duration_seconds", labels(name));
        this.gauges = gauges;
    }

    static String[] labels(String name) {
        return new String[] {"name", name, "controller", name};
    }

    /** As {@link #labels(String)}, with the priority as controller-runtime numbers it. */
    static String[] labels(String name, Priority priority) {
        return new String[] {"name", name, "controller", name, "priority", priority == Priority.NORMAL ? "0" : "-100"};
    }

    void waited(long nanos) {
        queueSeconds.record((double) nanos / 1e9);
    }

    void worked(long nanos) {
        workSeconds.record((double) nanos / 1e9);
    }

    @Override
    public void close() {
        gauges.forEach(Registration::close);
        adds.close();
        retries.close();
        queueSeconds.close();
        workSeconds.close();
    }
}
