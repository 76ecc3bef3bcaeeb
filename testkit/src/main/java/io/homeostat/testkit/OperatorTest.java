package io.homeostat.testkit;

import io.homeostat.core.Experimental;
import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Inherited;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.junit.jupiter.api.TestTemplate;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * A test that needs a Kubernetes API: written once, run on each {@link Backend} named by {@link #on}.
 *
 * <pre>
 * &#64;OperatorTest(on = {Backend.SIMULATOR, Backend.REAL})
 * void deploymentFollowsTheSize(Cluster cluster) { ... }
 * </pre>
 *
 * <p>It stands in place of {@code @Test}. On a class it only says where those of its tests run that do not say it themselves. A
 * parameter of type {@link Cluster}, also of a {@code @BeforeEach} method, is the cluster of that one test, with a namespace of
 * its own. Tests on the real server are skipped, with the reason, when the environment variable {@code KUBEBUILDER_ASSETS} names no
 * folder with etcd and kube-apiserver.
 *
 * <p>A test that leaves threads running fails (see {@link ThreadLeakCheck}), and so does one whose {@link Cluster#canary} was
 * printed or logged. When a test on the real server fails, the server's
 * logs are kept and their folder is printed at the end.
 */
@Experimental
@Documented
@Inherited
@Target({ElementType.METHOD, ElementType.TYPE})
@Retention(RetentionPolicy.RUNTIME)
@TestTemplate
@ExtendWith(OperatorTestExtension.class)
public @interface OperatorTest {
    /** Where the test runs. When empty: where the class says, and on the simulator if it says nothing. */
    Backend[] on() default {};
}
