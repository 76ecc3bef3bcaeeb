package io.homeostat.client;

import java.util.List;

/** The items of one page of a list, as the content of an {@link AnswerStream}. */
final class ListPage implements AnswerStream.Content<ListItem> {
    private static final int SMALL = 64;

    private final String request;
    private final ListReader reader;
    private final Streams.ListListener listener;

    ListPage(String request, ListReader reader, Streams.ListListener listener) {
        this.request = request;
        this.reader = reader;
        this.listener = listener;
    }

    @Override
    public List<ListItem> read(byte[] bytes, int from, int to) {
        return reader.read(bytes, from, to);
    }

    @Override
    public boolean broken() {
        return reader.broken();
    }

    @Override
    public int bytesOf(ListItem item) {
        return item instanceof ListItem.Scanned scanned ? scanned.object().bytes().length : SMALL;
    }

    @Override
    public boolean mustProgress() {
        return true;
    }

    @Override
    public Runnable ended() {
        Streams.ListEnd end;
        try {
            end = reader.end();
        } catch (ApiException.Malformed e) {
            throw new ApiException.Malformed(request, e.answer(), e);
        }
        return () -> listener.ended(end);
    }

    @Override
    public void opened() {
        // A list says so by its first items.
    }

    @Override
    public void deliver(List<ListItem> batch) {
        listener.items(batch);
    }

    @Override
    public void failed(ApiException cause) {
        listener.failed(cause);
    }
}
