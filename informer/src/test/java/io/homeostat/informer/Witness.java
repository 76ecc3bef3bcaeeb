package io.homeostat.informer;

import io.homeostat.client.ApiException;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.OwnerRef;
import io.homeostat.client.RawObject;
import io.homeostat.informer.SeedServer.Thing;
import io.homeostat.virtualruntime.VirtualProcess;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * A handler under watch. What it is told must be in order and true; and as a mapper with predicates would, it wakes those who look at the
 * cache by key, by owner and by label: whoever looked too early must be woken since.
 */
final class Witness implements ResourceEventHandler<Gadget> {
    /** How a handler behaves. */
    enum Manner {
        /** At once. */
        PROMPT,
        /** Takes a while for some steps. */
        SLOW,
        /** Throws for some steps. */
        THROWING,
        /** Hangs for half a minute in some steps. */
        BLOCKED,
        /** At once, and of the first list as it comes ({@link ResourceEventHandler#startsEarly}): it looks at nothing until that is complete. */
        EARLY
    }

    private static final int REMEMBERED = 24;

    private final SeedPlay play;
    private final Sight sight;
    private final Manner manner;
    private final VirtualProcess process;
    private final Map<ObjectKey, RawObject> fold = new TreeMap<>();
    private final Set<String> ended = new HashSet<>();
    private final Map<String, String> looks = new TreeMap<>();
    private final ArrayDeque<String> steps = new ArrayDeque<>();
    private final SharedInformer.HandlerRegistration handle;
    private long epoch;
    private boolean synced;
    private boolean closed;

    Witness(SeedPlay play, Sight sight, Manner manner) {
        this.play = play;
        this.sight = sight;
        this.manner = manner;
        this.process = play.process();
        this.epoch = sight.informer.snapshot().epoch();
        this.handle = sight.informer.addHandler(manner + "-" + play.nextName(), this);
        handle.synced().whenComplete((done, problem) -> {
            if (problem == null) {
                synced();
            }
        });
    }

    private void synced() {
        synced = true;
        if (!sight.informer.state().synced()) {
            broken("is synced, the cache is not");
        }
    }

    void close() {
        handle.close();
        closed = true;
    }

    private void broken(String what) {
        play.broken(this + " " + what);
    }

    String told() {
        return Sight.text(fold.values());
    }

    // ---------------------------------------------------------------- steps

    private void step(String what, RawObject object) {
        if (steps.size() == REMEMBERED) {
            steps.removeFirst();
        }
        steps.addLast(what + " " + Sight.text(object));
        if (closed) {
            broken("is told " + what + " " + Sight.text(object) + " after it was closed");
        }
        long now = sight.informer.snapshot().epoch();
        if (now != epoch) {
            epoch = now;
            ended.clear();
        }
        if (!isEarly() && sight.epoch() == 0 && sight.informer.snapshot().epoch() == 0) {
            String stored = sight.newestBase(object.uid());
            String version = sight.informer.snapshot().resourceVersion();
            if (Indexer.older(version, object.resourceVersion())
                    && (stored.isEmpty() || Indexer.older(stored, object.resourceVersion()))
                    && sight.state().base().get(object.key()) != object) {
                broken("is told " + what + " " + Sight.text(object) + ", the cache is only at " + version);
            }
        }
    }

    @Override
    public void onAdd(CachedObject<Gadget> object, Phase phase, Merged<Gadget> merged) {
        RawObject raw = object.raw();
        step("add", raw);
        if (synced && phase == Phase.INITIAL) {
            broken("was synced before it was told of " + Sight.text(raw));
        }
        RawObject known = fold.put(raw.key(), raw);
        if (known != null) {
            broken("is told a second add of " + Sight.text(raw) + ", it knows " + Sight.text(known));
        }
        if (ended.contains(raw.uid()) && !play.restoredLately()) {
            broken("is told an add of " + Sight.text(raw) + ", which had ended");
        }
        wake(null, raw, false, merged);
    }

    @Override
    public void onUpdate(CachedObject<Gadget> before, CachedObject<Gadget> after, Merged<Gadget> merged) {
        RawObject raw = after.raw();
        step("update", raw);
        RawObject known = fold.put(raw.key(), raw);
        if (known == null || known != before.raw()) {
            broken("is told an update from " + Sight.text(before.raw()) + ", it knows "
                    + (known == null ? "nothing" : Sight.text(known)));
        }
        if (!before.raw().uid().equals(raw.uid())) {
            broken("is told an update from " + Sight.text(before.raw()) + " to another UID, " + Sight.text(raw));
        }
        if (before.raw().resourceVersion().equals(raw.resourceVersion()) && merged.versions() == 1) {
            broken("is told an update of " + Sight.text(raw) + ", which has not changed");
        }
        wake(before.raw(), raw, false, merged);
    }

