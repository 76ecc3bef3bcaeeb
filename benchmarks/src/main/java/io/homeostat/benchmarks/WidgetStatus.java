package io.homeostat.benchmarks;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** What became of a Widget; plain fields, since every JSON library reads them. */
public final class WidgetStatus {
    public @Nullable String phase;
    public int readyReplicas;
    public long observedGeneration;
    public @Nullable List<Condition> conditions;

    /** One condition. */
    public static final class Condition {
        public @Nullable String type;
        public @Nullable String status;
        public @Nullable String reason;
        public @Nullable String message;
        public @Nullable String lastTransitionTime;
    }
}
