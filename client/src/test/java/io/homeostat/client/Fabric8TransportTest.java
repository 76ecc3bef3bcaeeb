package io.homeostat.client;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.ConfigBuilder;
import io.homeostat.core.Transport;
import org.junit.jupiter.api.Test;

class Fabric8TransportTest extends TransportContract {
    @Override
    Transport connect(String url) {
        return new Fabric8Transport(
                runtime,
                new ConfigBuilder(Config.empty())
                        .withMasterUrl(url)
                        .withAutoOAuthToken(CANARY)
                        .build());
    }

    @Override
    int mostRequestsOfALostGet() {
        return 5; // jdk.httpclient.redirects.retrylimit, for the whole JVM
    }

    @Test
    void credentialsOfTheConfigurationAreSent() throws Exception {
        WireServer server = answering(WireServer.answer(200, "{}"));

        all(transport(server), get()).awaitOver();

        assertThat(server.requests().get(0).head()).containsPattern("(?i)authorization: bearer " + CANARY);
    }
}
