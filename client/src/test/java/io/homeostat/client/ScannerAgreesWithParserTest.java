package io.homeostat.client;

import static io.homeostat.client.Bytes.utf8;
import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.ObjectMeta;
import io.fabric8.kubernetes.api.model.OwnerReference;
import io.fabric8.kubernetes.api.model.Pod;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** The scanner against Jackson's full parse, on generated documents. A failure names its seed. */
class ScannerAgreesWithParserTest {
    private static final ResourceType<Pod> PODS = ResourceType.of(Pod.class);
    private static final JsonMapper JACKSON = JsonMapper.builder().build();

    /** Stops behind the first value. */
    private static final JsonMapper FIRST_VALUE = JsonMapper.builder()
            .disable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    private static final String DAMAGE = "{}[]\",:\\0-1.eEtu\u0001 x'/";
    private static final String UNSCANNABLE = "unscannable";
    private static final String UNDECIDED = "undecided";

    /** What a scanned object says, or should say. */
    private record Scanned(
            ObjectKey key,
            String uid,
            String resourceVersion,
            long generation,
            List<Map.Entry<String, String>> labels,
            List<OwnerRef> owners,
            List<String> finalizers,
            @Nullable String creationTimestamp,
            @Nullable String deletionTimestamp,
            JsonNode withoutManagedFields) {
        static Scanned of(RawObject object) {
            return new Scanned(
                    object.key(),
                    object.uid(),
                    object.resourceVersion(),
                    object.generation(),
                    List.copyOf(object.labels().entrySet()),
                    object.owners(),
                    object.finalizers(),
                    object.creationTimestamp(),
                    object.deletionTimestamp(),
                    JACKSON.readTree(object.bytes()));
        }

        static Scanned of(JsonNode object) {
            ObjectNode stripped = (ObjectNode) object.deepCopy();
            JsonNode metadata = object.get("metadata");
            ((ObjectNode) stripped.get("metadata")).remove("managedFields");
            if (!stripped.has("kind")) {
                stripped.put("kind", "Pod");
            }
            if (!stripped.has("apiVersion")) {
                stripped.put("apiVersion", "v1");
            }
            Map<String, String> labels = new LinkedHashMap<>();
            metadata.path("labels")
                    .properties()
                    .forEach(e -> labels.put(e.getKey(), e.getValue().stringValue()));
            List<OwnerRef> owners = new ArrayList<>();
            metadata.path("ownerReferences")
                    .forEach(o -> owners.add(new OwnerRef(
                            o.path("apiVersion").asString(""),
                            o.path("kind").asString(""),
                            o.path("name").asString(""),
                            o.path("uid").asString(""),
                            o.path("controller").asBoolean(false))));
            List<String> finalizers = new ArrayList<>();
            metadata.path("finalizers").forEach(f -> finalizers.add(f.stringValue()));
            return new Scanned(
                    new ObjectKey(
                            metadata.path("namespace").asString(""),
                            metadata.path("name").asString("")),
                    metadata.path("uid").asString(""),
                    metadata.path("resourceVersion").asString(""),
                    metadata.path("generation").asLong(0),
                    List.copyOf(labels.entrySet()),
                    owners,
                    finalizers,
                    metadata.path("creationTimestamp").stringValue(null),
                    metadata.path("deletionTimestamp").stringValue(null),
                    stripped);
        }
    }

    private static List<byte[]> randomCuts(byte[] bytes, Documents random) {
        int[] cuts = new int[random.next(4)];
        for (int i = 0; i < cuts.length; i++) {
            cuts[i] = random.next(bytes.length + 1);
        }
        Arrays.sort(cuts);
        return Bytes.cut(bytes, cuts);
    }

    @Test
    void scannedMetadataAndStrippedBytesAreThoseOfAFullParse() {
        for (long seed = 0; seed < 70_000; seed++) {
            Documents document = new Documents(seed);
            byte[] frame = utf8(document.frame().json());
            FrameReader reader = WireFormat.json().watch(PODS);
            List<WatchFrame> frames = new ArrayList<>();
            for (byte[] chunk : randomCuts(frame, document)) {
                frames.addAll(reader.read(chunk));
            }
            assertThat(reader.unfinished()).as("seed %d", seed).isNull();
            assertThat(frames).as("seed %d", seed).hasSize(1);
            if (document.poisoned) {
                assertThat(frames.get(0)).as("seed %d", seed).isInstanceOf(WatchFrame.Unscannable.class);
                continue;
            }
            JsonNode tree = JACKSON.readTree(frame);
            assertThat(frames.get(0)).as("seed %d: %s", seed, frames.get(0)).isInstanceOf(WatchFrame.Event.class);
            WatchFrame.Event event = (WatchFrame.Event) frames.get(0);
            assertThat(event.kind().name()).isEqualTo(tree.get("type").stringValue());
            assertThat(Scanned.of(event.object())).as("seed %d", seed).isEqualTo(Scanned.of(tree.get("object")));
        }
    }

