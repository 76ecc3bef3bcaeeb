package io.homeostat.informer;

import io.homeostat.client.ObjectKey;
import io.homeostat.client.RawObject;
import io.homeostat.client.Write;
import io.homeostat.client.WriteObserver;
import io.homeostat.informer.Indexer.State;
import io.homeostat.informer.SeedServer.Commit;
import io.homeostat.informer.SeedServer.History;
import io.homeostat.informer.SeedServer.Thing;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * One informer under watch: after every step of the world its cache is held against what the server really had. What is broken is
 * told to the play.
 */
final class Sight {
    /** A handler that neither waits nor throws is this far behind at most. */
    private static final Duration LAG = Duration.ofSeconds(1);

    static final List<String> OWNERS = List.of("o0", "o1", "o2");
    static final List<String> TIERS = List.of("", "gold", "iron");

    private final SeedPlay play;
    private final SeedServer server;
    final String selector;
    final SharedInformer<Gadget> informer;
    final List<Witness> witnesses = new ArrayList<>();
    private final Witness prompt;

    private State last;
    private int matched;
    /** The latest history that what it has is of; the same as {@link #matched} but where two had the same. */
    private int latest;

    private long relists;
    private Duration changedAt;
    private boolean promptChecked;
    private Map<String, RawObject> visible = new HashMap<>();
    /** The newest version readers have seen of each UID. */
    private final Map<String, String> newest = new HashMap<>();
    /** The newest version that the server's part of the cache has had of each UID. */
    private final Map<String, String> newestBase = new HashMap<>();

    private final Set<String> ended = new HashSet<>();
    /** What this process knows from its own writes: UIDs it deleted, and the newest version it wrote of others. */
    private final Set<String> deletedHere = new HashSet<>();

    private final Map<String, Long> writtenHere = new HashMap<>();
    /** Deletes that the prompt handler must hear of before adds and updates, should the last change be that of a list. */
    private final Set<String> due = new TreeSet<>();

    /** What outlived the last change of epoch because no list could say more of it: the new one does not compare with it. */
    private final Set<String> carried = new TreeSet<>();
    /** Keys that a list of this epoch could not show: a GET may have told of them what a list or stream is still to reach. */
    private final Set<ObjectKey> asked = new TreeSet<>();

    private boolean askedAny;
    private boolean overtaken;
    /** Where the informer was after the last step, and whether what it then published may have been of a list. */
    private InformerState.Phase phase = InformerState.Phase.IDLE;

    private boolean listed;
    private boolean relisted;
    boolean closed;

    Sight(SeedPlay play, String selector) {
        this.play = play;
        this.server = play.server;
        this.selector = selector;
        this.informer = play.informers().informer(Gadget.TYPE, SeedServer.NAMESPACE, selector);
        this.matched = server.histories.size() - 1;
        this.latest = matched;
        this.last = state();
        this.changedAt = play.world.now();
        this.prompt = new Witness(play, this, Witness.Manner.PROMPT);
        witnesses.add(prompt);
    }

    State state() {
        return ((View<Gadget>) informer.snapshot()).state();
    }

    private boolean filled() {
        return !last.version().isEmpty();
    }

    /** Whether what the cache has is of the server's present history. */
    boolean upToHistory() {
        return latest == server.histories.size() - 1;
    }

    @Nullable
    Long version() {
        return filled() ? Long.valueOf(last.version()) : null;
    }

    String newestBase(String uid) {
        return newestBase.getOrDefault(uid, "");
    }

    boolean has(String uid) {
        return visible.containsKey(uid);
    }

    long epoch() {
        return last.epoch();
    }

    void resumed() {
        changedAt = play.world.now();
    }

    /** The objects a reader of {@code word} sees. */
    String look(String word) {
        Snapshot<Gadget> snapshot = informer.snapshot();
        String what = word.substring(word.indexOf(':') + 1);
        List<RawObject> seen = new ArrayList<>();
        if (word.startsWith("key:")) {
            snapshot.get(SeedServer.key(what)).ifPresent(object -> seen.add(object.raw()));
        } else if (word.startsWith("owner:")) {
            snapshot.ownedBy(what).forEach(object -> seen.add(object.raw()));
        } else {
            for (CachedObject<Gadget> object : snapshot.list()) {
                if (tier(object.raw()).equals(what)) {
                    seen.add(object.raw());
                }
            }
        }
        return text(seen);
    }

