package io.homeostat.reconciler;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.OwnerReference;
import io.homeostat.client.ApiClient;
import io.homeostat.client.ApiException;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.OwnerRef;
import io.homeostat.client.RawObject;
import io.homeostat.client.RequestBodies;
import io.homeostat.client.ResourceType;
import io.homeostat.client.ResourceVersions;
import io.homeostat.core.EngineRuntime;
import io.homeostat.informer.CachedObject;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * What this process applied for one primary of one UID: tells whether an apply is needed (D5) and whether an object may be touched
 * (D33).
 *
 * <pre>
 *   not known here ── looked at live: absent or ours ──► applied ──► known (uid, hash, fingerprint)
 *        ▲                  │ foreign: refused                          │ same hash, UID and fingerprint: nothing sent
 *        └──────────────────┴──── gone, another UID, unknown outcome ◄──┘ else: applied with its UID
 * </pre>
 *
 * <p><b>Threads.</b> The holder of the primary's key; the map also allows user code with threads of its own. <b>Memory.</b> Two
 * hashes and a UID per child; goes with the child, and with the primary. <b>Failure.</b> An apply whose outcome is not known is forgotten, so that
 * the next one looks first.
 */
final class Children {
    /** Which child. */
    private record ChildKey(ResourceType<?> type, ObjectKey key) {}

    /** What is known of a child that was applied. */
    private record Known(String uid, byte[] hash, long fingerprint) {}

    /** How an apply ended. */
    record Applied<X>(X object, Effect effect) {
        enum Effect {
            SKIPPED,
            UNCHANGED,
            CHANGED
        }
    }

    final String primaryUid;
    private volatile boolean statusKept; // set by the key's holder, read by the primary's handler
    private volatile boolean statusInDoubt; // of the key's holder, which may use several threads
    private volatile boolean echoExpected; // set by the key's holder, taken by the primary's handler
    private volatile boolean primaryGone; // set once, by whoever finds out; read by the key's holder
    private volatile boolean
            someLost; // children went that were known here, and nobody has looked whether the primary did
    private final Map<ChildKey, Known> known = new ConcurrentHashMap<>(); // never iterated

    /** When what a predecessor left was first in the way. */
    private final Map<ChildKey, Long> leftBehind = new ConcurrentHashMap<>(); // never iterated

    /** How long the garbage collector may take before what is in its hands is somebody else's after all. */
    static final Duration COLLECTING = Duration.ofMinutes(1);

    Children(String primaryUid) {
        this.primaryUid = primaryUid;
    }

    /**
     * A write of the primary's status may have been done or not. Until that is looked up, the cached status is no base for another;
     * and its echo, whenever it comes, is a change to act on though it is our own.
     */
    void doubtStatus() {
        statusInDoubt = true;
        echoExpected = true;
    }

    /** The reconciler keeps a status, so that there is a subresource for it, and only what is wanted moves the generation. */
    void statusIsKept() {
        statusKept = true;
    }

    boolean isStatusKept() {
        return statusKept;
    }

    void statusLookedUp() {
        statusInDoubt = false;
    }

    boolean isStatusInDoubt() {
        return statusInDoubt;
    }

    /** Whether a change of the status may be the echo of a write in doubt; true once for each {@link #doubtStatus}. */
    boolean takeEcho() {
        boolean expected = echoExpected;
        echoExpected = false;
        return expected;
    }

    /** The server says that the primary is gone, which its cache will learn. Nothing is done for it any more. */
    void primaryIsGone() {
        primaryGone = true;
    }

    boolean isPrimaryGone() {
        return primaryGone;
    }

    /** A child is gone, of that UID. */
    void forget(ResourceType<?> type, ObjectKey key, String uid) {
        known.computeIfPresent(new ChildKey(type, key), (child, was) -> {
            if (!was.uid.equals(uid)) {
                return was;
            }
            someLost = true;
            return null;
        });
    }

    /** How many children are remembered. */
    int size() {
        return known.size();
    }

