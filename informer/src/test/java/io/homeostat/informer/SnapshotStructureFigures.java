package io.homeostat.informer;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.RawObject;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/**
 * The figures of docs/adr/0004-snapshot-structure.md: the sorted tree beside a hash trie (HAMT), one update at a time, as a watch
 * makes them. On demand: {@code ./mvnw -pl informer -am test -Dtest=SnapshotStructureFigures -Dsurefire.failIfNoSpecifiedTests=false}.
 */
class SnapshotStructureFigures {
    private static final int ROUNDS = 9;

    /** A persistent hash trie of objects by key, 32-way with bitmaps, as Scala's and Clojure's are; single edits only. */
    private static final class Hamt {
        static final Hamt EMPTY = new Hamt(new Object[0], 0);
        final Object[] slots;
        final int bitmap;

        Hamt(Object[] slots, int bitmap) {
            this.slots = slots;
            this.bitmap = bitmap;
        }

        private static int hash(ObjectKey key) {
            int hash = key.hashCode() * 0x9E3779B9;
            return hash ^ (hash >>> 15);
        }

        @Nullable
        RawObject get(ObjectKey key) {
            int hash = hash(key);
            Hamt node = this;
            for (int shift = 0; ; shift += 5) {
                int bit = 1 << ((hash >>> shift) & 31);
                if ((node.bitmap & bit) == 0) {
                    return null;
                }
                Object slot = node.slots[Integer.bitCount(node.bitmap & (bit - 1))];
                if (slot instanceof Hamt child) {
                    node = child;
                } else {
                    RawObject found = (RawObject) slot;
                    return found.key().equals(key) ? found : null;
                }
            }
        }

        Hamt with(RawObject object) {
            return with(object, hash(object.key()), 0);
        }

        private Hamt with(RawObject object, int hash, int shift) {
            int bit = 1 << ((hash >>> shift) & 31);
            int at = Integer.bitCount(bitmap & (bit - 1));
            if ((bitmap & bit) == 0) {
                Object[] grown = Arrays.copyOf(slots, slots.length + 1);
                System.arraycopy(slots, at, grown, at + 1, slots.length - at);
                grown[at] = object;
                return new Hamt(grown, bitmap | bit);
            }
            Object[] copy = slots.clone();
            Object slot = slots[at];
            if (slot instanceof Hamt child) {
                copy[at] = child.with(object, hash, shift + 5);
            } else {
                RawObject other = (RawObject) slot;
                copy[at] = other.key().equals(object.key())
                        ? object
                        : EMPTY.with(other, hash(other.key()), shift + 5).with(object, hash, shift + 5);
            }
            return new Hamt(copy, bitmap);
        }

        void all(List<RawObject> into) {
            for (Object slot : slots) {
                if (slot instanceof Hamt child) {
                    child.all(into);
                } else {
                    into.add((RawObject) slot);
                }
            }
        }
    }

    private static TestObject[] objects(int count, int owners) {
        TestObject[] objects = new TestObject[count];
        String[] namespaces = new String[50]; // the client interns them
        Arrays.setAll(namespaces, i -> "namespace-" + i);
        SplittableRandom random = new SplittableRandom(count);
        for (int i = 0; i < count; i++) {
            String name = "memcached-%05d-7d9c5b8f%s".formatted(i / 10, Integer.toString(i * 31 % 46_656, 36));
            objects[i] = new TestObject(
                    new ObjectKey(namespaces[i % 50], name),
                    new UUID(random.nextLong(), random.nextLong()).toString(),
                    Integer.toString(i + 1),
                    java.util.Map.of(),
                    List.of(),
                    null);
            if (owners > 0) {
                objects[i] = objects[i].ownedBy("owner-" + i / owners);
            }
        }
        return objects;
    }

    private static long used() {
        for (int i = 0; i < 4; i++) {
            System.gc();
        }
        Runtime runtime = Runtime.getRuntime();
        return runtime.totalMemory() - runtime.freeMemory();
    }

    private interface Round {
        Object run();
    }

