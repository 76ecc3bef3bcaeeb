package io.homeostat.informer;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.client.ResourceType;
import io.homeostat.core.Experimental;
import io.homeostat.core.Registration;
import java.util.concurrent.CompletionStage;

/**
 * A user's hold on a shared cache of one resource. Closing it removes this user's handlers; the last close ends the cache.
 *
 * <p><b>Order.</b> A read never shows less than any handler has been told. <b>Threads.</b> Any. <b>Memory.</b> Bytes and metadata
 * of each object once, however many users. <b>Failure.</b> Never gives up: {@link #state} says what is wrong.
 */
@Experimental
public interface SharedInformer<T extends HasMetadata> extends Registration {
    /** The resource. */
    ResourceType<T> type();

    /** The present state of the cache. Empty before {@link #synced}: ask first. */
    Snapshot<T> snapshot();

    /** Reads of whatever the present state is, call by call; several that must agree belong on one {@link #snapshot}. */
    Lister<T> lister();

    /**
     * Keeps {@code index} up to date until the registration, or this hold, is closed. Any time; readers never wait for it.
     */
    IndexRegistration addIndex(Index<T> index);

    /** An index that was added. Closing removes it, unless others added the same one. */
    @Experimental
    interface IndexRegistration extends Registration {
        /** Completes when it is made of all there is; fails when it is closed before. */
        CompletionStage<Void> built();
    }

    /** Completes when the cache has been complete once; never fails except by {@link #close}. */
    CompletionStage<Void> synced();

    /** What the informer is doing. */
    InformerState state();

    /**
     * Calls {@code listener} on each change of {@link InformerState#phase} and {@link InformerState#quarantine}, on an engine lane: it
     * must be quick. What it throws is logged.
     */
    Registration onStateChange(java.util.function.Consumer<InformerState> listener);

    /**
     * Adds a handler; it gets an add for every object there is (P-C5), then every change.
     *
     * @param name for threads, logs and metrics
     */
    HandlerRegistration addHandler(String name, ResourceEventHandler<T> handler);

    /** A handler that was added. Closing removes it: no new call begins after {@code close} returns on its lane. */
    @Experimental
    interface HandlerRegistration extends Registration {
        /** Completes when the handler has processed every initial object, also if it threw (P-C4). */
        CompletionStage<Void> synced();
    }
}
