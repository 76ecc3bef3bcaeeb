package io.homeostat.informer;

import io.homeostat.client.Query;
import io.homeostat.core.Experimental;
import org.jspecify.annotations.Nullable;

/**
 * Which objects of a resource a cache holds: part of its identity (D29). Selectors that say the same in another order or with other
 * spaces are equal. Immutable.
 *
 * <p>Own writes (D10) are shown at once where it can be told here whether they are selected: by labels, {@code metadata.name},
 * {@code metadata.namespace} and the shard. Under any other field only a key that the cache has already shows them; a new one comes
 * with the watch.
 *
 * @param labels a label selector as kubectl takes it, {@code ""} for none
 * @param fields a field selector as kubectl takes it: {@code spec.nodeName=n1,status.phase!=Failed}; {@code ""} for none. Which
 *     fields there are, the server knows: {@code metadata.name} and {@code metadata.namespace} of every resource, a few more of
 *     built-in ones, the {@code selectableFields} of a CRD. One that it does not know is {@link InformerState.Phase#REFUSED}
 * @param shard a part of them; null for all
 */
@Experimental
public record Selection(String labels, String fields, @Nullable ShardSelector shard) {
    private static final Selection ALL = new Selection("", "", null);

    /**
     * Brings selectors into one form.
     *
     * @throws IllegalArgumentException when {@code fields} is no field selector
     */
    public Selection {
        labels = LabelSelector.of(labels).textOr(labels.strip());
        fields = FieldSelector.of(fields).toString();
    }

    /** All objects. */
    public static Selection all() {
        return ALL;
    }

    /** The objects with these labels, among those selected so far. */
    public Selection withLabels(String labelSelector) {
        return new Selection(labelSelector, fields, shard);
    }

    /**
     * The objects with these fields, among those selected so far.
     *
     * @throws IllegalArgumentException when it is no field selector
     */
    public Selection withFields(String fieldSelector) {
        return new Selection(labels, fieldSelector, shard);
    }

    /** The objects of that shard, among those selected so far. */
    public Selection in(ShardSelector part) {
        return new Selection(labels, fields, part);
    }

    boolean isAll() {
        return equals(ALL);
    }

    Query query(String namespace) {
        return Query.in(namespace)
                .with("labelSelector", labels)
                .with("fieldSelector", fields)
                .with("shardSelector", shard == null ? "" : shard.toString());
    }

    /** What follows the resource in the name of a cache: {@code  with app=web where spec.nodeName=n1}. */
    @Override
    public String toString() {
        return (labels.isEmpty() ? "" : " with " + labels)
                + (fields.isEmpty() ? "" : " where " + fields)
                + (shard == null ? "" : " of " + shard);
    }
}
