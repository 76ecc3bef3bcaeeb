package io.homeostat.workqueue;

import java.util.ArrayList;
import java.util.List;

/** A bounded, merging list of causes. Guarded by the queue's lock. */
final class Causes {
    // Invariants: texts and times have equal size <= MAX_CAUSES; texts are distinct; every count is positive.
    private final List<String> texts = new ArrayList<>(2);
    private int[] times = new int[2];
    private int others;

    void add(String text) {
        add(text, 1);
    }

    private void add(String text, int count) {
        int at = texts.indexOf(text);
        if (at < 0 && texts.size() == WorkQueue.MAX_CAUSES) {
            others = saturated(others, count);
            return;
        }
        if (at < 0) {
            at = texts.size();
            texts.add(text);
            if (at == times.length) {
                times = java.util.Arrays.copyOf(times, at * 2);
            }
        }
        times[at] = saturated(times[at], count);
    }

    List<Cause> list() {
        List<Cause> causes = new ArrayList<>(texts.size() + 1);
        for (int i = 0; i < texts.size(); i++) {
            causes.add(new Cause(texts.get(i), times[i]));
        }
        if (others > 0) {
            causes.add(new Cause("other causes", others));
        }
        return List.copyOf(causes);
    }

    private static int saturated(int a, int b) {
        return a > Integer.MAX_VALUE - b ? Integer.MAX_VALUE : a + b;
    }
}
