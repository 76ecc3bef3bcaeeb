package io.homeostat.core;

/**
 * A whole HTTP answer.
 *
 * @param status the status code, any
 * @param headers as received
 * @param body as received, still compressed if the headers say so; empty when there was none
 */
@Stable
public record HttpAnswer(int status, Headers headers, byte[] body) {
    /** Status and length only: bodies may hold secrets. */
    @Override
    public String toString() {
        return "HTTP " + status + ", " + body.length + " bytes";
    }
}
