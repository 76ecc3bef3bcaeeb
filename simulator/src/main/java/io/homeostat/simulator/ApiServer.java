package io.homeostat.simulator;

import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Headers;
import io.homeostat.core.HttpCall;
import io.homeostat.core.Lane;
import io.homeostat.core.Registration;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.random.RandomGenerator;
import java.util.zip.GZIPOutputStream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * The request pipeline: what kube-apiserver is to a cluster, on one lane.
 *
 * <p><b>Order.</b> Requests are served one after another, each whole within a turn, in the order they reached the lane; a write is
 * in every watch's queue before its answer leaves. <b>Threads.</b> {@link #accept} hands over to the lane and may be called from any
 * thread; everything else is confined to it. <b>Memory.</b> Objects, the history window, and per watch what its reader has not
 * taken. <b>Failure.</b> A refused request is answered with a {@code Status}; a defect of the simulator with 500 and a log line.
 */
final class ApiServer implements ServerState {
    private static final Logger LOG = LoggerFactory.getLogger(ApiServer.class);
    private static final String JSON = "application/json";
    private static final String TEXT = "text/plain; charset=utf-8";
    /** Lists from this size on are compressed for who accepts it, as the real server does. */
    private static final int GZIP_FROM = 128 * 1024;

    private static final String TOO_OLD_TOKEN =
            "The provided continue parameter is too old to display a consistent list result. You can start a new list"
                    + " without the continue parameter, or use the continue token in this response to retrieve the"
                    + " remainder of the results. Continuing with the provided token results in an inconsistent list -"
                    + " objects that were created, modified, or deleted between the time the first chunk was returned"
                    + " and now may show up in the list.";
    private static final Set<String> RESERVED_GROUPS = Set.of("", "apps", "apiextensions.k8s.io");

    private final EngineRuntime runtime;
    private final Lane lane;
    private final Store store;
    private final Map<String, Registry> registries = new TreeMap<>(); // confined to the lane, as all below
    private final Writes writes;
    private final Discovery discovery;
    private final SimulatorFaults faults;
    private final RequestLog log;
    private final Duration bookmarkEvery;
    private final RandomGenerator chance;
    private boolean closed;

    ApiServer(
            EngineRuntime runtime,
            Lane lane,
            int history,
            Duration bookmarkEvery,
            SimulatorFaults faults,
            RequestLog log) {
        this.runtime = runtime;
        this.lane = lane;
        this.store = new Store(history);
        this.writes = new Writes(runtime, store, registries);
        this.discovery = new Discovery(registries);
        this.faults = faults;
        this.log = log;
        this.bookmarkEvery = bookmarkEvery;
        this.chance = runtime.random("simulator.watches");
        for (ResourceKind kind : BuiltInKinds.all()) {
            // events live once, under both groups
            String id = kind.plural().equals("events") ? "/events" : kind.group() + "/" + kind.plural();
            Registry there = registries.get(id);
            if (there == null) {
                registries.put(id, new Registry(List.of(kind), kind, false));
            } else {
                List<ResourceKind> kinds = new ArrayList<>(there.kinds);
                kinds.add(kind);
                registries.put(id, new Registry(kinds, kind.group().isEmpty() ? kind : there.storage, false));
            }
        }
    }

    /** Makes what a cluster has from its first moment: its namespaces. */
    void bootstrap() {
        Registry namespaces = registry("", "namespaces");
        for (String name : List.of("default", "kube-node-lease", "kube-public", "kube-system")) {
            ObjectNode namespace = Trees.object();
            namespace.put("kind", "Namespace");
            namespace.put("apiVersion", "v1");
            namespace.putObject("metadata").put("name", name);
            writes.create(namespaces, namespaces.storage, "", namespace, Writes.Options.by("kube-apiserver"));
        }
    }

    Writes writes() {
        return writes;
    }

    Map<String, Registry> registries() {
        return registries;
    }

    private Registry registry(String group, String plural) {
        Registry registry = registries.get(
                plural.equals("events") && group.equals(EventForms.GROUP) ? "/events" : group + "/" + plural);
        if (registry == null) {
            throw new IllegalStateException("no such resource here: " + ApiFailure.qualified(plural, group));
        }
        return registry;
    }

    // ---------------------------------------------------------------------------------------------------- requests

    /** Serves {@code call}, soon. Any thread. */
    void accept(HttpCall call, AnswerSink sink) {
        lane.execute(() -> receive(call, sink));
    }

    private void receive(HttpCall call, AnswerSink sink) {
        if (closed) {
            sink.refuse("the simulator is closed");
            return;
        }
        Request request = new Request(call);
        RequestRecord record = log.received(request, call.target());
        faults.run(record, sink, passed -> serve(request, record, passed));
    }

