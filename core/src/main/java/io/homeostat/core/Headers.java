package io.homeostat.core;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** HTTP headers: ordered, repeatable, with names compared without case. Immutable. */
@Stable
public final class Headers {
    /** No headers. */
    public static final Headers NONE = new Headers(List.of());

    private final List<Header> entries;

    /**
     * One header line.
     *
     * @param name as sent or received; compared without case
     * @param value as sent or received
     */
    @Stable
    public record Header(String name, String value) {}

    private Headers(List<Header> entries) {
        this.entries = entries;
    }

    /** Headers of these lines, in this order. */
    public static Headers of(List<Header> lines) {
        return lines.isEmpty() ? NONE : new Headers(List.copyOf(lines));
    }

    /** One header. */
    public static Headers of(String name, String value) {
        return new Headers(List.of(new Header(name, value)));
    }

    /** These headers and one more line at the end. */
    public Headers with(String name, String value) {
        List<Header> more = new ArrayList<>(entries);
        more.add(new Header(name, value));
        return new Headers(List.copyOf(more));
    }

    /** The value of the first line of that name. */
    public Optional<String> first(String name) {
        for (Header header : entries) {
            if (header.name().equalsIgnoreCase(name)) {
                return Optional.of(header.value());
            }
        }
        return Optional.empty();
    }

    /** All lines, in order; immutable. */
    public List<Header> all() {
        return entries;
    }

    /** Names only: values may hold credentials. */
    @Override
    public String toString() {
        return entries.stream().map(Header::name).toList().toString();
    }
}
