package io.homeostat.informer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.ConfigMapBuilder;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.PartialObjectMetadata;
import io.homeostat.client.ApiClient;
import io.homeostat.client.DroppedPaths;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.RawObject;
import io.homeostat.client.ResourceType;
import io.homeostat.client.Write;
import io.homeostat.client.WriteObserver;
import io.homeostat.simulator.Simulator;
import io.homeostat.virtualruntime.VirtualProcess;
import io.homeostat.virtualruntime.VirtualWorld;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Caches that do without parts of their objects (D31), and those of metadata alone. */
class PartsOfObjectsTest {
    private static final ResourceType<ConfigMap> TYPE = ResourceType.of(ConfigMap.class);
    private static final ObjectKey KEY = new ObjectKey("default", "a");
    private static final DroppedPaths BIG = DroppedPaths.of("data.big", "metadata.annotations");

    private final VirtualWorld world = VirtualWorld.seeded(31);
    private final VirtualProcess server = world.process("server");
    private final Simulator simulator = Simulator.on(server).withoutWorkloads().build();
    private final VirtualProcess process = world.process("operator");
    private final ApiClient client =
            ApiClient.over(process, simulator.transport(process), ApiClient.Settings.of("operator"));
    private final ApiClient strangers =
            ApiClient.over(server, simulator.transport(server), ApiClient.Settings.of("stranger"));
    private final SharedInformers informers = SharedInformers.over(process, client);
    private WriteObserver.@Nullable Done later;

    @AfterEach
    void end() {
        world.close();
    }

    private static byte[] json(String big, String small) {
        return ("{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"namespace\":\"default\",\"name\":\"a\","
                        + "\"labels\":{\"app\":\"x\"},\"annotations\":{\"n\":\"big\"}},\"data\":{\"big\":\"" + big
                        + "\",\"small\":\"" + small + "\"}}")
                .getBytes(StandardCharsets.UTF_8);
    }

    private <T> T done(CompletionStage<T> stage) {
        world.runUntil(() -> stage.toCompletableFuture().isDone(), Duration.ofSeconds(10));
        return stage.toCompletableFuture().join();
    }

    private <T extends HasMetadata> SharedInformer<T> synced(SharedInformer<T> informer) {
        world.runUntil(() -> informer.state().phase() == InformerState.Phase.WATCHING, Duration.ofSeconds(10));
        return informer;
    }

    /** A write that no watch here tells of: made elsewhere, where versions are far ahead. */
    private WriteObserver.Done writtenLater() {
        if (later == null) {
            VirtualProcess away = world.process("away");
            Simulator elsewhere = Simulator.on(away).withoutWorkloads().build();
            ApiClient there = ApiClient.over(away, elsewhere.transport(away), ApiClient.Settings.of("away"));
            RawObject made = done(there.create(TYPE, KEY, json("later-big", "0")));
            for (int i = 1; i < 20; i++) {
                made = done(there.update(TYPE, KEY, "", json("later-big", "" + i)));
            }
            later = new WriteObserver.Done(new Write(Write.Verb.UPDATE, TYPE, KEY, ""), made, made.uid());
        }
        return later;
    }

    private static String text(SharedInformer<?> informer) {
        return new String(informer.snapshot().list().get(0).raw().bytes(), StandardCharsets.UTF_8);
    }

    @Test
    void listedWatchedAndWrittenObjectsLackTheSame() {
        done(strangers.create(TYPE, KEY, json("listed-big", "1")));
        SharedInformer<ConfigMap> informer = synced(informers.dropping(BIG).informer(TYPE, "default"));
        List<String> seen = new ArrayList<>();
        seen.add(text(informer));
        done(strangers.update(TYPE, KEY, "", json("watched-big", "2")));
        world.runFor(Duration.ofSeconds(1));
        seen.add(text(informer));
        RawObject answer = done(client.update(TYPE, KEY, "", json("written-big", "3")));
        assertThat(new String(answer.bytes(), StandardCharsets.UTF_8)).contains("written-big");
        world.runFor(Duration.ofSeconds(1));
        seen.add(text(informer));
        part(informer).informer().written(writtenLater());
        assertThat(((View<ConfigMap>) informer.snapshot()).state().overlay().get(KEY))
                .as("an own write whose echo is still to come")
                .isNotNull();
        seen.add(text(informer));
        assertThat(seen).allSatisfy(one -> assertThat(one).doesNotContain("big").contains("small"));
        assertThat(informer.snapshot().list().get(0).raw().fingerprint())
                .as("of the whole object")
                .isNotEqualTo(answer.fingerprint())
                .isEqualTo(Objects.requireNonNull(writtenLater().object()).fingerprint());
        assertThat(informer.snapshot().list().get(0).raw().labels()).containsEntry("app", "x");
    }

