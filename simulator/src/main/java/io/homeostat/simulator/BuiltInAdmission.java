package io.homeostat.simulator;

import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/** Defaulting and validation of the built-in kinds. */
record BuiltInAdmission(String kind, Schema schema) implements Admission {
    @Override
    public ObjectNode defaulted(ObjectNode object) {
        return Canonical.of(object, schema);
    }

    @Override
    public List<Cause> validate(ObjectNode object, @Nullable ObjectNode old) {
        return List.of();
    }

    @Override
    public List<String> unknownFields(ObjectNode object) {
        return Canonical.unknownFields(object, schema);
    }
}
