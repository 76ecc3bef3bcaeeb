package io.homeostat.workqueue;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Beside a model that is slow and plain: lists by flow, in the order of their turns. */
class ReadyKeysTest {
    private final ReadyKeys<Integer> keys = new ReadyKeys<>();
    private final Map<Object, List<Entry<Integer>>> model = new LinkedHashMap<>();

    @Test
    void turnsAreThoseOfAPlainModelHoweverKeysComeAndGo() {
        for (int seed = 0; seed < 200; seed++) {
            Random random = new Random(seed);
            int flows = 1 + random.nextInt(6);
            List<Entry<Integer>> ready = new ArrayList<>();
            for (int step = 0; step < 300; step++) {
                boolean fills = step / 50 % 2 == 0;
                int what = random.nextInt(10);
                if (ready.isEmpty() || what < (fills ? 7 : 2)) {
                    Entry<Integer> entry = new Entry<>(
                            step, "flow " + random.nextInt(flows), Entry.Place.READY); // equal, not the same
                    entry.since = (long) step - random.nextInt(5);
                    ready.add(entry);
                    keys.add(entry);
                    model.computeIfAbsent(entry.flow, any -> new ArrayList<>()).add(entry);
                } else if (what < 9) {
                    Entry<Integer> turn = random.nextBoolean()
                            ? Objects.requireNonNull(keys.first())
                            : keys.firstBefore(Integer.MAX_VALUE);
                    assertThat(turn).isSameAs(first());
                    handedOut(Objects.requireNonNull(turn));
                    ready.remove(turn);
                } else {
                    Entry<Integer> any = ready.remove(random.nextInt(ready.size()));
                    keys.remove(any);
                    take(any);
                }
                assertThat(keys.valid()).as("seed %d, step %d", seed, step).isTrue();
                assertThat(keys.first()).as("seed %d, step %d", seed, step).isSameAs(first());
                assertThat(keys.size()).isEqualTo(ready.size());
                long before = step - 20L;
                assertThat(keys.firstBefore(before))
                        .as("seed %d, step %d", seed, step)
                        .isSameAs(firstBefore(before));
                Entry<Integer> aged = keys.firstBefore(before);
                if (aged != null) { // of a flow whose turn it is not
                    handedOut(aged);
                    ready.remove(aged);
                }
            }
            List<Entry<Integer>> all = new ArrayList<>();
            model.values().forEach(all::addAll);
            assertThat(keys.drain()).as("seed %d", seed).isEqualTo(all);
            assertThat(keys.isEmpty()).isTrue();
            assertThat(keys.valid()).isTrue();
            model.clear();
        }
    }

    private void handedOut(Entry<Integer> entry) {
        keys.handedOut(entry);
        take(entry);
        List<Entry<Integer>> others = model.remove(entry.flow);
        if (others != null) {
            model.put(entry.flow, others);
        }
    }

    private void take(Entry<Integer> entry) {
        List<Entry<Integer>> flow = Objects.requireNonNull(model.get(entry.flow));
        flow.remove(entry);
        if (flow.isEmpty()) {
            model.remove(entry.flow);
        }
    }

    private @Nullable Entry<Integer> first() {
        return model.isEmpty() ? null : model.values().iterator().next().get(0);
    }

    private @Nullable Entry<Integer> firstBefore(long nanos) {
        return model.values().stream()
                .map(flow -> flow.get(0))
                .filter(oldest -> oldest.since - nanos < 0)
                .findFirst()
                .orElse(null);
    }
}