    @Override
    public void onDelete(CachedObject<Gadget> lastKnown, Merged<Gadget> merged) {
        RawObject raw = lastKnown.raw();
        step("delete", raw);
        RawObject known = fold.remove(raw.key());
        if (known == null || !known.uid().equals(raw.uid())) {
            broken("is told a delete of " + Sight.text(raw) + ", it knows "
                    + (known == null ? "nothing" : Sight.text(known)));
        }
        // One that is late may be told now what ended in an earlier epoch only.
        if (!sight.left(raw.uid()) && !play.restoredLately() && sight.deleted(raw.uid())) {
            ended.add(raw.uid());
        }
        if (epoch == 0 && !sight.left(raw.uid()) && Indexer.older(raw.resourceVersion(), sight.newestBase(raw.uid()))) {
            broken("is told a delete of " + Sight.text(raw) + ", not of its last state " + sight.newestBase(raw.uid()));
        }
        Thing thing = play.server.committed.get(raw.uid() + "@" + raw.resourceVersion());
        Thing left = play.server.committed.get(raw.uid() + "@" + raw.resourceVersion() + " left");
        if ((thing == null || !Sight.like(raw, thing)) && (left == null || !Sight.like(raw, left))) {
            broken("is told a delete of " + Sight.text(raw) + " with " + raw.labels() + raw.owners()
                    + ", where the server had " + thing);
        }
        if (epoch == 0 && sight.upToHistory() && !sight.deleted(raw.uid()) && !sight.left(raw.uid())) {
            broken("is told a delete of " + Sight.text(raw) + ", which nobody deleted");
        }
        wake(null, raw, true, merged);
    }

    private void wake(@Nullable RawObject before, RawObject now, boolean gone, Merged<Gadget> merged) {
        if (manner == Manner.PROMPT) {
            // That it was passed by an own write is told in the place of that; it is not news of the list.
            if (gone || before == null || !before.resourceVersion().equals(now.resourceVersion())) {
                sight.promptTold(now, gone);
            }
        } else {
            linger();
        }
        look("key:" + now.key().name());
        for (OwnerRef owner : merged.owners()) {
            look("owner:" + owner.uid());
        }
        look("tier:" + Sight.tier(now));
        if (before != null) {
            look("tier:" + Sight.tier(before));
        }
        merged.between().forEach(object -> look("tier:" + Sight.tier(object.raw())));
        if (merged.complete() == Merged.Completeness.SOME) {
            Sight.TIERS.forEach(tier -> look("tier:" + tier));
        }
        if (manner == Manner.THROWING && play.chance(3)) {
            play.throwSomething();
        }
    }

    @Override
    public boolean startsEarly() {
        return manner == Manner.EARLY;
    }

    private boolean isEarly() {
        return startsEarly() && !sight.informer.state().synced();
    }

    private void linger() {
        if (manner == Manner.SLOW && play.chance(2)) {
            process.sleep(Duration.ofMillis(play.random.nextInt(3000)));
        } else if (manner == Manner.BLOCKED && play.chance(4)) {
            process.sleep(Duration.ofSeconds(10 + play.random.nextInt(30)));
        } else if (play.chance(8)) {
            try {
                sight.informer.snapshot().list().forEach(CachedObject::object);
            } catch (ApiException.Undecodable contained) {
                if (!play.undecodables) {
                    broken("cannot decode: " + contained.getMessage());
                }
            }
        }
    }

    /** Somebody looks at the cache; this handler is to wake them when there is something new. */
    void look(String word) {
        if (!closed && !isEarly()) {
            looks.put(word, sight.look(word));
        }
    }

    // ---------------------------------------------------------------- the end

    String missing(Set<ObjectKey> unreadable, String truth) {
        Map<ObjectKey, RawObject> known = new TreeMap<>(fold);
        known.keySet().removeAll(unreadable);
        if (!Sight.text(known.values()).equals(truth)) {
            return this + " was told " + Sight.text(known.values()) + ", the server has " + truth;
        }
        if (!synced) {
            return this + " is not synced";
        }
        if (unreadable.isEmpty()) {
            for (Map.Entry<String, String> look : looks.entrySet()) {
                if (!look.getValue().equals(sight.truth(look.getKey()))) {
                    return this + " has not woken who looked at " + look.getKey() + " and saw " + look.getValue()
                            + ", where the server has " + sight.truth(look.getKey());
                }
            }
        }
        return "";
    }

    @Override
    public String toString() {
        return "a handler that is " + manner + " and was told " + steps;
    }
}
