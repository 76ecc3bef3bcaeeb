package io.homeostat.integrationtests;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("jdk-independent") // about our documents
final class DocsTest {
    private final Docs docs = new Docs(Docs.repository());

    @Test
    void javaBlocksAreTextOfCompiledSources() {
        assertThat(docs.pages()).isNotEmpty();
        assertThat(docs.pages().stream().flatMap(page -> docs.blocksThatAreNotIncluded(page).stream()))
                .isEmpty();
    }

    @Test
    void promisesNameTestsThatExist() {
        Path guarantees = Docs.repository().resolve("docs/guarantees.md");

        assertThat(docs.promisesWithoutProof(guarantees)).isEmpty();
        assertThat(guarantees).content().containsPattern("P-C1\\b").containsPattern("P-F3\\b");
    }

    @Test
    void pagesNameTestsThatExist() {
        assertThat(docs.pages().stream().flatMap(page -> docs.promisesWithoutProof(page).stream()))
                .isEmpty();
    }

    @Test
    void everyCaseOfClientGoIsAnswered() {
        Path cases = Docs.repository().resolve("docs/client-go-cases.md");

        assertThat(docs.casesWithoutAnswer(cases)).isEmpty();
        for (String group : List.of("RF:49", "FQ:26", "CT:15", "SI:31", "ST:16")) {
            for (int i = 1; i <= Integer.parseInt(group.substring(3)); i++) {
                assertThat(cases)
                        .content()
                        .containsPattern(
                                "\\| [A-Z0-9 ]*" + String.format(Locale.ROOT, "%s%02d", group.substring(0, 2), i));
            }
        }
    }

    @Test
    void caseWithoutAnswerIsFound(@TempDir Path root) throws IOException {
        Path page = write(
                root,
                "cases.md",
                "| FQ01 | order | `QueueTest.keepsOrder` |",
                "| FQ02 FQ03 | twice | does not apply: once |",
                "| FQ04 | never | |");

        assertThat(new Docs(root).casesWithoutAnswer(page))
                .containsExactly("cases.md:3: FQ04 names no test and does not say why it does not apply");
    }

    @Test
    void everyFaultHasItsTests() {
        Path faults = Docs.repository().resolve("docs/faults.md");

        assertThat(docs.faultsWithoutProof(faults)).isEmpty();
        for (int row = 1; row <= 40; row++) {
            assertThat(faults).content().containsPattern("(?m)^\\| " + row + " \\|");
        }
        for (int line = 1; line <= 13; line++) {
            assertThat(faults).content().containsPattern("(?m)^\\| L" + line + " \\|");
        }
    }

    @Test
    void faultWithoutTestAndLineThatNoTableHasAreFound(@TempDir Path root) throws IOException {
        write(root, "CacheUnderFireTest.java", "\"row 1: the server is away\"");
        Path page = write(
                root,
                "faults.md",
                "| 1 | away | waits | K `row 1: the server is away` |",
                "| 2 | cut | drops it | K `row 2: a list is cut` |",
                "| L3 | refused | lists | |",
                "| 4 | silent | notices | `ReflectorTest.notices` |",
                "| 5 | slow | waits | not yet |");

        assertThat(new Docs(root).faultsWithoutProof(page))
                .containsExactly(
                        "faults.md:2: no table of faults has the line \"row 2: a list is cut\"",
                        "faults.md:3: row L3 names no test and does not say \"not yet\"");
    }

    @Test
    void linksLeadSomewhere() {
        assertThat(docs.pages().stream().flatMap(page -> docs.deadLinks(page).stream()))
                .isEmpty();
    }

    @Test
    void blockWithoutIncludeIsFound(@TempDir Path root) throws IOException {
        Path page = write(root, "page.md", "text", "```java", "int x;", "```");

        assertThat(new Docs(root).blocksThatAreNotIncluded(page))
                .containsExactly("page.md:2: a Java block needs <!-- include: path#region --> in the line before it");
    }

    @Test
    void blockMustBeTheTextOfItsRegion(@TempDir Path root) throws IOException {
        write(
                root,
                "A.java",
                "class A {",
                "    // region r",
                "    int x() {",
                "        return 1;",
                "    }",
                "    // endregion r",
                "}");
        Path same = write(
                root, "same.md", "<!-- include: A.java#r -->", "```java", "int x() {", "    return 1;", "}", "```");
        Path other = write(root, "other.md", "<!-- include: A.java#r -->", "```java", "int x() {}", "```");
        Path noRegion = write(root, "region.md", "<!-- include: A.java#s -->", "```java", "int x() {}", "```");
        Path noFile = write(root, "file.md", "<!-- include: B.java -->", "```java", "int x() {}", "```");
        Docs docs = new Docs(root);

        assertThat(docs.blocksThatAreNotIncluded(same)).isEmpty();
        assertThat(docs.blocksThatAreNotIncluded(other))
                .containsExactly(
                        "other.md:2: the block is not what A.java says; it should be\nint x() {\n    return 1;\n}");
        assertThat(docs.blocksThatAreNotIncluded(noRegion))
                .containsExactly("region.md:2: A.java has no // region s with an // endregion s");
        assertThat(docs.blocksThatAreNotIncluded(noFile)).containsExactly("file.md:2: there is no B.java");
    }

    @Test
    void promiseWithoutTestIsFound(@TempDir Path root) throws IOException {
        write(root, "QueueTest.java", "class QueueTest {", "    void nothingIsLost() {}", "}");
        Path page = write(
                root,
                "guarantees.md",
                "| P-Q1 | nothing is lost | `QueueTest.nothingIsLost` |",
                "| P-Q2 | first in, first out | `QueueTest.keepsOrder` |",
                "| P-Q3 | delayed | |",
                "| P-Q4 | backoff | not yet |");

        assertThat(new Docs(root).promisesWithoutProof(page))
                .containsExactly(
                        "guarantees.md:2: there is no test QueueTest.keepsOrder",
                        "guarantees.md:3: P-Q3 names no test and does not say \"not yet\"");
    }

    @Test
    void deadLinkIsFound(@TempDir Path root) throws IOException {
        Path page = write(root, "page.md", "[a](page.md) [b](https://example.com) [c](gone.md#x)");

        assertThat(new Docs(root).deadLinks(page)).isEqualTo(List.of("page.md:1: there is no gone.md"));
    }

    private static Path write(Path root, String name, String... lines) throws IOException {
        return Files.writeString(root.resolve(name), String.join("\n", lines) + "\n");
    }
}
