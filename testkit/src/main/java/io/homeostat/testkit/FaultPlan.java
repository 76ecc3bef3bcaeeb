package io.homeostat.testkit;

import io.homeostat.core.Experimental;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/**
 * A seed and the rules that draw from it: everything a {@link FaultProxy} or a {@link FaultTransport} does to what passes, in one
 * line of text that {@link #parse} reads back. Immutable.
 *
 * <p>Rules are looked at in their order; each counts the exchanges it fits for itself. What a rule draws depends on the seed, the rule's
 * place and that count only, so that the same requests in the same order meet the same faults.
 */
@Experimental
public final class FaultPlan {
    /** Whether answers are compressed for who asks for it. */
    enum Encoding {
        PLAIN,
        GZIP
    }

    private final long seed;
    private final Encoding encoding;
    private final List<FaultRule> rules;

    private FaultPlan(long seed, Encoding encoding, List<FaultRule> rules) {
        this.seed = seed;
        this.encoding = encoding;
        this.rules = rules;
    }

    /** A plan without rules: everything passes. */
    public static FaultPlan none() {
        return seed(0);
    }

    /** A plan without rules yet, with the seed they will draw from. */
    public static FaultPlan seed(long seed) {
        return new FaultPlan(seed, Encoding.PLAIN, List.of());
    }

    /**
     * Reads the line that {@link #toString} gives: {@code seed=42 gzip; watch configmaps #2 frame 3: drop; create * answer: reset}.
     *
     * @throws IllegalArgumentException when it is none; the message says where and what is expected there
     */
    public static FaultPlan parse(String line) {
        return FaultText.plan(line);
    }

    /** This plan with one more rule. */
    public FaultPlan with(FaultRule rule) {
        List<FaultRule> more = new ArrayList<>(rules);
        more.add(rule);
        return new FaultPlan(seed, encoding, List.copyOf(more));
    }

    /**
     * This plan with answers compressed for clients that accept it, every piece as a gzip member of its own, as a kube-apiserver does
     * with a watch. Otherwise answers are plain, whatever the client accepts: the server is never asked to compress.
     */
    public FaultPlan gzip() {
        return new FaultPlan(seed, Encoding.GZIP, rules);
    }

    /** The rules, in order; immutable. */
    public List<FaultRule> rules() {
        return rules;
    }

    /** What rules draw from. */
    public long seed() {
        return seed;
    }

    Encoding encoding() {
        return encoding;
    }

    /** The plan's line. */
    @Override
    public String toString() {
        return rules.stream()
                .map(FaultRule::toString)
                .collect(Collectors.joining(
                        "; ",
                        "seed=" + seed + (encoding == Encoding.GZIP ? " gzip" : "") + (rules.isEmpty() ? "" : "; "),
                        ""));
    }

    @Override
    public boolean equals(@org.jspecify.annotations.Nullable Object other) {
        return other instanceof FaultPlan plan && plan.toString().equals(toString());
    }

    @Override
    public int hashCode() {
        return toString().hashCode();
    }
}
