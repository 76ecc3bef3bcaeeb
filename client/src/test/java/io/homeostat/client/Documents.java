package io.homeostat.client;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;

/** Writes awkward but legal JSON of objects, the same for the same seed. */
final class Documents {
    private static final String[] CONTENT = {
        "a",
        "Z",
        "0",
        " ",
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"",
        "\\",
        "/",
        "\n",
        "\t",
        "\r",
        "\b",
        "\f",
        "ä",
        "€",
        "\uD834\uDD1E",
        "\uD83D\uDE00",
        "managedFields",
        "metadata",
        "name",
        "\u007f",
        "\u0080",
        "\u07ff",
        "\u0800",
        "\uffff"
    };
    private static final String[] NAMES = {"a", "pod-0", "x.y", "käfer", "n\"q", "b\\c"};
    private static final String[] TYPES = {"ADDED", "MODIFIED", "DELETED"};

    private final Random random;
    private final StringBuilder json = new StringBuilder();
    private final boolean spaces;
    private boolean duplicates = true;

    /** Whether a member that the scanner reads was given a value of another sort than it has. */
    boolean poisoned;

    Documents(long seed) {
        random = new Random(seed);
        spaces = random.nextInt(4) == 0;
    }

    /** From here on no member that the scanner reads comes twice. */
    Documents withoutDuplicates() {
        duplicates = false;
        return this;
    }

    int next(int bound) {
        return random.nextInt(bound);
    }

    /** The JSON written so far. */
    String json() {
        return json.toString();
    }

    Documents frame() {
        poisoned = false;
        List<Runnable> members = new ArrayList<>();
        Runnable type = member("type", () -> string(TYPES[next(3)]));
        if (next(20) == 0) {
            members.add(member("object", this::value));
        }
        if (next(3) == 0) {
            members.add(member("object", this::object));
            members.add(type);
        } else {
            members.add(type);
            members.add(member("object", this::object));
        }
        if (next(5) == 0) {
            members.add(member("more", this::value));
        }
        object(members);
        return this;
    }

    /** A list of {@code count} objects. */
    Documents list(int count) {
        List<Runnable> members = new ArrayList<>();
        members.add(member("kind", () -> string("PodList")));
        members.add(member("apiVersion", () -> string("v1")));
        members.add(member("metadata", () -> {
            List<Runnable> of = new ArrayList<>();
            of.add(member("resourceVersion", () -> string("4711")));
            of.add(member("continue", () -> string("tök\"en")));
            of.add(member("managedFields", this::value));
            object(of);
        }));
        members.add(member("items", () -> {
            json.append('[');
            for (int i = 0; i < count; i++) {
                json.append(i == 0 ? "" : ",");
                space();
                object();
                space();
            }
            space();
            json.append(']');
        }));
        if (next(3) == 0) {
            members.add(member("rest", this::value));
        }
        Collections.shuffle(members, random);
        object(members);
        return this;
    }

    Documents object() {
        List<Runnable> members = new ArrayList<>();
        if (next(2) == 0) {
            members.add(member("kind", () -> string("Pod")));
            members.add(member("apiVersion", () -> string("v1")));
        }
        for (int i = next(3); i > 0; i--) {
            members.add(member(next(2) == 0 ? "spec" : text(), this::value));
        }
        if (next(10) == 0) {
            members.add(member("metadata", this::value));
        }
        Collections.shuffle(members, random);
        int at = members.size();
        members.add(member("metadata", this::metadata));
        for (int i = next(3); i > 0; i--) {
            members.add(member(next(2) == 0 ? "status" : text() + "'", this::value));
        }
        if (next(4) == 0) {
            // In front of everything, where no other metadata may follow.
            Runnable metadata = members.remove(at);
            members.removeIf(m -> m instanceof Member named && named.key.equals("metadata"));
            members.add(0, metadata);
        }
        object(members);
        return this;
    }

    private void metadata() {
        List<Runnable> members = new ArrayList<>();
        members.add(scanned("name", () -> string(NAMES[next(NAMES.length)])));
        members.add(scanned("namespace", () -> string("n" + next(3))));
        members.add(scanned("resourceVersion", () -> string("" + (1 + next(1000)))));
        maybe(members, "uid", () -> string(text()));
        maybe(members, "generation", () -> json.append(next(5) == 0 ? Long.MAX_VALUE : next(9)));
        maybe(members, "labels", () -> {
            List<Runnable> labels = new ArrayList<>();
            for (int i = next(next(10) == 0 ? 60 : 5); i > 0; i--) {
                labels.add(member(next(3) == 0 ? text() : "l" + next(40), () -> string(text())));
            }
            object(labels);
        });
        maybe(
                members,
                "ownerReferences",
                () -> array(next(4), () -> {
                    List<Runnable> owner = new ArrayList<>();
                    for (String field : new String[] {"apiVersion", "kind", "name", "uid"}) {
                        owner.add(member(field, () -> string(next(2) == 0 ? "apps/v1" : text())));
                    }
                    if (next(2) == 0) {
                        owner.add(member("controller", () -> json.append(next(2) == 0)));
                    }
                    if (next(3) == 0) {
                        owner.add(member("blockOwnerDeletion", this::value));
                    }
                    Collections.shuffle(owner, random);
                    object(owner);
                }));
        maybe(members, "finalizers", () -> array(next(4), () -> string(text())));
        maybe(members, "creationTimestamp", () -> string("2026-11-24T20:00:00Z"));
        maybe(members, "deletionTimestamp", () -> string("2026-11-24T21:00:00Z"));
        for (int i = next(3); i > 0; i--) {
            members.add(member("managedFields", this::value));
        }
        if (next(3) == 0) {
            members.add(member("annotations", this::value));
        }
        Collections.shuffle(members, random);
        object(members);
    }

