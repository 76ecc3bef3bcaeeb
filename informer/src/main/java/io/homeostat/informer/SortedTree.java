package io.homeostat.informer;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import org.jspecify.annotations.Nullable;

/**
 * A persistent sorted set of elements that carry their key: a B+ tree whose nodes never change. An edit copies one leaf and the
 * branches above it (at most {@value #WIDTH} references each) and shares everything else with the tree it came from.
 *
 * <p>Why not a hash trie: docs/adr/0004-snapshot-structure.md. <b>Order.</b> Iteration is in key order. <b>Threads.</b> Immutable:
 * any. <b>Memory.</b> About 7 bytes an element beside the element itself; separators are keys, never elements, so that a replaced
 * element is not kept. <b>Failure.</b> None.
 *
 * @param <K> the key
 * @param <E> the element
 */
final class SortedTree<K, E> {
    /*
     * Invariants
     * - A node is a leaf (Object[] of elements) or a Branch. No node is empty, except the root of the empty tree.
     * - keys[i] of a branch is not above the first key of child i, and above the last key of child i - 1.
     * - All leaves are equally deep.
     * - Two neighbours below one branch hold more than MERGE entries together right after one of them has shrunk.
     */

    /** The most entries of a node. */
    static final int WIDTH = 32;

    private static final int MERGE = WIDTH * 3 / 4;
    private static final Object[] NOTHING = {};

    /** How keys are found in elements, and compared. */
    interface Order<K, E> {
        /** The element's key. */
        K keyOf(E element);

        /** As {@link Comparable#compareTo}. */
        int compare(K left, K right);
    }

    private final Order<K, E> order;
    private final Object root;
    private final int size;

    private SortedTree(Order<K, E> order, Object root, int size) {
        this.order = order;
        this.root = root;
        this.size = size;
    }

    /** The empty tree. */
    static <K, E> SortedTree<K, E> empty(Order<K, E> order) {
        return new SortedTree<>(order, NOTHING, 0);
    }

    int size() {
        return size;
    }

    boolean isEmpty() {
        return size == 0;
    }

    /** The element of that key; null when there is none. */
    @Nullable
    E get(K key) {
        Object node = root;
        while (node instanceof Branch branch) {
            node = branch.children[childFor(branch, key)];
        }
        Object[] leaf = (Object[]) node;
        int at = search(leaf, key);
        return at < 0 ? null : element(leaf, at);
    }

    /** This tree with {@code element} in the place of any element of the same key. */
    SortedTree<K, E> with(E element) {
        Edit edit = new Edit();
        Object left = put(root, order.keyOf(element), element, edit);
        Object top = left;
        Object right = edit.split;
        if (right != null) {
            top = new Branch(new Object[] {firstKey(left), firstKey(right)}, new Object[] {left, right});
        }
        return new SortedTree<>(order, top, edit.found ? size : size + 1);
    }

    /** This tree without the element of that key; this tree itself when there is none. */
    SortedTree<K, E> without(K key) {
        Object top = remove(root, key);
        if (top == root) {
            return this;
        }
        while (top instanceof Branch branch && branch.children.length == 1) {
            top = branch.children[0];
        }
        return new SortedTree<>(order, top == null ? NOTHING : top, size - 1);
    }

    /** All elements in key order. */
    Iterator<E> iterator() {
        return new Cursor(null);
    }

    /** The elements whose keys are not below {@code from}, in key order. */
    Iterator<E> iterator(K from) {
        return new Cursor(from);
    }

    /** All elements in key order, in a list of their own. */
    List<E> toList() {
        List<E> all = new ArrayList<>(size);
        iterator().forEachRemaining(all::add);
        return all;
    }

    private Object put(Object node, K key, E element, Edit edit) {
        if (node instanceof Branch branch) {
            int at = childFor(branch, key);
            Object child = put(branch.children[at], key, element, edit);
            Object right = edit.split;
            Object[] keys = branch.keys;
            if (at == 0 && order.compare(key, key(keys, 0)) < 0) {
                keys = keys.clone();
                keys[0] = key;
            }
            if (right == null) {
                Object[] children = branch.children.clone();
                children[at] = child;
                return new Branch(keys, children);
            }
            edit.split = null;
            Object[] children = inserted(branch.children, at + 1, right);
            children[at] = child;
            keys = inserted(keys, at + 1, firstKey(right));
            if (children.length <= WIDTH) {
                return new Branch(keys, children);
            }
            int half = cut(at + 1, children.length);
            edit.split = new Branch(tail(keys, half), tail(children, half));
            return new Branch(head(keys, half), head(children, half));
        }
        Object[] leaf = (Object[]) node;
        int at = search(leaf, key);
        if (at >= 0) {
            edit.found = true;
            Object[] copy = leaf.clone();
            copy[at] = element;
            return copy;
        }
        Object[] grown = inserted(leaf, -at - 1, element);
        if (grown.length <= WIDTH) {
            return grown;
        }
        int half = cut(-at - 1, grown.length);
        edit.split = tail(grown, half);
        return head(grown, half);
    }

    /** Where to split: elements that come in order (a list's do) leave full nodes behind. */
    private static int cut(int inserted, int length) {
        return inserted == length - 1 ? length - 1 : length / 2;
    }

