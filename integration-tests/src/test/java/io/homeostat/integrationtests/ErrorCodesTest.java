package io.homeostat.integrationtests;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** What goes wrong has a code, and each code a section in docs/errors.md (D37). */
final class ErrorCodesTest {
    private static final List<String> ROOMS = List.of("core", "workqueue", "client", "informer", "reconciler");
    private static final Pattern CODE = Pattern.compile("HS-\\d{3}");
    private static final Pattern SECTION = Pattern.compile("(?m)^### (HS-\\d{3}) \\S.*\\n((?:(?!#).*\\n)*)");
    private static final Pattern THROWN = Pattern.compile(
            "(?m)^ *public (?:static |final |abstract |sealed )*class (\\w+) extends (\\w*Exception)\\b(.*)");
    private static final Pattern LOGGED = Pattern.compile("\\.(?:atWarn|atError)\\(\\)|\\.(?:warn|error)\\(");
    private static final int NEAR = 15;

    private final Path page = Docs.repository().resolve("docs/errors.md");

    @Test
    void everyCodeOfTheSourcesHasASectionAndTheOtherWayRound() throws IOException {
        TreeSet<String> used = new TreeSet<>();
        for (Path source : sources()) {
            CODE.matcher(Files.readString(source))
                    .results()
                    .map(MatchResult::group)
                    .forEach(used::add);
        }
        List<String> sections = SECTION.matcher(Files.readString(page))
                .results()
                .map(section -> section.group(1))
                .toList();

        assertThat(sections).hasSizeGreaterThan(30).isSorted().doesNotHaveDuplicates();
        assertThat(sections).containsExactlyElementsOf(used);
    }

    @Test
    void everySectionSaysWhatTheEngineDoesAndWhatPeopleDo() throws IOException {
        SECTION.matcher(Files.readString(page)).results().forEach(section -> assertThat(section.group(2))
                .as(section.group(1))
                .contains("**Engine:** ")
                .contains("**You:** "));
    }

    @Test
    void everyPublicExceptionHasACode() throws IOException {
        List<String> thrown = new ArrayList<>();
        for (Path source : sources()) {
            THROWN.matcher(Files.readString(source)).results().forEach(type -> {
                thrown.add(type.group(1));
                assertThat(type.group(2).equals("ApiException") || type.group(3).contains("implements Coded"))
                        .as("%s implements Coded", type.group(1))
                        .isTrue();
            });
        }

        assertThat(thrown).contains("ApiException", "Unusable", "CacheNotReady", "TransportException");
    }

    @Test
    void everyWarningNamesItsCode() throws IOException {
        List<String> without = new ArrayList<>();
        int logged = 0;
        for (Path source : sources()) {
            List<String> lines = Files.readAllLines(source);
            for (int i = 0; i < lines.size(); i++) {
                if (LOGGED.matcher(lines.get(i)).find()) {
                    logged++;
                    String statement = String.join("\n", lines.subList(i, Math.min(lines.size(), i + NEAR)));
                    if (!CODE.matcher(statement).find()) {
                        without.add(source.getFileName() + ":" + (i + 1));
                    }
                }
            }
        }

        assertThat(logged).isGreaterThan(30);
        assertThat(without).isEmpty();
    }

    private static List<Path> sources() throws IOException {
        List<Path> all = new ArrayList<>();
        for (String room : ROOMS) {
            try (Stream<Path> files = Files.walk(Docs.repository().resolve(room).resolve("src/main/java"))) {
                files.filter(file -> file.toString().endsWith(".java")).sorted().forEach(all::add);
            }
        }
        return all;
    }
}
