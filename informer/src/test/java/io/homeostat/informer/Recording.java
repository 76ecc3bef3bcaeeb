package io.homeostat.informer;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.RawObject;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** Writes down what it is told, and checks the order of steps per key. */
class Recording implements ResourceEventHandler<ConfigMap> {
    final List<String> steps = new ArrayList<>();
    final Map<ObjectKey, RawObject> fold = new TreeMap<>();
    final List<Merged<ConfigMap>> merges = new ArrayList<>();
    /** The key of the latest step. */
    @Nullable
    ObjectKey touched;

    /** Called first in every step. */
    void before() {}

    @Override
    public void onAdd(CachedObject<ConfigMap> object, Phase phase, Merged<ConfigMap> merged) {
        touched = object.key();
        require(!fold.containsKey(object.key()), "a second add of " + object + " without a delete");
        fold.put(object.key(), object.raw());
        record("add " + object.raw() + (phase == Phase.INITIAL ? " initially" : ""), merged);
    }

    @Override
    public void onUpdate(CachedObject<ConfigMap> before, CachedObject<ConfigMap> after, Merged<ConfigMap> merged) {
        touched = after.key();
        RawObject known = fold.put(after.key(), after.raw());
        require(known == before.raw(), "an update from " + before + " where " + known + " was told last");
        require(before.raw().uid().equals(after.raw().uid()), "an update to another UID: " + before + " to " + after);
        record("update " + before.raw() + " to " + after.raw(), merged);
    }

    @Override
    public void onDelete(CachedObject<ConfigMap> lastKnown, Merged<ConfigMap> merged) {
        touched = lastKnown.key();
        RawObject known = fold.remove(lastKnown.key());
        require(
                known != null && known.uid().equals(lastKnown.raw().uid()),
                "a delete of " + lastKnown + ", not " + known);
        record("delete " + lastKnown.raw(), merged);
    }

    private void record(String step, Merged<ConfigMap> merged) {
        steps.add(step);
        merges.add(merged);
        before();
    }

    private static void require(boolean holds, String otherwise) {
        if (!holds) {
            throw new OutOfOrder(otherwise);
        }
    }

    String told() {
        return fold.values().stream().map(Object::toString).collect(Collectors.joining(" "));
    }

    /** Not swallowed as a handler's mistake: a VM error goes through to the runtime, and fails the seed. */
    static final class OutOfOrder extends InternalError {
        private static final long serialVersionUID = 1;

        OutOfOrder(String message) {
            super(message);
        }
    }
}
