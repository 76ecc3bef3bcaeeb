package io.homeostat.testkit;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.homeostat.testkit.FaultRule.Phase;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A {@link FaultPlan} under way: what each rule has counted so far, and what has been done.
 *
 * <p><b>Threads.</b> Any. <b>Memory.</b> The log keeps its newest {@value #LOG_LINES} lines.
 */
final class FaultScript {
    /*
     * Invariants
     * - seen[i] is how many exchanges (or connections) rule i has fitted; it only grows within one plan.
     * - What is drawn for rule i at its n-th fit is a function of (seed, i, n, frame) alone.
     */
    private static final Logger LOG = LoggerFactory.getLogger(FaultScript.class);
    private static final int LOG_LINES = 10_000;

    /** A rule that acts on one exchange: the n-th of those it fits. */
    record Active(FaultRule rule, int index, int number) {}

    private final ReentrantLock lock = new ReentrantLock();

    @GuardedBy("lock")
    private FaultPlan plan;

    @GuardedBy("lock")
    private int[] seen;

    @GuardedBy("lock")
    private final List<String> log = new ArrayList<>();

    @GuardedBy("lock")
    private int exchanges;

    @GuardedBy("lock")
    private int faults;

    @GuardedBy("lock")
    private final Map<String, Integer> requests = new HashMap<>(); // by verb and resource

    FaultScript(FaultPlan plan) {
        this.plan = plan;
        this.seen = new int[plan.rules().size()];
        log.add("plan: " + plan);
    }

    FaultPlan plan() {
        lock.lock();
        try {
            return plan;
        } finally {
            lock.unlock();
        }
    }

    /** From now on, for what begins from now on. */
    void follow(FaultPlan next) {
        lock.lock();
        try {
            plan = next;
            seen = new int[next.rules().size()];
        } finally {
            lock.unlock();
        }
        say("plan: " + next);
    }

    List<String> log() {
        lock.lock();
        try {
            return List.copyOf(log);
        } finally {
            lock.unlock();
        }
    }

    /** How often a rule has acted. */
    int faults() {
        lock.lock();
        try {
            return faults;
        } finally {
            lock.unlock();
        }
    }

    /** How many requests have come, by verb and resource. */
    int requests(String verb, String resource) {
        lock.lock();
        try {
            return requests.getOrDefault(verb + " " + resource, 0);
        } finally {
            lock.unlock();
        }
    }

    void say(String line) {
        LOG.debug("{}", line);
        lock.lock();
        try {
            if (log.size() == LOG_LINES) {
                log.remove(0);
            }
            log.add(line);
        } finally {
            lock.unlock();
        }
    }

    void acted(String who, String where, FaultAction action) {
        lock.lock();
        try {
            faults++;
        } finally {
            lock.unlock();
        }
        say(who + ": " + where + ": " + action);
    }

    /** A new connection: what happens to it before its first byte. */
    List<FaultStep> connection(String who) {
        List<FaultStep> steps = new ArrayList<>();
        for (Active active : active(new FaultedRequest("", "", ""), true)) {
            FaultAction action = active.rule.action();
            acted(who, "connect", action);
            if (action instanceof FaultAction.Delay delay) {
                steps.add(new FaultStep.Pause(delay.time()));
            } else if (action instanceof FaultAction.End end) {
                steps.add(new FaultStep.Over(end));
                break;
            }
        }
        return steps;
    }

    /** A request that has come. */
    FaultCourse exchange(String who, String method, String target, FaultCourse.Accepts accepts) {
        FaultedRequest request = FaultedRequest.of(method, target);
        FaultPlan now;
        String name;
        List<Active> active;
        lock.lock();
        try {
            now = plan;
            name = "exchange " + ++exchanges + (who.isEmpty() ? "" : " (" + who + ")") + " " + request.verb() + " "
                    + request.resource();
            requests.merge(request.verb() + " " + request.resource(), 1, Integer::sum);
            active = active(request, false);
        } finally {
            lock.unlock();
        }
        boolean compressed = now.encoding() == FaultPlan.Encoding.GZIP && accepts == FaultCourse.Accepts.GZIP;
        return new FaultCourse(
                this,
                name,
                request,
                active,
                now.seed(),
                compressed ? FaultCourse.Accepts.GZIP : FaultCourse.Accepts.PLAIN);
    }

    private List<Active> active(FaultedRequest request, boolean connecting) {
        List<Active> active = new ArrayList<>();
        lock.lock();
        try {
            for (int i = 0; i < seen.length; i++) {
                FaultRule rule = plan.rules().get(i);
                if ((rule.point().phase() == Phase.CONNECT) != connecting
                        || !rule.match().fits(request)) {
                    continue;
                }
                int number = ++seen[i];
                boolean framed = rule.point().phase() == Phase.FRAME; // whose rate is drawn frame by frame
                Active one = new Active(rule, i, number);
                if (rule.turn().holds(number) && (framed || drawn(plan.seed(), one, 0))) {
                    active.add(one);
                }
            }
        } finally {
            lock.unlock();
        }
        return active;
    }

    /** Whether the rate of a rule says yes this time. */
    static boolean drawn(long seed, Active active, int frame) {
        double rate = active.rule.turn().rate();
        return rate == 1 || random(seed, active, frame).nextDouble() < rate;
    }

    static SplittableRandom random(long seed, Active active, int frame) {
        SplittableRandom random = new SplittableRandom(seed);
        for (int part : new int[] {active.index, active.number, frame}) {
            random = new SplittableRandom(random.nextLong() ^ (part * 0x9E3779B97F4A7C15L));
        }
        return random;
    }
}
