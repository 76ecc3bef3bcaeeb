package io.homeostat.workqueue;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

class KeyTableTest {
    /** Compares, and has one of few hashes. */
    private record Crowding(int number, int hashes) implements Comparable<Crowding> {
        @Override
        public int hashCode() {
            return number % hashes;
        }

        @Override
        public int compareTo(Crowding other) {
            return Integer.compare(number, other.number);
        }
    }

    @Test
    void tableHoldsWhatAMapHoldsWhateverHashesItsKeysHave() {
        for (int seed = 0; seed < 24; seed++) {
            Random random = new Random(seed);
            int hashes = List.of(1, 2, 7, 1_000_000).get(seed % 4);
            int keys = List.of(10, 100, 2_000).get(seed % 3);
            KeyTable<Crowding> table = new KeyTable<>();
            Map<Crowding, Entry<Crowding>> model = new HashMap<>();
            for (int step = 0; step < 6_000; step++) {
                boolean grows = step / 2_000 % 2 == 0; // to the top, down to nearly nothing, to the top again
                Crowding key = new Crowding(random.nextInt(keys), hashes);
                Entry<Crowding> known = model.get(key);
                if (table.get(key) != known || table.size() != model.size()) {
                    fail("seed %d, step %d: %s of %s", seed, step, table.get(key), known);
                }
                if (known == null && (grows || random.nextInt(10) == 0)) {
                    Entry<Crowding> entry = new Entry<>(key, "", Entry.Place.READY);
                    table.add(entry);
                    model.put(key, entry);
                } else if (known != null && (!grows || random.nextInt(10) == 0)) {
                    table.remove(known);
                    model.remove(key);
                }
            }
            assertThat(table.all()).containsExactlyInAnyOrderElementsOf(model.values());
        }
    }

    @Test
    void entryThatIsNotThereIsNotTakenOutForAnotherOfItsKey() {
        for (int crowd : new int[] {0, 2 * KeyTable.CROWD}) {
            KeyTable<Crowding> table = new KeyTable<>();
            for (int i = 1; i <= crowd; i++) {
                table.add(new Entry<>(new Crowding(i, 1), "", Entry.Place.READY));
            }
            Entry<Crowding> there = new Entry<>(new Crowding(0, 1), "", Entry.Place.READY);
            table.add(there);

            table.remove(new Entry<>(new Crowding(0, 1), "", Entry.Place.READY));

            assertThat(table.get(new Crowding(0, 1))).isSameAs(there);
            assertThat(table.size()).isEqualTo(crowd + 1);
            table.remove(there);
            table.remove(there);
            assertThat(table.get(new Crowding(0, 1))).isNull();
            assertThat(table.size()).isEqualTo(crowd);
        }
    }

    @Test
    void keysThatWereMadeToHaveOneHashAreFoundInFewComparisons() {
        int[] comparisons = new int[1];
        record Counted(int number, int[] comparisons) implements Comparable<Counted> {
            @Override
            public boolean equals(Object other) {
                comparisons[0]++;
                return other instanceof Counted counted && counted.number == number;
            }

            @Override
            public int hashCode() {
                return 4711;
            }

            @Override
            public int compareTo(Counted other) {
                comparisons[0]++;
                return Integer.compare(number, other.number);
            }
        }
        int many = 20_000;
        KeyTable<Counted> table = new KeyTable<>();
        List<Counted> keys = new ArrayList<>();
        for (int i = 0; i < many; i++) {
            keys.add(new Counted(i, comparisons));
            table.add(new Entry<>(keys.get(i), "", Entry.Place.READY));
        }
        comparisons[0] = 0;
        for (Counted key : keys) {
            assertThat(table.get(new Counted(key.number, comparisons))).isNotNull();
        }
        assertThat(comparisons[0] / many).isLessThan(100);
    }
}
