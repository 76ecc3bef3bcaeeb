package io.homeostat.informer;

import io.homeostat.client.ObjectKey;
import io.homeostat.core.Headers;
import io.homeostat.core.HttpCall;
import io.homeostat.core.Lane;
import io.homeostat.core.Transport;
import io.homeostat.core.TransportException;
import io.homeostat.virtualruntime.VirtualProcess;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * One resource of an API server, in bytes behind {@link Transport}, made for very many seeds: it costs little, remembers every state it
 * ever had, and is as ill-behaved as it is told. Not the simulator: what it does not need for the cache it does not do.
 *
 * <p>Called by whoever holds the baton of the world.
 */
final class SeedServer implements Transport {
    static final String NAMESPACE = "ns";
    static final String TIER = "tier";
    private static final String COLLECTION = "/apis/sim.example.com/v1/namespaces/" + NAMESPACE + "/gadgets";
    private static final Headers JSON = Headers.of("Content-Type", "application/json");
    /** Pages are small, so that few objects make many. */
    private static final int PAGE = 2;

    /** An object at one version. */
    record Thing(
            ObjectKey key,
            String uid,
            long version,
            long generation,
            String tier,
            String owner,
            boolean finalizer,
            boolean deleting,
            boolean undecodable,
            int size,
            int observed) {
        static Thing fresh(ObjectKey key, String uid) {
            return new Thing(key, uid, 0, 1, "", "", false, false, false, 0, 0);
        }

        Thing at(long next) {
            return new Thing(key, uid, next, generation, tier, owner, finalizer, deleting, undecodable, size, observed);
        }

        Thing with(String nextTier, String nextOwner, boolean nextFinalizer, int nextSize, int nextObserved) {
            return new Thing(
                    key,
                    uid,
                    version,
                    nextSize == size ? generation : generation + 1,
                    nextTier,
                    nextOwner,
                    nextFinalizer,
                    deleting,
                    undecodable,
                    nextSize,
                    nextObserved);
        }

        Thing deleted() {
            return new Thing(key, uid, version, generation, tier, owner, finalizer, true, undecodable, size, observed);
        }

        Thing decodable(boolean is) {
            return new Thing(key, uid, version, generation, tier, owner, finalizer, deleting, !is, size, observed);
        }

        boolean selected(String selector) {
            return selector.isEmpty() || selector.equals(TIER + "=" + tier);
        }

        @Override
        public String toString() {
            return key.name() + ":" + uid + "@" + version;
        }

        private String json(Reading reading) {
            StringBuilder json = new StringBuilder(512)
                    .append("{\"apiVersion\":\"sim.example.com/v1\",\"kind\":\"Gadget\",\"metadata\":{\"name\":");
            if (reading == Reading.NAMELESS) {
                json.append("7");
            } else {
                json.append('"').append(key.name()).append('"');
            }
            json.append(",\"namespace\":\"").append(key.namespace()).append("\",\"uid\":");
            if (reading == Reading.KEYED) {
                json.append("7");
            } else {
                json.append('"').append(uid).append('"');
            }
            json.append(",\"resourceVersion\":\"").append(version);
            json.append("\",\"generation\":").append(generation);
            json.append(",\"creationTimestamp\":\"2026-01-01T00:00:00Z\"");
            if (deleting) {
                json.append(",\"deletionTimestamp\":\"2026-01-01T00:00:01Z\"");
            }
            if (finalizer) {
                json.append(",\"finalizers\":[\"sim.example.com/hold\"]");
            }
            if (!tier.isEmpty()) {
                json.append(",\"labels\":{\"")
                        .append(TIER)
                        .append("\":\"")
                        .append(tier)
                        .append("\"}");
            }
            if (!owner.isEmpty()) {
                json.append(",\"ownerReferences\":[")
                        .append(ownerReference(owner))
                        .append(']');
            }
            json.append(",\"managedFields\":[{\"manager\":\"seed\",\"fieldsV1\":{\"f:spec\":{\"f:size\":{}}}}]}");
            json.append(",\"spec\":{\"size\":");
            if (undecodable) {
                json.append("\"no number\"");
            } else {
                json.append(size);
            }
            json.append(",\"note\":\"größer € 𝄞\"},\"status\":{\"observed\":").append(observed);
            return json.append("}}").toString();
        }
    }

