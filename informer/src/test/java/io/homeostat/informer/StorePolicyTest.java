package io.homeostat.informer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.homeostat.client.ApiClient;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.Query;
import io.homeostat.client.RawObject;
import io.homeostat.client.ResourceType;
import io.homeostat.simulator.Simulator;
import io.homeostat.virtualruntime.VirtualProcess;
import io.homeostat.virtualruntime.VirtualWorld;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletionStage;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What is kept of an object is nobody's business but the store's. */
class StorePolicyTest {
    private static final ResourceType<ConfigMap> TYPE = ResourceType.of(ConfigMap.class);
    private static final ResourceType<GenericKubernetesResource> DYNAMIC =
            ResourceType.dynamic("", "v1", "configmaps", "ConfigMap", ResourceType.Scope.NAMESPACED);

    private final VirtualWorld world = VirtualWorld.seeded(5);
    private final Simulator simulator =
            Simulator.on(world.process("server")).withoutWorkloads().build();
    private final VirtualProcess process = world.process("operator");
    private final ApiClient client =
            ApiClient.over(process, simulator.transport(process), ApiClient.Settings.of("operator"));
    private final VirtualProcess stranger = world.process("stranger");
    private final ApiClient strangers =
            ApiClient.over(stranger, simulator.transport(stranger), ApiClient.Settings.of("stranger"));
    private final SharedInformers informers = SharedInformers.over(process, client);

    @AfterEach
    void end() {
        world.close();
    }

    private static ObjectKey key(int number) {
        return new ObjectKey("default", "map-" + number);
    }

    private static byte[] json(int number, String data) {
        return ("{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"namespace\":\"default\",\"name\":\"map-"
                        + number
                        + "\",\"labels\":{\"app\":\"a" + number % 3 + "\"}},\"data\":{\"text\":" + data
                        + ",\"more\":\"" + "the same in all of them, ".repeat(20)
                        + "\"},\"unknown\":{\"to\":[\"us\"]}}")
                .getBytes(StandardCharsets.UTF_8);
    }

    private <T> T done(CompletionStage<T> stage) {
        world.runUntil(() -> stage.toCompletableFuture().isDone(), Duration.ofSeconds(10));
        return stage.toCompletableFuture().join();
    }

    private SharedInformer<ConfigMap> synced(StorePolicy policy) {
        informers.store(TYPE, policy);
        SharedInformer<ConfigMap> informer = informers.informer(TYPE, "default");
        world.runUntil(() -> informer.state().phase() == InformerState.Phase.WATCHING, Duration.ofSeconds(10));
        return informer;
    }

    private void fill(int count) {
        for (int i = 0; i < count; i++) {
            done(strangers.create(TYPE, key(i), json(i, "\"t" + i + "\"")));
        }
    }

    @ParameterizedTest
    @EnumSource
    void readersAndIndexesSeeWhatTheServerHas(StorePolicy policy) {
        fill(20);
        SharedInformer<ConfigMap> informer = synced(policy);
        Index<ConfigMap> byText =
                Index.ofObject("text", map -> List.of(map.getData().get("text")));
        informer.addIndex(byText);
        for (int i = 20; i < 40; i++) {
            done(strangers.create(TYPE, key(i), json(i, "\"t" + i + "\"")));
        }
        done(strangers.update(TYPE, key(3), "", json(3, "\"t39\"")));
        world.runFor(Duration.ofSeconds(1));
        Snapshot<ConfigMap> snapshot = informer.snapshot();
        assertThat(snapshot.list()).hasSize(40);
        for (CachedObject<ConfigMap> object : snapshot.list()) {
            RawObject there = done(strangers.get(TYPE, object.key()));
            assertThat(Indexer.sameContents(object.raw().bytes(), there.bytes()))
                    .as(object.toString())
                    .isTrue();
            assertThat(object.raw().fingerprint()).isEqualTo(there.fingerprint());
            assertThat(object.object()).isEqualTo(there.decode(TYPE));
        }
        assertThat(snapshot.indexed(byText, "t39").objects())
                .extracting(object -> object.key().name())
                .containsExactly("map-3", "map-39");
        assertThat(snapshot.matching("app=a1")).hasSize(13);
    }

    @ParameterizedTest
    @EnumSource
    void aListOfWhatIsThereAlreadyTellsNobody(StorePolicy policy) {
        fill(10);
        Indexer indexer = new Indexer(Criteria.of(Selection.all()), new Keeper(policy), defect -> false);
        assertThat(listed(indexer)).hasSize(10);
        List<RawObject> before = indexer.state().base().entries().toList();
        assertThat(listed(indexer)).isEmpty();
        assertThat(indexer.state().base().entries().toList())
                .usingElementComparator((one, other) -> one == other ? 0 : 1)
                .as("nor is it stored anew")
                .isEqualTo(before);
        done(strangers.update(TYPE, key(3), "", json(3, "\"other\"")));
        assertThat(listed(indexer)).singleElement().isInstanceOf(Change.Updated.class);
    }

    private List<Change> listed(Indexer indexer) {
        SortedTree<ObjectKey, RawObject> items = Indexer.nothing();
        long newest = 0;
        for (RawObject item : done(strangers.listAll(TYPE, Query.in("default")))) {
            items = items.with(indexer.same(item));
            newest = Math.max(newest, Long.parseLong(item.resourceVersion()));
        }
        Indexer.Replacement replacement = indexer.replace(new Indexer.Replaced(
                items, Long.toString(newest), Indexer.Replaced.Freshness.CONSISTENT, List.of(), 0));
        assertThat(replacement.advance(() -> false)).isTrue();
        return replacement.changes();
    }

    @ParameterizedTest
    @EnumSource
    void aCopyIsTheCallersOwnAndTheObjectIsSharedOnlyWhereItIsKept(StorePolicy policy) {
        fill(1);
        SharedInformer<ConfigMap> informer = synced(policy);
        CachedObject<ConfigMap> first = informer.snapshot().get(key(0)).orElseThrow();
        CachedObject<ConfigMap> second = informer.snapshot().get(key(0)).orElseThrow();
        assertThat(first.object()).isSameAs(first.object()).isEqualTo(second.object());
        if (policy == StorePolicy.DECODED) {
            assertThat(second.object()).isSameAs(first.object());
        } else {
            assertThat(second.object()).isNotSameAs(first.object());
        }
        ConfigMap copy = second.copy();
        copy.getData().clear();
        assertThat(second.copy()).isNotSameAs(copy).isEqualTo(first.object());
        SharedInformer<GenericKubernetesResource> dynamic = informers.informer(DYNAMIC, "default");
        assertThat(dynamic.snapshot()
                        .get(key(0))
                        .orElseThrow()
                        .object()
                        .getMetadata()
                        .getName())
                .isEqualTo("map-0");
        assertThat(informer.snapshot().get(key(0)).orElseThrow().object())
                .as("the first class that it was read as is kept")
                .isEqualTo(first.object());
    }

    @Test
    void howACacheStoresIsSaidBeforeItIsThere() {
        SharedInformer<ConfigMap> informer = synced(StorePolicy.COMPACT);
        assertThatThrownBy(() -> informers.store(DYNAMIC, StorePolicy.DECODED))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("configmaps")
                .hasMessageContaining("before the first");
        informer.close();
        informers.store(TYPE, StorePolicy.LAZY);
    }
}
