package io.homeostat.simulator;

import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** A request refused with a {@code Status}: the words are those of kube-apiserver 1.37. */
final class ApiFailure extends RuntimeException {
    private final int code;
    private final transient ObjectNode status;

    private ApiFailure(int code, ObjectNode status, String message) {
        super(message, null, false, false); // an answer, not an accident: nobody reads its stack
        this.code = code;
        this.status = status;
    }

    int code() {
        return code;
    }

    /** The body of the answer. */
    ObjectNode status() {
        return status;
    }

    static ApiFailure of(int code, String reason, String message, @Nullable ObjectNode details) {
        ObjectNode status = Trees.object();
        status.put("kind", "Status");
        status.put("apiVersion", "v1");
        status.set("metadata", Trees.object());
        status.put("status", "Failure");
        status.put("message", message);
        if (!reason.isEmpty()) {
            status.put("reason", reason);
        }
        if (details != null) {
            status.set("details", details);
        }
        status.put("code", code);
        return new ApiFailure(code, status, message);
    }

    private static ObjectNode details(String name, String group, String kind, List<Cause> causes) {
        ObjectNode details = Trees.object();
        if (!name.isEmpty()) {
            details.put("name", name);
        }
        if (!group.isEmpty()) {
            details.put("group", group);
        }
        if (!kind.isEmpty()) {
            details.put("kind", kind);
        }
        if (!causes.isEmpty()) {
            ArrayNode array = details.putArray("causes");
            for (Cause cause : causes) {
                ObjectNode node = array.addObject();
                node.put("reason", cause.reason());
                node.put("message", cause.message());
                if (!cause.field().isEmpty()) {
                    node.put("field", cause.field());
                }
            }
        }
        return details;
    }

    /** {@code memcacheds.cache.example.com}, or {@code pods}: how messages name a resource. */
    static String qualified(String name, String group) {
        return group.isEmpty() ? name : name + "." + group;
    }

    static ApiFailure notFound(ResourceKind kind, String name) {
        return of(
                404,
                "NotFound",
                qualified(kind.plural(), kind.group()) + " \"" + name + "\" not found",
                details(name, kind.group(), kind.plural(), List.of()));
    }

    /** A path that no API answers. */
    static ApiFailure noSuchResource() {
        return of(404, "NotFound", "the server could not find the requested resource", Trees.object());
    }

    static ApiFailure alreadyExists(ResourceKind kind, String name, boolean beingDeleted) {
        return of(
                409,
                "AlreadyExists",
                (beingDeleted ? "object is being deleted: " : "") + qualified(kind.plural(), kind.group()) + " \""
                        + name + "\" already exists",
                details(name, kind.group(), kind.plural(), List.of()));
    }

    static ApiFailure modified(ResourceKind kind, String name) {
        return conflict(
                kind,
                name,
                "the object has been modified; please apply your changes to the latest version and try again");
    }

    static ApiFailure conflict(ResourceKind kind, String name, String why) {
        return conflict(kind.plural(), kind.group(), name, why);
    }

    /** A conflict that names {@code kind}, as preconditions of a delete do, instead of the plural. */
    static ApiFailure conflict(String what, String group, String name, String why) {
        return of(
                409,
                "Conflict",
                "Operation cannot be fulfilled on " + qualified(what, group) + " \"" + name + "\": " + why,
                details(name, group, what, List.of()));
    }

    static ApiFailure applyConflict(ApplyConflict conflict) {
        return of(409, "Conflict", String.valueOf(conflict.getMessage()), details("", "", "", conflict.causes()));
    }

    static ApiFailure invalid(ResourceKind kind, String name, List<Cause> causes) {
        return invalid(kind.kind(), kind.group(), name, causes);
    }

    static ApiFailure invalid(String kind, String group, String name, List<Cause> causes) {
        String what = causes.size() == 1
                ? causes.get(0).sentence()
                : "[" + String.join(", ", causes.stream().map(Cause::sentence).toList()) + "]";
        return of(
                422,
                "Invalid",
                qualified(kind, group) + " \"" + name + "\" is invalid: " + what,
                details(name, group, kind, causes));
    }

