package io.homeostat.testkit;

import io.homeostat.core.Experimental;
import io.homeostat.testkit.FaultAction.End;
import java.math.BigDecimal;
import java.time.Duration;
import java.util.Locale;
import java.util.Objects;
import java.util.regex.Pattern;

/**
 * One fault: which exchanges it meets, at which point of them, and what it does there. Immutable; its {@link #toString} is text that
 * {@link #parse} reads back.
 *
 * <pre>
 *   watch configmaps #2 frame 3: drop                     the second watch of ConfigMaps loses its third frame
 *   list * ?continue= byte 0-5000: reset                  later pages break, at a byte drawn from the seed
 *   create * %20 answer: reset                            a fifth of all creates is done and never answered
 *   * * #1-4 request: status 429 retry-after 1s           the first four requests are refused
 *   connect #2: reset                                     the second connection is reset before TLS
 * </pre>
 *
 * <p>The points of an exchange, in their order:
 *
 * <pre>
 *   connect ──► request ──────► (server) ──► answer ──► byte k of the body, frame k of a watch ──► end
 *               before it is                 before its
 *               passed on                    status line
 * </pre>
 *
 * <p><b>Threads.</b> Any.
 */
@Experimental
public final class FaultRule {
    /** Where in an exchange. */
    enum Phase {
        CONNECT,
        REQUEST,
        ANSWER,
        BYTE,
        FRAME
    }

    /** Which exchanges: verb and resource as in RBAC, {@code *} for any; a text the query must hold, or must not. */
    record Match(String verb, String resource, String query, boolean without) {
        boolean fits(FaultedRequest request) {
            return (verb.equals("*") || verb.equals(request.verb()))
                    && (resource.equals("*") || resource.equals(request.resource()))
                    && (query.isEmpty() || request.query().contains(query) != without);
        }
    }

    /**
     * Which of them, counted from 1.
     *
     * @param rate from 0 to 1, drawn from the seed each time
     */
    record Turn(int first, int last, double rate) {
        static final Turn EVERY = new Turn(1, Integer.MAX_VALUE, 1);

        boolean holds(int number) {
            return number >= first && number <= last;
        }
    }

    /**
     * At which point of them. {@code from} and {@code to} are numbers of bytes (from 0) or frames (from 1); {@code inside} is a byte of
     * the frame, negative for before it.
     */
    record Point(Phase phase, int from, int to, int inside) {}

    private final Match match;
    private final Turn turn;
    private final Point point;
    private final FaultAction action;

    FaultRule(Match match, Turn turn, Point point, FaultAction action) {
        this.match = match;
        this.turn = turn;
        this.point = point;
        this.action = action;
        requireMakesSense();
    }

    private void requireMakesSense() {
        boolean ends = action instanceof End && action != End.END;
        boolean pauses = action instanceof FaultAction.Delay;
        boolean answers = action instanceof FaultAction.Status;
        boolean edits = action instanceof FaultAction.Reply || action instanceof FaultAction.Rewrite;
        boolean shapes = action instanceof FaultAction.Slow || action instanceof FaultAction.Split;
        boolean possible =
                switch (point.phase) {
                    case CONNECT -> ends || pauses;
                    case REQUEST -> ends || pauses || answers;
                    case ANSWER -> ends || pauses || answers || edits || shapes || action == End.END;
                    case BYTE -> ends || pauses || action == End.END;
                    case FRAME -> ends || pauses || action == End.END || (point.inside < 0 && !shapes);
                };
        if (!possible) {
            throw new IllegalArgumentException("A rule cannot do \"" + action + "\" at the point \"" + pointText()
                    + "\"; see FaultRule for what can be done where");
        }
        if (point.from < 0 || point.to < point.from || (point.phase == Phase.FRAME && point.from < 1)) {
            throw new IllegalArgumentException("\"" + pointText()
                    + "\" is no range: bytes count from 0, frames from 1, the end not before the start");
        }
        if (turn.first < 1 || turn.last < turn.first || !(turn.rate > 0 && turn.rate <= 1)) {
            throw new IllegalArgumentException(
                    "\"" + turnText()
                            + "\" is no turn: exchanges count from 1, the last not before the first, and a rate is above 0 and at most 1");
        }
    }

    /**
     * Begins a rule for exchanges of this verb and resource.
     *
     * @param verb as in RBAC: {@code get}, {@code list}, {@code watch}, {@code create}, {@code update}, {@code patch}, {@code delete},
     *     {@code deletecollection}; {@code *} for any
     * @param resource plural, with its subresource if any ({@code deployments/status}); a path that is no resource as it is
     *     ({@code /livez}); {@code *} for any
     */
    public static Where on(String verb, String resource) {
        return new Where(
                new Match(word(verb), word(resource), "", false), Turn.EVERY, new Point(Phase.REQUEST, 0, 0, -1));
    }