    private void serve(Request request, RequestRecord record, AnswerSink sink) {
        if (closed) {
            sink.breakOff("the simulator is closed");
            return;
        }
        Answer answer = new Answer(sink, record, log, request.acceptsGzip());
        try {
            route(request, record, answer);
        } catch (ApiFailure failure) {
            answer.failure(failure);
        } catch (Unsupported unsupported) {
            answer.failure(ApiFailure.notImplemented(String.valueOf(unsupported.getMessage())));
        } catch (RuntimeException defect) {
            LOG.atError()
                    .setCause(defect)
                    .addKeyValue("verb", record.verb())
                    .addKeyValue("path", record.path())
                    .log("The simulator failed on a request; answered 500");
            answer.failure(ApiFailure.of(
                    500, "InternalError", "Internal error occurred: the simulator failed: " + defect, null));
        }
    }

    /** One answer on its way out. */
    static final class Answer {
        private final AnswerSink sink;
        private final RequestRecord record;
        private final RequestLog log;
        private final boolean gzip;
        private boolean begun;

        Answer(AnswerSink sink, RequestRecord record, RequestLog log, boolean gzip) {
            this.sink = sink;
            this.record = record;
            this.log = log;
            this.gzip = gzip;
        }

        void json(int status, byte[] body) {
            whole(status, JSON, body, Headers.NONE);
        }

        void json(int status, JsonNode body) {
            json(status, Trees.bytes(body));
        }

        void text(int status, String body) {
            whole(status, TEXT, body.getBytes(StandardCharsets.UTF_8), Headers.NONE);
        }

        void failure(ApiFailure failure) {
            if (begun) {
                sink.breakOff("the simulator failed in the middle of an answer");
                return;
            }
            Headers more = Headers.NONE;
            long retryAfter = Trees.number(Trees.child(failure.status(), "details"), "retryAfterSeconds");
            if (retryAfter > 0) {
                more = Headers.of("Retry-After", Long.toString(retryAfter));
            }
            whole(failure.code(), JSON, Trees.bytes(failure.status()), more);
        }

        /** A whole answer; {@code body} may be shared. */
        void whole(int status, String type, byte[] body, Headers more) {
            begun = true;
            byte[] bytes = body;
            Headers headers = Headers.of("Content-Type", type).with("Cache-Control", "no-cache, private");
            if (gzip && body.length > GZIP_FROM) {
                bytes = packed(body);
                headers = headers.with("Content-Encoding", "gzip").with("Vary", "Accept-Encoding");
            }
            for (Headers.Header header : more.all()) {
                headers = headers.with(header.name(), header.value());
            }
            headers = headers.with("Content-Length", Integer.toString(bytes.length));
            log.answered(record, status);
            sink.head(status, headers);
            if (bytes.length > 0) {
                sink.chunk(bytes == body ? body.clone() : bytes);
            }
            sink.end();
        }

        /** Begins a stream. */
        AnswerSink stream(boolean packed) {
            begun = true;
            Headers headers = Headers.of("Content-Type", JSON).with("Cache-Control", "no-cache, private");
            if (packed) {
                headers = headers.with("Content-Encoding", "gzip").with("Vary", "Accept-Encoding");
            }
            log.answered(record, 200);
            sink.head(200, headers);
            return sink;
        }

        private static byte[] packed(byte[] body) {
            ByteArrayOutputStream packed = new ByteArrayOutputStream(body.length / 4);
            try (GZIPOutputStream out = new GZIPOutputStream(packed)) {
                out.write(body);
            } catch (IOException e) {
                throw new UncheckedIOException("compressing into memory", e);
            }
            return packed.toByteArray();
        }
    }

    private void route(Request request, RequestRecord record, Answer answer) {
        if (!request.inApi) {
            discovery.serve(request, answer);
            return;
        }
        if (request.resource.equals("selfsubjectaccessreviews") && request.group.equals("authorization.k8s.io")) {
            review(request, answer);
            return;
        }
        Registry registry = registries.get(
                request.resource.equals("events") && request.group.equals(EventForms.GROUP)
                        ? "/events"
                        : request.group + "/" + request.resource);
        ResourceKind kind = registry == null ? null : servedKind(registry, request);
        if (registry == null || kind == null) {
            unknown(request, answer);
            return;
        }
        boolean namespaced = kind.scope() == ResourceKind.Scope.NAMESPACED;
        boolean all = request.method.equals("GET") && request.name.isEmpty();
        if (namespaced ? request.namespace.isEmpty() && !all : !request.namespace.isEmpty()) {
            answer.text(404, "404 page not found\n");
            return;
        }
        subresource(request, registry, kind);
        boolean collectionOnly = request.method.equals("POST");
        boolean objectOnly = request.method.equals("PUT") || request.method.equals("PATCH");
        boolean allNamespaces = request.method.equals("DELETE")
                && request.name.isEmpty()
                && kind.plural().equals("namespaces");
        if (!registry.custom && (request.name.isEmpty() ? objectOnly || allNamespaces : collectionOnly)) {
            throw ApiFailure.methodNotAllowed();
        }
        switch (request.method) {
            case "GET" -> {
                if (request.watch) {
                    watch(request, record, registry, kind, answer);
                } else if (request.name.isEmpty()) {
                    list(request, registry, kind, answer);
                } else {
                    get(request, registry, kind, answer);
                }
            }
            case "POST" -> create(request, registry, kind, answer);
            case "PUT" -> update(request, registry, kind, answer);
            case "PATCH" -> patch(request, registry, kind, answer);
            case "DELETE" -> {
                if (request.name.isEmpty()) {
                    deleteAll(request, registry, kind, answer);
                } else {
                    delete(request, registry, kind, answer);
                }
            }
            default -> throw ApiFailure.methodNotAllowed(kind, request.verb());
        }
    }

