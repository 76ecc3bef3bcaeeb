package io.homeostat.client;

import io.homeostat.core.HttpCall;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Makes the targets of requests, and is the only place that does (P-R6).
 *
 * <p>Every segment is validated before it is put in, so that a name can never address something else: no {@code /} that reaches a
 * subresource, no {@code ?} or {@code #} that cuts the path short, no {@code %} or {@code ..} that a proxy may fold. Namespaces
 * are DNS labels and groups DNS subdomains, as the API server has them. Names are what may stand in a path segment unescaped
 * (RFC 3986 {@code pchar} without {@code %}): wider than a DNS subdomain, because roles, CSRs, IP addresses and
 * aggregated APIs have names with colons and capitals; what the kind at hand allows is the server's to say.
 */
final class ResourcePath {
    private static final Pattern LABEL = Pattern.compile("[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?");
    private static final Pattern SUBDOMAIN =
            Pattern.compile("[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*");
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9._~!$&'()*+,;=:@-]+");
    private static final int MAX_NAME = 253;
    private static final Set<String> SAME_OBJECT =
            Set.of("", "status", "approval", "ephemeralcontainers", "finalize", "resize");

    private ResourcePath() {}

    /** The target of a collection, all of it or one namespace's. */
    static String collection(String request, ResourceType<?> type, String namespace, Map<String, String> parameters) {
        return query(base(request, type, namespace, true), parameters);
    }

    /** The target for creating in a namespace, or in none for a cluster-scoped type. */
    static String creation(String request, ResourceType<?> type, ObjectKey key, Map<String, String> parameters) {
        requireName(request, key.name(), "name");
        return query(base(request, type, key.namespace(), false), parameters);
    }

    /** The target for creating what has no name, in a namespace or in none for a cluster-scoped type. */
    static String review(String request, ResourceType<?> type, String namespace) {
        return base(request, type, namespace, false);
    }

    /** The target of one object or of a subresource of it. */
    static String object(
            String request, ResourceType<?> type, ObjectKey key, String subresource, Map<String, String> parameters) {
        String base = base(request, type, key.namespace(), false);
        requireName(request, key.name(), "name");
        if (!subresource.isEmpty() && !LABEL.matcher(subresource).matches()) {
            throw refused(request, "subresource", subresource, "lower-case letters, digits and -");
        }
        return query(base + "/" + key.name() + (subresource.isEmpty() ? "" : "/" + subresource), parameters);
    }

    /**
     * The target of a write to one object or to a subresource of it: of those that are the object seen from another side. The answer to
     * others ({@code scale}) is another object, from which nobody could tell what became of this one.
     */
    static String written(
            String request, ResourceType<?> type, ObjectKey key, String subresource, Map<String, String> parameters) {
        if (!SAME_OBJECT.contains(subresource)) {
            throw refused(
                    request,
                    "subresource",
                    subresource,
                    "none, or one that is answered with the object itself: status, approval, ephemeralcontainers,"
                            + " finalize or resize; instead of scale, write spec.replicas");
        }
        return object(request, type, key, subresource, parameters);
    }

    /** The target of the resource list of a group and version. */
    static String groupVersion(String request, String group, String version) {
        if (!LABEL.matcher(version).matches()) {
            throw refused(request, "version", version, "a DNS label, such as v1");
        }
        if (group.isEmpty()) {
            return "/api/" + version;
        }
        return group(request, group) + "/" + version;
    }

    static String group(String request, String group) {
        if (group.length() > MAX_NAME || !SUBDOMAIN.matcher(group).matches()) {
            throw refused(request, "group", group, "a DNS subdomain, such as apps");
        }
        return "/apis/" + group;
    }

    private static String base(String request, ResourceType<?> type, String namespace, boolean allNamespaces) {
        String root = groupVersion(request, type.group(), type.version());
        if (!LABEL.matcher(type.plural()).matches()) {
            throw refused(request, "plural", type.plural(), "a DNS label, such as deployments");
        }
        if (type.scope() == ResourceType.Scope.CLUSTER) {
            if (!namespace.isEmpty()) {
                throw badRequest(
                        request,
                        type + " is cluster-scoped, found namespace " + quote(namespace)
                                + "; ask for it without a namespace");
            }
            return root + "/" + type.plural();
        }
        if (namespace.isEmpty()) {
            if (!allNamespaces) {
                throw badRequest(request, type + " is namespaced, found no namespace; name one");
            }
            return root + "/" + type.plural();
        }
        if (!LABEL.matcher(namespace).matches()) {
            throw refused(request, "namespace", namespace, "a DNS label of at most 63 characters");
        }
        return root + "/namespaces/" + namespace + "/" + type.plural();
    }

    private static void requireName(String request, String name, String what) {
        if (name.length() > MAX_NAME || !NAME.matcher(name).matches() || name.equals(".") || name.contains("..")) {
            throw refused(
                    request,
                    what,
                    name,
                    "at most 253 characters that may stand in a path: letters, digits and any of -._~!$&'()*+,;=:@,"
                            + " without \"..\"");
        }
    }

    private static String query(String path, Map<String, String> parameters) {
        if (parameters.isEmpty()) {
            return path;
        }
        StringBuilder target = new StringBuilder(path.length() + 64).append(path);
        char separator = '?';
        for (Map.Entry<String, String> parameter : parameters.entrySet()) {
            target.append(separator);
            encode(parameter.getKey(), target);
            target.append('=');
            encode(parameter.getValue(), target);
            separator = '&';
        }
        return target.toString();
    }

    /** Percent-encodes all but RFC 3986's unreserved characters: a space is {@code %20}, never {@code +}. */
    private static void encode(String text, StringBuilder out) {
        for (byte b : text.getBytes(StandardCharsets.UTF_8)) {
            char c = (char) (b & 0xff);
            if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || "-._~".indexOf(c) >= 0) {
                out.append(c);
            } else {
                out.append('%')
                        .append(Character.toUpperCase(Character.forDigit(c >> 4, 16)))
                        .append(Character.toUpperCase(Character.forDigit(c & 15, 16)));
            }
        }
    }

    private static ApiException refused(String request, String what, String value, String rule) {
        return badRequest(request, what + " " + quote(value) + " cannot stand in a path: it must be " + rule);
    }

    private static ApiException badRequest(String request, String problem) {
        return new ApiException.BadRequest(request, ApiException.Answer.none("not sent: " + problem), null);
    }

    private static String quote(String value) {
        return "\"" + printable(value) + "\"";
    }

    /** Text given by callers or servers, safe for one line of a log: no control characters, at most 300 characters. */
    static String printable(String text) {
        StringBuilder out = new StringBuilder(text.length());
        for (int i = 0; i < Math.min(text.length(), 300); i++) {
            char c = text.charAt(i);
            if (c < ' ' || (c >= 0x7f && c < 0xa0)) {
                out.append(String.format(java.util.Locale.ROOT, "\\u%04x", (int) c));
            } else {
                out.append(c);
            }
        }
        return text.length() > 300 ? out.append('…').toString() : out.toString();
    }

    /** A plain target given by the caller, for {@link ApiClient#raw}. */
    static String raw(String target) {
        try {
            return HttpCall.get(target, io.homeostat.core.Headers.NONE).target();
        } catch (IllegalArgumentException e) {
            throw new ApiException.BadRequest("get", ApiException.Answer.none("not sent: " + e.getMessage()), e);
        }
    }
}
