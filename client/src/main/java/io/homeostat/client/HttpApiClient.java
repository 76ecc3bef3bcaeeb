package io.homeostat.client;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Headers;
import io.homeostat.core.HttpAnswer;
import io.homeostat.core.HttpCall;
import io.homeostat.core.Lane;
import io.homeostat.core.Registration;
import io.homeostat.core.Transport;
import io.homeostat.core.TransportException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.zip.ZipException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.json.JsonMapper;

/**
 * {@link ApiClient} over a {@link Transport}.
 *
 * <pre>
 *   validated ── gate open, twice ──► sent ── answer ──► observers told ──► caller told
 *       │             │                 ├─ deadline, exchange given up ──► Unreachable / OutcomeUnknown
 *   BadRequest    GateClosed            └─ broke off ────────────────────► Unreachable / OutcomeUnknown
 * </pre>
 *
 * <p><b>Order.</b> Requests are independent of each other. For one request observers are told before its stage completes.
 * <b>Threads.</b> Any thread asks; answers are read, and stages complete, on the client's own lane, so what is chained to a
 * stage must be short. <b>Memory.</b> One answer per request, at most {@value #MAX_ANSWER} bytes; lists and watches hold what {@link
 * AnswerStream} says. <b>Failure.</b> Every stage fails with {@link ApiException} and nothing else; no method throws for a
 * request that cannot be made.
 */
final class HttpApiClient implements ApiClient {
    /*
     * Invariants
     * - A write whose stage failed with anything but OutcomeUnknown was not done, as far as the server's word goes: an answer that
     *   leaves it open (ApiErrors.ofAnswer), or that cannot be read, is an OutcomeUnknown.
     * - A delete is told as one only after the server has named the object that went or waits, or has shown on a question that it
     *   has no such object.
     * - A write that reached the transport is never given to it again; of writes the transport repeats what was answered 401 only.
     * - A write whose deadline passes while it waits for its turn, for credentials or for a connection does not leave any more, and is
     *   told as not sent where the transport knows that (Exchange.giveUp).
     * - If the answer of a successful write reaches this process before the deadline, every observer is told, whoever waits.
     */

    private static final Logger log = LoggerFactory.getLogger(HttpApiClient.class);

    /** etcd takes 1.5 MiB per object; aggregated API servers and discovery documents may have more. */
    static final int MAX_ANSWER = 64 << 20;

    private static final int GENERATED_PREFIX = 58;

    private static final String JSON = "application/json";
    private static final String APPLY = "application/apply-patch+yaml";

    final EngineRuntime runtime;
    final Settings settings;
    final WireFormat format = WireFormat.json();
    private final Transport transport;
    private final Lane lane;
    private final String fieldManager;
    final boolean losesInterrupted; // a planted defect; false outside a simulation that looks for it
    private final CopyOnWriteArrayList<Observing> observers = new CopyOnWriteArrayList<>();
    private final BlockingApiClient blocking = new WaitingApiClient(this);
    private final RestMapper mapper = new RestMapper(this);

    HttpApiClient(EngineRuntime runtime, Transport transport, Settings settings) {
        this.runtime = runtime;
        this.transport = transport;
        this.settings = settings;
        this.lane = runtime.lane("api-client");
        this.fieldManager = fieldManager(settings.userAgent());
        this.losesInterrupted = runtime.planted("client.interrupted-write-lost");
    }

    /** What the API server itself derives from a user agent (managerOrUserAgent in apiserver's endpoints/handlers). */
    private static String fieldManager(String userAgent) {
        int slash = userAgent.indexOf('/');
        String prefix = (slash < 0 ? userAgent : userAgent.substring(0, slash)).trim();
        return prefix.length() > 128 ? prefix.substring(0, 128) : prefix;
    }

    @Override
    public CompletionStage<RawObject> get(ResourceType<?> type, ObjectKey key) {
        return get(type, key, Extent.of(type, DroppedPaths.NONE));
    }

    private CompletionStage<RawObject> get(ResourceType<?> type, ObjectKey key, Extent extent) {
        String request = "get " + type + " " + printable(key);
        return ask(
                request,
                null,
                () -> read(ResourcePath.object(request, type, key, "", Map.of()), format.acceptForObject(extent)),
                answer -> object(request, null, type, extent, key, answer),
                refused -> noteUnserved(type, key.name(), refused));
    }