    private static double best(int operations, Round round) {
        // CPU time: it repeats on a machine that does other things, too.
        java.lang.management.ThreadMXBean threads = java.lang.management.ManagementFactory.getThreadMXBean();
        double best = Double.MAX_VALUE;
        for (int i = 0; i < ROUNDS; i++) {
            long began = threads.getCurrentThreadCpuTime();
            Object kept = round.run();
            best = Math.min(best, (threads.getCurrentThreadCpuTime() - began) / (double) operations);
            assertThat(kept).isNotNull();
        }
        return best;
    }

    private static double allocated(int operations, Round round) {
        com.sun.management.ThreadMXBean threads =
                (com.sun.management.ThreadMXBean) java.lang.management.ManagementFactory.getThreadMXBean();
        long before = threads.getCurrentThreadAllocatedBytes();
        assertThat(round.run()).isNotNull();
        return (threads.getCurrentThreadAllocatedBytes() - before) / (double) operations;
    }

    private static double heap(int objects, Round round) {
        long before = used();
        Object kept = round.run();
        long after = used();
        assertThat(kept).isNotNull();
        return (after - before) / (double) objects;
    }

    private static void print(String what, int count, double sorted, double hashed) {
        System.out.println(String.format(
                Locale.ROOT, "%-44s %7d  sorted tree %8.1f   hash trie %8.1f", what, count, sorted, hashed));
    }

    @Test
    void sortedTreeBesideHashTrie() {
        for (int count : new int[] {10_000, 100_000}) {
            TestObject[] plain = objects(count, 0);
            TestObject[] owned = objects(count, 10);
            SplittableRandom random = new SplittableRandom(1);
            int[] order = random.ints(count, 0, count).toArray();
            Layer<RawObject> layer = fill(plain);
            Layer<RawObject> indexed = fill(owned);
            Hamt trie = trie(plain);
            print(
                    "insert all, one by one, ns an object",
                    count,
                    best(count, () -> fill(plain)),
                    best(count, () -> trie(plain)));
            print(
                    "update, ns",
                    count,
                    best(count, () -> {
                        Layer<RawObject> tree = layer;
                        for (int i : order) {
                            tree = tree.with(plain[i]);
                        }
                        return tree;
                    }),
                    best(count, () -> {
                        Hamt tree = trie;
                        for (int i : order) {
                            tree = tree.with(plain[i]);
                        }
                        return tree;
                    }));
            print(
                    "get, ns",
                    count,
                    best(count, () -> {
                        int found = 0;
                        for (int i : order) {
                            found += layer.get(plain[i].key()) == null ? 0 : 1;
                        }
                        return found;
                    }),
                    best(count, () -> {
                        int found = 0;
                        for (int i : order) {
                            found += trie.get(plain[i].key()) == null ? 0 : 1;
                        }
                        return found;
                    }));
            print(
                    "list in key order, ns an object",
                    count,
                    best(count, () -> layer.entries().toList()),
                    best(count, () -> {
                        List<RawObject> all = new ArrayList<>(count);
                        trie.all(all);
                        all.sort(Comparator.comparing(RawObject::key));
                        return all;
                    }));
            print(
                    "heap of the structure, bytes an object",
                    count,
                    heap(count, () -> fill(plain)),
                    heap(count, () -> trie(plain)));
            print(
                    "owner index: added to an insert, ns",
                    count,
                    best(count, () -> fill(owned)) - best(count, () -> fill(plain)),
                    Double.NaN);
            print(
                    "owner index: update with the same owners, ns",
                    count,
                    best(count, () -> {
                        Layer<RawObject> tree = indexed;
                        for (int i : order) {
                            tree = tree.with(owned[i]);
                        }
                        return tree;
                    }),
                    Double.NaN);
            print(
                    "owner index: heap, bytes an object",
                    count,
                    heap(count, () -> fill(owned)) - heap(count, () -> fill(plain)),
                    Double.NaN);
            index("uid", count, plain, order, Index.ofMetadata("uid", raw -> List.of(raw.uid())));
            index(
                    "one of 1,000 values",
                    count,
                    plain,
                    order,
                    Index.ofMetadata(
                            "node", raw -> List.of(NODES[(raw.uid().hashCode() & 0x7fffffff) % NODES.length])));
            print(
                    "index of objects by one value: heap, bytes an object",
                    count,
                    heap(
                            count,
                            () -> table(
                                    IndexTable.function(
                                            Index.ofObject("uid", (ConfigMap map) -> ONE), TestObject.DECODER),
                                    plain)));
            index(
                    "two values",
                    count,
                    plain,
                    order,
                    Index.ofMetadata("two", raw -> List.of(raw.uid(), raw.key().name())));
        }
    }

