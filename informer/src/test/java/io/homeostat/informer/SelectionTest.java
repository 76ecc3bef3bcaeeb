package io.homeostat.informer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.homeostat.client.ApiException;
import io.homeostat.client.TestErrors;
import io.homeostat.informer.Indexer.Outcome;
import io.homeostat.informer.InformerState.Phase;
import io.homeostat.informer.LabelSelector.Answer;
import io.homeostat.virtualruntime.VirtualProcess;
import io.homeostat.virtualruntime.VirtualWorld;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Caches of some of the objects: by labels, by fields, by shard. */
class SelectionTest {
    // UIDs as short as those of these tests hash to neighbours: the bound lies among them.
    private static final long BOUND = ShardSelector.hash("uid-10");
    private static final ShardSelector LOW = new ShardSelector(ShardSelector.Field.UID, 0, BOUND);
    private static final ShardSelector HIGH = new ShardSelector(ShardSelector.Field.UID, BOUND + 1, -1);

    private final VirtualWorld world = VirtualWorld.seeded(31);
    private final VirtualProcess process = world.process("operator");
    private final FakeServer server = new FakeServer(world);
    private final SharedInformers informers = SharedInformers.over(process, server.client());

    @AfterEach
    void end() {
        world.close();
    }

    private SharedInformer<ConfigMap> informer(Selection selection) {
        return informers.informer(TestObject.TYPE, "", selection);
    }

    private SharedInformer<ConfigMap> synced(Selection selection) {
        SharedInformer<ConfigMap> informer = informer(selection);
        within(Duration.ofSeconds(5), () -> informer.state().phase() == Phase.WATCHING);
        return informer;
    }

    private void within(Duration limit, BooleanSupplier condition) {
        world.runUntil(condition, limit);
    }

    private static List<String> names(SharedInformer<ConfigMap> informer) {
        return informer.snapshot().list().stream()
                .map(object -> object.key().name())
                .toList();
    }

    private FakeServer.Request last() {
        return server.requests.get(server.requests.size() - 1);
    }

    // ---- one form

    @Test
    void selectorsThatSayTheSameAreEqual() {
        assertThat(new Selection(
                        " tier in (b, a),app == web ,app=web", "status.phase!=Failed,spec.nodeName==n1,", null))
                .isEqualTo(new Selection("app=web,tier in (a,b)", "spec.nodeName=n1,status.phase!=Failed", null));
        assertThat(Selection.all().withLabels("!x,y,a notin (b),c!=d").labels()).isEqualTo("!x,a notin (b),c!=d,y");
        assertThat(Selection.all().withLabels(" replicas>3 ").labels()).isEqualTo("replicas>3");
        String escaped = "spec.x=a\\,b\\=c\\\\";
        assertThat(Selection.all().withFields(escaped).fields()).isEqualTo(escaped);
        assertThat(Selection.all().withFields(" ").withLabels("")).isEqualTo(Selection.all());
        assertThat(Selection.all().in(LOW)).isNotEqualTo(Selection.all().in(HIGH));
    }

    @Test
    void whatIsNoFieldSelectorIsRefusedAtOnce() {
        for (String wrong : List.of("spec.nodeName", "=a", "a=b=c", "a!==b", "a=\\b", "a=b\\", "x in (a,b)")) {
            assertThatThrownBy(() -> Selection.all().withFields(wrong))
                    .as(wrong)
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("is no field selector");
        }
    }

    @Test
    void theSelectionIsPartOfTheIdentityAndEachIsOneCache() {
        synced(Selection.all().withFields("spec.b=2,spec.a=1"));
        synced(Selection.all().withFields("spec.a==1, spec.b=2"));
        assertThat(server.requests).hasSize(1);
        assertThat(last().parameters()).containsEntry("fieldSelector", "spec.a=1,spec.b=2");
        SharedInformer<ConfigMap> sharded = synced(
                Selection.all().withLabels("app=web").withFields("spec.a=1").in(ShardSelector.byUid(1, 2)));
        assertThat(server.requests).hasSize(2);
        String high = "shardRange(object.metadata.uid, '0x8000000000000000', '0x10000000000000000')";
        assertThat(last().parameters())
                .containsEntry("labelSelector", "app=web")
                .containsEntry("shardSelector", high);
        assertThat(sharded.state().name()).isEqualTo("configmaps/v1 with app=web where spec.a=1 of " + high);
    }

    // ---- fields

