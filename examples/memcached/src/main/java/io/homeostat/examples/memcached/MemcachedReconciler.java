package io.homeostat.examples.memcached;

import static io.homeostat.examples.memcached.MemcachedObjects.deploymentOf;
import static io.homeostat.examples.memcached.MemcachedObjects.readyReplicasOf;
import static io.homeostat.examples.memcached.MemcachedObjects.serviceOf;

import io.fabric8.kubernetes.api.model.Condition;
import io.fabric8.kubernetes.api.model.ConditionBuilder;
import io.fabric8.kubernetes.api.model.apps.Deployment;
import io.homeostat.reconciler.Conditions;
import io.homeostat.reconciler.Context;
import io.homeostat.reconciler.Reconciler;
import io.homeostat.reconciler.Result;

/** Keeps a Deployment and a Service for each Memcached, and says in its status how many servers are ready. */
public final class MemcachedReconciler implements Reconciler<Memcached> {
    @Override
    public Result reconcile(Memcached memcached, Context<Memcached> context) {
        Deployment deployment =
                context.apply(deploymentOf(memcached)); // server-side apply, owned, skipped when unchanged
        context.apply(serviceOf(memcached));
        context.updateStatus((MemcachedStatus status) -> {
            status.setReadyReplicas(readyReplicasOf(deployment));
            status.setObservedGeneration(memcached.getMetadata().getGeneration());
            Conditions.set(context, status.getConditions(), ready(memcached, deployment));
        });
        return Result.done(); // a change of the Deployment or the Service brings us back
    }

    private static Condition ready(Memcached memcached, Deployment deployment) {
        int wanted = memcached.getSpec().getSize();
        int ready = readyReplicasOf(deployment);
        return new ConditionBuilder()
                .withType("Ready")
                .withStatus(ready == wanted ? "True" : "False")
                .withReason(ready == wanted ? "AllServersReady" : "ServersNotReady")
                .withMessage(ready + " of " + wanted + " servers are ready")
                .withObservedGeneration(memcached.getMetadata().getGeneration())
                .build();
    }
}