    /** The decoder users get, with its model of metadata, sees in each object what the scanner saw. */
    @Test
    void decodedMetadataIsWhatWasScanned() {
        ResourceType<GenericKubernetesResource> dynamic =
                ResourceType.dynamic("", "v1", "pods", "Pod", ResourceType.Scope.NAMESPACED);
        int decoded = 0;
        for (long seed = 0; seed < 10_000; seed++) {
            Documents document = new Documents(seed + 2_000_000).withoutDuplicates();
            byte[] frame = utf8(document.frame().json());
            List<WatchFrame> frames = WireFormat.json().watch(PODS).read(frame);
            if (document.poisoned || !(frames.get(0) instanceof WatchFrame.Event event)) {
                continue;
            }
            RawObject scanned = event.object();
            ObjectMeta metadata;
            try {
                metadata = scanned.decode(dynamic).getMetadata();
            } catch (ApiException.Undecodable e) {
                continue; // a member of metadata that the scanner has no use for is of another sort
            }
            decoded++;
            assertThat(metadata.getName())
                    .as("seed %d", seed)
                    .isEqualTo(scanned.key().name());
            assertThat(metadata.getNamespace())
                    .as("seed %d", seed)
                    .isEqualTo(scanned.key().namespace());
            assertThat(Objects.requireNonNullElse(metadata.getUid(), ""))
                    .as("seed %d", seed)
                    .isEqualTo(scanned.uid());
            assertThat(metadata.getResourceVersion()).as("seed %d", seed).isEqualTo(scanned.resourceVersion());
            assertThat(Objects.requireNonNullElse(metadata.getGeneration(), 0L))
                    .as("seed %d", seed)
                    .isEqualTo(scanned.generation());
            assertThat(Objects.requireNonNullElse(metadata.getLabels(), Map.of()))
                    .as("seed %d", seed)
                    .isEqualTo(scanned.labels());
            assertThat(Objects.requireNonNullElse(metadata.getFinalizers(), List.of()))
                    .as("seed %d", seed)
                    .isEqualTo(scanned.finalizers());
            assertThat(Objects.requireNonNullElse(metadata.getOwnerReferences(), List.<OwnerReference>of()).stream()
                            .map(owner -> new OwnerRef(
                                    Objects.requireNonNullElse(owner.getApiVersion(), ""),
                                    Objects.requireNonNullElse(owner.getKind(), ""),
                                    Objects.requireNonNullElse(owner.getName(), ""),
                                    Objects.requireNonNullElse(owner.getUid(), ""),
                                    Boolean.TRUE.equals(owner.getController())))
                            .toList())
                    .as("seed %d", seed)
                    .isEqualTo(scanned.owners());
            assertThat(metadata.getCreationTimestamp()).as("seed %d", seed).isEqualTo(scanned.creationTimestamp());
            assertThat(metadata.getDeletionTimestamp()).as("seed %d", seed).isEqualTo(scanned.deletionTimestamp());
        }
        assertThat(decoded).isGreaterThan(3_000);
    }

    @Test
    void itemsOfListsAreThoseOfAFullParse() {
        for (long seed = 0; seed < 15_000; seed++) {
            Documents document = new Documents(~seed);
            int count = document.next(4);
            byte[] list = utf8(document.list(count).json());
            ListReader reader = WireFormat.json().list(PODS);
            List<ListItem> items = new ArrayList<>();
            for (byte[] chunk : randomCuts(list, document)) {
                items.addAll(reader.read(chunk));
            }
            assertThat(reader.end()).as("seed %d", seed).isEqualTo(new Streams.ListEnd("4711", "tök\"en", count));
            assertThat(items).as("seed %d", seed).hasSize(count);
            if (document.poisoned) {
                assertThat(items).as("seed %d", seed).hasAtLeastOneElementOfType(ListItem.Unscannable.class);
                continue;
            }
            JsonNode tree = JACKSON.readTree(list);
            for (int i = 0; i < count; i++) {
                assertThat(items.get(i)).as("seed %d", seed).isInstanceOf(ListItem.Scanned.class);
                assertThat(Scanned.of(((ListItem.Scanned) items.get(i)).object()))
                        .as("seed %d", seed)
                        .isEqualTo(Scanned.of(tree.get("items").get(i)));
            }
        }
    }

