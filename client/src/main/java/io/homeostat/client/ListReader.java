package io.homeostat.client;

import java.util.List;

/**
 * Cuts one page of a list into items, one by one: what is held is one item, not the page.
 *
 * <p>Confined to the stream's lane.
 */
interface ListReader {
    /** The items that these plain (inflated) bytes complete; the array may be reused afterwards. Never throws: {@link #end} does. */
    List<ListItem> read(byte[] bytes, int from, int to);

    /** All of {@code chunk}. */
    default List<ListItem> read(byte[] chunk) {
        return read(chunk, 0, chunk.length);
    }

    /** Whether {@link #end} can only throw: the rest need not be read. */
    boolean broken();

    /**
     * What the page says of itself, at its end.
     *
     * @throws ApiException.Malformed when the page is truncated, or no list of the type; its items are void
     */
    Streams.ListEnd end();
}
