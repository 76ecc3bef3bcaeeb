package io.homeostat.simulator;

import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Lane;
import java.math.RoundingMode;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Stand-ins for the controllers and the kubelet of a cluster: a Deployment gets ReplicaSets, these get Pods, Pods become ready.
 *
 * <pre>
 *   Deployment --reconcile--> ReplicaSet (one a template) --reconcile--> Pods --readyAfter--> Running, Ready
 *        ^-------- status ---------'^---------------- status ------------'
 * </pre>
 *
 * <p>As the real controllers they are level-triggered: a change only says which object to look at again. Rolling updates honour
 * {@code maxSurge} and {@code maxUnavailable}; {@code Recreate}, {@code paused}, {@code minReadySeconds} and
 * {@code revisionHistoryLimit} work. Not done: adoption of orphans, proportional scaling during a rollout, the progress deadline,
 * StatefulSets, and scheduling: a Pod has no node.
 *
 * <p><b>Order.</b> Objects are looked at in the order of their changes, each once however often it changed. <b>Threads.</b> Confined to
 * the server's lane. <b>Memory.</b> An index of the ReplicaSets and Pods that have a controller. <b>Failure.</b> A refused write is
 * tried again after 10 ms, doubled up to 30 s, as long as the object exists.
 */
final class Workloads {
    // Invariants. `dirty` holds every object whose state may not be the wanted one, unless a retry timer does. `owned`
    // mirrors the
    // stored ReplicaSets and Pods by the UID of their controller.

    private static final Logger LOG = LoggerFactory.getLogger(Workloads.class);
    private static final String CONTROLLER = "kube-controller-manager";
    private static final String KUBELET = "kubelet";
    private static final String HASH = "pod-template-hash";
    private static final String REVISION = "deployment.kubernetes.io/revision";
    private static final String DESIRED = "deployment.kubernetes.io/desired-replicas";
    private static final String MAX = "deployment.kubernetes.io/max-replicas";
    /** Letters that cannot form words, as the real controllers use for generated parts of names. */
    private static final String SAFE_LETTERS = "bcdfghjklmnpqrstvwxz2456789";

    private static final Comparator<ObjectNode> OLDEST_FIRST = Comparator.comparing(
                    (ObjectNode o) -> Json.textAt(o, "metadata", "creationTimestamp"))
            .thenComparing(o -> Json.textAt(o, "metadata", "name"));

    private final ServerState state;
    private final EngineRuntime runtime;
    private final Lane lane;
    private final Duration readyAfter;
    private final ResourceKind deployments;
    private final ResourceKind replicaSets;
    private final ResourceKind pods;
    // All confined to the server's lane.
    private final Map<String, TreeMap<String, ObjectNode>> owned = new HashMap<>();
    private final Set<Key> dirty = new LinkedHashSet<>();
    private final Map<Key, Integer> failures = new HashMap<>();
    private boolean scheduled;
    private int addresses;

    /** An object to look at. */
    private record Key(String plural, String namespace, String name) {}

    private Workloads(ServerState state, Duration readyAfter) {
        this.state = state;
        this.runtime = state.runtime();
        this.lane = state.lane();
        this.readyAfter = readyAfter;
        this.deployments = served("apps", "deployments");
        this.replicaSets = served("apps", "replicasets");
        this.pods = served("", "pods");
    }

    private ResourceKind served(String group, String plural) {
        ResourceKind kind = state.kind(group, plural);
        if (kind == null) {
            throw new IllegalStateException("the server does not know " + plural + ", so nothing can make them ready");
        }
        return kind;
    }

    /**
     * Starts the stand-ins. On the server's lane.
     *
     * @param readyAfter how long a new Pod takes to become ready
     */
    static void start(ServerState state, Duration readyAfter) {
        Workloads workloads = new Workloads(state, readyAfter);
        for (ResourceKind kind : List.of(workloads.deployments, workloads.replicaSets, workloads.pods)) {
            for (ObjectNode object : state.list(kind, "")) {
                workloads.changed(new StoredChange(kind, StoredChange.Type.ADDED, object, null));
            }
        }
        state.onChange(workloads::changed);
    }

