package io.homeostat.simulator;

/**
 * An object that cannot be read as one of its kind: 400, reason BadRequest. The message is the real server's without its beginning
 * ({@code Pod in version "v1" cannot be handled as a Pod: }), and names the field by its path instead of its Go type.
 */
final class Malformed extends RuntimeException {
    Malformed(String message) {
        super(message);
    }
}