    /** What is left of {@code node}: null for nothing, {@code node} itself when it has no such key. */
    private @Nullable Object remove(Object node, K key) {
        if (node instanceof Branch branch) {
            int at = childFor(branch, key);
            Object child = remove(branch.children[at], key);
            if (child == branch.children[at]) {
                return node;
            }
            if (child == null) {
                return branch.children.length == 1
                        ? null
                        : new Branch(removed(branch.keys, at), removed(branch.children, at));
            }
            Object[] children = branch.children.clone();
            children[at] = child;
            int left = at > 0 && width(children[at - 1]) + width(child) <= MERGE ? at - 1 : at;
            if (left + 1 < children.length && width(children[left]) + width(children[left + 1]) <= MERGE) {
                Object joined = join(children[left], children[left + 1]);
                children = removed(children, left + 1);
                children[left] = joined;
                return new Branch(removed(branch.keys, left + 1), children);
            }
            return new Branch(branch.keys, children);
        }
        Object[] leaf = (Object[]) node;
        int at = search(leaf, key);
        if (at < 0) {
            return node;
        }
        return leaf.length == 1 ? null : removed(leaf, at);
    }

    private static int width(Object node) {
        return node instanceof Branch branch ? branch.children.length : ((Object[]) node).length;
    }

    private static Object join(Object left, Object right) {
        if (left instanceof Branch a && right instanceof Branch b) {
            return new Branch(joined(a.keys, b.keys), joined(a.children, b.children));
        }
        return joined((Object[]) left, (Object[]) right);
    }

    private Object firstKey(Object node) {
        return node instanceof Branch branch ? branch.keys[0] : keyAt((Object[]) node, 0);
    }

    private int childFor(Branch branch, K key) {
        Object[] keys = branch.keys;
        int low = 1;
        int high = keys.length - 1;
        while (low <= high) {
            int middle = (low + high) >>> 1;
            if (order.compare(key(keys, middle), key) <= 0) {
                low = middle + 1;
            } else {
                high = middle - 1;
            }
        }
        return low - 1;
    }

    private int search(Object[] leaf, K key) {
        int low = 0;
        int high = leaf.length - 1;
        while (low <= high) {
            int middle = (low + high) >>> 1;
            int order = this.order.compare(keyAt(leaf, middle), key);
            if (order < 0) {
                low = middle + 1;
            } else if (order > 0) {
                high = middle - 1;
            } else {
                return middle;
            }
        }
        return -low - 1;
    }

    private K keyAt(Object[] leaf, int at) {
        return order.keyOf(element(leaf, at));
    }

    @SuppressWarnings("unchecked") // leaves hold elements only
    private E element(Object[] leaf, int at) {
        return (E) leaf[at];
    }

    @SuppressWarnings("unchecked") // keys of branches come from firstKey only
    private K key(Object[] keys, int at) {
        return (K) keys[at];
    }

    private static Object[] inserted(Object[] from, int at, Object more) {
        Object[] to = Arrays.copyOf(from, from.length + 1);
        System.arraycopy(from, at, to, at + 1, from.length - at);
        to[at] = more;
        return to;
    }

    private static Object[] removed(Object[] from, int at) {
        Object[] to = Arrays.copyOf(from, from.length - 1);
        System.arraycopy(from, at + 1, to, at, from.length - at - 1);
        return to;
    }

    private static Object[] joined(Object[] left, Object[] right) {
        Object[] to = Arrays.copyOf(left, left.length + right.length);
        System.arraycopy(right, 0, to, left.length, right.length);
        return to;
    }

    private static Object[] head(Object[] from, int end) {
        return Arrays.copyOf(from, end);
    }

    private static Object[] tail(Object[] from, int start) {
        return Arrays.copyOfRange(from, start, from.length);
    }

    /** An inner node. */
    private static final class Branch {
        final Object[] keys;
        final Object[] children;

        Branch(Object[] keys, Object[] children) {
            this.keys = keys;
            this.children = children;
        }
    }

    /** What one edit reports upwards. */
    private static final class Edit {
        boolean found;

        @Nullable
        Object split;
    }

    private final class Cursor implements Iterator<E> {
        private final List<Branch> branches = new ArrayList<>();
        private final List<Integer> places = new ArrayList<>();
        private Object[] leaf;
        private int next;

        Cursor(@Nullable K from) {
            leaf = descend(root, from);
            if (from != null) {
                int at = search(leaf, from);
                next = at < 0 ? -at - 1 : at;
            }
        }

        private Object[] descend(Object start, @Nullable K from) {
            Object node = start;
            while (node instanceof Branch branch) {
                int at = from == null ? 0 : childFor(branch, from);
                branches.add(branch);
                places.add(at);
                node = branch.children[at];
            }
            return (Object[]) node;
        }

        @Override
        public boolean hasNext() {
            while (next >= leaf.length) {
                int top = branches.size() - 1;
                while (top >= 0 && places.get(top) + 1 >= branches.get(top).children.length) {
                    branches.remove(top);
                    places.remove(top);
                    top--;
                }
                if (top < 0) {
                    return false;
                }
                int at = places.get(top) + 1;
                places.set(top, at);
                leaf = descend(branches.get(top).children[at], null);
                next = 0;
            }
            return true;
        }

        @Override
        public E next() {
            if (!hasNext()) {
                throw new NoSuchElementException("The tree has no more elements");
            }
            return element(leaf, next++);
        }
    }
}
