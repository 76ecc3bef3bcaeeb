package io.homeostat.integrationtests.planted.informer;

import java.time.Clock;
import java.time.Instant;

/** Planted: one method for each banned clock. */
final class ReadsClocks {
    long currentTimeMillis() {
        return System.currentTimeMillis();
    }

    long nanoTime() {
        return System.nanoTime();
    }

    Instant instant() {
        return Instant.now();
    }

    Clock clock() {
        return Clock.systemUTC();
    }
}
