package io.homeostat.testkit;

import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Experimental;
import io.homeostat.core.Lane;
import io.homeostat.core.Registration;
import io.homeostat.core.Task;
import java.time.Duration;
import java.time.Instant;
import java.util.Objects;
import java.util.concurrent.CompletionStage;
import java.util.function.Consumer;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * An {@link EngineRuntime} whose time runs faster than that of the one behind, so that a test sees in 6 s what takes 30: timers,
 * waits and the clock are all faster by the same factor. What others measure is not: the server's times, socket time-outs, and the
 * work itself, which therefore looks slower by that factor.
 *
 * <p><b>Order. Threads. Memory. Failure.</b> Those of the runtime behind.
 */
@Experimental
public final class FasterRuntime implements EngineRuntime {
    private final EngineRuntime real;
    private final int rate;
    private final long origin;

    private FasterRuntime(EngineRuntime real, int rate) {
        this.real = Objects.requireNonNull(real, "real");
        this.rate = rate;
        this.origin = real.nanos();
    }

    /**
     * A runtime whose time is faster.
     *
     * @param real closed with this one
     * @param rate how many of its seconds pass in one of {@code real}, 1 to 1000
     */
    public static FasterRuntime over(EngineRuntime real, int rate) {
        if (rate < 1 || rate > 1000) {
            throw new IllegalArgumentException("rate must be from 1 to 1000, was " + rate);
        }
        return new FasterRuntime(real, rate);
    }

    @Override
    public Lane lane(String name) {
        return real.lane(name);
    }

    @Override
    public Lane userLane(String name) {
        return real.userLane(name);
    }

    @Override
    public Lane dedicatedLane(String name) {
        return real.dedicatedLane(name);
    }

    @Override
    public Task start(String name, Task.Body body) {
        return real.start(name, body);
    }

    @Override
    public <T extends @Nullable Object> T await(CompletionStage<T> stage, Duration deadline) {
        return real.await(stage, deadline.dividedBy(rate));
    }

    @Override
    public void sleep(Duration duration) {
        real.sleep(duration.dividedBy(rate));
    }

    @Override
    public Registration after(Duration delay, Lane lane, Runnable work) {
        return real.after(delay.dividedBy(rate), lane, work);
    }

    @Override
    public long nanos() {
        return origin + (real.nanos() - origin) * rate;
    }

    /** That of the runtime behind: people read it. */
    @Override
    public Instant wallClock() {
        return real.wallClock();
    }

    @Override
    public RandomGenerator random(String name) {
        return real.random(name);
    }

    @Override
    public boolean planted(String defect) {
        return real.planted(defect);
    }

    @Override
    public Registration onFatal(Consumer<Throwable> told) {
        return real.onFatal(told);
    }

    @Override
    public void close() {
        real.close();
    }
}
