package io.homeostat.client;

import static io.homeostat.client.Bytes.utf8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fabric8.kubernetes.api.model.Node;
import io.fabric8.kubernetes.api.model.NodeBuilder;
import io.fabric8.kubernetes.api.model.PartialObjectMetadata;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What may be dropped, how it is written, and what is left of an object. */
class DroppedPathsTest {
    private static final ResourceType<Node> NODES = ResourceType.of(Node.class);
    private static final String LAST_APPLIED =
            "metadata.annotations['kubectl.kubernetes.io/last-applied-configuration']";
    private static final String NODE =
            """
            {"kind":"Node","apiVersion":"v1","metadata":{"name":"n1","uid":"u","resourceVersion":"7","labels":{"a":"b"},\
            "annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{}","kept":"yes"},"managedFields":[{"manager":"m"}]},\
            "spec":{"podCIDR":"10.0.0.0/24"},\
            "status":{"images":[{"names":["x:1","y"],"sizeBytes":5},{"names":[]},7],"phase":"Running"}}""";

    private static String left(ResourceType<?> type, DroppedPaths paths, String json) {
        RawObject whole = WireFormat.json().object(type, utf8(json));
        RawObject cut = WireFormat.json().object(type, Extent.of(type, paths), utf8(json));
        String text = new String(cut.bytes(), StandardCharsets.UTF_8);
        assertThat(new String(paths.cut(type, whole).bytes(), StandardCharsets.UTF_8))
                .as("of an object that came whole")
                .isEqualTo(text);
        return text;
    }

    @Test
    void whatIsNamedIsCutAndNothingElse() {
        assertThat(left(NODES, DroppedPaths.of("status.images[*].names", LAST_APPLIED), NODE))
                .isEqualTo(
                        """
                        {"kind":"Node","apiVersion":"v1","metadata":{"name":"n1","uid":"u","resourceVersion":"7","labels":{"a":"b"},\
                        "annotations":{"kept":"yes"}},"spec":{"podCIDR":"10.0.0.0/24"},\
                        "status":{"images":[{"sizeBytes":5},{},7],"phase":"Running"}}""");
        assertThat(left(NODES, DroppedPaths.of("metadata.annotations", "spec", "status"), NODE))
                .isEqualTo(
                        """
                        {"kind":"Node","apiVersion":"v1","metadata":{"name":"n1","uid":"u","resourceVersion":"7","labels":{"a":"b"}}}""");
    }

    @Test
    void pathsThatLeadNowhereCutNothing() {
        RawObject whole = WireFormat.json().object(NODES, utf8(NODE));
        assertThat(left(
                        NODES,
                        DroppedPaths.of(
                                "spec[*].podCIDR",
                                "status.images.names",
                                "spec.podCIDR.mask",
                                "data",
                                "status.phase[*].x"),
                        NODE))
                .isEqualTo(new String(whole.bytes(), StandardCharsets.UTF_8));
    }

    @Test
    void pathsAreEqualWhenTheyDropTheSame() {
        DroppedPaths paths = DroppedPaths.of("status.images", LAST_APPLIED);
        assertThat(paths)
                .isEqualTo(DroppedPaths.of(
                        "metadata[\"annotations\"][\"kubectl.kubernetes.io/last-applied-configuration\"]",
                        "status.images[*].names",
                        ".status['images']",
                        "metadata.managedFields[*].fieldsV1"))
                .hasSameHashCodeAs(DroppedPaths.of(LAST_APPLIED, "status.images"))
                .isNotEqualTo(DroppedPaths.of("status.images"));
        assertThat(paths.paths()).containsExactly(LAST_APPLIED, "status.images");
        assertThat(DroppedPaths.of("spec.a['it\\'s \\\\']['']").paths()).containsExactly("spec.a['it\\'s \\\\']['']");
        assertThat(DroppedPaths.of("status.images").and(DroppedPaths.of("spec", "status")))
                .isEqualTo(DroppedPaths.of("spec", "status"));
        assertThat(DroppedPaths.of()).isEqualTo(DroppedPaths.NONE);
        assertThat(DroppedPaths.of("metadata.managedFields").isEmpty()).isTrue();
    }

