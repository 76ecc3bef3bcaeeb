package io.homeostat.integrationtests.planted.informer;

/** Planted: the forbidden arrow back, which also makes a cycle. */
public final class KnowsWorkqueue {
    /** An innocent method. */
    public Class<?> queue() {
        return io.homeostat.integrationtests.planted.workqueue.Queue.class;
    }
}
