package io.homeostat.client;

import io.homeostat.core.Experimental;
import java.util.Map;
import java.util.TreeMap;

/**
 * Where and what to list or watch. Immutable.
 *
 * @param namespace one namespace, {@code ""} for all (or for a cluster-scoped type)
 * @param parameters query parameters by their API names ({@code labelSelector}, {@code fieldSelector}, {@code resourceVersion},
 *     {@code resourceVersionMatch}, {@code limit}, {@code continue}, {@code sendInitialEvents}, {@code allowWatchBookmarks},
 *     {@code timeoutSeconds}, {@code shardSelector}); encoded when the path is made; {@code watch} is set by the client
 */
@Experimental
public record Query(String namespace, Map<String, String> parameters) {
    /** Copies the parameters, in the order of their names. */
    public Query {
        parameters = java.util.Collections.unmodifiableMap(new TreeMap<>(parameters));
    }

    /** Everything. */
    public static Query everywhere() {
        return new Query("", Map.of());
    }

    /** One namespace. */
    public static Query in(String namespace) {
        return new Query(namespace, Map.of());
    }

    /** The same with one parameter set, or unset by {@code ""}. */
    public Query with(String name, String value) {
        TreeMap<String, String> more = new TreeMap<>(parameters);
        if (value.isEmpty()) {
            more.remove(name);
        } else {
            more.put(name, value);
        }
        return new Query(namespace, more);
    }
}