    @Test
    void objectsComeAndGoWithTheirFields() {
        server.put("in", object -> object.labelled("node", "n1"));
        server.put("out", object -> object.labelled("node", "n2"));
        SharedInformer<ConfigMap> informer = synced(Selection.all().withFields("spec.node=n1"));
        assertThat(names(informer)).containsExactly("in");
        server.put("out", object -> object.labelled("node", "n1"));
        server.put("in", object -> object.labelled("node", "n2"));
        within(Duration.ofSeconds(2), () -> names(informer).equals(List.of("out")));
    }

    @Test
    void anOwnWriteIsPlacedByNameAndNamespaceAtOnce() {
        Indexer byName =
                new Indexer(Selection.all().withFields("metadata.name=a,metadata.namespace!=other"), true, true);
        assertThat(byName.own(TestObject.of("a", "u1", 5))).isEqualTo(Outcome.SHOWN);
        assertThat(byName.own(TestObject.of("b", "u2", 6))).isEqualTo(Outcome.IDLE);
        assertThat(byName.own(TestObject.of("a", "u3", 7).in("other"))).isEqualTo(Outcome.IDLE);
        assertThat(byName.state().overlay().size()).isEqualTo(1);
    }

    @Test
    void underAFieldThatIsNotEvaluatedHereOnlyKnownKeysAreOverlaid() {
        TestObject known = TestObject.of("a", "u1", 5);
        Indexer byNode = new Indexer(Selection.all().withFields("spec.node=n1"), true, true);
        byNode.confirm(known);
        assertThat(byNode.own(known.at(6))).isEqualTo(Outcome.SHOWN);
        assertThat(byNode.own(TestObject.of("b", "u2", 7))).isEqualTo(Outcome.IDLE);
        // What can be said here is enough where it says no.
        Criteria both = Criteria.of(
                Selection.all().withFields("spec.node=n1,metadata.name=z").withLabels("x!=1"));
        assertThat(both.selects(known)).isEqualTo(Answer.NO);
        assertThat(both.selects(TestObject.of("z", "u3", 1))).isEqualTo(Answer.UNKNOWN);
    }

    @Test
    void aRefusedFieldIsAStateWithTheServersWordsAndIsAskedForAgainNowAndThen() {
        ApiException words = TestErrors.of(400, "BadRequest", null);
        server.refusal = (request, number) -> request.parameter("fieldSelector").isEmpty() ? null : words;
        SharedInformer<ConfigMap> other = synced(Selection.all());
        server.requests.clear();
        SharedInformer<ConfigMap> refused = informer(Selection.all().withFields("spec.size=1"));
        within(Duration.ofSeconds(1), () -> refused.state().phase() == Phase.REFUSED);
        assertThat(refused.state().name()).isEqualTo("configmaps/v1 where spec.size=1");
        assertThat(refused.state().lastError()).isSameAs(words);
        assertThat(refused.state().synced()).isFalse();
        world.runFor(Duration.ofMinutes(10));
        assertThat(server.requests).hasSizeBetween(10, 40); // each 30 to 60 s, after a few at first
        assertThat(other.state().phase()).isEqualTo(Phase.WATCHING);
        server.put("a", object -> object.labelled("size", "1"));
        server.refusal = (request, number) -> null; // the field has become selectable
        within(Duration.ofSeconds(65), () -> names(refused).equals(List.of("a")));
        within(Duration.ofSeconds(1), () -> refused.state().phase() == Phase.WATCHING);
        assertThat(refused.state().lastProblem()).isNull();
    }

    @Test
    void whatAGetFoundBeforeTheWatchSaidThatItLeftIsNotKept() {
        TestObject a = server.put("a", object -> object.labelled("node", "n1"));
        SharedInformer<ConfigMap> informer = synced(Selection.all().withFields("spec.node=n1"));
        // Its next version cannot be read, which is asked about; meanwhile it leaves the selection and changes again.
        server.unreadable.add(a.key());
        server.put("a", object -> object);
        within(
                Duration.ofSeconds(10),
                () -> informer.state().phase() == Phase.WATCHING
                        && informer.state().quarantined().contains(a.key()));
        world.runFor(Duration.ofSeconds(5));
        server.silence(); // what it says now is heard when the watch has been opened anew
        server.unreadable.clear();
        server.put("a", object -> object.labelled("node", "n2"));
        server.put("a", object -> object);
        within(Duration.ofMinutes(12), () -> names(informer).isEmpty());
        world.runFor(Duration.ofMinutes(12));
        assertThat(names(informer)).isEmpty();
        assertThat(informer.state().quarantine()).isEmpty();
    }

    // ---- shards

    @Test
    void theHashIsThatOfTheServer() {
        // apimachinery sharding.HashField is FNV-1a over 64 bits; these are vectors of its reference.
        assertThat(Long.toHexString(ShardSelector.hash(""))).isEqualTo("cbf29ce484222325");
        assertThat(Long.toHexString(ShardSelector.hash("a"))).isEqualTo("af63dc4c8601ec8c");
        assertThat(Long.toHexString(ShardSelector.hash("foobar"))).isEqualTo("85944171f73967e8");
    }

