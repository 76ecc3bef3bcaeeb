package io.homeostat.integrationtests.planted.workqueue;

/** Planted: the forbidden arrow. */
final class KnowsInformer {
    Object informer() {
        return new io.homeostat.integrationtests.planted.informer.KnowsWorkqueue();
    }
}