    /** What they should see in the end. */
    String truth(String word) {
        String what = word.substring(word.indexOf(':') + 1);
        List<Thing> there = new ArrayList<>();
        for (Thing thing : truth().values()) {
            boolean meant = word.startsWith("key:")
                    ? thing.key().name().equals(what)
                    : word.startsWith("owner:")
                            ? thing.owner().equals(what)
                            : thing.tier().equals(what);
            if (meant) {
                there.add(thing);
            }
        }
        return things(there);
    }

    private Map<ObjectKey, Thing> truth() {
        return server.history().at(server.version, selector);
    }

    static String tier(RawObject object) {
        return object.labels().getOrDefault(SeedServer.TIER, "");
    }

    static String text(RawObject object) {
        return object.key().name() + ":" + object.uid() + "@" + object.resourceVersion();
    }

    static String text(Collection<RawObject> objects) {
        List<String> texts = new ArrayList<>();
        objects.forEach(object -> texts.add(text(object)));
        texts.sort(null);
        return String.join(" ", texts);
    }

    static String things(Collection<Thing> things) {
        List<String> texts = new ArrayList<>();
        things.forEach(thing -> texts.add(thing.toString()));
        texts.sort(null);
        return String.join(" ", texts);
    }

    private void broken(String what) {
        play.broken("informer " + (selector.isEmpty() ? "of all" : selector) + ": " + what);
    }

    // ---------------------------------------------------------------- after every step

    @SuppressWarnings("ReferenceEquality") // a relist that changes nothing publishes an equal state, and counts as one
    void check() {
        State now = state();
        if (now != last) {
            State before = last;
            last = now;
            if (closed) {
                broken("a closed informer has published " + now);
                return;
            }
            published(before, now);
        }
        long lists = informer.state().relists();
        if (lists != relists) {
            relists = lists;
            relisted = true;
        }
        phase = informer.state().phase();
        if (relisted && overtaken && listed) {
            broken("a relist told adds or updates before the deletes of " + due);
        }
        if (!promptChecked && !closed && play.world.now().compareTo(changedAt.plus(LAG)) > 0 && !play.paused()) {
            promptChecked = true;
            String base = text(last.base().entries().toList());
            if (filled() && !prompt.told().equals(base)) {
                broken("a second after " + base + " was in the cache a handler that waits for nothing knows "
                        + prompt.told());
            }
        }
    }

    private void published(State before, State now) {
        if (now.epoch() != before.epoch()) {
            if (upToHistory()) {
                broken("a new epoch, and nobody restored anything");
            }
            matched = Math.min(matched + 1, server.histories.size() - 1);
            latest = matched;
            newest.clear();
            newestBase.clear();
            ended.clear();
            asked.clear();
            askedAny = false;
            carried.clear();
            before.base().entries().iterator().forEachRemaining(object -> {
                if (now.holes().cover(object.key())) {
                    carried.add(text(object));
                }
            });
            visible = new HashMap<>();
            deletedHere.clear();
            writtenHere.clear();
        } else if (Indexer.older(now.version(), before.version())) {
            broken("version " + now.version() + " after " + before.version());
        }
        if (now.base() != before.base()) {
            changedAt = play.world.now();
            promptChecked = false;
        }
        if (now.base() != before.base() || now.overlay() == before.overlay()) {
            due.clear();
            overtaken = false;
            relisted = false;
            // One step may apply a list and events after it, which are told in their own order: then its version is
            // theirs.
            listed = (phase == InformerState.Phase.STREAMING || phase == InformerState.Phase.LISTING)
                    && isOfAList(now.version());
            if (prompt.told().equals(text(before.base().entries().toList()))) {
                before.base().entries().iterator().forEachRemaining(object -> due.add(object.uid()));
                now.base().entries().iterator().forEachRemaining(object -> due.remove(object.uid()));
                // … unless a list was made at just that version, too; that its last change is a delete shows it.
                if (due.stream().anyMatch(uid -> now.version()
                        .equals(String.valueOf(server.history().deletedAt.get(uid))))) {
                    due.clear();
                }
            }
        }
        asked.addAll(now.holes().unread());
        askedAny |= now.holes().nameless();
        if (!now.version().isEmpty()) {
            exact(now);
        }
        now.base().entries().iterator().forEachRemaining(this::inBase);
        views();
        seen(now);
    }

