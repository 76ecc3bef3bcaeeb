package io.homeostat.reconciler;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.core.Experimental;

/**
 * Tells people what happened to the reconciled object, as Kubernetes Events ({@code events.k8s.io/v1}, KEP-383):
 * {@code kubectl describe} and {@code kubectl get events} show them. Events are for people: they are lost without harm, the server
 * keeps them for an hour, and nothing may be decided by them.
 *
 * <p><b>Order.</b> None is promised. <b>Threads.</b> Any; no call blocks or throws, also after the reconcile has returned.
 * <b>Memory.</b> Bounded; what repeats is counted in one object ({@code series}), told at growing intervals of 10 seconds to 10
 * minutes. An object may have 25 different events at once and one more every 5 minutes, as in client-go; what exceeds that is lost.
 * <b>Failure.</b> An event that cannot be sent is tried again for some minutes, then lost: counted
 * ({@code homeostat_events_lost_total}) and logged, never thrown. None is sent past a closed write gate.
 *
 * <p>The operator needs the rights {@code create} and {@code patch} on {@code events.events.k8s.io}.
 */
@Experimental
public interface Events {
    /** Whether something is wrong. */
    enum Type {
        /** Information. */
        NORMAL,
        /** Something that may need somebody. */
        WARNING
    }

    /** Records an event of type {@code Normal} with the action {@code Reconcile}. See {@link #record(Type, String, String, String)}. */
    default void normal(String reason, String note) {
        record(Type.NORMAL, reason, "Reconcile", note);
    }

    /** Records an event of type {@code Warning} with the action {@code Reconcile}. See {@link #record(Type, String, String, String)}. */
    default void warning(String reason, String note) {
        record(Type.WARNING, reason, "Reconcile", note);
    }

    /**
     * Records an event. One that says the same of the same object is a repeat, and counted.
     *
     * @param reason why, for machines: one word in UpperCamelCase, up to 128 bytes; the rest is cut off
     * @param action what was done or tried: one word in UpperCamelCase, up to 128 bytes
     * @param note for people, up to 1024 bytes. No secrets: whoever may read events reads it
     */
    void record(Type type, String reason, String action, String note);

    /**
     * Records an event that has to do with another object too.
     *
     * @param related with name, and namespace and UID where it has them
     */
    void record(Type type, String reason, String action, String note, HasMetadata related);
}
