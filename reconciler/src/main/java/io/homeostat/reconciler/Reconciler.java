package io.homeostat.reconciler;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.core.Stable;

/**
 * Makes the cluster what one object asks for. The heart of an operator, and the part its author writes.
 *
 * <p>A call looks at everything anew: which events led to it, or how many, is not known and must not matter. It may come at any
 * time, after a crash in the middle of an earlier one too, so each step must be safe to repeat.
 *
 * <p><b>Order.</b> One call at a time for one object; calls for different objects run at the same time, on up to
 * {@link ControllerSpec#workers} threads. <b>Threads.</b> The call may block. Past {@link ControllerSpec#deadline} its thread is
 * interrupted. <b>Failure.</b> Whatever it throws is caught and leads to another call after a growing wait, for ever.
 *
 * <p>An object that is being deleted is not reconciled: its owned objects go by garbage collection. Where more is to be done, see
 * {@link FinalizingReconciler}.
 */
@Stable
@FunctionalInterface
public interface Reconciler<R extends HasMetadata> {
    /**
     * Looks at {@code resource} and does what is needed.
     *
     * @param resource a private copy at its newest known version; changing it changes nothing in the cluster
     * @param context what may be read and done, until this call returns
     * @return never null
     * @throws Exception anything; a retry that counts as an error
     */
    Result reconcile(R resource, Context<R> context) throws Exception;
}
