package io.homeostat.simulator;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;
import tools.jackson.databind.JsonNode;

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

    /** The fields of the server's own kinds that select, besides name and namespace ({@code pkg/apis/.../conversion.go}). */
    private static final Map<String, List<String>> OF_KIND = Map.of(
            "/pods",
            List.of(
                    "spec.nodeName",
                    "spec.restartPolicy",
                    "spec.schedulerName",
                    "spec.serviceAccountName",
                    "spec.hostNetwork",
                    "status.phase",
                    "status.podIP",
                    "status.nominatedNodeName"),
            "/secrets",
            List.of("type"),
            "/services",
            List.of("spec.clusterIP", "spec.type"),
            "/namespaces",
            List.of("status.phase"),
            "/nodes",
            List.of("spec.unschedulable"),
            "/events",
            List.of(
                    "involvedObject.kind",
                    "involvedObject.namespace",
                    "involvedObject.name",
                    "involvedObject.uid",
                    "involvedObject.apiVersion",
                    "involvedObject.resourceVersion",
                    "involvedObject.fieldPath",
                    "reason",
                    "reportingComponent",
                    "type"));

    /** What a selectable field is when it is not set: the zero of its Go type. */
    private static final Map<String, String> UNSET = Map.of("spec.hostNetwork", "false", "spec.unschedulable", "false");

    /**
     * Which objects are wanted, by the fields that the real server knows for this kind.
     *
     * @throws ApiFailure 400 for any other field
     */
    static Predicate<Stored> fields(String selector, Registry registry, ResourceKind kind) {
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
                        default -> field(registry, kind, field, value);
                    };
            all = all.and(negated ? is.negate() : is);
        }
        return all;
    }

    private static Predicate<Stored> field(Registry registry, ResourceKind kind, String field, String value) {
        List<String> known = registry.custom ? registry.selectableFields(kind) : OF_KIND.get(Writes.id(registry));
        if (known == null) {
            throw ApiFailure.badRequest(
                    "\"" + field + "\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"");
        }
        // events are stored, and selected, in their older form
        String stored = kind.group().equals(EventForms.GROUP)
                ? field.replaceFirst("^regarding\\.", "involvedObject.")
                        .replace("reportingController", "reportingComponent")
                : field;
        if (!known.contains(stored)) {
            throw ApiFailure.badRequest("field label not supported: " + field);
        }
        String[] path = stored.split("\\.", -1);
        String unset = registry.custom ? "" : UNSET.getOrDefault(stored, "");
        return object -> {
            JsonNode found = Json.at(object.tree, path);
            String text =
                    found == null || found.isNull() ? unset : found.isString() ? found.stringValue() : found.toString();
            return text.equals(value);
        };
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
                    throw ApiFailure.badRequest("found '" + next + "', expected: ',' or 'end of string'");
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
                    String value = checked(key, 0, value());
                    return labels -> value.equals(labels.get(key));
                }
                case "!=" -> {
                    String value = checked(key, 0, value());
                    return labels -> !value.equals(labels.get(key));
                }
                case "in" -> {
                    Set<String> values = values(key);
                    return labels -> labels.containsKey(key) && values.contains(labels.get(key));
                }
                case "notin" -> {
                    Set<String> values = values(key);
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

        private static String checked(String key, int index, String value) {
            List<Cause> causes = new ArrayList<>();
            Validation.labelValue(value, "values[" + index + "][" + key + "]", causes);
            if (!causes.isEmpty()) {
                throw unable(causes.get(0).sentence());
            }
            return value;
        }

        private long integer(String value) {
            try {
                return Long.parseLong(value);
            } catch (NumberFormatException e) {
                throw unable("for 'Gt', 'Lt' operators, the value must be an integer");
            }
        }

        private Set<String> values(String key) {
            String open = token();
            if (!open.equals("(")) {
                throw unable("found '" + open + "' expected: '('");
            }
            TreeSet<String> values = new TreeSet<>();
            while (true) {
                values.add(value());
                String next = token();
                if (next.equals(")")) {
                    int index = 0;
                    for (String value : values) {
                        checked(key, index++, value);
                    }
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