    @Override
    public CompletionStage<RawObject> create(ResourceType<?> type, ObjectKey key, byte[] json) {
        Write write = new Write(Write.Verb.CREATE, type, key, "");
        String request = describe(write);
        return write(write, () -> sent("POST", ResourcePath.creation(request, type, key, managed()), JSON, json));
    }

    @Override
    public CompletionStage<RawObject> update(ResourceType<?> type, ObjectKey key, String subresource, byte[] json) {
        Write write = new Write(Write.Verb.UPDATE, type, key, subresource);
        String request = describe(write);
        return write(
                write, () -> sent("PUT", ResourcePath.written(request, type, key, subresource, managed()), JSON, json));
    }

    @Override
    public CompletionStage<RawObject> patch(
            ResourceType<?> type, ObjectKey key, String subresource, PatchKind kind, byte[] patch) {
        Write write = new Write(Write.Verb.PATCH, type, key, subresource);
        String request = describe(write);
        String contentType =
                switch (kind) {
                    case MERGE -> "application/merge-patch+json";
                    case JSON -> "application/json-patch+json";
                };
        return write(
                write,
                () -> sent(
                        "PATCH", ResourcePath.written(request, type, key, subresource, managed()), contentType, patch));
    }

    @Override
    public CompletionStage<RawObject> apply(
            ResourceType<?> type, ObjectKey key, String subresource, Apply how, byte[] json) {
        Write write = new Write(Write.Verb.PATCH, type, key, subresource);
        String request = describe(write);
        Map<String, String> parameters = new TreeMap<>(Map.of("fieldManager", how.fieldManager()));
        parameters.put("force", how.force() == Apply.Force.YES ? "true" : "false");
        return write(
                write,
                // JSON is YAML, and the one apply type that every server since 1.16 knows.
                () -> sent("PATCH", ResourcePath.written(request, type, key, subresource, parameters), APPLY, json));
    }

    @Override
    public CompletionStage<@Nullable RawObject> delete(ResourceType<?> type, ObjectKey key, Delete how) {
        Write write = new Write(Write.Verb.DELETE, type, key, "");
        String request = describe(write);
        CompletionStage<WireFormat.Deleted> answered = ask(
                request,
                write,
                () -> sent("DELETE", ResourcePath.object(request, type, key, "", Map.of()), JSON, options(how)),
                answer -> deleted(request, write, answer),
                refused -> noteUnserved(type, key.name(), refused));
        CompletableFuture<@Nullable RawObject> result = new CompletableFuture<>();
        answered.whenComplete((said, failure) -> {
            if (failure != null) {
                result.completeExceptionally(failure);
            } else if (said.object() == null && said.uid().isEmpty()) {
                look(request, write, how.uid(), result);
            } else {
                result.complete(said.object());
            }
        });
        if (losesInterrupted) {
            result.whenComplete((done, failure) -> {
                if (result.isCancelled()) {
                    answered.toCompletableFuture().cancel(false);
                }
            });
        }
        return result;
    }

    /**
     * A delete was answered with success and with nothing that says of which object: 204, as an aggregated server may answer, or a
     * proxy's 200 for what it never passed on. Nobody is told that something is gone before the server says so itself.
     */
    private void look(String request, Write write, String required, CompletableFuture<@Nullable RawObject> result) {
        String name = write.key().name();
        get(write.type(), write.key(), Extent.WHOLE).whenComplete((found, problem) -> {
            boolean gone = found == null
                    ? problem instanceof ApiException.NotFound missing && missing.misses(name)
                    : !required.isEmpty() && !found.uid().equals(required);
            if (gone) {
                tell(new WriteObserver.Done(write, null, required));
                result.complete(null);
            } else if (found != null && found.deletionTimestamp() != null) {
                tell(new WriteObserver.Done(write, found, found.uid()));
                result.complete(found);
            } else {
                String seen = found == null
                        ? "success without a word of the object, and then: "
                                + Objects.requireNonNull(problem).getMessage()
                        : "success without a word of the object, which is still there and not on its way";
                result.completeExceptionally(ApiErrors.outcomeUnknown(request, seen, problem));
            }
        });
    }

    @Override
    public Streams.Handle list(ResourceType<?> type, Query query, Lane listenerLane, Streams.ListListener listener) {
        return list(type, Extent.of(type, DroppedPaths.NONE), query, listenerLane, listener);
    }

