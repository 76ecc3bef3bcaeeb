package io.homeostat.informer;

import io.homeostat.client.ApiException;
import io.homeostat.client.ListItem;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.Query;
import io.homeostat.client.RawObject;
import io.homeostat.client.Reads;
import io.homeostat.client.ResourceType;
import io.homeostat.client.ResourceVersions;
import io.homeostat.client.Streams;
import io.homeostat.client.WatchFrame;
import io.homeostat.core.Backoff;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Lane;
import io.homeostat.core.Registration;
import io.homeostat.informer.Indexer.Replaced.Freshness;
import io.homeostat.informer.InformerState.Phase;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * Keeps one cache at what the server has: all there is first, then every change, for ever.
 *
 * <pre>
 *            start                  refused (400, 405, 415, 422), no progress, broken 3 times
 *   IDLE ───────────► STREAMING ──────────────────────────────► LISTING ◄────────────┐
 *                     (WatchList) ◄── 410 on the watch,          (pages)              │
 *                        │            two frames at one version     │                 │
 *           end bookmark │            that are torn or errors of    │ last page       │
 *                        │            the server, two empty watches,│                 │
 *                        │            one that never said a word    │                 │
 *                        ▼                                          ▼                 │
 *                     WATCHING ◄──────────────────────────────── WATCHING            │
 *                        │ any break, silence, clean end: again from the last version │
 *                        ▼                                                            │
 *     BACKING_OFF (429, 5xx) · FORBIDDEN (401, 403) · WAITING_FOR_TYPE (404) · REFUSED (400, with a selector) ── after the wait: what failed
 *     BACKING_OFF (no answer) ── after the wait, and when the {@link Heartbeat} has its answer: what failed
 *
 *     WATCHING ── no answer to the heartbeat for 5 s ──► BACKING_OFF, in doubt ── it speaks again ──► WATCHING
 *                                                          │ the heartbeat has its answer: another watch from the last version
 *                                                          └── that one is answered ──► WATCHING, the old one is closed
 *
 *   any state ── stop ──► STOPPED
 * </pre>
 *
 * <p><b>Order.</b> What the server said reaches the {@link Cache} in its order; the next stream is opened only when everything
 * the last one said has been applied, from the version that has been applied. <b>Threads.</b> Confined to the informer's lane; nothing
 * waits. <b>Memory.</b> A list under way; otherwise at most {@value #DEMAND} batches of the client, since no more are asked for while
 * the cache has no room. <b>Failure.</b> Nothing ends it but {@link #stop}: whatever a server answers, or does not, leads to another
 * attempt and to a state that says so (P-C8, P-C9, P-C12).
 */
final class Reflector {
    /*
     * Invariants
     * - Exactly one activity is current: a stream, a wait, or none. Callbacks of any other one are dropped, but for the answer to a
     *   successor: only a watch that is current and in doubt has one, and it reads nothing before it is current itself.
     * - A resource version is used for a request only when everything up to it has been applied.
     * - Every activity has a timer or a deadline of the client that ends it.
     */

    /** Batches of a watch that may be under way. */
    static final int DEMAND = 2;

    /** The wait after an answer that is a refusal for now (client-go's numbers; D38). */
    static final Backoff ANSWERED = new Backoff(Duration.ofMillis(800), 2, Duration.ofSeconds(30), 1.0);
    /** The pace of asking for what is not allowed: who is given the right does not want to wait for a minute. */
    static final Backoff DENIED = new Backoff(Duration.ofMillis(800), 2, Duration.ofMillis(7500), 1.0);
    /** The pace of asking for a type that is not served. */
    static final Backoff MISSING = new Backoff(Duration.ofMillis(500), 1.5, Duration.ofSeconds(3), 0.3);
    /** The pace of listing anew while the last list held items whose key could not be read. */
    static final Backoff UNNAMED = new Backoff(Duration.ofSeconds(5), 2, Duration.ofMinutes(5), 0.5);
    /** A watch that lived this long makes earlier failures forgotten. */
    static final Duration STABLE = Duration.ofSeconds(10);
    /** Lists and initial events that stand still for this long are given up. */
    static final Duration PROGRESS = Duration.ofSeconds(30);
    /** A list that breaks off before anything came, and not sooner than this, was not refused but waited for. */
    private static final Duration PATIENT = Duration.ofSeconds(15);
    /** A watch with bookmarks (about one a minute) that is silent for this long is cut (D9). */
    static final Duration SILENCE = Duration.ofSeconds(90);
    /** The same without bookmarks, beyond its own timeoutSeconds. */
    static final Duration SLACK = Duration.ofSeconds(30);
    /** Watches that end sooner than this, with nothing said, are refusals without a word. */
    static final Duration EMPTY = Duration.ofSeconds(2);
    /**
     * A server, or what stands before it, that asks for a longer pause is asked again after this: a page of a load balancer that says
     * "in an hour" must not leave a cache behind for an hour when the server is back in ten seconds.
     */
    static final Duration LONGEST_ASKED = Duration.ofMinutes(5);
    /** Watches in a row that lived for {@link #SILENCE} without a bookmark are of a server that sends none. */
    private static final int UNMARKED = 3;
    /** Lists in a row of which nothing came for so long that it is the list which is too much: the next comes in pages. */
    private static final int SLOW_LISTS = 2;

    /** Relists after a restart of the server do not all come at once. */
    static final Duration SPREAD = Duration.ofSeconds(1);

    /** A server that gave no answer for this long may be another one when it is back. */
    static final Duration AWAY = Duration.ofSeconds(1);

    /**
     * One that has let nobody in for this long may be, too: it takes longer than that to restore an etcd, and what is merely busy is not
     * asked one question more.
     */
    static final Duration TURNED_AWAY = Duration.ofSeconds(5);

    static final int PAGE = 500;
    private static final int STREAM_BREAKS = 3;
    private static final int WATCH_SECONDS = 300;

    /** What is kept up to date. Called on the lane. */
    interface Cache {
        /** The version up to which everything has been applied. */
        String version();

        /** Whether it has been complete once. */
        boolean filled();

        /** The instance to keep for an object that arrived: the one that is there already, when nothing changed. */
        RawObject same(RawObject arrived);

        /** Changes, in order. */
        void events(List<WatchFrame.Event> events);

        /** Whether anybody wants the first list as it comes. */
        boolean startsEarly();

        /** Objects of the first list, as {@link #same} gave them, while it is under way; {@link #replaced} follows. */
        void arrived(List<RawObject> objects);

        /** Everything up to this version has been said. */
        void bookmark(String version);

        /** All there is. */
        void replaced(Indexer.Replaced all);

        /** Runs {@code next} on the lane when everything said so far has been applied. */
        void afterApplied(Runnable next);

        /** Whether more may be asked of the server. */
        boolean hasRoom();

        /** The reflector is in this phase now, because of that. */
        void entered(Phase phase, String verb, @Nullable ApiException cause);

        /** Something arrived that cannot be read. */
        void unread(String problem, @Nullable ObjectKey key);

        /** An error of the VM struck while something was taken: nobody knows how much of it was. Leads to {@link #lost}. */
        void torn(VirtualMachineError problem);
    }

    private final EngineRuntime runtime;
    private final Reads client;
    private final Heartbeat heartbeat;
    private final ResourceType<?> type;
    private final Query selection;
    private final Predicate<RawObject> inShard;
    private final Lane lane;
    private final Cache cache;
    private final History history;
    private final RandomGenerator random;
    // Planted defects; all false outside a simulation that looks for them.
    private final boolean hearsNoSilence;
    private final boolean ignoresRetryAfter;
    private final boolean resumesAfterGone;
    private final boolean skipsUnread;
    private final boolean staysStuck;
    private final boolean hearsStale;
    private final List<Streams.Handle> stale = new ArrayList<>(0);
    private final boolean givesUpForbidden;
    private final boolean showsPages;
    private final boolean leavesOpen;

    // All below: confined to the lane.
    private @Nullable Activity current;
    private Phase phase = Phase.IDLE;
    private boolean stopped;
    /** Whether this server streams initial events of this type; remembered once it did not. */
    private boolean streams = true;
    /** Whether the next list must be what etcd has, since the last version was refused. */
    private boolean fresh;
    /** Whether the next list is asked for in one piece, since a page was refused. */
    private boolean whole;

    private boolean bookmarking;
    /** Whether it has sent one that did not end initial events. */
    private boolean everMarked;
    /** Watches that were silent and had no bookmark, one after the other. */
    private int unmarked;
    /** Lists of which nothing came in time, one after the other. */
    private int slowLists;

    private int answers;
    private int probes;
    private int denied;
    private int missing;
    /** Versions refused to watches, one soon after the other. */
    private int expired;

    /** Whether the server said last when to ask again (Retry-After): not before {@link #notBefore}. */
    private boolean holdsBack;

    private long notBefore;

    /** Since when watches have been refused, with no watch accepted and no list since; null while none has. */
    private @Nullable Long refusedSince;

    private boolean relistDue;

    /** Lists that held items without a key, one after the other. */
    private int unnamed;

    private @Nullable Registration looking;
    private int streamBreaks;
    private int emptyEnds;
    private int briefBreaks;
    private long outageSince;
    /** The version from which a watch could not go on, since what came next was torn or an error of the server. */
    private String stuckAt = "";

    private long relists;

    Reflector(
            EngineRuntime runtime,
            Reads client,
            Heartbeat heartbeat,
            ResourceType<?> type,
            Query selection,
            Predicate<RawObject> inShard,
            Lane lane,
            Cache cache) {
        this.runtime = runtime;
        this.client = client;
        this.heartbeat = heartbeat;
        this.type = type;
        this.selection = selection;
        this.inShard = inShard;
        this.lane = lane;
        this.cache = cache;
        this.history = new History(runtime, client, type, selection, lane, new Watching());
        this.random = runtime.random("reflector " + lane.name());
        this.hearsNoSilence = runtime.planted("reflector.half-open-unnoticed");
        this.ignoresRetryAfter = runtime.planted("reflector.retry-after-ignored");
        this.resumesAfterGone = runtime.planted("reflector.resume-after-410");
        this.skipsUnread = runtime.planted("reflector.unread-frame-skipped");
        this.staysStuck = runtime.planted("reflector.stuck-at-one-version");
        this.hearsStale = runtime.planted("reflector.stale-frames-accepted");
        this.givesUpForbidden = runtime.planted("reflector.forbidden-is-final");
        this.showsPages = runtime.planted("reflector.pages-shown-one-by-one");
        this.leavesOpen = runtime.planted("reflector.close-leaves-stream");
    }

    /** Begins. */
    void start() {
        sync();
    }

    /** Ends for good: nothing is called any more. */
    void stop() {
        stopped = true;
        lookAgain();
        history.end();
        stale.forEach(Streams.Handle::close);
        if (!leavesOpen) {
            become(null);
        }
        enter(Phase.STOPPED, "stop", null);
    }

    /** The cache may have room again. */
    void feed() {
        if (current instanceof WatchStream stream) {
            stream.ask();
        }
    }

    /** What the server said could not be applied: it is asked for everything again, less often each time. */
    void lost(Throwable problem) {
        if (!stopped) {
            then(() -> backOff(
                    "apply",
                    ApiException.Unreachable.silent(
                            "apply " + type,
                            "what the server said could not be applied ("
                                    + problem.getClass().getName() + "), which is a defect; it is listed anew"),
                    this::syncFresh));
        }
    }

    /** The cache is not what the server has, nobody knows why: everything is asked for anew, whatever was known. */
    void relist() {
        if (current instanceof WatchStream stream && stream.collecting == null) {
            then(this::syncFresh);
        } else {
            relistDue = true; // in place of the next watch that would go on from here
        }
    }

    /** How many lists, streamed ones included, have been handed over. */
    long relists() {
        return relists;
    }

    private void become(@Nullable Activity next) {
        if (current != null) {
            current.leave();
        }
        current = next;
        if (next != null) {
            next.begin();
        }
    }

    private void enter(Phase next, String verb, @Nullable ApiException cause) {
        phase = next;
        cache.entered(next, verb, cause);
    }

    /** Enters a phase of work at once, unless a trouble is still to be got over: then only when the server has accepted. */
    private void intend(Phase next, String verb) {
        if (!troubled()) {
            enter(next, verb, null);
        }
    }

    private boolean troubled() {
        return phase.isTrouble();
    }

    /** The server has accepted a request. */
    private void accepted(Phase now, String verb, long askedAt) {
        heartbeat.heard(askedAt);
        outageSince = 0;
        probes = 0;
        denied = 0;
        missing = 0;
        if (phase != now) {
            enter(now, verb, null);
        }
    }

    /** A refusal is an answer, too. */
    private void answered(ApiException cause, long askedAt) {
        if (!(cause instanceof ApiException.Unreachable)) {
            heartbeat.heard(askedAt);
        }
    }

    private void sync() {
        if (stopped || heldBack(this::sync)) {
            return;
        }
        String from = fresh || !cache.filled() ? "" : cache.version();
        if (streams) {
            become(new WatchStream(from, new Collecting(from)));
        } else {
            become(new ListStream(from));
        }
    }

    private void watch() {
        if (stopped || heldBack(this::watch)) {
            return;
        }
        if (relistDue) {
            syncFresh();
        } else {
            become(new WatchStream(cache.version(), null));
        }
    }

    /** Closes the stream now and goes on with {@code next} when all it said is applied. */
    private void then(Runnable next) {
        become(null);
        Object nothing = new Object();
        settling = nothing;
        cache.afterApplied(() -> {
            if (!stopped && current == null && settling == nothing) {
                next.run();
            }
        });
    }

    private @Nullable Object settling;

    private void pause(Duration delay, Runnable next) {
        if (!stopped) {
            become(new Wait(delay, next));
        }
    }

    /** Waits as {@code cause} demands, then does {@code next} (again). */
    private void retry(String verb, ApiException cause, Runnable next) {
        Duration delay;
        Phase trouble = Phase.BACKING_OFF;
        if (cause instanceof ApiException.Unreachable) {
            enter(trouble, verb, cause);
            if (!stopped) {
                become(new Answer(unreachable(), next));
            }
            return;
        } else if (cause instanceof ApiException.NotFound) {
            missing++;
            trouble = Phase.WAITING_FOR_TYPE;
            delay = atLeast(MISSING.delay(missing, random), cause);
            // A server that starts, or an aggregator, does not serve every type at once: nothing is taken for gone.
            // When
            // the type is back a list says what is there; it may be another type of that name.
            fresh = true;
        } else if (cause instanceof ApiException.Forbidden || cause instanceof ApiException.Unauthorized) {
            denied++;
            trouble = Phase.FORBIDDEN;
            delay = atLeast(DENIED.delay(denied, random), cause);
        } else if (cause instanceof ApiException.BadRequest
                && !selection.parameters().isEmpty()) {
            // No field of that name, say: a person has to look, and it may be served tomorrow (selectableFields of a
            // CRD).
            answers++;
            trouble = Phase.REFUSED;
            delay = atLeast(ANSWERED.delay(answers, random), cause);
        } else {
            backOff(verb, cause, next);
            return;
        }
        enter(trouble, verb, cause);
        if (trouble != Phase.FORBIDDEN || !givesUpForbidden) {
            pause(delay, next);
        }
    }

    /** The wait of this stream alone, whose connections may fail where others do not. */
    private Duration unreachable() {
        long now = runtime.nanos();
        outageSince = probes == 0 ? now : outageSince;
        return Heartbeat.pace(++probes, now - outageSince, random);
    }

    /** Waits longer each time: the server answers, and not what it should. */
    private void backOff(String verb, ApiException cause, Runnable next) {
        answers++;
        enter(Phase.BACKING_OFF, verb, cause);
        pause(atLeast(ANSWERED.delay(answers, random), cause), next);
    }

    /** As {@link #retry}, for a server that had begun to answer: that it breaks off each time must not make a hot loop. */
    private void again(String verb, ApiException cause, Runnable next) {
        if (cause instanceof ApiException.Unreachable) {
            backOff(verb, cause, next);
        } else {
            retry(verb, cause, next);
        }
    }

    /** What {@code Retry-After} says, up to {@link #LONGEST_ASKED}. */
    static Duration asked(@Nullable Throwable cause) {
        Duration asked = cause instanceof ApiException said ? said.retryAfter().orElse(Duration.ZERO) : Duration.ZERO;
        return asked.compareTo(LONGEST_ASKED) < 0 ? asked : LONGEST_ASKED;
    }

    private Duration atLeast(Duration backoff, ApiException cause) {
        Duration asked = ignoresRetryAfter ? Duration.ZERO : asked(cause);
        if (!asked.isZero()) {
            holdsBack = true;
            notBefore = runtime.nanos() + asked.toNanos();
        }
        return asked.compareTo(backoff) > 0 ? asked : backoff;
    }

    /** Whether the server has asked for a pause that is not over, whatever has led here meanwhile; then {@code next} comes after it. */
    private boolean heldBack(Runnable next) {
        long left = holdsBack ? notBefore - runtime.nanos() : 0;
        holdsBack = left > 0;
        if (holdsBack) {
            pause(Duration.ofNanos(left), next);
        }
        return holdsBack;
    }

    private Duration spread() {
        return Duration.ofNanos((long) (random.nextDouble() * SPREAD.toNanos()));
    }

    private static boolean unordered(String version, String than) {
        return ResourceVersions.comparable(version)
                && ResourceVersions.comparable(than)
                && ResourceVersions.compare(version, than) < 0;
    }

    /** Hands a complete list over; false when the server broke its word and gave an older one. */
    private boolean complete(Collecting all, String version) {
        if (!all.from.isEmpty() && unordered(version, all.from)) {
            return false;
        }
        Freshness freshness = all.from.isEmpty() ? Freshness.CONSISTENT : Freshness.NOT_OLDER;
        fresh = false;
        whole = false;
        history.sure();
        refusedSince = null;
        slowLists = 0;
        relistDue = false;
        relists++;
        unnamed = all.nameless == 0 ? 0 : unnamed + 1;
        lookAgain();
        cache.replaced(new Indexer.Replaced(all.items, version, freshness, all.unread, all.nameless));
        return true;
    }

    /**
     * An item whose key could not be read may be one the cache does not have at all: no watch that goes on from here says more of it
     * until it changes, and no GET can ask for it. Only another list brings it.
     */
    private void lookAgain() {
        if (looking != null) {
            looking.close();
            looking = null;
        }
        if (unnamed == 0 || stopped) {
            return;
        }
        looking = runtime.after(UNNAMED.delay(unnamed, random), lane, () -> {
            if (current instanceof WatchStream stream && stream.collecting == null) {
                then(this::sync);
            } else {
                lookAgain(); // a list is under way, or due, or cannot be had now
            }
        });
    }

    private void syncFresh() {
        fresh = true;
        sync();
    }

    /** What a list or watch from that version was refused with: whether only a list without one can help. */
    private static boolean versionRefused(ApiException cause) {
        return cause instanceof ApiException.Gone || cause instanceof ApiException.VersionTooLarge;
    }

    private ApiException silent(String verb, Duration limit, String what) {
        return ApiException.Unreachable.silent(
                verb + " " + type, what + " for " + limit.toSeconds() + " s; the stream is given up");
    }

    /** What {@link History} asks and finds out. */
    private final class Watching implements History.Watcher {
        @Override
        public @Nullable String openFrom() {
            return current instanceof WatchStream stream && stream.open && stream.collecting == null
                    ? stream.from
                    : null;
        }

        @Override
        public Duration pause(int n, ApiException cause) {
            return atLeast(ANSWERED.delay(n, random), cause);
        }

        @Override
        public void wentBack(ApiException cause) {
            if (openFrom() != null) {
                // A watch with initial events would be accepted, too, and stay silent. The outage's waits are over.
                then(() -> {
                    enter(Phase.BACKING_OFF, "list", cause);
                    Reflector.this.pause(atLeast(spread(), cause), Reflector.this::syncFresh);
                });
            } else {
                relistDue = true;
            }
        }
    }

    /** What is going on. */
    private abstract static class Activity {
        abstract void begin();

        abstract void leave();
    }

    /** Nothing until a moment. */
    private final class Wait extends Activity {
        private final Duration delay;
        private final Runnable next;
        private @Nullable Registration timer;

        Wait(Duration delay, Runnable next) {
            this.delay = delay;
            this.next = next;
        }

        @Override
        void begin() {
            timer = runtime.after(delay, lane, next);
        }

        @Override
        void leave() {
            if (timer != null) {
                timer.close();
            }
        }
    }

    /** Nothing until the server answers the heartbeat: an outage costs it one question, not one for each stream (D38). */
    private final class Answer extends Activity {
        private final Duration pause;
        private final Runnable next;
        private @Nullable Registration waiting;
        private @Nullable Registration timer;

        /** @param pause how long to wait at least when the server does answer, since the trouble is this stream's own */
        Answer(Duration pause, Runnable next) {
            this.pause = pause;
            this.next = next;
        }

        @Override
        void begin() {
            long awayFrom = runtime.nanos() + pause.plus(AWAY).toNanos();
            waiting = heartbeat.await(lane, pause, left -> {
                if (runtime.nanos() - awayFrom >= 0) {
                    history.suspect();
                }
                timer = runtime.after(left, lane, next);
            });
        }

        @Override
        void leave() {
            if (waiting != null) {
                waiting.close();
            }
            if (timer != null) {
                timer.close();
            }
        }
    }

    /** A list on its way: the objects so far. What comes between the initial events is applied here (KEP-3157). */
    private final class Collecting {
        final String from;
        final TreeSet<ObjectKey> unread = new TreeSet<>();
        SortedTree<ObjectKey, RawObject> items = Indexer.nothing();
        int nameless;
        /** Of the first list: what came and has not been handed on. */
        private List<RawObject> arriving = new ArrayList<>();

        Collecting(String from) {
            this.from = from;
        }

        /** Who wants to does not wait for the end of the first list to be told of its beginning. */
        void handOn() {
            if (!arriving.isEmpty()) {
                List<RawObject> arrived = arriving;
                arriving = new ArrayList<>();
                cache.arrived(arrived);
            }
        }

        /** Whether that is progress: the object's key is new. */
        boolean add(RawObject object) {
            if (!inShard.test(object)) {
                return true; // what a server sends beside what was asked for is progress, too
            }
            int before = items.size();
            RawObject known = items.get(object.key());
            if (known == null || Indexer.newer(object.resourceVersion(), known.resourceVersion())) {
                RawObject kept = cache.same(object);
                items = items.with(kept);
                if (cache.startsEarly()) {
                    arriving.add(kept);
                }
            }
            unread.remove(object.key());
            return items.size() > before;
        }

        void remove(RawObject object) {
            RawObject known = items.get(object.key());
            if (known != null && known.uid().equals(object.uid())) {
                items = items.without(object.key());
            }
            unread.remove(object.key());
        }

        void unread(String problem, @Nullable ObjectKey key) {
            cache.unread(problem, key);
            if (key == null) {
                nameless++;
            } else {
                unread.add(key);
                items = items.without(key);
            }
        }
    }

    /** A watch; with {@code collecting}, one that begins with all there is (WatchList). */
    private final class WatchStream extends Activity implements Streams.WatchListener {
        private final String from;
        private @Nullable Collecting collecting;
        private Streams.@Nullable Handle handle;
        private @Nullable Registration timer;
        private final int timeoutSeconds = WATCH_SECONDS + random.nextInt(WATCH_SECONDS + 1);
        private long askedAt;
        private long openedAt;
        private long heardAt;
        private boolean open;
        private boolean said;
        /** Whether it has brought a change: then it is no refusal, however soon it ends. */
        private boolean fruitful;

        private int demanded;
        private @Nullable Registration beating;
        /** What is to take its place while nothing is heard of the server: a wait, and then another watch. */
        private @Nullable Activity successor;

        private int refusals; // of successors
        private @Nullable Registration doubtLater;

        WatchStream(String from, @Nullable Collecting collecting) {
            this.from = from;
            this.collecting = collecting;
        }

        private String verb() {
            return "watch";
        }

        private Phase phase() {
            return collecting == null ? Phase.WATCHING : Phase.STREAMING;
        }

        @Override
        void begin() {
            if (current == this) {
                intend(phase(), verb());
            }
            askedAt = runtime.nanos();
            openedAt = askedAt;
            heardAt = openedAt;
            Query query = selection
                    .with("resourceVersion", from)
                    .with("allowWatchBookmarks", "true")
                    .with("timeoutSeconds", Integer.toString(timeoutSeconds));
            if (collecting != null) {
                query = query.with("sendInitialEvents", "true").with("resourceVersionMatch", "NotOlderThan");
            }
            handle = client.watch(type, query, lane, this);
            ask();
            guard(limit());
        }

        @Override
        void leave() {
            succeed(null);
            if (timer != null) {
                timer.close();
            }
            if (beating != null) {
                beating.close();
            }
            if (doubtLater != null) {
                doubtLater.close();
            }
            if (handle != null && hearsStale && !stopped) {
                stale.add(handle);
            } else if (handle != null) {
                handle.close();
            }
            if (open && runtime.nanos() - openedAt >= STABLE.toNanos()) {
                answers = 0;
                streamBreaks = 0;
                emptyEnds = 0;
                expired = 0;
                briefBreaks = 0;
            }
        }

        void ask() {
            if (handle != null && current == this && cache.hasRoom() && demanded < DEMAND) {
                if (demanded == 0) {
                    heardAt = runtime.nanos(); // silence while nothing was asked for is ours
                }
                int more = DEMAND - demanded;
                demanded = DEMAND;
                handle.demand(more);
            }
        }

        private Duration limit() {
            if (collecting != null) {
                return PROGRESS;
            }
            return bookmarking ? SILENCE : Duration.ofSeconds(timeoutSeconds).plus(SLACK);
        }

        private void guard(Duration wait) {
            if (timer != null) {
                timer.close();
            }
            timer = runtime.after(wait, lane, () -> {
                if (current != this) {
                    return;
                }
                long limit = limit().toNanos();
                long quiet = demanded == 0 ? 0 : runtime.nanos() - heardAt;
                if (hearsNoSilence) {
                    return;
                }
                if (quiet < limit) {
                    guard(Duration.ofNanos(limit - quiet));
                } else {
                    cut();
                }
            });
        }

        private void cut() {
            ApiException cause = silent(verb(), limit(), collecting == null ? "Nothing came" : "No initial event came");
            if (collecting == null) {
                // A watch from a version that is still to come is accepted, and told nothing, not even by bookmarks,
                // until the
                // versions of a restored etcd have passed it. A list at that version is refused.
                boolean future = mute();
                // One silent stream more often has a dead path than a server without bookmarks, also before its first
                // one is due.
                unmarked++;
                bookmarking &= everMarked || unmarked < UNMARKED;
                then(() -> retry(verb(), cause, future ? Reflector.this::sync : Reflector.this::watch));
            } else if (open) {
                streams = false; // it answers, but not what was asked: a list is understood by every server
                then(() -> retry(verb(), cause, Reflector.this::sync));
            } else {
                then(() -> retry(verb(), cause, Reflector.this::sync));
            }
        }

        /**
         * The server does not answer, so that this stream, too, may be dead without saying so. It goes on, should it speak again;
         * else another one is opened as soon as the server answers, from what is applied, and takes its place when it is answered (D9b).
         */
        private void doubt() {
            if (current != this || collecting != null || successor != null || hearsNoSilence) {
                return;
            }
            long quiet = runtime.nanos() - heardAt;
            if (quiet >= Heartbeat.PATIENCE.toNanos()) {
                enter(
                        Phase.BACKING_OFF,
                        verb(),
                        ApiException.Unreachable.silent(
                                verb() + " " + type,
                                "the server gave no answer to GET /livez for " + Heartbeat.PATIENCE.toSeconds()
                                        + " s; another watch is opened when it does"));
                succeed(new Answer(Duration.ZERO, this::open));
            } else if (doubtLater == null) {
                // It spoke a moment ago. The next question goes over another connection, may have its answer, and then
                // nobody looks again: so it is looked at once more, unless it speaks.
                long asOf = heardAt;
                doubtLater = runtime.after(Heartbeat.PATIENCE.minusNanos(quiet), lane, () -> {
                    doubtLater = null;
                    if (heardAt == asOf) {
                        doubt();
                    }
                });
            }
        }

        private void succeed(@Nullable Activity next) {
            if (successor != null) {
                successor.leave();
            }
            successor = next;
            if (next != null) {
                next.begin();
            }
        }

        /** Opens the successor when all that this one has said is applied. */
        private void open() {
            Activity waited = successor;
            cache.afterApplied(() -> {
                if (current != this || waited == null || successor != waited) {
                    return;
                }
                long left = holdsBack ? notBefore - runtime.nanos() : 0;
                if (left > 0) {
                    succeed(new Wait(Duration.ofNanos(left), this::open));
                } else {
                    succeed(new WatchStream(cache.version(), null));
                }
            });
        }

        /** Takes the place of the one that was in doubt: from now on nothing of that one counts. */
        private void takeOver() {
            if (current instanceof WatchStream doubtful && doubtful.successor == this) {
                doubtful.successor = null;
                current = this;
                doubtful.leave();
                guard(limit());
            }
        }

        /** The successor was not accepted. What this one may still say is worth more than what a refusal says. */
        private void refused(ApiException cause) {
            if (cause instanceof ApiException.Unreachable) {
                enter(Phase.BACKING_OFF, verb(), cause);
                succeed(new Answer(unreachable(), this::open));
            } else if (cause instanceof ApiException.Forbidden || cause instanceof ApiException.Unauthorized) {
                enter(Phase.FORBIDDEN, verb(), cause);
                succeed(new Wait(atLeast(DENIED.delay(++denied, random), cause), this::open));
            } else if (cause instanceof ApiException.NotFound) {
                then(() ->
                        retry(verb(), cause, Reflector.this::syncFresh)); // as for any watch: what it watched is gone
            } else {
                enter(Phase.BACKING_OFF, verb(), cause);
                succeed(new Wait(atLeast(ANSWERED.delay(++refusals, random), cause), this::open));
            }
        }

        /** Whether it was accepted and has said nothing, not even a bookmark, for so long that every server since 1.17 would have. */
        private boolean mute() {
            return open && !said && runtime.nanos() - openedAt >= SILENCE.toNanos();
        }

        @Override
        public void opened() {
            takeOver();
            if (current != this) {
                return;
            }
            open = true;
            openedAt = runtime.nanos();
            heardAt = openedAt;
            beating = heartbeat.watch(lane, this::doubt);
            if (refusedSince != null && runtime.nanos() - refusedSince >= TURNED_AWAY.toNanos()) {
                history.suspect();
            }
            refusedSince = null;
            accepted(phase(), verb(), askedAt);
            ask();
            if (collecting == null) {
                history.opened();
            }
        }

        @Override
        public void frames(List<WatchFrame> frames) {
            if (current != this && (!hearsStale || stopped)) {
                return;
            }
            try {
                take(frames);
            } catch (VirtualMachineError problem) {
                if (current == this) {
                    cache.torn(problem);
                }
                throw problem;
            }
        }

        private void take(List<WatchFrame> frames) {
            demanded--;
            if (collecting == null) {
                heardAt = runtime.nanos();
            }
            if (successor != null && !(frames.get(0) instanceof WatchFrame.Failure)) {
                succeed(null); // it was the server that hung
                accepted(phase(), verb(), askedAt);
            }
            List<WatchFrame.Event> events = new ArrayList<>(frames.size());
            String elsewhere = ""; // the version of the last event of another shard
            for (WatchFrame frame : frames) {
                if (frame instanceof WatchFrame.Event event) {
                    said = true;
                    if (collecting == null) {
                        fruitful = true;
                        briefBreaks = 0;
                        if (inShard.test(event.object())) {
                            events.add(event);
                        } else {
                            elsewhere = event.object().resourceVersion();
                        }
                    } else if (event.kind() == WatchFrame.Kind.DELETED) {
                        collecting.remove(event.object());
                    } else if (collecting.add(event.object())) {
                        heardAt = runtime.nanos();
                    }
                } else if (frame instanceof WatchFrame.Bookmark bookmark) {
                    said = true;
                    flush(events);
                    if (!bookmarked(bookmark)) {
                        return;
                    }
                } else if (frame instanceof WatchFrame.Failure failure) {
                    flush(events);
                    told(failure.cause());
                    return;
                } else if (frame instanceof WatchFrame.Unscannable unscannable) {
                    if (collecting == null && skipsUnread) {
                        cache.unread(unscannable.problem(), unscannable.key());
                        continue;
                    }
                    if (collecting == null) {
                        flush(events);
                        torn(unscannable);
                        return;
                    }
                    collecting.unread(unscannable.problem(), unscannable.key());
                }
            }
            flush(events);
            if (collecting != null) {
                collecting.handOn();
            }
            if (!elsewhere.isEmpty()) {
                cache.bookmark(elsewhere); // everything up to there has been said, and need not be said again
            }
            ask();
        }

        private void flush(List<WatchFrame.Event> events) {
            if (!events.isEmpty()) {
                cache.events(List.copyOf(events));
                events.clear();
            }
        }

        /** Whether this stream goes on. */
        private boolean bookmarked(WatchFrame.Bookmark bookmark) {
            Collecting all = collecting;
            if (all == null) {
                everMarked = true;
                bookmarks();
                cache.bookmark(bookmark.resourceVersion());
                return true;
            }
            if (!bookmark.initialEventsEnd()) {
                return true; // some server's habit; only the annotated one ends the initial events
            }
            if (!complete(all, bookmark.resourceVersion())) {
                then(Reflector.this::syncFresh);
                return false;
            }
            collecting = null;
            heardAt = runtime.nanos();
            streamBreaks = 0;
            bookmarks();
            enter(Phase.WATCHING, verb(), null);
            return true;
        }

        /** This server sends bookmarks: a shorter limit from now on. */
        private void bookmarks() {
            if (!bookmarking && (everMarked || unmarked < UNMARKED)) {
                bookmarking = true;
                guard(limit());
            }
        }

        /** A frame that cannot be read: what comes after it must not be applied as if it had been (D32). */
        private void torn(WatchFrame.Unscannable frame) {
            cache.unread(frame.problem(), frame.key());
            then(() -> {
                if (stuckAgain()) {
                    answers++;
                    pause(ANSWERED.delay(answers, random), this::past);
                } else {
                    watch();
                }
            });
        }

        /**
         * An ERROR frame. One of the server itself may come again for every watch from here, say when it cannot decode an object that was
         * deleted by force (StoreReadError, KEP-3926): then only a list leads past it.
         */
        private void told(ApiException cause) {
            if (collecting == null
                    && !(successor instanceof WatchStream)
                    && (cause instanceof ApiException.ServerError || cause instanceof ApiException.Malformed)) {
                then(() -> backOff(verb(), cause, stuckAgain() ? this::past : Reflector.this::watch));
            } else {
                broken(cause);
            }
        }

        /** What no watch gets past, a list does. */
        private void past() {
            if (staysStuck) {
                watch();
            } else {
                sync();
            }
        }

        /** Whether the last watch that could not go on stopped at this very version. */
        private boolean stuckAgain() {
            String version = cache.version();
            boolean again = version.equals(stuckAt);
            stuckAt = again ? "" : version;
            return again;
        }

        @Override
        public void ended() {
            if (current != this) {
                return;
            }
            if (succeeded()) {
                return;
            }
            boolean empty = !said && runtime.nanos() - openedAt < EMPTY.toNanos();
            if (collecting != null) {
                initialBroken();
                ApiException cause = ended("before its initial events had");
                then(() -> backOff(verb(), cause, Reflector.this::sync));
            } else if (empty && ++emptyEnds >= 2) {
                // Some servers say "too old" by closing (kubernetes#137089).
                emptyEnds = 0;
                ApiException cause = ended("at once, with nothing said, a second time");
                then(() -> backOff(verb(), cause, Reflector.this::sync));
            } else if (brief() && fruitful) {
                then(() -> pause(Heartbeat.pace(1, 0, random), Reflector.this::watch));
            } else if (empty || brief()) {
                then(() -> pause(ANSWERED.delay(++answers, random), Reflector.this::watch));
            } else {
                emptyEnds = 0;
                then(mute() ? Reflector.this::sync : Reflector.this::watch); // see cut()
            }
        }

        private ApiException ended(String how) {
            return ApiException.Unreachable.silent("watch " + type, "the watch ended " + how);
        }

        private boolean brief() {
            return runtime.nanos() - openedAt < SPREAD.toNanos();
        }

        private void initialBroken() {
            if (++streamBreaks >= STREAM_BREAKS) {
                streams = false;
            }
        }

        @Override
        public void failed(ApiException cause) {
            answered(cause, askedAt);
            if (!open && History.isOfTheServer(cause) && !(cause instanceof ApiException.TooManyRequests)) {
                history.suspect();
            } else if (!open && refusedSince == null) {
                refusedSince = runtime.nanos(); // busy, or closed to us: what is behind that nobody sees
            }
            if (versionRefused(cause)) {
                takeOver(); // the one before may live, but it cannot be told from one that does not: a list tells
            }
            if (current == this) {
                broken(cause);
            } else if (current instanceof WatchStream doubtful && doubtful.successor == this) {
                doubtful.refused(cause);
            }
        }

        /** Whether another watch is under way already, from all that this one has said: it is what comes next, and is told the same. */
        private boolean succeeded() {
            if (successor instanceof WatchStream next) {
                next.takeOver();
                return true;
            }
            return false;
        }

        private void broken(ApiException cause) {
            boolean initial = collecting != null;
            if (succeeded()) {
                return;
            }
            if (!initial && resumesAfterGone && versionRefused(cause)) {
                then(() -> retry(verb(), cause, Reflector.this::watch));
            } else if (!initial && versionRefused(cause)) {
                // The relist itself is at the last version; only when that is refused, too, without.
                then(() -> {
                    if (expired++ == 0) {
                        pause(spread(), Reflector.this::sync);
                    } else {
                        retry(verb(), cause, Reflector.this::sync);
                    }
                });
            } else if (!initial
                    && (cause instanceof ApiException.BadRequest || cause instanceof ApiException.Invalid)) {
                then(() -> retry(verb(), cause, Reflector.this::syncFresh));
            } else if (!initial && cause instanceof ApiException.NotFound) {
                then(() -> retry(verb(), cause, Reflector.this::syncFresh));
            } else if (!initial && open && brief() && !fruitful && ++briefBreaks > 1) {
                then(() -> again(verb(), cause, Reflector.this::watch));
            } else if (!initial) {
                then(() -> retry(verb(), cause, Reflector.this::watch));
            } else if (versionRefused(cause) && !from.isEmpty()) {
                then(Reflector.this::syncFresh);
            } else if (cause instanceof ApiException.BadRequest || cause instanceof ApiException.Invalid) {
                streams = false;
                then(Reflector.this::sync);
            } else if (open) {
                initialBroken();
                then(() -> again(verb(), cause, Reflector.this::sync));
            } else {
                then(() -> retry(verb(), cause, Reflector.this::sync));
            }
        }
    }

    /** A list, page by page; complete or void. */
    private final class ListStream extends Activity implements Streams.ListListener {
        private final Collecting collecting;
        private Streams.@Nullable Handle handle;
        private @Nullable Registration timer;
        private @Nullable Registration beating;
        private long askedAt;
        private long heardAt;
        private boolean laterPage;
        private boolean heard;

        ListStream(String from) {
            this.collecting = new Collecting(from);
        }

        @Override
        void begin() {
            intend(Phase.LISTING, "list");
            Query query = selection;
            if (!collecting.from.isEmpty()) {
                // No limit: such a list is served from the watch cache, all at once.
                query = query.with("resourceVersion", collecting.from).with("resourceVersionMatch", "NotOlderThan");
            } else if (!whole) {
                query = query.with("limit", Integer.toString(PAGE));
            }
            beating = heartbeat.watch(lane, () -> {}); // it has a patience of its own
            page(query);
            guard(PROGRESS);
        }

        private void page(Query query) {
            askedAt = runtime.nanos();
            heardAt = askedAt;
            handle = client.list(type, query, lane, this);
            handle.demand(DEMAND);
        }

        @Override
        void leave() {
            if (timer != null) {
                timer.close();
            }
            if (beating != null) {
                beating.close();
            }
            if (handle != null) {
                handle.close();
            }
        }

        private void guard(Duration wait) {
            timer = runtime.after(wait, lane, () -> {
                if (current != this) {
                    return;
                }
                long quiet = runtime.nanos() - heardAt;
                if (quiet < PROGRESS.toNanos()) {
                    guard(PROGRESS.minusNanos(quiet));
                } else {
                    slow();
                    ApiException cause = silent("list", PROGRESS, "No item came");
                    then(() -> retry("list", cause, Reflector.this::sync));
                }
            });
        }

        /**
         * Nothing came in time. A list in one piece that takes the server that long to write takes it as long the next time, so the one
         * after that is asked for in pages, which only a list without a version has. Where the server did not answer the heartbeat either,
         * it was not the list.
         */
        private void slow() {
            if (!heard && !heartbeat.silentAfter(askedAt) && ++slowLists >= SLOW_LISTS) {
                fresh = true;
                whole = false;
            }
        }

        @Override
        public void items(List<ListItem> items) {
            if (current != this) {
                return;
            }
            accepted(Phase.LISTING, "list", askedAt);
            heard = true;
            heardAt = runtime.nanos();
            try {
                for (ListItem item : items) {
                    if (item instanceof ListItem.Scanned scanned) {
                        collecting.add(scanned.object());
                    } else if (item instanceof ListItem.Unscannable unscannable) {
                        collecting.unread(unscannable.problem(), unscannable.key());
                    }
                }
            } catch (VirtualMachineError problem) {
                cache.torn(problem); // what is lacking would be taken for gone
                throw problem;
            }
            collecting.handOn();
            if (handle != null) {
                handle.demand(1);
            }
        }

        @Override
        public void ended(Streams.ListEnd end) {
            if (current != this) {
                return;
            }
            accepted(Phase.LISTING, "list", askedAt);
            if (!end.continueToken().isEmpty()) {
                laterPage = true;
                if (showsPages) {
                    complete(collecting, end.resourceVersion());
                }
                if (handle != null) {
                    handle.close();
                }
                page(selection.with("limit", Integer.toString(PAGE)).with("continue", end.continueToken()));
            } else if (end.resourceVersion().isEmpty()) {
                ApiException cause = ApiException.Unreachable.silent(
                        "list " + type, "the list has no resourceVersion, so that it cannot be watched from");
                backOff("list", cause, Reflector.this::sync);
            } else if (complete(collecting, end.resourceVersion())) {
                then(Reflector.this::watch);
            } else {
                then(Reflector.this::syncFresh);
            }
        }

        @Override
        public void failed(ApiException cause) {
            if (current != this) {
                return;
            }
            answered(cause, askedAt);
            if (cause instanceof ApiException.Unreachable && runtime.nanos() - heardAt >= PATIENT.toNanos()) {
                slow();
            }
            if (laterPage && cause instanceof ApiException.Gone && !whole) {
                whole = true; // the pages outlived their version: once more, in one piece
                then(Reflector.this::sync);
            } else if (versionRefused(cause) && !collecting.from.isEmpty()) {
                then(Reflector.this::syncFresh);
            } else if (!collecting.from.isEmpty()
                    && (cause instanceof ApiException.BadRequest || cause instanceof ApiException.Invalid)) {
                then(() ->
                        retry("list", cause, Reflector.this::syncFresh)); // not every server knows resourceVersionMatch
            } else if (heard) {
                then(() -> again("list", cause, Reflector.this::sync));
            } else {
                then(() -> retry("list", cause, Reflector.this::sync));
            }
        }
    }
}
