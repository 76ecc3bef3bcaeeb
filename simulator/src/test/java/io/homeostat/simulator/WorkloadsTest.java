package io.homeostat.simulator;

import static io.homeostat.simulator.Client.DEPLOYMENTS;
import static io.homeostat.simulator.Client.deployment;
import static org.assertj.core.api.Assertions.assertThat;

import io.homeostat.virtualruntime.VirtualWorld;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/** What the stand-ins for controllers and kubelet make of Deployments, as a client sees it. */
class WorkloadsTest {
    private static final String SETS = "/apis/apps/v1/namespaces/default/replicasets";
    private static final String PODS = "/api/v1/namespaces/default/pods";

    private VirtualWorld world;
    private Client client;

    @BeforeEach
    void start() {
        world = VirtualWorld.seeded(11);
        client = new Client(world, Simulator.on(world.process("server")).build(), "client");
    }

    @AfterEach
    void stop() {
        world.close();
    }

    private List<JsonNode> items(String target) {
        List<JsonNode> items = new ArrayList<>();
        client.get(target).json().path("items").forEach(items::add);
        return items;
    }

    private String status(String field) {
        return client.get(DEPLOYMENTS + "/web").at("status/" + field);
    }

    private void settle() {
        world.runFor(Duration.ofSeconds(2));
    }

    @Test
    void aDeploymentBecomesReadyThroughItsReplicaSet() {
        client.post(DEPLOYMENTS, deployment("web", 3));
        world.runFor(Duration.ofMillis(30));
        assertThat(status("replicas")).isEqualTo("3");
        assertThat(status("readyReplicas")).isEmpty();
        assertThat(status("unavailableReplicas")).isEqualTo("3");
        assertThat(status("conditions/0/status")).isEqualTo("False");
        settle();
        for (String field : List.of("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")) {
            assertThat(status(field)).as(field).isEqualTo("3");
        }
        assertThat(status("unavailableReplicas")).isEmpty();
        assertThat(status("observedGeneration")).isEqualTo("1");
        assertThat(status("conditions/0/type") + status("conditions/0/status")).isEqualTo("AvailableTrue");
        assertThat(status("conditions/1/reason")).isEqualTo("NewReplicaSetAvailable");

        JsonNode set = items(SETS).get(0);
        String hash = Client.at(set, "metadata/labels/pod-template-hash");
        assertThat(Client.at(set, "metadata/name")).isEqualTo("web-" + hash);
        assertThat(Client.at(set, "spec/selector/matchLabels/pod-template-hash"))
                .isEqualTo(hash);
        assertThat(Client.at(set, "metadata/ownerReferences/0/kind")).isEqualTo("Deployment");
        assertThat(items(PODS)).hasSize(3).allSatisfy(pod -> {
            assertThat(Client.at(pod, "metadata/name")).startsWith("web-" + hash + "-");
            assertThat(Client.at(pod, "metadata/labels/app")).isEqualTo("web");
            assertThat(Client.at(pod, "metadata/ownerReferences/0/name")).isEqualTo("web-" + hash);
            assertThat(Client.at(pod, "status/phase")).isEqualTo("Running");
            assertThat(Client.at(pod, "status/podIP")).startsWith("10.244.");
        });
        assertThat(items(PODS).stream().map(pod -> Client.at(pod, "status/podIP")))
                .doesNotHaveDuplicates();
    }

    @Test
    void whatTheControllersWriteIsTheirsAndNothingElse() {
        client.apply(DEPLOYMENTS + "/web", "me", deployment("web", 1));
        settle();
        JsonNode entries =
                client.get(DEPLOYMENTS + "/web").json().path("metadata").path("managedFields");
        assertThat(entries).hasSize(2);
        assertThat(Client.at(entries, "0/manager")).isEqualTo("me");
        assertThat(Client.at(entries, "1/manager")).isEqualTo("kube-controller-manager");
        assertThat(Client.at(entries, "1/subresource")).isEqualTo("status");
        assertThat(client.apply(DEPLOYMENTS + "/web", "me", deployment("web", 2))
                        .status())
                .isEqualTo(200);
    }

    @Test
    void aSettledDeploymentCausesNoWrites() {
        client.post(DEPLOYMENTS, deployment("web", 3));
        settle();
        String before = client.get(PODS).at("metadata/resourceVersion");
        world.runFor(Duration.ofMinutes(5));
        assertThat(client.get(PODS).at("metadata/resourceVersion")).isEqualTo(before);
    }

    @Test
    void scalingFollowsTheSpecBothWays() {
        client.post(DEPLOYMENTS, deployment("web", 2));
        settle();
        client.merge(DEPLOYMENTS + "/web", "{\"spec\":{\"replicas\":5}}");
        settle();
        assertThat(status("readyReplicas")).isEqualTo("5");
        client.merge(DEPLOYMENTS + "/web", "{\"spec\":{\"replicas\":0}}");
        settle();
        assertThat(status("replicas")).isEmpty();
        assertThat(items(PODS)).isEmpty();
        assertThat(items(SETS)).hasSize(1);
        assertThat(status("observedGeneration")).isEqualTo("3");
    }

    @Test
    void aDeletedPodComesBack() {
        client.post(DEPLOYMENTS, deployment("web", 2));
        settle();
        String gone = Client.at(items(PODS).get(0), "metadata/name");
        client.delete(PODS + "/" + gone);
        settle();
        assertThat(items(PODS)).hasSize(2).noneMatch(pod -> Client.at(pod, "metadata/name")
                .equals(gone));
        assertThat(status("readyReplicas")).isEqualTo("2");
    }

