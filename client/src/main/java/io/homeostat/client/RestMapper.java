package io.homeostat.client;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.homeostat.client.DiscoveryDocuments.Served;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BiConsumer;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * {@link Discovery} that remembers what it was told.
 *
 * <pre>
 *                 ┌─ known, has it, younger than 10 min ─────────────────► told
 *   question ─────┼─ known, lacks it (or not served), younger than 5 s ──► told that it is not served
 *                 ├─ could not be read in the last 5 s ──────────────────► told what was known, else failed as then
 *                 ├─ nothing known of its root ──► read /api or /apis, if not refused in the last 5 s ───► question
 *                 └─ else ──► read the document of that group and version ─┬─ answered, or 404 ──► told
 *                                                                          └─ failed ──► told what was known, else failed
 * </pre>
 *
 * <p><b>Order.</b> None between questions. <b>Threads.</b> Any; one short lock, under which nothing is called. <b>Memory.</b> As {@link
 * Discovery} says. <b>Failure.</b> A document that cannot be read changes nothing but {@link #unavailable}; one that is being read is
 * waited for by all who need it.
 */
final class RestMapper implements Discovery {
    /*
     * Invariants
     * - What is known of a group version is what one document said, whole: it is replaced, never mixed.
     * - "Not served" is told and remembered only when the server said so: a document without it, or a 404 for the document.
     * - An answer counts from when it was asked for: it overwrites nothing that was asked for, or denied by a 404, since.
     * - What was denied is not told from memory: a document asked for since says so, or the question fails.
     * - At most one request for a document is under way.
     */
    private static final Duration MISSED = Duration.ofSeconds(5);
    private static final Duration OLD = Duration.ofMinutes(10);
    private static final int MOST_NOT_SERVED = 256;

    private final HttpApiClient client;
    private final Memory<List<Served>> resources = new Memory<>(); // by group/version
    private final Memory<List<String>> versions = new Memory<>(); // by group
    private final AtomicLong numbers = new AtomicLong(); // of requests and doubts, in their order
    private final ReentrantLock lock = new ReentrantLock();

    @GuardedBy("lock")
    private final Set<String> roots = new HashSet<>(); // that were read, or will not be shown

    @GuardedBy("lock")
    private final Map<String, Trouble> rootTroubles =
            new HashMap<>(); // what answers said instead of a root; there are two

    @GuardedBy("lock")
    private final Set<String> unavailable = new TreeSet<>();

    @GuardedBy("lock")
    private final Map<String, CompletableFuture<Optional<ApiException>>> underWay = new HashMap<>(); // by target

    /** When a document was asked for: its place among requests and doubts, and the time. */
    private record Asking(long number, long nanos) {}

    /**
     * What a document said.
     *
     * @param served false when there is no such document
     */
    private record Known<T>(T content, Asking asked, boolean served) {}

    /** A document that could not be read. */
    private record Trouble(ApiException cause, Asking asked) {}

    /** What the server has said is not served, against the document of that id. */
    private record Doubted(String id, String what) {}

    /** What documents said, by what they are about; all but documents that are there is bounded, and lets go of the oldest. */
    private static final class Memory<T> {
        private final ReentrantLock lock = new ReentrantLock();

        @GuardedBy("lock")
        private final Map<String, Known<T>> all = new LinkedHashMap<>(); // the newest last

        @GuardedBy("lock")
        private final Map<String, Trouble> troubles = new LinkedHashMap<>(); // the newest last

        @GuardedBy("lock")
        private final Map<Doubted, Long> doubts = new LinkedHashMap<>(); // the newest last, with its number

        @Nullable
        Known<T> of(String id) {
            lock.lock();
            try {
                return all.get(id);
            } finally {
                lock.unlock();
            }
        }

        /** What was asked for later, or denied later, stays: an answer is as old as its question. */
        void said(String id, T content, Asking asked, boolean served) {
            lock.lock();
            try {
                if (isKnownSince(id, asked)) {
                    return;
                }
                all.remove(id);
                all.put(id, new Known<>(content, asked, served));
                troubles.computeIfPresent(id, (same, last) -> last.asked().number() < asked.number() ? null : last);
                doubts.entrySet().removeIf(each -> each.getKey().id().equals(id) && each.getValue() < asked.number());
                if (!served
                        && all.values().stream().filter(each -> !each.served()).count() > MOST_NOT_SERVED) {
                    forgetTheOldest();
                }
            } finally {
                lock.unlock();
            }
        }

        /** Whether something asked for later is known. */
        boolean isKnownSince(String id, Asking asked) {
            lock.lock();
            try {
                Known<T> known = all.get(id);
                return known != null && known.asked().number() > asked.number();
            } finally {
                lock.unlock();
            }
        }

        @GuardedBy("lock")
        private void forgetTheOldest() {
            for (Iterator<Known<T>> each = all.values().iterator(); each.hasNext(); ) {
                if (!each.next().served()) {
                    each.remove();
                    return;
                }
            }
        }

        void failed(String id, ApiException cause, Asking asked) {
            lock.lock();
            try {
                troubles.remove(id);
                troubles.put(id, new Trouble(cause, asked));
                if (troubles.size() > MOST_NOT_SERVED) {
                    troubles.remove(troubles.keySet().iterator().next());
                }
            } finally {
                lock.unlock();
            }
        }

        @Nullable
        Trouble trouble(String id) {
            lock.lock();
            try {
                return troubles.get(id);
            } finally {
                lock.unlock();
            }
        }

        /** Also of what is not known: the answer may be on its way. */
        void doubt(String id, String what, long number) {
            lock.lock();
            try {
                Doubted doubted = new Doubted(id, what);
                doubts.remove(doubted);
                doubts.put(doubted, number);
                if (doubts.size() > MOST_NOT_SERVED) {
                    Doubted oldest = doubts.keySet().iterator().next();
                    doubts.remove(oldest);
                    all.remove(oldest.id()); // else it would be told again
                }
            } finally {
                lock.unlock();
            }
        }

        boolean doubts(String id) {
            lock.lock();
            try {
                return doubts.keySet().stream().anyMatch(each -> each.id().equals(id));
            } finally {
                lock.unlock();
            }
        }

        boolean doubts(String id, String what) {
            lock.lock();
            try {
                return doubts.containsKey(new Doubted(id, what));
            } finally {
                lock.unlock();
            }
        }
    }

    RestMapper(HttpApiClient client) {
        this.client = client;
    }

    @Override
    public CompletionStage<Boolean> serves(ResourceType<?> type) {
        Predicate<Served> same = each -> each.plural().equals(type.plural());
        return plain(readResources(type.group(), type.version())
                .thenCompose(trouble -> trouble.isPresent()
                        ? CompletableFuture.failedFuture(trouble.get()) // what was known is not now
                        : told(type.group(), type.version(), same, trouble))
                .thenApply(Optional::isPresent));
    }

    @Override
    public CompletionStage<Optional<ResourceType<GenericKubernetesResource>>> find(
            String group, String version, String kind) {
        return plain(lookUp(group, version, kind, Asked.NOTHING));
    }

    @Override
    public CompletionStage<Optional<ResourceType<GenericKubernetesResource>>> preferred(String group, String kind) {
        return plain(versionsOf(group, OLD, Asked.NOTHING).thenCompose(known -> firstOf(group, known, kind)
                .thenCompose(found -> found.isPresent()
                        ? CompletableFuture.completedFuture(found)
                        : versionsOf(group, MISSED, Asked.NOTHING).thenCompose(now -> firstOf(group, now, kind)))));
    }

    @Override
    public Set<String> unavailable() {
        lock.lock();
        try {
            return new TreeSet<>(unavailable);
        } finally {
            lock.unlock();
        }
    }

    /** The server does not serve this type, it says: what is known of its group and version is asked for again when it is needed. */
    void notServed(ResourceType<?> type) {
        long number = numbers.incrementAndGet();
        resources.doubt(DiscoveryDocuments.id(type.group(), type.version()), type.plural(), number);
        versions.doubt(type.group(), "", number);
    }

    /** What has been asked for a question already. */
    private enum Asked {
        NOTHING,
        ROOT
    }

    private CompletionStage<Optional<ResourceType<GenericKubernetesResource>>> lookUp(
            String group, String version, String kind, Asked asked) {
        Predicate<Served> wanted = each -> each.kind().equals(kind);
        String id = DiscoveryDocuments.id(group, version);
        Known<List<Served>> known = resources.of(id);
        if (known != null && !resources.doubts(id)) {
            Optional<Served> found = known.content().stream().filter(wanted).findFirst();
            if (isWithin(found.isPresent() ? OLD : MISSED, known.asked())) {
                return CompletableFuture.completedFuture(found.map(each -> type(group, version, each)));
            }
        }
        Trouble last = resources.trouble(id);
        if (last != null && isWithin(MISSED, last.asked())) {
            return told(group, version, wanted, Optional.of(last.cause()))
                    .thenApply(found -> found.map(each -> type(group, version, each)));
        }
        if (known == null && asked == Asked.NOTHING && mayReadRoot(group)) {
            return readRoot(group)
                    .thenCompose(trouble -> isAway(trouble)
                            ? CompletableFuture.failedFuture(trouble.get())
                            : lookUp(group, version, kind, Asked.ROOT));
        }
        return readResources(group, version)
                .thenCompose(trouble -> told(group, version, wanted, trouble))
                .thenApply(found -> found.map(each -> type(group, version, each)));
    }

    /** A server that is not there has nothing to say in another document either. */
    private static boolean isAway(Optional<ApiException> trouble) {
        return trouble.isPresent() && trouble.get() instanceof ApiException.Unreachable;
    }

    /** After the document was read, or was not. */
    private CompletionStage<Optional<Served>> told(
            String group, String version, Predicate<Served> wanted, Optional<ApiException> trouble) {
        String id = DiscoveryDocuments.id(group, version);
        Known<List<Served>> known = resources.of(id);
        Optional<Served> found = known == null
                ? Optional.empty()
                : known.content().stream()
                        .filter(wanted)
                        .filter(each -> trouble.isEmpty() || !resources.doubts(id, each.plural()))
                        .findFirst();
        return found.isEmpty() && trouble.isPresent()
                ? CompletableFuture.failedFuture(trouble.get())
                : CompletableFuture.completedFuture(found);
    }

    private static ResourceType<GenericKubernetesResource> type(String group, String version, Served served) {
        return ResourceType.dynamic(group, version, served.plural(), served.kind(), served.scope());
    }

    private Asking asking() {
        return new Asking(numbers.incrementAndGet(), client.runtime.nanos());
    }

    private boolean isWithin(Duration span, Asking asked) {
        return client.runtime.nanos() - asked.nanos() < span.toNanos();
    }

    /** @param span how old what is known may be; that a group is not served holds for {@link #MISSED} only */
    private CompletionStage<List<String>> versionsOf(String group, Duration span, Asked asked) {
        Known<List<String>> known = versions.of(group);
        if (known != null && !versions.doubts(group) && isWithin(known.served() ? span : MISSED, known.asked())) {
            return CompletableFuture.completedFuture(known.content());
        }
        Trouble last = versions.trouble(group);
        if (last != null && isWithin(MISSED, last.asked())) {
            return known == null
                    ? CompletableFuture.failedFuture(last.cause())
                    : CompletableFuture.completedFuture(known.content());
        }
        if (known == null && asked == Asked.NOTHING && mayReadRoot(group)) {
            return readRoot(group)
                    .thenCompose(trouble -> isAway(trouble)
                            ? CompletableFuture.failedFuture(trouble.get())
                            : versionsOf(group, span, Asked.ROOT));
        }
        // The core group has no document of its own but its root.
        return (group.isEmpty() ? readRoot(group) : readVersions(group)).thenCompose(trouble -> {
            Known<List<String>> now = versions.of(group);
            if (now == null && group.isEmpty()) {
                return CompletableFuture.completedFuture(List.of("v1")); // all there has ever been
            }
            return now == null
                    ? CompletableFuture.<List<String>>failedFuture(trouble.orElseThrow())
                    : CompletableFuture.completedFuture(now.content());
        });
    }

    private CompletionStage<Optional<ResourceType<GenericKubernetesResource>>> firstOf(
            String group, List<String> among, String kind) {
        if (among.isEmpty()) {
            return CompletableFuture.completedFuture(Optional.empty());
        }
        // A version that cannot say fails the question: another version for the time of an outage would be a surprise.
        return lookUp(group, among.get(0), kind, Asked.NOTHING)
                .thenCompose(found -> found.isPresent()
                        ? CompletableFuture.completedFuture(found)
                        : firstOf(group, among.subList(1, among.size()), kind));
    }

    private static String root(String group) {
        return group.isEmpty() ? "/api" : "/apis";
    }

    private boolean mayReadRoot(String group) {
        lock.lock();
        try {
            return !roots.contains(root(group));
        } finally {
            lock.unlock();
        }
    }

    /** Of a server that does not show its root, or cannot just now, each group version is asked for by itself. */
    private CompletionStage<Optional<ApiException>> readRoot(String group) {
        String target = root(group);
        lock.lock();
        try {
            Trouble last = rootTroubles.get(target);
            if (last != null && isWithin(MISSED, last.asked())) {
                return CompletableFuture.completedFuture(Optional.of(last.cause()));
            }
        } finally {
            lock.unlock();
        }
        return once(
                target,
                DiscoveryDocuments.ACCEPT_ROOT,
                (body, asked) -> {
                    DiscoveryDocuments.Root read = DiscoveryDocuments.root("discover " + target, body);
                    read.versions().forEach((name, all) -> versions.said(name, all, asked, true));
                    read.resources().forEach((id, all) -> resources.said(id, all, asked, true));
                    List<String> able = read.resources().keySet().stream()
                            .filter(id -> resources.trouble(id) == null) // else it is of later
                            .toList();
                    List<String> unable = read.stale().stream()
                            .filter(id -> !resources.isKnownSince(id, asked))
                            .toList();
                    lock.lock();
                    try {
                        roots.add(target);
                        rootTroubles.remove(target);
                        able.forEach(unavailable::remove);
                        unavailable.addAll(unable);
                    } finally {
                        lock.unlock();
                    }
                },
                (failure, asked) -> {
                    lock.lock();
                    try {
                        if (!(failure instanceof ApiException.Unreachable)) { // who is back may be asked at once
                            rootTroubles.put(target, new Trouble(failure, asked));
                        }
                        if (failure instanceof ApiException.Forbidden
                                || failure instanceof ApiException.NotFound
                                || failure instanceof ApiException.Malformed) {
                            roots.add(target); // it will not be another time
                        }
                    } finally {
                        lock.unlock();
                    }
                    return Optional.of(failure);
                });
    }

    private CompletionStage<Optional<ApiException>> readVersions(String group) {
        String request = "discover " + ResourcePath.printable(group);
        return read(
                versions,
                group,
                () -> ResourcePath.group(request, group),
                body -> DiscoveryDocuments.versionsOfGroup(request, body),
                List.of(),
                available -> {}); // of a group, which is no group version
    }

    private CompletionStage<Optional<ApiException>> readResources(String group, String version) {
        String id = DiscoveryDocuments.id(group, version);
        String request = "discover " + ResourcePath.printable(id);
        return read(
                resources,
                id,
                () -> ResourcePath.groupVersion(request, group, version),
                body -> DiscoveryDocuments.resources(request, body),
                List.of(),
                available -> setAvailable(id, available));
    }

    private <T> CompletionStage<Optional<ApiException>> read(
            Memory<T> into,
            String id,
            Supplier<String> path,
            Function<byte[], T> reader,
            T nothing,
            Consumer<Boolean> available) {
        String target;
        try {
            target = path.get();
        } catch (ApiException e) {
            return CompletableFuture.failedFuture(e);
        }
        return once(
                target,
                "application/json",
                (body, asked) -> {
                    into.said(id, reader.apply(body), asked, true);
                    available.accept(true);
                },
                (failure, asked) -> {
                    boolean absent = failure instanceof ApiException.NotFound;
                    available.accept(absent);
                    if (absent) {
                        into.said(id, nothing, asked, false);
                        return Optional.empty();
                    }
                    into.failed(id, failure, asked); // asked for again soon, and not by each question until then
                    return Optional.of(failure);
                });
    }

    private void setAvailable(String id, boolean available) {
        lock.lock();
        try {
            if (available) {
                unavailable.remove(id);
            } else if (unavailable.size() < MOST_NOT_SERVED) {
                unavailable.add(id);
            }
        } finally {
            lock.unlock();
        }
    }

    /**
     * Reads a document, once for all who wait for it.
     *
     * @param otherwise what a failure comes to: nothing, or the trouble that it is
     * @return the trouble with it, if any
     */
    private CompletionStage<Optional<ApiException>> once(
            String target,
            String accept,
            BiConsumer<byte[], Asking> reader,
            BiFunction<ApiException, Asking, Optional<ApiException>> otherwise) {
        CompletableFuture<Optional<ApiException>> mine = new CompletableFuture<>();
        lock.lock();
        try {
            CompletableFuture<Optional<ApiException>> others = underWay.putIfAbsent(target, mine);
            if (others != null) {
                return others;
            }
        } finally {
            lock.unlock();
        }
        Asking asked = asking();
        client.raw(target, accept)
                .thenAccept(body -> reader.accept(body, asked))
                .whenComplete((read, failure) -> {
                    Throwable cause = unwrapped(failure);
                    Optional<ApiException> trouble =
                            cause instanceof ApiException known ? otherwise.apply(known, asked) : Optional.empty();
                    lock.lock();
                    try {
                        underWay.remove(target);
                    } finally {
                        lock.unlock();
                    }
                    if (cause == null || cause instanceof ApiException) {
                        mine.complete(trouble);
                    } else {
                        mine.completeExceptionally(cause);
                    }
                });
        return mine;
    }

    private static @Nullable Throwable unwrapped(@Nullable Throwable failure) {
        return failure instanceof CompletionException && failure.getCause() != null ? failure.getCause() : failure;
    }

    /** Fails with what failed, and not with what stages wrap it in. */
    private static <T> CompletionStage<T> plain(CompletionStage<T> stage) {
        CompletableFuture<T> result = new CompletableFuture<>();
        stage.whenComplete((value, failure) -> {
            if (failure == null) {
                result.complete(value);
            } else {
                result.completeExceptionally(Objects.requireNonNull(unwrapped(failure)));
            }
        });
        return result;
    }
}
