package io.homeostat.reconciler;

import io.fabric8.kubernetes.api.model.Namespace;
import io.homeostat.client.ApiClient;
import io.homeostat.client.ApiException;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.ResourceType;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Lane;
import io.homeostat.core.Metrics;
import io.homeostat.core.Registration;
import io.homeostat.core.Transport;
import io.homeostat.informer.InformerState;
import io.homeostat.informer.SharedInformers;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An operator at work in one process.
 *
 * <pre>
 *   STARTING (sources fill) ──► WORKING ──► STOPPING: intake closed, in-flight ends or is interrupted ──► ENDED
 * </pre>
 *
 * <p><b>Order.</b> Stop: no new task, wait, interrupt at the drain timeout, send the last events, then caches are closed. <b>Threads.</b> Any.
 * <b>Failure.</b> A VM error stops it; {@link #ended} then fails with that error.
 */
final class OperatorRun implements Operator.Running {
    private static final Logger log = LoggerFactory.getLogger(OperatorRun.class);

    /** How long a stop waits for events that are under way. */
    private static final Duration LAST_EVENTS = Duration.ofSeconds(2);

    private final String name;
    private final boolean byNamespace;
    private final Duration drain;
    private final Lane lane;
    private final SharedInformers informers;
    private final ApiClient client;
    private final EventRecorder events;
    private final Registration fatalErrors;
    private final List<ControllerRun<?>> controllers = new ArrayList<>(); // filled by the constructor
    private final CompletableFuture<Void> working = new CompletableFuture<>();
    private final CompletableFuture<Boolean> ended = new CompletableFuture<>();
    private final ReentrantLock lock = new ReentrantLock();
    private volatile SortedSet<String> namespaces; // replaced under the lock, read by anyone
    private final AtomicBoolean stopping = new AtomicBoolean();
    private final AtomicBoolean closed = new AtomicBoolean(); // set at the end; then nothing is written any more

    OperatorRun(Operator operator, EngineRuntime runtime, Transport transport) {
        this.name = operator.name();
        this.namespaces = operator.namespaces();
        this.byNamespace = !namespaces.isEmpty();
        this.drain = operator.drainTimeout();
        this.lane = runtime.lane("operator/" + name);
        this.client = ApiClient.over(runtime, transport, settings());
        this.informers = SharedInformers.over(runtime, client, operator.metrics());
        informers.auditEvery(operator.cacheAudit());
        operator.stores().forEach(informers::store);
        this.events = new EventRecorder(runtime, client, name, operator.instance(), operator.metrics());
        this.fatalErrors = runtime.onFatal(this::fatal);
        Engine engine = new Engine(
                name,
                runtime,
                client,
                informers,
                !operator.namespaces().isEmpty(),
                operator.limits(),
                operator.observers(),
                new AtomicLong(),
                events,
                Metrics.contained(operator.metrics(), runtime),
                this::fatal);
        CompletionStage<Void> all = CompletableFuture.completedFuture(null);
        try {
            for (ControllerSpec<?> spec : operator.specs()) {
                controllers.add(spec.open(engine));
            }
            for (KeyControllerSpec<?> spec : operator.keySpecs()) {
                controllers.add(spec.open(engine));
            }
            for (ControllerRun<?> controller : controllers) {
                all = all.thenCombine(controller.working(), (a, b) -> null);
                controller.start(namespaces);
            }
        } catch (Throwable failed) {
            fatalErrors.close();
            controllers.forEach(ControllerRun::close);
            informers.close();
            throw failed;
        }
        namespaces.forEach(this::lookFor);
        all.thenAccept(nothing -> lane.execute(() -> working.complete(null)));
        log.info("operator {} has started with {} controllers", name, controllers.size());
    }

    /** A gate that shuts when the operator has ended: a reconcile that was left behind writes nothing. */
    private ApiClient.Settings settings() {
        ApiClient.Settings defaults = ApiClient.Settings.of(name);
        return new ApiClient.Settings(
                defaults.userAgent(),
                defaults.requestTimeout(),
                defaults.streamTimeout(),
                write -> closed.get() ? Optional.of("operator " + name + " has ended") : Optional.empty(),
                defaults.compression());
    }

    ApiClient client() {
        return client;
    }

    @Override
    public CompletionStage<Void> working() {
        return working;
    }

    @Override
    public List<ControllerState> controllers() {
        return controllers.stream().map(ControllerRun::state).toList();
    }

    @Override
    public List<InformerState> caches() {
        return informers.states();
    }

    @Override
    public SortedSet<String> namespaces() {
        return namespaces;
    }

    @Override
    public CompletionStage<Void> addNamespace(String namespace) {
        Operator.requireNamespace(namespace);
        lock.lock();
        try {
            requireByNamespace("add", namespace);
            TreeSet<String> more = new TreeSet<>(namespaces);
            if (more.add(namespace)) {
                namespaces = Collections.unmodifiableSortedSet(more);
                log.info("operator {}: works in namespace {} from now on", name, namespace);
                lookFor(namespace);
            }
            return each(controller -> controller.add(namespace));
        } finally {
            lock.unlock();
        }
    }

    @Override
    public CompletionStage<Void> removeNamespace(String namespace) {
        lock.lock();
        try {
            requireByNamespace("remove", namespace);
            TreeSet<String> fewer = new TreeSet<>(namespaces);
            if (fewer.remove(namespace)) {
                namespaces = Collections.unmodifiableSortedSet(fewer);
                log.info("operator {}: works in namespace {} no more", name, namespace);
            }
            return each(controller -> controller.remove(namespace));
        } finally {
            lock.unlock();
        }
    }

    private void requireByNamespace(String verb, String namespace) {
        if (!byNamespace) {
            throw new IllegalStateException("Cannot " + verb + " namespace " + namespace + ": operator " + name
                    + " works in all; start it with namespaces(…)");
        }
        if (stopping.get()) {
            throw new IllegalStateException(
                    "Cannot " + verb + " namespace " + namespace + ": operator " + name + " is stopping");
        }
    }

    /** Asked under the lock, so that each controller is told in the same order; what they answer comes on their lanes. */
    private CompletionStage<Void> each(Function<ControllerRun<?>, CompletionStage<Void>> what) {
        CompletionStage<Void> all = CompletableFuture.completedFuture(null);
        for (ControllerRun<?> controller : controllers) {
            all = all.thenCombine(what.apply(controller), (a, b) -> null);
        }
        return all;
    }

    /** A namespace that is not there looks like one that is empty, or forbidden: it is said, for whoever may look at namespaces. */
    private void lookFor(String namespace) {
        client.get(ResourceType.of(Namespace.class), new ObjectKey("", namespace))
                .whenComplete((found, problem) -> {
                    Throwable cause = problem instanceof CompletionException ? problem.getCause() : problem;
                    if (cause instanceof ApiException.NotFound missing && missing.misses(namespace)) {
                        log.warn(
                                "operator {}: there is no namespace {}; what is made in it later is reconciled, nothing needs a restart then [HS-116]",
                                name,
                                namespace);
                    }
                });
    }

    @Override
    public CompletionStage<Boolean> stop() {
        if (beginsStop()) {
            log.info("operator {} is stopping", name);
            drainAll()
                    .thenAccept(clean -> lane.execute(() -> {
                        closeAll();
                        log.info(
                                "operator {} has stopped{}",
                                name,
                                clean ? "" : ", leaving reconciles behind that ignore interrupts");
                        ended.complete(clean);
                    }));
        }
        return ended;
    }

    @Override
    public CompletionStage<Boolean> ended() {
        return ended;
    }

    /** Once. A namespace is added or removed before that, and then its work is on the lanes, or refused. */
    private boolean beginsStop() {
        lock.lock();
        try {
            return stopping.compareAndSet(false, true);
        } finally {
            lock.unlock();
        }
    }

    private CompletionStage<Boolean> drainAll() {
        CompletionStage<Boolean> all = CompletableFuture.completedFuture(true);
        for (ControllerRun<?> controller : controllers) {
            all = all.thenCombine(controller.stop(drain), Boolean::logicalAnd);
        }
        // What the last reconciles had to say is told before the connections go.
        return all.thenCompose(clean -> events.finish(LAST_EVENTS).thenApply(nothing -> clean));
    }

    private void closeAll() {
        fatalErrors.close();
        closed.set(true);
        controllers.forEach(ControllerRun::close);
        informers.close();
        working.completeExceptionally(new IllegalStateException("Operator " + name
                + " was stopped before every controller worked; what each waited for is in its log"));
    }

    /** D35: the key is released; what is in flight may end; {@link #ended} fails, also when there is no memory for anything else. */
    private void fatal(Throwable error) {
        if (!beginsStop()) {
            return;
        }
        try {
            drainAll()
                    .whenComplete((clean, failed) -> lane.execute(() -> {
                        try {
                            closeAll();
                        } finally {
                            ended.completeExceptionally(error);
                        }
                    }));
            log.error("operator {} stops: the JVM is not sound any more: {} [HS-115]", name, Texts.of(error));
        } catch (Throwable again) {
            ended.completeExceptionally(error);
            throw again;
        }
    }
}
