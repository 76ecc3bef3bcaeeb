package io.homeostat.virtualruntime;

import io.homeostat.core.Task;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/** A task of a {@link VirtualProcess}. Confined to the holder of the baton. */
final class VirtualTask extends Strand implements Task {
    private final String name;
    private final Body body;
    private final CompletableFuture<Void> outcome = new CompletableFuture<>();
    private final CompletionStage<Void> done = outcome.minimalCompletionStage(); // a caller cannot complete it
    private boolean over;

    VirtualTask(VirtualProcess process, String name, Body body) {
        super(process, name);
        this.name = name;
        this.body = body;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public void interrupt() {
        process.enter("interrupt");
        interruptNow();
    }

    void interruptNow() {
        if (over) {
            return;
        }
        if (worker != null && !blocked) {
            worker.interrupt(); // it interrupts itself
        } else {
            interruptPending = true;
            if (blocked) {
                process.world().wake(this);
            }
        }
    }

    @Override
    public List<StackTraceElement> stack() {
        process.enter("stack");
        return over || worker == null ? List.of() : List.of(worker.getStackTrace());
    }

    @Override
    public CompletionStage<Void> done() {
        return done;
    }

    @Override
    void step() {
        if (interruptPending) {
            interruptPending = false;
            Thread.currentThread().interrupt();
        }
        Throwable thrown = null;
        try {
            body.run();
        } catch (Throwable t) {
            thrown = t;
        }
        Thread.interrupted(); // it was meant for the body
        over = true;
        process.ended(this);
        if (process.isCrashed()) {
            return; // the dead tell nothing
        }
        if (thrown == null) {
            outcome.complete(null);
        } else {
            outcome.completeExceptionally(thrown);
        }
    }

    @Override
    boolean mayWait() {
        return true;
    }
}
