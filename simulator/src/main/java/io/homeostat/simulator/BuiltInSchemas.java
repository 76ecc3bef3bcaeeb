package io.homeostat.simulator;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;

/** The structure of the built-in kinds, read once from {@code builtin-schemas.txt}, whose head explains its grammar. */
final class BuiltInSchemas {
    private static final Map<String, Schema> TYPES = read();

    private BuiltInSchemas() {}

    /** The type named {@code name}, for example {@code Deployment}. */
    static Schema of(String name) {
        Schema schema = TYPES.get(name);
        if (schema == null) {
            throw new IllegalArgumentException("builtin-schemas.txt has no type " + name);
        }
        return schema;
    }

    private static Map<String, Schema> read() {
        Map<String, Type> types = new LinkedHashMap<>();
        try (InputStream file = BuiltInSchemas.class.getResourceAsStream("builtin-schemas.txt")) {
            if (file == null) {
                throw new IllegalStateException("builtin-schemas.txt is missing beside the classes of the simulator");
            }
            BufferedReader lines = new BufferedReader(new InputStreamReader(file, StandardCharsets.UTF_8));
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                if (!line.startsWith("#")) {
                    String[] words = line.split(" ", -1);
                    types.put(words[0], new Type(List.of(words).subList(1, words.length)));
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read builtin-schemas.txt", e);
        }
        types.values().forEach(type -> type.link(types));
        Map<String, Schema> schemas = new HashMap<>();
        types.forEach((name, type) -> schemas.put(name, type.schema));
        return schemas;
    }

    /** A line of the file: its schema is there at once, and gets its fields when all lines are read. */
    private static final class Type {
        private final List<String> words;
        private final Map<String, Schema> fields = new LinkedHashMap<>();
        private final Map<String, JsonNode> defaults = new HashMap<>();
        private final Map<String, Schema.Presence> presence = new HashMap<>();
        private final Schema schema = Schema.struct(fields, null, defaults, presence);

        Type(List<String> words) {
            this.words = words;
        }

        void link(Map<String, Type> types) {
            for (String word : words) {
                int colon = word.indexOf(':');
                int equals = word.indexOf('=', colon);
                String name = word.substring(0, colon);
                String type = equals < 0 ? word.substring(colon + 1) : word.substring(colon + 1, equals);
                if (type.endsWith("?") || type.endsWith("+")) {
                    presence.put(name, type.endsWith("?") ? Schema.Presence.OPTIONAL : Schema.Presence.ALWAYS);
                    type = type.substring(0, type.length() - 1);
                }
                fields.put(name, parsed(type, types));
                if (equals >= 0) {
                    String value = word.substring(equals + 1);
                    defaults.put(
                            name,
                            type.equals("i")
                                    ? Json.NODES.numberNode(Integer.parseInt(value))
                                    : Json.NODES.stringNode(value));
                }
            }
        }

        private static Schema parsed(String type, Map<String, Type> types) {
            String rest = type.substring(1);
            return switch (type.charAt(0)) {
                case '[' -> Schema.atomicList(parsed(rest, types));
                case '$' -> Schema.setOf(parsed(rest, types));
                case '%' -> Schema.mapOf(parsed(rest, types));
                case '!' -> parsed(rest, types).atomic();
                case '<' -> {
                    int end = type.indexOf('>');
                    yield Schema.listMap(
                            List.of(type.substring(1, end).split(",")), parsed(type.substring(end + 1), types));
                }
                default -> type.length() == 1 ? leaf(type.charAt(0)) : named(type, types);
            };
        }

        private static Schema named(String name, Map<String, Type> types) {
            Type type = types.get(name);
            if (type == null) {
                throw new IllegalStateException("builtin-schemas.txt names " + name + " but does not describe it");
            }
            return type.schema;
        }

        private static Schema leaf(char letter) {
            return switch (letter) {
                case 's' -> Schema.scalar(Schema.Scalar.STRING);
                case 'y' -> Schema.scalar(Schema.Scalar.BYTES);
                case 't' -> Schema.scalar(Schema.Scalar.TIME);
                case 'u' -> Schema.scalar(Schema.Scalar.MICRO_TIME);
                case 'i' -> Schema.scalar(Schema.Scalar.INT32);
                case 'l' -> Schema.scalar(Schema.Scalar.INT64);
                case 'n' -> Schema.scalar(Schema.Scalar.NUMBER);
                case 'b' -> Schema.scalar(Schema.Scalar.BOOLEAN);
                case 'x' -> Schema.scalar(Schema.Scalar.INT_OR_STRING);
                case 'q' -> Schema.scalar(Schema.Scalar.QUANTITY);
                case '*' -> Schema.scalar(Schema.Scalar.ANY);
                default -> throw new IllegalStateException("builtin-schemas.txt uses the unknown letter " + letter);
            };
        }
    }
}
