package io.homeostat.core;

import java.util.List;
import java.util.concurrent.CompletionStage;

/**
 * Blocking work that runs on a thread of its own: a reconcile, a blocking read loop.
 *
 * <p><b>Threads.</b> Every method may be called from any thread.
 */
@Stable
public interface Task {
    /** What a task runs. */
    @FunctionalInterface
    interface Body {
        /**
         * Does the work; may block through {@link EngineRuntime#await}.
         *
         * @throws Exception anything; {@link Task#done} ends with it
         */
        void run() throws Exception;
    }

    /** The name given at start. */
    String name();

    /** Interrupts the task's thread; a wait through the runtime ends with {@link InterruptedWaitException}. */
    void interrupt();

    /** Where the task is at this moment; empty when it has ended. */
    List<StackTraceElement> stack();

    /** Completes when the body has returned, exceptionally with what it threw. Never completes before that. */
    CompletionStage<Void> done();
}