    // --- what changed
    // -------------------------------------------------------------------------------------------------

    private void changed(StoredChange change) {
        String plural = change.kind().plural();
        ObjectNode object = change.object();
        if (same(change.kind(), deployments)) {
            look(key(plural, object));
        } else if (same(change.kind(), replicaSets)) {
            index(change, "Deployment", "deployments");
            look(key(plural, object));
        } else if (same(change.kind(), pods)) {
            index(change, "ReplicaSet", "replicasets");
            if (change.type() != StoredChange.Type.DELETED) {
                run(change.type(), object);
            }
        }
    }

    private static boolean same(ResourceKind a, ResourceKind b) {
        return a.plural().equals(b.plural()) && a.group().equals(b.group());
    }

    private void index(StoredChange change, String ownerKind, String ownerPlural) {
        ObjectNode owner = controller(change.object());
        ObjectNode before = change.before() == null ? null : controller(change.before());
        if (before != null && !before.equals(owner)) {
            forget(change.object(), before);
            look(ownerKind, ownerPlural, change.object(), before);
        }
        if (owner == null) {
            return;
        }
        if (change.type() == StoredChange.Type.DELETED) {
            forget(change.object(), owner);
        } else {
            owned.computeIfAbsent(Json.textAt(owner, "uid"), uid -> new TreeMap<>())
                    .put(Json.textAt(change.object(), "metadata", "name"), change.object());
        }
        look(ownerKind, ownerPlural, change.object(), owner);
    }

    private void forget(ObjectNode object, ObjectNode owner) {
        TreeMap<String, ObjectNode> siblings = owned.get(Json.textAt(owner, "uid"));
        if (siblings != null) {
            siblings.remove(Json.textAt(object, "metadata", "name"));
            if (siblings.isEmpty()) {
                owned.remove(Json.textAt(owner, "uid"));
            }
        }
    }

    private void look(String ownerKind, String ownerPlural, ObjectNode object, ObjectNode owner) {
        if (Json.textAt(owner, "kind").equals(ownerKind)) {
            look(new Key(ownerPlural, Json.textAt(object, "metadata", "namespace"), Json.textAt(owner, "name")));
        }
    }

    private void look(Key key) {
        dirty.add(key);
        if (!scheduled) {
            scheduled = true;
            lane.execute(this::turn);
        }
    }

    private void turn() {
        scheduled = false;
        while (!dirty.isEmpty() && !lane.shouldYield()) {
            Iterator<Key> next = dirty.iterator();
            Key key = next.next();
            next.remove();
            try {
                reconcile(key);
                failures.remove(key);
            } catch (ApiFailure refused) {
                retry(key, refused);
            }
        }
        if (!dirty.isEmpty() && !scheduled) {
            scheduled = true;
            lane.execute(this::turn);
        }
    }

    private void retry(Key key, ApiFailure refused) {
        int failed = failures.merge(key, 1, Integer::sum);
        Duration delay = Duration.ofMillis(Math.min(30_000L, 10L << Math.min(failed, 12)));
        LOG.atDebug()
                .addKeyValue("resource", key.plural())
                .addKeyValue("namespace", key.namespace())
                .addKeyValue("name", key.name())
                .addKeyValue("code", refused.code())
                .addKeyValue("after", delay)
                .log("A write of the workload stand-ins was refused: {}", refused.getMessage());
        runtime.after(delay, lane, () -> look(key));
    }

    private void reconcile(Key key) {
        ResourceKind kind = key.plural().equals("deployments") ? deployments : replicaSets;
        ObjectNode object = state.get(kind, key.namespace(), key.name());
        if (object == null) {
            failures.remove(key);
        } else if (same(kind, deployments)) {
            deploy(object);
        } else {
            replicate(object);
        }
    }

    // --- Pods
    // ---------------------------------------------------------------------------------------------------------