    @Test
    void aChangeOfOnlyADroppedPartIsTold() {
        done(strangers.create(TYPE, KEY, json("one", "1")));
        SharedInformer<ConfigMap> informer = synced(informers.dropping(BIG).informer(TYPE, "default"));
        Recording recording = new Recording();
        informer.addHandler("recording", recording);
        world.runFor(Duration.ofSeconds(1));
        long before = informer.snapshot().list().get(0).raw().fingerprint();
        int told = recording.steps.size();
        done(strangers.update(TYPE, KEY, "", json("two", "1")));
        world.runFor(Duration.ofSeconds(1));
        assertThat(recording.steps).hasSizeGreaterThan(told);
        assertThat(informer.snapshot().list().get(0).raw().fingerprint())
                .as("who repairs what somebody changed must notice")
                .isNotEqualTo(before);
    }

    @Test
    void cachesAreTheSameWhenTheyLackTheSame() {
        InformerRegistry.Part<ConfigMap> whole = part(informers.informer(TYPE, "default"));
        InformerRegistry.Part<ConfigMap> one = part(informers.dropping(BIG).informer(TYPE, "default"));
        InformerRegistry.Part<ConfigMap> same = part(informers
                .dropping(DroppedPaths.of("metadata.annotations"))
                .dropping(DroppedPaths.of("data['big']"))
                .informer(TYPE, "default"));
        InformerRegistry.Part<ConfigMap> other =
                part(informers.dropping(DroppedPaths.of("data.big")).informer(TYPE, "default"));
        InformerRegistry.Part<PartialObjectMetadata> metadata =
                part(informers.informer(TYPE.metadataOnly(), "default"));
        assertThat(one.informer()).isSameAs(same.informer());
        assertThat(List.of(whole.informer(), one.informer(), other.informer(), metadata.informer()))
                .doesNotHaveDuplicates();
        assertThat(informers.states())
                .extracting(InformerState::name)
                .doesNotHaveDuplicates()
                .hasSize(4);
    }

    @SuppressWarnings("unchecked") // every informer of one namespace is a part
    private static <T extends HasMetadata> InformerRegistry.Part<T> part(SharedInformer<T> informer) {
        return (InformerRegistry.Part<T>) informer;
    }

    @Test
    void anObjectThatLacksSomethingIsNotWrittenAsAWhole() {
        done(strangers.create(TYPE, KEY, json("one", "1")));
        SharedInformer<ConfigMap> informer = synced(informers.dropping(BIG).informer(TYPE, "default"));
        ConfigMap changed = new ConfigMapBuilder(
                        informer.snapshot().get(KEY).orElseThrow().copy())
                .addToData("small", "2")
                .build();
        assertThatThrownBy(() -> client.encode(changed))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith(
                        "Cannot write ConfigMap a as a whole: it comes from a cache that dropped data.big, metadata.annotations,");
        ConfigMap live = done(client.get(TYPE, KEY)).decode(TYPE);
        assertThat(client.encode(live)).asString(StandardCharsets.UTF_8).contains("\"big\":\"one\"");
    }

    @Test
    void aCacheOfMetadataAsksForMetadataAndShowsOwnWritesSo() {
        done(strangers.create(TYPE, KEY, json("listed-big", "1")));
        SharedInformer<PartialObjectMetadata> informer =
                synced(informers.informer(TYPE.metadataOnly(), "default", "app=x"));
        List<String> seen = new ArrayList<>();
        seen.add(text(informer));
        done(strangers.update(TYPE, KEY, "", json("watched-big", "2")));
        world.runFor(Duration.ofSeconds(1));
        seen.add(text(informer));
        done(client.update(TYPE, KEY, "", json("written-big", "3")));
        seen.add(text(informer));
        world.runFor(Duration.ofSeconds(1));
        seen.add(text(informer));
        part(informer).informer().written(writtenLater());
        seen.add(text(informer));
        assertThat(seen).allSatisfy(one -> assertThat(one)
                .doesNotContain("\"data\"")
                .startsWith("{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{")
                .contains("\"annotations\""));
        CachedObject<PartialObjectMetadata> cached =
                informer.snapshot().get(KEY).orElseThrow();
        assertThat(cached.object().getKind()).isEqualTo("ConfigMap");
        assertThat(cached.object().getMetadata().getLabels()).containsEntry("app", "x");
        assertThat(informer.snapshot().matching("app=x")).hasSize(1);
    }
}
