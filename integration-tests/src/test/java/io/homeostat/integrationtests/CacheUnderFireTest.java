package io.homeostat.integrationtests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.homeostat.client.ApiClient;
import io.homeostat.client.ApiException;
import io.homeostat.client.ObjectKey;
import io.homeostat.core.Registration;
import io.homeostat.informer.CachedObject;
import io.homeostat.informer.InformerState.Phase;
import io.homeostat.informer.SharedInformer;
import io.homeostat.testkit.FaultPlan;
import io.homeostat.testkit.FaultProxy;
import io.homeostat.testkit.RealControlPlane;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The cache behind a fault proxy in front of a real kube-apiserver: a line a scenario, each in a namespace of its own, several at
 * once, each judged by {@link CacheOracle}.
 *
 * <p>The engine's time runs {@value #RATE} times as fast as the server's. {@code -Dhomeostat.fire=TEXT} runs the scenarios whose name holds the
 * text. A failure prints the plan, which replays it.
 */
class CacheUnderFireTest {
    private static final int RATE = 5;

    /** How many scenarios run at a time: most of a scenario is waiting. */
    static final int AT_ONCE = Integer.getInteger("homeostat.fire.at-once", 6);

    private static final String ONLY = System.getProperty("homeostat.fire", "");

    /** The watch that begins with all there is, and those that resume. */
    private static final String FIRST = "watch configmaps ?sendInitialEvents";

    private static final String RESUMED = "watch configmaps ?!sendInitialEvents";
    /** A server that does not stream lists. */
    private static final String LISTS = FIRST + ": status 400; ";

    private static @Nullable KubernetesClient eyes;
    private static @Nullable ExecutorService pool;
    private static final Map<String, CompletableFuture<Recovery>> RESULTS = new ConcurrentHashMap<>();

    /** A line of the table. */
    record Scenario(String name, String rules, Consumer<CacheUnderFire> course, Expectation expected) {
        /** The same with other chances. */
        Scenario seed(long seed) {
            return new Scenario(name, rules.replaceFirst("seed=[0-9]+", "seed=" + seed), course, expected);
        }

        long seed() {
            return FaultPlan.parse(rules).seed();
        }

        @Override
        public String toString() {
            return name + " on real kube-apiserver";
        }
    }

    /**
     * What must hold beside the oracle.
     *
     * @param relists how often the cache may have been listed anew, the first time included
     * @param faults how often rules must have acted, at least
     */
    record Expectation(int relists, int faults) {}

    private static Expectation relists(int atMost) {
        return new Expectation(atMost, 1);
    }

    private static Expectation relistsAsNeeded() {
        return new Expectation(Integer.MAX_VALUE, 1);
    }

    private static Scenario scenario(String name, String rules, Consumer<CacheUnderFire> course, Expectation expected) {
        return new Scenario(name, rules.isEmpty() ? "seed=1" : "seed=1; " + rules, course, expected);
    }

    static Stream<Scenario> scenarios() {
        return Stream.of(paths(), lists(), watches(), answers(), contents(), ownWrites(), users())
                .flatMap(List::stream)
                .filter(scenario -> scenario.name.contains(ONLY));
    }

    // ---- rows 1, 4, 5, 16: the path

