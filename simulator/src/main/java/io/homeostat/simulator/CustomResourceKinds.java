package io.homeostat.simulator;

import java.util.List;
import tools.jackson.databind.node.ObjectNode;

/** The kinds that a CustomResourceDefinition declares. */
final class CustomResourceKinds {
    private CustomResourceKinds() {}

    /**
     * One kind for each served version of {@code crd}.
     *
     * @throws Unsupported when it asks for something that is not simulated
     */
    static List<ResourceKind> of(ObjectNode crd) {
        if (crd.has("spec")) {
            throw new Unsupported("custom resources are not served yet");
        }
        return List.of();
    }
}
