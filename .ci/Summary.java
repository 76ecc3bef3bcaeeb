import java.io.IOException;
import java.io.UncheckedIOException;
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
 * Counts test reports: {@code java .ci/Summary.java [--need-real-server] FOLDER...} prints a line a folder, says why tests were
 * skipped, and exits 1 when a folder holds a failure, holds no test at all, or, with the option, holds no test that met a real
 * kube-apiserver.
 *
 * <p>It reads the XML that Surefire writes. Tests on a real server are known by their names, which testkit ends in
 * {@value #ON_REAL_SERVER}.
 */
final class Summary {
    private static final String ON_REAL_SERVER = "on real kube-apiserver";

    public static void main(String[] arguments) throws Exception {
        boolean needRealServer = false;
        boolean bad = false;
        for (String argument : arguments) {
            if (argument.equals("--need-real-server")) {
                needRealServer = true;
                continue;
            }
            bad |= count(Path.of(argument), needRealServer);
        }
        System.exit(bad ? 1 : 0);
    }

    private static boolean count(Path folder, boolean needRealServer) throws Exception {
        int tests = 0;
        int failed = 0;
        int real = 0;
        Map<String, Integer> skipped = new TreeMap<>();
        for (Path report : find(folder, "TEST-.*\\.xml")) {
            NodeList cases = DocumentBuilderFactory.newInstance()
                    .newDocumentBuilder()
                    .parse(report.toFile())
                    .getElementsByTagName("testcase");
            for (int i = 0; i < cases.getLength(); i++) {
                Element test = (Element) cases.item(i);
                tests++;
                boolean onRealServer = test.getAttribute("name").endsWith(ON_REAL_SERVER);
                if (has(test, "failure") || has(test, "error")) {
                    failed++;
                } else if (has(test, "skipped")) {
                    String reason = ((Element) test.getElementsByTagName("skipped").item(0)).getAttribute("message");
                    skipped.merge(reason, 1, Integer::sum);
                } else if (onRealServer) {
                    real++;
                }
            }
        }
        System.out.printf(
                "%s: %d tests, %d failed, %d skipped, %d on a real kube-apiserver%n",
                name(folder), tests, failed, skipped.values().stream().mapToInt(n -> n).sum(), real);
        skipped.forEach((reason, n) -> System.out.printf("  %d skipped: %s%n", n, reason));
        if (tests == 0) {
            System.out.println("  no test ran: that is a failure");
        }
        if (needRealServer && real == 0) {
            System.out.println("  no test ran on a real kube-apiserver: that is a failure");
        }
        return failed > 0 || tests == 0 || needRealServer && real == 0;
    }

    private static Path name(Path folder) {
        return folder.toAbsolutePath().normalize().getFileName();
    }

    private static boolean has(Element test, String child) {
        return test.getElementsByTagName(child).getLength() > 0;
    }

    private static List<Path> find(Path folder, String name) {
        if (!Files.isDirectory(folder)) {
            return List.of();
        }
        try (Stream<Path> files = Files.walk(folder)) {
            return files.filter(file -> file.toString().contains("surefire-reports"))
                    .filter(file -> file.getFileName().toString().matches(name))
                    .sorted().toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
