package io.homeostat.informer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.homeostat.client.ApiException;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.TestErrors;
import io.homeostat.core.Metrics;
import io.homeostat.core.Registration;
import io.homeostat.informer.InformerState.Phase;
import io.homeostat.virtualruntime.VirtualProcess;
import io.homeostat.virtualruntime.VirtualWorld;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.BooleanSupplier;
import java.util.function.LongSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What an informer says of itself: as an object, to listeners, as figures. */
class InformerStateTest {
    private static final String LABELS = "name=configmaps/v1,group=,version=v1,resource=configmaps";

    private final VirtualWorld world = VirtualWorld.seeded(5);
    private final VirtualProcess process = world.process("operator");
    private final FakeServer server = new FakeServer(world);
    private final FakeServer.Client client = server.client();
    private final RecordingMetrics metrics = new RecordingMetrics();
    private final SharedInformers informers = SharedInformers.over(process, client, metrics);
    private final ObjectKey a = new ObjectKey("ns", "a");
    private final List<InformerState> told = new ArrayList<>();

    @AfterEach
    void end() {
        world.close();
    }

    private SharedInformer<ConfigMap> informer() {
        SharedInformer<ConfigMap> informer = informers.informer(TestObject.TYPE, "");
        informer.onStateChange(told::add);
        return informer;
    }

    private SharedInformer<ConfigMap> synced() {
        SharedInformer<ConfigMap> informer = informer();
        within(Duration.ofSeconds(5), () -> informer.state().phase() == Phase.WATCHING);
        return informer;
    }

    private void within(Duration limit, BooleanSupplier condition) {
        world.runUntil(condition, limit);
    }

    private void later(Duration duration) {
        world.runFor(duration);
    }

    @Test
    void aRefusalIsNamedByVerbResourceAnswerAndTime() {
        server.refusal = (request, number) -> TestErrors.of(403, "Forbidden", null);
        SharedInformer<ConfigMap> informer = informers.informer(TestObject.TYPE, "ns", "app=web");
        Instant before = process.wallClock();
        later(Duration.ofSeconds(30));
        InformerState state = informer.state();
        assertThat(state.name()).isEqualTo("configmaps/v1 in ns with app=web");
        assertThat(state.phase()).isEqualTo(Phase.FORBIDDEN);
        assertThat(state.since()).as("since the first refusal").isBetween(before, before.plusSeconds(1));
        InformerState.Problem problem = java.util.Objects.requireNonNull(state.lastProblem());
        assertThat(problem.verb()).isEqualTo("watch");
        assertThat(problem.resource()).isEqualTo("configmaps/v1");
        assertThat(problem.answer()).isInstanceOf(ApiException.Forbidden.class);
        assertThat(problem.at()).as("the latest refusal").isAfter(before.plusSeconds(1));
        assertThat(state.lastEventAge()).as("it never said anything").isNull();
        assertThat(state.resourceVersion()).isEmpty();
        assertThat(state.relists()).isZero();
        server.refusal = (request, number) -> null;
        within(Duration.ofSeconds(20), () -> informer.state().phase() == Phase.WATCHING);
        assertThat(informer.state().lastProblem()).isNull();
        assertThat(informer.state().relists()).isEqualTo(1);
    }

    @Test
    void theAgeOfTheLastEventGrowsWhileTheServerIsSilentAndEndsWithABookmark() {
        server.put("a");
        SharedInformer<ConfigMap> informer = synced();
        later(Duration.ofSeconds(50));
        assertThat(informer.state().lastEventAge()).isBetween(Duration.ofSeconds(49), Duration.ofSeconds(51));
        server.version = 300;
        later(Duration.ofSeconds(12));
        assertThat(informer.state().lastEventAge()).isLessThan(Duration.ofSeconds(4));
        assertThat(informer.state().resourceVersion()).isEqualTo("300");
    }

    @Test
    void anObjectThatCannotBeReadIsShownWithItsErrorUntilItHeals() {
        server.put("a");
        SharedInformer<ConfigMap> informer = synced();
        told.clear();
        server.unreadable.add(a);
        server.put("a");
        within(Duration.ofSeconds(10), () -> informer.state().relists() == 2);
        later(Duration.ofMinutes(5)); // asked for again and again
        assertThat(informer.state().quarantine()).containsExactly(java.util.Map.entry(a, "not an object"));
        server.unreadable.clear();
        server.put("a");
        within(Duration.ofSeconds(1), () -> informer.state().quarantined().isEmpty());
        assertThat(told.stream().map(InformerState::quarantined).distinct())
                .as("told when it changes, and of the change")
                .containsExactly(Set.of(a), Set.of());
    }

