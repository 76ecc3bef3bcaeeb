package io.homeostat.client;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Allocation repeats to the byte, so it may gate the build where a time may not. */
class WireFormatAllocationTest {
    private static final int PODS = 500;

    @Test
    void aPodCostsItsKeptBytesAndLittleMore() throws Exception {
        byte[] stream = WireFormatMeasurement.watchOfPods(PODS);
        ThreadMXBean thread = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        // The first pass loads classes.
        List<RawObject> objects = WireFormatMeasurement.read(stream);
        long before = thread.getCurrentThreadAllocatedBytes();
        WireFormatMeasurement.read(stream);
        long perPod = (thread.getCurrentThreadAllocatedBytes() - before) / PODS;
        int kept = objects.get(PODS - 1).bytes().length;
        int sent = stream.length / PODS;
        assertThat((double) kept / sent).as("kept of what was sent").isLessThan(0.6);
        assertThat(perPod)
                .as("bytes allocated for a Pod of %d bytes, %d kept", sent, kept)
                .isLessThan(kept + 1200L);
    }
}
