package io.homeostat.informer;

import io.homeostat.client.ApiException;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.RawObject;
import io.homeostat.client.Reads;
import io.homeostat.client.ResourceType;
import io.homeostat.core.Backoff;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Lane;
import io.homeostat.core.Registration;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Optional;
import java.util.concurrent.CompletionException;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * Asks the server, one object at a time, for what a list left open (D32): keys that are absent from a list with unreadable items,
 * and objects whose newest version could not be read.
 *
 * <p><b>Order.</b> First doubted, first asked; an object that still cannot be read goes to the end. <b>Threads.</b> Confined to the
 * informer's lane. <b>Memory.</b> The doubts. <b>Failure.</b> An answer that decides nothing is asked for again, for ever, with backoff;
 * a server that is away is not asked before it answers the {@link Heartbeat} (D38).
 */
final class Doubts {
    /**
     * One open question: is it there, and what is it?
     *
     * @param known what the store had when it was put
     * @param number tells it from an earlier question about the same key
     */
    record Doubt(ObjectKey key, @Nullable RawObject known, long number) {}

    /** What an answer leads to. Called on the lane. */
    interface Verdict {
        /** The object, as it is now. */
        void found(RawObject object);

        /** There is no such object. */
        void gone(Doubt doubt);

        /** It is there and cannot be read. */
        void unreadable(ObjectKey key, String problem);

        /** The server will not say. It is asked again all the same. */
        void refused(ObjectKey key);
    }

    private static final Backoff PACE = new Backoff(Duration.ofSeconds(1), 2, Duration.ofMinutes(5), 0.5);

    private final EngineRuntime runtime;
    private final Reads client;
    private final Heartbeat heartbeat;
    private final ResourceType<?> type;
    private final Lane lane;
    private final Verdict verdict;
    private final RandomGenerator random;
    private final boolean asksNobody; // a planted defect; false outside a simulation that looks for it

    // All below: confined to the lane.
    private final ArrayDeque<Doubt> open = new ArrayDeque<>();
    private @Nullable Object asking;
    private @Nullable Registration timer;
    private int failures;
    /** Whether the server has said when to ask again (Retry-After): not before {@link #notBefore}, whatever is asked. */
    private boolean holdsBack;

    private long notBefore;
    private long questions;
    private boolean early; // the last answer was, see again

    Doubts(EngineRuntime runtime, Reads client, Heartbeat heartbeat, ResourceType<?> type, Lane lane, Verdict verdict) {
        this.runtime = runtime;
        this.client = client;
        this.heartbeat = heartbeat;
        this.type = type;
        this.lane = lane;
        this.verdict = verdict;
        this.random = runtime.random("doubts " + lane.name());
        this.asksNobody = runtime.planted("informer.doubts-never-asked");
    }

    /** Forgets what was open: a newer list decides anew. An answer that is under way is dropped. */
    void clear() {
        open.clear();
        asking = null;
        failures = 0;
        if (timer != null) {
            timer.close();
            timer = null;
        }
    }

    /** Whether there is no open question. */
    boolean isEmpty() {
        return open.isEmpty();
    }

    /** Puts a question; an answer that is under way to an earlier one about that key no longer counts. */
    void add(ObjectKey key, @Nullable RawObject known) {
        settle(key);
        open.addLast(new Doubt(key, known, ++questions));
        if (asking == null && timer == null) {
            Duration forbidden = Duration.ofNanos(notBefore - runtime.nanos());
            if (holdsBack && !forbidden.isNegative() && !forbidden.isZero()) {
                pause(forbidden);
            } else {
                ask();
            }
        }
    }

    /** The answer came before it could be told what it means: the same question again, in a while. */
    void again(ObjectKey key, @Nullable RawObject known) {
        settle(key);
        open.addLast(new Doubt(key, known, ++questions));
        early = true;
    }

    /** A version of that object arrived: it is no question any more. */
    void settle(ObjectKey key) {
        open.removeIf(other -> other.key().equals(key));
    }

    private void ask() {
        timer = null;
        Doubt doubt = open.peekFirst();
        if (doubt == null || asksNobody) {
            return;
        }
        Object question = new Object();
        asking = question;
        client.get(type, doubt.key())
                .whenComplete((object, problem) -> lane.execute(() -> {
                    Throwable cause = cause(problem);
                    holdBack(cause); // whether or not the answer still counts
                    if (asking == question) {
                        asking = null;
                        decide(doubt, Optional.ofNullable(object), cause);
                    }
                }));
    }

    private static @Nullable Throwable cause(@Nullable Throwable problem) {
        return problem instanceof CompletionException wrapped && wrapped.getCause() != null
                ? wrapped.getCause()
                : problem;
    }

    private void holdBack(@Nullable Throwable cause) {
        Duration asked = Reflector.asked(cause);
        if (!asked.isZero()) {
            holdsBack = true;
            notBefore = runtime.nanos() + asked.toNanos();
        }
    }

    private void decide(Doubt doubt, Optional<RawObject> object, @Nullable Throwable cause) {
        boolean counts = open.remove(doubt);
        if (object.isPresent()) {
            if (counts) {
                verdict.found(object.get());
            }
        } else if (cause instanceof ApiException.NotFound missing
                && missing.misses(doubt.key().name())) {
            if (counts) {
                verdict.gone(doubt);
            }
        } else {
            failures++;
            if (counts) {
                open.addLast(doubt);
                if (cause instanceof ApiException.Malformed malformed) {
                    verdict.unreadable(doubt.key(), malformed.answer().message());
                } else if (cause instanceof ApiException.Forbidden || cause instanceof ApiException.BadRequest) {
                    verdict.refused(doubt.key());
                }
            }
            Duration pace = PACE.delay(failures, random);
            Duration asked = Reflector.asked(cause);
            if (cause instanceof ApiException.Unreachable) {
                timer = heartbeat.await(lane, pace, this::pause);
            } else {
                pause(asked.compareTo(pace) > 0 ? asked : pace);
            }
            return;
        }
        if (early) {
            early = false;
            pause(PACE.delay(++failures, random));
            return;
        }
        failures = 0;
        ask();
    }

    private void pause(Duration wait) {
        timer = runtime.after(wait, lane, this::ask);
    }
}
