package io.homeostat.integrationtests;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import javax.xml.parsers.DocumentBuilderFactory;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;

/**
 * Counts the tests in the XML reports that Surefire wrote, and says why some were skipped. It uses the JDK alone, so that a shell
 * can run its source: {@code java TestSummary.java [--need-real-server] FOLDER...} prints a few lines a folder and exits 1 when one
 * holds a failure, no test at all, or, with the option, no test that met a real kube-apiserver or one that was skipped for want of it.
 *
 * <p>Within Maven, {@code --at-exit} counts the reports of this build and prints the lines when Maven's own last line is out.
 *
 * <p>Tests on a real server are known by their names, which testkit ends in {@value #ON_REAL_SERVER}, or by their class, in rooms that
 * must not use testkit.
 */
public final class TestSummary {
    private static final String ON_REAL_SERVER = "on real kube-apiserver";

    private static final String OF_REAL_SERVER = "RealServer";

    private final String name;
    private final Map<String, Integer> skipped = new TreeMap<>();
    private int tests;
    private int failed;
    private int real;
    private int realSkipped;

    private TestSummary(String name) {
        this.name = name;
    }

    /** See above. */
    public static void main(String[] arguments) throws Exception {
        boolean needRealServer = false;
        boolean atExit = false;
        boolean bad = false;
        for (String argument : arguments) {
            if (argument.equals("--need-real-server")) {
                needRealServer = true;
            } else if (argument.equals("--at-exit")) {
                atExit = true;
            } else if (atExit) {
                long since = ManagementFactory.getRuntimeMXBean().getStartTime();
                String text = count(Path.of(argument), "Tests", since).text();
                Runtime.getRuntime().addShutdownHook(new Printer(text));
            } else {
                Path folder = Path.of(argument).toAbsolutePath().normalize();
                TestSummary summary = count(folder, String.valueOf(folder.getFileName()), 0);
                System.out.print(summary.text());
                if (needRealServer && summary.real == 0) {
                    System.out.println("  No test met a real kube-apiserver: that is a failure.");
                }
                bad |= summary.failed > 0
                        || summary.tests == 0
                        || (needRealServer && (summary.real == 0 || summary.realSkipped > 0));
            }
        }
        if (!atExit) {
            System.exit(bad ? 1 : 0);
        }
    }

    /** Prints to the real standard output: Maven has closed its own by then. */
    private static final class Printer extends Thread {
        private final String text;
        private final PrintStream out =
                new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8);

        Printer(String text) {
            super("test-summary");
            this.text = text;
        }

        @Override
        public void run() {
            out.print(text);
            out.flush();
        }
    }

    private String text() {
        StringBuilder text =
                new StringBuilder("%s: %d run, %d failed, %d skipped; %d of them on a real kube-apiserver%n"
                        .formatted(name, tests, failed, sum(skipped), real));
        skipped.forEach((reason, n) -> text.append("  %d skipped: %s%n".formatted(n, reason)));
        if (realSkipped > 0) {
            text.append("  %d tests that need a real kube-apiserver were SKIPPED.%n".formatted(realSkipped));
        }
        return text.toString();
    }

    private static int sum(Map<String, Integer> counts) {
        return counts.values().stream().mapToInt(Integer::intValue).sum();
    }

    private static TestSummary count(Path folder, String name, long since) throws Exception {
        TestSummary summary = new TestSummary(name);
        for (Path report : reports(folder)) {
            if (Files.getLastModifiedTime(report).toMillis() < since) {
                continue; // of an earlier build
            }
            NodeList cases = DocumentBuilderFactory.newInstance()
                    .newDocumentBuilder()
                    .parse(report.toFile())
                    .getElementsByTagName("testcase");
            for (int i = 0; i < cases.getLength(); i++) {
                summary.add((Element) cases.item(i));
            }
        }
        return summary;
    }

    private void add(Element test) {
        boolean onRealServer = test.getAttribute("name").endsWith(ON_REAL_SERVER)
                || test.getAttribute("classname").contains(OF_REAL_SERVER);
        tests++;
        if (has(test, "skipped")) {
            Element skip = (Element) test.getElementsByTagName("skipped").item(0);
            skipped.merge(skip.getAttribute("message"), 1, Integer::sum);
            realSkipped += onRealServer ? 1 : 0;
            return;
        }
        failed += has(test, "failure") || has(test, "error") ? 1 : 0;
        real += onRealServer ? 1 : 0;
    }

    private static boolean has(Element test, String child) {
        return test.getElementsByTagName(child).getLength() > 0;
    }

    /** Surefire's reports: in {@code surefire-reports}, wherever that is below {@code folder}, but in copies that CI kept. */
    private static List<Path> reports(Path folder) {
        if (!Files.isDirectory(folder)) {
            return List.of();
        }
        try (Stream<Path> files = Files.walk(folder)) {
            return files.filter(file -> file.getFileName().toString().matches("TEST-.*\\.xml"))
                    .filter(file -> file.toString().contains("surefire-reports"))
                    .filter(file -> !folder.relativize(file).startsWith("target"))
                    .sorted()
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException("Cannot list the reports under " + folder, e);
        }
    }
}