    private boolean isOfAList(String version) {
        return !version.isEmpty()
                && server.lists.stream()
                        .anyMatch(list -> list.selector().equals(selector)
                                && list.history() >= matched
                                && list.version() == Long.parseLong(version));
    }

    private void inBase(RawObject object) {
        String known = carried.contains(text(object)) ? null : newestBase.put(object.uid(), object.resourceVersion());
        if (known != null && Indexer.older(object.resourceVersion(), known)) {
            broken("time went back: " + text(object) + " after " + known);
        }
        Thing thing = server.committed.get(object.uid() + "@" + object.resourceVersion());
        if (thing == null || !like(object, thing) || !thing.selected(selector)) {
            broken("the cache has " + text(object) + " with " + object.labels() + object.owners()
                    + ", where the server had " + thing);
        }
    }

    static boolean like(RawObject object, Thing thing) {
        return object.key().equals(thing.key())
                && tier(object).equals(thing.tier())
                && object.generation() == thing.generation()
                && (object.owners().isEmpty() ? "" : object.owners().get(0).uid()).equals(thing.owner())
                && object.finalizers().isEmpty() != thing.finalizer();
    }

    /** The server's part of the cache is what the server had at its version: no more, no less. */
    private void exact(State now) {
        long version = Long.parseLong(now.version());
        Set<ObjectKey> loose = now.holes().unread();
        if (now.holes().nameless()) {
            return; // any key may be missing or ahead
        }
        Map<ObjectKey, String> has = new TreeMap<>();
        now.base().entries().iterator().forEachRemaining(object -> has.put(object.key(), text(object)));
        has.keySet().removeAll(loose);
        boolean found = false;
        for (int i = matched; i < server.histories.size(); i++) {
            boolean present = i == server.histories.size() - 1;
            if (present && version > server.version) {
                break;
            }
            Map<ObjectKey, String> had = new TreeMap<>();
            server.histories.get(i).at(version, selector).forEach((key, thing) -> had.put(key, thing.toString()));
            had.keySet().removeAll(loose);
            Map<ObjectKey, String> compared = new TreeMap<>(has);
            ahead(version, server.histories.get(i), compared, had);
            if (had.equals(compared)) {
                if (!found) {
                    matched = i;
                }
                found = true;
                latest = i;
            }
        }
        if (found) {
            return;
        }
        broken("at version " + version + " the cache has " + has.values() + ", where the server had "
                + things(server.histories.get(matched).at(version, selector).values()));
    }

    /** Takes out what a GET has told of later than {@code version}. */
    private void ahead(long version, History history, Map<ObjectKey, String> has, Map<ObjectKey, String> had) {
        Set<ObjectKey> keys = new TreeSet<>(has.keySet());
        keys.addAll(had.keySet());
        for (ObjectKey key : keys) {
            String mine = has.get(key);
            String theirs = had.get(key);
            boolean later = mine != null
                    ? Long.parseLong(mine.substring(mine.indexOf('@') + 1)) > version
                    : theirs != null
                            && history.deletedAt.containsKey(
                                    theirs.substring(theirs.indexOf(':') + 1, theirs.indexOf('@')));
            if ((askedAny || asked.contains(key)) && later) {
                has.remove(key);
                had.remove(key);
            }
        }
    }

