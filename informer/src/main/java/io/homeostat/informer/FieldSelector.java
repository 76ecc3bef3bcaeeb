package io.homeostat.informer;

import io.homeostat.client.ObjectKey;
import io.homeostat.informer.LabelSelector.Answer;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;

/**
 * A field selector as it stands in {@code fieldSelector} (apimachinery {@code fields.ParseSelector}): terms joined by commas, each
 * {@code field=value}, {@code field==value} or {@code field!=value}; a backslash before a comma, an equals sign or a backslash of a value.
 * Evaluated here only for the key of an object; the rest is {@link Answer#UNKNOWN}. Immutable.
 */
final class FieldSelector {
    /** One requirement; {@code value} without its backslashes. */
    private record Term(String field, boolean equal, String value) {
        Answer selects(ObjectKey key) {
            String found;
            switch (field) {
                case "metadata.name" -> found = key.name();
                case "metadata.namespace" -> found = key.namespace();
                default -> {
                    return Answer.UNKNOWN;
                }
            }
            return found.equals(value) == equal ? Answer.YES : Answer.NO;
        }

        @Override
        public String toString() {
            String escaped = value.replace("\\", "\\\\").replace(",", "\\,").replace("=", "\\=");
            return field + (equal ? "=" : "!=") + escaped;
        }
    }

    private final List<Term> terms;
    private final String text;

    private FieldSelector(List<Term> terms) {
        this.terms = terms;
        TreeSet<String> sorted = new TreeSet<>();
        terms.forEach(term -> sorted.add(term.toString()));
        this.text = String.join(",", sorted);
    }

    /**
     * Reads a selector; {@code ""} selects everything.
     *
     * @throws IllegalArgumentException when it is none
     */
    static FieldSelector of(String text) {
        List<Term> terms = new ArrayList<>();
        int start = 0;
        boolean escaped = false;
        String all = text.strip();
        for (int i = 0; i <= all.length(); i++) {
            if (i == all.length() || (all.charAt(i) == ',' && !escaped)) {
                if (i > start) {
                    terms.add(term(all.substring(start, i), text));
                }
                start = i + 1;
                escaped = false;
            } else {
                escaped = all.charAt(i) == '\\' && !escaped;
            }
        }
        return new FieldSelector(List.copyOf(terms));
    }

    private static Term term(String part, String all) {
        int equals = part.indexOf('=');
        int end = equals > 0 && part.charAt(equals - 1) == '!' ? equals - 1 : equals;
        int value = equals + (part.startsWith("==", equals) ? 2 : 1);
        String field = end < 0 ? "" : part.substring(0, end).strip();
        if (end == equals - 1) {
            value = equals + 1;
        }
        if (field.isEmpty()) {
            throw wrong(all, "found \"" + part + "\"");
        }
        return new Term(field, end == equals, unescaped(part.substring(value), all));
    }

    private static String unescaped(String value, String all) {
        StringBuilder plain = new StringBuilder();
        for (int i = 0; i < value.length(); i++) {
            char c = value.charAt(i);
            if (c == '\\') {
                i++;
                c = i < value.length() ? value.charAt(i) : ' ';
                if (c != '\\' && c != ',' && c != '=') {
                    throw wrong(all, "found a backslash before something else than a comma, '=' or a backslash");
                }
            } else if (c == '=') {
                throw wrong(all, "found a '=' in a value without a backslash before it");
            }
            plain.append(c);
        }
        return plain.toString();
    }

    private static IllegalArgumentException wrong(String all, String found) {
        return new IllegalArgumentException("\"" + all
                + "\" is no field selector; write requirements like spec.nodeName=n1, status.phase!=Failed, joined by commas; "
                + found);
    }

    Answer selects(ObjectKey key) {
        Answer answer = Answer.YES;
        for (Term term : terms) {
            Answer each = term.selects(key);
            if (each == Answer.NO) {
                return Answer.NO;
            }
            answer = each == Answer.UNKNOWN ? Answer.UNKNOWN : answer;
        }
        return answer;
    }

    /** The one form of it: terms in order, each once, {@code =} for {@code ==}. */
    @Override
    public String toString() {
        return text;
    }
}
