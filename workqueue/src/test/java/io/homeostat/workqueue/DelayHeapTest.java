package io.homeostat.workqueue;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class DelayHeapTest {
    private record Due(long at, int order, Entry<Integer> entry) {}

    @Test
    void whatComesFirstIsTheEarliestHoweverKeysWereMovedAndTakenOut() {
        for (int seed = 0; seed < 200; seed++) {
            Random random = new Random(seed);
            DelayHeap<Integer> heap = new DelayHeap<>();
            List<Due> model = new ArrayList<>();
            List<Entry<Integer>> entries = new ArrayList<>();
            for (int key = 0; key < 40; key++) {
                entries.add(new Entry<>(key, "", Entry.Place.DELAYED));
            }
            for (int step = 0; step < 400; step++) {
                Entry<Integer> entry = entries.get(random.nextInt(entries.size()));
                model.removeIf(due -> due.entry() == entry);
                if (random.nextInt(3) > 0) {
                    // near the overflow of the clock, which only differences survive
                    long at = Long.MAX_VALUE - 50 + random.nextInt(100);
                    heap.put(entry, at);
                    model.add(new Due(at, step, entry));
                } else {
                    heap.remove(entry);
                }
                assertThat(heap.size()).isEqualTo(model.size());
                assertThat(heap.valid()).as("seed %d, step %d", seed, step).isTrue();
                assertThat(heap.first()).as("seed %d, step %d", seed, step).isSameAs(first(model));
            }
        }
    }

    @Test
    void aHeapWhoseEntriesAreNotWhereTheySayOrOutOfOrderIsNotValid() {
        DelayHeap<Integer> heap = new DelayHeap<>();
        Entry<Integer> early = new Entry<>(1, "", Entry.Place.DELAYED);
        Entry<Integer> late = new Entry<>(2, "", Entry.Place.DELAYED);
        heap.put(early, 1);
        heap.put(late, 2);
        early.dueAt = 3;
        assertThat(heap.valid()).isFalse();
        early.dueAt = 1;
        late.heapIndex = 0;
        assertThat(heap.valid()).isFalse();
        late.heapIndex = 1;
        assertThat(heap.valid()).isTrue();
    }

    private static @Nullable Entry<Integer> first(List<Due> model) {
        return model.stream()
                .min(Comparator.<Due>comparingLong(due -> due.at() - (Long.MAX_VALUE - 50))
                        .thenComparingInt(Due::order))
                .map(Due::entry)
                .orElse(null);
    }
}
