package io.homeostat.benchmarks;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What a Widget asks for; plain fields, since every JSON library reads them. */
public final class WidgetSpec {
    public int replicas;
    public @Nullable String image;
    public @Nullable String colour;
    public @Nullable List<String> args;
    public @Nullable List<Variable> env;
    public @Nullable List<Port> ports;
    public @Nullable Map<String, String> selector;

    /** One variable. */
    public static final class Variable {
        public @Nullable String name;
        public @Nullable String value;
    }

    /** One port. */
    public static final class Port {
        public @Nullable String name;
        public int port;
        public @Nullable String protocol;
    }
}
