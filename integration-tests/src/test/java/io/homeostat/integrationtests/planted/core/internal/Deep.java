package io.homeostat.integrationtests.planted.core.internal;

/** Planted: in a sub-package. */
public final class Deep {}
