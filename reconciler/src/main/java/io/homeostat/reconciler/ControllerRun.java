package io.homeostat.reconciler;

import io.homeostat.core.Registration;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A controller of a running operator: its sources and its dispatcher.
 *
 * <pre>
 *   WAITING (sources fill, a missing one is named every minute) ──► WORKING ──► STOPPING ──► CLOSED
 * </pre>
 *
 * <p><b>Order.</b> No key is worked on before every source's own handler has processed its initial objects (P-R3).
 * <b>Threads.</b> Any.
 */
final class ControllerRun<K> implements Registration {
    private static final Logger log = LoggerFactory.getLogger(ControllerRun.class);
    private static final Duration REMINDER = Duration.ofMinutes(1);

    private final String name;
    private final Engine engine;
    private final Sources sources;
    private final Dispatcher<K> dispatcher;
    private final CompletableFuture<Void> working = new CompletableFuture<>();
    private volatile boolean closing; // set once; read by late callbacks of sources and timers
    private @Nullable Registration reminder; // confined to the dispatcher's lane

    ControllerRun(String name, Engine engine, Sources sources, Dispatcher<K> dispatcher) {
        this.name = name;
        this.engine = engine;
        this.sources = sources;
        this.dispatcher = dispatcher;
    }

    void start() {
        dispatcher.lane().execute(this::remindLater);
        sources.synced().whenComplete((nothing, closed) -> dispatcher.lane().execute(() -> {
            if (reminder != null) {
                reminder.close();
            }
            if (closed == null && !closing) {
                log.info("controller {}: its caches are filled, work begins", name);
                dispatcher.start();
                working.complete(null);
            }
        }));
    }

    /** On the lane. */
    private void remindLater() {
        if (closing || working.isDone()) {
            return;
        }
        reminder = engine.runtime().after(REMINDER, dispatcher.lane(), () -> {
            log.warn(
                    "controller {}: no work before its caches are filled; it waits for {} [HS-301]",
                    name,
                    sources.missing());
            remindLater();
        });
    }

    /** Completes when work has begun; not when the controller is closed before. */
    CompletionStage<Void> working() {
        return working;
    }

    ControllerState state() {
        return new ControllerState(
                name,
                working.isDone() && !closing,
                working.isDone() ? java.util.List.of() : sources.missing(),
                dispatcher.queue().ready(),
                dispatcher.queue().delayed(),
                dispatcher.queue().held(),
                dispatcher.stuck());
    }

    /** See {@link Dispatcher#stop}. */
    CompletionStage<Boolean> stop(Duration drain) {
        closing = true;
        return dispatcher.stop(drain);
    }

    @Override
    public void close() {
        closing = true;
        sources.close();
        dispatcher.close();
    }
}
