package io.homeostat.integrationtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.homeostat.testkit.Tree;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/** What the Memcached operator does, written once and played in every {@link Place}. Each scenario begins without an operator. */
final class MemcachedScenarios {
    static final String MEMCACHED = "cache.example.com/v1alpha1";
    static final String APPS = "apps/v1";
    static final String DEFAULT_IMAGE = "memcached:1.6-alpine";

    private MemcachedScenarios() {}

    static String memcached(String name, int size) {
        return "{\"apiVersion\":\"" + MEMCACHED + "\",\"kind\":\"Memcached\",\"metadata\":{\"name\":\"" + name
                + "\"},\"spec\":{\"size\":" + size + "}}";
    }

    /** Asserts that everything of one Memcached is as its spec asks. */
    static void assertConverged(Place place, String name, int size) {
        assertConverged(place, name, size, DEFAULT_IMAGE);
    }

    static void assertConverged(Place place, String name, int size, String image) {
        Tree memcached = place.get(MEMCACHED, "Memcached", name);
        assertThat(memcached.number("spec.size")).isEqualTo(size);
        Tree deployment = place.get(APPS, "Deployment", name);
        assertThat(deployment.number("spec.replicas")).isEqualTo(size);
        assertThat(deployment.list("spec.template.spec.containers"))
                .singleElement()
                .satisfies(container -> assertThat(container.text("image")).isEqualTo(image));
        Tree service = place.get("v1", "Service", name);
        assertThat(service.list("spec.ports")).singleElement().satisfies(port -> assertThat(port.number("port"))
                .isEqualTo(11211));
        // Selectors find this object's pods and no other's: another Memcached of the namespace has others.
        assertThat(service.map("spec.selector")).isNotEmpty().isEqualTo(deployment.map("spec.selector.matchLabels"));
        assertThat(deployment.map("spec.template.metadata.labels")).containsAllEntriesOf(service.map("spec.selector"));
        for (Tree child : List.of(deployment, service)) {
            assertThat(child.map("metadata.labels")).isNotEmpty();
            assertThat(child.list("metadata.ownerReferences")).singleElement().satisfies(owner -> {
                assertThat(owner.text("uid")).isEqualTo(memcached.text("metadata.uid"));
                assertThat(owner.text("kind")).isEqualTo("Memcached");
                assertThat(owner.at("controller")).contains(true);
            });
        }
        assertThat(memcached.number("status.readyReplicas")).isEqualTo(size);
        assertThat(memcached.number("status.observedGeneration")).isEqualTo(memcached.number("metadata.generation"));
        assertThat(memcached.list("status.conditions")).anySatisfy(condition -> {
            assertThat(condition.text("type")).isEqualTo("Ready");
            assertThat(condition.text("status")).isEqualTo("True");
        });
    }

    private static void converged(Place place, String name, int size) {
        place.eventually(() -> assertConverged(place, name, size));
    }

    private static void started(Place place, String name, int size) {
        place.startOperator();
        place.apply(memcached(name, size));
        converged(place, name, size);
    }

    static void objectGetsItsDeploymentServiceAndStatus(Place place) {
        started(place, "sample", 2);
        Tree deployment = place.get(APPS, "Deployment", "sample");
        place.letPass(Duration.ofMillis(500));
        assertThat(place.get(APPS, "Deployment", "sample").number("metadata.generation"))
                .as("nothing goes on writing")
                .isEqualTo(deployment.number("metadata.generation"));
    }

    static void objectThatWasThereBeforeTheOperatorIsServed(Place place) {
        place.apply(memcached("early", 1));
        place.startOperator();
        converged(place, "early", 1);
    }

    static void sizeIsFollowedUpAndDown(Place place) {
        started(place, "sample", 1);
        place.patch(MEMCACHED, "Memcached", "sample", "{\"spec\":{\"size\":4}}");
        converged(place, "sample", 4);
        place.patch(MEMCACHED, "Memcached", "sample", "{\"spec\":{\"size\":2}}");
        converged(place, "sample", 2);
    }

    static void imageOfTheSpecIsFollowed(Place place) {
        started(place, "sample", 1);
        place.patch(MEMCACHED, "Memcached", "sample", "{\"spec\":{\"image\":\"memcached:1.7\"}}");
        place.eventually(() -> assertConverged(place, "sample", 1, "memcached:1.7"));
    }

    static void driftOfTheImageIsRepaired(Place place) {
        started(place, "sample", 1);
        String container = place.get(APPS, "Deployment", "sample")
                .list("spec.template.spec.containers")
                .get(0)
                .text("name");
        place.patch(
                APPS,
                "Deployment",
                "sample",
                "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"" + container
                        + "\",\"image\":\"other:1\"}]}}}}");
        converged(place, "sample", 1);
    }

    static void driftOfTheReplicasIsRepaired(Place place) {
        started(place, "sample", 2);
        place.patch(APPS, "Deployment", "sample", "{\"spec\":{\"replicas\":5}}");
        converged(place, "sample", 2);
    }