    @Test
    void whatIsNoPathIsRefusedAndNamed() {
        Map<String, String> refusals = Map.ofEntries(
                Map.entry("", "found its end where a name belongs"),
                Map.entry(".", "found its end where a name belongs"),
                Map.entry("status.", "found its end where a name belongs"),
                Map.entry("status..images", "found . at character 8 where a name belongs"),
                Map.entry("$.status", "found $ at character 1 where a name belongs"),
                Map.entry("{.status}", "found { at character 1 where a name belongs"),
                Map.entry("status/images", "found / at character 7 where . or [ belongs"),
                Map.entry("metadata.annotations.a/b", "found / at character 23 where . or [ belongs"),
                Map.entry("status.images[0].names", "found 0 at character 15 where * or a quoted name belongs"),
                Map.entry("status.images[?(@.x)]", "found ? at character 15 where * or a quoted name belongs"),
                Map.entry("status.images[*", "found its end where ] belongs"),
                Map.entry("status['images", "found its end where ' belongs"),
                Map.entry("status['images'x]", "found x at character 16 where ] belongs"),
                Map.entry("status.images[*]", "it ends with [*], which would leave an empty array"),
                Map.entry("[*].a", "found * at character 2 where an object's member belongs"),
                Map.entry("status.*", "found * at character 8 where a name belongs"));
        refusals.forEach((path, why) -> assertThatThrownBy(() -> DroppedPaths.of("spec", path))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith("Cannot drop the path \"" + path + "\": ")
                .hasMessageContaining(why));
    }

    @Test
    void whatTheEngineNeedsIsNotDropped() {
        for (String needed : List.of(
                "apiVersion",
                "kind",
                "metadata",
                "metadata.name",
                "metadata.namespace",
                "metadata.uid",
                "metadata.resourceVersion",
                "metadata.generation",
                "metadata.labels",
                "metadata.labels.app",
                "metadata['labels']['app.kubernetes.io/name']",
                "metadata.ownerReferences",
                "metadata.ownerReferences[*].blockOwnerDeletion",
                "metadata.finalizers",
                "metadata.creationTimestamp",
                "metadata.deletionTimestamp")) {
            assertThatThrownBy(() -> DroppedPaths.of(needed))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageStartingWith("Cannot drop the path \"" + needed + "\": the engine needs ");
        }
    }

    @Test
    void fingerprintIsThatOfTheWholeObject() {
        RawObject whole = WireFormat.json().object(NODES, utf8(NODE));
        RawObject changed = WireFormat.json().object(NODES, utf8(NODE.replace("10.0.0.0", "10.0.1.0")));
        DroppedPaths paths = DroppedPaths.of("spec", "metadata.annotations");
        for (RawObject cut : List.of(
                paths.cut(NODES, whole),
                WireFormat.json().object(NODES, Extent.of(NODES, paths), utf8(NODE)),
                new Compactor().compact(paths.cut(NODES, whole)))) {
            assertThat(cut.fingerprint()).isEqualTo(whole.fingerprint()).isNotEqualTo(changed.fingerprint());
        }
        assertThat(paths.cut(NODES, changed).fingerprint()).isEqualTo(changed.fingerprint());
    }

    @Test
    void bookmarksAndErrorsOfAWatchAreReadWhole() {
        Extent extent = Extent.of(NODES, DroppedPaths.of("metadata.annotations", "message", "reason", "code"));
        FrameReader reader = WireFormat.json().watch(NODES, extent);
        List<WatchFrame> frames = reader.read(
                utf8(
                        """
                {"type":"BOOKMARK","object":{"kind":"Node","apiVersion":"v1","metadata":{"resourceVersion":"9",\
                "annotations":{"k8s.io/initial-events-end":"true"}}}}
                {"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"too old",\
                "reason":"Expired","code":410}}
                """));
        assertThat(frames.get(0)).isEqualTo(new WatchFrame.Bookmark("9", true));
        assertThat(((WatchFrame.Failure) frames.get(1)).cause()).isInstanceOf(ApiException.Gone.class);
    }

