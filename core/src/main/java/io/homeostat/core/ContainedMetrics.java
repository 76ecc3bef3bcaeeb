package io.homeostat.core;

import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Metrics that never throw.
 *
 * <p><b>Threads.</b> Any. <b>Memory.</b> One wrapper a meter. <b>Failure.</b> A throw of the library is logged, once a minute at most;
 * a meter that could not be made counts nothing. Errors of the JVM itself go on.
 */
final class ContainedMetrics implements Metrics {
    private static final Logger LOG = LoggerFactory.getLogger(ContainedMetrics.class);
    private static final long MINUTE = 60_000_000_000L;
    private static final long NEVER = Long.MIN_VALUE;

    private final Metrics metrics;
    private final EngineRuntime runtime;
    private final AtomicLong loggedAt = new AtomicLong(NEVER);

    ContainedMetrics(Metrics metrics, EngineRuntime runtime) {
        this.metrics = metrics;
        this.runtime = runtime;
    }

    @Override
    public Counter counter(String name, String... labels) {
        Counter counter = made(name, () -> metrics.counter(name, labels), NONE.counter(name));
        return new Counter() {
            @Override
            public void add(long amount) {
                contain(name, () -> counter.add(amount));
            }

            @Override
            public void close() {
                contain(name, counter::close);
            }
        };
    }

    @Override
    public Registration gauge(String name, LongSupplier value, String... labels) {
        Registration gauge = made(name, () -> metrics.gauge(name, value, labels), () -> {});
        return () -> contain(name, gauge::close);
    }

    @Override
    public Histogram histogram(String name, String... labels) {
        Histogram histogram = made(name, () -> metrics.histogram(name, labels), NONE.histogram(name));
        return new Histogram() {
            @Override
            public void record(double value) {
                contain(name, () -> histogram.record(value));
            }

            @Override
            public void close() {
                contain(name, histogram::close);
            }
        };
    }

    private <T> T made(String name, Supplier<T> maker, T otherwise) {
        try {
            return maker.get();
        } catch (Throwable problem) {
            report(name, problem);
            return otherwise;
        }
    }

    private void contain(String name, Runnable call) {
        try {
            call.run();
        } catch (Throwable problem) {
            report(name, problem);
        }
    }

    private void report(String name, Throwable problem) {
        if (problem instanceof VirtualMachineError error && !(problem instanceof StackOverflowError)) {
            throw error;
        }
        long now = runtime.nanos();
        long last = loggedAt.get();
        if ((last == NEVER || now - last >= MINUTE) && loggedAt.compareAndSet(last, now)) {
            LOG.atError()
                    .setCause(problem)
                    .addKeyValue("metric", name)
                    .log("The metrics threw; nothing else changes [HS-304]");
        }
    }
}
