package io.homeostat.testkit;

import io.homeostat.core.Experimental;

/** What stands behind the API in a test. */
@Experimental
public enum Backend {
    /** The embedded simulator, over HTTP on a loopback port: a fresh one for each test. */
    SIMULATOR("simulator"),
    /** A real etcd and kube-apiserver on this machine: one per JVM, a fresh namespace for each test. */
    REAL("real kube-apiserver");

    private final String title;

    Backend(String title) {
        this.title = title;
    }

    /** How test reports name it. */
    public String title() {
        return title;
    }
}
