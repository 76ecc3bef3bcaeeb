package io.homeostat.simulator;

import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Locale;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * The defaults of the built-in kinds ({@code pkg/apis/<group>/v1/defaults.go} of Kubernetes 1.37). Every method fills in the tree that it
 * is given, which is a fresh one of {@link Canonical}.
 */
final class Defaults {
    private static final int FILE_MODE = 0644;

    private Defaults() {}

    static void fill(String kind, ObjectNode object) {
        switch (kind) {
            case "Namespace" -> namespace(object);
            case "Pod" -> pod(object);
            case "Service" -> service(child(object, "spec"));
            case "Secret" -> secret(object);
            case "Deployment" -> deployment(child(object, "spec"));
            case "ReplicaSet" -> {
                ObjectNode spec = child(object, "spec");
                set(spec, "replicas", 1);
                template(spec);
            }
            case "StatefulSet" -> statefulSet(child(object, "spec"));
            case "CustomResourceDefinition" -> definition(child(object, "spec"));
            default -> {
                // Nothing to default.
            }
        }
    }

    private static void namespace(ObjectNode object) {
        String name = Json.textAt(object, "metadata", "name");
        if (!name.isEmpty()) {
            set(child(child(object, "metadata"), "labels"), "kubernetes.io/metadata.name", name);
        }
    }

    private static void secret(ObjectNode object) {
        set(object, "type", "Opaque");
        if (object.remove("stringData") instanceof ObjectNode texts) {
            ObjectNode data = child(object, "data");
            texts.properties()
                    .forEach(text -> data.put(
                            text.getKey(),
                            Base64.getEncoder()
                                    .encodeToString(
                                            text.getValue().stringValue().getBytes(StandardCharsets.UTF_8))));
        }
    }

    private static void deployment(ObjectNode spec) {
        set(spec, "replicas", 1);
        ObjectNode strategy = child(spec, "strategy");
        set(strategy, "type", "RollingUpdate");
        if (Json.textAt(strategy, "type").equals("RollingUpdate")) {
            ObjectNode rolling = child(strategy, "rollingUpdate");
            set(rolling, "maxUnavailable", "25%");
            set(rolling, "maxSurge", "25%");
        }
        set(spec, "revisionHistoryLimit", 10);
        set(spec, "progressDeadlineSeconds", 600);
        template(spec);
    }

    private static void statefulSet(ObjectNode spec) {
        set(spec, "podManagementPolicy", "OrderedReady");
        ObjectNode strategy = child(spec, "updateStrategy");
        set(strategy, "type", "RollingUpdate");
        if (Json.textAt(strategy, "type").equals("RollingUpdate")) {
            ObjectNode rolling = child(strategy, "rollingUpdate");
            set(rolling, "partition", 0);
            set(rolling, "maxUnavailable", 1);
        }
        ObjectNode retention = child(spec, "persistentVolumeClaimRetentionPolicy");
        set(retention, "whenDeleted", "Retain");
        set(retention, "whenScaled", "Retain");
        set(spec, "replicas", 1);
        set(spec, "revisionHistoryLimit", 10);
        each(spec, "volumeClaimTemplates", claim -> {
            set(claim, "apiVersion", "v1");
            set(claim, "kind", "PersistentVolumeClaim");
            set(child(claim, "spec"), "volumeMode", "Filesystem");
            set(child(claim, "status"), "phase", "Pending");
        });
        template(spec);
    }

    private static void definition(ObjectNode spec) {
        ObjectNode names = child(spec, "names");
        String kind = Json.textAt(names, "kind");
        if (Json.textAt(names, "singular").isEmpty() && !kind.isEmpty()) {
            names.put("singular", kind.toLowerCase(Locale.ROOT));
        }
        if (Json.textAt(names, "listKind").isEmpty() && !kind.isEmpty()) {
            names.put("listKind", kind + "List");
        }
        set(child(spec, "conversion"), "strategy", "None");
    }

    private static void service(ObjectNode spec) {
        set(spec, "sessionAffinity", "None");
        if (Json.textAt(spec, "sessionAffinity").equals("ClientIP")) {
            set(child(child(spec, "sessionAffinityConfig"), "clientIP"), "timeoutSeconds", 10800);
        }
        set(spec, "type", "ClusterIP");
        String type = Json.textAt(spec, "type");
        each(spec, "ports", port -> {
            set(port, "protocol", "TCP");
            JsonNode target = port.get("targetPort");
            boolean unset = target == null
                    || (target.isString() && target.stringValue().isEmpty())
                    || (target.isNumber() && target.intValue() == 0);
            if (unset && port.has("port")) {
                port.set("targetPort", port.get("port"));
            }
        });
        boolean external = type.equals("NodePort") || type.equals("LoadBalancer");
        if (external) {
            set(spec, "externalTrafficPolicy", "Cluster");
        }
        if (external || type.equals("ClusterIP")) {
            set(spec, "internalTrafficPolicy", "Cluster");
        }
        if (type.equals("LoadBalancer")) {
            set(spec, "allocateLoadBalancerNodePorts", true);
        }
    }

    private static void pod(ObjectNode object) {
        ObjectNode spec = child(object, "spec");
        for (String list : new String[] {"containers", "initContainers"}) {
            each(spec, list, container -> {
                if (Json.at(container, "resources", "limits") instanceof ObjectNode limits) {
                    ObjectNode requests = child(child(container, "resources"), "requests");
                    limits.properties().forEach(limit -> {
                        if (!requests.has(limit.getKey())) {
                            requests.set(limit.getKey(), limit.getValue());
                        }
                    });
                }
            });
        }
        set(spec, "enableServiceLinks", true);
        podSpec(spec);
    }