    private static List<Scenario> paths() {
        return List.of(
                scenario("row 1: the server is away for a while", "", fire -> outage(fire, 6_000), relists(1)),
                scenario(
                        "row 1: every connection is reset again and again", "", CacheUnderFireTest::resets, relists(1)),
                scenario(
                        "row 1: connections are reset before TLS",
                        "connect #2-6: reset",
                        fire -> {
                            fire.awaitSynced();
                            fire.proxy().resetConnections();
                            fire.churnUntilFaults(3);
                        },
                        relists(1)),
                scenario("row 4: every connection is half open", "", CacheUnderFireTest::halfOpen, relists(1)),
                scenario(
                        "row 4: the path is silent for a while and goes on",
                        "",
                        fire -> silence(fire, 8_000),
                        relists(1)),
                scenario(
                        "row 4: one stream of the server goes silent",
                        RESUMED + " #1 frame 3: silence",
                        fire -> {
                            dropTheFirstStream(fire);
                            fire.churnUntilFaults(1);
                            fire.churn(10);
                        },
                        relists(1)),
                scenario(
                        "row 4: the first watch goes silent in the middle",
                        FIRST + " #1 frame 3: silence",
                        CacheUnderFireTest::churn,
                        relists(1)),
                scenario(
                        "row 4: a watch is swallowed on its way to the server",
                        RESUMED + " #1 request: silence",
                        fire -> {
                            dropTheFirstStream(fire);
                            fire.churnUntilFaults(1);
                        },
                        relists(1)),
                scenario(
                        "row 4: a list is swallowed on its way to the server",
                        LISTS + "list configmaps #1 request: silence",
                        CacheUnderFireTest::churn,
                        relists(1)),
                scenario(
                        "row 4: a list goes silent in the middle",
                        LISTS + "list configmaps #1 byte 900: silence",
                        CacheUnderFireTest::churn,
                        relists(1)),
                scenario(
                        "row 4: new connections are silent before TLS",
                        "connect #2: silence",
                        fire -> {
                            dropTheFirstStream(fire);
                            fire.churnUntilFaults(1);
                        },
                        relists(1)),
                scenario("row 5: answers are slow", "* * answer: slow 30000", CacheUnderFireTest::churn, relists(1)));
    }

    private static void churn(CacheUnderFire fire) {
        fire.awaitSynced();
        fire.churn(30);
    }

    /** From here on the informer resumes. */
    private static void dropTheFirstStream(CacheUnderFire fire) {
        fire.awaitSynced();
        fire.churn(4);
        fire.proxy().resetConnections();
    }

    private static void outage(CacheUnderFire fire, int millis) {
        fire.awaitSynced();
        fire.churn(10);
        fire.proxy().network(FaultProxy.Network.DOWN);
        fire.churn(millis / 60);
        fire.await("it says so", () -> fire.informer().state().phase() == Phase.BACKING_OFF);
    }

    private static void silence(CacheUnderFire fire, int millis) {
        fire.awaitSynced();
        fire.churn(10);
        fire.proxy().network(FaultProxy.Network.SILENT);
        fire.churn(millis / 60);
    }

    private static void resets(CacheUnderFire fire) {
        fire.awaitSynced();
        for (int i = 0; i < 8; i++) {
            fire.churn(6);
            fire.proxy().resetConnections();
        }
    }

    private static void halfOpen(CacheUnderFire fire) {
        fire.awaitSynced();
        fire.churn(10);
        fire.await("a heartbeat", () -> fire.proxy().requests("get", "/livez") > 0); // on a connection that is kept
        String before = fire.informer().snapshot().resourceVersion();
        fire.proxy().silenceConnections();
        long begin = System.nanoTime();
        fire.churnUntil(
                "caught up", () -> !fire.informer().snapshot().resourceVersion().equals(before));
        // 16 s, and the server's work, which counts as often as the time is faster. The silence of a watch is noticed
        // after 90 s.
        assertThat(Duration.ofNanos((System.nanoTime() - begin) * RATE))
                .as("engine time until the dead path was noticed and the cache is caught up")
                .isLessThan(Duration.ofSeconds(60));
    }

    // ---- row 2, 8: lists

