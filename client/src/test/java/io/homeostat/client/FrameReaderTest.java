package io.homeostat.client;

import static io.homeostat.client.Bytes.utf8;
import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.Pod;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class FrameReaderTest {
    private static final ResourceType<Pod> PODS = ResourceType.of(Pod.class);

    private static final String AWKWARD =
            """
            {"type":"ADDED","object":{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a","namespace":"n","uid":"u1",\
            "resourceVersion":"7","labels":{"app":"x","träger":"größe €𝄞"},"managedFields":[{"manager":"m","fieldsV1":{"f:metadata":{"f:managedFields":{}}}}]},\
            "spec":{"managedFields":[1,"}]{[",{"metadata":{"managedFields":null}}],"a":"\\"\\\\\\u00e9\\n{"}}}
              {
              "object" : { "metadata" : { "managedFields" : [ ] , "resourceVersion" : "8" , "name" : "b" , "namespace" : "n" } , "spec" : { } } ,
              "type" : "MODIFIED"
            }
            {"type":"DELETED","object":{"\\u006betadata":1,"\\u006detadata":{"n\\u0061me":"c","namespace":"n","resourceVersion":"9","\\u006danagedFields":{"k:{\\"a\\"}":{}}},"kind":"Pod"}}
            {"type":"BOOKMARK","object":{"kind":"Pod","apiVersion":"v1","metadata":{"resourceVersion":"10","creationTimestamp":null,"annotations":{"k8s.io/initial-events-end":"true"}}}}
            """;

    private static final String SMALL =
            "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"b\",\"namespace\":\"n\",\"resourceVersion\":\"2\"}}}";

    private static List<String> read(List<byte[]> chunks) {
        FrameReader reader = WireFormat.json().watch(PODS);
        List<String> seen = new ArrayList<>();
        for (byte[] chunk : chunks) {
            byte[] reused = chunk.clone();
            for (WatchFrame frame : reader.read(reused)) {
                seen.add(describe(frame));
            }
            Arrays.fill(reused, (byte) 'x');
        }
        seen.add("end: " + reader.unfinished());
        return seen;
    }

    private static String describe(WatchFrame frame) {
        if (frame instanceof WatchFrame.Event event) {
            return event.kind() + " " + event.object() + " " + event.object().labels() + " "
                    + new String(event.object().bytes(), StandardCharsets.UTF_8);
        }
        return frame.toString();
    }

    private static byte[] lines(String... lines) {
        return utf8(String.join("\n", lines) + "\n");
    }

    private static WatchFrame one(String frame) {
        FrameReader reader = WireFormat.json().watch(PODS);
        List<WatchFrame> frames = reader.read(utf8(frame + "\n"));
        assertThat(frames).hasSize(1);
        assertThat(reader.unfinished()).isNull();
        return frames.get(0);
    }

    @Test
    void framesAreTheSameWhereverTheBytesAreCut() {
        byte[] bytes = utf8(AWKWARD);
        List<String> whole = read(List.of(bytes));
        assertThat(whole)
                .containsExactly(
                        "ADDED n/a@7 {app=x, träger=größe €𝄞} {\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"a\",\"namespace\":\"n\",\"uid\":\"u1\","
                                + "\"resourceVersion\":\"7\",\"labels\":{\"app\":\"x\",\"träger\":\"größe €𝄞\"}},"
                                + "\"spec\":{\"managedFields\":[1,\"}]{[\",{\"metadata\":{\"managedFields\":null}}],\"a\":\"\\\"\\\\\\u00e9\\n{\"}}",
                        "MODIFIED n/b@8 {} {\"kind\":\"Pod\",\"apiVersion\":\"v1\", \"metadata\" : {  \"resourceVersion\" : \"8\" , \"name\" : \"b\" , \"namespace\" : \"n\" } , \"spec\" : { } }",
                        "DELETED n/c@9 {} {\"apiVersion\":\"v1\",\"\\u006betadata\":1,\"\\u006detadata\":{\"n\\u0061me\":\"c\",\"namespace\":\"n\",\"resourceVersion\":\"9\"},\"kind\":\"Pod\"}",
                        "Bookmark[resourceVersion=10, initialEventsEnd=true]",
                        "end: null");
        Bytes.everyCut(bytes, chunks -> assertThat(read(chunks)).isEqualTo(whole));
    }

    @Test
    void aStreamThatBreaksOffGivesNoTornFrame() {
        byte[] bytes = utf8(AWKWARD);
        List<String> whole = read(List.of(bytes));
        int complete = 0;
        int border = 0;
        for (int length = 0; length < bytes.length; length++) {
            List<String> torn = read(List.of(Arrays.copyOf(bytes, length)));
            List<String> frames = torn.subList(0, torn.size() - 1);
            assertThat(frames).isEqualTo(whole.subList(0, frames.size()));
            if (frames.size() > complete) {
                complete = frames.size();
                border = length;
            }
            boolean betweenFrames = new String(bytes, border, length - border, StandardCharsets.UTF_8).isBlank();
            assertThat(torn.get(torn.size() - 1).equals("end: null"))
                    .as("cut at %d", length)
                    .isEqualTo(betweenFrames);
        }
        assertThat(complete).isEqualTo(4);
    }

    @Test
    void aBookmarkInTheMiddleIsNotTheEndOfInitialEvents() {
        assertThat(
                        one(
                                "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"10\"}}}"))
                .isEqualTo(new WatchFrame.Bookmark("10", false));
    }

    @Test
    void anErrorFrameIsAFailureByItsStatus() {
        WatchFrame frame = one(
                "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"message\":\"too old resource version: 593 (598)\",\"reason\":\"Expired\",\"code\":410}}");
        assertThat(((WatchFrame.Failure) frame).cause())
                .isInstanceOf(ApiException.Gone.class)
                .hasMessage("watch pods/v1: 410 Expired: too old resource version: 593 (598) [HS-207]");
    }

    @Test
    void aBareStatusIsAFailureToo() {
        WatchFrame frame = one(
                "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\",\"message\":\"etcd is away\",\"reason\":\"InternalError\",\"code\":500}");
        assertThat(((WatchFrame.Failure) frame).cause()).isInstanceOf(ApiException.ServerError.class);
    }

    @Test
    void whatIsNoFrameIsNamedAndItsKeyKept() {
        record Case(String frame, String problem, String key) {}
        String head = "{\"type\":\"ADDED\",\"object\":{\"kind\":\"Pod\",\"apiVersion\":\"v1\",";
        String ok = "\"name\":\"a\",\"namespace\":\"n\",\"resourceVersion\":\"1\"";
        List<Case> cases = List.of(
                new Case("<html><body>503</body></html>", "found < (HTML or XML?)", ""),
                new Case("[1]", "found [ where", ""),
                new Case("17", "found a number", ""),
                new Case("\u0001", "a control character", ""),
                new Case("{}", "a frame without type", ""),
                new Case("{\"kind\":\"Table\",\"rows\":[]}", "found Table instead of a frame", ""),
                new Case("{\"type\":7,\"object\":{\"metadata\":{" + ok + "}}}", "whose type is no string", "n/a"),
                new Case("{\"type\":\"SYNC\",\"object\":{\"metadata\":{" + ok + "}}}", "type SYNC", "n/a"),
                new Case("{\"type\":\"ADDED\"}", "no object", ""),
                new Case("{\"type\":\"ADDED\",\"object\":null}", "no object", ""),
                new Case("{\"type\":\"ERROR\"}", "without object", ""),
                new Case("{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{}}}", "resourceVersion of a bookmark", ""),
                new Case(head + "\"spec\":{}}}", "metadata is missing", ""),
                new Case(head + "\"metadata\":5}}", "metadata: expected an object, found a number", ""),
                new Case(head + "\"metadata\":{\"namespace\":\"n\"}}}", "metadata.name is missing", ""),
                new Case(head + "\"metadata\":{\"name\":null,\"namespace\":\"n\"}}}", "metadata.name is missing", ""),
                new Case(head + "\"metadata\":{\"name\":5}}}", "metadata.name: expected a string, found a number", ""),
                new Case(
                        head + "\"metadata\":{\"name\":\"a\",\"namespace\":\"n\"}}}",
                        "metadata.resourceVersion is missing",
                        "n/a"),
                new Case(head + "\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"1\"}}}", "scope: Cluster", "a"),
                new Case(
                        head + "\"metadata\":{\"labels\":[]," + ok + "}}}",
                        "metadata.labels: expected an object",
                        "n/a"),
                new Case(
                        head + "\"metadata\":{\"labels\":{\"a\":true}," + ok + "}}}",
                        "metadata.labels.a: expected a string, found true or false",
                        "n/a"),
                new Case(
                        head + "\"metadata\":{\"generation\":\"1\"," + ok + "}}}",
                        "metadata.generation: expected a number, found a string",
                        "n/a"),
                new Case(head + "\"metadata\":{\"generation\":1.5," + ok + "}}}", "metadata.generation: ", "n/a"),
                new Case(
                        head + "\"metadata\":{\"ownerReferences\":[{},{\"uid\":[]}]," + ok + "}}}",
                        "metadata.ownerReferences[1].uid: expected a string, found an array",
                        "n/a"),
                new Case(
                        head + "\"metadata\":{\"finalizers\":\"f\"," + ok + "}}}",
                        "metadata.finalizers: expected an array, found a string",
                        "n/a"),
                new Case(
                        "{\"type\":\"ADDED\",\"object\":{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":{"
                                + ok + "}}}",
                        "kind: expected Pod, found PartialObjectMetadata",
                        "n/a"));
        for (Case c : cases) {
            WatchFrame frame = one(c.frame());
            assertThat(frame).as(c.frame()).isInstanceOf(WatchFrame.Unscannable.class);
            WatchFrame.Unscannable unscannable = (WatchFrame.Unscannable) frame;
            assertThat(unscannable.problem()).as(c.frame()).contains(c.problem());
            assertThat(unscannable.key() == null ? "" : unscannable.key().toString())
                    .as(c.frame())
                    .isEqualTo(c.key());
        }
    }

    @Test
    void theFramesAfterABrokenOneAreRead() {
        String good =
                "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"b\",\"namespace\":\"n\",\"resourceVersion\":\"2\"}}}\n";
        for (String broken : List.of(
                "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"a\"",
                "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"a",
                "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"a\\",
                "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"generation\":1",
                "{\"type\":\"ADDED\",\"object\":{\"metadata\":tru",
                "{\"type\":\"ADDED\",\"object\"",
                "{\"type\":\"ADDED\",",
                "{\"type\":\"ADDED\",\"object\":[}",
                "{\"type\":\"ADDED\",\"object\":{]}",
                "{\"type\":\"ADDED\",\"object\":{\"a\":01}}",
                "{\"type\":\"ADDED\",\"object\":{\"a\":\"\\x\"}}",
                "no JSON at all",
                "]")) {
            byte[] bytes = utf8(broken + "\n" + good);
            Bytes.everyCut(bytes, chunks -> {
                List<String> seen = read(chunks);
                assertThat(seen).as(broken).hasSize(3);
                assertThat(seen.get(0)).as(broken).startsWith("Unscannable");
                assertThat(seen.get(1)).as(broken).startsWith("ADDED n/b@2");
                assertThat(seen.get(2)).isEqualTo("end: null");
            });
        }
    }

    @Test
    void ofTwoMembersWithOneKeyTheLastCounts() {
        WatchFrame.Event event = (WatchFrame.Event)
                one("{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"x\",\"uid\":\"u\"},\"kind\":\"Node\","
                        + "\"metadata\":{\"name\":\"y\",\"namespace\":\"n\",\"resourceVersion\":\"1\",\"labels\":{\"a\":\"1\"},\"name\":\"z\",\"labels\":{\"b\":\"2\",\"b\":\"3\"}},"
                        + "\"kind\":\"Pod\"},\"type\":\"DELETED\"}");
        assertThat(event.kind()).isEqualTo(WatchFrame.Kind.DELETED);
        assertThat(event.object().key()).isEqualTo(new ObjectKey("n", "z"));
        assertThat(event.object().uid()).isEmpty();
        assertThat(event.object().labels()).isEqualTo(Map.of("b", "3"));
    }

    @Test
    void ofTwoObjectsInAFrameNothingOfTheFirstIsLeft() {
        WatchFrame frame = one(
                "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"x\",\"namespace\":\"n\",\"resourceVersion\":\"1\"}},"
                        + "\"object\":{\"spec\":{}}}");
        assertThat(frame).isEqualTo(new WatchFrame.Unscannable("metadata is missing", null));
    }

    @Test
    void aFrameOfSeveralLinesThatBreaksWithinALineIsReportedOnce() {
        FrameReader reader = WireFormat.json().watch(PODS);
        assertThat(reader.read(lines("{\"type\":\"ADDED\",\"object\":{\"spec\":{", " \"a\":{\"b\":]}}}}", SMALL)))
                .hasSize(2)
                .last()
                .isInstanceOf(WatchFrame.Event.class);
    }

    @Test
    void anObjectBeyondTheLimitIsSkippedWithoutBeingKept() {
        FrameReader reader = new JsonWireFormat(1000).watch(PODS);
        String head =
                "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"big\",\"namespace\":\"n\",\"resourceVersion\":\"1\"},\"spec\":\"";
        List<WatchFrame> frames = new ArrayList<>(reader.read(utf8(head)));
        for (int i = 0; i < 100; i++) {
            frames.addAll(reader.read(utf8("x".repeat(1000))));
        }
        frames.addAll(reader.read(lines("\",\"metadata\":{}}}", SMALL)));
        assertThat(frames).hasSize(2);
        WatchFrame.Unscannable big = (WatchFrame.Unscannable) frames.get(0);
        assertThat(big.problem()).contains("a frame of 100").contains("1000 bytes");
        assertThat(big.key()).isEqualTo(new ObjectKey("n", "big"));
        assertThat(((WatchFrame.Event) frames.get(1)).object().key().name()).isEqualTo("b");
    }

    @Test
    void managedFieldsMayBeLargerThanTheLimit() {
        FrameReader reader = new JsonWireFormat(1000).watch(PODS);
        List<WatchFrame> frames = reader.read(utf8("{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"managedFields\":[\""
                + "x".repeat(5000) + "\"],\"name\":\"b\",\"namespace\":\"n\",\"resourceVersion\":\"2\"}}}\n"));
        assertThat(frames).singleElement().isInstanceOf(WatchFrame.Event.class);
    }

    @Test
    void nestingBeyondTheLimitBreaksTheFrameOnly() {
        FrameReader reader = WireFormat.json().watch(PODS);
        String deep = "[".repeat(JsonCutter.MAX_DEPTH) + "]".repeat(JsonCutter.MAX_DEPTH);
        List<WatchFrame> frames = reader.read(lines("{\"type\":\"ADDED\",\"object\":{\"spec\":" + deep + "}}", SMALL));
        assertThat(frames).hasSize(2);
        assertThat(((WatchFrame.Unscannable) frames.get(0)).problem()).contains("nested");
        assertThat(frames.get(1)).isInstanceOf(WatchFrame.Event.class);
    }
}
