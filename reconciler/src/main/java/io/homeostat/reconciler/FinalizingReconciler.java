package io.homeostat.reconciler;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.core.Experimental;

/**
 * A {@link Reconciler} with something to clean up that garbage collection does not reach: an account elsewhere, a bucket, objects in
 * other namespaces.
 *
 * <p>The engine puts a finalizer on an object before its first {@code reconcile}, so that it cannot go unnoticed, and takes it off
 * after {@code cleanup} returned {@link Result#done()}. The operator needs the right to {@code patch} the objects.
 *
 * <p><b>Order.</b> Once an object is being deleted it is not reconciled any more, only cleaned up; both never run at the same time
 * for one object. <b>Failure.</b> {@code cleanup} is repeated until it returns {@code done()}, after a crash and after a conflict with
 * another writer too, so each step must be safe to repeat and take what is gone already for done. An object that cannot be decoded is
 * not cleaned up, and stays, until its next version. A finalizer that another operator or an earlier one left behind is not touched.
 */
@Experimental
public interface FinalizingReconciler<R extends HasMetadata> extends Reconciler<R> {
    /**
     * Removes what was made for {@code resource}, which is being deleted.
     *
     * @param resource a private copy at its newest known version; {@code metadata.deletionTimestamp} is set
     * @return {@code done()} when nothing is left; {@code requeueAfter} or {@code retry} to look again; {@code failed} leaves the
     *     object as it is until it changes
     * @throws Exception anything; a retry that counts as an error
     */
    Result cleanup(R resource, Context<R> context) throws Exception;
}