    static String ownerReference(String uid) {
        return "{\"apiVersion\":\"v1\",\"kind\":\"Owner\",\"name\":\"" + uid + "\",\"uid\":\"" + uid
                + "\",\"controller\":true}";
    }

    private enum Reading {
        WHOLE,
        /** It cannot be scanned, but shows its key. */
        KEYED,
        /** It does not even show its key. */
        NAMELESS
    }

    /** One change. */
    record Commit(long version, @Nullable Thing before, @Nullable Thing now, Thing last) {}

    /** What happened between two restores from a backup. */
    static final class History {
        final TreeMap<Long, Map<ObjectKey, Thing>> states = new TreeMap<>();
        final List<Commit> commits = new ArrayList<>();
        final Map<String, Long> deletedAt = new HashMap<>();

        boolean knows(String uid) {
            return states.firstEntry().getValue().values().stream().anyMatch(thing -> thing.uid.equals(uid))
                    || commits.stream().anyMatch(commit -> commit.last.uid.equals(uid));
        }

        /** What a cache with that selector has at that version, by key. */
        Map<ObjectKey, Thing> at(long version, String selector) {
            Map.Entry<Long, Map<ObjectKey, Thing>> state = states.floorEntry(version);
            Map<ObjectKey, Thing> selected = new TreeMap<>();
            if (state != null) {
                state.getValue().forEach((key, thing) -> {
                    if (thing.selected(selector)) {
                        selected.put(key, thing);
                    }
                });
            }
            return selected;
        }
    }

    /** A list, or initial events, that were answered: for which selector, at which version of which history. */
    record Listed(String selector, int history, long version) {}

    /** What a request asked for. */
    record Asked(HttpCall call, String name, String subresource, Map<String, String> parameters) {
        String parameter(String parameter) {
            return parameters.getOrDefault(parameter, "");
        }

        boolean watch() {
            return parameter("watch").equals("true");
        }

        boolean initialEvents() {
            return parameter("sendInitialEvents").equals("true");
        }

        boolean heartbeat() {
            return subresource.equals("elsewhere");
        }

        boolean collection() {
            return !heartbeat() && name.isEmpty() && call.method().equals("GET");
        }

        String selector() {
            return parameter("labelSelector");
        }
    }

    /** An answer made of one piece; a null status says nothing for ever. */
    record Said(@Nullable Integer status, Headers headers, String body) {
        static Said status(int code, String reason, String more) {
            return new Said(
                    code,
                    JSON,
                    "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"message\":\"said "
                            + "on purpose\",\"reason\":\"" + reason + "\"" + more + ",\"code\":" + code + "}");
        }

        Said after(int seconds) {
            return new Said(status, headers.with("Retry-After", Integer.toString(seconds)), body);
        }
    }

    private final VirtualProcess process;
    private final Lane lane;
    private final RandomGenerator random;
    final List<History> histories = new ArrayList<>();
    final Set<Listed> lists = new HashSet<>();
    /** Every version of every object that was ever said, by UID and version. */
    final Map<String, Thing> committed = new HashMap<>();

