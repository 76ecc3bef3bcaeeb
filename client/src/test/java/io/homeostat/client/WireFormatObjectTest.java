package io.homeostat.client;

import static io.homeostat.client.Bytes.utf8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.annotation.JsonCreator;
import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.ConfigMapBuilder;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.Namespaced;
import io.fabric8.kubernetes.api.model.Node;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.Secret;
import io.fabric8.kubernetes.client.CustomResource;
import io.fabric8.kubernetes.model.annotation.Group;
import io.fabric8.kubernetes.model.annotation.Version;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class WireFormatObjectTest {
    private static final ResourceType<ConfigMap> CONFIG_MAPS = ResourceType.of(ConfigMap.class);
    private static final String METADATA =
            "\"metadata\":{\"name\":\"a\",\"namespace\":\"n\",\"resourceVersion\":\"5\"}";

    private final WireFormat format = WireFormat.json();

    /** A resource as users write it, with no place for fields it does not know. */
    @Group("example.com")
    @Version("v1")
    static final class Gadget extends CustomResource<GadgetSpec, Void> implements Namespaced {}

    static final class GadgetSpec {
        private int size;
        private @Nullable Name name;

        public int getSize() {
            return size;
        }

        public void setSize(int size) {
            this.size = size;
        }

        public @Nullable Name getName() {
            return name;
        }

        public void setName(@Nullable Name name) {
            this.name = name;
        }
    }

    /** Refuses values, with the value in its text. */
    record Name(String text) {
        @JsonCreator
        Name {
            if (text.contains("canary")) {
                throw new IllegalArgumentException("bad name " + text);
            }
        }
    }

    @Test
    void whatIsNoObjectOfTheTypeIsNamed() {
        List<List<String>> cases = List.of(
                List.of("", "an empty answer"),
                List.of("<html>", "broken JSON at byte 0: < (HTML"),
                List.of("[]", "broken JSON at byte 0"),
                List.of("{\"kind\":\"ConfigMap\"", "broke off after 19 bytes"),
                List.of("{\"kind\":\"ConfigMap\"}", "metadata is missing"),
                List.of("{\"kind\":\"ConfigMap\"," + METADATA + "} x", "bytes after the end"),
                List.of(
                        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{}}",
                        "kind: expected ConfigMap, found Status"),
                List.of(
                        "{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/v1\",\"rows\":[]}",
                        "kind: expected ConfigMap, found Table"),
                List.of(
                        "{\"kind\":\"Secret\",\"apiVersion\":\"v1\"," + METADATA + "}",
                        "kind: expected ConfigMap, found Secret"),
                List.of(
                        "{\"kind\":5,\"apiVersion\":\"v1\"," + METADATA + "}",
                        "kind: expected a string, found a number"),
                List.of("{\"apiVersion\":\"v2\"," + METADATA + "}", "apiVersion: expected v1, found v2"));
        for (List<String> c : cases) {
            assertThatThrownBy(() -> format.object(CONFIG_MAPS, utf8(c.get(0))))
                    .as(c.get(0))
                    .isInstanceOf(ApiException.Malformed.class)
                    .hasMessageStartingWith("answer for configmaps/v1: expected a ConfigMap, found ")
                    .hasMessageContaining(c.get(1));
        }
    }

    @Test
    void clusterScopedObjectsHaveNoNamespace() {
        RawObject node = format.object(
                ResourceType.of(Node.class),
                utf8(
                        "{\"kind\":\"Node\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"5\"}}"));
        assertThat(node.key()).isEqualTo(ObjectKey.clusterScoped("a"));
    }

    @Test
    void everyDecodeIsAFreshCopy() {
        RawObject object = format.object(CONFIG_MAPS, utf8("{" + METADATA + ",\"data\":{\"a\":\"b\"}}"));
        ConfigMap first = object.decode(CONFIG_MAPS);
        first.getData().put("a", "changed");
        assertThat(object.decode(CONFIG_MAPS).getData()).containsEntry("a", "b");
    }

    @Test
    void fieldsTheModelsDoNotKnowSurvive() {
        RawObject object = format.object(CONFIG_MAPS, utf8("{" + METADATA + ",\"brandNew\":{\"x\":[1]}}"));
        JsonNode encoded = JsonMapper.shared().readTree(format.encode(object.decode(CONFIG_MAPS)));
        assertThat(encoded.path("brandNew").path("x").path(0).asInt()).isEqualTo(1);
    }

    @Test
    void fieldsAUsersClassDoesNotKnowDoNotFailAndStayInTheBytes() {
        ResourceType<Gadget> type = ResourceType.of(Gadget.class);
        RawObject object = format.object(
                type,
                utf8("{\"kind\":\"Gadget\"," + METADATA
                        + ",\"spec\":{\"size\":3,\"unknown\":true},\"status\":{\"x\":1}}"));
        assertThat(object.decode(type).getSpec().getSize()).isEqualTo(3);
        assertThat(new String(object.bytes(), java.nio.charset.StandardCharsets.UTF_8))
                .contains("\"unknown\":true");
        GenericKubernetesResource dynamic = object.decode(
                ResourceType.dynamic("example.com", "v1", "gadgets", "Gadget", ResourceType.Scope.NAMESPACED));
        assertThat(dynamic.<Boolean>get("spec", "unknown")).isTrue();
    }

    @Test
    void undecodableNamesKeyVersionAndPathAndNeverAValue() {
        ResourceType<Gadget> type = ResourceType.of(Gadget.class);
        Map<String, String> cases = Map.of(
                "{\"size\":\"canary\"}", "at spec.size: not what a int can be made of",
                "{\"size\":{\"canary\":\"canary\"}}", "at spec.size",
                "[\"canary\"]", "at spec",
                "{\"name\":\"canary\"}", "at spec.name");
        cases.forEach((spec, found) -> {
            RawObject object = format.object(type, utf8("{" + METADATA + ",\"spec\":" + spec + "}"));
            assertThatThrownBy(() -> object.decode(type))
                    .isInstanceOf(ApiException.Undecodable.class)
                    .hasMessageStartingWith("decode gadgets.example.com/v1 n/a: version 5 does not decode into "
                            + Gadget.class.getName() + ": ")
                    .hasMessageContaining(found)
                    .hasNoCause()
                    .satisfies(e -> assertThat(e.toString()).doesNotContain("canary"));
        });
    }

    /** P-R10: whatever goes wrong, at whatever byte, no text repeats what the document holds. */
    @Test
    void noMessageHoldsAValueOfTheDocument() {
        ResourceType<Secret> secrets = ResourceType.of(Secret.class);
        String object =
                "{\"kind\":\"Secret\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"s\",\"namespace\":\"n\",\"resourceVersion\":\"5\","
                        + "\"labels\":{\"l\":\"canary\"},\"finalizers\":[\"canary\"],\"annotations\":{\"x\":\"canary\"}},\"data\":{\"p\":\"canary\"}}";
        String frame = "{\"type\":\"ADDED\",\"object\":" + object + "}\n";
        String list =
                "{\"kind\":\"SecretList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"7\"},\"items\":["
                        + object + "]}";
        List<String> texts = new ArrayList<>();
        for (byte put : utf8("{}[]\",:\\0-1x<\n\u0001")) {
            for (int i = 0; i < list.length(); i++) {
                if (i < frame.length()) {
                    FrameReader reader = format.watch(secrets);
                    reader.read(damaged(frame, i, put)).forEach(f -> texts.add(f.toString()));
                    texts.add(String.valueOf(reader.unfinished()));
                }
                if (i < object.length()) {
                    byte[] json = damaged(object, i, put);
                    texts.add(messageOf(() -> format.object(secrets, json).decode(secrets)));
                    texts.add(messageOf(() -> format.deleted(secrets, json)));
                }
                ListReader reader = format.list(secrets);
                reader.read(damaged(list, i, put)).forEach(item -> texts.add(item.toString()));
                texts.add(messageOf(reader::end));
            }
        }
        assertThat(texts.stream().distinct().toList()).hasSizeGreaterThan(100).noneMatch(text -> text.contains("anar"));
    }

    private static byte[] damaged(String text, int at, byte put) {
        byte[] bytes = utf8(text);
        bytes[at] = put;
        return bytes;
    }

    private static String messageOf(Runnable call) {
        try {
            call.run();
            return "";
        } catch (ApiException e) {
            return e.toString();
        }
    }

    @Test
    void labelsKeepTheOrderOfTheBytesAndCannotBeChanged() {
        for (int count : new int[] {1, 24, 25, 200}) {
            StringBuilder labels = new StringBuilder();
            List<String> keys = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                keys.add("l" + (i * 7919 % 1009));
                labels.append(i == 0 ? "" : ",")
                        .append('"')
                        .append(keys.get(i))
                        .append("\":\"v")
                        .append(i)
                        .append('"');
            }
            RawObject object = format.object(
                    ResourceType.of(Pod.class),
                    utf8("{\"metadata\":{\"name\":\"a\",\"namespace\":\"n\",\"resourceVersion\":\"5\",\"labels\":{"
                            + labels + "}}}"));
            Map<String, String> found = object.labels();
            assertThat(found.keySet()).containsExactlyElementsOf(keys);
            assertThat(found)
                    .hasSize(count)
                    .containsEntry(keys.get(count - 1), "v" + (count - 1))
                    .doesNotContainKey("x");
            assertThatThrownBy(() -> found.put("x", "y")).isInstanceOf(UnsupportedOperationException.class);
            assertThatThrownBy(found::clear).isInstanceOf(UnsupportedOperationException.class);
            assertThat(Collections.unmodifiableMap(found)).isEqualTo(new java.util.HashMap<>(found));
        }
    }

    @Test
    void aFingerprintIgnoresStatusVersionGenerationAndManagedFieldsOnly() {
        String rest = "\"spec\":{\"status\":1,\"resourceVersion\":\"x\"}";
        long wanted = fingerprint("\"name\":\"a\",\"namespace\":\"n\",\"labels\":{\"a\":\"b\"}", rest);
        List<String> same = List.of(
                "\"name\":\"a\",\"namespace\":\"n\",\"resourceVersion\":\"1\",\"labels\":{\"a\":\"b\"}",
                "\"resourceVersion\":\"123\",\"name\":\"a\",\"namespace\":\"n\",\"generation\":7,\"labels\":{\"a\":\"b\"}",
                "\"name\":\"a\",\"namespace\":\"n\",\"labels\":{\"a\":\"b\"},\"managedFields\":[{\"x\":1}]");
        for (String metadata : same) {
            assertThat(fingerprint(metadata, rest)).as(metadata).isEqualTo(wanted);
            assertThat(fingerprint(metadata, rest + ",\"status\":{\"x\":[1,\"}\"]}"))
                    .isEqualTo(wanted);
            assertThat(fingerprint(metadata, "\"status\":null,\"kind\":\"Pod\"," + rest))
                    .isEqualTo(wanted);
        }
        List<Long> others = new ArrayList<>(List.of(wanted));
        others.add(fingerprint("\"name\":\"a\",\"namespace\":\"n\",\"labels\":{\"a\":\"c\"}", rest));
        others.add(fingerprint("\"name\":\"a\",\"namespace\":\"n\",\"labels\":{}", rest));
        others.add(fingerprint("\"name\":\"a\",\"namespace\":\"n\"", rest));
        others.add(fingerprint(
                "\"name\":\"a\",\"namespace\":\"n\",\"labels\":{\"a\":\"b\"}",
                "\"spec\":{\"status\":2,\"resourceVersion\":\"x\"}"));
        others.add(fingerprint(
                "\"name\":\"a\",\"namespace\":\"n\",\"labels\":{\"a\":\"b\"}",
                "\"spec\":{\"status\":1,\"resourceVersion\":\"y\"}"));
        others.add(fingerprint(
                "\"name\":\"a\",\"namespace\":\"n\",\"labels\":{\"a\":\"b\"},\"finalizers\":[\"f\"]", rest));
        assertThat(others).doesNotHaveDuplicates();
    }

    private static long fingerprint(String metadata, String rest) {
        return Fingerprint.of(utf8("{\"metadata\":{" + metadata + "}," + rest + "}"));
    }

    @Test
    void everyFlippedBitOfWhatIsWantedChangesTheFingerprint() {
        byte[] json = Samples.read("deployment-pretty.json");
        byte[] bytes = format.object(
                        ResourceType.dynamic("apps", "v1", "deployments", "Deployment", ResourceType.Scope.NAMESPACED),
                        json)
                .bytes();
        long wanted = Fingerprint.of(bytes);
        String text = new String(bytes, java.nio.charset.StandardCharsets.ISO_8859_1);
        int from = text.indexOf("\"spec\":") + 7;
        int to = text.indexOf("\"status\":") - 10;
        for (int i = from; i < to; i++) {
            if (Character.isLetterOrDigit(text.charAt(i))) {
                byte[] changed = Arrays.copyOf(bytes, bytes.length);
                changed[i] ^= 1;
                assertThat(Fingerprint.of(changed)).as("byte %d", i).isNotEqualTo(wanted);
            }
        }
    }

    @Test
    void equalObjectsAreEqualBytesInWhateverOrderTheirMapsIterate() {
        Map<String, String> there = new LinkedHashMap<>();
        Map<String, String> back = new LinkedHashMap<>();
        for (int i = 0; i < 20; i++) {
            there.put("key-" + i, "v");
            back.put("key-" + (19 - i), "v");
        }
        Codec codec = Codec.shared();
        assertThat(codec.encode(new ConfigMapBuilder().withData(there).build()))
                .isEqualTo(codec.encode(new ConfigMapBuilder().withData(back).build()));
    }
}
