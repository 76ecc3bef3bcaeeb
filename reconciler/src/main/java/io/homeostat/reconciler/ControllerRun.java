package io.homeostat.reconciler;

import io.homeostat.core.Registration;
import java.time.Duration;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
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
 *
 *   a namespace, where it works in some only:
 *   FILLING ── filled, and so is what is in no namespace ──► WORKING ── removed ──► LEAVING (what is under way ends) ──► gone
 * </pre>
 *
 * <p><b>Order.</b> No key is worked on before every source's own handler has processed its initial objects (P-R3): those of its
 * namespace where the controller works in some only, and its keys are in one.
 * <b>Threads.</b> Any.
 */
final class ControllerRun<K> implements Registration {
    private static final Logger log = LoggerFactory.getLogger(ControllerRun.class);
    private static final Duration REMINDER = Duration.ofMinutes(1);

    /** What a controller whose keys are in namespaces does as they come and go. Called on the dispatcher's lane. */
    interface ByNamespace {
        /** Its sources are filled: work begins there, with all there is. */
        void begin(String namespace);

        /** No work begins there any more; completes when none is under way. */
        CompletionStage<Void> end(String namespace);

        /** Nothing of it is under way, and its caches are gone. */
        void ended(String namespace);
    }

    /** A namespace the controller works in, will, or leaves. Its fields are confined to the lane. */
    private static final class Space {
        final String namespace;
        final CompletableFuture<Void> works = new CompletableFuture<>();
        final CompletableFuture<Void> gone = new CompletableFuture<>();

        volatile @Nullable CompletableFuture<Void> again; // added while it leaves; set on the lane, failed at the close

        boolean filled;
        boolean leaving;

        Space(String namespace) {
            this.namespace = namespace;
        }
    }

    private final String name;
    private final Engine engine;
    private final Sources sources;
    private final Dispatcher<K> dispatcher;
    private final @Nullable ByNamespace byNamespace; // null when its work is of no namespace: then it needs all sources
    private final CompletableFuture<Void> working = new CompletableFuture<>();
    private volatile boolean closing; // set once; read by late callbacks of sources and timers
    private volatile SortedMap<String, Space> spaces =
            Collections.emptySortedMap(); // replaced on the lane, read at the close
    private @Nullable Registration reminder; // confined to the dispatcher's lane
    private boolean everywhere; // confined to the lane: what is not by namespace is filled

    /**
     * A controller that does nothing yet.
     *
     * @param byNamespace null when its keys are not in namespaces, or it works everywhere
     */
    ControllerRun(
            String name, Engine engine, Sources sources, Dispatcher<K> dispatcher, @Nullable ByNamespace byNamespace) {
        this.name = name;
        this.engine = engine;
        this.sources = sources;
        this.dispatcher = dispatcher;
        this.byNamespace = byNamespace;
    }

    /**
     * Opens its caches.
     *
     * @param namespaces where it works first; empty where it works everywhere
     */
    void start(Set<String> namespaces) {
        dispatcher.lane().execute(this::remindLater);
        TreeMap<String, Space> first = new TreeMap<>();
        namespaces.forEach(namespace -> first.put(namespace, new Space(namespace)));
        spaces = first; // before anything can come of it
        sources.openEverywhere()
                .whenComplete((nothing, closed) -> later(() -> {
                    if (closed == null) {
                        everywhere = true;
                        advance();
                    }
                }));
        first.values().forEach(this::fill);
    }

    private void later(Runnable step) {
        dispatcher.lane().execute(() -> {
            if (!closing) {
                step.run();
            }
        });
    }

    /** Works in one more namespace. Any thread; completes when work has begun there. */
    CompletionStage<Void> add(String namespace) {
        CompletableFuture<Void> works = new CompletableFuture<>();
        dispatcher.lane().execute(() -> {
            Space known = spaces.get(namespace);
            if (closing) {
                works.completeExceptionally(stopped(namespace));
            } else if (known == null) {
                follow(open(namespace), works);
            } else if (known.leaving) {
                CompletableFuture<Void> again = known.again;
                if (again == null) {
                    again = new CompletableFuture<>();
                    known.again = again; // it comes back when its end is complete
                }
                follow(again, works);
            } else {
                follow(known.works, works);
            }
        });
        return works;
    }

    private static void follow(CompletionStage<Void> of, CompletableFuture<Void> stage) {
        of.whenComplete((nothing, failure) -> {
            if (failure == null) {
                stage.complete(null);
            } else {
                stage.completeExceptionally(failure);
            }
        });
    }

