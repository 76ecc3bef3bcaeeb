package io.homeostat.integrationtests;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.client.ObjectKey;
import io.homeostat.informer.CachedObject;
import io.homeostat.informer.InformerState;
import io.homeostat.informer.OwnWrites;
import io.homeostat.informer.SharedInformer;
import io.homeostat.informer.Snapshot;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Supplier;

/**
 * The judge of every scenario: once faults have stopped, the cache holds what the server has, by key, UID and version; no own write waits
 * in the overlay; exactly the keys expected are in quarantine; and what each handler was told adds up to the same. What is missing
 * is lost, what is too much is a phantom, and what stays so is stuck.
 */
final class CacheOracle<T extends HasMetadata> {
    private final SharedInformer<T> informer;
    private final Supplier<? extends List<? extends HasMetadata>> server;

    /**
     * Compares an informer.
     *
     * @param server a list without a resource version: what etcd has, read with another client than ours
     */
    CacheOracle(SharedInformer<T> informer, Supplier<? extends List<? extends HasMetadata>> server) {
        this.informer = informer;
        this.server = server;
    }

    /** What the server has: key to UID and version. */
    Map<String, String> truth() {
        Map<String, String> truth = new TreeMap<>();
        for (HasMetadata object : server.get()) {
            truth.put(
                    new ObjectKey(
                                    object.getMetadata().getNamespace(),
                                    object.getMetadata().getName())
                            .toString(),
                    FoldingHandler.identity(
                            object.getMetadata().getUid(), object.getMetadata().getResourceVersion()));
        }
        return truth;
    }

    /** What the cache shows. */
    static Map<String, String> shown(Snapshot<?> snapshot) {
        Map<String, String> shown = new TreeMap<>();
        for (CachedObject<?> object : snapshot.list()) {
            shown.put(
                    object.key().toString(),
                    FoldingHandler.identity(object.raw().uid(), object.raw().resourceVersion()));
        }
        return shown;
    }

    /** What is wrong at this moment; empty when nothing is. */
    List<String> wrong(Map<String, String> truth, Set<String> quarantined, List<? extends FoldingHandler<?>> handlers) {
        List<String> wrong = new ArrayList<>();
        Snapshot<T> snapshot = informer.snapshot();
        InformerState state = informer.state();
        compare("the snapshot", truth, shown(snapshot), wrong);
        int own = OwnWrites.waitingIn(snapshot);
        if (own > 0) {
            wrong.add(own + " own writes wait in the overlay");
        }
        Set<String> unread = new TreeSet<>();
        state.quarantined().forEach(key -> unread.add(key.toString()));
        if (!unread.equals(quarantined)) {
            wrong.add("in quarantine are " + unread + ", expected " + quarantined);
        }
        if (state.phase() != InformerState.Phase.WATCHING) {
            wrong.add("the informer is " + state);
        }
        for (FoldingHandler<?> handler : handlers) {
            compare("the fold of handler " + handler.name(), truth, handler.fold(), wrong);
            wrong.addAll(handler.broken());
        }
        return wrong;
    }

    private static void compare(String what, Map<String, String> truth, Map<String, String> seen, List<String> wrong) {
        truth.forEach((key, identity) -> {
            String found = seen.get(key);
            if (found == null) {
                wrong.add(what + " has lost " + key + ", " + identity);
            } else if (!found.equals(identity)) {
                wrong.add(what + " has " + key + ", " + found + ", the server " + identity);
            }
        });
        seen.forEach((key, identity) -> {
            if (!truth.containsKey(key)) {
                wrong.add(what + " has the phantom " + key + ", " + identity);
            }
        });
    }
}
