package io.homeostat.integrationtests;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Checks pages of documentation against the sources; each check gives the mistakes it found, as sentences.
 *
 * <p>A Java block in a page is text of a compiled source, and says so in the line before it:
 *
 * <pre>
 * &lt;!-- include: examples/memcached/src/main/java/.../MemcachedReconciler.java#reconcile --&gt;
 * </pre>
 *
 * <p>where the source holds {@code // region reconcile} and {@code // endregion reconcile}; without {@code #region} it is the whole
 * file. Indentation that all lines share does not count.
 */
final class Docs {
    private static final Pattern INCLUDE = Pattern.compile("<!-- include: ([^#\\s]+)(?:#(\\S+))? -->");
    private static final Pattern TEST = Pattern.compile("`([A-Z]\\w*(?:Test|Tests|Suite))\\.([a-z]\\w*)`");
    private static final Pattern ROW = Pattern.compile("\\|\\s*(P-[A-Z]+\\d+)\\s*\\|.*");
    private static final Pattern LINK = Pattern.compile("\\]\\(([^)#\\s]+)(#[^)]*)?\\)");
    private static final Pattern CASE = Pattern.compile("\\|\\s*((?:RF|FQ|CT|SI|ST)\\d\\d)\\b[^|]*\\|.*");
    private static final Pattern FAULT = Pattern.compile("\\|\\s*(L?\\d+)\\s*\\|.*");
    private static final Pattern LINE = Pattern.compile("`((?:row \\d+|P-C\\d+|X\\d+)[^`:]*: [^`]+)`");
    /** The tables of faults whose lines pages may name. */
    private static final List<String> TABLES = List.of("CacheUnderFireTest.java", "CacheUnderServerFaultsTest.java");

    private static final String NOT_YET = "not yet";

    private final Path root;
    /** Java sources by file name; filled when first asked for. */
    private final Map<String, List<Path>> sources = new HashMap<>();

    /** Checks pages of the repository at {@code root}. */
    Docs(Path root) {
        this.root = root;
    }

    /** The repository this test was built in. */
    static Path repository() {
        Path here = Path.of("").toAbsolutePath();
        while (!Files.exists(here.resolve("mvnw"))) {
            here = here.getParent();
            if (here == null) {
                throw new IllegalStateException("No folder above " + Path.of("").toAbsolutePath() + " holds mvnw");
            }
        }
        return here;
    }

    /** README, CONTRIBUTING and so on, the pages under docs, and the READMEs of rooms. */
    List<Path> pages() {
        try (Stream<Path> files = Files.walk(root, 4)) {
            return files.filter(file -> file.toString().endsWith(".md"))
                    .filter(file -> {
                        String path = root.relativize(file).toString();
                        return !path.contains("target/") && !path.startsWith(".");
                    })
                    .sorted()
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException("Cannot list the pages under " + root, e);
        }
    }

    /** Java blocks that are not, or no longer, the text of a compiled source. */
    List<String> blocksThatAreNotIncluded(Path page) {
        List<String> mistakes = new ArrayList<>();
        List<String> lines = lines(page);
        for (int i = 0; i < lines.size(); i++) {
            if (!lines.get(i).strip().equals("```java")) {
                continue;
            }
            int end = i + 1;
            while (end < lines.size() && !lines.get(end).strip().equals("```")) {
                end++;
            }
            String where = root.relativize(page) + ":" + (i + 1);
            Matcher include = INCLUDE.matcher(i == 0 ? "" : lines.get(i - 1).strip());
            if (!include.matches()) {
                mistakes.add(where + ": a Java block needs <!-- include: path#region --> in the line before it");
            } else {
                checkInclude(where, include, lines.subList(i + 1, end)).ifPresent(mistakes::add);
            }
            i = end;
        }
        return mistakes;
    }

    private Optional<String> checkInclude(String where, Matcher include, List<String> block) {
        Path source = root.resolve(include.group(1));
        if (!Files.exists(source)) {
            return Optional.of(where + ": there is no " + include.group(1));
        }
        List<String> text = lines(source);
        String region = include.group(2);
        if (region != null) {
            int begin = indexOf(text, "// region " + region);
            int end = indexOf(text, "// endregion " + region);
            if (begin < 0 || end < begin) {
                return Optional.of(where + ": " + include.group(1) + " has no // region " + region
                        + " with an // endregion " + region);
            }
            text = text.subList(begin + 1, end);
        }
        String expected = normal(text);
        return normal(block).equals(expected)
                ? Optional.empty()
                : Optional.of(
                        where + ": the block is not what " + include.group(1) + " says; it should be\n" + expected);
    }

    private static int indexOf(List<String> lines, String marker) {
        for (int i = 0; i < lines.size(); i++) {
            if (lines.get(i).strip().equals(marker)) {
                return i;
            }
        }
        return -1;
    }

    /** Without the indentation all lines share, trailing spaces, and empty lines at both ends. */
    private static String normal(List<String> lines) {
        return String.join("\n", lines)
                .stripIndent()
                .replaceAll("[ \t]+(?=\n|$)", "")
                .strip();
    }

    /** Promises whose row names neither a test nor {@value #NOT_YET}, and tests that no source has. */
    List<String> promisesWithoutProof(Path page) {
        List<String> mistakes = new ArrayList<>();
        List<String> lines = lines(page);
        for (int i = 0; i < lines.size(); i++) {
            String where = root.relativize(page) + ":" + (i + 1);
            Matcher test = TEST.matcher(lines.get(i));
            boolean named = false;
            while (test.find()) {
                named = true;
                if (!exists(test.group(1), test.group(2))) {
                    mistakes.add(where + ": there is no test " + test.group(1) + "." + test.group(2));
                }
            }
            Matcher row = ROW.matcher(lines.get(i));
            if (row.matches()
                    && !named
                    && !lines.get(i).toLowerCase(java.util.Locale.ROOT).contains(NOT_YET)) {
                mistakes.add(where + ": " + row.group(1) + " names no test and does not say \"" + NOT_YET + "\"");
            }
        }
        return mistakes;
    }

    /** Cases of client-go whose row names no test, no reason and not even {@value #NOT_YET}. */
    List<String> casesWithoutAnswer(Path page) {
        List<String> mistakes = new ArrayList<>();
        List<String> lines = lines(page);
        for (int i = 0; i < lines.size(); i++) {
            Matcher row = CASE.matcher(lines.get(i));
            if (row.matches()
                    && !TEST.matcher(lines.get(i)).find()
                    && !lines.get(i).contains("does not apply: ")
                    && !lines.get(i).contains(NOT_YET)) {
                mistakes.add(root.relativize(page) + ":" + (i + 1) + ": " + row.group(1)
                        + " names no test and does not say why it does not apply");
            }
        }
        return mistakes;
    }

    /** Faults whose row names neither a test nor a line of a table of faults nor {@value #NOT_YET}, and lines that no table has. */
    List<String> faultsWithoutProof(Path page) {
        List<String> tables = TABLES.stream()
                .flatMap(name -> sources(name).stream())
                .map(Docs::text)
                .toList();
        List<String> mistakes = new ArrayList<>();
        List<String> lines = lines(page);
        for (int i = 0; i < lines.size(); i++) {
            String where = root.relativize(page) + ":" + (i + 1);
            boolean named = TEST.matcher(lines.get(i)).find();
            Matcher line = LINE.matcher(lines.get(i));
            while (line.find()) {
                named = true;
                String name = line.group(1);
                if (tables.stream().noneMatch(table -> table.contains('"' + name + '"'))) {
                    mistakes.add(where + ": no table of faults has the line \"" + name + "\"");
                }
            }
            Matcher row = FAULT.matcher(lines.get(i));
            if (row.matches() && !named && !lines.get(i).contains(NOT_YET)) {
                mistakes.add(where + ": row " + row.group(1) + " names no test and does not say \"" + NOT_YET + "\"");
            }
        }
        return mistakes;
    }

    private boolean exists(String type, String method) {
        Pattern declared = Pattern.compile("\\s" + method + "\\(");
        return sources(type + ".java").stream()
                .anyMatch(file -> declared.matcher(text(file)).find());
    }

    private List<Path> sources(String name) {
        if (sources.isEmpty()) {
            sources.putAll(allSources());
        }
        return sources.getOrDefault(name, List.of());
    }

    private Map<String, List<Path>> allSources() {
        Map<String, List<Path>> all = new HashMap<>();
        try {
            Files.walkFileTree(root, new SimpleFileVisitor<>() {
                @Override
                public FileVisitResult preVisitDirectory(Path folder, BasicFileAttributes attributes) {
                    String name = String.valueOf(folder.getFileName());
                    boolean built = name.equals("target") || name.startsWith(".");
                    return built && !folder.equals(root) ? FileVisitResult.SKIP_SUBTREE : FileVisitResult.CONTINUE;
                }

                @Override
                public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
                    String name = String.valueOf(file.getFileName());
                    if (name.endsWith(".java")) {
                        all.computeIfAbsent(name, any -> new ArrayList<>()).add(file);
                    }
                    return FileVisitResult.CONTINUE;
                }
            });
        } catch (IOException e) {
            throw new UncheckedIOException("Cannot look for sources under " + root, e);
        }
        return all;
    }

    /** Links to files that are not there. */
    List<String> deadLinks(Path page) {
        List<String> mistakes = new ArrayList<>();
        List<String> lines = lines(page);
        for (int i = 0; i < lines.size(); i++) {
            Matcher link = LINK.matcher(lines.get(i));
            while (link.find()) {
                String target = link.group(1);
                Path folder = page.toAbsolutePath().getParent();
                if (!target.contains(":") && folder != null && !Files.exists(folder.resolve(target))) {
                    mistakes.add(root.relativize(page) + ":" + (i + 1) + ": there is no " + target);
                }
            }
        }
        return mistakes;
    }

    private static List<String> lines(Path file) {
        return text(file).lines().toList();
    }

    private static String text(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw new UncheckedIOException("Cannot read " + file, e);
        }
    }
}
