package io.homeostat.client;

import static io.homeostat.client.Bytes.utf8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fabric8.kubernetes.api.model.Pod;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class ListReaderTest {
    private static final ResourceType<Pod> PODS = ResourceType.of(Pod.class);

    private static final String ITEM =
            "{\"metadata\":{\"name\":\"a\",\"namespace\":\"n\",\"resourceVersion\":\"1\",\"labels\":{\"ä\":\"€\"},\"managedFields\":[{}]},\"spec\":{\"items\":[]}}";

    private static final String ITEM_FOUND =
            "n/a@1 {\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"a\",\"namespace\":\"n\",\"resourceVersion\":\"1\",\"labels\":{\"ä\":\"€\"}},\"spec\":{\"items\":[]}}";

    private static List<String> read(List<byte[]> chunks) {
        ListReader reader = WireFormat.json().list(PODS);
        List<String> seen = new ArrayList<>();
        for (byte[] chunk : chunks) {
            for (ListItem item : reader.read(chunk)) {
                seen.add(
                        item instanceof ListItem.Scanned scanned
                                ? scanned.object() + " "
                                        + new String(scanned.object().bytes(), StandardCharsets.UTF_8)
                                : item.toString());
            }
        }
        try {
            seen.add(reader.end().toString());
        } catch (ApiException.Malformed e) {
            seen.add(e.getMessage());
        }
        return seen;
    }

    private static List<String> read(String list) {
        return read(List.of(utf8(list)));
    }

    @Test
    void itemsAreTheSameWhereverTheBytesAreCutAndWhereverTheMetadataStands() {
        String items = "\"items\" : [ " + ITEM + " , " + ITEM + " ]";
        String metadata =
                "\"metadata\":{\"resourceVersion\":\"77\",\"continue\":\"tok\\u00e9n\",\"remainingItemCount\":5}";
        String kind = "\"kind\":\"PodList\",\"more\":[{\"metadata\":{\"managedFields\":1}}],\"apiVersion\":\"v1\"";
        for (String list : List.of(
                "{" + kind + "," + metadata + "," + items + "}",
                " {" + items + "," + metadata + "," + kind + "}\n",
                "{" + metadata + "," + items + "," + kind + "}")) {
            List<String> whole = read(list);
            assertThat(whole)
                    .containsExactly(
                            ITEM_FOUND, ITEM_FOUND, "ListEnd[resourceVersion=77, continueToken=tokén, count=2]");
            Bytes.everyCut(utf8(list), chunks -> assertThat(read(chunks)).isEqualTo(whole));
        }
    }

    @Test
    void aPageThatBreaksOffIsNeverAList() {
        byte[] list = utf8("{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"items\":[" + ITEM
                + "],\"metadata\":{\"resourceVersion\":\"7\"}}");
        for (int length = 0; length < list.length; length++) {
            List<String> seen = read(List.of(Arrays.copyOf(list, length)));
            assertThat(seen.get(seen.size() - 1))
                    .as("cut at %d", length)
                    .startsWith("list pods/v1: found no list: the answer ");
        }
        assertThat(read(List.of(list))).hasSize(2).last().asString().startsWith("ListEnd");
    }

    @Test
    void listsWithoutItemsAreEmpty() {
        for (String items : List.of("null", "[]", " [ ] ")) {
            assertThat(read(
                            "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"7\"},\"items\":"
                                    + items + "}"))
                    .containsExactly("ListEnd[resourceVersion=7, continueToken=, count=0]");
        }
    }

    @Test
    void whatIsNoListOfTheTypeIsNamed() {
        String end = ",\"metadata\":{\"resourceVersion\":\"7\"}}";
        List<List<String>> cases = List.of(
                List.of("", "the answer is empty"),
                List.of("<html></html>", "broken JSON at byte 0 of the list: found < (HTML"),
                List.of("[]", "found [ where a JSON object begins"),
                List.of("{}", "kind another of apiVersion another"),
                List.of(
                        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"code\":500}",
                        "kind Status of apiVersion v1"),
                List.of("{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/v1\",\"items\":[]" + end, "kind Table"),
                List.of(
                        "{\"kind\":\"DeploymentList\",\"apiVersion\":\"apps/v1\",\"items\":[]" + end,
                        "apiVersion apps/v1"),
                List.of("{\"kind\":\"PodList\",\"apiVersion\":\"v1\"" + end, "items: expected an array, found nothing"),
                List.of(
                        "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"items\":{}" + end,
                        "items: expected an array, found an object"),
                List.of(
                        "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"items\":[],\"metadata\":3}",
                        "metadata: expected an object"),
                List.of(
                        "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"items\":[],\"metadata\":{\"continue\":true}}",
                        "metadata.continue: expected a string"),
                List.of(
                        "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"items\":[],\"items\":[]" + end,
                        "a second member \"items\""),
                List.of("{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"items\":[" + ITEM + "}" + end, "} in an array"),
                List.of(
                        "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"items\":[" + ITEM + " " + ITEM + "]" + end,
                        "found { where ,"),
                List.of("{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"items\":[]" + end + "{}", "after the end"));
        for (List<String> c : cases) {
            List<String> seen = read(c.get(0));
            assertThat(seen.get(seen.size() - 1))
                    .as(c.get(0))
                    .startsWith("list pods/v1: found no list: ")
                    .contains(c.get(1));
            Bytes.everyCut(utf8(c.get(0)), chunks -> assertThat(read(chunks)).isEqualTo(seen));
        }
    }

    @Test
    void anItemThatCannotBeScannedDoesNotStopItsSiblings() {
        String list = "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"7\"},\"items\":["
                + ITEM
                + ",5,null,[{\"metadata\":{\"managedFields\":[]}}],\"x\",{},{\"metadata\":{\"name\":\"b\",\"namespace\":\"n\",\"resourceVersion\":\"2\",\"labels\":7}},"
                + "{\"kind\":\"Secret\",\"metadata\":{\"name\":\"s\",\"namespace\":\"n\",\"resourceVersion\":\"3\"}},"
                + ITEM + "]}";
        List<String> whole = read(list);
        assertThat(whole)
                .containsExactly(
                        ITEM_FOUND,
                        "Unscannable[index=1, problem=expected an object, found a number, key=null]",
                        "Unscannable[index=2, problem=expected an object, found true, false or null, key=null]",
                        "Unscannable[index=3, problem=expected an object, found an array, key=null]",
                        "Unscannable[index=4, problem=expected an object, found a string, key=null]",
                        "Unscannable[index=5, problem=metadata is missing, key=null]",
                        "Unscannable[index=6, problem=metadata.labels: expected an object, found a number, key=n/b]",
                        "Unscannable[index=7, problem=kind: expected Pod, found Secret, key=n/s]",
                        ITEM_FOUND,
                        "ListEnd[resourceVersion=7, continueToken=, count=9]");
        Bytes.everyCut(utf8(list), chunks -> assertThat(read(chunks)).isEqualTo(whole));
    }

    @Test
    void anItemBeyondTheLimitIsSkippedAndNamed() {
        ListReader reader = new JsonWireFormat(2000).list(PODS);
        String list = "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"7\"},\"items\":["
                + ITEM
                + ",{\"metadata\":{\"name\":\"big\",\"namespace\":\"n\",\"resourceVersion\":\"2\"},\"spec\":\""
                + "x".repeat(100_000)
                + "\",\"metadata\":5}," + ITEM + "]}";
        List<ListItem> items = new ArrayList<>();
        for (int i = 0; i < list.length(); i += 100) {
            items.addAll(reader.read(utf8(list.substring(i, Math.min(i + 100, list.length())))));
        }
        assertThat(items).hasSize(3);
        assertThat(items.get(0)).isInstanceOf(ListItem.Scanned.class);
        assertThat(((ListItem.Unscannable) items.get(1)).problem())
                .startsWith("an item of 1000")
                .contains("2000 bytes");
        assertThat(((ListItem.Unscannable) items.get(1)).key()).isEqualTo(new ObjectKey("n", "big"));
        assertThat(items.get(2)).isInstanceOf(ListItem.Scanned.class);
        assertThat(reader.end()).isEqualTo(new Streams.ListEnd("7", "", 3));
    }

    @Test
    void membersBesidesItemsMustNotExceedTheLimit() {
        ListReader reader = new JsonWireFormat(2000).list(PODS);
        reader.read(utf8("{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"items\":[],\"rows\":[\"" + "x".repeat(3000)));
        assertThat(reader.broken()).isTrue();
        assertThatThrownBy(reader::end)
                .isInstanceOf(ApiException.Malformed.class)
                .hasMessageContaining("2000 bytes");
    }

    @Test
    void aBrokenPageIsKnownBeforeItsEnd() {
        ListReader reader = WireFormat.json().list(PODS);
        assertThat(reader.broken()).isFalse();
        assertThat(reader.read(utf8("{\"items\":[" + ITEM + ",}"))).hasSize(1);
        assertThat(reader.broken()).isTrue();
        assertThat(reader.read(utf8("],\"kind\":\"PodList\"}"))).isEmpty();
        assertThatThrownBy(reader::end).isInstanceOf(ApiException.Malformed.class);
    }
}
