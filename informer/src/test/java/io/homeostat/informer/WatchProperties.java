package io.homeostat.informer;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.RawObject;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * What etcd's robustness tests ask of a watch, asked of a cache and its handlers: <b>ordered, unique, atomic, reliable, resumable,
 * bookmarkable, filtered</b>. For any simulation: call {@link #observe} after every step, {@link #resumed} for every watch that is asked
 * for, wrap handlers with {@link #listening}, and call {@link #settled} when all is quiet. One instance per informer and process. A
 * violation is an {@link AssertionError} that begins with the property's name.
 *
 * <table>
 * <caption>What each means here</caption>
 * <tr><td>ordered</td><td>versions of a cache never go back within an epoch, nor those of one UID, in the cache or at a handler</td></tr>
 * <tr><td>unique</td><td>no handler is told one version of one UID twice</td></tr>
 * <tr><td>atomic</td><td>the server's part of a snapshot is what the server had at the snapshot's version, all of it and nothing else</td></tr>
 * <tr><td>bookmarkable</td><td>the same, where the version is a bookmark's: nothing up to it is missing</td></tr>
 * <tr><td>resumable</td><td>a watch begins at a version up to which everything has been applied</td></tr>
 * <tr><td>filtered</td><td>neither cache nor handlers show what was not selected</td></tr>
 * <tr><td>reliable</td><td>whatever a reader saw change, each handler is woken for afterwards, and the fold of its steps is the cache</td></tr>
 * </table>
 */
final class WatchProperties {
    /** What the server knows of itself. */
    interface Truth {
        /** All objects at that version, one for each history that had it (a restore begins another); empty when nobody knows. */
        List<SortedTree<ObjectKey, RawObject>> at(String version);

        /** Whether that key was ever unreadable, so that the cache may be behind there, or ahead by a GET (D32). */
        boolean unreadable(ObjectKey key);
    }

    private final Truth truth;
    private final Predicate<RawObject> selected;
    private final List<Listening> listeners = new ArrayList<>();
    private final Map<String, String> newest = new HashMap<>();
    private final Set<String> versions = new HashSet<>();
    private final Map<ObjectKey, Long> changed = new TreeMap<>();
    private Map<ObjectKey, String> shown = new TreeMap<>();
    private long steps;
    private long epoch;
    private String version = "";
    private Indexer.@Nullable State last;

    WatchProperties(Truth truth, Predicate<RawObject> selected) {
        this.truth = truth;
        this.selected = selected;
    }

    /** After every step: ordered, atomic, bookmarkable, filtered. */
    void observe(SharedInformer<ConfigMap> informer) {
        observe((View<ConfigMap>) informer.snapshot());
    }

    void observe(View<ConfigMap> view) {
        steps++;
        listeners.forEach(Listening::look);
        Indexer.State state = view.state();
        if (state.equals(last)) {
            return;
        }
        last = state;
        if (state.epoch() != epoch) {
            require(state.epoch() > epoch, "ordered: epoch " + state.epoch() + " after " + epoch);
            epoch = state.epoch();
            version = "";
            newest.clear();
            versions.clear();
        }
        require(
                !Indexer.older(state.version(), version),
                "ordered: the cache is at " + state.version() + " after " + version);
        version = state.version();
        versions.add(version);
        Map<ObjectKey, String> now = new TreeMap<>();
        for (CachedObject<ConfigMap> object : view.list()) {
            RawObject raw = object.raw();
            now.put(raw.key(), raw.uid() + "@" + raw.resourceVersion());
            require(selected.test(raw), "filtered: the cache shows " + raw + ", which is not selected");
            String before = newest.put(raw.uid(), raw.resourceVersion());
            require(
                    before == null || !Indexer.older(raw.resourceVersion(), before),
                    "ordered: the cache shows " + raw + " after version " + before);
        }
        TreeSet<ObjectKey> keys = new TreeSet<>(now.keySet());
        keys.addAll(shown.keySet());
        for (ObjectKey key : keys) {
            if (!Objects.equals(now.get(key), shown.get(key))) {
                changed.put(key, steps);
            }
        }
        shown = now;
        atomic(state);
    }

    private void atomic(Indexer.State state) {
        List<SortedTree<ObjectKey, RawObject>> histories = truth.at(state.version());
        if (state.version().isEmpty() || !state.holes().equals(Indexer.Holes.NONE) || histories.isEmpty()) {
            return; // before the first list; a list that could not say all
        }
        Map<ObjectKey, String> known = readable(state.base().entries());
        List<Map<ObjectKey, String>> had = new ArrayList<>();
        for (SortedTree<ObjectKey, RawObject> history : histories) {
            had.add(readable(history));
        }
        require(
                had.contains(known),
                "atomic: at version " + state.version() + " the cache has " + known + ", the server had " + had);
    }

    private Map<ObjectKey, String> readable(SortedTree<ObjectKey, RawObject> objects) {
        Map<ObjectKey, String> texts = new TreeMap<>();
        objects.iterator().forEachRemaining(object -> {
            if (selected.test(object) && !truth.unreadable(object.key())) {
                texts.put(object.key(), object.uid() + "@" + object.resourceVersion());
            }
        });
        return texts;
    }

    /** A watch without initial events was asked for, from that version: resumable. */
    void resumed(String from) {
        require(
                versions.contains(from),
                "resumable: a watch from " + from + ", where the cache is at " + version + " and never was at that");
    }

    /** {@code handler} under observation: ordered, unique, filtered. */
    ResourceEventHandler<ConfigMap> listening(ResourceEventHandler<ConfigMap> handler) {
        Listening listening = new Listening(handler);
        listeners.add(listening);
        return listening;
    }

    /** The registration of a handler made by {@link #listening}: what changes before it is synced is not owed to it. */
    void registered(ResourceEventHandler<ConfigMap> handler, SharedInformer.HandlerRegistration registration) {
        ((Listening) handler).registration = registration;
    }

    /** A handler that was closed is owed nothing. */
    void closed(ResourceEventHandler<ConfigMap> handler) {
        listeners.removeIf(listening -> listening == handler || listening.handler == handler);
    }

    /** When nothing is under way: reliable. */
    void settled() {
        for (Listening listening : listeners) {
            require(
                    listening.fold.equals(shown),
                    "reliable: the steps of a handler come to " + listening.fold + ", the cache shows " + shown);
            changed.forEach((key, at) -> require(
                    at <= listening.since || listening.told.getOrDefault(key, 0L) >= at,
                    "reliable: " + key + " changed at step " + at + ", and a handler was last told of it at "
                            + listening.told.get(key)));
        }
    }

    private static void require(boolean holds, String otherwise) {
        if (!holds) {
            // Not swallowed as a handler's own mistake: it goes on to the runtime, and fails the seed.
            throw new Violated(otherwise);
        }
    }

    /** A property does not hold. */
    static final class Violated extends InternalError {
        private static final long serialVersionUID = 1;

        Violated(String message) {
            super(message);
        }
    }

    private final class Listening implements ResourceEventHandler<ConfigMap> {
        private final ResourceEventHandler<ConfigMap> handler;
        private final Map<ObjectKey, Long> told = new TreeMap<>();
        private final Map<ObjectKey, String> fold = new TreeMap<>();
        private final Map<String, String> versionOf = new HashMap<>();
        private final Map<String, Integer> returns = new HashMap<>();
        private SharedInformer.@Nullable HandlerRegistration registration;
        private long since = Long.MAX_VALUE;

        Listening(ResourceEventHandler<ConfigMap> handler) {
            this.handler = handler;
        }

        void look() {
            SharedInformer.HandlerRegistration made = registration;
            if (since == Long.MAX_VALUE
                    && made != null
                    && made.synced().toCompletableFuture().isDone()) {
                since = steps;
            }
        }

        private void step(RawObject object, boolean gone, boolean merged) {
            told.put(object.key(), steps + 1); // within the step that is being taken
            require(gone || selected.test(object), "filtered: a handler is told of " + object);
            String uid = object.uid();
            String before = versionOf.put(uid, object.resourceVersion());
            if (before == null) {
                return;
            }
            if (Indexer.older(object.resourceVersion(), before)) {
                // Each restore of the server may take a UID back once.
                require(
                        returns.merge(uid, 1, Integer::sum) <= Math.max(epoch, 0),
                        "ordered: a handler is told of " + object + " after version " + before);
            }
            require(
                    gone || merged || !object.resourceVersion().equals(before),
                    "unique: a handler is told of " + object + " twice");
        }

        @Override
        public void onAdd(CachedObject<ConfigMap> object, Phase phase, Merged<ConfigMap> merged) {
            step(object.raw(), false, merged.versions() > 1);
            String known = fold.put(object.key(), text(object));
            require(known == null, "ordered: " + object + " is added where a handler has " + known);
            handler.onAdd(object, phase, merged);
        }

        @Override
        public void onUpdate(CachedObject<ConfigMap> before, CachedObject<ConfigMap> after, Merged<ConfigMap> merged) {
            step(after.raw(), false, merged.versions() > 1);
            String known = fold.put(after.key(), text(after));
            require(
                    text(before).equals(known)
                            && before.raw().uid().equals(after.raw().uid()),
                    "ordered: an update from " + before + " to " + after + " where a handler has " + known);
            handler.onUpdate(before, after, merged);
        }

        @Override
        public void onDelete(CachedObject<ConfigMap> lastKnown, Merged<ConfigMap> merged) {
            step(lastKnown.raw(), true, merged.versions() > 1);
            String known = fold.remove(lastKnown.key());
            require(
                    known != null && known.startsWith(lastKnown.raw().uid() + "@"),
                    "ordered: " + lastKnown + " is deleted where a handler has " + known);
            handler.onDelete(lastKnown, merged);
        }

        private static String text(CachedObject<ConfigMap> object) {
            return object.raw().uid() + "@" + object.raw().resourceVersion();
        }
    }
}