    private static List<Scenario> lists() {
        String second = "list configmaps ?continue=";
        return List.of(
                scenario(
                        "row 2: a list is reset in the middle",
                        LISTS + "list configmaps #1-3 byte 0-2000: reset",
                        CacheUnderFireTest::churn,
                        relists(1)),
                scenario(
                        "row 2: a list is cut in the middle",
                        LISTS + "list configmaps #1-3 byte 0-2000: truncate",
                        CacheUnderFireTest::churn,
                        relists(1)),
                scenario(
                        "row 2: a list ends properly in the middle",
                        LISTS + "list configmaps #1-2 byte 1000-2500: end",
                        CacheUnderFireTest::churn,
                        relists(1)),
                scenario(
                        "row 2: the second page is reset",
                        LISTS + second + " #1-2 byte 0-9000: reset",
                        CacheUnderFireTest::pages,
                        relists(1)),
                scenario(
                        "row 2: the second page never comes",
                        LISTS + second + " #1 answer: silence",
                        CacheUnderFireTest::pages,
                        relists(1)),
                scenario(
                        "row 8: the second page is too old",
                        LISTS + second + " #1: status 410",
                        CacheUnderFireTest::pages,
                        relists(1)),
                scenario(
                        "row 2: a relist is cut, and readers keep what they had",
                        FIRST + " #2-9: status 400; list configmaps #1-3 byte 100-1500: truncate; " + RESUMED
                                + " #1 answer: status 410",
                        fire -> {
                            fire.awaitSynced();
                            fire.proxy().resetConnections();
                            for (int i = 0; i < 30; i++) {
                                fire.churn(1);
                                fire.lookForFixed(FIXED);
                            }
                        },
                        relistsAsNeeded()),
                scenario(
                        "row 2: the first watch breaks at drawn bytes",
                        FIRST + " #1-2 byte 0-4000: reset",
                        CacheUnderFireTest::churn,
                        relists(1)),
                scenario(
                        "row 2: the first watch breaks three times, and it is listed",
                        FIRST + " byte 500: truncate",
                        CacheUnderFireTest::churn,
                        relists(1)));
    }

    private static final int FIXED = 8;

    private static void pages(CacheUnderFire fire) {
        fire.awaitSynced();
        fire.lookForFixed(FIXED + 600);
        fire.churn(10);
    }

    // ---- rows 3, 9, 10, 12, 13, X11, X12: watches

    private static List<Scenario> watches() {
        return List.of(
                scenario(
                        "row 3: watches are reset at bytes all over a frame",
                        insideFrames("reset"),
                        fire -> cuts(fire, CUTS),
                        relists(1)),
                scenario(
                        "row 3: watches are cut at bytes all over a frame",
                        insideFrames("truncate"),
                        fire -> cuts(fire, CUTS),
                        relists(1)),
                scenario(
                        "row 3: watches end properly inside a frame",
                        insideFrames("end"),
                        fire -> cuts(fire, CUTS),
                        relists(1)),
                new Scenario(
                        "row 3: compressed watches are cut at bytes all over a frame",
                        "seed=5 gzip; " + insideFrames("truncate"),
                        fire -> cuts(fire, CUTS),
                        relists(1)),
                scenario(
                        "row 3: watches are cut at drawn bytes, soon",
                        RESUMED + " byte 0-900: truncate",
                        fire -> cuts(fire, 5),
                        relists(1)),
                scenario("P-C8: every byte comes alone", "* * answer: split 1", CacheUnderFireTest::churn, relists(1)),
                new Scenario(
                        "P-C8: every byte of gzip members comes alone",
                        "seed=2 gzip; * * answer: split 1",
                        CacheUnderFireTest::churn,
                        relists(1)),
                scenario(
                        "row 9: a watch is too old, as a status",
                        RESUMED + " #1: status 410",
                        CacheUnderFireTest::resumed,
                        relists(2)),
                scenario(
                        "row 9: a watch is too old, as a frame",
                        RESUMED + " #1 frame 2: status 410",
                        CacheUnderFireTest::resumed,
                        relists(2)),
                scenario(
                        "row 9: watches close at once with nothing said",
                        RESUMED + " #1-2 answer: end",
                        CacheUnderFireTest::resumed,
                        relists(2)),
                scenario(
                        "row 1: watches close cleanly all the time",
                        RESUMED + " byte 2500-4500: end",
                        fire -> cuts(fire, 8),
                        relists(1)),
                scenario(
                        "row 7: a frame says 500",
                        RESUMED + " #1-2 frame 2: status 500",
                        CacheUnderFireTest::resumed,
                        relists(1)),
                scenario(
                        "row 10: frames come twice",
                        "watch * frame 1-: duplicate",
                        CacheUnderFireTest::churn,
                        relists(1)),
                scenario(
                        "row 10, X11: frames come out of order",
                        RESUMED + " %40 frame 1-: swap",
                        CacheUnderFireTest::resumed,
                        relistsAsNeeded()),
                scenario(
                        "row 10, 14: lost frames are made good by the next list",
                        RESUMED + " #1 frame 2-5: drop; " + RESUMED + " #1 frame 8: status 410",
                        CacheUnderFireTest::resumed,
                        relists(2)),
                scenario(
                        "row 14: lost frames are found by an audit",
                        RESUMED + " #1 frame 2-5: drop",
                        fire -> {
                            fire.informers().auditEvery(Duration.ofSeconds(5));
                            dropTheFirstStream(fire);
                            fire.churnUntilFaults(4);
                            fire.churn(1);
                            fire.await(
                                    "the audit has listed anew",
                                    () -> fire.informer().state().relists() == 2);
                        },
                        relists(3)),
                scenario(
                        "row 12: the end of the initial events is never said",
                        FIRST + " frame 1-: rewrite \"k8s.io/initial-events-end\" to \"example.com/end\"",
                        CacheUnderFireTest::churn,
                        relists(1)),
                scenario(
                        "row 12: there are no bookmarks at all",
                        "watch * frame 1-: rewrite \"(?s)^.{0,10}BOOKMARK.*$\" to \"\"",
                        CacheUnderFireTest::churn,
                        relists(1)),
                scenario(
                        "row 13, X12: initial events are modifications",
                        FIRST + " frame 1-: rewrite \"\\\"ADDED\\\"\" to \"\\\"MODIFIED\\\"\"",
                        CacheUnderFireTest::churn,
                        relists(1)));
    }

