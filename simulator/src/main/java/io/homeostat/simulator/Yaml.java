package io.homeostat.simulator;

import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;
import tools.jackson.dataformat.yaml.YAMLMapper;

/** Bodies of server-side applies: YAML, of which JSON is a part. */
final class Yaml {
    private static final YAMLMapper MAPPER = new YAMLMapper();

    private Yaml() {}

    /** @throws ApiFailure 400 when {@code body} is no object */
    static ObjectNode object(byte[] body) {
        JsonNode tree;
        try {
            boolean json = body.length > 0 && body[0] == '{'; // by far the most, and far cheaper to read
            tree = json ? Trees.parse(body) : MAPPER.readTree(body);
        } catch (JacksonException e) {
            throw ApiFailure.badRequest("error decoding YAML: the body does not parse (" + body.length + " bytes)");
        }
        if (tree instanceof ObjectNode object) {
            return object;
        }
        throw ApiFailure.badRequest("error decoding YAML: the body is no object (" + body.length + " bytes)");
    }
}
