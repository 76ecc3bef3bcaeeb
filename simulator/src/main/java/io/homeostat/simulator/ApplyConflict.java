package io.homeostat.simulator;

import java.util.List;

/** An apply without force that would change fields of other managers: 409, reason Conflict. The message is that of the real server. */
final class ApplyConflict extends RuntimeException {
    /**
     * A field and who owns it.
     *
     * @param manager the manager as messages name it, for example {@code "kubectl" using apps/v1}
     * @param field the field, for example {@code .spec.replicas}
     */
    record Conflict(String manager, String field) {}

    private final transient List<Conflict> conflicts;

    ApplyConflict(String message, List<Conflict> conflicts) {
        super(message);
        this.conflicts = List.copyOf(conflicts);
    }

    /** The conflicts, in the order of the message. */
    List<Conflict> conflicts() {
        return conflicts;
    }

    /** The causes of the Status: reason {@code FieldManagerConflict}, one a field. */
    List<Cause> causes() {
        return conflicts.stream()
                .map(c -> new Cause(c.field(), "FieldManagerConflict", "conflict with " + c.manager()))
                .toList();
    }
}