    /**
     * Applies {@code desired}.
     *
     * @param cached what the cache has, own writes included
     * @param owner the reference to the primary
     */
    <X extends HasMetadata> Applied<X> apply(
            Writer writer,
            ResourceType<X> type,
            ObjectKey key,
            X desired,
            Optional<CachedObject<X>> cached,
            OwnerReference owner) {
        byte[] encoded = writer.client.encode(desired);
        byte[] body = RequestBodies.applied(encoded, key.namespace(), owner, "");
        byte[] hash = sha256(body);
        ChildKey child = new ChildKey(type, key);
        Known before = known.get(child);
        CachedObject<X> present = cached.orElse(null);
        boolean sameObject =
                before != null && present != null && present.raw().uid().equals(before.uid);
        if (before != null && present != null && sameObject) {
            if (Arrays.equals(before.hash, hash) && present.raw().fingerprint() == before.fingerprint) {
                return new Applied<>(present.object(), Applied.Effect.SKIPPED);
            }
            refuseOtherController(writer, child, present.raw(), owner);
        }
        String uid;
        String versionBefore;
        if (before != null && present != null && sameObject) {
            uid = before.uid;
            versionBefore = present.raw().resourceVersion();
        } else {
            if (before != null || someLost) {
                requirePrimary(writer);
            }
            known.remove(child);
            RawObject live = lookLive(writer, child, owner);
            uid = live == null ? "" : live.uid();
            versionBefore = live == null ? "" : live.resourceVersion();
        }
        RawObject answer = send(
                writer, child, uid, uid.isEmpty() ? body : RequestBodies.applied(encoded, key.namespace(), owner, uid));
        known.put(child, new Known(answer.uid(), hash, answer.fingerprint()));
        leftBehind.remove(child);
        boolean unchanged = answer.uid().equals(uid) && answer.resourceVersion().equals(versionBefore);
        return new Applied<>(
                freshest(writer, type, key, answer), unchanged ? Applied.Effect.UNCHANGED : Applied.Effect.CHANGED);
    }

    /** Something was there and is not: deleted by somebody, or collected because the primary is gone. */
    private void requirePrimary(Writer writer) {
        someLost = false; // before it is looked: what goes afterwards is looked for again
        try {
            writer.requirePrimary.run();
        } catch (Throwable unknown) {
            someLost = true;
            throw unknown;
        }
    }

    private RawObject send(Writer writer, ChildKey child, String uid, byte[] body) {
        try {
            return writer.await(() -> writer.client.apply(
                    child.type,
                    child.key,
                    "",
                    new ApiClient.Apply(writer.fieldManager, ApiClient.Apply.Force.YES),
                    body));
        } catch (ApiException.Invalid invalid) {
            known.remove(child);
            boolean replaced = !uid.isEmpty()
                    && invalid.answer().causes().stream()
                            .anyMatch(cause -> cause.field().equals("metadata.uid"));
            if (replaced) {
                throw new CacheNotReady(
                        child.type.kind() + " " + child.key
                                + " was replaced by another object of its name while it was applied; the next attempt looks anew");
            }
            throw invalid;
        } catch (Throwable failed) {
            known.remove(child);
            throw failed;
        }
    }

    /** The first apply of a child looks at it live (D33). Null when it is not there. */
    private @Nullable RawObject lookLive(Writer writer, ChildKey child, OwnerReference us) {
        ResourceType<?> type = child.type;
        ObjectKey key = child.key;
        RawObject live;
        try {
            live = writer.await(() -> writer.client.get(type, key));
        } catch (ApiException.NotFound absent) {
            if (!absent.misses(key.name())) {
                throw absent; // its type is not served just now
            }
            return null;
        }
        refuseOtherController(writer, child, live, us);
        if (live.owners().stream().noneMatch(owner -> owner.uid().equals(primaryUid))) {
            throw new ForeignObject(type.kind() + " " + key
                    + " is there and has no owner reference to the object that is" + " reconciled (UID " + primaryUid
                    + "); it was not touched. Delete or rename it, or add the reference");
        }
        return live;
    }

