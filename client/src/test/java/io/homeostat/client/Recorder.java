package io.homeostat.client;

import io.homeostat.core.Headers;
import io.homeostat.core.Transport;
import io.homeostat.core.TransportException;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/** Writes down what a transport says, and checks that it keeps to the order it promises. */
class Recorder implements Transport.AnswerListener {
    private final CountDownLatch head = new CountDownLatch(1);
    private final CountDownLatch over = new CountDownLatch(1);
    private final AtomicBoolean inside = new AtomicBoolean();
    private final ByteArrayOutputStream body = new ByteArrayOutputStream();
    private volatile int status;
    private volatile Headers headers = Headers.NONE;
    private volatile int chunks;
    private volatile @Nullable TransportException failure;
    private volatile @Nullable String violation;

    private void enter(boolean last) {
        if (!inside.compareAndSet(false, true)) {
            violation = "two callbacks at once";
        }
        if (over.getCount() == 0) {
            violation = "a callback after the last one";
        }
        if (!last && head.getCount() == 0 && status == 0) {
            violation = "no head";
        }
    }

    @Override
    public void head(int status, Headers headers) {
        enter(false);
        this.status = status;
        this.headers = headers;
        inside.set(false);
        head.countDown();
    }

    @Override
    public void chunk(byte[] bytes) {
        enter(false);
        if (status == 0 || bytes.length == 0) {
            violation = "a chunk before the head, or an empty one";
        }
        synchronized (body) {
            body.writeBytes(bytes);
            chunks++;
            body.notifyAll();
        }
        inside.set(false);
    }

    @Override
    public void end() {
        enter(true);
        inside.set(false);
        over.countDown();
    }

    @Override
    public void failed(TransportException cause) {
        enter(true);
        failure = cause;
        inside.set(false);
        over.countDown();
    }

    Recorder awaitHead() throws InterruptedException {
        if (!head.await(20, TimeUnit.SECONDS)) {
            throw new AssertionError("no head within 20 s; failure: " + failure);
        }
        return this;
    }

    Recorder awaitOver() throws InterruptedException {
        if (!over.await(20, TimeUnit.SECONDS)) {
            throw new AssertionError("not over within 20 s; status " + status + ", " + body.size() + " bytes");
        }
        if (violation != null) {
            throw new AssertionError(violation);
        }
        return this;
    }

    void awaitBytes(int count) throws InterruptedException {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        synchronized (body) {
            while (body.size() < count) {
                long left = TimeUnit.NANOSECONDS.toMillis(end - System.nanoTime());
                if (left <= 0) {
                    throw new AssertionError("only " + body.size() + " of " + count + " bytes within 20 s");
                }
                body.wait(left);
            }
        }
    }

    boolean isOver() {
        return over.getCount() == 0;
    }

    int status() {
        return status;
    }

    Headers headers() {
        return headers;
    }

    int chunks() {
        return chunks;
    }

    @Nullable
    TransportException failure() {
        return failure;
    }

    TransportException.Sent sent() {
        TransportException found = failure;
        if (found == null) {
            throw new AssertionError("no failure, but status " + status);
        }
        return found.sent();
    }

    String failureMessage() {
        return String.valueOf(failure == null ? null : failure.getMessage());
    }

    byte[] bytes() {
        synchronized (body) {
            return body.toByteArray();
        }
    }

    String body() {
        return new String(bytes(), StandardCharsets.UTF_8);
    }
}