    /** One byte of a frame changed, lost or added: the scanner takes it exactly when the parser does, and as the parser does. */
    @Test
    void damagedFramesAreTakenExactlyWhenAParserTakesThem() {
        int taken = 0;
        int refused = 0;
        for (long seed = 0; seed < 20_000; seed++) {
            Documents document = new Documents(seed + 1_000_000).withoutDuplicates();
            byte[] frame = utf8(document.frame().json().replaceAll("[\r\n]", " "));
            byte[] damaged = damage(frame, new Random(seed));
            if (!isUtf8(damaged) || document.poisoned) {
                continue;
            }
            Object expected = expected(damaged);
            if (expected == UNDECIDED) {
                continue;
            }
            List<WatchFrame> frames = WireFormat.json().watch(PODS).read(damaged);
            Object found = frames.isEmpty() || !(frames.get(0) instanceof WatchFrame.Event event)
                    ? UNSCANNABLE
                    : Scanned.of(event.object());
            if (expected == UNSCANNABLE) {
                refused++;
            } else {
                taken++;
            }
            assertThat(found)
                    .as("seed %d: %s %s", seed, frames, new String(damaged, StandardCharsets.UTF_8))
                    .isEqualTo(expected);
        }
        // Both sides have been tried.
        assertThat(taken).isGreaterThan(3_000);
        assertThat(refused).isGreaterThan(3_000);
    }

    private static byte[] damage(byte[] bytes, Random random) {
        int at = random.nextInt(bytes.length);
        byte put = (byte) DAMAGE.charAt(random.nextInt(DAMAGE.length()));
        byte[] damaged;
        switch (random.nextInt(3)) {
            case 0 -> {
                damaged = bytes.clone();
                damaged[at] = put;
            }
            case 1 -> {
                damaged = Arrays.copyOf(bytes, bytes.length - 1);
                System.arraycopy(bytes, at + 1, damaged, at, bytes.length - at - 1);
            }
            default -> {
                damaged = Arrays.copyOf(bytes, bytes.length + 1);
                System.arraycopy(bytes, at, damaged, at + 1, bytes.length - at);
                damaged[at] = put;
            }
        }
        return damaged;
    }

    private static boolean isUtf8(byte[] bytes) {
        try {
            StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes));
            return true;
        } catch (CharacterCodingException e) {
            return false;
        }
    }

    /** What the parser makes of the first value in {@code bytes}, as the scanner should see it. */
    private static Object expected(byte[] bytes) {
        JsonNode frame;
        try {
            frame = FIRST_VALUE.readTree(bytes);
        } catch (JacksonException e) {
            // Half of an escaped surrogate pair scans, and is the decoder's to refuse.
            return String.valueOf(e.getMessage()).contains("surrogate") ? UNDECIDED : UNSCANNABLE;
        }
        if (frame == null) {
            return UNSCANNABLE;
        }
        String type = frame.path("type").stringValue("");
        JsonNode object = frame.path("object");
        JsonNode metadata = object.path("metadata");
        boolean sound = (type.equals("ADDED") || type.equals("MODIFIED") || type.equals("DELETED"))
                && (!object.has("kind") || "Pod".equals(object.get("kind").stringValue("")))
                && (!object.has("apiVersion")
                        || "v1".equals(object.get("apiVersion").stringValue("")))
                && !metadata.path("name").stringValue("").isEmpty()
                && !metadata.path("namespace").stringValue("").isEmpty()
                && !metadata.path("resourceVersion").stringValue("").isEmpty()
                && absentOr(metadata.path("uid"), JsonNode::isString)
                && absentOr(metadata.path("creationTimestamp"), JsonNode::isString)
                && absentOr(metadata.path("deletionTimestamp"), JsonNode::isString)
                && absentOr(metadata.path("generation"), g -> g.isIntegralNumber() && g.canConvertToLong())
                && absentOr(metadata.path("labels"), l -> l.isObject() && all(l, JsonNode::isString))
                && absentOr(metadata.path("finalizers"), f -> f.isArray() && all(f, JsonNode::isString))
                && absentOr(
                        metadata.path("ownerReferences"),
                        o -> o.isArray() && all(o, ScannerAgreesWithParserTest::soundOwner));
        return sound ? Scanned.of(object) : UNSCANNABLE;
    }

    private static boolean soundOwner(JsonNode owner) {
        return owner.isObject()
                && absentOr(owner.path("apiVersion"), JsonNode::isString)
                && absentOr(owner.path("kind"), JsonNode::isString)
                && absentOr(owner.path("name"), JsonNode::isString)
                && absentOr(owner.path("uid"), JsonNode::isString)
                && absentOr(owner.path("controller"), JsonNode::isBoolean);
    }

    private static boolean absentOr(JsonNode node, Predicate<JsonNode> sort) {
        return node.isMissingNode() || node.isNull() || sort.test(node);
    }

    private static boolean all(JsonNode container, Predicate<JsonNode> sort) {
        return container.values().stream().allMatch(sort);
    }
}
