package io.homeostat.informer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.RawObject;
import io.homeostat.informer.InformerState.Phase;
import io.homeostat.virtualruntime.VirtualProcess;
import io.homeostat.virtualruntime.VirtualWorld;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Reads by namespace, label selector, owner and index, with indexes that come and go while the cache works. */
class ListerTest {
    private final VirtualWorld world = VirtualWorld.seeded(11);
    private final VirtualProcess process = world.process("operator");
    private final FakeServer server = new FakeServer(world);
    private final FakeServer.Client client = server.client();
    private final SharedInformers informers = SharedInformers.over(process, client);
    private final List<String> decoded = new ArrayList<>();
    private final Index<ConfigMap> byApp =
            Index.ofMetadata("app", raw -> values(raw.labels().get("app")));
    private final Index<ConfigMap> byUid = Index.ofObject("uid", object -> {
        decoded.add(object.getMetadata().getName());
        return List.of(object.getMetadata().getUid());
    });

    @AfterEach
    void end() {
        world.close();
    }

    private static List<String> values(@org.jspecify.annotations.Nullable String value) {
        return value == null ? List.of() : List.of(value);
    }

    private SharedInformer<ConfigMap> synced() {
        SharedInformer<ConfigMap> informer = informers.informer(TestObject.TYPE, "");
        within(
                Duration.ofSeconds(5),
                () -> informer.state().phase() == Phase.WATCHING
                        && informer.state().synced());
        return informer;
    }

    private void within(Duration limit, BooleanSupplier condition) {
        world.runUntil(condition, limit);
    }

    private void later(Duration duration) {
        world.runFor(duration);
    }

    private void many(int number) {
        for (int i = 0; i < number; i++) {
            String app = "app-" + i % 10;
            server.put(String.format(java.util.Locale.ROOT, "x%04d", i), object -> object.labelled("app", app));
        }
    }

    private static List<String> names(List<CachedObject<ConfigMap>> objects) {
        return objects.stream().map(object -> object.key().name()).toList();
    }

    private static Indexer.State state(SharedInformer<ConfigMap> informer) {
        return ((View<ConfigMap>) informer.snapshot()).state();
    }

    private static IndexTable table(SharedInformer<ConfigMap> informer, Object index) {
        IndexTable table = state(informer).table(index);
        if (table == null) {
            throw new AssertionError("there is no table of " + index);
        }
        return table;
    }

    // ---- labels

    @Test
    void aLabelThatManyObjectsAreLookedThroughForIsIndexedFromThenOn() {
        many(300);
        SharedInformer<ConfigMap> informer = synced();
        IndexTable.Label app = new IndexTable.Label("app");
        assertThat(informer.lister().matching("app=app-3")).hasSize(30);
        within(Duration.ofSeconds(1), () -> state(informer).table(app) != null);
        assertThat(table(informer, app).size()).isEqualTo(300);
        assertThat(names(informer.lister().matching("app in (app-3, app-4)")))
                .hasSize(60)
                .isSorted();
        assertThat(informer.lister().matching("ns", "app=app-3,app!=app-4")).hasSize(30);
        assertThat(informer.lister().matching("other", "app=app-3")).isEmpty();
        server.put("x0003", object -> object.labelled("app", "app-9"));
        server.remove("x0013");
        within(
                Duration.ofSeconds(1),
                () -> informer.lister().matching("app=app-3").size() == 28);
        assertThat(informer.lister().matching("app=app-9")).hasSize(31);
        assertThat(informer.lister().matching("!app")).isEmpty();
        assertThat(informer.lister().matching("")).hasSize(299);
    }

    @Test
    void atMostEightLabelsAreIndexedByThemselves() {
        many(300);
        SharedInformer<ConfigMap> informer = synced();
        for (int i = 0; i < 12; i++) {
            assertThat(informer.lister().matching("label-" + i + "=x")).isEmpty();
            later(Duration.ofMillis(100));
        }
        assertThat(state(informer).indexes()).hasSize(8);
    }

    @Test
    void aSmallCacheIsLookedThrough() {
        many(20);
        SharedInformer<ConfigMap> informer = synced();
        assertThat(informer.lister().matching("app=app-3")).hasSize(2);
        later(Duration.ofSeconds(1));
        assertThat(state(informer).indexes()).isEmpty();
    }

