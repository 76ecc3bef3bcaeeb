package io.homeostat.virtualruntime;

import io.homeostat.core.Experimental;
import java.time.Duration;
import java.util.EnumMap;
import java.util.random.RandomGenerator;

/**
 * What a {@link VirtualNetwork} does to what passes through it. Immutable; every method gives a changed copy. Rates are probabilities
 * from 0 to 1.
 */
@Experimental
public final class Faults {
    private static final Faults NONE =
            new Faults(Duration.ofNanos(200_000), Duration.ofMillis(2), new EnumMap<>(Fault.class));

    /** What can happen, and the highest rate that a seed gives it; in the order in which seeds draw them. */
    private enum Fault {
        REFUSED("refused", 0.2),
        LOST_REQUESTS("lost requests", 0.1),
        LOST_ANSWERS("lost answers", 0.15),
        TRUNCATED("truncated", 0.05),
        STALLED("stalled", 0.02),
        RESET_STREAMS("reset streams", 0.5),
        SILENT_DEATHS("silent deaths", 0.5),
        SPLIT("split", 1),
        GZIPPED("gzipped", 1);

        private final String words;
        private final double most;

        Fault(String words, double most) {
            this.words = words;
            this.most = most;
        }
    }

    private final Duration shortest;
    private final Duration longest;
    private final EnumMap<Fault, Double> rates; // never changed; a fault that is not in it has the rate 0

    private Faults(Duration shortest, Duration longest, EnumMap<Fault, Double> rates) {
        this.shortest = shortest;
        this.longest = longest;
        this.rates = rates;
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
        Duration longest = Duration.ofMillis(1 + random.nextInt(random.nextBoolean() ? 200 : 5));
        EnumMap<Fault, Double> rates = new EnumMap<>(Fault.class);
        for (Fault fault : Fault.values()) {
            rates.put(fault, rate(random, fault.most));
        }
        return new Faults(NONE.shortest, longest, rates);
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
        return new Faults(shortest, longest, rates);
    }

    /** This share of exchanges is refused before anything is sent. */
    public Faults refusing(double rate) {
        return with(Fault.REFUSED, rate);
    }

    /** This share of requests breaks off before the server has seen it; the client cannot know. */
    public Faults losingRequests(double rate) {
        return with(Fault.LOST_REQUESTS, rate);
    }

    /** This share of answers breaks off before its head, after the server has acted on the request. */
    public Faults losingAnswers(double rate) {
        return with(Fault.LOST_ANSWERS, rate);
    }

    /** In this share of chunks the answer breaks off, after any number of its bytes. */
    public Faults truncating(double rate) {
        return with(Fault.TRUNCATED, rate);
    }

    /** From this share of chunks on, after any number of its bytes, nothing comes any more: a half-open connection. */
    public Faults stalling(double rate) {
        return with(Fault.STALLED, rate);
    }

    /** This share of streams is reset at some moment of its first minute. */
    public Faults resettingStreams(double rate) {
        return with(Fault.RESET_STREAMS, rate);
    }

    /** When a process crashes, its peers hear nothing of it in this share of exchanges, as when its machine dies. */
    public Faults silentDeaths(double rate) {
        return with(Fault.SILENT_DEATHS, rate);
    }

    /** This share of chunks is cut into pieces, at any byte. */
    public Faults splitting(double rate) {
        return with(Fault.SPLIT, rate);
    }

    /** This share of the answers to calls that accept gzip is compressed, each chunk in one to three gzip members. */
    public Faults gzipping(double rate) {
        return with(Fault.GZIPPED, rate);
    }

    private Faults with(Fault fault, double rate) {
        if (!(rate >= 0 && rate <= 1)) {
            throw new IllegalArgumentException("rate " + rate + " of " + fault.words + ": must be from 0 to 1");
        }
        EnumMap<Fault, Double> changed = new EnumMap<>(rates);
        changed.put(fault, rate);
        return new Faults(shortest, longest, changed);
    }

    /** These faults with the latency of {@code other}. */
    Faults withLatencyOf(Faults other) {
        return latency(other.shortest, other.longest);
    }

    private double rate(Fault fault) {
        return rates.getOrDefault(fault, 0.0);
    }

    long shortestNanos() {
        return shortest.toNanos();
    }

    long longestNanos() {
        return longest.toNanos();
    }

    double refused() {
        return rate(Fault.REFUSED);
    }

    double lostRequests() {
        return rate(Fault.LOST_REQUESTS);
    }

    double lostAnswers() {
        return rate(Fault.LOST_ANSWERS);
    }

    double truncated() {
        return rate(Fault.TRUNCATED);
    }

    double stalled() {
        return rate(Fault.STALLED);
    }

    double idleResets() {
        return rate(Fault.RESET_STREAMS);
    }

    double silentDeaths() {
        return rate(Fault.SILENT_DEATHS);
    }

    double split() {
        return rate(Fault.SPLIT);
    }

    double gzipped() {
        return rate(Fault.GZIPPED);
    }

    /** The rates, for the message of a failed test. */
    @Override
    public String toString() {
        StringBuilder text = new StringBuilder("Faults[latency " + shortest + ".." + longest);
        for (Fault fault : Fault.values()) {
            text.append(", ").append(fault.words).append(' ').append(rate(fault));
        }
        return text.append(']').toString();
    }
}
