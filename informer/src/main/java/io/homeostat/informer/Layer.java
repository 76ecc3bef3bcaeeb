package io.homeostat.informer;

import io.homeostat.client.ObjectKey;
import io.homeostat.client.OwnerRef;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Entries by key, and which of them have an owner reference to which UID. Immutable; edits share structure. The order of keys is by
 * namespace first, so that the entries of a namespace are a range and need no index of their own.
 *
 * @param <E> the entry
 */
final class Layer<E> {
    /** How entries are read. */
    interface Shape<E> extends SortedTree.Order<ObjectKey, E> {
        /** The owner references of an entry. */
        List<OwnerRef> ownersOf(E entry);

        @Override
        default int compare(ObjectKey left, ObjectKey right) {
            return left.compareTo(right);
        }
    }

    private final Shape<E> shape;
    private final SortedTree<ObjectKey, E> entries;
    private final Facts owned;

    private Layer(Shape<E> shape, SortedTree<ObjectKey, E> entries, Facts owned) {
        this.shape = shape;
        this.entries = entries;
        this.owned = owned;
    }

    static <E> Layer<E> empty(Shape<E> shape) {
        return new Layer<>(shape, SortedTree.empty(shape), Facts.NONE);
    }

    SortedTree<ObjectKey, E> entries() {
        return entries;
    }

    int size() {
        return entries.size();
    }

    boolean isEmpty() {
        return entries.isEmpty();
    }

    @Nullable
    E get(ObjectKey key) {
        return entries.get(key);
    }

    /** With {@code entry} in the place of any of the same key. */
    Layer<E> with(E entry) {
        return replaced(entries.get(shape.keyOf(entry)), entry);
    }

    /** As {@link #with}, for a caller that has looked already: {@code before} is what {@link #get} answers for the key. */
    Layer<E> replaced(@Nullable E before, E entry) {
        return new Layer<>(shape, entries.with(entry), reindexed(before, entry));
    }

    Layer<E> without(ObjectKey key) {
        E before = entries.get(key);
        return before == null ? this : new Layer<>(shape, entries.without(key), reindexed(before, null));
    }

    private Facts reindexed(@Nullable E before, @Nullable E after) {
        List<OwnerRef> old = before == null ? List.of() : shape.ownersOf(before);
        List<OwnerRef> now = after == null ? List.of() : shape.ownersOf(after);
        if (old.equals(now)) {
            return owned;
        }
        Facts index = owned;
        if (before != null) {
            for (OwnerRef owner : old) {
                index = index.without(Facts.Fact.of(owner.uid(), shape.keyOf(before)));
            }
        }
        if (after != null) {
            for (OwnerRef owner : now) {
                index = index.with(Facts.Fact.of(owner.uid(), shape.keyOf(after)));
            }
        }
        return index;
    }

    /** The keys of the entries that have an owner reference to that UID, in no order. */
    List<ObjectKey> keysOwnedBy(String uid) {
        return owned.keys(uid);
    }

    @Override
    public String toString() {
        return entries.toList().toString();
    }

    /** How many facts the owner index holds. */
    int indexSize() {
        return owned.size();
    }

    /** The entries of one namespace, in key order. */
    List<E> inNamespace(String namespace) {
        List<E> found = new ArrayList<>();
        Iterator<E> from = entries.iterator(new ObjectKey(namespace, "\0"));
        while (from.hasNext()) {
            E next = from.next();
            if (!shape.keyOf(next).namespace().equals(namespace)) {
                break;
            }
            found.add(next);
        }
        return found;
    }
}
