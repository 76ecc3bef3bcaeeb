package io.homeostat.informer;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

class SortedTreeTest {
    /** An element that is not its key, so that stale keys in branches would show. */
    private record Element(String key, int value) {}

    private static final SortedTree.Order<String, Element> ORDER = new SortedTree.Order<>() {
        @Override
        public String keyOf(Element element) {
            return element.key();
        }

        @Override
        public int compare(String left, String right) {
            return left.compareTo(right);
        }
    };

    @Test
    void behavesAsASortedMapUnderRandomEdits() {
        for (int seed = 0; seed < 20; seed++) {
            SplittableRandom random = new SplittableRandom(seed);
            int keys = 1 + random.nextInt(3000);
            double share = 0.3 + random.nextDouble() * 0.5;
            TreeMap<String, Element> model = new TreeMap<>();
            SortedTree<String, Element> tree = SortedTree.empty(ORDER);
            for (int step = 0; step < 4000; step++) {
                String key = Integer.toString(random.nextInt(keys), 36);
                if (random.nextDouble() < share) {
                    Element element = new Element(key, step);
                    model.put(key, element);
                    tree = tree.with(element);
                } else {
                    model.remove(key);
                    tree = tree.without(key);
                }
                assertThat(tree.size()).as("seed %d step %d", seed, step).isEqualTo(model.size());
                assertThat(tree.get(key)).isEqualTo(model.get(key));
            }
            assertThat(tree.toList()).as("seed %d", seed).containsExactlyElementsOf(model.values());
            for (int probe = 0; probe < 50; probe++) {
                String from = Integer.toString(random.nextInt(keys), 36);
                List<Element> tail = new ArrayList<>();
                tree.iterator(from).forEachRemaining(tail::add);
                assertThat(tail)
                        .as("seed %d from %s", seed, from)
                        .containsExactlyElementsOf(model.tailMap(from).values());
            }
        }
    }

    @Test
    void anEditLeavesEarlierTreesAsTheyWere() {
        SortedTree<String, Element> tree = SortedTree.empty(ORDER);
        List<SortedTree<String, Element>> trees = new ArrayList<>();
        List<List<Element>> contents = new ArrayList<>();
        SplittableRandom random = new SplittableRandom(7);
        for (int step = 0; step < 500; step++) {
            trees.add(tree);
            contents.add(tree.toList());
            String key = Integer.toString(random.nextInt(200), 36);
            tree = random.nextInt(3) == 0 ? tree.without(key) : tree.with(new Element(key, step));
        }
        for (int i = 0; i < trees.size(); i++) {
            assertThat(trees.get(i).toList()).isEqualTo(contents.get(i));
        }
    }

    @Test
    void keysThatComeInOrderAndGoInAnyOrderLeaveNothing() {
        SortedTree<String, Element> tree = SortedTree.empty(ORDER);
        for (int i = 0; i < 20_000; i++) {
            tree = tree.with(new Element("%06d".formatted(i), i));
        }
        SplittableRandom random = new SplittableRandom(1);
        List<Integer> order = new ArrayList<>();
        for (int i = 0; i < 20_000; i++) {
            order.add(random.nextInt(order.size() + 1), i);
        }
        for (int i : order) {
            tree = tree.without("%06d".formatted(i));
        }
        assertThat(tree.isEmpty()).isTrue();
        assertThat(tree.toList()).isEmpty();
    }

    @Test
    void removingAnAbsentKeyIsTheSameTree() {
        SortedTree<String, Element> tree = SortedTree.empty(ORDER).with(new Element("a", 1));
        assertThat(tree.without("b")).isSameAs(tree);
    }
}
