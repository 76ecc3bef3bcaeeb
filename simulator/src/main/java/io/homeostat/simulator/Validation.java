package io.homeostat.simulator;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

final class Validation {
    private Validation() {}

    static List<Cause> of(String kind, ObjectNode object, @Nullable ObjectNode old) {
        return new ArrayList<>();
    }

    static void metadata(ObjectNode object, @Nullable ObjectNode old, List<Cause> causes) {}
}
