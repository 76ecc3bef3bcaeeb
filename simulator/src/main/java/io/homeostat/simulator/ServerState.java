package io.homeostat.simulator;

import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Lane;
import io.homeostat.core.Registration;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * The API server as seen by what runs inside the cluster: workload stand-ins, the garbage collector.
 *
 * <p>Writes go the way of any client's write: defaulted, validated, versioned, with optimistic locking when the object carries a
 * resourceVersion. Trees that are handed out are shared: change a copy. <b>Threads.</b> Everything on {@link #lane}.
 * <b>Failure.</b> A refused write throws {@link ApiFailure} with the answer a client would get.
 */
interface ServerState {
    /** The runtime of the server's process. */
    EngineRuntime runtime();

    /** The lane that everything here runs on. */
    Lane lane();

    /** The served kind of that group and plural, in its storage version; null when there is none. */
    @Nullable
    ResourceKind kind(String group, String plural);

    /** All objects of {@code kind} in {@code namespace}, "" for all, sorted by namespace and name. */
    List<ObjectNode> list(ResourceKind kind, String namespace);

    /** The object, or null. {@code namespace} is "" for cluster-scoped kinds. */
    @Nullable
    ObjectNode get(ResourceKind kind, String namespace, String name);

    /** Creates; {@code metadata.namespace} says where. {@code manager} is the field manager. */
    ObjectNode create(ResourceKind kind, ObjectNode object, String manager);

    /** Replaces all but the status; a {@code metadata.resourceVersion} that is not the stored one is a conflict. */
    ObjectNode update(ResourceKind kind, ObjectNode object, String manager);

    /** Replaces the status only. */
    ObjectNode updateStatus(ResourceKind kind, ObjectNode object, String manager);

    /**
     * Deletes with background propagation and without grace; an object with finalizers stays and gets its deletionTimestamp.
     * Does nothing when the object is gone.
     *
     * @param uid the only incarnation to delete, "" for any
     */
    void delete(ResourceKind kind, String namespace, String name, String uid);

    /** Calls {@code listener} after every commit, inside the turn that made it: hand off what writes again to {@link #lane}. */
    Registration onChange(Consumer<StoredChange> listener);
}
