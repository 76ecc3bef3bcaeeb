package io.homeostat.informer;

import io.homeostat.client.ApiClient;
import io.homeostat.client.ApiException;
import io.homeostat.core.Backoff;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Lane;
import io.homeostat.core.Registration;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Consumer;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * Whether a server answers at all: one small question ({@code GET /livez}, which every authenticated user may ask) for all streams of
 * its informers. Any HTTP answer counts, a 403 or 500 too: what is asked is whether the path is alive (D9b, D38).
 *
 * <pre>
 *             a stream opens, or somebody waits                  no answer
 *   ASLEEP ◄──────────────────────────────────► ANSWERING ◄─────────────────► SILENT ──┐ probes: 0.1 s × 2ⁿ, at most every 2 s,
 *     ▲       nobody is left                      every 10 s,   any answer      │  ▲   │ after the first minute every 10 s
 *     │                                           or when one                   │  └───┘
 *     │                                           waits  ▲                      │ a stream was answered
 *     │                                     any answer   │                      ▼
 *     └──────────────────────────────────────────────────┴───────────────── DISTRUSTED ──► SILENT, when a question has no answer
 *                                                                                and no stream was answered since it was asked
 * </pre>
 *
 * <p>DISTRUSTED: something seems to let streams pass and not the heartbeat. Whoever waits tries itself, one at a time until it is
 * answered. Once a second one was, where the heartbeat was not again, its silence is no more said to open streams until it is answered.
 *
 * <p>While the server is silent for {@value #PATIENCE_SECONDS} s and longer, open streams are told so: they may be dead, too. Whoever
 * waits for the server is let go by its answer: after a silence at once, spread a little; where there was none, the trouble is the
 * waiter's own, and it waits for as long as it wanted to. Should the silence last, now and then one of them is let go in place of a
 * probe, since the question itself may be what is not let through.
 *
 * <p><b>Order.</b> Who waits longest is let go first. <b>Threads.</b> Any; its own state is confined to a lane of its own, and streams
 * are called on theirs. <b>Memory.</b> An entry an open stream or wait, and one request. <b>Failure.</b> None: no answer is an answer.
 */
final class Heartbeat {
    /*
     * Invariants
     * - At most one question is under way; while there is none and somebody listens, a timer is set for the next.
     * - With neither streams nor waits there is no question and no timer.
     * - Distrust is confirmed when a stream is answered that asked after a question which has no answer, while distrusted; only an answer
     *   to a question ends that.
     */

    static final Duration INTERVAL = Duration.ofSeconds(10);
    private static final int PATIENCE_SECONDS = 5;
    /** How long an answer is waited for, and how long a silence makes streams doubtful. */
    static final Duration PATIENCE = Duration.ofSeconds(PATIENCE_SECONDS);

    private static final Backoff PROBING = new Backoff(Duration.ofMillis(100), 2, Duration.ofMillis(1300), 0.5);
    private static final Backoff PROBING_LONG = new Backoff(Duration.ofMillis(6600), 1, Duration.ofMillis(6600), 0.5);
    private static final Duration FIRST_MINUTE = Duration.ofMinutes(1);
    /** What was true this long before it fell asleep need not be true any more; a short sleep is a stream between two attempts. */
    private static final Duration FORGETS = Duration.ofMinutes(2);

    /** Questions asked because somebody waits are no closer than this. */
    private static final Duration GAP = Duration.ofMillis(100);
    /** After a silence this long … */
    private static final Duration ESCAPE = Duration.ofSeconds(10);
    /** … every so many turns one that waits is let go to try itself. */
    private static final int TURNS = 3;
    /** While distrusted: it is rarely the path, and each unanswered question costs the client's kept connections. */
    private static final Duration DISTRUSTED_INTERVAL = Duration.ofMinutes(1);
    /** What opens after a silence is spread over so much for each, and over no more than this in all. */
    private static final Duration SHARE = Duration.ofMillis(10);

    private static final Duration SPREAD = Duration.ofSeconds(1);

    private enum State {
        ANSWERING,
        SILENT,
        DISTRUSTED
    }

    /** An open stream; told on its lane. */
    private static final class Stream {
        final Lane lane;
        final Runnable silence;

        Stream(Lane lane, Runnable silence) {
            this.lane = lane;
            this.silence = silence;
        }
    }

    /** Somebody who waits; let go on its lane. */
    private static final class Waiting {
        final Lane lane;
        final long earliest;
        final Consumer<Duration> next;
        boolean over; // confined to that lane

        Waiting(Lane lane, long earliest, Consumer<Duration> next) {
            this.lane = lane;
            this.earliest = earliest;
            this.next = next;
        }

        void go(Duration after) {
            lane.execute(() -> {
                if (!over) {
                    over = true;
                    next.accept(after);
                }
            });
        }
    }

    private final EngineRuntime runtime;
    private final ApiClient client;
    private final Lane lane;
    private final RandomGenerator random;
    private volatile State state = State.ANSWERING; // volatile: written on the lane, read by heard()
    private volatile long silentAt; // as state, read by silentAfter(); when the server was last known to be silent

    // All below: confined to the lane.
    private final Set<Stream> streams = new LinkedHashSet<>();
    private final Set<Waiting> waiting = new LinkedHashSet<>();
    private @Nullable CompletableFuture<byte[]> question;
    private @Nullable Registration timer; // of the next question, or of the answer to the present one
    private boolean awake;
    private long askedAt;
    private long due;
    private long silentSince;
    private int unanswered;
    private int turns;
    /** When the latest request of a stream was asked that was answered where the heartbeat was not. */
    private long heardOf;
    /** While distrusted: when the last one that waited was let go to try itself. */
    private long triedAt;

    private boolean confirmed;

    Heartbeat(EngineRuntime runtime, ApiClient client) {
        this.runtime = runtime;
        this.client = client;
        this.lane = runtime.lane("heartbeat");
        this.random = runtime.random("heartbeat");
        this.askedAt = runtime.nanos() - GAP.toNanos();
        this.silentAt = askedAt;
    }

    /** The wait before the {@code n}-th next attempt at a server that has not answered for {@code silence} (D38). */
    static Duration pace(int n, long silence, RandomGenerator random) {
        return silence < FIRST_MINUTE.toNanos() ? PROBING.delay(n, random) : PROBING_LONG.delay(1, random);
    }

    /**
     * A stream is open, until this registration is closed.
     *
     * @param silence told on {@code streamLane}, again and again, while the server gives no answer
     */
    Registration watch(Lane streamLane, Runnable silence) {
        Stream stream = new Stream(streamLane, silence);
        lane.execute(() -> {
            streams.add(stream);
            plan();
        });
        return () -> lane.execute(() -> {
            streams.remove(stream);
            plan();
        });
    }

    /**
     * Waits until the server has answered somebody.
     *
     * @param pause how long to wait at least, unless the server is answering after a silence
     * @param next called once on {@code waitersLane}, with the time to let pass before the server is asked for more; not after the
     *     registration was closed on that lane
     */
    Registration await(Lane waitersLane, Duration pause, Consumer<Duration> next) {
        Waiting one = new Waiting(waitersLane, runtime.nanos() + pause.toNanos(), next);
        lane.execute(() -> {
            waiting.add(one);
            wake();
            if (state == State.DISTRUSTED && heardOf - triedAt >= 0) {
                tries(one); // who tried last was answered
            } else if (state != State.SILENT) {
                due = Math.min(due, soonest(one));
            }
            plan();
        });
        return () -> {
            one.over = true;
            lane.execute(() -> {
                waiting.remove(one);
                plan();
            });
        };
    }

    /**
     * The server has answered a stream. Any thread.
     *
     * @param since when that was asked for: what was asked before a silence says nothing of it, however late it is heard
     */
    void heard(long since) {
        if (state != State.ANSWERING) {
            lane.execute(() -> {
                if (state == State.SILENT && since - silentSince > 0) {
                    state = State.DISTRUSTED;
                    unanswered = 0;
                    heardOf = since;
                    triedAt = since;
                    giveUpQuestion(); // it is of the silence, and may hang
                    due = runtime.nanos(); // most often the server is back, and says so itself
                    letGo(true);
                    plan();
                } else if (state == State.DISTRUSTED && since - heardOf > 0) {
                    heardOf = since;
                    letGo(true);
                    plan();
                }
            });
        }
    }

    /** Whether the server was known to be silent at any moment after {@code then}. Any thread. */
    boolean silentAfter(long then) {
        return silentAt - then > 0;
    }

    /** Ends it: nothing is asked and nobody called any more. Any thread. */
    void close() {
        lane.execute(() -> {
            streams.clear();
            waiting.clear();
            plan();
            lane.close();
        });
    }

    private void wake() {
        if (awake) {
            return;
        }
        awake = true;
        long now = runtime.nanos();
        if (now - askedAt > FORGETS.toNanos()) {
            answering();
        }
        if (state == State.ANSWERING) {
            due = now + INTERVAL.toNanos();
        }
    }

    private void answering() {
        state = State.ANSWERING;
        unanswered = 0;
        confirmed = false;
    }

    private void plan() {
        if (streams.isEmpty() && waiting.isEmpty()) {
            awake = false;
            stopTimer();
            giveUpQuestion();
            return;
        }
        wake();
        if (question == null) {
            stopTimer();
            timer = runtime.after(Duration.ofNanos(Math.max(0, due - runtime.nanos())), lane, this::turn);
        }
    }

    private void giveUpQuestion() {
        CompletableFuture<byte[]> present = question;
        if (present != null) {
            question = null;
            stopTimer();
            present.cancel(false);
        }
    }

    private void stopTimer() {
        if (timer != null) {
            timer.close();
            timer = null;
        }
    }

    private void turn() {
        long now = runtime.nanos();
        boolean lasting = state == State.SILENT && now - silentSince >= ESCAPE.toNanos();
        Waiting ready = lasting ? ready(now) : null;
        if (ready != null && ++turns % TURNS == 0) {
            tries(ready);
            due = now + pace(unanswered, now - silentSince, random).toNanos();
            plan();
        } else {
            ask(now);
        }
    }

    /** Who waits longest of those that have waited for as long as they wanted to. */
    private @Nullable Waiting ready(long now) {
        for (Waiting one : waiting) {
            if (one.earliest - now <= 0) {
                return one;
            }
        }
        return null;
    }

    private void tries(Waiting one) {
        triedAt = runtime.nanos();
        waiting.remove(one);
        one.go(left(one));
    }

    private Duration left(Waiting one) {
        return Duration.ofNanos(Math.max(0, one.earliest - runtime.nanos()));
    }

    /** When the server may be asked for its sake. */
    private long soonest(Waiting one) {
        return Math.max(one.earliest, askedAt + GAP.toNanos());
    }

    private void ask(long now) {
        CompletableFuture<byte[]> asked = client.raw("/livez").toCompletableFuture();
        question = asked;
        askedAt = now;
        timer = runtime.after(PATIENCE, lane, () -> {
            settle(asked, false);
            asked.cancel(false); // which makes the client take another connection for the next
        });
        asked.whenComplete((body, failure) -> lane.execute(() -> settle(asked, answered(failure))));
    }

    private static boolean answered(@Nullable Throwable failure) {
        Throwable cause = failure instanceof CompletionException wrapped && wrapped.getCause() != null
                ? wrapped.getCause()
                : failure;
        return cause == null || (cause instanceof ApiException && !(cause instanceof ApiException.Unreachable));
    }

    private void settle(CompletableFuture<byte[]> asked, boolean answered) {
        if (question != asked) {
            return;
        }
        question = null;
        if (answered) {
            boolean again = state != State.ANSWERING;
            answering();
            due = askedAt + INTERVAL.toNanos();
            letGo(again);
        } else {
            unanswered();
        }
        plan();
    }

    private void unanswered() {
        long now = runtime.nanos();
        unanswered++;
        boolean others = state == State.DISTRUSTED && heardOf - askedAt >= 0;
        confirmed |= others;
        if (others || (confirmed && waiting.isEmpty())) {
            state = State.DISTRUSTED;
            due = now + DISTRUSTED_INTERVAL.toNanos();
            return;
        }
        if (state != State.SILENT) {
            state = State.SILENT;
            silentSince = askedAt;
            turns = 0;
        }
        long silence = now - silentSince;
        if (!confirmed) {
            silentAt = now;
            if (silence >= PATIENCE.toNanos()) {
                streams.forEach(stream -> stream.lane.execute(stream.silence));
            }
        }
        due = now + pace(unanswered, silence, random).toNanos();
    }

    /** After a silence everybody, spread a little; else those that have waited for as long as they wanted to. */
    private void letGo(boolean spread) {
        List<Waiting> all = new ArrayList<>(waiting);
        waiting.clear();
        long span = spread ? Math.min(SPREAD.toNanos(), all.size() * SHARE.toNanos()) : 0;
        long now = runtime.nanos();
        for (Waiting one : all) {
            if (spread) {
                one.go(Duration.ofNanos((long) (random.nextDouble() * span)));
            } else if (one.earliest - now <= 0) {
                one.go(Duration.ZERO);
            } else {
                waiting.add(one);
                due = Math.min(due, soonest(one));
            }
        }
    }
}
