package io.homeostat.informer;

import io.homeostat.client.ObjectKey;
import io.homeostat.client.RawObject;
import io.homeostat.client.WatchFrame;
import java.util.LinkedList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * The log between the {@link Reflector} and the {@link Indexer}: what the server said, in its order. Nothing is merged, and a relist
 * is one {@link Delta.Replaced} (client-go's atomic RealFIFO; the name is the one readers know).
 *
 * <p><b>Order.</b> First in, first out. <b>Threads.</b> Confined to the informer's lane. <b>Memory.</b> Bounded by whoever fills it:
 * the Reflector asks for bytes only while {@link #hasRoom}. <b>Failure.</b> None.
 */
final class DeltaFifo {
    /** Bytes of objects in the log beyond which nothing more is asked of the server. */
    static final long LIMIT = 4L << 20;

    /** One entry. */
    sealed interface Delta {
        /** Changes, in order. */
        record Events(List<WatchFrame.Event> events, long bytes) implements Delta {}

        /** Objects of the first list, while it is still under way. */
        record Arrived(List<RawObject> objects, long bytes) implements Delta {}

        /** A handler that started early has all there is told from here on; {@code told} is what it was told before. */
        record Completes(Told early, SortedTree<ObjectKey, RawObject> told) implements Delta {}

        /** Everything up to this version has been said. */
        record Bookmark(String version) implements Delta {}

        /** All there is. */
        record Replaced(Indexer.Replaced all) implements Delta {}

        /** A handler, or its share of this cache, that begins here. */
        record Begins(Told told) implements Delta {}

        /** One that ends here: it is told of the end of all there is. */
        record Ends(Told told, CompletableFuture<Void> done) implements Delta {}

        /** An index that is made here, of all there is. */
        record Indexes(IndexTable empty, CompletableFuture<Void> built) implements Delta {}

        /** A GET found the object. */
        record Confirmed(RawObject object) implements Delta {}

        /** A GET found nothing under that key, where base had {@code asked} (null for nothing) when it was sent. */
        record Denied(ObjectKey key, @Nullable RawObject asked) implements Delta {}

        /** An own write came back after the store had passed it ({@link Indexer.Outcome#PASSED}). */
        record Passed(RawObject object) implements Delta {}

        /** To be run when everything before it has been applied. */
        record Then(Runnable next) implements Delta {}
    }

    // Confined to the informer's lane, but size.
    @SuppressWarnings("JdkObsolete") // an array that finds no memory to grow loses what it holds
    private final LinkedList<Delta> log = new LinkedList<>();

    private long bytes;
    private volatile int size; // changed on the lane, read by whoever watches

    void add(Delta delta) {
        log.addLast(delta);
        size = log.size();
        bytes += bytes(delta);
    }

    /** Before everything that waits. */
    void addFirst(Delta.Completes delta) {
        log.addFirst(delta);
        size = log.size();
    }

    private static long bytes(@Nullable Delta delta) {
        if (delta instanceof Delta.Events events) {
            return events.bytes;
        }
        return delta instanceof Delta.Arrived arrived ? arrived.bytes : 0;
    }

    @Nullable
    Delta poll() {
        Delta first = log.pollFirst();
        size = log.size();
        bytes -= bytes(first);
        return first;
    }

    /** Everything from the server that waits is forgotten; what else waits stays, in its order. */
    void dropWhatTheServerSaid() {
        log.removeIf(delta -> delta instanceof Delta.Events
                || delta instanceof Delta.Arrived
                || delta instanceof Delta.Bookmark
                || delta instanceof Delta.Replaced
                || delta instanceof Delta.Confirmed
                || delta instanceof Delta.Denied);
        bytes = 0;
        size = log.size();
    }

    /** How many entries wait. Any thread. */
    int size() {
        return size;
    }

    boolean isEmpty() {
        return log.isEmpty();
    }

    boolean hasRoom() {
        return bytes < LIMIT;
    }
}
