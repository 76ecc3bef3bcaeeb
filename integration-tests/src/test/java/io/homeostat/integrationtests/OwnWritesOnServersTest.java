package io.homeostat.integrationtests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.homeostat.client.ApiClient;
import io.homeostat.client.ApiException;
import io.homeostat.client.BlockingApiClient;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.SystemRuntime;
import io.homeostat.core.Task;
import io.homeostat.core.Transport;
import io.homeostat.examples.memcached.Memcached;
import io.homeostat.examples.memcached.MemcachedOperator;
import io.homeostat.informer.OwnWrites;
import io.homeostat.informer.SharedInformer;
import io.homeostat.informer.SharedInformers;
import io.homeostat.testkit.Backend;
import io.homeostat.testkit.Cluster;
import io.homeostat.testkit.FaultPlan;
import io.homeostat.testkit.FaultProxy;
import io.homeostat.testkit.OperatorTest;
import io.homeostat.testkit.Polling;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;

/**
 * What {@link OwnWritesTest} says of the simulator on virtual time, over sockets and on a real kube-apiserver: what the answer to each
 * verb holds there decides what a cache can show.
 */
@Tag("jdk-independent") // what a server answers to writes; on each JDK OwnWritesTest and CacheUnderFireTest do the rest
@OperatorTest(on = {Backend.SIMULATOR, Backend.REAL})
class OwnWritesOnServersTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static final String ANY_WRITE = "create memcacheds %1$s; update memcacheds %1$s; patch memcacheds %1$s;"
            + " update memcacheds/status %1$s; delete memcacheds %1$s";

    /** One object, and an operator's caches behind a proxy that silences their watches. */
    private static final class Stage implements AutoCloseable {
        private final Cluster cluster;
        private final OwnWrite write;
        private final FaultProxy proxy;
        private final EngineRuntime runtime = SystemRuntime.create();
        private final Transport transport;
        private final ApiClient client;
        private final SharedInformers informers;
        private final Map<String, SharedInformer<Memcached>> caches = new LinkedHashMap<>();
        private final OwnWrite.Owners owners;

        /**
         * A stage.
         *
         * @param fault what happens to the write, as in a plan; {@code ""} for nothing
         */
        Stage(Cluster cluster, OwnWrite write, String fault) throws Exception {
            this.cluster = cluster;
            this.write = write;
            // Behind the initial events and their bookmark the watches fall silent.
            String silence = Stream.of("!tier", OwnWrite.OLD, OwnWrite.NEW)
                    .map(query -> "watch memcacheds ?" + query + " frame " + (2 + objects(query)) + "-: silence")
                    .collect(Collectors.joining("; "));
            this.proxy = FaultProxy.before(
                    cluster,
                    FaultPlan.parse("seed=1; " + silence + (fault.isEmpty() ? "" : "; " + ANY_WRITE.formatted(fault))));
            this.transport = CacheUnderFire.connection(proxy.kubeconfig()).open(runtime);
            this.client = ApiClient.over(runtime, transport, ApiClient.Settings.of("own-writes"));
            this.informers = SharedInformers.over(runtime, client);
            this.owners = straight(straight -> write.prepare(straight, cluster.namespace()));
            for (String selector : List.of("", "tier=" + OwnWrite.OLD, "tier=" + OwnWrite.NEW)) {
                SharedInformer<Memcached> informer = informers.informer(OwnWrite.TYPE, cluster.namespace(), selector);
                caches.put(selector, informer);
                CompletableFuture<Void> built =
                        informer.addIndex(OwnWrite.BY_SIZE).built().toCompletableFuture();
                informer.synced().toCompletableFuture().get(60, TimeUnit.SECONDS);
                built.get(60, TimeUnit.SECONDS);
            }
            lookBefore();
        }

        /** How many objects the cache with that selector begins with. */
        private int objects(String selector) {
            return write == OwnWrite.CREATE || selector.equals(OwnWrite.NEW) ? 0 : 1;
        }

        /** How many own writes have reached the proxy. */
        int writes() {
            return Stream.of("create", "update", "patch", "delete")
                    .mapToInt(verb -> proxy.requests(verb, "memcacheds") + proxy.requests(verb, "memcacheds/status"))
                    .sum();
        }

        /** Somebody else's client, past the proxy. */
        private <T> T straight(Function<BlockingApiClient, T> work) {
            Transport way = CacheUnderFire.connection(cluster.kubeconfig()).open(runtime);
            try {
                return work.apply(ApiClient.over(runtime, way, ApiClient.Settings.of("stranger"))
                        .blocking());
            } finally {
                way.close();
            }
        }

        void write() {
            write.write(client.blocking(), cluster.namespace(), owners);
        }

        void look() {
            caches.forEach((selector, informer) ->
                    write.checkAfter(informer.snapshot(), cluster.namespace(), owners, selector));
        }

        void lookBefore() {
            caches.forEach((selector, informer) ->
                    write.checkBefore(informer.snapshot(), cluster.namespace(), owners, selector));
        }

        /** The watches are back: nothing is left over, and reads still show what the write left. */
        void settle() {
            proxy.follow(FaultPlan.none());
            proxy.resetConnections();
            Polling.eventually(LIMIT, () -> {
                look();
                caches.values().forEach(informer -> assertThat(OwnWrites.waitingIn(informer.snapshot()))
                        .as(() -> "own writes that wait in " + informer.state() + "\n" + proxy)
                        .isZero());
            });
            if (write == OwnWrite.DELETE_HELD_BY_A_FINALIZER) {
                straight(straight -> {
                    OwnWrite.letGo(straight, cluster.namespace());
                    return straight;
                });
            } else if (write != OwnWrite.DELETE) {
                straight(straight ->
                        straight.delete(OwnWrite.TYPE, OwnWrite.key(cluster.namespace()), ApiClient.Delete.ANY));
            }
        }

        @Override
        public void close() {
            informers.close();
            transport.close();
            proxy.close();
            runtime.close();
        }
    }

    @OperatorTest
    void ownWriteIsSeenByEveryReadAtOnceWhileTheWatchIsSilent(Cluster cluster) throws Exception {
        cluster.applyYaml(MemcachedOperator.crd());
        for (OwnWrite write : OwnWrite.values()) {
            try (Stage stage = new Stage(cluster, write, "")) {
                stage.write();
                stage.look();
                stage.settle();
            }
        }
    }

    @OperatorTest
    void ownWriteOfAnInterruptedCallerIsSeenWhenItsAnswerArrives(Cluster cluster) throws Exception {
        cluster.applyYaml(MemcachedOperator.crd());
        for (OwnWrite write : OwnWrite.values()) {
            try (Stage stage = new Stage(cluster, write, "answer: delay 400ms")) {
                CompletableFuture<Throwable> thrown = new CompletableFuture<>();
                Task caller = stage.runtime.start("caller", () -> {
                    try {
                        stage.write();
                        thrown.complete(new AssertionError("nobody interrupted it"));
                    } catch (ApiException e) {
                        thrown.complete(e);
                    }
                });
                Polling.eventually(LIMIT, () -> assertThat(stage.writes()).isEqualTo(1));
                caller.interrupt();
                assertThat(thrown.get(60, TimeUnit.SECONDS)).isInstanceOf(ApiException.OutcomeUnknown.class);
                Polling.eventually(LIMIT, stage::look);
                stage.settle();
            }
        }
    }

    @OperatorTest
    void ownWriteWhoseAnswerIsLostIsOpenThenSeenByAGetAndNothingIsDoubledOrLeftOver(Cluster cluster) throws Exception {
        cluster.applyYaml(MemcachedOperator.crd());
        for (OwnWrite write : OwnWrite.values()) {
            try (Stage stage = new Stage(cluster, write, "answer: reset")) {
                assertThatThrownBy(stage::write).as(write.name()).isInstanceOf(ApiException.OutcomeUnknown.class);
                stage.lookBefore();
                assertThat(stage.client
                                .blocking()
                                .get(OwnWrite.TYPE, OwnWrite.key(cluster.namespace()))
                                .isPresent())
                        .isEqualTo(write != OwnWrite.DELETE);
                assertThat(stage.writes()).as(stage.proxy::toString).isEqualTo(1);
                stage.settle();
            }
        }
    }
}
