package io.homeostat.testkit;

import io.homeostat.testkit.FaultRule.Match;
import io.homeostat.testkit.FaultRule.Phase;
import io.homeostat.testkit.FaultRule.Point;
import io.homeostat.testkit.FaultRule.Turn;
import java.math.BigDecimal;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Reads the text of rules and plans.
 *
 * <pre>
 *   plan   = "seed=" number [" gzip"] (";" rule)*
 *   rule   = ("connect" turn | verb resource ["?" ["!"] text] turn point) ":" action
 *   turn   = ["#" first ["-" [last]]] ["%" percent]
 *   point  = ["request" | "answer" | "byte" k ["-" k] | "frame" k ["-" [k]] ["byte" k]]
 *   action = "reset" | "truncate" | "end" | "silence" | "delay" time | "slow" bytes | "split" bytes
 *          | "status" code ["retry-after" time] | "reply" ("garbage" | "html" | "table" | "kind")
 *          | "drop" | "duplicate" | "swap" | "stale" | "rewrite" quoted "to" quoted
 * </pre>
 */
final class FaultText {
    private static final Pattern TOKEN = Pattern.compile("\\s*(\"(?:[^\"\\\\]|\\\\.)*\"|[:;]|[^\\s:;\"]+)");
    private static final Pattern DURATION = Pattern.compile("([0-9]{1,9})(ms|s|m)");

    private final String text;
    private final List<String> tokens = new ArrayList<>();
    private int next;

    private FaultText(String text) {
        this.text = text;
        Matcher matcher = TOKEN.matcher(text);
        int end = 0;
        while (matcher.find() && matcher.start() == end) {
            tokens.add(matcher.group(1));
            end = matcher.end();
        }
        if (!text.substring(end).isBlank()) {
            throw new IllegalArgumentException(
                    "\"" + text + "\" cannot be read from \"" + text.substring(end) + "\" on");
        }
    }

    static FaultRule rule(String text) {
        FaultText reader = new FaultText(text);
        FaultRule rule = reader.rule();
        reader.requireEnd();
        return rule;
    }

    static FaultPlan plan(String text) {
        FaultText reader = new FaultText(text);
        String seed = reader.take("seed=NUMBER");
        if (!seed.matches("seed=-?[0-9]{1,19}")) {
            throw reader.expected("seed=NUMBER", seed);
        }
        FaultPlan plan = FaultPlan.seed(Long.parseLong(seed.substring(5)));
        if (reader.skip("gzip")) {
            plan = plan.gzip();
        }
        while (reader.skip(";")) {
            plan = plan.with(reader.rule());
        }
        reader.requireEnd();
        return plan;
    }

    static String duration(Duration time) {
        return time.toMillis() % 1000 == 0 ? time.toSeconds() + "s" : time.toMillis() + "ms";
    }

    static String quote(String text) {
        return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
    }

    private FaultRule rule() {
        Match match = new Match("*", "*", "", false);
        Point point = new Point(Phase.CONNECT, 0, 0, -1);
        Turn turn;
        if (skip("connect")) {
            turn = turn();
        } else {
            String verb = take("a verb");
            String resource = take("a resource");
            match = new Match(verb, resource, "", false);
            String query = peek();
            if (query != null && query.startsWith("?")) {
                next++;
                boolean without = query.startsWith("?!");
                String part = query.substring(without ? 2 : 1);
                match = new Match(verb, resource, part.isEmpty() ? unquote(take("a quoted text")) : part, without);
            }
            turn = turn();
            point = point();
        }
        if (!skip(":")) {
            throw expected(":", peek());
        }
        return new FaultRule(match, turn, point, action());
    }

    private Turn turn() {
        Turn turn = Turn.EVERY;
        String token = peek();
        if (token != null && token.startsWith("#")) {
            next++;
            int[] range = range(token.substring(1), "#FIRST-LAST");
            turn = new Turn(range[0], range[1], 1);
        }
        token = peek();
        if (token != null && token.startsWith("%")) {
            next++;
            if (!token.matches("%[0-9]{1,3}(\\.[0-9]{1,300})?")) {
                throw expected("%PERCENT", token);
            }
            double rate = new BigDecimal(token.substring(1)).movePointLeft(2).doubleValue();
            turn = new Turn(turn.first(), turn.last(), rate);
        }
        return turn;
    }

