package io.homeostat.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.ConfigBuilder;
import io.fabric8.kubernetes.client.server.mock.KubernetesMockServer;
import io.homeostat.core.SystemRuntime;
import io.homeostat.core.Transport;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The client against fabric8's scripted server, over both transports: one request per call, whatever is answered. */
class MockServerTest {
    private static final ResourceType<ConfigMap> CONFIG_MAPS = ResourceType.of(ConfigMap.class);
    private static final ObjectKey KEY = new ObjectKey("default", "a");
    private static final String COLLECTION = "/api/v1/namespaces/default/configmaps";
    private static final String OBJECT = "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"a\","
            + "\"namespace\":\"default\",\"uid\":\"u\",\"resourceVersion\":\"3\"}}";

    enum Over {
        SOCKETS,
        FABRIC8
    }

    private final SystemRuntime runtime = SystemRuntime.create();
    private final KubernetesMockServer server = new KubernetesMockServer(false);
    private final List<Transport> transports = new ArrayList<>();

    @BeforeEach
    void start() {
        server.init();
    }

    @AfterEach
    void end() {
        transports.forEach(Transport::close);
        server.destroy();
        runtime.close();
    }

    private ApiClient client(Over over) {
        URI url = URI.create(server.url("/"));
        Transport transport = over == Over.SOCKETS
                ? new SocketTransport(
                        runtime,
                        new SocketEndpoint(
                                url.getHost(), url.getPort(), "", null, "", new Credentials(List.of(), null)))
                : new Fabric8Transport(
                        runtime,
                        new ConfigBuilder(Config.empty())
                                .withMasterUrl(url.toString())
                                .build());
        transports.add(transport);
        return ApiClient.over(
                runtime,
                transport,
                new ApiClient.Settings(
                        "test/1",
                        Duration.ofSeconds(3),
                        Duration.ofSeconds(3),
                        WriteGate.OPEN,
                        ApiClient.Compression.GZIP));
    }

    @ParameterizedTest
    @EnumSource
    void serverErrorIsAskedOnce(Over over) {
        server.expect().get().withPath(COLLECTION + "/a").andReturn(500, "{}").always();
        server.expect()
                .post()
                .withPath(COLLECTION + "?fieldManager=test")
                .andReturn(503, "")
                .withHeader("Retry-After", "7")
                .always();
        ApiClient client = client(over);

        assertThatThrownBy(() -> client.blocking().get(CONFIG_MAPS, KEY)).isInstanceOf(ApiException.ServerError.class);
        assertThatThrownBy(() ->
                        runtime.await(client.create(CONFIG_MAPS, KEY, new byte[] {'{', '}'}), Duration.ofSeconds(9)))
                .isInstanceOfSatisfying(ApiException.OutcomeUnknown.class, error -> assertThat(error.retryAfter())
                        .contains(Duration.ofSeconds(7)));
        assertThat(server.getRequestCount()).isEqualTo(2);
    }

    @ParameterizedTest
    @EnumSource
    void unauthorizedIsAskedOnce(Over over) {
        server.expect().get().withPath(COLLECTION + "/a").andReturn(401, "").always();

        assertThatThrownBy(() -> client(over).blocking().get(CONFIG_MAPS, KEY))
                .isInstanceOf(ApiException.Unauthorized.class);
        assertThat(server.getRequestCount()).isEqualTo(1);
    }

    @ParameterizedTest
    @EnumSource
    void answerThatComesTooLateIsAskedOnce(Over over) {
        server.expect()
                .put()
                .delay(6_000)
                .withPath(COLLECTION + "/a?fieldManager=test")
                .andReturn(200, OBJECT)
                .always();

        assertThatThrownBy(() -> runtime.await(
                        client(over).update(CONFIG_MAPS, KEY, "", new byte[] {'{', '}'}), Duration.ofSeconds(9)))
                .isInstanceOf(ApiException.OutcomeUnknown.class);
        assertThat(server.getRequestCount()).isEqualTo(1);
    }
}
