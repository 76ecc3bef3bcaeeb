package io.homeostat.integrationtests.planted.core;

import java.util.concurrent.atomic.AtomicInteger;

/** Planted: one method for each effect on the host's process. */
final class ActsOnTheProcess {
    static int count;

    static final AtomicInteger COUNTER = new AtomicInteger();

    void exit() {
        System.exit(count);
    }

    void out() {
        System.out.println("text");
    }

    void trace(Exception failure) {
        failure.printStackTrace();
    }
}
