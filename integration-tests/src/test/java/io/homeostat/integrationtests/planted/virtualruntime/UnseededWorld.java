package io.homeostat.integrationtests.planted.virtualruntime;

import java.util.SplittableRandom;

/** Planted: a world that is another one each time. */
final class UnseededWorld {
    Object unseeded() {
        return new SplittableRandom();
    }
}
