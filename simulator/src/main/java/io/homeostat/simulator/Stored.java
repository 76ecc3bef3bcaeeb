package io.homeostat.simulator;

import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * One version of one object, as it lies in the store; never changed.
 *
 * <p>The serialised form is made once, when somebody first asks for it. <b>Threads.</b> Confined to the simulator's lane.
 */
final class Stored {
    final String key;
    final String namespace;
    final String name;
    final String uid;
    final long revision;
    final ObjectNode tree;
    final Map<String, String> labels;
    private byte @Nullable [] json; // confined to the simulator's lane

    Stored(String key, long revision, ObjectNode tree) {
        ObjectNode metadata = Trees.metadata(tree);
        this.key = key;
        this.namespace = Trees.text(metadata, "namespace");
        this.name = Trees.text(metadata, "name");
        this.uid = Trees.text(metadata, "uid");
        this.revision = revision;
        this.tree = tree;
        this.labels = Trees.labels(tree);
    }

    /** The object as JSON in its storage version; not to be changed. */
    byte[] json() {
        byte[] bytes = json;
        if (bytes == null) {
            bytes = Trees.bytes(tree);
            json = bytes;
        }
        return bytes;
    }

    boolean beingDeleted() {
        return !Trees.text(Trees.metadata(tree), "deletionTimestamp").isEmpty();
    }

    /** As etcd orders them: by namespace, then by name, byte by byte. */
    static String key(String namespace, String name) {
        return namespace.isEmpty() ? name : namespace + "/" + name;
    }
}
