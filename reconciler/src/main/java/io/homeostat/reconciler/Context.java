package io.homeostat.reconciler;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.client.ApiException;
import io.homeostat.client.ObjectKey;
import io.homeostat.core.Stable;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * What the reconcile of one object may read and do. Reads are answered from caches, with this operator's own writes visible at
 * once; writes go to the server, and none is sent twice.
 *
 * <p><b>Threads.</b> Any thread, until {@code reconcile} returns; then what reads or writes throws {@link
 * IllegalStateException}.
 * <b>Failure.</b> {@link ApiException} and {@link CacheNotReady} are best left to pass: conflicts, lost answers and unready caches
 * are quiet retries, a {@code Retry-After} is kept.
 *
 * @param <R> the type of the reconciled object
 */
@Stable
public interface Context<R extends HasMetadata> extends KeyContext<ObjectKey> {
    /**
     * Makes an owned object what {@code desired} says, by server-side apply (KEP-555) with the operator's name as field manager.
     * Name only the fields that matter; others keep what they have.
     *
     * <p>The namespace is that of the reconciled object when {@code desired} names none, and a controller owner reference to it is
     * added. Nothing is sent when this process applied the same before and the object is unchanged since, its status aside
     * (D5). An object that is there already and is not ours is refused (D33): the first apply of an object looks at it live. A refusal
     * is said in an event of the reconciled object, and, when it is a custom resource whose status class has {@code conditions}, in the
     * conditions {@code Stalled=True} and, unless this reconcile updates the status itself, {@code Ready=False}, both with reason
     * {@code ForeignObject}. They go with the first reconcile that is refused nothing. The object is reconciled again as soon as what
     * was refused is gone or has other owners. What a deleted object of the same kind and name owned, and the garbage collector has yet
     * to take, is waited for quietly for up to a minute, and refused then.
     *
     * @param desired of a type the controller {@link ControllerSpec#owns owns}; not changed
     * @return the newest state known, also when nothing was sent; shared and read-only
     * @throws ForeignObject when an object of that name is there and belongs to somebody else
     * @throws CacheNotReady when the reconciled object is gone or new, and the caches or the garbage collector are behind; let it pass
     * @throws IllegalArgumentException when the type is not owned, or the object cannot be owned from here: another namespace
     */
    <X extends HasMetadata> X apply(X desired);

    /**
     * Deletes an object, its dependents in the background. An object that is gone already is no error.
     *
     * @param object with a UID, as read: only that very object is deleted; without one, whatever has its name
     * @throws IllegalArgumentException when it has no name
     */
    void delete(HasMetadata object);

    /**
     * Changes the status of the reconciled object: {@code change} gets the status of a fresh copy, and what it changed is sent as a
     * merge patch, valid only for the version it was made for (D34). Fields the class does not know survive. Nothing is sent
     * when nothing changed. It does not bring the object back by itself (D22).
     *
     * <p>Java cannot infer the type of the status: name it, {@code updateStatus((MyStatus status) -> …)}.
     *
     * @param <S> what {@code getStatus()} of the reconciled class returns
     * @throws ApiException.Conflict when the object changed meanwhile; let it pass: a quiet retry
     * @throws IllegalArgumentException when the class has no status, or {@code change} takes another type
     */
    <S> void updateStatus(Consumer<S> change);

    /**
     * The objects of a type that have an owner reference to the reconciled object, in the order of their keys. Shared and
     * read-only.
     *
     * @throws IllegalArgumentException when the controller neither owns nor watches the type
     * @throws CacheNotReady when the cache cannot answer; let it pass: a quiet retry
     */
    <X extends HasMetadata> List<X> owned(Class<X> type);

    /**
     * The cached object of that name in the namespace of the reconciled object (or in none, for a cluster-scoped type). Shared
     * and read-only. See {@link #find(Class, ObjectKey)}.
     */
    <X extends HasMetadata> Optional<X> find(Class<X> type, String name);

    /** Reads from the server, of any type, past the caches: for what must not be decided by a cache that may be behind. */
    LiveReads live();

    /** Tells people what happened to the reconciled object, as Kubernetes Events. What it gives may be kept and used after the reconcile. */
    Events events();
}
