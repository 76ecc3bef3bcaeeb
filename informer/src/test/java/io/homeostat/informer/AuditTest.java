package io.homeostat.informer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.homeostat.client.ApiException;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.TestErrors;
import io.homeostat.client.WatchFrame;
import io.homeostat.informer.InformerState.Phase;
import io.homeostat.virtualruntime.VirtualProcess;
import io.homeostat.virtualruntime.VirtualWorld;
import java.time.Duration;
import java.util.List;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Row 14 of docs/faults.md: a cache that differs from its server, nobody knows why. */
class AuditTest {
    private static final Duration EVERY = Duration.ofMinutes(10);
    /** The longest wait for a look, and the one after it. */
    private static final Duration FOUND = Duration.ofMinutes(16);

    private static final String LABELS = "{name=configmaps/v1,group=,version=v1,resource=configmaps}";

    private final VirtualWorld world = VirtualWorld.seeded(29);
    private final VirtualProcess process = world.process("operator");
    private final FakeServer server = new FakeServer(world);
    private final RecordingMetrics metrics = new RecordingMetrics();
    private final SharedInformers informers = SharedInformers.over(process, server.client(), metrics);
    private final SharedInformer<ConfigMap> informer = informers.informer(TestObject.TYPE, "");
    private final Recording recording = new Recording();

    @BeforeEach
    void synced() {
        for (int i = 0; i < 10; i++) {
            server.put("x" + i);
        }
        informers.auditEvery(EVERY);
        informer.addHandler("recording", recording);
        within(Duration.ofSeconds(10), () -> informer.state().phase() == Phase.WATCHING);
        later(Duration.ofSeconds(1));
        recording.steps.clear();
    }

    @AfterEach
    void end() {
        world.close();
    }

    private void within(Duration limit, BooleanSupplier condition) {
        world.runUntil(condition, limit);
    }

    private void later(Duration duration) {
        world.runFor(duration);
    }

    private long audits() {
        return metrics.value("homeostat_informer_audits_total" + LABELS);
    }

    private long differences() {
        return metrics.value("homeostat_informer_audit_differences_total" + LABELS);
    }

    private boolean same() {
        return informer.snapshot().list().stream()
                .map(object -> object.raw().toString())
                .toList()
                .equals(server.objects.values().stream().map(Object::toString).toList());
    }

    /** What happens in {@code meanwhile} never reaches the watch, and what comes after it does: the version goes on. */
    private void lost(Runnable meanwhile) {
        server.mangle = frames -> frames.stream()
                .filter(frame -> !(frame instanceof WatchFrame.Event))
                .toList();
        meanwhile.run();
        later(Duration.ofSeconds(1));
        server.mangle = frames -> frames;
        server.put("x9");
        later(Duration.ofSeconds(1));
        assertThat(same()).as("the cache has what was lost").isFalse();
        recording.steps.clear();
    }

    @Test
    void anAddAChangeAndADeleteThatWereLostAreFoundCountedAndMadeGood() {
        lost(() -> {
            server.put("new");
            server.put("x1");
            server.remove("x2");
        });
        within(FOUND, this::same);
        later(Duration.ofSeconds(1));
        assertThat(recording.steps)
                .containsExactlyInAnyOrder(
                        "add new:uid-11@111", "update x1:uid-2@102 to x1:uid-2@112", "delete x2:uid-3@103");
        assertThat(differences()).isEqualTo(3);
        assertThat(informer.state().relists()).isEqualTo(2);
        later(Duration.ofHours(3));
        assertThat(informer.state().relists()).as("found once").isEqualTo(2);
        assertThat(differences()).isEqualTo(3);
    }

    @Test
    void anObjectUnderAnotherUidIsADifference() {
        lost(() -> {
            server.remove("x4");
            server.put("x4");
        });
        within(FOUND, this::same);
        assertThat(differences()).isEqualTo(1);
    }

    @Test
    void aCacheThatIsWhatTheServerHasIsComparedAndNotListedAnew() {
        server.refusal = (request, number) -> {
            if (request.verb().equals("list")) {
                server.put("x1"); // after the cache's version was looked at, and before the list is made
            }
            return null;
        };
        for (int minute = 0; minute < 24 * 60; minute++) {
            server.put("x" + minute % 10);
            if (minute % 7 == 0) {
                server.remove("x" + minute % 10);
            }
            later(Duration.ofMinutes(1));
        }
        assertThat(audits()).isBetween(120L, 180L);
        assertThat(differences()).isZero();
        assertThat(informer.state().relists()).isEqualTo(1);
        assertThat(recording.told())
                .isEqualTo(server.objects.values().stream()
                        .map(Object::toString)
                        .collect(java.util.stream.Collectors.joining(" ")));
    }

