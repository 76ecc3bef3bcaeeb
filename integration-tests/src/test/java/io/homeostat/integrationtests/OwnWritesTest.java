package io.homeostat.integrationtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.ConfigMapBuilder;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinition;
import io.homeostat.client.ApiClient;
import io.homeostat.client.ApiException;
import io.homeostat.client.BlockingApiClient;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.Query;
import io.homeostat.client.ResourceType;
import io.homeostat.core.Headers;
import io.homeostat.core.HttpCall;
import io.homeostat.core.Registration;
import io.homeostat.core.Task;
import io.homeostat.core.Transport;
import io.homeostat.examples.memcached.Memcached;
import io.homeostat.examples.memcached.MemcachedOperator;
import io.homeostat.informer.InformerState.Phase;
import io.homeostat.informer.OwnWrites;
import io.homeostat.informer.SharedInformer;
import io.homeostat.informer.SharedInformers;
import io.homeostat.simulator.RequestRecord;
import io.homeostat.simulator.Simulator;
import io.homeostat.virtualruntime.Faults;
import io.homeostat.virtualruntime.SeedFailed;
import io.homeostat.virtualruntime.VirtualNetwork;
import io.homeostat.virtualruntime.VirtualProcess;
import io.homeostat.virtualruntime.VirtualWorld;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * A process reads its own writes (P-C11, D10), verb by verb, over the whole stack: the blocking client, HTTP bytes, the simulator, and
 * a cache whose watch says nothing, is listed anew, goes back in time; with callers that are interrupted and answers that are lost.
 */
class OwnWritesTest {
    private static final String NAMESPACE = "default";
    private static final Duration LIMIT = Duration.ofMinutes(10);
    private static final String ALL = "";
    private static final String LEFT = OwnWrite.TIER + "=" + OwnWrite.OLD;
    private static final String ENTERED = OwnWrite.TIER + "=" + OwnWrite.NEW;

    private final VirtualWorld world = VirtualWorld.seeded(7);
    private final VirtualNetwork network = VirtualNetwork.in(world);
    private final VirtualNetwork slow = VirtualNetwork.in(world);
    private final VirtualProcess stranger = world.process("stranger");
    private final VirtualProcess operator = world.process("operator");
    private final ApiClient client = ApiClient.over(operator, way(), ApiClient.Settings.of("operator"));
    private final SharedInformers informers = SharedInformers.over(operator, client);
    private final Map<String, SharedInformer<Memcached>> caches = new LinkedHashMap<>();
    private final FoldingHandler<Memcached> handler = new FoldingHandler<>("operator");
    private Simulator simulator = server();
    private OwnWrite.Owners owners = new OwnWrite.Owners("", "");
    private boolean swallowing;

    @AfterEach
    void end() {
        world.close();
    }

    // ---- the world

    private Simulator server() {
        VirtualProcess process = world.process("server");
        Simulator made = Simulator.on(process).withoutWorkloads().build();
        network.listen("api", process, made.transport(process));
        slow.listen("api", process, made.transport(process));
        slow.faults(Faults.none().latency(Duration.ofSeconds(2), Duration.ofSeconds(2)));
        return made;
    }

    /** Lists go over a network that takes 2 s each way, so that a write fits between a list and its arrival. */
    private Transport way() {
        Transport fast = network.connect(operator, "api");
        Transport lists = slow.connect(operator, "api");
        return new Transport() {
            @Override
            public Exchange open(HttpCall call, AnswerListener listener) {
                if (swallowing && call.method().equals("DELETE")) {
                    return swallowed(listener);
                }
                boolean isList = call.target().contains("resourceVersionMatch=");
                return (isList ? lists : fast).open(call, listener);
            }

            @Override
            public void close() {
                fast.close();
                lists.close();
            }
        };
    }

    /** A proxy answers in the server's place, which hears nothing. */
    private Transport.Exchange swallowed(Transport.AnswerListener listener) {
        operator.lane("proxy").execute(() -> {
            listener.head(200, Headers.NONE);
            listener.end();
        });
        return new Transport.Exchange() {
            @Override
            public void demand(int chunks) {}

            @Override
            public void cancel() {}
        };
    }

