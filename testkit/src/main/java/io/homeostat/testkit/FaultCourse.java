package io.homeostat.testkit;

import io.homeostat.core.Headers;
import io.homeostat.testkit.FaultAction.End;
import io.homeostat.testkit.FaultRule.Phase;
import io.homeostat.testkit.FaultScript.Active;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import java.util.zip.GZIPOutputStream;
import org.jspecify.annotations.Nullable;

/**
 * One exchange under the rules that fit it: what came from the server goes in, {@link FaultStep}s come out.
 *
 * <pre>
 *   request() ──► head() ──► chunk()* ──► end()        after a step Over, and after request() answered: nothing more
 * </pre>
 *
 * <p>Inside, what comes is edited (body, frames), then cut at a byte, then shaped (compressed, split, slowed). <b>Threads.</b> Confined
 * to the exchange. <b>Memory.</b> A frame that is not whole; the whole body when a rule rewrites it, the last frame
 * of each object when a rule says them again.
 */
final class FaultCourse {
    /** Whether the client takes compressed answers. */
    enum Accepts {
        PLAIN,
        GZIP
    }

    /** How a slow answer is paced. */
    private static final Duration BEAT = Duration.ofMillis(50);

    private static final Headers JSON = Headers.of("Content-Type", "application/json");

    private final FaultScript script;
    private final String name;
    private final List<Active> active;
    private final long seed;
    private final Accepts encoding;

    private final List<FaultStep> steps = new ArrayList<>(); // what the present call gives
    private boolean over;
    private @Nullable ByteArrayOutputStream held; // the whole body, for rules that rewrite it
    private final ByteArrayOutputStream partial = new ByteArrayOutputStream(); // a frame that is not whole
    private final List<Active> cuts = new ArrayList<>(); // at bytes, not come to yet
    private final List<Active> frameRules = new ArrayList<>();
    private @Nullable String swapped; // a frame that comes after its successor
    private boolean repeats; // whether a rule says frames again
    private final Map<String, String> said = new HashMap<>(); // the last frame of each object, if so
    private int frames;
    private long offset;
    private int pieces = Integer.MAX_VALUE;
    private int pace = Integer.MAX_VALUE;

    FaultCourse(
            FaultScript script, String name, FaultedRequest request, List<Active> active, long seed, Accepts encoding) {
        this.script = script;
        this.name = name;
        this.active = active;
        this.seed = seed;
        this.encoding = encoding;
        for (Active one : active) {
            if (one.rule().point().phase() == Phase.BYTE) {
                cuts.add(one);
            } else if (one.rule().point().phase() == Phase.FRAME
                    && request.verb().equals("watch")) {
                frameRules.add(one);
                repeats |= one.rule().action() == FaultAction.Frame.STALE;
            }
        }
    }

    /** For logs. */
    String name() {
        return name;
    }

    /** Whether the client has had its last step. */
    boolean isOver() {
        return over;
    }

    /** Before the request is passed on; when it {@link #isOver} then, it is not. */
    List<FaultStep> request() {
        for (Active one : at(Phase.REQUEST)) {
            if (!over) {
                act(one, "request");
            }
        }
        return taken();
    }

    /** The answer's head. */
    List<FaultStep> head(int status, Headers headers) {
        Headers passed = passed(headers);
        boolean replied = false;
        for (Active one : at(Phase.ANSWER)) {
            FaultAction action = one.rule().action();
            if (over || replied) {
                break;
            } else if (action instanceof FaultAction.Slow slow) {
                pace = slow.bytesPerSecond();
            } else if (action instanceof FaultAction.Split split) {
                pieces = split.bytes();
            } else if (action instanceof FaultAction.Rewrite) {
                held = new ByteArrayOutputStream();
                continue; // said when it is done
            } else if (action instanceof FaultAction.Reply reply) {
                script.acted(name, "answer", action);
                answer(
                        200,
                        Headers.of("Content-Type", reply.what().contentType()),
                        reply.what().text());
                replied = true;
                continue;
            } else if (action == End.END) {
                script.acted(name, "answer", action);
                emitHead(status, passed);
                finish(End.END);
                continue;
            } else {
                act(one, "answer");
                continue;
            }
            script.acted(name, "answer", action);
        }
        if (!over) {
            emitHead(status, passed);
        }
        return taken();
    }

