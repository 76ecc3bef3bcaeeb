package io.homeostat.integrationtests.planted.simulator;

import java.util.Random;
import java.util.SplittableRandom;
import java.util.UUID;
import java.util.concurrent.ThreadLocalRandom;

/** Planted: one method for each banned source of chance. */
final class TakesChances {
    Object random() {
        return new Random();
    }

    Object splittable() {
        return new SplittableRandom(1);
    }

    Object local() {
        return ThreadLocalRandom.current();
    }

    Object uuid() {
        return UUID.randomUUID();
    }

    double math() {
        return Math.random();
    }
}
