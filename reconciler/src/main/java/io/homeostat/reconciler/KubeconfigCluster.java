package io.homeostat.reconciler;

import io.homeostat.client.ClusterConnection;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Transport;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** The cluster of a kubeconfig, or the one that is there: see {@link ClusterConnection#auto}. */
final class KubeconfigCluster implements ClusterSource {
    private final @Nullable String file;
    private volatile @Nullable ClusterConnection connection; // set by connect, read for messages

    KubeconfigCluster(@Nullable String file) {
        this.file = file;
    }

    @Override
    public Transport connect(EngineRuntime runtime) {
        ClusterConnection found =
                file == null ? ClusterConnection.auto() : ClusterConnection.fromKubeconfig(Path.of(file));
        connection = found;
        return found.open(runtime);
    }

    @Override
    public String describe() {
        ClusterConnection found = connection;
        if (found != null) {
            return found.toString();
        }
        return file == null ? "a cluster" : "the cluster of " + file;
    }
}