    /** Bytes of the body. */
    List<FaultStep> chunk(byte[] bytes) {
        if (over) {
            return List.of();
        }
        if (held != null) {
            held.writeBytes(bytes);
        } else if (frameRules.isEmpty()) {
            body(bytes);
        } else {
            frames(bytes);
        }
        return taken();
    }

    /** The end of the body. */
    List<FaultStep> end() {
        if (held != null) {
            String text = held.toString(StandardCharsets.UTF_8);
            for (Active one : at(Phase.ANSWER)) {
                if (one.rule().action() instanceof FaultAction.Rewrite rewrite) {
                    script.acted(name, "answer", rewrite);
                    text = rewrite.from().matcher(text).replaceAll(rewrite.to());
                }
            }
            body(text.getBytes(StandardCharsets.UTF_8));
        }
        if (swapped != null) {
            body(swapped.getBytes(StandardCharsets.UTF_8));
        }
        body(partial.toByteArray());
        finish(End.END);
        return taken();
    }

    private List<FaultStep> taken() {
        List<FaultStep> result = List.copyOf(steps);
        steps.clear();
        return result;
    }

    private List<Active> at(Phase phase) {
        return active.stream()
                .filter(one -> one.rule().point().phase() == phase)
                .toList();
    }

    /** What any point but a frame may do. */
    private void act(Active one, String where) {
        FaultAction action = one.rule().action();
        script.acted(name, where, action);
        if (action instanceof End end) {
            finish(end);
        } else if (action instanceof FaultAction.Delay delay) {
            steps.add(new FaultStep.Pause(delay.time()));
        } else if (action instanceof FaultAction.Status status) {
            long seconds = status.retryAfter().toSeconds();
            Headers headers = seconds > 0 ? JSON.with("Retry-After", Long.toString(seconds)) : JSON;
            answer(status.code(), headers, status.json());
        }
    }

    private void answer(int status, Headers headers, String text) {
        emitHead(status, headers);
        shape(text.getBytes(StandardCharsets.UTF_8));
        finish(End.END);
    }

    private void finish(End how) {
        if (!over) {
            over = true;
            steps.add(new FaultStep.Over(how));
        }
    }

    // ---- frames

    private void frames(byte[] bytes) {
        int start = 0;
        for (int i = 0; i < bytes.length && !over; i++) {
            if (bytes[i] == '\n') {
                partial.write(bytes, start, i + 1 - start);
                start = i + 1;
                String frame = partial.toString(StandardCharsets.UTF_8);
                partial.reset();
                frame(frame);
            }
        }
        if (!over) {
            partial.write(bytes, start, bytes.length - start);
        }
    }

    private void frame(String arrived) {
        frames++;
        String earlier = repeats ? saidBefore(arrived) : null;
        List<String> now = new ArrayList<>(List.of(arrived));
        boolean later = false;
        for (Active one : frameRules) {
            FaultRule.Point point = one.rule().point();
            if (over || frames < point.from() || frames > point.to() || !FaultScript.drawn(seed, one, frames)) {
                continue;
            }
            FaultAction action = one.rule().action();
            String where = "frame " + frames + (point.inside() < 0 ? "" : " byte " + point.inside());
            if (point.inside() >= 0) {
                byte[] whole = arrived.getBytes(StandardCharsets.UTF_8);
                int cut = Math.min(point.inside(), whole.length);
                body(Arrays.copyOf(whole, cut));
                now = List.of();
                if (!over) {
                    act(one, where);
                    body(Arrays.copyOfRange(whole, cut, whole.length)); // nothing, when that was its end
                }
            } else if (action instanceof FaultAction.Status status) {
                script.acted(name, where, action);
                now = List.of("{\"type\":\"ERROR\",\"object\":" + status.json() + "}\n");
            } else if (action instanceof FaultAction.Reply reply) {
                script.acted(name, where, action);
                now = List.of(reply.what().text() + "\n");
            } else if (action instanceof FaultAction.Rewrite rewrite) {
                script.acted(name, where, action);
                now = now.stream()
                        .map(text -> rewrite.from().matcher(text).replaceAll(rewrite.to()))
                        .toList();
            } else if (action == FaultAction.Frame.DROP) {
                script.acted(name, where, action);
                now = List.of();
            } else if (action == FaultAction.Frame.DUPLICATE) {
                script.acted(name, where, action);
                now = now.stream()
                        .flatMap(text -> java.util.stream.Stream.of(text, text))
                        .toList();
            } else if (action == FaultAction.Frame.SWAP) {
                script.acted(name, where, action);
                later = true;
            } else if (action == FaultAction.Frame.STALE) {
                if (earlier != null) {
                    script.acted(name, where, action);
                    now = Stream.concat(now.stream(), Stream.of(earlier)).toList();
                }
            } else {
                act(one, where);
            }
        }
        String before = swapped;
        swapped = null;
        if (later && before == null) {
            swapped = String.join("", now);
            now = List.of();
        }
        for (String text : now) {
            body(text.getBytes(StandardCharsets.UTF_8));
        }
        if (before != null) {
            body(before.getBytes(StandardCharsets.UTF_8));
        }
    }

