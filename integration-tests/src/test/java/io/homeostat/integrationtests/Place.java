package io.homeostat.integrationtests;

import io.homeostat.testkit.Polling;
import io.homeostat.testkit.Tree;
import java.util.List;
import java.util.Optional;

/**
 * Where a scenario plays: a virtual world, the simulator over HTTP, or a real kube-apiserver. The operator under test runs there;
 * everything else is a user of the cluster, whose requests are not the operator's.
 */
interface Place extends AutoCloseable {
    /** The namespace of this scenario. */
    String namespace();

    /** Starts an operator process; there is none, or the last one has ended or crashed. */
    void startOperator();

    /** Ends the operator process as {@code kill -9} does. */
    void crashOperator();

    /** Ends the operator process as SIGTERM does; whether everything under way had ended. */
    boolean stopOperator();

    /** How many requests the operator has sent so far that are neither watches nor the heartbeat. */
    long operatorRequests();

    /** Applies one object (JSON or YAML) in the namespace. */
    void apply(String object);

    /** An object of the namespace. */
    Optional<Tree> find(String apiVersion, String kind, String name);

    /** All objects of that kind in the namespace. */
    List<Tree> list(String apiVersion, String kind);

    /** A merge patch by a user. */
    void patch(String apiVersion, String kind, String name, String patch);

    /** A delete by a user, dependents in the background. */
    void delete(String apiVersion, String kind, String name);

    /** Lets things happen until {@code assertion} holds; bounded. */
    void eventually(Polling.Assertion assertion);

    /** Lets things happen for about that long, on the place's clock. */
    void letPass(java.time.Duration time);

    @Override
    void close();

    /** The object, which is there. */
    default Tree get(String apiVersion, String kind, String name) {
        return find(apiVersion, kind, name)
                .orElseThrow(() -> new AssertionError("there is no " + kind + " " + namespace() + "/" + name));
    }
}
