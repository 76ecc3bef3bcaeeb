package io.homeostat.integrationtests;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.homeostat.examples.memcached.MemcachedOperator;
import io.homeostat.testkit.Backend;
import io.homeostat.testkit.Cluster;
import io.homeostat.testkit.OperatorTest;
import java.util.List;
import java.util.function.Consumer;

/** The scenarios over sockets: on the simulator, and on a real kube-apiserver with its controllers. */
@OperatorTest(on = {Backend.SIMULATOR, Backend.REAL})
class MemcachedOnServersTest {
    private static void play(Cluster cluster, Consumer<Place> scenario) {
        cluster.applyYaml(MemcachedOperator.crd());
        try (Place place = new ClusterPlace(cluster, MemcachedOperator::description)) {
            scenario.accept(place);
        }
    }

    @OperatorTest
    void objectGetsItsDeploymentServiceAndStatus(Cluster cluster) {
        play(cluster, MemcachedScenarios::objectGetsItsDeploymentServiceAndStatus);
    }

    /** What has no place in the names and labels of its children is refused at once. */
    @OperatorTest
    void nameThatNoServiceCanHaveIsRefused(Cluster cluster) {
        cluster.applyYaml(MemcachedOperator.crd());
        for (String name : List.of("a".repeat(64), "1st", "a.b")) {
            assertThatThrownBy(() -> cluster.applyYaml(
                            "{apiVersion: cache.example.com/v1alpha1, kind: Memcached, metadata: {name: " + name
                                    + "}, spec: {size: 1}}"))
                    .hasMessageContaining("422")
                    .hasMessageContaining("metadata.name");
        }
        cluster.applyYaml("{apiVersion: cache.example.com/v1alpha1, kind: Memcached, metadata: {name: " + "a".repeat(63)
                + "}, spec: {size: 1}}");
    }

    @OperatorTest
    void objectThatWasThereBeforeTheOperatorIsServed(Cluster cluster) {
        play(cluster, MemcachedScenarios::objectThatWasThereBeforeTheOperatorIsServed);
    }

    @OperatorTest
    void sizeIsFollowedUpAndDown(Cluster cluster) {
        play(cluster, MemcachedScenarios::sizeIsFollowedUpAndDown);
    }

    @OperatorTest
    void imageOfTheSpecIsFollowed(Cluster cluster) {
        play(cluster, MemcachedScenarios::imageOfTheSpecIsFollowed);
    }

    @OperatorTest
    void driftOfTheImageIsRepaired(Cluster cluster) {
        play(cluster, MemcachedScenarios::driftOfTheImageIsRepaired);
    }

    @OperatorTest
    void driftOfTheReplicasIsRepaired(Cluster cluster) {
        play(cluster, MemcachedScenarios::driftOfTheReplicasIsRepaired);
    }

    @OperatorTest
    void driftOfTheLabelsIsRepaired(Cluster cluster) {
        play(cluster, MemcachedScenarios::driftOfTheLabelsIsRepaired);
    }

    @OperatorTest
    void driftOfTheSelectorIsRepaired(Cluster cluster) {
        play(cluster, MemcachedScenarios::driftOfTheSelectorIsRepaired);
    }

    @OperatorTest
    void driftOfTheOwnerReferenceIsRepaired(Cluster cluster) {
        play(cluster, MemcachedScenarios::driftOfTheOwnerReferenceIsRepaired);
    }

    @OperatorTest
    void deletedDeploymentAndServiceComeBack(Cluster cluster) {
        play(cluster, MemcachedScenarios::deletedDeploymentAndServiceComeBack);
    }

    @OperatorTest
    void deletedObjectTakesWhatItOwnsAlong(Cluster cluster) {
        play(cluster, MemcachedScenarios::deletedObjectTakesWhatItOwnsAlong);
    }

    @OperatorTest
    void twoObjectsOfOneNamespaceDoNotTouchEachOther(Cluster cluster) {
        play(cluster, MemcachedScenarios::twoObjectsOfOneNamespaceDoNotTouchEachOther);
    }

    @OperatorTest
    void twoHundredObjectsAtOnceAreServed(Cluster cluster) {
        play(cluster, MemcachedScenarios::twoHundredObjectsAtOnceAreServed);
    }

    @OperatorTest
    void crashInTheMiddleLosesNothing(Cluster cluster) {
        play(cluster, MemcachedScenarios::crashInTheMiddleLosesNothing);
    }

    @OperatorTest
    void stoppedOperatorLeavesNothingUndoneAndTheNextOneFindsWhatChanged(Cluster cluster) {
        play(cluster, MemcachedScenarios::stoppedOperatorLeavesNothingUndoneAndTheNextOneFindsWhatChanged);
    }
}
