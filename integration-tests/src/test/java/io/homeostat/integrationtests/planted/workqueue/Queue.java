package io.homeostat.integrationtests.planted.workqueue;

/** Planted: what the other room should not know. */
public final class Queue {}