    private static @Nullable ResourceKind servedKind(Registry registry, Request request) {
        for (ResourceKind kind : registry.kinds) {
            if (kind.group().equals(request.group) && kind.version().equals(request.version)) {
                return kind;
            }
        }
        return null;
    }

    private static void subresource(Request request, Registry registry, ResourceKind kind) {
        String sub = request.subresource;
        if (sub.isEmpty() || (sub.equals("status") && kind.statusSubresource())) {
            return;
        }
        String named = ApiFailure.qualified(kind.plural(), kind.group()) + "/" + sub;
        if (registry.custom
                ? sub.equals("scale") && registry.declares(kind, "scale")
                : REAL_SUBRESOURCES.contains(named)) {
            throw ApiFailure.notImplemented("the subresource " + named);
        }
        throw registry.custom ? ApiFailure.notFound(kind, request.name) : ApiFailure.noSuchResource();
    }

    /** Subresources of the kinds here that the real server has and this one lacks. */
    private static final Set<String> REAL_SUBRESOURCES = Set.of(
            "namespaces/finalize",
            "nodes/proxy",
            "pods/attach",
            "pods/binding",
            "pods/ephemeralcontainers",
            "pods/eviction",
            "pods/exec",
            "pods/log",
            "pods/portforward",
            "pods/proxy",
            "pods/resize",
            "services/proxy",
            "serviceaccounts/token",
            "deployments.apps/scale",
            "replicasets.apps/scale",
            "statefulsets.apps/scale");

    /** What nothing here serves: as the real server where that has no such API either, otherwise 501. */
    private void unknown(Request request, Answer answer) {
        boolean group = discovery.serves(request.group, request.version);
        if (group && REAL_GROUPS.contains(request.group) && !REAL_RESOURCES.contains(request.resource)) {
            throw ApiFailure.noSuchResource();
        }
        if (REAL_ONLY.contains(request.group) || (group && !customGroup(request.group))) {
            throw ApiFailure.notImplemented("the resource " + ApiFailure.qualified(request.resource, request.group)
                    + " in version " + request.version);
        }
        answer.text(404, "404 page not found\n");
    }

    private boolean customGroup(String group) {
        return registries.values().stream().anyMatch(r -> r.custom && r.group.equals(group))
                && !RESERVED_GROUPS.contains(group);
    }

    private static final Set<String> REAL_GROUPS = Set.of("", "apps");

    /** What the real server has in {@link #REAL_GROUPS} and this one lacks. */
    private static final Set<String> REAL_RESOURCES = Set.of(
            "bindings",
            "componentstatuses",
            "endpoints",
            "limitranges",
            "persistentvolumeclaims",
            "persistentvolumes",
            "podtemplates",
            "replicationcontrollers",
            "resourcequotas",
            "controllerrevisions",
            "daemonsets");

    /** Groups of the real server that this one lacks. */
    private static final Set<String> REAL_ONLY = Set.of(
            "admissionregistration.k8s.io",
            "apiregistration.k8s.io",
            "authentication.k8s.io",
            "authorization.k8s.io",
            "autoscaling",
            "batch",
            "certificates.k8s.io",
            "discovery.k8s.io",
            "flowcontrol.apiserver.k8s.io",
            "networking.k8s.io",
            "node.k8s.io",
            "policy",
            "rbac.authorization.k8s.io",
            "resource.k8s.io",
            "scheduling.k8s.io",
            "storage.k8s.io");

    private void review(Request request, Answer answer) {
        if (!request.method.equals("POST")) {
            throw ApiFailure.notImplemented("anything but creating a SelfSubjectAccessReview");
        }
        mustBeJson(request);
        ObjectNode review = parsedObject(request);
        ObjectNode allowed = Trees.object();
        allowed.put("kind", "SelfSubjectAccessReview");
        allowed.put("apiVersion", "authorization.k8s.io/v1");
        allowed.set("metadata", Trees.object());
        ObjectNode spec = Trees.child(review, "spec");
        allowed.set("spec", spec == null ? Trees.object() : spec);
        allowed.putObject("status").put("allowed", true);
        answer.json(201, allowed);
    }

    private static ObjectNode parsedObject(Request request) {
        try {
            if (Trees.parse(request.body) instanceof ObjectNode object) {
                return object;
            }
        } catch (JacksonException e) {
            throw ApiFailure.badRequest("the body is not JSON: " + request.body.length + " bytes");
        }
        throw ApiFailure.badRequest("the body is no JSON object: " + request.body.length + " bytes");
    }

