package io.homeostat.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.homeostat.core.DeadlineExceededException;
import io.homeostat.core.Lane;
import io.homeostat.core.SystemRuntime;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

final class FasterRuntimeTest {
    @Test
    void timersWaitsAndTheClockAreAllFaster() {
        try (FasterRuntime runtime = FasterRuntime.over(SystemRuntime.create(), 100)) {
            long real = System.nanoTime();
            long begin = runtime.nanos();
            runtime.sleep(Duration.ofSeconds(10));
            assertThat(runtime.nanos() - begin)
                    .isGreaterThanOrEqualTo(Duration.ofSeconds(10).toNanos());

            CompletableFuture<Long> fired = new CompletableFuture<>();
            Lane lane = runtime.lane("timers");
            runtime.after(Duration.ofSeconds(10), lane, () -> fired.complete(runtime.nanos()));
            assertThat(runtime.await(fired, Duration.ofMinutes(10)) - begin)
                    .isGreaterThanOrEqualTo(Duration.ofSeconds(20).toNanos());

            assertThatThrownBy(() -> runtime.await(new CompletableFuture<>(), Duration.ofSeconds(5)))
                    .isInstanceOf(DeadlineExceededException.class);
            assertThat(System.nanoTime() - real)
                    .isLessThan(Duration.ofSeconds(10).toNanos());
        }
    }

    @Test
    void aRateThatIsNoneIsRefused() {
        SystemRuntime real = SystemRuntime.create();
        assertThatThrownBy(() -> FasterRuntime.over(real, 0)).isInstanceOf(IllegalArgumentException.class);
        real.close();
    }
}
