package io.homeostat.client;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Cuts one watch stream into frames. Bytes may end anywhere; a frame is given when its last byte has come, never before.
 *
 * <p>Confined to the stream's lane. Never throws for what the server sent: {@link WatchFrame.Unscannable} says it.
 */
interface FrameReader {
    /** The frames that these plain (inflated) bytes complete; the array may be reused afterwards. */
    List<WatchFrame> read(byte[] bytes, int from, int to);

    /** All of {@code chunk}. */
    default List<WatchFrame> read(byte[] chunk) {
        return read(chunk, 0, chunk.length);
    }

    /** What is left when the stream ends: null between frames, else where it broke off. */
    @Nullable
    String unfinished();
}
