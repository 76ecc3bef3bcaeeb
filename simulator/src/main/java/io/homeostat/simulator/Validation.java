package io.homeostat.simulator;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * What the real server refuses in objects of the built-in kinds ({@code pkg/apis/<group>/validation} of Kubernetes 1.37), in its
 * words and order. The rules are those that operators meet; {@code simulator/README.md} says which are missing.
 */
final class Validation {
    private static final String LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
    private static final String SUBDOMAIN = LABEL + "(\\." + LABEL + ")*";
    private static final String QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
    private static final Pattern LABEL_FORM = Pattern.compile(LABEL);
    private static final Pattern SUBDOMAIN_FORM = Pattern.compile(SUBDOMAIN);
    private static final Pattern QUALIFIED_FORM = Pattern.compile(QUALIFIED);
    private static final Pattern CONFIG_KEY = Pattern.compile("[-._a-zA-Z0-9]+");
    private static final Pattern PORT_NAME = Pattern.compile("[-a-z0-9]+");
    private static final Pattern PERCENT = Pattern.compile("[0-9]+%");
    private static final String IMMUTABLE = "field is immutable";
    private static final String NOT_NEGATIVE = "must be greater than or equal to 0";
    private static final String PORT_RANGE = "must be between 1 and 65535, inclusive";
    private static final Set<String> STANDARD_FINALIZERS = Set.of("kubernetes", "orphan", "foregroundDeletion");

    private Validation() {}

    static List<Cause> of(String kind, ObjectNode object, @Nullable ObjectNode old) {
        List<Cause> causes = new ArrayList<>();
        metadata(object, old, causes, STANDARD_FINALIZERS::contains);
        ObjectNode spec = child(object, "spec");
        ObjectNode before = old == null ? null : child(old, "spec");
        switch (kind) {
            case "ConfigMap" -> {
                keys(object, old, List.of("data", "binaryData"), causes);
                for (Map.Entry<String, JsonNode> entry : child(object, "data").properties()) {
                    if (child(object, "binaryData").has(entry.getKey())) {
                        causes.add(Cause.invalid(
                                "data[" + entry.getKey() + "]",
                                entry.getKey(),
                                "duplicate of key present in binaryData"));
                    }
                }
            }
            case "Namespace" -> namespaceName(object, causes);
            case "Secret" -> {
                keys(object, old, List.of("data"), causes);
                if (old != null && !Json.textAt(object, "type").equals(Json.textAt(old, "type"))) {
                    causes.add(Cause.invalid("type", Json.textAt(object, "type"), IMMUTABLE));
                }
            }
            case "Deployment" -> deployment(spec, before, causes);
            case "ReplicaSet" -> replicaSet(spec, before, causes);
            case "StatefulSet" -> workload(spec, before, "statefulset", causes);
            case "Pod" -> pod(spec, before, causes);
            case "Service" -> service(spec, before, causes);
            case "Lease" -> lease(spec, causes);
            case "CustomResourceDefinition" -> definition(object, causes);
            default -> {
                // Only metadata is checked.
            }
        }
        return causes;
    }

    // --- metadata
    // -----------------------------------------------------------------------------------------------------

    /** Labels, annotations, owners and finalizers of a custom resource. */
    static void metadata(ObjectNode object, @Nullable ObjectNode old, List<Cause> causes) {
        metadata(object, old, causes, finalizer -> true);
    }

    private static void metadata(
            ObjectNode object, @Nullable ObjectNode old, List<Cause> causes, Predicate<String> unqualifiedFinalizers) {
        ObjectNode metadata = child(object, "metadata");
        if (old != null && Json.same(metadata, old.get("metadata"))) {
            return;
        }
        labels(metadata.get("labels"), "metadata.labels", causes);
        for (Map.Entry<String, JsonNode> annotation :
                child(metadata, "annotations").properties()) {
            qualified(
                    annotation.getKey(), annotation.getKey().toLowerCase(Locale.ROOT), "metadata.annotations", causes);
        }
        owners(Json.listAt(metadata, "ownerReferences"), causes);
        int index = 0;
        for (JsonNode finalizer : Json.listAt(metadata, "finalizers")) {
            String name = finalizer.stringValue();
            int faults = causes.size();
            qualified(name, name, "metadata.finalizers", causes);
            if (causes.size() == faults && !name.contains("/") && !unqualifiedFinalizers.test(name)) {
                causes.add(Cause.invalid(
                        "metadata.finalizers[" + index + "]",
                        name,
                        "name is neither a standard finalizer name nor is it fully qualified"));
            }
            index++;
        }
    }

