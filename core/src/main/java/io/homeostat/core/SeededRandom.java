package io.homeostat.core;

import java.util.concurrent.atomic.AtomicLong;
import java.util.random.RandomGenerator;

/** SplitMix64 over an atomic state: a generator that any number of threads may share. Not for secrets. */
final class SeededRandom implements RandomGenerator {
    private static final long GAMMA = 0x9E3779B97F4A7C15L;

    private final AtomicLong state;

    SeededRandom(long seed) {
        this.state = new AtomicLong(seed);
    }

    @Override
    public long nextLong() {
        long z = state.addAndGet(GAMMA);
        z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
        z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
        return z ^ (z >>> 31);
    }
}