    private static final int CUTS = 16;

    /** The n-th resumed watch breaks inside its fourth frame, after n times 53 bytes. */
    private static String insideFrames(String how) {
        StringBuilder rules = new StringBuilder();
        for (int i = 1; i <= CUTS; i++) {
            rules.append(i == 1 ? "" : "; ")
                    .append(RESUMED)
                    .append(" #")
                    .append(i)
                    .append(" frame 4 byte ")
                    .append((i - 1) * 53)
                    .append(": ")
                    .append(how);
        }
        return rules.toString();
    }

    /** Slowly: watches that break as soon as they are open are waited for longer each time. */
    private static void cuts(CacheUnderFire fire, int times) {
        dropTheFirstStream(fire);
        fire.churnUntilFaults(times, 220);
    }

    private static void resumed(CacheUnderFire fire) {
        dropTheFirstStream(fire);
        fire.churnUntilFaults(1);
        fire.churn(15);
    }

    // ---- rows 6, 7, 15, 36: answers

    private static List<Scenario> answers() {
        return List.of(
                scenario(
                        "row 6: too many requests at the start",
                        "* configmaps #1-2: status 429 retry-after 2s",
                        CacheUnderFireTest::churn,
                        relists(1)),
                scenario(
                        "row 6: too many requests for a watch",
                        RESUMED + " #1-2: status 429 retry-after 3s",
                        fire -> {
                            dropTheFirstStream(fire);
                            fire.churnUntilFaults(2);
                        },
                        relists(1)),
                scenario(
                        "row 7: a burst of 503",
                        RESUMED + " #1-4: status 503",
                        fire -> {
                            dropTheFirstStream(fire);
                            fire.churnUntilFaults(4);
                        },
                        relists(1)),
                scenario(
                        "row 7: a burst of 500 at the start",
                        "* configmaps #1-4: status 500",
                        CacheUnderFireTest::churn,
                        relists(1)),
                scenario(
                        "row 7: a burst of 504 of lists",
                        LISTS + "list configmaps #1-3: status 504",
                        CacheUnderFireTest::churn,
                        relists(1)),
                scenario(
                        "row 15: not who it was, for a while",
                        RESUMED + " #1-3: status 401",
                        fire -> {
                            dropTheFirstStream(fire);
                            fire.await(
                                    "it says so", () -> fire.informer().state().phase() == Phase.FORBIDDEN);
                            fire.churnUntilFaults(3);
                        },
                        relists(1)),
                scenario(
                        "row 36: not allowed, for a while",
                        RESUMED + " #1-3: status 403",
                        fire -> {
                            dropTheFirstStream(fire);
                            fire.await(
                                    "it says so", () -> fire.informer().state().phase() == Phase.FORBIDDEN);
                            fire.churnUntilFaults(3);
                        },
                        relists(1)),
                scenario(
                        "row 17: not found, for a while",
                        "watch configmaps #2-3: status 404",
                        fire -> {
                            dropTheFirstStream(fire);
                            fire.await(
                                    "it says so", () -> fire.informer().state().phase() == Phase.WAITING_FOR_TYPE);
                            fire.churnUntilFaults(2);
                        },
                        relistsAsNeeded()));
    }