    @Test
    void aFrameThatComesAgainHealsNothing() {
        TestObject old = server.put("a");
        SharedInformer<ConfigMap> informer = synced();
        server.unreadable.add(a);
        server.put("a");
        within(Duration.ofSeconds(10), () -> informer.state().relists() == 2);
        server.mangle = frames -> {
            List<io.homeostat.client.WatchFrame> said = new ArrayList<>(frames);
            said.add(new io.homeostat.client.WatchFrame.Event(io.homeostat.client.WatchFrame.Kind.MODIFIED, old));
            return said;
        };
        server.put("b");
        within(Duration.ofSeconds(1), () -> informer.snapshot().size() == 2);
        assertThat(informer.state().quarantined()).containsExactly(a);
    }

    @Test
    void anItemWithoutANameIsCounted() {
        server.nameless = true;
        server.put("a");
        server.unreadable.add(a);
        SharedInformer<ConfigMap> informer = synced();
        assertThat(informer.state().unnamed()).isEqualTo(1);
        assertThat(informer.state().quarantine()).isEmpty();
        server.unreadable.clear();
        server.expire();
        within(Duration.ofSeconds(5), () -> informer.state().relists() == 2);
        assertThat(informer.state().unnamed()).isZero();
    }

    @Test
    void anObjectThatDoesNotDecodeIsShownWithItsErrorAcrossRelistsUntilItsNextVersion() {
        server.put("a", object -> object.labelled("undecodable", "yes"));
        server.put("b");
        SharedInformer<ConfigMap> informer = synced();
        assertThat(informer.snapshot().list()).hasSize(2);
        assertThat(informer.state().quarantine()).as("nobody has asked yet").isEmpty();
        CachedObject<ConfigMap> bad = informer.snapshot().get(a).orElseThrow();
        for (int i = 0; i < 3; i++) {
            assertThatThrownBy(bad::object).isInstanceOf(ApiException.Undecodable.class);
            assertThatThrownBy(bad::copy).isInstanceOf(ApiException.Undecodable.class);
            later(Duration.ofSeconds(1));
        }
        String problem = "version 101 does not decode: at spec.replicas: a text";
        assertThat(informer.state().quarantine()).containsExactly(java.util.Map.entry(a, problem));
        told.clear();
        server.expire();
        within(Duration.ofSeconds(5), () -> informer.state().relists() == 2);
        assertThat(informer.state().quarantined()).containsExactly(a);
        server.put("a", object -> object.labelled("app", "web"));
        within(Duration.ofSeconds(1), () -> informer.state().quarantined().isEmpty());
        assertThatThrownBy(bad::object)
                .as("the version that was read stays what it is")
                .isInstanceOf(Exception.class);
        later(Duration.ofSeconds(1));
        assertThat(informer.state().quarantined())
                .as("an old version is no news")
                .isEmpty();
        server.put("a", object -> object.labelled("undecodable", "yes"));
        within(Duration.ofSeconds(1), () -> informer.state().resourceVersion().equals("104"));
        assertThatThrownBy(() -> informer.snapshot().get(a).orElseThrow().object())
                .isInstanceOf(Exception.class);
        later(Duration.ofSeconds(1));
        server.silence();
        server.remove("a");
        server.compact();
        within(Duration.ofMinutes(15), () -> informer.snapshot().size() == 1);
        assertThat(informer.state().quarantined()).as("gone in a gap").isEmpty();
    }

    @Test
    void everyInformerIsListedWhileSomebodyHoldsIt() {
        SharedInformer<ConfigMap> all = synced();
        SharedInformer<ConfigMap> some = informers.informer(TestObject.TYPE, "ns");
        assertThat(informers.states())
                .extracting(InformerState::name)
                .containsExactly("configmaps/v1", "configmaps/v1 in ns");
        all.close();
        assertThat(informers.states()).extracting(InformerState::name).containsExactly("configmaps/v1 in ns");
        some.close();
        assertThat(informers.states()).isEmpty();
    }