    // ---------------------------------------------------------------------------------------------------- reads

    private Rendering rendering(Request request, Registry registry) {
        return new Rendering(
                Rendering.form(request.header("Accept")),
                registry,
                request.query.getOrDefault("includeObject", "Metadata"),
                runtime);
    }

    private void get(Request request, Registry registry, ResourceKind kind, Answer answer) {
        Rendering rendering = rendering(request, registry);
        String wanted = request.parameter("resourceVersion");
        if (!wanted.isEmpty()) {
            long version = version(wanted);
            if (version > store.revision()) {
                throw ApiFailure.tooLargeResourceVersion(version, store.revision());
            }
        }
        Stored object = registry.get(request.namespace, request.name);
        if (object == null) {
            throw ApiFailure.notFound(kind, request.name);
        }
        answer.json(200, rendering.single(kind, object));
    }

    private static long version(String text) {
        try {
            return Long.parseUnsignedLong(text);
        } catch (NumberFormatException e) {
            throw ApiFailure.internal("resourceVersion: Invalid value: \"" + text + "\": strconv.ParseUint: parsing \""
                    + text + "\": invalid syntax");
        }
    }

    private Predicate<Stored> wanted(Request request, Registry registry, ResourceKind kind) {
        // shardSelector is ignored, as by a server without the feature gate ShardedListAndWatch.
        Predicate<Map<String, String>> labels = Selectors.labels(request.parameter("labelSelector"));
        Predicate<Stored> fields = Selectors.fields(request.parameter("fieldSelector"), registry, kind);
        boolean all = request.parameter("labelSelector").isEmpty()
                && request.parameter("fieldSelector").isEmpty();
        Predicate<Stored> inName = request.name.isEmpty()
                ? object -> true
                : object -> object.name.equals(request.name); // of /watch/…/NAME
        return all && request.name.isEmpty()
                ? object -> true
                : inName.and(object -> labels.test(object.labels)).and(fields);
    }

    private record Token(long revision, String start) {
        String text() {
            ObjectNode token = Trees.object();
            token.put("v", "meta.k8s.io/v1");
            token.put("rv", revision);
            token.put("start", start);
            return Base64.getUrlEncoder().withoutPadding().encodeToString(Trees.bytes(token));
        }

        static Token of(String text) {
            try {
                JsonNode token = Trees.parse(Base64.getUrlDecoder().decode(text));
                String start = Trees.text(token, "start");
                if (Trees.text(token, "v").equals("meta.k8s.io/v1") && start.startsWith("/")) {
                    return new Token(Trees.number(token, "rv"), start);
                }
            } catch (JacksonException | IllegalArgumentException e) {
                throw ApiFailure.badRequest("invalid continue token: continue key is not valid: it does not decode");
            }
            throw ApiFailure.badRequest("invalid continue token: continue key is not valid: unexpected content");
        }
    }

