package io.homeostat.client;

import io.homeostat.core.Stable;

/**
 * An owner reference as it stands in {@code metadata.ownerReferences}.
 *
 * @param apiVersion of the owner, {@code group/version}
 * @param kind of the owner
 * @param name of the owner
 * @param uid of the owner
 * @param controller whether the owner is the managing controller
 */
@Stable
public record OwnerRef(String apiVersion, String kind, String name, String uid, boolean controller) {
    /** The group part of {@link #apiVersion}, {@code ""} for core. */
    public String group() {
        int slash = apiVersion.indexOf('/');
        return slash < 0 ? "" : apiVersion.substring(0, slash);
    }
}