    private void run(StoredChange.Type type, ObjectNode pod) {
        if (isDeleting(pod)) {
            if (Json.integerAt(pod, 0, "metadata", "deletionGracePeriodSeconds") > 0) {
                lane.execute(() -> quietly(() -> state.delete(
                        pods,
                        Json.textAt(pod, "metadata", "namespace"),
                        Json.textAt(pod, "metadata", "name"),
                        uid(pod))));
            }
        } else if (type == StoredChange.Type.ADDED && isPending(pod)) {
            runtime.after(readyAfter, lane, () -> quietly(() -> ready(pod)));
        }
    }

    /** A Pod that cannot be written to is gone, or somebody else runs it: there is nothing to do again. */
    private static void quietly(Runnable write) {
        try {
            write.run();
        } catch (ApiFailure refused) {
            LOG.atDebug().addKeyValue("code", refused.code()).log("A Pod was not run: {}", refused.getMessage());
        }
    }

    private void ready(ObjectNode created) {
        ObjectNode pod = state.get(
                pods, Json.textAt(created, "metadata", "namespace"), Json.textAt(created, "metadata", "name"));
        if (pod == null || !uid(pod).equals(uid(created)) || isDeleting(pod) || !isPending(pod)) {
            return;
        }
        if (!Json.listAt(pod, "spec", "schedulingGates").isEmpty()) {
            return;
        }
        String now = Times.seconds(runtime.wallClock());
        int address = addresses++;
        String ip = "10.244." + (address / 254 % 256) + "." + (1 + address % 254);
        ObjectNode running = Json.shallow(pod);
        ObjectNode status = Json.shallow(child(pod, "status"));
        running.set("status", status);
        status.put("phase", "Running").put("podIP", ip).put("startTime", now).put("hostIP", "127.0.0.1");
        status.putArray("podIPs").addObject().put("ip", ip);
        status.putArray("hostIPs").addObject().put("ip", "127.0.0.1");
        ArrayNode conditions = status.putArray("conditions");
        for (String type : List.of("Initialized", "Ready", "ContainersReady", "PodScheduled")) {
            conditions.addObject().put("type", type).put("status", "True").put("lastTransitionTime", now);
        }
        ArrayNode containers = status.putArray("containerStatuses");
        for (JsonNode container : Json.listAt(pod, "spec", "containers")) {
            ObjectNode one = containers.addObject();
            one.put("name", Json.textAt(container, "name"));
            one.put("image", Json.textAt(container, "image"));
            one.put("imageID", "").put("ready", true).put("started", true).put("restartCount", 0);
            one.putObject("lastState");
            one.putObject("state").putObject("running").put("startedAt", now);
        }
        state.updateStatus(pods, running, KUBELET);
    }

    private static boolean isPending(ObjectNode pod) {
        String phase = Json.textAt(pod, "status", "phase");
        return phase.isEmpty() || phase.equals("Pending");
    }

    private static boolean isActive(ObjectNode pod) {
        String phase = Json.textAt(pod, "status", "phase");
        return !isDeleting(pod) && !phase.equals("Succeeded") && !phase.equals("Failed");
    }

    /** When the Pod became ready; null when it is not. */
    private static @Nullable Instant readySince(ObjectNode pod) {
        for (JsonNode condition : Json.listAt(pod, "status", "conditions")) {
            if (Json.textAt(condition, "type").equals("Ready")
                    && Json.textAt(condition, "status").equals("True")) {
                String since = Json.textAt(condition, "lastTransitionTime");
                return since.isEmpty() ? Instant.EPOCH : Instant.parse(since);
            }
        }
        return null;
    }

    // --- ReplicaSets
    // --------------------------------------------------------------------------------------------------

    private void replicate(ObjectNode set) {
        long wanted = Json.integerAt(set, 1, "spec", "replicas");
        if (!isDeleting(set)) {
            List<ObjectNode> active =
                    podsOf(set).stream().filter(Workloads::isActive).toList();
            for (long i = active.size(); i < wanted; i++) {
                state.create(pods, podOf(set), CONTROLLER);
            }
            active.stream()
                    .sorted(Comparator.comparing((ObjectNode pod) -> readySince(pod) != null)
                            .thenComparing(OLDEST_FIRST.reversed()))
                    .limit(Math.max(0, active.size() - wanted))
                    .forEach(pod -> state.delete(
                            pods,
                            Json.textAt(pod, "metadata", "namespace"),
                            Json.textAt(pod, "metadata", "name"),
                            uid(pod)));
        }
        ObjectNode current =
                state.get(replicaSets, Json.textAt(set, "metadata", "namespace"), Json.textAt(set, "metadata", "name"));
        if (current != null && uid(current).equals(uid(set))) {
            report(current);
        }
    }