    /** The frame of the same object that came before, if any; remembers this one. Bookmarks and errors are of none. */
    private @Nullable String saidBefore(String frame) {
        Tree tree = Tree.parse(frame);
        String name = tree.text("object.metadata.name");
        String object = tree.text("object.metadata.namespace") + "/" + name + "/" + tree.text("object.metadata.uid");
        return name.isEmpty() ? null : said.put(object, frame);
    }

    // ---- bytes

    /** Edited bytes, up to the next cut. */
    private void body(byte[] bytes) {
        byte[] rest = bytes;
        while (!over) {
            Active next = null;
            long nearest = Long.MAX_VALUE;
            for (Active cut : cuts) {
                long at = cutAt(cut);
                if (at >= offset && at < nearest) {
                    nearest = at;
                    next = cut;
                }
            }
            if (next == null || nearest >= offset + rest.length) {
                shape(rest);
                return;
            }
            int until = (int) (nearest - offset);
            shape(Arrays.copyOf(rest, until));
            rest = Arrays.copyOfRange(rest, until, rest.length);
            cuts.remove(next);
            act(next, "byte " + nearest);
        }
    }

    private long cutAt(Active cut) {
        FaultRule.Point point = cut.rule().point();
        return point.to() == point.from()
                ? point.from()
                : FaultScript.random(seed, cut, -1).nextLong(point.from(), point.to() + 1L);
    }

    // ---- shape

    private void emitHead(int status, Headers headers) {
        steps.add(new FaultStep.Head(
                status, encoding == Accepts.GZIP ? headers.with("Content-Encoding", "gzip") : headers));
    }

    /** Without what says how the body was sent here: it goes on in another shape. */
    private static Headers passed(Headers headers) {
        return Headers.of(headers.all().stream()
                .filter(header -> !header.name().equalsIgnoreCase("Content-Length")
                        && !header.name().equalsIgnoreCase("Transfer-Encoding")
                        && !header.name().equalsIgnoreCase("Connection"))
                .toList());
    }

    private void shape(byte[] bytes) {
        if (over || bytes.length == 0) {
            return;
        }
        offset += bytes.length;
        byte[] sent = encoding == Accepts.GZIP ? member(bytes) : bytes;
        int size = Math.min(
                pieces, pace == Integer.MAX_VALUE ? pieces : Math.max(1, (int) (pace * BEAT.toMillis() / 1000)));
        for (int at = 0; at < sent.length; at += Math.min(size, sent.length - at)) {
            int piece = Math.min(size, sent.length - at);
            steps.add(new FaultStep.Bytes(Arrays.copyOfRange(sent, at, at + piece)));
            if (pace != Integer.MAX_VALUE) {
                steps.add(new FaultStep.Pause(Duration.ofNanos(1_000_000_000L * piece / pace)));
            }
        }
    }

    private static byte[] member(byte[] bytes) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (GZIPOutputStream gzip = new GZIPOutputStream(out)) {
            gzip.write(bytes);
        } catch (IOException e) {
            throw new UncheckedIOException("Writing to memory failed", e);
        }
        return out.toByteArray();
    }
}
