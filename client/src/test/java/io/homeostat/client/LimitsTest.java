package io.homeostat.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Namespaced;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinition;
import io.fabric8.kubernetes.client.CustomResource;
import io.fabric8.kubernetes.model.annotation.Group;
import io.fabric8.kubernetes.model.annotation.Version;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is too deep, too long or too large ends in words about one object, and its neighbours go on (P-C7, D32). */
class LimitsTest {
    private static final String CANARY = "canary-5ecret";
    private static final ResourceType<ConfigMap> CONFIG_MAPS = ResourceType.of(ConfigMap.class);
    private static final ResourceType<GenericKubernetesResource> DYNAMIC =
            ResourceType.dynamic("", "v1", "configmaps", "ConfigMap", ResourceType.Scope.NAMESPACED);
    private static final ResourceType<CustomResourceDefinition> DEFINITIONS =
            ResourceType.of(CustomResourceDefinition.class);
    private static final int SLICE = 16 << 10;

    private final WireFormat format = WireFormat.json();

    private static String configMap(String name, String member) {
        return "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"" + name
                + "\",\"namespace\":\"default\",\"uid\":\"u\",\"resourceVersion\":\"7\"}," + member + "}";
    }

    /** Reads these objects from a watch and from a list, in slices as they come from a connection. */
    private List<List<RawObject>> read(ResourceType<?> type, String... objects) {
        List<RawObject> watched = new ArrayList<>();
        FrameReader frames = format.watch(type);
        for (byte[] slice : slices("{\"type\":\"ADDED\",\"object\":"
                + String.join("}\n{\"type\":\"ADDED\",\"object\":", objects) + "}\n")) {
            for (WatchFrame frame : frames.read(slice)) {
                watched.add(((WatchFrame.Event) frame).object());
            }
        }
        List<RawObject> listed = new ArrayList<>();
        ListReader items = format.list(type);
        for (byte[] slice :
                slices("{\"kind\":\"List\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"9\"},\"items\":["
                        + String.join(",", objects) + "]}")) {
            for (ListItem item : items.read(slice)) {
                listed.add(((ListItem.Scanned) item).object());
            }
        }
        assertThat(watched).hasSize(objects.length);
        assertThat(listed).hasSize(objects.length);
        return List.of(watched, listed);
    }

    private static List<byte[]> slices(String text) {
        byte[] all = text.getBytes(StandardCharsets.UTF_8);
        List<byte[]> slices = new ArrayList<>();
        for (int at = 0; at < all.length; at += SLICE) {
            slices.add(Arrays.copyOfRange(all, at, Math.min(all.length, at + SLICE)));
        }
        return slices;
    }

    private static String nested(int levels) {
        return "{\"a\":".repeat(levels) + "\"" + CANARY + "\"" + "}".repeat(levels);
    }

    private static String beyond(String what) {
        return switch (what) {
            case "depth" -> "\"odd\":" + nested(600);
            case "arrays" -> "\"odd\":" + "[".repeat(600) + "]".repeat(600);
            case "name" -> "\"" + CANARY + "n".repeat(50_001) + "\":1";
            case "number" -> "\"odd\":" + "7".repeat(1_001);
            default -> throw new IllegalArgumentException(what);
        };
    }

    @ParameterizedTest
    @ValueSource(strings = {"depth", "arrays", "name", "number"})
    void objectBeyondALimitOfTheDecoderIsScannedAndItsDecodeSaysWhich(String what) {
        String odd = configMap("odd", beyond(what));
        String whole = configMap("whole", "\"data\":{\"a\":\"b\"}");

        for (List<RawObject> objects : read(CONFIG_MAPS, odd, whole)) {
            for (ResourceType<? extends HasMetadata> type : List.of(CONFIG_MAPS, DYNAMIC)) {
                assertThatThrownBy(() -> objects.get(0).decode(type))
                        .isInstanceOf(ApiException.Undecodable.class)
                        .hasMessageContaining("default/odd")
                        .hasMessageContaining("version 7")
                        .hasMessageContaining("beyond what the decoder takes")
                        .hasMessageContaining("maximum allowed")
                        .hasMessageNotContaining(CANARY);
            }
            assertThat(objects.get(1).decode(CONFIG_MAPS).getData()).containsEntry("a", "b");
        }
    }

    @Test
    void objectOfFourHundredLevelsIsDecoded() {
        RawObject deep = read(CONFIG_MAPS, configMap("deep", "\"odd\":" + nested(400)))
                .get(0)
                .get(0);

        assertThat(new String(format.encode(deep.decode(DYNAMIC)), StandardCharsets.UTF_8))
                .contains(nested(400));
    }

    @Test
    void deepestObjectThatAServerTakesIsScannedWhereverItStands() {
        String deepest = configMap("deep", "\"odd\":" + nested(10_000 - 1)); // Go's encoding/json: "exceeded max depth"
        String whole = configMap("whole", "\"data\":{\"a\":\"b\"}");

        for (List<RawObject> objects : read(CONFIG_MAPS, deepest, whole)) {
            assertThat(objects.get(0).key().name()).isEqualTo("deep");
            assertThat(objects.get(1).decode(CONFIG_MAPS).getData()).containsEntry("a", "b");
        }
        assertThat(format.object(CONFIG_MAPS, deepest.getBytes(StandardCharsets.UTF_8))
                        .key()
                        .name())
                .isEqualTo("deep");
    }

