package io.homeostat.simulator;

import io.homeostat.core.Registration;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.function.Predicate;
import java.util.zip.Deflater;
import java.util.zip.GZIPOutputStream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * One open watch: turns commits into frames and hands them to its reader as fast as that reads.
 *
 * <pre>
 * open ──timeout, slow reader, end of the resource──▶ ended
 *   └───reader gone, cut─────────────────────────────▶ ended
 * </pre>
 *
 * <p><b>Order.</b> Frames leave in the order of commits. <b>Threads.</b> Confined to the simulator's lane. <b>Memory.</b> At most
 * {@link #BACKLOG} changes wait besides the initial events, by reference; a reader further behind loses its stream, and no other
 * notices it. <b>Failure.</b> An ended watcher does nothing more.
 */
final class Watcher {
    /** How many changes may wait for a slow reader. */
    static final int BACKLOG = 1024;

    /** How many bytes of frames are compressed together. */
    private static final int MEMBER = 64 * 1024;

    private static final byte[] OBJECT = ",\"object\":".getBytes(StandardCharsets.UTF_8);

    // Invariants
    // - what is in `queue` has not been given to the sink; `exempt` of its entries do not count against BACKLOG
    // - after `ended` the registry no longer knows this watcher, no timer of it runs and the sink is not used
    private final Registry registry;
    private final ResourceKind kind;
    private final String namespace;
    private final Predicate<Stored> wanted;
    private final Rendering rendering;
    private final boolean gzip;
    private final AnswerSink sink;
    private final RequestRecord request;
    private final long
            after; // changes up to this revision are not shown: the client has them, or asked from the future
    private final ArrayDeque<Frame> queue = new ArrayDeque<>(); // confined to the simulator's lane, as all below
    private int exempt;
    private int holds;
    private boolean waiting;
    private boolean ended;
    private @Nullable Registration bookmarkTimer;
    private @Nullable Registration timeoutTimer;

    private record Frame(String type, @Nullable Stored object, @Nullable ObjectNode plain) {}

    Watcher(
            Registry registry,
            ResourceKind kind,
            String namespace,
            Predicate<Stored> wanted,
            Rendering rendering,
            boolean gzip,
            AnswerSink sink,
            RequestRecord request,
            long after) {
        this.registry = registry;
        this.kind = kind;
        this.namespace = namespace;
        this.wanted = wanted;
        this.rendering = rendering;
        this.gzip = gzip;
        this.sink = sink;
        this.request = request;
        this.after = after;
        registry.add(this);
        sink.whenGone(this::stop);
    }

    RequestRecord request() {
        return request;
    }

    boolean ended() {
        return ended;
    }

    void timers(@Nullable Registration bookmark, @Nullable Registration timeout) {
        if (bookmark != null) {
            if (ended) {
                bookmark.close();
            } else {
                bookmarkTimer = bookmark;
            }
        }
        if (timeout != null) {
            if (ended) {
                timeout.close();
            } else {
                timeoutTimer = timeout;
            }
        }
    }

    /** An object that is there when the watch begins: a synthetic ADDED. */
    void initial(Stored object) {
        if (wanted.test(object)) {
            queue.add(new Frame("ADDED", object, null));
            exempt++;
        }
    }

    /** A change from the history, which the client has missed: does not count as backlog. */
    void replay(Store.Change change) {
        Frame frame = frame(change);
        if (frame != null) {
            queue.add(frame);
            exempt++;
        }
    }

    /** A change that happened just now. */
    void change(Store.Change change) {
        if (ended || change.revision() <= after) {
            return;
        }
        Frame frame = frame(change);
        if (frame != null) {
            queue.add(frame);
            pump();
            if (!ended && holds == 0 && queue.size() - exempt > BACKLOG) {
                end();
            }
        }
    }

    /** What this watch shows of a change; null for nothing. */
    private @Nullable Frame frame(Store.Change change) {
        if (!namespace.isEmpty() && !change.now().namespace.equals(namespace)) {
            return null;
        }
        Stored before = change.before();
        boolean was = before != null && wanted.test(before);
        boolean is = change.type() != StoredChange.Type.DELETED && wanted.test(change.now());
        if (is) {
            return new Frame(was ? "MODIFIED" : "ADDED", change.now(), null);
        }
        if (!was || before == null) {
            return null;
        }
        if (change.type() == StoredChange.Type.DELETED) {
            return new Frame("DELETED", change.now(), null);
        }
        // left the selection: shown as it was, at the revision at which it left
        ObjectNode old = Trees.withOwnMetadata(before.tree);
        Writes.metadataOf(old).put("resourceVersion", Long.toString(change.revision()));
        return new Frame("DELETED", new Stored(before.key, change.revision(), old), null);
    }

    /**
     * Says how far the stream is; {@code initialEventsEnd} marks the end of the initial events. Who asked from a version that is still
     * to come hears nothing until then, as in cacheWatcher.process of apiserver.
     */
    void bookmark(long revision, boolean initialEventsEnd) {
        if (!ended && revision >= after) {
            queue.add(new Frame("BOOKMARK", null, rendering.bookmark(kind, revision, initialEventsEnd)));
            exempt++;
            pump();
        }
    }

    /** Ends the stream with an ERROR frame, after an HTTP 200. */
    void error(ApiFailure failure) {
        if (!ended) {
            queue.add(new Frame("ERROR", null, failure.status()));
            exempt++;
            pump();
            end();
        }
    }

    /** Stops events from leaving, as in a server that lags behind; {@link #release} lets them go. */
    void hold() {
        holds++;
    }

    void release() {
        holds--;
        pump();
    }

    void pump() {
        if (ended || waiting || holds > 0) {
            return;
        }
        while (!queue.isEmpty()) {
            if (!sink.writable()) {
                waiting = true;
                sink.whenWritable(() -> {
                    waiting = false;
                    pump();
                });
                return;
            }
            sink.chunk(gzip ? member() : frame(queue.remove()));
        }
        exempt = 0;
    }

    private byte[] member() {
        ByteArrayOutputStream packed = new ByteArrayOutputStream();
        try (GZIPOutputStream out = new GZIPOutputStream(packed, 8192, true) {
            {
                def.setLevel(Deflater.BEST_SPEED);
            }
        }) {
            int size = 0;
            while (!queue.isEmpty() && size < MEMBER) {
                byte[] bytes = frame(queue.remove());
                size += bytes.length;
                out.write(bytes);
            }
            // as the real server: a block before the last one, since Go keeps back what comes
            // with the end of a member until the next member begins
            out.flush();
        } catch (IOException e) {
            throw new UncheckedIOException("compressing into memory", e);
        }
        return packed.toByteArray();
    }

    private byte[] frame(Frame frame) {
        exempt = Math.min(exempt, queue.size());
        Stored object = frame.object();
        byte[] body = object != null
                ? rendering.watched(kind, object)
                : Trees.bytes(java.util.Objects.requireNonNull(frame.plain(), "frame"));
        byte[] type = ("{\"type\":\"" + frame.type() + "\"").getBytes(StandardCharsets.US_ASCII);
        byte[] bytes = new byte[type.length + OBJECT.length + body.length + 2];
        System.arraycopy(type, 0, bytes, 0, type.length);
        System.arraycopy(OBJECT, 0, bytes, type.length, OBJECT.length);
        System.arraycopy(body, 0, bytes, type.length + OBJECT.length, body.length);
        bytes[bytes.length - 2] = '}';
        bytes[bytes.length - 1] = '\n';
        return bytes;
    }

    /** Ends the stream as HTTP says it should: the time is up, the reader too slow, the resource gone. */
    void end() {
        if (!ended) {
            stop();
            sink.end();
        }
    }

    /** Breaks the connection. */
    void cut(String why) {
        if (!ended) {
            stop();
            sink.breakOff(why);
        }
    }

    private void stop() {
        ended = true;
        registry.remove(this);
        queue.clear();
        if (bookmarkTimer != null) {
            bookmarkTimer.close();
        }
        if (timeoutTimer != null) {
            timeoutTimer.close();
        }
    }
}
