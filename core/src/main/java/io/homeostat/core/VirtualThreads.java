package io.homeostat.core;

import java.lang.reflect.Method;
import java.util.Optional;
import java.util.concurrent.ThreadFactory;

/** Virtual threads where the Java runtime has them (21 and later), found once by reflection: the code is compiled for 17. */
final class VirtualThreads {
    private VirtualThreads() {}

    /** A factory of named, unstarted virtual threads; empty before Java 21. */
    static Optional<ThreadFactory> factory(String name) {
        if (Runtime.version().feature() < 21) {
            return Optional.empty();
        }
        try {
            Object builder = Thread.class.getMethod("ofVirtual").invoke(null);
            Class<?> type = Class.forName("java.lang.Thread$Builder");
            Object named = type.getMethod("name", String.class).invoke(builder, name);
            Method factory = type.getMethod("factory");
            return Optional.of((ThreadFactory) factory.invoke(named));
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(
                    "Java " + Runtime.version() + " should offer Thread.ofVirtual(), and looking it up failed", e);
        }
    }
}
