package io.homeostat.simulator;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Laws of server-side apply that hold for any objects, tried on random ones. */
class FieldManagementLawsTest {
    private static final int ROUNDS = 1000;
    private static final Instant NOW = Instant.parse("2026-01-01T00:00:00Z");

    private static final Schema SCALAR = Schema.scalar(Schema.Scalar.ANY);
    private static final Schema ITEM = Schema.struct(
            Map.of("name", SCALAR, "value", SCALAR, "tags", Schema.setOf(SCALAR), "map", Schema.mapOf(SCALAR)),
            null,
            Map.of(),
            Map.of());
    private static final Schema SCHEMA = Schema.struct(
            new TreeMap<>(Map.of(
                    "metadata",
                            Schema.struct(Map.of("managedFields", Schema.atomicList(SCALAR)), null, Map.of(), Map.of()),
                    "scalar", SCALAR,
                    "map", Schema.mapOf(SCALAR),
                    "set", Schema.setOf(SCALAR),
                    "list", Schema.listMap(List.of("name"), ITEM),
                    "atomic", Schema.mapOf(SCALAR).atomic(),
                    "atomicList", Schema.atomicList(SCALAR),
                    "struct", ITEM,
                    "free", Schema.UNTYPED)),
            null,
            Map.of(),
            Map.of());

    private static FieldRequest request(String manager) {
        return new FieldRequest(manager, true, "x/v1", "", NOW);
    }

    private static ObjectNode apply(@Nullable ObjectNode live, ObjectNode object, String manager) {
        return FieldManagement.apply(live, object, request(manager), SCHEMA);
    }

    private interface Law {
        void holdsFor(RandomGenerator random);
    }

    private static void forAll(Law law) {
        for (long seed = 0; seed < ROUNDS; seed++) {
            try {
                law.holdsFor(new SplittableRandom(seed));
            } catch (AssertionError | RuntimeException e) {
                throw new AssertionError("seed " + seed + ": " + e.getMessage(), e);
            }
        }
    }

    // --- random objects
    // -----------------------------------------------------------------------------------------------

    private static JsonNode scalar(RandomGenerator random) {
        return Json.NODES.numberNode(random.nextInt(3));
    }

    private static ObjectNode map(RandomGenerator random) {
        ObjectNode map = Json.NODES.objectNode();
        for (int i = 1 + random.nextInt(2); i > 0; i--) {
            map.set("k" + random.nextInt(4), scalar(random));
        }
        return map;
    }

    private static ArrayNode set(RandomGenerator random) {
        ArrayNode set = Json.NODES.arrayNode();
        int start = random.nextInt(4);
        for (int i = 0; i <= random.nextInt(3); i++) {
            set.add("v" + (start + i) % 4);
        }
        return set;
    }

    private static ObjectNode item(RandomGenerator random, int name) {
        ObjectNode item = Json.NODES.objectNode();
        item.put("name", "n" + name);
        if (random.nextBoolean()) {
            item.set("value", scalar(random));
        }
        if (random.nextInt(3) == 0) {
            item.set("tags", set(random));
        }
        if (random.nextInt(3) == 0) {
            item.set("map", map(random));
        }
        return item;
    }

    private static ObjectNode object(RandomGenerator random) {
        ObjectNode object = Json.NODES.objectNode();
        for (String field : List.of("scalar", "map", "set", "list", "atomic", "atomicList", "struct", "free")) {
            if (random.nextInt(5) < 2) {
                continue;
            }
            switch (field) {
                case "scalar" -> object.set(field, scalar(random));
                case "map", "atomic" -> object.set(field, map(random));
                case "set", "atomicList" -> object.set(field, set(random));
                case "list" -> {
                    ArrayNode list = object.putArray(field);
                    int start = random.nextInt(4);
                    for (int i = 0; i <= random.nextInt(3); i++) {
                        list.add(item(random, (start + i) % 4));
                    }
                }
                case "struct" -> object.set(field, item(random, 0));
                default -> object.putObject(field).set("deep", map(random));
            }
        }
        return object;
    }

    // --- what is asked of results
    // -------------------------------------------------------------------------------------

    private static FieldSet owned(ObjectNode object, String manager) {
        for (JsonNode entry : Json.listAt(object, "metadata", "managedFields")) {
            if (Json.textAt(entry, "manager").equals(manager) && entry.get("fieldsV1") instanceof ObjectNode fields) {
                return requireNonNull(FieldSet.parsed(fields));
            }
        }
        return FieldSet.EMPTY;
    }

    private static FieldSet fields(ObjectNode object) {
        ObjectNode bare = Json.shallow(object);
        bare.remove("metadata");
        return Merging.fields(bare, SCHEMA);
    }

    /** Whether {@code object} says about the leaves of {@code applied} what that says. */
    private static void holds(ObjectNode object, ObjectNode applied) {
        ObjectNode bare = Json.shallow(object);
        bare.remove("metadata");
        Merging.Comparison difference = Merging.compare(bare, Merging.merge(bare, applied, SCHEMA), SCHEMA);
        assertThat(difference.added().paths())
                .as("added by a second merge of " + applied + " to " + bare)
                .isEmpty();
        assertThat(difference.modified().paths())
                .as("changed by a second merge")
                .isEmpty();
    }