    // ---- rows 18, 20, 21, X7, X8: contents

    private static List<Scenario> contents() {
        String poison = "\\\"data\\\":[{]\\\"value\\\":\\\"poison\\\"[}]";
        return List.of(
                scenario(
                        "row 21: a list is garbage",
                        LISTS + "list configmaps #1-2 answer: reply garbage",
                        CacheUnderFireTest::churn,
                        relists(1)),
                scenario(
                        "row 21: a list is a page of a gateway",
                        LISTS + "list configmaps #1-2 answer: reply html",
                        CacheUnderFireTest::churn,
                        relists(1)),
                scenario(
                        "P-C8: a list is a table",
                        LISTS + "list configmaps #1-2 answer: reply table",
                        CacheUnderFireTest::churn,
                        relists(1)),
                scenario(
                        "P-C8: a list is another kind",
                        LISTS + "list configmaps #1-2 answer: reply kind",
                        CacheUnderFireTest::churn,
                        relists(1)),
                scenario(
                        "P-C8: a list is nothing",
                        LISTS + "list configmaps #1-2 answer: end",
                        CacheUnderFireTest::churn,
                        relists(1)),
                scenario(
                        "P-C8: the first watch is a page of a gateway",
                        FIRST + " #1-2 answer: reply html",
                        CacheUnderFireTest::churn,
                        relists(1)),
                scenario(
                        "row 21: a frame is garbage",
                        RESUMED + " #1-3 frame 2: reply garbage",
                        CacheUnderFireTest::resumed,
                        relistsAsNeeded()),
                scenario(
                        "row 21: a frame is a page of a gateway",
                        RESUMED + " #1 frame 2: reply html",
                        CacheUnderFireTest::resumed,
                        relistsAsNeeded()),
                scenario(
                        "P-C8: a frame is a table",
                        RESUMED + " #1 frame 2: reply table",
                        CacheUnderFireTest::resumed,
                        relistsAsNeeded()),
                scenario(
                        "row 18, X7: an object of a watch does not decode",
                        RESUMED + " frame 1-: rewrite \"" + poison + "\" to \"\\\"data\\\":7\"",
                        CacheUnderFireTest::undecodable,
                        relists(1)),
                scenario(
                        "row 18, X8: an object of a list does not decode",
                        LISTS + "list configmaps #1 answer: rewrite \"" + poison + "\" to \"\\\"data\\\":7\"",
                        CacheUnderFireTest::undecodableFromTheStart,
                        relists(1)),
                scenario(
                        "row 18: an object of a watch cannot be scanned",
                        "watch configmaps frame 1-: rewrite"
                                + " \"(\\\"name\\\":\\\"poison\\\".*?\\\"uid\\\":)\\\"[^\\\"]*\\\"\" to \"$17\"",
                        CacheUnderFireTest::unscannable,
                        relistsAsNeeded()),
                scenario(
                        "row 21: an initial event is spoilt on its way",
                        FIRST + " #1 frame 4: reply garbage",
                        CacheUnderFireTest::churn,
                        relists(3)),
                scenario(
                        "row 21: the name in a list is spoilt on its way",
                        LISTS + "list configmaps #1 answer: rewrite \"\\\"fixed-0003\\\"\" to \"7\"",
                        CacheUnderFireTest::churn,
                        relists(3)),
                scenario(
                        "row 20: large objects, cut twice",
                        FIRST + " #1-2 byte 700000-3000000: reset",
                        CacheUnderFireTest::churn,
                        relists(1)));
    }

