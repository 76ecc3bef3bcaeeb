package io.homeostat.core;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * A task of the {@link SystemRuntime}.
 *
 * <pre>
 * Invariants (under lock)
 * - thread is set exactly while the body runs, so that no interrupt reaches what its thread does afterwards.
 * - An interrupt before the body runs is kept in interruptAtStart and given to the body.
 * </pre>
 */
final class SystemTask implements Task, Runnable {
    private final SystemRuntime runtime;
    private final String name;
    private final Body body;
    private final CompletableFuture<Void> outcome = new CompletableFuture<>();
    private final CompletionStage<Void> done = outcome.minimalCompletionStage(); // a caller cannot complete it
    private final ReentrantLock lock = new ReentrantLock();

    @GuardedBy("lock")
    private @Nullable Thread thread;

    @GuardedBy("lock")
    private boolean interruptAtStart;

    SystemTask(SystemRuntime runtime, String name, Body body) {
        this.runtime = runtime;
        this.name = name;
        this.body = body;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public void interrupt() {
        lock.lock();
        try {
            if (thread != null) {
                thread.interrupt();
            } else {
                interruptAtStart = true;
            }
        } finally {
            lock.unlock();
        }
    }

    @Override
    public List<StackTraceElement> stack() {
        lock.lock();
        try {
            return thread == null ? List.of() : List.of(thread.getStackTrace());
        } finally {
            lock.unlock();
        }
    }

    @Override
    public CompletionStage<Void> done() {
        return done;
    }

    @Override
    public void run() {
        Thread me = Thread.currentThread();
        String threadName = me.getName();
        me.setName(name);
        begin(me);
        Throwable thrown = null;
        try {
            body.run();
        } catch (Throwable t) {
            thrown = t;
        }
        try {
            finish();
            if (thrown != null) {
                runtime.thrownByTask(name, thrown);
            }
        } finally { // whoever waits for this task must not wait for ever
            if (thrown == null) {
                outcome.complete(null);
            } else {
                outcome.completeExceptionally(thrown);
            }
            me.setName(threadName);
        }
    }

    private void begin(Thread me) {
        lock.lock();
        try {
            thread = me;
            if (interruptAtStart) {
                me.interrupt();
            }
        } finally {
            lock.unlock();
        }
    }

    private void finish() {
        lock.lock();
        try {
            thread = null;
        } finally {
            lock.unlock();
        }
        Thread.interrupted(); // it was meant for the body
        runtime.ended(this);
    }
}
