package io.homeostat.reconciler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import io.fabric8.kubernetes.api.model.events.v1.Event;
import io.homeostat.client.ApiClient;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.WriteGate;
import io.homeostat.core.Registration;
import io.homeostat.simulator.RequestRecord;
import io.homeostat.virtualruntime.VirtualProcess;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class EventRecorderTest {
    private static final EventRecorder.Subject SUBJECT =
            new EventRecorder.Subject("test.example.com/v1", "Widget", new ObjectKey("default", "w"), "uid-1");

    private final World world = new World(1);
    private final VirtualProcess process = world.world.process("recorder");
    private final AtomicLong lost = new AtomicLong();
    private final EventRecorder recorder = recorder(WriteGate.OPEN);
    private final Events events = recorder.about(SUBJECT);

    @AfterEach
    void close() {
        world.close();
    }

    private EventRecorder recorder(WriteGate gate) {
        ApiClient.Settings defaults = ApiClient.Settings.of("recorder");
        ApiClient client = ApiClient.over(
                process,
                world.simulator.transport(process),
                new ApiClient.Settings(
                        defaults.userAgent(),
                        defaults.requestTimeout(),
                        defaults.streamTimeout(),
                        gate,
                        defaults.compression()));
        return new EventRecorder(process, client, "an-operator", "a-pod", new Counting());
    }

    /** Counts what is lost. */
    private final class Counting implements io.homeostat.core.Metrics {
        @Override
        public Counter counter(String name, String... labels) {
            assertThat(name).isEqualTo("homeostat_events_lost_total");
            return lost::addAndGet;
        }

        @Override
        public Registration gauge(String name, LongSupplier value, String... labels) {
            return () -> {};
        }

        @Override
        public Histogram histogram(String name, String... labels) {
            return value -> {};
        }
    }

    private static boolean isEvent(RequestRecord request) {
        return request.resource().equals("events") && request.userAgent().equals("recorder");
    }

    private long requests(long mark) {
        return world.simulator.requestsSince(mark).stream()
                .filter(EventRecorderTest::isEvent)
                .count();
    }

    private void pass(Duration duration) {
        world.pass(duration);
    }

    @Test
    void whatIsSaidOnceIsOneEventWithoutASeries() {
        events.normal("Scaled", "to 3");
        pass(Duration.ofMinutes(30));
        Event event = world.events("w").get(0);
        assertThat(world.events("w")).hasSize(1);
        assertThat(event.getType()).isEqualTo("Normal");
        assertThat(event.getReason()).isEqualTo("Scaled");
        assertThat(event.getAction()).isEqualTo("Reconcile");
        assertThat(event.getNote()).isEqualTo("to 3");
        assertThat(event.getSeries()).isNull();
        assertThat(event.getMetadata().getName()).startsWith("w.");
        assertThat(event.getReportingController()).isEqualTo("an-operator");
        assertThat(event.getReportingInstance()).isEqualTo("a-pod");
        assertThat(event.getEventTime().getTime()).matches("\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{6}Z");
        assertThat(lost).hasValue(0);
    }

    @Test
    void repeatsAreCountedInOneEventAndToldAtGrowingIntervals() {
        long mark = world.mark();
        for (int i = 0; i < 3600; i++) {
            events.warning("Broken", "the disk");
            pass(Duration.ofSeconds(1));
        }
        assertThat(requests(mark))
                .as("10 s, 20 s, 40 s, … 10 min, then every 10 min")
                .isBetween(8L, 13L);
        pass(Duration.ofMinutes(11));
        assertThat(world.events("w"))
                .singleElement()
                .satisfies(event -> assertThat(event.getSeries().getCount()).isEqualTo(3600));
        long quiet = world.mark();
        pass(Duration.ofHours(1));
        assertThat(requests(quiet)).isZero();
    }

    @Test
    void eventAfterALongSilenceIsANewOne() {
        events.warning("Broken", "the disk");
        pass(Duration.ofMinutes(EventRecorder.FORGET_MINUTES + 1));
        events.warning("Broken", "the disk");
        pass(Duration.ofSeconds(1));
        assertThat(world.events("w")).hasSize(2);
    }

    @Test
    void objectThatSaysTooManyDifferentThingsLosesThemAndOthersDoNot() {
        for (int i = 0; i < 100; i++) {
            events.normal("Chatter", "number " + i);
        }
        recorder.about(new EventRecorder.Subject("v1", "Pod", new ObjectKey("default", "p"), "uid-2"))
                .normal("Started", "fine");
        pass(Duration.ofSeconds(5));
        assertThat(world.events("w")).hasSize(EventRecorder.BURST);
        assertThat(world.events("p")).hasSize(1);
        assertThat(lost).hasValue(100 - EventRecorder.BURST);
        pass(EventRecorder.REFILL);
        events.normal("Chatter", "later");
        pass(Duration.ofSeconds(1));
        assertThat(world.events("w")).hasSize(EventRecorder.BURST + 1);
    }

    @Test
    void floodIsBoundedAndCounted() {
        for (int i = 0; i < 5000; i++) {
            recorder.about(new EventRecorder.Subject("v1", "Pod", new ObjectKey("default", "p" + i), "uid" + i))
                    .normal("Started", "fine");
        }
        pass(Duration.ofMinutes(5));
        events.normal("Scaled", "and it goes on");
        pass(Duration.ofMinutes(1));
        long made = world.simulator.requestsSince(0).stream()
                .filter(EventRecorderTest::isEvent)
                .count();
        assertThat(made + lost.get()).isEqualTo(5001);
        assertThat(made).isGreaterThanOrEqualTo(EventRecorder.MAX_INBOX);
        assertThat(world.events("w")).hasSize(1);
    }

    @Test
    void eventIsTriedAgainWhileTheServerCannotTakeItAndRetryAfterIsKept() {
        long mark = world.mark();
        try (Registration busy =
                world.simulator.faults().on(EventRecorderTest::isEvent).times(2).answer(429, Duration.ofSeconds(20))) {
            events.warning("Broken", "the disk");
            pass(Duration.ofSeconds(19));
            assertThat(requests(mark)).isEqualTo(1);
            pass(Duration.ofSeconds(30));
        }
        assertThat(world.events("w")).hasSize(1);
        assertThat(lost).hasValue(0);
    }

    @Test
    void lostAnswerLeavesOneEvent() {
        try (Registration lossy =
                world.simulator.faults().on(EventRecorderTest::isEvent).times(1).loseAnswer()) {
            events.warning("Broken", "the disk");
            pass(Duration.ofMinutes(2));
        }
        events.warning("Broken", "the disk");
        pass(Duration.ofMinutes(2));
        assertThat(world.events("w"))
                .singleElement()
                .satisfies(event -> assertThat(event.getSeries().getCount()).isEqualTo(2));
        assertThat(lost).hasValue(0);
    }

    @Test
    void eventThatMayNotBeWrittenIsLostAndCountedAndAskedOnce() {
        long mark = world.mark();
        try (Registration refused =
                world.simulator.faults().on(EventRecorderTest::isEvent).answer(403)) {
            assertThatCode(() -> events.warning("Broken", "the disk")).doesNotThrowAnyException();
            pass(Duration.ofMinutes(10));
        }
        assertThat(requests(mark)).isEqualTo(1);
        assertThat(lost).hasValue(1);
    }

    @Test
    void serverThatIsAwayForLongCostsTheEventAndNotMoreThanADozenTries() {
        long mark = world.mark();
        try (Registration away =
                world.simulator.faults().on(EventRecorderTest::isEvent).answer(503)) {
            events.warning("Broken", "the disk");
            pass(Duration.ofHours(1));
        }
        assertThat(requests(mark)).isEqualTo(12);
        assertThat(lost).hasValue(1);
    }

    @Test
    void seriesWhoseEventIsGoneGoesOnInANewOne() {
        events.warning("Broken", "the disk");
        pass(Duration.ofSeconds(1));
        world.delete(
                EventRecorder.EVENTS, world.events("w").get(0).getMetadata().getName());
        events.warning("Broken", "the disk");
        pass(Duration.ofSeconds(30));
        assertThat(world.events("w"))
                .singleElement()
                .satisfies(event -> assertThat(event.getSeries().getCount()).isEqualTo(2));
    }

    @Test
    void nothingIsSentPastAClosedGate() {
        EventRecorder gated = recorder(write -> Optional.of("not leading"));
        long mark = world.mark();
        gated.about(SUBJECT).warning("Broken", "the disk");
        pass(Duration.ofMinutes(5));
        assertThat(requests(mark)).isZero();
        assertThat(lost).hasValue(1);
    }

    @Test
    void longTextsAreCutAtWholeCharactersAndMissingOnesHarmNobody() {
        events.record(Events.Type.WARNING, "R".repeat(300), "A".repeat(300), "€".repeat(2000));
        events.record(Events.Type.WARNING, "", "Act", "no reason");
        events.record(Events.Type.WARNING, nothing(), nothing(), nothing());
        pass(Duration.ofSeconds(1));
        assertThat(world.events("w")).singleElement().satisfies(event -> {
            assertThat(event.getReason().getBytes(StandardCharsets.UTF_8)).hasSizeLessThanOrEqualTo(128);
            assertThat(event.getAction().getBytes(StandardCharsets.UTF_8)).hasSizeLessThanOrEqualTo(128);
            assertThat(event.getNote()).endsWith("€…");
            assertThat(event.getNote().getBytes(StandardCharsets.UTF_8)).hasSizeBetween(1020, 1024);
        });
        assertThat(lost).hasValue(2);
    }

    @SuppressWarnings("NullAway") // what user code without a null checker does
    private static String nothing() {
        return null;
    }

    @Test
    void eventOfAClusterScopedObjectIsInTheDefaultNamespace() {
        recorder.about(new EventRecorder.Subject("v1", "Node", ObjectKey.clusterScoped("n"), "uid-3"))
                .normal("Seen", "there");
        pass(Duration.ofSeconds(1));
        assertThat(world.events("n")).singleElement().satisfies(event -> {
            assertThat(event.getMetadata().getNamespace()).isEqualTo("default");
            assertThat(event.getRegarding().getNamespace()).isNull();
        });
    }

    @Test
    void stopSendsWhatWaitsAndTakesNothingMore() {
        events.normal("Last", "words");
        CompletableFuture<Void> finished =
                recorder.finish(Duration.ofSeconds(2)).toCompletableFuture();
        world.await(finished::isDone);
        assertThat(world.events("w")).hasSize(1);
        events.normal("Too", "late");
        pass(Duration.ofMinutes(1));
        assertThat(world.events("w")).hasSize(1);
        assertThat(lost).hasValue(1);
    }

    @Test
    void stopDoesNotWaitLongForAServerThatDoesNotAnswer() {
        try (Registration hung =
                world.simulator.faults().on(EventRecorderTest::isEvent).hang()) {
            events.normal("Last", "words");
            pass(Duration.ofSeconds(1));
            CompletableFuture<Void> finished =
                    recorder.finish(Duration.ofSeconds(2)).toCompletableFuture();
            Duration before = world.world.now();
            world.await(finished::isDone);
            assertThat(world.world.now().minus(before)).isBetween(Duration.ofSeconds(1), Duration.ofSeconds(3));
        }
    }

    @Test
    void serverThatHangsDoesNotMakeWhatWaitsGrowAndWhatIsLostIsNotSentAfterAll() {
        int said = 6000;
        try (Registration hung =
                world.simulator.faults().on(EventRecorderTest::isEvent).hang()) {
            for (int i = 0; i < said; i++) {
                recorder.about(new EventRecorder.Subject("v1", "Pod", new ObjectKey("default", "p" + i), "uid" + i))
                        .normal("Started", "fine");
                if (i % 500 == 0) {
                    pass(Duration.ofMillis(10));
                }
            }
            pass(Duration.ofMinutes(2));
            assertThat(lost.get())
                    .isBetween(said - EventRecorder.MAX_SERIES - 50L, said - EventRecorder.MAX_SERIES + 50L);
        }
        pass(Duration.ofMinutes(10));
        long there = world.ask(() -> io.homeostat.client.ApiClient.over(
                                process, world.simulator.transport(process), ApiClient.Settings.of("counter"))
                        .listAll(EventRecorder.EVENTS, io.homeostat.client.Query.in("default")))
                .size();
        assertThat(there + lost.get()).isEqualTo(said);
    }
}
