package io.homeostat.integrationtests;

import io.homeostat.examples.memcached.MemcachedOperator;
import io.homeostat.virtualruntime.VirtualWorld;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/** The scenarios on virtual time. */
class MemcachedInVirtualWorldTest {
    private static void play(Consumer<Place> scenario) {
        try (VirtualPlace place =
                new VirtualPlace(VirtualWorld.seeded(1), MemcachedOperator::description, VirtualPlace.STRAIGHT)) {
            place.installCrd("memcacheds.cache.example.com", MemcachedOperator.crd());
            scenario.accept(place);
        }
    }

    @Test
    void objectGetsItsDeploymentServiceAndStatus() {
        play(MemcachedScenarios::objectGetsItsDeploymentServiceAndStatus);
    }

    @Test
    void objectThatWasThereBeforeTheOperatorIsServed() {
        play(MemcachedScenarios::objectThatWasThereBeforeTheOperatorIsServed);
    }

    @Test
    void sizeIsFollowedUpAndDown() {
        play(MemcachedScenarios::sizeIsFollowedUpAndDown);
    }

    @Test
    void imageOfTheSpecIsFollowed() {
        play(MemcachedScenarios::imageOfTheSpecIsFollowed);
    }

    @Test
    void driftOfTheImageIsRepaired() {
        play(MemcachedScenarios::driftOfTheImageIsRepaired);
    }

    @Test
    void driftOfTheReplicasIsRepaired() {
        play(MemcachedScenarios::driftOfTheReplicasIsRepaired);
    }

    @Test
    void driftOfTheLabelsIsRepaired() {
        play(MemcachedScenarios::driftOfTheLabelsIsRepaired);
    }

    @Test
    void driftOfTheSelectorIsRepaired() {
        play(MemcachedScenarios::driftOfTheSelectorIsRepaired);
    }

    @Test
    void driftOfTheOwnerReferenceIsRepaired() {
        play(MemcachedScenarios::driftOfTheOwnerReferenceIsRepaired);
    }

    @Test
    void deletedDeploymentAndServiceComeBack() {
        play(MemcachedScenarios::deletedDeploymentAndServiceComeBack);
    }

    @Test
    void deletedObjectTakesWhatItOwnsAlong() {
        play(MemcachedScenarios::deletedObjectTakesWhatItOwnsAlong);
    }

    @Test
    void twoObjectsOfOneNamespaceDoNotTouchEachOther() {
        play(MemcachedScenarios::twoObjectsOfOneNamespaceDoNotTouchEachOther);
    }

    @Test
    void twoHundredObjectsAtOnceAreServed() {
        play(MemcachedScenarios::twoHundredObjectsAtOnceAreServed);
    }

    @Test
    void crashInTheMiddleLosesNothing() {
        play(MemcachedScenarios::crashInTheMiddleLosesNothing);
    }

    @Test
    void stoppedOperatorLeavesNothingUndoneAndTheNextOneFindsWhatChanged() {
        play(MemcachedScenarios::stoppedOperatorLeavesNothingUndoneAndTheNextOneFindsWhatChanged);
    }
}
