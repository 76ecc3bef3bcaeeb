package io.homeostat.integrationtests.planted.workqueue;

import java.lang.ref.WeakReference;
import java.util.IdentityHashMap;
import java.util.Set;
import java.util.WeakHashMap;

/** Planted: one method for each thing that differs between runs of one seed. */
final class LooksAtIdentity {
    Object weak() {
        return new WeakReference<>("text");
    }

    Object weakMap() {
        return new WeakHashMap<String, String>();
    }

    Object identityMap() {
        return new IdentityHashMap<String, String>();
    }

    int identity() {
        return System.identityHashCode(this);
    }

    Object salted(Set<String> names) {
        return Set.copyOf(names);
    }
}
