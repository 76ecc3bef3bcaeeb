package io.homeostat.simulator;

import java.util.List;

/**
 * A kind that the server knows, in one version.
 *
 * @param group the API group; {@code ""} for the core group
 * @param version for example {@code v1}
 * @param plural the name in paths, for example {@code deployments}
 * @param singular for example {@code deployment}
 * @param kind for example {@code Deployment}
 * @param shortNames for example {@code deploy}
 * @param categories for example {@code all}
 * @param scope whether objects live in namespaces
 * @param statusSubresource whether {@code /status} exists, and with it the rule that only it writes {@code status}
 * @param schema how objects are merged
 * @param admission how objects are defaulted and validated
 */
record ResourceKind(
        String group,
        String version,
        String plural,
        String singular,
        String kind,
        List<String> shortNames,
        List<String> categories,
        Scope scope,
        boolean statusSubresource,
        Schema schema,
        Admission admission) {
    /** Where objects of a kind live. */
    enum Scope {
        /** In a namespace. */
        NAMESPACED,
        /** In the cluster, without a namespace. */
        CLUSTER
    }

    /** The group and version as objects name them: {@code apps/v1}, or {@code v1} for the core group. */
    String apiVersion() {
        return group.isEmpty() ? version : group + "/" + version;
    }
}
