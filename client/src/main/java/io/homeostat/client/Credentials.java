package io.homeostat.client;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.homeostat.core.Headers;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The headers that say who asks: fixed ones, and a bearer token from a file that is replaced now and then, as the kubelet does
 * with those of service accounts. It is read again each minute and after a 401, as client-go does.
 *
 * <p><b>Threads.</b> Any that may block. <b>Failure.</b> While the file cannot be read the last token stays; without one, requests
 * fail before they are sent.
 */
final class Credentials {
    private static final long REREAD_NANOS = Duration.ofMinutes(1).toNanos();

    private final List<Headers.Header> fixed;
    private final @Nullable Path tokenFile;
    private final ReentrantLock lock = new ReentrantLock();

    @GuardedBy("lock")
    private @Nullable String token;

    @GuardedBy("lock")
    private long readAt;

    /**
     * Credentials of these headers and that file.
     *
     * @param tokenFile null when the token, if any, is among the fixed headers
     */
    Credentials(List<Headers.Header> fixed, @Nullable Path tokenFile) {
        this.fixed = List.copyOf(fixed);
        this.tokenFile = tokenFile;
    }

    List<Headers.Header> headers(long nanos) throws IOException {
        if (tokenFile == null) {
            return fixed;
        }
        List<Headers.Header> all = new ArrayList<>(fixed);
        all.add(new Headers.Header("Authorization", "Bearer " + token(tokenFile, nanos)));
        return all;
    }

    void refused() {
        lock.lock();
        try {
            readAt -= REREAD_NANOS; // the token stays for the case that the file cannot be read
        } finally {
            lock.unlock();
        }
    }

    private String token(Path file, long nanos) throws IOException {
        lock.lock();
        try {
            if (token == null || nanos - readAt >= REREAD_NANOS) {
                readAt = nanos;
                token = read(file, token);
            }
            return token;
        } finally {
            lock.unlock();
        }
    }

    private static String read(Path file, @Nullable String last) throws IOException {
        try {
            String text = Files.readString(file, StandardCharsets.UTF_8).trim();
            if (!text.isEmpty()) {
                return text;
            }
            if (last != null) {
                return last; // caught in the middle of a replacement
            }
        } catch (IOException e) {
            if (last != null) {
                return last;
            }
            throw new IOException(
                    "the token file " + file + " cannot be read ("
                            + e.getClass().getSimpleName() + ")",
                    e);
        }
        throw new IOException("the token file " + file + " is empty");
    }

    /** Names only. */
    @Override
    public String toString() {
        return "Credentials" + fixed.stream().map(Headers.Header::name).toList()
                + (tokenFile == null ? "" : " with a token from " + tokenFile);
    }
}
