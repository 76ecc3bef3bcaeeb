package io.homeostat.simulator;

import io.homeostat.simulator.ResourceKind.Scope;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** The kinds that the server knows from the start. */
final class BuiltInKinds {
    private static final List<ResourceKind> ALL = List.of(
            cluster("", "v1", "namespaces", "Namespace", true, List.of("ns"), List.of()),
            cluster("", "v1", "nodes", "Node", true, List.of("no"), List.of()),
            namespaced("", "v1", "pods", "Pod", true, List.of("po"), List.of("all")),
            namespaced("", "v1", "services", "Service", true, List.of("svc"), List.of("all")),
            namespaced("", "v1", "configmaps", "ConfigMap", false, List.of("cm"), List.of()),
            namespaced("", "v1", "secrets", "Secret", false, List.of(), List.of()),
            namespaced("", "v1", "serviceaccounts", "ServiceAccount", false, List.of("sa"), List.of()),
            namespaced("", "v1", "events", "Event", false, List.of("ev"), List.of()),
            namespaced("events.k8s.io", "v1", "events", "Event", false, List.of("ev"), List.of()),
            namespaced("apps", "v1", "deployments", "Deployment", true, List.of("deploy"), List.of("all")),
            namespaced("apps", "v1", "replicasets", "ReplicaSet", true, List.of("rs"), List.of("all")),
            namespaced("apps", "v1", "statefulsets", "StatefulSet", true, List.of("sts"), List.of("all")),
            namespaced("coordination.k8s.io", "v1", "leases", "Lease", false, List.of(), List.of()),
            cluster(
                    "apiextensions.k8s.io",
                    "v1",
                    "customresourcedefinitions",
                    "CustomResourceDefinition",
                    true,
                    List.of("crd", "crds"),
                    List.of("api-extensions")));

    private BuiltInKinds() {}

    /** All of them, in a fixed order. */
    static List<ResourceKind> all() {
        return ALL;
    }

    private static ResourceKind cluster(
            String group,
            String version,
            String plural,
            String kind,
            boolean status,
            List<String> shortNames,
            List<String> categories) {
        return kind(group, version, plural, kind, Scope.CLUSTER, status, shortNames, categories);
    }

    private static ResourceKind namespaced(
            String group,
            String version,
            String plural,
            String kind,
            boolean status,
            List<String> shortNames,
            List<String> categories) {
        return kind(group, version, plural, kind, Scope.NAMESPACED, status, shortNames, categories);
    }

    private static ResourceKind kind(
            String group,
            String version,
            String plural,
            String kind,
            Scope scope,
            boolean status,
            List<String> shortNames,
            List<String> categories) {
        Schema schema = BuiltInSchemas.of(group.equals("events.k8s.io") ? "events.Event" : kind);
        if (status) {
            schema = schema.resetting(Map.of("", FieldSet.of("status"), "status", statusResets(kind)));
        }
        return new ResourceKind(
                group,
                version,
                plural,
                kind.toLowerCase(Locale.ROOT),
                kind,
                shortNames,
                categories,
                scope,
                status,
                schema,
                new BuiltInAdmission(kind, schema));
    }

    /** What the status strategies of the real server reset. */
    private static FieldSet statusResets(String kind) {
        return switch (kind) {
            case "Deployment" -> FieldSet.of("spec", "metadata.labels");
            case "Pod" -> FieldSet.of("spec", "metadata.deletionTimestamp", "metadata.ownerReferences");
            default -> FieldSet.of("spec");
        };
    }
}