    private void report(ObjectNode set) {
        Duration minReady = Duration.ofSeconds(Json.integerAt(set, 0, "spec", "minReadySeconds"));
        Instant now = runtime.wallClock();
        int active = 0;
        int ready = 0;
        int available = 0;
        int terminating = 0;
        Duration soonest = null;
        for (ObjectNode pod : podsOf(set)) {
            terminating += isDeleting(pod) ? 1 : 0;
            if (!isActive(pod)) {
                continue;
            }
            active++;
            Instant since = readySince(pod);
            if (since != null) {
                ready++;
                Duration left = Duration.between(now, since.plus(minReady));
                if (minReady.isZero() || left.isNegative() || left.isZero()) {
                    available++;
                } else if (soonest == null || left.compareTo(soonest) < 0) {
                    soonest = left;
                }
            }
        }
        if (soonest != null) {
            Key key = key("replicasets", set);
            runtime.after(soonest, lane, () -> look(key));
        }
        ObjectNode status = Json.NODES.objectNode();
        status.put("replicas", active)
                .put("fullyLabeledReplicas", active)
                .put("readyReplicas", ready)
                .put("availableReplicas", available)
                .put("terminatingReplicas", terminating)
                .put("observedGeneration", Json.integerAt(set, 0, "metadata", "generation"));
        writeStatus(replicaSets, set, set, status);
    }

    private ObjectNode podOf(ObjectNode set) {
        ObjectNode template = child(child(set, "spec"), "template");
        ObjectNode pod = Json.NODES.objectNode();
        pod.put("kind", "Pod").put("apiVersion", "v1");
        ObjectNode metadata = pod.putObject("metadata");
        metadata.put("generateName", Json.textAt(set, "metadata", "name") + "-");
        metadata.put("namespace", Json.textAt(set, "metadata", "namespace"));
        for (String copied : List.of("labels", "annotations", "finalizers")) {
            JsonNode value = Json.at(template, "metadata", copied);
            if (value != null) {
                metadata.set(copied, value);
            }
        }
        own(metadata, set, "ReplicaSet");
        pod.set("spec", child(template, "spec"));
        return pod;
    }

    private List<ObjectNode> podsOf(ObjectNode set) {
        return ownedBy(set);
    }

    // --- Deployments
    // --------------------------------------------------------------------------------------------------

    /** A Deployment with its ReplicaSets, as they are stored now. */
    private record Rollout(ObjectNode deployment, @Nullable ObjectNode current, List<ObjectNode> old) {
        List<ObjectNode> all() {
            List<ObjectNode> all = new ArrayList<>(old);
            if (current != null) {
                all.add(current);
            }
            return all;
        }

        long sum(String... path) {
            return all().stream().mapToLong(set -> Json.integerAt(set, 0, path)).sum();
        }

        long wanted() {
            return Json.integerAt(deployment, 1, "spec", "replicas");
        }

        boolean recreates() {
            return Json.textAt(deployment, "spec", "strategy", "type").equals("Recreate");
        }

        long maxSurge() {
            return recreates() ? 0 : limit("maxSurge", RoundingMode.CEILING);
        }

        /** Rounded down, but not to nothing when there is no surge either: a rollout must be able to move. */
        long maxUnavailable() {
            if (recreates()) {
                return 0;
            }
            long limit = limit("maxUnavailable", RoundingMode.FLOOR);
            return Math.min(limit == 0 && maxSurge() == 0 ? 1 : limit, wanted());
        }