    private static void undecodable(CacheUnderFire fire) {
        dropTheFirstStream(fire);
        fire.await("a watch", () -> fire.informer().state().phase() == Phase.WATCHING);
        fire.eyes().resource(fire.configMap("poison", "poison")).create();
        assertUndecodable(fire);
    }

    private static void undecodableFromTheStart(CacheUnderFire fire) {
        fire.awaitSynced();
        assertUndecodable(fire);
    }

    private static void assertUndecodable(CacheUnderFire fire) {
        ObjectKey key = new ObjectKey(fire.namespace(), "poison");
        fire.await("it is there", () -> fire.informer().snapshot().get(key).isPresent());
        CachedObject<ConfigMap> poison = fire.informer().snapshot().get(key).orElseThrow();
        assertThatThrownBy(poison::object)
                .isInstanceOf(ApiException.Undecodable.class)
                .hasMessageContaining("poison")
                .hasMessageContaining("data");
        fire.churn(15); // its siblings go on, which the oracle sees
        fire.eyes()
                .configMaps()
                .inNamespace(fire.namespace())
                .withName("poison")
                .edit(map -> {
                    map.getData().put("value", "healed");
                    return map;
                });
        fire.await("its next version heals it", () -> fire.informer()
                .snapshot()
                .get(key)
                .map(object -> object.raw().resourceVersion())
                .filter(version -> !version.equals(poison.raw().resourceVersion()))
                .isPresent());
        assertThat(fire.informer().snapshot().get(key).orElseThrow().object().getData())
                .containsEntry("value", "healed");
    }

    private static void unscannable(CacheUnderFire fire) {
        dropTheFirstStream(fire);
        ObjectKey key = new ObjectKey(fire.namespace(), "poison");
        AtomicBoolean contained = new AtomicBoolean(); // not for long: a GET, which nothing spoils, heals it
        try (Registration listening = fire.informer().onStateChange(state -> {
            if (state.quarantined().equals(Set.of(key))) {
                contained.set(true);
            }
        })) {
            fire.eyes().resource(fire.configMap("poison", "anything")).create();
            fire.churnUntil("it was in quarantine", contained::get);
        }
        fire.churn(15);
        fire.lookForFixed(FIXED);
    }

    // ---- row 37, X6, X13, P-C11: own writes

    private static List<Scenario> ownWrites() {
        return List.of(
                scenario(
                        "row 37, X6: creates are done and their answers lost",
                        "create configmaps answer: reset",
                        CacheUnderFireTest::lostCreates,
                        relists(1)),
                scenario(
                        "row 37: answers of writes are lost, watches break",
                        "* configmaps ?fieldManager= %30 answer: reset; delete configmaps %30 answer: reset; " + RESUMED
                                + " byte 500-2500: reset",
                        CacheUnderFireTest::writes,
                        relists(1)),
                scenario(
                        "P-C11: own writes are read while the watch is silent",
                        RESUMED + " #1-3 frame 2: silence",
                        CacheUnderFireTest::writes,
                        relists(1)),
                scenario(
                        "P-C11: own writes are read across relists",
                        RESUMED + " #1-4 frame 3: status 410",
                        CacheUnderFireTest::writes,
                        relistsAsNeeded()),
                new Scenario(
                        "X13: names that would address something else are not sent",
                        "seed=1",
                        CacheUnderFireTest::names,
                        new Expectation(1, 0)));
    }

