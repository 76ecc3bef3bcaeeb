package io.homeostat.integrationtests;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** Rules that cannot be seen in class files, checked on the text of the sources without comments and literals. */
final class SourceRules {
    private static final Pattern NO_CODE = Pattern.compile(
            "/\\*.*?\\*/|//[^\\n]*|\"\"\".*?\"\"\"|\"(?:\\\\.|[^\"\\\\\\n])*\"|'(?:\\\\.|[^'\\\\\\n])+'",
            Pattern.DOTALL);

    /** What must not be in a source, and why. */
    record Ban(String pattern, String reason) {}

    /** For the engine rooms. */
    static final List<Ban> IN_ENGINE_ROOMS = List.of(new Ban(
            "\\bsynchronized\\b",
            "a monitor pins virtual threads before JDK 24, and GuardedBy cannot check it: use a ReentrantLock"));

    /** For what listens and says where. */
    static final List<Ban> WHERE_SERVERS_ARE = List.of(new Ban(
            "\\bgetLoopbackAddress\\b",
            "it may be ::1 (java.net.preferIPv6Addresses), while URLs and kubeconfigs say 127.0.0.1: listen there"));

    /** For tests. */
    static final List<Ban> IN_TESTS = List.of(
            new Ban(
                    "\\bThread\\.sleep\\(|\\bTimeUnit\\.\\w+\\.sleep\\(",
                    "a test that sleeps is slow or flaky: wait for the event, or use the virtual world"),
            new Ban(
                    "@Disabled\\b",
                    "a test that never runs proves nothing: delete it, or skip it with a reason that CI prints"),
            new Ban("\\bimport lombok\\b|\\bPowerMock\\b", "tests use fakes and the virtual world, not magic"));

    private SourceRules() {}

    /** Every line of a Java source under {@code folder} that breaks a ban, as a sentence. */
    static List<String> check(Path folder, List<Ban> bans) {
        List<String> mistakes = new ArrayList<>();
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file : files.filter(path -> path.toString().endsWith(".java"))
                    .sorted()
                    .toList()) {
                List<String> lines = code(Files.readString(file)).lines().toList();
                for (int i = 0; i < lines.size(); i++) {
                    for (Ban ban : bans) {
                        if (Pattern.compile(ban.pattern()).matcher(lines.get(i)).find()) {
                            mistakes.add(file + ":" + (i + 1) + ": " + ban.reason());
                        }
                    }
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException("Cannot read the sources under " + folder, e);
        }
        return mistakes;
    }

    /** Comments and literals become as many empty lines as they had. */
    private static String code(String source) {
        return NO_CODE.matcher(source).replaceAll(match -> "\n"
                .repeat((int) match.group().chars().filter(c -> c == '\n').count()));
    }
}
