package io.homeostat.workqueue;

import io.homeostat.core.Stable;

/**
 * Why a key is looked at, for people: logs, traces, a line on a console. Never for a decision; causes are merged and bounded.
 *
 * @param text such as {@code Deployment/sample modified}; no object bodies
 * @param times how often it came since the key was last handed out; 1 or more
 */
@Stable
public record Cause(String text, int times) {
    /** The text, with its count when it came more than once: {@code Deployment/sample modified ×3}. */
    @Override
    public String toString() {
        return times == 1 ? text : text + " ×" + times;
    }
}
