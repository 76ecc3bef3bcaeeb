package io.homeostat.reconciler;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.ConfigMapBuilder;
import io.fabric8.kubernetes.api.model.events.v1.Event;
import io.homeostat.client.ApiClient;
import io.homeostat.client.ApiException;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.Query;
import io.homeostat.client.RawObject;
import io.homeostat.client.ResourceType;
import io.homeostat.simulator.Simulator;
import io.homeostat.virtualruntime.VirtualProcess;
import io.homeostat.virtualruntime.VirtualWorld;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** A simulator, an operator and a user in a virtual world, driven by the test's thread. */
final class World implements AutoCloseable {
    static final ResourceType<Widget> WIDGETS = ResourceType.of(Widget.class);
    static final ResourceType<ConfigMap> CONFIG_MAPS = ResourceType.of(ConfigMap.class);
    private static final ApiClient.Apply USER = new ApiClient.Apply("user", ApiClient.Apply.Force.YES);

    final VirtualWorld world;
    final Simulator simulator;
    final List<Reconciled> reconciled = new ArrayList<>();
    private final VirtualProcess user;
    private final ApiClient client;
    private @Nullable VirtualProcess process;
    Operator.@Nullable Running running;

    World(long seed) {
        this.world = VirtualWorld.seeded(seed);
        this.simulator = Simulator.on(world.process("server")).build();
        this.user = world.process("user");
        this.client = ApiClient.over(user, simulator.transport(user), ApiClient.Settings.of("user"));
    }

    static World withCrd() {
        World world = new World(1);
        world.installCrd();
        return world;
    }

    void installCrd() {
        ask(() -> client.apply(
                ResourceType.of(io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinition.class),
                ObjectKey.clusterScoped("widgets.test.example.com"),
                "",
                USER,
                Widget.CRD.getBytes(StandardCharsets.UTF_8)));
        while (!ask(() -> client.discovery().serves(WIDGETS))) {
            pass(Duration.ofMillis(10));
        }
    }

    /** Starts an operator with one controller of widgets that owns ConfigMaps. */
    void start(Reconciler<Widget> reconciler) {
        start(Operator.named("test-operator")
                .controller(Widget.class, c -> c.owns(ConfigMap.class).reconciler(reconciler)));
    }

    void start(Operator operator) {
        VirtualProcess machine = world.process("operator");
        process = machine;
        operator.observer(reconciled::add);
        running = operator.start(machine, simulator.transport(machine));
    }

    VirtualProcess process() {
        return java.util.Objects.requireNonNull(process);
    }

    Operator.Running running() {
        return java.util.Objects.requireNonNull(running);
    }

    void working() {
        await(() -> running().working().toCompletableFuture().isDone());
    }

    void await(BooleanSupplier condition) {
        world.runUntil(condition, Duration.ofMinutes(10));
    }

    void pass(Duration duration) {
        world.runFor(duration);
    }

    <T extends @Nullable Object> T ask(Supplier<CompletionStage<T>> request) {
        CompletableFuture<T> answer = request.get().toCompletableFuture();
        await(answer::isDone);
        try {
            return answer.join();
        } catch (CompletionException failed) {
            throw failed.getCause() instanceof RuntimeException cause ? cause : failed;
        }
    }

    RawObject widget(String name, int size) {
        return apply(
                WIDGETS,
                name,
                "{\"apiVersion\":\"test.example.com/v1\",\"kind\":\"Widget\",\"metadata\":{\"name\":\"" + name
                        + "\"},\"spec\":{\"size\":" + size + "}}");
    }

    RawObject apply(ResourceType<?> type, String name, String json) {
        return apply(type, new ObjectKey("default", name), json);
    }

    RawObject apply(ResourceType<?> type, ObjectKey key, String json) {
        return ask(() -> client.apply(type, key, "", USER, json.getBytes(StandardCharsets.UTF_8)));
    }

    RawObject patch(ResourceType<?> type, String name, String subresource, String json) {
        return ask(() -> client.patch(
                type,
                new ObjectKey("default", name),
                subresource,
                ApiClient.PatchKind.MERGE,
                json.getBytes(StandardCharsets.UTF_8)));
    }

    void delete(ResourceType<?> type, String name) {
        this.<@Nullable RawObject>ask(() -> client.delete(type, new ObjectKey("default", name), ApiClient.Delete.ANY));
    }

    Optional<RawObject> find(ResourceType<?> type, String name) {
        return find(type, new ObjectKey("default", name));
    }

    Optional<RawObject> find(ResourceType<?> type, ObjectKey key) {
        try {
            return Optional.of(ask(() -> client.get(type, key)));
        } catch (ApiException.NotFound absent) {
            return Optional.empty();
        }
    }

    Widget widget(String name) {
        return find(WIDGETS, name).orElseThrow().decode(WIDGETS);
    }

    ConfigMap configMap(String name) {
        return find(CONFIG_MAPS, name).orElseThrow().decode(CONFIG_MAPS);
    }

    /** The events of an object, in the order of their first times. */
    List<Event> events(String name) {
        return ask(() -> client.listAll(EventRecorder.EVENTS, Query.in("default"))).stream()
                .map(event -> event.decode(EventRecorder.EVENTS))
                .filter(event -> event.getRegarding().getName().equals(name))
                .sorted(Comparator.comparing(event -> event.getEventTime().getTime()))
                .toList();
    }

    /** An object of somebody else, where a widget's reconciler wants its own. */
    void foreign(String name) {
        apply(
                CONFIG_MAPS,
                name,
                "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"" + name
                        + "\"},\"data\":{\"theirs\":\"canary-secret\"}}");
    }

    /** What a widget's reconciler wants. */
    static ConfigMap wanted(Widget widget) {
        return new ConfigMapBuilder()
                .withNewMetadata()
                .withName(widget.getMetadata().getName())
                .endMetadata()
                .withData(Map.of("size", String.valueOf(widget.getSpec().size)))
                .build();
    }

    long mark() {
        return simulator.requestCount();
    }

    /** Requests of the operator since a mark, the heartbeat aside: verb and resource. */
    List<String> requestsSince(long mark) {
        return simulator.requestsSince(mark).stream()
                .filter(request -> request.userAgent().equals("test-operator"))
                .filter(request -> !request.path().equals("/livez"))
                .map(request -> request.verb() + " " + request.resource())
                .toList();
    }

    /** Waits until the operator has nothing to do, and that for a while. */
    void settle() {
        await(() -> running().controllers().stream()
                .allMatch(each -> each.working() && each.ready() + each.running() == 0));
        pass(Duration.ofSeconds(2));
    }

    List<String> outcomes() {
        return reconciled.stream()
                .map(each -> each.error() != null ? "error" : String.valueOf(each.result()))
                .toList();
    }

    @Override
    public void close() {
        world.close();
    }
}
