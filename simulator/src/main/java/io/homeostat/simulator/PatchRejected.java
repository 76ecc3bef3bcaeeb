package io.homeostat.simulator;

/** A patch that cannot be applied; the message is that of the real server, without the prefix of its Status. */
final class PatchRejected extends RuntimeException {
    private final int status;

    PatchRejected(int status, String message) {
        super(message);
        this.status = status;
    }

    /**
     * The HTTP status of the answer: 400 for a patch that cannot be read, 422 for one that does not fit the object, 500 for an
     * apply whose fields do not fit the kind (the real server answers so, without a reason).
     */
    int status() {
        return status;
    }
}
