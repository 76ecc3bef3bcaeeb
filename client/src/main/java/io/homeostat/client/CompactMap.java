package io.homeostat.client;

import java.util.AbstractMap;
import java.util.AbstractSet;
import java.util.Arrays;
import java.util.Collections;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A few strings by string: one array, in the order of insertion. Immutable.
 *
 * <p>Labels are few (Kubernetes objects rarely have twenty), there is one map an object, and a {@link LinkedHashMap} would cost ten
 * times as much. Beyond {@value #FEW} entries it is one nonetheless, as looking through them would take too long.
 */
final class CompactMap extends AbstractMap<String, String> {
    private static final int FEW = 24;

    private final String[] keysAndValues;

    private CompactMap(String[] keysAndValues) {
        this.keysAndValues = keysAndValues;
    }

    /** Gathers entries, one map after the other; of two entries with one key the last value counts. Confined to its user. */
    static final class Collector {
        private String[] flat = new String[2 * FEW];
        private int used;
        private @Nullable LinkedHashMap<String, String> many;

        void put(String key, String value) {
            if (many != null) {
                many.put(key, value);
                return;
            }
            for (int i = 0; i < used; i += 2) {
                if (flat[i].equals(key)) {
                    flat[i + 1] = value;
                    return;
                }
            }
            if (used == flat.length) {
                many = new LinkedHashMap<>();
                for (int i = 0; i < used; i += 2) {
                    many.put(flat[i], flat[i + 1]);
                }
                many.put(key, value);
                return;
            }
            flat[used++] = key;
            flat[used++] = value;
        }

        /** Forgets what was put. */
        void clear() {
            used = 0;
            many = null;
        }

        /** The map of what was put since the last {@link #clear}. */
        Map<String, String> map() {
            if (many != null) {
                return Collections.unmodifiableMap(new LinkedHashMap<>(many));
            }
            return used == 0 ? Map.of() : new CompactMap(Arrays.copyOf(flat, used));
        }
    }

    @Override
    public @Nullable String get(@Nullable Object key) {
        for (int i = 0; i < keysAndValues.length; i += 2) {
            if (keysAndValues[i].equals(key)) {
                return keysAndValues[i + 1];
            }
        }
        return null;
    }

    @Override
    public boolean containsKey(@Nullable Object key) {
        return get(key) != null;
    }

    @Override
    public int size() {
        return keysAndValues.length / 2;
    }

    @Override
    public Set<Map.Entry<String, String>> entrySet() {
        return new AbstractSet<>() {
            @Override
            public Iterator<Map.Entry<String, String>> iterator() {
                return new Iterator<>() {
                    private int next;

                    @Override
                    public boolean hasNext() {
                        return next < keysAndValues.length;
                    }

                    @Override
                    public Map.Entry<String, String> next() {
                        if (!hasNext()) {
                            throw new NoSuchElementException("the map has " + size() + " entries");
                        }
                        next += 2;
                        return Map.entry(keysAndValues[next - 2], keysAndValues[next - 1]);
                    }
                };
            }

            @Override
            public int size() {
                return keysAndValues.length / 2;
            }
        };
    }
}
