package io.homeostat.simulator;

import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/** Field ownership and server-side apply (KEP-555). */
final class FieldManagement {
    private FieldManagement() {}

    /**
     * {@code live} after {@code applied} was merged into it.
     *
     * @param live the stored object; null when there is none
     * @throws ApplyConflict when others own fields that would change, and {@code request} does not force
     */
    static ObjectNode apply(@Nullable ObjectNode live, ObjectNode applied, FieldRequest request, Schema schema) {
        if (live == null) {
            return applied;
        }
        throw new Unsupported("server-side apply to a stored object is not served yet");
    }

    /** {@code object} with the ownership that a create, update or patch leaves. */
    static ObjectNode updated(@Nullable ObjectNode live, ObjectNode object, FieldRequest request, Schema schema) {
        return object;
    }
}