    private Streams.Handle list(
            ResourceType<?> type, Extent extent, Query query, Lane listenerLane, Streams.ListListener listener) {
        String request = "list " + type + in(query);
        return AnswerStream.open(
                streaming(request, type),
                () -> stream(
                        ResourcePath.collection(request, type, query.namespace(), query.parameters()),
                        format.acceptForList(extent),
                        HttpCall.Kind.REQUEST),
                listenerLane,
                new ListPage(request, format.list(type, extent), listener));
    }

    @Override
    public CompletionStage<List<RawObject>> listAll(ResourceType<?> type, Query query) {
        return new WholeList(this, type, query, lane).start();
    }

    @Override
    public Streams.Handle watch(ResourceType<?> type, Query query, Lane listenerLane, Streams.WatchListener listener) {
        return watch(type, Extent.of(type, DroppedPaths.NONE), query, listenerLane, listener);
    }

    private Streams.Handle watch(
            ResourceType<?> type, Extent extent, Query query, Lane listenerLane, Streams.WatchListener listener) {
        String request = "watch " + type + in(query);
        return AnswerStream.open(
                streaming(request, type),
                () -> stream(
                        ResourcePath.collection(
                                request,
                                type,
                                query.namespace(),
                                query.with("watch", "true").parameters()),
                        format.acceptForWatch(extent),
                        HttpCall.Kind.STREAM),
                listenerLane,
                new WatchFrames(request, format.watch(type, extent), listener));
    }

    @Override
    public Reads without(DroppedPaths paths) {
        if (paths.isEmpty()) {
            return this;
        }
        return new Reads() {
            @Override
            public CompletionStage<RawObject> get(ResourceType<?> type, ObjectKey key) {
                return HttpApiClient.this.get(type, key, Extent.of(type, paths));
            }

            @Override
            public Streams.Handle list(
                    ResourceType<?> type, Query query, Lane listenerLane, Streams.ListListener listener) {
                return HttpApiClient.this.list(type, Extent.of(type, paths), query, listenerLane, listener);
            }

            @Override
            public Streams.Handle watch(
                    ResourceType<?> type, Query query, Lane listenerLane, Streams.WatchListener listener) {
                return HttpApiClient.this.watch(type, Extent.of(type, paths), query, listenerLane, listener);
            }
        };
    }

    @Override
    public CompletionStage<byte[]> raw(String target) {
        return raw(target, "application/json, */*");
    }

    CompletionStage<byte[]> raw(String target, String accept) {
        return ask("get " + ResourcePath.printable(target), () -> read(ResourcePath.raw(target), accept));
    }

    @Override
    public Discovery discovery() {
        return mapper;
    }

    @Override
    public Registration observeWrites(WriteObserver observer) {
        Observing observing = new Observing(observer);
        observers.add(observing);
        return () -> observers.remove(observing);
    }

    @Override
    public byte[] encode(HasMetadata object) {
        Extent.requireWhole(object);
        return format.encode(object);
    }

    @Override
    public BlockingApiClient blocking() {
        return blocking;
    }

    /** One registration; the same observer may be registered twice, and each is closed by itself. */
    private static final class Observing {
        final WriteObserver observer;

        Observing(WriteObserver observer) {
            this.observer = observer;
        }
    }

    /** Makes the call of a request; throws {@link ApiException.BadRequest} when it cannot be made. */
    @FunctionalInterface
    interface CallMaker {
        HttpCall make();
    }

    /** Reads a successful answer; throws {@link ApiException} when it is not what was asked for. */
    @FunctionalInterface
    interface AnswerReader<T extends @Nullable Object> {
        @Nullable
        T read(HttpAnswer answer);
    }

    /**
     * Asks a question that is put as a create: a review, whose answer is the object with its status and is stored nowhere, so that it has
     * no name, and neither gate nor observers have to do with it. Of a type that is stored, the server says that a name is missing.
     *
     * @param namespace {@code ""} for a cluster-scoped type
     */
    CompletionStage<byte[]> review(ResourceType<?> type, String namespace, byte[] json) {
        String request = "create " + type + (namespace.isEmpty() ? "" : " in " + ResourcePath.printable(namespace));
        return ask(
                request,
                null,
                () -> sent("POST", ResourcePath.review(request, type, namespace), JSON, json),
                HttpAnswer::body,
                refused -> noteUnserved(type, "", refused));
    }

    private CompletionStage<RawObject> write(Write write, CallMaker call) {
        String request = describe(write);
        return ask(
                request,
                write,
                call,
                answer -> {
                    RawObject object = object(request, write, write.type(), Extent.WHOLE, write.key(), answer);
                    tell(new WriteObserver.Done(write, object, object.uid()));
                    return object;
                },
                refused -> noteUnserved(write.type(), write.key().name(), refused));
    }