    /** Begins a rule for new connections. Over a {@link FaultTransport}, which has none to see, each exchange counts as one. */
    public static Where onConnect() {
        return new Where(new Match("*", "*", "", false), Turn.EVERY, new Point(Phase.CONNECT, 0, 0, -1));
    }

    private static String word(String text) {
        if (text.isBlank() || text.contains(" ") || text.contains(";") || text.contains(":")) {
            throw new IllegalArgumentException("\"" + text + "\" is no verb and no resource; * stands for any");
        }
        return text;
    }

    /**
     * Reads the text of a rule.
     *
     * @throws IllegalArgumentException when it is none; the message says where and what is expected there
     */
    public static FaultRule parse(String text) {
        return FaultText.rule(text);
    }

    Match match() {
        return match;
    }

    Turn turn() {
        return turn;
    }

    Point point() {
        return point;
    }

    FaultAction action() {
        return action;
    }

    /** Which exchanges, and where in them; ends with what is done there. Immutable: each method gives a changed copy. */
    @Experimental
    public static final class Where {
        private final Match match;
        private final Turn turn;
        private final Point point;

        private Where(Match match, Turn turn, Point point) {
            this.match = match;
            this.turn = turn;
            this.point = point;
        }

        /** Only when the query holds this text, as in {@code sendInitialEvents=true} or {@code continue=}. */
        public Where query(String part) {
            return new Where(
                    new Match(match.verb, match.resource, Objects.requireNonNull(part, "part"), false), turn, point);
        }

        /** Only when the query does not hold this text. */
        public Where withoutQuery(String part) {
            return new Where(
                    new Match(match.verb, match.resource, Objects.requireNonNull(part, "part"), true), turn, point);
        }

        /** Only the n-th of them, counted from 1. */
        public Where nth(int n) {
            return turns(n, n);
        }

        /** Only those from the first to the last given, counted from 1. */
        public Where turns(int first, int last) {
            return new Where(match, new Turn(first, last, turn.rate), point);
        }

        /** Only this share of them, above 0 and at most 1; drawn from the plan's seed. */
        public Where rate(double rate) {
            return new Where(match, new Turn(turn.first, turn.last, rate), point);
        }

        /** Before the request is passed on: the server never sees it. This is where a rule acts unless it says otherwise. */
        public Where atRequest() {
            return at(Phase.REQUEST, 0, 0, -1);
        }

        /** Before the status line of the answer: the server has done what was asked. */
        public Where atAnswer() {
            return at(Phase.ANSWER, 0, 0, -1);
        }

        /** After so many bytes of the answer's body, before compression. */
        public Where atByte(int k) {
            return at(Phase.BYTE, k, k, -1);
        }

        /** After a number of bytes of the answer's body drawn from the seed, both ends included. */
        public Where atByteBetween(int least, int most) {
            return at(Phase.BYTE, least, most, -1);
        }

        /** At the k-th frame of a watch, counted from 1. */
        public Where atFrame(int k) {
            return at(Phase.FRAME, k, k, -1);
        }

        /** At each of these frames of a watch, counted from 1, both ends included. */
        public Where atFrames(int first, int last) {
            return at(Phase.FRAME, first, last, -1);
        }

        /** Inside the k-th frame of a watch, after so many of its bytes. */
        public Where insideFrame(int k, int bytes) {
            if (bytes < 0) {
                throw new IllegalArgumentException("A frame has no byte " + bytes);
            }
            return at(Phase.FRAME, k, k, bytes);
        }

        private Where at(Phase phase, int from, int to, int inside) {
            return new Where(match, turn, new Point(phase, from, to, inside));
        }

        /** Resets the connection (TCP RST): at {@link #atAnswer}, what was asked is done and its answer lost. */
        public FaultRule reset() {
            return rule(End.RESET);
        }

        /** Closes the connection (TCP FIN) in the middle. */
        public FaultRule truncate() {
            return rule(End.TRUNCATE);
        }

        /** Ends the answer properly, as if this were all of it. */
        public FaultRule end() {
            return rule(End.END);
        }

        /** Says nothing more, for ever: {@link #atRequest} a black hole both ways, later one from the server to the client only. */
        public FaultRule silence() {
            return rule(End.SILENCE);
        }

        /** Goes on after {@code time} of the wall clock, or over a {@link FaultTransport} of its runtime's. */
        public FaultRule delay(Duration time) {
            return rule(new FaultAction.Delay(time));
        }

        /** Answers with this status and a {@code Status} as an API server writes it; in a watch with an ERROR frame. */
        public FaultRule status(int code) {
            return status(code, Duration.ZERO);
        }

