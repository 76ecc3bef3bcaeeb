package io.homeostat.informer;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.OwnerRef;
import io.homeostat.client.RawObject;
import io.homeostat.client.WatchFrame;
import io.homeostat.informer.ResourceEventHandler.Merged;
import io.homeostat.virtualruntime.SeedFailed;
import io.homeostat.virtualruntime.VirtualProcess;
import io.homeostat.virtualruntime.VirtualWorld;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.random.RandomGenerator;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;

/** The seven properties hold for seeded histories, and each check finds what it is there for. */
class WatchPropertiesTest {
    private static final int SEEDS = Integer.getInteger("homeostat.seeds", 300);
    private static final Duration CHURN = Duration.ofSeconds(60);

    @Test
    void everyHistoryIsOrderedUniqueAtomicReliableResumableBookmarkableAndFiltered() {
        for (long seed = Long.getLong("homeostat.seed", 0); seed < SEEDS; seed++) {
            try (VirtualWorld world = VirtualWorld.seeded(seed)) {
                history(world);
            } catch (SeedFailed | WatchProperties.Violated failed) {
                throw new AssertionError("seed " + seed + ": " + failed.getMessage(), failed);
            }
        }
    }

    private static void history(VirtualWorld world) {
        RandomGenerator random = world.random("history");
        FakeServer server = new FakeServer(world);
        FakeServer.Client client = server.client();
        VirtualProcess process = world.process("operator");
        server.bookmarks = random.nextBoolean();
        server.deletesNameUids = random.nextBoolean();
        for (int i = 0; i < random.nextInt(6); i++) {
            server.put("k" + i);
        }
        SharedInformer<ConfigMap> informer =
                SharedInformers.over(process, client).informer(TestObject.TYPE, "");
        WatchProperties properties = new WatchProperties(server.truth(), raw -> true);
        for (int i = 0; i < 2; i++) {
            int slowness = i * 2000;
            ResourceEventHandler<ConfigMap> handler = properties.listening(new Recording() {
                @Override
                void before() {
                    if (slowness > 0) {
                        process.sleep(Duration.ofMillis(random.nextInt(slowness)));
                    }
                }
            });
            properties.registered(handler, informer.addHandler("handler-" + i, handler));
        }
        Index<ConfigMap> byUid =
                Index.ofObject("uid", object -> List.of(object.getMetadata().getUid()));
        Index<ConfigMap> byVersion = Index.ofMetadata("version", raw -> {
            if (raw.resourceVersion().endsWith("7")) {
                throw new AssertionError("from an index");
            }
            return List.of(raw.resourceVersion());
        });
        List<SharedInformer.IndexRegistration> indexes = new ArrayList<>();
        int[] requests = {0};
        world.invariant(() -> {
            properties.observe(informer);
            indexesAgree((View<ConfigMap>) informer.snapshot(), byUid, byVersion);
            for (; requests[0] < server.requests.size(); requests[0]++) {
                FakeServer.Request request = server.requests.get(requests[0]);
                if (request.verb().equals("watch") && !request.initialEvents()) {
                    properties.resumed(request.parameter("resourceVersion"));
                }
            }
        });
        for (int i = 0; i < 50; i++) {
            world.after(Duration.ofNanos((long) (random.nextDouble() * CHURN.toNanos())), () -> {
                String name = "k" + random.nextInt(6);
                switch (random.nextInt(20)) {
                    case 0, 1, 2, 3 -> server.put(name);
                    case 4, 5 -> server.remove(name);
                    case 6, 7, 8 -> client.write(name, object -> object);
                    case 9 -> client.erase(name);
                    case 10 -> server.cut();
                    case 11 -> server.end();
                    case 12 -> server.expire();
                    case 13 -> server.silence();
                    case 14 -> {
                        server.nameless = random.nextBoolean();
                        server.unreadable.add(new ObjectKey("ns", name));
                    }
                    case 15 -> server.unreadable.clear();
                    case 16 -> {
                        server.hang();
                        world.after(Duration.ofMillis(random.nextInt(25_000)), server::goOn);
                    }
                    case 17 -> {
                        server.silence();
                        server.livez = () -> {
                            server.livez = Optional::empty;
                            return null;
                        };
                    }
                    case 18 -> {
                        indexes.add(informer.addIndex(byUid));
                        indexes.add(informer.addIndex(byVersion));
                    }
                    default -> {
                        if (!indexes.isEmpty()) {
                            indexes.remove(random.nextInt(indexes.size())).close();
                        }
                    }
                }
            });
        }
        world.runFor(CHURN);
        server.goOn();
        server.unreadable.clear();
        server.bookmarks = true;
        List.copyOf(server.objects.keySet()).forEach(key -> server.put(key.name()));
        world.runUntil(
                () -> {
                    View<ConfigMap> view = (View<ConfigMap>) informer.snapshot();
                    return view.state().overlay().isEmpty()
                            && view.list().stream()
                                    .map(CachedObject::raw)
                                    .toList()
                                    .equals(new ArrayList<RawObject>(server.objects.values()));
                },
                Duration.ofMinutes(30));
        world.runFor(Duration.ofMinutes(2));
        properties.settled();
    }

