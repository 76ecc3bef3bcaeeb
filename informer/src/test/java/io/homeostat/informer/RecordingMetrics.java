package io.homeostat.informer;

import io.homeostat.core.Metrics;
import io.homeostat.core.Registration;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;

/** Metrics in a map, by name and labels as Prometheus writes them. */
class RecordingMetrics implements Metrics {
    private final Map<String, LongSupplier> meters = new TreeMap<>();

    /** The meters that exist now. */
    Map<String, LongSupplier> meters() {
        return meters;
    }

    /** The present value; a histogram's is how many were recorded. */
    long value(String meter) {
        LongSupplier value = meters.get(meter);
        if (value == null) {
            throw new AssertionError("there is no " + meter + " among " + meters.keySet());
        }
        return value.getAsLong();
    }

    private String added(String name, LongSupplier value, String... labels) {
        StringBuilder text = new StringBuilder(name).append('{');
        for (int i = 0; i < labels.length; i += 2) {
            text.append(i == 0 ? "" : ",").append(labels[i]).append('=').append(labels[i + 1]);
        }
        String meter = text.append('}').toString();
        if (meters.put(meter, value) != null) {
            throw new IllegalArgumentException("there is a " + meter + " already");
        }
        return meter;
    }

    @Override
    public Counter counter(String name, String... labels) {
        AtomicLong count = new AtomicLong();
        String meter = added(name, count::get, labels);
        return new Counter() {
            @Override
            public void add(long amount) {
                count.addAndGet(amount);
            }

            @Override
            public void close() {
                meters.remove(meter);
            }
        };
    }

    @Override
    public Registration gauge(String name, LongSupplier value, String... labels) {
        String meter = added(name, value, labels);
        return () -> meters.remove(meter);
    }

    @Override
    public Histogram histogram(String name, String... labels) {
        AtomicLong count = new AtomicLong();
        String meter = added(name, count::get, labels);
        return new Histogram() {
            @Override
            public void record(double value) {
                count.incrementAndGet();
            }

            @Override
            public void close() {
                meters.remove(meter);
            }
        };
    }
}
