package io.homeostat.client;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.Pod;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.UUID;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class CompactorTest {
    private static final ResourceType<Pod> PODS = ResourceType.of(Pod.class);

    private final WireFormat format = WireFormat.json();
    private final Compactor compactor = new Compactor();

    @AfterEach
    void end() {
        compactor.close();
    }

    private List<RawObject> samples() {
        List<RawObject> objects = new ArrayList<>();
        for (ListItem item : format.list(PODS).read(Samples.read("pods-list.json"))) {
            objects.add(((ListItem.Scanned) item).object());
        }
        return objects;
    }

    /** As a cluster has them: alike but for names, UIDs, versions, times and addresses. */
    private List<RawObject> pods(int count) {
        List<RawObject> samples = samples();
        SplittableRandom random = new SplittableRandom(1);
        List<RawObject> pods = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            RawObject sample = samples.get(i % samples.size());
            String json = new String(sample.bytes(), StandardCharsets.UTF_8)
                    .replace(sample.uid(), new UUID(random.nextLong(), random.nextLong()).toString())
                    .replace(sample.resourceVersion(), Integer.toString(1_000_000 + i))
                    .replace(sample.key().name(), "pod-" + Integer.toString(random.nextInt(Integer.MAX_VALUE), 36));
            pods.add(format.object(PODS, json.getBytes(StandardCharsets.UTF_8)));
        }
        return pods;
    }

    private static void same(RawObject compact, RawObject object) {
        assertThat(compact.bytes()).isEqualTo(object.bytes());
        assertThat(compact.key()).isEqualTo(object.key());
        assertThat(compact.uid()).isEqualTo(object.uid());
        assertThat(compact.resourceVersion()).isEqualTo(object.resourceVersion());
        assertThat(compact.generation()).isEqualTo(object.generation());
        assertThat(compact.labels()).isEqualTo(object.labels());
        assertThat(compact.owners()).isEqualTo(object.owners());
        assertThat(compact.finalizers()).isEqualTo(object.finalizers());
        assertThat(compact.creationTimestamp()).isEqualTo(object.creationTimestamp());
        assertThat(compact.deletionTimestamp()).isEqualTo(object.deletionTimestamp());
        assertThat(compact.fingerprint()).isEqualTo(object.fingerprint());
        assertThat(compact).hasToString(object.toString());
    }

    @Test
    void whatIsCompressedIsTheSameObject() {
        List<RawObject> pods = pods(200);
        List<RawObject> compact = pods.stream().map(compactor::compact).toList();
        for (int i = 0; i < pods.size(); i++) {
            same(compact.get(i), pods.get(i));
        }
        assertThat(compact.get(7).decode(PODS)).isEqualTo(pods.get(7).decode(PODS));
    }

    @Test
    void objectsThatAreAlikeTakeATenthOfTheirBytes() {
        long bytes = 0;
        long taken = 0;
        for (RawObject pod : pods(500)) {
            bytes += pod.bytes().length;
            taken += ((Compactor.Compacted) compactor.compact(pod)).taken();
        }
        assertThat(taken).isLessThan(bytes / 10);
    }

    @Test
    void whatDoesNotBecomeSmallerStaysAsItIs() {
        SplittableRandom random = new SplittableRandom(3);
        StringBuilder noise = new StringBuilder(); // of two bytes each, and too short for a code of its own
        for (int i = 0; i < 70; i++) {
            noise.append((char) (0xa0 + random.nextInt(0x700 - 0xa0)));
        }
        RawObject dense = format.object(
                ResourceType.dynamic("", "v1", "qs", "Q", ResourceType.Scope.CLUSTER),
                ("{\"kind\":\"Q\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"1\"},\"x\":\""
                                + noise + "\"}")
                        .getBytes(StandardCharsets.UTF_8));
        assertThat(compactor.compact(dense)).isSameAs(dense);
        RawObject compact = compactor.compact(samples().get(0));
        assertThat(compactor.compact(compact)).as("compressed already").isSameAs(compact);
    }

    @Test
    void objectsStayReadableByManyAfterTheCompactorIsClosed() {
        List<RawObject> pods = pods(100);
        List<RawObject> compact = pods.stream().map(compactor::compact).toList();
        compactor.close();
        Stream.iterate(0, i -> i + 1).limit(400).parallel().forEach(i -> same(compact.get(i % 100), pods.get(i % 100)));
        assertThat(compactor.compact(pods.get(0))).isSameAs(pods.get(0));
    }
}
