package io.homeostat.testkit;

import io.homeostat.core.Experimental;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ExtensionContext.Namespace;

/**
 * Fails a test that leaves threads running which were not there before it: {@code @ExtendWith(ThreadLeakCheck.class)}, part of
 * {@link OperatorTest}.
 *
 * <p>A thread gets {@value #GRACE_SECONDS} s to end after the test. Threads of the JVM and of this kit are left out. It looks at
 * the whole JVM, so tests that use it must not run concurrently.
 */
@Experimental
public final class ThreadLeakCheck implements BeforeEachCallback, AfterEachCallback {
    private static final Namespace NAMESPACE = Namespace.create(ThreadLeakCheck.class);
    private static final int GRACE_SECONDS = 5;

    /** Made by JUnit. */
    public ThreadLeakCheck() {}

    @Override
    public void beforeEach(ExtensionContext context) {
        remember(context);
    }

    @Override
    public void afterEach(ExtensionContext context) {
        check(context);
    }

    /** Takes every thread that runs now for one that may stay. */
    static void remember(ExtensionContext context) {
        context.getStore(NAMESPACE).put("before", new HashSet<>(running()));
    }

    static void check(ExtensionContext context) {
        Set<?> before = context.getStore(NAMESPACE).get("before", Set.class);
        if (before == null) {
            return; // the test never began
        }
        long end = System.nanoTime() + Duration.ofSeconds(GRACE_SECONDS).toNanos();
        List<Thread> left = left(before);
        while (!left.isEmpty() && System.nanoTime() < end) {
            Polling.pause();
            left = left(before);
        }
        if (!left.isEmpty()) {
            StringBuilder message = new StringBuilder(left.size() + " thread(s) still run " + GRACE_SECONDS
                    + " s after the test; close what started them:");
            for (Thread thread : left) {
                message.append("\n  ").append(thread.getName());
                for (StackTraceElement frame : thread.getStackTrace()) {
                    message.append("\n      at ").append(frame);
                }
            }
            throw new AssertionError(message.toString());
        }
    }

    private static List<Thread> left(Set<?> before) {
        List<Thread> left = new ArrayList<>();
        for (Thread thread : running()) {
            if (!before.contains(thread) && !isOurs(thread)) {
                left.add(thread);
            }
        }
        return left;
    }

    private static boolean isOurs(Thread thread) {
        String name = thread.getName();
        return ApiObserver.owns(thread)
                || name.equals(ChildProcess.THREAD_NAME)
                || name.startsWith("process reaper") // the JDK's, waits for a child process
                || name.startsWith("Attach Listener")
                || name.startsWith("junit-")
                || name.startsWith("surefire-")
                || name.startsWith("ForkJoinPool.commonPool-") // kept by the JDK for whoever comes next
                || name.startsWith("Common-Cleaner");
    }

    private static Set<Thread> running() {
        return Thread.getAllStackTraces().keySet();
    }
}
