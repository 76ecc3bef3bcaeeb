package io.homeostat.core;

import java.util.function.LongSupplier;

/**
 * Where the engine reports its figures. Implement it to feed a metrics library.
 *
 * <p>Names and labels are those of controller-runtime and client-go where the thing is the same. Label values never hold object
 * bodies or names. <b>Threads.</b> Any; implementations must be cheap and must not block. <b>Failure.</b> A throw is caught,
 * logged once a minute at most, and changes nothing.
 */
@Spi
public interface Metrics {
    /** Reports nothing. */
    Metrics NONE = new Metrics() {
        private final Counter counter = amount -> {};
        private final Histogram histogram = value -> {};

        @Override
        public Counter counter(String name, String... labels) {
            return counter;
        }

        @Override
        public Registration gauge(String name, LongSupplier value, String... labels) {
            return () -> {};
        }

        @Override
        public Histogram histogram(String name, String... labels) {
            return histogram;
        }
    };

    /**
     * The same metrics, kept to the contract above by catching what they throw. For components that report.
     *
     * @param runtime of the component, for the time between two log lines
     */
    static Metrics contained(Metrics metrics, EngineRuntime runtime) {
        return metrics == NONE ? NONE : new ContainedMetrics(metrics, runtime);
    }

    /** A figure that only grows. */
    @Spi
    @FunctionalInterface
    interface Counter {
        /** Adds {@code amount}, 0 or more. */
        void add(long amount);

        /** What it counted is gone for good: take it out of what is exported, if the library can. Nothing is added afterwards. */
        default void close() {}
    }

    /** A distribution. */
    @Spi
    @FunctionalInterface
    interface Histogram {
        /** Records one value, in the unit the name ends with. */
        void record(double value);

        /** What it measured is gone for good: take it out of what is exported, if the library can. Nothing is recorded afterwards. */
        default void close() {}
    }

    /** A counter; {@code labels} are name, value, name, value. */
    Counter counter(String name, String... labels);

    /** A figure read when asked for, until the registration is closed. */
    Registration gauge(String name, LongSupplier value, String... labels);

    /** A histogram; {@code labels} are name, value, name, value. */
    Histogram histogram(String name, String... labels);
}
