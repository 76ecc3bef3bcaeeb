package io.homeostat.reconciler;

import io.homeostat.core.Spi;

/**
 * Told of each reconcile that ended.
 *
 * <p><b>Order.</b> Per key in order, before the key's next reconcile; between keys none. <b>Threads.</b> The thread of the
 * reconcile, which it holds up. <b>Failure.</b> A throw is caught and logged; it changes nothing.
 */
@Spi
@FunctionalInterface
public interface ReconcileObserver {
    /** A reconcile has ended. */
    void reconciled(Reconciled reconciled);
}
