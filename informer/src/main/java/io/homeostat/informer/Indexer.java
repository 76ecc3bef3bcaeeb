package io.homeostat.informer;

import io.homeostat.client.ObjectKey;
import io.homeostat.client.OwnerRef;
import io.homeostat.client.RawObject;
import io.homeostat.client.ResourceVersions;
import io.homeostat.client.WatchFrame;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicReferenceFieldUpdater;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * The store of one informer: the present {@link State}, and the only code that makes the next one.
 *
 * <p><b>Order.</b> Changes come back in the order they were applied; the state that holds them is published first, so that no
 * handler knows more than a reader. An object never goes back to an older version of its UID, and a deleted UID does not return,
 * except in an epoch reset (P-C1). <b>Threads.</b> {@link #state} and {@link #own}: any; the rest: the informer's lane. The lane
 * alone changes the server's part ({@code base}), any thread adds to the overlay, and both publish by compare-and-set, so neither
 * waits. <b>Memory.</b> Each object's bytes and metadata once, 7 bytes of structure, 38 bytes per owner reference; the last
 * {@value #REMEMBERED} deleted UIDs. <b>Failure.</b> None: what cannot be compared is taken as the server gave it.
 *
 * <p>What is kept of an object is up to the {@link Keeper} (D25). Nothing is decoded here, except for object indexes.
 */
final class Indexer {
    /*
     * Invariants
     * - base and version of the state change on the lane only; overlay changes by CAS on any thread.
     * - An entry of the overlay is never older than the entry of base for the same UID, and never at or below the state's version,
     *   except one that stands for a deletion, which lives until base no longer has its UID, and one whose key is in a hole.
     * - epoch grows only together with an emptied overlay.
     */

    /** How many deleted UIDs are remembered against late or repeated events. */
    static final int REMEMBERED = 512;

    /** The deletion of a UID that is known to be gone, nobody knows at which version: 128 bits are the most a version has (KEP-5504). */
    private static final String FINAL = "999999999999999999999999999999999999999";

    private static final byte[] METADATA = "\"metadata\":".getBytes(StandardCharsets.US_ASCII);
    private static final byte[] KIND = "\"kind\":".getBytes(StandardCharsets.US_ASCII);
    /** Kind, group and version, with their names and quotes, are not longer. */
    private static final int LONGEST_TYPE = 512;

    private static final Layer.Shape<RawObject> SERVER = new Layer.Shape<>() {
        @Override
        public ObjectKey keyOf(RawObject raw) {
            return raw.key();
        }

        @Override
        public List<OwnerRef> ownersOf(RawObject raw) {
            return raw.owners();
        }
    };

    /**
     * What a list could not say, since some of its items could not be read (D32): there the version of the state proves nothing.
     *
     * @param unread keys whose item could not be read
     * @param nameless whether there were items without even a key: any key that seems absent may be one of them
     */
    record Holes(Set<ObjectKey> unread, boolean nameless) {
        static final Holes NONE = new Holes(Set.of(), false);

        boolean cover(ObjectKey key) {
            return nameless || unread.contains(key);
        }
    }

    /**
     * One state. Immutable.
     *
     * @param epoch grows when the server's versions went back
     * @param version the version of the last list, event or bookmark applied; {@code ""} before the first list
     * @param holes what the last list could not say
     * @param base what the server had at that version
     * @param overlay own writes it does not show yet
     * @param indexes of base, beside that of owners
     */
    record State(
            long epoch,
            String version,
            Holes holes,
            Layer<RawObject> base,
            Layer<Own> overlay,
            List<IndexTable> indexes) {
        State with(Own own) {
            return with(overlay.with(own.over(overlay.get(own.key()))));
        }

        State with(Layer<Own> nextOverlay) {
            return new State(epoch, version, holes, base, nextOverlay, indexes);
        }

        State with(List<IndexTable> nextIndexes) {
            return new State(epoch, version, holes, base, overlay, nextIndexes);
        }

        /** The table of that index, or of that {@link IndexTable.Label}; null while there is none. */
        @Nullable
        IndexTable table(Object index) {
            for (IndexTable table : indexes) {
                if (table.is(index)) {
                    return table;
                }
            }
            return null;
        }

        /** What a reader sees under that key. */
        @Nullable
        RawObject seen(ObjectKey key) {
            RawObject known = base.get(key);
            Own own = overlay.get(key);
            return own == null ? known : own.over(known);
        }

        /** Whether everything up to {@code other} has been applied. False when it cannot be told. */
        boolean covers(String other) {
            return ResourceVersions.comparable(version)
                    && ResourceVersions.comparable(other)
                    && ResourceVersions.compare(version, other) >= 0;
        }
    }

    private static final AtomicReferenceFieldUpdater<Indexer, State> CURRENT =
            AtomicReferenceFieldUpdater.newUpdater(Indexer.class, State.class, "current");

    // volatile: the one reference through which lane, writers and readers meet; changed by compare-and-set only.
    private volatile State current =
            new State(0, "", Holes.NONE, Layer.empty(SERVER), Layer.empty(Own.SHAPE), List.of());
    private final boolean checksVersions;
    private final boolean keepsOverlay;
    // Planted defects; all false outside a simulation that looks for them.
    private final boolean dropsEchoes;
    private final boolean deletesUnread;
    private final boolean leaksOverlay;
    private final boolean losesOverlay;
    private final boolean tearsRelists;
    private final boolean hidesDeletes;
    private final boolean mixesUids;
    private final boolean ignoresEpochs;
    private final boolean tellsUnchanged;
    private final boolean keepsDeleted;
    private final boolean ignoresHoles;
    private final Criteria criteria;
    private final Keeper keeper;
    // Confined to the lane: UID to the version of its deletion, oldest first.
    private final Map<String, String> deleted = new LinkedHashMap<>();
    // Of those, what the last list showed although a GET had found nothing. Confined to the lane.
    private final Set<String> insistedOn = new HashSet<>(0);
    // The same UIDs as in deleted, for own() on any thread: in here before the state that lacks them is published.
    private final Set<String> ended = ConcurrentHashMap.newKeySet();
    // UIDs in base whose version is of an earlier epoch, since the list that began this one could not say more of them:
    // no version
    // of this epoch compares with theirs. Written on the lane.
    private final Set<String> foreign = ConcurrentHashMap.newKeySet();

    /**
     * An empty store.
     *
     * @param checksVersions false only when the defect {@code informer.no-version-check} is planted
     * @param keepsOverlay false only when the defect {@code informer.no-overlay} is planted
     */
    Indexer(Selection selection, boolean checksVersions, boolean keepsOverlay) {
        this(
                Criteria.of(selection),
                new Keeper(StorePolicy.LAZY),
                defect -> defect.equals("informer.no-version-check")
                        ? !checksVersions
                        : defect.equals("informer.no-overlay") && !keepsOverlay);
    }

    /** An empty store with the defects that a simulation has planted ({@link io.homeostat.core.EngineRuntime#planted}). */
    Indexer(Criteria criteria, Keeper keeper, Predicate<String> planted) {
        this.criteria = criteria;
        this.keeper = keeper;
        this.checksVersions = !planted.test("informer.no-version-check");
        this.keepsOverlay = !planted.test("informer.no-overlay");
        this.dropsEchoes = planted.test("informer.echo-dropped");
        this.deletesUnread = planted.test("informer.false-delete");
        this.leaksOverlay = planted.test("informer.overlay-leaked");
        this.losesOverlay = planted.test("informer.overlay-dropped-early");
        this.tearsRelists = planted.test("informer.torn-relist");
        this.hidesDeletes = planted.test("informer.missed-delete-untold");
        this.mixesUids = planted.test("informer.uid-change-as-update");
        this.ignoresEpochs = planted.test("informer.epoch-ignored");
        this.tellsUnchanged = planted.test("informer.relist-tells-unchanged");
        this.keepsDeleted = planted.test("informer.own-delete-shown");
        this.ignoresHoles = planted.test("informer.holes-ignored");
        if (planted.test("informer.own-write-unindexed")) {
            current = current.with(Layer.empty(Own.UNINDEXED));
        }
    }

    State state() {
        return current;
    }

    /** Whether {@code left} is a newer version than {@code right}; a difference that cannot be ordered counts as newer. */
    static boolean newer(String left, String right) {
        if (ResourceVersions.comparable(left) && ResourceVersions.comparable(right)) {
            return ResourceVersions.compare(left, right) > 0;
        }
        return !left.equals(right);
    }

    /** Applies events in the order of the server and publishes once. */
    List<Change> apply(Collection<WatchFrame.Event> events) {
        State state = current;
        List<Change> changes = new ArrayList<>(events.size());
        Layer<RawObject> base = state.base;
        String version = state.version;
        for (WatchFrame.Event event : events) {
            RawObject object = event.object();
            base = event.kind() == WatchFrame.Kind.DELETED
                    ? removed(base, object, changes)
                    : placed(base, object, changes);
            version = later(version, object.resourceVersion());
        }
        return publish(state.epoch, version, state.holes, base, changes);
    }

    /** Applies what a GET answered: the object is there, at this version. Says nothing of the informer's own version. */
    List<Change> confirm(RawObject object) {
        State state = current;
        unpresume(object.key(), object.uid());
        List<Change> changes = new ArrayList<>(1);
        // A GET knows no selector: what does not match has left the selection.
        Layer<RawObject> base = criteria.selects(object) == LabelSelector.Answer.NO
                ? leaving(state.base, object, changes)
                : placed(state.base, object, changes);
        return publish(state.epoch, state.version, state.holes, base, changes);
    }

    private Layer<RawObject> leaving(Layer<RawObject> base, RawObject object, List<Change> changes) {
        RawObject known = base.get(object.key());
        Own own = current.overlay.get(object.key());
        if (own != null && older(own.version(), object.resourceVersion())) {
            // Which takes it out of the overlay.
            remember(own.uid(), own.uid().equals(object.uid()) ? object.resourceVersion() : FINAL);
        }
        if (known == null) {
            return base;
        }
        if (!foreign(known) && !newer(object.resourceVersion(), known.resourceVersion())) {
            return base;
        }
        remember(known.uid(), known.uid().equals(object.uid()) ? object.resourceVersion() : FINAL);
        changes.add(new Change.Deleted(known, known));
        return base.without(known.key());
    }

    /**
     * Applies what a GET answered: no such object.
     *
     * @param asked what base had when the question was put; null for nothing
     */
    List<Change> deny(ObjectKey key, @Nullable RawObject asked) {
        State state = current;
        RawObject known = state.base.get(key);
        List<Change> changes = new ArrayList<>(2);
        Layer<RawObject> base = state.base;
        if (known != null && asked != null && known.uid().equals(asked.uid())) {
            remember(known.uid(), FINAL); // whatever a stream that lags behind still says of it
            base = base.without(key);
            changes.add(new Change.Deleted(known, known));
        }
        Own own = state.overlay.get(key);
        RawObject written = own == null ? null : own.object();
        if (written != null && state.covers(written.resourceVersion())) {
            remember(written.uid(), FINAL); // which takes it out of the overlay
        }
        return publish(state.epoch, state.version, state.holes, base, changes);
    }

    /** Everything up to {@code version} has been applied. */
    List<Change> bookmark(String version) {
        State state = current;
        return publish(state.epoch, later(state.version, version), state.holes, state.base, List.of());
    }

    private String later(String version, String candidate) {
        return version.isEmpty() || newer(candidate, version) || !checksVersions ? candidate : version;
    }

    private Layer<RawObject> placed(Layer<RawObject> base, RawObject object, List<Change> changes) {
        RawObject known = base.get(object.key());
        String version = object.resourceVersion();
        if (checksVersions) {
            String deletion = deleted.get(object.uid());
            if (deletion != null && !newer(version, deletion)) {
                return base;
            }
            if (known != null && !foreign(known) && !newer(version, known.resourceVersion())) {
                return base;
            }
        }
        if (known != null) {
            boolean unchanged = foreign(known)
                    && known.uid().equals(object.uid())
                    && known.resourceVersion().equals(version)
                    && Arrays.equals(known.bytes(), object.bytes());
            foreign.remove(known.uid());
            if (unchanged) {
                return base; // it outlived the epoch as it was
            }
        }
        RawObject kept = keeper.kept(object);
        if (dropsEchoes && isEcho(object)) {
            return base.replaced(known, kept);
        }
        if (known == null) {
            changes.add(new Change.Added(kept));
        } else if (known.uid().equals(object.uid()) || mixesUids) {
            changes.add(new Change.Updated(known, kept));
        } else {
            remember(known.uid(), version); // it ended before this one was there
            changes.add(new Change.Deleted(known, known));
            changes.add(new Change.Added(kept));
        }
        return base.replaced(known, kept);
    }

    private Layer<RawObject> removed(Layer<RawObject> base, RawObject object, List<Change> changes) {
        RawObject known = base.get(object.key());
        if (known == null || !known.uid().equals(object.uid())) {
            remember(object.uid(), object.resourceVersion());
            if (known == null || !(foreign(known) || older(known.resourceVersion(), object.resourceVersion()))) {
                return base;
            }
            // A later UID came and went under this key, so the one known here ended before: its own end could not be
            // read.
            remember(known.uid(), object.resourceVersion());
            changes.add(new Change.Deleted(known, known));
            return base.without(known.key());
        }
        if (checksVersions && !foreign(known) && older(object.resourceVersion(), known.resourceVersion())) {
            return base;
        }
        remember(object.uid(), object.resourceVersion());
        changes.add(new Change.Deleted(known, keeper.kept(object)));
        return base.without(object.key());
    }

    private boolean isEcho(RawObject object) {
        Own own = current.overlay.get(object.key());
        return own != null && own.version().equals(object.resourceVersion());
    }

    private boolean foreign(RawObject known) {
        return !foreign.isEmpty() && foreign.contains(known.uid());
    }

    /** Whether {@code left} is an older version than {@code right}; false when it cannot be told. */
    static boolean older(String left, String right) {
        return ResourceVersions.comparable(left)
                && ResourceVersions.comparable(right)
                && ResourceVersions.compare(left, right) < 0;
    }

    private void remember(String uid, String version) {
        foreign.remove(uid);
        String known = deleted.remove(uid);
        deleted.put(uid, known != null && older(version, known) ? known : version);
        ended.add(uid);
        if (deleted.size() > REMEMBERED) {
            Iterator<String> oldest = deleted.keySet().iterator();
            ended.remove(oldest.next());
            oldest.remove();
        }
    }

    /** One version of one object. */
    private record Version(String uid, String version) {
        static Version of(RawObject object) {
            return new Version(object.uid(), object.resourceVersion());
        }
    }

    /**
     * Publishes the next state with what is left of the overlay. On the lane.
     *
     * @param changes what leads from the base that was to {@code base}
     * @return the same, with the own writes that readers saw and handlers would not hear of: what leaves the overlay without having
     *     been in base at that very version has come and gone, and who saw it must be woken (P-C11, D7)
     */
    private List<Change> publish(long epoch, String version, Holes holes, Layer<RawObject> base, List<Change> changes) {
        List<IndexTable> indexes = current.indexes;
        for (Change change : indexes.isEmpty() ? List.<Change>of() : changes) {
            indexes = indexed(indexes, change);
        }
        return publish(epoch, version, holes, base, changes, indexes);
    }

    private List<Change> publish(
            long epoch,
            String version,
            Holes holes,
            Layer<RawObject> base,
            List<Change> changes,
            List<IndexTable> indexes) {
        Layer<RawObject> from = current.base;
        Set<Version> told = null;
        while (true) {
            State before = current;
            State bare = new State(epoch, version, holes, base, before.overlay, indexes);
            List<RawObject> untold = new ArrayList<>(0);
            Layer<Own> overlay = before.overlay;
            if (!overlay.isEmpty()) {
                Set<Version> said = told == null ? versions(changes) : told;
                told = said;
                Set<String> ending = ends(changes);
                for (Iterator<Own> entries = overlay.entries().iterator(); entries.hasNext(); ) {
                    Own own = entries.next();
                    for (RawObject seen : own.superseded()) {
                        if (hasEnded(seen, ending) && !said.contains(Version.of(seen)) && !isAt(from, seen)) {
                            untold.add(seen); // with its end: no more can be told of it afterwards
                        }
                    }
                    Own left = own.withoutSuperseded(seen -> said.contains(Version.of(seen)) || hasEnded(seen, ending));
                    if (epoch != before.epoch || caughtUp(bare, own)) {
                        overlay = overlay.without(own.key());
                        for (RawObject seen : left.shown()) {
                            if (!said.contains(Version.of(seen)) && !isAt(from, seen)) {
                                untold.add(seen);
                            }
                        }
                    } else if (!left.equals(own)) {
                        overlay = overlay.with(left);
                    }
                }
            }
            // Made before it is shown: where there is no memory for it, nothing has happened yet.
            List<Change> withUntold =
                    untold.isEmpty() ? changes : withPassed(untold, from, base, changes, epoch != before.epoch);
            if (CURRENT.compareAndSet(this, before, bare.with(overlay))) {
                return withUntold;
            }
        }
    }

    private static List<IndexTable> indexed(List<IndexTable> indexes, Change change) {
        List<IndexTable> next = indexes;
        for (int i = 0; i < indexes.size(); i++) {
            IndexTable before = indexes.get(i);
            IndexTable after = indexed(before, change);
            if (after != before) {
                next = next == indexes ? new ArrayList<>(indexes) : next;
                next.set(i, after);
            }
        }
        return next;
    }

    private static IndexTable indexed(IndexTable table, Change change) {
        if (change instanceof Change.Added added) {
            return table.with(added.after());
        } else if (change instanceof Change.Updated updated) {
            return table.with(updated.before(), updated.after());
        } else if (change instanceof Change.Deleted deleted) {
            return table.without(deleted.before());
        }
        return table; // an own write that base never had
    }

    /** Shows {@code table}, made from the present base, from now on; in the place of an earlier one of the same index. On the lane. */
    void show(IndexTable table) {
        replaceIndexes(table.index(), List.of(table));
    }

    /** Forgets an index. On the lane. */
    void hide(Object index) {
        replaceIndexes(index, List.of());
    }

    private void replaceIndexes(Object index, List<IndexTable> tables) {
        while (true) {
            State before = current;
            List<IndexTable> next = new ArrayList<>(before.indexes);
            next.removeIf(table -> table.is(index));
            next.addAll(tables);
            if (CURRENT.compareAndSet(this, before, before.with(List.copyOf(next)))) {
                return;
            }
        }
    }

    private static boolean isAt(Layer<RawObject> base, RawObject object) {
        RawObject known = base.get(object.key());
        return known != null && Version.of(known).equals(Version.of(object));
    }

    /** Whether it is of a UID that ends now, and from before that: with a selector it may come again. */
    private boolean hasEnded(RawObject seen, Set<String> ending) {
        String end = ending.contains(seen.uid()) ? deleted.get(seen.uid()) : null;
        return end != null && !newer(seen.resourceVersion(), end);
    }

    private static Set<String> ends(List<Change> changes) {
        Set<String> uids = new HashSet<>();
        for (Change change : changes) {
            if (change instanceof Change.Deleted deleted) {
                uids.add(deleted.before().uid());
            }
        }
        return uids;
    }

    private static Set<Version> versions(List<Change> changes) {
        Set<Version> versions = new HashSet<>();
        for (Change change : changes) {
            if (change instanceof Change.Added added) {
                versions.add(Version.of(added.after()));
            } else if (change instanceof Change.Updated updated) {
                versions.add(Version.of(updated.after()));
            } else if (change instanceof Change.Deleted deleted) {
                versions.add(Version.of(deleted.before()));
                versions.add(Version.of(deleted.lastKnown()));
            }
        }
        return versions;
    }

    /** A UID that is there now passes after its change, one that is not before: no handler is told of an end and then of more. */
    private List<Change> withPassed(
            List<RawObject> passed,
            Layer<RawObject> from,
            Layer<RawObject> to,
            List<Change> changes,
            boolean ofAnEarlierEpoch) {
        List<Change> all = new ArrayList<>(changes.size() + passed.size());
        List<Change> between = new ArrayList<>(0);
        List<Change> after = new ArrayList<>(0);
        for (RawObject object : passed) {
            RawObject now = to.get(object.key());
            RawObject before = from.get(object.key());
            boolean ended = now == null || !now.uid().equals(object.uid());
            if (ended && !ofAnEarlierEpoch) { // whose versions say nothing of a UID that may come again
                remember(object.uid(), object.resourceVersion());
            }
            if (now != null && (!ended || (before != null && before.uid().equals(now.uid())))) {
                // What it is told with stays, with an epoch also another UID that was deleted before: an update.
                after.add(new Change.Passed(object, now));
            } else {
                (before == null ? between : all).add(new Change.Passed(object, before));
            }
        }
        // Of a relist the deletes come first (P-C3): what is told of a key before its own.
        int deletes = 0;
        while (deletes < changes.size() && changes.get(deletes) instanceof Change.Deleted) {
            deletes++;
        }
        all.addAll(changes.subList(0, deletes));
        all.addAll(between);
        all.addAll(changes.subList(deletes, changes.size()));
        all.addAll(after);
        return all;
    }

    private boolean caughtUp(State state, Own own) {
        if (losesOverlay) {
            return true;
        }
        RawObject known = state.base.get(own.key());
        boolean has = known != null && known.uid().equals(own.uid());
        // By version across UIDs, too: base may have heard of a later incarnation from a GET, ahead of its own version.
        boolean overtaken = known != null && !foreign(known) && !older(known.resourceVersion(), own.version());
        boolean covered = !leaksOverlay && state.covers(own.version());
        boolean unsaid = state.holes.cover(own.key());
        String deletion = deleted.get(own.uid());
        boolean ended = deletion != null && !newer(own.version(), deletion);
        return switch (own.fate()) {
                // What base still has under a hole may be of an earlier UID, which this one hides as well.
            case DELETED, PRESUMED -> !has && (overtaken || ((ended || covered) && !(known != null && unsaid)));
            case LEFT -> overtaken || ended || (covered && !(known != null && unsaid));
            case WRITTEN -> overtaken || ended || (covered && !unsaid);
        };
    }

    /** What became of an own write. */
    enum Outcome {
        /** The overlay shows it. */
        SHOWN,
        /** Nothing to show: the cache is there already, or does not hold such objects. */
        IDLE,
        /** The cache is beyond it and has no such UID: see {@link #passed}. */
        PASSED,
        /** The overlay shows it, and only a GET can tell how long: the last list could not be read there, or a UID is not known. */
        DOUBTED
    }

    /** Shows a write of this process: the object exists at this version. Any thread. */
    Outcome own(RawObject object) {
        if (!keepsOverlay || !ResourceVersions.comparable(object.resourceVersion())) {
            return Outcome.IDLE; // without an order of versions nobody could tell when the cache has caught up
        }
        LabelSelector.Answer selected = criteria.selects(object);
        while (true) {
            State before = current;
            RawObject known = before.base.get(object.key());
            Own shown = before.overlay.get(object.key());
            boolean has = known != null && known.uid().equals(object.uid());
            boolean out =
                    selected == LabelSelector.Answer.NO || (selected == LabelSelector.Answer.UNKNOWN && known == null);
            boolean doubtful = before.covers(object.resourceVersion()) && before.holes.cover(object.key());
            if (out && !has && shown == null) {
                return Outcome.IDLE;
            }
            if (doubtful && ended.contains(object.uid())) {
                return Outcome.IDLE; // the answer comes after the end of what it speaks of, which has been told
            }
            if (checksVersions) {
                if (known != null && !foreign(known) && !older(known.resourceVersion(), object.resourceVersion())) {
                    return has || out ? Outcome.IDLE : Outcome.PASSED;
                }
                if (before.covers(object.resourceVersion()) && !doubtful) {
                    return out ? Outcome.IDLE : Outcome.PASSED;
                }
                if (shown != null && outranks(shown, object)) {
                    return Outcome.IDLE;
                }
            }
            if (CURRENT.compareAndSet(this, before, before.with(out ? Own.left(object) : Own.written(object)))) {
                return doubtful ? Outcome.DOUBTED : Outcome.SHOWN;
            }
        }
    }

    /** A deletion is final for its UID; otherwise the newer version counts. */
    private static boolean outranks(Own shown, RawObject late) {
        return (shown.isEnd() && shown.uid().equals(late.uid())) || !newer(late.resourceVersion(), shown.version());
    }

    /** That UID was only presumed to be deleted, and is there. {@code ""}: whichever was. */
    void unpresume(ObjectKey key, String uid) {
        while (true) {
            State before = current;
            Own own = before.overlay.get(key);
            if (own == null
                    || own.fate() != Own.Fate.PRESUMED
                    || !(uid.isEmpty() || own.uid().equals(uid))
                    || CURRENT.compareAndSet(this, before, before.with(before.overlay.without(key)))) {
                return;
            }
        }
    }

    /**
     * Shows a deletion by this process. Any thread.
     *
     * <p>Only a UID that base or overlay has is hidden: the cache will hear of its end, which is what takes the entry back. An
     * answer that comes after that end must leave nothing behind.
     *
     * @param uid the UID that is gone; {@code ""} when the answer did not say: the one the snapshot shows is hidden, and only a GET
     *     can tell whether it is a later one, which somebody has made meanwhile
     */
    Outcome gone(ObjectKey key, String uid) {
        while (keepsOverlay && !keepsDeleted) {
            State before = current;
            RawObject known = before.base.get(key);
            Own shown = before.overlay.get(key);
            RawObject written = shown == null ? null : shown.object();
            RawObject meant = null;
            if (written != null && (uid.isEmpty() || written.uid().equals(uid))) {
                meant = written;
            } else if (written == null
                    && known != null
                    && (uid.isEmpty() || known.uid().equals(uid))) {
                meant = known; // a later incarnation that was written already outranks this deletion
            }
            if (meant == null || !ResourceVersions.comparable(meant.resourceVersion())) {
                return Outcome.IDLE;
            }
            Own end = uid.isEmpty() ? Own.presumed(meant) : Own.deleted(meant);
            if (CURRENT.compareAndSet(this, before, before.with(end))) {
                return uid.isEmpty() ? Outcome.DOUBTED : Outcome.SHOWN;
            }
        }
        return Outcome.IDLE;
    }

    /**
     * What handlers must be told of an own write that the state is beyond and does not have (P-C11, D7): nothing, when an event
     * said so; else that it has come and gone.
     */
    List<Change> passed(RawObject object) {
        RawObject known = current.base.get(object.key());
        boolean has = known != null && known.uid().equals(object.uid());
        if (has || deleted.containsKey(object.uid())) {
            return List.of();
        }
        remember(object.uid(), object.resourceVersion()); // told once, whatever is still answered of it
        return List.of(new Change.Passed(object, known));
    }

    /** The instance of the store when it has this very version with these contents, so that the bytes that arrived need not be kept. */
    RawObject same(RawObject arrived) {
        RawObject known = current.base.get(arrived.key());
        return known != null
                        && known.uid().equals(arrived.uid())
                        && sameVersion(known, arrived)
                        && sameContents(known, arrived)
                ? known
                : keeper.kept(arrived);
    }

    private static boolean sameVersion(RawObject one, RawObject other) {
        return one.resourceVersion().equals(other.resourceVersion());
    }

    /** By their bytes; lists of built-in types leave out the type that watches begin each object with. */
    private static boolean sameContents(RawObject one, RawObject other) {
        return one == other || sameContents(one.bytes(), other.bytes());
    }

    static boolean sameContents(byte[] a, byte[] b) {
        return Arrays.equals(a, b) || Arrays.equals(a, contents(a), a.length, b, contents(b), b.length);
    }

    /** Where {@code metadata} begins, when nothing but the type stands before it. */
    private static int contents(byte[] json) {
        if (begins(json, 1, METADATA)) {
            return 1;
        }
        for (int i = 1; begins(json, 1, KIND) && i < Math.min(json.length, LONGEST_TYPE); i++) {
            if (begins(json, i, METADATA)) {
                return i;
            }
        }
        return 0;
    }

    private static boolean begins(byte[] json, int at, byte[] text) {
        return json.length >= at + text.length && Arrays.equals(json, at, at + text.length, text, 0, text.length);
    }

    /**
     * What a list or the initial events of a watch said: all there is at one version.
     *
     * @param items what could be read
     * @param version the version of the whole
     * @param freshness how the server was asked
     * @param unread keys that are there and could not be read
     * @param nameless how many items could not be read and did not even show their key: nothing absent may be taken as gone (D32)
     */
    record Replaced(
            SortedTree<ObjectKey, RawObject> items,
            String version,
            Freshness freshness,
            Collection<ObjectKey> unread,
            int nameless) {
        /** What the version of a list means. */
        enum Freshness {
            /** At least as new as the last one: the version cannot be lower. */
            NOT_OLDER,
            /** What etcd had: a lower version means that its history went back. */
            CONSISTENT
        }
    }

    /** An empty collection for {@link Replaced}. */
    static SortedTree<ObjectKey, RawObject> nothing() {
        return SortedTree.empty(SERVER);
    }

    /**
     * Starts to apply a relist. The store must not be changed by anything but {@link #own} and {@link #gone} until
     * {@link Replacement#advance} has answered true.
     */
    Replacement replace(Replaced replaced) {
        return new Replacement(replaced);
    }

    /**
     * A relist on its way into the store: compared in slices, published at once (P-C10). Walks the old and the new keys side by
     * side; what is unchanged is neither copied nor told. Confined to the lane.
     */
    final class Replacement {
        private static final int SLICE = 64;

        private final Replaced replaced;
        private final State start = current;
        private boolean reset;
        private final Iterator<RawObject> known = start.base.entries().iterator();
        private final Iterator<RawObject> listed;
        private final List<Change> deletes = new ArrayList<>();
        private final List<Change> others = new ArrayList<>();
        private final List<RawObject> doubted = new ArrayList<>();
        private final List<String> kept = new ArrayList<>(0);
        /** Listed, and known to have ended after the list; unless history was rewritten. */
        private final List<RawObject> outlived = new ArrayList<>(0);

        private Layer<RawObject> base = start.base;
        private List<Change> changes = List.of();
        private List<IndexTable> indexes = start.indexes;
        private int indexed;
        private @Nullable RawObject nextKnown;
        private @Nullable RawObject nextListed;

        private Replacement(Replaced replaced) {
            this.replaced = replaced;
            this.listed = replaced.items.iterator();
            this.reset = replaced.freshness == Replaced.Freshness.CONSISTENT
                    && !start.version.isEmpty()
                    && !ignoresEpochs
                    && older(replaced.version, start.version);
            stepKnown();
            stepListed();
        }

        /** Goes on; true when the new state is published. */
        boolean advance(java.util.function.BooleanSupplier shouldYield) {
            for (int done = 1; nextKnown != null || nextListed != null; done++) {
                compare(nextKnown, nextListed);
                if (tearsRelists) {
                    publish(start.epoch, replaced.version, Holes.NONE, base, List.of());
                    return nextKnown == null && nextListed == null && advance(shouldYield);
                }
                if (done % SLICE == 0 && shouldYield.getAsBoolean()) {
                    return false;
                }
            }
            if (reset && !outlived.isEmpty()) {
                outlived.forEach(this::added);
                outlived.clear();
            }
            if (changes.isEmpty()) {
                deletes.addAll(others);
                changes = deletes;
            }
            while (!indexes.isEmpty() && indexed < changes.size()) {
                indexes = indexed(indexes, changes.get(indexed));
                indexed++;
                if (shouldYield.getAsBoolean()) {
                    return false;
                }
            }
            insistedOn.clear();
            if (reset) {
                deleted.clear();
                ended.clear();
                foreign.addAll(kept);
            } else {
                // What this list lacks, too, ended before it. What it shows it may show from before the end, and the
                // watch
                // behind it, too; what the next list still shows is there, whatever a GET has said.
                for (RawObject item : outlived) {
                    insistedOn.add(item.uid());
                }
                deleted.replaceAll(
                        (uid, end) -> end.equals(FINAL) && !insistedOn.contains(uid) ? replaced.version : end);
            }
            String version = reset || !checksVersions ? replaced.version : later(start.version, replaced.version);
            boolean nameless = replaced.nameless > 0;
            Holes holes = !ignoresHoles && (nameless || !replaced.unread.isEmpty())
                    ? new Holes(Collections.unmodifiableSet(new TreeSet<>(replaced.unread)), nameless)
                    : Holes.NONE;
            changes = publish(reset ? start.epoch + 1 : start.epoch, version, holes, base, changes, indexes);
            if (nameless) {
                for (Iterator<Own> kept = current.overlay.entries().iterator(); kept.hasNext(); ) {
                    RawObject written = kept.next().object();
                    if (written != null && base.get(written.key()) == null) {
                        doubted.add(written);
                    }
                }
            }
            return true;
        }

        /** Whether the server's versions went back: an epoch of its own begins. */
        boolean reset() {
            return reset;
        }

        /** Deletes first, then adds and updates in key order (P-C3). */
        List<Change> changes() {
            return changes;
        }

        /** Kept although the list lacks them, since it held items without a key: to be asked for one by one. */
        List<RawObject> doubted() {
            return doubted;
        }

        private void compare(@Nullable RawObject old, @Nullable RawObject item) {
            if (item == null || (old != null && SERVER.compare(old.key(), item.key()) < 0)) {
                if (old != null) {
                    absent(old);
                    stepKnown();
                }
            } else if (old == null || SERVER.compare(old.key(), item.key()) > 0) {
                added(item);
                stepListed();
            } else {
                both(old, item);
                stepKnown();
                stepListed();
            }
        }

        private void absent(RawObject old) {
            if (!deletesUnread && replaced.unread.contains(old.key())) {
                kept.add(old.uid());
                return;
            }
            if (!deletesUnread && replaced.nameless > 0) {
                kept.add(old.uid());
                doubted.add(old);
                return;
            }
            remember(old.uid(), replaced.version);
            if (!hidesDeletes) {
                deletes.add(new Change.Deleted(old, old));
            }
            base = base.without(old.key());
        }

        private void added(RawObject item) {
            String end = deleted.get(item.uid());
            boolean insists = FINAL.equals(end) && insistedOn.contains(item.uid());
            if (checksVersions && !reset && end != null && older(replaced.version, end) && !insists) {
                outlived.add(item); // the list is from before the end of this, which was told already
                return;
            }
            deleted.remove(item.uid());
            ended.remove(item.uid());
            others.add(new Change.Added(item));
            base = base.with(item);
        }

        private void both(RawObject old, RawObject item) {
            if (!old.uid().equals(item.uid())) {
                remember(old.uid(), item.resourceVersion()); // it ended before the item was there
                deletes.add(new Change.Deleted(old, old));
                added(item);
                return;
            }
            // A list at or beyond the version known here must show the object at that version or a later one. If it
            // does not, history was rewritten: a restored etcd whose versions have passed ours again (k#107457).
            boolean incomparable = foreign(old);
            foreign.remove(old.uid());
            reset |= checksVersions
                    && !ignoresEpochs
                    && !incomparable
                    && older(item.resourceVersion(), old.resourceVersion())
                    && !older(replaced.version, old.resourceVersion());
            // The same version with other contents: that number was given again in a restored etcd, or the server shows
            // the
            // object in another form since it was upgraded.
            boolean shownOtherwise = sameVersion(old, item) && !sameContents(old, item);
            if (shownOtherwise
                    || ((reset || incomparable)
                            ? !sameVersion(old, item)
                            : newer(item.resourceVersion(), old.resourceVersion()) || regresses(old, item))) {
                others.add(new Change.Updated(old, item));
                base = base.with(item);
            } else if (tellsUnchanged) {
                others.add(new Change.Updated(old, old));
            }
        }

        private boolean regresses(RawObject old, RawObject item) {
            return !checksVersions && older(item.resourceVersion(), old.resourceVersion());
        }

        private void stepKnown() {
            nextKnown = known.hasNext() ? known.next() : null;
        }

        private void stepListed() {
            nextListed = listed.hasNext() ? listed.next() : null;
        }
    }
}
