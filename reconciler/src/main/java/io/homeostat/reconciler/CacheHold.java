package io.homeostat.reconciler;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.client.ApiException;
import io.homeostat.client.DroppedPaths;
import io.homeostat.client.ResourceType;
import io.homeostat.core.Registration;
import io.homeostat.informer.InformerState;
import io.homeostat.informer.ResourceEventHandler;
import io.homeostat.informer.SharedInformer;
import io.homeostat.informer.SharedInformers;
import io.homeostat.informer.Snapshot;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicReference;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One cache that a controller reads and is woken by: one type, in one namespace or everywhere. Says what is wrong with it while something is.
 *
 * <p><b>Threads.</b> Any.
 */
final class CacheHold<X extends HasMetadata> implements Registration {
    private static final Logger log = LoggerFactory.getLogger(CacheHold.class);

    private final String controller;
    private final String what;
    private final SharedInformer<X> informer;
    private final Registration listening;
    private final List<SharedInformer.HandlerRegistration> handling = new ArrayList<>(); // filled by the constructor
    private final CompletionStage<Void> synced;
    private final AtomicReference<InformerState> state; // the last phase told by the informer's listener, read by tasks
    private volatile boolean filled; // set once, when the cache has been complete; no phase change says so
    private volatile boolean handled; // set once, when every handler has processed every initial object

    /**
     * A hold on the cache, with its handlers at work.
     *
     * @param namespace {@code ""} for everywhere
     * @param dropped what the cache does without
     * @param handlers each on a lane of its own
     */
    CacheHold(
            String controller,
            SharedInformers informers,
            ResourceType<X> type,
            String namespace,
            DroppedPaths dropped,
            List<? extends ResourceEventHandler<X>> handlers) {
        this.controller = controller;
        this.what = type + (namespace.isEmpty() ? "" : " in " + namespace);
        this.informer = informers.dropping(dropped).informer(type, namespace);
        InformerState first = informer.state();
        this.state = new AtomicReference<>(first);
        say(first);
        this.listening = informer.onStateChange(this::changed);
        InformerState now = informer.state();
        if (state.compareAndSet(first, now) && now.phase() != first.phase()) {
            say(now); // it changed before we listened
        }
        CompletionStage<Void> all = informer.synced();
        all.thenRun(() -> filled = true);
        for (ResourceEventHandler<X> handler : handlers) {
            // The first has the name that figures always had; further ones are told from it.
            String name = handling.isEmpty() ? controller : controller + "/" + (handling.size() + 1);
            SharedInformer.HandlerRegistration added = informer.addHandler(name, handler);
            handling.add(added);
            all = all.thenCombine(added.synced(), (nothing, neither) -> null);
        }
        this.synced = all;
        all.thenRun(() -> handled = true);
    }

    ResourceType<X> type() {
        return informer.type();
    }

    /** Completes when this source's own handlers have processed every initial object. */
    CompletionStage<Void> synced() {
        return synced;
    }

    /** Whether {@link #synced} has completed; may be asked as often as anybody likes. */
    boolean isSynced() {
        return handled;
    }

    /**
     * The present state of the cache.
     *
     * @throws CacheNotReady when it cannot answer
     */
    Snapshot<X> snapshot() {
        if (!filled || problem(Objects.requireNonNull(state.get())) != null) {
            InformerState now = informer.state();
            String problem = problem(now);
            if (problem != null || !now.synced()) {
                throw new CacheNotReady("The cache of " + what + " cannot answer: "
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
        return what + " (" + (problem == null ? now.phase().toString().toLowerCase(java.util.Locale.ROOT) : problem)
                + ")";
    }

    private void changed(InformerState next) {
        InformerState before = Objects.requireNonNull(state.getAndSet(next));
        if (before.phase() != next.phase()) {
            if (problem(before) != null && problem(next) == null && next.phase() != InformerState.Phase.BACKING_OFF) {
                log.info("controller {}: {} is served and readable now", controller, what);
            }
            say(next);
        }
    }

    private void say(InformerState now) {
        String problem = problem(now);
        if (problem != null) {
            log.warn("controller {}: waits for {}: {} [HS-301]", controller, what, problem);
        }
    }

    private @org.jspecify.annotations.Nullable String problem(InformerState now) {
        return switch (now.phase()) {
            case WAITING_FOR_TYPE -> "the server does not serve it; install its CRD, nothing needs a restart then";
            case FORBIDDEN -> now.lastError() instanceof ApiException.Unauthorized expired
                    ? "the server does not accept the credentials (" + Texts.sentence(expired)
                            + "); renew them: files and plugins are read again by themselves, what stands in the kubeconfig needs a restart"
                    : "the server refuses "
                            + (now.lastError() == null ? "to list or watch it" : Texts.of(now.lastError()))
                            + "; grant get, list and watch on " + type().plural()
                            + (type().group().isEmpty() ? "" : "." + type().group()) + ", nothing needs a restart then";
            case REFUSED -> "the server refuses what is selected of it: "
                    + (now.lastError() == null ? "" : Texts.of(now.lastError()));
            case STOPPED -> "its informer was closed";
            case IDLE, STREAMING, LISTING, WATCHING, BACKING_OFF -> null;
        };
    }

    @Override
    public void close() {
        handling.forEach(Registration::close);
        listening.close();
        informer.close();
    }
}
