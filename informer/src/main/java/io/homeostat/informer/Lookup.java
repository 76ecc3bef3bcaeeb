package io.homeostat.informer;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.client.ObjectKey;
import io.homeostat.core.Experimental;
import java.util.List;
import java.util.Map;

/**
 * What an index answers.
 *
 * @param objects those with the value, in key order
 * @param unindexed objects whose values are not known, since the function of the index threw or they do not decode, with the reason:
 *     any of them may belong here; in key order
 */
@Experimental
public record Lookup<T extends HasMetadata>(List<CachedObject<T>> objects, Map<ObjectKey, String> unindexed) {}