    private IllegalStateException stopped(String namespace) {
        return new IllegalStateException(
                "Controller " + name + " was stopped before it worked in namespace " + namespace);
    }

    private IllegalStateException removed(String namespace) {
        return new IllegalStateException(
                "Namespace " + namespace + " was removed before controller " + name + " worked there");
    }

    /** On the lane. */
    private CompletionStage<Void> open(String namespace) {
        Space space = new Space(namespace);
        TreeMap<String, Space> more = new TreeMap<>(spaces);
        more.put(namespace, space);
        spaces = more;
        fill(space);
        return space.works;
    }

    private void fill(Space space) {
        sources.open(space.namespace)
                .whenComplete((nothing, closed) -> later(() -> {
                    if (closed == null && !space.leaving) {
                        space.filled = true;
                        advance();
                    }
                }));
    }

    /** On the lane: begins what can be begun. */
    private void advance() {
        if (!everywhere) {
            return;
        }
        if (byNamespace == null) {
            if (spaces.values().stream().allMatch(space -> space.filled || space.leaving)) {
                begin();
            }
            if (working.isDone()) {
                spaces.values().stream().filter(space -> space.filled).forEach(space -> space.works.complete(null));
            }
            return;
        }
        for (Space space : spaces.values()) {
            if (space.filled && !space.leaving && !space.works.isDone()) {
                log.info("controller {}: its caches of {} are filled, work begins there", name, space.namespace);
                byNamespace.begin(space.namespace);
                space.works.complete(null);
                begin();
            }
        }
    }

    private void begin() {
        if (working.isDone()) {
            return;
        }
        if (!engine.byNamespace()) {
            if (reminder != null) {
                reminder.close();
            }
            log.info("controller {}: its caches are filled, work begins", name);
        }
        dispatcher.start();
        working.complete(null);
    }

    /**
     * Works in that namespace no more: nothing is begun there, what is under way ends, then its caches go, and nobody is told that anything
     * was deleted. Any thread.
     */
    CompletionStage<Void> remove(String namespace) {
        CompletableFuture<Void> gone = new CompletableFuture<>();
        dispatcher.lane().execute(() -> {
            Space space = spaces.get(namespace);
            if (space == null || closing) {
                gone.complete(null);
                return;
            }
            follow(space.gone, gone);
            if (!space.leaving) {
                leave(space);
                return;
            }
            CompletableFuture<Void> again = space.again;
            if (again != null) {
                space.again = null;
                again.completeExceptionally(removed(namespace));
            }
        });
        return gone;
    }

    private void leave(Space space) {
        space.leaving = true;
        space.works.completeExceptionally(removed(space.namespace));
        CompletionStage<Void> quiet =
                byNamespace == null ? CompletableFuture.completedFuture(null) : byNamespace.end(space.namespace);
        quiet.thenRun(() -> later(() -> {
            sources.close(space.namespace);
            TreeMap<String, Space> fewer = new TreeMap<>(spaces);
            fewer.remove(space.namespace);
            spaces = fewer;
            if (byNamespace != null) {
                byNamespace.ended(space.namespace);
            }
            log.info("controller {}: has left namespace {}", name, space.namespace);
            CompletableFuture<Void> again = space.again;
            if (again != null) {
                follow(open(space.namespace), again);
            }
            space.gone.complete(null);
            advance(); // it may have been what was waited for
        }));
    }

    /** On the lane. */
    private void remindLater() {
        if (closing || (working.isDone() && !engine.byNamespace())) {
            return;
        }
        reminder = engine.runtime().after(REMINDER, dispatcher.lane(), () -> {
            List<String> missing = sources.missing();
            if (!missing.isEmpty()) {
                log.warn(
                        "controller {}: no work before its caches are filled; it waits for {} [HS-301]", name, missing);
            }
            remindLater();
        });
    }

    /** Completes when work has begun, where by namespace in one of them; not when the controller is closed before. */
    CompletionStage<Void> working() {
        return working;
    }

    ControllerState state() {
        return new ControllerState(
                name,
                working.isDone() && !closing,
                working.isDone() && !engine.byNamespace() ? List.of() : sources.missing(),
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
        for (Space space : spaces.values()) {
            space.works.completeExceptionally(stopped(space.namespace));
            CompletableFuture<Void> again = space.again;
            if (again != null) {
                again.completeExceptionally(stopped(space.namespace));
            }
            space.gone.complete(null);
        }
    }
}
