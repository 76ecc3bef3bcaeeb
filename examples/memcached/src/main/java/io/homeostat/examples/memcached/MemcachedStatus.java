package io.homeostat.examples.memcached;

import io.fabric8.kubernetes.api.model.Condition;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What is there. */
public class MemcachedStatus {
    private @Nullable Integer readyReplicas;
    private @Nullable Long observedGeneration;
    private List<Condition> conditions = new ArrayList<>();

    /** How many servers are ready. */
    public @Nullable Integer getReadyReplicas() {
        return readyReplicas;
    }

    /** Sets {@link #getReadyReplicas}. */
    public void setReadyReplicas(@Nullable Integer readyReplicas) {
        this.readyReplicas = readyReplicas;
    }

    /** The generation of the spec this status tells of. */
    public @Nullable Long getObservedGeneration() {
        return observedGeneration;
    }

    /** Sets {@link #getObservedGeneration}. */
    public void setObservedGeneration(@Nullable Long observedGeneration) {
        this.observedGeneration = observedGeneration;
    }

    /** {@code Ready}: whether all servers that are wanted are ready. */
    public List<Condition> getConditions() {
        return conditions;
    }

    /** Sets {@link #getConditions}. */
    public void setConditions(List<Condition> conditions) {
        this.conditions = conditions;
    }
}
