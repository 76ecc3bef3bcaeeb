package io.homeostat.informer;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A label selector as it stands in {@code labelSelector}: equality, set and existence requirements, joined by commas
 * (apimachinery {@code labels.Parse}). Evaluated here only to place own writes (D10); what it does not know it calls
 * {@link Answer#UNKNOWN}. Immutable.
 */
final class LabelSelector {
    /** Whether an object is selected. */
    enum Answer {
        /** It is. */
        YES,
        /** It is not. */
        NO,
        /** The selector uses something this class does not know. */
        UNKNOWN
    }

    private static final Pattern SET = Pattern.compile("(\\S+)\\s+(in|notin)\\s*\\(([^()]*)\\)");
    private static final Pattern EQUALITY = Pattern.compile("([^\\s!=<>]+)\\s*(==|=|!=)\\s*([^\\s!=<>()]*)");
    private static final Pattern EXISTENCE = Pattern.compile("(!?)\\s*([^\\s!=<>()]+)");

    /** One requirement, {@code text} in the one form of it; {@code values} are what {@code label} must be one of, empty where it may be anything else, too. */
    private record Requirement(
            String text, String label, Set<String> values, Predicate<Map<String, String>> condition) {
        boolean holds(Map<String, String> labels) {
            return condition.test(labels);
        }
    }

    /** A label that must have one of these values. */
    record OneOf(String label, Set<String> values) {}

    private final @Nullable List<Requirement> requirements;

    private LabelSelector(@Nullable List<Requirement> requirements) {
        this.requirements = requirements;
    }

    /** Reads a selector; {@code ""} selects everything. */
    static LabelSelector of(String text) {
        List<Requirement> requirements = new ArrayList<>();
        for (String part : parts(text)) {
            Requirement requirement = requirement(part.strip());
            if (requirement == null) {
                return new LabelSelector(null);
            }
            requirements.add(requirement);
        }
        return new LabelSelector(requirements);
    }

    /** The one form of it, requirements in order, each once; {@code otherwise} when it cannot be evaluated here. */
    String textOr(String otherwise) {
        if (requirements == null) {
            return otherwise;
        }
        TreeSet<String> sorted = new TreeSet<>();
        requirements.forEach(requirement -> sorted.add(requirement.text));
        return String.join(",", sorted);
    }

    /** Whether it can be evaluated here. */
    boolean isKnown() {
        return requirements != null;
    }

    /** The labels that must have one of some values: what an index can look for. */
    List<OneOf> oneOf() {
        if (requirements == null) {
            return List.of();
        }
        return requirements.stream()
                .filter(requirement -> !requirement.values.isEmpty())
                .map(requirement -> new OneOf(requirement.label, requirement.values))
                .toList();
    }

    Answer selects(Map<String, String> labels) {
        if (requirements == null) {
            return Answer.UNKNOWN;
        }
        for (Requirement requirement : requirements) {
            if (!requirement.holds(labels)) {
                return Answer.NO;
            }
        }
        return Answer.YES;
    }

    /** Splits at the commas outside of parentheses. */
    private static List<String> parts(String text) {
        List<String> parts = new ArrayList<>();
        int depth = 0;
        int start = 0;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            depth += c == '(' ? 1 : c == ')' ? -1 : 0;
            if (c == ',' && depth == 0) {
                parts.add(text.substring(start, i));
                start = i + 1;
            }
        }
        if (!text.isBlank()) {
            parts.add(text.substring(start));
        }
        return parts;
    }

    private static @Nullable Requirement requirement(String part) {
        Matcher set = SET.matcher(part);
        if (set.matches()) {
            String key = set.group(1);
            TreeSet<String> values = new TreeSet<>();
            for (String value : set.group(3).split(",", -1)) {
                values.add(value.strip());
            }
            String said = key + " " + set.group(2) + " (" + String.join(",", values) + ")";
            return set.group(2).equals("in")
                    ? new Requirement(
                            said, key, values, labels -> labels.containsKey(key) && values.contains(labels.get(key)))
                    : new Requirement(
                            said,
                            key,
                            Set.of(),
                            labels -> !labels.containsKey(key) || !values.contains(labels.get(key)));
        }
        Matcher equality = EQUALITY.matcher(part);
        if (equality.matches()) {
            String key = equality.group(1);
            String value = equality.group(3);
            return equality.group(2).equals("!=")
                    ? new Requirement(
                            key + "!=" + value,
                            key,
                            Set.of(),
                            labels -> !value.equals(labels.get(key))) // an absent key differs, as the server has it
                    : new Requirement(key + "=" + value, key, Set.of(value), labels -> value.equals(labels.get(key)));
        }
        Matcher existence = EXISTENCE.matcher(part);
        if (existence.matches()) {
            String key = existence.group(2);
            boolean wanted = existence.group(1).isEmpty();
            return new Requirement(
                    (wanted ? "" : "!") + key, key, Set.of(), labels -> labels.containsKey(key) == wanted);
        }
        return null;
    }
}