    /** Every way to read shows the same. */
    private void views() {
        Snapshot<Gadget> snapshot = informer.snapshot();
        List<RawObject> all = new ArrayList<>();
        snapshot.list().forEach(object -> all.add(object.raw()));
        if (snapshot.size() != all.size()) {
            broken("size " + snapshot.size() + " of " + text(all));
        }
        Map<ObjectKey, RawObject> byKey = new TreeMap<>();
        all.forEach(object -> byKey.put(object.key(), object));
        for (String name : SeedPlay.NAMES) {
            RawObject one =
                    snapshot.get(SeedServer.key(name)).map(CachedObject::raw).orElse(null);
            if (one != byKey.get(SeedServer.key(name))) {
                broken("by key " + one + ", in the list " + byKey.get(SeedServer.key(name)));
            }
        }
        List<RawObject> inNamespace = new ArrayList<>();
        snapshot.inNamespace(SeedServer.NAMESPACE).forEach(object -> inNamespace.add(object.raw()));
        if (!inNamespace.equals(all)) {
            broken("in the namespace " + text(inNamespace) + ", in all " + text(all));
        }
        for (String owner : OWNERS) {
            List<RawObject> owned = new ArrayList<>();
            snapshot.ownedBy(owner).forEach(object -> owned.add(object.raw()));
            List<RawObject> expected = all.stream()
                    .filter(object ->
                            object.owners().stream().anyMatch(o -> o.uid().equals(owner)))
                    .toList();
            if (!owned.equals(expected)) {
                broken("owned by " + owner + ": " + text(owned) + ", in all " + text(expected));
            }
        }
    }

    private static boolean hasNote(RawObject object) {
        return new String(object.bytes(), StandardCharsets.UTF_8).contains("\"note\"");
    }

    private void seen(State now) {
        Map<String, RawObject> shown = new HashMap<>();
        for (CachedObject<Gadget> object : informer.snapshot().list()) {
            RawObject raw = object.raw();
            if (visible.get(raw.uid()) != raw && hasNote(raw) == play.dropsNotes()) {
                broken(text(raw) + (play.dropsNotes() ? " shows what was dropped" : " has lost its note"));
            }
            shown.put(raw.uid(), raw);
            String before = carried.contains(text(raw)) ? null : newest.put(raw.uid(), raw.resourceVersion());
            if (before != null && Indexer.older(raw.resourceVersion(), before)) {
                broken("readers went back in time: " + text(raw) + " after " + before);
            }
            if (ended.contains(raw.uid())) {
                broken(text(raw) + " came back, after readers had seen its end");
            }
        }
        for (RawObject gone : visible.values()) {
            if (!shown.containsKey(gone.uid())) {
                if (left(gone.uid())) {
                    continue;
                }
                if (deleted(gone.uid())) {
                    ended.add(gone.uid());
                } else {
                    broken(text(gone) + " is gone from " + now + ", and nobody deleted it");
                }
            }
        }
        visible = shown;
    }

    /** Whether the server ever deleted it, in any history that this cache may know. */
    boolean deleted(String uid) {
        for (int i = matched; i < server.histories.size(); i++) {
            if (server.histories.get(i).deletedAt.containsKey(uid)) {
                return true;
            }
        }
        return server.histories.size() > 1 && !server.history().knows(uid); // never written, after a restore
    }

    boolean left(String uid) {
        if (!selector.isEmpty()) {
            for (int i = matched; i < server.histories.size(); i++) {
                for (Thing thing :
                        server.histories.get(i).states.firstEntry().getValue().values()) {
                    if (thing.uid().equals(uid) && !thing.selected(selector)) {
                        return true;
                    }
                }
                for (Commit commit : server.histories.get(i).commits) {
                    if (commit.last().uid().equals(uid) && !commit.last().selected(selector)) {
                        return true;
                    }
                }
            }
        }
        return false;
    }

    // ---------------------------------------------------------------- own writes

    /** A write of this process has completed, and its caller has not even heard of it: it must show. */
    void written(WriteObserver.Done done) {
        if (closed || play.restoredLately() || !upToHistory()) {
            return;
        }
        ObjectKey key = done.write().key();
        RawObject seen = informer.snapshot().get(key).map(CachedObject::raw).orElse(null);
        RawObject object = done.object();
        if (object == null || (done.write().verb() == Write.Verb.DELETE && object.deletionTimestamp() == null)) {
            String uid = object == null ? done.uid() : object.uid();
            deletedHere.add(uid);
            if (seen != null && seen.uid().equals(uid)) {
                broken("deleted " + uid + " of " + key + ", then read " + text(seen));
            }
            return;
        }
        long version = Long.parseLong(object.resourceVersion());
        writtenHere.merge(object.uid(), version, Math::max);
        boolean same = seen != null && seen.uid().equals(object.uid());
        if (!selector.isEmpty() && !selector.equals(SeedServer.TIER + "=" + tier(object))) {
            if (same && Long.parseLong(Objects.requireNonNull(seen).resourceVersion()) <= version) {
                broken("wrote " + text(object) + " out of the selection, then read " + text(seen));
            }
            return;
        }
        if (same && Long.parseLong(Objects.requireNonNull(seen).resourceVersion()) >= version) {
            return;
        }
        if (!same && mayBeHidden(object, seen)) {
            return;
        }
        broken("wrote " + text(object) + ", then read " + (seen == null ? "nothing" : text(seen)) + " in " + state());
    }

