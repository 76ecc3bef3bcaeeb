package io.homeostat.reconciler;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.client.ResourceType;
import io.homeostat.core.Registration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/** The caches one controller declared, by the class they were declared with. Filled before the controller starts, then read. */
final class Sources implements Registration {
    private final String controller;
    private final Map<Class<?>, Source<?>> byClass = new LinkedHashMap<>(); // filled before any task runs
    private final List<Class<?>> owned = new ArrayList<>(); // filled before any task runs

    Sources(String controller) {
        this.controller = controller;
    }

    /** The first is that of the reconciled objects. */
    <X extends HasMetadata> void add(Source<X> source) {
        byClass.put(source.type().objectClass(), source);
    }

    <X extends HasMetadata> void addOwned(Source<X> source) {
        add(source);
        owned.add(source.type().objectClass());
    }

    /** The cache of a declared type. */
    <X extends HasMetadata> Source<X> source(Class<X> type) {
        return typed(
                type,
                byClass.get(type),
                "owns(" + type.getSimpleName() + ".class) or watches(" + type.getSimpleName() + ".class, …)");
    }

    <R extends HasMetadata> Source<R> primary(ResourceType<R> type) {
        return source(type.objectClass());
    }

    /** The cache of the type of an object to apply. */
    <X extends HasMetadata> Source<X> owned(X object) {
        Class<X> type = classOf(object);
        return typed(type, owned.contains(type) ? byClass.get(type) : null, "owns(" + type.getSimpleName() + ".class)");
    }

    ResourceType<?> typeOf(HasMetadata object) {
        Source<?> source = byClass.get(object.getClass());
        return source == null ? ResourceType.of(classOf(object)) : source.type();
    }

    @SuppressWarnings("unchecked") // the class of an X, as far as reflection can say
    private static <X extends HasMetadata> Class<X> classOf(X object) {
        return (Class<X>) object.getClass();
    }

    @SuppressWarnings("unchecked") // a source is filed under the class of its objects
    private <X extends HasMetadata> Source<X> typed(
            Class<X> type, @org.jspecify.annotations.Nullable Source<?> source, String fix) {
        if (source == null) {
            throw new IllegalArgumentException("Controller " + controller + " has no cache of " + type.getSimpleName()
                    + "; declare it with " + fix);
        }
        return (Source<X>) source;
    }

    /**
     * Fills what is not by namespace. The reconciled objects come last, so that what they are made of is on its way already.
     *
     * @return completes when every source's own handlers have processed its initial objects (P-R3)
     */
    CompletionStage<Void> openEverywhere() {
        return open(false, "");
    }

    /** The same for one namespace, of what is by namespace. */
    CompletionStage<Void> open(String namespace) {
        return open(true, namespace);
    }

    private CompletionStage<Void> open(boolean byNamespace, String namespace) {
        List<Source<?>> last = new ArrayList<>(byClass.values());
        Collections.reverse(last);
        CompletionStage<Void> all = CompletableFuture.completedFuture(null);
        for (Source<?> source : last) {
            if (source.isByNamespace() == byNamespace) {
                all = all.thenCombine(source.open(namespace), (a, b) -> null);
            }
        }
        return all;
    }

    /** Lets go of a namespace; the reconciled objects first. */
    void close(String namespace) {
        for (Source<?> source : byClass.values()) {
            if (source.isByNamespace()) {
                source.close(namespace);
            }
        }
    }

    /** The caches that are not filled, for people. */
    List<String> missing() {
        return byClass.values().stream()
                .flatMap(source -> source.missing().stream())
                .toList();
    }

    @Override
    public void close() {
        byClass.values().forEach(Source::close);
    }
}
