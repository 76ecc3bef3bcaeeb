package io.homeostat.simulator;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** The rules of field ownership, one by one; {@code Conformance} compares whole sequences with the real server. */
class FieldManagementTest {
    private static final Schema SCHEMA = BuiltInSchemas.of("Deployment")
            .resetting(Map.of("", FieldSet.of("status"), "status", FieldSet.of("spec", "metadata.labels")));
    private static final Instant NOW = Instant.parse("2026-01-01T00:00:00Z");

    private int seconds;
    private @Nullable ObjectNode live;

    private FieldRequest request(String manager, boolean force, String subresource) {
        return new FieldRequest(manager, force, "apps/v1", subresource, NOW.plusSeconds(seconds++));
    }

    private ObjectNode apply(String manager, String content) {
        return stored(FieldManagement.apply(live, object(content), request(manager, false, ""), SCHEMA));
    }

    private void force(String manager, String content) {
        stored(FieldManagement.apply(live, object(content), request(manager, true, ""), SCHEMA));
    }

    private void update(String manager, String content) {
        ObjectNode old = live == null ? object("{}") : live;
        stored(FieldManagement.updated(
                live, MergePatch.apply(old, object(content)), request(manager, false, ""), SCHEMA));
    }

    private ObjectNode stored(ObjectNode object) {
        live = object;
        return object;
    }

    /** A Deployment with single quotes for double ones. */
    private static ObjectNode object(String content) {
        return (ObjectNode) Json.parsed(content.replace('\'', '"'));
    }

    private @Nullable JsonNode at(String... path) {
        return Json.at(live, path);
    }

    private List<String> owned(String manager) {
        for (JsonNode entry : Json.listAt(live, "metadata", "managedFields")) {
            if (Json.textAt(entry, "manager").equals(manager) && entry.get("fieldsV1") instanceof ObjectNode fields) {
                return requireNonNull(FieldSet.parsed(fields)).paths();
            }
        }
        return List.of();
    }

    private List<String> managers() {
        List<String> managers = new ArrayList<>();
        for (JsonNode entry : Json.listAt(live, "metadata", "managedFields")) {
            managers.add(Json.textAt(entry, "manager"));
        }
        return managers;
    }

    @Test
    void anApplierOwnsWhatItAppliesAndNothingElse() {
        apply(
                "a",
                "{'metadata':{'name':'x','labels':{'l':'1'}},'spec':{'replicas':1,'selector':{'matchLabels':{'q':'r'}}}}");
        assertThat(owned("a")).containsExactly(".metadata.labels.l", ".spec.replicas", ".spec.selector");
    }

    @Test
    void anIdenticalApplyChangesNothingAtAll() {
        ObjectNode first = apply("a", "{'spec':{'replicas':1}}");
        assertThat(apply("a", "{'spec':{'replicas':1}}")).isEqualTo(first);
    }

    @Test
    void aConflictNamesTheManagerAndTheField() {
        apply("a", "{'spec':{'replicas':1}}");
        assertThatThrownBy(() -> apply("b", "{'spec':{'replicas':2}}"))
                .isInstanceOf(ApplyConflict.class)
                .hasMessage("Apply failed with 1 conflict: conflict with \"a\": .spec.replicas");
        live = null;
        update("x", "{'spec':{'replicas':1,'paused':true}}");
        assertThatThrownBy(() -> apply("b", "{'spec':{'replicas':2,'paused':false}}"))
                .hasMessage("Apply failed with 2 conflicts: conflicts with \"x\" using apps/v1:\n- .spec.paused\n"
                        + "- .spec.replicas");
    }

    @Test
    void aForcedApplyTakesTheFieldsOver() {
        apply("a", "{'spec':{'replicas':1,'minReadySeconds':5}}");
        force("b", "{'spec':{'replicas':2}}");
        assertThat(at("spec", "replicas")).hasToString("2");
        assertThat(owned("a")).containsExactly(".spec.minReadySeconds");
        assertThat(owned("b")).containsExactly(".spec.replicas");
    }

