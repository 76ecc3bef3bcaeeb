package io.homeostat.simulator;

import io.homeostat.core.Stable;

/**
 * One request that the simulator received.
 *
 * @param sequence 1 for the first request, one more for each
 * @param verb as RBAC names it: {@code get}, {@code list}, {@code watch}, {@code create}, {@code update},
 *     {@code delete}, {@code deletecollection}, or the verb of a patch
 * @param path the decoded path, without query
 * @param query the query as sent, "" for none
 * @param group the API group, "" for the core group and for paths outside the API
 * @param resource the plural, with the subresource after a slash ({@code deployments/status}); "" outside the API
 * @param namespace "" for none or all
 * @param name "" for none
 * @param userAgent the header, "" for none
 * @param status the HTTP status of the answer; 0 while there is none, and when the connection broke first
 */
@Stable
public record RequestRecord(
        long sequence,
        String verb,
        String path,
        String query,
        String group,
        String resource,
        String namespace,
        String name,
        String userAgent,
        int status) {
    RequestRecord answered(int code) {
        return new RequestRecord(sequence, verb, path, query, group, resource, namespace, name, userAgent, code);
    }
}