        /** As {@link #status(int)}, with a Retry-After of whole seconds. */
        public FaultRule status(int code, Duration retryAfter) {
            if (code < 200 || code > 599) {
                throw new IllegalArgumentException("HTTP status " + code + " is none an answer ends with");
            }
            return rule(new FaultAction.Status(code, retryAfter));
        }

        /** Replaces the body, or the frame, by bytes that are no JSON; the status is 200. */
        public FaultRule replyGarbage() {
            return rule(new FaultAction.Reply(FaultAction.Nonsense.GARBAGE));
        }

        /** Replaces the body, or the frame, by an HTML page; the status is 200. */
        public FaultRule replyHtml() {
            return rule(new FaultAction.Reply(FaultAction.Nonsense.HTML));
        }

        /** Replaces the body, or the frame, by a {@code Table}; the status is 200. */
        public FaultRule replyTable() {
            return rule(new FaultAction.Reply(FaultAction.Nonsense.TABLE));
        }

        /** Replaces the body, or the frame, by an object of a kind nobody asked for; the status is 200. */
        public FaultRule replyWrongKind() {
            return rule(new FaultAction.Reply(FaultAction.Nonsense.KIND));
        }

        /** Leaves the frame out. */
        public FaultRule drop() {
            return rule(FaultAction.Frame.DROP);
        }

        /** Gives the frame twice. */
        public FaultRule duplicate() {
            return rule(FaultAction.Frame.DUPLICATE);
        }

        /**
         * Gives the frame after its successor. No client survives that with any two frames: it takes a version for all that was before
         * it, its own writes among them.
         */
        public FaultRule swap() {
            return rule(FaultAction.Frame.SWAP);
        }

        /** Gives after the frame, once more, what this watch said of the same object before; nothing when it said nothing. */
        public FaultRule stale() {
            return rule(FaultAction.Frame.STALE);
        }

        /**
         * Replaces every match in the frame; at {@link #atAnswer} in the whole body, which is held back until its end.
         *
         * @param regex as {@link Pattern} reads it
         * @param replacement as {@link java.util.regex.Matcher#replaceAll(String)} reads it
         */
        public FaultRule rewrite(String regex, String replacement) {
            return rule(new FaultAction.Rewrite(Pattern.compile(regex), replacement));
        }

        /** Gives the rest of the answer at this pace, 1 or more bytes a second. */
        public FaultRule slow(int bytesPerSecond) {
            if (bytesPerSecond < 1) {
                throw new IllegalArgumentException("bytesPerSecond must be 1 or more, was " + bytesPerSecond);
            }
            return rule(new FaultAction.Slow(bytesPerSecond));
        }

        /** Gives the rest of the answer in pieces of at most so many bytes, 1 or more, after compression. */
        public FaultRule split(int bytes) {
            if (bytes < 1) {
                throw new IllegalArgumentException("bytes must be 1 or more, was " + bytes);
            }
            return rule(new FaultAction.Split(bytes));
        }

        private FaultRule rule(FaultAction action) {
            return new FaultRule(match, turn, point, action);
        }
    }

    private String turnText() {
        String numbers = turn.first == 1 && turn.last == Integer.MAX_VALUE
                ? ""
                : " #" + turn.first
                        + (turn.last == turn.first
                                ? ""
                                : "-" + (turn.last == Integer.MAX_VALUE ? "" : Integer.toString(turn.last)));
        return numbers + (turn.rate == 1 ? "" : " %" + percent());
    }

    private String percent() {
        return new BigDecimal(Double.toString(turn.rate))
                .movePointRight(2)
                .stripTrailingZeros()
                .toPlainString();
    }

    private String pointText() {
        String name = point.phase.name().toLowerCase(Locale.ROOT);
        if (point.phase != Phase.BYTE && point.phase != Phase.FRAME) {
            return name;
        }
        String to = point.to == Integer.MAX_VALUE ? "" : Integer.toString(point.to);
        return name + " " + point.from + (point.to == point.from ? "" : "-" + to)
                + (point.inside < 0 ? "" : " byte " + point.inside);
    }

    /** The rule's text. */
    @Override
    public String toString() {
        if (point.phase == Phase.CONNECT) {
            return "connect" + turnText() + ": " + action;
        }
        String query = match.query.isEmpty()
                ? ""
                : " ?" + (match.without ? "!" : "")
                        + (match.query.matches("[^\\s;:\"!]+") ? match.query : FaultText.quote(match.query));
        return match.verb + " " + match.resource + query + turnText() + " " + pointText() + ": " + action;
    }

    @Override
    public boolean equals(@org.jspecify.annotations.Nullable Object other) {
        return other instanceof FaultRule rule && rule.toString().equals(toString());
    }

    @Override
    public int hashCode() {
        return toString().hashCode();
    }
}
