package io.homeostat.reconciler;

import io.homeostat.client.ApiClient;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Lane;
import io.homeostat.core.Metrics;
import io.homeostat.core.Registration;
import io.homeostat.core.Transport;
import io.homeostat.informer.InformerState;
import io.homeostat.informer.SharedInformers;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
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
    private final Duration drain;
    private final Lane lane;
    private final SharedInformers informers;
    private final ApiClient client;
    private final EventRecorder events;
    private final Registration fatalErrors;
    private final List<ControllerRun<?>> controllers = new ArrayList<>(); // filled by the constructor
    private final CompletableFuture<Void> working = new CompletableFuture<>();
    private final CompletableFuture<Boolean> ended = new CompletableFuture<>();
    private final AtomicBoolean stopping = new AtomicBoolean();
    private final AtomicBoolean closed = new AtomicBoolean(); // set at the end; then nothing is written any more

    OperatorRun(Operator operator, EngineRuntime runtime, Transport transport) {
        this.name = operator.name();
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
                operator.namespace(),
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
        } catch (Throwable failed) {
            fatalErrors.close();
            controllers.forEach(ControllerRun::close);
            informers.close();
            throw failed;
        }
        for (ControllerRun<?> controller : controllers) {
            all = all.thenCombine(controller.working(), (a, b) -> null);
            controller.start();
        }
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
    public CompletionStage<Boolean> stop() {
        if (stopping.compareAndSet(false, true)) {
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
        if (!stopping.compareAndSet(false, true)) {
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
