package io.homeostat.informer;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.core.Experimental;
import java.util.Set;
import java.util.concurrent.CompletionStage;

/**
 * Several namespaces as one cache. Each is a list and a watch of its own, shared with everybody else who caches that namespace (D29), so
 * that rights in these namespaces are all it takes.
 *
 * <p><b>Order.</b> As of a {@link SharedInformer}, namespace by namespace; between namespaces there is none, as there is none between objects.
 * A snapshot holds one state of each. Its {@link Snapshot#resourceVersion} is {@code ""} unless there is exactly one namespace, its
 * {@link Snapshot#epoch} the sum. <b>Threads.</b> Any. <b>Memory.</b> That of the caches. <b>Failure.</b> {@link #state} is that of the
 * namespace that is worst off.
 */
@Experimental
public interface NamespacedInformer<T extends HasMetadata> extends SharedInformer<T> {
    /** The namespaces, in their order. */
    Set<String> namespaces();

    /**
     * Caches one more namespace: handlers get an add for every object in it, readers see it as it comes, indexes cover it.
     *
     * @return completes when the cache of the namespace has been complete once; fails when the namespace is removed, or this hold
     *     closed, before
     * @throws IllegalArgumentException when it is {@code ""}
     */
    CompletionStage<Void> add(String namespace);

    /**
     * Lets go of a namespace: readers do not see its objects any more, and handlers get a delete, with the last known state, for each they
     * were told of.
     *
     * @return completes when those deletes wait with the handlers; at once when the namespace is not cached
     */
    CompletionStage<Void> remove(String namespace);
}