    final TreeMap<ObjectKey, Thing> objects = new TreeMap<>();
    final Set<ObjectKey> unreadable = new TreeSet<>();
    private final Set<Answering> watches = new LinkedHashSet<>();
    /** Whether what cannot be read does not even show its key. */
    boolean nameless;
    /** Whether watches get a bookmark every minute. */
    boolean bookmarks = true;
    /** Whether initial events are sent over watches: when not, such a watch is an ordinary one. */
    boolean sendsInitialEvents = true;
    /** Whether initial events end with their bookmark. */
    boolean endsInitialEvents = true;
    /** What the heartbeat is answered when nothing is refused. */
    Said livez = new Said(200, Headers.of("Content-Type", "text/plain"), "ok");
    /** Whether a version too old is said by closing the stream (kubernetes#137089). */
    boolean closesInsteadOfGone;
    /** Whether the type is served. */
    boolean served = true;
    /** How often all objects went with their type. */
    /** Asked first about each request; what it says is the answer. */
    Function<Asked, @Nullable Said> refusal = asked -> null;

    long version = 100;
    private long compacted;
    private long uids;

    SeedServer(VirtualProcess process, RandomGenerator random) {
        this.process = process;
        this.lane = process.lane("server");
        this.random = random;
        begin();
    }

    private void begin() {
        History history = new History();
        history.states.put(version, new TreeMap<>(objects));
        histories.add(history);
    }

    History history() {
        return histories.get(histories.size() - 1);
    }

    static ObjectKey key(String name) {
        return new ObjectKey(NAMESPACE, name);
    }

    // ---- what the world does to it

    /** Writes the next version of an object, or its first. */
    Thing put(String name, Function<Thing, Thing> change) {
        Thing before = objects.get(key(name));
        Thing base = before == null ? Thing.fresh(key(name), "uid-" + ++uids) : before;
        return commit(before, change.apply(base));
    }

    private Thing commit(@Nullable Thing before, Thing next) {
        if (before != null && next.equals(before)) {
            return before;
        }
        Thing now = next.at(++version);
        boolean gone = now.deleting && !now.finalizer;
        if (gone) {
            objects.remove(now.key);
            history().deletedAt.put(now.uid, version);
        } else {
            objects.put(now.key, now);
        }
        committed.put(now.uid + "@" + version, now);
        if (before != null) {
            committed.put(before.uid + "@" + version + " left", before.at(version));
        }
        history().states.put(version, new TreeMap<>(objects));
        Commit commit = new Commit(version, before, gone ? null : now, now);
        history().commits.add(commit);
        for (Answering watch : List.copyOf(watches)) {
            watch.changed(commit);
        }
        return now;
    }

    /** Takes an object away, or marks it as going while a finalizer holds it. */
    @Nullable
    Thing remove(String name) {
        Thing before = objects.get(key(name));
        return before == null ? null : commit(before, before.deleted());
    }

    /** Other resources were written. */
    void skip(int versions) {
        version += versions;
    }

    void compact() {
        compacted = version;
    }

    /** The process of the API server starts anew: streams break, and its watch cache begins here. */
    void restart() {
        compact();
        for (Answering watch : List.copyOf(watches)) {
            watch.breakOff();
        }
    }

    /** What a restore of etcd from a backup does. */
    void restore(long to, Map<ObjectKey, Thing> was) {
        for (Answering watch : List.copyOf(watches)) {
            watch.breakOff();
        }
        version = to;
        compacted = to;
        objects.clear();
        objects.putAll(was);
        begin();
    }

    /** The type is deleted: so are its objects, its watches end. */
    void unserve() {
        for (Thing thing : List.copyOf(objects.values())) {
            commit(
                    thing,
                    thing.with(thing.tier, thing.owner, false, thing.size, thing.observed)
                            .deleted());
        }
        served = false;
        end();
    }

    void cut() {
        for (Answering watch : List.copyOf(watches)) {
            watch.breakOff();
        }
    }

    void end() {
        for (Answering watch : List.copyOf(watches)) {
            watch.end();
        }
    }

    /** All watches stay open and say nothing any more. */
    void silence() {
        watches.forEach(watch -> watch.silent = true);
        watches.clear();
    }

    void expire() {
        compact();
        for (Answering watch : List.copyOf(watches)) {
            watch.gone();
        }
    }