    @Test
    void whatWasDecodedFromLessThanTheWholeIsNotEncoded() {
        RawObject whole = WireFormat.json().object(NODES, utf8(NODE.replace(",7]", "]")));
        Extent.requireWhole(whole.decode(NODES));
        RawObject cut = DroppedPaths.of("status.images").cut(NODES, whole);
        for (RawObject kept : List.of(cut, new Compactor().compact(cut))) {
            Node copy = new NodeBuilder(kept.decode(NODES))
                    .editMetadata()
                    .addToLabels("c", "d")
                    .endMetadata()
                    .build();
            assertThatThrownBy(() -> Extent.requireWhole(copy))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageStartingWith(
                            "Cannot write Node n1 as a whole: it comes from a cache that dropped status.images, and");
        }
    }

    @Test
    void metadataIsTheSameWhetherItCameAloneOrNot() {
        ResourceType<PartialObjectMetadata> type = NODES.metadataOnly();
        String alone = NODE.substring(0, NODE.indexOf(",\"spec\"")) + "}";
        String partial = alone.replace("\"Node\"", "\"PartialObjectMetadata\"").replace("\"v1\"", "\"meta.k8s.io/v1\"");
        String expected = alone.replace(",\"managedFields\":[{\"manager\":\"m\"}]", "");
        for (String sent : List.of(NODE, partial, alone)) {
            assertThat(left(type, DroppedPaths.NONE, NODE)).isEqualTo(expected);
            RawObject read = WireFormat.json().object(type, Extent.of(type, DroppedPaths.NONE), utf8(sent));
            assertThat(new String(read.bytes(), StandardCharsets.UTF_8)).isEqualTo(expected);
            assertThat(read.labels()).containsEntry("a", "b");
            PartialObjectMetadata decoded = read.decode(type);
            assertThat(decoded.getKind()).isEqualTo("Node");
            assertThat(decoded.getMetadata().getAnnotations()).containsEntry("kept", "yes");
            assertThatThrownBy(() -> Extent.requireWhole(decoded)).hasMessageContaining("everything but its metadata");
        }
        assertThat(left(type, DroppedPaths.of("metadata.annotations", "spec"), NODE))
                .isEqualTo(
                        """
                        {"kind":"Node","apiVersion":"v1","metadata":{"name":"n1","uid":"u","resourceVersion":"7","labels":{"a":"b"}}}""");
    }

    @Test
    void listsAndWatchesOfMetadataAreReadInWholeAndInPart() {
        ResourceType<PartialObjectMetadata> type = NODES.metadataOnly();
        Extent extent = Extent.of(type, DroppedPaths.NONE);
        for (String kind : List.of("Node", "PartialObjectMetadata")) {
            String version = kind.equals("Node") ? "v1" : "meta.k8s.io/v1";
            String item = NODE.replace("\"Node\"", "\"" + kind + "\"").replace("\"v1\"", "\"" + version + "\"");
            ListReader list = WireFormat.json().list(type, extent);
            List<ListItem> items = list.read(utf8("{\"kind\":\"" + kind + "List\",\"apiVersion\":\"" + version
                    + "\",\"metadata\":{\"resourceVersion\":\"9\"},\"items\":[" + item + "]}"));
            assertThat(list.end()).isEqualTo(new Streams.ListEnd("9", "", 1));
            List<WatchFrame> frames = WireFormat.json()
                    .watch(type, extent)
                    .read(utf8("{\"type\":\"ADDED\",\"object\":" + item
                            + "}\n{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"" + kind + "\",\"apiVersion\":\""
                            + version
                            + "\",\"metadata\":{\"resourceVersion\":\"9\"}}}\n"));
            RawObject listed = ((ListItem.Scanned) items.get(0)).object();
            RawObject watched = ((WatchFrame.Event) frames.get(0)).object();
            assertThat(listed.bytes())
                    .isEqualTo(watched.bytes())
                    .asString(StandardCharsets.UTF_8)
                    .doesNotContain("podCIDR");
            assertThat(frames.get(1)).isEqualTo(new WatchFrame.Bookmark("9", false));
        }
        ListReader table = WireFormat.json().list(type, extent);
        table.read(utf8("{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":{},\"items\":[]}"));
        assertThatThrownBy(table::end).hasMessageContaining("kind Table of apiVersion meta.k8s.io/v1");
        ListReader whole = WireFormat.json().list(NODES);
        whole.read(
                utf8(
                        "{\"kind\":\"PartialObjectMetadataList\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":{},\"items\":[]}"));
        assertThatThrownBy(whole::end)
                .hasMessageContaining("kind PartialObjectMetadataList of apiVersion meta.k8s.io/v1");
    }
}