    /** Whether this process may know that the object has ended, or left the selection, since it was written. */
    private boolean mayBeHidden(RawObject object, @Nullable RawObject seen) {
        History history = server.history();
        long known = Math.max(version() == null ? 0 : Objects.requireNonNull(version()), 0);
        if (seen != null) {
            known = Math.max(known, Long.parseLong(seen.resourceVersion()));
        }
        known = Math.max(known, writtenHere.getOrDefault(object.uid(), 0L));
        if (!state().holes().equals(Indexer.Holes.NONE)) {
            known = Long.MAX_VALUE; // a GET may have told
        }
        Long deletedAt = history.deletedAt.get(object.uid());
        if (deletedAt != null && (deletedAt <= known || deletedHere.contains(object.uid()))) {
            return true;
        }
        for (Commit commit : history.commits) {
            if (commit.last().uid().equals(object.uid())
                    && commit.version() > Long.parseLong(object.resourceVersion())
                    && commit.version() <= known
                    && !commit.last().selected(selector)) {
                return true;
            }
        }
        return false;
    }

    // ---------------------------------------------------------------- what the prompt handler is told

    void promptTold(RawObject object, boolean gone) {
        if (gone) {
            due.remove(object.uid());
        } else {
            // What a reader saw and is gone again is told as a pair at any place; it was never in the list.
            overtaken |= !due.isEmpty() && last.base().get(object.key()) == object;
        }
    }

    // ---------------------------------------------------------------- the end

    /** What still differs from what the server has, but for keys that cannot be read; "" for nothing. */
    String missing(Set<ObjectKey> unreadable) {
        Map<ObjectKey, Thing> there = new TreeMap<>(truth());
        there.keySet().removeAll(unreadable);
        String truth = things(there.values());
        if (!informer.state().synced()) {
            return "not synced";
        }
        Set<ObjectKey> quarantined = new TreeSet<>(informer.state().quarantined());
        // What does not decode is known as such once somebody has tried.
        quarantined.removeIf(key -> there.containsKey(key) && there.get(key).undecodable());
        Set<ObjectKey> expected = new TreeSet<>(truth().keySet());
        expected.retainAll(unreadable);
        // What was read while it could be, and has not changed since, is not known to be unreadable.
        expected.removeIf(key -> {
            RawObject known = state().base().get(key);
            return known != null && text(known).equals(String.valueOf(truth().get(key)));
        });
        if (unreadable.isEmpty() ? !quarantined.isEmpty() : !server.nameless && !quarantined.containsAll(expected)) {
            return "quarantined are " + quarantined + ", unreadable " + expected;
        }
        List<RawObject> shown = new ArrayList<>();
        informer.snapshot().list().forEach(object -> shown.add(object.raw()));
        shown.removeIf(object -> unreadable.contains(object.key()));
        if (!text(shown).equals(truth)) {
            return "the cache shows " + text(shown) + ", the server has " + truth;
        }
        if (unreadable.isEmpty() && !state().overlay().isEmpty()) {
            return "the overlay has " + state().overlay();
        }
        for (Witness witness : witnesses) {
            String lacks = witness.missing(unreadable, truth);
            if (!lacks.isEmpty()) {
                return lacks;
            }
        }
        return "";
    }

    String describe() {
        StringBuilder text = new StringBuilder("informer \"" + selector + "\": " + informer.state() + "\n  cache "
                + state() + "\n  server " + things(truth().values()));
        for (Witness witness : witnesses) {
            text.append("\n  ").append(witness);
        }
        return text.toString();
    }
}
