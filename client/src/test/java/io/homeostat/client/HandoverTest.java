package io.homeostat.client;

import static org.assertj.core.api.Assertions.assertThat;

import io.homeostat.virtualruntime.VirtualProcess;
import io.homeostat.virtualruntime.VirtualWorld;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class HandoverTest {
    private final VirtualWorld world = VirtualWorld.seeded(3);
    private final VirtualProcess process = world.process("operator");
    private final List<Long> looks = new ArrayList<>();
    private final List<Runnable> duringTheNextLook = new ArrayList<>();
    private TlsMaterial.Version version;
    private Handover handover;

    @BeforeEach
    void begin() throws Exception {
        version = new TlsMaterial(null, null, null, TlsMaterial.Verification.NONE).current(null);
        handover = new Handover(process, () -> {
            looks.add(world.now().toSeconds());
            List<Runnable> now = List.copyOf(duringTheNextLook);
            duringTheNextLook.clear();
            now.forEach(Runnable::run);
            return version;
        });
    }

    @AfterEach
    void end() {
        world.close();
    }

    private Handover.Stream open() {
        return handover.opened(version, () -> {});
    }

    @Test
    void looksAreTakenEveryFiveSecondsWhileStreamsAreOpen() {
        Handover.Stream one = open();
        Handover.Stream other = open();
        world.runFor(Duration.ofSeconds(11));
        one.ended();
        world.runFor(Duration.ofSeconds(5));
        other.ended();
        world.runFor(Duration.ofMinutes(1));

        assertThat(looks).containsExactly(5L, 10L, 15L);
    }

    @Test
    void streamThatEndsAndOneThatOpensDuringALookLeaveOneLookToCome() {
        Handover.Stream first = open();
        duringTheNextLook.add(() -> {
            first.ended(); // the last one
            open();
        });

        world.runFor(Duration.ofSeconds(31));

        assertThat(looks).hasSize(6);
    }
}