    @Test
    void theShardsOfANumberAreEverythingOnce() {
        for (int count = 1; count <= 7; count++) {
            for (int i = 0; i < 200; i++) {
                TestObject object = TestObject.of("x" + i, "uid-" + i, 1).in("ns" + i);
                int holders = 0;
                for (int index = 0; index < count; index++) {
                    holders += ShardSelector.byUid(index, count).holds(object) ? 1 : 0;
                    holders += ShardSelector.byNamespace(index, count).holds(object) ? 1 : 0;
                }
                assertThat(holders).as("of %d shards each", count).isEqualTo(2);
            }
        }
        assertThat(ShardSelector.byNamespace(0, 1))
                .hasToString("shardRange(object.metadata.namespace, '0x0000000000000000', '0x10000000000000000')");
        assertThatThrownBy(() -> ShardSelector.byUid(3, 3)).hasMessageContaining("no shard 3 of 3");
        assertThatThrownBy(() -> new ShardSelector(ShardSelector.Field.UID, -1, 1))
                .hasMessageContaining("empty");
    }

    private static Set<String> namesOfBoth(SharedInformer<ConfigMap> low, SharedInformer<ConfigMap> high) {
        Set<String> all = new TreeSet<>(names(low));
        all.addAll(names(high));
        assertThat(all).hasSize(names(low).size() + names(high).size());
        return all;
    }

    @Test
    void aServerThatIgnoresTheShardIsNoticedAndFilteredHere() {
        for (int i = 0; i < 20; i++) {
            server.put("x" + i);
        }
        SharedInformer<ConfigMap> low = synced(Selection.all().in(LOW));
        SharedInformer<ConfigMap> high = synced(Selection.all().in(HIGH));
        assertThat(low.state().filteredHere()).isTrue();
        assertThat(high.state().filteredHere()).isTrue();
        assertThat(names(low)).isNotEmpty();
        assertThat(names(high)).isNotEmpty();
        assertThat(namesOfBoth(low, high)).hasSize(20);
        for (int i = 0; i < 20; i++) {
            server.put("y" + i);
            server.put("x" + i);
            server.remove("x" + (i + 10));
        }
        world.runFor(Duration.ofSeconds(2));
        assertThat(namesOfBoth(low, high)).hasSize(server.objects.size());
        // What is of another shard moves the place to go on from.
        assertThat(low.state().resourceVersion()).isEqualTo(Long.toString(server.version));
        assertThat(high.state().resourceVersion()).isEqualTo(Long.toString(server.version));
        server.expire();
        world.runFor(Duration.ofSeconds(5));
        assertThat(namesOfBoth(low, high)).hasSize(server.objects.size());
    }

    @Test
    void aServerThatKnowsShardsIsNotTakenForOneThatDoesNot() {
        server.knowsShards.put(LOW.toString(), LOW);
        for (int i = 0; i < 20; i++) {
            server.put("x" + i);
        }
        SharedInformer<ConfigMap> low = synced(Selection.all().in(LOW));
        for (int i = 0; i < 20; i++) {
            server.put("y" + i);
        }
        world.runFor(Duration.ofSeconds(2));
        assertThat(low.state().filteredHere()).isFalse();
        assertThat(names(low)).isNotEmpty().hasSizeLessThan(40);
    }

    @Test
    void anOwnWriteOfAnotherShardIsNotShown() {
        Indexer low = new Indexer(Selection.all().in(LOW), true, true);
        int shown = 0;
        for (int i = 0; i < 20; i++) {
            TestObject own = TestObject.of("x" + i, "uid-" + i, i + 1);
            boolean mine = LOW.holds(own);
            assertThat(low.own(own)).isEqualTo(mine ? Outcome.SHOWN : Outcome.IDLE);
            shown += mine ? 1 : 0;
        }
        assertThat(shown).isBetween(1, 19);
    }

    @Test
    void anAuditDoesNotMissWhatIsOfAnotherShard() {
        for (int i = 0; i < 20; i++) {
            server.put("x" + i);
        }
        SharedInformer<ConfigMap> low = synced(Selection.all().in(LOW));
        informers.auditEvery(Duration.ofMinutes(1));
        long lists = low.state().relists();
        world.runFor(Duration.ofMinutes(10));
        assertThat(server.requests)
                .anyMatch(request -> request.parameter("resourceVersionMatch").equals("Exact"));
        assertThat(low.state().relists()).isEqualTo(lists);
    }
}