    /** Runs {@code work} on a task of {@code process}; what it throws is thrown here. */
    private <T> T as(VirtualProcess process, ApiClient through, Function<BlockingApiClient, T> work) {
        List<T> done = new ArrayList<>();
        List<Throwable> thrown = new ArrayList<>();
        start(process, through, work, done, thrown);
        world.runUntil(() -> !done.isEmpty() || !thrown.isEmpty(), LIMIT);
        if (!thrown.isEmpty()) {
            throw new AssertionError(process.label() + ": " + thrown.get(0).getMessage(), thrown.get(0));
        }
        return done.get(0);
    }

    private static <T> Task start(
            VirtualProcess process,
            ApiClient through,
            Function<BlockingApiClient, T> work,
            List<T> done,
            List<Throwable> thrown) {
        return process.start("caller", () -> {
            try {
                done.add(work.apply(through.blocking()));
            } catch (RuntimeException | AssertionError e) {
                thrown.add(e);
            }
        });
    }

    private ApiClient strangers() {
        return ApiClient.over(stranger, simulator.transport(stranger), ApiClient.Settings.of("stranger"));
    }

    /** The object before the write, on the server there is now. */
    private OwnWrite.Owners prepared(OwnWrite write) {
        return as(stranger, strangers(), client -> {
            client.apply(
                    ResourceType.of(CustomResourceDefinition.class),
                    ObjectKey.clusterScoped("memcacheds.cache.example.com"),
                    new ApiClient.Apply("stranger", ApiClient.Apply.Force.YES),
                    MemcachedOperator.crd().getBytes(StandardCharsets.UTF_8));
            stranger.sleep(Duration.ofSeconds(1));
            return write.prepare(client, NAMESPACE);
        });
    }

    /** Brings the server's versions beyond those that the next one begins with. */
    private void raiseVersions() {
        as(stranger, strangers(), client -> {
            for (int i = 0; i < 100; i++) {
                bystander(client, i);
            }
            return client;
        });
    }

    private static void bystander(BlockingApiClient client, int value) {
        client.apply(
                new ConfigMapBuilder()
                        .withNewMetadata()
                        .withNamespace(NAMESPACE)
                        .withName("bystander")
                        .endMetadata()
                        .addToData("value", Integer.toString(value))
                        .build(),
                new ApiClient.Apply("stranger", ApiClient.Apply.Force.YES));
    }

    /** A cache of all, one whose selector the write may enter, and one whose selector it may leave, all complete. */
    private void begin(OwnWrite write) {
        owners = prepared(write);
        for (String selector : List.of(ALL, LEFT, ENTERED)) {
            SharedInformer<Memcached> informer = informers.informer(OwnWrite.TYPE, NAMESPACE, selector);
            caches.put(selector, informer);
            var built = informer.addIndex(OwnWrite.BY_SIZE).built();
            world.runUntil(
                    () -> informer.synced().toCompletableFuture().isDone()
                            && built.toCompletableFuture().isDone(),
                    LIMIT);
            write.checkBefore(informer.snapshot(), NAMESPACE, owners, selector);
        }
        cache().addHandler("operator", handler);
        // Everybody watches before a watch is made silent.
        world.runUntil(() -> caches.values().stream().allMatch(OwnWritesTest::isWatching), LIMIT);
    }

    private static boolean isWatching(SharedInformer<?> informer) {
        return informer.state().phase() == Phase.WATCHING;
    }

    private SharedInformer<Memcached> cache() {
        return Objects.requireNonNull(caches.get(ALL));
    }

    private void writeAndLook(OwnWrite write) {
        as(operator, client, blocking -> {
            write.write(blocking, NAMESPACE, owners);
            look(write); // on the writer's own thread, with nothing in between
            return write;
        });
    }

    private void look(OwnWrite write) {
        caches.forEach((selector, informer) -> write.checkAfter(informer.snapshot(), NAMESPACE, owners, selector));
    }

    private Registration silence() {
        Registration silence = simulator.faults().holdEvents(watch -> true);
        world.runFor(Duration.ofMillis(100));
        return silence;
    }

    private static boolean isOwnWrite(RequestRecord request) {
        return request.userAgent().startsWith("operator")
                && request.resource().startsWith("memcacheds")
                && !Set.of("get", "list", "watch").contains(request.verb());
    }