    private static void lostCreates(CacheUnderFire fire) {
        fire.awaitSynced();
        for (int i = 0; i < 5; i++) {
            byte[] json =
                    ("{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"generateName\":\"once-\",\"namespace\":\""
                                    + fire.namespace() + "\"}}")
                            .getBytes(StandardCharsets.UTF_8);
            ObjectKey key = new ObjectKey(fire.namespace(), "once-");
            assertThatThrownBy(() -> fire.runtime()
                            .await(fire.client().create(CacheUnderFire.TYPE, key, json), Duration.ofMinutes(1)))
                    .isInstanceOf(ApiException.OutcomeUnknown.class);
        }
        assertThat(fire.eyes().configMaps().inNamespace(fire.namespace()).list().getItems().stream()
                        .filter(map -> map.getMetadata().getName().startsWith("once-")))
                .as("objects made by 5 creates whose answers were lost")
                .hasSize(5);
        fire.churn(5);
    }

    private static void writes(CacheUnderFire fire) {
        dropTheFirstStream(fire);
        for (int i = 0; i < 40; i++) {
            fire.write();
            fire.look();
            if (i % 3 == 0) {
                fire.churn(1);
            }
        }
        fire.churnUntilFaults(1);
    }

    private static void names(CacheUnderFire fire) {
        fire.awaitSynced();
        for (String name : List.of("a#b", "a?b=c", "a/b", "../x", "a%2fb", "a b", ".", "..")) {
            ApiClient client = fire.client();
            ObjectKey key = new ObjectKey(fire.namespace(), name);
            assertThatThrownBy(() -> fire.runtime().await(client.get(CacheUnderFire.TYPE, key), Duration.ofMinutes(1)))
                    .as(name)
                    .isInstanceOf(RuntimeException.class)
                    .isNotInstanceOf(ApiException.NotFound.class);
        }
        fire.churn(5);
    }

    // ---- rows 31, 35, 40, X9, X10: users

    private static List<Scenario> users() {
        String breaks = RESUMED + " byte 2500-6000: reset";
        return List.of(
                scenario(
                        "row 31, X10: handlers that throw and block harm no other",
                        breaks,
                        fire -> {
                            fire.informer().addHandler("throws", new FoldingHandler<ConfigMap>("throws") {
                                @Override
                                public synchronized void onUpdate(
                                        CachedObject<ConfigMap> before,
                                        CachedObject<ConfigMap> after,
                                        Merged<ConfigMap> merged) {
                                    throw new AssertionError("a handler that throws an Error");
                                }
                            });
                            fire.informer().addHandler("sleeps", new FoldingHandler<ConfigMap>("sleeps") {
                                @Override
                                public synchronized void onUpdate(
                                        CachedObject<ConfigMap> before,
                                        CachedObject<ConfigMap> after,
                                        Merged<ConfigMap> merged) {
                                    fire.letPass(200);
                                }
                            });
                            cuts(fire, 6);
                        },
                        relists(1)),
                scenario(
                        "row 40: handlers and informers come and go",
                        breaks,
                        fire -> {
                            fire.awaitSynced();
                            fire.proxy().resetConnections();
                            for (int i = 0; i < 12; i++) {
                                SharedInformer.HandlerRegistration brief =
                                        fire.informer().addHandler("brief", new FoldingHandler<ConfigMap>("brief"));
                                SharedInformer<ConfigMap> other = fire.informers()
                                        .informer(CacheUnderFire.TYPE, fire.namespace(), "app=none-" + i);
                                fire.churn(3);
                                brief.close();
                                other.close();
                            }
                            fire.addHandler("late");
                            fire.churnUntilFaults(3);
                        },
                        relists(1)),
                scenario(
                        "row 35: the namespace ends",
                        RESUMED + " byte 500-4000: reset",
                        fire -> {
                            dropTheFirstStream(fire);
                            fire.churnUntilFaults(1);
                            fire.eyes().namespaces().withName(fire.namespace()).delete();
                            fire.await(
                                    "everything is gone",
                                    () -> fire.informer().snapshot().size() == 0);
                        },
                        relistsAsNeeded()));
    }