    static void driftOfTheLabelsIsRepaired(Place place) {
        started(place, "sample", 1);
        for (String kind : List.of("Deployment", "Service")) {
            String apiVersion = kind.equals("Service") ? "v1" : APPS;
            Map<String, Object> labels = place.get(apiVersion, kind, "sample").map("metadata.labels");
            place.patch(apiVersion, kind, "sample", "{\"metadata\":{\"labels\":null}}");
            place.eventually(
                    () -> assertThat(place.get(apiVersion, kind, "sample").map("metadata.labels"))
                            .containsAllEntriesOf(labels));
        }
        converged(place, "sample", 1);
    }

    static void driftOfTheSelectorIsRepaired(Place place) {
        started(place, "sample", 1);
        Map<String, Object> selector = place.get("v1", "Service", "sample").map("spec.selector");
        place.patch("v1", "Service", "sample", "{\"spec\":{\"selector\":{\"app\":\"somebody-else\"}}}");
        place.eventually(() -> assertThat(place.get("v1", "Service", "sample").map("spec.selector"))
                .containsAllEntriesOf(selector));
    }

    static void driftOfTheOwnerReferenceIsRepaired(Place place) {
        started(place, "sample", 1);
        place.patch(APPS, "Deployment", "sample", "{\"metadata\":{\"ownerReferences\":null}}");
        place.patch("v1", "Service", "sample", "{\"metadata\":{\"ownerReferences\":null}}");
        converged(place, "sample", 1);
    }

    static void deletedDeploymentAndServiceComeBack(Place place) {
        started(place, "sample", 2);
        String uid = place.get(APPS, "Deployment", "sample").text("metadata.uid");
        place.delete(APPS, "Deployment", "sample");
        place.eventually(() -> {
            assertThat(place.get(APPS, "Deployment", "sample").text("metadata.uid"))
                    .isNotEqualTo(uid);
            assertConverged(place, "sample", 2);
        });
        place.delete("v1", "Service", "sample");
        converged(place, "sample", 2);
    }

    static void deletedObjectTakesWhatItOwnsAlong(Place place) {
        started(place, "sample", 2);
        place.delete(MEMCACHED, "Memcached", "sample");
        place.eventually(() -> assertGone(place, "sample"));
        place.letPass(Duration.ofMillis(500));
        assertGone(place, "sample");
    }

    static void assertGone(Place place, String name) {
        assertThat(place.find(MEMCACHED, "Memcached", name)).isEmpty();
        assertThat(place.find(APPS, "Deployment", name)).isEmpty();
        assertThat(place.find("v1", "Service", name)).isEmpty();
        assertThat(place.list("v1", "Pod")).noneMatch(pod -> pod.name().startsWith(name + "-"));
    }

    static void twoObjectsOfOneNamespaceDoNotTouchEachOther(Place place) {
        place.startOperator();
        place.apply(memcached("left", 1));
        place.apply(memcached("right", 3));
        converged(place, "left", 1);
        converged(place, "right", 3);
        assertThat(place.get("v1", "Service", "left").map("spec.selector"))
                .isNotEqualTo(place.get("v1", "Service", "right").map("spec.selector"));
        place.delete(MEMCACHED, "Memcached", "left");
        place.eventually(() -> assertGone(place, "left"));
        converged(place, "right", 3);
    }

    static void twoHundredObjectsAtOnceAreServed(Place place) {
        place.startOperator();
        IntStream.range(0, 200).forEach(i -> place.apply(memcached("many-" + i, 1)));
        place.eventually(() -> {
            List<Tree> all = place.list(MEMCACHED, "Memcached");
            assertThat(all).hasSize(200).allSatisfy(one -> assertThat(one.number("status.readyReplicas"))
                    .isEqualTo(1));
        });
        for (int i = 0; i < 200; i += 37) {
            assertConverged(place, "many-" + i, 1);
        }
    }

    static void crashInTheMiddleLosesNothing(Place place) {
        place.startOperator();
        for (int i = 0; i < 12; i++) {
            place.apply(memcached("c-" + i, 1 + i % 3));
            if (i % 4 == 1) {
                place.crashOperator();
                place.patch(MEMCACHED, "Memcached", "c-0", "{\"spec\":{\"size\":" + (2 + i / 4) + "}}");
                place.startOperator();
            }
        }
        place.delete(MEMCACHED, "Memcached", "c-11");
        place.crashOperator();
        place.delete(MEMCACHED, "Memcached", "c-10");
        place.startOperator();
        place.eventually(() -> {
            assertConverged(place, "c-0", 4);
            for (int i = 1; i < 10; i++) {
                assertConverged(place, "c-" + i, 1 + i % 3);
            }
            assertGone(place, "c-10");
            assertGone(place, "c-11");
        });
    }

    static void stoppedOperatorLeavesNothingUndoneAndTheNextOneFindsWhatChanged(Place place) {
        started(place, "sample", 1);
        assertThat(place.stopOperator()).as("everything under way has ended").isTrue();
        place.patch(MEMCACHED, "Memcached", "sample", "{\"spec\":{\"size\":3}}");
        place.delete("v1", "Service", "sample");
        place.startOperator();
        converged(place, "sample", 3);
    }
}
