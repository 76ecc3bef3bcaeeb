package io.homeostat.client;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.apps.Deployment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** The wire format on what a real server sent. */
class WireFormatSamplesTest {
    private static final JsonMapper JACKSON = JsonMapper.builder().build();
    private static final ResourceType<Pod> PODS = ResourceType.of(Pod.class);
    private static final ResourceType<Deployment> DEPLOYMENTS = ResourceType.of(Deployment.class);
    private static final ResourceType<GenericKubernetesResource> WIDGETS =
            ResourceType.dynamic("example.com", "v1", "widgets", "Widget", ResourceType.Scope.NAMESPACED);

    private final WireFormat format = WireFormat.json();

    private List<RawObject> list(ResourceType<?> type, byte[] json) {
        ListReader reader = format.list(type);
        List<RawObject> objects = new ArrayList<>();
        for (ListItem item : reader.read(json)) {
            objects.add(((ListItem.Scanned) item).object());
        }
        assertThat(reader.end().count()).isEqualTo(objects.size());
        return objects;
    }

    private List<WatchFrame> watch(ResourceType<?> type, byte[] json) {
        FrameReader reader = format.watch(type);
        List<WatchFrame> frames = reader.read(json);
        assertThat(reader.unfinished()).isNull();
        return frames;
    }

    private static void assertSameButManagedFields(RawObject object, JsonNode sent, ResourceType<?> type) {
        ObjectNode expected = (ObjectNode) sent.deepCopy();
        assertThat(((ObjectNode) expected.get("metadata")).remove("managedFields"))
                .isNotNull();
        expected.put("kind", type.kind()).put("apiVersion", type.apiVersion());
        assertThat(JACKSON.readTree(object.bytes())).isEqualTo(expected);
        JsonNode metadata = sent.get("metadata");
        assertThat(object.uid()).isEqualTo(metadata.get("uid").stringValue());
        assertThat(object.resourceVersion())
                .isEqualTo(metadata.get("resourceVersion").stringValue());
        assertThat(object.generation()).isEqualTo(metadata.path("generation").asLong(0));
        assertThat(object.creationTimestamp())
                .isEqualTo(metadata.get("creationTimestamp").stringValue());
    }

    @Test
    void podsOfAListAreWholeButForManagedFields() {
        byte[] json = Samples.read("pods-list.json");
        List<RawObject> pods = list(PODS, json);
        JsonNode items = JACKSON.readTree(json).get("items");
        assertThat(pods).hasSize(3);
        for (int i = 0; i < 3; i++) {
            assertSameButManagedFields(pods.get(i), items.get(i), PODS);
            assertThat(pods.get(i).owners()).singleElement().satisfies(owner -> assertThat(
                            owner.kind() + owner.controller())
                    .isEqualTo("ReplicaSettrue"));
            assertThat(pods.get(i).labels()).containsEntry("team", "checkout").hasSize(7);
            // Equal strings are one string.
            assertThat(pods.get(i).labels().get("team"))
                    .isSameAs(pods.get(0).labels().get("team"));
            assertThat(pods.get(i).key().namespace()).isSameAs(pods.get(0).key().namespace());
            Pod pod = pods.get(i).decode(PODS);
            assertThat(pod.getKind() + pod.getApiVersion()).isEqualTo("Podv1");
            assertThat(pod.getMetadata().getAnnotations())
                    .containsEntry("note", "Grüße aus \"Köln\" \\ 𝄞 <b>&amp;</b>");
            assertThat(pod.getSpec().getContainers()).hasSize(2);
        }
    }

