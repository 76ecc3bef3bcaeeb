package io.homeostat.informer;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.client.ApiClient;
import io.homeostat.client.DroppedPaths;
import io.homeostat.client.ResourceType;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Experimental;
import io.homeostat.core.Metrics;
import io.homeostat.core.Registration;
import java.time.Duration;
import java.util.List;
import java.util.Set;

/**
 * The caches of one process and one cluster: one per identity (D29), shared by reference count.
 *
 * <p><b>Failure.</b> Caches outlive whatever a server or a network does. After an error of the Java VM (no memory) they list anew and
 * tell handlers what could not be told, as far as that is possible; but then nothing of a process is certain. An operator ends by
 * itself (D35): who holds caches without one should end the process when {@link EngineRuntime#onFatal} tells of such an error.
 */
@Experimental
public interface SharedInformers extends Registration {
    /** The caches over this client; they see its writes (D10). */
    static SharedInformers over(EngineRuntime runtime, ApiClient client) {
        return over(runtime, client, Metrics.NONE);
    }

    /**
     * The same, with figures.
     *
     * @param metrics gets those of client-go ({@code reflector_…}, {@code informer_…}) and {@code homeostat_informer_…}, each with the
     *     informer's name, group, version and resource; what is closed takes its figures along
     */
    static SharedInformers over(EngineRuntime runtime, ApiClient client, Metrics metrics) {
        return new InformerRegistry(runtime, client, metrics);
    }

    /**
     * A hold on the cache of {@code type}; the first one starts it at once. A cache of a type that shows metadata only ({@link
     * ResourceType#metadataOnly}) is another one than that of whole objects: the server sends it no more than metadata.
     *
     * @param namespace one namespace, {@code ""} for all
     */
    <T extends HasMetadata> SharedInformer<T> informer(ResourceType<T> type, String namespace);

    /** A hold on the cache of some of the objects. */
    <T extends HasMetadata> SharedInformer<T> informer(ResourceType<T> type, String namespace, Selection selection);

    /** A hold on the cache of the objects that match a label selector; {@code ""} for all. */
    default <T extends HasMetadata> SharedInformer<T> informer(
            ResourceType<T> type, String namespace, String labelSelector) {
        return informer(type, namespace, Selection.all().withLabels(labelSelector));
    }

    /**
     * A hold on several namespaces as one cache; more come, and some go, while it is held.
     *
     * @param namespaces may be empty at first
     * @param selection of the objects in each
     * @throws IllegalArgumentException when the type is cluster-scoped, or a namespace {@code ""}
     */
    <T extends HasMetadata> NamespacedInformer<T> informer(
            ResourceType<T> type, Set<String> namespaces, Selection selection);

    /**
     * A hold on several namespaces as one cache; more come, and some go, while it is held.
     *
     * @param labelSelector {@code ""} for all objects of them
     * @throws IllegalArgumentException when the type is cluster-scoped, or a namespace {@code ""}
     */
    default <T extends HasMetadata> NamespacedInformer<T> informer(
            ResourceType<T> type, Set<String> namespaces, String labelSelector) {
        return informer(type, namespaces, Selection.all().withLabels(labelSelector));
    }

    /**
     * The same caches, but those that are asked for through what this gives keep nothing of these paths, whichever way an object comes:
     * list, watch, single reads, the answers of own writes. A cache with other dropped paths is another one, with a watch of its own. What
     * handlers are told does not depend on it: a change of nothing but a dropped part is told, too.
     *
     * <p>Objects of such caches are for reading: {@link DroppedPaths} says what becomes of one that is written.
     *
     * @return a view; closing it closes all
     */
    SharedInformers dropping(DroppedPaths paths);

    /**
     * How caches of {@code type} keep their objects, for all who hold one: {@link StorePolicy#LAZY} unless this is called.
     *
     * @throws IllegalStateException when there is a cache of that type already
     */
    void store(ResourceType<?> type, StorePolicy policy);

    /**
     * Compares each cache with the server every so often: a net under all the others, for changes that were lost without a trace on their
     * way. What differs in two looks is logged, counted ({@code homeostat_informer_audit_differences_total}), and the cache is listed
     * anew. A look is a list at exactly the cache's version ({@code resourceVersionMatch=Exact}), in pages; a server that no longer has
     * that version is asked again in its time. Off unless this is called: it costs a list of everything each time.
     *
     * @param interval from one look to the next, give or take a half; zero ends it
     * @throws IllegalArgumentException when it is negative
     */
    void auditEvery(Duration interval);

    /** What each informer that somebody holds is doing, in the order they were asked for first. */
    List<InformerState> states();
}
