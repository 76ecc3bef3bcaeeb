package io.homeostat.integrationtests.planted.core;

/** Planted: a monitor. */
final class Synchronizes {
    synchronized void locked() {}
}
