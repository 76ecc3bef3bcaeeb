package io.homeostat.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import com.sun.management.HotSpotDiagnosticMXBean;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Pod;
import io.homeostat.client.ResourceType;
import java.io.IOException;
import java.io.InputStream;
import java.lang.management.ManagementFactory;
import java.util.Map;
import java.util.Objects;
import java.util.Properties;
import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * What an object and an event of ours cost in bytes may not change unseen: neither up, nor down without the committed figure following.
 * Bytes repeat from run to run where times do not. A change that is meant also changes {@code gates.properties}.
 */
@Tag("jdk-independent") // the figures are those of one JDK: another lays objects out otherwise
class GatesTest {
    private static final int JDK = 17;
    // Many, since buffers and the like that come and go are a few hundred KB.
    private static final int OBJECTS = 6_000;
    private static final int EVENTS = 2_000;
    private static final int WARM = 200;
    private static final int DELAYED = 100_000;
    private static final Percentage TOLERANCE = Percentage.withPercentage(5);
    private static final Map<String, String> FLAGS =
            Map.of("UseSerialGC", "true", "TieredCompilation", "true", "TieredStopAtLevel", "1");
    private static final Properties COMMITTED = new Properties();

    @BeforeAll
    static void requireWhatTheFiguresWereTakenWith() {
        // Another collector lays out and counts otherwise, and the second compiler takes allocations away: other
        // figures, no other code.
        HotSpotDiagnosticMXBean vm = ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class);
        assertThat(FLAGS.keySet())
                .as("the committed figures hold for a JVM with -XX:+UseSerialGC -XX:TieredStopAtLevel=1")
                .allSatisfy(flag ->
                        assertThat(vm.getVMOption(flag).getValue()).as(flag).isEqualTo(FLAGS.get(flag)));
    }

    @BeforeAll
    static void read() throws IOException {
        try (InputStream in = GatesTest.class.getResourceAsStream("gates.properties")) {
            COMMITTED.load(in);
        }
    }

    /** Bytes an object or event. */
    private record Bytes(double allocatedPerObject, double heapPerObject, double allocatedPerEvent) {}

    @ParameterizedTest
    @CsvSource({"pods", "widgets"})
    void bytesOfObjectsAndEventsAreAsCommitted(String resource) {
        assumeThat(Runtime.version().feature())
                .as("the committed figures are those of JDK %d", JDK)
                .isEqualTo(JDK);
        Bytes bytes = resource.equals("pods")
                ? measured(Template.pods(), ResourceType.of(Pod.class))
                : measured(Template.widgets(), ResourceType.of(Widget.class));
        System.out.println(resource + ": " + bytes);
        assertThat(bytes.heapPerObject()).satisfies(gate(resource, "heap per object"));
        assertThat(bytes.allocatedPerObject()).satisfies(gate(resource, "allocated per object"));
        assertThat(bytes.allocatedPerEvent()).satisfies(gate(resource, "allocated per event"));
    }

    @Test
    void bytesOfADelayedKeyAreAsCommitted() {
        assumeThat(Runtime.version().feature())
                .as("the committed figures are those of JDK %d", JDK)
                .isEqualTo(JDK);
        double bytes = Objects.requireNonNull(Growth.delayed(DELAYED).get("heap_bytes"))
                .doubleValue();
        System.out.println("delayed key: " + bytes);
        assertThat(bytes).satisfies(gate("delayed-key", "heap"));
    }

    private static java.util.function.Consumer<Double> gate(String resource, String what) {
        String name = resource + '.' + what.replace(' ', '-');
        double committed = Double.parseDouble(COMMITTED.getProperty(name));
        return measured -> assertThat(measured)
                .as(
                        "bytes %s of %s; when that is meant, set %s=%s in gates.properties and say why",
                        what, resource, name, Math.round(measured))
                .isCloseTo(committed, TOLERANCE);
    }

    private static <T extends HasMetadata> Bytes measured(Template template, ResourceType<T> type) {
        try (InProcess<T> warm = InProcess.synced(template, type, WARM)) {
            warm.change(WARM); // classes are loaded and first strings made
        }
        long empty = InProcess.heap();
        try (InProcess<T> cache = InProcess.synced(template, type, OBJECTS)) {
            long full = InProcess.heap();
            InProcess.Use events = cache.of(() -> cache.change(EVENTS));
            return new Bytes(
                    (double) cache.synced().allocated() / OBJECTS,
                    (double) (full - empty) / OBJECTS,
                    (double) events.allocated() / EVENTS);
        }
    }
}
