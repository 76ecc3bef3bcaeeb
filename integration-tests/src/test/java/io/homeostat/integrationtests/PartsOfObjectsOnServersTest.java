package io.homeostat.integrationtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.PartialObjectMetadata;
import io.homeostat.client.ApiClient;
import io.homeostat.client.ClusterConnection;
import io.homeostat.client.DroppedPaths;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.RawObject;
import io.homeostat.client.ResourceType;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.SystemRuntime;
import io.homeostat.core.Transport;
import io.homeostat.informer.SharedInformer;
import io.homeostat.informer.SharedInformers;
import io.homeostat.testkit.Backend;
import io.homeostat.testkit.Cluster;
import io.homeostat.testkit.OperatorTest;
import io.homeostat.testkit.Polling;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;

/** Caches without parts of their objects, and of metadata alone, against what servers really send. */
class PartsOfObjectsOnServersTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static final ResourceType<ConfigMap> TYPE = ResourceType.of(ConfigMap.class);
    private static final String ONLY_OURS = "app=parts";

    private static byte[] json(ObjectKey key, String text) {
        return ("{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"namespace\":\"" + key.namespace()
                        + "\",\"name\":\"" + key.name()
                        + "\",\"labels\":{\"app\":\"parts\"},\"annotations\":{\"note\":\"" + text
                        + "\"}},\"data\":{\"big\":\"" + text + "\",\"small\":\"s\"}}")
                .getBytes(StandardCharsets.UTF_8);
    }

    @OperatorTest(on = {Backend.SIMULATOR, Backend.REAL})
    void whatIsDroppedIsNeverSeenAndWhatIsAskedForIsMetadata(Cluster cluster) throws Exception {
        ObjectKey key = new ObjectKey(cluster.namespace(), "parts");
        try (EngineRuntime runtime = SystemRuntime.create();
                Transport transport = ClusterConnection.fromKubeconfig(cluster.kubeconfigFile())
                        .open(runtime)) {
            ApiClient client = ApiClient.over(runtime, transport, ApiClient.Settings.of("parts"));
            await(client.create(TYPE, key, json(key, "listed-text")));
            try (SharedInformers informers = SharedInformers.over(runtime, client)) {
                SharedInformer<ConfigMap> cut = informers
                        .dropping(DroppedPaths.of("data.big", "metadata.annotations.note"))
                        .informer(TYPE, key.namespace(), ONLY_OURS);
                SharedInformer<PartialObjectMetadata> metadata = informers
                        .dropping(DroppedPaths.of("metadata.annotations"))
                        .informer(TYPE.metadataOnly(), key.namespace(), ONLY_OURS);
                SharedInformer<ConfigMap> whole = informers.informer(TYPE, key.namespace(), ONLY_OURS);
                for (SharedInformer<?> each : List.of(cut, metadata, whole)) {
                    each.synced().toCompletableFuture().get(LIMIT.toSeconds(), TimeUnit.SECONDS);
                }
                check(key, cut, metadata, whole, "listed-text");
                RawObject written = await(client.update(TYPE, key, "", json(key, "written-text")));
                check(key, cut, metadata, whole, "written-text");
                for (SharedInformer<?> each : List.of(cut, metadata, whole)) {
                    Polling.eventually(LIMIT, () -> assertThat(each.state().resourceVersion())
                            .as("the echo in %s", each.state().name())
                            .isGreaterThanOrEqualTo(written.resourceVersion()));
                }
                check(key, cut, metadata, whole, "written-text");
                assertThat(raw(cut, key).fingerprint())
                        .isEqualTo(raw(whole, key).fingerprint())
                        .isEqualTo(written.fingerprint());
                PartialObjectMetadata alone =
                        await(client.get(TYPE.metadataOnly(), key)).decode(TYPE.metadataOnly());
                assertThat(alone.getKind()).isEqualTo("ConfigMap");
                assertThat(alone.getMetadata().getAnnotations()).containsEntry("note", "written-text");
            }
        }
    }

    private static <T> T await(CompletionStage<T> stage) throws Exception {
        return stage.toCompletableFuture().get(LIMIT.toSeconds(), TimeUnit.SECONDS);
    }

    private static RawObject raw(SharedInformer<? extends HasMetadata> informer, ObjectKey key) {
        return informer.snapshot().get(key).orElseThrow().raw();
    }

    private static String text(SharedInformer<? extends HasMetadata> informer, ObjectKey key) {
        return new String(raw(informer, key).bytes(), StandardCharsets.UTF_8);
    }

    private static void check(
            ObjectKey key,
            SharedInformer<ConfigMap> cut,
            SharedInformer<PartialObjectMetadata> metadata,
            SharedInformer<ConfigMap> whole,
            String text) {
        assertThat(text(cut, key)).doesNotContain("-text").contains("\"small\":\"s\"");
        assertThat(text(metadata, key))
                .startsWith("{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{")
                .doesNotContain("-text")
                .doesNotContain("\"data\"");
        assertThat(text(whole, key)).contains("\"big\":\"" + text + "\"").contains("\"note\":\"" + text + "\"");
        assertThat(metadata.snapshot().matching(ONLY_OURS)).hasSize(1);
    }
}