    private void maybe(List<Runnable> members, String key, Runnable value) {
        for (int i = next(8) == 0 && duplicates ? 2 : next(2); i > 0; i--) {
            members.add(scanned(key, value));
        }
    }

    private Runnable scanned(String key, Runnable value) {
        if (next(200) == 0) {
            return member(key, () -> {
                poisoned = true;
                json.append(
                        switch (key) {
                            case "labels" -> "[1]";
                            case "ownerReferences", "finalizers" -> "{\"a\":true}";
                            case "generation" -> "\"1\"";
                            default -> "1.5e3";
                        });
            });
        }
        if (next(30) == 0 && !key.equals("name") && !key.equals("namespace") && !key.equals("resourceVersion")) {
            return member(key, () -> json.append("null"));
        }
        return member(key, value);
    }

    /** Any value: nested, long, deep. */
    private void value() {
        switch (next(12)) {
            case 0 -> json.append(next(2) == 0);
            case 1 -> json.append("null");
            case 2 -> json.append(
                    new String[] {"0", "-0", "17", "-1.5", "1e9", "2.5E-3", "1234567890123456789"}[next(7)]);
            case 3, 4, 5 -> string(text());
            case 6, 7 -> array(next(4), this::value);
            case 8 -> string("x".repeat(next(300)) + text());
            case 9 -> {
                int depth = next(30);
                json.append("[{\"a\":".repeat(depth)).append('1').append("}]".repeat(depth));
            }
            default -> {
                List<Runnable> members = new ArrayList<>();
                for (int i = next(4); i > 0; i--) {
                    members.add(member(text(), this::value));
                }
                if (next(3) == 0) {
                    members.add(member("managedFields", this::value));
                    members.add(member("metadata", () -> object(List.of(member("managedFields", this::value)))));
                }
                object(members);
            }
        }
    }

    private final class Member implements Runnable {
        private final String key;
        private final Runnable value;

        Member(String key, Runnable value) {
            this.key = key;
            this.value = value;
        }

        @Override
        public void run() {
            string(key);
            space();
            json.append(':');
            space();
            value.run();
        }
    }

    private Runnable member(String key, Runnable value) {
        return new Member(key, value);
    }

    private void object(List<Runnable> members) {
        json.append('{');
        for (int i = 0; i < members.size(); i++) {
            json.append(i == 0 ? "" : ",");
            space();
            members.get(i).run();
            space();
        }
        space();
        json.append('}');
    }

    private void array(int count, Runnable element) {
        json.append('[');
        for (int i = 0; i < count; i++) {
            json.append(i == 0 ? "" : ",");
            space();
            element.run();
            space();
        }
        json.append(']');
    }

    private void space() {
        if (spaces) {
            json.append(new String[] {"", " ", "\n", "\t", "\r\n", "  "}[next(6)]);
        }
    }

    private String text() {
        StringBuilder text = new StringBuilder();
        for (int i = next(6); i > 0; i--) {
            text.append(CONTENT[next(CONTENT.length)]);
        }
        return text.toString();
    }

    private void string(String text) {
        json.append('"');
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            boolean pair = Character.isHighSurrogate(c);
            if (next(40) == 0) {
                escape(c);
                if (pair) {
                    escape(text.charAt(++i));
                }
                continue;
            }
            if (pair) {
                json.append(c).append(text.charAt(++i));
                continue;
            }
            switch (c) {
                case '"' -> json.append("\\\"");
                case '\\' -> json.append("\\\\");
                case '\n' -> json.append("\\n");
                case '\t' -> json.append("\\t");
                case '\r' -> json.append("\\r");
                case '\b' -> json.append("\\b");
                case '\f' -> json.append("\\f");
                default -> json.append(c);
            }
        }
        json.append('"');
    }

    private void escape(char c) {
        json.append(String.format(next(2) == 0 ? "\\u%04x" : "\\u%04X", (int) c));
    }
}
