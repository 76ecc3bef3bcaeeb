package io.homeostat.client;

import io.homeostat.core.Spi;
import java.util.Optional;

/**
 * Asked before each write leaves the process: the place of the lease (P-L2). Once when the write is made, and again directly before its
 * first byte leaves, since in between it may have waited for its turn, for credentials or for a connection. Behind a proxy the second time
 * is before fabric8's client connects.
 *
 * <p><b>Threads.</b> Any; must not block. A throw counts as a refusal.
 */
@Spi
@FunctionalInterface
public interface WriteGate {
    /** Lets every write pass. */
    WriteGate OPEN = write -> Optional.empty();

    /** Why {@code write} must not be sent now; empty when it may. A refused write ends with {@link ApiException.GateClosed}. */
    Optional<String> refusal(Write write);
}
