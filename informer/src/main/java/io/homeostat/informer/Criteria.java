package io.homeostat.informer;

import io.homeostat.client.RawObject;
import io.homeostat.informer.LabelSelector.Answer;
import org.jspecify.annotations.Nullable;

/** A {@link Selection}, ready to be asked as far as it can be evaluated here. Immutable. */
final class Criteria {
    private final LabelSelector labels;
    private final FieldSelector fields;
    private final @Nullable ShardSelector shard;

    private Criteria(LabelSelector labels, FieldSelector fields, @Nullable ShardSelector shard) {
        this.labels = labels;
        this.fields = fields;
        this.shard = shard;
    }

    static Criteria of(Selection selection) {
        return new Criteria(
                LabelSelector.of(selection.labels()), FieldSelector.of(selection.fields()), selection.shard());
    }

    Answer selects(RawObject object) {
        Answer byFields = fields.selects(object.key());
        if (byFields == Answer.NO || !inShard(object)) {
            return Answer.NO;
        }
        Answer byLabels = labels.selects(object.labels());
        return byLabels == Answer.YES ? byFields : byLabels;
    }

    /** Whether the object is in the shard, which never changes for a UID. */
    boolean inShard(RawObject object) {
        return shard == null || shard.holds(object);
    }
}
