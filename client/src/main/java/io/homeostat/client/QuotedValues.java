package io.homeostat.client;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Takes the values out of a server's words. kube-apiserver quotes what it finds wrong ({@code field.Error} in apimachinery, for
 * built-in types and for the schemas of CustomResourceDefinitions; structured-merge-diff for applies), and that may be a password: field
 * and reason are enough to find it.
 */
final class QuotedValues {
    private static final String NOT_SHOWN = "(not shown)";

    /** What stands before a value; of a value that is neither a Go string nor a plain word nobody can tell where it ends. */
    private static final Pattern BEFORE =
            Pattern.compile("(?:(?:Invalid|Unsupported|Duplicate) value|Not found): |expected [^,]{1,40}, got (?=&)");

    /** Possessive: a value may be long, and a pattern that can go back takes a stack frame for each character. */
    private static final Pattern STRING = Pattern.compile("\"(?:[^\"\\\\]|\\\\.)*+\"", Pattern.DOTALL);

    private static final Pattern WORD = Pattern.compile("[A-Za-z0-9.+-]{1,40}(?=[:,\\]]|$)");

    private QuotedValues() {}

    /** The text with {@code (not shown)} for each value, and for what follows a value whose end cannot be told. */
    static String hidden(String text) {
        StringBuilder out = new StringBuilder(text.length());
        Matcher before = BEFORE.matcher(text);
        int at = 0;
        while (before.find(at)) {
            out.append(text, at, before.end()).append(NOT_SHOWN);
            int end = end(text, before.end());
            if (end < 0) {
                return out.toString();
            }
            at = end;
        }
        return out.append(text, at, text.length()).toString();
    }

    /** Where the value ends that starts there; negative when that cannot be told. */
    private static int end(String text, int start) {
        Matcher value =
                (text.startsWith("\"", start) ? STRING : WORD).matcher(text).region(start, text.length());
        return value.lookingAt() ? value.end() : -1;
    }
}
