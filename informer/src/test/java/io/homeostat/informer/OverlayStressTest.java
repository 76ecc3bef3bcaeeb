package io.homeostat.informer;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.RawObject;
import io.homeostat.client.ResourceVersions;
import io.homeostat.client.WatchFrame;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Real threads: writers that add to the overlay, the lane that catches up, readers that must never see time go back. */
class OverlayStressTest {
    private static final int KEYS = 8;
    private static final int WRITES = 30_000;

    private final Indexer indexer = new Indexer(Selection.all(), true, true);
    private final AtomicReference<Throwable> failure = new AtomicReference<>();

    /** Commits in one order, as etcd does, and hands each to the watch; the answer is the caller's to deliver. */
    private static final class Server {
        private long version = 1;
        private final Map<ObjectKey, TestObject> objects = new HashMap<>();
        private final ConcurrentLinkedQueue<WatchFrame.Event> watch = new ConcurrentLinkedQueue<>();

        synchronized TestObject put(String name) {
            TestObject before = objects.get(new ObjectKey("ns", name));
            TestObject after = TestObject.of(name, before == null ? name + "-" + version : before.uid(), ++version);
            objects.put(after.key(), after);
            watch.add(new WatchFrame.Event(before == null ? WatchFrame.Kind.ADDED : WatchFrame.Kind.MODIFIED, after));
            return after;
        }

        synchronized String delete(String name) {
            TestObject before = objects.remove(new ObjectKey("ns", name));
            if (before == null) {
                return "";
            }
            watch.add(new WatchFrame.Event(WatchFrame.Kind.DELETED, before.at(++version)));
            return before.uid();
        }
    }

    @Test
    void writersSeeTheirWritesAndReadersNeverGoBack() throws InterruptedException {
        Server server = new Server();
        indexer.replace(new Indexer.Replaced(
                        Indexer.nothing(), "1", Indexer.Replaced.Freshness.CONSISTENT, List.of(), 0))
                .advance(() -> false);
        List<Thread> writers = new ArrayList<>();
        for (int writer = 0; writer < 3; writer++) {
            int number = writer;
            writers.add(run("writer-" + writer, () -> write(server, number)));
        }
        Thread reader = run("reader", () -> read(writers));
        Thread lane = run("lane", () -> {
            List<WatchFrame.Event> batch = new ArrayList<>();
            while (writers.stream().anyMatch(Thread::isAlive) || !server.watch.isEmpty()) {
                for (WatchFrame.Event next = server.watch.poll(); next != null; next = server.watch.poll()) {
                    batch.add(next);
                    if (batch.size() == 7) {
                        break;
                    }
                }
                indexer.apply(List.copyOf(batch));
                batch.clear();
            }
        });
        for (Thread thread : writers) {
            thread.join(60_000);
        }
        reader.join(60_000);
        lane.join(60_000);
        assertThat(failure.get()).isNull();
        assertThat(indexer.state().overlay().isEmpty())
                .as("overlay after everything was applied")
                .isTrue();
        assertThat(new View<ConfigMap>(indexer.state(), TestObject.DECODER).list())
                .extracting(CachedObject::raw)
                .containsExactlyInAnyOrderElementsOf(new ArrayList<RawObject>(server.objects.values()));
    }

    private void write(Server server, int number) {
        SplittableRandom random = new SplittableRandom(number);
        for (int i = 0; i < WRITES; i++) {
            // Each key has one writer, so that its reads of it must show its own writes exactly.
            String name = "k" + number + "-" + random.nextInt(KEYS);
            ObjectKey key = new ObjectKey("ns", name);
            if (random.nextInt(4) == 0) {
                String uid = server.delete(name);
                if (!uid.isEmpty()) {
                    indexer.gone(key, uid);
                    require(seen(key) == null, () -> "deleted and still seen: " + seen(key));
                }
            } else {
                TestObject mine = server.put(name);
                indexer.own(mine);
                RawObject seen = seen(key);
                require(mine.equals(seen), () -> "wrote " + mine + " and saw " + seen);
            }
        }
    }

    private void read(List<Thread> writers) {
        Map<String, String> newest = new HashMap<>();
        while (writers.stream().anyMatch(Thread::isAlive)) {
            for (CachedObject<ConfigMap> object : new View<ConfigMap>(indexer.state(), TestObject.DECODER).list()) {
                String version = object.raw().resourceVersion();
                String before = newest.put(object.raw().uid(), version);
                require(
                        before == null || ResourceVersions.compare(version, before) >= 0,
                        () -> object + " after " + before);
            }
        }
    }

    private @Nullable RawObject seen(ObjectKey key) {
        return new View<ConfigMap>(indexer.state(), TestObject.DECODER)
                .get(key)
                .map(CachedObject::raw)
                .orElse(null);
    }

    private static void require(boolean holds, java.util.function.Supplier<String> otherwise) {
        if (!holds) {
            throw new AssertionError(otherwise.get());
        }
    }

    private Thread run(String name, Runnable body) {
        Thread thread = new Thread(
                () -> {
                    try {
                        body.run();
                    } catch (Throwable problem) {
                        failure.compareAndSet(null, problem);
                    }
                },
                name);
        thread.setDaemon(true);
        thread.start();
        return thread;
    }
}