    private static final List<String> ONE = List.of("one");

    private static final String[] NODES = new String[1000];

    static {
        Arrays.setAll(NODES, i -> "ip-10-0-" + i / 250 + "-" + i % 250 + ".eu-central-1.compute.internal");
    }

    private static void index(String what, int count, TestObject[] objects, int[] order, Index<ConfigMap> index) {
        IndexTable.Function function = IndexTable.function(index, TestObject.DECODER);
        IndexTable table = table(function, objects);
        TestObject[] later = new TestObject[count];
        Arrays.setAll(later, i -> objects[i].at(count + i));
        TestObject[] other = new TestObject[count];
        Arrays.setAll(other, i -> TestObject.of(objects[i].key().name(), "other-" + objects[i].uid(), count + i)
                .in(objects[i].key().namespace()));
        print("index by " + what + ": the function alone, ns", count, best(count, () -> {
            int found = 0;
            for (int i : order) {
                found += function.of(objects[i]).values().size();
            }
            return found;
        }));
        print("index by " + what + ": added to an insert, ns", count, best(count, () -> table(function, objects)));
        print(
                "index by " + what + ": allocated by an insert, bytes",
                count,
                allocated(count, () -> table(function, objects)));
        print("index by " + what + ": update, same value, ns", count, best(count, () -> {
            IndexTable next = table;
            for (int i : order) {
                next = next.with(objects[i], later[i]);
            }
            return next;
        }));
        print("index by " + what + ": update, other value, ns", count, best(count, () -> {
            IndexTable next = table;
            for (int i = 0; i < count; i++) {
                next = next.with(objects[i], other[i]);
            }
            return next;
        }));
        print("index by " + what + ": delete, ns", count, best(count, () -> {
            IndexTable next = table;
            for (TestObject object : objects) {
                next = next.without(object);
            }
            return next;
        }));
        print("index by " + what + ": find, ns an object", count, best(count, () -> {
            int found = 0;
            int probes = 0;
            for (int i = 0; found < count; i++) {
                found += table.keys(function.of(objects[i]).values().get(0)).size();
                probes++;
            }
            return probes;
        }));
        print("index by " + what + ": heap, bytes an object", count, heap(count, () -> table(function, objects)));
    }

    private static void print(String what, int count, double figure) {
        System.out.println(String.format(Locale.ROOT, "%-52s %7d  %8.1f", what, count, figure));
    }

    private static IndexTable table(IndexTable.Function function, TestObject[] objects) {
        IndexTable table = IndexTable.empty("figures", function);
        for (TestObject object : objects) {
            table = table.with(object);
        }
        return table;
    }

    private static Layer<RawObject> fill(TestObject[] objects) {
        Layer<RawObject> layer = Layer.empty(new Layer.Shape<>() {
            @Override
            public ObjectKey keyOf(RawObject raw) {
                return raw.key();
            }

            @Override
            public List<io.homeostat.client.OwnerRef> ownersOf(RawObject raw) {
                return raw.owners();
            }
        });
        for (TestObject object : objects) {
            layer = layer.with(object);
        }
        return layer;
    }

    private static Hamt trie(TestObject[] objects) {
        Hamt trie = Hamt.EMPTY;
        for (TestObject object : objects) {
            trie = trie.with(object);
        }
        return trie;
    }
}
