package io.homeostat.client;

import io.homeostat.core.Experimental;
import io.homeostat.core.Registration;
import java.util.List;

/** The shapes of streamed lists and watches. */
@Experimental
public final class Streams {
    private Streams() {}

    /**
     * A list or watch under way. The demand starts at zero batches; a batch holds what arrived since the last one (at most
     * 256 KiB of bytes or 500 entries). Closing gives the stream up; a callback that is queued on the stream's lane is dropped.
     */
    @Experimental
    public interface Handle extends Registration {
        /** Allows {@code batches} more batches. */
        void demand(int batches);
    }

    /** Receives a watch; called on the lane given when it was opened, never after {@link Handle#close} on that lane. */
    @Experimental
    public interface WatchListener {
        /** The server accepted the watch (HTTP 200). */
        void opened();

        /** Frames in the server's order. Frames before a break are always delivered before {@link #failed}. */
        void frames(List<WatchFrame> frames);

        /** The stream ended cleanly, between frames. */
        void ended();

        /** The watch was refused (an HTTP status: {@link ApiException}) or broke off ({@link ApiException.Unreachable}). */
        void failed(ApiException cause);
    }

    /** Receives one page of a list; called on the lane given when it was opened, never after {@link Handle#close} on that lane. */
    @Experimental
    public interface ListListener {
        /** Items in the server's order. */
        void items(List<ListItem> items);

        /** The page is complete: its {@code metadata}, wherever in the document it stood. */
        void ended(ListEnd end);

        /** The list was refused, broke off, or is no list; items given before it are void. */
        void failed(ApiException cause);
    }

    /**
     * What a page says of itself.
     *
     * @param resourceVersion the version of the whole list
     * @param continueToken the token of the next page, {@code ""} at the end
     * @param count the items of this page, unscannable ones included
     */
    @Experimental
    public record ListEnd(String resourceVersion, String continueToken, int count) {}
}
