package io.homeostat.informer;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.client.ApiClient;
import io.homeostat.client.ApiException;
import io.homeostat.client.BlockingApiClient;
import io.homeostat.client.Discovery;
import io.homeostat.client.DroppedPaths;
import io.homeostat.client.ListItem;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.Query;
import io.homeostat.client.RawObject;
import io.homeostat.client.Reads;
import io.homeostat.client.ResourceType;
import io.homeostat.client.Streams;
import io.homeostat.client.TestErrors;
import io.homeostat.client.WatchFrame;
import io.homeostat.client.Write;
import io.homeostat.client.WriteObserver;
import io.homeostat.core.Lane;
import io.homeostat.core.Registration;
import io.homeostat.virtualruntime.VirtualWorld;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.BiFunction;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * One resource of an API server in a virtual world, as the client shows it: a revision counter, a history, lists in pages, watches with
 * bookmarks and initial events, and every misbehaviour the cache must survive. Not the simulator: no HTTP, no bytes; what it does is
 * what a test told it.
 */
final class FakeServer {
    /** A request, for scripts and assertions. */
    record Request(String verb, Map<String, String> parameters) {
        String parameter(String name) {
            return parameters.getOrDefault(name, "");
        }

        boolean initialEvents() {
            return parameter("sendInitialEvents").equals("true");
        }

        @Override
        public String toString() {
            return verb + parameters;
        }
    }

    private record Committed(long version, WatchFrame.Kind kind, @Nullable TestObject before, TestObject object) {}

    final VirtualWorld world;
    final List<Request> requests = new ArrayList<>();
    final TreeMap<ObjectKey, TestObject> objects = new TreeMap<>();
    final Set<ObjectKey> unreadable = new TreeSet<>();
    final Set<Stream> open = new LinkedHashSet<>();
    private final List<Stream> streams = new ArrayList<>();
    /** Frames of items and events of unreadable objects do not even show their key. */
    boolean nameless;
    /** Whether answers to deletes say which UID is gone. */
    boolean deletesNameUids = true;
    /** Whether watches get a bookmark every minute. */
    boolean bookmarks = true;
    /** Whether the initial events of a watch are sent and ended. */
    boolean endsInitialEvents = true;
    /** Whether a watch from a version that is still to come is accepted, and says nothing until it has come. */
    boolean acceptsFutureWatches;
    /** Whether lists are never answered. */
    boolean listsHang;
    /** Whether every answer breaks off after its first batch. */
    boolean breaksOff;
    /** The shards that it filters by, by their texts; what it does not know it ignores, as servers do. */
    final Map<String, ShardSelector> knowsShards = new TreeMap<>();
    /** Looks at each request first: an answer refuses it. */
    BiFunction<Request, Integer, @Nullable ApiException> refusal = (request, number) -> null;
    /** Changes what a watch says, batch by batch. */
    UnaryOperator<List<WatchFrame>> mangle = frames -> frames;

    /** What the heartbeat is answered: a refusal, nothing special, or null for no answer at all. */
    Supplier<@Nullable Optional<ApiException>> livez = Optional::empty;
    /** When the heartbeat asked. */
    final List<Duration> heartbeats = new ArrayList<>();

    private final List<Runnable> unanswered = new ArrayList<>();
    private boolean hung;

    Duration latency = Duration.ofMillis(5);
    long version = 100;
    private long compacted;
    private final Map<Long, List<TestObject>> snapshots = new TreeMap<>();
    private long uids;
    // What there was at each version; a restore begins another history.
    private final List<TreeMap<Long, SortedTree<ObjectKey, RawObject>>> histories = new ArrayList<>();
    private final Set<ObjectKey> onceUnreadable = new TreeSet<>();
    private final List<Committed> history = new ArrayList<>();
    private final RandomGenerator random;

    FakeServer(VirtualWorld world) {
        this.world = world;
        this.random = world.random("server");
        histories.add(new TreeMap<>(Map.of(version, Indexer.nothing())));
    }

    /** What {@link WatchProperties} must know. */
    WatchProperties.Truth truth() {
        return new WatchProperties.Truth() {
            @Override
            public List<SortedTree<ObjectKey, RawObject>> at(String version) {
                List<SortedTree<ObjectKey, RawObject>> had = new ArrayList<>();
                for (TreeMap<Long, SortedTree<ObjectKey, RawObject>> one : histories) {
                    var entry = version.isEmpty() ? null : one.floorEntry(Long.parseLong(version));
                    if (entry != null) {
                        had.add(entry.getValue());
                    }
                }
                return had;
            }

            @Override
            public boolean unreadable(ObjectKey key) {
                return onceUnreadable.contains(key) || unreadable.contains(key);
            }
        };
    }

