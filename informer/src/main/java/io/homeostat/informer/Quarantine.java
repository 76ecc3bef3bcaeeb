package io.homeostat.informer;

import io.homeostat.client.ApiException;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.RawObject;
import java.util.Collection;
import java.util.Collections;
import java.util.Map;
import java.util.TreeMap;

/**
 * The keys of one informer whose newest version cannot be used, and why (D32): <i>unreadable</i> ones, of which the store has an older
 * version or none, and <i>undecodable</i> ones, which the store has and a reader found out about.
 *
 * <p><b>Threads.</b> Confined to the informer's lane. <b>Memory.</b> One entry a key. <b>Failure.</b> None.
 */
final class Quarantine {
    /** A version that does not decode. */
    private record Undecodable(String uid, String version, String problem) {
        boolean is(RawObject object) {
            return uid.equals(object.uid()) && version.equals(object.resourceVersion());
        }
    }

    private final TreeMap<ObjectKey, String> unreadable = new TreeMap<>();
    private final TreeMap<ObjectKey, Undecodable> undecodable = new TreeMap<>();

    boolean isEmpty() {
        return unreadable.isEmpty() && undecodable.isEmpty();
    }

    /** Something arrived under that key that cannot be scanned. */
    void unreadable(ObjectKey key, String problem) {
        unreadable.put(key, problem);
    }

    /** A reader could not decode {@code object}; false when {@code store} does not show that version any more. */
    boolean undecodable(RawObject object, String problem, Indexer.State store) {
        RawObject shown = store.seen(object.key());
        if (shown == null
                || !shown.uid().equals(object.uid())
                || !shown.resourceVersion().equals(object.resourceVersion())) {
            return false;
        }
        undecodable.put(object.key(), new Undecodable(object.uid(), object.resourceVersion(), problem));
        return true;
    }

    /** Another version of that key is known, or its end. */
    void release(ObjectKey key) {
        unreadable.remove(key);
        undecodable.remove(key);
    }

    /** A list has been applied: {@code unread} is all that it could not say. */
    void listed(Collection<ObjectKey> unread, Indexer.State store) {
        unreadable.keySet().retainAll(unread);
        undecodable.entrySet().removeIf(entry -> {
            RawObject shown = store.seen(entry.getKey());
            return shown == null || !entry.getValue().is(shown);
        });
    }

    /** What is in quarantine, in key order. */
    Map<ObjectKey, String> problems() {
        if (isEmpty()) {
            return Map.of();
        }
        TreeMap<ObjectKey, String> all = new TreeMap<>(unreadable);
        undecodable.forEach((key, found) -> all.putIfAbsent(key, found.problem));
        return Collections.unmodifiableMap(all);
    }

    /** What the state says of it: version, class and path, never contents. */
    static String text(ApiException.Undecodable problem) {
        return problem.answer().message();
    }
}