        private long limit(String name, RoundingMode rounding) {
            JsonNode value = Json.at(deployment, "spec", "strategy", "rollingUpdate", name);
            if (value == null || value.isNumber()) {
                return value == null ? 0 : value.longValue();
            }
            long percent = Long.parseLong(value.stringValue().replace("%", ""));
            long product = percent * wanted();
            return rounding == RoundingMode.CEILING ? (product + 99) / 100 : product / 100;
        }
    }

    private Rollout rollout(ObjectNode deployment) {
        ObjectNode template = child(child(deployment, "spec"), "template");
        ObjectNode current = null;
        List<ObjectNode> old = new ArrayList<>();
        for (ObjectNode set : ownedBy(deployment).stream().sorted(OLDEST_FIRST).toList()) {
            if (current == null && Json.same(withoutHash(child(child(set, "spec"), "template")), template)) {
                current = set;
            } else {
                old.add(set);
            }
        }
        return new Rollout(deployment, current, old);
    }

    private void deploy(ObjectNode deployment) {
        Rollout rollout = rollout(deployment);
        if (!isDeleting(deployment)) {
            if (child(deployment, "spec").path("paused").asBoolean(false)) {
                scalePaused(rollout);
            } else {
                if (!revise(rollout)) {
                    return; // a name was taken: the changed collision count brings us back
                }
                rollout = rollout(deployment);
                if (rollout.recreates()) {
                    recreate(rollout);
                } else {
                    roll(rollout);
                }
            }
        }
        report(rollout(deployment));
    }

    /** While paused only the latest ReplicaSet that runs follows the number of replicas. */
    private void scalePaused(Rollout rollout) {
        rollout.all().stream()
                .filter(set -> Json.integerAt(set, 0, "spec", "replicas") > 0)
                .max(OLDEST_FIRST)
                .ifPresent(set -> scale(rollout, set, rollout.wanted()));
    }

    /** Makes sure that the template has its ReplicaSet, and that this carries the highest revision. */
    private boolean revise(Rollout rollout) {
        long highest =
                rollout.old().stream().mapToLong(Workloads::revision).max().orElse(0);
        ObjectNode current = rollout.current();
        if (current != null) {
            if (revision(current) <= highest) {
                ObjectNode revised = withAnnotation(current, REVISION, Long.toString(highest + 1));
                state.update(replicaSets, revised, CONTROLLER);
            }
            return true;
        }
        ObjectNode deployment = rollout.deployment();
        String name = Json.textAt(deployment, "metadata", "name") + "-" + hash(deployment);
        String namespace = Json.textAt(deployment, "metadata", "namespace");
        if (state.get(replicaSets, namespace, name) != null) {
            ObjectNode status = Json.shallow(child(deployment, "status"));
            status.put("collisionCount", Json.integerAt(status, 0, "collisionCount") + 1);
            writeStatus(deployments, deployment, deployment, status);
            return false;
        }
        long replicas = Math.max(
                0,
                rollout.recreates() && rollout.sum("spec", "replicas") > 0
                        ? 0
                        : Math.min(
                                rollout.wanted(),
                                rollout.wanted() + rollout.maxSurge() - rollout.sum("spec", "replicas")));
        state.create(replicaSets, setOf(rollout, name, highest + 1, replicas), CONTROLLER);
        return true;
    }

