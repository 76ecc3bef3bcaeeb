package io.homeostat.informer;

import static org.assertj.core.api.Assertions.assertThat;

import io.homeostat.client.ObjectKey;
import io.homeostat.client.RawObject;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

class IndexTableTest {
    /** The values are what stands in a label, by commas; "!" cannot be indexed. */
    private static final IndexTable.Function BY_LABEL = raw -> {
        String text = raw.labels().getOrDefault("v", "");
        return text.equals("!")
                ? new IndexTable.Found(List.of(), "on purpose")
                : new IndexTable.Found(
                        text.isEmpty() ? List.of() : List.copyOf(new TreeSet<>(Arrays.asList(text.split(",")))), null);
    };

    private static IndexTable empty() {
        return IndexTable.empty("test", BY_LABEL);
    }

    private static TestObject object(int number, String text) {
        TestObject object = TestObject.of("x" + number, "u" + number, 1);
        return text.isEmpty() ? object : object.labelled("v", text);
    }

    @Test
    void anyOrderOfChangesLeavesWhatALookAtEveryObjectFinds_ST03_ST06() {
        SplittableRandom random = new SplittableRandom(1);
        IndexTable table = empty();
        Map<ObjectKey, RawObject> objects = new TreeMap<>();
        for (int i = 0; i < 20_000; i++) {
            int number = random.nextInt(60);
            List<String> values = new ArrayList<>();
            for (int v = random.nextInt(4); v > 0; v--) {
                values.add("v" + random.nextInt(5));
            }
            TestObject object = object(number, random.nextInt(10) == 0 ? "!" : String.join(",", values));
            if (random.nextInt(4) == 0) {
                table = table.without(object.key());
                objects.remove(object.key());
            } else {
                table = table.with(object);
                objects.put(object.key(), object);
            }
            if (i % 50 == 0) {
                same(table, objects);
            }
        }
        for (ObjectKey key : List.copyOf(objects.keySet())) {
            table = table.without(key);
        }
        assertThat(table.size())
                .as("nothing is left of what is gone (kubernetes#84959)")
                .isZero();
        assertThat(table.failed().isEmpty()).isTrue();
    }

    private static void same(IndexTable table, Map<ObjectKey, RawObject> objects) {
        for (int v = 0; v < 5; v++) {
            String value = "v" + v;
            assertThat(table.keys(value))
                    .isEqualTo(objects.values().stream()
                            .filter(object -> BY_LABEL.of(object).values().contains(value))
                            .map(RawObject::key)
                            .toList());
        }
        assertThat(table.failed().toList())
                .extracting(IndexTable.Failed::key)
                .isEqualTo(objects.values().stream()
                        .filter(object -> BY_LABEL.of(object).problem() != null)
                        .map(RawObject::key)
                        .toList());
    }

    @Test
    void anUpdateThatKeepsTheValuesKeepsTheTable_ST02() {
        IndexTable table = empty().with(object(1, "a,b")).with(object(2, "a"));
        assertThat(table.with(object(1, "b,a"))).isSameAs(table);
        assertThat(table.keys("a")).hasSize(2);
    }

    @Test
    void theLastOfAValueTakesTheValueAlong_ST01() {
        IndexTable table = empty().with(object(1, "a")).without(object(1, "a").key());
        assertThat(table.size()).isZero();
        assertThat(table.keys("a")).isEmpty();
    }
}
