package io.homeostat.reconciler;

import io.homeostat.core.Experimental;

/**
 * The lower door: reconciles keys of any type, from any sources. {@link Reconciler} is built on it.
 *
 * <p>What is said of {@link Reconciler} holds here, but that the engine knows no object for a key: {@link Result#failed} waits for
 * the next event that maps to the key.
 *
 * @param <K> the key; {@code equals} and {@code hashCode} must be quick and pure
 */
@Experimental
@FunctionalInterface
public interface KeyReconciler<K> {
    /**
     * Looks at {@code key} and does what is needed.
     *
     * @return never null
     * @throws Exception anything; a retry that counts as an error
     */
    Result reconcile(K key, KeyContext<K> context) throws Exception;
}
