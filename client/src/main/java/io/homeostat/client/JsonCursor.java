package io.homeostat.client;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Walks over JSON that {@link JsonCutter} has found whole and well formed: it checks nothing again.
 *
 * <p>Confined to its caller.
 */
final class JsonCursor {
    private final byte[] bytes;
    private int at;

    JsonCursor(byte[] bytes, int at) {
        this.bytes = bytes;
        this.at = at;
    }

    /** The index of the byte the cursor stands on. */
    int at() {
        return at;
    }

    /** The first byte of the next value, or the bracket or comma that is next. */
    byte peek() {
        while (bytes[at] == ' ' || bytes[at] == '\n' || bytes[at] == '\t' || bytes[at] == '\r') {
            at++;
        }
        return bytes[at];
    }

    /** Goes into the object or array that is next. */
    void enter() {
        peek();
        at++;
    }

    /** Whether there is a further member or element, standing on it; else behind the closing bracket. */
    boolean more() {
        byte c = peek();
        if (c == ',') {
            at++;
            peek();
            return true;
        }
        if (c == '}' || c == ']') {
            at++;
            return false;
        }
        return true;
    }

    /** From a key to its value, over the key. */
    void toValue() {
        skip();
        colon();
    }

    /** Over the key that is next, and its value: the string, or null when it is none. */
    @Nullable
    String memberText() {
        toValue();
        if (peek() == '"') {
            return string(null);
        }
        skip();
        return null;
    }

    /** The {@code kind} of the object that {@code json} begins with; null when it has none. */
    static @Nullable String kindOf(byte[] json) {
        JsonCursor cursor = new JsonCursor(json, 0);
        String kind = null;
        cursor.enter();
        while (cursor.more()) {
            if (cursor.keyIs("kind")) {
                kind = cursor.memberText();
            } else {
                cursor.toValue();
                cursor.skip();
            }
        }
        return kind;
    }

    /** From the colon behind a key to its value. */
    void colon() {
        peek();
        at++;
        peek();
    }

    /** Over the value (or key) that is next. */
    void skip() {
        byte c = peek();
        if (c == '"') {
            at = endOfString(bytes, at);
            return;
        }
        if (c != '{' && c != '[') {
            do {
                at++;
            } while (at < bytes.length && isScalar(bytes[at]));
            return;
        }
        int depth = 0;
        do {
            switch (bytes[at]) {
                case '"' -> at = endOfString(bytes, at) - 1;
                case '{', '[' -> depth++;
                case '}', ']' -> depth--;
                default -> {}
            }
            at++;
        } while (depth > 0);
    }

    private static boolean isScalar(byte c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '.' || c == '-' || c == '+' || c == 'E';
    }

    /** The string that is next; null when it is not valid UTF-8. */
    @Nullable
    String string(@Nullable Interner interner) {
        peek();
        int start = at;
        at = endOfString(bytes, at);
        return text(bytes, start, at, interner);
    }

    /** The number (or word) that is next, as it stands. */
    String scalar() {
        peek();
        int start = at;
        skip();
        return new String(bytes, start, at - start, StandardCharsets.ISO_8859_1);
    }

    /** Whether the key that is next spells {@code name}; the cursor stays. */
    boolean keyIs(String name) {
        int end = endOfString(bytes, at);
        int length = end - at - 2;
        if (length == name.length()) {
            return spells(name);
        }
        if (length < name.length()) {
            return false;
        }
        for (int k = at + 1; k < end; k++) {
            if (bytes[k] == '\\') {
                return name.equals(text(bytes, at, end, null));
            }
        }
        return false;
    }

    /** Which of {@code names} the key that is next spells; -1 for none. The cursor stays. */
    int keyIn(String[] names) {
        int end = endOfString(bytes, at);
        int length = end - at - 2;
        for (int i = 0; i < names.length; i++) {
            if (names[i].length() == length && spells(names[i])) {
                return i;
            }
        }
        for (int k = at + 1; k < end; k++) {
            if (bytes[k] == '\\') {
                return Arrays.asList(names).indexOf(text(bytes, at, end, null));
            }
        }
        return -1;
    }

    private boolean spells(String name) {
        for (int k = 0; k < name.length(); k++) {
            if (bytes[at + 1 + k] != name.charAt(k)) {
                return false;
            }
        }
        return true;
    }

    /** The sort of the value that is next, in words. */
    String found() {
        return switch (peek()) {
            case '"' -> "a string";
            case '{' -> "an object";
            case '[' -> "an array";
            case 't', 'f' -> "true or false";
            case 'n' -> "null";
            default -> "a number";
        };
    }

    /** The string whose opening quote is at {@code start}; null when it is not valid UTF-8. */
    static @Nullable String text(byte[] bytes, int start) {
        return text(bytes, start, endOfString(bytes, start), null);
    }

    /** The index behind the closing quote of the string whose opening quote is at {@code start}. */
    private static int endOfString(byte[] bytes, int start) {
        int i = start + 1;
        while (true) {
            i = JsonCutter.endOfPlain(bytes, i, bytes.length);
            if (bytes[i] == '"') {
                return i + 1;
            }
            i += 2;
        }
    }

    private static @Nullable String text(byte[] bytes, int start, int end, @Nullable Interner interner) {
        int from = start + 1;
        int to = end - 1;
        for (int i = from; i < to; i++) {
            byte c = bytes[i];
            if (c < 0 || c == '\\') {
                String decoded = decode(bytes, from, to);
                return interner == null || decoded == null ? decoded : interner.of(decoded);
            }
        }
        if (interner != null) {
            return interner.of(bytes, from, to);
        }
        return new String(bytes, from, to - from, StandardCharsets.ISO_8859_1);
    }

    private static @Nullable String decode(byte[] bytes, int from, int to) {
        StringBuilder text = new StringBuilder(to - from);
        int i = from;
        while (i < to) {
            if (bytes[i] != '\\') {
                int start = i;
                while (i < to && bytes[i] != '\\') {
                    i++;
                }
                try {
                    text.append(StandardCharsets.UTF_8
                            .newDecoder()
                            .onMalformedInput(CodingErrorAction.REPORT)
                            .decode(ByteBuffer.wrap(bytes, start, i - start)));
                } catch (CharacterCodingException e) {
                    return null;
                }
                continue;
            }
            byte c = bytes[i + 1];
            i += 2;
            switch (c) {
                case 'b' -> text.append('\b');
                case 'f' -> text.append('\f');
                case 'n' -> text.append('\n');
                case 'r' -> text.append('\r');
                case 't' -> text.append('\t');
                case 'u' -> {
                    int code = 0;
                    for (int k = 0; k < 4; k++) {
                        code = (code << 4) | Character.digit(bytes[i + k], 16);
                    }
                    text.append((char) code);
                    i += 4;
                }
                default -> text.append((char) c);
            }
        }
        return text.toString();
    }
}
