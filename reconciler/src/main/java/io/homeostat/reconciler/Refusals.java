package io.homeostat.reconciler;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.ResourceType;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Which primaries of one controller were refused which objects (D33): the owner reference that would bring them back when such an
 * object changes hands or goes is just what is missing.
 *
 * <p>A primary is noted before the object is looked at and taken off when it was not refused, so that no change falls in between.
 *
 * <p><b>Threads.</b> Any. <b>Memory.</b> At most {@value #MAX} pairs; a primary that finds no room comes back by its backoff. What was
 * noted of a primary goes when its next reconcile begins, when it is woken, or when it is gone.
 */
final class Refusals {
    static final int MAX = 10_000;

    /** An object that was refused. */
    private record Refused(String group, String plural, ObjectKey key) {
        static Refused of(ResourceType<?> type, ObjectKey key) {
            return new Refused(type.group(), type.plural(), key);
        }
    }

    // Invariants, whenever the lock is free: both maps hold the same pairs, size of them, and no empty set.
    private final ReentrantLock lock = new ReentrantLock();

    @GuardedBy("lock")
    private final Map<Refused, Set<ObjectKey>> primaries = new HashMap<>(); // never iterated

    @GuardedBy("lock")
    private final Map<ObjectKey, Set<Refused>> refused = new HashMap<>(); // never iterated

    @GuardedBy("lock")
    private int size;

    void note(ResourceType<?> type, ObjectKey key, ObjectKey primary) {
        Refused object = Refused.of(type, key);
        lock.lock();
        try {
            if (size >= MAX) {
                return;
            }
            if (primaries.computeIfAbsent(object, none -> new LinkedHashSet<>()).add(primary)) {
                refused.computeIfAbsent(primary, none -> new LinkedHashSet<>()).add(object);
                size++;
            }
        } finally {
            lock.unlock();
        }
    }

    void drop(ResourceType<?> type, ObjectKey key, ObjectKey primary) {
        lock.lock();
        try {
            remove(Refused.of(type, key), primary);
        } finally {
            lock.unlock();
        }
    }

    /** Forgets what {@code primary} was refused. */
    void drop(ObjectKey primary) {
        lock.lock();
        try {
            for (Refused object : List.copyOf(refused.getOrDefault(primary, Set.of()))) {
                remove(object, primary);
            }
        } finally {
            lock.unlock();
        }
    }

    /** Takes the primaries that were refused this object, in the order they were noted. */
    List<ObjectKey> take(ResourceType<?> type, ObjectKey key) {
        Refused object = Refused.of(type, key);
        lock.lock();
        try {
            Set<ObjectKey> noted = primaries.get(object);
            if (noted == null) {
                return List.of();
            }
            List<ObjectKey> taken = new ArrayList<>(noted);
            taken.forEach(primary -> remove(object, primary));
            return taken;
        } finally {
            lock.unlock();
        }
    }

    int size() {
        lock.lock();
        try {
            return size;
        } finally {
            lock.unlock();
        }
    }

    @GuardedBy("lock")
    private void remove(Refused object, ObjectKey primary) {
        Set<ObjectKey> noted = primaries.get(object);
        if (noted == null || !noted.remove(primary)) {
            return;
        }
        size--;
        if (noted.isEmpty()) {
            primaries.remove(object);
        }
        Set<Refused> objects = refused.get(primary);
        if (objects != null && objects.remove(object) && objects.isEmpty()) {
            refused.remove(primary);
        }
    }
}