    private void refuseOtherController(Writer writer, ChildKey child, RawObject present, OwnerReference us) {
        String found = child.type.kind() + " " + child.key;
        for (OwnerRef owner : present.owners()) {
            if (owner.controller() && !owner.uid().equals(primaryUid)) {
                if (isPredecessor(owner, us) && mayStillBeCollected(writer, child)) {
                    throw new CacheNotReady(found + " belongs to an earlier " + us.getKind() + " " + us.getName()
                            + " (UID " + owner.uid() + ") and waits for the garbage collector; it was not touched");
                }
                throw new ForeignObject(found + " is there and controlled by " + owner.kind() + " "
                        + owner.name() + " (UID " + owner.uid() + "), not by the object that is reconciled (UID "
                        + primaryUid + "); it was not touched. Delete or rename one of them");
            }
        }
    }

    /** Whether that owner was what we are, before it was deleted and made anew: a replace. */
    private static boolean isPredecessor(OwnerRef owner, OwnerReference us) {
        int slash = us.getApiVersion().indexOf('/');
        String group = slash < 0 ? "" : us.getApiVersion().substring(0, slash);
        return owner.kind().equals(us.getKind())
                && owner.name().equals(us.getName())
                && owner.group().equals(group);
    }

    private boolean mayStillBeCollected(Writer writer, ChildKey child) {
        long now = writer.runtime.nanos();
        Long since = leftBehind.putIfAbsent(child, now);
        return since == null || now - since < COLLECTING.toNanos();
    }

    /** The answer, or what the cache has when that is newer. */
    private static <X extends HasMetadata> X freshest(
            Writer writer, ResourceType<X> type, ObjectKey key, RawObject answer) {
        CachedObject<X> cached = writer.cached(type, key).orElse(null);
        if (cached != null
                && cached.raw().uid().equals(answer.uid())
                && ResourceVersions.comparable(cached.raw().resourceVersion())
                && ResourceVersions.comparable(answer.resourceVersion())
                && ResourceVersions.compare(cached.raw().resourceVersion(), answer.resourceVersion()) >= 0) {
            return cached.object();
        }
        return writer.cache.asKept(type, answer).decode(type);
    }

    private static byte[] sha256(byte[] bytes) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(bytes);
        } catch (NoSuchAlgorithmException impossible) {
            throw new IllegalStateException("This JVM has no SHA-256, which every JVM must have", impossible);
        }
    }

    /** How children reach the server and the cache. */
    interface Cached {
        <X extends HasMetadata> Optional<CachedObject<X>> get(ResourceType<X> type, ObjectKey key);

        /** What the cache keeps of an answer of the server. */
        <X extends HasMetadata> RawObject asKept(ResourceType<X> type, RawObject answer);
    }

    /**
     * What an apply needs of its surroundings.
     *
     * @param requirePrimary throws when the server does not have the primary any more
     * @param requireRunning throws when the reconcile is over: asked before each request, since one that was left behind may be in
     *     the middle of several
     */
    record Writer(
            EngineRuntime runtime,
            ApiClient client,
            String fieldManager,
            Cached cache,
            Runnable requirePrimary,
            Runnable requireRunning) {
        Writer requiring(Runnable primary) {
            return new Writer(runtime, client, fieldManager, cache, primary, requireRunning);
        }

        Writer during(Runnable running) {
            return new Writer(runtime, client, fieldManager, cache, requirePrimary, running);
        }

        /** Longer than the client's own deadline for a request, which is the one that decides. */
        private static final Duration LONGEST = Duration.ofMinutes(5);

        /** Asks and waits. A thread that is interrupted already finds out before anything is sent. */
        <T extends @Nullable Object> T await(Supplier<CompletionStage<T>> request) {
            runtime.await(CompletableFuture.completedFuture(LONGEST), Duration.ZERO);
            requireRunning.run();
            return runtime.await(request.get(), LONGEST);
        }

        <X extends HasMetadata> Optional<CachedObject<X>> cached(ResourceType<X> type, ObjectKey key) {
            return cache.get(type, key);
        }
    }
}
