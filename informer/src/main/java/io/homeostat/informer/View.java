package io.homeostat.informer;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.RawObject;
import io.homeostat.informer.Indexer.State;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** One {@link State} seen as objects of one class (D29): the server's part with the own writes laid over it. */
final class View<T extends HasMetadata> implements Snapshot<T> {
    private final State state;
    /** Caches of up to that many objects are looked through. */
    static final int FEW = 256;

    private final Decoder<T> decoder;
    private final Consumer<String> wanted;

    View(State state, Decoder<T> decoder) {
        this(state, decoder, label -> {});
    }

    /**
     * A view.
     *
     * @param wanted told of a label that many objects were looked through for
     */
    View(State state, Decoder<T> decoder, Consumer<String> wanted) {
        this.state = state;
        this.decoder = decoder;
        this.wanted = wanted;
    }

    /** What this is a view of. */
    State state() {
        return state;
    }

    @Override
    public Optional<CachedObject<T>> get(ObjectKey key) {
        RawObject seen = state.seen(key);
        return seen == null ? Optional.empty() : Optional.of(new Cached<>(seen, decoder));
    }

    @Override
    public List<CachedObject<T>> list() {
        List<CachedObject<T>> all =
                new ArrayList<>(state.base().size() + state.overlay().size());
        Iterator<RawObject> base = state.base().entries().iterator();
        Iterator<Own> overlay = state.overlay().entries().iterator();
        RawObject nextBase = next(base);
        Own nextOwn = next(overlay);
        while (nextBase != null || nextOwn != null) {
            int order =
                    nextBase == null ? 1 : nextOwn == null ? -1 : nextBase.key().compareTo(nextOwn.key());
            RawObject seen = nextBase;
            if (order >= 0 && nextOwn != null) {
                seen = nextOwn.over(order == 0 ? nextBase : null);
                nextOwn = next(overlay);
            }
            if (order <= 0) {
                nextBase = next(base);
            }
            if (seen != null) {
                all.add(new Cached<>(seen, decoder));
            }
        }
        return all;
    }

    @Override
    public List<CachedObject<T>> inNamespace(String namespace) {
        TreeSet<ObjectKey> keys = new TreeSet<>();
        List<CachedObject<T>> found = new ArrayList<>();
        List<RawObject> base = state.base().inNamespace(namespace);
        List<Own> overlay = state.overlay().inNamespace(namespace);
        if (overlay.isEmpty()) {
            for (RawObject raw : base) {
                found.add(new Cached<>(raw, decoder));
            }
            return found;
        }
        base.forEach(raw -> keys.add(raw.key()));
        overlay.forEach(own -> keys.add(own.key()));
        return seen(keys);
    }

    @Override
    public List<CachedObject<T>> ownedBy(String ownerUid) {
        TreeSet<ObjectKey> keys = new TreeSet<>(state.base().keysOwnedBy(ownerUid));
        keys.addAll(state.overlay().keysOwnedBy(ownerUid));
        List<CachedObject<T>> found = new ArrayList<>();
        for (CachedObject<T> object : seen(keys)) {
            // Base may be under an own write that took the owner away.
            if (object.raw().owners().stream().anyMatch(owner -> owner.uid().equals(ownerUid))) {
                found.add(object);
            }
        }
        return found;
    }

    @Override
    public List<CachedObject<T>> matching(String labelSelector) {
        LabelSelector selector = selector(labelSelector);
        Set<ObjectKey> candidates = candidates(selector);
        return selected(candidates == null ? list() : seen(candidates), selector);
    }

    @Override
    public List<CachedObject<T>> matching(String namespace, String labelSelector) {
        LabelSelector selector = selector(labelSelector);
        List<CachedObject<T>> here = inNamespace(namespace);
        Set<ObjectKey> candidates = here.size() <= FEW ? null : candidates(selector);
        if (candidates == null) {
            return selected(here, selector);
        }
        candidates.removeIf(key -> !key.namespace().equals(namespace));
        return selected(seen(candidates), selector);
    }

    private static LabelSelector selector(String text) {
        LabelSelector selector = LabelSelector.of(text);
        if (!selector.isKnown()) {
            throw new IllegalArgumentException(
                    "\"" + text
                            + "\" is no label selector; write requirements like app=web, tier in (a, b), !canary, joined by commas");
        }
        return selector;
    }

