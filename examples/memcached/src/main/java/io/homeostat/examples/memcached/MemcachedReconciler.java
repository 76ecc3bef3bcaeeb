package io.homeostat.examples.memcached;

import static io.homeostat.examples.memcached.MemcachedObjects.deploymentOf;
import static io.homeostat.examples.memcached.MemcachedObjects.readyReplicasOf;
import static io.homeostat.examples.memcached.MemcachedObjects.serviceOf;

import io.fabric8.kubernetes.api.model.Condition;
import io.fabric8.kubernetes.api.model.ConditionBuilder;
import io.fabric8.kubernetes.api.model.apps.Deployment;
import io.fabric8.kubernetes.api.model.apps.DeploymentStatus;
import io.homeostat.reconciler.Conditions;
import io.homeostat.reconciler.Context;
import io.homeostat.reconciler.Reconciler;
import io.homeostat.reconciler.Result;
import java.util.Objects;

/** Keeps a Deployment and a Service for each Memcached, and says in its status how many servers are ready. */
public final class MemcachedReconciler implements Reconciler<Memcached> {
    // region reconcile
    @Override
    public Result reconcile(Memcached memcached, Context<Memcached> context) {
        Deployment deployment = context.apply(deploymentOf(memcached)); // server-side apply, owned
        context.apply(serviceOf(memcached));
        context.updateStatus((MemcachedStatus status) -> {
            status.setReadyReplicas(readyReplicasOf(deployment));
            status.setObservedGeneration(memcached.getMetadata().getGeneration());
            Conditions.set(context, status.getConditions(), ready(memcached, deployment));
        });
        return Result.done(); // a change of the Deployment or the Service brings us back
    }
    // endregion reconcile

    private static Condition ready(Memcached memcached, Deployment deployment) {
        int wanted = memcached.getSpec().getSize();
        boolean ready = isRolledOut(deployment, wanted);
        return new ConditionBuilder()
                .withType("Ready")
                .withStatus(ready ? "True" : "False")
                .withReason(ready ? "AllServersReady" : "ServersNotReady")
                .withMessage(readyReplicasOf(deployment) + " of " + wanted + " servers are ready")
                .withObservedGeneration(memcached.getMetadata().getGeneration())
                .build();
    }

    /** Whether the Deployment's status is about its newest spec, and counts nothing but ready servers of that spec. */
    private static boolean isRolledOut(Deployment deployment, int wanted) {
        DeploymentStatus status = deployment.getStatus();
        return status != null
                && Objects.equals(
                        status.getObservedGeneration(), deployment.getMetadata().getGeneration())
                && Objects.equals(status.getReplicas(), wanted)
                && Objects.equals(status.getUpdatedReplicas(), wanted)
                && readyReplicasOf(deployment) == wanted;
    }
}