    /** Bookmarks now, as a server may at any time. */
    void mark() {
        if (bookmarks) {
            List.copyOf(watches).forEach(Answering::mark);
        }
    }

    int openWatches() {
        return watches.size();
    }

    // ---- what clients see

    @Override
    public void close() {}

    @Override
    public Exchange open(HttpCall call, AnswerListener listener) {
        Answering answering = new Answering(asked(call), listener);
        answering.serve();
        return answering;
    }

    private static Asked asked(HttpCall call) {
        int question = call.target().indexOf('?');
        String path = question < 0 ? call.target() : call.target().substring(0, question);
        Map<String, String> parameters = new HashMap<>();
        if (question >= 0) {
            for (String pair : call.target().substring(question + 1).split("&", -1)) {
                int is = pair.indexOf('=');
                parameters.put(
                        pair.substring(0, is), URLDecoder.decode(pair.substring(is + 1), StandardCharsets.UTF_8));
            }
        }
        if (!path.startsWith(COLLECTION)) {
            return new Asked(call, path, "elsewhere", parameters);
        }
        String rest = path.substring(COLLECTION.length());
        String[] segments =
                rest.isEmpty() ? new String[] {""} : rest.substring(1).split("/", -1);
        return new Asked(call, segments[0], segments.length > 1 ? segments[1] : "", parameters);
    }

    private String render(Thing thing) {
        return thing.json(
                !unreadable.contains(thing.key) ? Reading.WHOLE : nameless ? Reading.NAMELESS : Reading.KEYED);
    }

    private Said one(int status, Thing thing) {
        return new Said(status, JSON, render(thing));
    }

    private static Said notFound(String name) {
        return Said.status(404, "NotFound", ",\"details\":{\"name\":\"" + name + "\",\"kind\":\"gadgets\"}");
    }

    private Said tooLarge() {
        return Said.status(
                504,
                "Timeout",
                ",\"details\":{\"causes\":[{\"reason\":\"ResourceVersionTooLarge\",\"message\":\"Too large resource"
                        + " version\"}],\"retryAfterSeconds\":1}");
    }

    private Said list(Asked asked) {
        String from = asked.parameter("resourceVersion");
        String token = asked.parameter("continue");
        if (!from.isEmpty() && Long.parseLong(from) > version) {
            return tooLarge();
        }
        int colon = token.indexOf(':');
        long at = token.isEmpty() ? version : Long.parseLong(token.substring(0, colon));
        if (at < compacted || at > version) {
            return Said.status(410, "Expired", "");
        }
        int start = token.isEmpty() ? 0 : Integer.parseInt(token.substring(colon + 1));
        lists.add(new Listed(asked.selector(), histories.size() - 1, at));
        List<Thing> all = List.copyOf(history().at(at, asked.selector()).values());
        int end = asked.parameter("limit").isEmpty() ? all.size() : Math.min(all.size(), start + PAGE);
        String metadata = "\"metadata\":{\"resourceVersion\":\"" + at + "\""
                + (end < all.size() ? ",\"continue\":\"" + at + ":" + end + "\"" : "") + "}";
        boolean first = random.nextBoolean(); // lists of custom resources carry metadata after items, others before
        StringBuilder json = new StringBuilder("{\"apiVersion\":\"sim.example.com/v1\",");
        json.append(first ? metadata + "," : "").append("\"items\":[");
        for (int i = start; i < end; i++) {
            json.append(i == start ? "" : ",").append(render(all.get(i)));
        }
        json.append("],\"kind\":\"GadgetList\"").append(first ? "" : "," + metadata);
        return new Said(200, JSON, json.append('}').toString());
    }