    /** A 404 that is about the type and not about an object makes what is known of the type questionable. */
    private void noteUnserved(ResourceType<?> type, String name, ApiException failure) {
        if (failure instanceof ApiException.NotFound missing && !missing.misses(name)) {
            mapper.notServed(type);
        }
    }

    /** A read of which a failure says nothing about a type. */
    private CompletionStage<byte[]> ask(String request, CallMaker maker) {
        return ask(request, null, maker, HttpAnswer::body, refused -> {});
    }

    /**
     * One request, from the check of its path to the end of its stage.
     *
     * @param write null for reads
     * @param refused told of an answer that is no success before the stage fails: who hears of the failure may ask for what it tells
     */
    private <T extends @Nullable Object> CompletionStage<T> ask(
            String request,
            @Nullable Write write,
            CallMaker maker,
            AnswerReader<T> reader,
            Consumer<ApiException> refused) {
        CompletableFuture<T> result = new CompletableFuture<>();
        CompletionStage<HttpAnswer> answer;
        Passage passage = write == null ? null : new Passage(request, write);
        try {
            HttpCall call = maker.make();
            if (passage == null) {
                answer = transport.send(call, MAX_ANSWER);
            } else {
                passage.require();
                answer = transport.send(call, MAX_ANSWER, passage);
            }
        } catch (ApiException e) {
            result.completeExceptionally(e);
            return result;
        } catch (RuntimeException e) {
            // Against the port's contract. Nobody can say how far it came.
            answer = CompletableFuture.failedFuture(brokenTransport(e));
        }
        CompletableFuture<HttpAnswer> sent = answer.toCompletableFuture();
        Registration deadline = runtime.after(settings.requestTimeout(), lane, () -> {
            if (!result.isDone() && sent.cancel(false)) {
                result.completeExceptionally(late(request, write != null, settings.requestTimeout()));
            } // else it has ended, or has never left: finish() says what came of it
        });
        sent.whenComplete((got, failure) -> lane.execute(() -> {
            deadline.close();
            finish(request, passage, got, failure, reader, refused, result);
        }));
        if (write == null || losesInterrupted) {
            result.whenComplete((done, failure) -> {
                if (result.isCancelled()) { // the caller stopped waiting for a read
                    sent.cancel(false);
                }
            });
        }
        return result;
    }

    private <T extends @Nullable Object> void finish(
            String request,
            @Nullable Passage passage,
            @Nullable HttpAnswer got,
            @Nullable Throwable failure,
            AnswerReader<T> reader,
            Consumer<ApiException> refused,
            CompletableFuture<T> result) {
        boolean write = passage != null;
        try {
            if (got == null) {
                TransportException lost = transportException(failure);
                ApiException.GateClosed closed = passage == null ? null : passage.closed;
                throw closed != null && lost.sent() == TransportException.Sent.NO
                        ? closed
                        : ApiErrors.lost(request, write, lost);
            }
            HttpAnswer plain = inflated(request, got);
            log.debug("{} -> {}", request, plain);
            if (plain.status() < 200 || plain.status() > 299) {
                ApiException problem = ApiErrors.ofAnswer(
                        request, write, plain.status(), plain.headers(), plain.body(), runtime.wallClock());
                refused.accept(problem);
                throw problem;
            }
            result.complete(reader.read(plain));
        } catch (ApiException.Malformed e) {
            result.completeExceptionally(
                    write ? ApiErrors.outcomeUnknown(request, e.answer().message(), e) : e);
        } catch (ApiException e) {
            result.completeExceptionally(e);
        } catch (RuntimeException | LinkageError | AssertionError | StackOverflowError e) {
            // A defect of ours. Its words may quote the answer: they stay in the cause, which is ours, not the
            // server's.
            ApiException.Answer answer = ApiException.Answer.none(
                    "the answer could not be read (" + e.getClass().getName() + ")");
            result.completeExceptionally(
                    write
                            ? ApiErrors.outcomeUnknown(request, answer.message(), e)
                            : new ApiException.Malformed(request, answer, e));
        }
    }

    /** The gate before one write: asked when it is made, and by the transport directly before it leaves. */
    private final class Passage implements Supplier<Optional<String>> {
        private final String request;
        private final Write write;
        volatile ApiException.@Nullable GateClosed closed; // volatile: set on the transport's thread, read on the lane

        Passage(String request, Write write) {
            this.request = request;
            this.write = write;
        }