    private static ObjectNode setOf(Rollout rollout, String name, long revision, long replicas) {
        ObjectNode deployment = rollout.deployment();
        ObjectNode spec = child(deployment, "spec");
        String hash = hash(deployment);
        ObjectNode set = Json.NODES.objectNode();
        set.put("kind", "ReplicaSet").put("apiVersion", "apps/v1");
        ObjectNode metadata = set.putObject("metadata");
        metadata.put("name", name).put("namespace", Json.textAt(deployment, "metadata", "namespace"));
        ObjectNode template = Json.shallow(child(spec, "template"));
        ObjectNode templateMetadata = Json.shallow(child(template, "metadata"));
        ObjectNode labels = Json.shallow(child(templateMetadata, "labels"));
        labels.put(HASH, hash);
        templateMetadata.set("labels", labels);
        template.set("metadata", templateMetadata);
        metadata.set("labels", labels);
        ObjectNode annotations = Json.NODES.objectNode();
        child(child(deployment, "metadata"), "annotations").properties().forEach(annotation -> {
            if (!annotation.getKey().equals(REVISION)
                    && !annotation.getKey().equals("kubectl.kubernetes.io/last-applied-configuration")) {
                annotations.set(annotation.getKey(), annotation.getValue());
            }
        });
        metadata.set("annotations", annotations);
        annotations
                .put(DESIRED, Long.toString(rollout.wanted()))
                .put(MAX, Long.toString(rollout.wanted() + rollout.maxSurge()))
                .put(REVISION, Long.toString(revision));
        own(metadata, deployment, "Deployment");
        ObjectNode setSpec = set.putObject("spec");
        setSpec.put("replicas", replicas);
        if (spec.has("minReadySeconds")) {
            setSpec.set("minReadySeconds", spec.get("minReadySeconds"));
        }
        ObjectNode selector = Json.shallow(child(spec, "selector"));
        ObjectNode matched = Json.shallow(child(selector, "matchLabels"));
        matched.put(HASH, hash);
        selector.set("matchLabels", matched);
        setSpec.set("selector", selector);
        setSpec.set("template", template);
        return set;
    }

    private void recreate(Rollout rollout) {
        for (ObjectNode set : rollout.old()) {
            scale(rollout, set, 0);
        }
        boolean gone = rollout.old().stream().allMatch(set -> podsOf(set).isEmpty());
        if (gone && rollout.current() != null) {
            scale(rollout, rollout.current(), rollout.wanted());
        }
    }

    /** One step of a rolling update: up by what surge allows, then down by what availability allows. */
    private void roll(Rollout rollout) {
        ObjectNode current = rollout.current();
        if (current == null) {
            return;
        }
        long total = rollout.sum("spec", "replicas");
        long now = Json.integerAt(current, 0, "spec", "replicas");
        long room = Math.max(0, rollout.wanted() + rollout.maxSurge() - total);
        long up = now >= rollout.wanted() ? rollout.wanted() : Math.min(rollout.wanted(), now + room);
        scale(rollout, current, up);

        long oldReplicas = total - now;
        if (oldReplicas == 0) {
            return;
        }
        long minAvailable = rollout.wanted() - rollout.maxUnavailable();
        long newUnavailable = Math.max(0, up - Json.integerAt(current, 0, "status", "availableReplicas"));
        long budget = oldReplicas + up - minAvailable - newUnavailable;
        Map<String, Long> targets = new TreeMap<>();
        // Those that serve nobody go first; of those that serve, only what is more than the minimum.
        long spare = rollout.sum("status", "availableReplicas") - minAvailable;
        for (ObjectNode set : rollout.old()) {
            long replicas = Json.integerAt(set, 0, "spec", "replicas");
            long unhealthy = Math.max(0, replicas - Json.integerAt(set, 0, "status", "availableReplicas"));
            long down = Math.max(0, Math.min(unhealthy, budget));
            budget -= down;
            targets.put(Json.textAt(set, "metadata", "name"), replicas - down);
        }
        for (ObjectNode set : rollout.old()) {
            String name = Json.textAt(set, "metadata", "name");
            long replicas = targets.getOrDefault(name, 0L);
            long down = Math.max(0, Math.min(replicas, Math.min(budget, spare)));
            budget -= down;
            spare -= down;
            scale(rollout, set, replicas - down);
        }
    }

    private void scale(Rollout rollout, ObjectNode set, long replicas) {
        String desired = Long.toString(rollout.wanted());
        String max = Long.toString(rollout.wanted() + rollout.maxSurge());
        boolean annotated = Json.textAt(set, "metadata", "annotations", DESIRED).equals(desired)
                && Json.textAt(set, "metadata", "annotations", MAX).equals(max);
        boolean scaled = Json.integerAt(set, -1, "spec", "replicas") == replicas;
        if (isDeleting(set) || (scaled && (annotated || replicas == 0))) {
            return;
        }
        ObjectNode changed = withAnnotation(withAnnotation(set, DESIRED, desired), MAX, max);
        ObjectNode spec = Json.shallow(child(set, "spec"));
        spec.put("replicas", replicas);
        changed.set("spec", spec);
        state.update(replicaSets, changed, CONTROLLER);
    }