    private void record(WatchFrame.Kind kind, TestObject object) {
        TreeMap<Long, SortedTree<ObjectKey, RawObject>> present = histories.get(histories.size() - 1);
        SortedTree<ObjectKey, RawObject> before = present.lastEntry().getValue();
        present.put(version, kind == WatchFrame.Kind.DELETED ? before.without(object.key()) : before.with(object));
        if (unreadable.contains(object.key())) {
            onceUnreadable.add(object.key());
        }
    }

    // ---- what the world does to it

    TestObject put(String name, UnaryOperator<TestObject> change) {
        ObjectKey key = new ObjectKey("ns", name);
        TestObject before = objects.get(key);
        TestObject base = before == null ? TestObject.of(name, "uid-" + ++uids, 0) : before;
        TestObject after = change.apply(base).at(++version);
        objects.put(key, after);
        commit(before == null ? WatchFrame.Kind.ADDED : WatchFrame.Kind.MODIFIED, before, after);
        return after;
    }

    TestObject put(String name) {
        return put(name, object -> object);
    }

    @Nullable
    TestObject remove(String name) {
        TestObject before = objects.remove(new ObjectKey("ns", name));
        if (before != null) {
            commit(WatchFrame.Kind.DELETED, before, before.at(++version));
        }
        return before;
    }

    private void commit(WatchFrame.Kind kind, @Nullable TestObject before, TestObject object) {
        Committed committed = new Committed(version, kind, before, object);
        history.add(committed);
        record(kind, object);
        for (Stream stream : List.copyOf(open)) {
            say(stream, committed);
        }
    }

    /** What a watch is told of a change: objects come and go with its selector. */
    private void say(Stream stream, Committed change) {
        boolean was = change.before != null && stream.selects(change.before);
        boolean is = change.kind != WatchFrame.Kind.DELETED && stream.selects(change.object);
        if (is) {
            stream.say(frame(was ? WatchFrame.Kind.MODIFIED : WatchFrame.Kind.ADDED, change.object));
        } else if (was) {
            stream.say(frame(WatchFrame.Kind.DELETED, change.object));
        }
    }

    private WatchFrame frame(WatchFrame.Kind kind, TestObject object) {
        return kind != WatchFrame.Kind.DELETED && unreadable.contains(object.key())
                ? new WatchFrame.Unscannable("unreadable on purpose", nameless ? null : object.key())
                : new WatchFrame.Event(kind, object);
    }

    /** Watches from before now are refused with 410 from now on. */
    void compact() {
        compacted = version;
    }

    /** Keeps nothing but the present, so that a test can tell who else keeps a version. */
    void forget() {
        history.clear();
        snapshots.clear();
        histories.forEach(TreeMap::clear);
        histories.get(histories.size() - 1).put(version, present());
    }

    private SortedTree<ObjectKey, RawObject> present() {
        SortedTree<ObjectKey, RawObject> all = Indexer.nothing();
        for (TestObject object : objects.values()) {
            all = all.with(object);
        }
        return all;
    }

    /** What a restore from a backup does: the versions go back, and what is there is what was. Streams from before say no more. */
    void restore(long toVersion, Map<ObjectKey, TestObject> was) {
        for (Stream stream : streams) {
            stream.out.removeIf(said -> said instanceof WatchFrame || said instanceof ListItem);
        }
        version = toVersion;
        compacted = toVersion;
        history.clear();
        snapshots.clear();
        objects.clear();
        objects.putAll(was);
        SortedTree<ObjectKey, RawObject> restored = Indexer.nothing();
        for (TestObject object : was.values()) {
            restored = restored.with(object);
        }
        histories.add(new TreeMap<>(Map.of(toVersion, restored)));
    }

    /** All streams break off. */
    void cut() {
        for (Stream stream : List.copyOf(open)) {
            stream.fail(TestErrors.unreachable());
        }
    }

    /** All watches end cleanly. */
    void end() {
        for (Stream stream : List.copyOf(open)) {
            stream.end();
        }
    }

    /** All watches are told that their version is too old. */
    void expire() {
        compact();
        for (Stream stream : List.copyOf(open)) {
            stream.say(new WatchFrame.Failure(TestErrors.of(410, "Expired", null)));
        }
    }

    /** All streams stay open and say nothing any more. */
    void silence() {
        open.forEach(stream -> stream.silent = true);
        open.clear();
    }

    /** How many lists and watches are under way. */
    int streams() {
        return streams.size();
    }

