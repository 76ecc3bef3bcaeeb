package io.homeostat.testkit;

import java.util.List;

/** What stands behind a {@link Cluster}: one implementation per {@link Backend}. Any thread may call it. */
interface TestServer extends AutoCloseable {
    Backend backend();

    /** Talks to it as the test, not as the operator under test: not part of {@link #requests}. */
    ApiObserver observer();

    /** The text of a kubeconfig for {@code user}. */
    String kubeconfig(String user, List<String> groups);

    /** What {@code user} has sent so far, oldest first. */
    List<ServedRequest> requests(String user);

    /** Whether a namespace gets a default service account, without which no pod can be made in it. */
    boolean makesServiceAccounts();

    /** Keeps what helps to find out why a test failed, and says where it is. */
    void testFailed();

    /** Releases what belongs to this test alone. */
    @Override
    void close();
}
