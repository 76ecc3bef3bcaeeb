package io.homeostat.informer;

import io.homeostat.client.ApiException;
import io.homeostat.client.ListItem;
import io.homeostat.client.Query;
import io.homeostat.client.Reads;
import io.homeostat.client.ResourceType;
import io.homeostat.client.Streams;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Lane;
import io.homeostat.core.Registration;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Whether a server that was away has come back with the history that the cache is of (fault row 11). Where etcd was restored from a
 * backup meanwhile, the cache's version is still to come: a watch from there is accepted, and told nothing, not even by bookmarks, until
 * the new history has passed it and what was different before is out of reach. A list is refused at once
 * ({@code ResourceVersionTooLarge}), also by a server that merely lags behind: whether versions went back is then seen from a list of
 * all. So one object is asked for at the version an open watch went on from.
 *
 * <pre>
 *   SURE ── the server was away ──► SUSPECT ── a watch is open ──► ASKING ── any answer but that ──► SURE
 *                                      ▲                             │ │ the version is still to come: told
 *                                      └──── after a while ◄─────────┘ └──► SURE
 *                                             no answer, or none now
 * </pre>
 *
 * <p><b>Order.</b> None. <b>Threads.</b> Confined to the informer's lane. <b>Memory.</b> One request. <b>Failure.</b> An answer that says
 * nothing is asked for again while a watch is open, with backoff; the watch goes on meanwhile: it may be all that the server has time for.
 */
final class History {
    /*
     * Invariants
     * - A request under way, or a timer for the next, is there only while it is suspect, or for what the answer says of when to ask again.
     * - An answer to what was asked before the server was away once more decides nothing.
     */

    /** Who watches. Called on the lane. */
    interface Watcher {
        /** The version that the open watch went on from; null while none is open. */
        @Nullable
        String openFrom();

        /** How long to wait after that answer, the {@code n}-th in a row that says nothing. */
        Duration pause(int n, ApiException cause);

        /** The version is still to come. */
        void wentBack(ApiException cause);
    }

    private final EngineRuntime runtime;
    private final Reads client;
    private final ResourceType<?> type;
    private final Query selection;
    private final Lane lane;
    private final Watcher watcher;

    // All below: confined to the lane.
    private boolean suspect;
    private @Nullable Question asking;
    private @Nullable Registration later;
    private int failures;

    History(EngineRuntime runtime, Reads client, ResourceType<?> type, Query selection, Lane lane, Watcher watcher) {
        this.runtime = runtime;
        this.client = client;
        this.type = type;
        this.selection = selection;
        this.lane = lane;
        this.watcher = watcher;
    }

    /** Whether it says that the server, not the request, is in a state of its own, out of which it may come with another history. */
    static boolean isOfTheServer(ApiException cause) {
        return cause instanceof ApiException.Unreachable
                || cause instanceof ApiException.ServerError
                || cause instanceof ApiException.TooManyRequests
                || cause instanceof ApiException.Malformed;
    }

    /** The server was away. */
    void suspect() {
        suspect = true;
        end();
    }

    /** A list has told. */
    void sure() {
        suspect = false;
        failures = 0;
        wake();
    }

    /** A watch is open. */
    void opened() {
        String from = watcher.openFrom();
        if (suspect && asking == null && later == null && from != null) {
            Question question = new Question();
            asking = question;
            question.ask(from);
        }
    }

    /** Gives up what is asked, and asks no more by itself. */
    void end() {
        if (asking != null) {
            asking.close();
            asking = null;
        }
        wake();
    }

    private void wake() {
        if (later != null) {
            later.close();
            later = null;
        }
    }

    private void decide(@Nullable ApiException cause) {
        asking = null;
        if (cause != null && isOfTheServer(cause)) {
            Duration pause = watcher.pause(++failures, cause); // also where a list has told meanwhile
            if (suspect) {
                later = runtime.after(pause, lane, () -> {
                    later = null;
                    opened();
                });
            }
            return;
        }
        boolean wasSuspect = suspect;
        sure(); // what is refused for good the watch will hear of itself
        if (wasSuspect && cause instanceof ApiException.VersionTooLarge) {
            watcher.wentBack(cause);
        }
    }

    private final class Question implements Streams.ListListener {
        private Streams.@Nullable Handle handle;

        void ask(String from) {
            Query one = selection
                    .with("resourceVersion", from)
                    .with("resourceVersionMatch", "NotOlderThan")
                    .with("limit", "1");
            Streams.Handle asked = client.list(type, one, lane, this);
            handle = asked;
            asked.demand(1);
        }

        void close() {
            if (handle != null) {
                handle.close();
            }
        }

        @Override
        public void items(List<ListItem> items) {
            answered(); // that there is an answer says enough
        }

        @Override
        public void ended(Streams.ListEnd end) {
            answered();
        }

        private void answered() {
            if (asking == this) {
                close();
                decide(null);
            }
        }

        @Override
        public void failed(ApiException cause) {
            if (asking == this) {
                decide(cause);
            }
        }
    }
}
