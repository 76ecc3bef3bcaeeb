package io.homeostat.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import io.homeostat.client.ClusterConnection;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Headers;
import io.homeostat.core.HttpCall;
import io.homeostat.core.Transport;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

final class FaultProxyTest extends FaultContract {
    private static final Duration SOON = Duration.ofSeconds(20);

    private @Nullable FaultProxy proxy;
    private @Nullable Transport way;

    @Override
    Transport through(EngineRuntime runtime, FaultedServer server, FaultPlan plan) throws IOException {
        FaultProxy made = FaultProxy.before(server, plan);
        proxy = made;
        Path kubeconfig = Files.createTempFile("fault-proxy-test", ".kubeconfig");
        Files.writeString(kubeconfig, made.kubeconfig());
        Transport opened = ClusterConnection.fromKubeconfig(kubeconfig).open(runtime);
        Files.delete(kubeconfig);
        way = opened;
        return opened;
    }

    private FaultProxy proxy() {
        assertThat(proxy).isNotNull();
        return proxy;
    }

    @AfterEach
    void close() {
        proxy().close();
    }

    @Override
    void follow(FaultPlan plan) {
        proxy().resetConnections(); // none that is kept from an earlier plan: rules count connections
        Polling.eventually(SOON, () -> assertThat(proxy().openConnections()).isZero());
        proxy().follow(plan);
    }

    @Override
    int requests(String verb, String resource) {
        return proxy().requests(verb, resource);
    }

    @Override
    List<String> log() {
        return proxy().log();
    }

    private Seen watch() {
        Seen seen = new Seen();
        assertThat(way).isNotNull();
        way.open(new HttpCall("GET", WATCHING, Headers.NONE, new byte[0], HttpCall.Kind.STREAM), seen)
                .demand(100);
        return seen;
    }

    @Test
    void connectionsAreCounted() {
        Seen seen = watch();
        Polling.eventually(SOON, () -> assertThat(seen.status()).isEqualTo(200));
        assertThat(proxy().acceptedConnections()).isEqualTo(1);
        assertThat(proxy().openConnections()).isEqualTo(1);

        proxy().resetConnections();

        Polling.eventually(SOON, () -> assertThat(seen.how()).isEqualTo("failed MAYBE"));
        Polling.eventually(SOON, () -> assertThat(proxy().openConnections()).isZero());
    }

    @Test
    void aNetworkThatIsDownResetsAndRefusesAndComesBackOnTheSamePort() {
        Seen before = watch();
        Polling.eventually(SOON, () -> assertThat(before.status()).isEqualTo(200));

        proxy().network(FaultProxy.Network.DOWN);
        Polling.eventually(SOON, () -> assertThat(before.how()).isEqualTo("failed MAYBE"));
        Seen during = watch();
        Polling.eventually(SOON, () -> assertThat(during.how()).isEqualTo("failed NO"));

        proxy().network(FaultProxy.Network.OPEN);
        Seen after = watch();
        Polling.eventually(SOON, () -> assertThat(after.body()).isEqualTo(FaultedServer.frames(1, 2, 3, 4, 5)));
    }

    @Test
    void aSilentNetworkHoldsEverythingBackAndLosesNothing() {
        proxy().network(FaultProxy.Network.SILENT);
        Seen seen = watch();
        Polling.eventually(SOON, () -> assertThat(proxy().acceptedConnections()).isEqualTo(1));
        assertThat(seen.how()).isEqualTo("open");
        assertThat(server.calls).isEmpty();

        proxy().network(FaultProxy.Network.OPEN);

        Polling.eventually(SOON, () -> assertThat(seen.body()).isEqualTo(FaultedServer.frames(1, 2, 3, 4, 5)));
    }

    @Test
    void connectionsAreMadeHalfOpenAndNewOnesAreNot() {
        Seen before = watch();
        Polling.eventually(SOON, () -> assertThat(before.body()).isEqualTo(FaultedServer.frames(1, 2, 3, 4, 5)));

        proxy().silenceConnections();
        server.say(FaultedServer.frame(6));

        Seen after = watch();
        Polling.eventually(SOON, () -> assertThat(after.body()).isEqualTo(FaultedServer.frames(1, 2, 3, 4, 5)));
        server.say(FaultedServer.frame(7));
        Polling.eventually(SOON, () -> assertThat(after.body()).isEqualTo(FaultedServer.frames(1, 2, 3, 4, 5, 7)));
        assertThat(before.body()).isEqualTo(FaultedServer.frames(1, 2, 3, 4, 5));
        assertThat(before.how()).isEqualTo("open");
        assertThat(proxy().openConnections()).isEqualTo(2);
    }

    @Test
    void aWatchThatItsClientGaveUpIsGivenUpAtTheServer() {
        Seen seen = new Seen();
        assertThat(way).isNotNull();
        Transport.Exchange exchange =
                way.open(new HttpCall("GET", WATCHING, Headers.NONE, new byte[0], HttpCall.Kind.STREAM), seen);
        exchange.demand(100);
        Polling.eventually(SOON, () -> assertThat(seen.status()).isEqualTo(200));

        exchange.cancel();

        Polling.eventually(SOON, () -> assertThat(proxy().openConnections()).isZero());
        Polling.eventually(SOON, () -> assertThat(server.openExchanges()).isZero());
    }
}
