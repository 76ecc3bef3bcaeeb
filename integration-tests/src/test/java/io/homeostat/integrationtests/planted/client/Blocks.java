package io.homeostat.integrationtests.planted.client;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.LockSupport;

/** Planted: one method for each banned wait. */
final class Blocks {
    Object get(CompletableFuture<String> future) throws Exception {
        return future.get();
    }

    Object join(CompletableFuture<String> future) {
        return future.join();
    }

    Object async(CompletableFuture<String> future) {
        return future.thenApplyAsync(text -> text);
    }

    Object orTimeout(CompletableFuture<String> future) {
        return future.orTimeout(1, TimeUnit.SECONDS);
    }

    Object queue() throws Exception {
        return new LinkedBlockingQueue<String>().take();
    }

    void semaphore() throws Exception {
        new Semaphore(1).acquire();
    }

    void latch() throws Exception {
        new CountDownLatch(1).await();
    }

    void condition(Condition condition) throws Exception {
        while (true) {
            condition.await();
        }
    }

    void park() {
        LockSupport.park();
    }
}
