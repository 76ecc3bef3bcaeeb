package io.homeostat.simulator;

import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Headers;
import io.homeostat.core.Lane;
import io.homeostat.core.Registration;
import io.homeostat.core.Stable;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Predicate;

/**
 * What goes wrong on order: answers, delays, lost and refused connections, cut and lagging streams.
 *
 * <pre>{@code
 * simulator.faults().on(r -> r.verb().equals("patch")).skip(1).times(2).answer(503, Duration.ofSeconds(1));
 * }</pre>
 *
 * <p><b>Order.</b> Faults are looked at in the order they were ordered in; delays add up, the first other one wins. An order takes
 * effect for every request that reaches the server after it. <b>Threads.</b> Every method may be called from any thread; predicates
 * are called on the simulator's lane and must be quick. <b>Failure.</b> A predicate that throws fails its request with 500.
 */
@Stable
public final class SimulatorFaults {
    // Invariants: all fields below are confined to the simulator's lane
    private final EngineRuntime runtime;
    private final Lane lane;
    private final RequestLog log;
    private final List<Rule> rules = new ArrayList<>();
    private final List<Hold> holds = new ArrayList<>();
    private final Set<Watcher> watchers = new LinkedHashSet<>();
    private final Set<Waiting> waiting = new LinkedHashSet<>();

    SimulatorFaults(EngineRuntime runtime, Lane lane, RequestLog log) {
        this.runtime = runtime;
        this.lane = lane;
        this.log = log;
    }

    private enum Kind {
        ANSWER,
        DELAY,
        LOSE_ANSWER,
        BREAK,
        REFUSE,
        HANG
    }

    private static final class Rule {
        private final Predicate<RequestRecord> requests;
        private final Kind kind;
        private final int status;
        private final Duration duration;
        private int skip;
        private int times;

        Rule(Fault fault, Kind kind, int status, Duration duration) {
            this.requests = fault.requests;
            this.skip = fault.skip;
            this.times = fault.times;
            this.kind = kind;
            this.status = status;
            this.duration = duration;
        }

        boolean strikes(RequestRecord record) {
            if (times == 0 || !requests.test(record)) {
                return false;
            }
            if (skip > 0) {
                skip--;
                return false;
            }
            if (times != Integer.MAX_VALUE) {
                times--;
            }
            return true;
        }
    }

    private record Hold(Predicate<RequestRecord> watches) {}

    /** A request that has not been let in yet, or never will be. */
    private static final class Waiting {
        private final AnswerSink sink;
        private Registration timer = () -> {};

        Waiting(AnswerSink sink) {
            this.sink = sink;
        }
    }

    /** A fault being described; what it does is its last word. */
    @Stable
    public final class Fault {
        private final Predicate<RequestRecord> requests;
        private int skip;
        private int times = Integer.MAX_VALUE;

        private Fault(Predicate<RequestRecord> requests) {
            this.requests = requests;
        }

        /** Lets the first {@code count} matching requests pass; default 0. */
        public Fault skip(int count) {
            this.skip = count;
            return this;
        }

        /** Strikes {@code count} times, then never again; default for ever. */
        public Fault times(int count) {
            this.times = count;
            return this;
        }

        /** Answers {@code status} with a {@code Status} body, without acting on the request. */
        public Registration answer(int status) {
            return answer(status, Duration.ZERO);
        }

        /** The same, with a {@code Retry-After} of whole seconds; zero for none. */
        public Registration answer(int status, Duration retryAfter) {
            return order(Kind.ANSWER, status, retryAfter);
        }

        /** Lets the request reach the server only after {@code delay}. */
        public Registration delay(Duration delay) {
            return order(Kind.DELAY, 0, delay);
        }

        /** Acts on the request, then breaks the connection instead of answering: the outcome is unknown to the client. */
        public Registration loseAnswer() {
            return order(Kind.LOSE_ANSWER, 0, Duration.ZERO);
        }

        /** Breaks the connection without acting on the request: to the client the same as {@link #loseAnswer}. */
        public Registration breakConnection() {
            return order(Kind.BREAK, 0, Duration.ZERO);
        }

        /** Refuses the connection: the client knows that nothing was sent. */
        public Registration refuse() {
            return order(Kind.REFUSE, 0, Duration.ZERO);
        }

        /** Never answers, until the server restarts or closes. */
        public Registration hang() {
            return order(Kind.HANG, 0, Duration.ZERO);
        }

        private Registration order(Kind kind, int status, Duration duration) {
            Rule rule = new Rule(this, kind, status, duration);
            lane.execute(() -> rules.add(rule));
            return () -> lane.execute(() -> rules.remove(rule));
        }
    }

