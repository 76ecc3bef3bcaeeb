package io.homeostat.client;

import static io.homeostat.client.Bytes.utf8;
import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.Pod;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** The cut of dropped paths against one made on a tree, on generated documents and paths. A failure names its seed. */
class DroppingAgreesWithParserTest {
    private static final ResourceType<Pod> PODS = ResourceType.of(Pod.class);
    private static final JsonMapper JACKSON = JsonMapper.builder().build();
    private static final Set<String> DROPPABLE_METADATA = Set.of("annotations", "metadata", "more");

    /** Paths, most of them leading somewhere, in steps: null for each element. */
    private static List<List<@Nullable String>> paths(JsonNode object, Random random) {
        List<List<@Nullable String>> paths = new ArrayList<>();
        for (int i = random.nextInt(5); i >= 0; i--) {
            List<@Nullable String> steps = new ArrayList<>();
            JsonNode at = object;
            while (at.size() > 0 && (steps.isEmpty() || random.nextInt(3) > 0)) {
                if (at.isObject()) {
                    List<String> names = new ArrayList<>(at.propertyNames());
                    String name = random.nextInt(20) == 0 ? "more" : names.get(random.nextInt(names.size()));
                    steps.add(name);
                    at = at.path(name);
                } else {
                    steps.add(null);
                    at = at.get(random.nextInt(at.size()));
                }
            }
            if (mayBeDropped(steps)) {
                paths.add(steps);
            }
        }
        return paths;
    }

    private static boolean mayBeDropped(List<@Nullable String> steps) {
        if (steps.isEmpty() || steps.get(steps.size() - 1) == null) {
            return false;
        }
        String first = String.valueOf(steps.get(0));
        if (first.equals("metadata")) {
            return steps.size() > 1 && DROPPABLE_METADATA.contains(String.valueOf(steps.get(1)));
        }
        return !first.equals("kind") && !first.equals("apiVersion");
    }

    private static String spelt(List<@Nullable String> steps) {
        StringBuilder path = new StringBuilder();
        for (String step : steps) {
            path.append(step == null ? "[*]" : "['" + step.replace("\\", "\\\\").replace("'", "\\'") + "']");
        }
        return path.toString();
    }

    private static void drop(JsonNode at, Iterator<@Nullable String> steps) {
        String step = steps.next();
        if (step == null) {
            if (at.isArray()) {
                List<@Nullable String> rest = new ArrayList<>();
                steps.forEachRemaining(rest::add);
                at.forEach(element -> drop(element, rest.iterator()));
            }
        } else if (at instanceof ObjectNode object) {
            if (!steps.hasNext()) {
                object.remove(step);
            } else if (object.has(step)) {
                drop(object.get(step), steps);
            }
        }
    }

    private static JsonNode expected(JsonNode object, List<List<@Nullable String>> paths) {
        ObjectNode left = (ObjectNode) object.deepCopy();
        ((ObjectNode) left.get("metadata")).remove("managedFields");
        if (!left.has("kind")) {
            left.put("kind", "Pod");
        }
        if (!left.has("apiVersion")) {
            left.put("apiVersion", "v1");
        }
        paths.forEach(path -> drop(left, path.iterator()));
        return left;
    }

    private static List<byte[]> randomCuts(byte[] bytes, Random random) {
        int[] cuts = new int[random.nextInt(6)];
        for (int i = 0; i < cuts.length; i++) {
            cuts[i] = random.nextInt(bytes.length + 1);
        }
        Arrays.sort(cuts);
        return Bytes.cut(bytes, cuts);
    }

    private static void check(
            long seed, RawObject whole, RawObject cut, JsonNode sent, List<List<@Nullable String>> paths) {
        String as = "seed " + seed + " " + paths;
        assertThat(JACKSON.readTree(cut.bytes())).as(as).isEqualTo(expected(sent, paths));
        assertThat(cut.key()).as(as).isEqualTo(whole.key());
        assertThat(cut.labels()).as(as).isEqualTo(whole.labels());
        assertThat(cut.owners()).as(as).isEqualTo(whole.owners());
        assertThat(cut.resourceVersion()).as(as).isEqualTo(whole.resourceVersion());
        assertThat(cut.fingerprint()).as(as).isEqualTo(whole.fingerprint());
    }

