package io.homeostat.integrationtests.planted.core;

/** Planted: an exception without a message. */
final class SaysNothing {
    void silent(boolean wrong) {
        if (wrong) {
            throw new IllegalStateException();
        }
    }
}
