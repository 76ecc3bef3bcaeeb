package io.homeostat.integrationtests.planted.core;

import io.fabric8.kubernetes.api.model.Pod;

/** Planted: a library that is not for this room. */
final class KnowsModel {
    Pod pod() {
        return new Pod();
    }
}
