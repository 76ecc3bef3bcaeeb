package io.homeostat.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;

import java.time.Duration;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.testkit.engine.EngineTestKit;
import org.junit.platform.testkit.engine.Event;

/** What the extension makes of tests that do wrong. */
final class OperatorTestExtensionTest {
    @OperatorTest(on = Backend.SIMULATOR)
    static final class Tests {
        @OperatorTest
        void printsTheCanary(Cluster cluster) {
            System.err.println("value=" + cluster.canary());
        }

        @OperatorTest
        void putsTheCanaryIntoAnEvent(Cluster cluster) {
            cluster.applyYaml(
                    """
                    apiVersion: v1
                    kind: Event
                    metadata: {name: e}
                    message: "failed with %s"
                    involvedObject: {apiVersion: v1, kind: Secret, name: s, namespace: %s}
                    """
                            .formatted(cluster.canary(), cluster.namespace()));
        }

        @OperatorTest
        void keepsTheCanary(Cluster cluster) {
            cluster.applyYaml(
                    """
                    apiVersion: v1
                    kind: Secret
                    metadata: {name: s}
                    stringData: {password: %s}
                    """
                            .formatted(cluster.canary()));
        }

        @OperatorTest
        void leavesItsThreadInterrupted(Cluster cluster) {
            cluster.canary();
            Thread.currentThread().interrupt(); // the look for the canary cannot be taken
        }

        @OperatorTest
        void asksForTheControlPlane(Cluster cluster) {
            cluster.controlPlane();
        }
    }

    @Test
    void testFailsWhenItsCanaryIsSeenOrItAsksForWhatIsNotThere() {
        Map<String, TestExecutionResult> results =
                EngineTestKit.engine("junit-jupiter")
                        .selectors(selectClass(Tests.class))
                        .execute()
                        .testEvents()
                        .finished()
                        .stream()
                        .collect(Collectors.toMap(
                                event -> event.getTestDescriptor()
                                        .getParent()
                                        .orElseThrow()
                                        .getDisplayName()
                                        .replaceAll("\\(.*", ""),
                                OperatorTestExtensionTest::result));

        assertThat(results).hasSize(5);
        assertThat(message(results, "printsTheCanary"))
                .isEqualTo("The canary secret was printed or logged: value=<the canary>");
        assertThat(message(results, "putsTheCanaryIntoAnEvent"))
                .startsWith("The canary secret is in an Event of namespace t-");
        assertThat(message(results, "asksForTheControlPlane"))
                .isEqualTo("This test runs on the simulator: only a real server has processes; use @OperatorTest(on ="
                        + " Backend.REAL)");
        assertThat(of(results, "keepsTheCanary").getThrowable()).isEmpty();
        assertThat(of(results, "leavesItsThreadInterrupted").getThrowable()).isPresent();
        Polling.eventually(Duration.ofSeconds(10), () -> assertThat(
                        Thread.getAllStackTraces().keySet().stream().map(Thread::getName))
                .as("no server outlives its test, also when that could not be looked over")
                .noneMatch(name -> name.startsWith("simulator")));
    }

    private static TestExecutionResult result(Event event) {
        return event.getRequiredPayload(TestExecutionResult.class);
    }

    private static TestExecutionResult of(Map<String, TestExecutionResult> results, String test) {
        return Objects.requireNonNull(results.get(test), test);
    }

    private static String message(Map<String, TestExecutionResult> results, String test) {
        return String.valueOf(of(results, test).getThrowable().orElseThrow().getMessage());
    }
}