    private Point point() {
        if (skip("answer")) {
            return new Point(Phase.ANSWER, 0, 0, -1);
        }
        if (skip("byte")) {
            int[] range = range(take("a number of bytes"), "K or K-K");
            return new Point(Phase.BYTE, range[0], range[1], -1);
        }
        if (skip("frame")) {
            int[] range = range(take("a number of a frame"), "K or K-K");
            return new Point(Phase.FRAME, range[0], range[1], skip("byte") ? number(take("a number of bytes")) : -1);
        }
        skip("request");
        return new Point(Phase.REQUEST, 0, 0, -1);
    }

    private FaultAction action() {
        String name = take("an action");
        for (FaultAction.End end : FaultAction.End.values()) {
            if (end.toString().equals(name)) {
                return end;
            }
        }
        for (FaultAction.Frame frame : FaultAction.Frame.values()) {
            if (frame.toString().equals(name)) {
                return frame;
            }
        }
        return switch (name) {
            case "delay" -> new FaultAction.Delay(duration());
            case "slow" -> new FaultAction.Slow(number(take("bytes a second")));
            case "split" -> new FaultAction.Split(number(take("bytes")));
            case "status" -> {
                int code = number(take("an HTTP status"));
                yield new FaultAction.Status(code, skip("retry-after") ? duration() : Duration.ZERO);
            }
            case "reply" -> {
                String what = take(FaultAction.Nonsense.names());
                yield new FaultAction.Reply(Stream.of(FaultAction.Nonsense.values())
                        .filter(value -> value.name().toLowerCase(Locale.ROOT).equals(what))
                        .findFirst()
                        .orElseThrow(() -> expected("one of " + FaultAction.Nonsense.names(), what)));
            }
            case "rewrite" -> {
                String from = unquote(take("a quoted pattern"));
                if (!skip("to")) {
                    throw expected("to", peek());
                }
                try {
                    yield new FaultAction.Rewrite(Pattern.compile(from), unquote(take("a quoted replacement")));
                } catch (PatternSyntaxException e) {
                    throw new IllegalArgumentException("\"" + text + "\": no pattern: " + e.getMessage(), e);
                }
            }
            default -> throw expected("an action", name);
        };
    }

    private Duration duration() {
        String token = take("a time such as 250ms or 2s");
        Matcher matcher = DURATION.matcher(token);
        if (!matcher.matches()) {
            throw expected("a time such as 250ms or 2s", token);
        }
        long amount = Long.parseLong(matcher.group(1));
        return switch (matcher.group(2)) {
            case "ms" -> Duration.ofMillis(amount);
            case "s" -> Duration.ofSeconds(amount);
            default -> Duration.ofMinutes(amount);
        };
    }

    private int[] range(String token, String form) {
        Matcher matcher = Pattern.compile("([0-9]{1,9})(?:(-)([0-9]{1,9})?)?").matcher(token);
        if (!matcher.matches()) {
            throw expected(form, token);
        }
        int first = Integer.parseInt(matcher.group(1));
        int last = matcher.group(2) == null
                ? first
                : matcher.group(3) == null ? Integer.MAX_VALUE : Integer.parseInt(matcher.group(3));
        return new int[] {first, last};
    }

    private int number(String token) {
        if (!token.matches("[0-9]{1,9}")) {
            throw expected("a number", token);
        }
        return Integer.parseInt(token);
    }

    private String unquote(String token) {
        if (token.length() < 2 || token.charAt(0) != '"') {
            throw expected("a quoted text", token);
        }
        return token.substring(1, token.length() - 1).replaceAll("\\\\(.)", "$1");
    }

    private @Nullable String peek() {
        return next < tokens.size() ? tokens.get(next) : null;
    }

    private boolean skip(String token) {
        if (token.equals(peek())) {
            next++;
            return true;
        }
        return false;
    }

    private String take(String what) {
        String token = peek();
        if (token == null || token.equals(":") || token.equals(";")) {
            throw expected(what, token);
        }
        next++;
        return token;
    }

    private void requireEnd() {
        if (peek() != null) {
            throw expected("the end", peek());
        }
    }

    private IllegalArgumentException expected(String what, @Nullable String found) {
        return new IllegalArgumentException(
                "\"" + text + "\": expected " + what + ", found " + (found == null ? "the end" : "\"" + found + "\""));
    }
}
