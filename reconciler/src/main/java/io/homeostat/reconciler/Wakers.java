package io.homeostat.reconciler;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.OwnerRef;
import io.homeostat.client.RawObject;
import io.homeostat.client.ResourceType;
import io.homeostat.core.Metrics;
import io.homeostat.informer.CachedObject;
import io.homeostat.informer.ResourceEventHandler;
import io.homeostat.workqueue.Priority;
import io.homeostat.workqueue.WorkQueue;
import java.util.Collection;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/** The event handlers of a controller: each turns a change of a cache into keys of a queue. They run on user lanes. */
final class Wakers {
    private Wakers() {}

    /** What happened, for people: {@code Deployment/sample modified}. */
    private static String cause(ResourceType<?> type, CachedObject<?> object, String what) {
        return type.kind() + "/" + object.key().name() + " " + what;
    }

    /** Counts throws of the mappers of a type. */
    static Metrics.Counter failures(Metrics metrics, String controller, ResourceType<?> type) {
        return metrics.counter("homeostat_mapper_failures_total", "controller", controller, "resource", type.plural());
    }

    private static Priority priority(ResourceEventHandler.Phase phase) {
        return phase == ResourceEventHandler.Phase.INITIAL ? Priority.BACKGROUND : Priority.NORMAL;
    }

    /** Whether at most status, versions and managed fields differ. */
    private static boolean sameButStatus(RawObject before, RawObject after) {
        return before.fingerprint() == after.fingerprint();
    }

    /**
     * The reconciled objects themselves: anything but a change of only the status (D22). A new generation forgets failures (D8).
     *
     * @param countsGenerations whether only what is wanted moves the generation of that object; without a status subresource a status moves
     *     it, too. Where it does, another generation with the same wants is one that came and went while no watch told of it: nothing is to
     *     be done, but to say in the status that it was seen
     * @param despite why a change of only the status is to be looked at all the same, in a word or two; null when it is not
     * @param gone told of each object that is gone
     */
    record OfPrimary<R extends HasMetadata>(
            ResourceType<R> type,
            WorkQueue<ObjectKey> queue,
            Predicate<ObjectKey> countsGenerations,
            Function<CachedObject<R>, @Nullable String> despite,
            Consumer<CachedObject<R>> gone)
            implements ResourceEventHandler<R> {
        @Override
        public void onAdd(CachedObject<R> object, Phase phase, Merged<R> merged) {
            queue.forget(object.key());
            queue.add(object.key(), cause(type, object, "added"), priority(phase));
        }

        @Override
        public void onUpdate(CachedObject<R> before, CachedObject<R> after, Merged<R> merged) {
            boolean same = sameButStatus(before.raw(), after.raw())
                    && (before.raw().generation() == after.raw().generation() || !countsGenerations.test(after.key()));
            if (same && merged.versions() <= 1) {
                String why = despite.apply(after);
                if (why != null) {
                    queue.add(after.key(), cause(type, after, why));
                }
                return;
            }
            boolean changed = !same
                    && (after.raw().generation() == 0
                            || before.raw().generation() != after.raw().generation());
            if (changed) {
                queue.forget(after.key());
            }
            boolean deletion =
                    before.raw().deletionTimestamp() == null && after.raw().deletionTimestamp() != null;
            queue.add(after.key(), cause(type, after, deletion ? "deleting" : "modified"));
        }

        @Override
        public void onDelete(CachedObject<R> lastKnown, Merged<R> merged) {
            queue.forget(lastKnown.key());
            gone.accept(lastKnown);
        }
    }

