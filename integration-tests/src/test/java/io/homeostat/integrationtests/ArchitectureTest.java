package io.homeostat.integrationtests;

import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.lang.ArchRule;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** The product keeps the rules of the house. */
@Tag("jdk-independent") // about our class files
final class ArchitectureTest {
    private static final String ROOT = "io.homeostat";
    private static final JavaClasses PRODUCT = new ClassFileImporter()
            .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
            .importPackages(ROOT);

    @TestFactory
    Stream<DynamicTest> productKeepsTheRules() {
        return new Architecture(ROOT).rules().entrySet().stream().map(ArchitectureTest::test);
    }

    private static DynamicTest test(Map.Entry<String, List<ArchRule>> rules) {
        return DynamicTest.dynamicTest(rules.getKey(), () -> rules.getValue().forEach(rule -> rule.check(PRODUCT)));
    }

    @Test
    void allRoomsAreLookedAt() {
        assertThat(PRODUCT.stream()
                        .map(type -> type.getPackageName().split("\\.", -1)[2])
                        .distinct())
                .contains("core", "virtualruntime", "workqueue", "simulator", "client", "informer", "testkit");
    }

    @Test
    void everyNamedEdgeExists() {
        assertThat(Architecture.EDGES.keySet())
                .allSatisfy(edge ->
                        assertThat(PRODUCT.contain(ROOT + "." + edge)).as(edge).isTrue());
    }
}
