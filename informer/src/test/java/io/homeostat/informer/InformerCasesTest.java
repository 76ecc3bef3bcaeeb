package io.homeostat.informer;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.homeostat.virtualruntime.VirtualProcess;
import io.homeostat.virtualruntime.VirtualWorld;
import java.lang.ref.WeakReference;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Cases of client-go's queues and controllers that no other test has; docs/client-go-cases.md lists them all. */
class InformerCasesTest {
    private final VirtualWorld world = VirtualWorld.seeded(17);
    private final VirtualProcess process = world.process("operator");
    private final FakeServer server = new FakeServer(world);
    private final SharedInformers informers = SharedInformers.over(process, server.client());
    private final SharedInformer<ConfigMap> informer = informers.informer(TestObject.TYPE, "");
    private final Recording recording = new Recording();

    @AfterEach
    void end() {
        world.close();
    }

    private void synced() {
        informer.addHandler("recording", recording);
        within(
                Duration.ofSeconds(5),
                () -> informer.state().synced() && informer.state().phase() == InformerState.Phase.WATCHING);
        later(Duration.ofSeconds(1));
        recording.steps.clear();
    }

    private void within(Duration limit, BooleanSupplier condition) {
        world.runUntil(condition, limit);
    }

    private void later(Duration duration) {
        world.runFor(duration);
    }

    /** A relist follows the changes at once: they and it may wait in the log together. */
    private void relist(Runnable meanwhile) {
        long lists = informer.state().relists();
        server.cut();
        meanwhile.run();
        server.compact();
        within(Duration.ofSeconds(10), () -> informer.state().relists() > lists);
        later(Duration.ofSeconds(1));
    }

    private void relistUnchanged() {
        long lists = informer.state().relists();
        server.expire();
        within(Duration.ofSeconds(10), () -> informer.state().relists() > lists);
        later(Duration.ofSeconds(1));
    }

    @Test
    void aDeleteThatWaitsAndARelistThatHasTheKeyAgainAreBothTold_FQ02() {
        server.put("a");
        synced();
        server.remove("a");
        relist(() -> server.put("a"));
        assertThat(recording.steps).hasSize(2);
        assertThat(recording.steps.get(0)).startsWith("delete a:uid-1@");
        assertThat(recording.steps.get(1)).isEqualTo("add a:uid-2@103");
    }

    @Test
    void anObjectThatIsInTheLogOnlyIsDeletedOnceByARelistWithoutIt_FQ03_FQ05() {
        synced();
        server.put("a");
        within(Duration.ofSeconds(1), () -> informer.snapshot().size() == 1);
        relist(() -> server.remove("a"));
        relistUnchanged();
        assertThat(recording.steps).containsExactly("add a:uid-1@101", "delete a:uid-1@101");
        Indexer indexer = new Indexer(Selection.all(), true, true);
        TestObject b = TestObject.of("b", "u", 10);
        indexer.apply(List.of(new io.homeostat.client.WatchFrame.Event(io.homeostat.client.WatchFrame.Kind.ADDED, b)));
        Indexer.Replacement gone = indexer.replace(
                new Indexer.Replaced(Indexer.nothing(), "20", Indexer.Replaced.Freshness.NOT_OLDER, List.of(), 0));
        gone.advance(() -> false);
        assertThat(gone.changes()).as("applied in one turn with its add").containsExactly(new Change.Deleted(b, b));
    }

    @Test
    void anObjectThatCameAndWentIsNotDeletedAgainByARelist_FQ04() {
        synced();
        server.put("a");
        within(Duration.ofSeconds(1), () -> informer.snapshot().size() == 1);
        server.remove("a");
        within(Duration.ofSeconds(1), () -> informer.snapshot().size() == 0);
        relistUnchanged();
        assertThat(recording.steps).containsExactly("add a:uid-1@101", "delete a:uid-1@102");
    }

    @Test
    void theDeleteOfARelistCarriesTheLatestVersionKnown_FQ06_FQ16() {
        server.put("a");
        server.put("z");
        synced();
        server.put("a");
        within(
                Duration.ofSeconds(1),
                () -> informer.snapshot().resourceVersion().equals("103"));
        later(Duration.ofSeconds(1));
        recording.steps.clear();
        relist(() -> {
            server.put("z");
            server.remove("a");
        });
        assertThat(recording.steps).containsExactly("delete a:uid-1@103", "update z:uid-2@102 to z:uid-2@104");
    }