    private static void owners(ArrayNode owners, List<Cause> causes) {
        String controller = "";
        int index = 0;
        for (JsonNode owner : owners) {
            String path = "metadata.ownerReferences[" + index++ + "]";
            for (String field : List.of("apiVersion", "kind", "name", "uid")) {
                String value = Json.textAt(owner, field);
                if (value.isEmpty()) {
                    causes.add(Cause.required(path + "." + field, "must not be empty"));
                } else if (field.equals("apiVersion") && value.indexOf('/') != value.lastIndexOf('/')) {
                    causes.add(Cause.invalid(path + ".apiVersion", value, "must be <group>/<version> or <version>"));
                }
            }
            if (Json.textAt(owner, "kind").equals("Event")
                    && Json.textAt(owner, "apiVersion").equals("v1")) {
                causes.add(Cause.invalid(path, owner, "/v1, Kind=Event is disallowed from being an owner"));
            }
        }
        for (JsonNode owner : owners) {
            if (!owner.path("controller").asBoolean(false)) {
                continue;
            }
            String name = Json.textAt(owner, "kind") + "/" + Json.textAt(owner, "name");
            if (!controller.isEmpty()) {
                causes.add(Cause.invalid(
                        "metadata.ownerReferences",
                        shown(owners),
                        "Only one reference can have Controller set to true. Found \"true\" in references for "
                                + controller + " and " + name));
                return;
            }
            controller = name;
        }
    }

    /** Owner references in the order in which the real server writes their fields. */
    private static ArrayNode shown(ArrayNode owners) {
        ArrayNode shown = Json.NODES.arrayNode();
        for (JsonNode owner : owners) {
            ObjectNode one = shown.addObject();
            for (String field : List.of("apiVersion", "kind", "name", "uid", "controller", "blockOwnerDeletion")) {
                JsonNode value = owner.get(field);
                if (value != null) {
                    one.set(field, value);
                }
            }
        }
        return shown;
    }

    private static void labels(@Nullable JsonNode labels, String path, List<Cause> causes) {
        if (!(labels instanceof ObjectNode map)) {
            return;
        }
        for (Map.Entry<String, JsonNode> label : map.properties()) {
            qualified(label.getKey(), label.getKey(), path, causes);
            labelValue(label.getValue().isString() ? label.getValue().stringValue() : "", path, causes);
        }
    }

    static void labelValue(String value, String path, List<Cause> causes) {
        if (value.length() > 63) {
            causes.add(Cause.invalid(path, value, "must be no more than 63 bytes"));
        }
        if (!value.isEmpty() && !QUALIFIED_FORM.matcher(value).matches()) {
            causes.add(Cause.invalid(
                    path,
                    value,
                    regex(
                            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.',"
                                    + " and must start and end with an alphanumeric character",
                            "(" + QUALIFIED + ")?",
                            "MyValue",
                            "my_value",
                            "12345")));
        }
    }

    /** A name with an optional DNS subdomain in front. */
    private static void qualified(String shown, String name, String path, List<Cause> causes) {
        String[] parts = name.split("/", -1);
        if (parts.length > 2) {
            causes.add(Cause.invalid(
                    path,
                    shown,
                    "a valid label key " + qualifiedRegex() + " with an optional DNS subdomain prefix and '/'"
                            + " (e.g. 'example.com/MyName')"));
            return;
        }
        if (parts.length == 2) {
            if (parts[0].isEmpty()) {
                causes.add(Cause.invalid(path, shown, "prefix part must be non-empty"));
            } else {
                for (String fault : subdomain(parts[0])) {
                    causes.add(Cause.invalid(path, shown, "prefix part " + fault));
                }
            }
        }
        String last = parts[parts.length - 1];
        if (last.isEmpty()) {
            causes.add(Cause.invalid(path, shown, "name part must be non-empty"));
        } else if (last.length() > 63) {
            causes.add(Cause.invalid(path, shown, "name part must be no more than 63 bytes"));
        }
        if (!QUALIFIED_FORM.matcher(last).matches()) {
            causes.add(Cause.invalid(path, shown, "name part " + qualifiedRegex()));
        }
    }