    private static List<Cause> listCauses(Request request, boolean watching) {
        String version = request.parameter("resourceVersion");
        String match = request.parameter("resourceVersionMatch");
        List<Cause> causes = new ArrayList<>();
        boolean initial = request.query.containsKey("sendInitialEvents");
        if (watching) {
            if (initial && !match.equals("NotOlderThan")) {
                causes.add(Cause.forbidden(
                        "resourceVersionMatch",
                        "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"));
                if (!match.isEmpty()) {
                    causes.add(Cause.notSupported("resourceVersionMatch", match, "NotOlderThan"));
                }
            } else if (!initial && !match.isEmpty()) {
                causes.add(Cause.forbidden(
                        "resourceVersionMatch",
                        "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"));
            }
            return causes;
        }
        if (!match.isEmpty()) {
            if (!request.parameter("continue").isEmpty()) {
                causes.add(Cause.forbidden(
                        "resourceVersionMatch", "resourceVersionMatch is forbidden when continue is provided"));
            }
            if (version.isEmpty()) {
                causes.add(Cause.forbidden(
                        "resourceVersionMatch",
                        "resourceVersionMatch is forbidden unless resourceVersion is provided"));
            }
            if (!match.equals("Exact") && !match.equals("NotOlderThan")) {
                causes.add(Cause.notSupported("resourceVersionMatch", match, "Exact", "NotOlderThan", ""));
            }
            if (match.equals("Exact") && version.equals("0")) {
                causes.add(Cause.forbidden(
                        "resourceVersionMatch",
                        "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\""));
            }
        }
        if (initial) {
            causes.add(Cause.forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"));
        }
        return causes;
    }

    private void list(Request request, Registry registry, ResourceKind kind, Answer answer) {
        Rendering rendering = rendering(request, registry);
        List<Cause> causes = listCauses(request, false);
        if (!causes.isEmpty()) {
            throw ApiFailure.invalidOptions("ListOptions", causes);
        }
        Page page = page(request, registry, kind);
        answer.json(200, rendering.list(kind, page.items(), page.revision(), page.next(), page.remaining()));
    }

    private record Page(List<Stored> items, long revision, String next, @Nullable Long remaining) {}

    private Page page(Request request, Registry registry, ResourceKind kind) {
        Predicate<Stored> wanted = wanted(request, registry, kind);
        String asked = request.parameter("resourceVersion");
        Long limitAsked = request.integer("limit");
        long limit = limitAsked == null || limitAsked <= 0 ? Long.MAX_VALUE : limitAsked;
        String prefix = request.namespace.isEmpty() ? "" : request.namespace + "/";
        String after = "";
        long at = store.revision();
        String token = request.parameter("continue");
        if (!token.isEmpty()) {
            if (!asked.isEmpty() && !asked.equals("0")) {
                throw ApiFailure.badRequest("specifying resource version is not allowed when using continue");
            }
            Token from = Token.of(token);
            after = prefix + from.start().substring(1);
            at = from.revision() < 0 ? store.revision() : from.revision();
            if (at < store.compacted()) {
                ApiFailure expired = ApiFailure.expired(TOO_OLD_TOKEN);
                ((ObjectNode) expired.status().get("metadata")).put("continue", new Token(-1, from.start()).text());
                throw expired;
            }
        } else if (!asked.isEmpty()) {
            long version;
            try {
                version = Long.parseUnsignedLong(asked);
            } catch (NumberFormatException e) {
                throw ApiFailure.badRequest("invalid resource version: resourceVersion: Invalid value: \"" + asked
                        + "\": strconv.ParseUint: parsing \"" + asked + "\": invalid syntax");
            }
            if (version > store.revision()) {
                throw ApiFailure.tooLargeResourceVersion(version, store.revision());
            }
            String match = request.parameter("resourceVersionMatch");
            if (version == 0) {
                limit = Long.MAX_VALUE; // served from the watch cache, which does not page
            } else if (match.equals("Exact") || (match.isEmpty() && limit != Long.MAX_VALUE)) {
                if (version < store.compacted()) {
                    throw ApiFailure.expired("The resourceVersion for the provided list is too old.");
                }
                at = version;
            }
        }
        List<Stored> items = new ArrayList<>();
        String next = "";
        long remaining = 0;
        boolean selective = !request.parameter("labelSelector").isEmpty()
                || !request.parameter("fieldSelector").isEmpty();
        for (Iterator<Stored> all = store.at(registry, request.namespace, at).iterator(); all.hasNext(); ) {
            Stored object = all.next();
            if ((!after.isEmpty() && (object.key + "\0").compareTo(after) <= 0) || !wanted.test(object)) {
                continue;
            }
            if (items.size() < limit) {
                items.add(object);
            } else {
                if (next.isEmpty()) {
                    String last = items.get(items.size() - 1).key;
                    next = new Token(at, "/" + last.substring(prefix.length()) + "\0").text();
                }
                remaining++;
                if (selective) {
                    break; // how many match of the rest is not counted, as in the real server
                }
            }
        }
        return new Page(items, at, next, next.isEmpty() || selective ? null : Long.valueOf(remaining));
    }

    private void watch(Request request, RequestRecord record, Registry registry, ResourceKind kind, Answer answer) {
        Rendering rendering = rendering(request, registry);
        List<Cause> causes = listCauses(request, true);
        if (!causes.isEmpty()) {
            throw ApiFailure.invalidOptions("ListOptions", causes);
        }
        Predicate<Stored> wanted = wanted(request, registry, kind);
        String asked = request.parameter("resourceVersion");
        long from = asked.isEmpty() ? 0 : version(asked);
        boolean stated = request.query.containsKey("sendInitialEvents");
        boolean initial = stated ? request.flag("sendInitialEvents") : from == 0;
        boolean bookmarks = request.flag("allowWatchBookmarks");
        Long seconds = request.integer("timeoutSeconds");
        Duration timeout = seconds == null || seconds <= 0
                ? Duration.ofSeconds(1800 + chance.nextInt(1800))
                : Duration.ofSeconds(seconds);
        boolean gzip = stated && initial && request.acceptsGzip();
        AnswerSink sink = answer.stream(gzip);
        Watcher watcher = new Watcher(
                registry, kind, request.namespace, wanted, rendering, gzip, sink, record, initial ? 0 : from);
        faults.watching(watcher);
        if (initial && from > store.revision()) {
            watcher.error(ApiFailure.tooLargeResourceVersion(from, store.revision()));
            return;
        }
        if (initial) {
            for (Stored object : registry.in(request.namespace)) {
                watcher.initial(object);
            }
            if (stated && bookmarks) {
                watcher.bookmark(store.revision(), true);
            }
        } else if (from != 0) {
            if (from < store.watchFloor()) {
                watcher.error(
                        ApiFailure.expired("too old resource version: " + from + " (" + store.watchFloor() + ")"));
                return;
            }
            for (Store.Change change : store.since(registry, from)) {
                watcher.replay(change);
            }
        }
        watcher.pump();
        watcher.timers(null, runtime.after(timeout, lane, watcher::end));
        if (bookmarks) {
            long end = runtime.nanos() + timeout.toNanos();
            bookmarkLater(watcher, end);
        }
    }

    /** Bookmarks come about every minute, and once more two seconds and one second before the end. */
    private void bookmarkLater(Watcher watcher, long end) {
        if (watcher.ended()) {
            return;
        }
        Duration left = Duration.ofNanos(end - runtime.nanos());
        Duration delay = bookmarkEvery;
        for (long before : new long[] {2, 1}) {
            Duration until = left.minusSeconds(before);
            if (until.compareTo(Duration.ofMillis(1)) > 0 && until.compareTo(delay) < 0) {
                delay = until;
                break;
            }
        }
        if (delay.compareTo(left) >= 0) {
            return;
        }
        watcher.timers(
                runtime.after(delay, lane, () -> {
                    watcher.bookmark(store.revision(), false);
                    bookmarkLater(watcher, end);
                }),
                null);
    }

    // ---------------------------------------------------------------------------------------------------- writes

    private static Writes.Options options(Request request) {
        List<Cause> causes = new ArrayList<>();
        boolean patch = request.method.equals("PATCH");
        boolean apply = patch && request.contentType().equals("application/apply-patch+yaml");
        if (patch && !apply && request.query.containsKey("force")) {
            causes.add(Cause.forbidden("force", "may not be specified for non-apply patch"));
        }
        String manager = request.parameter("fieldManager");
        if (apply && manager.isEmpty()) {
            causes.add(Cause.required("fieldManager", "is required for apply patch"));
        }
        managerCauses(manager, causes);
        String dryRun = request.parameter("dryRun");
        dryRunCauses(dryRun.isEmpty() ? List.of() : List.of(dryRun), causes);
        String validation = request.parameter("fieldValidation");
        if (!Set.of("", "Ignore", "Warn", "Strict").contains(validation)) {
            causes.add(Cause.notSupported("fieldValidation", validation, "", "Ignore", "Strict", "Warn"));
        }
        if (!causes.isEmpty()) {
            throw ApiFailure.invalidOptions(
                    patch ? "PatchOptions" : request.method.equals("PUT") ? "UpdateOptions" : "CreateOptions", causes);
        }
        return new Writes.Options(
                request.fieldManager(),
                request.flag("force"),
                dryRun.equals("All"),
                validation.equals("Strict"),
                validation.equals("Ignore"));
    }

    private static void dryRunCauses(List<String> dryRun, List<Cause> causes) {
        if (!Set.of("All").containsAll(dryRun)) {
            causes.add(Cause.notSupported("dryRun", Trees.array(dryRun), "All"));
        }
    }

    private static void managerCauses(String manager, List<Cause> causes) {
        if (manager.getBytes(StandardCharsets.UTF_8).length > 128) {
            causes.add(Cause.tooLong("fieldManager", "may not be more than 128 bytes"));
        }
        for (int i = 0; i < manager.length(); i++) {
            char c = manager.charAt(i);
            if (c < ' ' || c == 0x7f) {
                causes.add(new Cause(
                        "fieldManager",
                        "FieldValueInvalid",
                        "Invalid value: \"%s\": invalid character U+%04X (at position %d)"
                                .formatted(
                                        manager.replace(String.valueOf(c), "\\x%02x".formatted((int) c)), (int) c, i)));
                return;
            }
        }
    }

    private static void mustBeJson(Request request) {
        String type = request.contentType();
        if (type.equals("application/yaml") || type.contains("protobuf")) {
            throw ApiFailure.notImplemented(
                    "bodies of type " + type + "; send application/json (of kubectl: create -f, apply --server-side)");
        }
        if (!type.isEmpty() && !type.equals(JSON)) {
            throw ApiFailure.unsupportedMediaType(
                    "application/json, application/yaml, application/vnd.kubernetes.protobuf");
        }
    }

    private void answerWith(
            Request request, Registry registry, ResourceKind kind, Writes.Outcome outcome, Answer answer) {
        Headers warnings = Headers.NONE;
        for (String warning : outcome.warnings()) {
            warnings = warnings.with("Warning", "299 - \"" + warning.replace("\"", "\\\"") + "\"");
        }
        answer.whole(
                outcome.created() ? 201 : 200,
                JSON,
                rendering(request, registry).single(kind, outcome.object()),
                warnings);
    }

    private void create(Request request, Registry registry, ResourceKind kind, Answer answer) {
        if (!request.subresource.isEmpty()) {
            throw ApiFailure.methodNotAllowed(kind, "create");
        }
        mustBeJson(request);
        Writes.Options options = options(request);
        Rendering.form(request.header("Accept")); // refused before anything is written
        ObjectNode body = Writes.decode(kind, registry.custom, request.body);
        if (!request.name.isEmpty()) {
            body = Trees.withOwnMetadata(body); // POST to a name creates that name
            Writes.metadataOf(body).put("name", request.name);
        }
        answerWith(request, registry, kind, writes.create(registry, kind, request.namespace, body, options), answer);
    }

    private static void mustBeNamed(Request request) {
        if (request.name.isEmpty()) {
            throw ApiFailure.badRequest("name must be provided");
        }
    }

    private void update(Request request, Registry registry, ResourceKind kind, Answer answer) {
        mustBeNamed(request);
        mustBeJson(request);
        Writes.Options options = options(request);
        Rendering.form(request.header("Accept"));
        ObjectNode body = Writes.decode(kind, registry.custom, request.body);
        answerWith(
                request,
                registry,
                kind,
                writes.update(registry, kind, request.namespace, request.name, request.subresource, body, options),
                answer);
    }

    private void patch(Request request, Registry registry, ResourceKind kind, Answer answer) {
        mustBeNamed(request);
        Writes.Options options = options(request);
        Rendering.form(request.header("Accept"));
        Writes.Outcome outcome;
        switch (request.contentType()) {
            case "application/merge-patch+json" -> outcome = writes.patch(
                    registry,
                    kind,
                    request.namespace,
                    request.name,
                    request.subresource,
                    patchBody(request, false),
                    options);
            case "application/json-patch+json" -> outcome = writes.patch(
                    registry,
                    kind,
                    request.namespace,
                    request.name,
                    request.subresource,
                    patchBody(request, true),
                    options);
            case "application/apply-patch+yaml" -> outcome = writes.apply(
                    registry,
                    kind,
                    request.namespace,
                    request.name,
                    request.subresource,
                    Yaml.object(request.body),
                    options);
            case "application/strategic-merge-patch+json" -> {
                if (registry.custom) {
                    throw ApiFailure.unsupportedMediaType(
                            "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml");
                }
                throw ApiFailure.notImplemented(
                        "strategic merge patches; use a merge patch (kubectl patch --type merge) or a server-side apply"
                                + " (kubectl apply --server-side)");
            }
            default -> throw ApiFailure.unsupportedMediaType(
                    "application/json-patch+json, application/merge-patch+json, "
                            + (registry.custom ? "" : "application/strategic-merge-patch+json, ")
                            + "application/apply-patch+yaml");
        }
        answerWith(request, registry, kind, outcome, answer);
    }

    private static JsonNode patchBody(Request request, boolean list) {
        JsonNode patch;
        try {
            patch = Trees.parse(request.body);
        } catch (JacksonException e) {
            throw ApiFailure.badRequest("invalid JSON patch");
        }
        if (list ? !(patch instanceof ArrayNode) : !(patch instanceof ObjectNode)) {
            throw ApiFailure.badRequest("invalid JSON patch");
        }
        return patch;
    }

    private static Writes.Deletion deletion(Request request) {
        JsonNode options = request.body.length == 0 ? null : parsedObject(request);
        String policy =
                options == null ? request.parameter("propagationPolicy") : Trees.text(options, "propagationPolicy");
        JsonNode orphan = options == null ? null : options.get("orphanDependents");
        if (options == null ? request.query.containsKey("orphanDependents") : orphan != null && orphan.isBoolean()) {
            throw ApiFailure.notImplemented("orphanDependents, deprecated since 1.7; use propagationPolicy");
        }
        if (options != null) {
            String type = Trees.text(options, "kind");
            if (!type.isEmpty() && !type.equals("DeleteOptions")) {
                throw ApiFailure.badRequest("no kind \"" + type + "\" is registered for version \""
                        + Trees.text(options, "apiVersion") + "\" in scheme \"pkg/runtime/scheme.go:111\"");
            }
            JsonNode seconds = options.get("gracePeriodSeconds");
            if (seconds != null && !seconds.isNull() && !seconds.isIntegralNumber()) {
                throw ApiFailure.badRequest("json: cannot unmarshal "
                        + seconds.getNodeType().name().toLowerCase(Locale.ROOT)
                        + " into Go struct field DeleteOptions.gracePeriodSeconds of type int64");
            }
        }
        List<String> dryRuns = new ArrayList<>(options == null ? List.of() : Trees.strings(options, "dryRun"));
        if (options == null && !request.parameter("dryRun").isEmpty()) {
            dryRuns.add(request.parameter("dryRun"));
        }
        List<Cause> causes = new ArrayList<>();
        dryRunCauses(dryRuns, causes);
        if (!causes.isEmpty()) {
            throw ApiFailure.invalidOptions("DeleteOptions", causes);
        }
        if (!Set.of("", "Background", "Foreground", "Orphan").contains(policy)) {
            throw ApiFailure.invalidOptions(
                    "DeleteOptions",
                    List.of(Cause.notSupported(
                            "propagationPolicy", policy, "Foreground", "Background", "Orphan", "nil")));
        }
        ObjectNode preconditions = Trees.child(options, "preconditions");
        Long grace = request.integer("gracePeriodSeconds");
        JsonNode own = options == null ? null : options.get("gracePeriodSeconds");
        if (own != null && own.isIntegralNumber()) {
            grace = own.longValue();
        }
        boolean dryRun = !dryRuns.isEmpty() || request.parameter("dryRun").equals("All");
        return new Writes.Deletion(
                policy, Trees.text(preconditions, "uid"), Trees.text(preconditions, "resourceVersion"), grace, dryRun);
    }

    private void delete(Request request, Registry registry, ResourceKind kind, Answer answer) {
        if (!request.subresource.isEmpty()) {
            throw ApiFailure.methodNotAllowed(kind, "delete");
        }
        Writes.Outcome outcome = writes.delete(registry, kind, request.namespace, request.name, deletion(request));
        if (!outcome.gone()) {
            answer.json(200, rendering(request, registry).single(kind, outcome.object()));
            return;
        }
        ObjectNode status = Trees.object();
        status.put("kind", "Status");
        status.put("apiVersion", "v1");
        status.set("metadata", Trees.object());
        status.put("status", "Success");
        ObjectNode details = status.putObject("details");
        details.put("name", request.name);
        if (!kind.group().isEmpty()) {
            details.put("group", kind.group());
        }
        details.put("kind", kind.plural());
        details.put("uid", outcome.object().uid);
        answer.json(200, status);
    }

    private void deleteAll(Request request, Registry registry, ResourceKind kind, Answer answer) {
        Writes.Deletion deletion = deletion(request);
        Page page = page(request, registry, kind);
        List<Stored> deleted = new ArrayList<>();
        for (Stored object : page.items()) {
            Stored now = writes.delete(registry, kind, object.namespace, object.name, deletion)
                    .object();
            deleted.add(registry.get(object.namespace, object.name) == null ? object : now);
        }
        answer.json(
                200, rendering(request, registry).list(kind, deleted, store.revision(), page.next(), page.remaining()));
    }

    // ---------------------------------------------------------------------------------------------------- tests' hands

    void compact() {
        store.compact();
    }

    /** Everything that is open breaks, and the watch cache begins anew. */
    void restart() {
        for (Registry registry : registries.values()) {
            for (Watcher watcher : registry.watchers()) {
                watcher.cut("the API server restarts");
            }
        }
        faults.breakDelayed("the API server restarts");
        store.forgetWatches();
    }

    void shutDown() {
        closed = true;
        for (Registry registry : registries.values()) {
            for (Watcher watcher : registry.watchers()) {
                watcher.cut("the simulator closes");
            }
        }
        faults.breakDelayed("the simulator closes");
    }

    // ---------------------------------------------------------------------------------------------------- ServerState

    @Override
    public EngineRuntime runtime() {
        return runtime;
    }

    @Override
    public Lane lane() {
        return lane;
    }

    @Override
    public @Nullable ResourceKind kind(String group, String plural) {
        Registry registry = registries.get(group + "/" + plural);
        return registry == null ? null : registry.storage;
    }

    @Override
    public List<ObjectNode> list(ResourceKind kind, String namespace) {
        List<ObjectNode> trees = new ArrayList<>();
        for (Stored object : registry(kind.group(), kind.plural()).in(namespace)) {
            trees.add(object.tree);
        }
        return trees;
    }

    @Override
    public @Nullable ObjectNode get(ResourceKind kind, String namespace, String name) {
        Stored object = registry(kind.group(), kind.plural()).get(namespace, name);
        return object == null ? null : object.tree;
    }

    @Override
    public ObjectNode create(ResourceKind kind, ObjectNode object, String manager) {
        Registry registry = registry(kind.group(), kind.plural());
        String namespace = Trees.text(Trees.metadata(object), "namespace");
        return writes.create(registry, kind, namespace, object, Writes.Options.by(manager))
                .object()
                .tree;
    }

    @Override
    public ObjectNode update(ResourceKind kind, ObjectNode object, String manager) {
        return write(kind, object, "", manager);
    }

    @Override
    public ObjectNode updateStatus(ResourceKind kind, ObjectNode object, String manager) {
        return write(kind, object, "status", manager);
    }

    private ObjectNode write(ResourceKind kind, ObjectNode object, String subresource, String manager) {
        Registry registry = registry(kind.group(), kind.plural());
        ObjectNode metadata = Trees.metadata(object);
        return writes.update(
                        registry,
                        kind,
                        Trees.text(metadata, "namespace"),
                        Trees.text(metadata, "name"),
                        subresource,
                        object,
                        Writes.Options.by(manager))
                .object()
                .tree;
    }

    @Override
    public void delete(ResourceKind kind, String namespace, String name, String uid) {
        Registry registry = registry(kind.group(), kind.plural());
        Stored live = registry.get(namespace, name);
        if (live != null && (uid.isEmpty() || uid.equals(live.uid))) {
            writes.delete(registry, kind, namespace, name, Writes.Deletion.BACKGROUND);
        }
    }

    @Override
    public Registration onChange(Consumer<StoredChange> listener) {
        return writes.onChange(listener);
    }
}
