import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import javax.xml.parsers.DocumentBuilderFactory;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;

/**
 * Counts test reports: {@code java .ci/Summary.java [--need-real-server] FOLDER...} prints one line a folder and exits 1 when one
 * holds a failure, holds no test at all, or, with the option, holds no test that met a real kube-apiserver.
 *
 * <p>Tests are counted from Surefire's XML; those on a real server from the lines that testkit writes beside it, one per test, and
 * with the reason for those that were skipped.
 */
final class Summary {
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
        List<String> skipped = new ArrayList<>();
        for (Path report : find(folder, "TEST-.*\\.xml")) {
            NodeList cases = DocumentBuilderFactory.newInstance()
                    .newDocumentBuilder()
                    .parse(report.toFile())
                    .getElementsByTagName("testcase");
            for (int i = 0; i < cases.getLength(); i++) {
                Element test = (Element) cases.item(i);
                tests++;
                if (has(test, "failure") || has(test, "error")) {
                    failed++;
                } else if (has(test, "skipped")) {
                    String reason = ((Element) test.getElementsByTagName("skipped").item(0)).getAttribute("message");
                    skipped.add(test.getAttribute("classname") + "." + test.getAttribute("name") + ": " + reason);
                }
            }
        }
        int real = 0;
        for (Path report : find(folder, "real-server-tests\\.txt")) {
            real += (int) Files.readAllLines(report).stream()
                    .filter(line -> line.startsWith("ran "))
                    .count();
        }
        System.out.printf(
                "%s: %d tests, %d failed, %d skipped, %d on a real kube-apiserver%n",
                folder.getFileName(), tests, failed, skipped.size(), real);
        skipped.forEach(line -> System.out.println("  skipped " + line));
        if (tests == 0) {
            System.out.println("  no test ran: that is a failure");
        }
        if (needRealServer && real == 0) {
            System.out.println("  no test ran on a real kube-apiserver: that is a failure");
        }
        return failed > 0 || tests == 0 || needRealServer && real == 0;
    }

    private static boolean has(Element test, String child) {
        return test.getElementsByTagName(child).getLength() > 0;
    }

    private static List<Path> find(Path folder, String name) {
        if (!Files.isDirectory(folder)) {
            return List.of();
        }
        try (Stream<Path> files = Files.walk(folder)) {
            return files.filter(file -> file.getFileName().toString().matches(name)).sorted().toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