        void require() {
            ApiException.GateClosed refused = ask();
            if (refused != null) {
                throw refused;
            }
        }

        @Override
        public Optional<String> get() {
            ApiException.GateClosed refused = ask();
            closed = refused;
            return refused == null
                    ? Optional.empty()
                    : Optional.of(refused.answer().message());
        }

        private ApiException.@Nullable GateClosed ask() {
            try {
                return settings.gate()
                        .refusal(write)
                        .map(reason -> new ApiException.GateClosed(
                                request, ApiException.Answer.none("not sent: " + reason), null))
                        .orElse(null);
            } catch (RuntimeException e) {
                return new ApiException.GateClosed(
                        request,
                        ApiException.Answer.none("not sent: the write gate failed with "
                                + e.getClass().getName() + ", which counts as a refusal"),
                        e);
            }
        }
    }

    private void tell(WriteObserver.Done done) {
        for (Observing observing : observers) {
            try {
                observing.observer.written(done);
            } catch (RuntimeException | LinkageError | AssertionError | StackOverflowError e) {
                log.error("A write observer failed; the write itself is done: {} [HS-304]", done.write(), e);
            }
        }
    }

    private RawObject object(
            String request,
            @Nullable Write write,
            ResourceType<?> type,
            Extent extent,
            ObjectKey key,
            HttpAnswer answer) {
        RawObject object;
        try {
            object = format.object(type, extent, answer.body());
        } catch (ApiException.Malformed e) {
            throw new ApiException.Malformed(request, e.answer(), e);
        }
        String name = object.key().name();
        boolean generated = write != null && write.verb() == Write.Verb.CREATE && generatedFrom(key.name(), name);
        if (!generated) {
            requireName(request, key, object);
        }
        return object;
    }

    private static void requireName(String request, ObjectKey key, RawObject object) {
        if (!object.key().name().equals(key.name())) {
            throw new ApiException.Malformed(
                    request,
                    ApiException.Answer.none("the answer is another object, " + printable(object.key())),
                    null);
        }
    }

    /** Whether the server may have made this name of that generateName, of which it keeps 58 characters (names.SimpleNameGenerator). */
    private static boolean generatedFrom(String prefix, String name) {
        return name.startsWith(prefix.substring(0, Math.min(prefix.length(), GENERATED_PREFIX)));
    }

    /** What the answer said, and observers have been told of; nothing when it names no object. */
    private WireFormat.Deleted deleted(String request, Write write, HttpAnswer answer) {
        if (answer.body().length == 0) {
            return new WireFormat.Deleted(null, "");
        }
        WireFormat.Deleted deleted;
        try {
            deleted = format.deleted(write.type(), answer.body());
        } catch (ApiException.Malformed e) {
            throw new ApiException.Malformed(request, e.answer(), e);
        }
        if (deleted.object() != null) {
            requireName(request, write.key(), deleted.object());
        }
        if (deleted.uid().isEmpty()) {
            return deleted;
        }
        RawObject held = deleted.object() == null || gone(deleted.object()) ? null : deleted.object();
        tell(new WriteObserver.Done(write, held, deleted.uid()));
        return new WireFormat.Deleted(held, deleted.uid());
    }

    /**
     * Whether the object in the answer to a delete was its last state. Some kinds (Services, ServiceAccounts, claims; {@code
     * ReturnDeletedObject} in apiserver's registries) are answered with the object instead of a Status also when they are gone:
     * nothing then says that it waits, be it a deletionTimestamp, a finalizer or a grace period.
     */
    private static boolean gone(RawObject object) {
        if (object.deletionTimestamp() == null) {
            return true;
        }
        if (!object.finalizers().isEmpty()) {
            return false;
        }
        try {
            return JsonMapper.shared()
                            .readTree(object.bytes())
                            .path("metadata")
                            .path("deletionGracePeriodSeconds")
                            .asInt(1)
                    == 0;
        } catch (JacksonException e) {
            return false; // it was scanned before, so this cannot be; "held" is the answer that an event corrects
        }
    }

    /** Inflates a body that was compressed without being asked for: proxies do it. */
    private static HttpAnswer inflated(String request, HttpAnswer answer) {
        String encoding = contentEncoding(answer.headers());
        if (encoding.isEmpty() || answer.body().length == 0) {
            return answer;
        }
        if (!encoding.equals("gzip")) {
            throw unknownEncoding(request);
        }
        try {
            return new HttpAnswer(answer.status(), answer.headers(), MemberInflater.inflate(answer.body(), MAX_ANSWER));
        } catch (ZipException e) {
            throw new ApiException.Malformed(request, ApiException.Answer.none("broken gzip: " + e.getMessage()), e);
        }
    }

