package io.homeostat.client;

import java.util.List;

/** The frames of a watch, as the content of an {@link AnswerStream}. */
final class WatchFrames implements AnswerStream.Content<WatchFrame> {
    private static final int SMALL = 64;

    private final String request;
    private final FrameReader reader;
    private final Streams.WatchListener listener;

    WatchFrames(String request, FrameReader reader, Streams.WatchListener listener) {
        this.request = request;
        this.reader = reader;
        this.listener = listener;
    }

    @Override
    public List<WatchFrame> read(byte[] bytes, int from, int to) {
        return reader.read(bytes, from, to);
    }

    @Override
    public boolean broken() {
        return false; // a broken frame is an entry, and the next may be whole
    }

    @Override
    public int bytesOf(WatchFrame frame) {
        return frame instanceof WatchFrame.Event event ? event.object().bytes().length : SMALL;
    }

    @Override
    public boolean mustProgress() {
        return false;
    }

    @Override
    public Runnable ended() {
        String unfinished = reader.unfinished();
        if (unfinished != null) {
            throw new ApiException.Unreachable(
                    request, ApiException.Answer.none("the stream ended inside a frame: " + unfinished), null);
        }
        return listener::ended;
    }

    @Override
    public void opened() {
        listener.opened();
    }

    @Override
    public void deliver(List<WatchFrame> batch) {
        listener.frames(batch);
    }

    @Override
    public void failed(ApiException cause) {
        listener.failed(cause);
    }
}
