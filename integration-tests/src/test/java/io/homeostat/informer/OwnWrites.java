package io.homeostat.informer;

/** Looks where users cannot: a test of another room asks whether the overlay of own writes is empty. */
public final class OwnWrites {
    private OwnWrites() {}

    /** How many own writes the cache shows that the server has not told it of yet. */
    public static int waitingIn(Snapshot<?> snapshot) {
        return ((View<?>) snapshot).state().overlay().size();
    }
}
