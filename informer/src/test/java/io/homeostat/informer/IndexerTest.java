package io.homeostat.informer;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.RawObject;
import io.homeostat.client.WatchFrame;
import io.homeostat.informer.Indexer.Outcome;
import io.homeostat.informer.Indexer.Replaced;
import io.homeostat.informer.Indexer.Replaced.Freshness;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class IndexerTest {
    private final Indexer indexer = new Indexer(Selection.all(), true, true);

    private static WatchFrame.Event added(TestObject object) {
        return new WatchFrame.Event(WatchFrame.Kind.ADDED, object);
    }

    private static WatchFrame.Event modified(TestObject object) {
        return new WatchFrame.Event(WatchFrame.Kind.MODIFIED, object);
    }

    private static WatchFrame.Event gone(TestObject object) {
        return new WatchFrame.Event(WatchFrame.Kind.DELETED, object);
    }

    private static Replaced list(long version, TestObject... items) {
        return list(Freshness.NOT_OLDER, version, items);
    }

    private static Replaced list(Freshness freshness, long version, TestObject... items) {
        SortedTree<ObjectKey, RawObject> tree = Indexer.nothing();
        for (TestObject item : items) {
            tree = tree.with(item);
        }
        return new Replaced(tree, Long.toString(version), freshness, List.of(), 0);
    }

    private static List<Change> apply(Indexer indexer, Replaced replaced) {
        Indexer.Replacement replacement = indexer.replace(replaced);
        while (!replacement.advance(() -> true)) {
            assertThat(indexer.state().version()).isNotEqualTo(replaced.version());
        }
        return replacement.changes();
    }

    private List<Change> replace(long version, TestObject... items) {
        return apply(indexer, list(version, items));
    }

    private List<Change> events(WatchFrame.Event... events) {
        return indexer.apply(List.of(events));
    }

    private View<ConfigMap> view() {
        return new View<>(indexer.state(), TestObject.DECODER);
    }

    private List<String> listed() {
        return view().list().stream().map(object -> object.raw().toString()).toList();
    }

    private final TestObject a = TestObject.of("a", "u1", 10);

    @Test
    void eventsBecomeChangesInOrder() {
        replace(5);
        assertThat(events(added(a), modified(a.at(12)), gone(a.at(13))))
                .containsExactly(
                        new Change.Added(a), new Change.Updated(a, a.at(12)), new Change.Deleted(a.at(12), a.at(13)));
        assertThat(view().size()).isZero();
        assertThat(view().resourceVersion()).isEqualTo("13");
    }

    @Test
    void anOlderVersionOfTheSameObjectIsIgnored() {
        replace(20, a.at(20));
        assertThat(events(modified(a.at(15)))).isEmpty();
        assertThat(listed()).containsExactly("a:u1@20");
        assertThat(view().resourceVersion()).isEqualTo("20");
    }

    @Test
    void withoutTheVersionCheckTheStoreGoesBack() {
        Indexer planted = new Indexer(Selection.all(), false, true);
        apply(planted, list(20, a.at(20)));
        assertThat(planted.apply(List.of(modified(a.at(15))))).hasSize(1);
    }

    @Test
    void aRepeatedEventOfADeletedObjectDoesNotBringItBack() {
        replace(5);
        events(added(a), gone(a.at(12)));
        assertThat(events(added(a), modified(a.at(11)))).isEmpty();
        assertThat(listed()).isEmpty();
    }

    @Test
    void anObjectThatReturnsToTheSelectionWithTheSameUidIsAdded() {
        replace(5);
        events(added(a), gone(a.at(12)));
        assertThat(events(added(a.at(14)))).containsExactly(new Change.Added(a.at(14)));
    }

    @Test
    void aLaterVersionOfAUidThatAnotherReplacedDoesNotBringItBackWhenThatIsGoneToo() {
        replace(5, a);
        TestObject next = TestObject.of("a", "u2", 20);
        indexer.confirm(next); // a GET, ahead of the stream
        indexer.deny(a.key(), next);
        assertThat(events(modified(a.at(19)), gone(a.at(19)), added(next), gone(next.at(21))))
                .isEmpty();
        assertThat(listed()).isEmpty();
    }

    @Test
    void aLaterVersionOfAUidThatAListLacksDoesNotBringItBack() {
        replace(5, a);
        replace(30);
        assertThat(events(modified(a.at(19)))).isEmpty();
        assertThat(events(added(a.at(31)))).containsExactly(new Change.Added(a.at(31)));
    }

    @Test
    void anObjectThatOutlivedAnEpochUnreadIsNotToldAgainWhenItIsFoundAsItWas() {
        TestObject b = TestObject.of("b", "u9", 40);
        replace(50, a, b);
        SortedTree<ObjectKey, RawObject> items = Indexer.nothing();
        Replaced restored = new Replaced(items.with(b.at(8)), "20", Freshness.CONSISTENT, List.of(a.key()), 0);
        apply(indexer, restored);
        assertThat(view().epoch()).isEqualTo(1);
        assertThat(indexer.confirm(TestObject.of("a", "u1", 10))).isEmpty();
        assertThat(events(modified(a.at(21)))).containsExactly(new Change.Updated(a, a.at(21)));
    }

    @Test
    void aNewUidIsGoneAndAdded() {
        replace(10, a);
        TestObject second = TestObject.of("a", "u2", 20);
        assertThat(events(modified(second))).containsExactly(new Change.Deleted(a, a), new Change.Added(second));
    }

    @Test
    void theDeletionOfAnEarlierUidDoesNotTouchTheLaterOne() {
        TestObject second = TestObject.of("a", "u2", 20);
        replace(20, second);
        assertThat(events(gone(a.at(18)))).isEmpty();
        assertThat(listed()).containsExactly("a:u2@20");
    }

    @Test
    void aRelistTellsDeletesFirstAndNothingUnchanged() {
        TestObject b = TestObject.of("b", "u2", 6);
        TestObject c = TestObject.of("c", "u3", 7);
        TestObject d = TestObject.of("d", "u4", 8);
        replace(10, a, b, c);
        RawObject before = indexer.state().base().get(b.key());
        TestObject other = TestObject.of("c", "u9", 21);
        List<Change> changes = replace(30, b.at(6), other, d);
        assertThat(changes)
                .containsExactly(
                        new Change.Deleted(a, a),
                        new Change.Deleted(c, c),
                        new Change.Added(other),
                        new Change.Added(d));
        assertThat(indexer.state().base().get(b.key())).isSameAs(before);
        assertThat(listed()).containsExactly("b:u2@6", "c:u9@21", "d:u4@8");
    }

    @Test
    void aRelistThatDoesNotCoverAnObjectNeverTakesItBack() {
        replace(20, a.at(20));
        indexer.confirm(a.at(24)); // a GET, ahead of the list
        assertThat(replace(22, a.at(20))).isEmpty();
        assertThat(listed()).containsExactly("a:u1@24");
        assertThat(view().epoch()).isZero();
    }

    @Test
    void aRelistThatCoversAnObjectAndShowsItOlderBeginsANewEpoch() {
        TestObject b = TestObject.of("b", "u2", 19);
        replace(20, a.at(20), b);
        indexer.own(TestObject.of("c", "u3", 40));
        // etcd was restored, and its versions passed ours before we looked.
        assertThat(replace(25, a.at(15), b, TestObject.of("d", "u4", 23)))
                .containsExactly(
                        new Change.Passed(TestObject.of("c", "u3", 40), null),
                        new Change.Updated(a.at(20), a.at(15)),
                        new Change.Added(TestObject.of("d", "u4", 23)));
        assertThat(listed()).containsExactly("a:u1@15", "b:u2@19", "d:u4@23");
        assertThat(view().epoch()).isEqualTo(1);
        assertThat(view().resourceVersion()).isEqualTo("25");
    }

    @Test
    void aConsistentListWithAnOlderVersionBeginsANewEpoch() {
        replace(20, a.at(20), TestObject.of("b", "u2", 19));
        indexer.own(TestObject.of("c", "u3", 22));
        List<Change> changes = apply(indexer, list(Freshness.CONSISTENT, 12, a.at(11)));
        assertThat(changes)
                .containsExactly(
                        new Change.Deleted(TestObject.of("b", "u2", 19), TestObject.of("b", "u2", 19)),
                        new Change.Passed(TestObject.of("c", "u3", 22), null),
                        new Change.Updated(a.at(20), a.at(11)));
        assertThat(view().epoch()).isEqualTo(1);
        assertThat(view().resourceVersion()).isEqualTo("12");
        assertThat(indexer.state().overlay().isEmpty()).isTrue();
    }

    @Test
    void anOwnWriteThatAnEpochTookBackIsToldAfterTheDeletesOfItsList() {
        TestObject b = TestObject.of("b", "u2", 11);
        replace(20, a, b);
        // Made after the end of a, which the cache has not heard of when a backup brings a back.
        TestObject mine = TestObject.of("a", "u9", 25);
        indexer.own(mine);
        assertThat(apply(indexer, list(Freshness.CONSISTENT, 15, a.at(9))))
                .containsExactly(
                        new Change.Deleted(b, b), new Change.Updated(a, a.at(9)), new Change.Passed(mine, a.at(9)));
        assertThat(listed()).containsExactly("a:u1@9");
        assertThat(indexer.state().overlay().isEmpty()).isTrue();
    }

    @Test
    void absentKeysStayWhileAListHoldsNamelessItems() {
        TestObject b = TestObject.of("b", "u2", 6);
        replace(10, a, b);
        SortedTree<ObjectKey, RawObject> items = Indexer.nothing();
        Indexer.Replacement replacement =
                indexer.replace(new Replaced(items.with(b), "30", Freshness.NOT_OLDER, List.of(), 1));
        assertThat(replacement.advance(() -> false)).isTrue();
        assertThat(replacement.changes()).isEmpty();
        assertThat(replacement.doubted()).containsExactly(a);
        assertThat(listed()).containsExactly("a:u1@10", "b:u2@6");
        assertThat(indexer.deny(a.key(), a)).containsExactly(new Change.Deleted(a, a));
        assertThat(listed()).containsExactly("b:u2@6");
    }

    @Test
    void anUnreadableItemKeepsWhatTheStoreHas() {
        replace(10, a);
        Indexer.Replacement replacement =
                indexer.replace(new Replaced(Indexer.nothing(), "30", Freshness.NOT_OLDER, List.of(a.key()), 0));
        assertThat(replacement.advance(() -> false)).isTrue();
        assertThat(replacement.changes()).isEmpty();
        assertThat(listed()).containsExactly("a:u1@10");
    }

    @Test
    void anOwnWriteIsSeenByKeyListNamespaceAndOwnerAtOnce() {
        TestObject mine = TestObject.of("b", "u2", 15).ownedBy("o1");
        replace(10, a.ownedBy("o1"));
        assertThat(indexer.own(mine)).isEqualTo(Outcome.SHOWN);
        assertThat(listed()).containsExactly("a:u1@10", "b:u2@15");
        assertThat(view().get(mine.key()).orElseThrow().raw()).isEqualTo(mine);
        assertThat(view().inNamespace("ns")).hasSize(2);
        assertThat(view().inNamespace("n")).isEmpty();
        assertThat(view().ownedBy("o1")).hasSize(2);
        assertThat(view().size()).isEqualTo(2);
        indexer.own(a.at(16).ownedBy("o2"));
        assertThat(view().ownedBy("o1")).hasSize(1);
        assertThat(view().ownedBy("o2")).hasSize(1);
        assertThat(view().resourceVersion()).isEqualTo("10");
    }

    @Test
    void anOwnWriteGoesWhenTheCacheHasItAndItsEchoIsStillAChange() {
        replace(10, a);
        indexer.own(a.at(15));
        assertThat(events(modified(a.at(15)))).containsExactly(new Change.Updated(a, a.at(15)));
        assertThat(indexer.state().overlay().isEmpty()).isTrue();
    }

    @Test
    void anOwnWriteGoesWhenTheVersionHasPassedIt() {
        replace(10, a);
        indexer.own(a.at(15));
        indexer.bookmark("14");
        assertThat(indexer.state().overlay().size()).isEqualTo(1);
        indexer.bookmark("15");
        assertThat(indexer.state().overlay().isEmpty()).isTrue();
    }

    @Test
    void aLateAnswerDoesNotBringAnOldVersionBack() {
        replace(10, a);
        events(modified(a.at(15)), modified(a.at(17)));
        assertThat(indexer.own(a.at(15))).isEqualTo(Outcome.IDLE);
        assertThat(listed()).containsExactly("a:u1@17");
        events(gone(a.at(18)));
        assertThat(indexer.own(a.at(16))).isEqualTo(Outcome.PASSED);
        assertThat(indexer.passed(a.at(16))).isEmpty();
        assertThat(listed()).isEmpty();
    }

    @Test
    void whatWasWrittenAndVanishedInAGapIsTold() {
        replace(10);
        TestObject mine = TestObject.of("b", "u2", 15);
        indexer.own(mine);
        assertThat(replace(30)).containsExactly(new Change.Passed(mine, null));
        assertThat(indexer.own(TestObject.of("c", "u3", 16))).isEqualTo(Outcome.PASSED);
        assertThat(indexer.passed(TestObject.of("c", "u3", 16))).hasSize(1);
    }

    @Test
    void whatReadersSawOfAWriteIsToldAlsoWhenALaterOwnWriteHidIt() {
        replace(10, a);
        TestObject mine = TestObject.of("b", "u2", 15);
        indexer.own(mine);
        indexer.gone(mine.key(), "u2");
        TestObject moved = a.at(16).ownedBy("o1");
        indexer.own(moved);
        indexer.own(a.at(17));
        assertThat(replace(30, a.at(17)))
                .as("the cache slept through all of it")
                .containsExactly(
                        new Change.Passed(mine, null),
                        new Change.Updated(a, a.at(17)),
                        new Change.Passed(moved, a.at(17)));
        assertThat(indexer.state().overlay().isEmpty()).isTrue();
    }

    @Test
    void whatTheWatchSaidOfOwnWritesIsNotSaidAgain() {
        replace(10, a);
        TestObject mine = TestObject.of("b", "u2", 15);
        indexer.own(mine);
        indexer.gone(mine.key(), "u2");
        indexer.own(a.at(17));
        indexer.own(a.at(18));
        assertThat(events(added(mine), modified(a.at(17))))
                .containsExactly(new Change.Added(mine), new Change.Updated(a, a.at(17)));
        assertThat(events(modified(a.at(18)), gone(mine.at(19))))
                .containsExactly(new Change.Updated(a.at(17), a.at(18)), new Change.Deleted(mine, mine.at(19)));
        assertThat(indexer.state().overlay().isEmpty()).isTrue();
        assertThat(indexer.bookmark("40")).isEmpty();
    }

    @Test
    void twoAnswersInTheWrongOrderLeaveTheNewer() {
        replace(10, a);
        indexer.own(a.at(16));
        assertThat(indexer.own(a.at(15))).isEqualTo(Outcome.IDLE);
        assertThat(listed()).containsExactly("a:u1@16");
    }

    @Test
    void anOwnDeleteHidesTheUidUntilItsEnd() {
        replace(10, a.ownedBy("o1"));
        indexer.gone(a.key(), "");
        assertThat(listed()).isEmpty();
        assertThat(view().size()).isZero();
        assertThat(view().ownedBy("o1")).isEmpty();
        events(modified(a.at(12).ownedBy("o1")));
        assertThat(listed()).isEmpty();
        events(gone(a.at(13)));
        assertThat(indexer.state().overlay().isEmpty()).isTrue();
    }

    @Test
    void anOwnDeleteIsPinnedToItsUid() {
        replace(10, a);
        indexer.gone(a.key(), "u1");
        TestObject second = TestObject.of("a", "u2", 20);
        events(added(second));
        assertThat(listed()).containsExactly("a:u2@20");
        assertThat(indexer.state().overlay().isEmpty()).isTrue();
        indexer.gone(a.key(), "u1");
        assertThat(listed()).containsExactly("a:u2@20");
        assertThat(indexer.state().overlay().isEmpty()).isTrue();
    }

    @Test
    void createDeleteCreateBeforeAnyEventShowsTheLast() {
        replace(5);
        indexer.own(a);
        indexer.gone(a.key(), "u1");
        assertThat(listed()).isEmpty();
        assertThat(indexer.own(a.at(11))).isEqualTo(Outcome.IDLE);
        TestObject second = TestObject.of("a", "u2", 14);
        indexer.own(second);
        assertThat(listed()).containsExactly("a:u2@14");
        events(added(a));
        assertThat(listed()).containsExactly("a:u2@14");
        events(gone(a.at(12)), added(second));
        assertThat(listed()).containsExactly("a:u2@14");
        assertThat(indexer.state().overlay().isEmpty()).isTrue();
    }

    @Test
    void anEarlierUidStaysHiddenWhenALaterOneWasWrittenAndDeleted() {
        replace(10, a);
        indexer.gone(a.key(), "u1");
        indexer.own(TestObject.of("a", "u2", 14));
        indexer.gone(a.key(), "u2");
        assertThat(listed()).isEmpty();
    }

    @Test
    void aDeleteGoesWithAListThatLacksItsUid() {
        replace(10, a);
        indexer.gone(a.key(), "u1");
        replace(30);
        assertThat(indexer.state().overlay().isEmpty()).isTrue();
        indexer.own(a.at(40));
        indexer.gone(a.key(), "u1");
        assertThat(indexer.state().overlay().isEmpty())
                .as("created at 40, gone again, and no list has reached 40")
                .isFalse();
        replace(50);
        assertThat(indexer.state().overlay().isEmpty()).isTrue();
    }

    @Test
    void anAnswerToADeleteThatComesAfterTheEventLeavesNothing() {
        replace(10, a);
        events(gone(a.at(12)));
        indexer.gone(a.key(), "u1");
        assertThat(indexer.state().overlay().isEmpty()).isTrue();
    }

    @Test
    void anOwnWriteOutOfTheSelectionHidesTheObject() {
        Indexer selected = new Indexer(Selection.all().withLabels("app=web"), true, true);
        TestObject in = a.labelled("app", "web");
        apply(selected, list(10, in));
        selected.own(in.at(12).labelled("app", "db"));
        assertThat(new View<>(selected.state(), TestObject.DECODER).list()).isEmpty();
        selected.own(TestObject.of("b", "u2", 13).labelled("app", "db"));
        assertThat(selected.state().overlay().size()).isEqualTo(1);
        // Left at 12, came back at 14, all in one batch: an entry pinned to the UID would hide it for ever.
        selected.apply(List.of(gone(in.at(12)), added(in.at(14))));
        assertThat(new View<>(selected.state(), TestObject.DECODER).list()).hasSize(1);
        assertThat(selected.state().overlay().isEmpty()).isTrue();
    }

    @Test
    void underASelectorNobodyCanReadOnlyKnownKeysAreOverlaid() {
        Indexer selected = new Indexer(Selection.all().withLabels("replicas>3"), true, true);
        apply(selected, list(10, a));
        assertThat(selected.own(a.at(12))).isEqualTo(Outcome.SHOWN);
        assertThat(selected.own(TestObject.of("b", "u2", 13))).isEqualTo(Outcome.IDLE);
    }

    @Test
    void withoutTheOverlayAnOwnWriteIsNotSeen() {
        Indexer planted = new Indexer(Selection.all(), true, false);
        apply(planted, list(10, a));
        assertThat(planted.own(a.at(12))).isEqualTo(Outcome.IDLE);
        planted.gone(a.key(), "u1");
        assertThat(new View<>(planted.state(), TestObject.DECODER).list()).hasSize(1);
    }

    @Test
    void indexEntriesAndStructureGoWithTheirObjects() {
        replace(5);
        List<WatchFrame.Event> all = new ArrayList<>();
        for (int i = 0; i < 1000; i++) {
            all.add(added(TestObject.of("x" + i, "x" + i, 10 + i).ownedBy("o" + i % 7, "p" + i)));
        }
        indexer.apply(all);
        assertThat(indexer.state().base().indexSize()).isEqualTo(2000);
        assertThat(view().ownedBy("o3")).hasSize(143);
        for (int i = 0; i < 1000; i++) {
            indexer.apply(List.of(gone(TestObject.of("x" + i, "x" + i, 5000 + i))));
        }
        assertThat(indexer.state().base().indexSize()).isZero();
        assertThat(view().list()).isEmpty();
    }

    @Test
    void aSnapshotIsOneStateForAllItsReads() {
        replace(10, a);
        View<ConfigMap> before = view();
        events(gone(a.at(12)), added(TestObject.of("b", "u2", 13)));
        indexer.own(TestObject.of("c", "u3", 14));
        assertThat(before.list()).hasSize(1);
        assertThat(before.get(a.key())).isPresent();
        assertThat(before.resourceVersion()).isEqualTo("10");
        assertThat(before.list().get(0).object().getMetadata().getUid()).isEqualTo("u1");
    }

    private static boolean same(String one, String other) {
        return Indexer.sameContents(one.getBytes(StandardCharsets.UTF_8), other.getBytes(StandardCharsets.UTF_8));
    }

    @Test
    void anObjectHasTheSameContentsInAListThatLeavesItsTypeOutAndInAWatch() {
        String watched = "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"a\"},\"spec\":{}}";
        String listed = "{\"metadata\":{\"name\":\"a\"},\"spec\":{}}";
        assertThat(same(watched, listed)).isTrue();
        assertThat(same(listed, watched)).isTrue();
        assertThat(same(watched, listed.replace("{}}", "{\"nodeName\":\"n\"}}")))
                .isFalse();
        assertThat(same(watched, watched.replace("\"a\"", "\"b\""))).isFalse();
        String custom = "{\"apiVersion\":\"x/v1\",\"before\":1,\"kind\":\"X\",\"metadata\":{\"name\":\"a\"}}";
        assertThat(same(custom, custom)).isTrue();
        assertThat(same(custom, custom.replace("1,", "2,")))
                .as("what stands before metadata counts")
                .isFalse();
        assertThat(same("", "{")).isFalse();
    }

    @Test
    void aListFromBeforeTheEndOfAnObjectDoesNotBringItBack() {
        TestObject b = TestObject.of("b", "u2", 11);
        replace(12, a.at(10), b);
        indexer.deny(a.key(), a.at(10)); // a GET found nothing
        assertThat(apply(indexer, list(Freshness.NOT_OLDER, 13, a.at(10), b))).isEmpty();
        assertThat(listed()).containsExactly("b:u2@11");
        assertThat(events(new WatchFrame.Event(WatchFrame.Kind.DELETED, a.at(14))))
                .isEmpty();
    }

    @Test
    void norDoesTheWatchThatGoesOnFromThatList() {
        TestObject b = TestObject.of("b", "u2", 11);
        replace(12, a.at(10), b);
        indexer.deny(a.key(), a.at(10));
        apply(indexer, list(Freshness.NOT_OLDER, 13, a.at(10), b));
        assertThat(events(modified(a.at(14)), gone(a.at(15)))).isEmpty();
        assertThat(listed()).containsExactly("b:u2@11");
    }

    @Test
    void whatTheNextListStillShowsIsThereWhateverAGetHasSaid() {
        replace(12, a.at(10));
        indexer.deny(a.key(), a.at(10)); // a proxy's 404, say
        assertThat(replace(13, a.at(10))).isEmpty();
        assertThat(replace(14, a.at(10))).containsExactly(new Change.Added(a.at(10)));
    }

    @Test
    void anOwnWriteThatAGetShowsToHaveEndedDoesNotComeBackWithAListFromBefore() {
        replace(12, a.at(10));
        indexer.own(a.at(15));
        assertThat(indexer.deny(a.key(), a.at(10)))
                .containsExactly(new Change.Passed(a.at(15), a.at(10)), new Change.Deleted(a.at(10), a.at(10)));
        assertThat(replace(15, a.at(15))).isEmpty();
        assertThat(listed()).isEmpty();
    }

    @Test
    void whatReadersSawOfAUidThatEndsIsToldWithItsEndAlsoWhileALaterOwnWriteHidesIt() {
        replace(10, a);
        indexer.own(a.at(17));
        TestObject later = TestObject.of("a", "u7", 33);
        indexer.own(later);
        assertThat(replace(30)).containsExactly(new Change.Passed(a.at(17), a), new Change.Deleted(a, a));
        assertThat(listed()).containsExactly("a:u7@33");
        assertThat(events(added(later))).containsExactly(new Change.Added(later));
    }

    @Test
    void aRestoredServerBringsBackWhatHadEnded() {
        TestObject b = TestObject.of("b", "u2", 18);
        replace(20, a.at(10), b);
        indexer.deny(a.key(), a.at(10));
        apply(indexer, list(Freshness.NOT_OLDER, 25, a.at(10), b.at(17))); // seen from b, which is older than it was
        assertThat(listed()).containsExactly("a:u1@10", "b:u2@17");
        assertThat(view().epoch()).isEqualTo(1);
    }
}