    @Test
    void aHandlerNeverKnowsMoreThanTheCache_CT08() {
        server.put("a");
        synced();
        List<String> behind = new ArrayList<>();
        informer.addHandler("looking", new Recording() {
            @Override
            void before() {
                fold.forEach((key, told) -> {
                    String stored = informer.snapshot()
                            .get(key)
                            .map(object -> object.raw().resourceVersion())
                            .orElse(informer.snapshot().resourceVersion());
                    if (Indexer.older(stored, told.resourceVersion())) {
                        behind.add(told + " where the cache has " + stored);
                    }
                });
            }
        });
        for (int i = 0; i < 20; i++) {
            server.put("x" + i);
        }
        relist(() -> {
            for (int i = 0; i < 20; i += 2) {
                server.put("x" + i);
                server.remove("x" + (i + 1));
            }
        });
        assertThat(behind).isEmpty();
        assertThat(recording.fold).hasSize(11);
    }

    @Test
    void whatAReaderDoesToItsObjectNobodyElseSees_SI28() {
        server.put("a");
        List<CachedObject<ConfigMap>> told = new ArrayList<>();
        informer.addHandler("changes what it is told", new Recording() {
            @Override
            public void onAdd(CachedObject<ConfigMap> object, Phase phase, Merged<ConfigMap> merged) {
                told.add(object);
                object.object().getMetadata().setName("changed by a handler");
            }
        });
        synced();
        CachedObject<ConfigMap> read = informer.snapshot().list().get(0);
        assertThat(told.get(0).object().getMetadata().getName()).isEqualTo("changed by a handler");
        assertThat(read.object().getMetadata().getName()).isEqualTo("a");
        read.object().getMetadata().setName("changed by a reader");
        assertThat(informer.snapshot().list().get(0).object().getMetadata().getName())
                .isEqualTo("a");
        assertThat(read.copy().getMetadata().getName()).isEqualTo("a");
    }

    @Test
    void nothingKeepsAVersionThatWasReplaced() {
        for (int i = 0; i < 40; i++) {
            server.put("x" + i);
        }
        synced();
        List<WeakReference<Object>> old = versions();
        for (int i = 1; i < 40; i++) {
            server.put("x" + i); // all but one: it must not keep the others of its list
        }
        within(
                Duration.ofSeconds(5),
                () -> informer.snapshot().resourceVersion().equals("179"));
        later(Duration.ofSeconds(1));
        recording.steps.clear();
        recording.merges.clear();
        server.forget();
        for (int i = 0; i < 50 && left(old) > 1; i++) {
            System.gc();
        }
        assertThat(left(old))
                .as("versions of the first list that somebody still holds")
                .isEqualTo(1);
        assertThat(informer.snapshot().size()).isEqualTo(40);
    }

    private static long left(List<WeakReference<Object>> old) {
        return old.stream().filter(one -> one.get() != null).count();
    }

    private List<WeakReference<Object>> versions() {
        List<WeakReference<Object>> all = new ArrayList<>();
        for (CachedObject<ConfigMap> object : informer.snapshot().list()) {
            all.add(new WeakReference<>(object.raw()));
        }
        return all;
    }

    @Test
    void aBlockedHandlerHoldsAtMostTwoStepsOfAKeyHoweverManyVersionsThereAre() {
        server.put("a");
        synced();
        CompletableFuture<Void> gate = new CompletableFuture<>();
        Recording blocked = new Recording() {
            @Override
            void before() {
                process.await(gate, Duration.ofDays(1));
            }
        };
        informer.addHandler("blocked", blocked);
        later(Duration.ofSeconds(1));
        for (int i = 0; i < 200; i++) {
            if (i % 20 == 19) {
                server.remove("a");
            }
            @Nullable TestObject put = server.put("a");
            assertThat(put).isNotNull();
        }
        within(
                Duration.ofSeconds(20),
                () -> informer.snapshot().resourceVersion().equals(Long.toString(server.version)));
        gate.complete(null);
        later(Duration.ofSeconds(1));
        assertThat(blocked.steps).hasSize(3);
        assertThat(blocked.told()).isEqualTo(recording.told());
    }
}