    /** Nothing here may depend on the stack: the deepest object that is scanned goes through one of 200 KiB. */
    @Test
    void deepestObjectThatIsScannedOverflowsNoStack() throws Exception {
        int levels = JsonCutter.MAX_DEPTH - 10;
        String schema = "{\"properties\":{\"a\":".repeat(levels / 2) + "{}" + "}}".repeat(levels / 2);
        String definition =
                "{\"kind\":\"CustomResourceDefinition\",\"apiVersion\":\"apiextensions.k8s.io/v1\",\"metadata\":{\"name\":\"a\","
                        + "\"resourceVersion\":\"7\"},\"spec\":{\"versions\":[{\"schema\":{\"openAPIV3Schema\":"
                        + schema
                        + "}}]}}";
        CompletableFuture<Integer> done = new CompletableFuture<>();
        Thread small = new Thread(
                null,
                () -> {
                    try {
                        int undecodable = 0;
                        for (List<RawObject> objects : List.of(
                                read(CONFIG_MAPS, configMap("deep", "\"odd\":" + nested(levels)))
                                        .get(1),
                                read(DEFINITIONS, definition).get(0))) {
                            RawObject object = objects.get(0);
                            object.fingerprint();
                            object.labels();
                            for (ResourceType<? extends HasMetadata> type :
                                    List.of(CONFIG_MAPS, DYNAMIC, DEFINITIONS)) {
                                try {
                                    object.decode(type);
                                } catch (ApiException.Undecodable e) {
                                    undecodable++;
                                }
                            }
                        }
                        done.complete(undecodable);
                    } catch (Throwable e) {
                        done.completeExceptionally(e);
                    }
                },
                "small-stack",
                200 << 10);
        small.start();

        assertThat(done.get(60, TimeUnit.SECONDS)).isEqualTo(6);
    }

    /** A model that never comes to an end. */
    @Group("example.com")
    @Version("v1")
    static final class Endless extends CustomResource<Void, Void> implements Namespaced {
        @SuppressWarnings("InfiniteRecursion") // what it is about
        public void setMore(String more) {
            setMore(more + ".");
        }
    }

    @Test
    void modelThatRecursesForEverIsUndecodableAndNoError() {
        ResourceType<Endless> type = ResourceType.of(Endless.class);
        RawObject object = format.object(
                type,
                configMap("odd", "\"more\":\"" + CANARY + "\"")
                        .replace("ConfigMap", "Endless")
                        .replace("\"v1\"", "\"example.com/v1\"")
                        .getBytes(StandardCharsets.UTF_8));

        assertThatThrownBy(() -> object.decode(type))
                .isInstanceOf(ApiException.Undecodable.class)
                .hasMessageContaining("stack")
                .hasMessageNotContaining(CANARY);
    }

    @Test
    void stringOfMegabytesIsReadUpToTheLargestObjectAndOneMoreByteIsLeftOutAlone() {
        int room = JsonWireFormat.MAX_OBJECT_BYTES
                - configMap("big", "\"data\":{\"a\":\"\"}").length();
        int fits = room - 100; // a frame counts with its envelope
        String largest = configMap("big", "\"data\":{\"a\":\"" + "x".repeat(fits) + "\"}");
        String tooLarge = configMap("big", "\"data\":{\"a\":\"" + "x".repeat(room + 1) + "\"}");
        String small = configMap("small", "\"data\":{\"a\":\"b\"}");

        for (List<RawObject> objects : read(CONFIG_MAPS, largest, small)) {
            assertThat(objects.get(0).decode(CONFIG_MAPS).getData().get("a")).hasSize(fits);
        }

        List<WatchFrame> frames = new ArrayList<>();
        FrameReader watch = format.watch(CONFIG_MAPS);
        slices("{\"type\":\"ADDED\",\"object\":" + tooLarge + "}\n{\"type\":\"ADDED\",\"object\":" + small + "}\n")
                .forEach(slice -> frames.addAll(watch.read(slice)));
        assertThat(frames).hasSize(2);
        assertThat(((WatchFrame.Unscannable) frames.get(0)).problem()).contains("largest accepted");
        assertThat(((WatchFrame.Event) frames.get(1)).object().key().name()).isEqualTo("small");

        List<ListItem> items = new ArrayList<>();
        ListReader list = format.list(CONFIG_MAPS);
        slices("{\"kind\":\"ConfigMapList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"9\"},\"items\":["
                        + tooLarge + "," + small + "]}")
                .forEach(slice -> items.addAll(list.read(slice)));
        assertThat(items).hasSize(2);
        assertThat(((ListItem.Unscannable) items.get(0)).problem()).contains("largest accepted");
        assertThat(((ListItem.Unscannable) items.get(0)).key()).isEqualTo(new ObjectKey("default", "big"));
        assertThat(((ListItem.Scanned) items.get(1)).object().key().name()).isEqualTo("small");
        assertThat(list.end()).isEqualTo(new Streams.ListEnd("9", "", 2));

        assertThatThrownBy(() -> format.object(CONFIG_MAPS, tooLarge.getBytes(StandardCharsets.UTF_8)))
                .isInstanceOf(ApiException.Malformed.class)
                .hasMessageContaining("largest accepted");
    }
}
