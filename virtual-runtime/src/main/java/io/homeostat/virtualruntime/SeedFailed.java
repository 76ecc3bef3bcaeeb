package io.homeostat.virtualruntime;

import io.homeostat.core.Experimental;
import org.jspecify.annotations.Nullable;

/** A run of a {@link VirtualWorld} that broke a promise. Its message names the seed, the step, the virtual time and the last steps. */
@Experimental
public final class SeedFailed extends AssertionError {
    private final long seed;

    SeedFailed(long seed, String message, @Nullable Throwable cause) {
        super(message, cause);
        this.seed = seed;
    }

    /** The seed that fails: the same program in {@link VirtualWorld#seeded} with it takes the same steps. */
    public long seed() {
        return seed;
    }
}
