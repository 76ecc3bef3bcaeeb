package io.homeostat.workqueue;

import io.homeostat.core.Stable;
import java.time.Duration;
import java.util.List;

/**
 * A key handed out by {@link WorkQueue#poll}: its holder works on it alone until it says {@link WorkQueue#done} or
 * {@link WorkQueue#retry}.
 *
 * @param key the key
 * @param causes why, in the order they first came; at most {@value WorkQueue#MAX_CAUSES} and one that counts the rest; never empty
 * @param attempt 1, and one more for each failure counted since the last success
 * @param waited how long the key was ready before it was handed out
 */
@Stable
public record Work<K>(K key, List<Cause> causes, int attempt, Duration waited) {}
