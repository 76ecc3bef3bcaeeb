package io.homeostat.workqueue;

import io.homeostat.core.Stable;

/** How urgent a key is. A key that is asked for with several priorities has the most urgent of them. */
@Stable
public enum Priority {
    /** A change somebody made: before the background, but for the share of what has aged there. */
    NORMAL,
    /** What a list brings at a start or a relist: behind changes, until it has waited for the ageing time; then it has a share. */
    BACKGROUND;

    Priority moreUrgent(Priority other) {
        return compareTo(other) <= 0 ? this : other;
    }
}
