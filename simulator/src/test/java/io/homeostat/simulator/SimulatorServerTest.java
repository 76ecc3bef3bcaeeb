package io.homeostat.simulator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.homeostat.core.Headers;
import io.homeostat.core.HttpAnswer;
import io.homeostat.core.HttpCall;
import io.homeostat.core.SystemRuntime;
import io.homeostat.core.Transport;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What is special to the simulator over HTTP; what it answers is tested by {@link Conformance}. */
class SimulatorServerTest {
    private final HttpClient http =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    private SystemRuntime runtime;
    private Simulator simulator;
    private SimulatorServer server;

    @BeforeEach
    void start() {
        runtime = SystemRuntime.create();
        simulator = Simulator.on(runtime).withoutWorkloads().build();
        server = simulator.serve(0);
    }

    @AfterEach
    void stop() {
        simulator.close();
        runtime.close();
    }

    private HttpRequest.Builder request(String target) {
        return HttpRequest.newBuilder(URI.create(server.url() + target)).timeout(Duration.ofSeconds(20));
    }

    private BufferedReader watch() throws IOException, InterruptedException {
        HttpResponse<InputStream> response = http.send(
                request(Client.CONFIG_MAPS + "?watch=true&resourceVersion=1").build(),
                HttpResponse.BodyHandlers.ofInputStream());
        assertThat(response.statusCode()).isEqualTo(200);
        return new BufferedReader(new InputStreamReader(response.body(), StandardCharsets.UTF_8));
    }

    private int create(String name) throws IOException, InterruptedException {
        return http.send(
                        request(Client.CONFIG_MAPS)
                                .header("Content-Type", "application/json")
                                .POST(HttpRequest.BodyPublishers.ofString(Client.configMap(name, "1")))
                                .build(),
                        HttpResponse.BodyHandlers.discarding())
                .statusCode();
    }

    @Test
    void anEventIsFlushedWhenItHappens() throws Exception {
        try (BufferedReader watch = watch()) {
            assertThat(create("a")).isEqualTo(201);
            assertThat(watch.readLine()).startsWith("{\"type\":\"ADDED\"").contains("\"name\":\"a\"");
            assertThat(create("b")).isEqualTo(201);
            assertThat(watch.readLine()).contains("\"name\":\"b\"");
        }
    }

    @Test
    void aRestartBreaksStreamsWithoutEndingThem() throws Exception {
        try (BufferedReader watch = watch()) {
            create("a");
            watch.readLine();
            simulator.restart();
            assertThatThrownBy(watch::readLine).isInstanceOf(IOException.class);
        }
        assertThat(create("b")).isEqualTo(201);
    }

    @Test
    void anEndedStreamEndsAsHttpSaysItShould() throws Exception {
        try (BufferedReader watch = watch()) {
            simulator.faults().endStreams(r -> true);
            assertThat(watch.readLine()).isNull();
        }
    }

    @Test
    void closingBreaksWhatIsOpenAndListensNoMore() throws Exception {
        try (BufferedReader watch = watch()) {
            String url = server.url();
            server.close();
            assertThatThrownBy(watch::readLine).isInstanceOf(IOException.class);
            assertThatThrownBy(() -> http.send(
                            HttpRequest.newBuilder(URI.create(url + "/livez")).build(),
                            HttpResponse.BodyHandlers.discarding()))
                    .isInstanceOf(IOException.class);
        }
    }

    @Test
    void theKubeconfigLeadsToTheServer() {
        assertThat(server.kubeconfig()).contains("server: " + server.url()).contains("namespace: default");
        assertThat(server.url()).isEqualTo("http://127.0.0.1:" + server.port());
    }

    @Test
    void twoServersOfOneSimulatorShowOneCluster() throws Exception {
        SimulatorServer second = simulator.serve(0);
        create("a");
        HttpResponse<String> list = http.send(
                HttpRequest.newBuilder(URI.create(second.url() + Client.CONFIG_MAPS))
                        .build(),
                HttpResponse.BodyHandlers.ofString());
        assertThat(list.body()).contains("\"name\":\"a\"");
    }

    @Test
    void oneClusterIsReachedInMemoryAndOverHttp() throws Exception {
        HttpAnswer created;
        HttpResponse<Void> seen;
        // region reach
        try (Simulator cluster =
                Simulator.on(runtime).workloads(Duration.ofMillis(50)).build()) {
            Transport inMemory = cluster.transport(runtime);
            SimulatorServer overHttp = cluster.serve(0); // for kubectl: overHttp.kubeconfig()
            // endregion reach
            created = runtime.await(
                    inMemory.send(
                            new HttpCall(
                                    "POST",
                                    Client.CONFIG_MAPS,
                                    Headers.of("Content-Type", "application/json"),
                                    Client.configMap("a", "1").getBytes(StandardCharsets.UTF_8),
                                    HttpCall.Kind.REQUEST),
                            1 << 20),
                    Duration.ofSeconds(20));
            seen = http.send(
                    HttpRequest.newBuilder(URI.create(overHttp.url() + Client.CONFIG_MAPS + "/a"))
                            .build(),
                    HttpResponse.BodyHandlers.discarding());
        }
        assertThat(created.status()).isEqualTo(201);
        assertThat(seen.statusCode()).isEqualTo(200);
    }
}
