package io.homeostat.integrationtests.planted.core;

/** Planted: an exception without a message. */
final class SaysNothing {
    void silent() {
        throw new IllegalStateException();
    }
}
