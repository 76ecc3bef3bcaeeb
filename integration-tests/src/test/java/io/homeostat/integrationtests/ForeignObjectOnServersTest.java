package io.homeostat.integrationtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.homeostat.examples.memcached.MemcachedOperator;
import io.homeostat.testkit.Backend;
import io.homeostat.testkit.Cluster;
import io.homeostat.testkit.OperatorTest;
import io.homeostat.testkit.Tree;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Tag;

/** What the operator, with its documented role and no more, says of an object that is not its own (D33). */
@Tag("jdk-independent") // what a server and its collector do; MemcachedOnServersTest is the one on each JDK
@OperatorTest(on = {Backend.SIMULATOR, Backend.REAL})
class ForeignObjectOnServersTest {
    private static final String FOREIGN =
            "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"name\":\"sample\"},"
                    + "\"spec\":{\"ports\":[{\"port\":80}],\"selector\":{\"app\":\"theirs\"}}}";

    private static List<Tree> events(Place place) {
        return place.list("events.k8s.io/v1", "Event").stream()
                .filter(event -> event.text("reason").equals("ForeignObject"))
                .toList();
    }

    private static List<String> conditions(Place place) {
        return place.get(MemcachedScenarios.MEMCACHED, "Memcached", "sample").list("status.conditions").stream()
                .map(condition ->
                        condition.text("type") + "=" + condition.text("status") + " " + condition.text("reason"))
                .sorted()
                .toList();
    }

    @OperatorTest
    void foreignServiceIsSaidInAnEventAndInConditionsAndTakenCareOfWhenItIsGone(Cluster cluster) {
        cluster.applyYaml(MemcachedOperator.crd());
        String user = "memcached-" + cluster.namespace();
        if (cluster.backend() == Backend.REAL) { // the simulator asks nobody for rights
            grantDocumentedRole(cluster, user);
        }
        try (Place place = new ClusterPlace(cluster, cluster.kubeconfigFor(user), MemcachedOperator::description)) {
            place.apply(FOREIGN);
            place.startOperator();
            place.apply(MemcachedScenarios.memcached("sample", 1));
            place.eventually(() -> {
                assertThat(conditions(place))
                        .containsExactly("Ready=False ForeignObject", "Stalled=True ForeignObject");
                assertThat(events(place)).singleElement().satisfies(event -> {
                    assertThat(event.text("type")).isEqualTo("Warning");
                    assertThat(event.text("regarding.kind")).isEqualTo("Memcached");
                    assertThat(event.text("regarding.uid"))
                            .isEqualTo(place.get(MemcachedScenarios.MEMCACHED, "Memcached", "sample")
                                    .text("metadata.uid"));
                    assertThat(event.text("note")).contains("Service " + place.namespace() + "/sample", "not touched");
                });
            });
            // The first repeats are told after 10 s, in the same object.
            place.eventually(() -> assertThat(events(place))
                    .singleElement()
                    .satisfies(event -> assertThat(event.number("series.count")).isGreaterThan(2)));
            assertThat(place.get("v1", "Service", "sample").map("spec.selector"))
                    .containsEntry("app", "theirs");
            place.delete("v1", "Service", "sample");
            place.eventually(() -> MemcachedScenarios.assertConverged(place, "sample", 1));
            place.letPass(Duration.ofMillis(200));
            assertThat(conditions(place)).containsExactly("Ready=True AllServersReady");
            // What other tests left in namespaces that are being removed is answered 403, too.
            assertThat(cluster.requestsOf(user))
                    .isNotEmpty()
                    .noneMatch(request -> request.status() == 403
                            && (!request.target().contains("/namespaces/")
                                    || request.target().contains("/namespaces/" + place.namespace() + "/")));
        }
    }

    @OperatorTest
    void whatAReplacedObjectLeftIsTakenByTheCollectorAndNotForForeign(Cluster cluster) {
        cluster.applyYaml(MemcachedOperator.crd());
        try (Place place = new ClusterPlace(cluster, MemcachedOperator::description)) {
            place.startOperator();
            place.apply(MemcachedScenarios.memcached("sample", 1));
            place.eventually(() -> MemcachedScenarios.assertConverged(place, "sample", 1));
            place.delete(MemcachedScenarios.MEMCACHED, "Memcached", "sample");
            place.apply(MemcachedScenarios.memcached("sample", 2)); // as kubectl replace --force does
            String uid = place.get(MemcachedScenarios.MEMCACHED, "Memcached", "sample")
                    .text("metadata.uid");
            place.eventually(() -> {
                MemcachedScenarios.assertConverged(place, "sample", 2);
                assertThat(place.get("apps/v1", "Deployment", "sample").list("metadata.ownerReferences"))
                        .extracting(owner -> owner.text("uid"))
                        .containsExactly(uid);
            });
            assertThat(events(place)).isEmpty();
        }
    }

    private static void grantDocumentedRole(Cluster cluster, String user) {
        cluster.applyYaml(MemcachedUnderStressTest.resource("/role.yaml"));
        cluster.applyYaml(
                "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: " + user
                        + "}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: memcached-operator},"
                        + " subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: " + user + "}]}");
    }
}