    @Test
    void figuresHaveTheNamesOfClientGoAndGoWithTheInformer() {
        server.put("a");
        server.put("b");
        SharedInformer<ConfigMap> informer = synced();
        Recording recording = new Recording() {
            @Override
            void before() {
                throw new AssertionError("from a handler");
            }
        };
        var handle = informer.addHandler("wake", recording);
        later(Duration.ofSeconds(1));
        server.cut();
        server.put("a");
        within(Duration.ofSeconds(2), () -> informer.state().resourceVersion().equals("103"));
        later(Duration.ofSeconds(1));
        assertThat(metrics.value("reflector_lists_total{" + LABELS + "}")).isEqualTo(1);
        assertThat(metrics.value("reflector_items_per_list{" + LABELS + "}")).isEqualTo(1);
        assertThat(metrics.value("reflector_list_duration_seconds{" + LABELS + "}"))
                .isEqualTo(1);
        assertThat(metrics.value("reflector_watches_total{" + LABELS + "}"))
                .as("the one that listed, and the one after the cut")
                .isEqualTo(2);
        assertThat(metrics.value("reflector_watch_duration_seconds{" + LABELS + "}"))
                .isEqualTo(1);
        assertThat(metrics.value("reflector_items_per_watch{" + LABELS + "}")).isEqualTo(1);
        assertThat(metrics.value("reflector_short_watches_total{" + LABELS + "}"))
                .isZero();
        assertThat(metrics.value("reflector_last_resource_version{" + LABELS + "}"))
                .isEqualTo(103);
        assertThat(metrics.value("informer_store_resource_version{" + LABELS + "}"))
                .isEqualTo(103);
        assertThat(metrics.value("informer_queued_items{" + LABELS + "}")).isZero();
        assertThat(metrics.value("informer_processing_latency_seconds{" + LABELS + "}"))
                .isPositive();
        assertThat(metrics.value("homeostat_informer_objects{" + LABELS + "}")).isEqualTo(2);
        assertThat(metrics.value("homeostat_informer_synced{" + LABELS + "}")).isEqualTo(1);
        assertThat(metrics.value("homeostat_informer_phase{" + LABELS + ",phase=watching}"))
                .isEqualTo(1);
        assertThat(metrics.value("homeostat_informer_phase{" + LABELS + ",phase=forbidden}"))
                .isZero();
        assertThat(metrics.value("homeostat_informer_problems_total{" + LABELS + ",verb=watch,code=none}"))
                .isEqualTo(1);
        assertThat(metrics.value("homeostat_informer_handler_failures_total{" + LABELS + ",handler=wake}"))
                .isEqualTo(recording.steps.size());
        assertThat(metrics.value("homeostat_informer_handler_waiting{" + LABELS + ",handler=wake}"))
                .isZero();
        handle.close();
        assertThat(metrics.meters().keySet()).noneMatch(meter -> meter.contains("handler="));
        informer.close();
        later(Duration.ofSeconds(1));
        assertThat(metrics.meters()).isEmpty();
    }

    @Test
    void watchesThatEndAtOnceWithNothingSaidAreCountedAsShort() {
        synced();
        server.cut();
        server.refusal = (request, number) -> {
            if (!request.initialEvents()) {
                world.after(Duration.ofMillis(200), server::end);
            }
            return null;
        };
        within(Duration.ofSeconds(30), () -> server.verbs().size() == 4);
        assertThat(metrics.value("reflector_short_watches_total{" + LABELS + "}"))
                .isEqualTo(2);
    }

    @Test
    void metricsThatThrowHarmNothing() {
        Metrics broken = new Metrics() {
            @Override
            public Counter counter(String name, String... labels) {
                throw new LinkageError("from the metrics");
            }

            @Override
            public Registration gauge(String name, LongSupplier value, String... labels) {
                throw new IllegalArgumentException("from the metrics");
            }

            @Override
            public Histogram histogram(String name, String... labels) {
                return value -> {
                    throw new StackOverflowError("from the metrics");
                };
            }
        };
        server.put("a");
        SharedInformers own = SharedInformers.over(process, client, broken);
        SharedInformer<ConfigMap> informer = own.informer(TestObject.TYPE, "");
        within(Duration.ofSeconds(5), () -> informer.state().phase() == Phase.WATCHING);
        Recording recording = new Recording();
        informer.addHandler("test", recording);
        within(Duration.ofSeconds(1), () -> recording.steps.size() == 1);
        own.close();
        later(Duration.ofSeconds(1));
        assertThat(informer.state().phase()).isEqualTo(Phase.STOPPED);
    }

    @Test
    void theDigitsOfAVersionAreThoseADoubleCanHold() {
        assertThat(InformerMetrics.digits("")).isZero();
        assertThat(InformerMetrics.digits("123")).isEqualTo(123);
        assertThat(InformerMetrics.digits("99123456789012345")).isEqualTo(123456789012345L);
        assertThat(InformerMetrics.digits("opaque")).isZero();
    }
}
