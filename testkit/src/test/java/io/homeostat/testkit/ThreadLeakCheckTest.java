package io.homeostat.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectMethod;

import java.net.http.HttpClient;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.platform.testkit.engine.EngineTestKit;

final class ThreadLeakCheckTest {
    private static final CountDownLatch END = new CountDownLatch(1);

    /** Keeps the client from the collector, which would end its thread. */
    private static final AtomicReference<@Nullable HttpClient> CLIENT = new AtomicReference<>();

    @ExtendWith(ThreadLeakCheck.class)
    static final class Tests {
        @Test
        void leaks() {
            Thread thread = new Thread(ThreadLeakCheckTest::waitForTheEnd, "leaky");
            thread.setDaemon(true);
            thread.start();
        }

        @Test
        void leavesAClientOpen() {
            CLIENT.set(HttpClient.newHttpClient());
        }

        @Test
        void endsWhatItStarted() throws Exception {
            Thread thread = new Thread(() -> {}, "short");
            thread.start();
            thread.join();
        }
    }

    private static void waitForTheEnd() {
        try {
            END.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Test
    void threadLeftRunningFailsTheTestAndIsNamed() {
        try {
            var tests = EngineTestKit.engine("junit-jupiter")
                    .selectors(selectMethod(Tests.class, "leaks"))
                    .execute()
                    .testEvents();

            tests.assertStatistics(stats -> stats.failed(1));
            assertThat(tests.failed().list().get(0).getPayload().orElseThrow().toString())
                    .contains("1 thread(s) still run")
                    .contains("leaky")
                    .contains("waitForTheEnd");
        } finally {
            END.countDown();
        }
    }

    @Test
    void clientOfTheJdkLeftOpenFailsTheTest() {
        try {
            var tests = EngineTestKit.engine("junit-jupiter")
                    .selectors(selectMethod(Tests.class, "leavesAClientOpen"))
                    .execute()
                    .testEvents();

            tests.assertStatistics(stats -> stats.failed(1));
            assertThat(tests.failed().list().get(0).getPayload().orElseThrow().toString())
                    .contains("HttpClient-")
                    .contains("SelectorManager");
        } finally {
            CLIENT.set(null);
        }
    }

    @Test
    void threadThatEndedIsNoLeak() {
        EngineTestKit.engine("junit-jupiter")
                .selectors(selectMethod(Tests.class, "endsWhatItStarted"))
                .execute()
                .testEvents()
                .assertStatistics(stats -> stats.succeeded(1));
    }
}
