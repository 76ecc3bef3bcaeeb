package io.homeostat.simulator;

import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Registration;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.random.RandomGenerator;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Every write: what is done to an object between the request and the store, in the order of the real server
 * ({@code k8s.io/apiserver/pkg/registry/generic/registry/store.go}, {@code registry/rest/{create,update,delete}.go}).
 *
 * <p><b>Order.</b> Decode, default and prune; rules of the subresource; metadata the server owns; field ownership; validation;
 * no-op check; commit. Watchers and listeners hear of a commit before the call returns. <b>Threads.</b> Confined to the simulator's
 * lane. <b>Failure.</b> A refused write throws {@link ApiFailure} and changes nothing.
 */
final class Writes {
    /** The kinds of the server's own that count generations; custom resources all do. */
    private static final Set<String> WITH_GENERATION = Set.of(
            "apps/deployments",
            "apps/replicasets",
            "apps/statefulsets",
            "/pods",
            "apiextensions.k8s.io/customresourcedefinitions");

    /** The kinds whose DELETE answers the object instead of a Status. */
    private static final Set<String> RETURN_DELETED = Set.of("/pods", "/services", "/serviceaccounts");

    /** The kinds that a PUT creates when they are absent. */
    private static final Set<String> CREATE_ON_UPDATE = Set.of("coordination.k8s.io/leases", "/events");

    private static final Set<String> UNDELETABLE_NAMESPACES = Set.of("default", "kube-system", "kube-public");
    private static final Pattern SUBDOMAIN =
            Pattern.compile("[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*");
    private static final String ALPHABET = "bcdfghjklmnpqrstvwxz2456789";
    private static final String IMMUTABLE = "field is immutable";

    private final EngineRuntime runtime;
    private final Store store;
    private final Map<String, Registry> registries;
    private final RandomGenerator uids;
    private final RandomGenerator names;
    private final List<Consumer<StoredChange>> listeners = new ArrayList<>(); // confined to the simulator's lane

    /**
     * How a write was asked for.
     *
     * @param manager the field manager
     * @param force of an apply
     * @param dryRun answer, but do not store
     * @param strict unknown fields are an error; otherwise a warning
     * @param quiet unknown fields are not even a warning
     */
    record Options(String manager, boolean force, boolean dryRun, boolean strict, boolean quiet) {
        static Options by(String manager) {
            return new Options(manager, false, false, false, true);
        }
    }

    /** How the object of a write came: it decides how what cannot be read is refused. */
    private enum Origin {
        BODY,
        PATCH,
        APPLY
    }

    /**
     * What became of a write.
     *
     * @param object as it is now, or, when it is gone, as it was last
     * @param created whether the write made it
     * @param gone whether the write removed it
     * @param warnings for the client, in the words of the {@code Warning} header
     */
    record Outcome(Stored object, boolean created, boolean gone, List<String> warnings) {}

    /**
     * How a delete was asked for.
     *
     * @param policy {@code Background}, {@code Foreground}, {@code Orphan}, or "" for the default
     * @param uid the precondition, "" for none
     * @param resourceVersion the precondition, "" for none
     * @param graceSeconds null when not given
     */
    record Deletion(String policy, String uid, String resourceVersion, @Nullable Long graceSeconds, boolean dryRun) {
        static final Deletion BACKGROUND = new Deletion("Background", "", "", 0L, false);
    }

    Writes(EngineRuntime runtime, Store store, Map<String, Registry> registries) {
        this.runtime = runtime;
        this.store = store;
        this.registries = registries;
        this.uids = runtime.random("simulator.uids");
        this.names = runtime.random("simulator.names");
    }

    static String id(Registry registry) {
        return registry.group + "/" + registry.plural;
    }

    Registration onChange(Consumer<StoredChange> listener) {
        listeners.add(listener);
        return () -> listeners.remove(listener);
    }

    // ---------------------------------------------------------------------------------------------------- bodies

    /** Reads the object of a create or update. */
    static ObjectNode decode(ResourceKind kind, boolean custom, byte[] body) {
        JsonNode tree;
        try {
            tree = body.length == 0 ? null : Trees.parse(body);
        } catch (JacksonException e) {
            tree = null;
        }
        if (!(tree instanceof ObjectNode object)) {
            throw ApiFailure.badRequest("the object provided is unrecognized (must be of type " + kind.kind()
                    + "): couldn't get version/kind; json parse error: "
                    + (tree == null ? "unexpected end of JSON input" : "the body is no object") + " ("
                    + excerpt(body) + ")");
        }
        return typed(kind, custom, object, body);
    }

    private static String excerpt(byte[] body) {
        return body.length == 0 ? "<empty>" : body.length + " bytes";
    }

