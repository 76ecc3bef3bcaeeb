package io.homeostat.simulator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.node.ObjectNode;

/** How objects are read: canonical forms of the built-in ones, structural schemas of the others. */
class ObjectFormsTest {
    private static ObjectNode object(String json) {
        return (ObjectNode) Json.parsed(json.replace('`', '"'));
    }

    private static ResourceKind kind(String name) {
        return BuiltInKinds.all().stream()
                .filter(kind -> kind.kind().equals(name))
                .findFirst()
                .orElseThrow();
    }

    @ParameterizedTest
    @CsvSource({
        "0.5, 500m",
        "1, 1",
        "1000m, 1",
        "1500m, 1500m",
        "0.1, 100m",
        "1024Mi, 1Gi",
        "1.5Gi, 1536Mi",
        "1000Mi, 1000Mi",
        "1000M, 1G",
        "1e3, 1e3",
        "100e1, 1e3",
        "0, 0",
        "0.5Gi, 512Mi",
        "0.0001, 100u",
        "1023, 1023",
        "1Ki, 1Ki",
        "0.5Ki, 512",
        "-1, -1",
        "+2, 2",
        "12345678901234567890, 12345678901234567890"
    })
    void quantitiesHaveOneForm(String given, String canonical) {
        assertThat(Quantities.canonical(Json.NODES.stringNode(given), "x")).isEqualTo(canonical);
        assertThat(Quantities.canonical(Json.NODES.stringNode(canonical), "x")).isEqualTo(canonical);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "1 Gi", "Gi", "1gi", "1.2.3", "--1", "1mi"})
    void whatIsNoQuantityIsRefused(String given) {
        assertThatThrownBy(() -> Quantities.canonical(Json.NODES.stringNode(given), "x"))
                .isInstanceOf(Malformed.class)
                .hasMessageContaining("quantities must match");
    }

    @Test
    void unknownFieldsAreDroppedAndReportedWithTheirPaths() {
        Admission pods = kind("Pod").admission();
        ObjectNode pod =
                object("{`metadata`:{`name`:`a`,`foo`:1},`spec`:{`containers`:[{`name`:`c`,`nme`:`x`}],`bar`:2}}");
        assertThat(pods.unknownFields(pod)).containsExactly("metadata.foo", "spec.containers[0].nme", "spec.bar");
        assertThat(Json.text(pods.defaulted(pod))).doesNotContain("foo", "nme", "bar");
    }

    @Test
    void defaultingTwiceIsDefaultingOnce() {
        for (ResourceKind kind : BuiltInKinds.all()) {
            ObjectNode once = kind.admission()
                    .defaulted(object(
                                    "{`metadata`:{`name`:`a`},`spec`:{`template`:{`spec`:{`containers`:[{`name`:`c`}]}}}}")
                            .deepCopy()
                            .without(
                                    kind.kind().equals("Deployment")
                                                    || kind.kind().endsWith("Set")
                                            ? "none"
                                            : "spec"));
            assertThat(kind.admission().defaulted(once)).as(kind.kind()).isEqualTo(once);
        }
    }

    @Test
    void aValueOfTheWrongTypeIsMalformed() {
        assertThatThrownBy(() -> kind("Deployment").admission().defaulted(object("{`spec`:{`replicas`:`3`}}")))
                .isInstanceOf(Malformed.class)
                .hasMessage("json: cannot unmarshal string into Go struct field spec.replicas of type int32");
        assertThatThrownBy(() -> kind("Secret").admission().defaulted(object("{`data`:{`a`:`AAA?`}}")))
                .isInstanceOf(Malformed.class)
                .hasMessageContaining("illegal base64 data");
    }

    @Test
    void aServiceKeepsItsAddress() {
        Admission services = kind("Service").admission();
        ObjectNode service = object("{`metadata`:{`name`:`s`,`uid`:`u`},`spec`:{`ports`:[{`port`:1}]}}");
        ObjectNode stored = services.prepared(services.defaulted(service), null);
        assertThat(Json.textAt(stored, "spec", "clusterIP")).startsWith("10.");
        ObjectNode replaced = services.prepared(services.defaulted(service), stored);
        assertThat(replaced.get("spec")).isEqualTo(stored.get("spec"));
        assertThat(services.validate(replaced, stored)).isEmpty();
    }

    private static final String DEFINITION =
            """
            {`spec`:{`group`:`x.example.com`,`scope`:`Namespaced`,`names`:{`plural`:`things`,`singular`:`thing`,`kind`:`Thing`},
            `versions`:[{`name`:`v1`,`served`:true,`storage`:true,`schema`:{`openAPIV3Schema`:{`type`:`object`,`properties`:{`spec`:%s}}}}]}}""";

    private static ResourceKind thing(String spec) {
        return CustomResourceKinds.of(object(DEFINITION.formatted(spec))).get(0);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{`type`:`object`,`x-kubernetes-validations`:[{`rule`:`self.a < 1`}]}",
                "{`type`:`object`,`properties`:{`a`:{`type`:`string`,`format`:`email`}}}",
                "{`type`:`object`,`properties`:{`a`:{`type`:`string`,`pattern`:`\\\\p{Greek`}}}"
            })
    void whatIsNotSimulatedIsSaidAndNotIgnored(String spec) {
        assertThatThrownBy(() -> thing(spec)).isInstanceOf(Unsupported.class).hasMessageContaining("spec.versions[0]");
    }

    @Test
    void aFormatThatKubernetesDoesNotKnowIsIgnoredAsThere() {
        ResourceKind kind = thing("{`type`:`object`,`properties`:{`a`:{`type`:`string`,`format`:`whatever`}}}");
        assertThat(kind.admission().validate(object("{`spec`:{`a`:`x`}}"), null))
                .isEmpty();
    }

    @Test
    void defaultsReachIntoWhatIsThereAndNullsGo() {
        ResourceKind kind = thing(
                "{`type`:`object`,`properties`:{`a`:{`type`:`object`,`properties`:{`b`:{`type`:`integer`,`default`:3}}},"
                        + "`n`:{`type`:`string`},`m`:{`type`:`string`,`nullable`:true},`l`:{`type`:`array`,`items`:{`type`:`object`,"
                        + "`properties`:{`q`:{`type`:`string`,`default`:`d`}}}}}}");
        assertThat(kind.admission().defaulted(object("{`spec`:{`a`:{`x`:1},`n`:null,`m`:null,`l`:[{}]}}")))
                .isEqualTo(object("{`spec`:{`a`:{`b`:3},`m`:null,`l`:[{`q`:`d`}]}}"));
    }

    @Test
    void everyVersionThatIsServedIsAKindOfItsOwn() {
        ObjectNode crd = object(DEFINITION.formatted("{`type`:`object`}"));
        ObjectNode second =
                (ObjectNode) crd.path("spec").path("versions").get(0).deepCopy();
        second.put("name", "v2").put("served", false).put("storage", false);
        ObjectNode third = second.deepCopy().put("name", "v3").put("served", true);
        Json.listAt(crd, "spec", "versions").add(second).add(third);
        List<String> versions = new ArrayList<>();
        CustomResourceKinds.of(crd).forEach(kind -> versions.add(kind.apiVersion()));
        assertThat(versions).containsExactly("x.example.com/v1", "x.example.com/v3");
    }
}
