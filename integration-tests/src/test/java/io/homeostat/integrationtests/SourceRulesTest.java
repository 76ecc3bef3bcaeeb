package io.homeostat.integrationtests;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("jdk-independent") // about our sources
final class SourceRulesTest {
    private static final List<String> ENGINE_ROOMS =
            List.of("core", "workqueue", "client", "informer", "reconciler", "simulator");

    @Test
    void engineRoomsHaveNoMonitors() {
        assertThat(ENGINE_ROOMS.stream()
                        .map(room -> Docs.repository().resolve(room).resolve("src/main/java"))
                        .flatMap(folder -> SourceRules.check(folder, SourceRules.IN_ENGINE_ROOMS).stream()))
                .isEmpty();
    }

    @Test
    void serversListenWhereTheySayTheyDo() {
        assertThat(Stream.of("simulator", "testkit")
                        .map(room -> Docs.repository().resolve(room).resolve("src/main/java"))
                        .flatMap(folder -> SourceRules.check(folder, SourceRules.WHERE_SERVERS_ARE).stream()))
                .isEmpty();
    }

    @Test
    void testsNeitherSleepNorAreSwitchedOff() throws IOException {
        List<Path> folders = new ArrayList<>();
        try (Stream<Path> found = Files.walk(Docs.repository(), 4)) {
            found.filter(folder -> folder.endsWith("src/test/java")).forEach(folders::add);
        }

        assertThat(folders).hasSizeGreaterThan(5);
        assertThat(folders.stream().flatMap(folder -> SourceRules.check(folder, SourceRules.IN_TESTS).stream()))
                .isEmpty();
    }

    @Test
    void bannedWordsAreFoundInCodeAndNotInTexts(@TempDir Path folder) throws IOException {
        Path file = folder.resolve("A.java");
        Files.writeString(
                file,
                """
                /* synchronized
                   is not used */
                class A {
                    String text = "synchronized \\" synchronized"; // synchronized
                    synchronized void x() { Thread.sleep(1); }
                    @Disabled void y() {}
                }
                """);

        assertThat(SourceRules.check(folder, SourceRules.IN_ENGINE_ROOMS))
                .singleElement()
                .asString()
                .startsWith(file + ":5: a monitor pins");
        assertThat(SourceRules.check(folder, SourceRules.IN_TESTS))
                .satisfiesExactly(
                        sleep -> assertThat(sleep).startsWith(file + ":5: a test that sleeps"),
                        disabled -> assertThat(disabled).startsWith(file + ":6: a test that never runs"));
    }
}
