package io.homeostat.simulator;

import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/** Defaulting and validation of the built-in kinds. */
record BuiltInAdmission(String kind, Schema schema) implements Admission {
    @Override
    public ObjectNode defaulted(ObjectNode object) {
        return object;
    }

    @Override
    public List<Cause> validate(ObjectNode object, @Nullable ObjectNode old) {
        return List.of();
    }
}