    private static ObjectNode typed(ResourceKind kind, boolean custom, ObjectNode object, byte[] body) {
        String apiVersion = Trees.text(object, "apiVersion");
        String type = Trees.text(object, "kind");
        if (custom) {
            if (type.isEmpty()) {
                throw ApiFailure.badRequest("the object provided is unrecognized (must be of type " + kind.kind()
                        + "): Object 'Kind' is missing (" + excerpt(body) + ")");
            }
            if (!apiVersion.equals(kind.apiVersion())) {
                throw ApiFailure.badRequest("the API version in the data (" + apiVersion
                        + ") does not match the expected API version (" + kind.apiVersion() + ")");
            }
            if (!type.equals(kind.kind())) {
                throw ApiFailure.invalid(
                        type,
                        kind.group(),
                        Trees.text(Trees.metadata(object), "name"),
                        List.of(Cause.invalid("kind", type, "must be " + kind.kind())));
            }
            return object;
        }
        boolean foreignKind = !type.isEmpty() && !type.equals(kind.kind());
        boolean foreignVersion = !apiVersion.isEmpty() && !apiVersion.equals(kind.apiVersion());
        if (foreignKind || foreignVersion) {
            String shownKind = type.isEmpty() ? kind.kind() : type;
            String shown = apiVersion.isEmpty() ? kind.apiVersion() : apiVersion;
            String version = shown.substring(shown.indexOf('/') + 1);
            throw ApiFailure.badRequest(shownKind + " in version \"" + version + "\" cannot be handled as a "
                    + kind.kind() + ": no kind \"" + shownKind + "\" is registered for version \"" + shown + "\"");
        }
        if (type.isEmpty() || apiVersion.isEmpty()) {
            ObjectNode named = Trees.shallowCopy(object);
            named.put("kind", kind.kind());
            named.put("apiVersion", kind.apiVersion());
            return named;
        }
        return object;
    }

    /** The object as the server reads it, and what it did not understand. */
    private ObjectNode admitted(
            ResourceKind kind, ObjectNode object, Origin origin, Options options, List<String> warnings) {
        ObjectNode admitted;
        try {
            admitted = origin == Origin.APPLY
                    ? kind.admission().merged(object)
                    : kind.admission().defaulted(object);
        } catch (Malformed malformed) {
            throw unreadable(kind, origin, String.valueOf(malformed.getMessage()));
        }
        if (!options.quiet()) {
            List<String> unknown = kind.admission().unknownFields(object).stream()
                    .map(path -> "unknown field \"" + path + "\"")
                    .toList();
            if (!unknown.isEmpty() && options.strict()) {
                throw unreadable(kind, origin, "strict decoding error: " + String.join(", ", unknown));
            }
            warnings.addAll(unknown);
        }
        return admitted;
    }

    private static ApiFailure unreadable(ResourceKind kind, Origin origin, String why) {
        return origin == Origin.PATCH
                ? ApiFailure.unreadablePatch(why)
                : ApiFailure.badRequest(kind.kind() + " in version \"" + kind.version() + "\" cannot be handled as a "
                        + kind.kind() + ": " + why);
    }

    /** The name in an object must be that of the URL. */
    private static void mustBeNamed(String own, String name) {
        if (own.isEmpty()) {
            throw ApiFailure.badRequest(
                    "the name of the object (" + name + " based on URL) was undeterminable: name must be provided");
        }
        if (!own.equals(name)) {
            throw ApiFailure.badRequest(
                    "the name of the object (" + own + ") does not match the name on the URL (" + name + ")");
        }
    }

    private static ObjectNode toStorage(Registry registry, ObjectNode object) {
        return inForm(registry.storage, object);
    }

    /** The object as {@code kind}, in whatever version it lies in the store. */
    static ObjectNode fromStorage(ResourceKind kind, ObjectNode object) {
        return inForm(kind, object);
    }

    private static ObjectNode inForm(ResourceKind kind, ObjectNode object) {
        if (Rendering.isIn(kind, object)) {
            return object;
        }
        if (kind.plural().equals("events")) {
            return kind.group().equals(EventForms.GROUP) ? EventForms.fromCore(object) : EventForms.toCore(object);
        }
        ObjectNode copy = Trees.shallowCopy(object);
        copy.put("apiVersion", kind.apiVersion());
        return copy;
    }

    // ---------------------------------------------------------------------------------------------------- create

    /** Creates {@code body} in {@code namespace}, "" for cluster-scoped kinds. */
    Outcome create(Registry registry, ResourceKind kind, String namespace, ObjectNode body, Options options) {
        return create(registry, kind, namespace, body, options, Origin.BODY);
    }

