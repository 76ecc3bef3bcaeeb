package io.homeostat.simulator;

import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * One committed write, as what runs inside the cluster sees it.
 *
 * @param kind of the object, in its storage version
 * @param type what happened
 * @param object the object after the write; for a deletion its last state, with the resourceVersion of the deletion
 * @param before the object before the write; null when it was created
 */
record StoredChange(ResourceKind kind, Type type, ObjectNode object, @Nullable ObjectNode before) {
    /** What a write did to an object. */
    enum Type {
        ADDED,
        MODIFIED,
        DELETED
    }
}
