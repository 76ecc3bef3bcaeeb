package io.homeostat.informer;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.client.ApiException;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.RawObject;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One index of one state: which keys have which values. Immutable; edits share structure.
 *
 * <p>The values an entry had are made from it again when it goes, which costs less than to remember them; where that would decode the
 * object ({@link Function#remembered}) they are kept by key. An update that keeps the values changes nothing.
 *
 * <p><b>Memory.</b> That of {@link Facts}; where values are remembered, 7 bytes an object more. <b>Failure.</b> What the function of
 * the index throws is kept as the reason why that key is not indexed; errors of the JVM itself go on. A function that does not stand by
 * what it said of an entry is noticed when that does not fit what is here, and costs a look at all facts. Where it takes back all it said
 * nothing contradicts it, and the facts stay: so readers ask it once more about what they find ({@link View#indexed}).
 */
final class IndexTable {
    /*
     * Invariants
     * - A key has facts, is in failed, or neither (no values), never both.
     * - known is empty unless values are remembered; then it holds each key that has facts.
     */

    /** The values of an entry, or why they are not known. */
    record Found(List<String> values, @Nullable String problem) {
        /** No values. */
        static final Found NOTHING = new Found(List.of(), null);

        static Found failed(String problem) {
            return new Found(List.of(), problem);
        }
    }

    /** A key that could not be indexed. */
    record Failed(ObjectKey key, String problem) {}

    /** The remembered values of a key. */
    sealed interface Known permits Several, Facts.Fact {
        /** Of which key. */
        ObjectKey key();
    }

    /** Two or more. What has one value is remembered by its {@link Facts.Fact}. */
    record Several(ObjectKey key, List<String> values) implements Known {}

    /** How an entry is indexed: the index as one hold sees it. */
    interface Function {
        /** Never throws, but for errors of the JVM itself. */
        Found of(RawObject raw);

        /** Whether values are kept, since to make them again is dear. */
        default boolean remembered() {
            return false;
        }
    }

    private static final SortedTree.Order<ObjectKey, Known> BY_KEY = new SortedTree.Order<>() {
        @Override
        public ObjectKey keyOf(Known known) {
            return known.key();
        }

        @Override
        public int compare(ObjectKey left, ObjectKey right) {
            return left.compareTo(right);
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
    private final Facts facts;
    private final SortedTree<ObjectKey, Known> known;
    private final SortedTree<ObjectKey, Failed> failed;

    private IndexTable(
            Object index,
            Function function,
            Facts facts,
            SortedTree<ObjectKey, Known> known,
            SortedTree<ObjectKey, Failed> failed) {
        this.index = index;
        this.function = function;
        this.facts = facts;
        this.known = known;
        this.failed = failed;
    }

    /**
     * A table without entries.
     *
     * @param index what it is asked for by: an {@link Index}, or a {@link Label}
     */
    static IndexTable empty(Object index, Function function) {
        return new IndexTable(index, function, Facts.NONE, SortedTree.empty(BY_KEY), SortedTree.empty(BY_FAILED_KEY));
    }

    /** The built-in index of one label. */
    record Label(String name) implements Function {
        @Override
        public Found of(RawObject raw) {
            String value = raw.labels().get(name);
            return value == null ? Found.NOTHING : new Found(List.of(value), null);
        }
    }

    /** {@code index} for objects of one class. */
    static <T extends HasMetadata> Function function(Index<T> index, Decoder<T> decoder) {
        return new Function() {
            @Override
            public Found of(RawObject raw) {
                try {
                    Collection<String> values = index.values.of(raw, decoder);
                    return switch (values.size()) {
                        case 0 -> Found.NOTHING;
                        case 1 -> new Found(List.of(values.iterator().next()), null);
                        default -> new Found(distinct(values.toArray(new String[0])), null);
                    };
                } catch (Throwable problem) {
                    if (problem instanceof VirtualMachineError error && !(problem instanceof StackOverflowError)) {
                        throw error;
                    }
                    // Its own words may quote the object.
                    return Found.failed(
                            problem instanceof ApiException.Undecodable undecodable
                                    ? Quarantine.text(undecodable)
                                    : index + " threw " + problem.getClass().getName());
                }
            }

            @Override
            public boolean remembered() {
                return index.decodes;
            }
        };
    }

    private static List<String> distinct(String[] values) {
        Arrays.sort(values);
        int kept = 1;
        for (int i = 1; i < values.length; i++) {
            if (!values[i].equals(values[kept - 1])) {
                values[kept++] = values[i];
            }
        }
        return List.of(Arrays.copyOf(values, kept));
    }

    boolean is(Object other) {
        return index.equals(other);
    }

    Object index() {
        return index;
    }

    /** With an entry whose key has none here. */
    IndexTable with(RawObject added) {
        return moved(added.key(), Found.NOTHING, function.of(added));
    }

    /** With {@code after} in the place of {@code before}, which has the same key; this very table when the values are the same. */
    IndexTable with(RawObject before, RawObject after) {
        return moved(after.key(), was(before), function.of(after));
    }

    /** Without an entry that is here. */
    IndexTable without(RawObject gone) {
        return moved(gone.key(), was(gone), Found.NOTHING);
    }

    private Found was(RawObject entry) {
        if (!function.remembered()) {
            return function.of(entry);
        }
        Known values = known.get(entry.key());
        if (values == null) {
            Failed reason = failed.isEmpty() ? null : failed.get(entry.key());
            return reason == null ? Found.NOTHING : Found.failed(reason.problem);
        }
        return new Found(values instanceof Several all ? all.values : List.of(((Facts.Fact) values).value()), null);
    }

    private IndexTable moved(ObjectKey key, Found was, Found now) {
        boolean isFailed = !failed.isEmpty() && failed.get(key) != null;
        boolean contradicts = isFailed != (was.problem != null);
        if (was.equals(now) && !contradicts) {
            return this;
        }
        Facts next = facts;
        for (String value : was.values) {
            if (!now.values.contains(value)) {
                Facts rest = next.without(Facts.Fact.of(value, key));
                contradicts |= rest == next;
                next = rest;
            }
        }
        if (contradicts) {
            next = next.without(key);
        }
        Facts.Fact last = null;
        for (String value : now.values) {
            if (contradicts || !was.values.contains(value)) {
                last = Facts.Fact.of(value, key);
                next = next.with(last);
            }
        }
        return new IndexTable(index, function, next, remembered(key, now.values, last), failed(key, now));
    }

    private SortedTree<ObjectKey, Known> remembered(ObjectKey key, List<String> values, Facts.@Nullable Fact fact) {
        if (!function.remembered()) {
            return known;
        } else if (values.isEmpty()) {
            return known.without(key);
        } else if (values.size() > 1) {
            return known.with(new Several(key, values));
        }
        // Without a fact that is new, one of several has stayed.
        return known.with(fact != null ? fact : Facts.Fact.of(values.get(0), key));
    }

    private SortedTree<ObjectKey, Failed> failed(ObjectKey key, Found now) {
        if (now.problem != null) {
            return failed.with(new Failed(key, now.problem));
        }
        return failed.isEmpty() ? failed : failed.without(key);
    }

    /** The keys with that value, in no order. */
    List<ObjectKey> keys(String value) {
        return facts.keys(value);
    }

    /** The keys whose values are not known. */
    SortedTree<ObjectKey, Failed> failed() {
        return failed;
    }

    /** How many facts there are. */
    int size() {
        return facts.size();
    }

    @Override
    public String toString() {
        return index + " with " + facts;
    }
}
