package io.homeostat.informer;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.RawObject;
import io.homeostat.informer.Indexer.State;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/** One {@link State} seen as objects of one class (D29): the server's part with the own writes laid over it. */
final class View<T extends HasMetadata> implements Snapshot<T> {
    private final State state;
    private final Decoder<T> decoder;

    View(State state, Decoder<T> decoder) {
        this.state = state;
        this.decoder = decoder;
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