    private static String qualifiedRegex() {
        return regex(
                "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric"
                        + " character",
                QUALIFIED,
                "MyName",
                "my.name",
                "123-abc");
    }

    /** What is wrong with a DNS subdomain (RFC 1123). */
    static List<String> subdomain(String name) {
        List<String> faults = new ArrayList<>();
        if (name.length() > 253) {
            faults.add("must be no more than 253 bytes");
        }
        if (!SUBDOMAIN_FORM.matcher(name).matches()) {
            faults.add(regex(
                    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.',"
                            + " and must start and end with an alphanumeric character",
                    SUBDOMAIN,
                    "example.com"));
        }
        return faults;
    }

    /** What is wrong with a DNS label (RFC 1123). */
    static List<String> label(String name) {
        List<String> faults = new ArrayList<>();
        if (name.length() > 63) {
            faults.add("must be no more than 63 bytes");
        }
        if (!LABEL_FORM.matcher(name).matches()) {
            faults.add(regex(
                    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start"
                            + " and end with an alphanumeric character",
                    LABEL,
                    "my-name",
                    "123-abc"));
        }
        return faults;
    }

    private static String regex(String sentence, String form, String... examples) {
        StringBuilder text = new StringBuilder(sentence).append(" (e.g. ");
        for (int i = 0; i < examples.length; i++) {
            text.append(i > 0 ? " or " : "").append('\'').append(examples[i]).append("', ");
        }
        return text.append("regex used for validation is '")
                .append(form)
                .append("')")
                .toString();
    }

    /** A namespace's name is a label: no dots. */
    private static void namespaceName(ObjectNode object, List<Cause> causes) {
        String name = Json.textAt(object, "metadata", "name");
        if (name.contains(".")) {
            causes.add(Cause.invalid("metadata.name", name, "must not contain dots"));
        }
    }

    // --- configuration
    // ------------------------------------------------------------------------------------------------

    private static void keys(ObjectNode object, @Nullable ObjectNode old, List<String> fields, List<Cause> causes) {
        boolean immutable = old != null && old.path("immutable").asBoolean(false);
        if (immutable && !object.path("immutable").asBoolean(false)) {
            causes.add(Cause.forbidden("immutable", "field is immutable when `immutable` is set"));
        }
        for (String field : fields) {
            if (immutable && !Json.same(child(object, field), child(old, field))) {
                causes.add(Cause.forbidden(field, "field is immutable when `immutable` is set"));
            }
            for (Map.Entry<String, JsonNode> entry : child(object, field).properties()) {
                if (!CONFIG_KEY.matcher(entry.getKey()).matches()) {
                    causes.add(Cause.invalid(
                            field + "[" + entry.getKey() + "]",
                            entry.getKey(),
                            regex(
                                    "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
                                    CONFIG_KEY.pattern(),
                                    "key.name",
                                    "KEY_NAME",
                                    "key-name")));
                }
            }
        }
    }

    private static void lease(ObjectNode spec, List<Cause> causes) {
        JsonNode duration = spec.get("leaseDurationSeconds");
        if (duration != null && duration.longValue() <= 0) {
            causes.add(Cause.invalid("spec.leaseDurationSeconds", duration, "must be greater than 0"));
        }
        notNegative(spec, "leaseTransitions", causes);
    }

    // --- workloads
    // ----------------------------------------------------------------------------------------------------

