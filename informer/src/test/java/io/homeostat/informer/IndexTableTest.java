package io.homeostat.informer;

import static org.assertj.core.api.Assertions.assertThat;

import io.homeostat.client.ObjectKey;
import io.homeostat.client.RawObject;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class IndexTableTest {
    /** The values are what stands in a label, by commas; "!" cannot be indexed. */
    private static IndexTable.Found byLabel(RawObject raw) {
        String text = raw.labels().getOrDefault("v", "");
        return text.equals("!")
                ? IndexTable.Found.failed("on purpose")
                : new IndexTable.Found(
                        text.isEmpty() ? List.of() : List.copyOf(new TreeSet<>(Arrays.asList(text.split(",")))), null);
    }

    private static final class ByLabel implements IndexTable.Function {
        private final boolean remembered;
        private int asked;

        ByLabel(boolean remembered) {
            this.remembered = remembered;
        }

        @Override
        public IndexTable.Found of(RawObject raw) {
            asked++;
            return byLabel(raw);
        }

        @Override
        public boolean remembered() {
            return remembered;
        }
    }

    private static IndexTable empty() {
        return IndexTable.empty("test", IndexTableTest::byLabel);
    }

    @Test
    void equalValuesShareOneTextHoweverOftenAFunctionMakesIt() {
        Facts facts = Facts.NONE;
        List<Facts.Fact> added = new ArrayList<>();
        SplittableRandom random = new SplittableRandom(7);
        for (int i = 0; i < 5_000; i++) {
            Facts.Fact fact = Facts.Fact.of(
                    "value " + random.nextInt(20),
                    TestObject.of("x" + i, "u" + i, 1).key());
            facts = facts.with(fact);
            added.add(fact);
            if (i % 3 == 0) {
                Facts.Fact gone = added.remove(random.nextInt(added.size()));
                facts = facts.without(
                        Facts.Fact.of(String.copyValueOf(gone.value().toCharArray()), gone.key()));
            }
        }
        Set<String> texts = Collections.newSetFromMap(new IdentityHashMap<>());
        added.forEach(fact -> texts.add(fact.value()));
        assertThat(facts.size()).isEqualTo(added.size());
        assertThat(texts).hasSize(20);
    }

    @Test
    void readersOfAValueDoNotChangeWhoseTextIsKept() {
        String text = String.copyValueOf("a value".toCharArray());
        Facts.Fact fact = Facts.Fact.of(text, TestObject.of("x", "u", 1).key());
        Facts facts = Facts.NONE.with(fact);
        assertThat(facts.keys(String.copyValueOf("a value".toCharArray()))).containsExactly(fact.key());
        assertThat(fact.value()).isSameAs(text);
    }

    private static TestObject object(int number, String text) {
        TestObject object = TestObject.of("x" + number, "u" + number, 1);
        return text.isEmpty() ? object : object.labelled("v", text);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void anyOrderOfChangesLeavesWhatALookAtEveryObjectFinds_ST03_ST06(boolean remembered) {
        SplittableRandom random = new SplittableRandom(1);
        IndexTable table = IndexTable.empty("test", new ByLabel(remembered));
        Map<ObjectKey, RawObject> objects = new TreeMap<>();
        for (int i = 0; i < 20_000; i++) {
            int number = random.nextInt(60);
            List<String> values = new ArrayList<>();
            for (int v = random.nextInt(4); v > 0; v--) {
                values.add(VALUES.get(random.nextInt(VALUES.size())));
            }
            TestObject object = object(number, random.nextInt(10) == 0 ? "!" : String.join(",", values));
            RawObject before = objects.get(object.key());
            if (random.nextInt(4) != 0) {
                table = before == null ? table.with(object) : table.with(before, object);
                objects.put(object.key(), object);
            } else if (before != null) {
                table = table.without(before);
                objects.remove(object.key());
            }
            if (i % 50 == 0) {
                same(table, objects);
            }
        }
        for (RawObject object : objects.values()) {
            table = table.without(object);
        }
        assertThat(table.size())
                .as("nothing is left of what is gone (kubernetes#84959)")
                .isZero();
        assertThat(table.failed().isEmpty()).isTrue();
    }

    /** The last two have the same hash. */
    private static final List<String> VALUES = List.of("v0", "v1", "v2", "Aa", "BB");

    private static void same(IndexTable table, Map<ObjectKey, RawObject> objects) {
        for (String value : VALUES) {
            assertThat(table.keys(value))
                    .containsExactlyInAnyOrderElementsOf(objects.values().stream()
                            .filter(object -> byLabel(object).values().contains(value))
                            .map(RawObject::key)
                            .toList());
        }
        assertThat(table.failed().toList())
                .extracting(IndexTable.Failed::key)
                .isEqualTo(objects.values().stream()
                        .filter(object -> byLabel(object).problem() != null)
                        .map(RawObject::key)
                        .toList());
    }

    @Test
    void anUpdateThatKeepsTheValuesKeepsTheTable_ST02() {
        IndexTable table = empty().with(object(1, "a,b")).with(object(2, "a"));
        assertThat(table.with(object(1, "a,b"), object(1, "b,a"))).isSameAs(table);
        assertThat(table.keys("a")).hasSize(2);
    }

    @Test
    void whatIsDearToMakeIsMadeOnceAVersion() {
        ByLabel function = new ByLabel(true);
        IndexTable table = IndexTable.empty("test", function)
                .with(object(1, "a,b"))
                .with(object(1, "a,b"), object(1, "a,c"))
                .without(object(1, "a,c"));
        assertThat(table.size()).isZero();
        assertThat(function.asked).isEqualTo(2);
    }

    @Test
    void theLastOfAValueTakesTheValueAlong_ST01() {
        IndexTable table = empty().with(object(1, "a")).without(object(1, "a"));
        assertThat(table.size()).isZero();
        assertThat(table.keys("a")).isEmpty();
    }

    @Test
    void aFunctionThatContradictsItselfLeavesNothingBehind() {
        List<String> now = new ArrayList<>(List.of("a"));
        IndexTable.Function fickle =
                raw -> now.get(0).equals("!") ? IndexTable.Found.failed("on purpose") : new IndexTable.Found(now, null);
        IndexTable table = IndexTable.empty("test", fickle).with(object(1, "")).with(object(2, ""));
        now.set(0, "b");
        assertThat(table.without(object(1, "")).keys("a"))
                .extracting(ObjectKey::name)
                .containsExactly("x2");
        now.set(0, "!");
        IndexTable other = table.without(object(1, ""));
        assertThat(other.keys("a")).extracting(ObjectKey::name).containsExactly("x2");
        assertThat(other.failed().isEmpty()).isTrue();
    }

    @Test
    void aFunctionThatFailedOnceAndStandsByNothingOfItLeavesNothingBehind() {
        List<String> says = new ArrayList<>(List.of("!"));
        IndexTable.Function fickle = raw -> says.contains("!")
                ? IndexTable.Found.failed("on purpose")
                : new IndexTable.Found(List.copyOf(says), null);
        IndexTable table = IndexTable.empty("test", fickle).with(object(1, ""));
        assertThat(table.failed().isEmpty()).isFalse();

        says.clear();
        IndexTable silent = table.without(object(1, ""));
        says.add("a");
        IndexTable found = table.with(object(1, ""), object(1, ""));
        says.set(0, "!");
        IndexTable failing = found.with(object(1, ""), object(1, ""));

        assertThat(silent.failed().isEmpty()).isTrue();
        assertThat(found.failed().isEmpty()).isTrue();
        assertThat(found.keys("a")).hasSize(1);
        assertThat(failing.keys("a")).isEmpty();
        assertThat(failing.failed().isEmpty()).isFalse();
    }
}