    private Said write(Asked asked) {
        String method = asked.call.method();
        Thing before = asked.name.isEmpty() ? null : objects.get(key(asked.name));
        if (method.equals("DELETE")) {
            return delete(asked, before);
        }
        JsonNode body = JsonMapper.shared().readTree(asked.call.body());
        if (method.equals("POST")) {
            String name = body.path("metadata").path("name").asString("");
            if (objects.containsKey(key(name))) {
                return Said.status(409, "AlreadyExists", "");
            }
            return one(201, put(name, thing -> changed(thing, body, true)));
        }
        boolean applies = asked.call.headers().first("Content-Type").orElse("").startsWith("application/apply");
        if (before == null) {
            return applies ? one(201, put(asked.name, thing -> changed(thing, body, false))) : notFound(asked.name);
        }
        String expected = body.path("metadata").path("resourceVersion").asString("");
        if (!expected.isEmpty() && !expected.equals(Long.toString(before.version))) {
            return Said.status(409, "Conflict", "");
        }
        if (asked.subresource.equals("status")) {
            int observed = body.path("status").path("observed").asInt(before.observed);
            return one(
                    200,
                    put(
                            asked.name,
                            thing -> thing.with(thing.tier, thing.owner, thing.finalizer, thing.size, observed)));
        }
        return one(200, put(asked.name, thing -> changed(thing, body, method.equals("PUT"))));
    }

    private static Thing changed(Thing thing, JsonNode body, boolean replaces) {
        JsonNode metadata = body.path("metadata");
        JsonNode owners = metadata.path("ownerReferences");
        JsonNode finalizers = metadata.path("finalizers");
        String tier = metadata.path("labels").path(TIER).asString(replaces ? "" : thing.tier);
        String owner = (owners.isMissingNode() && !replaces)
                ? thing.owner
                : owners.path(0).path("uid").asString("");
        boolean finalizer = (finalizers.isMissingNode() && !replaces) ? thing.finalizer : !finalizers.isEmpty();
        int size = body.path("spec").path("size").asInt(thing.size);
        return thing.with(tier, owner, finalizer && !(thing.deleting && !thing.finalizer), size, thing.observed);
    }

    private Said delete(Asked asked, @Nullable Thing before) {
        if (before == null) {
            return notFound(asked.name);
        }
        String uid = JsonMapper.shared()
                .readTree(asked.call.body())
                .path("preconditions")
                .path("uid")
                .asString("");
        if (!uid.isEmpty() && !uid.equals(before.uid)) {
            return Said.status(409, "Conflict", "");
        }
        Thing now = commit(before, before.deleted());
        if (objects.containsKey(now.key)) {
            return one(200, now); // held by its finalizer
        }
        if (!before.deleting && random.nextInt(4) == 0) {
            return one(200, before.at(now.version)); // some resources answer the last state
        }
        return new Said(
                200,
                JSON,
                "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Success\",\"details\":{\"name\":\""
                        + now.key.name() + "\",\"uid\":\"" + now.uid + "\"}}");
    }

    /** One request and its answer. */
    private final class Answering implements Exchange {
        private final Asked asked;
        private final AnswerListener listener;
        private final ArrayDeque<byte[]> out = new ArrayDeque<>();
        private long demand;
        private long from;
        private boolean over;
        private boolean silent;
        private boolean ended;

        Answering(Asked asked, AnswerListener listener) {
            this.asked = asked;
            this.listener = listener;
        }

        @Override
        public void demand(int chunks) {
            demand += chunks;
            pump();
        }

        @Override
        public void cancel() {
            over = true;
            watches.remove(this);
        }

        private void pump() {
            while (!over && demand > 0 && !out.isEmpty()) {
                demand--;
                listener.chunk(out.remove());
            }
            if (ended && !over && out.isEmpty()) {
                over = true;
                listener.end();
            }
        }

        private void say(String text) {
            if (!silent && !over) {
                out.add(text.getBytes(StandardCharsets.UTF_8));
                pump();
            }
        }

        void end() {
            watches.remove(this);
            ended = true;
            pump();
        }

