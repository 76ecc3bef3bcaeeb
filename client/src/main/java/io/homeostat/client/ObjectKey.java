package io.homeostat.client;

import io.homeostat.core.Stable;

/**
 * Namespace and name of an object; the order is by namespace, then name.
 *
 * @param namespace the namespace, {@code ""} for cluster scope
 * @param name the name, not empty
 */
@Stable
public record ObjectKey(String namespace, String name) implements Comparable<ObjectKey> {
    /** Refuses an empty name. Whether a name may stand in a path is checked where paths are made. */
    public ObjectKey {
        if (name.isEmpty()) {
            throw new IllegalArgumentException("An object in namespace \"" + namespace + "\" needs a name, found none");
        }
    }

    /** The key of a cluster-scoped object. */
    public static ObjectKey clusterScoped(String name) {
        return new ObjectKey("", name);
    }

    @Override
    public int compareTo(ObjectKey other) {
        // Stores compare keys all the time; most have the namespace in common, and it is interned.
        return namespace.equals(other.namespace) ? name.compareTo(other.name) : namespace.compareTo(other.namespace);
    }

    /** {@code namespace/name}, or {@code name} for cluster scope. */
    @Override
    public String toString() {
        return namespace.isEmpty() ? name : namespace + "/" + name;
    }
}