    /** What an index says is what a look at every object says. */
    private static void indexesAgree(View<ConfigMap> view, Index<ConfigMap> byUid, Index<ConfigMap> byVersion) {
        for (CachedObject<ConfigMap> object : view.list()) {
            RawObject raw = object.raw();
            String found = view.indexed(byUid, raw.uid()).objects().toString();
            require(found.equals(List.of(object).toString()), found + " has the uid of " + object);
            Lookup<ConfigMap> lookup = view.indexed(byVersion, raw.resourceVersion());
            boolean broken = raw.resourceVersion().endsWith("7");
            boolean is = broken
                    ? lookup.unindexed().containsKey(raw.key())
                    : lookup.objects().stream().anyMatch(other -> other.raw().equals(raw));
            require(is, lookup + " at the version of " + object);
        }
        require(view.indexed(byVersion, "none").objects().isEmpty(), "something is at no version");
        require(
                view.list().stream()
                                .filter(object -> object.raw().resourceVersion().endsWith("7"))
                                .count()
                        == view.indexed(byVersion, "none").unindexed().size(),
                "other keys cannot be indexed than those whose versions end with 7");
    }

    private static void require(boolean holds, String otherwise) {
        if (!holds) {
            throw new AssertionError(otherwise);
        }
    }

    private final Indexer indexer = new Indexer(Selection.all(), true, true);
    private final List<SortedTree<ObjectKey, RawObject>> had = new ArrayList<>();
    private final WatchProperties properties = new WatchProperties(
            new WatchProperties.Truth() {
                @Override
                public List<SortedTree<ObjectKey, RawObject>> at(String version) {
                    return had;
                }

                @Override
                public boolean unreadable(ObjectKey key) {
                    return false;
                }
            },
            raw -> !raw.labels().containsKey("other"));
    private final ResourceEventHandler<ConfigMap> handler = properties.listening(new Recording());
    private final TestObject a = TestObject.of("a", "u1", 10);

    private void see(Indexer store) {
        properties.observe(new View<>(store.state(), TestObject.DECODER));
    }

    private void list(Indexer store, long version, TestObject... objects) {
        SortedTree<ObjectKey, RawObject> items = Indexer.nothing();
        for (TestObject object : objects) {
            items = items.with(object);
        }
        store.replace(new Indexer.Replaced(
                        items, Long.toString(version), Indexer.Replaced.Freshness.NOT_OLDER, List.of(), 0))
                .advance(() -> false);
    }

    private static CachedObject<ConfigMap> cached(TestObject object) {
        return new Cached<>(object, TestObject.DECODER);
    }

    private static Merged<ConfigMap> one() {
        return new Merged<>(1, Set.<OwnerRef>of(), List.of(), Merged.Completeness.ALL);
    }

