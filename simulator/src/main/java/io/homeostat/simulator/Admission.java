package io.homeostat.simulator;

import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/** What the server does with an object of one kind besides storing it. Pure: arguments are never changed. */
interface Admission {
    /**
     * The object as the server reads it: unknown fields dropped, values in their canonical form, defaults filled in. Runs on what a
     * client sent, and on the result of a patch, before field ownership is recorded.
     *
     * @throws Malformed when a value cannot be read as what its field is
     */
    ObjectNode defaulted(ObjectNode object);

    /**
     * The result of an apply as the server completes it: as {@link #defaulted}, but a null that is left where an applier let go of
     * everything below stays, and is refused by validation when the field has no null (the real server does so).
     */
    default ObjectNode merged(ObjectNode object) {
        return defaulted(object);
    }

    /**
     * What is wrong with {@code object}.
     *
     * @param object the object as it would be stored
     * @param old the object as it is stored; null when it is being created
     * @return the causes, in the order of the fields; empty when the object may be stored
     */
    List<Cause> validate(ObjectNode object, @Nullable ObjectNode old);

    /**
     * What the server itself sets, after field ownership was recorded, so that nobody owns it: the first status of a Pod, the
     * conditions of a CustomResourceDefinition, tolerations that admission plugins add.
     *
     * @param object the defaulted object
     * @param old the object as it is stored; null when it is being created
     */
    default ObjectNode prepared(ObjectNode object, @Nullable ObjectNode old) {
        return object;
    }

    /**
     * The paths in {@code object} that the kind does not know, as {@code fieldValidation=Strict} reports them:
     * {@code spec.containers[0].nme}.
     */
    default List<String> unknownFields(ObjectNode object) {
        return List.of();
    }
}