    @Test
    void aChangedTemplateRollsWithinItsLimitsAndLeavesTheOldSetEmpty() {
        client.post(DEPLOYMENTS, deployment("web", 4));
        settle();
        client.merge(
                DEPLOYMENTS + "/web",
                "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"j\"}]}}}}");
        for (int i = 0; i < 200; i++) {
            world.runFor(Duration.ofMillis(5));
            List<JsonNode> pods = items(PODS);
            assertThat(pods).hasSizeLessThanOrEqualTo(5); // 4 and a surge of 25 %
            assertThat(pods.stream()
                            .filter(pod -> Client.at(pod, "status/phase").equals("Running")))
                    .hasSizeGreaterThanOrEqualTo(3); // 4 less 25 %
        }
        assertThat(items(PODS)).hasSize(4).allMatch(pod -> Client.at(pod, "spec/containers/0/image")
                .equals("j"));
        assertThat(items(SETS)).hasSize(2).anySatisfy(set -> assertThat(Client.at(set, "spec/replicas"))
                .isEqualTo("0"));
        assertThat(status("updatedReplicas")).isEqualTo("4");
        assertThat(client.get(DEPLOYMENTS + "/web")
                        .json()
                        .path("metadata")
                        .path("annotations")
                        .path("deployment.kubernetes.io/revision")
                        .stringValue())
                .isEqualTo("2");
    }

    @Test
    void goingBackToAnOldTemplateUsesItsReplicaSetAgain() {
        client.post(DEPLOYMENTS, deployment("web", 1));
        settle();
        String patch = "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"%s\"}]}}}}";
        client.merge(DEPLOYMENTS + "/web", patch.formatted("j"));
        settle();
        client.merge(DEPLOYMENTS + "/web", patch.formatted("i"));
        settle();
        assertThat(items(SETS)).hasSize(2);
        assertThat(items(PODS)).hasSize(1).allMatch(pod -> Client.at(pod, "spec/containers/0/image")
                .equals("i"));
    }

    @Test
    void recreateStartsNothingNewBeforeTheOldIsGone() {
        client.post(
                DEPLOYMENTS,
                deployment("web", 3).replace("\"replicas\":3", "\"replicas\":3,\"strategy\":{\"type\":\"Recreate\"}"));
        settle();
        client.merge(
                DEPLOYMENTS + "/web",
                "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"j\"}]}}}}");
        for (int i = 0; i < 50; i++) {
            world.runFor(Duration.ofMillis(2));
            assertThat(items(PODS).stream()
                            .map(pod -> Client.at(pod, "spec/containers/0/image"))
                            .distinct())
                    .hasSizeLessThanOrEqualTo(1);
        }
        settle();
        assertThat(status("updatedReplicas")).isEqualTo("3");
    }

    @Test
    void aPausedDeploymentScalesButDoesNotRoll() {
        client.post(DEPLOYMENTS, deployment("web", 2));
        settle();
        client.merge(
                DEPLOYMENTS + "/web",
                "{\"spec\":{\"paused\":true,\"replicas\":3,\"template\":{\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"j\"}]}}}}");
        settle();
        assertThat(items(SETS)).hasSize(1);
        assertThat(items(PODS)).hasSize(3);
        client.merge(DEPLOYMENTS + "/web", "{\"spec\":{\"paused\":false}}");
        settle();
        assertThat(status("updatedReplicas")).isEqualTo("3");
    }

    @Test
    void podsAreAvailableOnlyAfterMinReadySeconds() {
        client.post(
                DEPLOYMENTS, deployment("web", 1).replace("\"replicas\":1", "\"replicas\":1,\"minReadySeconds\":30"));
        world.runFor(Duration.ofSeconds(10));
        assertThat(status("readyReplicas")).isEqualTo("1");
        assertThat(status("availableReplicas")).isEmpty();
        world.runFor(Duration.ofSeconds(25));
        assertThat(status("availableReplicas")).isEqualTo("1");
    }

    @Test
    void aDeletedDeploymentTakesItsReplicaSetsAndPodsWithIt() {
        client.post(DEPLOYMENTS, deployment("web", 2));
        settle();
        client.delete(DEPLOYMENTS + "/web");
        settle();
        assertThat(items(SETS)).isEmpty();
        assertThat(items(PODS)).isEmpty();
    }

    @Test
    void aDeploymentMadeAnewAtOnceBecomesReady() {
        client.post(DEPLOYMENTS, deployment("web", 2));
        settle();
        client.delete(DEPLOYMENTS + "/web");
        client.post(DEPLOYMENTS, deployment("web", 2));
        settle();
        assertThat(status("readyReplicas")).isEqualTo("2");
        assertThat(items(PODS)).hasSize(2);
        assertThat(items(SETS)).hasSize(1);
    }

    @Test
    void theSameSeedMakesTheSamePods() {
        client.post(DEPLOYMENTS, deployment("web", 3));
        settle();
        String first = client.get(PODS).text();
        try (VirtualWorld again = VirtualWorld.seeded(11)) {
            Client other =
                    new Client(again, Simulator.on(again.process("server")).build(), "client");
            other.post(DEPLOYMENTS, deployment("web", 3));
            again.runFor(Duration.ofSeconds(2));
            assertThat(other.get(PODS).text()).isEqualTo(first);
        }
    }
}
