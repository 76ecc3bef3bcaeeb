package io.homeostat.core;

/**
 * An error that can be looked up. Its message ends with its code in brackets, as do log lines of the same kind, and
 * {@code docs/errors.md} says under that code what it means, what the engine does by itself, and what people should do.
 *
 * <p>Codes are never given to another meaning. Misuse of an API is an {@link IllegalArgumentException} or {@link IllegalStateException}
 * whose text says all there is to say; those have none.
 */
@Stable
public interface Coded {
    /** {@code HS-} and three digits. */
    String code();

    /**
     * A message that ends with its code.
     *
     * @param text what was tried, on which object, what was found, what to do
     * @param code {@code HS-} and three digits
     */
    static String message(String text, String code) {
        return text + " [" + code + "]";
    }
}
