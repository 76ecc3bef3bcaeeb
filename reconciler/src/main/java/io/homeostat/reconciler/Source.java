package io.homeostat.reconciler;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.client.ResourceType;
import io.homeostat.core.Registration;
import io.homeostat.informer.InformerState;
import io.homeostat.informer.ResourceEventHandler;
import io.homeostat.informer.SharedInformer;
import io.homeostat.informer.SharedInformers;
import io.homeostat.informer.Snapshot;
import java.util.Objects;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicReference;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One cache that a controller reads and is woken by. Says what is wrong with it while something is.
 *
 * <p><b>Threads.</b> Any.
 */
final class Source<X extends HasMetadata> implements Registration {
    private static final Logger log = LoggerFactory.getLogger(Source.class);

    private final String controller;
    private final SharedInformer<X> informer;
    private final Registration listening;
    private final SharedInformer.HandlerRegistration handling;
    private final CompletionStage<Void> synced;
    private final AtomicReference<InformerState> state; // replaced by the informer's listener, read by tasks

    Source(
            String controller,
            SharedInformers informers,
            ResourceType<X> type,
            String namespace,
            ResourceEventHandler<X> handler) {
        this.controller = controller;
        this.informer = informers.informer(type, type.scope() == ResourceType.Scope.CLUSTER ? "" : namespace);
        InformerState first = informer.state();
        this.state = new AtomicReference<>(first);
        say(first);
        this.listening = informer.onStateChange(this::changed);
        InformerState now = informer.state();
        if (state.compareAndSet(first, now) && now.phase() != first.phase()) {
            say(now); // it changed before we listened
        }
        this.handling = informer.addHandler(controller, handler);
        this.synced = informer.synced().thenCompose(nothing -> handling.synced());
    }

    ResourceType<X> type() {
        return informer.type();
    }

    /** Completes when this source's own handler has processed every initial object. */
    CompletionStage<Void> synced() {
        return synced;
    }

    /**
     * The present state of the cache.
     *
     * @throws CacheNotReady when it cannot answer
     */
    Snapshot<X> snapshot() {
        InformerState now = Objects.requireNonNull(state.get());
        if (!now.synced() || problem(now) != null) {
            now = informer.state();
            String problem = problem(now);
            if (problem != null || !now.synced()) {
                throw new CacheNotReady("The cache of " + type() + " cannot answer: "
                        + (problem == null ? "it is not filled yet" : problem));
            }
        }
        return informer.snapshot();
    }

    /** The present state of the cache, ready or not: for handlers, which run while it fills. */
    Snapshot<X> peek() {
        return informer.snapshot();
    }

    /** What it waits for, for people. */
    String waitsFor() {
        InformerState now = informer.state();
        String problem = problem(now);
        return type() + " (" + (problem == null ? now.phase().toString().toLowerCase(java.util.Locale.ROOT) : problem)
                + ")";
    }

    private void changed(InformerState next) {
        InformerState before = Objects.requireNonNull(state.getAndSet(next));
        if (before.phase() != next.phase()) {
            if (problem(before) != null && problem(next) == null && next.phase() != InformerState.Phase.BACKING_OFF) {
                log.info("controller {}: {} is served and readable now", controller, type());
            }
            say(next);
        }
    }

    private void say(InformerState now) {
        String problem = problem(now);
        if (problem != null) {
            log.warn("controller {}: waits for {}: {} [HS-301]", controller, type(), problem);
        }
    }

    private @org.jspecify.annotations.Nullable String problem(InformerState now) {
        return switch (now.phase()) {
            case WAITING_FOR_TYPE -> "the server does not serve it; install its CRD, nothing needs a restart then";
            case FORBIDDEN -> "the server refuses "
                    + (now.lastError() == null ? "to list or watch it" : Texts.of(now.lastError()))
                    + "; grant get, list and watch on " + type().plural()
                    + (type().group().isEmpty() ? "" : "." + type().group()) + ", nothing needs a restart then";
            case STOPPED -> "its informer was closed";
            case IDLE, STREAMING, LISTING, WATCHING, BACKING_OFF -> null;
        };
    }

    @Override
    public void close() {
        handling.close();
        listening.close();
        informer.close();
    }
}
