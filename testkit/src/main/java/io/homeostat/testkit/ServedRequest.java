package io.homeostat.testkit;

import io.homeostat.core.Experimental;
import java.util.Set;

/**
 * One request, as the server saw it.
 *
 * @param verb as in RBAC: {@code get}, {@code list}, {@code watch}, {@code create}, {@code update}, {@code patch}, {@code delete}
 *     or {@code deletecollection}; for a path that is no resource the HTTP method in lower case
 * @param target path and query as sent
 * @param status the answer's status; 0 when there is none yet
 * @param userAgent as sent, {@code ""} for none
 */
@Experimental
public record ServedRequest(String verb, String target, int status, String userAgent) {
    private static final Set<String> WRITES = Set.of("create", "update", "patch", "delete", "deletecollection");

    /** Whether it asks for a change. */
    public boolean isWrite() {
        return WRITES.contains(verb);
    }
}