    @Test
    void aTextThatIsNoSelectorIsRefused() {
        SharedInformer<ConfigMap> informer = synced();
        assertThatThrownBy(() -> informer.lister().matching("a > 3"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("\"a > 3\" is no label selector");
    }

    // ---- indexes of users

    @Test
    void anIndexAddedAtRunTimeAnswersAtOnceAndIsMadeOfAllThereIs_SI01() {
        many(300);
        SharedInformer<ConfigMap> informer = synced();
        assertThat(informer.lister().indexed(byApp, "app-1").objects())
                .as("never added: found by looking through")
                .hasSize(30);
        SharedInformer.IndexRegistration registration = informer.addIndex(byApp);
        assertThat(informer.lister().indexed(byApp, "app-1").objects())
                .as("not made yet")
                .hasSize(30);
        within(
                Duration.ofSeconds(1),
                () -> registration.built().toCompletableFuture().isDone());
        assertThat(table(informer, byApp).keys("app-1")).hasSize(30);
        server.put("new", object -> object.labelled("app", "app-1"));
        within(Duration.ofSeconds(1), () -> table(informer, byApp).keys("app-1").size() == 31);
        registration.close();
        registration.close();
        later(Duration.ofSeconds(1));
        assertThat(state(informer).table(byApp)).isNull();
        assertThat(informer.lister().indexed(byApp, "app-1").objects()).hasSize(31);
    }

    @Test
    void anIndexOfTwoUsersGoesWithTheSecond() {
        server.put("a");
        SharedInformer<ConfigMap> first = synced();
        SharedInformer<ConfigMap> second = informers.informer(TestObject.TYPE, "");
        SharedInformer.IndexRegistration one = first.addIndex(byApp);
        SharedInformer.IndexRegistration two = second.addIndex(byApp);
        later(Duration.ofSeconds(1));
        assertThat(two.built().toCompletableFuture()).isCompleted();
        assertThat(state(first).indexes()).hasSize(1);
        one.close();
        later(Duration.ofSeconds(1));
        assertThat(state(first).indexes()).hasSize(1);
        second.close();
        later(Duration.ofSeconds(1));
        assertThat(state(first).indexes()).isEmpty();
    }

    @Test
    void anIndexThatIsClosedBeforeItIsMadeSaysSo() {
        SharedInformer<ConfigMap> informer = synced();
        SharedInformer.IndexRegistration closed = informer.addIndex(byApp);
        closed.close();
        SharedInformer.IndexRegistration dropped = informer.addIndex(byUid);
        informers.close();
        later(Duration.ofSeconds(1));
        assertThat(closed.built().toCompletableFuture()).isCompletedExceptionally();
        assertThat(dropped.built().toCompletableFuture()).isCompletedExceptionally();
        assertThat(informer.addIndex(byUid).built().toCompletableFuture()).isCompletedExceptionally();
    }

    @Test
    void anObjectIndexDecodesEachVersionOnceAndReadsDecodeNone() {
        server.put("a");
        server.put("b");
        SharedInformer<ConfigMap> informer = synced();
        informer.addIndex(byUid);
        later(Duration.ofSeconds(1));
        server.put("a");
        later(Duration.ofSeconds(1));
        assertThat(decoded).containsExactly("a", "b", "a");
        server.expire();
        within(Duration.ofSeconds(5), () -> informer.state().relists() == 2);
        for (int i = 0; i < 3; i++) {
            assertThat(names(informer.lister().indexed(byUid, "uid-1").objects()))
                    .containsExactly("a");
        }
        assertThat(decoded).as("a relist of what is known decodes nothing").hasSize(3);
    }

    @Test
    void aThrowOfAnIndexMarksThatKeyInThatIndexAndReadersAreTold() {
        server.put("bad", object -> object.labelled("app", "throw"));
        server.put("null", object -> object.labelled("app", "null"));
        server.put("good", object -> object.labelled("app", "web"));
        server.put("undecodable", object -> object.labelled("undecodable", "yes"));
        Index<ConfigMap> throwing =
                Index.ofMetadata("throwing", raw -> switch (raw.labels().getOrDefault("app", "")) {
                    case "throw" -> throw new StackOverflowError("the secret s3cr3t of the object");
                    case "null" -> java.util.Arrays.asList((String) null);
                    default -> values(raw.labels().get("app"));
                });
        SharedInformer<ConfigMap> informer = synced();
        Lookup<ConfigMap> scanned = informer.lister().indexed(throwing, "web");
        informer.addIndex(throwing);
        informer.addIndex(byUid);
        informer.addIndex(byApp);
        later(Duration.ofSeconds(1));
        Lookup<ConfigMap> found = informer.lister().indexed(throwing, "web");
        assertThat(found.unindexed()).isEqualTo(scanned.unindexed());
        assertThat(names(found.objects())).containsExactly("good");
        assertThat(found.unindexed())
                .containsExactly(
                        Map.entry(new ObjectKey("ns", "bad"), "index throwing threw java.lang.StackOverflowError"),
                        Map.entry(new ObjectKey("ns", "null"), "index throwing threw java.lang.NullPointerException"));
        assertThat(informer.lister().indexed(byApp, "throw").unindexed())
                .as("other indexes know it")
                .isEmpty();
        assertThat(informer.lister().indexed(byUid, "uid-3").unindexed())
                .containsExactly(Map.entry(
                        new ObjectKey("ns", "undecodable"), "version 104 does not decode: at spec.replicas: a text"));
        assertThat(informer.state().quarantined()).containsExactly(new ObjectKey("ns", "undecodable"));
        server.put("bad", object -> object.labelled("app", "web"));
        server.remove("null");
        within(
                Duration.ofSeconds(1),
                () -> informer.lister().indexed(throwing, "web").unindexed().isEmpty());
        assertThat(names(informer.lister().indexed(throwing, "web").objects())).containsExactly("bad", "good");
    }

    @Test
    void ownWritesAreSeenThroughEveryRead() {
        many(300);
        SharedInformer<ConfigMap> informer = synced();
        informer.addIndex(byApp);
        informer.addIndex(byUid);
        assertThat(informer.lister().matching("app=app-1")).hasSize(30);
        later(Duration.ofSeconds(1));
        decoded.clear();
        server.silence();
        List<RawObject> written = new ArrayList<>();
        client.write("x0001", object -> object.labelled("app", "app-2")).thenAccept(written::add);
        client.write("mine", object -> object.labelled("app", "app-1").ownedBy("o"))
                .thenAccept(written::add);
        client.erase("x0011").thenRun(() -> written.add(null));
        within(Duration.ofSeconds(2), () -> written.size() == 3);
        Lister<ConfigMap> lister = informer.lister();
        assertThat(names(lister.matching("app=app-1")))
                .hasSize(29)
                .contains("mine")
                .doesNotContain("x0001", "x0011");
        assertThat(names(lister.matching("ns", "app=app-1"))).isEqualTo(names(lister.matching("app=app-1")));
        assertThat(names(lister.indexed(byApp, "app-1").objects())).isEqualTo(names(lister.matching("app=app-1")));
        assertThat(names(lister.indexed(byApp, "app-2").objects())).hasSize(31).contains("x0001");
        assertThat(names(lister.ownedBy("o"))).containsExactly("mine");
        for (int i = 0; i < 5; i++) {
            assertThat(names(lister.indexed(byUid, "uid-301").objects())).containsExactly("mine");
        }
        assertThat(decoded).as("an own write is decoded once for an index").containsExactly("mine", "x0001");
        server.expire();
        within(Duration.ofMinutes(15), () -> state(informer).overlay().isEmpty());
        assertThat(names(lister.matching("app=app-1"))).hasSize(29);
        assertThat(names(lister.indexed(byApp, "app-2").objects())).hasSize(31).contains("x0001");
    }

    @Test
    void aSnapshotGivesManyReadsOneState() {
        many(300);
        SharedInformer<ConfigMap> informer = synced();
        informer.addIndex(byApp);
        later(Duration.ofSeconds(1));
        Snapshot<ConfigMap> snapshot = informer.snapshot();
        server.remove("x0001");
        within(Duration.ofSeconds(1), () -> informer.snapshot().size() == 299);
        assertThat(snapshot.indexed(byApp, "app-1").objects()).hasSize(30);
        assertThat(snapshot.matching("app=app-1")).hasSize(30);
        assertThat(snapshot.get(new ObjectKey("ns", "x0001"))).isPresent();
        assertThat(informer.lister().indexed(byApp, "app-1").objects()).hasSize(29);
    }

    @Test
    void readersGoOnWhileAnIndexIsMadeAndNoChangeIsLostMeanwhile() {
        many(1000);
        SharedInformer<ConfigMap> informer = synced();
        List<Integer> sizes = new ArrayList<>();
        world.invariant(() ->
                sizes.add(informer.lister().indexed(byApp, "app-1").objects().size()));
        SharedInformer.IndexRegistration registration = informer.addIndex(byApp);
        CompletableFuture<Void> built = registration.built().toCompletableFuture();
        for (int i = 0; i < 50; i++) {
            server.put("y" + i, object -> object.labelled("app", "app-1"));
        }
        within(
                Duration.ofSeconds(5),
                () -> built.isDone() && informer.snapshot().size() == 1050);
        assertThat(table(informer, byApp).keys("app-1")).hasSize(150);
        assertThat(sizes).isSorted();
    }

    @Test
    void aFunctionThatTakesBackWhatItSaidShowsNothingUnderIt() {
        List<String> says = new ArrayList<>(List.of("a"));
        Index<ConfigMap> fickle = Index.ofMetadata("fickle", raw -> {
            if (says.contains("!")) {
                throw new IllegalStateException("on purpose");
            }
            return says;
        });
        server.put("x1", object -> object);
        server.put("x2", object -> object);
        SharedInformer<ConfigMap> informer = synced();
        informer.addIndex(fickle);
        later(Duration.ofSeconds(1));
        assertThat(names(informer.lister().indexed(fickle, "a").objects())).containsExactly("x1", "x2");

        says.clear();
        assertThat(informer.lister().indexed(fickle, "a").objects()).isEmpty();
        server.remove("x1");
        server.put("x2", object -> object.labelled("app", "web"));
        later(Duration.ofSeconds(1));
        server.put("x1", object -> object);
        later(Duration.ofSeconds(1));
        assertThat(informer.lister().indexed(fickle, "a").objects()).isEmpty();
        says.add("!");
        assertThat(informer.lister().indexed(fickle, "a").unindexed()).containsKey(new ObjectKey("ns", "x2"));
        assertThat(informer.lister().indexed(fickle, "a").objects()).isEmpty();
    }
}
