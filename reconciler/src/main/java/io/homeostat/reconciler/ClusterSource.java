package io.homeostat.reconciler;

import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Spi;
import io.homeostat.core.Transport;

/** A cluster that {@link Operator#run} can work on: one named by a kubeconfig, the one around the pod, or one made here. */
@Spi
public interface ClusterSource {
    /**
     * Opens the way to the API server; closed by the caller.
     *
     * @throws Exception when that cannot be; the message is shown to the person who started the operator and says what to do
     */
    Transport connect(EngineRuntime runtime) throws Exception;

    /** Which cluster, in a few words for the log: {@code https://10.0.0.1:6443 (from ~/.kube/config)}. */
    String describe();

    /** Releases what {@link #connect} made besides the transport. Called once, last, whether or not it succeeded. */
    default void close() {}
}