    /** Nothing is answered or said until {@link #goOn}; what is asked and what happens meanwhile is said then. */
    void hang() {
        hung = true;
    }

    void goOn() {
        hung = false;
        List<Runnable> arrived = List.copyOf(unanswered);
        unanswered.clear();
        arrived.forEach(Runnable::run);
        List.copyOf(streams).forEach(Stream::schedule);
    }

    List<String> verbs() {
        return requests.stream()
                .map(request -> request.initialEvents() ? "watchlist" : request.verb())
                .toList();
    }

    // ---- what clients see

    private @Nullable ApiException refuse(Request request) {
        requests.add(request);
        return refusal.apply(request, requests.size());
    }

    /** When a request has arrived, and the server is there to see it. */
    private void soon(Runnable work) {
        if (hung) {
            unanswered.add(() -> soon(work));
        } else {
            world.after(delay(), work);
        }
    }

    private Duration delay() {
        return latency.multipliedBy(1 + random.nextInt(4));
    }

    /** A watch or one page of a list. */
    final class Stream implements Streams.Handle {
        private final Lane lane;
        private final Object listener;
        private final ArrayDeque<Object> out = new ArrayDeque<>();
        private final LabelSelector selector;
        private final String fields;
        private final @Nullable ShardSelector shard;
        private boolean scheduled;
        private boolean closed;
        private boolean silent;
        private int demand;

        Stream(Lane lane, Object listener, Request request) {
            this.selector = LabelSelector.of(request.parameter("labelSelector"));
            this.fields = request.parameter("fieldSelector");
            this.shard = knowsShards.get(request.parameter("shardSelector"));
            this.lane = lane;
            this.listener = listener;
            streams.add(this);
        }

        boolean selects(TestObject object) {
            return selector.selects(object.labels()) == LabelSelector.Answer.YES
                    && (fields.isEmpty() || selectsByFields(object))
                    && (shard == null || shard.holds(object));
        }

        /** These objects have no fields: {@code spec.NAME} is the label of that name. */
        private boolean selectsByFields(TestObject object) {
            for (String term : fields.split(",", -1)) {
                String[] sides = term.split("=", -1);
                String label = sides[0].substring(sides[0].indexOf('.') + 1);
                if (!object.labels().getOrDefault(label, "").equals(sides[1])) {
                    return false;
                }
            }
            return true;
        }

        @Override
        public void demand(int batches) {
            demand += batches;
            schedule();
        }

        @Override
        public void close() {
            closed = true;
            open.remove(this);
            streams.remove(this);
        }

        void say(Object what) {
            if (!closed && !silent) {
                out.add(what);
                schedule();
            }
        }

        void fail(ApiException cause) {
            say(cause);
            open.remove(this);
        }

        void end() {
            say("ended");
            open.remove(this);
        }

        void bookmark(long from) {
            world.after(Duration.ofSeconds(60), () -> {
                if (open.contains(this)) {
                    if (bookmarks && version >= from) {
                        say(new WatchFrame.Bookmark(Long.toString(version), false));
                    }
                    bookmark(from);
                }
            });
        }

        private boolean deliverable() {
            Object first = out.peekFirst();
            return first != null
                    && !hung
                    && (demand > 0 || !(first instanceof WatchFrame || first instanceof ListItem));
        }

        private void schedule() {
            if (!scheduled && deliverable()) {
                scheduled = true;
                world.after(delay(), () -> {
                    scheduled = false;
                    if (!silent) {
                        deliver();
                        schedule();
                    }
                });
            }
        }

        private void deliver() {
            Object first = out.peekFirst();
            if (!deliverable() || first == null) {
                return;
            }
            if (first instanceof WatchFrame) {
                List<WatchFrame> frames = new ArrayList<>();
                int most = 1 + random.nextInt(8);
                while (frames.size() < most && out.peekFirst() instanceof WatchFrame frame) {
                    frames.add(frame);
                    out.removeFirst();
                }
                demand--;
                List<WatchFrame> said = mangle.apply(frames);
                call(() -> watch().frames(said));
            } else if (first instanceof ListItem) {
                List<ListItem> items = new ArrayList<>();
                while (items.size() < 3 && out.peekFirst() instanceof ListItem item) {
                    items.add(item);
                    out.removeFirst();
                }
                demand--;
                call(() -> list().items(items));
            } else {
                out.removeFirst();
                if (first instanceof Streams.ListEnd end) {
                    call(() -> list().ended(end));
                } else if (first instanceof ApiException cause) {
                    call(() -> {
                        if (listener instanceof Streams.WatchListener watch) {
                            watch.failed(cause);
                        } else {
                            list().failed(cause);
                        }
                    });
                } else if (first.equals("opened")) {
                    call(() -> watch().opened());
                } else {
                    call(() -> watch().ended());
                }
            }
        }