    @Test
    void aListAndAWatchGiveTheSameObjects() throws Exception {
        List<RawObject> listed = list(PODS, Samples.read("pods-list.json"));
        List<WatchFrame> frames =
                watch(PODS, MemberInflater.inflate(Samples.read("pods-watchlist.json.gz"), 10_000_000));
        assertThat(frames).hasSize(4);
        for (int i = 0; i < 3; i++) {
            RawObject watched = ((WatchFrame.Event) frames.get(i)).object();
            RawObject same = listed.stream()
                    .filter(object -> object.key().equals(watched.key()))
                    .findFirst()
                    .orElseThrow();
            assertThat(watched.bytes()).isEqualTo(same.bytes());
            assertThat(watched.fingerprint()).isEqualTo(same.fingerprint());
        }
        assertThat(((WatchFrame.Bookmark) frames.get(3)).initialEventsEnd()).isTrue();
    }

    @Test
    void aWatchOfDeploymentsIsUpdatedDeletedAndBookmarked() {
        List<WatchFrame> frames = watch(DEPLOYMENTS, Samples.read("deployments-watch.json"));
        assertThat(frames).hasSize(3);
        RawObject before = ((WatchFrame.Event) frames.get(0)).object();
        RawObject last = ((WatchFrame.Event) frames.get(1)).object();
        assertThat(((WatchFrame.Event) frames.get(1)).kind()).isEqualTo(WatchFrame.Kind.DELETED);
        assertThat(ResourceVersions.compare(before.resourceVersion(), last.resourceVersion()))
                .isNegative();
        assertThat(frames.get(2)).isInstanceOf(WatchFrame.Bookmark.class);
    }

    @Test
    void indentedAnswersScanLikeCompactOnes() {
        byte[] json = Samples.read("deployment-pretty.json");
        RawObject deployment = format.object(DEPLOYMENTS, json);
        assertSameButManagedFields(deployment, JACKSON.readTree(json), DEPLOYMENTS);
        assertThat(deployment.decode(DEPLOYMENTS).getMetadata().getManagedFields())
                .isEmpty();
    }

    @Test
    void managedFieldsOutsideMetadataStay() {
        byte[] json = Samples.read("widgets-list.json");
        for (RawObject widget : list(WIDGETS, json)) {
            JsonNode tree = JACKSON.readTree(widget.bytes());
            assertThat(tree.path("metadata").has("managedFields")).isFalse();
            assertThat(tree.path("spec").path("managedFields").isArray()).isTrue();
            assertThat(tree.path("spec").path("metadata").has("managedFields")).isTrue();
            assertThat(widget.finalizers()).containsExactly("example.com/cleanup");
            GenericKubernetesResource decoded = widget.decode(WIDGETS);
            assertThat(decoded.<String>get("spec", "note")).isEqualTo("Grüße \"Köln\" €𝄞 \\ <b>");
        }
        assertThat(watch(WIDGETS, Samples.read("widgets-watchlist.json"))).hasSizeGreaterThan(1);
    }

    @Test
    void theAnswerToADeleteIsTheHeldObjectOrTheUidOfTheOneThatIsGone() {
        WireFormat.Deleted held = format.deleted(WIDGETS, Samples.read("delete-held.json"));
        RawObject object = held.object();
        assertThat(object).isNotNull();
        assertThat(object.deletionTimestamp()).isNotNull();
        assertThat(held.uid()).isEqualTo(object.uid()).isNotEmpty();

        WireFormat.Deleted gone = format.deleted(ResourceType.of(ConfigMap.class), Samples.read("delete-gone.json"));
        assertThat(gone.object()).isNull();
        assertThat(gone.uid()).isEqualTo("7ce6547e-28e4-4d07-8673-e805ce14b02a");
    }

    @Test
    void whatIsEncodedDecodesToTheSame() {
        for (RawObject pod : list(PODS, Samples.read("pods-list.json"))) {
            HasMetadata once = pod.decode(PODS);
            RawObject again = format.object(PODS, format.encode(once));
            assertThat(again.<Pod>decode(PODS)).isEqualTo(once);
            assertThat(again.labels()).isEqualTo(Map.copyOf(pod.labels()));
        }
    }
}
