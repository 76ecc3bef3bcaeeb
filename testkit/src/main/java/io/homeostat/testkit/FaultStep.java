package io.homeostat.testkit;

import io.homeostat.core.Headers;
import java.time.Duration;

/** One thing to do to a client, in order: the same steps over sockets and behind a {@link FaultTransport}. */
sealed interface FaultStep {
    /** The status line and headers. */
    record Head(int status, Headers headers) implements FaultStep {}

    /** Bytes of the body. */
    record Bytes(byte[] bytes) implements FaultStep {}

    /** Nothing for a while. */
    record Pause(Duration time) implements FaultStep {}

    /** The last step of an exchange. */
    record Over(FaultAction.End how) implements FaultStep {}
}
