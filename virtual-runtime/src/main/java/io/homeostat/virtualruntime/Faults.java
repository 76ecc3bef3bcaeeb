package io.homeostat.virtualruntime;

import io.homeostat.core.Experimental;
import java.time.Duration;
import java.util.random.RandomGenerator;

/**
 * What a {@link VirtualNetwork} does to what passes through it. Immutable; every method gives a changed copy. Rates are probabilities
 * from 0 to 1.
 */
@Experimental
public final class Faults {
    private static final Faults NONE = new Faults();

    private Duration shortest = Duration.ofNanos(200_000);
    private Duration longest = Duration.ofMillis(2);
    private double refused;
    private double lostRequests;
    private double lostAnswers;
    private double truncated;
    private double stalled;
    private double idleResets;
    private double silentDeaths;
    private double split;
    private double gzipped;

    private Faults() {}

    private Faults(Faults other) {
        this.shortest = other.shortest;
        this.longest = other.longest;
        this.refused = other.refused;
        this.lostRequests = other.lostRequests;
        this.lostAnswers = other.lostAnswers;
        this.truncated = other.truncated;
        this.stalled = other.stalled;
        this.idleResets = other.idleResets;
        this.silentDeaths = other.silentDeaths;
        this.split = other.split;
        this.gzipped = other.gzipped;
    }

    /** Nothing but a latency of 0.2 to 2 ms in each direction. */
    public static Faults none() {
        return NONE;
    }

    /**
     * A mix drawn from {@code random}: each fault is either absent or has a rate of its own, so that over many seeds each comes with
     * and without each other.
     */
    public static Faults seeded(RandomGenerator random) {
        Faults mix = new Faults();
        mix.longest = Duration.ofMillis(1 + random.nextInt(random.nextBoolean() ? 200 : 5));
        mix.refused = rate(random, 0.2);
        mix.lostRequests = rate(random, 0.1);
        mix.lostAnswers = rate(random, 0.15);
        mix.truncated = rate(random, 0.05);
        mix.stalled = rate(random, 0.02);
        mix.idleResets = rate(random, 0.5);
        mix.silentDeaths = rate(random, 0.5);
        mix.split = rate(random, 1);
        mix.gzipped = rate(random, 1);
        return mix;
    }

    private static double rate(RandomGenerator random, double most) {
        boolean present = random.nextBoolean();
        double rate = random.nextDouble() * most;
        return present ? rate : 0;
    }

    /** Each message takes a time between these two, in each direction; the order on one exchange is kept. */
    public Faults latency(Duration shortest, Duration longest) {
        if (shortest.isNegative() || longest.compareTo(shortest) < 0) {
            throw new IllegalArgumentException("latency from " + shortest + " to " + longest
                    + ": the shortest must not be negative, nor above the longest");
        }
        Faults copy = new Faults(this);
        copy.shortest = shortest;
        copy.longest = longest;
        return copy;
    }

    /** This share of exchanges is refused before anything is sent. */
    public Faults refusing(double rate) {
        Faults copy = new Faults(this);
        copy.refused = checked("refused", rate);
        return copy;
    }

    /** This share of requests breaks off before the server has seen it; the client cannot know. */
    public Faults losingRequests(double rate) {
        Faults copy = new Faults(this);
        copy.lostRequests = checked("lost requests", rate);
        return copy;
    }

    /** This share of answers breaks off before its head, after the server has acted on the request. */
    public Faults losingAnswers(double rate) {
        Faults copy = new Faults(this);
        copy.lostAnswers = checked("lost answers", rate);
        return copy;
    }

    /** In this share of chunks the answer breaks off, after any number of its bytes. */
    public Faults truncating(double rate) {
        Faults copy = new Faults(this);
        copy.truncated = checked("truncated", rate);
        return copy;
    }

    /** From this share of chunks on, after any number of its bytes, nothing comes any more: a half-open connection. */
    public Faults stalling(double rate) {
        Faults copy = new Faults(this);
        copy.stalled = checked("stalled", rate);
        return copy;
    }

    /** This share of streams is reset at some moment of its first minute. */
    public Faults resettingStreams(double rate) {
        Faults copy = new Faults(this);
        copy.idleResets = checked("reset streams", rate);
        return copy;
    }

    /** When a process crashes, its peers hear nothing of it in this share of exchanges, as when its machine dies. */
    public Faults silentDeaths(double rate) {
        Faults copy = new Faults(this);
        copy.silentDeaths = checked("silent deaths", rate);
        return copy;
    }

    /** This share of chunks is cut into pieces, at any byte. */
    public Faults splitting(double rate) {
        Faults copy = new Faults(this);
        copy.split = checked("split", rate);
        return copy;
    }

    /** This share of the answers to calls that accept gzip is compressed, each chunk in one to three gzip members. */
    public Faults gzipping(double rate) {
        Faults copy = new Faults(this);
        copy.gzipped = checked("gzipped", rate);
        return copy;
    }

    private static double checked(String what, double rate) {
        if (!(rate >= 0 && rate <= 1)) {
            throw new IllegalArgumentException("rate " + rate + " of " + what + ": must be from 0 to 1");
        }
        return rate;
    }

    /** These faults with the latency of {@code other}. */
    Faults withLatencyOf(Faults other) {
        return latency(other.shortest, other.longest);
    }

    long shortestNanos() {
        return shortest.toNanos();
    }

    long longestNanos() {
        return longest.toNanos();
    }

    double refused() {
        return refused;
    }

    double lostRequests() {
        return lostRequests;
    }

    double lostAnswers() {
        return lostAnswers;
    }

    double truncated() {
        return truncated;
    }

    double stalled() {
        return stalled;
    }

    double idleResets() {
        return idleResets;
    }

    double silentDeaths() {
        return silentDeaths;
    }

    double split() {
        return split;
    }

    double gzipped() {
        return gzipped;
    }

    /** The rates, for the message of a failed test. */
    @Override
    public String toString() {
        return "Faults[latency " + shortest + ".." + longest + ", refused " + refused + ", lost requests "
                + lostRequests
                + ", lost answers " + lostAnswers + ", truncated " + truncated + ", stalled " + stalled
                + ", reset streams " + idleResets + ", silent deaths " + silentDeaths + ", split " + split
                + ", gzipped "
                + gzipped + "]";
    }
}
