package io.homeostat.client;

import static org.assertj.core.api.Assertions.assertThat;

import io.homeostat.core.SystemRuntime;
import io.homeostat.core.Transport;
import java.net.InetAddress;
import java.net.URI;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AddressesTest {
    private static InetAddress address(int last) throws Exception {
        return InetAddress.getByAddress(new byte[] {127, 0, 0, (byte) last});
    }

    @Test
    void addressThatAConnectionCameAboutWithIsTheFirstOfTheNext() throws Exception {
        InetAddress[] found = {address(2), address(3), address(1)}; // nobody listens on the first two
        Addresses addresses = new Addresses("api.example.com", host -> found);
        try (SystemRuntime runtime = SystemRuntime.create();
                WireServer server = WireServer.answering(WireServer.answer(200, "{}"))) {
            int port = URI.create(server.url()).getPort();
            Transport transport = new SocketTransport(
                    runtime,
                    new SocketEndpoint("api.example.com", port, "", null, "", new Credentials(List.of(), null)),
                    addresses);
            assertThat(addresses.inOrder()).containsExactly(found);

            assertThat(TransportContract.all(transport, TransportContract.get())
                            .awaitOver()
                            .status())
                    .isEqualTo(200);

            assertThat(addresses.inOrder()).containsExactly(address(1), address(2), address(3));
            transport.close();
        }
    }

    @Test
    void addressThatIsNoLongerAmongThemIsForgotten() throws Exception {
        InetAddress[] found = {address(2), address(3)};
        Addresses addresses = new Addresses("api.example.com", host -> found);

        addresses.worked(address(9));

        assertThat(addresses.inOrder()).containsExactly(found);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 5, 10, 20})
    void allAddressesAreTriedWithinTheTimeOfARequest(int count) {
        assertThat(Addresses.patience(count).multipliedBy(count)).isLessThanOrEqualTo(Duration.ofSeconds(20));
        assertThat(Addresses.patience(count)).isGreaterThanOrEqualTo(Duration.ofSeconds(1));
    }
}