    /** The content encoding in lower case, {@code ""} for none. */
    static String contentEncoding(Headers headers) {
        String encoding = headers.first("Content-Encoding").orElse("").trim().toLowerCase(Locale.ROOT);
        return encoding.equals("identity") ? "" : encoding;
    }

    static ApiException unknownEncoding(String request) {
        return new ApiException.Malformed(
                request,
                ApiException.Answer.none("the answer has a Content-Encoding other than gzip, which was not asked for"),
                null);
    }

    private AnswerStream.Source streaming(String request, ResourceType<?> type) {
        return new AnswerStream.Source(
                runtime, transport, settings, request, failure -> noteUnserved(type, "", failure));
    }

    private HttpCall read(String target, String accept) {
        return new HttpCall("GET", target, common(accept), new byte[0], HttpCall.Kind.REQUEST);
    }

    private HttpCall stream(String target, String accept, HttpCall.Kind kind) {
        Headers headers = common(accept);
        if (settings.compression() == Compression.GZIP) {
            headers = headers.with("Accept-Encoding", "gzip");
        }
        return new HttpCall("GET", target, headers, new byte[0], kind);
    }

    private HttpCall sent(String method, String target, String contentType, byte[] body) {
        return new HttpCall(
                method,
                target,
                common(format.acceptForObject(Extent.WHOLE)).with("Content-Type", contentType),
                body,
                HttpCall.Kind.REQUEST);
    }

    private Headers common(String accept) {
        return Headers.of("User-Agent", settings.userAgent()).with("Accept", accept);
    }

    private Map<String, String> managed() {
        return fieldManager.isEmpty() ? Map.of() : Map.of("fieldManager", fieldManager);
    }

    private static byte[] options(Delete how) {
        StringBuilder json = new StringBuilder("{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\"");
        if (!how.propagation().isEmpty()) {
            json.append(",\"propagationPolicy\":").append(jsonString(how.propagation()));
        }
        if (!how.uid().isEmpty() || !how.resourceVersion().isEmpty()) {
            json.append(",\"preconditions\":{");
            if (!how.uid().isEmpty()) {
                json.append("\"uid\":").append(jsonString(how.uid()));
            }
            if (!how.resourceVersion().isEmpty()) {
                json.append(how.uid().isEmpty() ? "" : ",")
                        .append("\"resourceVersion\":")
                        .append(jsonString(how.resourceVersion()));
            }
            json.append('}');
        }
        return json.append('}').toString().getBytes(StandardCharsets.UTF_8);
    }

    private static String jsonString(String text) {
        StringBuilder out = new StringBuilder("\"");
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '"' || c == '\\') {
                out.append('\\').append(c);
            } else if (c < ' ') {
                out.append(String.format(Locale.ROOT, "\\u%04x", (int) c));
            } else {
                out.append(c);
            }
        }
        return out.append('"').toString();
    }

    static ApiException late(String request, boolean write, Duration timeout) {
        String found = "no whole answer within " + timeout.toMillis() + " ms";
        return write
                ? ApiErrors.outcomeUnknown(request, found, null)
                : new ApiException.Unreachable(request, ApiException.Answer.none(found), null);
    }

    /** What a stage of the port failed with; anything else is against its contract. */
    static TransportException transportException(@Nullable Throwable failure) {
        Throwable cause = failure instanceof CompletionException wrapped && wrapped.getCause() != null
                ? wrapped.getCause()
                : failure;
        return cause instanceof TransportException known ? known : brokenTransport(cause);
    }

    static TransportException brokenTransport(@Nullable Throwable cause) {
        return new TransportException(
                TransportException.Sent.MAYBE,
                "the transport failed with "
                        + (cause == null ? "nothing" : cause.getClass().getName()),
                cause);
    }

    private static String in(Query query) {
        return query.namespace().isEmpty() ? "" : " in " + ResourcePath.printable(query.namespace());
    }

    static String describe(Write write) {
        return write.verb().name().toLowerCase(Locale.ROOT) + " " + write.type()
                + (write.subresource().isEmpty() ? "" : "/" + ResourcePath.printable(write.subresource())) + " "
                + printable(write.key());
    }

    private static String printable(ObjectKey key) {
        return ResourcePath.printable(key.toString());
    }
}