    private void report(Rollout rollout) {
        ObjectNode deployment = rollout.deployment();
        ObjectNode current = rollout.current();
        long wanted = rollout.wanted();
        long replicas = rollout.sum("status", "replicas");
        long updated = current == null ? 0 : Json.integerAt(current, 0, "status", "replicas");
        long available = rollout.sum("status", "availableReplicas");
        ObjectNode before = child(deployment, "status");
        ObjectNode status = Json.NODES.objectNode();
        status.put("observedGeneration", Json.integerAt(deployment, 0, "metadata", "generation"))
                .put("replicas", replicas)
                .put("updatedReplicas", updated)
                .put("readyReplicas", rollout.sum("status", "readyReplicas"))
                .put("availableReplicas", available)
                .put("unavailableReplicas", Math.max(0, rollout.sum("spec", "replicas") - available))
                .put("terminatingReplicas", rollout.sum("status", "terminatingReplicas"));
        if (before.has("collisionCount")) {
            status.set("collisionCount", before.get("collisionCount"));
        }
        ArrayNode conditions = status.putArray("conditions");
        boolean enough = available >= wanted - rollout.maxUnavailable();
        conditions.add(condition(
                before,
                "Available",
                enough,
                enough ? "MinimumReplicasAvailable" : "MinimumReplicasUnavailable",
                enough ? "Deployment has minimum availability." : "Deployment does not have minimum availability."));
        if (current != null) {
            boolean complete = updated == wanted && replicas == wanted && available == wanted;
            String name = Json.quoted(Json.textAt(current, "metadata", "name"));
            conditions.add(condition(
                    before,
                    "Progressing",
                    true,
                    complete ? "NewReplicaSetAvailable" : "ReplicaSetUpdated",
                    "ReplicaSet " + name + (complete ? " has successfully progressed." : " is progressing.")));
            if (complete && !isDeleting(deployment)) {
                forgetHistory(rollout);
            }
        }
        ObjectNode annotated =
                current == null ? deployment : withAnnotation(deployment, REVISION, Long.toString(revision(current)));
        writeStatus(deployments, deployment, annotated, status);
    }

    private ObjectNode condition(ObjectNode before, String type, boolean holds, String reason, String message) {
        String status = holds ? "True" : "False";
        String now = Times.seconds(runtime.wallClock());
        String transition = now;
        for (JsonNode was : Json.listAt(before, "conditions")) {
            if (Json.textAt(was, "type").equals(type)
                    && Json.textAt(was, "status").equals(status)) {
                if (Json.textAt(was, "reason").equals(reason)
                        && Json.textAt(was, "message").equals(message)
                        && was instanceof ObjectNode unchanged) {
                    return unchanged;
                }
                transition = Json.textAt(was, "lastTransitionTime");
            }
        }
        ObjectNode condition = Json.NODES.objectNode();
        return condition
                .put("type", type)
                .put("status", status)
                .put("lastUpdateTime", now)
                .put("lastTransitionTime", transition)
                .put("reason", reason)
                .put("message", message);
    }

    /** Old ReplicaSets beyond {@code revisionHistoryLimit} go, the oldest revision first. */
    private void forgetHistory(Rollout rollout) {
        List<ObjectNode> empty = rollout.old().stream()
                .filter(set -> Json.integerAt(set, 0, "spec", "replicas") == 0
                        && Json.integerAt(set, 0, "status", "replicas") == 0
                        && !isDeleting(set))
                .sorted(Comparator.comparingLong(Workloads::revision))
                .toList();
        long limit = Json.integerAt(rollout.deployment(), 10, "spec", "revisionHistoryLimit");
        empty.stream()
                .limit(Math.max(0, empty.size() - limit))
                .forEach(set -> state.delete(
                        replicaSets,
                        Json.textAt(set, "metadata", "namespace"),
                        Json.textAt(set, "metadata", "name"),
                        uid(set)));
    }