    @Test
    void whatIsLeftOfFramesAndAnswersIsWhatIsLeftOfATree() {
        int dropped = 0;
        for (long seed = 0; seed < 40_000; seed++) {
            Documents document = new Documents(seed + 3_000_000);
            Random random = new Random(seed);
            byte[] frame = utf8(document.frame().json());
            List<WatchFrame> plain = WireFormat.json().watch(PODS).read(frame);
            if (document.poisoned || !(plain.get(0) instanceof WatchFrame.Event event)) {
                continue;
            }
            JsonNode sent = JACKSON.readTree(frame).get("object");
            List<List<@Nullable String>> paths = paths(sent, random);
            DroppedPaths drops = DroppedPaths.of(
                    paths.stream().map(DroppingAgreesWithParserTest::spelt).toArray(String[]::new));
            assertThat(DroppedPaths.of(drops.paths().toArray(String[]::new))).isEqualTo(drops);
            FrameReader reader = WireFormat.json().watch(PODS, Extent.of(PODS, drops));
            List<WatchFrame> frames = new ArrayList<>();
            for (byte[] chunk : randomCuts(frame, random)) {
                frames.addAll(reader.read(chunk));
            }
            assertThat(frames).as("seed %d", seed).hasSize(1).allMatch(one -> one instanceof WatchFrame.Event);
            RawObject whole = event.object();
            RawObject cut = ((WatchFrame.Event) frames.get(0)).object();
            check(seed, whole, cut, sent, paths);
            check(seed, whole, drops.cut(PODS, whole), sent, paths); // as of an own write
            dropped += cut.bytes().length < whole.bytes().length ? 1 : 0;
        }
        assertThat(dropped).as("documents of which something was dropped").isGreaterThan(10_000);
    }

    @Test
    void whatIsLeftOfItemsIsWhatIsLeftOfATree() {
        int dropped = 0;
        for (long seed = 0; seed < 10_000; seed++) {
            Documents document = new Documents(~seed - 3_000_000);
            Random random = new Random(seed);
            int count = 1 + document.next(4);
            byte[] list = utf8(document.list(count).json());
            if (document.poisoned) {
                continue;
            }
            JsonNode tree = JACKSON.readTree(list);
            List<List<@Nullable String>> paths = new ArrayList<>();
            tree.get("items").forEach(item -> paths.addAll(paths(item, random)));
            DroppedPaths drops = DroppedPaths.of(
                    paths.stream().map(DroppingAgreesWithParserTest::spelt).toArray(String[]::new));
            ListReader reader = WireFormat.json().list(PODS, Extent.of(PODS, drops));
            List<ListItem> items = new ArrayList<>();
            for (byte[] chunk : randomCuts(list, random)) {
                items.addAll(reader.read(chunk));
            }
            assertThat(reader.end()).as("seed %d", seed).isEqualTo(new Streams.ListEnd("4711", "tök\"en", count));
            List<ListItem> plain = WireFormat.json().list(PODS).read(list);
            for (int i = 0; i < count; i++) {
                RawObject whole = ((ListItem.Scanned) plain.get(i)).object();
                RawObject cut = ((ListItem.Scanned) items.get(i)).object();
                check(seed, whole, cut, tree.get("items").get(i), paths);
                dropped += cut.bytes().length < whole.bytes().length ? 1 : 0;
            }
        }
        assertThat(dropped).as("items of which something was dropped").isGreaterThan(5_000);
    }

    /** Of what an object of a stream was cut of, nothing is left over in the next one. */
    @Test
    void aStreamOfCutObjectsIsCutOneByOne() {
        DroppedPaths drops = DroppedPaths.of("spec", "metadata.annotations.a");
        FrameReader reader = WireFormat.json().watch(PODS, Extent.of(PODS, drops));
        StringBuilder stream = new StringBuilder();
        for (int i = 0; i < 50; i++) {
            stream.append("{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"p")
                    .append(i)
                    .append("\",\"namespace\":\"n\",\"resourceVersion\":\"1\",\"annotations\":{\"a\":\"x\"}}")
                    .append(i % 2 == 0 ? ",\"spec\":{\"a\":" + i + "}" : "")
                    .append(",\"data\":1}}\n");
        }
        List<WatchFrame> frames = reader.read(stream.toString().getBytes(StandardCharsets.UTF_8));
        assertThat(frames).hasSize(50).allSatisfy(frame -> {
            JsonNode left = JACKSON.readTree(((WatchFrame.Event) frame).object().bytes());
            assertThat(left.has("spec")).isFalse();
            assertThat(left.at("/metadata/annotations")).isEmpty();
            assertThat(left.get("data").asInt()).isEqualTo(1);
        });
    }
}