    @Test
    void equalValuesAreOwnedTogether() {
        apply("a", "{'spec':{'replicas':1}}");
        apply("b", "{'spec':{'replicas':1}}");
        assertThat(managers()).containsExactlyInAnyOrder("a", "b");
        apply("a", "{'metadata':{'labels':{'l':'1'}}}");
        assertThat(at("spec", "replicas")).as("b still owns it").hasToString("1");
        apply("b", "{'metadata':{'labels':{'m':'1'}}}");
        assertThat(at("spec", "replicas")).as("nobody owns it").isNull();
    }

    @Test
    void aFieldItsLastApplierLetsGoIsRemovedWithItsEmptiedParents() {
        apply("a", "{'metadata':{'labels':{'l':'1','m':'2'}},'spec':{'strategy':{'type':'Recreate'}}}");
        apply("a", "{'metadata':{'labels':{'l':'1'}}}");
        assertThat(at("metadata", "labels")).hasToString("{\"l\":\"1\"}");
        assertThat(at("spec", "strategy")).isNull();
    }

    @Test
    void whatAnUpdateSetIsNotRemovedByAnApplier() {
        apply("a", "{'metadata':{'labels':{'l':'1'}}}");
        update("u", "{'metadata':{'labels':{'u':'2'}}}");
        apply("a", "{'spec':{'replicas':1}}");
        assertThat(at("metadata", "labels")).hasToString("{\"u\":\"2\"}");
    }

    @Test
    void listItemsAreOwnedByTheirKeysAndMissingKeysHaveTheirDefault() {
        String one = "{'spec':{'template':{'spec':{'containers':[{'name':'c','ports':[{'containerPort':1}]}]}}}}";
        String two =
                "{'spec':{'template':{'spec':{'containers':[{'name':'c','ports':[{'containerPort':1,'protocol':'TCP'},"
                        + "{'containerPort':1,'protocol':'UDP'}]},{'name':'d'}]}}}}";
        apply("a", one);
        apply("b", two);
        JsonNode containers = at("spec", "template", "spec", "containers");
        assertThat(containers).hasSize(2);
        assertThat(Json.listAt(containers == null ? null : containers.get(0), "ports"))
                .hasSize(2);
        assertThat(owned("a"))
                .contains(".spec.template.spec.containers[name=\"c\"].ports[containerPort=1,protocol=\"TCP\"]");
        apply("b", "{'metadata':{'labels':{'l':'1'}}}");
        assertThat(at("spec", "template", "spec", "containers"))
                .hasToString("[{\"name\":\"c\",\"ports\":[{\"containerPort\":1}]}]");
    }

    @Test
    void anAtomicFieldIsOneValue() {
        apply("a", "{'spec':{'selector':{'matchLabels':{'x':'1'}}}}");
        assertThatThrownBy(() -> apply("b", "{'spec':{'selector':{'matchLabels':{'y':'1'}}}}"))
                .hasMessageContaining(".spec.selector");
        force("b", "{'spec':{'selector':{'matchLabels':{'y':'1'}}}}");
        assertThat(at("spec", "selector")).hasToString("{\"matchLabels\":{\"y\":\"1\"}}");
    }

    @Test
    void setsAreMergedValueByValue() {
        apply("a", "{'metadata':{'finalizers':['x/a','x/b']}}");
        apply("b", "{'metadata':{'finalizers':['x/c','x/b']}}");
        assertThat(at("metadata", "finalizers")).hasToString("[\"x/a\",\"x/c\",\"x/b\"]");
        apply("a", "{'spec':{'replicas':1}}");
        assertThat(at("metadata", "finalizers")).hasToString("[\"x/c\",\"x/b\"]");
    }

    @Test
    void theTimeOfAnEntryChangesOnlyWithItsSet() {
        update("u", "{'spec':{'replicas':1}}");
        String first =
                Json.textAt(Json.listAt(live, "metadata", "managedFields").get(0), "time");
        update("u", "{'spec':{'replicas':1}}");
        assertThat(Json.textAt(Json.listAt(live, "metadata", "managedFields").get(0), "time"))
                .isEqualTo(first);
        update("u", "{'spec':{'replicas':2}}");
        assertThat(Json.textAt(Json.listAt(live, "metadata", "managedFields").get(0), "time"))
                .isNotEqualTo(first);
    }

