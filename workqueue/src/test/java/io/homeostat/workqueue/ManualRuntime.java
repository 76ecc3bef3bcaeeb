package io.homeostat.workqueue;

import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Lane;
import io.homeostat.core.Registration;
import io.homeostat.core.Task;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.CompletionStage;
import java.util.function.Consumer;
import java.util.random.RandomGenerator;

/** Time moved by hand, one lane, for tests of the queue alone. */
final class ManualRuntime implements EngineRuntime, Lane {
    record Timer(long due, Runnable work) {}

    private final Deque<Runnable> turns = new ArrayDeque<>();
    private final List<Timer> timers = new ArrayList<>();
    private final List<Duration> armed = new ArrayList<>();
    private long now = Long.MAX_VALUE - 5; // wraps at once: times are compared by difference
    private boolean running;

    /** Runs what is queued and due, moving time on by {@code duration}. */
    void pass(Duration duration) {
        long end = now + duration.toNanos();
        while (true) {
            while (!turns.isEmpty()) {
                running = true;
                turns.remove().run();
                running = false;
            }
            Timer next = timers.stream()
                    .filter(timer -> timer.due - end <= 0)
                    .min(Comparator.comparingLong(timer -> timer.due - end))
                    .orElse(null);
            if (next == null) {
                now = end;
                return;
            }
            timers.remove(next);
            now = next.due;
            turns.add(next.work);
        }
    }

    List<Duration> armed() {
        return armed;
    }

    int timers() {
        return timers.size();
    }

    @Override
    public Registration after(Duration delay, Lane lane, Runnable work) {
        armed.add(delay);
        Timer timer = new Timer(now + delay.toNanos(), work);
        timers.add(timer);
        return () -> timers.remove(timer);
    }

    @Override
    public void execute(Runnable work) {
        turns.add(work);
    }

    @Override
    public boolean isCurrent() {
        return running;
    }

    @Override
    public boolean shouldYield() {
        return false;
    }

    @Override
    public void charge(int bytes) {}

    @Override
    public String name() {
        return "manual";
    }

    @Override
    public Registration onFatal(Consumer<Throwable> told) {
        return () -> {}; // such an error leaves pass()
    }

    @Override
    public void close() {}

    @Override
    public Lane lane(String name) {
        return this;
    }

    @Override
    public Lane userLane(String name) {
        return this;
    }

    @Override
    public Lane dedicatedLane(String name) {
        return this;
    }

    @Override
    public Task start(String name, Task.Body body) {
        throw new UnsupportedOperationException("the queue starts no task");
    }

    @Override
    public <T extends @org.jspecify.annotations.Nullable Object> T await(CompletionStage<T> stage, Duration deadline) {
        throw new UnsupportedOperationException("the queue never waits");
    }

    @Override
    public void sleep(Duration duration) {
        throw new UnsupportedOperationException("the queue never waits");
    }

    @Override
    public long nanos() {
        return now;
    }

    @Override
    public Instant wallClock() {
        return Instant.EPOCH;
    }

    @Override
    public RandomGenerator random(String name) {
        return new SplittableRandom(1);
    }
}
