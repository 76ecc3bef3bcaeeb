package io.homeostat.reconciler;

import io.homeostat.core.EngineRuntime;
import io.homeostat.workqueue.Work;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.slf4j.Logger;

/**
 * One attempt at one key: what every context shares.
 *
 * <p><b>Threads.</b> Any: user code may use its context from several.
 */
final class Attempt<K> {
    private final EngineRuntime runtime;
    private final Work<K> work;
    private final String name;
    private final Logger logger;
    private final long startedAt;
    private final Duration limit;
    private final List<String> writes = new CopyOnWriteArrayList<>();
    private volatile boolean ended; // set once, by the task; read by whatever thread user code uses
    private volatile boolean
            leftBehind; // set once, by the dispatcher at a stop; read by whatever thread user code uses
    private volatile boolean timedOut; // set once, by the dispatcher; read by the task

    Attempt(EngineRuntime runtime, String controller, Work<K> work, Duration limit) {
        this.runtime = runtime;
        this.work = work;
        this.limit = limit;
        this.startedAt = runtime.nanos();
        this.name = Texts.key(work.key());
        this.logger = new KeyLogger(controller, name);
    }

    K key() {
        return work.key();
    }

    /** The key, for people. */
    String name() {
        return name;
    }

    Work<K> work() {
        return work;
    }

    Logger logger() {
        return logger;
    }

    Duration elapsed() {
        return Duration.ofNanos(runtime.nanos() - startedAt);
    }

    Duration remaining() {
        return limit.minus(elapsed());
    }

    void wrote(String what) {
        writes.add(what);
    }

    List<String> writes() {
        return List.copyOf(writes);
    }

    void end() {
        ended = true;
    }

    /** The operator ends, or leaves its namespace, without it: what it does from now on is refused. */
    void leaveBehind() {
        leftBehind = true;
    }

    void timeOut() {
        timedOut = true;
    }

    boolean timedOut() {
        return timedOut;
    }

    /** Refuses use of a context after its reconcile. */
    void requireRunning() {
        if (leftBehind) {
            throw new IllegalStateException(
                    "The reconcile of " + name
                            + " did not end when its operator stopped, or left its namespace, and was left behind; it reads and writes nothing any more");
        }
        if (ended) {
            throw new IllegalStateException("The context of " + name
                    + " was used after its reconcile returned; finish or wait for all work before returning");
        }
    }
}
