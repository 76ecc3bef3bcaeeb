package io.homeostat.integrationtests;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("jdk-independent") // about our sources
final class JavadocTest {
    private static final List<String> PUBLISHED =
            List.of("core", "virtual-runtime", "workqueue", "simulator", "client", "informer", "reconciler", "testkit");

    @Test
    void everythingPublicIsExplained() {
        assertThat(PUBLISHED.stream()
                        .map(room -> Docs.repository().resolve(room).resolve("src/main/java"))
                        .flatMap(folder -> Javadoc.missing(folder).stream()))
                .isEmpty();
    }

    @Test
    void publicWithoutJavadocIsFound(@TempDir Path folder) throws IOException {
        Files.writeString(
                folder.resolve("A.java"),
                """
                public class A {
                    /** Said. */
                    public void said() {}
                    public void unsaid() {}
                    @Override
                    public String toString() { return ""; }
                    void mine() {}
                    private int x;
                    public static final int UNSAID = 1;
                    /** Said. */
                    public interface B {
                        int unsaid();
                    }
                    static class C {
                        public void hidden() {}
                    }
                    /** Said. */
                    public record D(int x) {}
                }
                """);

        assertThat(Javadoc.missing(folder))
                .containsExactly("A.java:1 A", "A.java:4 A.unsaid", "A.java:9 A.UNSAID", "A.java:12 B.unsaid");
    }
}