    @Test
    void aListThatCannotBeHadSaysNothingOfTheCache() {
        List<ApiException> answers = List.of(
                TestErrors.of(410, "Expired", null),
                TestErrors.of(400, "BadRequest", null),
                TestErrors.of(403, "Forbidden", null),
                TestErrors.of(404, "NotFound", null),
                TestErrors.unreachable(),
                TestErrors.malformed());
        server.refusal =
                (request, number) -> request.verb().equals("list") ? answers.get(number % answers.size()) : null;
        later(Duration.ofHours(5));
        assertThat(lists()).as("each in its time").isBetween(20L, 60L);
        assertThat(audits()).isZero();
        assertThat(informer.state().relists()).isEqualTo(1);
        assertThat(informer.state().phase()).isEqualTo(Phase.WATCHING);
        server.refusal = (request, number) -> null;
        lost(() -> server.put("x5"));
        within(FOUND, this::same);
    }

    @Test
    void aListThatBreaksOffOrStandsStillSaysNothingOfTheCache() {
        server.breaksOff = true;
        later(Duration.ofHours(1));
        server.breaksOff = false;
        long broken = lists();
        server.listsHang = true;
        later(Duration.ofHours(1));
        assertThat(lists() - broken).as("each is given up").isGreaterThan(3);
        assertThat(audits()).isZero();
        assertThat(informer.state().relists()).isEqualTo(1);
        assertThat(server.streams()).as("the watch, and a list at most").isLessThanOrEqualTo(2);
        within(Duration.ofHours(1), () -> server.streams() == 2);
        informer.close();
        later(Duration.ofSeconds(1));
        assertThat(server.streams()).as("a list does not outlive its cache").isZero();
    }

    @Test
    void whatTheServerSaidOfWhenToAskAgainIsKept() {
        informers.auditEvery(Duration.ofSeconds(10));
        server.refusal = (request, number) ->
                request.verb().equals("list") ? TestErrors.of(429, "TooManyRequests", Duration.ofMinutes(2)) : null;
        later(Duration.ofMinutes(20));
        assertThat(lists()).isBetween(9L, 10L);
    }

    private long lists() {
        return server.verbs().stream().filter("list"::equals).count();
    }

    @Test
    void anItemThatCannotBeReadIsNoDifference() {
        server.unreadable.add(new ObjectKey("ns", "x3")); // spoilt on its way: the cache has it
        later(Duration.ofHours(2));
        assertThat(lists()).isGreaterThan(5);
        assertThat(audits()).isZero();
        assertThat(differences()).isZero();
        assertThat(informer.state().relists()).isEqualTo(1);
    }

    @Test
    void whatIsSeenInOneLookOnlyIsNoDifference() {
        lost(() -> server.put("x5"));
        within(FOUND, () -> server.verbs().contains("list"));
        later(Duration.ofSeconds(1));
        server.put("x5"); // its next version comes by the watch, before the second look
        later(Duration.ofMinutes(1));
        assertThat(same()).isTrue();
        assertThat(audits()).isEqualTo(1);
        assertThat(differences()).isZero();
        assertThat(informer.state().relists()).isEqualTo(1);
    }

    @Test
    void nothingIsComparedWhileSomethingCannotBeRead() {
        server.unreadable.add(new ObjectKey("ns", "x3"));
        server.put("x3");
        within(Duration.ofMinutes(1), () -> !informer.state().quarantine().isEmpty());
        later(Duration.ofHours(2));
        assertThat(lists()).isZero();
        server.unreadable.clear();
        server.put("x3");
        within(FOUND, () -> audits() == 1);
        assertThat(differences()).isZero();
    }

    @Test
    void itIsOffUnlessItIsAskedForAndEndsWhenItIsNotWantedOrNobodyHoldsTheCache() {
        informers.auditEvery(Duration.ZERO);
        later(Duration.ofHours(3));
        assertThat(server.verbs()).doesNotContain("list");
        informers.auditEvery(EVERY);
        SharedInformer<ConfigMap> another = informers.informer(TestObject.TYPE, "", "x=y");
        later(Duration.ofHours(1));
        assertThat(server.requests.stream()
                        .filter(request -> request.verb().equals("list"))
                        .map(request -> request.parameter("labelSelector")))
                .as("caches that come later, too")
                .contains("", "x=y");
        another.close();
        informer.close();
        later(Duration.ofMinutes(1));
        int asked = server.requests.size();
        later(Duration.ofHours(3));
        assertThat(server.requests).hasSize(asked);
        assertThatThrownBy(() -> informers.auditEvery(Duration.ofSeconds(-1)))
                .isInstanceOf(IllegalArgumentException.class);
    }
}