        void breakOff() {
            watches.remove(this);
            if (!over) {
                over = true;
                listener.failed(new TransportException(TransportException.Sent.MAYBE, "cut on purpose", null));
            }
        }

        void gone() {
            say("{\"type\":\"ERROR\",\"object\":"
                    + Said.status(410, "Expired", "").body() + "}\n");
            end();
        }

        private void whole(Said said) {
            if (said.status == null) {
                return; // for ever
            }
            listener.head(said.status, said.headers);
            if (!said.body.isEmpty()) {
                say(said.body);
            }
            end();
        }

        void serve() {
            Said refused = refusal.apply(asked);
            if (asked.heartbeat()) {
                whole(refused == null ? livez : refused);
            } else if (refused != null) {
                whole(refused);
            } else if (!served) {
                whole(new Said(404, Headers.of("Content-Type", "text/plain"), "404 page not found\n"));
            } else if (!asked.call.method().equals("GET")) {
                whole(write(asked));
            } else if (!asked.name.isEmpty()) {
                Thing thing = objects.get(key(asked.name));
                whole(thing == null ? notFound(asked.name) : one(200, thing));
            } else if (asked.watch()) {
                watch();
            } else {
                whole(list(asked));
            }
        }

        private void watch() {
            String wanted = asked.parameter("resourceVersion");
            from = wanted.isEmpty() ? 0 : Long.parseLong(wanted);
            boolean initial = asked.initialEvents() && sendsInitialEvents;
            // Where there are bookmarks, a watch from a version that is still to come is accepted and told nothing.
            if (from > version && (initial || !bookmarks)) {
                whole(tooLarge());
                return;
            }
            listener.head(200, JSON);
            if (initial || wanted.isEmpty()) {
                lists.add(new Listed(asked.selector(), histories.size() - 1, version));
                for (Thing thing : history().at(version, asked.selector()).values()) {
                    say(frame("ADDED", thing));
                }
                if (initial && endsInitialEvents) {
                    say(bookmark(version, ",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}"));
                }
                from = version;
            } else if (from < compacted) {
                if (closesInsteadOfGone) {
                    end();
                } else {
                    gone();
                }
                return;
            } else {
                history().commits.forEach(this::changed);
            }
            watches.add(this);
            bookmarkLater();
            process.after(Duration.ofSeconds(Long.parseLong(asked.parameter("timeoutSeconds"))), lane, () -> {
                if (watches.contains(this)) {
                    end();
                }
            });
        }

        private void bookmarkLater() {
            process.after(Duration.ofSeconds(60), lane, () -> {
                if (watches.contains(this)) {
                    if (bookmarks
                            && version >= from
                            && asked.parameter("allowWatchBookmarks").equals("true")) {
                        say(bookmark(version, ""));
                    }
                    bookmarkLater();
                }
            });
        }

        void mark() {
            if (version >= from && asked.parameter("allowWatchBookmarks").equals("true")) {
                say(bookmark(version, ""));
            }
        }

        void changed(Commit commit) {
            if (commit.version <= from) {
                return;
            }
            Thing before = commit.before;
            Thing now = commit.now;
            boolean was = before != null && before.selected(asked.selector());
            boolean is = now != null && now.selected(asked.selector());
            if (now != null && is) {
                say(frame(was ? "MODIFIED" : "ADDED", now));
            } else if (before != null && was) {
                // What is deleted is shown as it was last; what has left the selection as it was before.
                say(frame("DELETED", now == null ? commit.last : before.at(commit.version)));
            }
        }

        private String frame(String type, Thing thing) {
            return "{\"type\":\"" + type + "\",\"object\":" + render(thing) + "}\n";
        }

        private static String bookmark(long at, String more) {
            return "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Gadget\",\"apiVersion\":\"sim.example.com/v1\","
                    + "\"metadata\":{\"resourceVersion\":\"" + at + "\"" + more + "}}}\n";
        }
    }
}