    // --- the laws
    // -----------------------------------------------------------------------------------------------------

    @Test
    void applyingTwiceChangesNothing() {
        forAll(random -> {
            ObjectNode live = apply(null, object(random), "first");
            live = apply(live, object(random), "second");
            ObjectNode wanted = object(random);
            ObjectNode once = apply(live, wanted, "first");
            assertThat(Json.text(apply(once, wanted, "first"))).isEqualTo(Json.text(once));
        });
    }

    @Test
    void whatIsAppliedIsThereAndOwned() {
        forAll(random -> {
            ObjectNode live = apply(null, object(random), "other");
            ObjectNode wanted = object(random);
            ObjectNode result = apply(live, wanted, "me");
            holds(result, wanted);
            assertThat(owned(result, "me")).isEqualTo(Merging.fields(wanted, SCHEMA));
        });
    }

    @Test
    void anObjectOfOneApplierIsWhatItAppliedLast() {
        forAll(random -> {
            ObjectNode live = apply(null, object(random), "me");
            ObjectNode wanted = object(random);
            ObjectNode result = apply(live, wanted, "me");
            FieldSet mine = Merging.fields(wanted, SCHEMA);
            assertThat(fields(result).minus(mine).paths().stream().filter(path -> !isLeftover(result, path)))
                    .as("fields nobody applied")
                    .isEmpty();
        });
    }

    /** A structure that lost its last field stays as null, until the server reads the object again. */
    private static boolean isLeftover(ObjectNode object, String path) {
        JsonNode at = object;
        for (String name : path.substring(1).split("[.]", -1)) {
            int bracket = name.indexOf('[');
            at = at == null ? null : at.get(bracket < 0 ? name : name.substring(0, bracket));
            if (bracket >= 0 && at instanceof ArrayNode list) {
                JsonNode found = null;
                for (JsonNode item : list) {
                    if (item instanceof ObjectNode map && name.contains("\"" + Json.textAt(map, "name") + "\"")) {
                        found = item;
                    }
                }
                at = found;
            }
        }
        return at == null || at.isNull() || at.isEmpty();
    }

    @Test
    void whatAnotherManagerAppliedSurvivesWhateverIDrop() {
        forAll(random -> {
            ObjectNode theirs = object(random);
            ObjectNode live = apply(null, object(random), "me");
            live = apply(live, theirs, "them");
            ObjectNode result = apply(live, Json.NODES.objectNode(), "me");
            holds(result, theirs);
            assertThat(owned(result, "me").isEmpty()).isTrue();
            assertThat(owned(result, "them")).isEqualTo(owned(live, "them"));
        });
    }

    @Test
    void theOrderOfApplyingEqualObjectsDoesNotMatter() {
        forAll(random -> {
            ObjectNode shared = object(random);
            ObjectNode one = apply(apply(null, shared, "a"), shared, "b");
            ObjectNode other = apply(apply(null, shared, "b"), shared, "a");
            assertThat(owned(one, "a")).isEqualTo(owned(other, "a")).isEqualTo(owned(one, "b"));
            ObjectNode left = apply(one, Json.NODES.objectNode(), "a");
            holds(left, shared);
        });
    }

    @Test
    void anUpdateOwnsWhatItChangedAndEverybodyElseLosesIt() {
        forAll(random -> {
            ObjectNode live = apply(null, object(random), "applier");
            ObjectNode changed = object(random);
            ObjectNode result = FieldManagement.updated(live, changed, request("updater"), SCHEMA);
            ObjectNode before = Json.shallow(live);
            before.remove("metadata");
            Merging.Comparison difference = Merging.compare(before, changed, SCHEMA);
            // An object that nobody owned anything of is not tracked.
            if (!owned(live, "applier").isEmpty()) {
                assertThat(owned(result, "updater").minus(difference.written()).isEmpty())
                        .isTrue();
                assertThat(difference.written().minus(owned(result, "updater")).isEmpty())
                        .isTrue();
            }
            assertThat(owned(result, "applier")
                            .intersection(difference.written().union(difference.removed()))
                            .isEmpty())
                    .isTrue();
        });
    }

    @Test
    void setsOfFieldsFormAnAlgebraAndSurviveWriting() {
        forAll(random -> {
            FieldSet a = Merging.fields(object(random), SCHEMA);
            FieldSet b = Merging.fields(object(random), SCHEMA);
            assertThat(a.union(b)).isEqualTo(b.union(a));
            assertThat(a.intersection(b)).isEqualTo(b.intersection(a));
            assertThat(a.minus(b).union(a.intersection(b))).isEqualTo(a);
            assertThat(a.minus(b).intersection(b).isEmpty()).isTrue();
            assertThat(a.union(b).minus(b)).isEqualTo(a.minus(b));
            assertThat(FieldSet.parsed((ObjectNode) Json.parsed(Json.text(a.written()))))
                    .isEqualTo(a);
        });
    }
}