    private long ownWrites() {
        return simulator.requests().stream().filter(OwnWritesTest::isOwnWrite).count();
    }

    /** Nothing of the own write is left over, and cache, handler and server agree; reads still show what the write left. */
    private void settle(OwnWrite write) {
        List<Memcached> truth = as(stranger, strangers(), client -> client.list(OwnWrite.TYPE, Query.in(NAMESPACE)));
        CacheOracle<Memcached> oracle = new CacheOracle<>(cache(), () -> truth);
        List<String> wrong = new ArrayList<>();
        try {
            world.runUntil(
                    () -> {
                        wrong.clear();
                        wrong.addAll(oracle.wrong(oracle.truth(), Set.of(), List.of(handler)));
                        caches.values().forEach(informer -> {
                            if (OwnWrites.waitingIn(informer.snapshot()) > 0) {
                                wrong.add("own writes wait in " + informer.state());
                            }
                        });
                        try {
                            look(write);
                        } catch (AssertionError notYet) {
                            wrong.add(notYet.getMessage());
                        }
                        return wrong.isEmpty();
                    },
                    LIMIT);
        } catch (SeedFailed failed) {
            throw new AssertionError(String.join("\n", wrong), failed);
        }
    }

    // ---- what holds

    @ParameterizedTest
    @EnumSource
    void ownWriteIsSeenByEveryReadAtOnceWhileTheWatchIsSilent(OwnWrite write) {
        begin(write);
        var silence = silence();
        Map<String, String> told = handler.fold();
        long mark = simulator.requestCount();

        writeAndLook(write);

        assertThat(simulator.requestsSince(mark).stream().filter(OwnWritesTest::isOwnWrite))
                .hasSize(1);
        assertThat(simulator.requestsSince(mark).stream().map(RequestRecord::verb))
                .doesNotContain("list", "watch");
        world.runFor(Duration.ofSeconds(30));
        look(write);
        assertThat(handler.fold())
                .as("nobody is told before the server says so")
                .isEqualTo(told);
        silence.close();
        settle(write);
    }

    @ParameterizedTest
    @EnumSource
    void ownWriteIsSeenThroughoutARelistThatWasAnsweredBeforeIt(OwnWrite write) {
        begin(write);
        as(stranger, strangers(), client -> {
            bystander(client, 1);
            return client;
        });
        simulator.restart(); // every watch breaks, and none may resume from before that change
        world.runUntil(() -> lists(200) >= 3, LIMIT); // answered, and on the wire for 2 s
        var silence = silence();
        boolean[] written = {false};
        world.invariant(() -> {
            if (written[0]) {
                look(write);
            }
        });

        as(operator, client, blocking -> {
            write.write(blocking, NAMESPACE, owners);
            written[0] = true;
            return write;
        });

        assertThat(relists()).as("lists that have arrived").isEqualTo(caches.size());
        world.runUntil(() -> relists() == 2L * caches.size(), LIMIT);
        world.runFor(Duration.ofSeconds(30));
        silence.close();
        settle(write);
    }

    private long relists() {
        return caches.values().stream()
                .mapToLong(informer -> informer.state().relists())
                .sum();
    }

    private long lists(int status) {
        return simulator.requests().stream()
                .filter(request -> request.query().contains("resourceVersion=")
                        && request.query().contains("resourceVersionMatch=")
                        && request.status() == status)
                .count();
    }

    @ParameterizedTest
    @EnumSource
    void ownWriteIsSeenAfterVersionsWentBackThoughItsOwnIsLower(OwnWrite write) {
        raiseVersions();
        begin(write);
        restore(write);

        var silence = silence();
        writeAndLook(write);
        world.runFor(Duration.ofSeconds(30));
        look(write);
        silence.close();
        settle(write);
    }

    @ParameterizedTest
    @EnumSource
    void ownWriteThatARestoreTookBackIsShownNoMore(OwnWrite write) {
        raiseVersions();
        begin(write);
        var silence = silence();
        writeAndLook(write);

        restore(write);

        caches.forEach((selector, informer) -> {
            write.checkBefore(informer.snapshot(), NAMESPACE, owners, selector);
            assertThat(OwnWrites.waitingIn(informer.snapshot())).isZero();
        });
        silence.close();
    }

