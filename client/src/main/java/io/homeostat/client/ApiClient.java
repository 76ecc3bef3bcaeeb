package io.homeostat.client;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Experimental;
import io.homeostat.core.Registration;
import io.homeostat.core.Transport;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * Every verb on every type, over one {@link Transport}; asynchronous. {@link #blocking} is the same for user code.
 *
 * <p>Nothing is retried here: a write is sent at most once (P-R5). Every segment of a path is validated first (P-R6).
 */
@Experimental
public interface ApiClient extends Reads {
    /**
     * How a client behaves. Immutable.
     *
     * @param userAgent sent with every request
     * @param requestTimeout the longest wait for the whole answer of a request that is not a stream; default 30 s
     * @param streamTimeout the longest wait for a stream's status line; default 30 s
     * @param gate asked before each write, and again directly before it leaves
     * @param compression whether lists and watches ask for gzip; default on (D24)
     */
    @Experimental
    record Settings(
            String userAgent,
            Duration requestTimeout,
            Duration streamTimeout,
            WriteGate gate,
            Compression compression) {
        /** The defaults, for this user agent. */
        public static Settings of(String userAgent) {
            return new Settings(
                    userAgent, Duration.ofSeconds(30), Duration.ofSeconds(30), WriteGate.OPEN, Compression.GZIP);
        }
    }

    /** Whether answers may be compressed. */
    enum Compression {
        /** Ask for gzip. */
        GZIP,
        /** Ask for plain bytes. */
        NONE
    }

    /** How a PATCH body is meant. */
    enum PatchKind {
        /** RFC 7386, {@code application/merge-patch+json}. */
        MERGE,
        /** RFC 6902, {@code application/json-patch+json}. */
        JSON
    }

    /**
     * A server-side apply (KEP-555).
     *
     * @param fieldManager who owns the fields
     * @param force whether fields of other managers are taken over
     */
    @Experimental
    record Apply(String fieldManager, Force force) {
        /** Whether to take fields over. */
        public enum Force {
            /** Take them. */
            YES,
            /** Fail with {@link ApiException.Conflict}. */
            NO
        }
    }

    /**
     * What must hold for a delete, and how it cascades.
     *
     * @param uid the object must have this UID; {@code ""} for any
     * @param resourceVersion the object must be at this version; {@code ""} for any
     * @param propagation {@code "Background"}, {@code "Foreground"}, {@code "Orphan"}, or {@code ""} for the server's default
     */
    @Experimental
    record Delete(String uid, String resourceVersion, String propagation) {
        /** Whatever is there, dependents in the background. */
        public static final Delete ANY = new Delete("", "", "Background");

        /** Only the object with this UID. */
        public static Delete of(String uid) {
            return new Delete(uid, "", "Background");
        }
    }

    /** A client over {@code transport}. Closing the transport is the caller's. */
    static ApiClient over(EngineRuntime runtime, Transport transport, Settings settings) {
        return new HttpApiClient(runtime, transport, settings);
    }

    /** Creates; the key is the object's own namespace and name (or generateName). */
    CompletionStage<RawObject> create(ResourceType<?> type, ObjectKey key, byte[] json);

    /**
     * Replaces (PUT).
     *
     * @param subresource {@code ""}, {@code "status"}, or another that is answered with the object itself ({@code approval},
     *     {@code ephemeralcontainers}, {@code finalize}, {@code resize}); others are refused with {@link ApiException.BadRequest}
     */
    CompletionStage<RawObject> update(ResourceType<?> type, ObjectKey key, String subresource, byte[] json);

    /** Patches; {@code subresource} as in {@link #update}. */
    CompletionStage<RawObject> patch(
            ResourceType<?> type, ObjectKey key, String subresource, PatchKind kind, byte[] patch);

    /** Applies (server-side apply); {@code subresource} as in {@link #update}. */
    CompletionStage<RawObject> apply(ResourceType<?> type, ObjectKey key, String subresource, Apply how, byte[] json);

    /**
     * Deletes. The object when a finalizer or grace period holds it; null when it is gone. An answer of success that names no object
     * (a 204, an empty body) is checked with a GET: when the object is still there and not on its way, or that cannot be told, the
     * outcome is {@link ApiException.OutcomeUnknown}.
     */
    CompletionStage<@Nullable RawObject> delete(ResourceType<?> type, ObjectKey key, Delete how);

    /** The reads of this client with these paths cut out of each object. Its writes are answered whole: {@link DroppedPaths#cut}. */
    Reads without(DroppedPaths paths);

    /** Lists all pages into memory; each page at the version of the first. Unscannable items fail the call with their number. */
    CompletionStage<List<RawObject>> listAll(ResourceType<?> type, Query query);

    /** A plain GET of a path, for probes and discovery: {@code /livez}, {@code /apis}. The body, inflated. */
    CompletionStage<byte[]> raw(String target);

    /** What the server serves. */
    Discovery discovery();

    /** Tells {@code observer} of every write done through this client from now on. */
    Registration observeWrites(WriteObserver observer);

    /**
     * Encodes an object as the JSON of a request body.
     *
     * @throws IllegalArgumentException when it was decoded from a cache that dropped something of it ({@link DroppedPaths})
     */
    byte[] encode(HasMetadata object);

    /** The same verbs for user code: they wait through {@link EngineRuntime#await}. */
    BlockingApiClient blocking();
}
