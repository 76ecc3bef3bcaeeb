package io.homeostat.integrationtests.planted.core;

/** Planted: a name that says nothing. */
final class QueueManager {}
