package io.homeostat.integrationtests;

import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaMethod;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.lang.ArchRule;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** Each rule of the house finds what was planted for it: a rule that cannot fail proves nothing. */
@Tag("jdk-independent") // about our class files
final class ArchitectureRulesTest {
    private static final String ROOT = "io.homeostat.integrationtests.planted";
    private static final JavaClasses PLANTED = new ClassFileImporter().importPackages(ROOT);

    /** What each family must report: classes, whose every method must be named, or single members. */
    private static final Map<String, List<String>> EXPECTED = Map.ofEntries(
            Map.entry("rooms use only the rooms below them", List.of("KnowsInformer", "KnowsWorkqueue")),
            Map.entry("rooms know only their own libraries", List.of("KnowsModel", "Unmarked.showsJackson")),
            Map.entry("no cycles, no sub-packages", List.of("Slice workqueue", "internal.Deep")),
            Map.entry("fabric8's client classes stay in client", List.of("KnowsFabric8Client")),
            Map.entry("no clocks", List.of("ReadsClocks")),
            Map.entry("no threads", List.of("UsesThreads")),
            Map.entry("no blocking", List.of("Blocks")),
            Map.entry("no chance", List.of("TakesChances", "UnseededWorld")),
            Map.entry("nothing that depends on the collector or on identity", List.of("LooksAtIdentity")),
            Map.entry(
                    "no process-wide effects",
                    List.of("ActsOnTheProcess", "ActsOnTheProcess.count", "ActsOnTheProcess.COUNTER")),
            Map.entry("no synchronized methods", List.of("Synchronizes")),
            Map.entry("exceptions say something", List.of("SaysNothing")),
            Map.entry("public types say how stable they are", List.of("core.Unmarked")),
            Map.entry("no Jackson in the public API", List.of("Unmarked.showsJackson")),
            Map.entry("names say what a thing does", List.of("core.QueueManager")),
            Map.entry("public methods are easy to call", List.of("Unmarked.takesBoolean", "Unmarked.takesSix")));

    @TestFactory
    Stream<DynamicTest> ruleFindsWhatWasPlanted() {
        return new Architecture(ROOT)
                .rules().entrySet().stream()
                        .map(family -> DynamicTest.dynamicTest(family.getKey(), () -> finds(family)));
    }

    private static void finds(Map.Entry<String, List<ArchRule>> family) {
        String report = family.getValue().stream()
                .map(rule -> rule.evaluate(PLANTED).getFailureReport().toString())
                .collect(Collectors.joining("\n"));
        for (String expected : EXPECTED.get(family.getKey())) {
            assertThat(report).contains(expected);
            PLANTED.stream()
                    .filter(type -> type.getSimpleName().equals(expected))
                    .flatMap(type -> type.getMethods().stream())
                    .map(JavaMethod::getName)
                    .filter(name -> !name.startsWith("lambda$"))
                    .forEach(name -> assertThat(report).contains(expected + "." + name + "("));
        }
    }

    @Test
    void everyFamilyHasSomethingPlanted() {
        assertThat(EXPECTED.keySet())
                .containsExactlyInAnyOrderElementsOf(
                        new Architecture(ROOT).rules().keySet());
    }
}
