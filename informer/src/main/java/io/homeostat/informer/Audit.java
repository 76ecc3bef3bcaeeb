package io.homeostat.informer;

import io.homeostat.client.ApiException;
import io.homeostat.client.ListItem;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.Query;
import io.homeostat.client.RawObject;
import io.homeostat.client.Reads;
import io.homeostat.client.ResourceType;
import io.homeostat.client.Streams;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Lane;
import io.homeostat.core.Registration;
import java.time.Duration;
import java.util.Iterator;
import java.util.List;
import java.util.TreeSet;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * Compares the cache with the server now and then: a net under all the others, for what was lost without a trace, be it by a proxy, a
 * server or a defect of this library. It lists what there was at exactly the version the cache has reached, so that what changes
 * meanwhile is no difference.
 *
 * <pre>
 *   WAITING ── interval ──► COMPARING ── differs ──► WAITING (a moment) ──► COMPARING ── differs ──► told, WAITING (interval)
 *      ▲                        │ agrees, or cannot be had                      │ agrees
 *      └────────────────────────┴───────────────────────────────────────────────┘
 * </pre>
 *
 * <p><b>Order.</b> Nothing that it reads is applied. <b>Threads.</b> Confined to the informer's lane. <b>Memory.</b> The state it
 * compares with, which shares its objects with the present one, and a key for each object of the second look. <b>Failure.</b> A list
 * that is refused, breaks or stands still says nothing of the cache: the next one comes in its time, and not before the server's
 * Retry-After. While the server is known to be away nothing is compared.
 */
final class Audit {
    /*
     * Invariants
     * - At most one list is under way, or one timer set; none while the interval is zero.
     * - Only what two lists in a row differ in is told: a cache may have passed its version for one object (Indexer.confirm).
     */

    /** From a look that found a difference to the one that counts. */
    static final Duration SECOND_LOOK = Duration.ofSeconds(5);

    /** The most keys that are named. */
    static final int NAMED = 10;

    /** What is compared, and who hears of it. Called on the lane. */
    interface Subject {
        /** Whether the cache should have that object, which the server sends: a server may know nothing of shards. */
        boolean inShard(RawObject object);

        /** The state, when it should be what the server has at its version; null while it is known not to be, or cannot be. */
        Indexer.@Nullable State comparable();

        /** It is what the server has. */
        void agrees();

        /** It is not. */
        void differs(Difference difference);
    }

    /**
     * What is wrong with a cache.
     *
     * @param version at which it was compared
     * @param lacking objects the server has and the cache has not
     * @param surplus objects the cache has and the server has not
     * @param other objects of which the cache has another UID or version
     * @param some of their keys, at most {@value #NAMED}
     */
    record Difference(String version, int lacking, int surplus, int other, TreeSet<ObjectKey> some) {
        int total() {
            return lacking + surplus + other;
        }
    }

    private final EngineRuntime runtime;
    private final Reads client;
    private final ResourceType<?> type;
    private final Query selection;
    private final Lane lane;
    private final Subject subject;
    private final RandomGenerator random;

    // All below: confined to the lane.
    private Duration interval = Duration.ZERO;
    private @Nullable Registration timer;
    private @Nullable Look look;

    Audit(EngineRuntime runtime, Reads client, ResourceType<?> type, Query selection, Lane lane, Subject subject) {
        this.runtime = runtime;
        this.client = client;
        this.type = type;
        this.selection = selection;
        this.lane = lane;
        this.subject = subject;
        this.random = runtime.random("audit " + lane.name());
    }

    /** Looks every so often from now on; zero: never again, and what is under way is given up. */
    void every(Duration next) {
        interval = next;
        later(false);
    }

    private void later(boolean again) {
        later(again, Duration.ZERO);
    }

    private void later(boolean again, Duration asked) {
        if (timer != null) {
            timer.close();
            timer = null;
        }
        if (look != null) {
            look.close();
            look = null;
        }
        if (!interval.isZero()) {
            Duration wait = again ? SECOND_LOOK : jittered();
            timer = runtime.after(wait.compareTo(asked) > 0 ? wait : asked, lane, () -> {
                timer = null;
                begin(again);
            });
        }
    }

    /** Half to one and a half of the interval: caches, and processes, do not all list at once. */
    private Duration jittered() {
        return Duration.ofNanos((long) (interval.toNanos() * (0.5 + random.nextDouble())));
    }

    private void begin(boolean again) {
        Indexer.State state = subject.comparable();
        if (state == null) {
            later(false);
            return;
        }
        Look next = new Look(state, again);
        look = next;
        next.begin();
    }

    /** One comparison. */
    private final class Look implements Streams.ListListener {
        private final Indexer.State state;
        private final boolean again;
        private final TreeSet<ObjectKey> some = new TreeSet<>();
        private final TreeSet<ObjectKey> seen = new TreeSet<>(); // in the second look only
        private Streams.@Nullable Handle handle;
        private @Nullable Registration guard;
        private int known;
        private int lacking;
        private int other;

        Look(Indexer.State state, boolean again) {
            this.state = state;
            this.again = again;
        }

        void begin() {
            page(selection
                    .with("resourceVersion", state.version())
                    .with("resourceVersionMatch", "Exact")
                    .with("limit", Integer.toString(Reflector.PAGE)));
        }

        private void page(Query query) {
            if (handle != null) {
                handle.close();
            }
            handle = client.list(type, query, lane, this);
            handle.demand(1);
            heard();
        }

        private void heard() {
            if (guard != null) {
                guard.close();
            }
            guard = runtime.after(Reflector.PROGRESS, lane, () -> {
                if (look == this) {
                    later(false);
                }
            });
        }

        void close() {
            if (guard != null) {
                guard.close();
            }
            if (handle != null) {
                handle.close();
            }
        }

        @Override
        public void items(List<ListItem> items) {
            if (look != this) {
                return;
            }
            heard();
            for (ListItem item : items) {
                if (!(item instanceof ListItem.Scanned scanned)) {
                    later(false); // what cannot be read can be compared with nothing
                    return;
                }
                compare(scanned.object());
            }
            if (handle != null) {
                handle.demand(1);
            }
        }

        private void compare(RawObject object) {
            if (!subject.inShard(object)) {
                return;
            }
            RawObject cached = state.base().get(object.key());
            if (cached == null) {
                lacking++;
                name(object.key());
                return;
            }
            known++;
            if (again) {
                seen.add(cached.key());
            }
            if (!cached.uid().equals(object.uid()) || !cached.resourceVersion().equals(object.resourceVersion())) {
                other++;
                name(object.key());
            }
        }

        private void name(ObjectKey key) {
            if (some.size() < NAMED) {
                some.add(key);
            }
        }

        @Override
        public void ended(Streams.ListEnd end) {
            if (look != this) {
                return;
            }
            if (!end.continueToken().isEmpty()) {
                page(selection.with("limit", Integer.toString(Reflector.PAGE)).with("continue", end.continueToken()));
                return;
            }
            int surplus = state.base().size() - known;
            Difference found = new Difference(state.version(), lacking, surplus, other, some);
            if (found.total() == 0) {
                later(false);
                subject.agrees();
            } else if (!again) {
                later(true);
            } else {
                Iterator<RawObject> all = state.base().entries().iterator();
                while (all.hasNext() && some.size() < NAMED) {
                    ObjectKey key = all.next().key();
                    if (!seen.contains(key)) {
                        some.add(key);
                    }
                }
                later(false);
                subject.differs(found);
            }
        }

        @Override
        public void failed(ApiException cause) {
            if (look == this) {
                later(false, Reflector.asked(cause));
            }
        }
    }
}
