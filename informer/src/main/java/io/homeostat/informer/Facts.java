package io.homeostat.informer;

import io.homeostat.client.ObjectKey;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;

/**
 * Which keys have which values: the structure of every index. Immutable; edits share structure.
 *
 * <p>Sorted by hashes, as nobody asks for a range of values: on the way down the tree numbers are compared that stand in the facts
 * themselves, where each text would be three references away. <b>Order.</b> None: readers sort the keys they find. <b>Threads.</b> Any.
 * <b>Memory.</b> 32 bytes a fact, and 5 to 7 of structure; a text once, however many have it. <b>Failure.</b> None.
 */
final class Facts {
    /** No facts. */
    static final Facts NONE = new Facts(SortedTree.empty(new Order()));

    /** Before all keys there can be: a name has no such character. */
    private static final ObjectKey LEAST = ObjectKey.clusterScoped("\0");

    /** One value of one key. */
    static final class Fact implements IndexTable.Known {
        private final int valueHash;
        private final int keyHash;
        private final ObjectKey key;
        // Confined to whoever made the fact until a state that holds it is published, and not changed then. On its way
        // into the tree a fact takes over the text of an equal value that it meets: functions make texts anew each
        // time.
        private String value;
        private boolean coming; // as value

        private Fact(int valueHash, int keyHash, String value, ObjectKey key) {
            this.valueHash = valueHash;
            this.keyHash = keyHash;
            this.value = value;
            this.key = key;
        }

        static Fact of(String value, ObjectKey key) {
            return new Fact(value.hashCode(), key.hashCode(), value, key);
        }

        String value() {
            return value;
        }

        @Override
        public ObjectKey key() {
            return key;
        }
    }

    private static final class Order implements SortedTree.Order<Fact, Fact> {
        @Override
        public Fact keyOf(Fact fact) {
            return fact;
        }

        @Override
        public int compare(Fact left, Fact right) {
            if (left.valueHash != right.valueHash) {
                return left.valueHash < right.valueHash ? -1 : 1;
            }
            if (!left.value.equals(right.value)) {
                return left.value.compareTo(right.value);
            }
            share(left, right);
            if (left.keyHash != right.keyHash) {
                return left.keyHash < right.keyHash ? -1 : 1;
            }
            return left.key.compareTo(right.key);
        }
    }

    @SuppressWarnings("ReferenceEquality") // the same text is wanted, not an equal one
    private static void share(Fact left, Fact right) {
        if (left.value == right.value) {
            return;
        }
        if (left.coming) {
            left.value = right.value;
        } else if (right.coming) {
            right.value = left.value;
        }
    }

    private final SortedTree<Fact, Fact> facts;

    private Facts(SortedTree<Fact, Fact> facts) {
        this.facts = facts;
    }

    /** With a fact that is in no tree yet. */
    Facts with(Fact fact) {
        fact.coming = true;
        SortedTree<Fact, Fact> more = facts.with(fact);
        fact.coming = false;
        return new Facts(more);
    }

    /** Without that fact; these very facts when it is none of them. */
    Facts without(Fact fact) {
        SortedTree<Fact, Fact> rest = facts.without(fact);
        return rest == facts ? this : new Facts(rest);
    }

    /** Without any fact of {@code key}: looks at all there are. */
    Facts without(ObjectKey key) {
        SortedTree<Fact, Fact> rest = facts;
        for (Iterator<Fact> all = facts.iterator(); all.hasNext(); ) {
            Fact fact = all.next();
            if (fact.key.equals(key)) {
                rest = rest.without(fact);
            }
        }
        return new Facts(rest);
    }

    /** The keys with that value, in no order. */
    List<ObjectKey> keys(String value) {
        List<ObjectKey> keys = new ArrayList<>();
        Iterator<Fact> from = facts.iterator(new Fact(value.hashCode(), Integer.MIN_VALUE, value, LEAST));
        while (from.hasNext()) {
            Fact fact = from.next();
            if (!fact.value.equals(value)) {
                break;
            }
            keys.add(fact.key);
        }
        return keys;
    }

    /** How many there are. */
    int size() {
        return facts.size();
    }

    @Override
    public String toString() {
        return size() + " facts";
    }
}
