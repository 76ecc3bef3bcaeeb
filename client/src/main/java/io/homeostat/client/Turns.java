package io.homeostat.client;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.homeostat.core.HttpCall;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;

/**
 * Lets so many things be under way at a time; what comes beyond waits.
 *
 * <p><b>Order.</b> As entered. <b>Threads.</b> Any; what begins does so on the thread that entered, or on the one that made room, without a
 * lock. <b>Memory.</b> An entry for each turn that waits or is taken. <b>Failure.</b> A turn that does not begin makes room at once; what its beginning throws is thrown on when all that may begin have been
 * begun.
 */
final class Turns {
    /*
     * Invariants
     * - A turn is waiting, or taken, or neither; at most `most` are taken.
     * - Whenever a turn is over, as many of those waiting begin as there is room for.
     */
    private final int most;
    private final ReentrantLock lock = new ReentrantLock();

    @GuardedBy("lock")
    private final Set<Turn> waiting = new LinkedHashSet<>();

    @GuardedBy("lock")
    private final Set<Turn> taken = new HashSet<>();

    /** Whether it takes a turn: requests do, but for the question whether the server is there, which would be late for want of one. */
    static boolean awaits(HttpCall call) {
        return call.kind() == HttpCall.Kind.REQUEST && !call.target().equals("/livez");
    }

    Turns(int most) {
        this.most = most;
    }

    /** One thing's turn. */
    final class Turn {
        private final BooleanSupplier begin;

        private Turn(BooleanSupplier begin) {
            this.begin = begin;
        }

        /** Begins now, or when it is its turn. Once. */
        void enter() {
            lock.lock();
            try {
                waiting.add(this);
            } finally {
                lock.unlock();
            }
            beginWhatMay();
        }

        /** It will not begin any more, unless it has. */
        void leave() {
            lock.lock();
            try {
                waiting.remove(this);
            } finally {
                lock.unlock();
            }
        }

        /** It has ended, or is given up while it waits. Idempotent. */
        void over() {
            lock.lock();
            try {
                waiting.remove(this);
                taken.remove(this);
            } finally {
                lock.unlock();
            }
            beginWhatMay();
        }
    }

    /**
     * A turn that has not been entered.
     *
     * @param begin starts it, without blocking; false when it cannot be started, and has been told so; throws when that is a defect or the
     *     VM's, which it has been told, too
     */
    Turn turn(BooleanSupplier begin) {
        return new Turn(begin);
    }

    private void beginWhatMay() {
        Throwable broken = null;
        while (true) {
            Turn next;
            lock.lock();
            try {
                Iterator<Turn> first = waiting.iterator();
                if (taken.size() >= most || !first.hasNext()) {
                    break;
                }
                next = first.next();
                first.remove();
                taken.add(next);
            } finally {
                lock.unlock();
            }
            boolean begun = false;
            try {
                begun = next.begin.getAsBoolean();
            } catch (RuntimeException | Error e) {
                broken = e; // said when those behind it have had their turn: who makes room for them is here
            }
            if (!begun) {
                lock.lock();
                try {
                    taken.remove(next);
                } finally {
                    lock.unlock();
                }
            }
        }
        if (broken instanceof Error error) {
            throw error;
        }
        if (broken instanceof RuntimeException defect) {
            throw defect;
        }
    }
}