    /** A fault for the requests that match; {@link RequestRecord#status} is 0 for all of them. */
    public Fault on(Predicate<RequestRecord> requests) {
        return new Fault(requests);
    }

    /** Breaks every open watch that matches, in the middle of its stream. */
    public void cutStreams(Predicate<RequestRecord> watches) {
        lane.execute(() -> {
            for (Watcher watcher : List.copyOf(open())) {
                if (watches.test(watcher.request())) {
                    watcher.cut("a fault cut the stream");
                }
            }
        });
    }

    /** Ends every open watch that matches, as a server does whose patience is over: cleanly, without an error. */
    public void endStreams(Predicate<RequestRecord> watches) {
        lane.execute(() -> {
            for (Watcher watcher : List.copyOf(open())) {
                if (watches.test(watcher.request())) {
                    watcher.end();
                }
            }
        });
    }

    /**
     * Keeps back the events and bookmarks of every watch that matches, open or to come: a cache that lags behind. Closing the
     * registration lets them go, in order.
     */
    public Registration holdEvents(Predicate<RequestRecord> watches) {
        Hold hold = new Hold(watches);
        lane.execute(() -> {
            holds.add(hold);
            for (Watcher watcher : open()) {
                if (watches.test(watcher.request())) {
                    watcher.hold();
                }
            }
        });
        return () -> lane.execute(() -> {
            if (holds.remove(hold)) {
                for (Watcher watcher : List.copyOf(open())) {
                    if (watches.test(watcher.request())) {
                        watcher.release();
                    }
                }
            }
        });
    }

    private Set<Watcher> open() {
        watchers.removeIf(Watcher::ended);
        return watchers;
    }

    void watching(Watcher watcher) {
        open().add(watcher);
        for (Hold hold : holds) {
            if (hold.watches().test(watcher.request())) {
                watcher.hold();
            }
        }
    }

    /** Lets a request in, with what was ordered for it. */
    void run(RequestRecord record, AnswerSink sink, Consumer<AnswerSink> proceed) {
        Duration delay = Duration.ZERO;
        for (Rule rule : List.copyOf(rules)) {
            if (!rule.strikes(record)) {
                continue;
            }
            switch (rule.kind) {
                case DELAY -> delay = delay.plus(rule.duration);
                case ANSWER -> {
                    later(delay, sink, () -> new ApiServer.Answer(sink, record, log, false)
                            .failure(ApiFailure.injected(rule.status, rule.duration.toSeconds())));
                    return;
                }
                case LOSE_ANSWER -> {
                    later(delay, sink, () -> proceed.accept(new Losing(sink)));
                    return;
                }
                case BREAK -> {
                    later(delay, sink, () -> sink.breakOff("a fault broke the connection"));
                    return;
                }
                case REFUSE -> {
                    later(delay, sink, () -> sink.refuse("a fault refused the connection"));
                    return;
                }
                case HANG -> {
                    waiting(new Waiting(sink));
                    return;
                }
            }
        }
        later(delay, sink, () -> proceed.accept(sink));
    }

    private void later(Duration delay, AnswerSink sink, Runnable work) {
        if (delay.isZero()) {
            work.run();
            return;
        }
        Waiting entry = new Waiting(sink);
        waiting(entry);
        entry.timer = runtime.after(delay, lane, () -> {
            if (waiting.remove(entry)) {
                work.run();
            }
        });
    }

    private void waiting(Waiting entry) {
        waiting.add(entry);
        entry.sink.whenGone(() -> {
            entry.timer.close();
            waiting.remove(entry);
        });
    }

    void breakDelayed(String why) {
        for (Waiting entry : List.copyOf(waiting)) {
            entry.timer.close();
            waiting.remove(entry);
            entry.sink.breakOff(why);
        }
    }

    /** Swallows an answer: the server has acted, the client hears a broken connection. */
    private static final class Losing implements AnswerSink {
        private final AnswerSink sink;

        Losing(AnswerSink sink) {
            this.sink = sink;
        }

        @Override
        public void head(int status, Headers headers) {
            sink.breakOff("a fault lost the answer");
        }

        @Override
        public void chunk(byte[] bytes) {}

        @Override
        public void end() {}

        @Override
        public void breakOff(String why) {
            sink.breakOff(why);
        }

        @Override
        public void refuse(String why) {
            sink.refuse(why);
        }

        @Override
        public boolean writable() {
            return true;
        }

        @Override
        public void whenWritable(Runnable work) {
            work.run();
        }

        @Override
        public void whenGone(Runnable work) {
            sink.whenGone(work);
        }
    }
}
