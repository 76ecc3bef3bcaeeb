package io.homeostat.informer;

import static org.assertj.core.api.Assertions.assertThat;

import io.homeostat.client.RawObject;
import io.homeostat.client.WatchFrame;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.jetbrains.lincheck.Lincheck;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The overlay's compare-and-set under chosen interleavings of two writers and the lane (docs/adr/0008). */
@Tag("jdk-independent") // Lincheck chooses the interleavings, not the JDK
class OverlayInterleavingsTest {
    private static final int INTERLEAVINGS = 300;

    @Test
    void noOwnWriteIsLostWhicheverOfWritersAndLaneComesBetween() {
        Lincheck.runConcurrentTest(INTERLEAVINGS, OverlayInterleavingsTest::writersAndLane);
    }

    private static void writersAndLane() {
        Indexer indexer = new Indexer(Selection.all(), true, true);
        indexer.apply(List.of(new WatchFrame.Event(WatchFrame.Kind.ADDED, TestObject.of("a", "u1", 2))));
        TestObject mine = TestObject.of("a", "u1", 5);
        TestObject other = TestObject.of("b", "u2", 6);
        Thread first = new Thread(() -> writes(indexer, mine));
        Thread second = new Thread(() -> writes(indexer, other));
        first.start();
        second.start();
        indexer.apply(List.of(new WatchFrame.Event(WatchFrame.Kind.ADDED, TestObject.of("b", "u2", 3))));
        indexer.apply(List.of(new WatchFrame.Event(WatchFrame.Kind.MODIFIED, mine)));
        join(first);
        join(second);
        indexer.apply(List.of(new WatchFrame.Event(WatchFrame.Kind.MODIFIED, other)));
        Indexer.State state = indexer.state();
        if (!state.overlay().isEmpty()
                || !mine.equals(state.seen(mine.key()))
                || !other.equals(state.seen(other.key()))) {
            throw new AssertionError("after everything was applied: " + state);
        }
    }

    private static void writes(Indexer indexer, TestObject object) {
        indexer.own(object);
        RawObject seen = indexer.state().seen(object.key());
        if (!object.equals(seen)) {
            throw new AssertionError("wrote " + object + " and saw " + seen);
        }
    }

    private static void join(Thread thread) {
        try {
            thread.join();
        } catch (InterruptedException e) {
            throw new IllegalStateException("Interrupted while a writer ends", e);
        }
    }

    /** The check itself: a number that two threads count up by a get and a set is caught. */
    @Test
    void theseInterleavingsFindALostUpdate() {
        Throwable found = null;
        try {
            Lincheck.runConcurrentTest(INTERLEAVINGS, OverlayInterleavingsTest::lostUpdate);
        } catch (AssertionError | RuntimeException e) {
            found = e;
        }
        assertThat(found).as("the lost update").isNotNull();
    }

    private static void lostUpdate() {
        AtomicInteger count = new AtomicInteger();
        Thread thread = new Thread(() -> count.set(count.get() + 1));
        thread.start();
        count.set(count.get() + 1);
        join(thread);
        if (count.get() != 2) {
            throw new AssertionError("an update was lost: " + count);
        }
    }
}
