package io.homeostat.reconciler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.homeostat.client.ApiClient;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.ResourceType;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Transport;
import io.homeostat.simulator.Simulator;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class ProcessShellTest {
    /** A simulator with the CRD and one widget, made by the shell itself. */
    private static final class Embedded implements ClusterSource {
        final List<String> calls = new CopyOnWriteArrayList<>();
        volatile int version; // what /version is answered; 0 for the version
        private @Nullable Simulator simulator;

        @Override
        public Transport connect(EngineRuntime runtime) {
            calls.add("connect");
            Simulator made = Simulator.on(runtime).build();
            simulator = made;
            Transport transport = made.transport(runtime);
            ApiClient client = ApiClient.over(runtime, transport, ApiClient.Settings.of("setup"));
            ApiClient.Apply how = new ApiClient.Apply("setup", ApiClient.Apply.Force.YES);
            client.blocking()
                    .apply(
                            ResourceType.of(
                                    io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinition.class),
                            ObjectKey.clusterScoped("widgets.test.example.com"),
                            how,
                            Widget.CRD.getBytes(StandardCharsets.UTF_8));
            while (!runtime.await(client.discovery().serves(World.WIDGETS), Duration.ofSeconds(10))) {
                runtime.sleep(Duration.ofMillis(5));
            }
            client.blocking()
                    .apply(
                            World.WIDGETS,
                            new ObjectKey("default", "w"),
                            how,
                            "{\"apiVersion\":\"test.example.com/v1\",\"kind\":\"Widget\",\"metadata\":{\"name\":\"w\"},\"spec\":{\"size\":1}}"
                                    .getBytes(StandardCharsets.UTF_8));
            if (version != 0) {
                made.faults().on(request -> request.path().equals("/version")).answer(version);
            }
            return transport;
        }

        @Override
        public String describe() {
            return "the test's simulator";
        }

        @Override
        public void close() {
            calls.add("close");
            if (simulator != null) {
                simulator.close();
            }
        }
    }

    private final Embedded cluster = new Embedded();
    private final BlockingQueue<Reconciled> reconciled = new LinkedBlockingQueue<>();

    private Operator operator(Reconciler<Widget> reconciler) {
        return Operator.named("test-operator")
                .defaultCluster(cluster)
                .observer(reconciled::add)
                .controller(Widget.class, c -> c.reconciler(reconciler));
    }

    @Test
    void variableThatLacksALetterDoesNotMeanAllNamespaces() {
        assertThatThrownBy(() -> Settings.parse(Operator.named("o"), Map.of("HOMEOSTAT_NAMESPACE", "one")))
                .isInstanceOfSatisfying(OperatorException.class, wrong -> assertThat(wrong.exitCode())
                        .isEqualTo(2))
                .hasMessageContaining("HOMEOSTAT_NAMESPACES");
        assertThatThrownBy(() -> Operator.named("o").namespaces(List.of())).hasMessageContaining("to work in all");
    }

    @Test
    void runWorksUntilItsThreadIsInterruptedAndClosesEverything() throws Exception {
        Operator operator = operator((widget, context) -> Result.done());
        AtomicReference<@Nullable Throwable> thrown = new AtomicReference<>();
        Thread main = new Thread(() -> {
            try {
                operator.run();
            } catch (Throwable failed) {
                thrown.set(failed);
            }
        });
        main.start();
        assertThat(reconciled.poll(60, TimeUnit.SECONDS)).isNotNull();
        main.interrupt();
        main.join(TimeUnit.SECONDS.toMillis(60));
        assertThat(main.isAlive()).isFalse();
        assertThat(thrown.get()).isNull();
        assertThat(cluster.calls).containsExactly("connect", "close");
    }

    @Test
    void serverThatAnswersNothingButErrorsIsNoServerThatDoesNotAnswer() throws Exception {
        Operator operator = operator((widget, context) -> Result.done());
        cluster.version = 503;
        AtomicReference<@Nullable Throwable> thrown = new AtomicReference<>();
        Thread main = new Thread(() -> {
            try {
                ProcessShell.run(operator, Duration.ofMillis(1));
            } catch (Throwable failed) {
                thrown.set(failed);
            }
        });
        main.start();
        assertThat(reconciled.poll(60, TimeUnit.SECONDS)).isNotNull();
        main.interrupt();
        main.join(TimeUnit.SECONDS.toMillis(60));
        assertThat(thrown.get()).isNull();
    }

    @Test
    void errorOfTheJvmEndsRunWithASentence() {
        Operator operator = operator((widget, context) -> {
            throw new OutOfMemoryError("made up");
        });
        assertThatThrownBy(operator::run)
                .isInstanceOfSatisfying(OperatorException.class, failed -> assertThat(failed.exitCode())
                        .isEqualTo(1))
                .hasMessageContaining("OutOfMemoryError")
                .hasMessageContaining("Start it again");
        assertThat(cluster.calls).containsExactly("connect", "close");
    }

    @Test
    void ownFlagsRunBeforeTheControllersAndTheirFailureEndsTheStart() {
        Operator operator = operator((widget, context) -> Result.done())
                .flag("prepare", "does something first", client -> {
                    assertThat(client.get(World.WIDGETS, new ObjectKey("default", "w")))
                            .isPresent();
                    throw new java.io.IOException("the disk is full; empty it");
                });
        assertThatThrownBy(() -> operator.run("--prepare"))
                .isInstanceOfSatisfying(OperatorException.class, failed -> assertThat(failed.exitCode())
                        .isEqualTo(1))
                .hasMessageContaining("could not start on the test's simulator")
                .hasMessageContaining("empty it");
        assertThat(reconciled).isEmpty();
    }

    @Test
    void kubeconfigThatIsNotThereEndsTheStartWithASentence() {
        Operator operator = operator((widget, context) -> Result.done());
        assertThatThrownBy(() -> operator.run("--kubeconfig", "/nowhere/kubeconfig"))
                .isInstanceOfSatisfying(OperatorException.class, failed -> assertThat(failed.exitCode())
                        .isEqualTo(1))
                .hasMessageContaining("/nowhere/kubeconfig");
        assertThat(cluster.calls).isEmpty();
    }

    @Test
    void flagsAndVariablesThatAreNotUnderstoodAreExitCodeTwoAndSaidWithTheirFix() {
        Reconciler<Widget> nothing = (widget, context) -> Result.done();
        for (String[] wrong : new String[][] {
            {"--bogus"},
            {"bogus"},
            {"--workers"},
            {"--workers", "0"},
            {"--workers=x"},
            {"--drain-timeout", "soon"},
            {"--audit-caches-every", "0s"},
            {"--namespaces", "one,Not_One"},
            {"--namespaces", "one,"},
            {"--kubeconfig", ""},
            {"--own=1"}
        }) {
            assertThatThrownBy(
                            () -> Settings.parse(operator(nothing).flag("own", "text", client -> {}), Map.of(), wrong))
                    .as(String.join(" ", wrong))
                    .isInstanceOfSatisfying(OperatorException.class, failed -> assertThat(failed.exitCode())
                            .isEqualTo(2))
                    .hasMessageContaining("--help");
        }
        assertThatThrownBy(() -> Settings.parse(operator(nothing), Map.of("HOMEOSTAT_WORKERS", "many")))
                .isInstanceOf(OperatorException.class)
                .hasMessageContaining("HOMEOSTAT_WORKERS");
    }

    @Test
    void flagWinsOverItsVariable() {
        Operator operator = operator((widget, context) -> Result.done());
        Settings.Parsed parsed = Settings.parse(
                operator,
                Map.of("HOMEOSTAT_WORKERS", "3", "KUBECONFIG", "/from/environment", "HOMEOSTAT_NAMESPACES", "ns,other"),
                "--workers=7",
                "--drain-timeout",
                "1500ms",
                "--audit-caches-every=1h",
                "--reconcile-deadline=PT5M");
        assertThat(operator.limits().workers()).isEqualTo(7);
        assertThat(operator.limits().deadline()).isEqualTo(Duration.ofMinutes(5));
        assertThat(operator.drainTimeout()).isEqualTo(Duration.ofMillis(1500));
        assertThat(operator.cacheAudit()).isEqualTo(Duration.ofHours(1));
        assertThat(operator.namespaces()).containsExactly("ns", "other");
        assertThat(parsed.kubeconfig()).isEqualTo("/from/environment");
        assertThat(parsed.kubeconfigIsFlag()).isFalse();
    }

    @Test
    void helpNamesEveryFlag() {
        String help = Settings.help(operator((widget, context) -> Result.done()).flag("own", "its text", client -> {}));
        assertThat(help)
                .contains(
                        "--own",
                        "its text",
                        "--kubeconfig FILE",
                        "the test's simulator",
                        "--workers N",
                        "HOMEOSTAT_WORKERS")
                .contains("--help");
    }
}