    /** The keys an index of a label has for it, and all of own writes; null when every object is to be looked at. */
    private @Nullable Set<ObjectKey> candidates(LabelSelector selector) {
        if (state.base().size() <= FEW) {
            return null;
        }
        for (LabelSelector.OneOf required : selector.oneOf()) {
            IndexTable table = state.table(new IndexTable.Label(required.label()));
            if (table != null) {
                TreeSet<ObjectKey> keys = new TreeSet<>();
                required.values().forEach(value -> keys.addAll(table.keys(value)));
                state.overlay().entries().iterator().forEachRemaining(own -> keys.add(own.key()));
                return keys;
            }
        }
        if (!selector.oneOf().isEmpty()) {
            wanted.accept(selector.oneOf().get(0).label());
        }
        return null;
    }

    private List<CachedObject<T>> selected(List<CachedObject<T>> candidates, LabelSelector selector) {
        List<CachedObject<T>> selected = new ArrayList<>();
        for (CachedObject<T> object : candidates) {
            if (selector.selects(object.raw().labels()) == LabelSelector.Answer.YES) {
                selected.add(object);
            }
        }
        return selected;
    }

    @Override
    public Lookup<T> indexed(Index<T> index, String value) {
        IndexTable table = state.table(index);
        IndexTable.Function function = IndexTable.function(index, decoder);
        TreeSet<ObjectKey> keys = new TreeSet<>();
        TreeMap<ObjectKey, String> unindexed = new TreeMap<>();
        if (table == null) {
            state.base().entries().iterator().forEachRemaining(raw -> {
                if (state.overlay().get(raw.key()) == null) {
                    place(raw.key(), function.of(raw), value, keys, unindexed);
                }
            });
        } else {
            for (ObjectKey key : table.keys(value)) {
                RawObject raw = state.base().get(key);
                if (function.remembered()) {
                    keys.add(key);
                } else if (raw != null) {
                    // A function that does not stand by what it said leaves facts behind: it is asked again, which is
                    // quick.
                    place(key, function.of(raw), value, keys, unindexed);
                }
            }
            table.failed().iterator().forEachRemaining(failed -> unindexed.put(failed.key(), failed.problem()));
        }
        // What is in the overlay is not what the table knows of that key.
        state.overlay().entries().iterator().forEachRemaining(own -> {
            keys.remove(own.key());
            unindexed.remove(own.key());
            RawObject shown = own.over(state.base().get(own.key()));
            if (shown != null) {
                IndexTable.Found found =
                        shown == own.object() ? own.indexed().of(index, function, shown) : function.of(shown);
                place(own.key(), found, value, keys, unindexed);
            }
        });
        return new Lookup<>(seen(keys), Collections.unmodifiableMap(unindexed));
    }

    private static void place(
            ObjectKey key,
            IndexTable.Found found,
            String value,
            Set<ObjectKey> keys,
            Map<ObjectKey, String> unindexed) {
        if (found.problem() != null) {
            unindexed.put(key, found.problem());
        } else if (found.values().contains(value)) {
            keys.add(key);
        }
    }

    @Override
    public int size() {
        int size = state.base().size();
        for (Iterator<Own> overlay = state.overlay().entries().iterator(); overlay.hasNext(); ) {
            Own own = overlay.next();
            RawObject base = state.base().get(own.key());
            size += (own.over(base) == null ? 0 : 1) - (base == null ? 0 : 1);
        }
        return size;
    }

    @Override
    public String resourceVersion() {
        return state.version();
    }

    @Override
    public long epoch() {
        return state.epoch();
    }

    private List<CachedObject<T>> seen(Iterable<ObjectKey> keys) {
        List<CachedObject<T>> found = new ArrayList<>();
        for (ObjectKey key : keys) {
            RawObject seen = state.seen(key);
            if (seen != null) {
                found.add(new Cached<>(seen, decoder));
            }
        }
        return found;
    }

    private static <X> @Nullable X next(Iterator<X> from) {
        return from.hasNext() ? from.next() : null;
    }
}
