package io.homeostat.informer;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.client.RawObject;
import io.homeostat.core.Experimental;
import java.util.Collection;
import java.util.Objects;
import java.util.function.Function;

/**
 * A way to find objects of a cache by a value made from them. Added to an informer, it is kept up to date with every change; asked
 * for without being added, or before it is built, the answer is the same and costs a look at every object.
 *
 * <p>Two kinds (D31). A <i>metadata index</i> sees what was scanned and decodes nothing. An <i>object index</i> gets the decoded object:
 * each version is decoded once more, when it is stored, on an engine lane.
 *
 * <p><b>Threads.</b> The function runs on an engine lane and on readers' threads: it must be quick, must not block, and must depend on
 * its argument alone: that of a metadata index is asked again for a version that goes, to find what it said of it, and about what a read
 * finds, so that nothing is shown under a value it does not give any more. <b>Failure.</b> What it throws, or a null it returns, concerns only that object in this index: it is in {@link
 * Lookup#unindexed} of every answer, until another version of it comes.
 *
 * @param <T> the class of the objects
 */
@Experimental
public final class Index<T extends HasMetadata> {
    /** The values of one entry. */
    interface Values<T extends HasMetadata> {
        Collection<String> of(RawObject raw, Decoder<T> decoder);
    }

    private final String name;
    final Values<T> values;
    /** Whether {@link #values} decodes. */
    final boolean decodes;

    private Index(String name, Values<T> values, boolean decodes) {
        this.name = Objects.requireNonNull(name, "the name of the index");
        this.values = values;
        this.decodes = decodes;
    }

    /**
     * An index over metadata.
     *
     * @param name for messages
     * @param values the values to find an object by; empty for none
     */
    public static <T extends HasMetadata> Index<T> ofMetadata(
            String name, Function<RawObject, ? extends Collection<String>> values) {
        Objects.requireNonNull(values, "the function of the index");
        return new Index<>(name, (raw, decoder) -> values.apply(raw), false);
    }

    /**
     * An index over decoded objects.
     *
     * @param name for messages
     * @param values the values to find an object by; empty for none; must not change the object
     */
    public static <T extends HasMetadata> Index<T> ofObject(
            String name, Function<? super T, ? extends Collection<String>> values) {
        Objects.requireNonNull(values, "the function of the index");
        return new Index<>(name, (raw, decoder) -> values.apply(decoder.shared(raw)), true);
    }

    /** The name. */
    public String name() {
        return name;
    }

    @Override
    public String toString() {
        return "index " + name;
    }
}
