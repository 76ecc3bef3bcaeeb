package io.homeostat.integrationtests;

import io.homeostat.core.Headers;
import io.homeostat.core.HttpAnswer;
import io.homeostat.core.HttpCall;
import io.homeostat.core.Transport;
import io.homeostat.reconciler.Operator;
import io.homeostat.simulator.RequestRecord;
import io.homeostat.simulator.Simulator;
import io.homeostat.testkit.Polling;
import io.homeostat.testkit.Tree;
import io.homeostat.virtualruntime.VirtualProcess;
import io.homeostat.virtualruntime.VirtualWorld;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A virtual world of three machines: the operator's, the API server's, and a user's. The test's thread drives it: each call of the
 * user runs the world until it is answered, and whatever else the seed lets happen meanwhile.
 */
final class VirtualPlace implements Place {
    private static final Duration ANSWER_LIMIT = Duration.ofMinutes(1);
    private static final Duration CONVERGENCE_LIMIT = Duration.ofMinutes(30);
    private static final Duration LOOK_EVERY = Duration.ofMillis(250);
    private static final Map<String, String> PLURALS = Map.of(
            "Memcached", "memcacheds",
            "Deployment", "deployments",
            "Service", "services",
            "Pod", "pods",
            "Namespace", "namespaces");

    private final VirtualWorld world;
    private final VirtualProcess server;
    private final Simulator simulator;
    private final Transport user;
    private final Supplier<Operator> description;
    private final Network network;
    private final List<String> defects;
    private @Nullable VirtualProcess process;
    private Operator.@Nullable Running running;

    /** How the operator's process reaches the simulator. */
    interface Network {
        /** The way of a new operator process. */
        Transport way(VirtualProcess operator, Simulator simulator);
    }

    /** Straight, in no time. */
    static final Network STRAIGHT = (operator, simulator) -> simulator.transport(operator);

    VirtualPlace(VirtualWorld world, Supplier<Operator> description, Network network, String... defects) {
        this.world = world;
        this.description = description;
        this.network = network;
        this.defects = List.of(defects);
        this.server = world.process("api-server");
        this.simulator = Simulator.on(server).build();
        this.user = simulator.transport(world.process("user"));
        send(
                "POST",
                "/api/v1/namespaces",
                "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"play\"}}");
    }

    VirtualWorld world() {
        return world;
    }

    VirtualProcess server() {
        return server;
    }

    Simulator simulator() {
        return simulator;
    }

    @Override
    public String namespace() {
        return "play";
    }

    @Override
    public void startOperator() {
        VirtualProcess machine = world.process("operator");
        defects.forEach(machine::plant);
        process = machine;
        running = description.get().start(machine, network.way(machine, simulator));
    }

    @Override
    public void crashOperator() {
        VirtualProcess machine = process;
        if (machine != null) {
            machine.crash();
        }
    }

    /** Whether the operator's process is there and has not crashed. */
    boolean operatorLives() {
        VirtualProcess machine = process;
        return machine != null && !machine.isCrashed();
    }

    VirtualProcess operatorProcess() {
        if (process == null) {
            throw new IllegalStateException("no operator was started");
        }
        return process;
    }

    @Override
    public boolean stopOperator() {
        Operator.Running stopping = running;
        if (stopping == null) {
            throw new IllegalStateException("no operator was started");
        }
        return answer(stopping.stop().toCompletableFuture());
    }

    @Override
    public long operatorRequests() {
        return simulator.requests().stream()
                .filter(request -> request.userAgent().startsWith("memcached-operator"))
                .filter(request ->
                        !request.verb().equals("watch") && !request.path().equals("/livez"))
                .count();
    }

    List<RequestRecord> requests() {
        return simulator.requests();
    }

    @Override
    public void apply(String object) {
        Tree tree = Tree.parse(object);
        send(
                "PATCH",
                path(tree.text("apiVersion"), tree.text("kind"), tree.name()) + "?fieldManager=user&force=true",
                object,
                "application/apply-patch+yaml");
    }

    /** Installs a CustomResourceDefinition, YAML. */
    void installCrd(String name, String yaml) {
        send(
                "PATCH",
                "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/" + name + "?fieldManager=user&force=true",
                yaml,
                "application/apply-patch+yaml");
    }

    @Override
    public Optional<Tree> find(String apiVersion, String kind, String name) {
        HttpAnswer answer = exchange("GET", path(apiVersion, kind, name), "", "application/json");
        return answer.status() == 404 ? Optional.empty() : Optional.of(tree(answer));
    }

    @Override
    public List<Tree> list(String apiVersion, String kind) {
        return tree(exchange("GET", collection(apiVersion, kind), "", "application/json"))
                .list("items");
    }

    @Override
    public void patch(String apiVersion, String kind, String name, String patch) {
        send("PATCH", path(apiVersion, kind, name) + "?fieldManager=user", patch, "application/merge-patch+json");
    }

    @Override
    public void delete(String apiVersion, String kind, String name) {
        exchange(
                "DELETE",
                path(apiVersion, kind, name),
                "{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\",\"propagationPolicy\":\"Background\"}",
                "application/json");
    }

    @Override
    public void eventually(Polling.Assertion assertion) {
        Duration end = world.now().plus(CONVERGENCE_LIMIT);
        while (true) {
            try {
                assertion.check();
                return;
            } catch (AssertionError notYet) {
                if (world.now().compareTo(end) > 0) {
                    throw new AssertionError(
                            "seed " + world.seed() + ": not so after " + CONVERGENCE_LIMIT + " of virtual time: "
                                    + notYet.getMessage(),
                            notYet);
                }
            } catch (RuntimeException | Error broken) {
                throw broken;
            } catch (Exception broken) {
                throw new AssertionError(broken);
            }
            world.runFor(LOOK_EVERY);
        }
    }

    @Override
    public void letPass(Duration time) {
        world.runFor(time);
    }

    @Override
    public void close() {
        world.close();
    }

    private void send(String method, String target, String body) {
        send(method, target, body, "application/json");
    }

    private void send(String method, String target, String body, String contentType) {
        HttpAnswer answer = exchange(method, target, body, contentType);
        if (answer.status() / 100 != 2) {
            throw new AssertionError(method + " " + target + " was answered " + answer.status() + ": "
                    + tree(answer).text("message"));
        }
    }

    private HttpAnswer exchange(String method, String target, String body, String contentType) {
        Headers headers = Headers.of("User-Agent", "user").with("Accept", "application/json");
        if (!body.isEmpty()) {
            headers = headers.with("Content-Type", contentType);
        }
        HttpCall call =
                new HttpCall(method, target, headers, body.getBytes(StandardCharsets.UTF_8), HttpCall.Kind.REQUEST);
        return answer(user.send(call, 64 << 20).toCompletableFuture());
    }

    private <T> T answer(CompletableFuture<T> future) {
        world.runUntil(future::isDone, ANSWER_LIMIT);
        return future.join();
    }

    private String path(String apiVersion, String kind, String name) {
        return collection(apiVersion, kind) + "/" + name;
    }

    private String collection(String apiVersion, String kind) {
        return (apiVersion.contains("/") ? "/apis/" : "/api/") + apiVersion + "/namespaces/" + namespace() + "/"
                + PLURALS.get(kind);
    }

    private static Tree tree(HttpAnswer answer) {
        return Tree.parse(new String(answer.body(), StandardCharsets.UTF_8));
    }
}
