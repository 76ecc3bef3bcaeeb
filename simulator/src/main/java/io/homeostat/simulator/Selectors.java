package io.homeostat.simulator;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;

/** Label and field selectors, in the grammar of {@code k8s.io/apimachinery/pkg/labels} and {@code fields}. */
final class Selectors {
    private Selectors() {}

    /**
     * Which labels are wanted.
     *
     * @throws ApiFailure 400 when {@code selector} does not parse
     */
    static Predicate<Map<String, String>> labels(String selector) {
        return selector.isBlank() ? labels -> true : new LabelParser(selector).parse();
    }

    /**
     * Which objects are wanted, by {@code metadata.name} and {@code metadata.namespace}.
     *
     * @throws ApiFailure 400 for any other field
     */
    static Predicate<Stored> fields(String selector, boolean custom) {
        Predicate<Stored> all = object -> true;
        if (selector.isBlank()) {
            return all;
        }
        for (String term : selector.split(",", -1)) {
            if (term.isEmpty()) {
                continue;
            }
            int not = term.indexOf("!=");
            int equals = term.indexOf('=');
            if (equals < 0) {
                throw ApiFailure.badRequest("invalid selector: '" + selector + "'; can't understand '" + term + "'");
            }
            boolean negated = not >= 0 && not < equals;
            String field = term.substring(0, negated ? not : equals);
            String value = term.substring(equals + (term.startsWith("==", equals) ? 2 : 1));
            Predicate<Stored> is =
                    switch (field) {
                        case "metadata.name" -> object -> object.name.equals(value);
                        case "metadata.namespace" -> object -> object.namespace.equals(value);
                        default -> throw ApiFailure.badRequest(
                                custom
                                        ? "field label not supported: " + field
                                        : "\"" + field
                                                + "\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"");
                    };
            all = all.and(negated ? is.negate() : is);
        }
        return all;
    }

    private static final class LabelParser {
        private static final String OPERATORS = "in, notin, =, ==, !=, gt, lt";
        private final String text;
        private int at;

        LabelParser(String text) {
            this.text = text;
        }

        Predicate<Map<String, String>> parse() {
            List<Predicate<Map<String, String>>> terms = new ArrayList<>();
            while (true) {
                terms.add(requirement());
                String next = token();
                if (next.isEmpty()) {
                    break;
                }
                if (!next.equals(",")) {
                    throw unable("found '" + next + "', expected: ',' or 'end of string'");
                }
            }
            return labels -> {
                for (Predicate<Map<String, String>> term : terms) {
                    if (!term.test(labels)) {
                        return false;
                    }
                }
                return true;
            };
        }

        private Predicate<Map<String, String>> requirement() {
            String first = token();
            if (first.equals("!")) {
                String key = key(token());
                return labels -> !labels.containsKey(key);
            }
            String key = key(first);
            int mark = at;
            String operator = token();
            switch (operator) {
                case "", "," -> {
                    at = mark;
                    return labels -> labels.containsKey(key);
                }
                case "=", "==" -> {
                    String value = value();
                    return labels -> value.equals(labels.get(key));
                }
                case "!=" -> {
                    String value = value();
                    return labels -> !value.equals(labels.get(key));
                }
                case "in" -> {
                    Set<String> values = values();
                    return labels -> labels.containsKey(key) && values.contains(labels.get(key));
                }
                case "notin" -> {
                    Set<String> values = values();
                    return labels -> !labels.containsKey(key) || !values.contains(labels.get(key));
                }
                case ">", "<" -> {
                    long bound = integer(value());
                    boolean greater = operator.equals(">");
                    return labels -> {
                        String has = labels.get(key);
                        if (has == null || !has.matches("-?\\d{1,18}")) {
                            return false;
                        }
                        long number = Long.parseLong(has);
                        return greater ? number > bound : number < bound;
                    };
                }
                default -> throw unable("found '" + operator + "', expected: " + OPERATORS);
            }
        }

        private String key(String token) {
            if (token.isEmpty() || "=!<>(),".indexOf(token.charAt(0)) >= 0) {
                throw unable("found '" + token + "', expected: identifier");
            }
            return token;
        }

        /** A value may be empty: {@code x=} and {@code x=,y} ask for the empty string. */
        private String value() {
            int mark = at;
            String token = token();
            if (token.isEmpty() || token.equals(",")) {
                at = mark;
                return "";
            }
            if ("=!<>()".indexOf(token.charAt(0)) >= 0) {
                throw unable("found '" + token + "', expected: identifier");
            }
            return token;
        }

        private long integer(String value) {
            try {
                return Long.parseLong(value);
            } catch (NumberFormatException e) {
                throw unable("for 'Gt', 'Lt' operators, the value must be an integer");
            }
        }

        private Set<String> values() {
            String open = token();
            if (!open.equals("(")) {
                throw unable("found '" + open + "' expected: '('");
            }
            TreeSet<String> values = new TreeSet<>();
            while (true) {
                values.add(value());
                String next = token();
                if (next.equals(")")) {
                    return values;
                }
                if (!next.equals(",")) {
                    throw unable("found '" + next + "', expected: ',', ')' or identifier");
                }
            }
        }

        /** The next token; "" at the end. */
        private String token() {
            while (at < text.length() && Character.isWhitespace(text.charAt(at))) {
                at++;
            }
            if (at >= text.length()) {
                return "";
            }
            char c = text.charAt(at);
            if ("(),<>".indexOf(c) >= 0) {
                at++;
                return String.valueOf(c);
            }
            if (c == '=' || c == '!') {
                at++;
                if (at < text.length() && text.charAt(at) == '=') {
                    at++;
                    return c + "=";
                }
                return String.valueOf(c);
            }
            int start = at;
            while (at < text.length()
                    && "(),<>=!".indexOf(text.charAt(at)) < 0
                    && !Character.isWhitespace(text.charAt(at))) {
                at++;
            }
            return text.substring(start, at);
        }

        private static ApiFailure unable(String what) {
            return ApiFailure.badRequest("unable to parse requirement: " + what);
        }
    }
}
