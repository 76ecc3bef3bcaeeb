package io.homeostat.reconciler;

import io.fabric8.kubernetes.api.model.Condition;
import io.homeostat.core.Stable;
import java.time.temporal.ChronoUnit;
import java.util.List;

/** Status conditions as the Kubernetes API conventions ask for them ({@code metav1.Condition}). */
@Stable
public final class Conditions {
    private Conditions() {}

    /**
     * Puts {@code condition} in the place of the one of its type, or at the end. Its {@code lastTransitionTime} becomes that of
     * the one before when the status is the same, and the present time when it is not.
     *
     * @param conditions the list in the status, changed here
     * @param condition with type, status ({@code True}, {@code False}, {@code Unknown}), reason and message; changed here
     */
    public static void set(KeyContext<?> context, List<Condition> conditions, Condition condition) {
        condition.setLastTransitionTime(
                context.now().truncatedTo(ChronoUnit.SECONDS).toString());
        for (int i = 0; i < conditions.size(); i++) {
            Condition before = conditions.get(i);
            if (condition.getType().equals(before.getType())) {
                if (condition.getStatus().equals(before.getStatus()) && before.getLastTransitionTime() != null) {
                    condition.setLastTransitionTime(before.getLastTransitionTime());
                }
                conditions.set(i, condition);
                return;
            }
        }
        conditions.add(condition);
    }
}
