package io.homeostat.informer;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.client.ApiException;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.RawObject;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Iterator;
import java.util.List;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * One index of one state: which keys have which values. Immutable; edits share structure.
 *
 * <p><b>Memory.</b> 24 bytes a value and object, and 14 of structure. <b>Failure.</b> What the function of the index throws is kept as
 * the reason why that key is not indexed; errors of the JVM itself go on.
 */
final class IndexTable {
    /*
     * Invariants
     * - A key is in byKey, in failed, or in neither (no values), never in both.
     * - byValue holds exactly the facts that hang in byKey.
     */

    /** One value of one key; all of a key are a chain. An empty name cannot be a key, so the least of a value has a null key. */
    private record Fact(String value, @Nullable ObjectKey key, @Nullable Fact next) {}

    /** The values of an entry, or why they are not known. */
    record Found(List<String> values, @Nullable String problem) {}

    /** A key that could not be indexed. */
    record Failed(ObjectKey key, String problem) {}

    /** How an entry is indexed: the index as one hold sees it. */
    interface Function {
        /** Never throws, but for errors of the JVM itself. */
        Found of(RawObject raw);
    }

    private static final SortedTree.Order<ObjectKey, Fact> BY_KEY = new SortedTree.Order<>() {
        @Override
        public ObjectKey keyOf(Fact fact) {
            ObjectKey key = fact.key;
            if (key == null) {
                throw new IllegalStateException("a fact that is only looked for is no fact of a key");
            }
            return key;
        }

        @Override
        public int compare(ObjectKey left, ObjectKey right) {
            return left.compareTo(right);
        }
    };

    private static final SortedTree.Order<Fact, Fact> BY_VALUE = new SortedTree.Order<>() {
        @Override
        public Fact keyOf(Fact fact) {
            return fact;
        }

        @Override
        public int compare(Fact left, Fact right) {
            int byValue = left.value.compareTo(right.value);
            if (byValue != 0) {
                return byValue;
            }
            if (left.key == null || right.key == null) {
                return Boolean.compare(left.key != null, right.key != null);
            }
            return left.key.compareTo(right.key);
        }
    };

    private static final SortedTree.Order<ObjectKey, Failed> BY_FAILED_KEY = new SortedTree.Order<>() {
        @Override
        public ObjectKey keyOf(Failed failed) {
            return failed.key;
        }

        @Override
        public int compare(ObjectKey left, ObjectKey right) {
            return left.compareTo(right);
        }
    };

    private final Object index;
    private final Function function;
    private final SortedTree<ObjectKey, Fact> byKey;
    private final SortedTree<Fact, Fact> byValue;
    private final SortedTree<ObjectKey, Failed> failed;

    private IndexTable(
            Object index,
            Function function,
            SortedTree<ObjectKey, Fact> byKey,
            SortedTree<Fact, Fact> byValue,
            SortedTree<ObjectKey, Failed> failed) {
        this.index = index;
        this.function = function;
        this.byKey = byKey;
        this.byValue = byValue;
        this.failed = failed;
    }

    /**
     * A table without entries.
     *
     * @param index what it is asked for by: an {@link Index}, or a {@link Label}
     */
    static IndexTable empty(Object index, Function function) {
        return new IndexTable(
                index, function, SortedTree.empty(BY_KEY), SortedTree.empty(BY_VALUE), SortedTree.empty(BY_FAILED_KEY));
    }

    /** The built-in index of one label. */
    record Label(String name) implements Function {
        @Override
        public Found of(RawObject raw) {
            String value = raw.labels().get(name);
            return new Found(value == null ? List.of() : List.of(value), null);
        }
    }

    /** {@code index} for objects of one class. */
    static <T extends HasMetadata> Function function(Index<T> index, Decoder<T> decoder) {
        return raw -> {
            try {
                Collection<String> values = index.values.of(raw, decoder);
                List<String> found = List.copyOf(new TreeSet<>(values));
                return new Found(found, null);
            } catch (Throwable problem) {
                if (problem instanceof VirtualMachineError error && !(problem instanceof StackOverflowError)) {
                    throw error;
                }
                // Its own words may quote the object.
                String text = problem instanceof ApiException.Undecodable undecodable
                        ? Quarantine.text(undecodable)
                        : index + " threw " + problem.getClass().getName();
                return new Found(List.of(), text);
            }
        };
    }

    boolean is(Object other) {
        return index.equals(other);
    }

    Object index() {
        return index;
    }

    /** With {@code raw} in the place of any entry of its key; this very table when its values are the same. */
    IndexTable with(RawObject raw) {
        Found now = function.of(raw);
        ObjectKey key = raw.key();
        Fact before = byKey.get(key);
        boolean wasFailed = !failed.isEmpty() && failed.get(key) != null;
        if (now.problem == null && !wasFailed && same(before, now.values)) {
            return this;
        }
        IndexTable bare = without(key);
        if (now.problem != null) {
            return bare.next(bare.byKey, bare.byValue, bare.failed.with(new Failed(key, now.problem)));
        }
        if (now.values.isEmpty()) {
            return bare;
        }
        Fact chain = null;
        SortedTree<Fact, Fact> values = bare.byValue;
        for (int i = now.values.size() - 1; i >= 0; i--) {
            chain = new Fact(now.values.get(i), key, chain);
            values = values.with(chain);
        }
        return bare.next(chain == null ? bare.byKey : bare.byKey.with(chain), values, bare.failed);
    }

    private static boolean same(@Nullable Fact chain, List<String> values) {
        Fact fact = chain;
        for (String value : values) {
            if (fact == null || !fact.value.equals(value)) {
                return false;
            }
            fact = fact.next;
        }
        return fact == null;
    }

    IndexTable without(ObjectKey key) {
        Fact chain = byKey.get(key);
        SortedTree<ObjectKey, Failed> others = failed.isEmpty() ? failed : failed.without(key);
        if (chain == null) {
            return others == failed ? this : next(byKey, byValue, others);
        }
        SortedTree<Fact, Fact> values = byValue;
        for (Fact fact = chain; fact != null; fact = fact.next) {
            values = values.without(fact);
        }
        return next(byKey.without(key), values, others);
    }

    private IndexTable next(
            SortedTree<ObjectKey, Fact> keys, SortedTree<Fact, Fact> values, SortedTree<ObjectKey, Failed> others) {
        return new IndexTable(index, function, keys, values, others);
    }

    /** The keys with that value, in order. */
    List<ObjectKey> keys(String value) {
        List<ObjectKey> keys = new ArrayList<>();
        Iterator<Fact> from = byValue.iterator(new Fact(value, null, null));
        while (from.hasNext()) {
            Fact next = from.next();
            if (!next.value.equals(value)) {
                break;
            }
            if (next.key != null) {
                keys.add(next.key);
            }
        }
        return keys;
    }

    /** The keys whose values are not known. */
    SortedTree<ObjectKey, Failed> failed() {
        return failed;
    }

    /** How many facts there are. */
    int size() {
        return byValue.size();
    }

    @Override
    public String toString() {
        return index + " with " + byValue.size() + " facts";
    }
}
