package io.homeostat.client;

import io.homeostat.core.Experimental;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * One thing a {@link ClusterConnection} presents or trusts, for people and probes.
 *
 * @param what {@code "token"}, {@code "client certificate"}, {@code "certificate authority"} or {@code "exec plugin"}
 * @param source the file or the command it comes from, or {@code "inline data"}; never contents
 * @param changes how often another one has been taken into use since the start
 * @param expires when the one in use ends, as far as it says so itself; null when it does not
 * @param problem why what is there now cannot be used, so that the last good one is; null when all is well
 */
@Experimental
public record CredentialState(
        String what, String source, long changes, @Nullable Instant expires, @Nullable String problem) {}
