package io.homeostat.integrationtests.planted.reconciler;

import java.util.Timer;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ForkJoinPool;

/** Planted: one method for each banned way to a thread. */
final class UsesThreads {
    void thread() {
        new Thread(() -> {}).start();
    }

    Thread current() {
        return Thread.currentThread();
    }

    Object timer() {
        return new Timer();
    }

    Object executors() {
        return Executors.newCachedThreadPool();
    }

    boolean service(ExecutorService service) {
        return service.isShutdown();
    }

    Object pool() {
        return ForkJoinPool.commonPool();
    }
}
