package io.homeostat.integrationtests;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.ResourceVersions;
import io.homeostat.reconciler.Context;
import io.homeostat.reconciler.Reconciler;
import io.homeostat.reconciler.Result;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Stands between the engine and a reconciler, and notes each broken promise: two reconciles of one key at a time (P-Q1), an object
 * older than one shown before (P-C1), an own write that the next read does not show (P-C11). One a process.
 */
final class Probe<R extends HasMetadata> implements Reconciler<R> {
    private final Reconciler<R> reconciler;
    private final Set<ObjectKey> held = new HashSet<>();
    private final Map<String, String> newest = new HashMap<>(); // UID → resourceVersion
    private final List<String> broken; // shared by the processes of a world

    Probe(Reconciler<R> reconciler, List<String> broken) {
        this.reconciler = reconciler;
        this.broken = broken;
    }

    @Override
    public Result reconcile(R resource, Context<R> context) throws Exception {
        ObjectKey key = context.key();
        if (!held.add(key)) {
            broken.add("two reconciles of " + key + " at a time");
        }
        try {
            seen(resource);
            return reconciler.reconcile(resource, watched(context));
        } finally {
            held.remove(key);
        }
    }

    private void seen(HasMetadata object) {
        String version = object.getMetadata().getResourceVersion();
        String before = newest.put(object.getMetadata().getUid(), version);
        if (before != null && ResourceVersions.compare(version, before) < 0) {
            broken.add(nameOf(object) + " went back from version " + before + " to " + version);
        }
    }

    @SuppressWarnings("unchecked")
    private Context<R> watched(Context<R> context) {
        return (Context<R>) Proxy.newProxyInstance(
                Context.class.getClassLoader(), new Class<?>[] {Context.class}, (proxy, method, arguments) -> {
                    Object answer = call(context, method, arguments);
                    if (method.getName().equals("apply")) {
                        HasMetadata applied = (HasMetadata) answer;
                        seen(applied);
                        readBack(context, applied);
                    } else if (method.getName().equals("find")) {
                        ((Optional<?>) answer).ifPresent(found -> seen((HasMetadata) found));
                    }
                    return answer;
                });
    }

    private void readBack(Context<R> context, HasMetadata applied) {
        Optional<? extends HasMetadata> found =
                context.find(applied.getClass(), applied.getMetadata().getName());
        // Absent is possible: somebody else deleted it, and the cache has heard of that already.
        found.ifPresentOrElse(this::seen, () -> missing(context, applied));
    }

    private void missing(Context<R> context, HasMetadata applied) {
        boolean there = context.client()
                .get(
                        io.homeostat.client.ResourceType.of(applied.getClass()),
                        new ObjectKey(
                                applied.getMetadata().getNamespace(),
                                applied.getMetadata().getName()))
                .filter(live ->
                        live.getMetadata().getUid().equals(applied.getMetadata().getUid()))
                .isPresent();
        boolean stillMissing = context.find(
                        applied.getClass(), applied.getMetadata().getName())
                .isEmpty();
        if (there && stillMissing) {
            broken.add(nameOf(applied) + " was applied, is there, and the cache does not show it");
        }
    }

    private static String nameOf(HasMetadata object) {
        return object.getKind() + " " + object.getMetadata().getName();
    }

    private static Object call(Object target, Method method, Object[] arguments) throws Throwable {
        try {
            return method.invoke(target, arguments);
        } catch (InvocationTargetException e) {
            throw e.getCause();
        }
    }

    /** A list for broken promises. */
    static List<String> ledger() {
        return new ArrayList<>();
    }
}
