package io.homeostat.simulator;

/** Something the real server does and this one does not: the caller answers 501 with the message. */
final class Unsupported extends RuntimeException {
    Unsupported(String message) {
        super(message);
    }
}