    // ---- the run

    /** What one scenario took. */
    record Recovery(String name, CacheUnderFire.CaughtUp took) {}

    @BeforeAll
    static void begin() {
        if (RealControlPlane.whyUnavailable().isPresent()) {
            return;
        }
        RealControlPlane plane = RealControlPlane.shared();
        KubernetesClient client = CacheUnderFire.eyes(plane.kubeconfig());
        eyes = client;
        ExecutorService started = Executors.newFixedThreadPool(AT_ONCE);
        pool = started;
        scenarios()
                .forEach(scenario -> RESULTS.put(
                        scenario.name, CompletableFuture.supplyAsync(() -> run(plane, client, scenario), started)));
    }

    @AfterAll
    static void end() {
        if (pool != null) {
            pool.shutdownNow();
        }
        if (eyes != null) {
            eyes.close();
        }
        List<Recovery> recoveries = new ArrayList<>();
        for (CompletableFuture<Recovery> result : RESULTS.values()) {
            if (result.isDone() && !result.isCompletedExceptionally()) {
                recoveries.add(result.join());
            }
        }
        Recoveries.write(
                "cache-under-fire",
                recoveries.stream().collect(java.util.stream.Collectors.toMap(Recovery::name, Recovery::took)));
    }

    /** Runs one scenario to its end. */
    static Recovery run(RealControlPlane plane, KubernetesClient eyes, Scenario scenario) {
        FaultPlan plan = FaultPlan.parse(scenario.rules);
        FaultProxy proxy = FaultProxy.before(plane, plan);
        long chances = 31 * plan.seed() + scenario.name.hashCode();
        try (CacheUnderFire fire = new CacheUnderFire(eyes, proxy, chances, RATE)) {
            fire.fill(FIXED + (scenario.name.contains("page") && !scenario.name.contains("gateway") ? 600 : 0));
            if (scenario.name.contains("X8")) {
                eyes.resource(fire.configMap("poison", "poison")).create();
            }
            if (scenario.name.contains("large")) {
                for (int i = 0; i < 6; i++) {
                    eyes.resource(fire.configMap("large-" + i, "0123456789".repeat(90_000)))
                            .create();
                }
            }
            fire.start();
            CacheUnderFire.@Nullable NotPlayed missing = null;
            try {
                scenario.course.accept(fire);
            } catch (CacheUnderFire.NotPlayed notPlayed) {
                missing = notPlayed;
            }
            fire.addHandler("at the end");
            fire.cease();
            CacheUnderFire.CaughtUp took = fire.settle(Set.of());
            if (missing != null) {
                throw missing;
            }
            assertThat(fire.informer().state().relists())
                    .as(() -> "lists; replay: " + proxy)
                    .isLessThanOrEqualTo(scenario.expected.relists);
            assertThat(proxy.faults())
                    .as("faults that struck")
                    .isGreaterThanOrEqualTo(plan.rules().isEmpty() ? 0 : scenario.expected.faults);
            return new Recovery(scenario.name, took);
        }
    }

    @ParameterizedTest(name = "{0}", allowZeroInvocations = true)
    @MethodSource("scenarios")
    void nothingIsLostNothingIsStaleNothingIsStuck(Scenario scenario) throws Exception {
        assumeTrue(RealControlPlane.whyUnavailable().isEmpty(), () -> RealControlPlane.whyUnavailable()
                .orElse(""));
        try {
            assertThat(RESULTS.get(scenario.name).get()).isNotNull();
        } catch (ExecutionException e) {
            throw new AssertionError(scenario.rules + "\n" + e.getCause().getMessage(), e.getCause());
        }
    }
}