    private static void deployment(ObjectNode spec, @Nullable ObjectNode before, List<Cause> causes) {
        notNegative(spec, "replicas", causes);
        selector(spec, "deployment", causes);
        template(spec, causes);
        ObjectNode strategy = child(spec, "strategy");
        ObjectNode rolling = child(strategy, "rollingUpdate");
        switch (Json.textAt(strategy, "type")) {
            case "Recreate" -> {
                if (strategy.has("rollingUpdate")) {
                    causes.add(Cause.forbidden(
                            "spec.strategy.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'"));
                }
            }
            case "RollingUpdate" -> rollingUpdate(rolling, causes);
            default -> causes.add(Cause.notSupported("spec.strategy", strategy, "Recreate", "RollingUpdate"));
        }
        notNegative(spec, "minReadySeconds", causes);
        notNegative(spec, "revisionHistoryLimit", causes);
        notNegative(spec, "progressDeadlineSeconds", causes);
        long deadline = Json.integerAt(spec, 600, "progressDeadlineSeconds");
        if (deadline > 0 && deadline <= Json.integerAt(spec, 0, "minReadySeconds")) {
            causes.add(Cause.invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"));
        }
        immutableSelector(spec, before, causes);
    }

    private static void rollingUpdate(ObjectNode rolling, List<Cause> causes) {
        boolean none = true;
        for (String name : List.of("maxUnavailable", "maxSurge")) {
            JsonNode value = rolling.get(name);
            String path = "spec.strategy.rollingUpdate." + name;
            if (value == null) {
                continue;
            }
            if (value.isString() && !PERCENT.matcher(value.stringValue()).matches()) {
                causes.add(Cause.invalid(
                        path,
                        value,
                        regex(
                                "a valid percent string must be a numeric string followed by an ending '%'",
                                "[0-9]+%", "1%", "93%")));
            } else if (value.isNumber() && value.longValue() < 0) {
                causes.add(Cause.invalid(path, value, NOT_NEGATIVE));
            }
            none &= value.isNumber()
                    ? value.longValue() == 0
                    : value.stringValue().matches("0+%");
        }
        if (none) {
            causes.add(Cause.invalid(
                    "spec.strategy.rollingUpdate.maxUnavailable",
                    rolling.path("maxUnavailable"),
                    "may not be 0 when `maxSurge` is 0"));
        }
    }

    private static void replicaSet(ObjectNode spec, @Nullable ObjectNode before, List<Cause> causes) {
        workload(spec, before, "replicaset", causes);
    }

    private static void workload(ObjectNode spec, @Nullable ObjectNode before, String kind, List<Cause> causes) {
        notNegative(spec, "replicas", causes);
        notNegative(spec, "minReadySeconds", causes);
        selector(spec, kind, causes);
        template(spec, causes);
        immutableSelector(spec, before, causes);
    }

    private static void selector(ObjectNode spec, String kind, List<Cause> causes) {
        if (!(spec.get("selector") instanceof ObjectNode selector)) {
            causes.add(Cause.required("spec.selector", ""));
        } else {
            labels(selector.get("matchLabels"), "spec.selector.matchLabels", causes);
            int index = 0;
            for (JsonNode expression : Json.listAt(selector, "matchExpressions")) {
                String path = "spec.selector.matchExpressions[" + index++ + "]";
                boolean values = !Json.listAt(expression, "values").isEmpty();
                switch (Json.textAt(expression, "operator")) {
                    case "In", "NotIn" -> {
                        if (!values) {
                            causes.add(Cause.required(
                                    path + ".values", "must be specified when `operator` is 'In' or 'NotIn'"));
                        }
                    }
                    case "Exists", "DoesNotExist" -> {
                        if (values) {
                            causes.add(Cause.forbidden(
                                    path + ".values",
                                    "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
                        }
                    }
                    default -> causes.add(Cause.invalid(
                            path + ".operator", Json.textAt(expression, "operator"), "not a valid selector operator"));
                }
            }
            if (selector.isEmpty()) {
                causes.add(Cause.invalid("spec.selector", selector, "empty selector is invalid for " + kind));
            }
        }
    }

    private static void template(ObjectNode spec, List<Cause> causes) {
        JsonNode labels = Json.at(spec, "template", "metadata", "labels");
        ObjectNode selector = child(spec, "selector");
        if (!spec.has("selector") || (!selector.isEmpty() && !matches(selector, labels))) {
            causes.add(Cause.invalid(
                    "spec.template.metadata.labels",
                    labels == null ? Json.NODES.nullNode() : labels,
                    "`selector` does not match template `labels`"));
        }
        labels(labels, "spec.template.labels", causes);
        ObjectNode pod = child(child(spec, "template"), "spec");
        podSpec(pod, "spec.template.spec", causes);
        String restart = Json.textAt(pod, "restartPolicy");
        if (List.of("Never", "OnFailure").contains(restart)) {
            causes.add(Cause.notSupported("spec.template.spec.restartPolicy", restart, "Always"));
        }
    }

    private static boolean matches(ObjectNode selector, @Nullable JsonNode labels) {
        for (Map.Entry<String, JsonNode> wanted : child(selector, "matchLabels").properties()) {
            if (!Json.same(wanted.getValue(), Json.at(labels, wanted.getKey()))) {
                return false;
            }
        }
        for (JsonNode expression : Json.listAt(selector, "matchExpressions")) {
            JsonNode value = Json.at(labels, Json.textAt(expression, "key"));
            boolean listed = false;
            for (JsonNode one : Json.listAt(expression, "values")) {
                listed |= one.equals(value);
            }
            boolean holds =
                    switch (Json.textAt(expression, "operator")) {
                        case "In" -> listed;
                        case "NotIn" -> !listed;
                        case "Exists" -> value != null;
                        default -> value == null;
                    };
            if (!holds) {
                return false;
            }
        }
        return true;
    }

    private static void immutableSelector(ObjectNode spec, @Nullable ObjectNode before, List<Cause> causes) {
        if (before != null && !Json.same(spec.get("selector"), before.get("selector"))) {
            causes.add(Cause.invalid("spec.selector", child(spec, "selector"), IMMUTABLE));
        }
    }

    // --- Pods
    // ---------------------------------------------------------------------------------------------------------

    private static void pod(ObjectNode spec, @Nullable ObjectNode before, List<Cause> causes) {
        podSpec(spec, "spec", causes);
        if (before == null || Json.same(spec, before)) {
            return;
        }
        if (!Json.same(withoutMutable(spec), withoutMutable(before))) {
            causes.add(Cause.forbidden(
                    "spec",
                    "pod updates may not change fields other than `spec.containers[*].image`,"
                            + "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only"
                            + " additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be"
                            + " set to 1 if it was previously negative)"));
        }
    }

    private static ObjectNode withoutMutable(ObjectNode spec) {
        ObjectNode rest = Json.shallow(spec);
        rest.remove(List.of("activeDeadlineSeconds", "tolerations", "schedulingGates"));
        for (String list : List.of("containers", "initContainers")) {
            if (rest.has(list)) {
                ArrayNode containers = Json.NODES.arrayNode();
                for (JsonNode container : Json.listAt(rest, list)) {
                    if (container instanceof ObjectNode one) {
                        ObjectNode bare = Json.shallow(one);
                        bare.remove("image");
                        containers.add(bare);
                    }
                }
                rest.set(list, containers);
            }
        }
        return rest;
    }

    private static void podSpec(ObjectNode spec, String path, List<Cause> causes) {
        Set<String> volumes = new HashSet<>();
        int index = 0;
        for (JsonNode volume : Json.listAt(spec, "volumes")) {
            String at = path + ".volumes[" + index++ + "].name";
            name(Json.textAt(volume, "name"), at, causes);
            if (!volumes.add(Json.textAt(volume, "name"))) {
                causes.add(Cause.duplicate(at, Json.textAt(volume, "name")));
            }
        }
        if (Json.listAt(spec, "containers").isEmpty()) {
            causes.add(Cause.required(path + ".containers", ""));
        }
        Set<String> names = new HashSet<>();
        for (String list : List.of("containers", "initContainers")) {
            int number = 0;
            for (JsonNode container : Json.listAt(spec, list)) {
                String at = path + "." + list + "[" + number++ + "]";
                container(container, at, volumes, causes);
                String name = Json.textAt(container, "name");
                if (!name.isEmpty() && !names.add(name)) {
                    causes.add(Cause.duplicate(at + ".name", name));
                }
            }
        }
        oneOf(spec, "restartPolicy", path, causes, "Always", "OnFailure", "Never");
        oneOf(spec, "dnsPolicy", path, causes, "ClusterFirstWithHostNet", "ClusterFirst", "Default", "None");
    }

    private static void container(JsonNode container, String path, Set<String> volumes, List<Cause> causes) {
        name(Json.textAt(container, "name"), path + ".name", causes);
        if (Json.textAt(container, "image").isEmpty()) {
            causes.add(Cause.required(path + ".image", ""));
        }
        int index = 0;
        Set<String> portNames = new HashSet<>();
        for (JsonNode port : Json.listAt(container, "ports")) {
            containerPort(port, path + ".ports[" + index++ + "]", portNames, causes);
        }
        index = 0;
        for (JsonNode variable : Json.listAt(container, "env")) {
            String at = path + ".env[" + index++ + "]";
            if (Json.textAt(variable, "name").isEmpty()) {
                causes.add(Cause.required(at + ".name", ""));
            }
            if (!Json.textAt(variable, "value").isEmpty() && variable.has("valueFrom")) {
                causes.add(Cause.invalid(at + ".valueFrom", "", "may not be specified when `value` is not empty"));
            }
        }
        index = 0;
        for (JsonNode mount : Json.listAt(container, "volumeMounts")) {
            String at = path + ".volumeMounts[" + index++ + "]";
            String name = Json.textAt(mount, "name");
            if (name.isEmpty()) {
                causes.add(Cause.required(at + ".name", ""));
            } else if (!volumes.contains(name)) {
                causes.add(new Cause(at + ".name", "FieldValueNotFound", "Not found: " + Json.quoted(name)));
            }
            if (Json.textAt(mount, "mountPath").isEmpty()) {
                causes.add(Cause.required(at + ".mountPath", ""));
            }
        }
        oneOf(container, "imagePullPolicy", path, causes, "Always", "IfNotPresent", "Never");
        resources(container, path, causes);
    }

    private static void containerPort(JsonNode port, String path, Set<String> names, List<Cause> causes) {
        String name = Json.textAt(port, "name");
        if (!name.isEmpty()) {
            portName(name, path + ".name", causes);
            if (!names.add(name)) {
                causes.add(Cause.duplicate(path + ".name", name));
            }
        }
        long number = Json.integerAt(port, 0, "containerPort");
        if (number == 0) {
            causes.add(Cause.required(path + ".containerPort", ""));
        } else if (number < 0 || number > 65535) {
            causes.add(Cause.invalid(path + ".containerPort", number, PORT_RANGE));
        }
        oneOf(port, "protocol", path, causes, "SCTP", "TCP", "UDP");
    }

    private static void resources(JsonNode container, String path, List<Cause> causes) {
        JsonNode limits = Json.at(container, "resources", "limits");
        if (!(Json.at(container, "resources", "requests") instanceof ObjectNode requests)) {
            return;
        }
        for (Map.Entry<String, JsonNode> request : requests.properties()) {
            String limit = Json.textAt(limits, request.getKey());
            BigDecimal wanted = Quantities.value(request.getValue().stringValue());
            if (!limit.isEmpty() && wanted.compareTo(Quantities.value(limit)) > 0) {
                causes.add(Cause.invalid(
                        path + ".resources.requests",
                        request.getValue(),
                        "must be less than or equal to " + request.getKey() + " limit of " + limit));
            }
        }
    }

    // --- Services
    // -----------------------------------------------------------------------------------------------------

    private static void service(ObjectNode spec, @Nullable ObjectNode before, List<Cause> causes) {
        String type = Json.textAt(spec, "type");
        ArrayNode ports = Json.listAt(spec, "ports");
        String clusterIp = Json.textAt(spec, "clusterIP");
        if (type.equals("ExternalName")) {
            if (Json.textAt(spec, "externalName").isEmpty()) {
                causes.add(Cause.required("spec.externalName", ""));
            }
        } else if (ports.isEmpty() && !clusterIp.equals("None")) {
            causes.add(Cause.required("spec.ports", ""));
        }
        Set<String> names = new HashSet<>();
        Set<String> numbers = new HashSet<>();
        int index = 0;
        for (JsonNode port : ports) {
            servicePort(port, "spec.ports[" + index++ + "]", ports.size() > 1, names, causes);
        }
        index = 0;
        for (JsonNode port : ports) {
            if (!numbers.add(port.path("port") + "/" + Json.textAt(port, "protocol"))) {
                ObjectNode shown = Json.NODES.objectNode();
                shown.put("Name", "")
                        .put("Protocol", Json.textAt(port, "protocol"))
                        .putNull("AppProtocol");
                shown.set("Port", port.path("port"));
                shown.put("TargetPort", 0).put("NodePort", 0);
                causes.add(Cause.duplicate("spec.ports[" + index + "]", shown));
            }
            index++;
        }
        labels(spec.get("selector"), "spec.selector", causes);
        oneOf(spec, "sessionAffinity", "spec", causes, "ClientIP", "None");
        oneOf(spec, "type", "spec", causes, "ClusterIP", "ExternalName", "LoadBalancer", "NodePort");
        if (before != null
                && !type.equals("ExternalName")
                && !Json.textAt(before, "type").equals("ExternalName")
                && !Json.textAt(before, "clusterIP").isEmpty()
                && !Json.textAt(before, "clusterIP").equals(clusterIp)) {
            causes.add(Cause.invalid(
                    "spec.clusterIPs[0]", Json.NODES.arrayNode().add(clusterIp), "may not change once set"));
        }
    }

    private static void servicePort(
            JsonNode port, String path, boolean several, Set<String> names, List<Cause> causes) {
        String name = Json.textAt(port, "name");
        if (name.isEmpty()) {
            if (several) {
                causes.add(Cause.required(path + ".name", ""));
            }
        } else {
            for (String fault : label(name)) {
                causes.add(Cause.invalid(path + ".name", name, fault));
            }
            if (!names.add(name)) {
                causes.add(Cause.duplicate(path + ".name", name));
            }
        }
        long number = Json.integerAt(port, 0, "port");
        if (number < 1 || number > 65535) {
            causes.add(Cause.invalid(path + ".port", number, PORT_RANGE));
        }
        oneOf(port, "protocol", path, causes, "SCTP", "TCP", "UDP");
        JsonNode target = port.get("targetPort");
        if (target != null && target.isString()) {
            portName(target.stringValue(), path + ".targetPort", causes);
        } else if (target != null && (target.longValue() < 1 || target.longValue() > 65535)) {
            causes.add(Cause.invalid(path + ".targetPort", target, PORT_RANGE));
        }
    }

    // --- CustomResourceDefinitions
    // ------------------------------------------------------------------------------------

    private static void definition(ObjectNode object, List<Cause> causes) {
        ObjectNode spec = child(object, "spec");
        String name = Json.textAt(object, "metadata", "name");
        String group = Json.textAt(spec, "group");
        String plural = Json.textAt(spec, "names", "plural");
        if (!name.equals(plural + "." + group)) {
            causes.add(Cause.invalid("metadata.name", name, "must be spec.names.plural+\".\"+spec.group"));
        }
        if (group.isEmpty()) {
            causes.add(Cause.required("spec.group", ""));
        } else {
            for (String fault : subdomain(group)) {
                causes.add(Cause.invalid("spec.group", group, fault));
            }
            if (!group.contains(".")) {
                causes.add(Cause.invalid("spec.group", group, "should be a domain with at least one dot"));
            }
        }
        if (Json.textAt(spec, "scope").isEmpty()) {
            causes.add(Cause.required("spec.scope", ""));
        } else {
            oneOf(spec, "scope", "spec", causes, "Cluster", "Namespaced");
        }
        for (String field : List.of("plural", "singular", "kind", "listKind")) {
            if (Json.textAt(spec, "names", field).isEmpty()) {
                causes.add(Cause.required("spec.names." + field, ""));
            }
        }
        versions(spec, causes);
    }

    private static void versions(ObjectNode spec, List<Cause> causes) {
        ArrayNode versions = Json.listAt(spec, "versions");
        int stored = 0;
        int index = 0;
        Set<String> names = new HashSet<>();
        for (JsonNode version : versions) {
            String path = "spec.versions[" + index++ + "]";
            stored += version.path("storage").asBoolean(false) ? 1 : 0;
            String name = Json.textAt(version, "name");
            for (String fault : label(name)) {
                causes.add(Cause.invalid(path + ".name", name, fault));
            }
            if (!names.add(name)) {
                causes.add(Cause.invalid("spec.versions", versions, "must contain unique version names"));
            }
            if (!(Json.at(version, "schema", "openAPIV3Schema") instanceof ObjectNode schema)) {
                causes.add(Cause.required(path + ".schema.openAPIV3Schema", ""));
                continue;
            }
            // The real server checks a single schema, or several equal ones, in the place where v1beta1 had it.
            String at = versions.size() == 1 ? "spec.validation.openAPIV3Schema" : path + ".schema.openAPIV3Schema";
            structure(schema, at, true, causes);
            if (!Json.textAt(schema, "type").equals("object")) {
                causes.add(Cause.invalid(at + ".type", Json.textAt(schema, "type"), "must be object at the root"));
            }
        }
        if (stored != 1) {
            causes.add(Cause.invalid(
                    "spec.versions", versions, "must have exactly one version marked as storage version"));
        }
    }

    private static void structure(ObjectNode schema, String path, boolean root, List<Cause> causes) {
        String type = Json.textAt(schema, "type");
        boolean typeless = schema.path("x-kubernetes-int-or-string").asBoolean(false)
                || schema.path("x-kubernetes-preserve-unknown-fields").asBoolean(false);
        if (type.isEmpty() && !typeless && !root) {
            causes.add(Cause.required(path + ".type", "must not be empty for specified object fields"));
        }
        if (!type.isEmpty()) {
            oneOf(schema, "type", path, causes, "array", "boolean", "integer", "number", "object", "string");
        }
        if (schema.path("uniqueItems").asBoolean(false)) {
            causes.add(Cause.forbidden(
                    path + ".uniqueItems",
                    "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"));
        }
        for (String reference : List.of("$ref", "dependencies", "patternProperties", "definitions", "id")) {
            if (!Json.absent(schema.get(reference))) {
                causes.add(Cause.forbidden(path + "." + reference, reference + " is not supported"));
            }
        }
        JsonNode additional = schema.get("additionalProperties");
        if (additional != null && schema.get("properties") instanceof ObjectNode fields && !fields.isEmpty()) {
            causes.add(Cause.forbidden(
                    path + ".additionalProperties", "additionalProperties and properties are mutual exclusive"));
        }
        if (additional instanceof ObjectNode element) {
            structure(element, path + ".additionalProperties", false, causes);
        }
        for (Map.Entry<String, JsonNode> field : child(schema, "properties").properties()) {
            if (field.getValue() instanceof ObjectNode property) {
                structure(property, path + ".properties[" + field.getKey() + "]", false, causes);
            }
        }
        JsonNode items = schema.get("items");
        if (items instanceof ArrayNode) {
            causes.add(Cause.forbidden(path + ".items", "items must be a schema object and not an array"));
        } else if (items instanceof ObjectNode item) {
            structure(item, path + ".items", false, causes);
        } else if (type.equals("array")) {
            causes.add(Cause.required(path + ".items", "must be specified"));
        }
        String list = Json.textAt(schema, "x-kubernetes-list-type");
        if (list.equals("map")
                && Json.listAt(schema, "x-kubernetes-list-map-keys").isEmpty()) {
            causes.add(Cause.required(
                    path + ".x-kubernetes-list-map-keys", "must not be empty if x-kubernetes-list-type is map"));
        }
        defaultValue(schema, path, causes);
    }

    private static void defaultValue(ObjectNode schema, String path, List<Cause> causes) {
        JsonNode value = schema.get("default");
        if (Json.absent(value)
                || !Json.listAt(schema, "x-kubernetes-validations").isEmpty()) {
            return;
        }
        List<Cause> faults = new ArrayList<>();
        ObjectNode own = Json.shallow(schema);
        new StructuralSchema(own, path).validate(value, path + ".default", faults);
        causes.addAll(faults);
    }

    // --- shared
    // -------------------------------------------------------------------------------------------------------

    private static void name(String name, String path, List<Cause> causes) {
        if (name.isEmpty()) {
            causes.add(Cause.required(path, ""));
            return;
        }
        for (String fault : label(name)) {
            causes.add(Cause.invalid(path, name, fault));
        }
    }

    private static void portName(String name, String path, List<Cause> causes) {
        if (name.length() > 15) {
            causes.add(Cause.invalid(path, name, "must be no more than 15 characters"));
        }
        if (!PORT_NAME.matcher(name).matches()) {
            causes.add(Cause.invalid(
                    path, name, "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"));
        } else if (name.chars().noneMatch(c -> c >= 'a' && c <= 'z')) {
            causes.add(Cause.invalid(path, name, "must contain at least one letter (a-z)"));
        } else if (name.contains("--")) {
            causes.add(Cause.invalid(path, name, "must not contain consecutive hyphens"));
        } else if (name.startsWith("-") || name.endsWith("-")) {
            causes.add(Cause.invalid(path, name, "must not begin or end with a hyphen"));
        }
    }

    private static void notNegative(ObjectNode spec, String field, List<Cause> causes) {
        JsonNode value = spec.get(field);
        if (value != null && value.isNumber() && value.longValue() < 0) {
            causes.add(Cause.invalid("spec." + field, value, NOT_NEGATIVE));
        }
    }

    private static void oneOf(JsonNode object, String field, String path, List<Cause> causes, String... supported) {
        String value = Json.textAt(object, field);
        if (!value.isEmpty() && !List.of(supported).contains(value)) {
            causes.add(Cause.notSupported(path + "." + field, value, supported));
        }
    }

    private static ObjectNode child(@Nullable ObjectNode object, String name) {
        return object != null && object.get(name) instanceof ObjectNode there ? there : Json.NODES.objectNode();
    }
}