    /** Another server takes over, with the object as it was before the write, at versions below all that the caches know. */
    private void restore(OwnWrite write) {
        Simulator earlier = simulator;
        simulator = server();
        owners = prepared(write);
        handler.versionsMayGoBack();
        earlier.close();
        world.runUntil(
                () -> caches.values().stream()
                        .allMatch(informer -> informer.snapshot().epoch() == 1 && isWatching(informer)),
                LIMIT);
    }

    @ParameterizedTest
    @EnumSource
    void ownWriteOfAnInterruptedCallerIsSeenWhenItsAnswerArrives(OwnWrite write) {
        begin(write);
        var silence = silence();
        simulator.faults().on(OwnWritesTest::isOwnWrite).times(1).delay(Duration.ofSeconds(3));
        List<OwnWrite> done = new ArrayList<>();
        List<Throwable> thrown = new ArrayList<>();
        Task caller = start(
                operator,
                client,
                blocking -> {
                    write.write(blocking, NAMESPACE, owners);
                    return write;
                },
                done,
                thrown);
        world.runUntil(() -> ownWrites() == 1, LIMIT);
        caller.interrupt();
        world.runUntil(() -> !done.isEmpty() || !thrown.isEmpty(), Duration.ofSeconds(1));

        assertThat(thrown).singleElement().isInstanceOf(ApiException.OutcomeUnknown.class);
        caches.forEach((selector, informer) -> write.checkBefore(informer.snapshot(), NAMESPACE, owners, selector));
        world.runFor(Duration.ofSeconds(5));
        look(write);
        assertThat(ownWrites()).isEqualTo(1);
        silence.close();
        settle(write);
    }

    @ParameterizedTest
    @EnumSource
    void ownWriteWhoseAnswerIsLostIsOpenThenSeenByAGetAndNothingIsDoubledOrLeftOver(OwnWrite write) {
        begin(write);
        var silence = silence();
        simulator.faults().on(OwnWritesTest::isOwnWrite).times(1).loseAnswer();
        List<OwnWrite> done = new ArrayList<>();
        List<Throwable> thrown = new ArrayList<>();
        start(
                operator,
                client,
                blocking -> {
                    write.write(blocking, NAMESPACE, owners);
                    return write;
                },
                done,
                thrown);
        world.runUntil(() -> !done.isEmpty() || !thrown.isEmpty(), LIMIT);

        assertThat(thrown).singleElement().isInstanceOf(ApiException.OutcomeUnknown.class);
        caches.forEach((selector, informer) -> write.checkBefore(informer.snapshot(), NAMESPACE, owners, selector));
        boolean there = as(operator, client, blocking -> blocking.get(OwnWrite.TYPE, OwnWrite.key(NAMESPACE))
                .isPresent());
        assertThat(there).isEqualTo(write != OwnWrite.DELETE);
        assertThat(ownWrites()).isEqualTo(1);
        silence.close();
        settle(write);
        assertThat(ownWrites()).isEqualTo(1);
    }

    @Test
    void deleteThatAProxyAnsweredAndNeverPassedOnHidesNothing() {
        begin(OwnWrite.DELETE);
        String uid = cache().snapshot().list().get(0).raw().uid();
        world.invariant(() -> caches.forEach(
                (selector, informer) -> OwnWrite.DELETE.checkBefore(informer.snapshot(), NAMESPACE, owners, selector)));
        swallowing = true;

        for (ApiClient.Delete how : List.of(ApiClient.Delete.ANY, ApiClient.Delete.of(uid))) {
            ApiException thrown = as(operator, client, blocking -> {
                try {
                    blocking.delete(OwnWrite.TYPE, OwnWrite.key(NAMESPACE), how);
                    throw new AssertionError("a delete that nobody did was taken for done");
                } catch (ApiException open) {
                    return open;
                }
            });
            assertThat(thrown).isInstanceOf(ApiException.OutcomeUnknown.class);
            world.runFor(Duration.ofMinutes(5));
        }
        assertThat(ownWrites()).isZero();
    }
}