    private Outcome create(
            Registry registry, ResourceKind kind, String namespace, ObjectNode body, Options options, Origin origin) {
        checkNamespaceOf(kind, namespace, body);
        if (registry.terminating) {
            throw ApiFailure.of(
                    405,
                    "MethodNotAllowed",
                    "create not allowed while custom resource definition is terminating",
                    null);
        }
        String given = Trees.text(Trees.metadata(body), "name");
        if (registry.namespaced()) {
            mustAcceptContent(kind, given, namespace);
        }
        List<String> warnings = new ArrayList<>();
        ObjectNode object = Trees.withOwnMetadata(admitted(kind, body, origin, options, warnings));
        ObjectNode metadata = metadataOf(object);
        warnOfFinalizers(registry, metadata, List.of(), warnings);
        String revision = Trees.text(metadata, "resourceVersion");
        if (!revision.isEmpty() && !revision.equals("0")) {
            throw ApiFailure.internal("resourceVersion should not be set on objects to be created");
        }
        String name = name(kind, registry, namespace, metadata);
        metadata.put("name", name);
        if (registry.namespaced()) {
            metadata.put("namespace", namespace);
        } else {
            metadata.remove("namespace");
        }
        metadata.put("uid", uid());
        metadata.put("creationTimestamp", seconds(runtime.wallClock()));
        for (String owned : List.of("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "resourceVersion")) {
            metadata.remove(owned);
        }
        if (counts(registry)) {
            metadata.put("generation", 1);
        }
        if (kind.statusSubresource()) {
            object.remove("status");
        }
        if (origin != Origin.APPLY) {
            object = FieldManagement.updated(null, object, fields(kind, options, ""), kind.schema());
        }
        object = kind.admission().prepared(object, null);
        validate(kind, name, object, null, "");
        Stored there = registry.get(namespace, name);
        if (there != null) {
            throw ApiFailure.alreadyExists(kind, name, there.beingDeleted());
        }
        ObjectNode stored = Trees.withOwnMetadata(toStorage(registry, object));
        if (options.dryRun()) {
            return new Outcome(unstored(registry, stored), true, false, warnings);
        }
        return new Outcome(put(registry, stored), true, false, warnings);
    }

    private static void checkNamespaceOf(ResourceKind kind, String namespace, ObjectNode body) {
        String own = Trees.text(Trees.metadata(body), "namespace");
        if (kind.scope() == ResourceKind.Scope.NAMESPACED && !own.isEmpty() && !own.equals(namespace)) {
            throw ApiFailure.badRequest(
                    "the namespace of the provided object does not match the namespace sent on the request");
        }
    }

    private void mustAcceptContent(ResourceKind kind, String name, String namespace) {
        Registry namespaces = namespaces();
        Stored stored = namespaces.get("", namespace);
        if (stored == null) {
            throw ApiFailure.notFound(namespaces.storage, namespace);
        }
        if (stored.beingDeleted()) {
            throw ApiFailure.namespaceTerminating(kind, name, namespace);
        }
    }

    private Registry namespaces() {
        Registry namespaces = registries.get("/namespaces");
        if (namespaces == null) {
            throw new IllegalStateException("the table of built-in kinds lacks namespaces");
        }
        return namespaces;
    }

    private String name(ResourceKind kind, Registry registry, String namespace, ObjectNode metadata) {
        String name = Trees.text(metadata, "name");
        String prefix = Trees.text(metadata, "generateName");
        if (name.isEmpty() && !prefix.isEmpty()) {
            String base = prefix.length() > 58 ? prefix.substring(0, 58) : prefix;
            do {
                StringBuilder generated = new StringBuilder(base);
                for (int i = 0; i < 5; i++) {
                    generated.append(ALPHABET.charAt(names.nextInt(ALPHABET.length())));
                }
                name = generated.toString();
            } while (registry.get(namespace, name) != null);
        }
        if (name.isEmpty()) {
            throw ApiFailure.invalid(
                    kind, "", List.of(Cause.required("metadata.name", "name or generateName is required")));
        }
        if (name.length() > 253 || !SUBDOMAIN.matcher(name).matches()) {
            throw ApiFailure.invalid(
                    kind,
                    name,
                    List.of(Cause.invalid(
                            "metadata.name",
                            name,
                            name.length() > 253
                                    ? "must be no more than 253 characters"
                                    : "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric"
                                            + " characters, '-' or '.', and must start and end with an alphanumeric"
                                            + " character (e.g. 'example.com', regex used for validation is '"
                                            + SUBDOMAIN.pattern() + "')")));
        }
        return name;
    }

    // ---------------------------------------------------------------------------------------------------- update

    /** Replaces the object, or with {@code subresource} {@code status} its status: a PUT. */
    Outcome update(
            Registry registry,
            ResourceKind kind,
            String namespace,
            String name,
            String subresource,
            ObjectNode body,
            Options options) {
        ObjectNode given = Trees.metadata(body);
        String own = Trees.text(given, "name");
        mustBeNamed(own, name);
        checkNamespaceOf(kind, namespace, body);
        Stored live = registry.get(namespace, name);
        if (live == null) {
            if (subresource.isEmpty() && CREATE_ON_UPDATE.contains(id(registry))) {
                return create(registry, kind, namespace, body, options);
            }
            throw ApiFailure.notFound(kind, name);
        }
        String uid = Trees.text(given, "uid");
        if (!uid.isEmpty() && !uid.equals(live.uid)) {
            throw ApiFailure.conflict(
                    kind,
                    name,
                    "StorageError: invalid object, Code: 4, Key: /registry/"
                            + (kind.group().isEmpty() ? "" : kind.group() + "/") + kind.plural() + "/"
                            + live.key + ", ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in"
                            + " precondition: " + uid + ", UID in object meta: " + live.uid);
        }
        String revision = Trees.text(given, "resourceVersion");
        if (revision.isEmpty() || revision.equals("0")) {
            if (registry.custom || id(registry).equals("coordination.k8s.io/leases")) {
                throw ApiFailure.invalid(
                        kind.plural(),
                        kind.group(),
                        name,
                        List.of(new Cause(
                                "metadata.resourceVersion",
                                "FieldValueInvalid",
                                "Invalid value: 0: must be specified for an update")));
            }
        } else {
            mustBeCurrent(kind, live, revision);
        }
        return replace(registry, kind, live, subresource, body, options, Origin.BODY);
    }

    private static void mustBeCurrent(ResourceKind kind, Stored live, String revision) {
        long version;
        try {
            version = Long.parseUnsignedLong(revision);
        } catch (NumberFormatException e) {
            throw ApiFailure.internal("strconv.ParseUint: parsing \"" + revision + "\": invalid syntax");
        }
        if (version != live.revision) {
            throw ApiFailure.modified(kind, live.name);
        }
    }

    /** From a whole new object, whoever made it, to the store. */
    private Outcome replace(
            Registry registry,
            ResourceKind kind,
            Stored live,
            String subresource,
            ObjectNode body,
            Options options,
            Origin origin) {
        ObjectNode old = fromStorage(kind, live.tree);
        ObjectNode oldMetadata = metadataOf(old);
        List<String> warnings = new ArrayList<>();
        ObjectNode given = admitted(kind, body, origin, options, warnings);
        ObjectNode object = bySubresource(registry, kind, subresource, given, old);
        ObjectNode metadata = metadataOf(object);
        List<Cause> causes = keepOwned(metadata, oldMetadata);
        warnOfFinalizers(registry, metadata, Trees.strings(oldMetadata, "finalizers"), warnings);
        if (Json.at(body, "metadata", "managedFields") instanceof ArrayNode none && none.isEmpty()) {
            metadata.set("managedFields", none); // an empty list, which admission drops, clears them
        }
        if (origin != Origin.APPLY) {
            object = Trees.withOwnMetadata(
                    FieldManagement.updated(old, object, fields(kind, options, subresource), kind.schema()));
            metadata = metadataOf(object);
        }
        object = Trees.withOwnMetadata(kind.admission().prepared(object, old));
        metadata = metadataOf(object);
        if (counts(registry) && generationChanges(registry, kind, subresource, old, object)) {
            metadata.put("generation", Trees.number(oldMetadata, "generation") + 1);
        }
        if (!causes.isEmpty()) {
            throw ApiFailure.invalid(kind, live.name, causes);
        }
        validate(kind, live.name, object, old, subresource);
        ObjectNode stored = Trees.withOwnMetadata(toStorage(registry, object));
        if (live.beingDeleted() && Trees.strings(metadata, "finalizers").isEmpty() && removable(registry, metadata)) {
            // the last finalizer went: the answer is the object as stored last, the deletion takes another revision
            if (!options.dryRun()) {
                remove(registry, live, stored);
            }
            metadataOf(stored).put("resourceVersion", Long.toString(live.revision));
            return new Outcome(new Stored(live.key, live.revision, stored), false, true, warnings);
        }
        if (Trees.sameButForTimes(stored, live.tree)) {
            return new Outcome(live, false, false, warnings);
        }
        if (options.dryRun()) {
            return new Outcome(new Stored(live.key, live.revision, stored), false, false, warnings);
        }
        return new Outcome(put(registry, stored), false, false, warnings);
    }

    private static void warnOfFinalizers(
            Registry registry, ObjectNode metadata, List<String> there, List<String> warnings) {
        if (!registry.custom) {
            return; // of the server's own kinds such a finalizer is refused
        }
        for (String finalizer : Trees.strings(metadata, "finalizers")) {
            if (!finalizer.contains("/") && !there.contains(finalizer)) {
                warnings.add("metadata.finalizers: " + Json.quoted(finalizer) + ": prefer a domain-qualified finalizer"
                        + " name to avoid accidental conflicts with other finalizer writers");
            }
        }
    }

    /** A terminating Pod waits for its kubelet, a namespace for its contents; all else goes with its last finalizer. */
    private static boolean removable(Registry registry, ObjectNode metadata) {
        return !id(registry).equals("/namespaces") && Trees.number(metadata, "deletionGracePeriodSeconds") == 0;
    }

    /** What of {@code given} a write to this subresource may change. */
    private static ObjectNode bySubresource(
            Registry registry, ResourceKind kind, String subresource, ObjectNode given, ObjectNode old) {
        if (subresource.isEmpty()) {
            ObjectNode object = Trees.withOwnMetadata(given);
            if (kind.statusSubresource()) {
                keep(object, old, "status");
            }
            return object;
        }
        ObjectNode object;
        if (registry.custom) {
            // a custom resource's status: everything else stays, metadata too, but for who owns what
            object = Trees.withOwnMetadata(old);
            JsonNode managed = metadataOf(given).get("managedFields");
            if (managed != null) {
                metadataOf(object).set("managedFields", managed);
            }
        } else {
            // a built-in's status: the spec stays, metadata may change; a Deployment keeps its labels
            object = Trees.withOwnMetadata(given);
            for (Map.Entry<String, JsonNode> field : given.properties()) {
                if (!Set.of("kind", "apiVersion", "metadata", "status").contains(field.getKey())) {
                    keep(object, old, field.getKey());
                }
            }
            keep(object, old, "spec");
            if (kind.plural().equals("deployments")) {
                keep(metadataOf(object), metadataOf(old), "labels");
            }
        }
        JsonNode status = given.get("status");
        if (status == null || status.isNull()) {
            object.remove("status");
        } else {
            object.set("status", status);
        }
        return object;
    }

    private static void keep(ObjectNode object, ObjectNode old, String field) {
        JsonNode value = old.get(field);
        if (value == null) {
            object.remove(field);
        } else {
            object.set(field, value);
        }
    }

    /** Puts back the metadata that only the server writes; tells what a client tried to change. */
    private static List<Cause> keepOwned(ObjectNode metadata, ObjectNode old) {
        List<Cause> causes = new ArrayList<>();
        for (String field : List.of("uid", "name", "namespace", "deletionTimestamp")) {
            String now = Trees.text(metadata, field);
            String was = Trees.text(old, field);
            if (!now.isEmpty() && !now.equals(was)) {
                causes.add(Cause.invalid("metadata." + field, now, IMMUTABLE));
            }
            keep(metadata, old, field);
        }
        keep(metadata, old, "creationTimestamp");
        keep(metadata, old, "deletionGracePeriodSeconds");
        keep(metadata, old, "generation");
        keep(metadata, old, "resourceVersion");
        metadata.remove("selfLink");
        for (String emptied : List.of("labels", "annotations", "finalizers", "ownerReferences")) {
            JsonNode value = metadata.get(emptied);
            if (value != null && (value.isNull() || value.isEmpty())) {
                metadata.remove(emptied);
            }
        }
        if (!Trees.text(old, "deletionTimestamp").isEmpty()) {
            List<String> added = new ArrayList<>(Trees.strings(metadata, "finalizers"));
            added.removeAll(Trees.strings(old, "finalizers"));
            if (!added.isEmpty()) {
                causes.add(Cause.forbidden(
                        "metadata.finalizers",
                        "no new finalizers can be added if the object is being deleted, found new finalizers []string{"
                                + String.join(
                                        ", ", added.stream().map(Json::quoted).toList()) + "}"));
            }
        }
        return causes;
    }

    private static boolean counts(Registry registry) {
        return registry.custom || WITH_GENERATION.contains(id(registry));
    }

    private static boolean generationChanges(
            Registry registry, ResourceKind kind, String subresource, ObjectNode old, ObjectNode now) {
        if (!registry.custom) {
            // deploymentStrategy.PrepareForUpdate counts annotations too; its status strategy counts nothing
            boolean annotated = subresource.isEmpty()
                    && id(registry).equals("apps/deployments")
                    && !Json.same(Json.at(old, "metadata", "annotations"), Json.at(now, "metadata", "annotations"));
            return annotated || !Json.same(old.get("spec"), now.get("spec"));
        }
        ObjectNode before = Trees.shallowCopy(old);
        ObjectNode after = Trees.shallowCopy(now);
        before.remove("metadata");
        after.remove("metadata");
        if (kind.statusSubresource()) {
            before.remove("status");
            after.remove("status");
        }
        return !Json.same(before, after);
    }

    private static void validate(
            ResourceKind kind, String name, ObjectNode object, @Nullable ObjectNode old, String subresource) {
        List<Cause> causes = new ArrayList<>(kind.admission().validate(object, old));
        if (subresource.equals("status")) {
            causes.replaceAll(Cause::inStatus);
        }
        if (!causes.isEmpty()) {
            throw ApiFailure.invalid(kind, name, causes);
        }
        if (kind.kind().equals("CustomResourceDefinition")) {
            CustomResourceKinds.of(object); // throws what cannot be served, before it is stored
        }
    }

    // ---------------------------------------------------------------------------------------------------- patch

    /** A JSON merge patch (RFC 7386) or a JSON patch (RFC 6902). */
    Outcome patch(
            Registry registry,
            ResourceKind kind,
            String namespace,
            String name,
            String subresource,
            JsonNode patch,
            Options options) {
        Stored live = registry.get(namespace, name);
        if (live == null) {
            throw ApiFailure.notFound(kind, name);
        }
        ObjectNode old = fromStorage(kind, live.tree);
        ObjectNode object;
        try {
            object = patch instanceof ArrayNode operations
                    ? JsonPatch.apply(old, operations)
                    : MergePatch.apply(old, patch);
        } catch (PatchRejected rejected) {
            throw ApiFailure.of(
                    rejected.status(),
                    rejected.status() == 400 ? "BadRequest" : "Invalid",
                    String.valueOf(rejected.getMessage()),
                    rejected.status() == 400 ? null : Trees.object());
        }
        object = patched(kind, registry.custom, object);
        mustBeNamed(Trees.text(Trees.metadata(object), "name"), name);
        checkNamespaceOf(kind, namespace, object);
        String revision = Trees.text(Trees.metadata(object), "resourceVersion");
        if (!revision.isEmpty() && !revision.equals("0")) {
            mustBeCurrent(kind, live, revision);
        }
        return replace(registry, kind, live, subresource, object, options, Origin.PATCH);
    }

    /** What a patch made, which must still be of its kind. */
    private static ObjectNode patched(ResourceKind kind, boolean custom, ObjectNode object) {
        String apiVersion = Trees.text(object, "apiVersion");
        String type = Trees.text(object, "kind");
        if (custom && !apiVersion.equals(kind.apiVersion())) {
            int slash = apiVersion.indexOf('/');
            throw ApiFailure.invalid(
                    type,
                    slash < 0 ? "" : apiVersion.substring(0, slash),
                    Trees.text(Trees.metadata(object), "name"),
                    List.of(Cause.invalid("apiVersion", apiVersion, "must be " + kind.apiVersion())));
        }
        if (!custom && !(type.equals(kind.kind()) && apiVersion.equals(kind.apiVersion()))) {
            throw ApiFailure.unreadablePatch(
                    "no kind \"" + type + "\" is registered for version \"" + apiVersion + "\"");
        }
        return typed(kind, custom, object, new byte[0]);
    }

    /** A server-side apply. */
    Outcome apply(
            Registry registry,
            ResourceKind kind,
            String namespace,
            String name,
            String subresource,
            ObjectNode body,
            Options options) {
        String apiVersion = Trees.text(body, "apiVersion");
        String type = Trees.text(body, "kind");
        if (!apiVersion.equals(kind.apiVersion()) || !type.equals(kind.kind())) {
            throw ApiFailure.badRequest(
                    "invalid object type: " + (apiVersion.contains("/") ? "" : "/") + apiVersion + ", Kind=" + type);
        }
        ObjectNode applied = body;
        ObjectNode given = Trees.metadata(applied);
        if (given != null
                && given.get("managedFields") != null
                && !given.get("managedFields").isEmpty()) {
            throw ApiFailure.badRequest("metadata.managedFields must be nil");
        }
        Stored live = registry.get(namespace, name);
        if (live == null && !subresource.isEmpty()) {
            throw ApiFailure.notFound(kind, name);
        }
        String uid = Trees.text(given, "uid");
        if (live == null && !uid.isEmpty()) {
            throw ApiFailure.conflict(
                    kind,
                    name,
                    "uid mismatch: the provided object specified uid " + uid + ", and no existing object was found");
        }
        ObjectNode old = live == null ? null : fromStorage(kind, live.tree);
        ObjectNode merged;
        try {
            merged = FieldManagement.apply(old, applied, fields(kind, options, subresource), kind.schema());
        } catch (ApplyConflict conflict) {
            throw ApiFailure.applyConflict(conflict);
        } catch (PatchRejected rejected) {
            String reason = rejected.status() == 400 ? "BadRequest" : "";
            throw ApiFailure.of(rejected.status(), reason, String.valueOf(rejected.getMessage()), null);
        }
        checkNamespaceOf(kind, namespace, merged);
        mustBeNamed(Trees.text(Trees.metadata(merged), "name"), name);
        String revision = Trees.text(given, "resourceVersion");
        if (live == null && !revision.isEmpty() && !revision.equals("0")) {
            throw ApiFailure.notFound(kind, name);
        }
        if (live != null && !revision.isEmpty() && !revision.equals("0")) {
            mustBeCurrent(kind, live, revision);
        }
        merged = Trees.withOwnMetadata(merged);
        if (registry.namespaced()) {
            metadataOf(merged).put("namespace", namespace);
        }
        return live == null
                ? create(registry, kind, namespace, merged, options, Origin.APPLY)
                : replace(registry, kind, live, subresource, merged, options, Origin.APPLY);
    }

    private FieldRequest fields(ResourceKind kind, Options options, String subresource) {
        return new FieldRequest(
                options.manager(), options.force(), kind.apiVersion(), subresource, runtime.wallClock());
    }

    // ---------------------------------------------------------------------------------------------------- delete

    /** Deletes, or marks as being deleted what finalizers, a grace period or contents hold. */
    Outcome delete(Registry registry, ResourceKind kind, String namespace, String name, Deletion deletion) {
        Stored live = registry.get(namespace, name);
        if (live == null) {
            throw ApiFailure.notFound(kind, name);
        }
        if (!deletion.uid().isEmpty() && !deletion.uid().equals(live.uid)) {
            throw ApiFailure.conflict(
                    kind.kind(),
                    kind.group(),
                    name,
                    "the UID in the precondition (" + deletion.uid() + ") does not match the UID in record (" + live.uid
                            + "). The object might have been deleted and then recreated");
        }
        if (!deletion.resourceVersion().isEmpty() && !deletion.resourceVersion().equals(Long.toString(live.revision))) {
            throw ApiFailure.conflict(
                    kind.kind(),
                    kind.group(),
                    name,
                    "the ResourceVersion in the precondition (" + deletion.resourceVersion()
                            + ") does not match the ResourceVersion in record (" + live.revision
                            + "). The object might have been modified");
        }
        if (id(registry).equals("/namespaces")) {
            return terminate(registry, kind, live, deletion);
        }
        ObjectNode object = Trees.withOwnMetadata(live.tree);
        ObjectNode metadata = metadataOf(object);
        List<String> finalizers = propagated(Trees.strings(metadata, "finalizers"), deletion.policy());
        if (id(registry).equals("apiextensions.k8s.io/customresourcedefinitions")
                && !live.beingDeleted()
                && !finalizers.contains(Collector.CUSTOM_CLEANUP)) {
            finalizers.add(Collector.CUSTOM_CLEANUP);
        }
        long grace = grace(registry, live, deletion);
        boolean already = live.beingDeleted();
        boolean shortened = already && grace < Trees.number(metadata, "deletionGracePeriodSeconds");
        if (!already || shortened) {
            Instant now = runtime.wallClock();
            metadata.put("deletionTimestamp", seconds(now.plus(Duration.ofSeconds(grace))));
            metadata.put("deletionGracePeriodSeconds", grace);
        }
        if (!already && metadata.has("generation")) {
            metadata.put("generation", Trees.number(metadata, "generation") + 1);
        }
        if (finalizers.isEmpty()) {
            metadata.remove("finalizers");
        } else {
            metadata.set("finalizers", Trees.array(finalizers));
        }
        boolean returned = RETURN_DELETED.contains(id(registry));
        if (finalizers.isEmpty() && grace == 0) {
            if (deletion.dryRun()) {
                return new Outcome(live, false, true, List.of());
            }
            ObjectNode last = id(registry).equals("/pods") || already ? object : Trees.withOwnMetadata(live.tree);
            Stored gone = remove(registry, live, last);
            return new Outcome(gone, false, !returned, List.of());
        }
        if (already && !shortened && Json.same(object, live.tree)) {
            return new Outcome(live, false, false, List.of());
        }
        if (deletion.dryRun()) {
            return new Outcome(new Stored(live.key, live.revision, object), false, false, List.of());
        }
        return new Outcome(put(registry, object), false, false, List.of());
    }

    private static List<String> propagated(List<String> finalizers, String policy) {
        List<String> kept = new ArrayList<>(finalizers);
        if (policy.isEmpty()) {
            return kept; // what the object asks for itself stands
        }
        kept.removeAll(List.of(Collector.ORPHAN, Collector.FOREGROUND));
        if (policy.equals("Orphan")) {
            kept.add(Collector.ORPHAN);
        } else if (policy.equals("Foreground")) {
            kept.add(Collector.FOREGROUND);
        }
        return kept;
    }

    /** Only Pods have grace: what their spec or the request says, once a node has them and while they run. */
    private static long grace(Registry registry, Stored live, Deletion deletion) {
        if (!id(registry).equals("/pods")) {
            return 0;
        }
        ObjectNode spec = Trees.child(live.tree, "spec");
        String phase = Trees.text(Trees.child(live.tree, "status"), "phase");
        if (Trees.text(spec, "nodeName").isEmpty() || phase.equals("Succeeded") || phase.equals("Failed")) {
            return 0;
        }
        Long asked = deletion.graceSeconds();
        if (asked != null) {
            return asked < 0 ? 1 : asked; // as the real server: a negative one means at once, but not by force
        }
        if (live.beingDeleted()) {
            return Trees.number(Trees.metadata(live.tree), "deletionGracePeriodSeconds");
        }
        JsonNode own = spec == null ? null : spec.get("terminationGracePeriodSeconds");
        return own != null && own.isIntegralNumber() ? own.longValue() : 30;
    }

    /** A namespace is held by its contents: {@code spec.finalizers}. */
    private Outcome terminate(Registry registry, ResourceKind kind, Stored live, Deletion deletion) {
        if (UNDELETABLE_NAMESPACES.contains(live.name)) {
            throw ApiFailure.forbidden(kind, live.name, "this namespace may not be deleted");
        }
        if (live.beingDeleted() || deletion.dryRun()) {
            return new Outcome(live, false, false, List.of());
        }
        ObjectNode object = Trees.withOwnMetadata(live.tree);
        metadataOf(object).put("deletionTimestamp", seconds(runtime.wallClock()));
        ObjectNode status = Trees.child(object, "status");
        status = status == null ? Trees.object() : Trees.shallowCopy(status);
        status.put("phase", "Terminating");
        object.set("status", status);
        return new Outcome(put(registry, object), false, false, List.of());
    }

    // ---------------------------------------------------------------------------------------------------- commit

    /** Stores what a controller of the server itself made of {@code object}, past admission; own root and metadata. */
    Stored put(Registry registry, ObjectNode object) {
        ObjectNode metadata = metadataOf(object);
        String key = Stored.key(
                registry.namespaced() ? Trees.text(metadata, "namespace") : "", Trees.text(metadata, "name"));
        return told(store.put(registry, key, object));
    }

    /** Removes {@code live}; {@code last}, with an own root and metadata, is its last state. */
    Stored remove(Registry registry, Stored live, ObjectNode last) {
        return told(store.remove(registry, live.key, Trees.withOwnMetadata(last)));
    }

    private Stored told(Store.Change change) {
        Registry registry = change.registry();
        for (Watcher watcher : registry.watchers()) {
            watcher.change(change);
        }
        if (!listeners.isEmpty()) {
            Stored before = change.before();
            StoredChange told = new StoredChange(
                    registry.storage, change.type(), change.now().tree, before == null ? null : before.tree);
            for (Consumer<StoredChange> listener : List.copyOf(listeners)) {
                listener.accept(told);
            }
        }
        return change.now();
    }

    private static Stored unstored(Registry registry, ObjectNode object) {
        ObjectNode ordered = registry.custom ? (ObjectNode) Trees.sorted(object) : Trees.kindFirst(object);
        ObjectNode metadata = metadataOf(ordered);
        return new Stored(Stored.key(Trees.text(metadata, "namespace"), Trees.text(metadata, "name")), 0, ordered);
    }

    static ObjectNode metadataOf(ObjectNode object) {
        ObjectNode metadata = Trees.metadata(object);
        if (metadata == null) {
            throw new IllegalStateException("an object without metadata got past decoding");
        }
        return metadata;
    }

    static String seconds(Instant time) {
        return time.truncatedTo(ChronoUnit.SECONDS).toString();
    }

    private String uid() {
        long high = (uids.nextLong() & ~0xf000L) | 0x4000L; // version 4
        long low = (uids.nextLong() & ~0xc000000000000000L) | 0x8000000000000000L; // RFC 9562 variant
        return new java.util.UUID(high, low).toString();
    }
}
