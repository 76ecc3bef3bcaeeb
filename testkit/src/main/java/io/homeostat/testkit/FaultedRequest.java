package io.homeostat.testkit;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * What a request asks for, in the words of RBAC.
 *
 * @param resource plural and subresource; the path itself when it is no resource
 */
record FaultedRequest(String verb, String resource, String query) {
    static FaultedRequest of(String method, String target) {
        int question = target.indexOf('?');
        String path = question < 0 ? target : target.substring(0, question);
        String query = question < 0 ? "" : target.substring(question + 1);
        List<String> parts = new ArrayList<>(Arrays.asList(path.substring(1).split("/", -1)));
        int prefix = parts.get(0).equals("api") ? 2 : parts.get(0).equals("apis") ? 3 : Integer.MAX_VALUE;
        if (parts.size() <= prefix) {
            return new FaultedRequest(method.toLowerCase(java.util.Locale.ROOT), path, query);
        }
        parts.subList(0, prefix).clear();
        if (parts.size() > 2 && parts.get(0).equals("namespaces")) {
            parts.subList(0, 2).clear();
        }
        boolean named = parts.size() > 1;
        String resource = parts.size() > 2 ? parts.get(0) + "/" + parts.get(2) : parts.get(0);
        boolean watches = Arrays.stream(query.split("&", -1)).anyMatch(part -> part.matches("watch=(true|1)"));
        String verb =
                switch (method) {
                    case "POST" -> "create";
                    case "PUT" -> "update";
                    case "PATCH" -> "patch";
                    case "DELETE" -> named ? "delete" : "deletecollection";
                    default -> watches ? "watch" : named ? "get" : "list";
                };
        return new FaultedRequest(verb, resource, query);
    }
}