    // --- trees
    // --------------------------------------------------------------------------------------------------------

    /**
     * @param stored the object as it is
     * @param changed the same, with the metadata it should have
     */
    private void writeStatus(ResourceKind kind, ObjectNode stored, ObjectNode changed, ObjectNode status) {
        ObjectNode canonical = kind.admission().defaulted(withStatus(changed, status));
        if (Json.same(canonical.get("status"), stored.get("status"))
                && Json.same(Json.at(changed, "metadata", "annotations"), Json.at(stored, "metadata", "annotations"))) {
            return;
        }
        state.updateStatus(kind, withStatus(changed, status), CONTROLLER);
    }

    private static ObjectNode withStatus(ObjectNode object, ObjectNode status) {
        ObjectNode copy = Json.shallow(object);
        copy.set("status", status);
        return copy;
    }

    private static ObjectNode withAnnotation(ObjectNode object, String name, String value) {
        ObjectNode copy = Json.shallow(object);
        ObjectNode metadata = Json.shallow(child(object, "metadata"));
        ObjectNode annotations = Json.shallow(child(metadata, "annotations"));
        annotations.put(name, value);
        metadata.set("annotations", annotations);
        copy.set("metadata", metadata);
        return copy;
    }

    private static ObjectNode withoutHash(ObjectNode template) {
        ObjectNode copy = Json.shallow(template);
        ObjectNode metadata = Json.shallow(child(template, "metadata"));
        ObjectNode labels = Json.shallow(child(metadata, "labels"));
        labels.remove(HASH);
        metadata.set("labels", labels);
        copy.set("metadata", metadata);
        return copy;
    }

    private static void own(ObjectNode metadata, ObjectNode owner, String kind) {
        metadata.putArray("ownerReferences")
                .addObject()
                .put("apiVersion", "apps/v1")
                .put("kind", kind)
                .put("name", Json.textAt(owner, "metadata", "name"))
                .put("uid", uid(owner))
                .put("controller", true)
                .put("blockOwnerDeletion", true);
    }

    private List<ObjectNode> ownedBy(ObjectNode owner) {
        TreeMap<String, ObjectNode> children = owned.get(uid(owner));
        return children == null ? List.of() : List.copyOf(children.values());
    }

    private static @Nullable ObjectNode controller(ObjectNode object) {
        for (JsonNode owner : Json.listAt(object, "metadata", "ownerReferences")) {
            if (owner instanceof ObjectNode reference
                    && reference.path("controller").asBoolean(false)) {
                return reference;
            }
        }
        return null;
    }

    private static Key key(String plural, ObjectNode object) {
        return new Key(plural, Json.textAt(object, "metadata", "namespace"), Json.textAt(object, "metadata", "name"));
    }

    private static String uid(ObjectNode object) {
        return Json.textAt(object, "metadata", "uid");
    }

    private static boolean isDeleting(ObjectNode object) {
        return !Json.textAt(object, "metadata", "deletionTimestamp").isEmpty();
    }

    private static long revision(ObjectNode set) {
        String revision = Json.textAt(set, "metadata", "annotations", REVISION);
        return revision.chars().allMatch(Character::isDigit) && !revision.isEmpty() && revision.length() < 18
                ? Long.parseLong(revision)
                : 0;
    }

    private static ObjectNode child(ObjectNode object, String name) {
        return object.get(name) instanceof ObjectNode there ? there : Json.NODES.objectNode();
    }

    /** FNV-1a over the template and the collision count, in letters that form no words. */
    private static String hash(ObjectNode deployment) {
        int hash = 0x811c9dc5;
        String text = Json.text(child(child(deployment, "spec"), "template"))
                + Json.integerAt(deployment, 0, "status", "collisionCount");
        for (int i = 0; i < text.length(); i++) {
            hash = (hash ^ text.charAt(i)) * 0x01000193;
        }
        StringBuilder safe = new StringBuilder();
        for (char digit : Integer.toUnsignedString(hash).toCharArray()) {
            safe.append(SAFE_LETTERS.charAt(digit % SAFE_LETTERS.length()));
        }
        return safe.toString();
    }
}
