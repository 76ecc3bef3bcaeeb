package io.homeostat.simulator;

import io.homeostat.core.Headers;
import io.homeostat.core.HttpCall;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** One request, taken apart as {@code k8s.io/apiserver/pkg/endpoints/request.RequestInfo} does it. */
final class Request {
    final String method;
    final String path;
    final List<String> segments;
    final Map<String, String> query;
    final Headers headers;
    final byte[] body;

    final String group;
    final String version;
    final String namespace;
    final String resource;
    final String name;
    final String subresource;
    final boolean inApi;
    final boolean watch;

    Request(HttpCall call) {
        method = call.method();
        headers = call.headers();
        body = call.body();
        String target = call.target();
        int question = target.indexOf('?');
        path = decode(question < 0 ? target : target.substring(0, question), true);
        query = question < 0 ? Map.of() : query(target.substring(question + 1));
        segments = new ArrayList<>();
        for (String segment : (question < 0 ? target : target.substring(0, question)).split("/", -1)) {
            if (!segment.isEmpty()) {
                segments.add(decode(segment, true));
            }
        }
        int at = 0;
        boolean legacy = !segments.isEmpty() && segments.get(0).equals("api");
        boolean grouped = !segments.isEmpty() && segments.get(0).equals("apis");
        if (legacy && segments.size() > 2) {
            group = "";
            version = segments.get(1);
            at = 2;
            inApi = true;
        } else if (grouped && segments.size() > 3) {
            group = segments.get(1);
            version = segments.get(2);
            at = 3;
            inApi = true;
        } else {
            group = "";
            version = "";
            inApi = false;
        }
        boolean watchPath = inApi && segments.get(at).equals("watch");
        if (watchPath) {
            at++;
        }
        List<String> rest = inApi ? segments.subList(at, segments.size()) : List.of();
        String space = "";
        if (rest.size() > 2
                && rest.get(0).equals("namespaces")
                && !rest.get(2).equals("status")
                && !rest.get(2).equals("finalize")) {
            space = rest.get(1);
            rest = rest.subList(2, rest.size());
        }
        namespace = space;
        resource = rest.isEmpty() ? "" : rest.get(0);
        name = rest.size() > 1 ? rest.get(1) : "";
        subresource = rest.size() > 2 ? String.join("/", rest.subList(2, rest.size())) : "";
        watch = watchPath || (name.isEmpty() && method.equals("GET") && flag("watch"));
    }

    private static Map<String, String> query(String text) {
        Map<String, String> query = new TreeMap<>();
        for (String pair : text.split("&", -1)) {
            if (!pair.isEmpty()) {
                int equals = pair.indexOf('=');
                query.putIfAbsent(
                        decode(equals < 0 ? pair : pair.substring(0, equals), false),
                        equals < 0 ? "" : decode(pair.substring(equals + 1), false));
            }
        }
        return query;
    }

    private static String decode(String text, boolean plusIsPlus) {
        if (text.indexOf('%') < 0 && (plusIsPlus || text.indexOf('+') < 0)) {
            return text;
        }
        try {
            return URLDecoder.decode(plusIsPlus ? text.replace("+", "%2B") : text, StandardCharsets.UTF_8);
        } catch (IllegalArgumentException e) {
            return text; // a broken escape is taken as it is, and found nowhere
        }
    }

    /** The query parameter, or "". */
    String parameter(String key) {
        return query.getOrDefault(key, "");
    }

    /** As Go parses booleans of queries: present and not false. */
    boolean flag(String key) {
        String value = query.get(key);
        return value != null && !value.equals("false") && !value.equals("0");
    }

    String header(String key) {
        return headers.first(key).orElse("");
    }

    /** The media type of the body, without parameters. */
    String contentType() {
        String type = header("Content-Type");
        int semicolon = type.indexOf(';');
        return (semicolon < 0 ? type : type.substring(0, semicolon)).trim();
    }

    boolean acceptsGzip() {
        for (String coding : header("Accept-Encoding").split(",", -1)) {
            if (coding.trim().equals("gzip") || coding.trim().startsWith("gzip;")) {
                return true;
            }
        }
        return false;
    }

    /** An integer parameter. @throws ApiFailure 400 when it is none */
    @Nullable
    Long integer(String key) {
        String value = query.get(key);
        if (value == null || value.isEmpty()) {
            return null;
        }
        try {
            return Long.valueOf(value);
        } catch (NumberFormatException e) {
            throw ApiFailure.badRequest("strconv.ParseInt: parsing \"" + value + "\": invalid syntax");
        }
    }

    /** The verb as RBAC and metrics name it. */
    String verb() {
        return switch (method) {
            case "GET" -> !inApi ? "get" : watch ? "watch" : name.isEmpty() ? "list" : "get";
            case "POST" -> "create";
            case "PUT" -> "update";
            case "PATCH" -> "patch";
            case "DELETE" -> name.isEmpty() ? "deletecollection" : "delete";
            default -> method.toLowerCase(java.util.Locale.ROOT);
        };
    }

    /** Who writes: the parameter {@code fieldManager}, or the user agent up to its first slash. */
    String fieldManager() {
        String manager = parameter("fieldManager");
        if (!manager.isEmpty()) {
            return manager;
        }
        String agent = header("User-Agent");
        int slash = agent.indexOf('/');
        String prefix = slash < 0 ? agent : agent.substring(0, slash);
        String printable = prefix.chars()
                .filter(c -> c >= ' ' && c != 0x7f)
                .limit(128)
                .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
                .toString();
        return printable.isEmpty() ? "unknown" : printable;
    }
}