    private static void violates(String property, ThrowingCallable step) {
        assertThatThrownBy(step).isInstanceOf(WatchProperties.Violated.class).hasMessageStartingWith(property + ": ");
    }

    @Test
    void aVersionThatGoesBackIsNotOrdered() {
        list(indexer, 20, a);
        see(indexer);
        Indexer other = new Indexer(Selection.all(), true, true);
        list(other, 15, a);
        violates("ordered", () -> see(other));
    }

    @Test
    void anObjectThatGoesBackIsNotOrdered() {
        list(indexer, 20, a.at(15));
        see(indexer);
        Indexer other = new Indexer(Selection.all(), true, true);
        list(other, 20, a);
        violates("ordered", () -> see(other));
    }

    @Test
    void stepsOfAHandlerThatGoBackAreNotOrderedAndOnesTwiceAreNotUnique() {
        handler.onAdd(cached(a), ResourceEventHandler.Phase.INITIAL, one());
        violates("unique", () -> handler.onUpdate(cached(a), cached(a), one()));
        violates("ordered", () -> handler.onUpdate(cached(a), cached(a.at(9)), one()));
        violates(
                "ordered",
                () -> handler.onAdd(cached(TestObject.of("a", "u2", 12)), ResourceEventHandler.Phase.LATER, one()));
        violates("ordered", () -> handler.onDelete(cached(TestObject.of("b", "u3", 12)), one()));
    }

    @Test
    void halfOfAListIsNotAtomic() {
        had.add(Indexer.nothing().with(a).with(TestObject.of("b", "u2", 11)));
        list(indexer, 20, a, TestObject.of("b", "u2", 11));
        assertThatCode(() -> see(indexer)).doesNotThrowAnyException();
        list(indexer, 21, a);
        violates("atomic", () -> see(indexer));
    }

    @Test
    void aBookmarkBeyondWhatWasAppliedIsFound() {
        had.add(Indexer.nothing().with(a));
        list(indexer, 20, a);
        see(indexer);
        had.set(0, had.get(0).with(TestObject.of("b", "u2", 25)));
        indexer.bookmark("30");
        violates("atomic", () -> see(indexer));
    }

    @Test
    void aWatchFromWhereTheCacheNeverWasIsNotResumable() {
        list(indexer, 20, a);
        see(indexer);
        properties.resumed("20");
        violates("resumable", () -> properties.resumed("21"));
    }

    @Test
    void whatWasNotSelectedIsNotFiltered() {
        list(indexer, 20, a.labelled("other", "x"));
        violates("filtered", () -> see(indexer));
        violates(
                "filtered",
                () -> handler.onAdd(cached(a.labelled("other", "x")), ResourceEventHandler.Phase.LATER, one()));
    }

    @Test
    void aWakeUpThatIsLostIsNotReliable() {
        properties.registered(handler, new SharedInformer.HandlerRegistration() {
            @Override
            public java.util.concurrent.CompletionStage<Void> synced() {
                return java.util.concurrent.CompletableFuture.completedFuture(null);
            }

            @Override
            public void close() {}
        });
        list(indexer, 20, a);
        handler.onAdd(cached(a), ResourceEventHandler.Phase.INITIAL, one());
        see(indexer);
        see(indexer);
        properties.settled();
        indexer.apply(List.of(new WatchFrame.Event(WatchFrame.Kind.MODIFIED, a.at(25))));
        see(indexer);
        violates("reliable", properties::settled);
        // Back to what the handler knows, by way of another UID: the fold is right, and yet somebody saw more.
        Indexer other = new Indexer(Selection.all(), true, true);
        list(other, 26, a.at(25));
        handler.onUpdate(cached(a), cached(a.at(25)), one());
        see(other);
        properties.settled();
        other.own(TestObject.of("b", "u2", 40));
        see(other);
        other.bookmark("50");
        see(other);
        violates("reliable", properties::settled);
    }
}
