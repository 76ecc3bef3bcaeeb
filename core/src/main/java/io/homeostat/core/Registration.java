package io.homeostat.core;

/**
 * Something that was registered and can be taken back: a handler, an informer, a timer, a hook.
 *
 * <p><b>Threads.</b> {@link #close} may be called from any thread, any number of times; the second call does nothing.
 * <b>Failure.</b> It never throws.
 */
@Stable
@FunctionalInterface
public interface Registration extends AutoCloseable {
    /** Takes the registration back and releases what it held. */
    @Override
    void close();
}