        private Streams.WatchListener watch() {
            return (Streams.WatchListener) listener;
        }

        private Streams.ListListener list() {
            return (Streams.ListListener) listener;
        }

        private void call(Runnable callback) {
            lane.execute(() -> {
                if (!closed) {
                    callback.run();
                }
            });
        }
    }

    /** A client of this server. */
    Client client() {
        return new Client();
    }

    /** One process's client: its writes are observed, the others' are not. */
    final class Client implements ApiClient {
        private final List<WriteObserver> observers = new ArrayList<>();

        @Override
        public CompletionStage<RawObject> get(ResourceType<?> type, ObjectKey key) {
            CompletableFuture<RawObject> answer = new CompletableFuture<>();
            ApiException refused = refuse(new Request("get", Map.of("name", key.name())));
            onceUnreadable.add(key); // a GET knows more than the watch
            soon(() -> {
                TestObject object = objects.get(key);
                boolean readable = !unreadable.contains(key);
                world.after(delay(), () -> {
                    if (refused != null) {
                        answer.completeExceptionally(refused);
                    } else if (object == null) {
                        answer.completeExceptionally(TestErrors.missing(key.name()));
                    } else if (!readable) {
                        answer.completeExceptionally(TestErrors.malformed());
                    } else {
                        answer.complete(object);
                    }
                });
            });
            return answer;
        }

        @Override
        public Reads without(DroppedPaths paths) {
            return this; // its objects have no bytes to cut
        }

        @Override
        public Streams.Handle list(ResourceType<?> type, Query query, Lane lane, Streams.ListListener listener) {
            Request request = new Request("list", query.parameters());
            Stream stream = new Stream(lane, listener, request);
            ApiException refused = refuse(request);
            if (!listsHang) {
                soon(() -> page(request, refused, stream));
            }
            return stream;
        }

        private void page(Request request, @Nullable ApiException refused, Stream stream) {
            String token = request.parameter("continue");
            String from = request.parameter("resourceVersion");
            if (refused != null) {
                stream.say(refused);
                return;
            }
            if (!from.isEmpty() && Long.parseLong(from) > version) {
                stream.say(TestErrors.tooLarge());
                return;
            }
            boolean exact = request.parameter("resourceVersionMatch").equals("Exact");
            long now = exact ? Long.parseLong(from) : version;
            long at = token.isEmpty() ? now : Long.parseLong(token.substring(0, token.indexOf(':')));
            if (at < compacted) {
                stream.say(TestErrors.of(410, "Expired", null));
                return;
            }
            int start = token.isEmpty() ? 0 : Integer.parseInt(token.substring(token.indexOf(':') + 1));
            int limit =
                    request.parameter("limit").isEmpty() ? Integer.MAX_VALUE : 4; // small pages: 500 would never show
            List<TestObject> all =
                    snapshots.computeIfAbsent(at, then -> exact ? past(then) : List.copyOf(objects.values())).stream()
                            .filter(stream::selects)
                            .toList();
            int end = (int) Math.min(all.size(), (long) start + limit);
            for (int i = start; i < end; i++) {
                TestObject object = all.get(i);
                stream.say(
                        unreadable.contains(object.key())
                                ? new ListItem.Unscannable(i, "unreadable on purpose", nameless ? null : object.key())
                                : new ListItem.Scanned(object));
            }
            if (breaksOff) {
                stream.fail(TestErrors.unreachable());
                return;
            }
            stream.say(new Streams.ListEnd(Long.toString(at), end < all.size() ? at + ":" + end : "", end - start));
        }

        private List<TestObject> past(long at) {
            List<TestObject> all = new ArrayList<>();
            histories
                    .get(histories.size() - 1)
                    .floorEntry(at)
                    .getValue()
                    .iterator()
                    .forEachRemaining(object -> all.add((TestObject) object));
            return all;
        }

        @Override
        public CompletionStage<List<RawObject>> listAll(ResourceType<?> type, Query query) {
            throw new UnsupportedOperationException("the cache lists item by item");
        }

        @Override
        public Streams.Handle watch(ResourceType<?> type, Query query, Lane lane, Streams.WatchListener listener) {
            Request request = new Request("watch", query.parameters());
            Stream stream = new Stream(lane, listener, request);
            ApiException refused = refuse(request);
            soon(() -> begin(request, refused, stream));
            return stream;
        }

