package io.homeostat.client;

import io.homeostat.core.Stable;

/**
 * A write, as hooks see it: what, where, never its contents.
 *
 * @param verb what is done
 * @param type the resource
 * @param key the object; for a create with {@code generateName} the key's name is the prefix
 * @param subresource {@code ""}, {@code "status"}, …
 */
@Stable
public record Write(Verb verb, ResourceType<?> type, ObjectKey key, String subresource) {
    /** The verbs of RBAC that write. */
    public enum Verb {
        /** POST. */
        CREATE,
        /** PUT. */
        UPDATE,
        /** PATCH: merge, JSON or apply. */
        PATCH,
        /** DELETE. */
        DELETE
    }

    @Override
    public String toString() {
        return verb.name().toLowerCase(java.util.Locale.ROOT) + " " + type
                + (subresource.isEmpty() ? "" : "/" + subresource) + " " + key;
    }
}
