package io.homeostat.simulator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** JSON merge patch by the examples of RFC 7386, JSON patch by those of RFC 6902. */
class PatchTest {
    private static ObjectNode object(String json) {
        return (ObjectNode) Json.parsed(json.replace('`', '"'));
    }

    private static String patched(String target, String operations) {
        return Json.text(JsonPatch.apply(object(target), (ArrayNode) Json.parsed(operations.replace('`', '"'))));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            textBlock =
                    """
                    {`a`:`b`};           {`a`:`c`};             {`a`:`c`}
                    {`a`:`b`};           {`b`:`c`};             {`a`:`b`,`b`:`c`}
                    {`a`:`b`};           {`a`:null};            {}
                    {`a`:`b`,`b`:`c`};   {`a`:null};            {`b`:`c`}
                    {`a`:[`b`]};         {`a`:`c`};             {`a`:`c`}
                    {`a`:`c`};           {`a`:[`b`]};           {`a`:[`b`]}
                    {`a`:{`b`:`c`}};     {`a`:{`b`:`d`,`c`:null}}; {`a`:{`b`:`d`}}
                    {`a`:[{`b`:`c`}]};   {`a`:[1]};             {`a`:[1]}
                    {`e`:null};          {`a`:1};               {`e`:null,`a`:1}
                    {};                  {`a`:{`bb`:{`ccc`:null}}}; {`a`:{`bb`:{}}}
                    """)
    void aMergePatchDoesWhatItsRfcSays(String target, String patch, String result) {
        ObjectNode before = object(target);
        assertThat(Json.text(MergePatch.apply(before, object(patch)))).isEqualTo(result.replace('`', '"'));
        assertThat(before).isEqualTo(object(target));
    }

    @Test
    void aMergePatchThatIsNoObjectIsRefused() {
        assertThatThrownBy(() -> MergePatch.apply(object("{}"), Json.parsed("[]")))
                .hasMessage(
                        "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            textBlock =
                    """
                    {`foo`:`bar`};         [{`op`:`add`,`path`:`/baz`,`value`:`q`}];          {`foo`:`bar`,`baz`:`q`}
                    {`foo`:[1,2]};         [{`op`:`add`,`path`:`/foo/1`,`value`:9}];          {`foo`:[1,9,2]}
                    {`foo`:[1]};           [{`op`:`add`,`path`:`/foo/-`,`value`:[2]}];        {`foo`:[1,[2]]}
                    {`a`:1,`b`:2};         [{`op`:`remove`,`path`:`/a`}];                     {`b`:2}
                    {`a`:[1,2,3]};         [{`op`:`remove`,`path`:`/a/1`}];                   {`a`:[1,3]}
                    {`a`:1};               [{`op`:`replace`,`path`:`/a`,`value`:2}];          {`a`:2}
                    {`a`:{`b`:1},`c`:{}};  [{`op`:`move`,`from`:`/a/b`,`path`:`/c/d`}];       {`a`:{},`c`:{`d`:1}}
                    {`a`:[1,2,3]};         [{`op`:`move`,`from`:`/a/0`,`path`:`/a/2`}];       {`a`:[2,3,1]}
                    {`a`:{`b`:1}};         [{`op`:`copy`,`from`:`/a`,`path`:`/c`}];           {`a`:{`b`:1},`c`:{`b`:1}}
                    {`a`:1};               [{`op`:`test`,`path`:`/a`,`value`:1.0}];           {`a`:1}
                    {`/`:9,`~1`:10};       [{`op`:`test`,`path`:`/~01`,`value`:10}];          {`/`:9,`~1`:10}
                    {`x/y`:1};             [{`op`:`remove`,`path`:`/x~1y`}];                  {}
                    """)
    void aJsonPatchDoesWhatItsRfcSays(String target, String patch, String result) {
        assertThat(patched(target, patch)).isEqualTo(result.replace('`', '"'));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            textBlock =
                    """
                    [{`op`:`test`,`path`:`/a`,`value`:2}]
                    [{`op`:`remove`,`path`:`/none`}]
                    [{`op`:`add`,`path`:`/none/x`,`value`:1}]
                    [{`op`:`add`,`path`:`/l/9`,`value`:1}]
                    [{`op`:`add`,`path`:`/l/01`,`value`:1}]
                    [{`op`:`move`,`from`:`/l`,`path`:`/l/0`}]
                    [{`op`:`replace`,`path`:``,`value`:[]}]
                    [{`op`:`whatever`,`path`:`/a`}]
                    [{`op`:`remove`}]
                    [{`op`:`remove`,`path`:`a`}]
                    """)
    void aJsonPatchThatDoesNotFitIsRefusedWholeAndChangesNothing(String patch) {
        ObjectNode target = object("{`a`:1,`l`:[1,2]}");
        ArrayNode operations = (ArrayNode)
                Json.parsed(("[{`op`:`add`,`path`:`/new`,`value`:1}," + patch.substring(1)).replace('`', '"'));
        assertThatThrownBy(() -> JsonPatch.apply(target, operations))
                .isInstanceOfSatisfying(
                        PatchRejected.class, e -> assertThat(e.status()).isEqualTo(422))
                .hasMessage("the server rejected our request due to an error in our request");
        assertThat(target).isEqualTo(object("{`a`:1,`l`:[1,2]}"));
    }
}