        private void begin(Request request, @Nullable ApiException refused, Stream stream) {
            String from = request.parameter("resourceVersion");
            if (refused != null) {
                stream.say(refused);
                return;
            }
            if (!from.isEmpty()
                    && Long.parseLong(from) > version
                    && (request.initialEvents() || !acceptsFutureWatches)) {
                stream.say(TestErrors.tooLarge());
                return;
            }
            stream.say("opened");
            if (request.initialEvents() || from.isEmpty()) {
                objects.values().stream()
                        .filter(stream::selects)
                        .forEach(object -> stream.say(frame(WatchFrame.Kind.ADDED, object)));
                if (request.initialEvents() && endsInitialEvents) {
                    stream.say(new WatchFrame.Bookmark(Long.toString(version), true));
                }
            } else if (Long.parseLong(from) < compacted) {
                stream.say(new WatchFrame.Failure(TestErrors.of(410, "Expired", null)));
                return;
            } else {
                for (Committed change : history) {
                    if (change.version > Long.parseLong(from)) {
                        say(stream, change);
                    }
                }
            }
            if (breaksOff) {
                stream.fail(TestErrors.unreachable());
                return;
            }
            if (!stream.closed) {
                open.add(stream);
                stream.bookmark(from.isEmpty() ? 0 : Long.parseLong(from));
                world.after(Duration.ofSeconds(Long.parseLong(request.parameter("timeoutSeconds"))), () -> {
                    if (open.contains(stream)) {
                        stream.end();
                    }
                });
            }
        }

        /** A write of this process: committed after a while, answered after another, seen by its observers first. */
        CompletionStage<RawObject> write(String name, UnaryOperator<TestObject> change) {
            CompletableFuture<RawObject> answer = new CompletableFuture<>();
            world.after(delay(), () -> {
                TestObject written = put(name, change);
                world.after(delay(), () -> {
                    tell(new WriteObserver.Done(
                            new Write(Write.Verb.PATCH, TestObject.TYPE, written.key(), ""), written, written.uid()));
                    answer.complete(written);
                });
            });
            return answer;
        }

        /** A delete of this process; completes with what was there. */
        CompletionStage<@Nullable RawObject> erase(String name) {
            CompletableFuture<@Nullable RawObject> answer = new CompletableFuture<>();
            world.after(delay(), () -> {
                TestObject was = remove(name);
                world.after(delay(), () -> {
                    if (was != null) {
                        tell(new WriteObserver.Done(
                                new Write(Write.Verb.DELETE, TestObject.TYPE, was.key(), ""),
                                null,
                                deletesNameUids ? was.uid() : ""));
                    }
                    answer.complete(was);
                });
            });
            return answer;
        }

        void tell(WriteObserver.Done done) {
            List.copyOf(observers).forEach(observer -> observer.written(done));
        }

        @Override
        public Registration observeWrites(WriteObserver observer) {
            observers.add(observer);
            return () -> observers.remove(observer);
        }

        int observers() {
            return observers.size();
        }

        private UnsupportedOperationException unused() {
            return new UnsupportedOperationException("the cache does not write");
        }

        @Override
        public CompletionStage<RawObject> create(ResourceType<?> type, ObjectKey key, byte[] json) {
            throw unused();
        }

        @Override
        public CompletionStage<RawObject> update(ResourceType<?> type, ObjectKey key, String subresource, byte[] json) {
            throw unused();
        }

        @Override
        public CompletionStage<RawObject> patch(
                ResourceType<?> type, ObjectKey key, String subresource, PatchKind kind, byte[] patch) {
            throw unused();
        }

        @Override
        public CompletionStage<RawObject> apply(
                ResourceType<?> type, ObjectKey key, String subresource, Apply how, byte[] json) {
            throw unused();
        }

        @Override
        public CompletionStage<@Nullable RawObject> delete(ResourceType<?> type, ObjectKey key, Delete how) {
            throw unused();
        }

        @Override
        public CompletionStage<byte[]> raw(String target) {
            CompletableFuture<byte[]> answer = new CompletableFuture<>();
            heartbeats.add(world.now());
            Optional<ApiException> refused = livez.get();
            if (refused != null) {
                soon(() -> world.after(
                        delay(),
                        () -> refused.ifPresentOrElse(
                                answer::completeExceptionally, () -> answer.complete(new byte[0]))));
            }
            return answer;
        }

        @Override
        public Discovery discovery() {
            throw unused();
        }

        @Override
        public byte[] encode(HasMetadata object) {
            throw unused();
        }

        @Override
        public BlockingApiClient blocking() {
            throw unused();
        }
    }
}
