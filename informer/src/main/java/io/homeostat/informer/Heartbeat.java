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
 *     └──────────────────────────────────────────────────┴───────────────── DISTRUSTED: something lets streams pass and not the
 *                                                                           heartbeat; its silence counts for nothing
 * </pre>
 *
 * <p>While the server is silent for {@value #PATIENCE_SECONDS} s and longer, open streams are told so: they may be dead, too. Whoever
 * waits for the server is let go by its answer, after a silence not all at once. Should the silence last, now and then one of them is
 * let go in place of a probe, since the question itself may be what is not let through.
 *
 * <p><b>Order.</b> Who waits longest is let go first. <b>Threads.</b> Any; its own state is confined to a lane of its own, and streams
 * are called on theirs. <b>Memory.</b> An entry an open stream or wait, and one request. <b>Failure.</b> None: no answer is an answer.
 */
final class Heartbeat {
    /*
     * Invariants
     * - At most one question is under way; while there is none and somebody listens, a timer is set for the next.
     * - With neither streams nor waits there is no question and no timer.
     * - Only a first silence may turn into distrust, and only an answer to a question ends that.
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
        final Consumer<Duration> next;
        boolean over; // confined to that lane

        Waiting(Lane lane, Consumer<Duration> next) {
            this.lane = lane;
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

    Heartbeat(EngineRuntime runtime, ApiClient client) {
        this.runtime = runtime;
        this.client = client;
        this.lane = runtime.lane("heartbeat");
        this.random = runtime.random("heartbeat");
        this.askedAt = runtime.nanos() - GAP.toNanos();
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
     * @param next called once on {@code waitersLane}, with the time to let pass before the server is asked for more; not after the
     *     registration was closed on that lane
     */
    Registration await(Lane waitersLane, Consumer<Duration> next) {
        Waiting one = new Waiting(waitersLane, next);
        lane.execute(() -> {
            if (state == State.DISTRUSTED) {
                one.go(Duration.ZERO);
                return;
            }
            waiting.add(one);
            wake();
            if (state == State.ANSWERING) {
                due = Math.min(due, Math.max(runtime.nanos(), askedAt + GAP.toNanos()));
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
     * @param since when that was asked for: what was asked before the silence says nothing of it, however late it is heard
     */
    void heard(long since) {
        if (state == State.SILENT) {
            lane.execute(() -> {
                if (state == State.SILENT && since - silentSince > 0) {
                    state = State.DISTRUSTED;
                    unanswered = 0;
                    due = runtime.nanos(); // most often the server is back, and says so itself
                    letGo(true);
                    plan();
                }
            });
        }
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
            state = State.ANSWERING;
            unanswered = 0;
        }
        if (state == State.ANSWERING) {
            due = now + INTERVAL.toNanos();
        }
    }

    private void plan() {
        CompletableFuture<byte[]> present = question;
        if (streams.isEmpty() && waiting.isEmpty()) {
            awake = false;
            question = null;
            stopTimer();
            if (present != null) {
                present.cancel(false);
            }
            return;
        }
        wake();
        if (present == null) {
            stopTimer();
            timer = runtime.after(Duration.ofNanos(Math.max(0, due - runtime.nanos())), lane, this::turn);
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
        if (lasting && !waiting.isEmpty() && ++turns % TURNS == 0) {
            Waiting first = waiting.iterator().next();
            waiting.remove(first);
            first.go(Duration.ZERO);
            due = now + pace(unanswered, now - silentSince, random).toNanos();
            plan();
        } else {
            ask(now);
        }
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
            state = State.ANSWERING;
            unanswered = 0;
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
        if (state == State.DISTRUSTED) {
            due = now + DISTRUSTED_INTERVAL.toNanos();
            return;
        }
        if (state == State.ANSWERING) {
            state = State.SILENT;
            silentSince = askedAt;
            turns = 0;
        }
        long silence = now - silentSince;
        if (silence >= PATIENCE.toNanos()) {
            streams.forEach(stream -> stream.lane.execute(stream.silence));
        }
        due = now + pace(unanswered, silence, random).toNanos();
    }

    private void letGo(boolean spread) {
        List<Waiting> all = new ArrayList<>(waiting);
        waiting.clear();
        long span = spread ? Math.min(SPREAD.toNanos(), all.size() * SHARE.toNanos()) : 0;
        all.forEach(one -> one.go(Duration.ofNanos((long) (random.nextDouble() * span))));
    }
}