    /**
     * Owned objects: their controller owners of one kind, those of merged versions included (D7), and whoever was refused the object
     * (D33), when it is gone or has other owners.
     *
     * @param ended told, for each owner, of an object that is gone
     */
    record OfOwner<R extends HasMetadata, X extends HasMetadata>(
            ResourceType<R> owner, ResourceType<X> type, WorkQueue<ObjectKey> queue, Refusals refusals, Ended ended)
            implements ResourceEventHandler<X> {
        /** Told of an owned object that is gone. */
        @FunctionalInterface
        interface Ended {
            void ended(ObjectKey owner, String ownerUid, ResourceType<?> type, RawObject object);
        }

        @Override
        public void onAdd(CachedObject<X> object, Phase phase, Merged<X> merged) {
            wake(object, merged, "added", priority(phase));
        }

        @Override
        public void onUpdate(CachedObject<X> before, CachedObject<X> after, Merged<X> merged) {
            wake(after, merged, "modified", Priority.NORMAL);
            if (merged.versions() > 1
                    || !before.raw().owners().equals(after.raw().owners())) {
                wakeRefused(after, "has other owners");
            }
        }

        @Override
        public void onDelete(CachedObject<X> lastKnown, Merged<X> merged) {
            for (OwnerRef reference : merged.owners()) {
                if (isOurs(reference)) {
                    ended.ended(keyOf(reference, lastKnown), reference.uid(), type, lastKnown.raw());
                }
            }
            wake(lastKnown, merged, "deleted", Priority.NORMAL);
            wakeRefused(lastKnown, "deleted");
        }

        private void wakeRefused(CachedObject<X> object, String what) {
            for (ObjectKey primary : refusals.take(type, object.key())) {
                queue.add(primary, cause(type, object, what));
            }
        }

        private void wake(CachedObject<X> object, Merged<X> merged, String what, Priority priority) {
            for (OwnerRef reference : merged.owners()) {
                if (isOurs(reference)) {
                    queue.add(keyOf(reference, object), cause(type, object, what), priority);
                }
            }
        }

        private boolean isOurs(OwnerRef reference) {
            return reference.controller()
                    && reference.kind().equals(owner.kind())
                    && reference.group().equals(owner.group());
        }

        private ObjectKey keyOf(OwnerRef reference, CachedObject<X> object) {
            boolean clusterScoped = owner.scope() == ResourceType.Scope.CLUSTER;
            return new ObjectKey(clusterScoped ? "" : object.key().namespace(), reference.name());
        }
    }

    /**
     * Watched objects, through a function of the user's. When it throws, when the object cannot be read, or versions were lost to it
     * by merging, everything that could be meant is looked at: a wake-up is never lost (D7, P-R1).
     *
     * @param sweep looks at everything that this source may concern
     */
    record OfMapper<X extends HasMetadata, K>(
            ResourceType<X> type, WorkQueue<K> queue, Function<? super X, ? extends Collection<K>> mapper, Sweep sweep)
            implements ResourceEventHandler<X> {
        @Override
        public void onAdd(CachedObject<X> object, Phase phase, Merged<X> merged) {
            String cause = cause(type, object, "added");
            wake(object, cause, priority(phase));
            wakeBetween(merged, cause);
        }

        @Override
        public void onUpdate(CachedObject<X> before, CachedObject<X> after, Merged<X> merged) {
            String cause = cause(type, after, "modified");
            wake(before, cause, Priority.NORMAL);
            wakeBetween(merged, cause);
            wake(after, cause, Priority.NORMAL);
        }

        @Override
        public void onDelete(CachedObject<X> lastKnown, Merged<X> merged) {
            String cause = cause(type, lastKnown, "deleted");
            wake(lastKnown, cause, Priority.NORMAL);
            wakeBetween(merged, cause);
        }

        private void wakeBetween(Merged<X> merged, String cause) {
            for (CachedObject<X> version : merged.between()) {
                wake(version, cause, Priority.NORMAL);
            }
            if (merged.complete() == Merged.Completeness.SOME) {
                sweep.versionsMissed(cause);
            }
        }

        private void wake(CachedObject<X> cached, String cause, Priority priority) {
            X object;
            try {
                object = cached.object();
            } catch (Throwable thrown) {
                sweep.unreadable(cached.key(), cause, thrown);
                if (Outcome.isFatal(thrown)) {
                    throw thrown;
                }
                return;
            }
            try {
                // Copied: what is lazy, or holds null, shows here and not half way.
                for (K key : List.copyOf(mapper.apply(object))) {
                    queue.add(key, cause, priority);
                }
            } catch (Throwable thrown) {
                sweep.mapperThrew(cached.key(), cause, thrown);
                if (Outcome.isFatal(thrown)) {
                    throw thrown;
                }
            }
        }
    }
}