    @Test
    void anApplyOfTheObjectLeavesTheStatusAndTheStatusLeavesTheSpec() {
        apply("a", "{'spec':{'replicas':1},'status':{'replicas':9}}");
        assertThat(at("status", "replicas")).isNull();
        assertThat(owned("a")).containsExactly(".spec.replicas");
        live = FieldManagement.apply(
                live, object("{'spec':{'replicas':5},'status':{'replicas':2}}"), request("s", false, "status"), SCHEMA);
        assertThat(at("spec", "replicas")).hasToString("1");
        assertThat(at("status", "replicas")).hasToString("2");
        assertThat(owned("s")).containsExactly(".status.replicas");
    }

    @Test
    void clearedOwnershipStaysClearedUntilSomebodyApplies() {
        apply("a", "{'spec':{'replicas':1}}");
        ObjectNode reset = object("{'spec':{'replicas':1},'metadata':{'managedFields':[{}]}}");
        live = FieldManagement.updated(live, reset, request("u", false, ""), SCHEMA);
        assertThat(at("metadata", "managedFields")).isNull();
        update("u", "{'spec':{'replicas':2}}");
        assertThat(at("metadata", "managedFields")).isNull();
        apply("a", "{'metadata':{'labels':{'l':'1'}}}");
        assertThat(managers()).containsExactly("a", "before-first-apply");
        assertThat(owned("before-first-apply")).contains(".spec.replicas");
    }

    @Test
    void moreThanTenUpdatersAreMergedIntoOneEntry() {
        update("creator", "{'metadata':{'labels':{'l':'0'}}}");
        for (int i = 0; i < 12; i++) {
            update("u" + i, "{'metadata':{'annotations':{'k" + i + "':'v'}}}");
        }
        assertThat(managers()).hasSize(10).contains("ancient-changes", "u11").doesNotContain("creator");
        assertThat(owned("ancient-changes")).contains(".metadata.labels.l", ".metadata.annotations.k0");
    }

    @Test
    void anApplyWithManagedFieldsAndOneThatDoesNotFitAreRefused() {
        assertThatThrownBy(() -> apply("a", "{'metadata':{'managedFields':[]}}"))
                .isInstanceOf(PatchRejected.class)
                .hasMessage("metadata.managedFields must be nil");
        apply("a", "{'metadata':{'managedFields':null,'labels':{'l':'1'}}}");
        assertThatThrownBy(
                        () -> apply(
                                "a",
                                "{'apiVersion':'apps/v1','kind':'Deployment','metadata':{'name':'x'},'spec':{'nope':1,'replicas':'2'}}"))
                .isInstanceOf(PatchRejected.class)
                .hasMessage(
                        """
                        failed to create typed patch object (/x; apps/v1, Kind=Deployment): errors:
                          .spec.nope: field not declared in schema
                          .spec.replicas: expected numeric (int or float), got *value.valueUnstructured""");
        assertThatThrownBy(
                        () -> apply("a", "{'spec':{'template':{'spec':{'containers':[{'name':'c'},{'name':'c'}]}}}}"))
                .hasMessageContaining(".spec.template.spec.containers: duplicate entries for key [name=\"c\"]");
    }

    @Test
    void argumentsAreNeverChanged() {
        ObjectNode before = apply("a", "{'metadata':{'labels':{'l':'1'}},'spec':{'replicas':1}}");
        ObjectNode copy = before.deepCopy();
        ObjectNode applied = object("{'metadata':{'labels':{'m':'1'}}}");
        ObjectNode appliedCopy = applied.deepCopy();
        force("b", "{'spec':{'replicas':2}}");
        FieldManagement.apply(before, applied, request("a", true, ""), SCHEMA);
        FieldManagement.updated(before, applied, request("a", true, ""), SCHEMA);
        assertThat(before).isEqualTo(copy);
        assertThat(applied).isEqualTo(appliedCopy);
    }
}