    static ApiFailure invalidOptions(String kind, List<Cause> causes) {
        return invalid(kind, "meta.k8s.io", "", causes);
    }

    static ApiFailure badRequest(String message) {
        return of(400, "BadRequest", message, null);
    }

    /** A patch whose result cannot be read as its kind. The real server shows the whole result; this one shows no bodies. */
    static ApiFailure unreadablePatch(String why) {
        return invalid("", "", "", List.of(new Cause("patch", "FieldValueInvalid", "Invalid value: \"{}\": " + why)));
    }

    /** A path that has other methods only. */
    static ApiFailure methodNotAllowed() {
        return of(
                405,
                "MethodNotAllowed",
                "the server does not allow this method on the requested resource",
                Trees.object());
    }

    static ApiFailure internal(String message) {
        return of(500, "", message, null);
    }

    static ApiFailure methodNotAllowed(ResourceKind kind, String verb) {
        return of(
                405,
                "MethodNotAllowed",
                verb + " is not supported on resources of kind \"" + qualified(kind.plural(), kind.group()) + "\"",
                details("", kind.group(), kind.plural(), List.of()));
    }

    static ApiFailure namespaceTerminating(ResourceKind kind, String name, String namespace) {
        return of(
                403,
                "Forbidden",
                qualified(kind.plural(), kind.group()) + " \"" + name
                        + "\" is forbidden: unable to create new content in namespace " + namespace
                        + " because it is being terminated",
                details(
                        name,
                        kind.group(),
                        kind.plural(),
                        List.of(new Cause(
                                "metadata.namespace",
                                "NamespaceTerminating",
                                "namespace " + namespace + " is being terminated"))));
    }

    static ApiFailure forbidden(ResourceKind kind, String name, String why) {
        return of(
                403,
                "Forbidden",
                qualified(kind.plural(), kind.group()) + " \"" + name + "\" is forbidden: " + why,
                details(name, kind.group(), kind.plural(), List.of()));
    }

    static ApiFailure unsupportedMediaType(String accepted) {
        return of(
                415,
                "UnsupportedMediaType",
                "the body of the request was in an unknown format - accepted media types include: " + accepted,
                null);
    }

    static ApiFailure notAcceptable(String accepted) {
        return of(406, "NotAcceptable", "only the following media types are accepted: " + accepted, null);
    }

    /** A version ahead of the server: the client may come back. */
    static ApiFailure tooLargeResourceVersion(long wanted, long current) {
        ObjectNode details =
                details("", "", "", List.of(new Cause("", "ResourceVersionTooLarge", "Too large resource version")));
        details.put("retryAfterSeconds", 1);
        return of(504, "Timeout", "Timeout: Too large resource version: " + wanted + ", current: " + current, details);
    }

    /** A version that is no longer known. */
    static ApiFailure expired(String message) {
        return of(410, "Expired", message, null);
    }

    /** An answer that tests ordered. */
    static ApiFailure injected(int code, long retryAfterSeconds) {
        ObjectNode details = Trees.object();
        if (retryAfterSeconds > 0) {
            details.put("retryAfterSeconds", retryAfterSeconds);
        }
        String reason =
                switch (code) {
                    case 400 -> "BadRequest";
                    case 401 -> "Unauthorized";
                    case 403 -> "Forbidden";
                    case 404 -> "NotFound";
                    case 409 -> "Conflict";
                    case 410 -> "Expired";
                    case 422 -> "Invalid";
                    case 429 -> "TooManyRequests";
                    case 500 -> "InternalError";
                    case 503 -> "ServiceUnavailable";
                    case 504 -> "Timeout";
                    default -> "";
                };
        return of(code, reason, "an injected fault answers " + code, details);
    }

    /** What this server does not do: never a guess. */
    static ApiFailure notImplemented(String sentence) {
        return of(501, "NotImplemented", "the simulator does not do this: " + sentence, null);
    }
}