    private static void template(ObjectNode owner) {
        podSpec(child(child(owner, "template"), "spec"));
    }

    private static void podSpec(ObjectNode spec) {
        set(spec, "dnsPolicy", "ClusterFirst");
        set(spec, "restartPolicy", "Always");
        child(spec, "securityContext");
        set(spec, "terminationGracePeriodSeconds", 30);
        set(spec, "schedulerName", "default-scheduler");
        String account = Json.textAt(spec, "serviceAccountName");
        if (account.isEmpty()) {
            account = Json.textAt(spec, "serviceAccount");
        }
        if (!account.isEmpty()) {
            spec.put("serviceAccountName", account);
            spec.put("serviceAccount", account);
        }
        boolean hostNetwork = spec.path("hostNetwork").asBoolean(false);
        for (String list : new String[] {"containers", "initContainers", "ephemeralContainers"}) {
            each(spec, list, container -> container(container, hostNetwork));
        }
        each(spec, "volumes", Defaults::volume);
    }

    private static void container(ObjectNode container, boolean hostNetwork) {
        set(container, "terminationMessagePath", "/dev/termination-log");
        set(container, "terminationMessagePolicy", "File");
        set(container, "imagePullPolicy", pullPolicy(Json.textAt(container, "image")));
        each(container, "ports", port -> {
            set(port, "protocol", "TCP");
            if (hostNetwork && port.has("containerPort")) {
                set(port, "hostPort", port.get("containerPort"));
            }
        });
        for (String name : new String[] {"livenessProbe", "readinessProbe", "startupProbe"}) {
            if (container.get(name) instanceof ObjectNode probe) {
                set(probe, "timeoutSeconds", 1);
                set(probe, "periodSeconds", 10);
                set(probe, "successThreshold", 1);
                set(probe, "failureThreshold", 3);
                http(probe);
                if (probe.get("grpc") instanceof ObjectNode grpc) {
                    set(grpc, "service", "");
                }
            }
        }
        for (String name : new String[] {"postStart", "preStop"}) {
            if (Json.at(container, "lifecycle", name) instanceof ObjectNode hook) {
                http(hook);
            }
        }
        each(container, "env", variable -> fieldRef(variable.get("valueFrom")));
    }

    private static void http(ObjectNode handler) {
        if (handler.get("httpGet") instanceof ObjectNode get) {
            set(get, "path", "/");
            set(get, "scheme", "HTTP");
        }
    }

    private static void fieldRef(@Nullable JsonNode source) {
        if (Json.at(source, "fieldRef") instanceof ObjectNode reference) {
            set(reference, "apiVersion", "v1");
        }
    }

    private static void volume(ObjectNode volume) {
        if (volume.size() <= 1 && volume.has("name")) {
            child(volume, "emptyDir");
        }
        for (String source : new String[] {"secret", "configMap", "downwardAPI", "projected"}) {
            if (volume.get(source) instanceof ObjectNode files) {
                set(files, "defaultMode", FILE_MODE);
            }
        }
        each(volume.path("downwardAPI"), "items", Defaults::fieldRef);
        each(volume.path("projected"), "sources", source -> {
            each(source.path("downwardAPI"), "items", Defaults::fieldRef);
            if (source.get("serviceAccountToken") instanceof ObjectNode token) {
                set(token, "expirationSeconds", 3600);
            }
        });
        if (volume.get("hostPath") instanceof ObjectNode path) {
            set(path, "type", "");
        }
        if (Json.at(volume, "ephemeral", "volumeClaimTemplate", "spec") instanceof ObjectNode claim) {
            set(claim, "volumeMode", "Filesystem");
        }
    }

    /** {@code Always} for a tag {@code latest} or none at all, {@code IfNotPresent} for any other tag or a digest. */
    private static String pullPolicy(String image) {
        int digest = image.indexOf('@');
        String name = digest < 0 ? image : image.substring(0, digest);
        int colon = name.indexOf(':', name.lastIndexOf('/') + 1);
        String tag = colon < 0 ? "" : name.substring(colon + 1);
        boolean latest = tag.equals("latest") || (tag.isEmpty() && digest < 0);
        return latest ? "Always" : "IfNotPresent";
    }

    private static ObjectNode child(ObjectNode object, String name) {
        if (object.get(name) instanceof ObjectNode there) {
            return there;
        }
        return object.putObject(name);
    }

    private static void each(JsonNode object, String list, Consumer<ObjectNode> work) {
        if (object.get(list) instanceof ArrayNode items) {
            for (JsonNode item : items) {
                if (item instanceof ObjectNode entry) {
                    work.accept(entry);
                }
            }
        }
    }

    private static void set(ObjectNode object, String name, JsonNode value) {
        if (Json.absent(object.get(name))) {
            object.set(name, value);
        }
    }

    private static void set(ObjectNode object, String name, String value) {
        set(object, name, Json.NODES.stringNode(value));
    }

    private static void set(ObjectNode object, String name, int value) {
        set(object, name, Json.NODES.numberNode(value));
    }

    private static void set(ObjectNode object, String name, boolean value) {
        set(object, name, Json.NODES.booleanNode(value));
    }
}
