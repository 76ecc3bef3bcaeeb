package io.homeostat.simulator;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The last requests, for tests to count and look at.
 *
 * <p><b>Threads.</b> Written on the simulator's lane, read from any thread. <b>Memory.</b> The last {@link #KEPT} requests.
 */
final class RequestLog {
    private static final int KEPT = 1 << 16;

    // Invariants: the record of sequence n lies at index n % KEPT until a later one takes its place
    private final ReentrantLock lock = new ReentrantLock();

    @GuardedBy("lock")
    private final @Nullable RequestRecord[] ring = new RequestRecord[KEPT];

    @GuardedBy("lock")
    private long received;

    RequestRecord received(Request request, String target) {
        int question = target.indexOf('?');
        lock.lock();
        try {
            RequestRecord record = new RequestRecord(
                    ++received,
                    request.verb().toLowerCase(Locale.ROOT),
                    request.path,
                    question < 0 ? "" : target.substring(question + 1),
                    request.group,
                    request.subresource.isEmpty() ? request.resource : request.resource + "/" + request.subresource,
                    request.namespace,
                    request.name,
                    request.header("User-Agent"),
                    0);
            ring[(int) (record.sequence() % KEPT)] = record;
            return record;
        } finally {
            lock.unlock();
        }
    }

    void answered(RequestRecord record, int status) {
        lock.lock();
        try {
            int at = (int) (record.sequence() % KEPT);
            RequestRecord there = ring[at];
            if (there != null && there.sequence() == record.sequence()) {
                ring[at] = there.answered(status);
            }
        } finally {
            lock.unlock();
        }
    }

    long count() {
        lock.lock();
        try {
            return received;
        } finally {
            lock.unlock();
        }
    }

    /** The kept requests after sequence {@code from}, oldest first. */
    List<RequestRecord> since(long from) {
        lock.lock();
        try {
            List<RequestRecord> records = new ArrayList<>();
            for (long n = Math.max(from, received - KEPT) + 1; n <= received; n++) {
                RequestRecord record = ring[(int) (n % KEPT)];
                if (record != null) {
                    records.add(record);
                }
            }
            return records;
        } finally {
            lock.unlock();
        }
    }
}
